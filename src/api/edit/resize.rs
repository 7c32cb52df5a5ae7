//! A pod resized in place, by its subresource `resize`.

use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;
use serde_json::Value;

use super::{compacted, to_json, typed};
use crate::api::decode::Typed;
use crate::api::object::Object;
use crate::api::pod::PodSpec;
use crate::api::validation::field::Errors;
use crate::api::validation::gates::Gates;
use crate::api::validation::pod_resize::validate_pod_resize;

/// The pod after `edit` of its JSON, checked under these feature gates; only what its containers may take has changed.
///
/// # Errors
/// What the API server would say: the field and what is wrong with it.
pub fn resized(
    object: &Object,
    gates: Gates,
    edit: impl FnOnce(&mut Value),
) -> Result<Object, String> {
    let Object::Pod(pod) = object else {
        return Err("the server could not find the requested resource".into());
    };
    let before = to_json(object).unwrap_or_default();
    let mut after = before.clone();
    edit(&mut after);
    if after == before {
        return Ok(object.clone());
    }
    let read = |value: Value| -> Result<Box<core::Pod>, String> {
        match typed(object, value)? {
            Typed::Pod(pod) => Ok(pod),
            _ => unreachable!("the object is a pod"),
        }
    };
    let (old, new) = (read(before)?, read(after)?);
    let mut errors = Errors::under(gates);
    validate_pod_resize(&new, &old, &mut errors);
    if !errors.is_empty() {
        return Err(errors.together());
    }
    let mut next = pod.clone();
    if let Object::Pod(new) = compacted(Typed::Pod(new)) {
        next.spec = Arc::new(taken(&pod.spec, &new.spec));
    }
    Ok(Object::Pod(next))
}

/// A spec with the resources of another one, and all else as admission left it.
fn taken(held: &PodSpec, resources: &PodSpec) -> PodSpec {
    let mut spec = held.clone();
    let lists = [
        (&mut spec.init_containers, &resources.init_containers),
        (&mut spec.containers, &resources.containers),
    ];
    for (held, new) in lists {
        for (held, new) in held.iter_mut().zip(new) {
            held.requests.clone_from(&new.requests);
            held.limits.clone_from(&new.limits);
        }
    }
    spec.requests.clone_from(&resources.requests);
    spec.nonzero_requests.clone_from(&resources.nonzero_requests);
    spec.written.clone_from(&resources.written);
    spec
}
