//! The garbage collector (kube-controller-manager 1.36 pkg/controller/garbagecollector).
//!
//! Owns what follows from an owner's end: dependents go after it (background), before it
//! (foreground), or lose it and stay (orphan). Owners are told by uid. Refuses to know why an owner
//! goes. What an object's owners have come to is `graph`'s to say:
//!
//! ```text
//! some are there ──────────────▶ it stays; it loses those that are gone or wait
//! none is, some wait for it ───▶ deleted; in the foreground if it has dependents itself
//! all are gone ────────────────▶ deleted as its finalizers say, else in the background
//!
//! owner ends, foreground ─▶ its dependents are looked at ─ none blocks it ─▶ finalizer taken away
//! owner ends, orphan ─────▶ each dependent loses it ─ all have ────────────▶ finalizer taken away
//! ```
//! What it does about an object it does after a read of it from the API server, and so before a finalizer
//! is taken away; a dependent loses an owner unread (`attemptToDeleteItem`, `removeFinalizer`).

pub(super) mod graph;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::api::kind::Kind;
use crate::api::meta::{Meta, RawId, Uid};
use crate::api::status::Status;
use crate::base::FastMap;
use crate::messages::request::{Judged, MetaPatch, Propagation};
use crate::messages::{Call, ClientId, Effects, Reply};
use crate::store::{Change, Stored};
use crate::time::{SimDuration, SimTime};

use super::{Known, Timer};
use graph::{Graph, Item, Standing, deletes_dependents, meta_of};

/// Finalizer of an object whose dependents go first.
pub const FOREGROUND: &str = "foregroundDeletion";
/// Finalizer of an object whose dependents stay.
pub const ORPHAN: &str = "orphan";
/// `--concurrent-gc-syncs`.
const WORKERS: usize = 20;
/// After a first refusal; it doubles with each further one.
const RETRY: SimDuration = SimDuration::from_millis(5);
/// The longest such delay.
const RETRY_MAX: SimDuration = SimDuration::from_secs(1000);

/// The controller.
#[derive(Clone, Debug)]
pub struct GarbageCollector {
    client: ClientId,
    graph: Graph,
    waiting: VecDeque<(Item, u64)>,
    queued: BTreeSet<Item>,
    tasks: FastMap<Item, Task>,
    /// Whose call a tag stands for.
    in_flight: FastMap<u64, Item>,
    serial: u64,
    /// How often in a row an item was refused.
    failures: FastMap<Item, u32>,
    /// Items whose last call was refused, by when they are tried again.
    refused: BTreeMap<(SimTime, Item), u64>,
    reading: Reading,
}

/// An item a worker is at.
#[derive(Clone, Copy, Debug)]
struct Task {
    cause: u64,
    /// Calls not answered yet.
    left: u32,
    step: Step,
    result: Outcome,
}

/// What a worker does next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    /// It is read, and judged then.
    Judging,
    /// Once all dependents have lost it, its finalizer goes.
    Orphaning(Uid),
    /// It is read, and then this finalizer goes.
    Finalizing(Uid, &'static str),
    /// Nothing more.
    Last,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Outcome {
    Fine,
    Refused,
}

/// Whether the caches are being filled, so that what is not in them does not exist.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reading {
    Listing,
    Watching,
}

/// Whether nothing changed that the collector cares for.
fn is_same(old: &Meta, new: &Meta) -> bool {
    let is_same_rare = match (&old.rare, &new.rare) {
        (Some(old), Some(new)) => Arc::ptr_eq(old, new) || old == new,
        (old, new) => old.is_none() && new.is_none(),
    };
    is_same_rare && old.owner == new.owner && old.is_terminating() == new.is_terminating()
}

fn orphans_dependents(meta: &Meta) -> bool {
    meta.is_terminating() && meta.has_finalizer(ORPHAN)
}

impl GarbageCollector {
    /// The controller, sending by `client`.
    pub fn new(client: ClientId) -> GarbageCollector {
        GarbageCollector {
            client,
            graph: Graph::default(),
            waiting: VecDeque::new(),
            queued: BTreeSet::new(),
            tasks: FastMap::default(),
            in_flight: FastMap::default(),
            serial: 0,
            failures: FastMap::default(),
            refused: BTreeMap::new(),
            reading: Reading::Listing,
        }
    }

    /// All that was listed has been told; from here on come changes.
    pub fn listed(&mut self, known: Known<'_>, fx: &mut Effects<Timer>) {
        self.reading = Reading::Watching;
        self.work(known, fx);
    }

    /// An object changed.
    pub fn changed<T: Stored>(
        &mut self,
        kind: Kind,
        change: &Change<'_, T>,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let item = (kind, RawId::from(change.id));
        match (change.old.map(Stored::meta), change.new.map(Stored::meta)) {
            (Some(old), Some(new)) if is_same(old, new) => return,
            (Some(old), None) => {
                self.graph.shift(item, Some(old), None);
                self.failures.remove(&item);
                self.graph.note_gone(old.uid);
                self.add_dependents(item, old.uid, known, fx);
                self.owners_may_end(old, None, known, fx);
            }
            (old, Some(new)) => {
                self.graph.shift(item, old, Some(new));
                self.updated(item, old, new, known, fx);
            }
            (None, None) => {}
        }
        self.work(known, fx);
    }

