//! HorizontalPodAutoscalers.

mod v1;

use std::sync::Arc;

use k8s_openapi::api::autoscaling::{v1::HorizontalPodAutoscaler as WrittenV1, v2 as autoscaling};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Written;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

use super::meta::arrival;
use super::pod_spec::canonical;
use super::pod_status::truth;
use super::workload::number;
use super::{Arrival, Compacted, Compactor, unsigned};
use crate::api::autoscaling::{
    Behavior, CurrentMetrics, HorizontalPodAutoscaler, HpaCondition, HpaConditionKind, HpaSpec,
    HpaStatus, MetricName, MetricSpec, MetricTarget, ObjectRef, PolicyKind, ScalingPolicy,
    ScalingRules, SelectPolicy, TargetKind,
};
use crate::api::kinds::Scope;
use crate::api::object::Object;
use crate::api::quantity::Quantity;
use crate::time::SimTime;

/// Thousandths of an amount. Texts that are none were refused before.
fn milli(written: Option<&Written>) -> Option<i64> {
    written.and_then(|written| Quantity::of(written).ok()).map(Quantity::milli_value)
}

fn target(written: &autoscaling::MetricTarget) -> MetricTarget {
    MetricTarget {
        kind: match written.type_.as_str() {
            "Value" => TargetKind::Value,
            "AverageValue" => TargetKind::AverageValue,
            _ => TargetKind::Utilization,
        },
        value: milli(written.value.as_ref()),
        average: milli(written.average_value.as_ref()),
        utilization: written.average_utilization,
    }
}

/// A selector as Go prints a pointer to one.
fn printed(selector: &LabelSelector) -> String {
    let labels: String =
        selector.match_labels.iter().flatten().map(|(k, v)| format!("{k}: {v},")).collect();
    let expressions: String = selector
        .match_expressions
        .iter()
        .flatten()
        .map(|it| {
            let values = it.values.as_deref().unwrap_or_default().join(" ");
            let (key, operator) = (&it.key, &it.operator);
            format!("LabelSelectorRequirement{{Key:{key},Operator:{operator},Values:[{values}],}},")
        })
        .collect();
    format!(
        "&LabelSelector{{MatchLabels:map[string]string{{{labels}}},\
         MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}"
    )
}

/// `Quantity.AsApproximateFloat64`: the API server's own form of it, a whole number with a suffix.
fn approximately(quantity: Quantity) -> f64 {
    let nanos = quantity.scaled_value(-9);
    for (unit, factor) in [(1_000_000_000, 1.0), (1_000_000, 1e-3), (1000, 1e-6)] {
        if nanos % unit == 0 {
            return (nanos / unit) as f64 * factor;
        }
    }
    nanos as f64 * 1e-9
}

fn rules(written: Option<&autoscaling::HPAScalingRules>) -> ScalingRules {
    let written = written.cloned().unwrap_or_default();
    ScalingRules {
        window_seconds: written.stabilization_window_seconds.map(|it| unsigned(i64::from(it))),
        select: match written.select_policy.as_deref() {
            Some("Min") => SelectPolicy::Min,
            Some("Disabled") => SelectPolicy::Disabled,
            _ => SelectPolicy::Max,
        },
        policies: written
            .policies
            .iter()
            .flatten()
            .map(|it| ScalingPolicy {
                kind: match it.type_.as_str() {
                    "Percent" => PolicyKind::Percent,
                    _ => PolicyKind::Pods,
                },
                value: it.value,
                period_seconds: unsigned(i64::from(it.period_seconds)),
            })
            .collect(),
        tolerance: written
            .tolerance
            .as_ref()
            .and_then(|it| Quantity::of(it).ok())
            .map(approximately),
    }
}

impl Compactor {
    fn object_ref(&mut self, written: &autoscaling::CrossVersionObjectReference) -> ObjectRef {
        ObjectRef {
            api_version: self.intern.optional(written.api_version.as_deref()),
            kind: self.intern.text(&written.kind),
            name: self.intern.text(&written.name),
        }
    }

    fn metric_name(&mut self, written: &autoscaling::MetricIdentifier) -> MetricName {
        let selector = written.selector.as_ref();
        MetricName {
            name: self.intern.text(&written.name),
            selector: selector.map(|it| Arc::new(self.intern.selector(it))),
            printed: selector.map(|it| self.intern.text(&printed(it))),
        }
    }

