//! What becomes of the spec of a new pod, or of one that is resized: requests as recommended, limits in proportion
//! (vertical-pod-autoscaler pkg/admission-controller/resource/pod/patch,
//! pkg/utils/vpa/limit_and_request_scaling.go). Pure.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Written;

use super::{Amounts, Controlled, Vertical, cpu_quantity, memory_quantity};
use crate::api::quantity::Quantity;

/// Annotation of a pod: what was set when it was made.
pub const UPDATES: &str = "vpaUpdates";
/// Annotation of a pod: the containers it had then. Those that others added later are left alone.
pub const OBSERVED: &str = "vpaObservedContainers";

impl Vertical {
    /// Gives the containers of a pod what is recommended, limits in proportion. Returns what was done, as the
    /// annotation says it; nothing if nothing is recommended. `name` is the autoscaler's.
    pub fn fill(&self, name: &str, spec: &mut core::PodSpec) -> Option<String> {
        let mut done = Vec::new();
        for (at, container) in spec.containers.iter_mut().enumerate() {
            let found = self.recommended.iter().find(|it| *it.container == *container.name);
            let Some(found) = found.filter(|it| self.controls(&it.container)) else { continue };
            let values = self.policy(&container.name).map_or_else(Default::default, |it| it.values);
            let target = self.capped(&container.name, found.target);
            let parts = raise(container, target, values);
            if !parts.is_empty() {
                done.push(format!("container {at}: {}", parts.join(", ")));
            }
        }
        (!done.is_empty()).then(|| format!("Pod resources updated by {name}: {}", done.join("; ")))
    }
}

/// The containers of a pod, as the annotation names them.
pub fn observed(spec: &core::PodSpec) -> String {
    let names: Vec<&str> = spec.containers.iter().map(|it| it.name.as_str()).collect();
    names.join(", ")
}

/// Sets the requests of a container, and its limits in proportion; says what it set, requests first.
fn raise(
    container: &mut core::Container,
    target: Amounts,
    values: Controlled,
) -> Vec<&'static str> {
    let resources = container.resources.get_or_insert_default();
    let (mut requested, mut limited) = (Vec::new(), Vec::new());
    for (name, amount, parts) in [
        ("cpu", target.cpu.map(cpu_quantity), ["cpu request", "cpu limit"]),
        ("memory", target.memory.map(memory_quantity), ["memory request", "memory limit"]),
    ] {
        let Some(mut amount) = amount else { continue };
        let of = |list: &Option<BTreeMap<String, Written>>| {
            list.as_ref().and_then(|it| it.get(name)).and_then(|it| Quantity::of(it).ok())
        };
        let (request, limit) = (of(&resources.requests), of(&resources.limits));
        if values == Controlled::RequestsOnly
            && let Some(limit) = limit.filter(|it| it.milli_value() < amount.milli_value())
        {
            amount = limit;
        }
        if let Some(limit) = limit.filter(|it| !it.is_zero() && values != Controlled::RequestsOnly)
        {
            let next = in_proportion(name, limit, request, amount);
            let list = resources.limits.get_or_insert_default();
            list.insert(name.to_owned(), next.written());
            limited.push(parts[1]);
        }
        let list = resources.requests.get_or_insert_default();
        list.insert(name.to_owned(), amount.written());
        requested.push(parts[0]);
    }
    requested.append(&mut limited);
    requested
}

