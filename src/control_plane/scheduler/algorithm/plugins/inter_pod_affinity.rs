//! InterPodAffinity: pods that want to be near others, or away from them
//! (`plugins/interpodaffinity`, 1.36).
//!
//! Owns whom a term is about. What required terms reject is [`filter`]'s, what preferred ones are
//! worth is [`score`]'s.

pub mod filter;
pub mod score;

use super::super::framework::Question;
use super::super::shape::PodShape;
use super::super::surroundings::Surroundings;
use crate::api::meta::Labels;
use crate::api::rules::affinity::PodTerm;

/// Whether `term` of a pod of namespace `home` is about `other` (`AffinityTerm.Matches`).
pub fn is_about(
    term: &PodTerm,
    home: &str,
    other: &PodShape,
    around: &Surroundings,
    of: Of,
) -> bool {
    in_namespace(term, home, other.namespace(), around, of)
        && term.selector.as_ref().is_some_and(|selector| selector.matches(other.labels()))
}

/// Whether all required affinity terms of the pod, of which there are some, are about `other`: its
/// coming may help the pod (`isSchedulableAfterPodChange`).
pub fn is_wanted(q: Question<'_>, other: &PodShape) -> bool {
    let terms = &q.pod.spec().pod_affinity.required;
    let (home, around) = (q.pod.namespace(), q.snapshot.surroundings());
    !terms.is_empty() && terms.iter().all(|term| is_about(term, home, other, around, Of::Incoming))
}

/// Whose term it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Of {
    /// Of the pod to be placed: its namespace selector chooses among the namespaces there are.
    Incoming,
    /// Of a pod that is there: its namespace selector looks at the labels of the incoming pod's
    /// namespace, of which one that is not there has none.
    Resident,
}

fn in_namespace(
    term: &PodTerm,
    home: &str,
    namespace: &str,
    around: &Surroundings,
    of: Of,
) -> bool {
    let named = match (term.namespaces.is_empty(), &term.namespace_selector) {
        (true, None) => namespace == home,
        _ => term.namespaces.iter().any(|name| **name == *namespace),
    };
    let selected = |labels: Option<&Labels>| match (&term.namespace_selector, labels) {
        (None, _) => false,
        (Some(selector), _) if selector.is_empty() => true,
        (Some(selector), Some(labels)) => selector.matches(labels),
        (Some(selector), None) => of == Of::Resident && selector.matches(&Labels::new()),
    };
    named || selected(around.namespace(namespace))
}
