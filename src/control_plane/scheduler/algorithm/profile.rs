//! A profile of kube-scheduler: which plugins act at which point, what each score counts for, and the
//! arguments of those that take any (`pkg/scheduler/apis/config`, 1.36).

use std::sync::Arc;

use super::framework::{Plugin, PluginSet};
use super::plugins::gpu_share::GpuShare;
use crate::api::name::Text;
use crate::api::rules::affinity::NodeAffinity;
use crate::api::rules::spread::SpreadConstraint;

const DEFAULT_PRE_ENQUEUE: PluginSet =
    PluginSet::of(&[Plugin::SchedulingGates, Plugin::DynamicResources, Plugin::DefaultPreemption]);
const DEFAULT_FILTERS: PluginSet = PluginSet::of(&[
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
]);
const DEFAULT_POST_FILTER: PluginSet =
    PluginSet::of(&[Plugin::DynamicResources, Plugin::DefaultPreemption]);

/// How a scheduler places the pods that name it.
#[derive(Clone, PartialEq, Debug)]
pub struct Profile {
    /// The `schedulerName` of those pods.
    pub name: Text,
    /// `percentageOfNodesToScore`, 0 to 100; 0: adaptive.
    pub percentage: u8,
    /// Plugins that hold pods back before the queue.
    pub pre_enqueue: PluginSet,
    /// Plugins that filter (and look at the pod before, where they do).
    pub filters: PluginSet,
    /// Plugins that act where no node is left.
    pub post_filter: PluginSet,
    /// What each plugin's score counts for, by [`Plugin`]; 0: it does not score.
    pub weights: [i32; Plugin::ALL.len()],
    /// Arguments of NodeResourcesFit.
    pub fit: Fit,
    /// `NodeResourcesBalancedAllocationArgs.resources`: those held in balance, each once.
    pub balanced: Vec<Scored>,
    /// `NodeAffinityArgs.addedAffinity`: what every pod demands and likes besides its own.
    pub added_affinity: NodeAffinity,
    /// `PodTopologySpreadArgs`: constraints of pods that state none.
    pub spread: SpreadDefaults,
    /// `InterPodAffinityArgs.hardPodAffinityWeight`, 0 to 100: what a required affinity of a pod that
    /// is there counts for in a score, the other way round.
    pub hard_pod_affinity_weight: i32,
    /// `InterPodAffinityArgs.ignorePreferredTermsOfExistingPods`.
    pub preferences_of_residents: ResidentPreferences,
    /// Arguments of DefaultPreemption.
    pub candidates: Candidates,
    /// Arguments of GpuShare.
    pub gpu: Arc<GpuShare>,
}

impl Default for Profile {
    /// The one profile of a scheduler without a configuration.
    fn default() -> Profile {
        let mut weights = [0; Plugin::ALL.len()];
        for plugin in Plugin::ALL {
            weights[plugin as usize] = plugin.default_weight();
        }
        Profile {
            name: "default-scheduler".into(),
            percentage: 0,
            pre_enqueue: DEFAULT_PRE_ENQUEUE,
            filters: DEFAULT_FILTERS,
            post_filter: DEFAULT_POST_FILTER,
            weights,
            fit: Fit::default(),
            balanced: vec![Scored::Cpu, Scored::Memory],
            added_affinity: NodeAffinity::default(),
            spread: SpreadDefaults::System,
            hard_pod_affinity_weight: 1,
            preferences_of_residents: ResidentPreferences::Counted,
            candidates: Candidates::default(),
            gpu: Arc::default(),
        }
    }
}

impl Profile {
    /// Whether devices are shared out under it.
    pub fn shares_gpus(&self) -> bool {
        self.filters.has(Plugin::GpuShare) || self.weight(Plugin::GpuShare) > 0
    }

    /// What the score of `plugin` counts for.
    pub fn weight(&self, plugin: Plugin) -> i64 {
        i64::from(self.weights[plugin as usize])
    }
}

/// How pods without topology spread constraints of their own are spread
/// (`PodTopologySpreadArgs.defaultingType`, 1.36).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SpreadDefaults {
    /// By Kubernetes' own constraints, over host names and zones, never a demand.
    System,
    /// By these. They have no selector: each pod's Services and controller give it.
    List(Vec<SpreadConstraint>),
}

/// Whether what pods that are there would like of others counts in scores; for a pod without
/// affinity of its own only.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResidentPreferences {
    /// It does.
    Counted,
    /// It does not.
    Ignored,
}

/// `DefaultPreemptionArgs`: how many nodes preemption tries out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Candidates {
    /// `minCandidateNodesPercentage`, 0 to 100.
    pub percentage: i32,
    /// `minCandidateNodesAbsolute`, 0 or more; not both are 0.
    pub absolute: i32,
}

impl Default for Candidates {
    fn default() -> Candidates {
        Candidates { percentage: 10, absolute: 100 }
    }
}

/// `NodeResourcesFitArgs`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fit {
    /// Which nodes are good.
    pub strategy: Strategy,
    /// The resources that count, with their weights, 1 to 100.
    pub resources: Vec<(Scored, i64)>,
    /// Extended resources that are not looked at, by name.
    pub ignored: Vec<Text>,
    /// The same by the part of the name before the slash.
    pub ignored_groups: Vec<Text>,
}

impl Default for Fit {
    fn default() -> Fit {
        Fit {
            strategy: Strategy::LeastAllocated,
            resources: vec![(Scored::Cpu, 1), (Scored::Memory, 1)],
            ignored: Vec::new(),
            ignored_groups: Vec::new(),
        }
    }
}

