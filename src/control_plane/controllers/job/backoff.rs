//! How long a Job waits before it replaces a failed pod
//! (kube-controller-manager 1.36 pkg/controller/job/backoff_utils.go).

use crate::api::node::Tristate;
use crate::api::pod::{ContainerState, Lifetime, Pod, PodCondition};
use crate::time::{SimDuration, SimTime};

/// After the first failure; it doubles with each further one.
pub const BACKOFF_BASE: SimDuration = SimDuration::from_secs(10);
/// The longest wait.
pub const BACKOFF_MAX: SimDuration = SimDuration::from_secs(600);

/// What a Job's controller remembers of its failures; lost with the process.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Backoff {
    /// Failures since the last success.
    pub failures: i32,
    /// When the last of them came, to the second.
    pub last: Option<SimTime>,
}

impl Backoff {
    /// With pods that finished at these instants since it was last asked.
    pub fn with(mut self, succeeded: &[SimTime], failed: &[SimTime]) -> Backoff {
        let success = succeeded.iter().max().copied();
        if success.is_some() {
            self = Backoff::default();
        }
        for &at in failed {
            if success.is_none_or(|success| at > success) {
                self.failures = self.failures.saturating_add(1);
                self.last = self.last.max(Some(at));
            }
        }
        self
    }

    /// How long the next pod must still wait.
    pub fn remaining(self, now: SimTime) -> SimDuration {
        match self.last {
            Some(last) => remaining(self.failures, last, now, BACKOFF_BASE, BACKOFF_MAX),
            None => SimDuration::ZERO,
        }
    }
}

/// What is left at `now` of the wait after so many failures, the last of them at `last`.
pub fn remaining(
    failures: i32,
    last: SimTime,
    now: SimTime,
    base: SimDuration,
    most: SimDuration,
) -> SimDuration {
    if failures <= 0 {
        return SimDuration::ZERO;
    }
    let mut wait = base;
    for _ in 1..failures {
        wait = wait * 2;
        if wait >= most {
            wait = most;
            break;
        }
    }
    (last + wait).saturating_since(now)
}

/// When a pod finished, as far as its status tells, to the second (`getFinishedTime`).
pub fn finished_at(pod: &Pod) -> SimTime {
    let init = pod.spec.init_containers.len();
    let containers = pod.status.containers.as_deref().unwrap_or_default();
    let mut ends = containers.iter().skip(init).map(|one| match one.state {
        ContainerState::Terminated(end) => Some(end.finished),
        ContainerState::Waiting(_) | ContainerState::Running(_) => None,
    });
    let last_end = ends.try_fold(None, |last: Option<SimTime>, end| Some(last.max(Some(end?))));
    if let Some(Some(end)) = last_end {
        // A sidecar that ends later is what held the pod up.
        let sidecars = containers.iter().zip(&pod.spec.init_containers);
        let sidecars = sidecars.filter(|(_, of)| of.lifetime == Lifetime::Sidecar);
        let ends = sidecars.filter_map(|(one, _)| match one.state {
            ContainerState::Terminated(end) => Some(end.finished),
            ContainerState::Waiting(_) | ContainerState::Running(_) => None,
        });
        return to_second(ends.fold(end, SimTime::max));
    }
    let ready = pod.status.condition(PodCondition::Ready);
    if ready.value == Some(Tristate::False) {
        return ready.since().unwrap_or(SimTime::ZERO);
    }
    match pod.meta.deletion {
        Some(deletion) => {
            let grace = SimDuration::from_secs(deletion.grace_seconds.into());
            to_second(deletion.at).checked_sub(grace).unwrap_or(SimTime::ZERO)
        }
        None => to_second(pod.meta.created),
    }
}

/// An instant as the API writes it.
pub fn to_second(at: SimTime) -> SimTime {
    SimTime::from_secs(at.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_from_ten_seconds_to_ten_minutes() {
        let wait = |failures| {
            let record = Backoff { failures, last: Some(SimTime::from_secs(5)) };
            record.remaining(SimTime::from_secs(5)).as_secs()
        };
        assert_eq!([0, 1, 2, 3, 6, 7, 8, 1000].map(wait), [0, 10, 20, 40, 320, 600, 600, 600]);
    }
}
