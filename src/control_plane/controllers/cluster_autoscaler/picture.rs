//! What the autoscaler sees of the cluster in one scan: nodes by group and state, the cluster in
//! thought, and the pods that wait.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::cluster_state::Readiness;
use super::eligible::is_being_deleted;
use super::estimator::Alike;
use super::options::Setup;
use super::simulation::{Simulation, Template, Wanderer};
use crate::api::daemon_set::DaemonSet;
use crate::api::kind::Kind;
use crate::api::meta::{Meta, Owner};
use crate::api::misc::Namespace;
use crate::api::name::{Name, Text};
use crate::api::node::Node;
use crate::api::object::Object;
use crate::api::pod::Pod;
use crate::api::service::Service;
use crate::api::stateful_set::StatefulSet;
use crate::api::storage::{PersistentVolume, PersistentVolumeClaim, StorageClass};
use crate::api::workload::ReplicaSet;
use crate::base::FastMap;
use crate::base::id::Id;
use crate::control_plane::controllers::daemon_set::placement;
use crate::control_plane::scheduler::algorithm::{PodShape, Resident, Snapshot, Standing};
use crate::messages::cloud::{Cloud, GROUP_LABEL, Machine};
use crate::store::View;
use crate::time::SimTime;

/// The state of one group.
#[derive(Clone, Debug, Default)]
pub struct GroupState {
    /// How many machines it is to have.
    pub target: u32,
    /// How many nodes are in which state.
    pub readiness: Readiness,
    /// Machines that did not register in time.
    pub overdue: Vec<Name>,
}

impl GroupState {
    /// Nodes that are on their way.
    pub fn upcoming(&self) -> u32 {
        self.readiness.upcoming(self.target)
    }
}

/// Nodes of all groups.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// By number of the group.
    pub groups: Vec<GroupState>,
    /// The group of each node that has one.
    pub group_of: BTreeMap<Id<Node>, u16>,
    /// All nodes, and those that are not ready.
    pub nodes: (u64, u64),
    /// The first instant at which the answer would be another, nothing else changing.
    pub until: Option<SimTime>,
}

impl Fleet {
    /// As of this view.
    pub fn of(view: &View<'_>, cloud: &dyn Cloud, setup: &Setup) -> Fleet {
        let number: BTreeMap<&str, u16> =
            setup.groups.iter().zip(0..).map(|(group, at)| (&*group.name, at)).collect();
        let groups = vec![GroupState::default(); setup.groups.len()];
        let mut fleet = Fleet { groups, group_of: BTreeMap::new(), nodes: (0, 0), until: None };
        let mut registered: BTreeSet<&Name> = BTreeSet::new();
        for (id, node) in view.list::<Node>() {
            let label = node.meta.labels.get(GROUP_LABEL);
            let group = label.and_then(|name| number.get(&**name)).copied();
            fleet.node(id, node, group, view.now, setup);
            if group.is_some() {
                registered.insert(&node.meta.name);
            }
        }
        for machine in cloud.machines() {
            fleet.machine(machine, registered.contains(&machine.name), view.now, setup);
        }
        fleet
    }

    fn look_again(&mut self, at: SimTime) {
        self.until = Some(self.until.map_or(at, |held| held.min(at)));
    }

    fn node(&mut self, id: Id<Node>, node: &Node, group: Option<u16>, now: SimTime, setup: &Setup) {
        let starts_until = node.meta.created + setup.options.startup;
        let is_starting = !node.is_ready() && starts_until > now;
        if is_starting {
            self.look_again(starts_until);
        }
        self.nodes.0 += 1;
        self.nodes.1 += u64::from(!node.is_ready() && !is_starting);
        let Some(group) = group else { return };
        self.group_of.insert(id, group);
        let readiness = &mut self.groups[usize::from(group)].readiness;
        let count = if is_being_deleted(node) {
            &mut readiness.deleted
        } else if node.is_ready() {
            &mut readiness.ready
        } else if is_starting {
            &mut readiness.not_started
        } else {
            &mut readiness.unready
        };
        *count += 1;
    }

    fn machine(&mut self, machine: &Machine, is_registered: bool, now: SimTime, setup: &Setup) {
        let until = machine.asked + setup.options.provision;
        let Some(group) = self.groups.get_mut(usize::from(machine.group)) else { return };
        group.target += 1;
        if is_registered {
            return;
        }
        if until < now {
            group.readiness.long_unregistered += 1;
            group.overdue.push(machine.name.clone());
        } else {
            group.readiness.unregistered += 1;
            self.look_again(until + crate::time::SimDuration::from_nanos(1));
        }
    }
}

/// Shapes of pods, each made once a scan.
#[derive(Default)]
struct Shapes(FastMap<(usize, usize, usize, u64), PodShape>);

impl Shapes {
    fn of(&mut self, pod: &Pod) -> PodShape {
        let meta = &pod.meta;
        let key = (
            Arc::as_ptr(&pod.spec) as usize,
            Arc::as_ptr(&meta.labels) as usize,
            Arc::as_ptr(&meta.annotations) as usize,
            meta.owner.map_or(0, |owner| owner.uid.0),
        );
        let held = self.0.entry(key).or_insert_with(|| PodShape::of(pod));
        if !held.is_of(pod) {
            *held = PodShape::of(pod);
        }
        held.clone()
    }
}

/// The cluster in thought, and who waits.
pub struct Picture {
    /// The cluster.
    pub simulation: Simulation,
    /// Pods that no node fits, groups of equal ones, in the order in which they came.
    pub waiting: Vec<Alike>,
    /// The template of each group.
    pub templates: Vec<Template>,
}

