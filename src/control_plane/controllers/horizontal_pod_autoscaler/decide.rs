//! One look at an autoscaler: from its target's scale and its metrics to its next status and to
//! whether the target is to be scaled. Pure (`horizontal.go`: `reconcileAutoscaler`,
//! `computeReplicasForMetrics`, kube-controller-manager 1.36).
//!
//! ```text
//! scale? ─no─▶ FailedGetScale
//!   │ yes
//!   ├─ 0 replicas ─▶ ScalingDisabled
//!   ├─ out of bounds ─▶ to the bound
//!   └─ metrics ─┬─ none can be read, or one cannot and it would go down ─▶ ScalingActive false
//!               └─▶ the highest proposal ─▶ stabilised, within rates and bounds ─▶ scale, or not
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use super::behavior::{Bounds, Memory, Recommendation};
use super::calculator::{PerPod, Proposal, Tolerances, by_share, by_value, sum};
use super::pods::{PodFacts, Samples, Timing};
use crate::api::autoscaling::{
    CurrentMetrics, HorizontalPodAutoscaler, HpaConditionKind, HpaSpec, HpaStatus, MetricName,
    MetricSpec, MetricTarget, MetricValue, ObjectRef, TargetKind,
};
use crate::api::name::Text;
use crate::time::{SimDuration, SimTime};

/// What the controller's client says where nothing is known of any pod.
pub const NO_RESOURCE_METRICS: &str = "no metrics returned from resource metrics API";
/// The same of figures of pods.
pub const NO_POD_METRICS: &str = "no metrics returned from custom metrics API";
/// The same of figures from outside.
pub const NO_EXTERNAL_METRICS: &str = "no metrics returned from external metrics API";

/// Times and shares of the controller, by the flags of kube-controller-manager.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Rules {
    /// Spans of starting pods.
    pub timing: Timing,
    /// How far off nothing is done.
    pub tolerances: Tolerances,
    /// `--horizontal-pod-autoscaler-downscale-stabilization`.
    pub down_window: SimDuration,
    /// Whether autoscalers may say how far off nothing is done (`HPAConfigurableTolerance`).
    pub own_tolerances: OwnTolerances,
}

/// Whether tolerances that autoscalers give count.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum OwnTolerances {
    /// They do.
    #[default]
    Used,
    /// They do not.
    Ignored,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            timing: Timing::default(),
            tolerances: Tolerances::default(),
            down_window: SimDuration::from_secs(300),
            own_tolerances: OwnTolerances::Used,
        }
    }
}

/// The scale of a target.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scale {
    /// `spec.replicas`.
    pub wanted: i32,
    /// `status.replicas`.
    pub there: i32,
    /// Whether its pods can be told from others'.
    pub selector: Selecting,
}

/// Whether a target's pods can be told from others'.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Selecting {
    /// They can.
    Clear,
    /// It has no selector.
    Missing,
    /// It has one nobody can read, and why.
    Unreadable(Text),
    /// Another autoscaler's target selects some of them too: a sentence that names both.
    Ambiguous(Text),
}

/// What an autoscaler can see. `K` is what a pod is known by.
pub trait Seen<K> {
    /// The pods the target selects.
    fn pods(&self) -> &[PodFacts<K>];

    /// What the pods ask for of a resource, in thousandths: all their containers or one.
    ///
    /// # Errors
    /// Some pod does not say: Kubernetes' words.
    fn requests(&self, resource: &str, container: Option<&str>) -> Result<BTreeMap<K, i64>, Text>;

    /// What the pods use of a resource (`metrics.k8s.io`).
    ///
    /// # Errors
    /// Nothing is known of any: Kubernetes' words.
    fn resource(&self, resource: &str, container: Option<&str>) -> Result<Samples<K>, Text>;

    /// A figure of each pod (`custom.metrics.k8s.io`).
    ///
    /// # Errors
    /// Nothing is known of any: Kubernetes' words.
    fn of_pods(&self, metric: &MetricName) -> Result<Samples<K>, Text>;

    /// A figure of an object (`custom.metrics.k8s.io`), in thousandths.
    ///
    /// # Errors
    /// It is not known: Kubernetes' words.
    fn of_object(&self, metric: &MetricName, object: &ObjectRef) -> Result<i64, Text>;

    /// The series of a figure from outside (`external.metrics.k8s.io`), in thousandths.
    ///
    /// # Errors
    /// There is none: Kubernetes' words.
    fn external(&self, metric: &MetricName) -> Result<Vec<i64>, Text>;
}

