//! A compact object as an API server would give it: what the user wrote with its defaults, metadata, and
//! the status its controller keeps.
//!
//! Owns what [`to_json`] leaves out because nobody may edit it. What a run does not keep (managed fields,
//! ids of containers) is not made up.

mod autoscaler;
mod batch;
pub(super) mod event;
mod network;
mod node;
mod pod;
mod status;

use std::net::Ipv4Addr;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Moment, search};
use crate::api::edit::{owners, to_json};
use crate::api::ip_family::Families;
use crate::api::kind::Kind;
use crate::api::meta::{Blocks, Meta};
use crate::api::misc::{Lease, Other};
use crate::api::node::Node;
use crate::api::object::Object;
use crate::base::id::Id;
use crate::store::{Rev, TableKind};
use crate::time::SimTime;

/// Fields of an object.
pub(super) type Fields = Map<String, Value>;

impl Moment<'_> {
    /// An instant of the run on the calendar, cut to the second.
    pub(super) fn instant(&self, at: SimTime) -> Value {
        self.calendar(at.as_secs(), 0).map_or(Value::Null, |it| json!(it.to_string()))
    }

    /// The same to the microsecond, as Leases have it.
    fn micro_instant(&self, at: SimTime) -> Value {
        let nanos = (at.as_nanos() % 1_000_000_000) as i32;
        let instant = self.calendar(at.as_secs(), nanos);
        instant.map_or(Value::Null, |it| json!(format!("{it:.6}")))
    }

    fn calendar(&self, seconds: u64, nanos: i32) -> Option<Timestamp> {
        Timestamp::new(self.epoch_seconds.saturating_add_unsigned(seconds), nanos).ok()
    }

    /// The addresses of a pod or node of this IPv4 one, those of the first family first.
    pub(super) fn addresses(&self, ip: Ipv4Addr) -> Vec<String> {
        let families = match self.families {
            Families::Unsaid => Families::V4,
            said => said,
        };
        families.list().iter().map(|family| network::address(ip, *family)).collect()
    }

    /// The name of a node that is there, or that pods are still bound to.
    pub(super) fn node_name(&self, node: Option<Id<Node>>) -> Option<String> {
        Some(self.store.node_of_pods(node?)?.meta.name.to_string())
    }
}

/// The object as an API server would give it. `revision` is that of its latest version.
pub(super) fn object(moment: Moment<'_>, object: &Object, revision: Rev) -> Value {
    let mut whole = to_json(object).unwrap_or_else(|| match object {
        Object::Lease(it) => lease(moment, it),
        Object::EndpointSlice(it) => network::slice(moment, it),
        Object::Endpoints(it) => network::endpoints(moment, it),
        Object::Other(it) => other(it),
        unknown => json!({ "kind": unknown.kind().name() }),
    });
    if let Value::Object(fields) = &mut whole {
        omit_empty(fields);
        say_always(object, fields);
        let metadata = metadata(moment, object, revision, fields.remove("metadata"));
        fields.insert("metadata".into(), metadata);
        match object {
            Object::Pod(it) => pod::complete(moment, it, fields),
            Object::Node(it) => node::complete(moment, it, fields),
            Object::Service(it) => network::service(it, fields),
            Object::PersistentVolume(it) => status::volume(moment.store, it, fields),
            _ => {}
        }
        if let Some(status) = status::of(moment, object) {
            fields.insert("status".into(), status);
        }
    }
    whole
}

/// Takes out what an API server leaves out of a spec because nothing is said by it.
fn omit_empty(fields: &mut Fields) {
    let Some(Value::Object(spec)) = fields.get_mut("spec") else { return };
    if spec.get("minReadySeconds").is_some_and(|seconds| *seconds == 0) {
        spec.remove("minReadySeconds");
    }
    let metadata = spec.get_mut("template").and_then(|template| template.get_mut("metadata"));
    if let Some(Value::Object(metadata)) = metadata {
        metadata.retain(|_, value| value.as_object().is_none_or(|map| !map.is_empty()));
    }
}

/// Puts in what an API server says of pods even if nobody wrote it: resources of containers, and of a pod
/// itself that it hears of Services (`SetDefaults_PodSpec`, pkg/apis/core/v1/defaults.go 1.36).
fn say_always(object: &Object, fields: &mut Fields) {
    let path: &[&str] = match object {
        Object::Pod(_) => &["spec"],
        Object::CronJob(_) => &["spec", "jobTemplate", "spec", "template", "spec"],
        Object::ControllerRevision(_) => &["data", "spec", "template", "spec"],
        _ => &["spec", "template", "spec"],
    };
    let Some((first, rest)) = path.split_first() else { return };
    let found = rest.iter().try_fold(fields.get_mut(*first), |at, key| Some(at?.get_mut(key)));
    let Some(Some(Value::Object(spec))) = found else { return };
    if matches!(object, Object::Pod(_)) {
        spec.entry("enableServiceLinks").or_insert(json!(true));
    }
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        let containers = spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten();
        for container in containers.filter_map(Value::as_object_mut) {
            container.entry("resources").or_insert(json!({}));
        }
    }
}

