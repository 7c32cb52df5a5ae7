//! What one sync of a StatefulSet does to its pods, worked out at once (`updateStatefulSet`,
//! kube-controller-manager 1.36 pkg/controller/statefulset/stateful_set_control.go).
//!
//! Owns the order in which pods come, go and change; refuses to know requests and queues. OrderedReady
//! looks at one pod after the other and stops at the first that is not as it should be:
//!
//! ```text
//! replica 0, 1, ..   done: delete │ missing: create │ ends, or is not available: wait
//!    │ all available
//! condemned, highest first   ends: wait │ unavailable, and a lower one is too: wait │ delete
//!    │ none left
//! rolling update, highest first   old: delete │ unavailable: wait     (down to the partition)
//! ```
//!
//! Parallel does all of the first two at once, in batches of 1, 2, 4 .. 500, and then the third.

use std::collections::BTreeMap;

use super::identity;
use crate::api::pod::{Phase, Pod};
use crate::api::stateful_set::{PodManagement, StatefulSet, StatefulSetStatus, UpdateStrategy};
use crate::api::workload::Rounding;
use crate::base::id::Id;
use crate::time::SimTime;

/// The largest batch of pods that come or go at once.
pub const BATCH_MAX: usize = 500;

/// Pods that one sync does something about, at most; the next goes on.
pub const ACTS_MAX: usize = 10_000;

/// Whether `maxUnavailable` counts (feature gate MaxUnavailableStatefulSet: beta and off in 1.36).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum MaxUnavailable {
    /// It does not: one pod at a time.
    #[default]
    Ignored,
    /// It does.
    Counts,
}

/// A pod of the set.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// Its id.
    pub id: Id<Pod>,
    /// The pod.
    pub pod: &'a Pod,
    /// Its number.
    pub ordinal: i32,
}

/// How a pod's claims stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Claims {
    /// All are there, with the owners they are to have.
    AsWanted,
    /// Some are not.
    Amiss,
    /// Some still belong to a pod of that name that is gone: nothing can be done before they are.
    Stale,
}

/// What is known when a sync begins.
pub struct Scene<'a> {
    /// The set.
    pub set: &'a StatefulSet,
    /// Its pods, in any order.
    pub members: Vec<Member<'a>>,
    /// The name of its current revision.
    pub current: &'a str,
    /// The name of the revision it is to get to.
    pub update: &'a str,
    /// Whether `maxUnavailable` counts.
    pub max_unavailable: MaxUnavailable,
    /// How the claims of the pod of a number stand.
    pub claims: &'a dyn Fn(i32) -> Claims,
    /// Now.
    pub now: SimTime,
}

/// One of the set's two revisions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Revision {
    /// The current one.
    Current,
    /// The one it is to get to.
    Update,
}

/// Why a pod is deleted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Because {
    /// It is done, and another takes its place.
    Done,
    /// It is one too many.
    Scaled,
    /// It is of an old revision.
    Old,
}

/// Something to be done about one pod.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    /// The pod of this number is made, its claims before it.
    Create(i32, Revision),
    /// It is deleted.
    Delete(Id<Pod>, Because),
    /// Its claims are made, or change owner, and its labels are put right.
    Mend(Id<Pod>, i32),
}

/// What a sync does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// What is done at once, batch after batch while all goes well.
    pub batches: Vec<Vec<Act>>,
    /// The status as the pods stand.
    pub status: StatefulSetStatus,
}

/// Whether a pod runs and is ready.
fn is_ready(pod: &Pod) -> bool {
    pod.status.phase == Phase::Running && pod.is_ready()
}

