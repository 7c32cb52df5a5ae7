//! autoscaling/v1 as the API server converts it (`pkg/apis/autoscaling/v1/conversion.go`, 1.36): what
//! v1 has no field for comes as annotations, which are taken off.

use k8s_openapi::api::autoscaling::{v1::HorizontalPodAutoscaler as WrittenV1, v2};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::defaults::cluster::default_autoscaler;

const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
const BEHAVIOR: &str = "autoscaling.alpha.kubernetes.io/behavior";
/// Annotations of status: it is the controller's to write anew.
const STATUS: [&str; 2] = [
    "autoscaling.alpha.kubernetes.io/current-metrics",
    "autoscaling.alpha.kubernetes.io/conditions",
];

fn take(metadata: &mut ObjectMeta, key: &str) -> Option<String> {
    let annotations = metadata.annotations.as_mut()?;
    let taken = annotations.remove(key);
    if annotations.is_empty() {
        metadata.annotations = None;
    }
    taken
}

/// The autoscaler as v2 has it, its defaults filled in.
pub(super) fn converted(mut written: WrittenV1) -> v2::HorizontalPodAutoscaler {
    let metrics = take(&mut written.metadata, METRICS);
    let behavior = take(&mut written.metadata, BEHAVIOR);
    STATUS.into_iter().for_each(|key| drop(take(&mut written.metadata, key)));
    let spec = written.spec;
    let reference = spec.scale_target_ref;
    let on_cpu = spec.target_cpu_utilization_percentage.map(|percent| v2::MetricSpec {
        type_: "Resource".to_owned(),
        resource: Some(v2::ResourceMetricSource {
            name: "cpu".to_owned(),
            target: v2::MetricTarget {
                type_: "Utilization".to_owned(),
                average_utilization: Some(percent),
                ..v2::MetricTarget::default()
            },
        }),
        ..v2::MetricSpec::default()
    });
    // What cannot be read is as if it were not there.
    let others: Option<Vec<Value>> = metrics.and_then(|text| serde_json::from_str(&text).ok());
    let others = others.map(|all| all.iter().map(metric).collect());
    let mut autoscaler = v2::HorizontalPodAutoscaler {
        metadata: written.metadata,
        spec: v2::HorizontalPodAutoscalerSpec {
            behavior: behavior.and_then(|text| serde_json::from_str(&text).ok()),
            max_replicas: spec.max_replicas,
            metrics: others.or_else(|| on_cpu.map(|metric| vec![metric])),
            min_replicas: spec.min_replicas,
            scale_target_ref: v2::CrossVersionObjectReference {
                api_version: reference.api_version,
                kind: reference.kind,
                name: reference.name,
            },
        },
        status: written.status.map(|status| v2::HorizontalPodAutoscalerStatus {
            current_replicas: Some(status.current_replicas),
            desired_replicas: status.desired_replicas,
            last_scale_time: status.last_scale_time,
            ..v2::HorizontalPodAutoscalerStatus::default()
        }),
    };
    default_autoscaler(&mut autoscaler);
    autoscaler
}

