//! HorizontalPodAutoscalers as a run holds them: `autoscaling/v2`, what comes as v1 converted.

use std::sync::Arc;

use super::meta::Meta;
use super::name::Text;
use super::rules::selector::Selector;
use crate::time::SimTime;

/// A HorizontalPodAutoscaler.
#[derive(Clone, PartialEq, Debug)]
pub struct HorizontalPodAutoscaler {
    /// Its metadata.
    pub meta: Meta,
    /// What it is to do.
    pub spec: Arc<HpaSpec>,
    /// What its controller says of it.
    pub status: HpaStatus,
}

/// What an autoscaler is to do.
#[derive(Clone, PartialEq, Debug)]
pub struct HpaSpec {
    /// Whose replicas it sets.
    pub target: ObjectRef,
    /// `minReplicas`.
    pub min_replicas: i32,
    /// `maxReplicas`.
    pub max_replicas: i32,
    /// What it looks at.
    pub metrics: Arc<[MetricSpec]>,
    /// How fast it may move; `None`: as before there was such a field.
    pub behavior: Option<Behavior>,
    /// Spec as written, as canonical JSON.
    pub written: Text,
}

/// An object of some version, by name (`CrossVersionObjectReference`).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ObjectRef {
    /// `apiVersion`, as written; empty if it was left out.
    pub api_version: Text,
    /// `kind`.
    pub kind: Text,
    /// `name`.
    pub name: Text,
}

/// Something an autoscaler looks at, and what it wants of it.
#[derive(Clone, PartialEq, Debug)]
pub enum MetricSpec {
    /// A resource, of all containers of each pod together.
    Resource {
        /// `cpu`, `memory` or another one.
        name: Text,
        /// What is wanted.
        target: MetricTarget,
    },
    /// A resource, of one container of each pod.
    ContainerResource {
        /// `cpu`, `memory` or another one.
        name: Text,
        /// The container.
        container: Text,
        /// What is wanted.
        target: MetricTarget,
    },
    /// A figure each pod has, averaged.
    Pods {
        /// Which.
        metric: MetricName,
        /// What is wanted.
        target: MetricTarget,
    },
    /// A figure some object has.
    Object {
        /// Which.
        metric: MetricName,
        /// Whose.
        object: ObjectRef,
        /// What is wanted.
        target: MetricTarget,
    },
    /// A figure from outside the cluster.
    External {
        /// Which.
        metric: MetricName,
        /// What is wanted.
        target: MetricTarget,
    },
    /// A type nobody knows; the API server lets none through.
    Unknown(Text),
}

/// A metric by name, and the series of it by their labels.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct MetricName {
    /// `name`.
    pub name: Text,
    /// `selector`; `None`: all series.
    pub selector: Option<Arc<Selector>>,
    /// The selector as Go prints one; `None` with it.
    pub printed: Option<Text>,
}

impl MetricName {
    /// The selector as Kubernetes' messages show it.
    pub fn shown(&self) -> &str {
        self.printed.as_deref().unwrap_or("nil")
    }
}

/// What is wanted of a metric. Amounts are in thousandths.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MetricTarget {
    /// `type`.
    pub kind: TargetKind,
    /// `value`: of it all.
    pub value: Option<i64>,
    /// `averageValue`: for each pod.
    pub average: Option<i64>,
    /// `averageUtilization`: for each pod, in percent of its request.
    pub utilization: Option<i32>,
}

/// Which of its amounts a target means.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TargetKind {
    /// Percent of the request.
    #[default]
    Utilization,
    /// The whole.
    Value,
    /// A pod's share.
    AverageValue,
}

/// How fast an autoscaler may move (`spec.behavior`, defaults filled in).
#[derive(Clone, PartialEq, Debug)]
pub struct Behavior {
    /// Upwards.
    pub up: ScalingRules,
    /// Downwards.
    pub down: ScalingRules,
}

/// How fast an autoscaler may move in one direction.
#[derive(Clone, PartialEq, Debug)]
pub struct ScalingRules {
    /// `stabilizationWindowSeconds`; `None`: the controller's own.
    pub window_seconds: Option<u32>,
    /// Which of the policies counts.
    pub select: SelectPolicy,
    /// The policies.
    pub policies: Vec<ScalingPolicy>,
    /// `tolerance`; `None`: the controller's own.
    pub tolerance: Option<f64>,
}

