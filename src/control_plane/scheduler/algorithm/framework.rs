//! The points of the scheduling framework: plugins in their default order with their weights, what a
//! rejection says, and the steps that run them (`pkg/scheduler/framework`, default_plugins.go, 1.36).

use smallvec::SmallVec;

use super::node_info::NodeInfo;
use super::plugins::{
    fit, image_locality, node_affinity, node_name, node_ports, node_unschedulable, taint_toleration,
};
use super::profile::Profile;
use super::shape::PodShape;
use crate::api::name::Text;

/// The highest score a plugin gives.
pub const MAX_SCORE: i64 = 100;

/// Plugins of the default profile that are modelled, in the order in which filters run.
/// (VolumeRestrictions, NodeVolumeLimits, VolumeBinding, VolumeZone, PodTopologySpread and
/// InterPodAffinity follow NodeResourcesFit.)
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Plugin {
    /// Holds back pods with scheduling gates.
    SchedulingGates,
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
    /// How evenly the node's resources would be used.
    NodeResourcesBalancedAllocation,
    /// Whether the node has the pod's images.
    ImageLocality,
}

impl Plugin {
    /// All of them, in order.
    pub const ALL: [Plugin; 9] = [
        Plugin::SchedulingGates,
        Plugin::NodeUnschedulable,
        Plugin::NodeName,
        Plugin::TaintToleration,
        Plugin::NodeAffinity,
        Plugin::NodePorts,
        Plugin::NodeResourcesFit,
        Plugin::NodeResourcesBalancedAllocation,
        Plugin::ImageLocality,
    ];

    /// Those that score.
    pub const SCORING: [Plugin; 5] = [
        Plugin::TaintToleration,
        Plugin::NodeAffinity,
        Plugin::NodeResourcesFit,
        Plugin::NodeResourcesBalancedAllocation,
        Plugin::ImageLocality,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Plugin::SchedulingGates => "SchedulingGates",
            Plugin::NodeUnschedulable => "NodeUnschedulable",
            Plugin::NodeName => "NodeName",
            Plugin::TaintToleration => "TaintToleration",
            Plugin::NodeAffinity => "NodeAffinity",
            Plugin::NodePorts => "NodePorts",
            Plugin::NodeResourcesFit => "NodeResourcesFit",
            Plugin::NodeResourcesBalancedAllocation => "NodeResourcesBalancedAllocation",
            Plugin::ImageLocality => "ImageLocality",
        }
    }

    /// What its score counts for in the default profile; 0 for those that do not score.
    pub fn default_weight(self) -> i32 {
        match self {
            Plugin::TaintToleration => 3,
            Plugin::NodeAffinity => 2,
            Plugin::NodeResourcesFit
            | Plugin::NodeResourcesBalancedAllocation
            | Plugin::ImageLocality => 1,
            Plugin::SchedulingGates
            | Plugin::NodeUnschedulable
            | Plugin::NodeName
            | Plugin::NodePorts => 0,
        }
    }
}

/// A set of plugins.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct PluginSet(u16);

impl PluginSet {
    /// No plugin.
    pub const EMPTY: PluginSet = PluginSet(0);

    /// Takes `plugin` in.
    pub fn insert(&mut self, plugin: Plugin) {
        self.0 |= 1 << plugin as u8;
    }

    /// Takes `plugin` out.
    pub fn remove(&mut self, plugin: Plugin) {
        self.0 &= !(1 << plugin as u8);
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

/// How a node was rejected.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Code {
    /// It would do if pods went away.
    Unschedulable,
    /// Taking pods away would not help.
    UnschedulableAndUnresolvable,
}

/// What is insufficient on a node, as bits: the order of the bits is that of the reasons.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Shortage(pub u64);

impl Shortage {
    /// It has as many pods as it may.
    pub const PODS: Shortage = Shortage(1);
    /// Too little CPU is left.
    pub const CPU: Shortage = Shortage(2);
    /// Too little memory is left.
    pub const MEMORY: Shortage = Shortage(4);
    /// Too little local disk is left.
    pub const EPHEMERAL: Shortage = Shortage(8);
    const FIRST_SCALAR: u32 = 4;
    /// So many extended resources of one pod are told apart; further ones count as the last.
    const SCALARS: usize = 60;

    /// Too little is left of the pod's extended resource number `index`.
    pub fn scalar(index: usize) -> Shortage {
        Shortage(1 << (Self::FIRST_SCALAR as usize + index.min(Self::SCALARS - 1)))
    }

    /// Whether nothing is short.
    pub fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Adds what `other` is short of.
    pub fn add(&mut self, other: Shortage) {
        self.0 |= other.0;
    }
}

/// Why a node was rejected: by the first plugin that did.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Rejection {
    /// The plugin.
    pub plugin: Plugin,
    /// Whether taking pods away would help.
    pub code: Code,
    /// What is short, where the plugin is NodeResourcesFit.
    pub shortage: Shortage,
}

