//! What could help a pod that other pods keep out: topology spread and affinity between pods
//! (`isSchedulableAfterPodChange` and `isSchedulableAfterNodeChange` of `podtopologyspread` and
//! `interpodaffinity`, 1.36).

use crate::api::rules::affinity::PodTerm;
use crate::api::rules::spread::WhenUnsatisfiable;
use crate::control_plane::scheduler::algorithm::plugins::inter_pod_affinity::{
    Of, is_about, is_wanted,
};
use crate::control_plane::scheduler::algorithm::plugins::topology_spread::{
    Constraint, constraints,
};
use crate::control_plane::scheduler::algorithm::{NodeInfo, PodShape, Question};

fn hard(q: Question<'_>) -> Vec<Constraint> {
    constraints(q, WhenUnsatisfiable::DoNotSchedule)
}

/// A pod on a node has other labels: some constraint counts it now, or no longer.
pub(super) fn spread_after_change(q: Question<'_>, old: &PodShape, new: &PodShape) -> bool {
    let differs = |one: &Constraint| one.selects(old.labels()) != one.selects(new.labels());
    q.pod.namespace() == new.namespace() && hard(q).iter().any(differs)
}

/// A node came or changed: it counts now, or no longer, or elsewhere.
pub(super) fn spread_after_node(q: Question<'_>, old: Option<&NodeInfo>, new: &NodeInfo) -> bool {
    let constraints = hard(q);
    let counts = |node: &NodeInfo| constraints.iter().all(|one| node.labels.contains_key(&one.key));
    let Some(old) = old else { return counts(new) };
    let moved = || {
        constraints.iter().any(|one| old.labels.get(&one.key) != new.labels.get(&one.key))
            || old.taints != new.taints
    };
    counts(old) != counts(new) || counts(new) && moved()
}

/// A pod left its node: one the pod keeps away from, or one that kept it away.
pub(super) fn near_after_gone(q: Question<'_>, gone: &PodShape) -> bool {
    let (home, around) = (gone.namespace(), q.snapshot.surroundings());
    let kept_away = |term: &PodTerm| is_about(term, home, q.pod, around, Of::Incoming);
    is_unwanted(q, gone) || gone.spec().pod_anti_affinity.required.iter().any(kept_away)
}

/// A pod on a node has other labels: it is wanted now, or unwanted no longer.
pub(super) fn near_after_change(q: Question<'_>, old: &PodShape, new: &PodShape) -> bool {
    !is_wanted(q, old) && is_wanted(q, new) || is_unwanted(q, old) && !is_unwanted(q, new)
}

/// Whether the pod keeps away from the other.
fn is_unwanted(q: Question<'_>, other: &PodShape) -> bool {
    let (home, around) = (q.pod.namespace(), q.snapshot.surroundings());
    let is = |term: &PodTerm| is_about(term, home, other, around, Of::Incoming);
    q.pod.spec().pod_anti_affinity.required.iter().any(is)
}

/// A node came or changed: it is of another place, as far as a term looks.
pub(super) fn near_after_node(q: Question<'_>, old: Option<&NodeInfo>, new: &NodeInfo) -> bool {
    let (near, apart) = (&q.pod.spec().pod_affinity, &q.pod.spec().pod_anti_affinity);
    let Some(old) = old else {
        let has = |term: &PodTerm| new.labels.contains_key(&term.topology_key);
        return near.required.iter().any(has) || !apart.required.is_empty();
    };
    let places = |term: &PodTerm| {
        let key = &term.topology_key;
        (old.labels.get(key), new.labels.get(key))
    };
    let joined = |term: &PodTerm| matches!(places(term), (was, Some(is)) if was != Some(is));
    let left = |term: &PodTerm| matches!(places(term), (Some(was), is) if is != Some(was));
    near.required.iter().any(joined) || apart.required.iter().any(left)
}
