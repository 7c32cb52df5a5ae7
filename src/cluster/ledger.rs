//! What the user applied last, and what applying a manifest makes of an object that is there.
//!
//! kubectl keeps the last manifest in an annotation of the object, so that it can tell what is no longer
//! written from what somebody else has set. Here it is kept beside the objects, and only of those that a
//! step applies again; an object out of a dump brings its annotation along.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::api::apply::apply;
use crate::api::edit::{edited, with_known_uids};
use crate::api::kinds::SERVED;
use crate::api::meta::{Labels, Meta};
use crate::api::misc::Other;
use crate::api::name::Text;
use crate::api::object::Object;
use crate::api::patch::PatchType;
use crate::api::validation::gates::Gates;
use crate::base::hash::StableHasher;

/// Where kubectl keeps it.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The latest manifests, by the objects' kinds and names.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    latest: BTreeMap<u64, Text>,
}

impl Ledger {
    /// A manifest of `object` was applied.
    pub fn note(&mut self, object: &Object, manifest: Text) {
        self.latest.insert(key(object), manifest);
    }

    /// What was last applied of `object`, which stands as `held`; empty if nobody knows.
    pub fn latest<'a>(&'a self, object: &Object, held: &'a Object) -> &'a str {
        match self.latest.get(&key(object)) {
            Some(manifest) => manifest,
            None => held.meta().annotation(LAST_APPLIED).unwrap_or_default(),
        }
    }
}

fn key(object: &Object) -> u64 {
    let hasher = StableHasher::new().word(object.name().stable_hash());
    match object {
        Object::Other(other) => hasher.text(group(&other.api_version)).text(&other.kind).finish(),
        _ => hasher.finish(),
    }
}

/// The group of an `apiVersion`.
pub fn group(version: &str) -> &str {
    version.rsplit_once('/').map_or("", |(group, _)| group)
}

/// `held` when `now` is applied after `last`, by `kubectl apply`'s rules; checked under these feature gates.
///
/// # Errors
/// What the API server would say.
pub fn reapplied(held: &Object, (last, now): (&str, &str), gates: Gates) -> Result<Object, String> {
    let (last, now) = (of_user(last), of_user(now));
    match held {
        Object::Other(other) => Ok(Object::Other(Box::new(of_other(other, &last, &now)))),
        _ => edited(held, gates, |json| apply(json, &last, &now, PatchType::Strategic)),
    }
}

/// The fields of a manifest that are the user's to write, and no name of the object's.
fn of_user(manifest: &str) -> Value {
    let Ok(Value::Object(mut whole)) = serde_json::from_str(manifest) else { return Value::Null };
    for field in ["apiVersion", "kind", "status"] {
        whole.remove(field);
    }
    if let Some(Value::Object(meta)) = whole.get_mut("metadata") {
        meta.retain(|field, _| {
            matches!(&**field, "labels" | "annotations" | "finalizers" | "ownerReferences")
        });
        if let Some(Value::Object(annotations)) = meta.get_mut("annotations") {
            annotations.remove(LAST_APPLIED);
        }
    }
    with_known_uids(&Value::Object(whole))
}

/// An object that is not modelled is what was written of it.
fn of_other(held: &Other, last: &Value, now: &Value) -> Other {
    let is_served = |kind: &&crate::api::kinds::Kind| {
        kind.group == group(&held.api_version) && *kind.kind == *held.kind
    };
    let how = match SERVED.iter().find(is_served) {
        Some(_) => PatchType::Strategic,
        None => PatchType::Merge,
    };
    let before: Value = serde_json::from_str(&held.written).unwrap_or_default();
    let mut after = before.clone();
    apply(&mut after, last, now, how);
    let mut next = held.clone();
    if after != before {
        next.written = after.to_string().into();
        let meta: &mut Meta = &mut next.meta;
        meta.labels = Arc::new(texts(&after["metadata"]["labels"]));
        meta.annotations = Arc::new(texts(&after["metadata"]["annotations"]));
    }
    next
}

fn texts(map: &Value) -> Labels {
    let none = Map::new();
    let pairs = map.as_object().unwrap_or(&none).iter();
    pairs.filter_map(|(key, value)| Some((key.as_str().into(), value.as_str()?.into()))).collect()
}

/// `held` in the state of `wanted`, for the few kinds whose manifests are not merged.
pub fn replaced(held: &Object, wanted: &Object) -> Object {
    let mut next = wanted.clone();
    let mut meta = held.meta().clone();
    meta.labels = wanted.meta().labels.clone();
    for (key, value) in wanted.meta().annotations.iter() {
        meta.annotate(key, value);
    }
    *next.meta_mut() = meta;
    next
}
