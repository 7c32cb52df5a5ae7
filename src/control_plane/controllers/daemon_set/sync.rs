//! One sync of a DaemonSet, step by step.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::manage::{Changes, Failed, manage};
use super::nodes::{POD_GENERATION, Place, Scene, sort};
use super::placement::{Fit, fit, tolerations};
use super::rolling::rolling;
use super::{BURST, DaemonSets, Worked};
use crate::api::compact::derived::NodeSpecs;
use crate::api::controller_revision::ControllerRevision;
use crate::api::daemon_set::{DaemonSet, DaemonUpdate};
use crate::api::kind::Kind;
use crate::api::meta::{Labels, Meta, Owner, Uid};
use crate::api::name::{Name, Text};
use crate::api::node::Node;
use crate::api::object::Object;
use crate::api::pod::{Phase, Pod, PodStatus};
use crate::api::status::Status;
use crate::base::id::Id;
use crate::control_plane::controllers::batches::{Batches, Next};
use crate::control_plane::controllers::claims::{self, Claim};
use crate::control_plane::controllers::history::{self, Held, REVISION_HASH, Revised, Revising};
use crate::control_plane::controllers::own_writes::Written;
use crate::control_plane::controllers::workqueue::{Job, Outcome, Tag};
use crate::control_plane::controllers::{Known, Timer, is_namespace_ending, told};
use crate::messages::request::Propagation;
use crate::messages::{Call, Effects, Part, Remark, Reply};
use crate::store::Rev;
use crate::time::{SimDuration, SimTime};

/// A sync under way.
#[derive(Clone, Debug)]
pub(super) struct Task {
    job: Job<DaemonSet>,
    /// The set and its revision as they were when the sync began.
    set: Box<DaemonSet>,
    rev: Rev,
    /// The hash of its newest revision.
    hash: Text,
    step: Step,
    /// Whether a create or delete failed.
    fate: Outcome,
}

/// Which of the two choices is carried out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Round {
    Manage,
    Rolling,
}

#[derive(Clone, Debug)]
enum Step {
    /// Pods and revisions to adopt or release, the one in flight first.
    Claim(VecDeque<Claim>),
    /// The revision is created or renumbered.
    Revise(Box<ControllerRevision>),
    /// The name of the revision is taken: the next try goes by another.
    Collide,
    /// Batches of creations, with the pods to delete afterwards.
    Create { nodes: Vec<Id<Node>>, batches: Batches, due: Due },
    /// Deletions, all in flight.
    Delete { victims: Vec<(Uid, Name)>, answered: usize, round: Round },
    /// Old revisions to delete, the one in flight first.
    Truncate(VecDeque<Id<ControllerRevision>>),
    /// The write of the status; how often it was refused.
    Status(u8),
}

/// What is left of a round.
#[derive(Clone, Debug)]
struct Due {
    round: Round,
    delete: Vec<Id<Pod>>,
}

impl DaemonSets {
    /// A worker begins to act on its key.
    pub fn sync(&mut self, worker: u8, serial: u32, known: Known<'_>, fx: &mut Effects<Timer>) {
        let Some(job) = self.queue.begin(worker, serial) else { return };
        fx.because(job.cause);
        let Some((rev, set)) = known.view.version(job.key) else {
            return self.queue.finish(worker, Outcome::Done, fx);
        };
        if !self.written.are_seen(job.key, known) {
            return self.queue.finish(worker, Outcome::Failed, fx);
        }
        if set.selector.requirements.is_empty() || set.meta.is_terminating() {
            return self.queue.finish(worker, Outcome::Done, fx);
        }
        self.work_out(job.key, set, known);
        let owner = Owner { kind: Kind::DaemonSet, uid: set.meta.uid, at: job.key.into() };
        let claims = claims::all(owner, &set.meta, &set.selector, |_| true, known);
        let step = Step::Claim(claims.into());
        let set = Box::new(set.clone());
        let task = Task { job, set, rev, hash: "".into(), step, fate: Outcome::Done };
        self.next_claim(task, known, fx);
    }

    /// What follows from the template, if it changed since it was worked out.
    fn work_out(&mut self, key: Id<DaemonSet>, set: &DaemonSet, known: Known<'_>) {
        if self.worked.get(&key).is_some_and(|worked| worked.template == set.template.hash) {
            return;
        }
        let spec = &set.template.spec;
        let specs = NodeSpecs::new(spec, &tolerations(spec));
        let nodes = known.view.list::<Node>();
        let fits = nodes.map(|(id, node)| (id, fit(spec, &specs.spec().tolerations, node)));
        let fits = fits.collect();
        self.worked.insert(key, Worked { template: set.template.hash, specs, fits });
    }

