//! client-go's rate-limited work queue, and the workers that empty it.
//!
//! Owns which keys wait, which are being worked on, and when a failed one comes back; refuses to
//! know what a sync does. A key is in one place only, however often it is added:
//!
//! ```text
//!              add                    a worker is free            finish
//!   idle ────────────▶ queued ───────────────────────▶ working ───────────▶ idle
//!    ▲  add_after /       ▲                               │ add
//!    │  rate limited      └──────────── finish ────── working, dirty
//!    └─ due
//! ```
//!
//! A worker that took a key is busy for `Settings::sync`, then its controller acts (`begin`); it
//! stays busy until the controller says `finish`, which may be after replies came.
//! Source: client-go 1.36 util/workqueue (queue.go, delaying_queue.go, default_rate_limiters.go).

use std::collections::VecDeque;

use super::{Timer, Which};
use crate::api::status::Status;
use crate::base::FastMap;
use crate::base::id::Id;
use crate::messages::{Effects, Reply};
use crate::time::{SimDuration, SimTime};

/// How a queue behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct QueueSettings {
    /// How many keys are worked on at once.
    pub workers: u8,
    /// How long a worker computes before it acts, and so before it looks at its cache: what lets
    /// most syncs see what the one before has written. golden-timelines: of s2_rolling_default's
    /// 40 status writes so few are refused that the last pod comes at 3.34 to 3.50 s.
    pub sync: SimDuration,
    /// Delay of a key after its first failure; it doubles with each further one.
    pub backoff_base: SimDuration,
    /// The longest such delay.
    pub backoff_max: SimDuration,
    /// Failures after which a key is given up until something changes; `None`: never.
    pub retries: Option<u32>,
}

impl Default for QueueSettings {
    /// Five workers, 5 ms to 1000 s, no end of retries.
    fn default() -> QueueSettings {
        QueueSettings {
            workers: 5,
            sync: SimDuration::from_millis(3),
            backoff_base: SimDuration::from_millis(5),
            backoff_max: SimDuration::from_secs(1000),
            retries: None,
        }
    }
}

/// How a sync ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Well: past failures are forgotten.
    Done,
    /// Badly: again after a back-off.
    Failed,
}

/// A worker's hold on a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Job<T> {
    /// Which worker.
    pub worker: u8,
    /// Which of the queue's syncs this is, counted from 1: tells late replies from timely ones.
    pub serial: u32,
    /// What is synced.
    pub key: Id<T>,
    /// The fact it comes from.
    pub cause: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Idle,
    Queued,
    Working,
    WorkingDirty,
}

#[derive(Clone, Copy, Debug)]
struct Item {
    place: Place,
    failures: u32,
    /// When a delayed add is due; [`SimTime::MAX`]: none waits.
    due: SimTime,
    /// The fact the delayed add comes from.
    due_cause: u64,
    cause: u64,
}

const IDLE: Item =
    Item { place: Place::Idle, failures: 0, due: SimTime::MAX, due_cause: 0, cause: 0 };

/// Interval and depth of the token bucket all rate-limited adds of a queue share: 10/s, 100.
const BUCKET_INTERVAL: SimDuration = SimDuration::from_millis(100);
const BUCKET_BURST: u64 = 100;

/// A queue and its workers.
#[derive(Clone, Debug)]
pub struct Queue<T> {
    of: Which,
    settings: QueueSettings,
    ready: VecDeque<Id<T>>,
    items: FastMap<Id<T>, Item>,
    workers: Vec<Option<(u32, Id<T>)>>,
    busy: usize,
    /// By worker: the sync that has been given its time.
    computing: Vec<u32>,
    serial: u32,
    /// When the bucket would be full again.
    bucket_full: SimTime,
}

impl<T> Queue<T> {
    /// An empty queue of controller `of`.
    pub fn new(of: Which, settings: QueueSettings) -> Queue<T> {
        Queue {
            of,
            settings,
            ready: VecDeque::new(),
            items: FastMap::default(),
            workers: vec![None; usize::from(settings.workers.max(1))],
            busy: 0,
            computing: vec![0; usize::from(settings.workers.max(1))],
            serial: 0,
            bucket_full: SimTime::ZERO,
        }
    }

