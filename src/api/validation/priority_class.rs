//! Priority classes, as `pkg/apis/scheduling/validation` of 1.36 checks them.

use k8s_openapi::api::scheduling::v1::PriorityClass;

use super::{
    field::{Errors, Path},
    meta::{Scope, validate_object_meta, validate_object_meta_update},
    names,
    scalar::{immutable, one_of, text},
};
use crate::api::misc::SYSTEM_CLASSES;

/// The highest priority anyone but the system may give.
pub const HIGHEST_USER_PRIORITY: i32 = 1_000_000_000;

/// Checks a new PriorityClass.
pub fn validate(class: &PriorityClass, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    let rule = names::subdomain_name;
    validate_object_meta(&class.metadata, Scope::Cluster, rule, &metadata, errors);
    let name = text(class.metadata.name.as_ref());
    let value = class.value.unwrap_or(0);
    if name.starts_with("system-") {
        if let Some(wrong) = system_class_fault(name, value, class.global_default.unwrap_or(false))
        {
            let words =
                "priority class names with 'system-' prefix are reserved for system use only";
            errors.forbidden(&metadata.child("name"), format!("{words}. error: {wrong}"));
        }
    } else if value > HIGHEST_USER_PRIORITY {
        let words = "maximum allowed value of a user defined priority is";
        let path = Path::ROOT.child("value");
        errors.forbidden(&path, format!("{words} {HIGHEST_USER_PRIORITY}"));
    }
    if let Some(policy) = &class.preemption_policy {
        let known = ["Never", "PreemptLowerPriority"];
        one_of(&Path::ROOT.child("preemptionPolicy"), policy, &known, errors);
    }
}

fn system_class_fault(name: &str, value: i32, global_default: bool) -> Option<String> {
    let Some((_, expected)) = SYSTEM_CLASSES.iter().find(|(known, ..)| *known == name) else {
        return Some(format!("{name} is not a known system priority class"));
    };
    if value != *expected {
        return Some(format!("value of {name} PriorityClass must be {expected}"));
    }
    global_default.then(|| format!("globalDefault of {name} PriorityClass must be false"))
}

/// Checks that a PriorityClass may become `new`.
pub fn validate_update(new: &PriorityClass, old: &PriorityClass, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    validate_object_meta_update(&new.metadata, &old.metadata, &metadata, errors);
    if new.value.unwrap_or(0) != old.value.unwrap_or(0) {
        errors.forbidden(&Path::ROOT.child("value"), "may not be changed in an update.");
    }
    let path = Path::ROOT.child("preemptionPolicy");
    immutable(&path, &new.preemption_policy, &old.preemption_policy, errors);
}
