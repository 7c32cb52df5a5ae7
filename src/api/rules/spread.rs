//! Topology spread constraints (`topologySpreadConstraints`, `k8s.io/api/core/v1` 1.36).

use super::selector::Selector;
use crate::api::name::Text;

/// How evenly pods are to be spread over the values of a label of nodes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SpreadConstraint {
    /// By how much counts may differ, at least 1.
    pub max_skew: i32,
    /// The label.
    pub topology_key: Text,
    /// Whether it must hold or only counts in scores.
    pub unsatisfiable: WhenUnsatisfiable,
    /// Which pods are counted; `None` selects none. Once admission is through, the requirements of
    /// `match_label_keys` are among it.
    pub selector: Option<Selector>,
    /// With fewer values than this the smallest count is taken for 0; `None`: 1.
    pub min_domains: Option<i32>,
    /// Whether nodes that the pod's node selector and affinity exclude are left out (by default
    /// they are).
    pub node_affinity: InclusionPolicy,
    /// Whether nodes with taints that the pod does not tolerate are left out (by default not).
    pub node_taints: InclusionPolicy,
    /// Keys whose values in the pod's own labels are required of the pods counted.
    pub match_label_keys: Vec<Text>,
}

/// What becomes of a pod whose constraint cannot hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum WhenUnsatisfiable {
    /// It waits.
    #[default]
    DoNotSchedule,
    /// It goes where the skew is least.
    ScheduleAnyway,
}

/// Whether nodes that a pod cannot go to count in skews.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InclusionPolicy {
    /// They are left out.
    Honor,
    /// They count.
    Ignore,
}
