//! Services, as `pkg/apis/core/validation` (`ValidateServiceCreate`, `ValidateServiceUpdate`) of
//! 1.36 checks them.
//!
//! It does not know which addresses and node ports are free: allocation is the API server's.

mod cluster_ips;
mod ports;
mod traffic;

use k8s_openapi::api::core::v1::{Service, ServiceSpec};

use super::{
    address::{check_cidr, check_endpoint_ip, check_ip},
    field::{Errors, Path},
    gates::{Gate, State},
    labels, meta, names,
    scalar::{items, obeys, one_of, text},
};

/// `sessionAffinityConfig.clientIP.timeoutSeconds` at most: a day.
const AFFINITY_SECONDS_MAX: i32 = 86_400;

const TOPOLOGY_HINTS: &str = "service.kubernetes.io/topology-aware-hints";
const TOPOLOGY_MODE: &str = "service.kubernetes.io/topology-mode";
const SOURCE_RANGES: &str = "service.beta.kubernetes.io/load-balancer-source-ranges";

const LOAD_BALANCER_ONLY: &str = "may only be used when `type` is 'LoadBalancer'";

/// Checks a new Service. Its defaults must be set and `clusterIPs` filled from `clusterIP`.
pub fn validate(service: &Service, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    meta::validate_object_meta(
        &service.metadata,
        meta::Scope::Namespaced,
        names::label_name,
        &metadata,
        errors,
    );
    errors.only(Gate::RelaxedServiceNameValidation, State::Off, |errors| {
        let name = text(service.metadata.name.as_ref());
        let problems = names::is_dns1035_label(name).into_iter();
        // What is no label of the relaxed rule has been said.
        let problems = problems.filter(|_| names::is_dns1123_label(name).is_empty());
        problems.for_each(|problem| errors.invalid(&metadata.child("name"), name, problem));
    });
    validate_body(service, None, errors);
}

/// Checks that a Service may become `new`.
pub fn validate_update(new: &Service, old: &Service, errors: &mut Errors) {
    meta::validate_object_meta_update(
        &new.metadata,
        &old.metadata,
        &Path::ROOT.child("metadata"),
        errors,
    );
    let (Some(after), Some(before)) = (&new.spec, &old.spec) else {
        return validate_body(new, Some(old), errors);
    };
    cluster_ips::validate_change(after, before, errors);
    if is_type(after, "LoadBalancer")
        && is_type(before, "LoadBalancer")
        && after.load_balancer_class != before.load_balancer_class
    {
        let path = Path::ROOT.child("spec");
        let value = super::scalar::json(&after.load_balancer_class);
        errors.invalid_as(&path.child("loadBalancerClass"), value, "may not change once set");
    }
    // The API server looks at the class once for the change and once for the object itself.
    validate_load_balancer_class(after, errors);
    traffic::validate_change(after, before, errors);
    validate_body(new, Some(old), errors);
}

fn is_type(spec: &ServiceSpec, name: &str) -> bool {
    text(spec.type_.as_ref()) == name
}

/// Whether a Service has no cluster IP by wish (`clusterIP: None`).
fn is_headless(spec: &ServiceSpec) -> bool {
    matches!(items(spec.cluster_ips.as_ref()), [only] if only == "None")
}

fn validate_body(service: &Service, old: Option<&Service>, errors: &mut Errors) {
    validate_topology_annotations(service, errors);
    let nothing = ServiceSpec::default();
    let spec = service.spec.as_ref().unwrap_or(&nothing);
    let old_spec = old.and_then(|old| old.spec.as_ref());
    let path = Path::ROOT.child("spec");

    let ports = items(spec.ports.as_ref());
    if ports.is_empty() && !is_headless(spec) && !is_type(spec, "ExternalName") {
        errors.required(&path.child("ports"), "");
    }
    validate_type_rules(spec, &path, errors);
    ports::validate(ports, &path.child("ports"), errors);
    if let Some(selector) = &spec.selector {
        labels::validate_labels(selector, &path.child("selector"), errors);
    }
    validate_affinity(spec, &path, errors);
    cluster_ips::validate(spec, old_spec, errors);
    validate_external_ips(spec, old_spec, &path, errors);
    let types = ["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"];
    one_of(&path.child("type"), text(spec.type_.as_ref()), &types, errors);
    if is_type(spec, "ClusterIP") {
        ports::forbid_node_ports(ports, &path.child("ports"), errors);
    }
    ports::validate_unique(ports, &path.child("ports"), errors);
    validate_source_ranges(service, spec, old, errors);
    if spec.allocate_load_balancer_node_ports.is_some() && !is_type(spec, "LoadBalancer") {
        errors.forbidden(&path.child("allocateLoadBalancerNodePorts"), LOAD_BALANCER_ONLY);
    }
    if spec.allocate_load_balancer_node_ports.is_none() && is_type(spec, "LoadBalancer") {
        errors.required(&Path::ROOT.child("allocateLoadBalancerNodePorts"), "");
    }
    validate_load_balancer_class(spec, errors);
    traffic::validate(spec, &path, errors);
}