impl Picture {
    /// As of this view: nodes that are on their way are there already, and pods that fit somewhere are
    /// no longer waiting (`filter_out_schedulable.go`).
    pub fn of(view: &View<'_>, fleet: &Fleet, setup: &Setup) -> Picture {
        let mut snapshot = Snapshot::new();
        surround(view, &mut snapshot);
        let mut slots = 0;
        for (id, node) in view.list::<Node>() {
            snapshot.set_node(id, node);
            slots = slots.max(id.slot() + 1);
        }
        let mut shapes = Shapes::default();
        let mut waiting: Vec<(Id<Pod>, PodShape, i32)> = Vec::new();
        for (pod, written) in view.list::<Pod>() {
            if written.status.phase.is_terminal() {
                continue;
            }
            match written.node {
                Some(node) => {
                    slots = slots.max(node.slot() + 1);
                    let standing = match written.meta.is_terminating() {
                        true => Standing::Leaving,
                        false => Standing::Staying,
                    };
                    let (shape, start) = (shapes.of(written), written.status.start_time);
                    snapshot.add_pod(node, Resident { pod, shape, start, standing });
                }
                None if asks_for_nodes(written, setup) => {
                    waiting.push((pod, shapes.of(written), written.spec.priority));
                }
                None => {}
            }
        }
        let simulation = Simulation::new(snapshot, slots, setup.profile.clone());
        let templates = setup.groups.iter().map(|group| template(view, &group.node)).collect();
        let mut picture = Picture { simulation, waiting: Vec::new(), templates };
        picture.add_upcoming(fleet);
        // The greatest priority first; of equal ones, who came first.
        waiting.sort_by_key(|(_, _, priority)| std::cmp::Reverse(*priority));
        for (pod, shape, _) in waiting {
            picture.place_or_wait(Wanderer { pod, shape });
        }
        picture
    }

    fn add_upcoming(&mut self, fleet: &Fleet) {
        for (group, template) in fleet.groups.iter().zip(&self.templates) {
            for number in 0..group.upcoming() {
                let name = format!("{}-upcoming-{number}", template.node.meta.name);
                self.simulation.add_node(template, &name);
            }
        }
    }

    fn place_or_wait(&mut self, one: Wanderer) {
        let like = self.waiting.iter_mut().find(|group| group.shape.is(&one.shape));
        // Where an equal one found no place, this one finds none.
        match like {
            Some(group) => group.pods.push(one.pod),
            None if self.simulation.place_anywhere(&one, |_| true).is_some() => {}
            None => self.waiting.push(Alike { shape: one.shape, pods: vec![one.pod] }),
        }
    }
}

/// Whether a pod waits for a node that is not there.
fn asks_for_nodes(pod: &Pod, setup: &Setup) -> bool {
    pod.is_unschedulable()
        && !pod.meta.is_terminating()
        && pod.status.nominated.is_none()
        && pod.spec.priority >= setup.options.expendable_below
}

/// A node of a group, with the pods its DaemonSets run there.
fn template(view: &View<'_>, node: &Node) -> Template {
    let mut daemons = Vec::new();
    for (id, set) in view.list::<DaemonSet>() {
        let spec = &set.template.spec;
        let tolerations: Vec<_> =
            spec.tolerations.iter().cloned().chain(placement::tolerations(spec)).collect();
        if set.meta.is_terminating()
            || placement::fit(spec, &tolerations, node) != placement::Fit::Runs
        {
            continue;
        }
        let mut meta = Meta::new(set.meta.namespace.clone(), set.meta.name.clone());
        meta.labels = Arc::clone(&set.template.labels);
        meta.annotations = Arc::clone(&set.template.annotations);
        meta.owner = Some(Owner { kind: Kind::DaemonSet, uid: set.meta.uid, at: id.into() });
        let pod = Pod { meta, spec: Arc::clone(spec), node: None, status: Default::default() };
        daemons.push(PodShape::of(&pod));
    }
    Template { node: node.clone(), daemons }
}

/// What else decides where pods fit.
fn surround(view: &View<'_>, snapshot: &mut Snapshot) {
    let around = snapshot.surroundings_mut();
    let name = |meta: &Meta| Text::from(meta.name.to_string());
    for (_, it) in view.list::<Namespace>() {
        around.set_namespace(&name(&it.meta), Some(Arc::clone(&it.meta.labels)));
    }
    for (_, it) in view.list::<Service>() {
        let selector = it.spec.selector.clone().map(Arc::new);
        around.set_service(&it.meta.namespace, &name(&it.meta), selector);
    }
    for (_, it) in view.list::<ReplicaSet>() {
        around.set_owner(it.meta.uid, Some(Arc::clone(&it.selector)));
    }
    for (_, it) in view.list::<StatefulSet>() {
        around.set_owner(it.meta.uid, Some(Arc::clone(&it.selector)));
    }
    let volumes = around.volumes_mut();
    for (_, it) in view.list::<PersistentVolume>() {
        volumes.put(Object::PersistentVolume(Box::new(it.clone())));
    }
    for (_, it) in view.list::<PersistentVolumeClaim>() {
        volumes.put(Object::PersistentVolumeClaim(Box::new(it.clone())));
    }
    for (_, it) in view.list::<StorageClass>() {
        volumes.put(Object::StorageClass(Box::new(it.clone())));
    }
}