    fn updated(
        &mut self,
        item: Item,
        old: Option<&Meta>,
        new: &Meta,
        known: Known<'_>,
        fx: &Effects<Timer>,
    ) {
        if self.reading == Reading::Listing {
            self.graph.settle(new, known);
        }
        if orphans_dependents(new) && !old.is_some_and(orphans_dependents) {
            return self.add(item, fx);
        }
        if deletes_dependents(new) && !old.is_some_and(deletes_dependents) {
            self.add_dependents(item, new.uid, known, fx);
            self.add(item, fx);
        }
        if old.is_none_or(|old| old.owners_hash() != new.owners_hash()) {
            let is_left = new.owners().any(|(owner, _)| {
                matches!(
                    self.graph.standing(owner, new, known),
                    Standing::Absent | Standing::Waiting
                )
            });
            if is_left {
                self.add(item, fx);
            }
        }
        if let Some(old) = old {
            self.owners_may_end(old, Some(new), known, fx);
        }
    }

    fn add_dependents(&mut self, item: Item, uid: Uid, known: Known<'_>, fx: &Effects<Timer>) {
        for one in self.graph.dependents(item, uid, known) {
            self.add(one, fx);
        }
    }

    /// A dependent went, or no longer blocks: an owner that waits for it may go.
    fn owners_may_end(
        &mut self,
        old: &Meta,
        new: Option<&Meta>,
        known: Known<'_>,
        fx: &Effects<Timer>,
    ) {
        for (owner, blocks) in old.owners() {
            let still = new.is_some_and(|new| new.owners().any(|one| one == (owner, blocks)));
            let held = meta_of((owner.kind, owner.at), known);
            if !still && held.is_some_and(|held| held.uid == owner.uid && deletes_dependents(held))
            {
                self.add((owner.kind, owner.at), fx);
            }
        }
    }

    fn add(&mut self, item: Item, fx: &Effects<Timer>) {
        if self.queued.insert(item) {
            self.waiting.push_back((item, fx.cause()));
        }
    }

    /// Takes up items while workers are free. What a worker is at already waits for it.
    fn work(&mut self, known: Known<'_>, fx: &mut Effects<Timer>) {
        if self.reading == Reading::Listing {
            return;
        }
        let mut busy = Vec::new();
        while self.tasks.len() < WORKERS
            && let Some((item, cause)) = self.waiting.pop_front()
        {
            if self.tasks.contains_key(&item) {
                busy.push((item, cause));
                continue;
            }
            self.queued.remove(&item);
            fx.because(cause);
            let (calls, step) = match self.attempt(item, known, fx) {
                (calls, Step::Last) if calls.is_empty() => continue,
                (_, Step::Last | Step::Finalizing(_, FOREGROUND)) => {
                    (vec![read(item)], Step::Judging)
                }
                other => other,
            };
            self.send(item, cause, calls, step, fx);
        }
        for one in busy.into_iter().rev() {
            self.waiting.push_front(one);
        }
    }

    fn send(
        &mut self,
        item: Item,
        cause: u64,
        calls: Vec<Call>,
        step: Step,
        fx: &mut Effects<Timer>,
    ) {
        if calls.is_empty() {
            return;
        }
        let task = Task { cause, left: calls.len() as u32, step, result: Outcome::Fine };
        self.tasks.insert(item, task);
        for call in calls {
            self.serial += 1;
            self.in_flight.insert(self.serial, item);
            fx.send(self.client, self.serial, call);
        }
    }

    /// `attemptToDeleteItem` and `attemptToOrphan`: the calls about an item, if any.
    fn attempt(&mut self, item: Item, known: Known<'_>, fx: &Effects<Timer>) -> (Vec<Call>, Step) {
        let nothing = (Vec::new(), Step::Last);
        let Some(meta) = meta_of(item, known) else { return nothing };
        if orphans_dependents(meta) {
            let dependents = self.graph.dependents(item, meta.uid, known);
            if dependents.is_empty() {
                return (vec![read(item)], Step::Finalizing(meta.uid, ORPHAN));
            }
            let owner: Arc<[Uid]> = Arc::from([meta.uid]);
            let held = dependents.into_iter().filter_map(|one| Some((one, meta_of(one, known)?)));
            let lose = held.map(|(one, its)| patch(one, its, MetaPatch::DropOwners(owner.clone())));
            return (lose.collect(), Step::Orphaning(meta.uid));
        }
        if deletes_dependents(meta) {
            let blocking = self.graph.blocking(item, meta.uid, known);
            if blocking.is_empty() {
                return (vec![read(item)], Step::Finalizing(meta.uid, FOREGROUND));
            }
            let ends = |&one: &Item| meta_of(one, known).is_some_and(deletes_dependents);
            blocking.into_iter().filter(|one| !ends(one)).for_each(|one| self.add(one, fx));
            return nothing;
        }
        if meta.is_terminating() || meta.owners().next().is_none() {
            return nothing;
        }
        (self.judge(item, meta, known), Step::Last)
    }

