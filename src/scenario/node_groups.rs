//! Groups of machines that are lent, and the autoscaler that resizes them, as a Scenario writes them.

use super::judge::Judge;
use super::nodes::{Group, NODES_MAX};
use super::raw;
use super::settings::node_group;
use super::values::{Span, WrittenDelay};
use crate::api::compact::Compactor;
use crate::api::object::Object;
use crate::control_plane::controllers::cluster_autoscaler::Options;
use crate::control_plane::controllers::cluster_autoscaler::drain::Care;
use crate::control_plane::controllers::cluster_autoscaler::eligible::Share;
use crate::control_plane::controllers::cluster_autoscaler::expander::Expander;
use crate::control_plane::controllers::cluster_autoscaler::options::Balance;
use crate::luck::Distribution;
use crate::messages::app::Delay;
use crate::messages::cloud::{GROUP_LABEL, NodeGroup, Sizing};
use crate::time::SimDuration;

/// How long a machine takes to boot where nobody says otherwise.
const BOOT: SimDuration = SimDuration::from_secs(60);

/// A group of machines that are lent.
#[derive(Clone, Debug)]
pub(super) struct LentGroup {
    pub group: Group,
    pub min: u32,
    pub max: u32,
    pub boot: Delay,
    pub price: Option<u64>,
    pub priority: i32,
    pub sizing: Sizing,
}

impl LentGroup {
    /// As a plan has it.
    pub(super) fn planned(&self, compactor: &mut Compactor) -> NodeGroup {
        let node = match compactor.node(self.group.node(0)).object {
            Object::Node(node) => *node,
            other => unreachable!("a node became a {}", other.kind()),
        };
        NodeGroup {
            name: self.group.name.as_str().into(),
            min: self.min,
            max: self.max,
            count: self.group.count,
            node,
            boot: self.boot,
            price: self.price,
            priority: self.priority,
            sizing: self.sizing,
        }
    }
}

/// Judges the groups.
pub(super) fn groups(written: Vec<raw::LentGroup>, judge: &mut Judge<'_, '_>) -> Vec<LentGroup> {
    let mut found: Vec<LentGroup> = Vec::new();
    for (at, one) in written.into_iter().enumerate() {
        let path = format!("spec.cluster.nodeGroups[{at}]");
        if one.name.is_none() {
            judge.missing(&format!("{path}.name"), "Required value");
        }
        let group = lent(one, &path, judge);
        if found.iter().any(|other| other.group.name == group.group.name) {
            let message = format!("Duplicate value: {:?}", group.group.name);
            judge.error(&format!("{path}.name"), message);
        }
        found.push(group);
    }
    found
}

fn lent(written: raw::LentGroup, path: &str, judge: &mut Judge<'_, '_>) -> LentGroup {
    let min = written.min.unwrap_or(0);
    let count = written.count.unwrap_or(min);
    let max = written.max.unwrap_or(count.max(min));
    let like = raw::NodeGroup {
        name: written.name,
        count: Some(count.max(1)),
        zone: written.zone,
        capacity: written.capacity,
        labels: written.labels,
        taints: written.taints,
        static_pods: None,
    };
    let mut group = node_group(like, path, judge);
    group.count = count;
    let name = group.name.clone();
    group.labels.insert(GROUP_LABEL.to_owned(), name);
    if max as usize > NODES_MAX {
        let message = format!("Invalid value: {max}: there may be up to {NODES_MAX} nodes");
        judge.error(&format!("{path}.max"), message);
    }
    if min > max {
        let message = format!("Invalid value: {min}: must be less than or equal to max ({max})");
        judge.error(&format!("{path}.min"), message);
    }
    if !(min..=max.max(min)).contains(&count) {
        let message =
            format!("Invalid value: {count}: must be between min and max ({min} to {max})");
        judge.error(&format!("{path}.count"), message);
    }
    let price = written.price.and_then(|price| {
        if (0.0..=1e6).contains(&price) {
            return Some((price * 1e6).round() as u64);
        }
        let message = format!("Invalid value: {price}: must be between 0 and 1000000");
        judge.error(&format!("{path}.price"), message);
        None
    });
    let boot = written.boot_time.map(|WrittenDelay(delay)| delay);
    let sizing = match written.zero_or_max {
        Some(true) => Sizing::ZeroOrMax,
        _ => Sizing::Single,
    };
    LentGroup {
        group,
        min,
        max,
        boot: boot.unwrap_or(Delay::Takes(Distribution::Constant(BOOT))),
        price,
        priority: written.priority.unwrap_or(0),
        sizing,
    }
}

