//! The plugins of kube-scheduler 1.36 (and GpuShare): the points each acts at, its weight, and the
//! gate it stands behind.

use crate::control_plane::scheduler::algorithm::framework::Plugin;

/// Where a plugin can act.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Point {
    PreEnqueue,
    QueueSort,
    PreFilter,
    Filter,
    PostFilter,
    PreScore,
    Score,
    Reserve,
    Permit,
    PreBind,
    Bind,
    PostBind,
}

use Point::{
    Bind, Filter, Permit, PostBind, PostFilter, PreBind, PreEnqueue, PreFilter, PreScore,
    QueueSort, Reserve, Score,
};

impl Point {
    /// As a field of `plugins`.
    pub(super) fn field(self) -> &'static str {
        match self {
            PreEnqueue => "preEnqueue",
            QueueSort => "queueSort",
            PreFilter => "preFilter",
            Filter => "filter",
            PostFilter => "postFilter",
            PreScore => "preScore",
            Score => "score",
            Reserve => "reserve",
            Permit => "permit",
            PreBind => "preBind",
            Bind => "bind",
            PostBind => "postBind",
        }
    }

    /// As messages name it.
    pub(super) fn kind(self) -> &'static str {
        match self {
            PreEnqueue => "PreEnqueuePlugin",
            QueueSort => "QueueSortPlugin",
            PreFilter => "PreFilterPlugin",
            Filter => "FilterPlugin",
            PostFilter => "PostFilterPlugin",
            PreScore => "PreScorePlugin",
            Score => "ScorePlugin",
            Reserve => "ReservePlugin",
            Permit => "PermitPlugin",
            PreBind => "PreBindPlugin",
            Bind => "BindPlugin",
            PostBind => "PostBindPlugin",
        }
    }
}

/// A plugin.
#[derive(Clone, Copy, Debug)]
pub(super) struct Registered {
    pub name: &'static str,
    pub points: &'static [Point],
    /// Its weight in the default configuration; 0: none is given there.
    pub weight: i32,
    pub standing: Standing,
}

/// When a plugin is among the defaults.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Standing {
    Default,
    /// Only while this gate, which is off by default, is on. Not modelled.
    Behind(&'static str),
    /// Not of Kubernetes: only where it is enabled.
    OutOfTree,
}

const fn of(name: &'static str, weight: i32, points: &'static [Point]) -> Registered {
    Registered { name, points, weight, standing: Standing::Default }
}

/// In the order of the default configuration (pkg/scheduler/apis/config/v1/default_plugins.go).
pub(super) const ALL: [Registered; 24] = [
    of("SchedulingGates", 0, &[PreEnqueue]),
    of("PrioritySort", 0, &[QueueSort]),
    of("NodeUnschedulable", 0, &[Filter]),
    of("NodeName", 0, &[Filter]),
    of("TaintToleration", 3, &[Filter, PreScore, Score]),
    of("NodeAffinity", 2, &[PreFilter, Filter, PreScore, Score]),
    of("NodePorts", 0, &[PreFilter, Filter]),
    of("NodeResourcesFit", 1, &[PreFilter, Filter, PreScore, Score]),
    of("VolumeRestrictions", 0, &[PreFilter, Filter]),
    of("NodeVolumeLimits", 0, &[PreFilter, Filter]),
    of("VolumeBinding", 0, &[PreFilter, Filter, PreScore, Score, Reserve, PreBind]),
    of("VolumeZone", 0, &[PreFilter, Filter]),
    of("PodTopologySpread", 2, &[PreFilter, Filter, PreScore, Score]),
    of("InterPodAffinity", 2, &[PreFilter, Filter, PreScore, Score]),
    of(
        "DynamicResources",
        2,
        &[PreEnqueue, PreFilter, Filter, PostFilter, PreScore, Score, Reserve, PreBind],
    ),
    of("DefaultPreemption", 0, &[PreEnqueue, PostFilter]),
    of("NodeResourcesBalancedAllocation", 1, &[PreScore, Score]),
    of("ImageLocality", 1, &[Score]),
    of("DefaultBinder", 0, &[Bind]),
    of("NodeDeclaredFeatures", 0, &[PreFilter, Filter]),
    Registered {
        standing: Standing::Behind("GangScheduling"),
        ..of("GangScheduling", 0, &[PreEnqueue, Reserve, Permit])
    },
    Registered {
        standing: Standing::Behind("TopologyAwareWorkloadScheduling"),
        ..of("TopologyPlacementGenerator", 0, &[])
    },
    Registered {
        standing: Standing::Behind("TopologyAwareWorkloadScheduling"),
        ..of("PodGroupPodsCount", 0, &[])
    },
    Registered { standing: Standing::OutOfTree, ..of("GpuShare", 0, &[Filter, Score, Reserve]) },
];

/// Plugins that v1 refuses by name.
pub(super) const INVALID: [&str; 4] =
    ["AzureDiskLimits", "CinderLimits", "EBSLimits", "GCEPDLimits"];

/// Plugins of earlier releases: to disable one says nothing.
pub(super) const GONE: [&str; 8] = [
    "NodeLabel",
    "NodePreferAvoidPods",
    "NodeResourcesLeastAllocated",
    "NodeResourcesMostAllocated",
    "RequestedToCapacityRatio",
    "SelectorSpread",
    "DefaultPodTopologySpread",
    "ServiceAffinity",
];

/// The plugin of this name.
pub(super) fn named(name: &str) -> Option<&'static Registered> {
    ALL.iter().find(|plugin| plugin.name == name)
}

/// Its part in the algorithm, if it has one.
pub(super) fn modelled(name: &str) -> Option<Plugin> {
    Plugin::ALL.into_iter().find(|plugin| plugin.name() == name)
}