/// One metric of the annotation, in the shape v2beta1 had.
fn metric(written: &Value) -> v2::MetricSpec {
    let kind = written["type"].as_str().unwrap_or_default().to_owned();
    let mut metric = v2::MetricSpec { type_: kind, ..v2::MetricSpec::default() };
    match metric.type_.as_str() {
        "Resource" => {
            let it = &written["resource"];
            metric.resource =
                Some(v2::ResourceMetricSource { name: text(&it["name"]), target: used(it) });
        }
        "ContainerResource" => {
            let it = &written["containerResource"];
            metric.container_resource = Some(v2::ContainerResourceMetricSource {
                container: text(&it["container"]),
                name: text(&it["name"]),
                target: used(it),
            });
        }
        "Pods" => {
            let it = &written["pods"];
            metric.pods = Some(v2::PodsMetricSource {
                metric: named(&it["metricName"], &it["selector"]),
                target: amounts(&Value::Null, &it["targetAverageValue"]),
            });
        }
        "Object" => {
            let it = &written["object"];
            metric.object = Some(v2::ObjectMetricSource {
                described_object: read(&it["target"]).unwrap_or_default(),
                metric: named(&it["metricName"], &it["selector"]),
                target: amounts(&it["targetValue"], &it["averageValue"]),
            });
        }
        "External" => {
            let it = &written["external"];
            metric.external = Some(v2::ExternalMetricSource {
                metric: named(&it["metricName"], &it["metricSelector"]),
                target: amounts(&it["targetValue"], &it["targetAverageValue"]),
            });
        }
        _ => {}
    }
    metric
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn read<T: DeserializeOwned>(value: &Value) -> Option<T> {
    serde_json::from_value(value.clone()).ok()
}

fn named(name: &Value, selector: &Value) -> v2::MetricIdentifier {
    let selector: Option<LabelSelector> = selector.is_object().then(|| read(selector)).flatten();
    v2::MetricIdentifier { name: text(name), selector }
}

/// A target in percent of the request or for each pod.
fn used(source: &Value) -> v2::MetricTarget {
    let percent = source["targetAverageUtilization"].as_i64();
    match percent.and_then(|percent| i32::try_from(percent).ok()) {
        Some(percent) => v2::MetricTarget {
            type_: "Utilization".to_owned(),
            average_utilization: Some(percent),
            ..v2::MetricTarget::default()
        },
        None => amounts(&Value::Null, &source["targetAverageValue"]),
    }
}

/// A target for the whole or, where it is there, for each pod.
fn amounts(whole: &Value, each: &Value) -> v2::MetricTarget {
    let amount = |value: &Value| {
        let shown = match value {
            Value::Number(number) => number.to_string(),
            other => other.as_str()?.to_owned(),
        };
        Some(Quantity(shown))
    };
    let (value, average_value) = (amount(whole), amount(each));
    let kind = if average_value.is_some() { "AverageValue" } else { "Value" };
    let type_ = kind.to_owned();
    v2::MetricTarget { average_utilization: None, average_value, type_, value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(spec: Value, annotations: Value) -> v2::HorizontalPodAutoscaler {
        let written = json!({
            "apiVersion": "autoscaling/v1", "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "web", "annotations": annotations}, "spec": spec,
        });
        converted(serde_json::from_value(written).unwrap())
    }

    #[test]
    fn the_one_target_of_v1_is_a_metric_and_80_percent_if_it_is_not_there() {
        let target = json!({"kind": "Deployment", "name": "web"});
        let spec = json!({"maxReplicas": 3, "scaleTargetRef": target});
        let percent = |found: &v2::HorizontalPodAutoscaler| {
            let metrics = found.spec.metrics.clone().unwrap();
            metrics[0].resource.as_ref().unwrap().target.average_utilization
        };
        assert_eq!(percent(&of(spec, Value::Null)), Some(80));
        let spec = json!({
            "maxReplicas": 3, "scaleTargetRef": target, "targetCPUUtilizationPercentage": 50,
        });
        assert_eq!(percent(&of(spec, Value::Null)), Some(50));
    }

    #[test]
    fn what_v1_has_no_field_for_comes_out_of_annotations() {
        let metrics = json!([
            {"type": "Pods", "pods": {"metricName": "qps", "targetAverageValue": "100"}},
            {"type": "Resource", "resource": {"name": "memory", "targetAverageUtilization": 70}},
        ]);
        let annotations = json!({
            METRICS: metrics.to_string(),
            BEHAVIOR: json!({"scaleDown": {"stabilizationWindowSeconds": 60}}).to_string(),
            "own": "kept",
        });
        let target = json!({"kind": "Deployment", "name": "web"});
        let found = of(json!({"maxReplicas": 3, "scaleTargetRef": target}), annotations);
        let metrics = found.spec.metrics.unwrap();
        assert_eq!(metrics[0].pods.as_ref().unwrap().metric.name, "qps");
        assert_eq!(metrics[0].pods.as_ref().unwrap().target.type_, "AverageValue");
        assert_eq!(metrics[1].resource.as_ref().unwrap().target.average_utilization, Some(70));
        let down = found.spec.behavior.unwrap().scale_down.unwrap();
        assert_eq!(down.stabilization_window_seconds, Some(60));
        assert_eq!(down.policies.unwrap().len(), 1);
        assert_eq!(found.metadata.annotations.unwrap().len(), 1);
    }
}
