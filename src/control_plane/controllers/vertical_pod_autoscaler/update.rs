//! Which pods are to make room for new ones of other requests, or to be resized: pure rules
//! (vertical-pod-autoscaler pkg/updater/priority, pkg/updater/restriction).

use crate::api::pod::{ContainerStatus, Phase, Pod, Resizing, TerminationReason, container_at};
use crate::api::resources::Resources;
use crate::api::validation::names::is_dns1123_label;
use crate::api::vertical::apply::OBSERVED;
use crate::api::vertical::{Amounts, Change, Vertical};
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
/// A resize that waits for room on its node is given up after this, and one that is under way after that
/// (`DeferredResizeUpdateTimeout`, `InProgressResizeUpdateTimeout`).
const DEFERRED: SimDuration = SimDuration::from_secs(300);
const IN_PROGRESS: SimDuration = SimDuration::from_secs(3600);

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

/// What a container of a pod requests as its node sees it, by its place among those of the spec.
fn requests(pod: &Pod, at: usize) -> &Resources {
    let Some(resize) = &pod.status.resize else { return &pod.spec.containers[at].requests };
    let index = pod.spec.init_containers.len() + at;
    match resize.actual.iter().find(|(one, _)| usize::from(*one) == index) {
        Some((_, share)) => &share.requests,
        None => &container_at(&resize.allocated, index).requests,
    }
}

/// The containers a pod had when it was made, where that is written down: others are left alone.
fn observed(pod: &Pod) -> Option<Vec<&str>> {
    let said = pod.meta.annotations.get(OBSERVED)?;
    if said.is_empty() {
        return Some(Vec::new());
    }
    let names: Vec<&str> = said.split(',').map(str::trim).collect();
    names.iter().all(|name| is_dns1123_label(name).is_empty()).then_some(names)
}

/// What is recommended and what is requested of one container, in thousandths: processors and memory.
struct Both {
    target: [Option<i64>; 2],
    lower: [Option<i64>; 2],
    upper: [Option<i64>; 2],
    asked: [i64; 2],
}

/// The containers of `pod` for which something is recommended.
fn both<'a>(vertical: &'a Vertical, pod: &'a Pod) -> impl Iterator<Item = Both> + 'a {
    let seen = observed(pod);
    pod.spec.containers.iter().enumerate().filter_map(move |(at, container)| {
        let name = &container.name;
        let is_seen = seen.as_ref().is_none_or(|seen| seen.contains(&&**name));
        let one = vertical.recommended.iter().find(|it| it.container == *name)?;
        if !is_seen || !vertical.controls(name) {
            return None;
        }
        let within = |amounts: Amounts| {
            let it = vertical.capped(name, amounts);
            [it.cpu, it.memory.map(|bytes| bytes.saturating_mul(1000))]
        };
        let has = requests(pod, at);
        Some(Both {
            target: within(one.target),
            lower: within(one.lower),
            upper: within(one.upper),
            asked: [has.cpu_milli, has.memory.saturating_mul(1000)],
        })
    })
}