    /// Adds `key` now.
    pub fn add(&mut self, key: Id<T>, fx: &mut Effects<Timer>) {
        let cause = fx.cause();
        let item = self.items.entry(key).or_insert(IDLE);
        item.cause = item.cause.max(cause);
        match item.place {
            Place::Idle => {
                item.place = Place::Queued;
                self.ready.push_back(key);
                self.dispatch(fx);
            }
            Place::Working => item.place = Place::WorkingDirty,
            Place::Queued | Place::WorkingDirty => {}
        }
    }

    /// Adds `key` after `delay`; of several delays the earliest counts.
    pub fn add_after(&mut self, key: Id<T>, delay: SimDuration, fx: &mut Effects<Timer>) {
        if delay.is_zero() {
            return self.add(key, fx);
        }
        let at = fx.now() + delay;
        let item = self.items.entry(key).or_insert(IDLE);
        if at < item.due {
            (item.due, item.due_cause) = (at, fx.cause());
            let (slot, generation) = (key.slot() as u32, key.generation());
            fx.arm_at(at, Timer::Due { of: self.of, slot, generation });
        }
    }

    /// Adds `key` after the longer of its own back-off and what the shared bucket says.
    pub fn add_rate_limited(&mut self, key: Id<T>, fx: &mut Effects<Timer>) {
        let item = self.items.entry(key).or_insert(IDLE);
        let doubled = 1u64.checked_shl(item.failures).unwrap_or(u64::MAX);
        let own = (self.settings.backoff_base * doubled).min(self.settings.backoff_max);
        item.failures = item.failures.saturating_add(1).min(63);
        let shared = self.reserve(fx.now());
        self.add_after(key, own.max(shared), fx);
    }

    /// Takes a token of the shared bucket; returns how long it is until it is there.
    fn reserve(&mut self, now: SimTime) -> SimDuration {
        self.bucket_full = self.bucket_full.max(now) + BUCKET_INTERVAL;
        self.bucket_full.saturating_since(now).saturating_sub(BUCKET_INTERVAL * BUCKET_BURST)
    }

    /// A delayed add may be due.
    pub fn due(&mut self, slot: u32, generation: u32, fx: &mut Effects<Timer>) {
        let key = Id::from_parts(slot, generation);
        let Some(item) = self.items.get_mut(&key) else { return };
        if item.due <= fx.now() {
            item.due = SimTime::MAX;
            fx.because(item.due_cause);
            self.add(key, fx);
        }
    }

    /// A worker has computed for as long as a sync takes; returns what it may act on now.
    pub fn begin(&mut self, worker: u8, serial: u32) -> Option<Job<T>> {
        let (of, key) = (*self.workers.get(usize::from(worker))?)?;
        if of != serial {
            return None;
        }
        let item = self.items.get_mut(&key)?;
        let cause = std::mem::take(&mut item.cause);
        Some(Job { worker, serial, key, cause })
    }

    /// As [`Queue::begin`] for syncs that compute for longer the more there is to a key: asked first,
    /// it lets `cost` go by, and then begins.
    pub fn begin_after(
        &mut self,
        worker: u8,
        serial: u32,
        cost: impl FnOnce(Id<T>) -> SimDuration,
        fx: &mut Effects<Timer>,
    ) -> Option<Job<T>> {
        let (of, key) = (*self.workers.get(usize::from(worker))?)?;
        if of == serial && self.computing[usize::from(worker)] != serial {
            self.computing[usize::from(worker)] = serial;
            let cost = cost(key);
            if !cost.is_zero() {
                fx.because(self.items.get(&key)?.cause);
                fx.arm(cost, Timer::Sync { of: self.of, worker, serial });
                return None;
            }
        }
        self.begin(worker, serial)
    }

    /// Whether `worker` is still at its sync number `serial`.
    pub fn is_at(&self, worker: u8, serial: u32) -> bool {
        self.workers.get(usize::from(worker)).is_some_and(|at| at.is_some_and(|at| at.0 == serial))
    }

