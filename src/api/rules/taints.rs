//! Taints and tolerations, as `k8s.io/api/core/v1/toleration.go` and `taint.go` of 1.36 match them.

use crate::api::name::Text;
use crate::time::SimTime;

/// What a taint does to pods that do not tolerate it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Effect {
    /// They are not placed there.
    NoSchedule,
    /// They are placed there only if nothing better is left.
    PreferNoSchedule,
    /// They are not placed there, and those that run there are evicted.
    NoExecute,
}

impl Effect {
    /// The effect of this name.
    pub fn named(name: &str) -> Option<Effect> {
        let all = [Effect::NoSchedule, Effect::PreferNoSchedule, Effect::NoExecute];
        all.into_iter().find(|effect| effect.name() == name)
    }

    /// As written in a manifest.
    pub fn name(self) -> &'static str {
        match self {
            Effect::NoSchedule => "NoSchedule",
            Effect::PreferNoSchedule => "PreferNoSchedule",
            Effect::NoExecute => "NoExecute",
        }
    }
}

/// A taint of a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Taint {
    /// Its key.
    pub key: Text,
    /// Its value, often empty.
    pub value: Text,
    /// Its effect.
    pub effect: Effect,
    /// `timeAdded`, which the node lifecycle controller writes and nobody else; no part of what a taint is.
    pub added: Option<SimTime>,
}

impl Taint {
    /// A taint as people and most programs write it.
    pub fn new(key: impl Into<Text>, value: impl Into<Text>, effect: Effect) -> Taint {
        Taint { key: key.into(), value: value.into(), effect, added: None }
    }

    /// Whether both are one to a node: no node has two of a key and effect (`MatchTaint`).
    pub fn is_same(&self, other: &Taint) -> bool {
        self.key == other.key && self.effect == other.effect
    }
}

/// How a toleration compares the taint's value.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Comparison {
    /// The values are equal.
    Equal,
    /// Any value.
    Exists,
    /// The taint's is a smaller number (gate TaintTolerationComparisonOperators).
    Lt,
    /// The taint's is a greater number (the same gate).
    Gt,
}

/// A toleration of a pod.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Toleration {
    /// The taint's key; empty with `Exists`: any key.
    pub key: Text,
    /// How values compare.
    pub comparison: Comparison,
    /// The value, with `Equal`.
    pub value: Text,
    /// The effect tolerated; none: every effect.
    pub effect: Option<Effect>,
    /// How long a NoExecute taint is tolerated, in seconds; none: for ever, below 1: not at all.
    pub seconds: Option<i64>,
}

impl Toleration {
    /// Whether this toleration covers `taint`.
    pub fn covers(&self, taint: &Taint) -> bool {
        if self.effect.is_some_and(|effect| effect != taint.effect) {
            return false;
        }
        if !self.key.is_empty() && self.key != taint.key {
            return false;
        }
        match self.comparison {
            Comparison::Exists => true,
            Comparison::Equal => self.value == taint.value,
            Comparison::Lt => number(&taint.value)
                .zip(number(&self.value))
                .is_some_and(|(has, wanted)| has < wanted),
            Comparison::Gt => number(&taint.value)
                .zip(number(&self.value))
                .is_some_and(|(has, wanted)| has > wanted),
        }
    }
}

/// The number that a taint or a toleration is compared by; `None`: the value is none.
pub fn number(value: &str) -> Option<i64> {
    value.parse().ok()
}

/// What `wanted` has and `held` has not, and the other way round: taints of one key and effect are one
/// (`TaintSetDiff`, `pkg/util/taints`).
pub fn difference<'t>(wanted: &'t [Taint], held: &'t [Taint]) -> (Vec<&'t Taint>, Vec<&'t Taint>) {
    let lacks = |list: &[Taint], one: &Taint| !list.iter().any(|other| other.is_same(one));
    let add = wanted.iter().filter(|one| lacks(held, one)).collect();
    let remove = held.iter().filter(|one| lacks(wanted, one)).collect();
    (add, remove)
}

/// The first of `taints` with an effect `matters` accepts that none of `tolerations` covers.
pub fn first_untolerated<'t>(
    taints: &'t [Taint],
    tolerations: &[Toleration],
    matters: impl Fn(Effect) -> bool,
) -> Option<&'t Taint> {
    taints
        .iter()
        .filter(|taint| matters(taint.effect))
        .find(|taint| !tolerations.iter().any(|toleration| toleration.covers(taint)))
}
