//! Static pods: what a kubelet runs from manifests of its own node, whether or not it reaches an API server
//! (kubelet 1.36 `pkg/kubelet/config`, `pkg/kubelet/pod/mirror_client.go`).
//!
//! ```text
//! manifest --> worker, at the kubelet's start;   its mirror:
//! wanted --create--> asked --seen--> shown --deletion seen: deleted at once--> gone --> wanted
//!    ^                 `-- refused, or no answer: 60 to 90 s, a pod's own sync --.
//!    `---------------------------------------------------------------------------'
//! ```
//! Nobody schedules a static pod and nobody deletes it: only its mirror is written and read by others. It is
//! critical to its node: never evicted, and lower ones make room for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::worker::{Stage, Worker};
use super::{Desk, Kubelets, NodeIndex, TAG_MIRROR, Timer, rebuild};
use crate::api::kind::Kind;
use crate::api::meta::{Labels, Owner, Uid};
use crate::api::object::Object;
use crate::api::pod::{
    ContainerState, ContainerStatus, Pod, PodStatus, Termination, WaitingReason,
};
use crate::api::rules::oom_score::CRITICAL_PRIORITY;
use crate::api::rules::static_pods::{HASH, MIRROR, SOURCE, is_mirror, name_on};
use crate::base::{Id, StableHasher};
use crate::luck::Label;
use crate::messages::app::Apps;
use crate::messages::engine::{ListedPod, ListedState};
use crate::messages::request::Propagation;
use crate::messages::{Call, Effects};
use crate::time::{SimDuration, SimTime};

const RESYNC: Label = Label::new("pod-resync");
/// The least time between two syncs of a pod to which nothing happens (`syncFrequency`); at most half as
/// much again.
const SYNC: SimDuration = SimDuration::from_secs(60);

/// A pod that a node runs from a file of its own.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The id that is held for its mirror.
    pub id: Id<Pod>,
    /// The pod, as its kubelet reads it.
    pub pod: Arc<Pod>,
    /// What its containers run.
    pub apps: Apps,
    /// How its containers were when its kubelet stopped, as their logs on the node's disk tell.
    logs: Option<Arc<[ContainerStatus]>>,
}

impl Manifest {
    /// A pod that never ran, under the id that is held for its mirror.
    pub fn new(id: Id<Pod>, pod: Pod, apps: Apps) -> Manifest {
        Manifest { id, pod: Arc::new(pod), apps, logs: None }
    }
}

/// Which of the static pods of a kubelet may start: of one full name one at a time, those that wait in the order in
/// which they came (kubelet 1.36 `pod_workers.go`, allowStaticPodStart).
#[derive(Clone, Debug, Default)]
pub struct Starts {
    /// The pod of each full name that has started.
    pub started: BTreeMap<String, Uid>,
    /// Those of each full name that wait.
    pub waiting: BTreeMap<String, Vec<Uid>>,
}

/// How a static pod stands when somebody asks for its start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It may start, or has started.
    Allowed,
    /// Another one of its name comes first.
    Waits,
    /// It never will: it is on its way out, or nobody knows it.
    Never,
}

impl Starts {
    /// Whether a static pod may start; `lives` tells whether one is known and not on its way out.
    pub fn ask(&mut self, name: &str, uid: Uid, lives: impl Fn(Uid) -> bool) -> Standing {
        if !lives(uid) {
            return Standing::Never;
        }
        if let Some(started) = self.started.get(name) {
            return if *started == uid { Standing::Allowed } else { Standing::Waits };
        }
        let mut queue = self.waiting.remove(name).unwrap_or_default();
        while let Some(first) = queue.first().copied() {
            if lives(first) && first != uid {
                self.waiting.insert(name.to_owned(), queue);
                return Standing::Waits;
            }
            queue.remove(0);
            if first == uid {
                break;
            }
        }
        if !queue.is_empty() {
            self.waiting.insert(name.to_owned(), queue);
        }
        self.started.insert(name.to_owned(), uid);
        Standing::Allowed
    }
}

