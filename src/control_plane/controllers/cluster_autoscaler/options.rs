//! How the autoscaler goes about it (flags of cluster-autoscaler 1.36 config/flags, and their
//! defaults).

use std::sync::Arc;

use super::cluster_state::BackoffTimes;
use super::drain::Scruples;
use super::eligible::Share;
use super::expander::Expander;
use super::planner::Waits;
use crate::api::name::Text;
use crate::control_plane::scheduler::algorithm::Profile;
use crate::luck::Luck;
use crate::messages::cloud::NodeGroup;
use crate::time::SimDuration;

/// All there is to set.
#[derive(Clone, PartialEq, Debug)]
pub struct Options {
    /// From one look to the next (`--scan-interval`).
    pub scan_interval: SimDuration,
    /// Who chooses among groups, the first first (`--expander`).
    pub expanders: Vec<Expander>,
    /// Whether a scale-up is spread over groups that are alike (`--balance-similar-node-groups`).
    pub balance: Balance,
    /// Labels that make groups alike, instead of all (`--balancing-label`).
    pub balancing_labels: Vec<Text>,
    /// The most nodes of the cluster; 0: no limit (`--max-nodes-total`).
    pub nodes_most: u32,
    /// The most nodes one scale-up adds (`--max-nodes-per-scaleup`).
    pub nodes_per_scale_up: u32,
    /// How long a machine may take (`--max-node-provision-time`).
    pub provision: SimDuration,
    /// How long a registered node may take to be ready (`--max-node-startup-time`).
    pub startup: SimDuration,
    /// How long nodes must be unneeded.
    pub waits: Waits,
    /// The share of a node below which it may be unneeded (`--scale-down-utilization-threshold`).
    pub threshold: Share,
    /// No node goes so long after one was added (`--scale-down-delay-after-add`).
    pub after_add: SimDuration,
    /// The same after one was removed (`--scale-down-delay-after-delete`).
    pub after_delete: SimDuration,
    /// The same after a removal failed (`--scale-down-delay-after-failure`).
    pub after_failure: SimDuration,
    /// After which a node that could not be removed is looked at again
    /// (`--unremovable-node-recheck-timeout`).
    pub recheck: SimDuration,
    /// The most removals at a time (`--max-scale-down-parallelism`).
    pub parallel_most: usize,
    /// Of those, the most that move pods (`--max-drain-parallelism`).
    pub drains_most: usize,
    /// How long pods of a drained node may take to end (`--max-graceful-termination-sec`).
    pub graceful: SimDuration,
    /// How long evictions are tried (`--max-pod-eviction-time`).
    pub evictions: SimDuration,
    /// Which pods hold a node.
    pub scruples: Scruples,
    /// Waits of groups after failures.
    pub backoff: BackoffTimes,
    /// So many nodes that are not ready are never too many (`--ok-total-unready-count`).
    pub unready_ok: u64,
    /// Beyond that share of all, in percent, nothing is done (`--max-total-unready-percentage`).
    pub unready_percent: u64,
    /// Pods below this priority neither ask for nodes nor hold them
    /// (`--expendable-pods-priority-cutoff`).
    pub expendable_below: i32,
}

/// Whether groups that are alike share a scale-up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Balance {
    /// One group gets it.
    #[default]
    Off,
    /// They do.
    On,
}

impl Default for Options {
    fn default() -> Options {
        let minutes = |count: u64| SimDuration::from_secs(60 * count);
        Options {
            scan_interval: SimDuration::from_secs(10),
            expanders: vec![Expander::LeastWaste],
            balance: Balance::Off,
            balancing_labels: Vec::new(),
            nodes_most: 0,
            nodes_per_scale_up: 1000,
            provision: minutes(15),
            startup: minutes(15),
            waits: Waits { unneeded: minutes(10), unready: minutes(20) },
            threshold: Share(500_000),
            after_add: minutes(10),
            after_delete: SimDuration::ZERO,
            after_failure: minutes(3),
            recheck: minutes(5),
            parallel_most: 10,
            drains_most: 1,
            graceful: minutes(10),
            evictions: minutes(2),
            scruples: Scruples::default(),
            backoff: BackoffTimes::default(),
            unready_ok: 3,
            unready_percent: 45,
            expendable_below: -10,
        }
    }
}

/// What an autoscaler is given when it starts.
#[derive(Clone, PartialEq, Debug)]
pub struct Setup {
    /// How it goes about it.
    pub options: Options,
    /// The groups it may resize, by number.
    pub groups: Arc<[NodeGroup]>,
    /// How pods are placed.
    pub profile: Arc<Profile>,
    /// The luck of the run.
    pub luck: Luck,
}
