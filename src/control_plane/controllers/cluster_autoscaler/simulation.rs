//! The cluster in thought: nodes that are not there, pods that are elsewhere, asked of the
//! scheduler's own filters (cluster-autoscaler 1.36 simulator/clustersnapshot).
//!
//! Owns a snapshot that may be changed and thrown away. Refuses to know why anybody asks.

use std::sync::Arc;

use crate::api::name::Name;
use crate::api::node::{HOSTNAME_LABEL, Node, Schedulability};
use crate::api::pod::Pod;
use crate::base::id::Id;
use crate::control_plane::scheduler::algorithm::framework::{PreFilter, filter, pre_filter};
use crate::control_plane::scheduler::algorithm::{
    NodeInfo, Plugin, PodShape, Profile, Question, Resident, Snapshot, Standing,
};

/// Nodes and pods that are only thought of have ids of this generation.
const IMAGINED: u32 = u32::MAX - 1;

/// A pod that looks for a place.
#[derive(Clone, Debug)]
pub struct Wanderer {
    /// The pod.
    pub pod: Id<Pod>,
    /// What decides where it fits.
    pub shape: PodShape,
}

/// Why a pod does not fit a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Misfit {
    /// The filter that refused first.
    pub plugin: Plugin,
    /// Its reasons, in the scheduler's words.
    pub reasons: Vec<String>,
}

/// A node that could be, with the pods every node of its kind has.
#[derive(Clone, Debug)]
pub struct Template {
    /// The node.
    pub node: Node,
    /// What its DaemonSets would run there.
    pub daemons: Vec<PodShape>,
}

/// A cluster in thought. A clone goes its own way.
#[derive(Clone, Debug)]
pub struct Simulation {
    snapshot: Snapshot,
    profile: Arc<Profile>,
    /// The slots of the next node and the next pod that are only thought of.
    next: (u32, u32),
    /// Where the next search for any node begins.
    start: usize,
}

impl Simulation {
    /// The cluster as this snapshot has it, all of its nodes below slot `slots`.
    pub fn new(snapshot: Snapshot, slots: usize, profile: Arc<Profile>) -> Simulation {
        let next = (slots as u32, 0);
        Simulation { snapshot, profile, next, start: 0 }
    }

    /// What is known of a node.
    pub fn node(&self, id: Id<Node>) -> Option<&NodeInfo> {
        self.snapshot.node(id)
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.snapshot.len()
    }

    /// Whether there are no nodes.
    pub fn is_empty(&self) -> bool {
        self.snapshot.is_empty()
    }

    /// Adds a node like `template` under a name of its own.
    pub fn add_node(&mut self, template: &Template, name: &str) -> Id<Node> {
        let id = Id::from_parts(self.next.0, IMAGINED);
        self.next.0 += 1;
        let mut node = template.node.clone();
        node.meta.name = Name::new(name);
        Arc::make_mut(&mut node.meta.labels).insert(HOSTNAME_LABEL.into(), name.into());
        self.snapshot.set_node(id, &node);
        for shape in &template.daemons {
            let pod = self.imagined_pod();
            self.put(Wanderer { pod, shape: shape.clone() }, id);
        }
        id
    }

    /// An id for a pod that is only thought of.
    pub fn imagined_pod(&mut self) -> Id<Pod> {
        self.next.1 += 1;
        Id::from_parts(self.next.1, IMAGINED)
    }

    fn put(&mut self, one: Wanderer, node: Id<Node>) {
        let Wanderer { pod, shape } = one;
        let standing = Standing::Staying;
        self.snapshot.add_pod(node, Resident { pod, shape, start: None, standing });
    }

    /// The pods on a node that `which` names.
    pub fn pods_of(&self, node: Id<Node>, which: impl Fn(Id<Pod>) -> bool) -> Vec<Wanderer> {
        let there = self.snapshot.node(node).map_or(&[][..], |info| &info.pods);
        let found = there.iter().filter(|one| which(one.pod));
        found.map(|one| Wanderer { pod: one.pod, shape: one.shape.clone() }).collect()
    }

    /// Takes a pod off a node.
    pub fn remove_pod(&mut self, node: Id<Node>, pod: Id<Pod>) -> Option<Wanderer> {
        let Resident { pod, shape, .. } = self.snapshot.remove_pod(node, pod)?;
        Some(Wanderer { pod, shape })
    }

    /// Puts a pod on this very node, if it fits (`SchedulePod`).
    ///
    /// # Errors
    /// Why it does not.
    pub fn place_on(&mut self, one: &Wanderer, node: Id<Node>) -> Result<(), Misfit> {
        self.snapshot.settle();
        let q = Question { profile: &self.profile, snapshot: &self.snapshot, pod: &one.shape };
        let Some(info) = self.snapshot.node(node) else {
            return Err(Misfit { plugin: Plugin::NodeName, reasons: Vec::new() });
        };
        let (narrowed, state) = pre_filter(q);
        if let Some(misfit) = left_out(&narrowed, info) {
            return Err(misfit);
        }
        if let Some(rejection) = filter(q, &state, info) {
            let reasons = rejection.reasons(&one.shape).iter().map(ToString::to_string).collect();
            return Err(Misfit { plugin: rejection.plugin, reasons });
        }
        self.put(one.clone(), node);
        Ok(())
    }

    /// Puts a pod on the next node that fits and that `may` allows (`SchedulePodOnAnyNodeMatching`).
    pub fn place_anywhere(
        &mut self,
        one: &Wanderer,
        may: impl Fn(Id<Node>) -> bool,
    ) -> Option<Id<Node>> {
        self.snapshot.settle();
        let q = Question { profile: &self.profile, snapshot: &self.snapshot, pod: &one.shape };
        let (narrowed, state) = pre_filter(q);
        let nodes: Vec<&NodeInfo> = self.snapshot.nodes().collect();
        let count = nodes.len();
        let fits = |info: &NodeInfo| {
            may(info.id)
                && info.schedulability == Schedulability::Open
                && left_out(&narrowed, info).is_none()
                && filter(q, &state, info).is_none()
        };
        let at = (0..count).map(|step| (self.start + step) % count).find(|&at| fits(nodes[at]))?;
        let found = nodes[at].id;
        self.start = (at + 1) % count;
        self.put(one.clone(), found);
        Some(found)
    }
}

/// Whether PreFilter left a node out.
fn left_out(narrowed: &PreFilter, info: &NodeInfo) -> Option<Misfit> {
    match narrowed {
        PreFilter::All => None,
        PreFilter::Only(names, _) if names.iter().any(|name| **name == *info.written_name()) => {
            None
        }
        PreFilter::Only(..) => {
            let reasons = vec!["node(s) didn't match Pod's node affinity/selector".to_owned()];
            Some(Misfit { plugin: Plugin::NodeAffinity, reasons })
        }
        PreFilter::Refused(why) => {
            Some(Misfit { plugin: why.plugin, reasons: vec![why.words.to_string()] })
        }
    }
}