fn validate_topology_annotations(service: &Service, errors: &mut Errors) {
    let Some(annotations) = &service.metadata.annotations else { return };
    if let (Some(mode), Some(hints)) =
        (annotations.get(TOPOLOGY_MODE), annotations.get(TOPOLOGY_HINTS))
        && mode != hints
    {
        let metadata = Path::ROOT.child("metadata");
        let path = metadata.child("annotations");
        let detail = format!("must match annotations[{TOPOLOGY_HINTS}] when both are specified");
        errors.invalid(&path.key(TOPOLOGY_MODE), mode, detail);
    }
}

fn validate_type_rules(spec: &ServiceSpec, path: &Path<'_>, errors: &mut Errors) {
    let kind = text(spec.type_.as_ref());
    match kind {
        "LoadBalancer" | "NodePort" if is_headless(spec) => {
            let detail = format!("may not be set to 'None' for {kind} services");
            errors.invalid(&path.child("clusterIPs").index(0), "None", detail);
        }
        "ExternalName" => {
            let forbidden = "may not be set for ExternalName services";
            if !items(spec.cluster_ips.as_ref()).is_empty() {
                errors.forbidden(&path.child("clusterIPs"), forbidden);
            }
            if !items(spec.ip_families.as_ref()).is_empty() {
                errors.forbidden(&path.child("ipFamilies"), forbidden);
            }
            if spec.ip_family_policy.is_some() {
                errors.forbidden(&path.child("ipFamilyPolicy"), forbidden);
            }
            // A trailing dot says that the name is complete.
            let given = text(spec.external_name.as_ref());
            match given.strip_suffix('.').unwrap_or(given) {
                "" => errors.required(&path.child("externalName"), ""),
                name => {
                    obeys(&path.child("externalName"), name, names::is_dns1123_subdomain, errors)
                }
            }
        }
        _ => {}
    }
}

fn validate_affinity(spec: &ServiceSpec, path: &Path<'_>, errors: &mut Errors) {
    let affinity = text(spec.session_affinity.as_ref());
    one_of(&path.child("sessionAffinity"), affinity, &["ClientIP", "None"], errors);
    let place = path.child("sessionAffinityConfig");
    match (affinity, &spec.session_affinity_config) {
        ("None", Some(_)) => {
            errors.forbidden(&place, "must not be set when session affinity is None");
        }
        ("ClientIP", None) => errors.required(&place, "when session affinity type is ClientIP"),
        ("ClientIP", Some(config)) => match &config.client_ip {
            None => {
                let place = place.child("clientIP");
                errors.required(&place, "when session affinity type is ClientIP");
            }
            Some(client) => {
                let place = place.child("clientIP");
                let place = place.child("timeoutSeconds");
                match client.timeout_seconds {
                    None => errors.required(&place, "when session affinity type is ClientIP"),
                    Some(seconds) if seconds <= 0 || seconds > AFFINITY_SECONDS_MAX => {
                        let detail =
                            format!("must be greater than 0 and less than {AFFINITY_SECONDS_MAX}");
                        errors.invalid(&place, &seconds, detail);
                    }
                    Some(_) => {}
                }
            }
        },
        _ => {}
    }
}

