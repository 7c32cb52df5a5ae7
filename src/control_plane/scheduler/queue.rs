//! Pods that wait for a node (`pkg/scheduler/backend/queue`, 1.36).
//!
//! Owns who is next and when who may be tried again; refuses to know nodes, watches and requests:
//! whether an event could help a pod is asked of the caller ([`hints`]).
//!
//! ```text
//!             add                        pop
//!   (new) ----------> Active ---------------------> in the caller's hands
//!     | gates           ^  ^ over, each whole s        | no node        | error
//!     v                 |  `-- Backoff, Errors <-------+ woken meanwhile+
//!   Gated --gates gone--+         ^                    v
//!                                 `---- woken ------ Pool --(5 min, seen each 30 s)--> Active
//! ```
//! With Active empty, pods in Backoff (not in Errors) are handed out at once
//! (`SchedulerPopFromBackoffQ`, on by default). What waits longest goes first where priority and
//! time are equal.
//!
//! A pod may be held back (`PreEnqueue`: it is still evicting its victims): what would wake it only
//! notes DefaultPreemption among the plugins that rejected it, and it stays in the pool.

pub mod backoff;
pub mod hints;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use self::backoff::Backoff;
use super::algorithm::gates::Gates as FeatureGates;
use super::algorithm::{Plugin, PluginSet};
use crate::api::pod::Pod;
use crate::base::FastMap;
use crate::base::id::Id;
use crate::time::{SimDuration, SimTime};

/// How long a pod may stay in the pool before it is tried again without a reason.
pub const POOL_MAX: SimDuration = SimDuration::from_secs(5 * 60);
/// How often the pool is looked through for such pods.
pub const POOL_PERIOD: SimDuration = SimDuration::from_secs(30);

/// A pod's history in the queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Waiting {
    /// Its priority.
    pub priority: i32,
    /// Since when it waits; anew after each attempt.
    pub since: SimTime,
    /// The number of the fact that brought it here.
    pub cause: u64,
    /// Attempts that ended with no node.
    pub unschedulable: u32,
    /// Attempts in a row that ended in an error.
    pub errors: u32,
    /// Attempts in all.
    pub attempts: u32,
    /// The plugins that rejected it last time.
    pub plugins: PluginSet,
    /// Hash of the message it was last reported with.
    pub reported: u64,
    /// Its place among those that came; older is smaller.
    arrival: u64,
}

/// Whether a pod has scheduling gates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gates {
    /// It has none.
    Open,
    /// It has some.
    Closed,
}

/// How an attempt ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Attempt {
    /// Every node was rejected; nothing happened meanwhile that could help.
    Rejected(PluginSet),
    /// Every node was rejected, and something happened meanwhile that could help.
    Woken(PluginSet),
    /// Something went wrong.
    Error,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Active,
    Backoff,
    Errors,
    Pool,
    Gated,
}

#[derive(Clone, Copy, Debug)]
struct Queued {
    waiting: Waiting,
    place: Place,
    /// Tells this stay in `place` from earlier ones, whose entries lie dead in a heap.
    stamp: u64,
}

/// What comes first: high priority, then long waiting.
type Rank = (Reverse<i32>, SimTime, u64);

/// An entry of a heap; dead if the pod's stamp is another.
type Entry<Key> = Reverse<(Key, u64, Id<Pod>)>;

/// The queue.
#[derive(Clone, Debug)]
pub struct Queue {
    backoff_times: Backoff,
    features: FeatureGates,
    /// Pods that may not be tried for now.
    held: BTreeSet<Id<Pod>>,
    pods: FastMap<Id<Pod>, Queued>,
    active: BinaryHeap<Entry<Rank>>,
    backoff: BinaryHeap<Entry<(SimTime, Rank)>>,
    errors: BinaryHeap<Entry<(SimTime, Rank)>>,
    /// By arrival in the pool.
    pool: BTreeMap<u64, Id<Pod>>,
    /// How many pods of the pool each plugin rejected.
    rejected: [u32; Plugin::ALL.len()],
    stamps: u64,
    arrivals: u64,
}

