//! Which of the pods an autoscaler counts, and what they ask for: pure rules
//! (`replica_calculator.go`: `groupPods`, `calculateRequests`, kube-controller-manager 1.36).

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as core;

use crate::api::name::Text;
use crate::api::node::Tristate;
use crate::api::pod::{Phase, Pod, PodCondition};
use crate::api::rules::resources::{
    PodLevel, SumRules, amounts, is_pod_level_resource, is_sidecar, pod_requests,
};
use crate::time::{SimDuration, SimTime};

/// What of a pod decides whether its sample counts. `K` is what the pod is known by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PodFacts<K> {
    /// Which pod.
    pub key: K,
    /// Whether it is being deleted.
    pub is_deleting: bool,
    /// Its phase.
    pub phase: Phase,
    /// Its condition Ready and since when; `None`: it has none.
    pub ready: Option<(Tristate, SimTime)>,
    /// `startTime`.
    pub started: Option<SimTime>,
}

impl<K> PodFacts<K> {
    /// Those of a pod as stored. The API writes times in whole seconds.
    pub fn of(key: K, pod: &Pod) -> PodFacts<K> {
        let ready = pod.status.condition(PodCondition::Ready);
        PodFacts {
            key,
            is_deleting: pod.meta.is_terminating(),
            phase: pod.status.phase,
            ready: ready.value.map(|value| (value, ready.since().unwrap_or(SimTime::ZERO))),
            started: pod.status.start_time.map(|at| SimTime::from_secs(at.as_secs())),
        }
    }

    /// Whether it runs and is ready (`getReadyPodsCount`).
    pub fn is_ready(&self) -> bool {
        self.phase == Phase::Running && self.ready.is_some_and(|(value, _)| value == Tristate::True)
    }
}

/// What was measured of a pod.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sample {
    /// In thousandths.
    pub value: i64,
    /// When it was measured.
    pub at: SimTime,
    /// Over how long.
    pub window: SimDuration,
}

/// What was measured, by pod.
pub type Samples<K> = BTreeMap<K, Sample>;

/// Spans that say from when a pod's use of processors tells something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timing {
    /// `--horizontal-pod-autoscaler-cpu-initialization-period`.
    pub cpu_initialization: SimDuration,
    /// `--horizontal-pod-autoscaler-initial-readiness-delay`.
    pub initial_readiness: SimDuration,
}

impl Default for Timing {
    /// Five minutes and 30 s.
    fn default() -> Timing {
        Timing {
            cpu_initialization: SimDuration::from_secs(300),
            initial_readiness: SimDuration::from_secs(30),
        }
    }
}

/// Pods by whether and how they count.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Groups<K> {
    /// How many count as they were measured.
    pub ready: usize,
    /// Not ready yet: they use nothing when it goes up, and are left out when it goes down.
    pub unready: Vec<K>,
    /// Without a sample.
    pub missing: Vec<K>,
    /// On their way out.
    pub ignored: Vec<K>,
}

/// Groups `pods` by what is known of them at `now` (`groupPods`). Only the use of processors is
/// misleading while a pod starts.
pub fn group<K: Ord + Copy>(
    pods: &[PodFacts<K>],
    samples: &Samples<K>,
    resource: Option<&str>,
    timing: Timing,
    now: SimTime,
) -> Groups<K> {
    let (unready, missing, ignored) = (Vec::new(), Vec::new(), Vec::new());
    let mut groups = Groups { ready: 0, unready, missing, ignored };
    for pod in pods {
        if pod.is_deleting || pod.phase == Phase::Failed {
            groups.ignored.push(pod.key);
        } else if pod.phase == Phase::Pending {
            groups.unready.push(pod.key);
        } else {
            match samples.get(&pod.key) {
                None => groups.missing.push(pod.key),
                Some(sample)
                    if resource == Some("cpu") && is_starting(pod, sample, timing, now) =>
                {
                    groups.unready.push(pod.key);
                }
                Some(_) => groups.ready += 1,
            }
        }
    }
    groups
}

/// Whether a sample is of a pod that starts.
fn is_starting<K>(pod: &PodFacts<K>, sample: &Sample, timing: Timing, now: SimTime) -> bool {
    let (Some((ready, since)), Some(started)) = (pod.ready, pod.started) else { return true };
    if started + timing.cpu_initialization > now {
        // A whole window must lie after the last change.
        ready == Tristate::False || sample.at < since + sample.window
    } else {
        // It is not ready and never was.
        ready == Tristate::False && started + timing.initial_readiness > since
    }
}

/// Why it cannot be said what a pod asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unasked {
    /// This container asks for nothing.
    Container(Text),
    /// The pod as a whole says what it asks for, but not of this.
    Pod,
    /// It has no container of that name.
    NoContainer(Text),
}

impl Unasked {
    /// As Kubernetes tells it.
    pub fn told(&self, resource: &str, pod: &str) -> Text {
        match self {
            Unasked::Container(name) => {
                format!("missing request for {resource} in container {name} of Pod {pod}").into()
            }
            Unasked::Pod => format!("missing pod-level request for {resource} in Pod {pod}").into(),
            Unasked::NoContainer(name) => format!("container {name} not found in Pod {pod}").into(),
        }
    }
}

/// What a pod of this spec asks for of `resource`, in thousandths: one container of it, or what it
/// asks for as a whole where it does so, or the sum over its containers and sidecars
/// (`calculateRequests`).
///
/// # Errors
/// Some container asks for nothing, or there is none of that name.
pub fn request(
    spec: &core::PodSpec,
    container: Option<&str>,
    resource: &str,
    pod_level: PodLevel,
) -> Result<i64, Unasked> {
    let as_a_whole = spec.resources.as_ref().and_then(|all| all.requests.as_ref());
    let is_set = as_a_whole.is_some_and(|all| all.keys().any(|name| is_pod_level_resource(name)));
    if container.is_none() && pod_level == PodLevel::Used && is_set {
        let all = pod_requests(spec, None, SumRules::default());
        return all.get(resource).map(|amount| amount.milli_value()).ok_or(Unasked::Pod);
    }
    let sidecars = spec.init_containers.iter().flatten().filter(|one| is_sidecar(one));
    let mut sum = 0_i64;
    for one in spec.containers.iter().chain(sidecars) {
        if container.is_some_and(|name| name != one.name) {
            continue;
        }
        let requests = one.resources.as_ref().and_then(|all| all.requests.as_ref());
        let amount = amounts(requests).get(resource).map(|amount| amount.milli_value());
        let amount = amount.ok_or_else(|| Unasked::Container((*one.name).into()))?;
        sum = sum.saturating_add(amount);
        if container.is_some() {
            return Ok(sum);
        }
    }
    container.map_or(Ok(sum), |name| Err(Unasked::NoContainer(name.into())))
}
