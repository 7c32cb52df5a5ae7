//! What `kubectl apply` makes of an object: a merge of what the user wrote last, what is stored, and
//! what the user writes now.
//!
//! Owns that merge of plain values (`strategicpatch.CreateThreeWayMergePatch` of 1.36, and
//! `jsonmergepatch` for kinds that only custom resources have); refuses to know objects ([`super::edit`])
//! and who keeps what was written last.
//!
//! | field | in the manifest | not in it |
//! | --- | --- | --- |
//! | was in the last one | takes the manifest's value | goes |
//! | was not | takes the manifest's value | stays, whoever set it |
//!
//! Items of lists with a merge key are told apart by it and treated as fields are; other lists are
//! values.

use serde_json::{Map, Value};

use super::patch::{PatchType, SETS, merge_key};

/// Maps of which only the keys written stay as soon as anything in them changes (`retainKeys`): the
/// strategy of a Deployment. Volumes are its other use.
const RETAINS_KEYS: &str = "strategy";
/// The list whose items are such maps.
const RETAINS_KEYS_OF_ITEMS: &str = "volumes";

/// Brings `live` to what applying `new` makes of it, after `last` was applied; `last` is null where
/// nobody knows of an earlier one, and then nothing is taken away.
pub fn apply(live: &mut Value, last: &Value, new: &Value, how: PatchType) {
    let Value::Object(new) = new else {
        *live = new.clone();
        return;
    };
    if !live.is_object() {
        *live = Value::Object(Map::new());
    }
    let Value::Object(live) = live else { return };
    let none = Map::new();
    fields(live, last.as_object().unwrap_or(&none), new, how);
}

fn fields(
    live: &mut Map<String, Value>,
    last: &Map<String, Value>,
    new: &Map<String, Value>,
    how: PatchType,
) {
    for name in last.keys().filter(|name| !new.contains_key(*name)) {
        live.remove(name);
    }
    for (name, wanted) in new {
        let before = last.get(name).unwrap_or(&Value::Null);
        match (wanted, live.get_mut(name)) {
            (Value::Null, _) => {
                live.remove(name);
            }
            (Value::Object(map), Some(held)) => {
                let was =
                    (how == PatchType::Strategic && name == RETAINS_KEYS).then(|| held.clone());
                apply(held, before, wanted, how);
                if was.is_some_and(|was| was != *held) {
                    retain(held, map);
                }
            }
            (Value::Array(items), Some(Value::Array(held))) if how == PatchType::Strategic => {
                let before = before.as_array().map_or(&[][..], Vec::as_slice);
                list(name, held, before, items);
            }
            (_, _) => {
                live.insert(name.clone(), without_nulls(wanted));
            }
        }
    }
}

/// Only the keys of `new` stay.
fn retain(held: &mut Value, new: &Map<String, Value>) {
    if let Value::Object(held) = held {
        held.retain(|key, _| new.contains_key(key));
    }
}

fn list(name: &str, held: &mut Vec<Value>, last: &[Value], new: &[Value]) {
    if SETS.contains(&name) {
        held.retain(|item| new.contains(item) || !last.contains(item));
        *held = in_order(std::mem::take(held), new, |item| Some(item));
        return;
    }
    let sample = if new.is_empty() { held.as_slice() } else { new };
    let Some(key) = merge_key(name, sample) else {
        *held = new.to_vec();
        return;
    };
    let of = |item: &Value| item.get(key).cloned();
    let find = |list: &[Value], wanted: &Value| -> Option<usize> {
        let id = of(wanted)?;
        list.iter().position(|item| of(item).as_ref() == Some(&id))
    };
    held.retain(|item| find(last, item).is_none() || find(new, item).is_some());
    let mut wanted = Vec::with_capacity(new.len());
    for item in new {
        let before = find(last, item).map_or(&Value::Null, |at| &last[at]);
        match find(held, item) {
            Some(at) => {
                let was = held[at].clone();
                apply(&mut held[at], before, item, PatchType::Strategic);
                if let (Value::Object(map), true) =
                    (item, name == RETAINS_KEYS_OF_ITEMS && held[at] != was)
                {
                    retain(&mut held[at], map);
                }
                wanted.push(held[at].clone());
            }
            None => wanted.push(without_nulls(item)),
        }
    }
    *held = in_order(std::mem::take(held), &wanted, |item| item.get(key));
}

/// The items of the manifest in its order; an item that only the server has comes before the next of
/// the manifest's that it stood before (`mergeSortedSlice`), and after all of them otherwise.
fn in_order(
    held: Vec<Value>,
    wanted: &[Value],
    key: impl Fn(&Value) -> Option<&Value>,
) -> Vec<Value> {
    let place = |item: &Value| held.iter().position(|one| key(one) == key(item));
    let is_wanted = |item: &Value| wanted.iter().any(|one| key(one) == key(item));
    let mut others = held.iter().filter(|item| !is_wanted(item)).peekable();
    let mut all = Vec::with_capacity(held.len().max(wanted.len()));
    for item in wanted {
        let at = place(item);
        while let Some(other) = others.next_if(|other| at.is_some_and(|at| place(other) < Some(at)))
        {
            all.push(other.clone());
        }
        all.push(item.clone());
    }
    all.extend(others.cloned());
    all
}