/// Judges the autoscaler's section.
pub(super) fn autoscaler(
    written: raw::Autoscaler,
    groups: &[LentGroup],
    judge: &mut Judge<'_, '_>,
) -> Options {
    const PATH: &str = "spec.cluster.autoscaler";
    let mut options = Options::default();
    if groups.is_empty() {
        judge.warn(PATH, "there are no nodeGroups: it has nothing to resize");
    }
    if let Some(names) = &written.expander {
        options.expanders = expanders(names, &format!("{PATH}.expander"), judge);
    }
    if options.expanders.contains(&Expander::Price) && groups.iter().any(|it| it.price.is_none()) {
        judge.error(&format!("{PATH}.expander"), "price: each of the nodeGroups must have a price");
    }
    let spans = [
        (written.scan_interval, &mut options.scan_interval),
        (written.max_node_provision_time, &mut options.provision),
        (written.scale_down_unneeded_time, &mut options.waits.unneeded),
        (written.scale_down_unready_time, &mut options.waits.unready),
        (written.scale_down_delay_after_add, &mut options.after_add),
        (written.scale_down_delay_after_delete, &mut options.after_delete),
        (written.scale_down_delay_after_failure, &mut options.after_failure),
        (written.max_graceful_termination, &mut options.graceful),
        (written.max_pod_eviction_time, &mut options.evictions),
        (written.initial_node_group_backoff, &mut options.backoff.initial),
        (written.max_node_group_backoff, &mut options.backoff.max),
        (written.node_group_backoff_reset, &mut options.backoff.reset),
    ];
    for (given, place) in spans {
        if let Some(Span(span)) = given {
            *place = span;
        }
    }
    if options.scan_interval < SimDuration::from_secs(1) {
        let message = "Invalid value: must be at least 1s";
        judge.error(&format!("{PATH}.scanInterval"), message);
        options.scan_interval = Options::default().scan_interval;
    }
    if let Some(threshold) = written.scale_down_utilization_threshold {
        if (0.0..=1.0).contains(&threshold) {
            options.threshold = Share((threshold * Share::WHOLE.0 as f64).round() as u64);
        } else {
            let message = format!("Invalid value: {threshold}: must be between 0 and 1");
            judge.error(&format!("{PATH}.scaleDownUtilizationThreshold"), message);
        }
    }
    let care = |given: Option<bool>| match given {
        Some(false) => Care::None,
        _ => Care::Taken,
    };
    options.scruples.system = care(written.skip_nodes_with_system_pods);
    options.scruples.local_storage = care(written.skip_nodes_with_local_storage);
    if written.balance_similar_node_groups == Some(true) {
        options.balance = Balance::On;
    }
    let labels = written.balancing_labels.unwrap_or_default();
    options.balancing_labels = labels.iter().map(|label| label.as_str().into()).collect();
    options.nodes_most = written.max_nodes_total.unwrap_or(options.nodes_most);
    let count = |given: Option<u32>, default| given.map_or(default, |given| given as usize);
    options.parallel_most = count(written.max_scale_down_parallelism, options.parallel_most);
    options.drains_most = count(written.max_drain_parallelism, options.drains_most);
    options.expendable_below =
        written.expendable_pods_priority_cutoff.unwrap_or(options.expendable_below);
    options
}

fn expanders(names: &str, path: &str, judge: &mut Judge<'_, '_>) -> Vec<Expander> {
    let known = Expander::NAMES.map(|(name, _)| name);
    let mut found = Vec::new();
    for name in names.split(',').map(str::trim) {
        match Expander::NAMES.iter().find(|(known, _)| *known == name) {
            Some((_, expander)) => found.push(*expander),
            None => judge.not_one_of(path, name, &known),
        }
    }
    found
}
