//! The points of the scheduling framework: what a plugin is asked, what a rejection says, and the
//! steps that run the plugins (`pkg/scheduler/framework/runtime/framework.go`, 1.36).
//!
//! Owns which plugin acts where and in which order. Refuses to know the order of nodes and the
//! choice among them, which is [`super::plain`]'s.

mod plugin;

use smallvec::SmallVec;

use super::node_info::NodeInfo;
use super::plugins::{
    balanced, dynamic_resources, fit, gpu_share, image_locality, inter_pod_affinity, node_affinity,
    node_name, node_ports, node_unschedulable, taint_toleration, topology_spread, volumes,
};
use super::profile::Profile;
use super::shape::PodShape;
use super::snapshot::Snapshot;
use crate::api::name::Text;

pub use plugin::{Plugin, PluginSet};

/// The highest score a plugin gives.
pub const MAX_SCORE: i64 = 100;

/// What one decision looks at.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// How pods of this scheduler are placed.
    pub profile: &'a Profile,
    /// The cluster, settled.
    pub snapshot: &'a Snapshot,
    /// The pod to be placed.
    pub pod: &'a PodShape,
}

/// How a node was rejected.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Code {
    /// It would do if pods went away.
    Unschedulable,
    /// Taking pods away would not help.
    UnschedulableAndUnresolvable,
}

/// Why a node was rejected: by the first plugin that did.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Rejection {
    /// The plugin.
    pub plugin: Plugin,
    /// Whether taking pods away would help.
    pub code: Code,
    /// Which of its reasons; each plugin reads its own in its `reasons`.
    pub detail: u64,
}

impl Rejection {
    /// A rejection by a plugin with one reason.
    pub const fn of(plugin: Plugin, code: Code) -> Rejection {
        Rejection { plugin, code, detail: 0 }
    }

    /// The reasons in kube-scheduler's words, for a pod of this shape.
    pub fn reasons(&self, pod: &PodShape) -> SmallVec<[Text; 2]> {
        let one = |words: &str| smallvec::smallvec![Text::from(words)];
        match self.plugin {
            Plugin::NodeUnschedulable => one(node_unschedulable::REASON),
            Plugin::NodeName => one(node_name::REASON),
            Plugin::TaintToleration => one(taint_toleration::REASON),
            Plugin::NodeAffinity => one(node_affinity::reason(self.detail)),
            Plugin::NodePorts => one(node_ports::REASON),
            Plugin::NodeResourcesFit => fit::reasons(fit::Shortage(self.detail), pod),
            Plugin::PodTopologySpread => one(topology_spread::filter::reason(self.detail)),
            Plugin::InterPodAffinity => one(inter_pod_affinity::filter::reason(self.detail)),
            Plugin::GpuShare => gpu_share::reasons(self.detail),
            _ => volumes::reasons(*self, pod),
        }
    }
}

/// Why no node was even looked at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The plugin whose PreFilter refused.
    pub plugin: Plugin,
    /// Whether taking pods away would help.
    pub code: Code,
    /// Its words.
    pub words: Text,
}

/// What PreFilter says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PreFilter {
    /// Every node is to be looked at.
    All,
    /// Only nodes of these names, sorted, as these plugins say.
    Only(Vec<Text>, PluginSet),
    /// None.
    Refused(Refusal),
}

/// What PreFilter worked out for the filters: of each plugin that has any, its state. A plugin
/// without one has nothing to filter.
#[derive(Clone, Default, Debug)]
pub struct CycleState {
    /// Of the plugins about volumes.
    pub volumes: volumes::State,
    /// Of PodTopologySpread.
    pub spread: Option<topology_spread::filter::State>,
    /// Of InterPodAffinity.
    pub near: Option<inter_pod_affinity::filter::State>,
}

impl CycleState {
    /// Counts a pod in that is put on `node` in thought (`PreFilterExtensions.AddPod`). The copy of
    /// the node given to [`filter`] is the caller's to change.
    pub fn add_pod(&mut self, q: Question<'_>, node: &NodeInfo, pod: &PodShape) {
        self.update(q, node, pod, 1);
    }

    /// Counts a pod out that is taken off `node` in thought (`PreFilterExtensions.RemovePod`).
    pub fn remove_pod(&mut self, q: Question<'_>, node: &NodeInfo, pod: &PodShape) {
        self.update(q, node, pod, -1);
    }

    fn update(&mut self, q: Question<'_>, node: &NodeInfo, pod: &PodShape, delta: i64) {
        self.volumes.shift(pod, delta);
        if let Some(spread) = &mut self.spread {
            spread.update(q, node, pod, delta);
        }
        if let Some(near) = &mut self.near {
            near.update(q, node, pod, delta);
        }
    }
}

/// Runs PreFilter, plugin by plugin: the first refusal ends it.
pub fn pre_filter(q: Question<'_>) -> (PreFilter, CycleState) {
    let has = |plugin| q.profile.filters.has(plugin);
    let mut state = CycleState::default();
    let narrowed = match has(Plugin::NodeAffinity) {
        true => node_affinity::pre_filter(q.pod),
        false => PreFilter::All,
    };
    if let PreFilter::Refused(_) = narrowed {
        return (narrowed, state);
    }
    match volumes::pre_filter(q) {
        Ok(worked_out) => state.volumes = worked_out,
        Err(refusal) => return (PreFilter::Refused(refusal), state),
    }
    if has(Plugin::PodTopologySpread) {
        state.spread = topology_spread::filter::pre_filter(q);
    }
    if has(Plugin::InterPodAffinity) {
        state.near = inter_pod_affinity::filter::pre_filter(q);
    }
    (narrowed, state)
}