impl Queue {
    /// An empty queue.
    pub fn new(backoff_times: Backoff) -> Queue {
        Queue {
            backoff_times,
            features: FeatureGates::default(),
            held: BTreeSet::new(),
            pods: FastMap::default(),
            active: BinaryHeap::new(),
            backoff: BinaryHeap::new(),
            errors: BinaryHeap::new(),
            pool: BTreeMap::new(),
            rejected: [0; Plugin::ALL.len()],
            stamps: 0,
            arrivals: 0,
        }
    }

    /// The same under these feature gates.
    pub fn under(self, features: FeatureGates) -> Queue {
        Queue { features, ..self }
    }

    /// The pod may not be tried until it is released; if it waits here it stays where it is.
    pub fn hold(&mut self, pod: Id<Pod>) {
        self.held.insert(pod);
    }

    /// The pod may be tried again, when something wakes it.
    pub fn release(&mut self, pod: Id<Pod>) {
        self.held.remove(&pod);
    }

    /// The pod is to be tried at once, whatever it waits for (`Activate`).
    pub fn activate(&mut self, pod: Id<Pod>) {
        let Some(&Queued { mut waiting, place, .. }) = self.pods.get(&pod) else { return };
        let next = match place {
            Place::Active | Place::Gated | Place::Errors => return,
            Place::Backoff if self.features.pop_from_backoff => Place::Active,
            Place::Backoff | Place::Pool => self.unless_held(pod, &mut waiting, Place::Active),
        };
        self.put(pod, waiting, next);
    }

    /// How many pods wait, wherever.
    pub fn len(&self) -> usize {
        self.pods.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.pods.is_empty()
    }

    /// Whether the pod waits here.
    pub fn has(&self, pod: Id<Pod>) -> bool {
        self.pods.contains_key(&pod)
    }

    /// Whether the pool has pods that one of these plugins rejected. For all of them this counts
    /// everyone.
    pub fn has_sleepers(&self, plugins: PluginSet) -> bool {
        match plugins == PluginSet::ALL {
            true => !self.pool.is_empty(),
            false => plugins.iter().any(|plugin| self.rejected[plugin as usize] > 0),
        }
    }

    /// A new pod. `reported` is the hash of the message it already carries, 0 for none.
    pub fn add(
        &mut self,
        pod: Id<Pod>,
        priority: i32,
        gates: Gates,
        since: SimTime,
        cause: u64,
        reported: u64,
    ) {
        self.arrivals += 1;
        let waiting = Waiting {
            priority,
            since,
            cause,
            unschedulable: 0,
            errors: 0,
            attempts: 0,
            plugins: PluginSet::EMPTY,
            reported,
            arrival: self.arrivals,
        };
        let place = if gates == Gates::Closed { Place::Gated } else { Place::Active };
        self.put(pod, waiting, place);
    }

    /// The pod is no longer to be scheduled; returns whether it waited here.
    pub fn remove(&mut self, pod: Id<Pod>) -> bool {
        self.held.remove(&pod);
        let Some(queued) = self.pods.remove(&pod) else { return false };
        self.left_pool(&queued);
        true
    }

    /// The pod's gates are gone.
    pub fn ungate(&mut self, pod: Id<Pod>, cause: u64) {
        if let Some(&Queued { waiting, place: Place::Gated, .. }) = self.pods.get(&pod) {
            self.put(pod, Waiting { cause, ..waiting }, Place::Active);
        }
    }

    /// Whether a pod can be handed out now.
    pub fn is_ready(&mut self) -> bool {
        Self::drop_dead(&mut self.active, &self.pods);
        Self::drop_dead(&mut self.backoff, &self.pods);
        !self.active.is_empty() || self.features.pop_from_backoff && !self.backoff.is_empty()
    }

