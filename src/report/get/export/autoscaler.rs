//! The status of a HorizontalPodAutoscaler.

use serde_json::{Map, Value, json};

use super::Moment;
use crate::api::autoscaling::{
    HorizontalPodAutoscaler, MetricName, MetricSpec, MetricValue, ObjectRef,
};
use crate::api::quantity::{Format, Quantity};

/// The status as the API server gives it back.
pub(super) fn status(moment: Moment<'_>, it: &HorizontalPodAutoscaler) -> Value {
    let held = &it.status;
    let mut status = json!({"desiredReplicas": held.desired});
    if held.current != 0 {
        status["currentReplicas"] = json!(held.current);
    }
    if let Some(at) = held.last_scale {
        status["lastScaleTime"] = moment.instant(at);
    }
    let metrics = &held.metrics;
    if !metrics.values.is_empty() {
        let all = metrics.of.iter().zip(metrics.values.iter());
        let all = all.map(|(metric, value)| current(metric, *value));
        status["currentMetrics"] = all.collect::<Vec<_>>().into();
    }
    let conditions = held.conditions.iter().map(|one| {
        let value = match one.value {
            Some(true) => "True",
            Some(false) => "False",
            None => "Unknown",
        };
        json!({
            "type": one.kind.name(),
            "status": value,
            "lastTransitionTime": moment.instant(one.since),
            "reason": &*one.reason,
            "message": &*one.message,
        })
    });
    status["conditions"] = conditions.collect::<Vec<_>>().into();
    status
}

/// What a metric showed. One that could not be read has its place and no more.
fn current(metric: &MetricSpec, value: Option<MetricValue>) -> Value {
    let Some(value) = value else { return json!({"type": ""}) };
    match metric {
        MetricSpec::Resource { name, .. } => json!({
            "type": "Resource",
            "resource": {"name": &**name, "current": shown(value, name)},
        }),
        MetricSpec::ContainerResource { name, container, .. } => json!({
            "type": "ContainerResource",
            "containerResource": {
                "name": &**name, "container": &**container, "current": shown(value, name),
            },
        }),
        MetricSpec::Pods { metric, .. } => json!({
            "type": "Pods",
            "pods": {"metric": named(metric), "current": shown(value, "")},
        }),
        MetricSpec::Object { metric, object, .. } => json!({
            "type": "Object",
            "object": {
                "metric": named(metric),
                "describedObject": reference(object),
                "current": shown(value, ""),
            },
        }),
        MetricSpec::External { metric, .. } => json!({
            "type": "External",
            "external": {"metric": named(metric), "current": shown(value, "")},
        }),
        MetricSpec::Unknown(kind) => json!({"type": &**kind}),
    }
}

fn named(metric: &MetricName) -> Value {
    json!({"name": &*metric.name})
}

fn reference(object: &ObjectRef) -> Value {
    let mut shown = json!({"kind": &*object.kind, "name": &*object.name});
    if !object.api_version.is_empty() {
        shown["apiVersion"] = json!(&*object.api_version);
    }
    shown
}

/// Amounts of memory stand in powers of two, as metrics-server gives them.
fn shown(value: MetricValue, resource: &str) -> Value {
    let format = if resource == "memory" { Format::BinarySi } else { Format::DecimalSi };
    let amount = |milli: i64| json!(Quantity::from_milli(milli, format).to_string());
    let mut shown = Map::new();
    if let Some(percent) = value.utilization {
        shown.insert("averageUtilization".into(), json!(percent));
    }
    for (field, milli) in [("averageValue", value.average), ("value", value.value)] {
        if let Some(milli) = milli {
            shown.insert(field.into(), amount(milli));
        }
    }
    Value::Object(shown)
}