    /// What becomes of an object that is not being deleted, by what its owners have come to.
    fn judge(&self, item: Item, meta: &Meta, known: Known<'_>) -> Vec<Call> {
        let standings: Vec<(Uid, Standing)> = meta
            .owners()
            .map(|(owner, _)| (owner.uid, self.graph.standing(owner, meta, known)))
            .collect();
        let has = |one: Standing| standings.iter().any(|(_, standing)| *standing == one);
        if has(Standing::Unknown) {
            return Vec::new();
        }
        if has(Standing::Solid) {
            let left = standings.iter().filter(|(_, standing)| *standing != Standing::Solid);
            let left: Arc<[Uid]> = left.map(|(uid, _)| *uid).collect();
            if left.is_empty() {
                return Vec::new();
            }
            return vec![patch(item, meta, MetaPatch::DropOwners(left))];
        }
        let (uid, owners) = (meta.uid, meta.owners_hash());
        let gone = |propagation| {
            let by = Judged { uid, owners, propagation };
            Call::Collect { kind: item.0, id: item.1, by }
        };
        if has(Standing::Waiting) {
            let dependents = self.graph.dependents(item, meta.uid, known);
            if !dependents.is_empty() {
                // One that itself waits may wait for this one: the circle is cut here.
                let is_circle = |&one: &Item| meta_of(one, known).is_some_and(deletes_dependents);
                let cut = dependents.iter().any(is_circle);
                let cut = cut.then(|| patch(item, meta, MetaPatch::Unblock));
                return cut.into_iter().chain([gone(Propagation::Foreground)]).collect();
            }
        }
        vec![gone(match () {
            () if meta.has_finalizer(ORPHAN) => Propagation::Orphan,
            () if meta.has_finalizer(FOREGROUND) => Propagation::Foreground,
            () => Propagation::Background,
        })]
    }

    /// A reply to a call.
    pub fn reply(&mut self, reply: &Reply, known: Known<'_>, fx: &mut Effects<Timer>) {
        let Some(item) = self.in_flight.remove(&reply.tag) else { return };
        let Some(task) = self.tasks.get_mut(&item) else { return };
        task.left -= 1;
        match &reply.result {
            Ok(_) => {}
            Err(Status::NotFound(_)) if matches!(task.step, Step::Orphaning(_)) => {}
            // It is gone: nothing is left to be done about it.
            Err(Status::NotFound(_)) => task.step = Step::Last,
            Err(_) => task.result = Outcome::Refused,
        }
        if task.left > 0 {
            return;
        }
        let task = *task;
        self.tasks.remove(&item);
        match (task.result, task.step) {
            (Outcome::Refused, _) => self.refused(item, task.cause, fx),
            (Outcome::Fine, step) => self.go_on(item, task.cause, step, known, fx),
        }
        self.work(known, fx);
    }

    /// What comes after a step that went well.
    fn go_on(
        &mut self,
        item: Item,
        cause: u64,
        step: Step,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let (calls, next) = match step {
            Step::Judging => {
                fx.because(cause);
                self.attempt(item, known, fx)
            }
            Step::Orphaning(uid) => (vec![read(item)], Step::Finalizing(uid, ORPHAN)),
            Step::Finalizing(uid, name) => (vec![drop_finalizer(item, uid, name)], Step::Last),
            Step::Last => (Vec::new(), Step::Last),
        };
        if calls.is_empty() {
            self.failures.remove(&item);
        }
        self.send(item, cause, calls, next, fx);
    }

    fn refused(&mut self, item: Item, cause: u64, fx: &mut Effects<Timer>) {
        let failures = self.failures.entry(item).or_default();
        let delay = RETRY.as_nanos().saturating_mul(1 << (*failures).min(40));
        *failures += 1;
        let delay = SimDuration::from_nanos(delay.min(RETRY_MAX.as_nanos()));
        self.refused.insert((fx.now() + delay, item), cause);
        fx.arm(delay, Timer::Garbage);
    }

    /// What was refused is tried again.
    pub fn retry(&mut self, known: Known<'_>, fx: &mut Effects<Timer>) {
        while let Some((&(due, item), &cause)) = self.refused.first_key_value()
            && due <= fx.now()
        {
            self.refused.remove(&(due, item));
            fx.because(cause);
            self.add(item, fx);
        }
        self.work(known, fx);
    }
}

fn read((kind, id): Item) -> Call {
    Call::Get { kind, id }
}

fn patch((kind, id): Item, meta: &Meta, patch: MetaPatch) -> Call {
    Call::Patch { kind, id, uid: meta.uid, patch }
}

fn drop_finalizer((kind, id): Item, uid: Uid, name: &str) -> Call {
    Call::Patch { kind, id, uid, patch: MetaPatch::DropFinalizer(name.into()) }
}