/// Metadata; `written` is what the user wrote of it.
fn metadata(moment: Moment<'_>, object: &Object, revision: Rev, written: Option<Value>) -> Value {
    let meta = object.meta();
    let mut fields = match written {
        Some(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    for kept in ["ownerReferences", "managedFields", "selfLink", "generateName", "generation"] {
        fields.remove(kept);
    }
    fields.insert("name".into(), json!(meta.name.to_string()));
    if !meta.namespace.is_empty() {
        fields.insert("namespace".into(), json!(&*meta.namespace));
    }
    let base = meta.name.base();
    if base.len() < meta.name.len() {
        fields.insert("generateName".into(), json!(&**base));
    }
    fields.insert("uid".into(), json!(meta.uid.to_string()));
    fields.insert("resourceVersion".into(), json!(revision.0.to_string()));
    fields.insert("creationTimestamp".into(), moment.instant(meta.created));
    if has_generation(object) {
        fields.insert("generation".into(), json!(meta.generation));
    }
    if let Some(deletion) = meta.deletion {
        fields.insert("deletionTimestamp".into(), moment.instant(deletion.at));
        // Namespaces are marked in a way of their own.
        if !matches!(object, Object::Namespace(_)) {
            fields.insert("deletionGracePeriodSeconds".into(), json!(deletion.grace_seconds));
        }
    }
    if !fields.contains_key("labels") && !fields.contains_key("annotations") {
        for (field, map) in [("labels", &meta.labels), ("annotations", &meta.annotations)] {
            if !map.is_empty() {
                let map = map.iter().map(|(key, value)| (key.to_string(), json!(&**value)));
                fields.insert(field.into(), Value::Object(map.collect()));
            }
        }
    }
    let owners: Vec<Value> = owners(moment, meta);
    if !owners.is_empty() {
        fields.insert("ownerReferences".into(), json!(owners));
    }
    match meta.finalizers() {
        [] => drop(fields.remove("finalizers")),
        held => {
            let held: Vec<&str> = held.iter().map(AsRef::as_ref).collect();
            fields.insert("finalizers".into(), json!(held));
        }
    }
    Value::Object(fields)
}

/// Whether the API server counts changes of this kind's spec.
fn has_generation(object: &Object) -> bool {
    !matches!(
        object,
        Object::Node(_)
            | Object::Namespace(_)
            | Object::Service(_)
            | Object::Endpoints(_)
            | Object::Lease(_)
            | Object::ControllerRevision(_)
            | Object::HorizontalPodAutoscaler(_)
            | Object::PersistentVolume(_)
            | Object::PersistentVolumeClaim(_)
            | Object::StorageClass(_)
            | Object::CsiNode(_)
            | Object::LimitRange(_)
            | Object::ResourceQuota(_)
            | Object::Other(_)
    )
}

fn owners(moment: Moment<'_>, meta: &Meta) -> Vec<Value> {
    controller(moment, meta).into_iter().chain(owners::others(meta)).collect()
}

fn controller(moment: Moment<'_>, meta: &Meta) -> Option<Value> {
    let owner = meta.owner?;
    if owner.kind == Kind::Other {
        return None;
    }
    // An owner that is gone is known by what its child's name begins with.
    let name = search::name_at(moment.store, TableKind::of(owner.kind), owner.at)
        .unwrap_or_else(|| meta.name.base().trim_end_matches('-').to_owned());
    Some(json!({
        "apiVersion": owner.kind.api_version(),
        "kind": owner.kind.name(),
        "name": name,
        "uid": owner.uid.to_string(),
        "controller": true,
        "blockOwnerDeletion": meta.controller_blocks() == Blocks::Owner,
    }))
}

fn lease(moment: Moment<'_>, it: &Lease) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "spec": {
            "holderIdentity": &*it.holder,
            "acquireTime": moment.micro_instant(it.acquired),
            "renewTime": moment.micro_instant(it.renewed),
            "leaseTransitions": it.transitions,
        },
    })
}

/// An object that is only stored. What a Secret was written with as text is data, as its keys.
fn other(it: &Other) -> Value {
    let mut object: Value = serde_json::from_str(&it.written).unwrap_or(Value::Null);
    if let Value::Object(metadata) = &mut object["metadata"] {
        // Those of the object now are beside it.
        metadata.remove("labels");
        metadata.remove("annotations");
    }
    if &*it.kind == "Secret"
        && let Some(fields) = object.as_object_mut()
    {
        if let Some(Value::Object(texts)) = fields.remove("stringData") {
            let data = fields.entry("data").or_insert_with(|| json!({}));
            texts.into_iter().for_each(|(key, value)| data[key] = value);
        }
        fields.entry("type").or_insert_with(|| json!("Opaque"));
    }
    object
}
