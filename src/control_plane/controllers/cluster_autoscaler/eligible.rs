//! Which nodes are worth thinking about for removal (cluster-autoscaler 1.36
//! core/scaledown/eligibility, simulator/utilization) and why others are not.

use super::TO_BE_DELETED;
use crate::api::node::Node;
use crate::api::resources::Resources;

/// A node's word that it must stay.
const DISABLED: &str = "cluster-autoscaler.kubernetes.io/scale-down-disabled";

/// Why a node is not removed (`UnremovableReason`, in its order).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Unremovable {
    /// Its annotation says so.
    ScaleDownDisabled = 1,
    /// It is not ready, and such nodes stay.
    UnreadyStays = 2,
    /// It is in no group.
    NotAutoscaled = 3,
    /// It has not been unneeded for long enough.
    NotUnneededLongEnough = 4,
    /// It has not been unready for long enough.
    NotUnreadyLongEnough = 5,
    /// Its group has its smallest size.
    MinSizeReached = 6,
    /// It is on its way out.
    BeingDeleted = 10,
    /// It is used too much.
    NotUnderutilized = 11,
    /// It could not be removed a short while ago.
    RecentlyUnremovable = 13,
    /// Its pods fit nowhere else.
    NoPlaceToMovePods = 14,
    /// A pod holds it.
    BlockedByPod = 15,
}

impl Unremovable {
    /// As the autoscaler names it.
    pub fn name(self) -> &'static str {
        match self {
            Unremovable::ScaleDownDisabled => "ScaleDownDisabledAnnotation",
            Unremovable::UnreadyStays => "ScaleDownUnreadyDisabled",
            Unremovable::NotAutoscaled => "NotAutoscaled",
            Unremovable::NotUnneededLongEnough => "NotUnneededLongEnough",
            Unremovable::NotUnreadyLongEnough => "NotUnreadyLongEnough",
            Unremovable::MinSizeReached => "NodeGroupMinSizeReached",
            Unremovable::BeingDeleted => "CurrentlyBeingDeleted",
            Unremovable::NotUnderutilized => "NotUnderutilized",
            Unremovable::RecentlyUnremovable => "RecentlyUnremovable",
            Unremovable::NoPlaceToMovePods => "NoPlaceToMovePods",
            Unremovable::BlockedByPod => "BlockedByPod",
        }
    }
}

/// A share in thousandths of thousandths.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Share(pub u64);

impl Share {
    /// All of it.
    pub const WHOLE: Share = Share(1_000_000);

    /// `part` of `whole`, rounded up, so that it is below a threshold just where the fraction is;
    /// nothing of nothing is nothing.
    pub fn of(part: i64, whole: i64) -> Share {
        if whole <= 0 {
            return Share(0);
        }
        let (part, whole) = (part.max(0) as u128, whole as u128);
        Share((part * 1_000_000).div_ceil(whole).min(u128::from(u64::MAX)) as u64)
    }
}

/// How much of a node is asked for: the greater share of processors and memory (`utilization.Calculate`).
pub fn utilization(requested: &Resources, allocatable: &Resources) -> Share {
    let cpu = Share::of(requested.cpu_milli, allocatable.cpu_milli);
    cpu.max(Share::of(requested.memory, allocatable.memory))
}

/// Whether an annotation keeps a node.
pub fn is_disabled(node: &Node) -> bool {
    node.meta.annotation(DISABLED) == Some("true")
}

/// Whether a node is on its way out already.
pub fn is_being_deleted(node: &Node) -> bool {
    node.taints.iter().any(|taint| &*taint.key == TO_BE_DELETED)
}

/// Why a node is not worth thinking about, if so; nodes that are not ready may be used as much as
/// they like.
pub fn check(node: &Node, used: Share, threshold: Share) -> Option<Unremovable> {
    if is_being_deleted(node) {
        return Some(Unremovable::BeingDeleted);
    }
    if is_disabled(node) {
        return Some(Unremovable::ScaleDownDisabled);
    }
    (node.is_ready() && used >= threshold).then_some(Unremovable::NotUnderutilized)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greater_share_counts_and_the_threshold_itself_is_too_much() {
        let of = |cpu_milli, memory| Resources { cpu_milli, memory, ..Resources::default() };
        assert_eq!(utilization(&of(500, 1), &of(1000, 10)), Share(500_000));
        assert_eq!(utilization(&of(1, 9), &of(1000, 10)), Share(900_000));
        assert!(utilization(&of(499, 0), &of(1000, 10)) < Share(500_000));
        // 1/3 is below 0.333334 and not below 0.333333.
        let third = utilization(&of(1, 0), &of(3, 1));
        assert!(third < Share(333_335) && third >= Share(333_333));
    }
}
