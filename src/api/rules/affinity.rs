//! Node selectors and node affinity, as `k8s.io/component-helpers/scheduling/corev1/nodeaffinity`
//! of 1.36 matches them; affinity between pods, as its `corev1` types have it.

use super::selector::{Operator, Requirement, Selector};
use crate::api::meta::Labels;
use crate::api::name::Text;

/// One term: every requirement on labels and on fields must hold. A term with neither selects
/// nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Term {
    /// Requirements on the node's labels.
    pub labels: Vec<Requirement>,
    /// Requirements on the node's fields; only `metadata.name` is known, with `In` or `NotIn` and
    /// one value. Any other is broken, and its term selects nothing.
    pub fields: Vec<Requirement>,
}

impl Term {
    /// Whether a node of this name with these labels is selected.
    pub fn matches(&self, name: &str, labels: &Labels) -> bool {
        if self.labels.is_empty() && self.fields.is_empty() {
            return false;
        }
        self.labels.iter().all(|requirement| requirement.matches(labels))
            && self.fields.iter().all(|requirement| {
                &*requirement.key == "metadata.name"
                    && requirement.values.len() == 1
                    && matches!(requirement.operator, Operator::In | Operator::NotIn)
                    && requirement.holds(Some(name))
            })
    }
}

/// What a pod demands of its node, and what it would like.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NodeAffinity {
    /// Required terms: one of them must select the node. `None`: no demand. An empty list selects
    /// nothing.
    pub required: Option<Vec<Term>>,
    /// Preferred terms with their weights (1 to 100).
    pub preferred: Vec<(i32, Term)>,
}

impl NodeAffinity {
    /// Whether a node of this name with these labels satisfies the required terms.
    pub fn allows(&self, name: &str, labels: &Labels) -> bool {
        self.required
            .as_ref()
            .is_none_or(|terms| terms.iter().any(|term| term.matches(name, labels)))
    }
}
/// One term about other pods: those it selects, and the label of nodes that says what is near them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PodTerm {
    /// Which pods; `None` selects none. Once admission is through, the requirements of
    /// `match_label_keys` are among it.
    pub selector: Option<Selector>,
    /// Their namespaces. With this empty and no `namespace_selector`: the pod's own.
    pub namespaces: Vec<Text>,
    /// Namespaces by their labels, besides; an empty selector selects all.
    pub namespace_selector: Option<Selector>,
    /// Nodes with equal values of this label are near each other.
    pub topology_key: Text,
    /// Keys whose values in the pod's own labels are required of the others.
    pub match_label_keys: Vec<Text>,
    /// Keys whose values in the pod's own labels the others must not have.
    pub mismatch_label_keys: Vec<Text>,
}

/// What a pod demands of pods near it, and what it would like (`podAffinity`, `podAntiAffinity`).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PodAffinity {
    /// Every one must hold.
    pub required: Vec<PodTerm>,
    /// Preferred terms with their weights (1 to 100).
    pub preferred: Vec<(i32, PodTerm)>,
}

impl PodAffinity {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.required.is_empty() && self.preferred.is_empty()
    }
}
