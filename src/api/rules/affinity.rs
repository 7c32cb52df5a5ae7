//! Node selectors and node affinity, as `k8s.io/component-helpers/scheduling/corev1/nodeaffinity`
//! of 1.36 matches them.

use super::selector::{Operator, Requirement};
use crate::api::meta::Labels;

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