/// What is to be done.
#[derive(Clone, PartialEq, Debug)]
pub struct Decision {
    /// What the status is to be, if nothing has to be scaled or once that is done.
    pub status: HpaStatus,
    /// How the target is to be scaled, if it is.
    pub rescale: Option<Rescale>,
    /// Core Events to be recorded, in order, warnings all: reason and message.
    pub events: Vec<(&'static str, Text)>,
    /// Whether something went wrong on the way.
    pub outcome: Outcome,
    /// What was recommended and what held it back; `None`: no metric was looked at.
    pub course: Option<Course>,
}

/// How a look ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Well.
    Done,
    /// With this error, which only its log shows.
    Failed(Text),
}

/// A target is to be scaled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rescale {
    /// From how many.
    pub from: i32,
    /// To how many.
    pub to: i32,
    /// Why, in Kubernetes' words.
    pub reason: Text,
}

/// From what the metrics ask for to what it becomes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Course {
    /// What the metrics ask for.
    pub recommended: i32,
    /// What is left of it after all.
    pub desired: i32,
    /// Whether it would be the same at any later time, all else being equal.
    pub is_lasting: bool,
}

/// The metrics together.
struct Computed {
    replicas: i32,
    metric: Text,
    /// Some of them could not be read.
    error: Option<Text>,
}

/// What one look is made with.
struct Look<'a, K> {
    hpa: &'a HorizontalPodAutoscaler,
    scale: &'a Scale,
    seen: &'a dyn Seen<K>,
    rules: &'a Rules,
    now: SimTime,
    status: HpaStatus,
    events: Vec<(&'static str, Text)>,
    values: Vec<Option<MetricValue>>,
}

/// Looks at an autoscaler. `scale` is its target's, or why it has none.
pub fn decide<K: Ord + Copy>(
    hpa: &HorizontalPodAutoscaler,
    scale: Result<&Scale, &str>,
    seen: &dyn Seen<K>,
    memory: &mut Memory,
    (rules, now): (&Rules, SimTime),
) -> Decision {
    let mut status = hpa.status.clone();
    let scale = match scale {
        Ok(scale) => scale,
        Err(why) => {
            let message =
                format!("the HPA controller was unable to get the target's current scale: {why}");
            let told = ("FailedGetScale", &*message);
            status.set(HpaConditionKind::AbleToScale, false, told, now);
            return Decision {
                status,
                rescale: None,
                events: vec![("FailedGetScale", why.into())],
                outcome: Outcome::Failed(why.into()),
                course: None,
            };
        }
    };
    let got = "the HPA controller was able to get the target's current scale";
    status.set(HpaConditionKind::AbleToScale, true, ("SucceededGetScale", got), now);
    if memory.recommendations.is_empty() {
        memory.recommendations.push(Recommendation { replicas: scale.wanted, at: now });
    }
    let (events, values) = (Vec::new(), Vec::new());
    Look { hpa, scale, seen, rules, now, status, events, values }.decide(memory)
}