/// What a kubelet knows of the mirror of a static pod.
#[derive(Clone, Debug)]
pub(super) struct Mirror {
    /// The pod it mirrors.
    of: Arc<Pod>,
    /// Its uid, while the API has it.
    uid: Option<Uid>,
    /// When it is to be created; never: [`SimTime::MAX`].
    pub wanted: SimTime,
    /// How often it was asked for.
    tries: u64,
    /// How the pod's containers were before the kubelet started.
    logs: Option<Arc<[ContainerStatus]>>,
}

impl Kubelets {
    /// What the kubelet of a node makes of a manifest: its name ends in the node's, its uid is a hash of it.
    pub fn as_read(&self, at: NodeIndex, written: &Pod) -> Pod {
        let node = &self.nodes[at.row()].meta.name;
        let mut pod = written.clone();
        pod.meta.name = name_on(&written.meta.name, node);
        let hasher = StableHasher::new().text(&pod.meta.namespace).text(&pod.spec.written);
        let hash = pod.meta.name.fold(hasher).finish();
        pod.meta.uid = Uid(hash);
        (pod.node, pod.status) = (Some(self.nodes[at.row()].id), PodStatus::default());
        let hash = format!("{hash:016x}");
        let annotations: &mut Labels = Arc::make_mut(&mut pod.meta.annotations);
        annotations.insert(SOURCE.into(), "file".into());
        annotations.insert(HASH.into(), hash.into());
        pod
    }

    /// A node has one more manifest; its kubelet reads it when it starts.
    pub fn add_manifest(&mut self, at: NodeIndex, manifest: Manifest) {
        self.nodes[at.row()].manifests.push(manifest);
    }

    /// The kubelet of a node reads its manifests.
    pub fn read_manifests(&mut self, at: NodeIndex, fx: &mut Effects<Timer>) {
        let mut starts = Starts::default();
        for Manifest { id, pod, apps, logs } in self.nodes[at.row()].manifests.clone() {
            let name = format!("{}_{}", pod.meta.name, pod.meta.namespace);
            let key = Uid(StableHasher::new().word(id.slot() as u64).finish());
            let standing = starts.ask(&name, key, |_| true);
            if standing != Standing::Allowed || self.worker_of(id).is_some() {
                continue;
            }
            let mut worker = rebuild::new_worker(at, id, &pod, apps, fx);
            let of = pod.clone();
            let wanted = SimTime::MAX;
            worker.mirror = Some(Box::new(Mirror { of, uid: None, wanted, tries: 0, logs }));
            self.take_on(at, worker, &pod, fx);
        }
    }

    /// What the kubelet of a node would find of its static pods if it started anew.
    pub(super) fn keep_logs(&mut self, at: NodeIndex) {
        for place in 0..self.nodes[at.row()].manifests.len() {
            let id = self.nodes[at.row()].manifests[place].id;
            let logs = self.worker_of(id).map(|id| self.workers[id].container_statuses().into());
            self.nodes[at.row()].manifests[place].logs = logs;
        }
    }

    /// A pod that is worked on already is told of again, or its mirror for the first time.
    pub(super) fn seen_again(&mut self, id: Id<Pod>, pod: &Pod, fx: &mut Effects<Timer>) {
        let Some(worker) = self.worker_of(id) else { return };
        if !self.workers[worker].is_static() {
            self.pod_resized(id, (&pod.spec, pod.meta.generation), fx);
            self.conditions_set(id, &pod.status, fx);
            return self.reconcile(id, &pod.status, fx);
        }
        if is_mirror(&pod.meta) {
            self.with(worker, fx, |worker, desk| worker.mirror_seen(pod.meta.uid, desk));
        }
    }
}

impl Worker {
    /// Whether it comes from a file of its node.
    pub(super) fn is_static(&self) -> bool {
        self.mirror.is_some()
    }

    /// Whether its node is to keep it whatever happens (`IsCriticalPod`).
    pub(super) fn is_critical(&self) -> bool {
        self.is_static() || self.spec.priority >= CRITICAL_PRIORITY
    }