    /// The one call of a sync has been answered: what is gone needs no more.
    pub fn replied(&mut self, reply: &Reply, fx: &mut Effects<Timer>) {
        if let Tag::Sync(worker, serial, _) = Tag::unpack(reply.tag) {
            self.answered(worker, serial, reply, fx);
        }
    }

    /// As [`Queue::replied`] where the tag has a form of its own.
    pub fn answered(&mut self, worker: u8, serial: u32, reply: &Reply, fx: &mut Effects<Timer>) {
        if !self.is_at(worker, serial) {
            return;
        }
        let outcome = match reply.result {
            Ok(_) | Err(Status::NotFound(_)) => Outcome::Done,
            Err(_) => Outcome::Failed,
        };
        self.finish(worker, outcome, fx);
    }

    /// A worker is through with its key. Returns whether a failed key was given up.
    pub fn finish(&mut self, worker: u8, outcome: Outcome, fx: &mut Effects<Timer>) {
        let Some(slot) = self.workers.get_mut(usize::from(worker)) else { return };
        let Some((_, key)) = slot.take() else { return };
        self.busy -= 1;
        let failures = self.items.get(&key).map_or(0, |item| item.failures);
        match outcome {
            Outcome::Failed if self.settings.retries.is_none_or(|most| failures < most) => {
                self.add_rate_limited(key, fx);
            }
            Outcome::Done | Outcome::Failed => self.forget(key),
        }
        if let Some(item) = self.items.get_mut(&key) {
            if item.place == Place::WorkingDirty {
                item.place = Place::Queued;
                self.ready.push_back(key);
            } else {
                item.place = Place::Idle;
                if item.failures == 0 && item.due == SimTime::MAX {
                    self.items.remove(&key);
                }
            }
        }
        self.dispatch(fx);
    }

    /// Forgets the failures of `key`.
    pub fn forget(&mut self, key: Id<T>) {
        if let Some(item) = self.items.get_mut(&key) {
            item.failures = 0;
        }
    }

    /// Whether the last sync of `key` failed and nothing has succeeded since.
    pub fn has_failed(&self, key: Id<T>) -> bool {
        self.items.get(&key).is_some_and(|item| item.failures > 0)
    }

    /// Whether nothing waits to be worked on and nobody works (delayed adds aside).
    pub fn is_idle(&self) -> bool {
        self.busy == 0 && self.ready.is_empty()
    }

    fn dispatch(&mut self, fx: &mut Effects<Timer>) {
        while self.busy < self.workers.len() && !self.ready.is_empty() {
            let Some(worker) = self.workers.iter().position(Option::is_none) else { return };
            let Some(key) = self.ready.pop_front() else { return };
            let Some(item) = self.items.get_mut(&key) else { continue };
            item.place = Place::Working;
            self.serial = self.serial.wrapping_add(1);
            self.workers[worker] = Some((self.serial, key));
            self.busy += 1;
            let timer = Timer::Sync { of: self.of, worker: worker as u8, serial: self.serial };
            fx.arm(self.settings.sync, timer);
        }
    }
}

/// What the tag of a request says: which step of which sync it belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tag {
    /// A core Event.
    Event,
    /// A call of a sync: worker, serial, and the call's place among those of one step.
    Sync(u8, u32, u16),
}

impl Tag {
    /// As a request carries it.
    pub fn pack(self) -> u64 {
        match self {
            Tag::Event => u64::MAX,
            Tag::Sync(worker, serial, index) => {
                u64::from(worker) << 48 | u64::from(serial) << 16 | u64::from(index)
            }
        }
    }