    /// A reply to a call of a sync.
    pub fn reply(&mut self, reply: &Reply, known: Known<'_>, fx: &mut Effects<Timer>) {
        let Tag::Sync(worker, serial, index) = Tag::unpack(reply.tag) else {
            return self.events.reply(reply.result.as_ref().map(drop), fx);
        };
        if !self.queue.is_at(worker, serial) {
            return;
        }
        let Some(mut task) = self.tasks[usize::from(worker)].take() else { return };
        fx.because(task.job.cause.max(fx.cause()));
        self.note(&task, reply);
        match std::mem::replace(&mut task.step, Step::Status(0)) {
            Step::Claim(mut claims) => {
                claims.pop_front();
                task.step = Step::Claim(claims);
                match &reply.result {
                    Ok(_) | Err(Status::NotFound(_)) => self.next_claim(task, known, fx),
                    Err(_) => self.finish(&task, Outcome::Failed, fx),
                }
            }
            Step::Revise(revision) => self.revised(task, &revision, reply, known, fx),
            Step::Collide => self.finish(&task, Outcome::Failed, fx),
            step @ Step::Create { .. } => self.created(task, step, reply, known, fx),
            step @ Step::Delete { .. } => self.deleted(task, step, index, reply, known, fx),
            Step::Truncate(mut old) => {
                old.pop_front();
                if let Err(status) = &reply.result
                    && !matches!(status, Status::NotFound(_))
                {
                    task.fate = Outcome::Failed;
                    old.clear();
                }
                self.truncate(task, old, known, fx);
            }
            Step::Status(tries) => self.status_written(task, tries, reply, known, fx),
        }
    }

    /// What was written is to be seen before the next sync.
    fn note(&mut self, task: &Task, reply: &Reply) {
        let Ok(done) = &reply.result else { return };
        let what = match &task.step {
            Step::Claim(claims) => claims.front().map_or(Written::Pod, |claim| claim.what()),
            Step::Create { .. } | Step::Delete { .. } => Written::Pod,
            Step::Revise(_) | Step::Truncate(_) => Written::Revision,
            Step::Collide | Step::Status(_) => Written::Own,
        };
        self.written.note(task.job.key, what, done.rev);
    }

    fn send(&mut self, task: &Task, index: u16, call: Call, fx: &mut Effects<Timer>) {
        let tag = Tag::Sync(task.job.worker, task.job.serial, index).pack();
        fx.send(self.client, tag, call);
    }

    fn park(&mut self, task: Task) {
        let worker = usize::from(task.job.worker);
        self.tasks[worker] = Some(task);
    }

    fn finish(&mut self, task: &Task, outcome: Outcome, fx: &mut Effects<Timer>) {
        self.queue.finish(task.job.worker, outcome, fx);
    }

    fn next_claim(&mut self, mut task: Task, known: Known<'_>, fx: &mut Effects<Timer>) {
        let Step::Claim(claims) = &mut task.step else { return };
        while let Some(claim) = claims.front() {
            if let Some(call) = claim.call(known) {
                self.send(&task, 0, call, fx);
                return self.park(task);
            }
            claims.pop_front();
        }
        self.revise(task, known, fx);
    }

    fn revise(&mut self, mut task: Task, known: Known<'_>, fx: &mut Effects<Timer>) {
        let (set, owner) = (&task.set, owner_of(&task));
        let collisions = set.status.collision_count;
        let held = revisions(set, known);
        match history::revising((&set.meta, owner), &held, &set.template, collisions, known) {
            Revising::Is(one) => {
                task.hash = hash_of(one);
                self.act(task, known, fx);
            }
            Revising::Write(next, call) => {
                task.step = Step::Revise(next);
                self.send(&task, 0, call, fx);
                self.park(task);
            }
        }
    }

    fn revised(
        &mut self,
        mut task: Task,
        revision: &ControllerRevision,
        reply: &Reply,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        match history::revised(revision, &task.set.template, reply, known) {
            Revised::Is(one) => {
                task.hash = hash_of(one);
                self.act(task, known, fx);
            }
            Revised::Taken => {
                let mut next = task.set.clone();
                next.status.collision_count += 1;
                self.write(&mut task, next, Step::Collide, fx);
                self.park(task);
            }
            Revised::Over(outcome) => self.finish(&task, outcome, fx),
        }
    }

