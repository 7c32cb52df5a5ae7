//! Patches of an object's JSON: strategic merge patches and JSON merge patches.
//!
//! Owns the merging of plain values (RFC 7386, and `k8s.io/apimachinery/pkg/util/strategicpatch` of
//! 1.36 with the merge keys of the kinds a run works with); refuses to know objects: see
//! [`super::edit`]. Directives known are `$patch: delete`, `$patch: replace` and `$retainKeys`;
//! the lists that kubectl adds for its own books (`$setElementOrder/..`) are passed over.

use serde_json::{Map, Value};

/// How a patch is merged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PatchType {
    /// Lists of objects are merged by key (`kubectl patch`'s default).
    #[default]
    Strategic,
    /// Lists are replaced (`--type=merge`).
    Merge,
}

/// Lists that are merged item by item, by the name of their field, and what tells items apart
/// (`patchMergeKey` of 1.36). The ports of a Service are told apart by `port`.
const MERGE_KEYS: [(&str, &str); 14] = [
    ("containers", "name"),
    ("initContainers", "name"),
    ("ephemeralContainers", "name"),
    ("env", "name"),
    ("volumes", "name"),
    ("volumeMounts", "mountPath"),
    ("volumeDevices", "devicePath"),
    ("imagePullSecrets", "name"),
    ("hostAliases", "ip"),
    ("topologySpreadConstraints", "topologyKey"),
    ("schedulingGates", "name"),
    ("resourceClaims", "name"),
    ("conditions", "type"),
    ("ownerReferences", "uid"),
];
/// Lists of plain values that are added to.
pub(super) const SETS: [&str; 1] = ["finalizers"];
/// What says how a map or an item is to be treated.
const DIRECTIVE: &str = "$patch";
/// The only fields of a map that stay.
const RETAIN: &str = "$retainKeys";

/// Merges `patch` into `target`.
pub fn merge(target: &mut Value, patch: &Value, how: PatchType) {
    let Value::Object(changes) = patch else {
        *target = patch.clone();
        return;
    };
    if how == PatchType::Strategic && changes.get(DIRECTIVE).is_some_and(|it| it == "replace") {
        let mut whole = changes.clone();
        whole.remove(DIRECTIVE);
        *target = Value::Object(whole);
        return;
    }
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(fields) = target else { return };
    if how == PatchType::Strategic
        && let Some(Value::Array(kept)) = changes.get(RETAIN)
    {
        fields.retain(|name, _| kept.iter().any(|it| it == name));
    }
    for (name, change) in changes {
        if how == PatchType::Strategic && name.starts_with('$') {
            continue;
        }
        match (change, fields.get_mut(name)) {
            (Value::Null, _) => {
                fields.remove(name);
            }
            (Value::Array(items), Some(Value::Array(held))) if how == PatchType::Strategic => {
                merge_list(name, held, items);
            }
            (_, Some(held)) => merge(held, change, how),
            (_, None) => {
                let mut fresh = Value::Null;
                merge(&mut fresh, change, how);
                fields.insert(name.clone(), without_deleted(fresh));
            }
        }
    }
}

/// What tells the items of list `name` apart; a port of a container is told apart from one of a
/// Service by having a `containerPort`.
pub(super) fn merge_key(name: &str, items: &[Value]) -> Option<&'static str> {
    if name == "ports" {
        let of_container = items.iter().any(|item| item.get("containerPort").is_some());
        return Some(if of_container { "containerPort" } else { "port" });
    }
    MERGE_KEYS.iter().find(|(list, _)| *list == name).map(|(_, key)| *key)
}

fn merge_list(name: &str, held: &mut Vec<Value>, items: &[Value]) {
    if SETS.contains(&name) {
        for item in items {
            if !held.contains(item) {
                held.push(item.clone());
            }
        }
        return;
    }
    let replaces = |item: &&Value| item.get(DIRECTIVE).is_some_and(|it| it == "replace");
    let key = merge_key(name, items).filter(|_| !items.iter().any(|item| replaces(&item)));
    let Some(key) = key else {
        *held = items.iter().filter(|item| !replaces(item)).cloned().collect();
        return;
    };
    // New items come after those held, in the order of the patch.
    for item in items {
        let same = |one: &Value| one.get(key).is_some() && one.get(key) == item.get(key);
        let at = held.iter().position(same);
        match (item.get(DIRECTIVE).is_some_and(|it| it == "delete"), at) {
            (true, Some(at)) => {
                held.remove(at);
            }
            (true, None) => {}
            (false, Some(at)) => merge(&mut held[at], item, PatchType::Strategic),
            (false, None) => held.push(item.clone()),
        }
    }
}

/// A list that was not there holds nothing to delete.
fn without_deleted(mut value: Value) -> Value {
    if let Value::Array(items) = &mut value {
        items.retain(|item| item.get(DIRECTIVE).is_none());
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn merged(mut target: Value, patch: Value, how: PatchType) -> Value {
        merge(&mut target, &patch, how);
        target
    }

    #[test]
    fn containers_are_merged_by_name_and_other_lists_replaced() {
        let held = json!({"containers": [{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1"}],
            "tolerations": [{"key": "x"}]});
        let patch = json!({"containers": [{"name": "b", "image": "b:2"}, {"name": "c"}],
            "tolerations": [{"key": "y"}]});
        let strategic = merged(held.clone(), patch.clone(), PatchType::Strategic);
        assert_eq!(
            strategic,
            json!({"containers": [{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:2"},
                {"name": "c"}], "tolerations": [{"key": "y"}]})
        );
        assert_eq!(merged(held, patch.clone(), PatchType::Merge), patch);
    }

    #[test]
    fn null_deletes_a_field_and_directives_an_item_or_all_else() {
        let held = json!({"a": 1, "b": {"x": 1, "y": 2}, "env": [{"name": "A"}, {"name": "B"}]});
        let patch = json!({"a": null, "b": {"$patch": "replace", "z": 3},
            "env": [{"name": "A", "$patch": "delete"}]});
        let result = merged(held, patch, PatchType::Strategic);
        assert_eq!(result, json!({"b": {"z": 3}, "env": [{"name": "B"}]}));
    }

    #[test]
    fn keys_that_are_not_to_be_retained_go() {
        let held = json!({"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}});
        let patch = json!({"strategy": {"$retainKeys": ["type"], "type": "Recreate"}});
        let strategic = merged(held.clone(), patch.clone(), PatchType::Strategic);
        assert_eq!(strategic, json!({"strategy": {"type": "Recreate"}}));
        let plain = merged(held, patch, PatchType::Merge);
        assert!(plain["strategy"]["rollingUpdate"].is_object(), "no directive of RFC 7386");
    }

    #[test]
    fn ports_are_told_apart_by_their_owners_key() {
        let held = json!({"ports": [{"containerPort": 80}]});
        let patch = json!({"ports": [{"containerPort": 80, "name": "web"}, {"containerPort": 81}]});
        let result = merged(held, patch, PatchType::Strategic);
        assert_eq!(
            result,
            json!({"ports": [{"containerPort": 80, "name": "web"}, {"containerPort": 81}]})
        );
    }
}
