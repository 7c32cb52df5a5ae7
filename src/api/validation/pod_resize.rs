//! What may change in a pod by its subresource `resize`: CPU and memory of its containers, and nothing else.
//!
//! Follows `ValidatePodResize` of `pkg/apis/core/validation` 1.36.

use k8s_openapi::api::core::v1::{Container, Pod, PodSpec, ResourceRequirements};

use super::absent::items;
use super::field::{Errors, Path};
use super::pod::validate_whole_pod;
use super::pod_annotations::MIRROR;
use crate::api::rules::resources::{Amounts, amounts, qos_class};

/// A pod that is `old`, resized.
pub fn validate_pod_resize(new: &Pod, old: &Pod, errors: &mut Errors) {
    let none = PodSpec::default();
    let new_spec = new.spec.as_ref().unwrap_or(&none);
    let old_spec = old.spec.as_ref().unwrap_or(&none);
    let path = Path::ROOT.child("spec");
    if old.metadata.annotations.iter().flatten().any(|(key, _)| key == MIRROR) {
        errors.forbidden(&Path::ROOT, "static pods cannot be resized");
        return;
    }
    validate_whole_pod(new, errors);
    if qos_class(new) != qos_class(old) {
        let detail = "Pod QOS Class may not change as a result of resizing";
        errors.invalid(&path, qos_class(new).name(), detail);
    }
    let lists = [
        ("containers", &new_spec.containers[..], &old_spec.containers[..]),
        ("initContainers", items(&new_spec.init_containers), items(&old_spec.init_containers)),
    ];
    for (field, new, old) in lists {
        let path = path.child(field);
        if new.len() != old.len() {
            let detail = "containers may not be added or removed on resize";
            errors.forbidden(&path, detail);
            return;
        }
        for (at, (new, old)) in new.iter().zip(old).enumerate() {
            let is_step =
                field == "initContainers" && old.restart_policy.as_deref() != Some("Always");
            validate_container(new, old, is_step, &path.index(at).child("resources"), errors);
        }
    }
    if without_resources(new_spec) != without_resources(old_spec) {
        errors.forbidden(&path, "only cpu and memory resources are mutable");
    }
}

fn validate_container(
    new: &Container,
    old: &Container,
    is_step: bool,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let of = |it: &Container| it.resources.clone().unwrap_or_default();
    let (new, old) = (of(new), of(old));
    if new == old {
        return;
    }
    if is_step {
        let detail = "resources for non-sidecar init containers are immutable";
        return errors.forbidden(path, detail);
    }
    for (field, part) in [("limits", Half::Limits), ("requests", Half::Requests)] {
        let (new, old) = (part.of(&new), part.of(&old));
        for name in ["cpu", "memory"] {
            if old.contains_key(name) && !new.contains_key(name) {
                let detail = format!("resource {field} cannot be removed");
                errors.forbidden(&path.child(field).key(name), detail);
            }
        }
        let others = |it: &Amounts| -> Amounts {
            it.iter()
                .filter(|(name, _)| !matches!(name.as_str(), "cpu" | "memory"))
                .map(|(name, amount)| (name.clone(), *amount))
                .collect()
        };
        if others(&new) != others(&old) {
            errors.forbidden(&path.child(field), "only cpu and memory resources are mutable");
        }
    }
}

#[derive(Clone, Copy)]
enum Half {
    Requests,
    Limits,
}

impl Half {
    fn of(self, it: &ResourceRequirements) -> Amounts {
        amounts(match self {
            Half::Requests => it.requests.as_ref(),
            Half::Limits => it.limits.as_ref(),
        })
    }
}

fn without_resources(spec: &PodSpec) -> PodSpec {
    let mut rest = spec.clone();
    for container in rest.containers.iter_mut().chain(rest.init_containers.iter_mut().flatten()) {
        container.resources = None;
    }
    rest
}