    /// Hands out the next pod: it is in the caller's hands until [`Queue::give_back`] or never.
    pub fn pop(&mut self) -> Option<(Id<Pod>, Waiting)> {
        Self::drop_dead(&mut self.active, &self.pods);
        let pod = match self.active.pop() {
            Some(Reverse((_, _, pod))) => pod,
            None if !self.features.pop_from_backoff => return None,
            None => {
                Self::drop_dead(&mut self.backoff, &self.pods);
                let Reverse((_, _, pod)) = self.backoff.pop()?;
                pod
            }
        };
        let mut waiting = self.pods.remove(&pod)?.waiting;
        waiting.attempts += 1;
        Some((pod, waiting))
    }

    /// Takes a pod back after an attempt that failed (`AddUnschedulableIfNotPresent`).
    pub fn give_back(
        &mut self,
        pod: Id<Pod>,
        mut waiting: Waiting,
        attempt: Attempt,
        now: SimTime,
    ) {
        waiting.since = now;
        let place = match attempt {
            Attempt::Error => {
                waiting.plugins = PluginSet::EMPTY;
                waiting.errors += 1;
                self.after_backoff(&waiting, now)
            }
            Attempt::Woken(plugins) | Attempt::Rejected(plugins) => {
                waiting.plugins = plugins;
                waiting.unschedulable += 1;
                waiting.errors = 0;
                match attempt {
                    Attempt::Woken(_) => self.after_backoff(&waiting, now),
                    _ => Place::Pool,
                }
            }
        };
        let place = self.unless_held(pod, &mut waiting, place);
        self.put(pod, waiting, place);
    }

    /// Takes a pod back as if it had not been handed out.
    pub fn put_back(&mut self, pod: Id<Pod>, mut waiting: Waiting) {
        waiting.attempts -= 1;
        self.put(pod, waiting, Place::Active);
    }

    /// Something happened: every pod of the pool that `helped` says yes to leaves it.
    pub fn wake(
        &mut self,
        now: SimTime,
        cause: u64,
        mut helped: impl FnMut(Id<Pod>, PluginSet) -> bool,
    ) {
        let awake: Vec<Id<Pod>> = self
            .pool
            .values()
            .copied()
            .filter(|pod| helped(*pod, self.pods[pod].waiting.plugins))
            .collect();
        for pod in awake {
            self.leave_pool(pod, now, cause);
        }
    }

    /// Something happened to one pod that may help it.
    pub fn wake_one(&mut self, pod: Id<Pod>, now: SimTime, cause: u64) {
        if self.pods.get(&pod).is_some_and(|queued| queued.place == Place::Pool) {
            self.leave_pool(pod, now, cause);
        }
    }

    /// The plugins that rejected a pod of the pool.
    pub fn sleeper(&self, pod: Id<Pod>) -> Option<PluginSet> {
        let queued = self.pods.get(&pod)?;
        (queued.place == Place::Pool).then_some(queued.waiting.plugins)
    }

    /// Moves pods whose backoff is over to the active ones.
    pub fn flush_backoff(&mut self, now: SimTime) {
        for errors in [false, true] {
            loop {
                let heap = if errors { &mut self.errors } else { &mut self.backoff };
                Self::drop_dead(heap, &self.pods);
                match heap.peek() {
                    Some(Reverse(((until, _), _, _)))
                        if self.backoff_times.is_over(*until, now) => {}
                    _ => break,
                }
                let Some(Reverse((_, _, pod))) = heap.pop() else { break };
                let mut waiting = self.pods[&pod].waiting;
                // With the gate on it was asked when the pod came here.
                let place = match self.features.pop_from_backoff {
                    true => Place::Active,
                    false => self.unless_held(pod, &mut waiting, Place::Active),
                };
                self.put(pod, waiting, place);
            }
        }
    }

