//! The plugins by name, in the order in which the default profile runs them.

/// The in-tree plugins of kube-scheduler 1.36 in their default order (`getDefaultPlugins`,
/// pkg/scheduler/apis/config/v1/default_plugins.go), and those of others after them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Plugin {
    /// Holds back pods with scheduling gates.
    SchedulingGates,
    /// Orders the queue by priority.
    PrioritySort,
    /// Keeps pods off cordoned nodes.
    NodeUnschedulable,
    /// Keeps a pod to the node it names.
    NodeName,
    /// Taints and tolerations.
    TaintToleration,
    /// Node selectors and node affinity.
    NodeAffinity,
    /// Ports of the host.
    NodePorts,
    /// Whether the request fits, and how empty the node would be.
    NodeResourcesFit,
    /// Whether a volume may be used on a node besides those who use it already.
    VolumeRestrictions,
    /// How many volumes a node may attach.
    NodeVolumeLimits,
    /// Whether the pod's volumes are, or can be, where the node is.
    VolumeBinding,
    /// Whether the pod's volumes are in the node's zone.
    VolumeZone,
    /// How evenly pods are spread over the values of a label of nodes.
    PodTopologySpread,
    /// Affinity between pods.
    InterPodAffinity,
    /// Claims of devices.
    DynamicResources,
    /// Makes room by evicting pods of lower priority.
    DefaultPreemption,
    /// How evenly the node's resources would be used.
    NodeResourcesBalancedAllocation,
    /// Whether the node has the pod's images.
    ImageLocality,
    /// Writes the binding.
    DefaultBinder,
    /// Shares of GPUs, device by device; out of tree, in no profile unless it is asked for.
    GpuShare,
}

impl Plugin {
    /// All of them, in order.
    pub const ALL: [Plugin; 20] = [
        Plugin::SchedulingGates,
        Plugin::PrioritySort,
        Plugin::NodeUnschedulable,
        Plugin::NodeName,
        Plugin::TaintToleration,
        Plugin::NodeAffinity,
        Plugin::NodePorts,
        Plugin::NodeResourcesFit,
        Plugin::VolumeRestrictions,
        Plugin::NodeVolumeLimits,
        Plugin::VolumeBinding,
        Plugin::VolumeZone,
        Plugin::PodTopologySpread,
        Plugin::InterPodAffinity,
        Plugin::DynamicResources,
        Plugin::DefaultPreemption,
        Plugin::NodeResourcesBalancedAllocation,
        Plugin::ImageLocality,
        Plugin::DefaultBinder,
        Plugin::GpuShare,
    ];

    /// Those that score.
    pub const SCORING: [Plugin; 10] = [
        Plugin::TaintToleration,
        Plugin::NodeAffinity,
        Plugin::NodeResourcesFit,
        Plugin::VolumeBinding,
        Plugin::PodTopologySpread,
        Plugin::InterPodAffinity,
        Plugin::DynamicResources,
        Plugin::NodeResourcesBalancedAllocation,
        Plugin::ImageLocality,
        Plugin::GpuShare,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Plugin::SchedulingGates => "SchedulingGates",
            Plugin::PrioritySort => "PrioritySort",
            Plugin::NodeUnschedulable => "NodeUnschedulable",
            Plugin::NodeName => "NodeName",
            Plugin::TaintToleration => "TaintToleration",
            Plugin::NodeAffinity => "NodeAffinity",
            Plugin::NodePorts => "NodePorts",
            Plugin::NodeResourcesFit => "NodeResourcesFit",
            Plugin::VolumeRestrictions => "VolumeRestrictions",
            Plugin::NodeVolumeLimits => "NodeVolumeLimits",
            Plugin::VolumeBinding => "VolumeBinding",
            Plugin::VolumeZone => "VolumeZone",
            Plugin::PodTopologySpread => "PodTopologySpread",
            Plugin::InterPodAffinity => "InterPodAffinity",
            Plugin::DynamicResources => "DynamicResources",
            Plugin::DefaultPreemption => "DefaultPreemption",
            Plugin::NodeResourcesBalancedAllocation => "NodeResourcesBalancedAllocation",
            Plugin::ImageLocality => "ImageLocality",
            Plugin::DefaultBinder => "DefaultBinder",
            Plugin::GpuShare => "GpuShare",
        }
    }

    /// Whether it comes with kube-scheduler, and so is in the default profile.
    pub fn is_in_tree(self) -> bool {
        self != Plugin::GpuShare
    }

    /// What its score counts for in the default profile; 0 for those that do not score there.
    pub fn default_weight(self) -> i32 {
        match self {
            Plugin::TaintToleration => 3,
            Plugin::NodeAffinity
            | Plugin::PodTopologySpread
            | Plugin::InterPodAffinity
            | Plugin::DynamicResources => 2,
            Plugin::NodeResourcesFit
            | Plugin::VolumeBinding
            | Plugin::NodeResourcesBalancedAllocation
            | Plugin::ImageLocality => 1,
            _ => 0,
        }
    }
}

/// A set of plugins.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct PluginSet(u32);

impl PluginSet {
    /// Every plugin.
    pub const ALL: PluginSet = PluginSet::of(&Plugin::ALL);

    /// No plugin.
    pub const EMPTY: PluginSet = PluginSet(0);

    /// The set of these.
    pub const fn of(plugins: &[Plugin]) -> PluginSet {
        let mut bits = 0;
        let mut at = 0;
        while at < plugins.len() {
            bits |= 1 << plugins[at] as u8;
            at += 1;
        }
        PluginSet(bits)
    }

    /// Takes `plugin` in.
    pub fn insert(&mut self, plugin: Plugin) {
        self.0 |= 1 << plugin as u8;
    }

    /// Takes `plugin` out.
    pub fn remove(&mut self, plugin: Plugin) {
        self.0 &= !(1 << plugin as u8);
    }

    /// Those of both.
    pub fn with(self, other: PluginSet) -> PluginSet {
        PluginSet(self.0 | other.0)
    }

    /// Whether both share a plugin.
    pub fn meets(self, other: PluginSet) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether `plugin` is in it.
    pub fn has(self, plugin: Plugin) -> bool {
        self.0 & (1 << plugin as u8) != 0
    }

    /// Whether it is empty.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Its plugins in order.
    pub fn iter(self) -> impl Iterator<Item = Plugin> {
        Plugin::ALL.into_iter().filter(move |&plugin| self.has(plugin))
    }
}