impl Fit {
    /// Whether an extended resource plays no part in what fits.
    pub fn ignores(&self, resource: &str) -> bool {
        let group = resource.split_once('/').map_or("", |(group, _)| group);
        self.ignored.iter().any(|name| &**name == resource)
            || self.ignored_groups.iter().any(|name| &**name == group)
    }
}

/// A resource that is scored.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Scored {
    /// `cpu`; a container that asks for none counts as 100m.
    Cpu,
    /// `memory`; a container that asks for none counts as 200Mi.
    Memory,
    /// `ephemeral-storage`.
    EphemeralStorage,
    /// An extended resource; it counts only for pods that ask for it.
    Extended(Text),
}

impl Scored {
    /// The resource of this name.
    pub fn named(name: &str) -> Scored {
        match name {
            "cpu" => Scored::Cpu,
            "memory" => Scored::Memory,
            "ephemeral-storage" => Scored::EphemeralStorage,
            other => Scored::Extended(other.into()),
        }
    }
}

/// `scoringStrategy` of NodeResourcesFit.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Strategy {
    /// The emptier the better: pods are spread.
    LeastAllocated,
    /// The fuller the better: pods are packed.
    MostAllocated,
    /// As a broken line says: points of (utilization, score), both 0..=100, by utilization.
    RequestedToCapacityRatio(Vec<(i64, i64)>),
}

impl Strategy {
    /// The score, 0..=100, of one resource of which `used` out of `all` would be in use; `all` is not 0.
    pub fn score(&self, used: i64, all: i64) -> i64 {
        const FULL: i64 = super::framework::MAX_SCORE;
        match self {
            Strategy::LeastAllocated if used > all => 0,
            Strategy::LeastAllocated => (all - used).saturating_mul(FULL) / all,
            Strategy::MostAllocated => used.min(all).saturating_mul(FULL) / all,
            Strategy::RequestedToCapacityRatio(shape) => {
                let percent = if used > all { FULL } else { used.saturating_mul(FULL) / all };
                on_line(shape, percent)
            }
        }
    }

    /// The mean of weighted scores: rounded for a ratio, which leaves out scores of 0, else cut off.
    pub fn mean(&self, scores: impl Iterator<Item = (i64, i64)>) -> i64 {
        let counts_zero = !matches!(self, Strategy::RequestedToCapacityRatio(_));
        let (mut sum, mut weights) = (0_i64, 0_i64);
        for (score, weight) in scores.filter(|(score, _)| counts_zero || *score > 0) {
            sum += score * weight;
            weights += weight;
        }
        match (weights, self) {
            (0, _) => 0,
            (_, Strategy::RequestedToCapacityRatio(_)) => (2 * sum + weights) / (2 * weights),
            _ => sum / weights,
        }
    }
}

/// The value at `percent` of the broken line through these points (`BuildBrokenLinearFunction`).
pub fn on_line(shape: &[(i64, i64)], percent: i64) -> i64 {
    let Some(at) = shape.iter().position(|(utilization, _)| percent <= *utilization) else {
        return shape.last().map_or(0, |(_, score)| *score);
    };
    let (right, high) = shape[at];
    let Some(&(left, low)) = at.checked_sub(1).and_then(|before| shape.get(before)) else {
        return high;
    };
    low + (high - low) * (percent - left) / (right - left)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The worked example of the Kubernetes documentation (resource-bin-packing): intel.com/foo 3,
    /// memory 1, cpu 3; scores are told there in tenths, floored.
    #[test]
    fn the_published_example_of_a_ratio() {
        let strategy = Strategy::RequestedToCapacityRatio(vec![(0, 0), (100, 100)]);
        let weights = [5, 1, 3];
        let node = |used: [i64; 3], all: [i64; 3]| {
            let scores = used.iter().zip(all).map(|(used, all)| strategy.score(*used, all));
            let scores: Vec<i64> = scores.collect();
            (strategy.mean(scores.iter().copied().zip(weights)), scores)
        };
        // Node 1: foo 3 of 4, memory 512 of 1024, cpu 3 of 8.
        assert_eq!(node([3, 512, 3], [4, 1024, 8]), (60, vec![75, 50, 37]));
        // Node 2: foo 4 of 8, memory 768 of 1024, cpu 8 of 8.
        assert_eq!(node([4, 768, 8], [8, 1024, 8]), (69, vec![50, 75, 100]));
        let tenths = |scores: [i64; 3]| strategy.mean(scores.into_iter().zip(weights));
        assert_eq!((tenths([7, 5, 3]), tenths([5, 7, 10])), (5, 7));
    }

    #[test]
    fn packing_and_spreading_are_opposites() {
        assert_eq!(Strategy::LeastAllocated.score(30, 100), 70);
        assert_eq!(Strategy::MostAllocated.score(30, 100), 30);
        assert_eq!(Strategy::LeastAllocated.score(130, 100), 0);
        assert_eq!(Strategy::MostAllocated.score(130, 100), 100);
    }

    #[test]
    fn ignored_groups_are_what_stands_before_the_slash() {
        let fit = Fit {
            ignored: vec!["a.io/x".into()],
            ignored_groups: vec!["b.io".into()],
            ..Fit::default()
        };
        let ignored = ["a.io/x", "b.io/any"].map(|name| fit.ignores(name));
        let looked_at = ["a.io/y", "cpu", "c.b.io/x"].map(|name| fit.ignores(name));
        assert_eq!((ignored, looked_at), ([true, true], [false, false, false]));
    }
}
