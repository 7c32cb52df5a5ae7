//! From inputs to what a scheduler alone is asked: nodes, pods with and without one, and what else
//! counts for where they go.
//!
//! A workload stands for the pods it still lacks, in its own place among the inputs; what comes out of
//! a cluster (`kubectl get -o yaml`) is taken as it stands there. Nothing is run: controllers are worked
//! out once, and no control plane of our own is added.

mod admission;
mod claims;
mod daemons;
mod surroundings;
mod witness;
mod workloads;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::load::Overrides;
use super::resolve;
use super::settings::Settings;
use crate::api::compact::{Arrival, Compactor, Notes};
use crate::api::diagnostic::{Diagnostic, Severity};
use crate::api::meta::{Owner, Uid};
use crate::api::name::{Name, Text};
use crate::api::node::Node;
use crate::api::object::Object;
use crate::api::pod::{Phase, Pod, PodCondition, StatusReason};
use crate::api::storage::VolumePhase;
use crate::base::FastMap;
use crate::base::hash::StableHasher;
use crate::base::id::Id;
use crate::cluster::plan::{ControlPlane, PlannedObject, SchedulerPlan, Source};
use crate::control_plane::scheduler::alone::Given;
use crate::control_plane::scheduler::cache::PREEMPTED;
use crate::luck::{Label, Luck};
use crate::time::SimTime;

use admission::Admission;
use witness::Seen;
pub(super) use witness::Witness;
use workloads::Workloads;

/// Most pods that workloads may stand for: more than Kubernetes is made for by far.
const PODS_MAX: usize = 1_000_000;

const NAME_SUFFIX: Label = Label::new("name-suffix");

/// What came out of the inputs.
#[derive(Debug)]
pub struct Loaded {
    /// Nodes, pods and surroundings; complete only if no finding is an error.
    pub given: Given,
    /// The pod of which copies are to be counted, if one was read.
    pub copy: Option<Pod>,
    /// Profiles and waits.
    pub scheduler: SchedulerPlan,
    /// When the last of the pods that run already started: the clock begins here.
    pub start: SimTime,
    /// Errors and warnings, file by file.
    pub findings: Vec<Diagnostic>,
    /// What was set and plays no part.
    pub notes: Notes,
}

impl Loaded {
    /// Whether any finding is an error.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(Diagnostic::is_error)
    }
}

/// What was read.
pub(super) struct Input {
    pub settings: Settings,
    pub scheduler: SchedulerPlan,
    pub objects: Vec<PlannedObject>,
    pub copies: Vec<PlannedObject>,
    pub witness: Witness,
}

pub(super) fn placement(
    input: Input,
    overrides: &Overrides,
    mut compactor: Compactor,
    mut findings: Vec<Diagnostic>,
) -> Loaded {
    let Input { mut settings, scheduler, objects, copies, witness } = input;
    settings.control_plane = ControlPlane { masters: 0, ..settings.control_plane };
    let (nodes, mut objects): (Vec<_>, Vec<_>) =
        objects.into_iter().partition(|it| matches!(it.object, Object::Node(_)));
    let nodes = nodes_of(nodes, &settings, overrides, &mut compactor, &mut findings);
    resolve::drop_doubles(&mut objects, &mut findings);
    let luck = Luck::new(overrides.seed.unwrap_or(settings.seed));
    give_uids(&mut objects);
    let admission = Admission::new(&objects);
    let mut placing = Placing {
        node_ids: (0..)
            .zip(&nodes)
            .map(|(slot, node)| (node.meta.name.to_string(), Id::from_parts(slot, 0)))
            .collect(),
        owners: owners(&objects),
        epoch: witness.first_start(),
        start: SimTime::ZERO,
        pods: Vec::new(),
        strays: Vec::new(),
        nodes: &nodes,
        witness: &witness,
        admission,
        luck,
        generated: FastMap::default(),
        moves: overrides.nodes.is_some(),
        findings: &mut findings,
    };
    let mut surroundings = surroundings::surroundings(&objects);
    let workloads = Workloads::of(&objects);
    let mut budgets = Vec::new();
    surroundings::default_classes(&mut objects);
    for planned in objects {
        match planned.object {
            Object::Pod(_) => placing.pod(planned),
            Object::PodDisruptionBudget(budget) => budgets.push(*budget),
            Object::PersistentVolume(mut volume) => {
                // Its controller would have seen it before a scheduler looks.
                let is_new = planned.arrival == Arrival::Applied;
                if is_new && volume.phase == VolumePhase::Pending && volume.claim.is_none() {
                    volume.phase = VolumePhase::Available;
                }
                surroundings.volumes_mut().put(Object::PersistentVolume(volume));
            }
            Object::PersistentVolumeClaim(_) | Object::StorageClass(_) | Object::CsiNode(_) => {
                surroundings.volumes_mut().put(planned.object)
            }
            _ => workloads.expand(&planned, &mut placing, &mut surroundings),
        }
    }
    let copy = placing.copy(copies);
    placing.tell_strays();
    let (pods, start) = (std::mem::take(&mut placing.pods), placing.start);
    drop(placing);
    surroundings::budgets(&budgets, &pods, &mut surroundings);
    if nodes.is_empty() && !findings.iter().any(Diagnostic::is_error) {
        let hint = "--nodes 5x4,16Gi gives five of 4 CPU and 16Gi of memory each";
        findings.push(warning("input", "there is no node in all of the input").with_hint(hint));
    }
    let given = Given { nodes, pods, surroundings };
    let notes = compactor.notes().clone();
    Loaded { given, copy, scheduler, start, findings, notes }
}