/// The limit that is to `amount` as `limit` was to `request`. Without a request a container requests its limit.
fn in_proportion(
    name: &str,
    limit: Quantity,
    request: Option<Quantity>,
    amount: Quantity,
) -> Quantity {
    let whole = |it: Quantity| match name {
        "cpu" => it.milli_value(),
        _ => it.value(),
    };
    let request = request.filter(|it| !it.is_zero()).unwrap_or(limit);
    let wide = i128::from(whole(amount)) * i128::from(whole(limit));
    let next = i64::try_from(wide / i128::from(whole(request).max(1))).unwrap_or(i64::MAX);
    match name {
        "cpu" => cpu_quantity(next),
        _ => memory_quantity(next),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::vertical::tests::{recommending, target};

    fn resources(pod: &core::PodSpec, at: usize) -> Value {
        serde_json::to_value(&pod.containers[at].resources).expect("it is written")
    }

    #[test]
    fn a_new_pod_gets_what_is_recommended_within_bounds_and_limits_keep_their_proportion() {
        let policies = json!({"containerPolicies": [
            {"containerName": "side", "mode": "Off"},
            {"containerName": "*", "maxAllowed": {"cpu": "300m"}}]});
        let spec = json!({"targetRef": target(), "resourcePolicy": policies});
        let amounts = json!({"cpu": "400m", "memory": "262144k"});
        let vertical = recommending(spec, &[("web", amounts.clone()), ("side", amounts)]);
        let mut pod: core::PodSpec = serde_json::from_value(json!({"containers": [
            {"name": "web", "resources": {"requests": {"cpu": "100m"}, "limits": {"cpu": "200m", "memory": "1Gi"}}},
            {"name": "side"}]}))
        .expect("a spec");
        let said = vertical.fill("web", &mut pod).expect("something is done");
        assert_eq!(observed(&pod), "web, side");
        assert_eq!(
            said,
            "Pod resources updated by web: container 0: cpu request, memory request, cpu limit, memory limit"
        );
        assert_eq!(
            resources(&pod, 0),
            json!({"requests": {"cpu": "300m", "memory": "262144k"},
                   "limits": {"cpu": "600m", "memory": "262144k"}})
        );
        assert!(pod.containers[1].resources.is_none());
    }

    /// Figures of the autoscaler's own tables (pkg/utils/vpa/limit_and_request_scaling_test.go).
    #[test]
    fn limits_stay_in_proportion() {
        for (resource, limit, request, recommended, expected) in [
            ("cpu", "2", Some("1"), "10", Some("20")),
            ("cpu", "2", None, "10", Some("10")),
            ("cpu", "1", Some("1"), "10", Some("10")),
            ("cpu", "2", Some("1.50"), "1", Some("1.333")),
            ("memory", "2", Some("1"), "10", Some("20")),
            ("memory", "2", None, "10", Some("10")),
            ("memory", "1", Some("1"), "10", Some("10")),
            ("memory", "200", Some("150"), "100", Some("133")),
            // More than can be written is the most that can.
            ("cpu", "10G", Some("1m"), "10G", None),
            ("memory", "10G", Some("1m"), "10G", None),
        ] {
            let of = |text: &str| Quantity::parse(text).expect("a quantity");
            let found = in_proportion(resource, of(limit), request.map(of), of(recommended));
            let expected = expected.map_or(i64::MAX, |it| of(it).milli_value());
            assert_eq!(found.milli_value(), expected, "{resource} {limit} {request:?}");
        }
    }

    #[test]
    fn where_requests_alone_are_controlled_no_limit_moves_and_none_is_exceeded() {
        let policies = json!({"containerPolicies": [
            {"containerName": "*", "controlledValues": "RequestsOnly"}]});
        let spec = json!({"targetRef": target(), "resourcePolicy": policies});
        let vertical = recommending(spec, &[("web", json!({"cpu": "2", "memory": "1G"}))]);
        let mut pod: core::PodSpec = serde_json::from_value(json!({"containers": [
            {"name": "web", "resources": {"limits": {"cpu": "1", "memory": "4G"}}}]}))
        .expect("a spec");
        vertical.fill("web", &mut pod).expect("something is done");
        assert_eq!(
            resources(&pod, 0),
            json!({"requests": {"cpu": "1", "memory": "1G"}, "limits": {"cpu": "1", "memory": "4G"}})
        );
    }
}