/// How far `pod` is from what is recommended.
pub fn priority(vertical: &Vertical, pod: &Pod) -> Priority {
    let mut found = Priority { is_outside: false, grows: false, off: 0.0 };
    let mut sums = [(0_i64, None::<i64>); 2];
    for Both { target, lower, upper, asked } in both(vertical, pod) {
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

/// When the memory of a container ran out before it was started again, and for how long it had run.
pub fn ran_out(status: &ContainerStatus) -> Option<(SimTime, SimDuration)> {
    let end = status.last.as_ref()?;
    let is_it = end.reason == TerminationReason::OomKilled;
    is_it.then(|| (end.finished, end.finished.saturating_since(end.started)))
}

/// Whether `pod` is to be evicted or resized, if it may be.
pub fn is_wanted(vertical: &Vertical, pod: &Pod, priority: Priority, now: SimTime) -> bool {
    let seen = observed(pod);
    let init = pod.spec.init_containers.len();
    let statuses = pod.status.containers.iter().flat_map(|all| all.iter()).skip(init);
    let is_soon = statuses.zip(&pod.spec.containers).any(|(status, container)| {
        seen.as_ref().is_none_or(|seen| seen.contains(&&*container.name))
            && vertical.controls(&container.name)
            && ran_out(status).is_some_and(|(_, ran)| ran < SOON)
    });
    if is_soon && priority.off == 0.0 {
        return false;
    }
    let is_old = || pod.status.start_time.is_some_and(|started| started + AGE <= now);
    (priority.is_outside || is_soon || (is_old() && priority.off >= CHANGE))
        && is_admitted(vertical, pod)
}

/// Whether the requirements of evictions hold for some container of `pod`. One that does not request both
/// resources may always go.
fn is_admitted(vertical: &Vertical, pod: &Pod) -> bool {
    let all = &vertical.requirements;
    let holds = |both: &Both| {
        all.iter().all(|requirement| {
            (0..2).filter(|&at| requirement.of[at]).any(|at| {
                let target = both.target[at].unwrap_or(0);
                match requirement.change {
                    Change::Higher => target > both.asked[at],
                    Change::Lower => target < both.asked[at],
                }
            })
        })
    };
    all.is_empty() || both(vertical, pod).any(|both| both.asked.contains(&0) || holds(&both))
}

/// Whether a pod is being resized, or waits for that.
pub fn is_resizing(pod: &Pod) -> bool {
    let is_under_way = |it: &Resizing| it.pending.is_some() || it.progress.is_some();
    pod.status.resize.as_ref().is_some_and(|it| is_under_way(it))
}

/// Whether a pod that has been resizing since `asked` is to be evicted instead.
pub fn is_stuck(pod: &Pod, asked: SimTime, now: SimTime) -> bool {
    let Some(resize) = &pod.status.resize else { return false };
    let took = now.saturating_since(asked);
    match (&resize.pending, &resize.progress) {
        (Some(pending), _) => &*pending.reason != "Deferred" || took > DEFERRED,
        (None, Some(progress)) => !progress.reason.is_empty() || took > IN_PROGRESS,
        (None, None) => false,
    }
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
    /// Pods evicted, or to be resized, in this pass.
    pub evicted: i32,
}

impl Flock {
    /// Whether `pod`, which is one of them, may be evicted: what does not run yet may.
    pub fn may_lose(&self, pod: &Pod) -> bool {
        pod.status.phase == Phase::Pending || self.may_be_disturbed()
    }

    /// Whether one that runs may be evicted or resized.
    pub fn may_be_disturbed(&self) -> bool {
        let tolerance = (f64::from(self.wanted) * TOLERANCE) as i32;
        let left = self.running - self.evicted;
        left > self.wanted - tolerance
            || (self.running == self.wanted && tolerance == 0 && self.evicted == 0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;
    use crate::api::compact::Compactor;
    use crate::api::meta::{Labels, Meta};
    use crate::api::misc::Other;
    use crate::api::pod::{ContainerState, Share, StatusReason, Termination};
    use crate::control_plane::controllers::testing::pod;

    /// A pod of containers `a`, `b`, .. of these requests: thousandths of a core, and bytes.
    fn asking(all: &[(i64, i64)]) -> Pod {
        let mut pod = pod("web-0", "web");
        pod.status.phase = Phase::Running;
        pod.status.start_time = Some(SimTime::ZERO);
        let names = (b'a'..).map(|name| char::from(name).to_string());
        let one = |(name, (cpu, memory)): (String, &(i64, i64))| {
            let asked = [
                (*cpu > 0).then(|| ("cpu", format!("{cpu}m"))),
                (*memory > 0).then(|| ("memory", memory.to_string())),
            ];
            let asked: BTreeMap<&str, String> = asked.into_iter().flatten().collect();
            json!({"name": name, "image": "x", "resources": {"requests": asked}})
        };
        let all: Vec<Value> = names.zip(all).map(one).collect();
        let written = serde_json::from_value(json!({ "containers": all })).expect("a spec");
        pod.spec = Compactor::new().refilled(&pod.spec, written).0;
        pod
    }

    /// An autoscaler that recommends so for containers `a`, `b`, ..: target, lower and upper bound.
    fn advising(policy: Value, all: &[[Value; 3]]) -> Vertical {
        let one = |(name, [target, lower, upper]): (u8, &[Value; 3])| {
            json!({"containerName": char::from(name).to_string(), "target": target,
                   "lowerBound": lower, "upperBound": upper})
        };
        let all: Vec<Value> = (b'a'..).zip(all).map(one).collect();
        let written = json!({
            "spec": {"targetRef": {"kind": "Deployment", "name": "web"}, "updatePolicy": policy,
                     "resourcePolicy": {"containerPolicies": [{"containerName": "off", "mode": "Off"}]}},
            "status": {"recommendation": {"containerRecommendations": all}},
        });
        let meta = Meta::new("default".into(), "web".into());
        let (api_version, kind) = ("autoscaling.k8s.io/v1".into(), "VerticalPodAutoscaler".into());
        Vertical::of(&Other { meta, api_version, kind, written: written.to_string().into() })
            .expect("it is right")
    }

    fn cpu(cores: &str) -> Value {
        json!({ "cpu": cores })
    }

    fn both(cores: &str, memory: &str) -> Value {
        json!({"cpu": cores, "memory": memory})
    }

    const M: i64 = 1_000_000;

    /// What it is about; each container's requests; its recommendations (target, lower and upper bound); whether the
    /// pod is outside of them, by how much in all, and whether it grows.
    type Priority = (&'static str, &'static [(i64, i64)], Vec<[Value; 3]>, (bool, f64, bool));

    /// `TestGetUpdatePriority` (pkg/updater/priority/priority_processor_test.go), case by case.
    #[test]
    fn how_far_a_pod_is_off_adds_up_over_containers_and_resources() {
        let none = || json!({});
        let free = |target: Value| [target, none(), none()];
        let cases: Vec<Priority> = vec![
            ("simple scale up", &[(2000, 0)], vec![free(cpu("10"))], (false, 4.0, true)),
            ("simple scale down", &[(4000, 0)], vec![free(cpu("2"))], (false, 0.5, false)),
            ("no resource diff", &[(2000, 0)], vec![free(cpu("2"))], (false, 0.0, false)),
            ("milliquantities", &[(10, 0)], vec![free(cpu("900m"))], (false, 89.0, true)),
            (
                "up, outside of the range",
                &[(4000, 0)],
                vec![[cpu("10"), cpu("6"), cpu("14")]],
                (true, 1.5, true),
            ),
            (
                "down, outside of the range",
                &[(8000, 0)],
                vec![[cpu("2"), cpu("1"), cpu("3")]],
                (true, 0.75, false),
            ),
            ("both up", &[(3000, 10 * M)], vec![free(both("6", "20M"))], (false, 2.0, true)),
            ("one up", &[(4000, 10 * M)], vec![free(both("2", "20M"))], (false, 1.5, true)),
            ("both down", &[(4000, 20 * M)], vec![free(both("2", "10M"))], (false, 1.0, false)),
            (
                "one of them outside of the range",
                &[(4000, 20 * M)],
                vec![[both("2", "10M"), both("1", "5M"), both("3", "30M")]],
                (true, 1.0, false),
            ),
            (
                "two containers up",
                &[(1000, 0), (2000, 0)],
                vec![free(cpu("4")), free(cpu("8"))],
                (false, 3.0, true),
            ),
            (
                "two containers down",
                &[(3000, 0), (7000, 0)],
                vec![free(cpu("1")), free(cpu("2"))],
                (false, 0.7, false),
            ),
            (
                "two containers up, one outside of the range",
                &[(1000, 0), (2000, 0)],
                vec![[cpu("4"), cpu("1"), none()], [cpu("8"), cpu("3"), cpu("10")]],
                (true, 3.0, true),
            ),
            (
                "two containers, two resources",
                &[(6000, 10 * M), (4000, 30 * M)],
                vec![free(both("8", "20M")), free(both("7", "30M"))],
                (false, 0.75, true),
            ),
            // Nothing is requested, and nothing is recommended.
            ("from nothing", &[(0, 0)], vec![free(cpu("1"))], (true, 999.0, true)),
            ("for nobody", &[(2000, 0)], vec![], (false, 0.0, false)),
        ];
        for (name, asked, recommended, (is_outside, off, grows)) in cases {
            let found = priority(&advising(json!({}), &recommended), &asking(asked));
            assert_eq!((found.is_outside, found.grows), (is_outside, grows), "{name}");
            assert!((found.off - off).abs() < 1e-9, "{name}: {}", found.off);
        }
    }

    /// `simple scale up, resources from containerStatus have higher priority` and
    /// `TestGetUpdatePriority_VpaObservedContainers` (the same file).
    #[test]
    fn what_a_node_has_granted_counts_and_containers_that_came_later_do_not() {
        let vertical = advising(json!({}), &[[cpu("10"), json!({}), json!({})]]);
        let mut granted = asking(&[(10_000_000, 0)]);
        let (spec, mut actual) = (granted.spec.clone(), Share::default());
        actual.requests.cpu_milli = 2000;
        granted.status.resize = Some(Arc::new(Resizing {
            allocated: spec.clone(),
            actual: vec![(0, actual)],
            pending: None,
            progress: None,
            counted: spec,
        }));
        assert_eq!(priority(&vertical, &granted).off, 4.0);
        for (said, expected) in [
            (None, 9.0),
            (Some("a"), 9.0),
            (Some(""), 0.0),
            (Some("abcd;';"), 9.0),
            (Some("b, a"), 9.0),
        ] {
            let mut pod = asking(&[(1000, 0)]);
            let said = said.map(|said| (OBSERVED.into(), said.into()));
            pod.meta.annotations = Arc::new(Labels::from_iter(said));
            assert_eq!(priority(&vertical, &pod).off, expected, "{:?}", pod.meta.annotations);
        }
    }

    /// `TestUpdateLonglivedPods`, `TestUpdateShortlivedPods`, `TestUpdatePodWithQuickOOM` and those after it
    /// (pkg/updater/priority/update_priority_calculator_test.go), with this updater's 10 %.
    #[test]
    fn pods_are_let_live_within_bounds_for_half_a_day() {
        let vertical = advising(json!({}), &[[cpu("5"), cpu("1"), cpu("6")]]);
        let hours = |hours: u64| SimTime::from_secs(hours * 3600);
        for (milli, now, oom, expected) in [
            (4000, hours(13), None, true),
            (1000, hours(13), None, true),
            (8000, hours(13), None, true),
            (4800, hours(13), None, false),
            (5000, hours(13), None, false),
            (4000, hours(11), None, false),
            (1000, hours(11), None, false),
            (10_000, hours(11), None, true),
            // Memory ran out soon after a start, or late, or where nothing would change.
            (4000, hours(11), Some(2), true),
            (4000, hours(11), Some(60), false),
            (5000, hours(11), Some(2), false),
        ] {
            let mut pod = asking(&[(milli, 0)]);
            pod.status.containers = oom.map(|minutes| {
                let reason = TerminationReason::OomKilled;
                let (started, finished) = (SimTime::ZERO, SimTime::from_secs(60 * minutes));
                let last = Some(Termination { exit_code: 137, reason, started, finished });
                let state = ContainerState::Running(finished);
                let (restarts, ready, started) = (1, true, true);
                Arc::from([ContainerStatus {
                    state,
                    last,
                    restarts,
                    ready,
                    started,
                    held_back_millis: 0,
                }])
            });
            let found = is_wanted(&vertical, &pod, priority(&vertical, &pod), now);
            assert_eq!(found, expected, "{milli} {now:?} {oom:?}");
        }
    }

    /// `TestAdmitForSingleContainer` (pkg/updater/priority/scaling_direction_pod_eviction_admission_test.go).
    #[test]
    fn requirements_say_which_way_amounts_must_go() {
        const GI: i64 = 1 << 30;
        let up =
            |of: &[&str]| json!({"resources": of, "changeRequirement": "TargetHigherThanRequests"});
        let down =
            |of: &[&str]| json!({"resources": of, "changeRequirement": "TargetLowerThanRequests"});
        for (requirements, target, expected) in [
            (vec![], both("600m", "10Gi"), true),
            (vec![up(&["cpu"])], both("600m", "10Gi"), true),
            (vec![down(&["cpu"])], both("400m", "10Gi"), true),
            (vec![up(&["cpu", "memory"])], both("500m", "10Gi"), false),
            (vec![up(&["memory"])], both("500m", "11Gi"), true),
            (vec![down(&["memory"])], both("500m", "9Gi"), true),
            (vec![up(&["cpu", "memory"])], both("500m", "9Gi"), false),
            // One of the two is enough, as the field's own words say.
            (vec![up(&["cpu", "memory"])], both("500m", "11Gi"), true),
            (vec![up(&["cpu"]), down(&["memory"])], both("600m", "9Gi"), true),
            (vec![down(&["cpu"])], both("1000m", "9Gi"), false),
            (vec![up(&["cpu"]), up(&["memory"])], both("600m", "9Gi"), false),
        ] {
            let policy = json!({ "evictionRequirements": requirements });
            let vertical = advising(policy, &[[target.clone(), json!({}), json!({})]]);
            let found = is_admitted(&vertical, &asking(&[(500, 10 * GI)]));
            assert_eq!(found, expected, "{requirements:?} {target}");
            assert!(is_admitted(&vertical, &asking(&[(0, 0)])));
        }
    }

    #[test]
    fn a_resize_that_does_not_come_to_an_end_is_given_up() {
        let why = |reason: &str| Some(StatusReason { reason: reason.into(), message: "".into() });
        for (pending, progress, seconds, expected) in [
            (why("Infeasible"), None, 0, true),
            (why("Deferred"), None, 300, false),
            (why("Deferred"), None, 301, true),
            (None, why(""), 3600, false),
            (None, why(""), 3601, true),
            (None, why("Error"), 0, true),
            (None, None, 9999, false),
        ] {
            let mut pod = asking(&[(1000, 0)]);
            let (allocated, counted) = (pod.spec.clone(), pod.spec.clone());
            let actual = Vec::new();
            let resize = Resizing { allocated, actual, pending, progress, counted };
            pod.status.resize = Some(Arc::new(resize));
            let found = is_stuck(&pod, SimTime::ZERO, SimTime::from_secs(seconds));
            assert_eq!(found, expected, "{:?} {seconds}", pod.status.resize);
        }
    }

    /// `TestEvictionTolerance`, `TestEvictAtLeastOne`, `TestEvictEmitEvent`
    /// (pkg/updater/restriction/pods_eviction_restriction_test.go), with this updater's half.
    #[test]
    fn half_of_a_flock_may_be_away() {
        let mut pod = pod("web-0", "web");
        let may =
            |pod: &Pod, wanted, running, evicted| Flock { wanted, running, evicted }.may_lose(pod);
        pod.status.phase = Phase::Pending;
        assert!(may(&pod, 4, 0, 0), "what does not run yet may go");
        pod.status.phase = Phase::Running;
        for (wanted, running, evicted, expected) in [
            (4, 4, 0, true),
            (4, 4, 1, true),
            (4, 4, 2, false),
            (4, 3, 0, true),
            (4, 2, 0, false),
            (4, 1, 0, false),
            (5, 5, 1, true),
            (5, 5, 2, false),
            // Of a single one, that one.
            (1, 1, 0, true),
            (1, 1, 1, false),
        ] {
            assert_eq!(
                may(&pod, wanted, running, evicted),
                expected,
                "{wanted} {running} {evicted}"
            );
        }
    }
}