impl<K: Ord + Copy> Look<'_, K> {
    fn decide(mut self, memory: &mut Memory) -> Decision {
        let current = self.scale.wanted;
        let spec = &self.hpa.spec;
        let bounds = Bounds { min: spec.min_replicas, max: spec.max_replicas };
        let (mut outcome, mut course) = (Outcome::Done, None);
        let (desired, reason): (i32, Text) = if current == 0 && bounds.min != 0 {
            let why = "scaling is disabled since the replica count of the target is zero";
            self.set(HpaConditionKind::ScalingActive, false, ("ScalingDisabled", why));
            (0, "".into())
        } else if current > bounds.max {
            (bounds.max, "Current number of replicas above Spec.MaxReplicas".into())
        } else if current < bounds.min {
            (bounds.min, "Current number of replicas below Spec.MinReplicas".into())
        } else {
            let computed = match self.compute() {
                Ok(computed) => computed,
                Err(why) => return self.undecided(current, why),
            };
            if let Some(why) = computed.error {
                outcome = Outcome::Failed(why);
            }
            let (now, rules) = (self.now, self.rules);
            let wanted = (current, computed.replicas.max(0));
            let behavior = spec.behavior.as_ref();
            let normal = memory.normalize(behavior, wanted, bounds, rules.down_window, now);
            let reason = match wanted.1 {
                more if more > current => format!("{} above target", computed.metric).into(),
                less if less < current => "All metrics below target".into(),
                _ => "".into(),
            };
            let ready = ("ReadyForNewScale", "recommended size matches current size");
            let told = normal.stabilizing.unwrap_or(ready);
            self.set(HpaConditionKind::AbleToScale, true, told);
            let is_limited = normal.replicas != normal.stabilized;
            self.set(HpaConditionKind::ScalingLimited, is_limited, normal.limiting);
            let recommended = wanted.1;
            let is_same = |one: &Recommendation| one.replicas == recommended;
            let is_rated = matches!(normal.limiting.0, "ScaleUpLimit" | "ScaleDownLimit");
            let is_lasting = !is_rated && memory.recommendations.iter().all(is_same);
            course = Some(Course { recommended, desired: normal.replicas, is_lasting });
            (normal.replicas, reason)
        };
        let rescale =
            (desired != current).then_some(Rescale { from: current, to: desired, reason });
        self.write(current, desired);
        Decision { status: self.status, rescale, events: self.events, outcome, course }
    }

    fn set(&mut self, kind: HpaConditionKind, value: bool, told: (&str, &str)) {
        self.status.set(kind, value, told, self.now);
    }

    /// What of the status is no condition (`setStatus`).
    fn write(&mut self, current: i32, desired: i32) {
        self.status.current = current;
        self.status.desired = desired;
        let values: Arc<[_]> = std::mem::take(&mut self.values).into();
        self.status.metrics = match values.is_empty() {
            true => CurrentMetrics::default(),
            false => CurrentMetrics { of: self.hpa.spec.metrics.clone(), values },
        };
    }

    fn undecided(mut self, current: i32, why: Text) -> Decision {
        self.write(current, self.status.desired);
        self.events.push(("FailedComputeMetricsReplicas", why.clone()));
        let (status, events, outcome) = (self.status, self.events, Outcome::Failed(why));
        Decision { status, rescale: None, events, outcome, course: None }
    }

    /// Whether the target's pods are its alone (`validateAndParseSelector`).
    fn check_selector(&mut self) -> Result<(), Text> {
        let (event, reason, told, why): (_, _, Text, Text) = match &self.scale.selector {
            Selecting::Clear => return Ok(()),
            Selecting::Missing => {
                let told = "the HPA target's scale is missing a selector";
                ("SelectorRequired", "InvalidSelector", told.into(), "selector is required".into())
            }
            Selecting::Unreadable(why) => {
                let told =
                    "couldn't convert selector into a corresponding internal selector object";
                let told: Text = format!("{told}: {why}").into();
                ("InvalidSelector", "InvalidSelector", told.clone(), told)
            }
            Selecting::Ambiguous(why) => {
                ("AmbiguousSelector", "AmbiguousSelector", why.clone(), why.clone())
            }
        };
        self.events.push((event, why.clone()));
        self.set(HpaConditionKind::ScalingActive, false, (reason, &told));
        Err(why)
    }

    /// The highest of what the metrics ask for (`computeReplicasForMetrics`).
    fn compute(&mut self) -> Result<Computed, Text> {
        self.check_selector()?;
        let metrics = self.hpa.spec.metrics.clone();
        let mut found: Option<(i32, Text)> = None;
        let (mut first, mut invalid) = (None, 0);
        for metric in metrics.iter() {
            match self.propose(metric) {
                Ok((proposal, name)) => {
                    self.values.push(Some(proposal.shown));
                    // A proposal of none gives way to any.
                    if found
                        .as_ref()
                        .is_none_or(|(most, _)| *most == 0 || proposal.replicas > *most)
                    {
                        found = Some((proposal.replicas, name));
                    }
                }
                Err(wrong) => {
                    self.values.push(None);
                    self.events.push((wrong.reason, wrong.told.clone()));
                    invalid += 1;
                    first.get_or_insert(wrong);
                }
            }
        }
        let error = first.as_ref().map(|wrong| {
            let all = metrics.len();
            let why = &wrong.error;
            Text::from(format!(
                "invalid metrics ({invalid} invalid out of {all}), first error is: {why}"
            ))
        });
        let goes_down = |replicas: i32| invalid > 0 && replicas < self.scale.wanted;
        match (found, first, error) {
            (Some((replicas, metric)), _, error) if !goes_down(replicas) => {
                let told = format!(
                    "the HPA was able to successfully calculate a replica count from {metric}"
                );
                self.set(HpaConditionKind::ScalingActive, true, ("ValidMetricFound", &told));
                Ok(Computed { replicas, metric, error })
            }
            (_, Some(wrong), Some(error)) => {
                let told =
                    format!("the HPA was unable to compute the replica count: {}", wrong.told);
                self.set(HpaConditionKind::ScalingActive, false, (wrong.reason, &told));
                Err(error)
            }
            // No metrics at all: the API server lets no such autoscaler through.
            _ => Err("invalid metrics (0 invalid out of 0)".into()),
        }
    }

    /// What one metric asks for, and its name in a sentence (`computeReplicasForMetric`).
    fn propose(&self, metric: &MetricSpec) -> Result<(Proposal, Text), Wrong> {
        match metric {
            MetricSpec::Resource { name, target } => {
                self.resource(name, None, *target).map_err(|why| {
                    Wrong::of("FailedGetResourceMetric", why, |why| {
                        format!("failed to get {name} resource metric value: {why}")
                    })
                })
            }
            MetricSpec::ContainerResource { name, container, target } => {
                self.resource(name, Some(container), *target).map_err(|why| {
                    Wrong::of("FailedGetContainerResourceMetric", why, |why| {
                        format!("failed to get {container} container metric value: {why}")
                    })
                })
            }
            MetricSpec::Pods { metric, target } => self.of_pods(metric, *target).map_err(|why| {
                Wrong::of("FailedGetPodsMetric", why, |why| {
                    format!("failed to get pods metric value: {why}")
                })
            }),
            MetricSpec::Object { metric, object, target } => {
                self.of_object(metric, object, *target).map_err(|why| {
                    Wrong::of("FailedGetObjectMetric", why, |why| {
                        format!("failed to get object metric value: {why}")
                    })
                })
            }
            MetricSpec::External { metric, target } => {
                self.external(metric, *target).map_err(|why| {
                    Wrong::of("FailedGetExternalMetric", why, |why| {
                        format!("failed to get {} external metric value: {why}", metric.name)
                    })
                })
            }
            MetricSpec::Unknown(kind) => {
                let why = format!("unknown metric source type {kind:?}");
                Err(Wrong::of("InvalidMetricSourceType", why.into(), str::to_owned))
            }
        }
    }

    fn per_pod<'b>(&'b self, samples: Samples<K>, resource: Option<&'b str>) -> PerPod<'b, K> {
        PerPod {
            current: self.scale.wanted,
            tolerances: self.tolerances(),
            pods: self.seen.pods(),
            samples,
            resource,
            timing: self.rules.timing,
            now: self.now,
        }
    }

    fn tolerances(&self) -> Tolerances {
        tolerances(&self.hpa.spec, self.rules)
    }

    fn resource(
        &self,
        name: &Text,
        container: Option<&Text>,
        target: MetricTarget,
    ) -> Result<(Proposal, Text), Text> {
        let container = container.map(|name| &**name);
        let samples = || {
            self.seen
                .resource(name, container)
                .map_err(|why| format!("unable to get metrics for resource {name}: {why}"))
        };
        if let Some(target) = target.average {
            let proposal = samples()
                .map_err(Text::from)
                .and_then(|samples| self.per_pod(samples, Some(name)).by_average(target))
                .map_err(|why| format!("failed to get {name} usage: {why}"))?;
            return Ok((proposal, format!("{name} resource").into()));
        }
        let Some(target) = target.utilization else {
            return Err(
                "invalid resource metric source: neither an average utilization target nor \
                        an average value (usage) target was set"
                    .into(),
            );
        };
        let requests = || self.seen.requests(name, container);
        let proposal = samples()
            .map_err(Text::from)
            .and_then(|samples| self.per_pod(samples, Some(name)).by_percent(target, requests))
            .map_err(|why| format!("failed to get {name} utilization: {why}"))?;
        let what = if container.is_some() { "container resource" } else { "resource" };
        Ok((proposal, format!("{name} {what} utilization (percentage of request)").into()))
    }

    fn of_pods(&self, metric: &MetricName, target: MetricTarget) -> Result<(Proposal, Text), Text> {
        let name = &metric.name;
        let samples = self
            .seen
            .of_pods(metric)
            .map_err(|why| Text::from(format!("unable to get metric {name}: {why}")))?;
        let proposal = self.per_pod(samples, None).by_average(target.average.unwrap_or(0))?;
        Ok((proposal, format!("pods metric {name}").into()))
    }

    fn of_object(
        &self,
        metric: &MetricName,
        object: &ObjectRef,
        target: MetricTarget,
    ) -> Result<(Proposal, Text), Text> {
        let (name, kind) = (&metric.name, &object.kind);
        let usage = || {
            self.seen.of_object(metric, object).map_err(|why| {
                let (namespace, object) = (&self.hpa.meta.namespace, &object.name);
                format!("unable to get metric {name} on {kind} {namespace}/{object}: {why}")
            })
        };
        match (target.kind, target.value, target.average) {
            (TargetKind::Value, Some(target), _) => {
                let whole = (self.scale.wanted, self.tolerances());
                let proposal = by_value(whole, usage()?, target, self.seen.pods())?;
                Ok((proposal, format!("{kind} metric {name}").into()))
            }
            (TargetKind::AverageValue, _, Some(target)) => {
                let usage =
                    usage().map_err(|why| format!("failed to get {name} object metric: {why}"))?;
                let proposal = by_share((self.scale.there, self.tolerances()), usage, target);
                Ok((proposal, format!("external metric {name}({})", metric.shown()).into()))
            }
            _ => Err("invalid object metric source: neither a value target nor an average value \
                      target was set"
                .into()),
        }
    }

    fn external(
        &self,
        metric: &MetricName,
        target: MetricTarget,
    ) -> Result<(Proposal, Text), Text> {
        let name = &metric.name;
        let told = format!("external metric {name}({})", metric.shown());
        let usage = || {
            self.seen.external(metric).map(|series| sum(&series)).map_err(|why| {
                let (namespace, series) = (&self.hpa.meta.namespace, metric.shown());
                format!("unable to get external metric {namespace}/{name}/{series}: {why}")
            })
        };
        if let Some(target) = target.average {
            let usage =
                usage().map_err(|why| format!("failed to get {name} external metric: {why}"))?;
            let proposal = by_share((self.scale.there, self.tolerances()), usage, target);
            return Ok((proposal, told.into()));
        }
        let Some(target) = target.value else {
            return Err("invalid external metric source: neither a value target nor an average \
                        value target was set"
                .into());
        };
        let usage =
            usage().map_err(|why| format!("failed to get external metric {name}: {why}"))?;
        let whole = (self.scale.wanted, self.tolerances());
        let proposal = by_value(whole, usage, target, self.seen.pods())
            .map_err(|why| format!("failed to get external metric {name}: {why}"))?;
        Ok((proposal, told.into()))
    }
}