    /// When the next backoff is over; flushes fall on whole seconds.
    pub fn next_backoff(&mut self) -> Option<SimTime> {
        Self::drop_dead(&mut self.backoff, &self.pods);
        Self::drop_dead(&mut self.errors, &self.pods);
        let until = |heap: &BinaryHeap<Entry<(SimTime, Rank)>>| {
            heap.peek().map(|Reverse(((until, _), _, _))| *until)
        };
        let first = [until(&self.backoff), until(&self.errors)].into_iter().flatten().min()?;
        Some(self.backoff_times.over_at(first))
    }

    /// Wakes pods that were too long in the pool.
    pub fn flush_pool(&mut self, now: SimTime) {
        let due: Vec<Id<Pod>> = self
            .pool
            .values()
            .copied()
            .filter(|pod| now.saturating_since(self.pods[pod].waiting.since) > POOL_MAX)
            .collect();
        for pod in due {
            let cause = self.pods[&pod].waiting.cause;
            self.leave_pool(pod, now, cause);
        }
    }

    /// When the first pod of the pool will have been there too long, and a look is due: looks fall
    /// on `phase` plus whole multiples of 30 s.
    pub fn next_pool_flush(&self, phase: SimTime) -> Option<SimTime> {
        let (_, pod) = self.pool.first_key_value()?;
        let too_long = self.pods[pod].waiting.since + POOL_MAX + SimDuration::from_nanos(1);
        let nanos = too_long.saturating_since(phase).as_nanos();
        Some(phase + POOL_PERIOD * nanos.div_ceil(POOL_PERIOD.as_nanos()))
    }

    fn leave_pool(&mut self, pod: Id<Pod>, now: SimTime, cause: u64) {
        let mut waiting = self.pods[&pod].waiting;
        let place = self.after_backoff(&waiting, now);
        let place = self.unless_held(pod, &mut waiting, place);
        if place != Place::Pool {
            waiting.cause = cause;
        }
        self.put(pod, waiting, place);
    }

    /// Where a pod goes that is to go to `place`: nowhere while it is held, but to the pool. Backoff
    /// does not ask where nobody is taken out of it early.
    fn unless_held(&self, pod: Id<Pod>, waiting: &mut Waiting, place: Place) -> Place {
        let asks = match place {
            Place::Active => true,
            Place::Backoff | Place::Errors => self.features.pop_from_backoff,
            Place::Pool | Place::Gated => false,
        };
        if !asks || !self.held.contains(&pod) {
            return place;
        }
        waiting.plugins.insert(Plugin::DefaultPreemption);
        Place::Pool
    }

    fn after_backoff(&self, waiting: &Waiting, now: SimTime) -> Place {
        let until = self.backoff_times.until(waiting);
        if until.is_none_or(|until| self.backoff_times.is_over(until, now)) {
            Place::Active
        } else if waiting.plugins.is_empty() {
            Place::Errors
        } else {
            Place::Backoff
        }
    }

    fn put(&mut self, pod: Id<Pod>, waiting: Waiting, place: Place) {
        self.stamps += 1;
        let stamp = self.stamps;
        let rank = (Reverse(waiting.priority), waiting.since, waiting.arrival);
        let until = self.backoff_times.until(&waiting).unwrap_or(SimTime::ZERO);
        match place {
            Place::Active => self.active.push(Reverse((rank, stamp, pod))),
            Place::Backoff => self.backoff.push(Reverse(((until, rank), stamp, pod))),
            Place::Errors => self.errors.push(Reverse(((until, rank), stamp, pod))),
            Place::Pool => {
                self.pool.insert(stamp, pod);
                for plugin in waiting.plugins.iter() {
                    self.rejected[plugin as usize] += 1;
                }
            }
            Place::Gated => {}
        }
        let before = self.pods.insert(pod, Queued { waiting, place, stamp });
        if let Some(before) = before {
            self.left_pool(&before);
        }
    }

