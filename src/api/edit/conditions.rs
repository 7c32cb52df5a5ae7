//! The conditions that others set in a pod's status, by its subresource `status`.

use serde_json::{Value, json};

use crate::api::node::Tristate;
use crate::api::object::Object;
use crate::api::patch::{PatchType, merge};
use crate::api::pod::{Condition, PodCondition, SaidCondition};
use crate::time::SimTime;

/// The pod with the conditions that `patch` leaves it, at `now`. Those of kubelets and controllers stay as they are:
/// whoever owns one would put it right.
///
/// # Errors
/// What the API server would say: of other kinds, and of a patch that it cannot read.
pub fn conditions_patched(
    object: &Object,
    patch: &Value,
    how: PatchType,
    now: SimTime,
) -> Result<Object, String> {
    let Object::Pod(pod) = object else {
        return Err("the server could not find the requested resource".into());
    };
    let held = || pod.status.others.iter().flat_map(|all| all.iter());
    let written: Vec<Value> = held().map(written).collect();
    let mut whole = json!({"status": {"conditions": written}});
    merge(&mut whole, patch, how);
    let mut next = Vec::new();
    for condition in whole["status"]["conditions"].as_array().into_iter().flatten() {
        let text = |field: &str| condition[field].as_str().unwrap_or_default();
        let kind = text("type");
        if kind.is_empty() {
            return Err(
                "status.conditions: map: map[] does not contain declared merge key: type".into()
            );
        }
        if PodCondition::named(kind).is_some() {
            continue;
        }
        let value = Tristate::parse(text("status"));
        let before = held().find(|it| &*it.kind == kind);
        let since_seconds = match before {
            Some(before) if before.value == value => before.since_seconds,
            // Whoever sets a condition says since when; a patch that does not is taken to mean now.
            _ => u32::try_from(now.as_secs()).unwrap_or(Condition::UNSAID),
        };
        next.push(SaidCondition {
            kind: kind.into(),
            value,
            reason: text("reason").into(),
            message: text("message").into(),
            since_seconds,
        });
    }
    let mut pod = pod.clone();
    pod.status.others = (!next.is_empty()).then(|| next.into());
    Ok(Object::Pod(pod))
}

fn written(of: &SaidCondition) -> Value {
    let (kind, status) = (&*of.kind, of.value.name());
    json!({"type": kind, "status": status, "reason": &*of.reason, "message": &*of.message})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::meta::Meta;
    use crate::api::name::Name;
    use crate::api::pod::Pod;

    #[test]
    fn conditions_are_merged_by_type_and_keep_the_time_of_their_value() {
        let meta = Meta::new("default".into(), Name::from("p"));
        let pod = Pod { meta, spec: Default::default(), node: None, status: Default::default() };
        let mut object = Object::Pod(Box::new(pod));
        let mut patched = |conditions: Value, how, at| {
            let patch = json!({"status": {"conditions": conditions}});
            object =
                conditions_patched(&object, &patch, how, SimTime::from_secs(at)).expect("a pod");
            let Object::Pod(pod) = &object else { unreachable!("a pod stays one") };
            let all = pod.status.others.iter().flat_map(|all| all.iter());
            all.map(|it| format!("{} {} {}", it.kind, it.value.name(), it.since_seconds))
                .collect::<Vec<String>>()
        };
        let set = |kind: &str, value: &str| json!({"type": kind, "status": value});
        let none = Vec::<String>::new();
        let one =
            patched(json!([set("a/x", "False"), set("Ready", "True")]), PatchType::Strategic, 5);
        assert_eq!(one, ["a/x False 5"], "readiness is the kubelet's");
        let two = patched(json!([set("a/y", "True")]), PatchType::Strategic, 6);
        assert_eq!(two, ["a/x False 5", "a/y True 6"]);
        let both = json!([set("a/x", "True"), set("a/y", "True")]);
        assert_eq!(patched(both, PatchType::Strategic, 9), ["a/x True 9", "a/y True 6"]);
        assert_eq!(patched(json!([]), PatchType::Merge, 9), none);
    }
}
