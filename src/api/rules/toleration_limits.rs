//! Tolerations that a namespace gives to its pods, and those it allows them
//! (`pkg/util/tolerations/tolerations.go`, 1.36).

use super::taints::{Comparison, Effect, Toleration};

/// Whether `wide` tolerates all that `narrow` does.
pub fn is_superset(wide: &Toleration, narrow: &Toleration) -> bool {
    if wide == narrow {
        return true;
    }
    let any_key = wide.key.is_empty() && wide.comparison == Comparison::Exists;
    if wide.key != narrow.key && !any_key {
        return false;
    }
    if wide.effect.is_some() && wide.effect != narrow.effect {
        return false;
    }
    if wide.effect == Some(Effect::NoExecute)
        && let Some(most) = wide.seconds
        && narrow.seconds.is_none_or(|seconds| seconds > most)
    {
        return false;
    }
    match wide.comparison {
        Comparison::Exists => true,
        like => narrow.comparison == like && narrow.value == wide.value,
    }
}

/// Both lists as one, without what another of them covers.
pub fn merged(first: &[Toleration], second: &[Toleration]) -> Vec<Toleration> {
    let all: Vec<&Toleration> = first.iter().chain(second).collect();
    let mut merged: Vec<Toleration> = Vec::new();
    for (at, one) in all.iter().enumerate() {
        let is_kept = merged.iter().any(|other| is_superset(other, one));
        // Of equal ones the first stays.
        let is_to_come = all[at + 1..].iter().any(|other| other != one && is_superset(other, one));
        if !is_kept && !is_to_come {
            merged.push((*one).clone());
        }
    }
    merged
}

/// Whether a namespace that allows `allowed` (nothing said: all) lets a pod have these.
pub fn allows(allowed: &[Toleration], tolerations: &[Toleration]) -> bool {
    let is_allowed = |one: &Toleration| allowed.iter().any(|wide| is_superset(wide, one));
    allowed.is_empty() || tolerations.iter().all(is_allowed)
}