    /// Counts a pod out of the pool, if that is where it was.
    fn left_pool(&mut self, queued: &Queued) {
        if queued.place == Place::Pool {
            self.pool.remove(&queued.stamp);
            for plugin in queued.waiting.plugins.iter() {
                self.rejected[plugin as usize] -= 1;
            }
        }
    }

    fn drop_dead<Key: Ord>(heap: &mut BinaryHeap<Entry<Key>>, pods: &FastMap<Id<Pod>, Queued>) {
        while let Some(Reverse((_, stamp, pod))) = heap.peek() {
            if pods.get(pod).is_some_and(|queued| queued.stamp == *stamp) {
                break;
            }
            heap.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::algorithm::Plugin;
    use super::*;

    fn pod(slot: u32) -> Id<Pod> {
        Id::from_parts(slot, 0)
    }

    fn fit() -> PluginSet {
        let mut plugins = PluginSet::EMPTY;
        plugins.insert(Plugin::NodeResourcesFit);
        plugins
    }

    fn seconds(secs: u64) -> SimTime {
        SimTime::from_secs(secs)
    }

    #[test]
    fn priority_comes_before_age() {
        let mut queue = Queue::new(Backoff::default());
        queue.add(pod(1), 0, Gates::Open, seconds(0), 0, 0);
        queue.add(pod(2), 5, Gates::Open, seconds(1), 0, 0);
        queue.add(pod(3), 5, Gates::Open, seconds(1), 0, 0);
        queue.add(pod(4), 9, Gates::Closed, seconds(0), 0, 0);
        assert!(queue.remove(pod(1)));
        queue.add(pod(1), 5, Gates::Open, seconds(0), 0, 0);
        let order: Vec<usize> =
            std::iter::from_fn(|| queue.pop()).map(|(pod, _)| pod.slot()).collect();
        assert_eq!(order, [1, 2, 3]);
        assert_eq!(queue.len(), 1);
    }

    #[test]
    fn the_pool_is_left_when_woken_or_after_five_minutes() {
        let mut queue = Queue::new(Backoff::default());
        queue.add(pod(1), 0, Gates::Open, seconds(0), 0, 0);
        let (id, waiting) = queue.pop().expect("it waits");
        queue.give_back(id, waiting, Attempt::Rejected(fit()), seconds(10));
        assert!(!queue.is_ready());
        queue.wake(seconds(100), 7, |_, plugins| plugins.has(Plugin::NodePorts));
        assert!(!queue.is_ready());
        assert_eq!(queue.next_pool_flush(seconds(5)), Some(seconds(5 + 330)));
        queue.flush_pool(seconds(5 + 300));
        assert!(!queue.is_ready());
        queue.flush_pool(seconds(5 + 330));
        assert_eq!(queue.pop().map(|(pod, waiting)| (pod.slot(), waiting.attempts)), Some((1, 2)));
    }

    #[test]
    fn an_idle_scheduler_takes_from_backoff_but_not_from_errors() {
        let mut queue = Queue::new(Backoff::default());
        for slot in [1, 2] {
            queue.add(pod(slot), 0, Gates::Open, seconds(0), 0, 0);
        }
        let (one, waiting) = queue.pop().expect("two wait");
        queue.give_back(one, waiting, Attempt::Woken(fit()), SimTime::from_millis(500));
        let (two, waiting) = queue.pop().expect("one is active");
        assert_eq!(two, pod(2));
        queue.give_back(two, waiting, Attempt::Error, SimTime::from_millis(600));
        assert_eq!(queue.pop().map(|(id, _)| id), Some(one));
        assert_eq!(queue.pop(), None);
        // 0.6 s + 1 s lies in the window of 1 s; that window is over at 2 s.
        assert_eq!(queue.next_backoff(), Some(seconds(2)));
        queue.flush_backoff(SimTime::from_millis(1999));
        assert!(!queue.is_ready());
        queue.flush_backoff(seconds(2));
        assert_eq!(queue.pop().map(|(id, _)| id), Some(two));
    }
}
