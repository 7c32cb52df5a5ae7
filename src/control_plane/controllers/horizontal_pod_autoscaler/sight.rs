//! What an autoscaler sees at one look: its target's scale, the pods it selects, and what the metrics
//! APIs say of them, in the words of Kubernetes' clients where they say nothing.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;

use super::decide::{NO_EXTERNAL_METRICS, NO_POD_METRICS, NO_RESOURCE_METRICS, Seen};
use super::flock::Flock;
use super::pods::{PodFacts, Sample, Samples, Unasked, request};
use crate::api::autoscaling::{HorizontalPodAutoscaler, MetricName, MetricSpec, ObjectRef};
use crate::api::name::Text;
use crate::api::pod::{Pod, PodSpec};
use crate::api::rules::resources::PodLevel;
use crate::base::id::Id;
use crate::messages::metrics::{Absent, ContainerSample, MetricsApi};
use crate::store::View;
use crate::time::{SimDuration, SimTime};

/// Nano-cores in a thousandth of a core.
const NANO_PER_MILLI: u64 = 1_000_000;
/// Specs of which it is remembered what they ask for.
const ASKED_MAX: usize = 8;

/// What pods of one spec ask for.
#[derive(Clone, Debug)]
struct Asked {
    spec: Arc<PodSpec>,
    resource: Text,
    container: Option<Text>,
    found: Result<i64, Unasked>,
}

/// What pods of the latest specs ask for: worked out once a spec.
#[derive(Clone, Debug, Default)]
pub(super) struct Requests {
    known: Vec<Asked>,
}

impl Requests {
    /// Learns what pods of a target ask for of that whose use the metrics tell.
    pub(super) fn learn_all(&mut self, flock: &Flock, hpa: &HorizontalPodAutoscaler) {
        for spec in flock.kinds() {
            for metric in hpa.spec.metrics.iter() {
                match metric {
                    MetricSpec::Resource { name, target } if target.utilization.is_some() => {
                        self.learn(spec, name, None);
                    }
                    MetricSpec::ContainerResource { name, container, target }
                        if target.utilization.is_some() =>
                    {
                        self.learn(spec, name, Some(container));
                    }
                    _ => {}
                }
            }
        }
    }

    fn find(&self, spec: &Arc<PodSpec>, resource: &str, container: Option<&str>) -> Option<&Asked> {
        self.known.iter().find(|one| {
            Arc::ptr_eq(&one.spec, spec)
                && *one.resource == *resource
                && one.container.as_deref() == container
        })
    }

    /// Learns what pods of `spec` ask for.
    fn learn(&mut self, spec: &Arc<PodSpec>, resource: &Text, container: Option<&Text>) {
        if self.find(spec, resource, container.map(|name| &**name)).is_some() {
            return;
        }
        let found = asked(spec, resource, container.map(|name| &**name));
        if self.known.len() >= ASKED_MAX {
            self.known.remove(0);
        }
        let (resource, container) = (resource.clone(), container.cloned());
        self.known.push(Asked { spec: spec.clone(), resource, container, found });
    }
}

fn asked(spec: &PodSpec, resource: &str, container: Option<&str>) -> Result<i64, Unasked> {
    let written: core::PodSpec = serde_json::from_str(&spec.written).unwrap_or_default();
    request(&written, container, resource, PodLevel::Used)
}

/// What is seen at one look.
pub(super) struct Sight<'a> {
    pub(super) view: &'a View<'a>,
    pub(super) metrics: &'a dyn MetricsApi,
    pub(super) namespace: &'a Text,
    pub(super) flock: &'a Flock,
    pub(super) requests: &'a Requests,
    /// Up to when all that was asked for stays as it is, as things stand.
    pub(super) holds_until: Cell<SimTime>,
}

impl Sight<'_> {
    fn note(&self, until: SimTime) {
        self.holds_until.set(self.holds_until.get().min(until));
    }

    fn now(&self) -> SimTime {
        self.view.now
    }
}

/// Thousandths of a resource that a container uses; none of a resource nobody measures.
fn used(sample: &ContainerSample, resource: &str) -> Option<i64> {
    let amount = match resource {
        "cpu" => sample.cpu.div_ceil(NANO_PER_MILLI),
        "memory" => sample.memory.saturating_mul(1000),
        _ => return None,
    };
    Some(i64::try_from(amount).unwrap_or(i64::MAX))
}

/// The container so-and-so of a spec, init containers counted first.
fn is_named(spec: &PodSpec, container: u16, name: &str) -> bool {
    let all = spec.init_containers.iter().chain(&spec.containers);
    all.map(|one| &*one.name).nth(usize::from(container)) == Some(name)
}