    fn act(&mut self, task: Task, known: Known<'_>, fx: &mut Effects<Timer>) {
        if !self.expected.are_met(task.job.key, fx.now()) {
            return self.write_status(task, 0, known, fx);
        }
        let now = fx.now();
        let key = task.job.key;
        let (uid, generation) = (task.set.meta.uid, task.set.status.observed_generation);
        let mut wait: Option<SimDuration> = None;
        let scene = self.scene(&task, known, now);
        let mut backoffs = std::mem::take(&mut self.backoffs);
        let changes = manage(&scene, &mut |node, _| {
            let Some(node) = node else { return Failed::Goes };
            match backoffs.ask((uid, generation, node), now) {
                Some(left) => {
                    wait = Some(wait.map_or(left, |held| held.min(left)));
                    Failed::Waits
                }
                None => Failed::Goes,
            }
        });
        self.backoffs = backoffs;
        if let Some(wait) = wait {
            self.queue.add_after(key, wait, fx);
        }
        for &pod in &changes.ended {
            self.events.record(Kind::DaemonSet, &task.set.meta, fx, || ended(pod, known));
        }
        self.carry(task, changes, Round::Manage, known, fx);
    }

    /// `syncNodes`.
    fn carry(
        &mut self,
        mut task: Task,
        mut changes: Changes,
        round: Round,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        changes.create.truncate(BURST);
        changes.delete.truncate(BURST);
        let uids = changes.delete.iter().filter_map(|&id| known.view.get(id));
        let uids: Vec<Uid> = uids.map(|pod| pod.meta.uid).collect();
        let creations = changes.create.len();
        self.expected.expect(task.job.key, creations, uids.into_iter(), fx.now());
        let due = Due { round, delete: changes.delete };
        if changes.create.is_empty() {
            return self.delete(task, due, known, fx);
        }
        let batches = Batches::of(creations);
        task.step = Step::Create { nodes: changes.create, batches, due };
        self.create_batch(task, known, fx);
    }

    fn create_batch(&mut self, task: Task, known: Known<'_>, fx: &mut Effects<Timer>) {
        let Step::Create { nodes, batches, .. } = &task.step else { return };
        let set = &task.set;
        let base: Text = format!("{}-", set.meta.name).into();
        let labels = pod_labels(set, &task.hash);
        let nodes = nodes[batches.batch()].to_vec();
        for id in nodes {
            // A node that has just gone is asked for all the same, as its name is not known: by no
            // name at all, and its pod is deleted again.
            let name = known.view.get(id).map(|node| node.meta.name.to_string());
            let Some(worked) = self.worked.get(&task.job.key) else { continue };
            let mut meta = Meta::new(set.meta.namespace.clone(), Name::new(base.clone()));
            meta.labels = labels.clone();
            meta.annotations = set.template.annotations.clone();
            meta.rare = set.template.rare.clone();
            meta.owner = Some(owner_of(&task));
            let spec = worked.specs.on(name.as_deref().unwrap_or_default());
            let pod = Pod { meta, spec, node: None, status: PodStatus::default() };
            self.send(&task, 0, Call::Create(Object::Pod(Box::new(pod))), fx);
        }
        self.park(task);
    }

    fn created(
        &mut self,
        mut task: Task,
        step: Step,
        reply: &Reply,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let Step::Create { nodes, mut batches, due } = step else { return };
        match &reply.result {
            Ok(done) => {
                let meta = &task.set.meta;
                self.events.record(Kind::DaemonSet, meta, fx, || told::created(done.id, known));
            }
            Err(status) => {
                self.expected.creations_seen(task.job.key, 1);
                if !is_namespace_ending(status) {
                    batches.fail();
                    task.fate = Outcome::Failed;
                    let meta = &task.set.meta;
                    self.events.record(Kind::DaemonSet, meta, fx, || told::not_created(status));
                }
            }
        }
        let next = batches.answer();
        if next == Next::Over {
            self.expected.creations_seen(task.job.key, batches.unsent());
            return self.delete(task, due, known, fx);
        }
        task.step = Step::Create { nodes, batches, due };
        match next {
            Next::Send => self.create_batch(task, known, fx),
            _ => self.park(task),
        }
    }

    fn delete(&mut self, mut task: Task, due: Due, known: Known<'_>, fx: &mut Effects<Timer>) {
        let pods = due.delete.iter().filter_map(|&id| Some((id, &known.view.get(id)?.meta)));
        let pods: Vec<(Id<Pod>, &Meta)> = pods.collect();
        if pods.is_empty() {
            return self.after(task, due.round, known, fx);
        }
        for (index, &(id, meta)) in (0..).zip(&pods) {
            let call = Call::Delete {
                kind: Kind::Pod,
                id: id.into(),
                uid: Some(meta.uid),
                grace_seconds: None,
                propagation: Propagation::Background,
            };
            self.send(&task, index, call, fx);
        }
        let victims = pods.into_iter().map(|(_, meta)| (meta.uid, meta.name.clone())).collect();
        task.step = Step::Delete { victims, answered: 0, round: due.round };
        self.park(task);
    }