/// The filters whose answer follows from the node object alone, in order.
pub fn filter_static(profile: &Profile, pod: &PodShape, node: &NodeInfo) -> Option<Rejection> {
    type Filter = fn(&Profile, &PodShape, &NodeInfo) -> Option<Rejection>;
    let filters: [(Plugin, Filter); 4] = [
        (Plugin::NodeUnschedulable, |_, pod, node| node_unschedulable::filter(pod, node)),
        (Plugin::NodeName, |_, pod, node| node_name::filter(pod, node)),
        (Plugin::TaintToleration, |_, pod, node| taint_toleration::filter(pod, node)),
        (Plugin::NodeAffinity, |profile, pod, node| {
            node_affinity::filter(&profile.added_affinity, pod, node)
        }),
    ];
    let enabled = filters.into_iter().filter(|(plugin, _)| profile.filters.has(*plugin));
    enabled.filter_map(|(_, filter)| filter(profile, pod, node)).next()
}

/// Runs the filters on one node, or on a copy of one with pods added or taken away in thought: the
/// first rejection, if any.
pub fn filter(q: Question<'_>, state: &CycleState, node: &NodeInfo) -> Option<Rejection> {
    let has = |plugin| q.profile.filters.has(plugin);
    let of_gpu = || gpu_share::filter(&q.profile.gpu, q.pod, node);
    let of_fit = || fit::filter(&q.profile.fit, q.pod, node);
    filter_static(q.profile, q.pod, node)
        .or_else(|| node_ports::filter(q.pod, node).filter(|_| has(Plugin::NodePorts)))
        .or_else(|| has(Plugin::NodeResourcesFit).then(of_fit).flatten())
        .or_else(|| volumes::filter(q, &state.volumes, node))
        .or_else(|| state.spread.as_ref()?.filter(q, node))
        .or_else(|| state.near.as_ref()?.filter(q, node))
        .or_else(|| has(Plugin::GpuShare).then(of_gpu).flatten())
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

/// What one plugin says of the nodes that passed the filters, in their order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PluginScores {
    /// The plugin.
    pub plugin: Plugin,
    /// As it scored them.
    pub raw: Vec<i64>,
    /// Brought to 0..=100, before the weight.
    pub normalized: Vec<i64>,
}

impl PluginScores {
    /// Scores that are 0..=100 as they are.
    fn plain(plugin: Plugin, raw: Vec<i64>) -> PluginScores {
        PluginScores { plugin, normalized: raw.clone(), raw }
    }

    /// Scores in proportion to the largest.
    fn by_largest(plugin: Plugin, raw: Vec<i64>, order: Order) -> PluginScores {
        let max = raw.iter().copied().max().unwrap_or(0);
        let normalized = raw.iter().map(|&score| normalized(score, max, order)).collect();
        PluginScores { plugin, raw, normalized }
    }
}

/// Runs PreScore, Score and NormalizeScore of one plugin; `None` where it does not score, or has
/// nothing to say about this pod.
pub fn score(q: Question<'_>, plugin: Plugin, nodes: &[&NodeInfo]) -> Option<PluginScores> {
    if q.profile.weight(plugin) == 0 {
        return None;
    }
    let (pod, all) = (q.pod, q.snapshot.len());
    let each = |score: &dyn Fn(&NodeInfo) -> i64| -> Vec<i64> {
        nodes.iter().map(|node| score(node)).collect()
    };
    match plugin {
        Plugin::TaintToleration => {
            let raw = each(&|node| taint_toleration::score(pod, node));
            Some(PluginScores::by_largest(plugin, raw, Order::Descending))
        }
        Plugin::NodeAffinity => {
            let added = &q.profile.added_affinity;
            node_affinity::pre_score(added, pod).then(|| {
                let raw = each(&|node| node_affinity::score(added, pod, node));
                PluginScores::by_largest(plugin, raw, Order::Ascending)
            })
        }
        Plugin::NodeResourcesFit => {
            let raw = each(&|node| fit::score(&q.profile.fit, pod, node));
            Some(PluginScores::plain(plugin, raw))
        }
        Plugin::PodTopologySpread => topology_spread::score::score(q, nodes),
        Plugin::InterPodAffinity => inter_pod_affinity::score::score(q, nodes),
        Plugin::DynamicResources => {
            Some(PluginScores::plain(plugin, each(&|_| dynamic_resources::SCORE)))
        }
        Plugin::NodeResourcesBalancedAllocation => {
            let among = &q.profile.balanced;
            balanced::pre_score(among, pod).then(|| {
                let raw = each(&|node| balanced::score(among, pod, node));
                PluginScores::plain(plugin, raw)
            })
        }
        Plugin::ImageLocality => {
            let raw = each(&|node| image_locality::score(pod, node, all));
            Some(PluginScores::plain(plugin, raw))
        }
        Plugin::GpuShare => {
            let (raw, normalized) = gpu_share::scores(&q.profile.gpu, pod, q.snapshot, nodes);
            Some(PluginScores { plugin, raw, normalized })
        }
        _ => None,
    }
}