/// A metric that could not be worked out.
struct Wrong {
    /// The reason of its condition and Event.
    reason: &'static str,
    /// What the condition says of it.
    told: Text,
    /// What the log says of it.
    error: Text,
}

impl Wrong {
    fn of(reason: &'static str, told: Text, error: impl FnOnce(&str) -> String) -> Wrong {
        let error = error(&told).into();
        Wrong { reason, told, error }
    }
}

/// How far off nothing is done (`tolerancesForHpa`).
pub fn tolerances(spec: &HpaSpec, rules: &Rules) -> Tolerances {
    let behavior = match rules.own_tolerances {
        OwnTolerances::Used => spec.behavior.as_ref(),
        OwnTolerances::Ignored => None,
    };
    let all = rules.tolerances;
    Tolerances {
        down: behavior.and_then(|it| it.down.tolerance).unwrap_or(all.down),
        up: behavior.and_then(|it| it.up.tolerance).unwrap_or(all.up),
    }
}

/// The target was scaled: what the status says of it then.
pub fn rescaled(status: &mut HpaStatus, rescale: &Rescale, now: SimTime) {
    let told = format!("the HPA controller was able to update the target scale to {}", rescale.to);
    status.set(HpaConditionKind::AbleToScale, true, ("SucceededRescale", &told), now);
    status.last_scale = Some(SimTime::from_secs(now.as_secs()));
}

/// The target could not be scaled: what the status says of it then. `before` is what it said.
pub fn refused(status: &mut HpaStatus, before: &HpaStatus, why: &str, now: SimTime) {
    let told = format!("the HPA controller was unable to update the target scale: {why}");
    status.set(HpaConditionKind::AbleToScale, false, ("FailedUpdateScale", &told), now);
    status.desired = before.desired;
}