impl Rejection {
    /// A rejection by a plugin with one reason.
    pub const fn of(plugin: Plugin, code: Code) -> Rejection {
        Rejection { plugin, code, shortage: Shortage(0) }
    }

    /// The reasons in kube-scheduler's words, for a pod of this shape.
    pub fn reasons(&self, pod: &PodShape) -> SmallVec<[Text; 2]> {
        match self.plugin {
            Plugin::NodeUnschedulable => smallvec::smallvec![node_unschedulable::REASON.into()],
            Plugin::NodeName => smallvec::smallvec![node_name::REASON.into()],
            Plugin::TaintToleration => smallvec::smallvec![taint_toleration::REASON.into()],
            Plugin::NodeAffinity => smallvec::smallvec![node_affinity::REASON.into()],
            Plugin::NodePorts => smallvec::smallvec![node_ports::REASON.into()],
            Plugin::NodeResourcesFit => fit::reasons(self.shortage, pod),
            Plugin::SchedulingGates
            | Plugin::NodeResourcesBalancedAllocation
            | Plugin::ImageLocality => SmallVec::new(),
        }
    }
}

/// What PreFilter says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PreFilter {
    /// Every node is to be looked at.
    All,
    /// Only nodes of these names, sorted.
    Only(Vec<Text>),
    /// None: with the plugin and its words.
    Refused(Plugin, &'static str),
}

/// Runs PreFilter.
pub fn pre_filter(profile: &Profile, pod: &PodShape) -> PreFilter {
    match profile.filters.has(Plugin::NodeAffinity) {
        true => node_affinity::pre_filter(pod),
        false => PreFilter::All,
    }
}

/// The filters whose answer follows from the node object alone, in order.
pub fn filter_static(profile: &Profile, pod: &PodShape, node: &NodeInfo) -> Option<Rejection> {
    type Filter = fn(&PodShape, &NodeInfo) -> Option<Rejection>;
    let filters: [(Plugin, Filter); 4] = [
        (Plugin::NodeUnschedulable, node_unschedulable::filter),
        (Plugin::NodeName, node_name::filter),
        (Plugin::TaintToleration, taint_toleration::filter),
        (Plugin::NodeAffinity, node_affinity::filter),
    ];
    let enabled = filters.into_iter().filter(|(plugin, _)| profile.filters.has(*plugin));
    enabled.filter_map(|(_, filter)| filter(pod, node)).next()
}

/// Runs the filters on one node: the first rejection, if any.
pub fn filter(profile: &Profile, pod: &PodShape, node: &NodeInfo) -> Option<Rejection> {
    let has = |plugin| profile.filters.has(plugin);
    filter_static(profile, pod, node)
        .or_else(|| node_ports::filter(pod, node).filter(|_| has(Plugin::NodePorts)))
        .or_else(|| fit::filter(&profile.fit, pod, node).filter(|_| has(Plugin::NodeResourcesFit)))
}

/// Whether the largest raw score is the best or the worst.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// Large is good.
    Ascending,
    /// Large is bad.
    Descending,
}

/// A raw score brought to 0..=100 where `max` is the largest one (`DefaultNormalizeScore`, 1.36).
pub fn normalized(raw: i64, max: i64, order: Order) -> i64 {
    let share = if max == 0 { 0 } else { MAX_SCORE * raw / max };
    match order {
        Order::Ascending => share,
        Order::Descending => MAX_SCORE - share,
    }
}

/// Which way a plugin's raw scores are normalised; none: they are scores as they are.
pub fn normalization(plugin: Plugin) -> Option<Order> {
    match plugin {
        Plugin::TaintToleration => Some(Order::Descending),
        Plugin::NodeAffinity => Some(Order::Ascending),
        _ => None,
    }
}

/// Runs the scoring plugin on one node: its raw score.
pub fn score(
    profile: &Profile,
    plugin: Plugin,
    pod: &PodShape,
    node: &NodeInfo,
    nodes: usize,
) -> i64 {
    match plugin {
        Plugin::TaintToleration => taint_toleration::score(pod, node),
        Plugin::NodeAffinity => node_affinity::score(pod, node),
        Plugin::NodeResourcesFit => fit::score(&profile.fit, pod, node),
        Plugin::NodeResourcesBalancedAllocation => super::plugins::balanced::score(pod, node),
        Plugin::ImageLocality => image_locality::score(pod, node, nodes),
        Plugin::SchedulingGates
        | Plugin::NodeUnschedulable
        | Plugin::NodeName
        | Plugin::NodePorts => 0,
    }
}

/// Whether the plugin has something to say about this pod: it scores at all, and PreScore does not
/// skip.
pub fn pre_score(profile: &Profile, plugin: Plugin, pod: &PodShape) -> bool {
    if profile.weight(plugin) == 0 {
        return false;
    }
    match plugin {
        Plugin::NodeAffinity => node_affinity::pre_score(pod),
        Plugin::NodeResourcesBalancedAllocation => super::plugins::balanced::pre_score(pod),
        _ => true,
    }
}