fn validate_external_ips(
    spec: &ServiceSpec,
    old: Option<&ServiceSpec>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let known = old.map_or(&[][..], |old| items(old.external_ips.as_ref()));
    let list = path.child("externalIPs");
    for (at, ip) in items(spec.external_ips.as_ref()).iter().enumerate() {
        let before = errors.list().len();
        check_ip(&list.index(at), ip, known, errors);
        if errors.list().len() == before {
            check_endpoint_ip(&list.index(at), ip, errors);
        }
    }
}

fn validate_source_ranges(
    service: &Service,
    spec: &ServiceSpec,
    old: Option<&Service>,
    errors: &mut Errors,
) {
    let ranges = items(spec.load_balancer_source_ranges.as_ref());
    if !ranges.is_empty() {
        let path = Path::ROOT.child("spec");
        // The API server itself writes this field with a capital.
        let path = path.child("LoadBalancerSourceRanges");
        if !is_type(spec, "LoadBalancer") {
            errors.forbidden(&path, LOAD_BALANCER_ONLY);
        }
        let old_ranges = old
            .and_then(|old| old.spec.as_ref())
            .map_or(&[][..], |old| items(old.load_balancer_source_ranges.as_ref()));
        let known: Vec<String> = old_ranges.iter().map(|range| range.trim().to_owned()).collect();
        for (at, range) in ranges.iter().enumerate() {
            check_cidr(&path.index(at), range.trim(), &known, errors);
        }
        return;
    }
    let annotation =
        |service: &Service| service.metadata.annotations.as_ref()?.get(SOURCE_RANGES).cloned();
    let Some(value) = annotation(service) else { return };
    let metadata = Path::ROOT.child("metadata");
    let path = metadata.child("annotations");
    let path = path.key(SOURCE_RANGES);
    if !is_type(spec, "LoadBalancer") {
        errors.forbidden(&path, LOAD_BALANCER_ONLY);
    }
    if old.and_then(annotation).as_ref() != Some(&value) && !value.trim().is_empty() {
        for range in value.trim().split(',') {
            check_cidr(&path, range.trim(), &[], errors);
        }
    }
}

fn validate_load_balancer_class(spec: &ServiceSpec, errors: &mut Errors) {
    let Some(class) = &spec.load_balancer_class else { return };
    let path = Path::ROOT.child("spec");
    let path = path.child("loadBalancerClass");
    if is_type(spec, "LoadBalancer") {
        obeys(&path, class, names::is_qualified_name, errors);
    } else {
        errors.forbidden(&path, LOAD_BALANCER_ONLY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn service(changes: Value) -> Service {
        let mut spec = json!({
            "type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster",
            "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}],
        });
        let (Value::Object(spec_map), Value::Object(changes)) = (&mut spec, changes) else {
            panic!("objects expected");
        };
        spec_map.extend(changes);
        serde_json::from_value(json!({
            "metadata": {"name": "s", "namespace": "n", "resourceVersion": "1"}, "spec": spec,
        }))
        .unwrap()
    }

    fn lines(changes: Value) -> Vec<String> {
        let mut errors = Errors::new();
        validate(&service(changes), &mut errors);
        errors.list().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_plain_service_is_fine() {
        assert_eq!(lines(json!({})), [""; 0]);
    }

    #[test]
    fn ports_are_told_apart_by_name_and_by_number() {
        let ports = json!({"ports": [
            {"name": "a", "port": 80, "protocol": "TCP", "targetPort": 80},
            {"name": "a", "port": 80, "protocol": "TCP", "targetPort": 80},
        ]});
        assert_eq!(
            lines(ports),
            [
                "spec.ports[1].name: Duplicate value: \"a\"",
                "spec.ports[1]: Duplicate value: {\"Name\":\"\",\"Protocol\":\"TCP\",\
                 \"AppProtocol\":null,\"Port\":80,\"TargetPort\":0,\"NodePort\":0}",
            ]
        );
    }

    #[test]
    fn the_cluster_ip_never_changes() {
        let with = |ip: &str| service(json!({"clusterIP": ip, "clusterIPs": [ip]}));
        let mut errors = Errors::new();
        validate_update(&with("10.0.0.2"), &with("10.0.0.1"), &mut errors);
        let lines: Vec<String> = errors.list().iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            ["spec.clusterIPs[0]: Invalid value: [\"10.0.0.2\"]: may not change once set"]
        );
    }
}
