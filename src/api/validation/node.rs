//! Nodes.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Node, NodeSpec, Taint};
use serde_json::Value;

use super::{
    address::{Cidr, Family, check_cidr},
    field::{Errors, Path},
    labels::validate_label_name,
    meta::{Scope, validate_object_meta, validate_object_meta_update},
    names, resource_names,
    scalar::{items, json, text},
};

const AVOID_PODS: &str = "scheduler.alpha.kubernetes.io/preferAvoidPods";
const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

/// Checks a new Node.
pub fn validate(node: &Node, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    let rule = names::subdomain_name;
    validate_object_meta(&node.metadata, Scope::Cluster, rule, &metadata, errors);
    check_annotations(node, errors);
    let none = NodeSpec::default();
    let spec = node.spec.as_ref().unwrap_or(&none);
    // The API server names taints below the metadata.
    check_taints(items(spec.taints.as_ref()), &metadata.child("taints"), errors);
    check_resources(node, errors);
    check_pod_cidrs(items(spec.pod_cidrs.as_ref()), errors);
}

/// Checks that a Node may become `new`.
pub fn validate_update(new: &Node, old: &Node, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    validate_object_meta_update(&new.metadata, &old.metadata, &metadata, errors);
    check_annotations(new, errors);
    check_resources(new, errors);
    check_addresses_unique(new, errors);
    let none = NodeSpec::default();
    let after = new.spec.as_ref().unwrap_or(&none);
    let before = old.spec.as_ref().unwrap_or(&none);
    let spec = Path::ROOT.child("spec");
    let cidrs = items(before.pod_cidrs.as_ref());
    if !cidrs.is_empty() && items(after.pod_cidrs.as_ref()) != cidrs {
        let detail = "node updates may not change podCIDR except from \"\" to valid";
        errors.forbidden(&spec.child("podCIDRs"), detail);
    }
    let provider = text(before.provider_id.as_ref());
    if !provider.is_empty() && text(after.provider_id.as_ref()) != provider {
        let detail = "node updates may not change providerID except from \"\" to valid";
        errors.forbidden(&spec.child("providerID"), detail);
    }
    check_taints(items(after.taints.as_ref()), &metadata.child("taints"), errors);
    if text(after.external_id.as_ref()) != text(before.external_id.as_ref()) {
        errors.forbidden(&spec.child("externalID"), "may not be updated");
    }
}

/// Checks the taints of a Node.
pub fn check_taints(taints: &[Taint], path: &Path<'_>, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (at, taint) in taints.iter().enumerate() {
        let path = path.index(at);
        validate_label_name(&taint.key, &path.child("key"), errors);
        let value = text(taint.value.as_ref());
        let complaints = names::is_valid_label_value(value);
        if !complaints.is_empty() {
            errors.invalid(&path.child("value"), value, complaints.join(";"));
        }
        if taint.effect.is_empty() {
            errors.required(&path.child("effect"), "");
        } else if !EFFECTS.contains(&taint.effect.as_str()) {
            errors.not_supported(&path.child("effect"), &taint.effect, &EFFECTS);
        }
        if !seen.insert((&taint.effect, &taint.key)) {
            let shown = format!(
                "{{\"Key\":{:?},\"Value\":{value:?},\"Effect\":{:?},\"TimeAdded\":{}}}",
                taint.key,
                taint.effect,
                json(&taint.time_added)
            );
            let detail = "taints must be unique by key and effect pair";
            errors.duplicate_because(&path, shown, detail);
        }
    }
}

fn check_resources(node: &Node, errors: &mut Errors) {
    let Some(status) = &node.status else { return };
    let path = Path::ROOT.child("status");
    for (field, amounts) in [("capacity", &status.capacity), ("allocatable", &status.allocatable)] {
        let path = path.child(field);
        for (name, amount) in amounts.iter().flatten() {
            resource_names::check_amount(name, amount, &path.child(name), errors);
        }
    }
}

fn check_pod_cidrs(cidrs: &[String], errors: &mut Errors) {
    let spec = Path::ROOT.child("spec");
    let path = spec.child("podCIDRs");
    for (at, cidr) in cidrs.iter().enumerate() {
        check_cidr(&path.index(at), cidr, &[], errors);
    }
    let has = |family| {
        cidrs.iter().filter_map(|cidr| Cidr::parse(cidr)).any(|c| c.address.family() == family)
    };
    let dual = has(Family::V4) && has(Family::V6);
    if cidrs.len() > 2 || cidrs.len() == 2 && !dual {
        let detail = "may specify no more than one CIDR for each IP family";
        errors.invalid_as(&path, json(&cidrs), detail);
    }
}

fn check_addresses_unique(node: &Node, errors: &mut Errors) {
    let status = Path::ROOT.child("status");
    let path = status.child("addresses");
    let mut seen = BTreeSet::new();
    let addresses = node.status.iter().flat_map(|status| items(status.addresses.as_ref()));
    for (at, address) in addresses.enumerate() {
        if !seen.insert((&address.type_, &address.address)) {
            let shown =
                format!("{{\"Type\":{:?},\"Address\":{:?}}}", address.type_, address.address);
            errors.duplicate_because(&path.index(at), shown, "");
        }
    }
}

/// The one annotation of the scheduler that the API server still reads.
fn check_annotations(node: &Node, errors: &mut Errors) {
    let annotations = node.metadata.annotations.as_ref();
    let Some(given) = annotations.and_then(|all| all.get(AVOID_PODS)).filter(|v| !v.is_empty())
    else {
        return;
    };
    let metadata = Path::ROOT.child("metadata");
    let path = metadata.child("annotations");
    let avoided: Value = match serde_json::from_str(given) {
        Ok(avoided) => avoided,
        Err(error) => {
            return errors.invalid(&path.child("AvoidPods"), AVOID_PODS, error.to_string());
        }
    };
    let list = path.child(AVOID_PODS);
    let entries = avoided.get("preferAvoidPods").and_then(Value::as_array);
    for (at, entry) in entries.into_iter().flatten().enumerate() {
        let path = list.index(at);
        let path = path.child("PodSignature");
        match entry.pointer("/podSignature/podController") {
            None | Some(Value::Null) => errors.required(&path, ""),
            Some(controller) if controller.get("controller") != Some(&Value::Bool(true)) => {
                let path = path.child("PodController");
                let value = controller.get("controller").unwrap_or(&Value::Null);
                let detail = "must point to a controller";
                errors.invalid_as(&path.child("Controller"), value.to_string(), detail);
            }
            Some(_) => {}
        }
    }
}
