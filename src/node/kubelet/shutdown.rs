//! A node that goes down in order: its pods end first, those without a critical priority before the others
//! (kubelet 1.36 `pkg/kubelet/nodeshutdown`).
//!
//! ```text
//! told to --> not ready, no new pods --> a group ends: each pod by its own grace or the group's, the shorter
//!                                          |   ^ all have ended, or the group's time is over: the next group
//!                                          `---'  none left --> down
//! ```

use super::worker::{Ending, Stage};
use super::{Kubelets, NodeIndex, Timer, Worker, effective_grace};
use crate::api::pod::StatusReason;
use crate::base::Id;
use crate::messages::Effects;
use crate::time::{SimDuration, SimTime};

/// From this priority on a pod is critical (`SystemCriticalPriority`).
const CRITICAL: i32 = 2_000_000_000;
const MESSAGE: &str = "Pod was terminated in response to imminent node shutdown.";

/// Pods that end together, by priority.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ShutdownGroup {
    /// The lowest priority in it.
    pub priority: i32,
    /// How long they may take.
    pub period: SimDuration,
}

/// The groups of `shutdownGracePeriod` and the part of it that is critical pods'; none: a node goes down at once
/// (`migrateConfig`).
pub fn shutdown_groups(requested: SimDuration, critical: SimDuration) -> Vec<ShutdownGroup> {
    if requested.is_zero() || requested < critical {
        return Vec::new();
    }
    let others = requested.saturating_sub(critical);
    vec![
        ShutdownGroup { priority: 0, period: others },
        ShutdownGroup { priority: CRITICAL, period: critical },
    ]
}

/// How far a node is with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shutdown {
    /// The group that ends, by number.
    group: usize,
    /// Until when; never: it has not begun.
    until: SimTime,
    /// The fact it comes from.
    cause: u64,
}

/// What becomes of a node that is told to go down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GoingDown {
    /// Its pods end first; [`Timer::Down`] tells when they have.
    InOrder,
    /// Nobody told its kubelet to wait for anything.
    AtOnce,
}

impl Kubelets {
    /// A node is to go down. Its next status says that it is not ready.
    pub fn shut_down(&mut self, at: NodeIndex, fx: &mut Effects<Timer>) -> GoingDown {
        if self.settings.shutdown.is_empty() {
            return GoingDown::AtOnce;
        }
        let cause = fx.cause();
        let node = &mut self.nodes[at.row()];
        node.say_shutdown(fx);
        node.shutdown = Some(Shutdown { group: 0, until: SimTime::MAX, cause });
        node.images_changed = Some(cause);
        self.go_down(at, fx);
        GoingDown::InOrder
    }

    /// A node is to stay up after all; pods that were told to end do so. Its next status says that it is ready.
    pub fn stay_up(&mut self, at: NodeIndex, fx: &Effects<Timer>) {
        let node = &mut self.nodes[at.row()];
        if node.shutdown.take().is_some() {
            node.images_changed = Some(fx.cause());
        }
    }

    /// Goes on with a shutdown: the group at hand, the next, or the end.
    pub(super) fn go_down(&mut self, at: NodeIndex, fx: &mut Effects<Timer>) {
        let now = fx.now();
        while let Some(state) = self.nodes[at.row()].shutdown {
            fx.because(state.cause);
            let Some(group) = self.settings.shutdown.get(state.group).copied() else {
                return fx.arm_at(now, Timer::Down(at));
            };
            let is_begun = state.until < SimTime::MAX;
            let until = if is_begun { state.until } else { now + group.period };
            if !is_begun {
                self.keep_shutdown(at, Shutdown { until, ..state });
                self.end_group(at, state, group.period, fx);
                fx.arm_at(until, Timer::Shutdown(at));
            }
            if now < until && !self.members(at, state.group).is_empty() {
                return;
            }
            self.keep_shutdown(
                at,
                Shutdown { group: state.group + 1, until: SimTime::MAX, ..state },
            );
        }
    }

    fn keep_shutdown(&mut self, at: NodeIndex, state: Shutdown) {
        self.nodes[at.row()].shutdown = Some(state);
    }

    /// The pods of a group that have not ended, in the order of their workers.
    fn members(&self, at: NodeIndex, group: usize) -> Vec<Id<Worker>> {
        let groups = &self.settings.shutdown;
        let group_of = |priority: i32| {
            groups.iter().rposition(|one| one.priority <= priority).unwrap_or_default()
        };
        let of_node = self.workers.iter().filter(|(_, worker)| {
            worker.node == at
                && worker.stage != Stage::Ended
                && group_of(worker.spec.priority) == group
        });
        of_node.map(|(id, _)| id).collect()
    }

    fn end_group(
        &mut self,
        at: NodeIndex,
        state: Shutdown,
        period: SimDuration,
        fx: &mut Effects<Timer>,
    ) {
        let period = period.as_secs() as u32;
        for id in self.members(at, state.group) {
            fx.because(state.cause);
            self.with(id, fx, |worker, desk| {
                if worker.stage == Stage::Active {
                    let why = StatusReason { reason: "Terminated".into(), message: MESSAGE.into() };
                    worker.reason = Some(why.into());
                }
                let grace = effective_grace(worker.spec.grace_seconds.min(period), None, None);
                worker.end(Ending::Shutdown, grace, desk);
            });
        }
    }
}