    /// The uid by which its status is written; none while the API does not know it.
    pub(super) fn uid_in_api(&self) -> Option<Uid> {
        match &self.mirror {
            None => Some(self.uid),
            Some(mirror) => mirror.uid,
        }
    }

    /// A static pod is to be seen in the API.
    pub(super) fn want_mirror(&mut self, desk: &Desk<'_>) {
        if let Some(mirror) = &mut self.mirror {
            mirror.wanted = desk.fx.now();
        }
    }

    /// Creates the mirror, if it is time.
    pub(super) fn mirror_due(&mut self, desk: &mut Desk<'_>) {
        let Some(mirror) = &mut self.mirror else { return };
        if mirror.wanted > desk.fx.now() {
            return;
        }
        (mirror.wanted, mirror.tries) = (SimTime::MAX, mirror.tries + 1);
        let mut pod = Pod::clone(&mirror.of);
        let hash = pod.meta.annotation(HASH).unwrap_or_default().to_owned();
        pod.meta.annotate(MIRROR, &hash);
        pod.meta.uid = Uid(0);
        let (node, of) = (desk.node.id, &desk.node.meta);
        pod.meta.owner = Some(Owner { kind: Kind::Node, uid: of.uid, at: node.into() });
        pod.node = Some(node);
        desk.send(TAG_MIRROR, Call::Create(Object::Pod(Box::new(pod))));
    }

    /// The mirror is there: it is told how the pod is.
    fn mirror_seen(&mut self, uid: Uid, desk: &mut Desk<'_>) {
        let Some(mirror) = &mut self.mirror else { return };
        mirror.wanted = SimTime::MAX;
        if mirror.uid.replace(uid) != Some(uid) {
            self.send_status(desk);
        }
    }

    /// Somebody deletes the mirror: it goes at once, and comes again.
    pub(super) fn delete_mirror(&mut self, desk: &mut Desk<'_>) {
        let Some(uid) = self.uid_in_api() else { return };
        desk.send_delete(Call::Delete {
            kind: Kind::Pod,
            id: self.pod.into(),
            uid: Some(uid),
            grace_seconds: Some(0),
            propagation: Propagation::Background,
        });
    }

    /// The mirror is gone: while the pod goes on, it comes again.
    pub(super) fn mirror_gone(&mut self, desk: &mut Desk<'_>) {
        let is_active = self.stage == Stage::Active;
        let Some(mirror) = &mut self.mirror else { return };
        mirror.uid = None;
        if is_active {
            self.want_mirror(desk);
        }
    }

    /// The mirror could not be created: the next sync of the pod tries again.
    pub(super) fn mirror_refused(&mut self, desk: &mut Desk<'_>) {
        let Some(mirror) = self.mirror.as_mut().filter(|mirror| mirror.uid.is_none()) else {
            return;
        };
        let draw = desk.luck.draw(RESYNC, self.uid.0, mirror.tries);
        mirror.wanted = desk.fx.now() + draw.duration_between(SYNC, SYNC + SYNC / 2);
    }

    /// What is known of the containers of a static pod when its kubelet starts, from the engine or the disk.
    pub(super) fn recorded(&self, found: Option<&ListedPod>) -> Option<Arc<[ContainerStatus]>> {
        let Some(found) = found else { return self.mirror.as_ref()?.logs.clone() };
        let of = |index: usize| {
            let listed =
                found.containers.iter().find(|one| usize::from(one.container.index) == index);
            let state = match listed.map(|one| one.state) {
                None | Some(ListedState::Created) => {
                    ContainerState::Waiting(WaitingReason::ContainerCreating)
                }
                Some(ListedState::Running(since)) => ContainerState::Running(since),
                Some(ListedState::Exited(started, exit)) => {
                    ContainerState::Terminated(Termination {
                        exit_code: exit.code,
                        reason: exit.reason,
                        started,
                        finished: exit.finished,
                    })
                }
            };
            let restarts = listed.map_or(0, |one| one.container.attempt);
            ContainerStatus {
                state,
                last: None,
                restarts,
                ready: false,
                started: false,
                held_back_millis: 0,
            }
        };
        Some((0..self.runs.len()).map(of).collect())
    }
}