impl Scene<'_> {
    fn is_available(&self, pod: &Pod) -> bool {
        is_ready(pod) && pod.is_available(self.set.min_ready_seconds, self.now)
    }

    /// `isUnavailable`.
    fn is_unavailable(&self, pod: &Pod) -> bool {
        !self.is_available(pod) || pod.meta.is_terminating()
    }

    /// `updateStatus`.
    fn status(&self) -> StatefulSetStatus {
        let mut status = StatefulSetStatus {
            observed_generation: self.set.meta.generation,
            current_revision: self.current.into(),
            update_revision: self.update.into(),
            collision_count: self.set.status.collision_count,
            ..StatefulSetStatus::default()
        };
        for Member { pod, .. } in &self.members {
            status.replicas += 1;
            status.ready += i32::from(is_ready(pod));
            status.available += i32::from(self.is_available(pod));
            if !pod.meta.is_terminating() {
                let revision = identity::revision(pod);
                status.current += i32::from(revision == self.current);
                status.updated += i32::from(revision == self.update);
            }
        }
        status
    }

    /// The revision a pod made anew is of (`newVersionedStatefulSetPod`).
    fn revision_of(&self, ordinal: i32) -> Revision {
        match self.set.update {
            UpdateStrategy::RollingUpdate { partition, .. }
                if ordinal < self.set.first_ordinal.saturating_add(partition) =>
            {
                Revision::Current
            }
            UpdateStrategy::RollingUpdate { .. } | UpdateStrategy::OnDelete => Revision::Update,
        }
    }

    /// How many pods may be unavailable while pods are replaced.
    fn may_be_unavailable(&self) -> i32 {
        match self.max_unavailable {
            MaxUnavailable::Ignored => 1,
            MaxUnavailable::Counts => max_unavailable(self.set.update, self.set.replicas),
        }
    }
}

/// `maxUnavailable` of so many pods (`getStatefulSetMaxUnavailable`): percents rounded down, and at
/// least one.
pub fn max_unavailable(update: UpdateStrategy, replicas: i32) -> i32 {
    match update {
        UpdateStrategy::RollingUpdate { max_unavailable: Some(share), .. } => {
            share.of(replicas, Rounding::Down).max(1)
        }
        UpdateStrategy::RollingUpdate { max_unavailable: None, .. } | UpdateStrategy::OnDelete => 1,
    }
}

/// How many of the set's pods are unavailable.
pub fn unavailable(scene: &Scene<'_>) -> i32 {
    let pods = scene.members.iter().filter(|one| scene.is_unavailable(one.pod));
    pods.count() as i32
}

/// What to do about one pod, and whether those after it have to wait.
struct Look {
    act: Option<Act>,
    is_last: bool,
}

const GO_ON: Look = Look { act: None, is_last: false };
const WAIT: Look = Look { act: None, is_last: true };

fn last(act: Act) -> Look {
    Look { act: Some(act), is_last: true }
}

/// What a sync of the set does.
pub fn plan(scene: &Scene<'_>) -> Plan {
    let mut planner = Planner { scene, batches: Vec::new() };
    if !scene.set.meta.is_terminating() {
        planner.all();
    }
    Plan { batches: planner.batches, status: scene.status() }
}

struct Planner<'a> {
    scene: &'a Scene<'a>,
    batches: Vec<Vec<Act>>,
}