/// A field that is written as null is as good as not written.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(key, value)| (key.clone(), without_nulls(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(without_nulls).collect()),
        plain => plain.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn applied(live: Value, last: Value, new: Value) -> Value {
        let mut live = live;
        apply(&mut live, &last, &new, PatchType::Strategic);
        live
    }

    /// The example of kubernetes.io, "Declarative Management of Kubernetes Objects Using Configuration
    /// Files": the image is changed, `minReadySeconds` is taken out of the file, and `replicas`, which
    /// `kubectl scale` has set, was in neither.
    #[test]
    fn fields_of_others_stay_and_fields_no_longer_written_go() {
        let spec = |image: &str| {
            json!({"selector": {"matchLabels": {"app": "nginx"}}, "template": {"metadata": {"labels":
                {"app": "nginx"}}, "spec": {"containers": [{"name": "nginx", "image": image, "ports":
                [{"containerPort": 80}]}]}}})
        };
        let mut last = spec("nginx:1.14.2");
        last["minReadySeconds"] = json!(5);
        let mut live = last.clone();
        live["replicas"] = json!(2);
        live["strategy"] = json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}});
        live["template"]["spec"]["containers"][0]["imagePullPolicy"] = json!("IfNotPresent");
        let mut wanted = live.clone();
        wanted["template"]["spec"]["containers"][0]["image"] = json!("nginx:1.16.1");
        wanted.as_object_mut().expect("a map").remove("minReadySeconds");
        assert_eq!(applied(live, last, spec("nginx:1.16.1")), wanted);
    }

    /// The page's table of list merges: `args` are replaced, containers are merged by name.
    #[test]
    fn lists_are_merged_by_their_keys_or_replaced() {
        let container = |name: &str, image: &str| json!({"name": name, "image": image});
        let (nginx, helper) =
            (container("nginx", "nginx:1.16"), container("nginx-helper", "helper:1.3"));
        let sidecar = container("sidecar", "log:1.1");
        // What the file says no longer goes, what others put there stays.
        let last = json!({"containers": [nginx, container("old", "old:1")], "args": ["a", "b"]});
        let live = json!({"containers": [nginx, container("old", "old:1"), sidecar], "args": ["a", "b", "d"]});
        let new =
            json!({"containers": [container("nginx", "nginx:1.17"), helper], "args": ["a", "c"]});
        assert_eq!(
            applied(live, last, new),
            json!({"containers": [container("nginx", "nginx:1.17"), helper, sidecar], "args": ["a", "c"]})
        );
    }

    #[test]
    fn items_keep_the_files_order_and_others_their_place_before_them() {
        let env = |names: &[&str]| json!({"env": names.iter().map(|name| json!({"name": name})).collect::<Vec<_>>()});
        let result = applied(env(&["S", "A", "T", "B"]), env(&["A", "B"]), env(&["B", "A", "C"]));
        assert_eq!(result, env(&["S", "T", "B", "A", "C"]));
        let set = |items: &[&str]| json!({ "finalizers": items });
        let result = applied(set(&["x/a", "x/b"]), set(&["x/b"]), set(&["x/c"]));
        assert_eq!(result, set(&["x/c", "x/a"]));
    }

    #[test]
    fn a_strategy_of_another_type_brings_nothing_of_the_old_along() {
        let live =
            json!({"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}}});
        let new = json!({"strategy": {"type": "Recreate"}});
        assert_eq!(applied(live.clone(), json!({}), new.clone()), new);
        let same = json!({"strategy": {"type": "RollingUpdate"}});
        assert_eq!(applied(live.clone(), json!({}), same), live, "nothing to change");
        let volume = |source: Value| json!({"volumes": [source]});
        let other = volume(json!({"name": "v", "configMap": {"name": "c"}}));
        let live = volume(json!({"name": "v", "emptyDir": {}}));
        assert_eq!(applied(live, json!({}), other.clone()), other);
    }

    #[test]
    fn with_no_earlier_manifest_nothing_is_taken_away_and_null_takes_away_always() {
        let live = json!({"a": 1, "b": 2, "c": {"x": 1}});
        let new = json!({"b": null, "c": {"y": 2}});
        assert_eq!(applied(live, Value::Null, new), json!({"a": 1, "c": {"x": 1, "y": 2}}));
    }

    #[test]
    fn custom_resources_have_no_lists_to_merge() {
        let mut live = json!({"containers": [{"name": "a"}], "z": 1});
        apply(
            &mut live,
            &json!({"z": 1}),
            &json!({"containers": [{"name": "b"}]}),
            PatchType::Merge,
        );
        assert_eq!(live, json!({"containers": [{"name": "b"}]}));
    }
}