/// Which of several policies counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SelectPolicy {
    /// The one that allows most change.
    #[default]
    Max,
    /// The one that allows least.
    Min,
    /// None: no change.
    Disabled,
}

/// How much may change in a period.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ScalingPolicy {
    /// What the value counts.
    pub kind: PolicyKind,
    /// How many.
    pub value: i32,
    /// In how many seconds.
    pub period_seconds: u32,
}

/// What the value of a policy counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PolicyKind {
    /// Pods.
    Pods,
    /// Percent of what there was at the start of the period.
    Percent,
}

/// Status of a HorizontalPodAutoscaler.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct HpaStatus {
    /// `currentReplicas`: what the target wanted when it was last looked at.
    pub current: i32,
    /// `desiredReplicas`.
    pub desired: i32,
    /// `lastScaleTime`.
    pub last_scale: Option<SimTime>,
    /// `currentMetrics`.
    pub metrics: CurrentMetrics,
    /// `conditions`, in the order they were first set.
    pub conditions: Vec<HpaCondition>,
}

/// What was read of each metric.
#[derive(Clone, PartialEq, Debug)]
pub struct CurrentMetrics {
    /// The metrics asked for, at that time.
    pub of: Arc<[MetricSpec]>,
    /// What each showed; `None`: it could not be read. Empty where none was read.
    pub values: Arc<[Option<MetricValue>]>,
}

impl Default for CurrentMetrics {
    fn default() -> CurrentMetrics {
        CurrentMetrics { of: Arc::new([]), values: Arc::new([]) }
    }
}

/// What a metric showed (`MetricValueStatus`). Amounts are in thousandths.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MetricValue {
    /// `value`.
    pub value: Option<i64>,
    /// `averageValue`.
    pub average: Option<i64>,
    /// `averageUtilization`, in percent.
    pub utilization: Option<i32>,
}

/// The conditions of an autoscaler.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum HpaConditionKind {
    /// Whether it can get and set the target's scale.
    AbleToScale,
    /// Whether it can work out a number.
    ScalingActive,
    /// Whether a bound or a rate keeps it from the number.
    ScalingLimited,
}

impl HpaConditionKind {
    /// All of them.
    pub const ALL: [HpaConditionKind; 3] = [
        HpaConditionKind::AbleToScale,
        HpaConditionKind::ScalingActive,
        HpaConditionKind::ScalingLimited,
    ];

    /// As the API prints it.
    pub fn name(self) -> &'static str {
        match self {
            HpaConditionKind::AbleToScale => "AbleToScale",
            HpaConditionKind::ScalingActive => "ScalingActive",
            HpaConditionKind::ScalingLimited => "ScalingLimited",
        }
    }
}

/// A condition of an autoscaler.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HpaCondition {
    /// Which.
    pub kind: HpaConditionKind,
    /// Its value; `None`: unknown.
    pub value: Option<bool>,
    /// One CamelCase word.
    pub reason: Text,
    /// A sentence.
    pub message: Text,
    /// `lastTransitionTime`: since when it has its value, in whole seconds.
    pub since: SimTime,
}

impl HpaStatus {
    /// The condition `kind`, if it was ever set.
    pub fn condition(&self, kind: HpaConditionKind) -> Option<&HpaCondition> {
        self.conditions.iter().find(|one| one.kind == kind)
    }

    /// Sets a condition; its time moves only with its value (`setConditionInList`, 1.36).
    pub fn set(
        &mut self,
        kind: HpaConditionKind,
        value: bool,
        (reason, message): (&str, &str),
        now: SimTime,
    ) {
        let at = self.conditions.iter().position(|one| one.kind == kind);
        let since = SimTime::from_secs(now.as_secs());
        let Some(at) = at else {
            return self.conditions.push(HpaCondition {
                kind,
                value: Some(value),
                reason: reason.into(),
                message: message.into(),
                since,
            });
        };
        let one = &mut self.conditions[at];
        if one.value != Some(value) {
            (one.value, one.since) = (Some(value), since);
        }
        // Texts that stay are not allocated anew.
        if *one.reason != *reason {
            one.reason = reason.into();
        }
        if *one.message != *message {
            one.message = message.into();
        }
    }
}