fn nodes_of(
    written: Vec<PlannedObject>,
    settings: &Settings,
    overrides: &Overrides,
    compactor: &mut Compactor,
    findings: &mut Vec<Diagnostic>,
) -> Vec<Node> {
    if written.is_empty() && settings.groups.is_empty() && overrides.nodes.is_none() {
        return Vec::new();
    }
    let nodes = resolve::cluster_nodes(written, settings, overrides, compactor, findings);
    nodes.into_iter().map(|planned| planned.node).collect()
}

fn warning(file: &str, message: impl Into<String>) -> Diagnostic {
    Diagnostic { severity: Severity::Warning, ..Diagnostic::of_file(file, message) }
}

fn error(source: &Source, message: impl Into<String>) -> Diagnostic {
    Diagnostic::of_file(&source.to_string(), message)
}

/// Objects without a uid get one of their own, so that their pods can be told by it.
fn give_uids(objects: &mut [PlannedObject]) {
    for planned in objects {
        let name = planned.object.name();
        let kind = match &planned.object {
            Object::Other(other) => StableHasher::new().text(&other.kind).finish(),
            _ => 0,
        };
        let meta = planned.object.meta_mut();
        if meta.uid == Uid(0) {
            meta.uid = Uid(StableHasher::new().word(name.stable_hash()).word(kind).finish());
        }
    }
}

/// Who could own pods, by kind, namespace and name.
fn owners(objects: &[PlannedObject]) -> BTreeMap<(String, Text, String), Uid> {
    let named = |planned: &PlannedObject| {
        let kind = match &planned.object {
            Object::Other(other) => other.kind.to_string(),
            object => object.kind().name().to_owned(),
        };
        let meta = planned.object.meta();
        ((kind, meta.namespace.clone(), meta.name.to_string()), meta.uid)
    };
    objects.iter().filter(|it| !matches!(it.object, Object::Pod(_))).map(named).collect()
}

/// Pods taking their places among what is given.
struct Placing<'a> {
    pods: Vec<Pod>,
    start: SimTime,
    nodes: &'a [Node],
    node_ids: FastMap<String, Id<Node>>,
    owners: BTreeMap<(String, Text, String), Uid>,
    /// The earliest start of a pod, from which on time is counted.
    epoch: i64,
    witness: &'a Witness,
    admission: Admission,
    luck: Luck,
    /// How many names were generated from each base.
    generated: FastMap<u64, u64>,
    /// Pods on nodes that are not in the input.
    strays: Vec<(Name, Text)>,
    /// Whether pods of such nodes move to others: the nodes were replaced.
    moves: bool,
    findings: &'a mut Vec<Diagnostic>,
}