    fn deleted(
        &mut self,
        mut task: Task,
        step: Step,
        index: u16,
        reply: &Reply,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let Step::Delete { victims, answered, round } = step else { return };
        let answered = answered + 1;
        let victim = victims.get(usize::from(index));
        self.tell_deletion(&task, victim.map(|(_, name)| name), reply, fx);
        if let Err(status) = &reply.result {
            if let Some((uid, _)) = victim {
                self.expected.deletion_seen(task.job.key, *uid);
            }
            if !matches!(status, Status::NotFound(_) | Status::Conflict(_)) {
                task.fate = Outcome::Failed;
            }
        }
        if answered < victims.len() {
            task.step = Step::Delete { victims, answered, round };
            return self.park(task);
        }
        self.after(task, round, known, fx);
    }

    /// That a pod is gone already is worth no Event.
    fn tell_deletion(
        &mut self,
        task: &Task,
        name: Option<&Name>,
        reply: &Reply,
        fx: &mut Effects<Timer>,
    ) {
        let remark = || match &reply.result {
            Ok(_) => told::deleted(name.unwrap_or(&task.set.meta.name)),
            Err(status) => told::not_deleted(status),
        };
        if !matches!(&reply.result, Err(Status::NotFound(_))) {
            self.events.record(Kind::DaemonSet, &task.set.meta, fx, remark);
        }
    }

    /// What comes after a round: after the first the second, if there is nothing to wait for.
    fn after(&mut self, task: Task, round: Round, known: Known<'_>, fx: &mut Effects<Timer>) {
        if task.fate == Outcome::Failed {
            return self.write_status(task, 0, known, fx);
        }
        let is_rolling = matches!(task.set.update, DaemonUpdate::RollingUpdate { .. });
        let may_roll = round == Round::Manage && is_rolling;
        if may_roll && self.expected.are_met(task.job.key, fx.now()) {
            let changes = rolling(&self.scene(&task, known, fx.now()));
            return self.carry(task, changes, Round::Rolling, known, fx);
        }
        let old = surplus(&task, known);
        self.truncate(task, old, known, fx);
    }

    fn truncate(
        &mut self,
        mut task: Task,
        old: VecDeque<Id<ControllerRevision>>,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let Some(&id) = old.front() else { return self.write_status(task, 0, known, fx) };
        task.step = Step::Truncate(old);
        let call = Call::Delete {
            kind: Kind::ControllerRevision,
            id: id.into(),
            uid: None,
            grace_seconds: None,
            propagation: Propagation::Background,
        };
        self.send(&task, 0, call, fx);
        self.park(task);
    }

    fn write(
        &mut self,
        task: &mut Task,
        next: Box<DaemonSet>,
        step: Step,
        fx: &mut Effects<Timer>,
    ) {
        // The second try is on the newest version, read anew.
        let base = (!matches!(step, Step::Status(1..))).then_some(task.rev);
        task.step = step;
        let object = Object::DaemonSet(next);
        let call = Call::Update { id: task.job.key.into(), object, base, part: Part::Status };
        self.send(task, 0, call, fx);
    }

    fn write_status(
        &mut self,
        mut task: Task,
        tries: u8,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let status = self.scene(&task, known, fx.now()).status();
        if task.set.min_ready_seconds > 0 && status.ready != status.available {
            let wait = SimDuration::from_secs(u64::from(task.set.min_ready_seconds));
            self.queue.add_after(task.job.key, wait, fx);
        }
        if status == task.set.status {
            let fate = task.fate;
            return self.finish(&task, fate, fx);
        }
        let next = Box::new(DaemonSet { status, ..(*task.set).clone() });
        self.write(&mut task, next, Step::Status(tries), fx);
        self.park(task);
    }

    fn status_written(
        &mut self,
        task: Task,
        tries: u8,
        reply: &Reply,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let fate = match &reply.result {
            Ok(_) => task.fate,
            Err(Status::Conflict(_)) if tries == 0 => {
                return self.write_status(task, 1, known, fx);
            }
            Err(Status::NotFound(_)) => Outcome::Done,
            Err(_) => Outcome::Failed,
        };
        self.finish(&task, fate, fx);
    }

