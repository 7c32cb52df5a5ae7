//! Which pods are to make room for new ones of other requests: pure rules (vertical-pod-autoscaler
//! pkg/updater/priority, pkg/updater/restriction).

use crate::api::pod::{ContainerState, ContainerStatus, Phase, Pod, TerminationReason};
use crate::api::vertical::{Amounts, Vertical};
use crate::time::{SimDuration, SimTime};

/// A pod within bounds is left alone for so long (`--in-recommendation-bounds-eviction-lifetime-threshold`).
const AGE: SimDuration = SimDuration::from_secs(12 * 3600);
/// By how much a request must be off then (`--pod-update-threshold`).
const CHANGE: f64 = 0.1;
/// Memory that ran out within this is a reason of its own (`--evict-after-oom-threshold`).
const SOON: SimDuration = SimDuration::from_secs(600);
/// Pods of one owner there must be (`--min-replicas`).
pub const REPLICAS: i32 = 2;
/// The share of them that may be away (`--eviction-tolerance`).
const TOLERANCE: f64 = 0.5;

/// How far a pod is from what is recommended.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Priority {
    /// Some request lies below the lower bound or above the upper.
    pub is_outside: bool,
    /// Some request is to grow.
    pub grows: bool,
    /// How far requests are off, as shares added up.
    pub off: f64,
}

/// How far `pod` is from what is recommended.
pub fn priority(vertical: &Vertical, pod: &Pod) -> Priority {
    let mut found = Priority { is_outside: false, grows: false, off: 0.0 };
    let mut sums = [(0_i64, None::<i64>); 2];
    for container in &pod.spec.containers {
        let all = &vertical.recommended;
        let Some(one) = all.iter().find(|it| it.container == container.name) else { continue };
        if !vertical.controls(&container.name) {
            continue;
        }
        let within = |amounts| vertical.capped(&container.name, amounts);
        let (target, lower, upper) = (within(one.target), within(one.lower), within(one.upper));
        let asked = [container.requests.cpu_milli, container.requests.memory.saturating_mul(1000)];
        let each = |it: Amounts| [it.cpu, it.memory.map(|bytes| bytes.saturating_mul(1000))];
        let (target, lower, upper) = (each(target), each(lower), each(upper));
        for at in 0..2 {
            let Some(target) = target[at] else { continue };
            sums[at].1 = Some(sums[at].1.unwrap_or(0).saturating_add(target));
            // What asks for nothing is to grow.
            if asked[at] == 0 {
                (found.grows, found.is_outside) = (true, true);
                continue;
            }
            sums[at].0 = sums[at].0.saturating_add(asked[at]);
            found.grows |= target > asked[at];
            found.is_outside |= lower[at].is_some_and(|it| asked[at] < it);
            found.is_outside |= upper[at].is_some_and(|it| asked[at] > it);
        }
    }
    for (asked, target) in sums {
        let Some(target) = target else { continue };
        let asked = (asked as f64).max(1.0);
        found.off += (asked - target as f64).abs() / asked;
    }
    found
}

/// When the memory of a container ran out last, and for how long it had run.
pub fn ran_out(status: &ContainerStatus) -> Option<(SimTime, SimDuration)> {
    let now = match &status.state {
        ContainerState::Terminated(end) => Some(end),
        _ => None,
    };
    let end = now.or(status.last.as_ref())?;
    let is_it = end.reason == TerminationReason::OomKilled;
    is_it.then(|| (end.finished, end.finished.saturating_since(end.started)))
}

/// Whether `pod` is to be evicted, if it may be.
pub fn is_wanted(vertical: &Vertical, pod: &Pod, priority: Priority, now: SimTime) -> bool {
    let init = pod.spec.init_containers.len();
    let statuses = pod.status.containers.iter().flat_map(|all| all.iter()).skip(init);
    let is_soon = statuses.zip(&pod.spec.containers).any(|(status, container)| {
        vertical.controls(&container.name) && ran_out(status).is_some_and(|(_, ran)| ran < SOON)
    });
    if is_soon && priority.off == 0.0 {
        return false;
    }
    if priority.is_outside || is_soon {
        return true;
    }
    let is_old = pod.status.start_time.is_some_and(|started| started + AGE <= now);
    is_old && priority.off >= CHANGE
}

/// Whether a pod that was to be resized has what it asks for.
pub fn is_resized(pod: &Pod) -> bool {
    pod.status.resize.as_ref().is_some_and(|resize| {
        resize.pending.is_none()
            && resize.progress.is_none()
            && resize.actual.is_empty()
            && resize.allocated.written == pod.spec.written
    })
}

/// The pods of one owner, and how many of them may go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Flock {
    /// Pods there are to be.
    pub wanted: i32,
    /// Pods that run.
    pub running: i32,
    /// Pods evicted in this pass.
    pub evicted: i32,
}

impl Flock {
    /// Whether `pod`, which is one of them, may be evicted.
    pub fn may_lose(&self, pod: &Pod) -> bool {
        if pod.status.phase == Phase::Pending {
            return true;
        }
        let tolerance = (f64::from(self.wanted) * TOLERANCE) as i32;
        let left = self.running - self.evicted;
        left > self.wanted - tolerance
            || (self.running == self.wanted && tolerance == 0 && self.evicted == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control_plane::controllers::testing::pod;

    #[test]
    fn half_of_a_flock_may_be_away() {
        let mut pod = pod("web-0", "web");
        pod.status.phase = Phase::Running;
        let may = |wanted, running, evicted| Flock { wanted, running, evicted }.may_lose(&pod);
        for (wanted, running, evicted, expected) in [
            (4, 4, 0, true),
            (4, 4, 1, true),
            (4, 4, 2, false),
            (4, 3, 0, true),
            (4, 2, 0, false),
            // Of a single one, that one.
            (1, 1, 0, true),
            (1, 1, 1, false),
        ] {
            assert_eq!(may(wanted, running, evicted), expected, "{wanted} {running} {evicted}");
        }
    }
}
