//! Which events could help a pod that some plugin rejected (`EventsToRegister` and the queueing
//! hints of each plugin, `pkg/scheduler/framework/plugins`, 1.36).

mod company;

use crate::api::meta::Meta;
use crate::api::node::{Node, Schedulability};
use crate::api::pod::PodSpec;
use crate::api::rules::taints::first_untolerated;
use crate::api::rules::volumes::{PodClaim, PodVolumes};
use crate::base::id::Id;
use crate::control_plane::scheduler::algorithm::plugins::{
    fit, inter_pod_affinity, node_affinity, node_ports, taint_toleration, topology_spread,
};
use crate::control_plane::scheduler::algorithm::{NodeInfo, Plugin, PluginSet, PodShape, Question};
use crate::store::TableKind;

/// Something that may make room.
#[derive(Debug)]
pub enum ClusterEvent<'e> {
    /// A node came or changed.
    Node(Box<NodeEvent>),
    /// An object of this table, with this metadata, came or changed.
    Around(TableKind, &'e Meta),
    /// A pod came to a node.
    PodPlaced(&'e PodShape),
    /// A pod that had a node is gone from it, or is promised one no longer.
    PodGone(&'e PodShape),
    /// A pod on a node is another now.
    PodChanged {
        /// What it was.
        old: &'e PodShape,
        /// What it is.
        new: &'e PodShape,
    },
}

impl ClusterEvent<'_> {
    /// Pods that none of these plugins rejected are not helped by it.
    pub fn concerns(&self) -> PluginSet {
        const COMPANY: [Plugin; 2] = [Plugin::PodTopologySpread, Plugin::InterPodAffinity];
        match self {
            ClusterEvent::Node(_) | ClusterEvent::PodGone(_) | ClusterEvent::Around(..) => {
                PluginSet::ALL
            }
            ClusterEvent::PodPlaced(_) => const { PluginSet::of(&COMPANY) },
            ClusterEvent::PodChanged { .. } => {
                let [spread, near] = COMPANY;
                PluginSet::of(&[spread, near, Plugin::NodeResourcesFit])
            }
        }
    }
}

/// A node came or changed in a way that matters.
#[derive(Debug)]
pub struct NodeEvent {
    old: Option<NodeInfo>,
    new: NodeInfo,
    allocatable: bool,
    labels: bool,
    taints: bool,
}

impl NodeEvent {
    /// The event of a node's change; `None` where nothing changed that matters for scheduling.
    pub fn of(id: Id<Node>, old: Option<&Node>, new: &Node) -> Option<Box<NodeEvent>> {
        let changed = |differs: fn(&Node, &Node) -> bool| old.is_some_and(|old| differs(old, new));
        let event = NodeEvent {
            old: old.map(|old| NodeInfo::of(id, old)),
            new: NodeInfo::of(id, new),
            allocatable: changed(|old, new| old.allocatable != new.allocatable),
            labels: changed(|old, new| old.meta.labels != new.meta.labels),
            taints: changed(|old, new| {
                old.taints != new.taints || old.schedulability != new.schedulability
            }),
        };
        let matters = old.is_none() || event.allocatable || event.labels || event.taints;
        matters.then(|| Box::new(event))
    }

    fn is_new(&self) -> bool {
        self.old.is_none()
    }
}

/// Whether the event could help the pod in question, which `plugins` rejected. A pod held back while
/// it evicts its victims is helped by nothing but pods that leave.
pub fn helps(event: &ClusterEvent<'_>, q: Question<'_>, plugins: PluginSet) -> bool {
    let is_held = plugins.has(Plugin::DefaultPreemption);
    if is_held && !matches!(event, ClusterEvent::PodGone(_)) {
        return false;
    }
    plugins.iter().any(|plugin| match (event, plugin) {
        (ClusterEvent::Node(event), _) => node_helps(plugin, event, q),
        (ClusterEvent::Around(table, meta), _) => around_helps(plugin, *table, meta, q.pod),
        (ClusterEvent::PodPlaced(placed), Plugin::PodTopologySpread) => {
            topology_spread::is_counted(q, placed)
        }
        (ClusterEvent::PodPlaced(placed), Plugin::InterPodAffinity) => {
            inter_pod_affinity::is_wanted(q, placed)
        }
        (ClusterEvent::PodGone(gone), Plugin::PodTopologySpread) => {
            topology_spread::is_counted(q, gone)
        }
        (ClusterEvent::PodGone(gone), Plugin::InterPodAffinity) => {
            company::near_after_gone(q, gone)
        }
        (ClusterEvent::PodGone(_), Plugin::NodeResourcesFit | Plugin::GpuShare) => true,
        (ClusterEvent::PodGone(gone), Plugin::NodePorts) => {
            node_ports::clash(&q.pod.spec().host_ports, &gone.spec().host_ports)
        }
        (ClusterEvent::PodGone(gone), Plugin::VolumeRestrictions) => {
            shares_volume(&q.pod.spec().volumes, &gone.spec().volumes)
        }
        (ClusterEvent::PodGone(gone), Plugin::NodeVolumeLimits) => {
            let volumes = &gone.spec().volumes;
            !volumes.claims.is_empty() || !volumes.in_tree.is_empty()
        }
        (ClusterEvent::PodChanged { old, new }, Plugin::PodTopologySpread) => {
            company::spread_after_change(q, old, new)
        }
        (ClusterEvent::PodChanged { old, new }, Plugin::InterPodAffinity) => {
            company::near_after_change(q, old, new)
        }
        (ClusterEvent::PodChanged { old, new }, Plugin::NodeResourcesFit) => {
            asks_less(q.pod, old.spec(), new.spec())
        }
        _ => false,
    })
}

/// Whether a resized pod asks for less of anything this one asks for.
fn asks_less(pod: &PodShape, old: &PodSpec, new: &PodSpec) -> bool {
    let (asked, was, is) = (&pod.spec().requests, &old.requests, &new.requests);
    asked.cpu_milli > 0 && is.cpu_milli < was.cpu_milli
        || asked.memory > 0 && is.memory < was.memory
        || asked.ephemeral_storage > 0 && is.ephemeral_storage < was.ephemeral_storage
}

/// Whether two pods have a claim or a disk in common.
fn shares_volume(a: &PodVolumes, b: &PodVolumes) -> bool {
    let named = |claim: &PodClaim| !claim.is_ephemeral() && b.claims.contains(claim);
    a.claims.iter().any(named)
        || a.disks.iter().any(|disk| b.disks.iter().any(|it| disk.clashes(it)))
}

/// Whether an object besides nodes and pods could help.
fn around_helps(plugin: Plugin, table: TableKind, meta: &Meta, pod: &PodShape) -> bool {
    match (plugin, table) {
        (Plugin::InterPodAffinity, TableKind::Namespace)
        | (Plugin::VolumeBinding | Plugin::VolumeZone, TableKind::PersistentVolume)
        | (Plugin::VolumeBinding | Plugin::VolumeZone, TableKind::StorageClass)
        | (Plugin::VolumeBinding | Plugin::NodeVolumeLimits, TableKind::CsiNode) => true,
        (
            Plugin::VolumeRestrictions
            | Plugin::NodeVolumeLimits
            | Plugin::VolumeBinding
            | Plugin::VolumeZone,
            TableKind::PersistentVolumeClaim,
        ) => {
            meta.namespace == *pod.namespace()
                && pod.claims().iter().any(|name| meta.name == **name)
        }
        _ => false,
    }
}

fn node_helps(plugin: Plugin, event: &NodeEvent, q: Question<'_>) -> bool {
    let (old, new, pod) = (event.old.as_ref(), &event.new, q.pod);
    match plugin {
        Plugin::NodeUnschedulable => {
            (event.is_new() || event.taints)
                && new.schedulability == Schedulability::Open
                && old.is_none_or(|old| old.schedulability == Schedulability::Cordoned)
        }
        Plugin::NodeName => event.is_new() || event.taints,
        Plugin::TaintToleration => {
            let tolerated = |node: &NodeInfo| {
                let keeps_off = taint_toleration::keeps_off;
                first_untolerated(&node.taints, &pod.spec().tolerations, keeps_off).is_none()
            };
            (event.is_new() || event.taints)
                && tolerated(new)
                && old.is_none_or(|old| !tolerated(old))
        }
        Plugin::NodeAffinity => {
            (event.is_new() || event.labels)
                && node_affinity::selects(pod, new)
                && old.is_none_or(|old| !node_affinity::selects(pod, old))
        }
        Plugin::NodePorts => event.is_new(),
        Plugin::NodeResourcesFit => {
            (event.is_new() || event.allocatable)
                && fit::filter(&q.profile.fit, pod, new).is_none()
                && old.is_none_or(|old| offers_more(pod, old, new))
        }
        Plugin::PodTopologySpread => {
            (event.is_new() || event.labels || event.taints)
                && company::spread_after_node(q, old, new)
        }
        Plugin::InterPodAffinity => {
            (event.is_new() || event.labels) && company::near_after_node(q, old, new)
        }
        Plugin::GpuShare => event.is_new() || event.allocatable || event.labels,
        Plugin::VolumeRestrictions => event.is_new(),
        Plugin::VolumeBinding | Plugin::VolumeZone => event.is_new() || event.labels,
        _ => false,
    }
}

/// Whether the node offers more of anything the pod asks for.
fn offers_more(pod: &PodShape, old: &NodeInfo, new: &NodeInfo) -> bool {
    let (asked, old, new) = (&pod.spec().requests, &old.allocatable, &new.allocatable);
    new.pods > old.pods
        || asked.cpu_milli > 0 && new.cpu_milli > old.cpu_milli
        || asked.memory > 0 && new.memory > old.memory
        || asked.ephemeral_storage > 0 && new.ephemeral_storage > old.ephemeral_storage
        || asked
            .scalar
            .iter()
            .any(|(name, amount)| *amount != 0 && new.scalar(name) > old.scalar(name))
}

/// Whether a pod's own change of spec could help it.
pub fn own_change_helps(old: &PodSpec, new: &PodSpec, plugins: PluginSet) -> bool {
    let tolerates_more = old.tolerations != new.tolerations;
    let (was, is) = (&old.requests, &new.requests);
    let asks_less = is.cpu_milli < was.cpu_milli
        || is.memory < was.memory
        || is.ephemeral_storage < was.ephemeral_storage;
    plugins.iter().any(|plugin| match plugin {
        Plugin::NodeUnschedulable | Plugin::TaintToleration => tolerates_more,
        Plugin::NodeResourcesFit => asks_less,
        _ => false,
    })
}