    /// What is on which node.
    fn scene<'a>(&self, task: &'a Task, known: Known<'a>, now: SimTime) -> Scene<'a> {
        let set = &*task.set;
        let none = BTreeMap::new();
        let fits = self.worked.get(&task.job.key).map_or(&none, |worked| &worked.fits);
        let mut places: BTreeMap<Option<Id<Node>>, Place<'a>> = BTreeMap::new();
        for (&node, &fit) in fits {
            let place = Place { node: Some(node), fit, pods: Vec::new() };
            places.insert(Some(node), place);
        }
        for &id in known.index.owned.pods(set.meta.uid) {
            let Some(pod) = known.view.get(id) else { continue };
            if pod.status.phase.is_terminal() && pod.meta.is_terminating() {
                continue;
            }
            let node = target(pod, known).filter(|node| fits.contains_key(node));
            let nowhere = || Place { node: None, fit: Fit::Never, pods: Vec::new() };
            places.entry(node).or_insert_with(nowhere).pods.push((id, pod));
        }
        let mut places: Vec<Place<'a>> = places.into_values().collect();
        places.iter_mut().for_each(|place| sort(&mut place.pods));
        Scene { set, hash: &task.hash, places, now }
    }
}

/// The node a pod is on, or is for (`GetTargetNodeName`).
fn target(pod: &Pod, known: Known<'_>) -> Option<Id<Node>> {
    if pod.node.is_some() {
        return pod.node;
    }
    let terms = pod.spec.node_affinity.required.iter().flatten();
    let mut names = terms.flat_map(|term| &term.fields).flat_map(|field| &field.values);
    known.view.find::<Node>("", names.next()?)
}

fn owner_of(task: &Task) -> Owner {
    Owner { kind: Kind::DaemonSet, uid: task.set.meta.uid, at: task.job.key.into() }
}

fn hash_of(revision: &ControllerRevision) -> Text {
    revision.meta.labels.get(REVISION_HASH).cloned().unwrap_or_else(|| "".into())
}

/// Those it has, and those it has just adopted (`controlledHistories`).
fn revisions<'a>(set: &DaemonSet, known: Known<'a>) -> Vec<Held<'a>> {
    history::listed((set.meta.uid, &set.meta.namespace), &set.selector, known)
}

/// `CreatePodTemplate`.
fn pod_labels(set: &DaemonSet, hash: &Text) -> Arc<Labels> {
    let mut labels = Labels::clone(&set.template.labels);
    if set.template_generation > 0 {
        labels.insert(POD_GENERATION.into(), set.template_generation.to_string().into());
    }
    labels.insert(REVISION_HASH.into(), hash.clone());
    Arc::new(labels)
}

/// `cleanupHistory`: revisions that are neither the newest nor any pod's.
fn surplus(task: &Task, known: Known<'_>) -> VecDeque<Id<ControllerRevision>> {
    let held = revisions(&task.set, known);
    let old: Vec<Held<'_>> =
        held.into_iter().filter(|one| hash_of(one.revision) != task.hash).collect();
    let pods = known.index.owned.pods(task.set.meta.uid).iter();
    let pods: Vec<&Pod> = pods.filter_map(|&id| known.view.get(id)).collect();
    let is_live = |one: &ControllerRevision| {
        let hash = hash_of(one);
        pods.iter().any(|pod| pod.meta.labels.get(REVISION_HASH) == Some(&hash))
    };
    // Live ones count among those that may stay.
    let limit = task.set.revision_history_limit;
    let Ok(limit) = usize::try_from(limit) else { return VecDeque::new() };
    if old.len() <= limit {
        return VecDeque::new();
    }
    let many = old.len() - limit;
    history::surplus(&old, 0, is_live).into_iter().take(many).collect()
}

/// A pod that ended goes, so that another takes its place (`podsShouldBeOnNode`).
fn ended(pod: Id<Pod>, known: Known<'_>) -> Remark {
    let Some(pod) = known.view.get(pod) else { return Remark::normal("", "") };
    let node = pod.node.and_then(|node| known.view.get(node));
    let node = node.map_or_else(String::new, |node: &Node| node.meta.name.to_string());
    let which = format!("daemon pod {}/{} on node {node}", pod.meta.namespace, pod.meta.name);
    match pod.status.phase {
        Phase::Succeeded => Remark::normal(
            "SucceededDaemonPod",
            format!("Found succeeded {which}, will try to delete it"),
        ),
        _ => {
            Remark::warning("FailedDaemonPod", format!("Found failed {which}, will try to kill it"))
        }
    }
}