impl Seen<Id<Pod>> for Sight<'_> {
    fn pods(&self) -> &[PodFacts<Id<Pod>>] {
        &self.flock.facts
    }

    fn requests(
        &self,
        resource: &str,
        container: Option<&str>,
    ) -> Result<BTreeMap<Id<Pod>, i64>, Text> {
        let mut all: Vec<(Id<Pod>, i64)> = Vec::with_capacity(self.flock.facts.len());
        // Neighbours mostly have one spec.
        let mut last: Option<(&Arc<PodSpec>, i64)> = None;
        for (pod, spec) in self.flock.facts.iter().zip(self.flock.specs()) {
            if let Some((_, amount)) = last.filter(|(last, _)| Arc::ptr_eq(last, spec)) {
                all.push((pod.key, amount));
                continue;
            }
            let found = match self.requests.find(spec, resource, container) {
                Some(known) => known.found.clone(),
                None => asked(spec, resource, container),
            };
            let told = |why: Unasked| {
                let pod = self.view.get(pod.key).map(|pod| pod.meta.name.to_string());
                why.told(resource, &pod.unwrap_or_default())
            };
            let amount = found.map_err(told)?;
            last = Some((spec, amount));
            all.push((pod.key, amount));
        }
        // Built from a list: at once.
        Ok(all.into_iter().collect())
    }

    fn resource(&self, resource: &str, container: Option<&str>) -> Result<Samples<Id<Pod>>, Text> {
        let mut samples: Vec<(Id<Pod>, Sample)> = Vec::with_capacity(self.flock.facts.len());
        self.metrics.look_ahead(&self.flock.bound);
        for (&pod, spec) in self.flock.bound.iter().zip(self.flock.specs()) {
            let found = self.metrics.usage_of(pod, self.now()).map_err(|_| {
                Text::from(
                    "unable to fetch metrics from resource metrics API: the server could not find \
                     the requested resource (get pods.metrics.k8s.io)",
                )
            })?;
            // A pod without a sample may have one at any look.
            let Some(found) = found else {
                self.note(SimTime::ZERO);
                continue;
            };
            self.note(found.holds_until);
            let counts = |one: &&ContainerSample| {
                container.is_none_or(|name| is_named(spec, one.container, name))
            };
            let mut of_each = found.containers.iter().filter(counts).peekable();
            if of_each.peek().is_none() {
                continue;
            }
            let value: Option<i64> = of_each
                .map(|one| used(one, resource))
                .try_fold(0_i64, |sum, one| Some(sum.saturating_add(one?)));
            let Some(value) = value else { continue };
            // Served instants are whole seconds.
            let at = SimTime::from_secs(found.at.as_secs());
            samples.push((pod.pod, Sample { value, at, window: found.window }));
        }
        if samples.is_empty() {
            return Err(NO_RESOURCE_METRICS.into());
        }
        Ok(samples.into_iter().collect())
    }

    fn of_pods(&self, metric: &MetricName) -> Result<Samples<Id<Pod>>, Text> {
        let mut samples = Samples::new();
        for pod in &self.flock.facts {
            let found = self.metrics.of_pod(metric, pod.key, self.now());
            let found =
                found.map_err(|absent| custom(absent, &format!("{} for pods", metric.name)))?;
            let Some(found) = found else {
                self.note(SimTime::ZERO);
                continue;
            };
            self.note(found.holds_until);
            let sample = Sample { value: found.value, at: self.now(), window: SimDuration::ZERO };
            samples.insert(pod.key, sample);
        }
        if samples.is_empty() { Err(NO_POD_METRICS.into()) } else { Ok(samples) }
    }

    fn of_object(&self, metric: &MetricName, object: &ObjectRef) -> Result<i64, Text> {
        let found = self.metrics.of_object(metric, self.namespace, object, self.now());
        let found = found.map_err(|absent| {
            let kind = object.kind.to_lowercase();
            custom(absent, &format!("{} for {kind} {}", metric.name, object.name))
        })?;
        self.note(found.holds_until);
        Ok(found.value)
    }

    fn external(&self, metric: &MetricName) -> Result<Vec<i64>, Text> {
        let found = self.metrics.external(metric, self.namespace, self.now()).map_err(|_| {
            Text::from(format!(
                "unable to fetch metrics from external metrics API: the server could not find the \
                 requested resource (get {}.external.metrics.k8s.io)",
                metric.name
            ))
        })?;
        found.iter().for_each(|figure| self.note(figure.holds_until));
        if found.is_empty() {
            return Err(NO_EXTERNAL_METRICS.into());
        }
        Ok(found.iter().map(|figure| figure.value).collect())
    }
}

fn custom(absent: Absent, what: &str) -> Text {
    let why = match absent {
        Absent::NoServer => "no custom metrics API (custom.metrics.k8s.io) registered".to_owned(),
        Absent::NoMetric => format!("the server could not find the metric {what}"),
    };
    format!("unable to fetch metrics from custom metrics API: {why}").into()
}
