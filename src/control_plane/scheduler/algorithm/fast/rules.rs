//! Which pods a counter counts: those that a constraint selects, those that a term is about, those
//! that carry a term.

use super::super::plugins::inter_pod_affinity::{Of, is_about};
use super::super::shape::PodShape;
use super::super::surroundings::Surroundings;
use crate::api::name::Text;
use crate::api::rules::affinity::PodTerm;
use crate::api::rules::selector::Selector;

/// A term about other pods, and the namespace of the pod that has it, where that matters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Term {
    home: Text,
    /// The term.
    pub term: PodTerm,
}

impl Term {
    /// The term of a pod in this namespace.
    pub fn of(term: &PodTerm, namespace: &Text) -> Term {
        let says_where = !term.namespaces.is_empty() || term.namespace_selector.is_some();
        let home = if says_where { "".into() } else { namespace.clone() };
        Term { home, term: term.clone() }
    }

    /// Whether the term, of a pod to be placed, is about this pod on a node.
    pub fn is_about(&self, pod: &PodShape, around: &Surroundings) -> bool {
        is_about(&self.term, &self.home, pod, around, Of::Incoming)
    }

    /// Whether the term, of a pod on a node, is about this pod to be placed.
    pub fn concerns(&self, pod: &PodShape, around: &Surroundings) -> bool {
        is_about(&self.term, &self.home, pod, around, Of::Resident)
    }
}

/// A term as a pod on a node has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Carried {
    /// Required anti-affinity.
    Repels(Term),
    /// Required affinity.
    Draws(Term),
    /// A preferred term with its weight, below 0 where it is anti-affinity.
    Likes(i64, Term),
}

impl Carried {
    /// The term.
    pub fn term(&self) -> &Term {
        match self {
            Carried::Repels(term) | Carried::Draws(term) | Carried::Likes(_, term) => term,
        }
    }

    /// All terms of a pod of this shape.
    pub fn all(pod: &PodShape) -> Vec<Carried> {
        let (spec, namespace) = (pod.spec(), pod.namespace());
        let (near, apart) = (&spec.pod_affinity, &spec.pod_anti_affinity);
        let of = |term| Term::of(term, namespace);
        let repels = apart.required.iter().map(|term| Carried::Repels(of(term)));
        let draws = near.required.iter().map(|term| Carried::Draws(of(term)));
        let likes = near
            .preferred
            .iter()
            .map(|(weight, term)| Carried::Likes(i64::from(*weight), of(term)));
        let dislikes = apart
            .preferred
            .iter()
            .map(|(weight, term)| Carried::Likes(-i64::from(*weight), of(term)));
        repels.chain(draws).chain(likes).chain(dislikes).collect()
    }
}

/// Which pods on nodes are counted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Rule {
    /// Those of a namespace that a spread constraint selects and that are there to stay. One that
    /// selects everything counts none (`countPodsMatchSelector`, 1.36).
    Spread {
        /// The namespace.
        namespace: Text,
        /// The constraint's selector.
        selector: Option<Selector>,
    },
    /// Those that all of these terms of a pod to be placed are about.
    Near(Vec<Term>),
    /// Those that carry this term.
    Carries(Carried),
}

/// Whether a counter counts pods on their way out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Leaving {
    /// It does.
    Counts,
    /// It does not.
    LeftOut,
}

impl Rule {
    /// Whether a pod of this shape on a node is counted. Who carries a term is told by its class.
    pub fn counts(&self, pod: &PodShape, around: &Surroundings) -> bool {
        match self {
            Rule::Spread { namespace, selector } => {
                let selects = |it: &Selector| !it.is_empty() && it.matches(pod.labels());
                pod.namespace() == namespace && selector.as_ref().is_some_and(selects)
            }
            Rule::Near(terms) => terms.iter().all(|term| term.is_about(pod, around)),
            Rule::Carries(_) => false,
        }
    }

    /// Whether pods on their way out are counted too.
    pub fn leaving(&self) -> Leaving {
        match self {
            Rule::Spread { .. } => Leaving::LeftOut,
            Rule::Near(_) | Rule::Carries(_) => Leaving::Counts,
        }
    }
}