    fn metric(&mut self, written: &autoscaling::MetricSpec) -> MetricSpec {
        let of_type = |kind: &str| written.type_ == kind;
        if let Some(it) = written.resource.as_ref().filter(|_| of_type("Resource")) {
            let name = self.intern.text(&it.name);
            return MetricSpec::Resource { name, target: target(&it.target) };
        }
        let it = written.container_resource.as_ref().filter(|_| of_type("ContainerResource"));
        if let Some(it) = it {
            let (name, container) = (self.intern.text(&it.name), self.intern.text(&it.container));
            return MetricSpec::ContainerResource { name, container, target: target(&it.target) };
        }
        if let Some(it) = written.pods.as_ref().filter(|_| of_type("Pods")) {
            let metric = self.metric_name(&it.metric);
            return MetricSpec::Pods { metric, target: target(&it.target) };
        }
        if let Some(it) = written.object.as_ref().filter(|_| of_type("Object")) {
            let metric = self.metric_name(&it.metric);
            let object = self.object_ref(&it.described_object);
            return MetricSpec::Object { metric, object, target: target(&it.target) };
        }
        if let Some(it) = written.external.as_ref().filter(|_| of_type("External")) {
            let metric = self.metric_name(&it.metric);
            return MetricSpec::External { metric, target: target(&it.target) };
        }
        MetricSpec::Unknown(self.intern.text(&written.type_))
    }

    /// A HorizontalPodAutoscaler; its status counts only if it was in a cluster, its current metrics
    /// not even then: the first look reads them anew.
    pub fn horizontal_pod_autoscaler(
        &mut self,
        written: autoscaling::HorizontalPodAutoscaler,
    ) -> Compacted {
        let arrival = arrival(&written.metadata);
        let meta = self.meta(&written.metadata, Scope::Namespaced);
        let spec = written.spec;
        let mut scratch = std::mem::take(&mut self.intern.scratch);
        let text = self.intern.text(canonical(&spec, &mut scratch));
        self.intern.scratch = scratch;
        let metrics: Vec<_> =
            spec.metrics.iter().flatten().map(|metric| self.metric(metric)).collect();
        let behavior = spec.behavior.as_ref().map(|it| Behavior {
            up: rules(it.scale_up.as_ref()),
            down: rules(it.scale_down.as_ref()),
        });
        let status = written.status.filter(|_| arrival == Arrival::Imported);
        let autoscaler = HorizontalPodAutoscaler {
            meta,
            spec: Arc::new(HpaSpec {
                target: self.object_ref(&spec.scale_target_ref),
                min_replicas: spec.min_replicas.unwrap_or(1),
                max_replicas: spec.max_replicas,
                metrics: metrics.into(),
                behavior,
                written: text,
            }),
            status: status.map(|it| self.autoscaler_status(&it)).unwrap_or_default(),
        };
        let object = Object::HorizontalPodAutoscaler(Box::new(autoscaler));
        Compacted { object, arrival, node: None }
    }

    /// A HorizontalPodAutoscaler of v1, as the API server keeps it.
    pub fn horizontal_pod_autoscaler_v1(&mut self, written: WrittenV1) -> Compacted {
        self.horizontal_pod_autoscaler(v1::converted(written))
    }

    fn autoscaler_status(
        &mut self,
        written: &autoscaling::HorizontalPodAutoscalerStatus,
    ) -> HpaStatus {
        let kind = |name: &str| HpaConditionKind::ALL.into_iter().find(|it| it.name() == name);
        let mut conditions = Vec::new();
        for it in written.conditions.iter().flatten() {
            let Some(kind) = kind(&it.type_) else { continue };
            conditions.push(HpaCondition {
                kind,
                value: truth(&it.status),
                reason: self.intern.optional(it.reason.as_deref()),
                message: self.intern.optional(it.message.as_deref()),
                since: SimTime::ZERO,
            });
        }
        HpaStatus {
            current: number(written.current_replicas),
            desired: written.desired_replicas,
            last_scale: written.last_scale_time.as_ref().map(|_| SimTime::ZERO),
            metrics: CurrentMetrics::default(),
            conditions,
        }
    }
}
