//! Namespaces, nodes, priority classes, secrets, limits and autoscalers, as the `defaults.go` of
//! their groups in 1.36 fill them in.

use std::collections::BTreeMap;

use k8s_openapi::{
    ByteString,
    api::{
        autoscaling::{
            v1::HorizontalPodAutoscaler as AutoscalerV1,
            v2::{
                HPAScalingPolicy, HPAScalingRules, HorizontalPodAutoscaler, MetricSpec,
                MetricTarget, ResourceMetricSource,
            },
        },
        core::v1::{LimitRange, LimitRangeItem, Namespace, Node, Secret},
        scheduling::v1::PriorityClass,
    },
};

use super::fill;

const NAME_LABEL: &str = "kubernetes.io/metadata.name";
/// The share of what its pods ask for that an autoscaler aims at, in percent.
const CPU_PERCENT: i32 = 80;

/// Fills in a Namespace: it carries its name as a label.
pub fn default_namespace(namespace: &mut Namespace) {
    let Some(name) = namespace.metadata.name.clone().filter(|name| !name.is_empty()) else {
        return;
    };
    namespace.metadata.labels.get_or_insert_default().insert(NAME_LABEL.to_owned(), name);
}

/// Fills in a Node: what it has is what pods may use, unless it says otherwise.
pub fn default_node(node: &mut Node) {
    if let Some(status) = &mut node.status
        && status.allocatable.is_none()
    {
        status.allocatable.clone_from(&status.capacity);
    }
}

/// Fills in a PriorityClass.
pub fn default_priority_class(class: &mut PriorityClass) {
    class.preemption_policy.get_or_insert_with(|| "PreemptLowerPriority".to_owned());
}

/// Fills in a Secret; plain text joins the data.
pub fn default_secret(secret: &mut Secret) {
    fill(&mut secret.type_, "Opaque");
    for (key, value) in secret.string_data.take().into_iter().flatten() {
        secret.data.get_or_insert_default().insert(key, ByteString(value.into_bytes()));
    }
}

/// Fills in a LimitRange.
pub fn default_limit_range(range: &mut LimitRange) {
    let items = range.spec.iter_mut().flat_map(|spec| &mut spec.limits);
    items.filter(|item| item.type_ == "Container").for_each(default_limit_item);
}

/// For containers: the limit is at most the maximum, the request the limit, or else the minimum.
fn default_limit_item(item: &mut LimitRangeItem) {
    let LimitRangeItem { default, default_request, max, min, .. } = item;
    let default = default.get_or_insert_default();
    add_missing(default, max.iter().flatten());
    let request = default_request.get_or_insert_default();
    add_missing(request, default.iter());
    add_missing(request, min.iter().flatten());
}

fn add_missing<'a, V: Clone + 'a>(
    to: &mut BTreeMap<String, V>,
    from: impl Iterator<Item = (&'a String, &'a V)>,
) {
    for (name, amount) in from {
        to.entry(name.clone()).or_insert_with(|| amount.clone());
    }
}

/// Fills in an autoscaler.
pub fn default_autoscaler(autoscaler: &mut HorizontalPodAutoscaler) {
    let spec = &mut autoscaler.spec;
    spec.min_replicas.get_or_insert(1);
    if spec.metrics.as_ref().is_none_or(Vec::is_empty) {
        let target = MetricTarget {
            type_: "Utilization".to_owned(),
            average_utilization: Some(CPU_PERCENT),
            ..MetricTarget::default()
        };
        let resource = ResourceMetricSource { name: "cpu".to_owned(), target };
        spec.metrics = Some(vec![MetricSpec {
            type_: "Resource".to_owned(),
            resource: Some(resource),
            ..MetricSpec::default()
        }]);
    }
    if let Some(behavior) = &mut spec.behavior {
        let up = behavior.scale_up.get_or_insert_default();
        up.stabilization_window_seconds.get_or_insert(0);
        default_rules(up, &[("Pods", 4), ("Percent", 100)]);
        default_rules(behavior.scale_down.get_or_insert_default(), &[("Percent", 100)]);
    }
}

fn default_rules(rules: &mut HPAScalingRules, policies: &[(&str, i32)]) {
    rules.select_policy.get_or_insert_with(|| "Max".to_owned());
    if rules.policies.is_none() {
        let policy = |(kind, value): &(&str, i32)| HPAScalingPolicy {
            type_: (*kind).to_owned(),
            value: *value,
            period_seconds: 15,
        };
        rules.policies = Some(policies.iter().map(policy).collect());
    }
}

/// Fills in an autoscaler in the form of v1.
pub fn default_autoscaler_v1(autoscaler: &mut AutoscalerV1) {
    autoscaler.spec.min_replicas.get_or_insert(1);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn limits_of_containers_follow_from_each_other() {
        let mut range: LimitRange = serde_json::from_value(json!({"spec": {"limits": [{
            "type": "Container", "max": {"cpu": "2"}, "min": {"memory": "1Mi"},
        }]}}))
        .unwrap();
        default_limit_range(&mut range);
        assert_eq!(
            serde_json::to_value(&range.spec.unwrap().limits[0]).unwrap(),
            json!({
                "type": "Container", "max": {"cpu": "2"}, "min": {"memory": "1Mi"},
                "default": {"cpu": "2"}, "defaultRequest": {"cpu": "2", "memory": "1Mi"},
            })
        );
    }

    #[test]
    fn an_autoscaler_looks_at_the_processor() {
        let mut autoscaler = HorizontalPodAutoscaler::default();
        default_autoscaler(&mut autoscaler);
        assert_eq!(autoscaler.spec.min_replicas, Some(1));
        let metric = &autoscaler.spec.metrics.unwrap()[0];
        assert_eq!(metric.resource.as_ref().unwrap().target.average_utilization, Some(80));
    }
}