impl Placing<'_> {
    /// A pod of the input.
    fn pod(&mut self, planned: PlannedObject) {
        let Object::Pod(pod) = planned.object else { return };
        let mut pod = *pod;
        let none = Seen::default();
        let seen = self.witness.of(&pod.meta.namespace, &pod.meta.name).unwrap_or(&none);
        if let Some((kind, name)) = &seen.owner {
            let key = (kind.clone(), pod.meta.namespace.clone(), name.clone());
            if let (Some(uid), Some(owner)) = (self.owners.get(&key), &mut pod.meta.owner) {
                *owner = Owner { uid: *uid, ..*owner };
            }
        }
        self.apply(seen, &mut pod);
        if let Some(name) = planned.node {
            pod.node = self.node_ids.get(&*name).copied();
            if pod.node.is_none() {
                self.strays.push((pod.meta.name.clone(), name));
                if !self.moves || seen.stays_with_its_node() {
                    return;
                }
                pod.status = Default::default();
            }
        }
        let is_there = pod.node.is_some();
        if let Err(why) = self.admission.admit(&mut pod, seen.has_priority) {
            // It was admitted once: whoever left its class out of the input knows its priority.
            if !is_there {
                self.findings.push(error(&planned.source, why));
                return;
            }
        }
        self.push(pod);
    }

    /// What its manifest says of a pod's life.
    fn apply(&mut self, seen: &Seen, pod: &mut Pod) {
        if let Some(start) = seen.start {
            let since = u64::try_from(start - self.epoch).unwrap_or(0);
            let start = SimTime::from_nanos(since);
            pod.status.start_time = Some(start);
            self.start = self.start.max(start);
        }
        if seen.has_ended {
            pod.status.phase = Phase::Succeeded;
        }
        if seen.is_leaving && pod.meta.deletion.is_none() {
            pod.meta.deletion =
                Some(crate::api::meta::Deletion { at: SimTime::ZERO, grace_seconds: 0 });
        }
        if seen.is_preempted {
            pod.status.set(PodCondition::DisruptionTarget, true, SimTime::ZERO);
            let reason = StatusReason { reason: PREEMPTED.into(), message: "".into() };
            pod.status.disruption = Some(Arc::new(reason));
        }
        let nominated = seen.nominated.as_ref().and_then(|node| self.node_ids.get(node));
        pod.status.nominated = nominated.copied();
    }

    fn push(&mut self, mut pod: Pod) {
        let name = &pod.meta.name;
        if name.base().ends_with('-') && name.len() == name.base().len() {
            let base = name.base().clone();
            pod.meta.name = self.generate(base, &pod.meta.namespace);
        }
        self.pods.push(pod);
    }

    /// A name made from this base, which ends in `-`.
    fn generate(&mut self, base: Text, namespace: &str) -> Name {
        let key = StableHasher::new().text(namespace).text(&base).finish();
        let count = self.generated.entry(key).or_default();
        *count += 1;
        Name::generated(base, self.luck.draw(NAME_SUFFIX, key, *count).suffix())
    }

    /// The one pod of which copies are to be counted.
    fn copy(&mut self, copies: Vec<PlannedObject>) -> Option<Pod> {
        let planned = copies.into_iter().next()?;
        let source = planned.source.clone();
        let Object::Pod(pod) = planned.object else {
            let message =
                format!("--capacity counts copies of a Pod: this is {}", planned.object.name());
            self.findings.push(error(&source, message));
            return None;
        };
        let mut pod = Pod { status: Default::default(), ..*pod };
        pod.meta.deletion = None;
        if let Err(why) = self.admission.admit(&mut pod, false) {
            self.findings.push(error(&source, why));
        }
        Some(pod)
    }

    fn tell_strays(&mut self) {
        let Some((pod, node)) = self.strays.first() else { return };
        let what = if self.moves { "are placed anew" } else { "play no part" };
        let message = format!(
            "pods on nodes that are not in the input {what}: {} ({pod} on {node}, for one)",
            self.strays.len()
        );
        self.findings.push(warning("input", message));
    }
}