impl Planner<'_> {
    fn all(&mut self) {
        let scene = self.scene;
        let range = identity::range(scene.set);
        let members = scene.members.iter().filter(|one| range.contains(&one.ordinal));
        let replicas: BTreeMap<i32, Member<'_>> = members.map(|one| (one.ordinal, *one)).collect();
        let condemned = scene.members.iter().filter(|one| !range.contains(&one.ordinal));
        let mut condemned: Vec<Member<'_>> = condemned.copied().collect();
        condemned.sort_by_key(|one| std::cmp::Reverse(one.ordinal));
        let looks = range.map(|ordinal| match replicas.get(&ordinal) {
            Some(member) => scene.there(*member),
            None => scene.missing(ordinal),
        });
        if self.take(looks) {
            return;
        }
        let mending = condemned.iter().map(|one| match (scene.claims)(one.ordinal) {
            Claims::Amiss => Look { act: Some(Act::Mend(one.id, one.ordinal)), is_last: false },
            Claims::AsWanted | Claims::Stale => GO_ON,
        });
        self.take(mending);
        let lowest_bad = condemned.iter().rfind(|one| scene.is_unavailable(one.pod));
        let bad = lowest_bad.map(|one| one.id);
        if self.take(condemned.iter().map(|one| scene.condemned(*one, bad))) {
            return;
        }
        if let UpdateStrategy::RollingUpdate { partition, .. } = scene.set.update {
            self.rolling(&replicas, partition);
        }
    }

    /// Takes what is to be done about pods in a row; returns whether nothing may follow.
    fn take(&mut self, looks: impl Iterator<Item = Look>) -> bool {
        let (mut size, mut at, mut acts) = match self.scene.set.management {
            PodManagement::OrderedReady => (0, 0, 0),
            PodManagement::Parallel => (1, 0, 0),
        };
        let mut batch = Vec::new();
        for look in looks {
            acts += usize::from(look.act.is_some());
            batch.extend(look.act);
            at += 1;
            if at >= size {
                self.batch(&mut batch);
                (size, at) = ((2 * size).min(BATCH_MAX), 0);
            }
            // Only pods in order wait for each other.
            if acts >= ACTS_MAX || (size == 0 && look.is_last) {
                self.batch(&mut batch);
                return true;
            }
        }
        self.batch(&mut batch);
        false
    }

    /// Of pods made at once the last comes first: Go runs the goroutine that was started last before
    /// those that wait (s4_statefulset_parallel, in all recorded runs).
    fn batch(&mut self, acts: &mut Vec<Act>) {
        if acts.is_empty() {
            return;
        }
        if acts.iter().all(|act| matches!(act, Act::Create(..))) {
            acts.rotate_right(1);
        }
        self.batches.push(std::mem::take(acts));
    }

    /// Pods of an old revision go, the highest first. One that is only about to be made is neither
    /// old nor available.
    fn rolling(&mut self, replicas: &BTreeMap<i32, Member<'_>>, partition: i32) {
        let scene = self.scene;
        let range = identity::range(scene.set);
        let from = range.start.saturating_add(partition.max(0));
        let unavailable = range.len() as i64
            - replicas.values().filter(|one| !scene.is_unavailable(one.pod)).count() as i64;
        let mut left = match scene.max_unavailable {
            MaxUnavailable::Ignored => 1,
            MaxUnavailable::Counts => i64::from(scene.may_be_unavailable()) - unavailable,
        };
        for ordinal in (from..range.end).rev() {
            if left <= 0 {
                return;
            }
            let one = replicas.get(&ordinal);
            let old = one.filter(|one| {
                identity::revision(one.pod) != scene.update && !one.pod.meta.is_terminating()
            });
            if let Some(old) = old {
                self.batches.push(vec![Act::Delete(old.id, Because::Old)]);
                left -= 1;
            } else if scene.max_unavailable == MaxUnavailable::Ignored
                && one.is_none_or(|one| scene.is_unavailable(one.pod))
            {
                return;
            }
        }
    }
}

impl Scene<'_> {
    /// `processReplica`, for a pod there is.
    fn there(&self, one: Member<'_>) -> Look {
        let pod = one.pod;
        if pod.status.phase.is_terminal() {
            return match pod.meta.is_terminating() {
                true => WAIT,
                false => last(Act::Delete(one.id, Because::Done)),
            };
        }
        let is_ordered = self.set.management == PodManagement::OrderedReady;
        let is_amiss =
            (self.claims)(one.ordinal) == Claims::Amiss || !identity::matches(pod, one.ordinal);
        let mend = is_amiss.then_some(Act::Mend(one.id, one.ordinal));
        let pending = mend.filter(|_| pod.status.phase == Phase::Pending);
        if is_ordered && self.is_unavailable(pod) {
            return Look { act: pending, is_last: true };
        }
        Look { act: mend, is_last: false }
    }

    /// `processReplica`, for a pod there is not.
    fn missing(&self, ordinal: i32) -> Look {
        match (self.claims)(ordinal) {
            Claims::Stale => WAIT,
            Claims::AsWanted | Claims::Amiss => {
                last(Act::Create(ordinal, self.revision_of(ordinal)))
            }
        }
    }

    /// `processCondemned`; `bad` is the unavailable one of the lowest number.
    fn condemned(&self, one: Member<'_>, bad: Option<Id<Pod>>) -> Look {
        if one.pod.meta.is_terminating() {
            return WAIT;
        }
        if self.set.management == PodManagement::OrderedReady
            && !self.is_available(one.pod)
            && bad != Some(one.id)
        {
            return WAIT;
        }
        last(Act::Delete(one.id, Because::Scaled))
    }
}

/// The status to be written: when all pods are of the new revision and ready, it is the current one
/// (`completeRollingUpdate`).
pub fn completed(set: &StatefulSet, mut status: StatefulSetStatus) -> StatefulSetStatus {
    let is_rolling = matches!(set.update, UpdateStrategy::RollingUpdate { .. });
    if is_rolling && [status.updated, status.ready, status.replicas] == [set.replicas; 3] {
        status.current = status.updated;
        status.current_revision = status.update_revision.clone();
    }
    status
}

#[cfg(test)]
mod tests;