    /// From a reply.
    pub fn unpack(tag: u64) -> Tag {
        if tag == u64::MAX {
            return Tag::Event;
        }
        Tag::Sync((tag >> 48) as u8, (tag >> 16) as u32, tag as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::Effect;

    #[derive(Debug)]
    struct Key;

    fn id(slot: u32) -> Id<Key> {
        Id::from_parts(slot, 0)
    }

    fn at(fx: &mut Effects<Timer>, millis: u64) {
        fx.drain().for_each(drop);
        fx.begin(SimTime::from_millis(millis), 1, 2);
    }

    fn armed(fx: &mut Effects<Timer>) -> Vec<(u64, Timer)> {
        fx.drain()
            .filter_map(|(_, effect)| match effect {
                Effect::Arm { at, timer } => Some((at.as_nanos() / 1_000_000, timer)),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn a_key_added_while_it_is_worked_on_is_worked_on_once_more() {
        let mut queue: Queue<Key> = Queue::new(Which::Deployments, QueueSettings::default());
        let fx = &mut Effects::new();
        queue.add(id(1), fx);
        queue.add(id(1), fx);
        assert_eq!(armed(fx).len(), 1);
        let job = queue.begin(0, 1).expect("the worker's sync");
        queue.add(id(1), fx);
        queue.add(id(1), fx);
        assert!(armed(fx).is_empty());
        queue.finish(job.worker, Outcome::Done, fx);
        assert_eq!(armed(fx).len(), 1);
        queue.finish(0, Outcome::Done, fx);
        assert!(queue.is_idle() && armed(fx).is_empty());
    }

    #[test]
    fn more_keys_than_workers_wait_in_order() {
        let settings = QueueSettings { workers: 2, ..QueueSettings::default() };
        let mut queue: Queue<Key> = Queue::new(Which::Deployments, settings);
        let fx = &mut Effects::new();
        (0..4).for_each(|slot| queue.add(id(slot), fx));
        assert_eq!(armed(fx).len(), 2);
        queue.finish(1, Outcome::Done, fx);
        assert_eq!(queue.begin(1, 3).map(|job| job.key), Some(id(2)));
        assert!(queue.begin(1, 2).is_none(), "a stale timer");
    }

    #[test]
    fn failures_back_off_from_5_ms_and_success_forgets_them() {
        let mut queue: Queue<Key> = Queue::new(Which::Deployments, QueueSettings::default());
        let fx = &mut Effects::new();
        let mut delays = Vec::new();
        for _ in 0..20 {
            at(fx, 0);
            queue.add(id(1), fx);
            armed(fx);
            queue.finish(0, Outcome::Failed, fx);
            let due = armed(fx);
            delays.push(due[0].0);
            at(fx, due[0].0);
            queue.due(1, 0, fx);
            armed(fx);
            queue.finish(0, Outcome::Done, fx);
            at(fx, 0);
            // Success forgot the failures: put them back for the next round.
            (0..delays.len()).for_each(|_| {
                queue.items.entry(id(1)).or_insert(IDLE).failures += 1;
            });
        }
        assert_eq!(delays[..5], [5, 10, 20, 40, 80]);
        assert_eq!(delays[19], 1_000_000);
    }

    #[test]
    fn the_shared_bucket_slows_the_hundred_and_first() {
        let mut queue: Queue<Key> = Queue::new(Which::Deployments, QueueSettings::default());
        let fx = &mut Effects::new();
        (0..102).for_each(|slot| queue.add_rate_limited(id(slot), fx));
        let due: Vec<u64> = armed(fx).into_iter().map(|(at, _)| at).collect();
        assert_eq!((due[99], due[100], due[101]), (5, 100, 200));
    }

    #[test]
    fn of_several_delays_the_earliest_counts() {
        let mut queue: Queue<Key> = Queue::new(Which::Deployments, QueueSettings::default());
        let fx = &mut Effects::new();
        queue.add_after(id(1), SimDuration::from_secs(10), fx);
        queue.add_after(id(1), SimDuration::from_secs(20), fx);
        queue.add_after(id(1), SimDuration::from_secs(5), fx);
        assert_eq!(armed(fx).iter().map(|(at, _)| *at).collect::<Vec<_>>(), [10_000, 5_000]);
        at(fx, 5_000);
        queue.due(1, 0, fx);
        assert_eq!(armed(fx).len(), 1, "its sync");
        queue.finish(0, Outcome::Done, fx);
        at(fx, 10_000);
        queue.due(1, 0, fx);
        assert!(armed(fx).is_empty(), "the later delay was dropped");
    }

    #[test]
    fn tags_come_back_as_they_went() {
        for tag in [Tag::Event, Tag::Sync(4, u32::MAX, 499), Tag::Sync(0, 0, 0)] {
            assert_eq!(Tag::unpack(tag.pack()), tag);
        }
    }
}
