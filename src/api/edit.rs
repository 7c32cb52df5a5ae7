//! Changing a stored object the way the API server lets it be changed: as the JSON it was written
//! as, then decoded, given its defaults and checked as an update, and made compact again.
//!
//! Owns the way back from a compact object to its JSON (the fields a run keeps, with the specs as
//! written) and what an edit leaves alone: uid, status, the node of a pod.

mod conditions;
pub mod owners;
mod resize;
mod service;
mod storage;

use std::sync::Arc;

use k8s_openapi::api::{apps::v1 as apps, batch::v1 as batch, core::v1 as core};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Map, Value, json};

pub use conditions::conditions_patched;
pub use owners::with_known_uids;
pub use resize::resized;
pub use service::allocated;
pub use storage::grown;

use super::compact::Compactor;
use super::controller_revision::ControllerRevision;
use super::daemon_set::{DaemonSet, DaemonUpdate, TEMPLATE_GENERATION};
use super::decode::Typed;
use super::job::{Job, JobConditionKind, JobStatus, UID_LABELS};
use super::meta::Meta;
use super::misc::{ClassScope, PriorityClass};
use super::node::{Node, Schedulability};
use super::object::Object;
use super::pod::PodTemplate;
use super::rules::selector::{Operator, Selector};
use super::rules::taints::Taint;
use super::validation::gates::Gates;
use super::validation::object::prepare_update;
use super::workload::{Deployment, IntOrPercent, ReplicaSet, Rollout, SetKind, Strategy};

/// The object as an API server would give it back, its status apart; nothing for kinds that cannot
/// be edited.
pub fn to_json(object: &Object) -> Option<Value> {
    Some(match object {
        Object::Deployment(it) => deployment(it),
        Object::ReplicaSet(it) => replica_set(it),
        Object::Pod(it) => whole("v1", "Pod", &it.meta, parsed(&it.spec.written)),
        Object::Service(it) => service::service(it),
        Object::Node(it) => whole("v1", "Node", &it.meta, node_spec(it)),
        Object::Namespace(it) => {
            let finalizers: Vec<&str> = it.finalizers.iter().map(AsRef::as_ref).collect();
            let spec = match finalizers[..] {
                [] => json!({}),
                _ => json!({"finalizers": finalizers}),
            };
            whole("v1", "Namespace", &it.meta, spec)
        }
        Object::PodDisruptionBudget(it) => {
            whole("policy/v1", "PodDisruptionBudget", &it.meta, parsed(&it.written))
        }
        Object::HorizontalPodAutoscaler(it) => {
            whole("autoscaling/v2", "HorizontalPodAutoscaler", &it.meta, parsed(&it.spec.written))
        }
        Object::StatefulSet(it) => whole("apps/v1", "StatefulSet", &it.meta, parsed(&it.written)),
        Object::DaemonSet(it) => daemon_set(it),
        Object::ControllerRevision(it) => controller_revision(it),
        Object::Job(it) => job(it),
        Object::CronJob(it) => whole("batch/v1", "CronJob", &it.meta, parsed(&it.spec.written)),
        Object::PersistentVolume(it) => storage::volume(it),
        Object::PersistentVolumeClaim(it) => storage::claim(it),
        Object::StorageClass(it) => storage::class(it),
        Object::CsiNode(it) => whole("storage.k8s.io/v1", "CSINode", &it.meta, parsed(&it.written)),
        Object::LimitRange(it) => whole("v1", "LimitRange", &it.meta, parsed(&it.written)),
        Object::ResourceQuota(it) => whole("v1", "ResourceQuota", &it.meta, parsed(&it.written)),
        Object::PriorityClass(it) => priority_class(it),
        Object::EndpointSlice(_) | Object::Endpoints(_) | Object::Lease(_) | Object::Other(_) => {
            return None;
        }
    })
}

/// `object` after `edit` of its JSON, checked under these feature gates.
///
/// # Errors
/// What the API server would say: the field and what is wrong with it.
pub fn edited(
    object: &Object,
    gates: Gates,
    edit: impl FnOnce(&mut Value),
) -> Result<Object, String> {
    let kind = object.kind();
    let before = to_json(object).ok_or_else(|| format!("a {kind} cannot be edited here"))?;
    let mut after = before.clone();
    edit(&mut after);
    if after == before {
        return Ok(object.clone());
    }
    let old = typed(object, before)?;
    let mut new = typed(object, after)?;
    let errors = prepare_update(&mut new, &old, gates);
    if !errors.is_empty() {
        return Err(errors.together());
    }
    let mut next = compacted(new);
    keep(object, &mut next)?;
    Ok(next)
}

fn typed(object: &Object, value: Value) -> Result<Typed, String> {
    fn read<T: serde::de::DeserializeOwned>(value: Value) -> Result<Box<T>, String> {
        serde_json::from_value(value).map(Box::new).map_err(|error| error.to_string())
    }
    let has_selector = value.pointer("/spec/selector").is_some_and(Value::is_object);
    let mut typed = match object {
        Object::Deployment(_) => Typed::Deployment(read::<apps::Deployment>(value)?),
        Object::ReplicaSet(it) if it.kind == SetKind::ReplicaSet => {
            Typed::ReplicaSet(read::<apps::ReplicaSet>(value)?)
        }
        Object::ReplicaSet(_) => {
            Typed::ReplicationController(read::<core::ReplicationController>(value)?)
        }
        Object::Pod(_) => Typed::Pod(read::<core::Pod>(value)?),
        Object::Service(_) => Typed::Service(read::<core::Service>(value)?),
        Object::Node(_) => Typed::Node(read::<core::Node>(value)?),
        Object::PodDisruptionBudget(_) => Typed::PodDisruptionBudget(read(value)?),
        Object::HorizontalPodAutoscaler(_) => Typed::HorizontalPodAutoscaler(read(value)?),
        Object::StatefulSet(_) => Typed::StatefulSet(read(value)?),
        Object::DaemonSet(_) => Typed::DaemonSet(read(value)?),
        Object::ControllerRevision(_) => Typed::ControllerRevision(read(value)?),
        Object::Job(it) => {
            let mut job: Box<batch::Job> = read(value)?;
            job.metadata.uid = Some(it.meta.uid.to_string());
            job.status = Some(job_status(&it.status));
            Typed::Job(job)
        }
        Object::CronJob(_) => Typed::CronJob(read(value)?),
        Object::PersistentVolume(_) => Typed::PersistentVolume(read(value)?),
        Object::PersistentVolumeClaim(it) => {
            let mut claim: Box<core::PersistentVolumeClaim> = read(value)?;
            claim.status = Some(storage::claim_status(it));
            Typed::PersistentVolumeClaim(claim)
        }
        Object::StorageClass(_) => Typed::StorageClass(read(value)?),
        Object::CsiNode(_) => Typed::CSINode(read(value)?),
        Object::LimitRange(_) => Typed::LimitRange(read(value)?),
        Object::ResourceQuota(_) => Typed::ResourceQuota(read(value)?),
        Object::PriorityClass(_) => Typed::PriorityClass(read(value)?),
        other => Typed::Namespace(
            read::<core::Namespace>(value).map_err(|why| format!("{}: {why}", other.kind()))?,
        ),
    };
    if has_selector {
        typed.tell_empty_selector();
    }
    Ok(typed)
}

/// A Job with what the API server worked out, which is not kept with what was written: by which labels its
/// pods are known.
fn job(it: &Job) -> Value {
    let mut spec = parsed(&it.spec.written);
    if it.spec.manual_selector.is_none() {
        spec["selector"] = json!({"matchLabels": {UID_LABELS[1]: it.meta.uid.to_string()}});
        spec["template"]["metadata"]["labels"] = texts(&it.pod_labels);
    }
    whole("batch/v1", "Job", &it.meta, spec)
}

/// What of a Job's status decides about changes of its spec.
fn job_status(held: &JobStatus) -> batch::JobStatus {
    let suspended = held.conditions.iter().filter(|it| it.kind == JobConditionKind::Suspended);
    let suspended = suspended.map(|it| batch::JobCondition {
        type_: it.kind.name().to_owned(),
        status: if it.value == Some(true) { "True" } else { "False" }.to_owned(),
        ..batch::JobCondition::default()
    });
    batch::JobStatus {
        active: Some(held.active),
        conditions: Some(suspended.collect()),
        start_time: held.start.map(|_| Time(jiff::Timestamp::UNIX_EPOCH)),
        ..batch::JobStatus::default()
    }
}

fn compacted(typed: Typed) -> Object {
    let mut compactor = Compactor::new();
    let compacted = match typed {
        Typed::Deployment(it) => compactor.deployment(*it),
        Typed::ReplicaSet(it) => compactor.replica_set(*it),
        Typed::ReplicationController(it) => compactor.replication_controller(*it),
        Typed::Pod(it) => compactor.pod(*it),
        Typed::Service(it) => compactor.service(*it),
        Typed::Node(it) => compactor.node(*it),
        Typed::PodDisruptionBudget(it) => compactor.pod_disruption_budget(*it),
        Typed::HorizontalPodAutoscaler(it) => compactor.horizontal_pod_autoscaler(*it),
        Typed::StatefulSet(it) => compactor.stateful_set(*it),
        Typed::DaemonSet(it) => compactor.daemon_set(*it),
        Typed::ControllerRevision(it) => compactor.controller_revision(*it),
        Typed::Job(it) => compactor.job(*it),
        Typed::CronJob(it) => compactor.cron_job(*it),
        Typed::PersistentVolume(it) => compactor.persistent_volume(*it),
        Typed::PersistentVolumeClaim(it) => compactor.persistent_volume_claim(*it),
        Typed::StorageClass(it) => compactor.storage_class(*it),
        Typed::CSINode(it) => compactor.csi_node(*it),
        Typed::LimitRange(it) => compactor.limit_range(*it),
        Typed::ResourceQuota(it) => compactor.resource_quota(*it),
        Typed::PriorityClass(it) => compactor.priority_class(&it),
        Typed::Namespace(it) => compactor.namespace(&it),
        _ => unreachable!("only kinds that `typed` makes come here"),
    };
    compacted.object
}

/// What is not the user's to write stays as it is.
fn keep(held: &Object, next: &mut Object) -> Result<(), String> {
    let written = next.meta();
    let mut meta = held.meta().clone();
    meta.labels = written.labels.clone();
    meta.annotations = written.annotations.clone();
    meta.set_finalizers(written.finalizers().to_vec());
    meta.take_owners(written);
    *next.meta_mut() = meta;
    match (held, next) {
        (Object::Deployment(held), Object::Deployment(next)) => {
            next.status = held.status.clone();
            if same(&held.template, &next.template) {
                next.template = held.template.clone();
            }
        }
        (Object::ReplicaSet(held), Object::ReplicaSet(next)) => {
            next.status = held.status.clone();
            if same(&held.template, &next.template) {
                next.template = held.template.clone();
            }
        }
        (Object::Pod(held), Object::Pod(next)) => {
            if held.spec.written != next.spec.written {
                return Err("spec: Forbidden: changes of a pod that exists are not modelled".into());
            }
            next.spec = held.spec.clone();
            next.node = held.node;
            next.status = held.status.clone();
        }
        (Object::PodDisruptionBudget(held), Object::PodDisruptionBudget(next)) => {
            next.status = held.status.clone();
        }
        (Object::ResourceQuota(held), Object::ResourceQuota(next)) => {
            next.status = held.status.clone();
        }
        (Object::HorizontalPodAutoscaler(held), Object::HorizontalPodAutoscaler(next)) => {
            next.status = held.status.clone();
        }
        (Object::Job(held), Object::Job(next)) => {
            next.status = held.status.clone();
            if held.spec == next.spec {
                next.spec = held.spec.clone();
            }
            next.pod_labels = held.pod_labels.clone();
            if held.spec.template.labels != next.spec.template.labels {
                next.label_pods();
            }
        }
        (Object::CronJob(held), Object::CronJob(next)) => next.status = held.status.clone(),
        (Object::StatefulSet(held), Object::StatefulSet(next)) => {
            next.status = held.status.clone();
            if same(&held.template, &next.template) {
                next.template = held.template.clone();
            }
        }
        (Object::DaemonSet(held), Object::DaemonSet(next)) => {
            next.status = held.status.clone();
            next.template_generation = held.template_generation;
            if same(&held.template, &next.template) {
                next.template = held.template.clone();
            }
        }
        (Object::ControllerRevision(held), Object::ControllerRevision(next)) => {
            next.template = held.template.clone();
        }
        (Object::Service(held), Object::Service(next)) => {
            next.cluster_ip = held.cluster_ip;
            next.cluster_ip6 = held.cluster_ip6;
            (next.families, next.policy) = (held.families, held.policy);
            next.balancers = held.balancers.clone();
            next.node_ports = held.node_ports.clone();
            next.health_port = held.health_port;
        }
        (Object::Node(held), Object::Node(next)) => keep_node(held, next),
        (held, next) => storage::keep(held, next),
    }
    Ok(())
}

/// What a node's kubelet says of it stays, and taints that stay were added when they were.
fn keep_node(held: &Node, next: &mut Node) {
    next.capacity = held.capacity.clone();
    next.allocatable = held.allocatable.clone();
    next.conditions = held.conditions;
    next.images = held.images.clone();
    next.address = held.address;
    if held.taints.iter().any(|one| one.added.is_some()) {
        let is_it = |it: &Taint, one: &Taint| it.is_same(one) && it.value == one.value;
        let stays = |one: &Taint| held.taints.iter().find(|it| is_it(it, one));
        next.taints = next.taints.iter().map(|one| stays(one).unwrap_or(one).clone()).collect();
    }
}

fn same(a: &Arc<PodTemplate>, b: &Arc<PodTemplate>) -> bool {
    a.name == b.name
        && a.finalizers() == b.finalizers()
        && a.labels == b.labels
        && a.annotations == b.annotations
        && a.spec.written == b.spec.written
}

fn parsed(written: &str) -> Value {
    serde_json::from_str(written).unwrap_or(Value::Null)
}

fn whole(version: &str, kind: &str, meta: &Meta, spec: Value) -> Value {
    json!({"apiVersion": version, "kind": kind, "metadata": metadata(meta), "spec": spec})
}

fn texts(labels: &super::meta::Labels) -> Value {
    labels
        .iter()
        .map(|(key, value)| (key.to_string(), json!(&**value)))
        .collect::<Map<_, _>>()
        .into()
}

fn metadata(meta: &Meta) -> Value {
    let mut written = Map::new();
    written.insert("name".into(), json!(meta.name.to_string()));
    // An update names the version it is of; ours is told beside it.
    written.insert("resourceVersion".into(), json!("1"));
    if !meta.namespace.is_empty() {
        written.insert("namespace".into(), json!(&*meta.namespace));
    }
    for (field, map) in [("labels", &meta.labels), ("annotations", &meta.annotations)] {
        if !map.is_empty() {
            written.insert(field.into(), texts(map));
        }
    }
    if !meta.finalizers().is_empty() {
        let list: Vec<&str> = meta.finalizers().iter().map(AsRef::as_ref).collect();
        written.insert("finalizers".into(), json!(list));
    }
    if meta.owners().next().is_some() {
        written.insert("ownerReferences".into(), owners::references(meta));
    }
    Value::Object(written)
}

fn template(of: &PodTemplate) -> Value {
    let mut whole = json!({
        "metadata": {"labels": texts(&of.labels), "annotations": texts(&of.annotations)},
        "spec": parsed(&of.spec.written),
    });
    if !of.name.is_empty() {
        whole["metadata"]["name"] = json!(&*of.name);
    }
    if !of.finalizers().is_empty() {
        whole["metadata"]["finalizers"] = of.finalizers().iter().map(|it| json!(&**it)).collect();
    }
    whole
}

fn selector(of: &Selector) -> Value {
    let mut labels = Map::new();
    let mut expressions = Vec::new();
    for requirement in &of.requirements {
        let operator = requirement.operator.name();
        match (&requirement.values[..], requirement.operator) {
            ([value], Operator::In) if !labels.contains_key(&*requirement.key) => {
                labels.insert(requirement.key.to_string(), json!(&**value));
            }
            (values, _) => {
                let values: Vec<&str> = values.iter().map(AsRef::as_ref).collect();
                let mut written = json!({"key": &*requirement.key, "operator": operator});
                if !values.is_empty() {
                    written["values"] = json!(values);
                }
                expressions.push(written);
            }
        }
    }
    let mut written = json!({"matchLabels": labels});
    if !expressions.is_empty() {
        written["matchExpressions"] = json!(expressions);
    }
    written
}

fn share(of: IntOrPercent) -> Value {
    match of {
        IntOrPercent::Int(number) => json!(number),
        IntOrPercent::Percent(percent) => json!(format!("{percent}%")),
    }
}

fn deployment(it: &Deployment) -> Value {
    let strategy = match it.strategy {
        Strategy::Recreate => json!({"type": "Recreate"}),
        Strategy::RollingUpdate { max_surge, max_unavailable } => json!({
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": share(max_surge), "maxUnavailable": share(max_unavailable)},
        }),
    };
    let mut spec = json!({
        "replicas": it.replicas,
        "selector": selector(&it.selector),
        "strategy": strategy,
        "minReadySeconds": it.min_ready_seconds,
        "revisionHistoryLimit": it.revision_history_limit,
        "progressDeadlineSeconds": it.progress_deadline_seconds,
        "template": template(&it.template),
    });
    if it.rollout == Rollout::Paused {
        spec["paused"] = json!(true);
    }
    whole("apps/v1", "Deployment", &it.meta, spec)
}

fn replica_set(it: &ReplicaSet) -> Value {
    let mut spec = json!({
        "replicas": it.replicas,
        "minReadySeconds": it.min_ready_seconds,
        "template": template(&it.template),
    });
    let selector = selector(&it.selector);
    match it.kind {
        SetKind::ReplicaSet => {
            spec["selector"] = selector;
            whole("apps/v1", "ReplicaSet", &it.meta, spec)
        }
        SetKind::ReplicationController => {
            spec["selector"] = selector["matchLabels"].clone();
            whole("v1", "ReplicationController", &it.meta, spec)
        }
    }
}

fn daemon_set(it: &DaemonSet) -> Value {
    let strategy = match it.update {
        DaemonUpdate::OnDelete => json!({"type": "OnDelete"}),
        DaemonUpdate::RollingUpdate { max_unavailable, max_surge } => json!({
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": share(max_surge), "maxUnavailable": share(max_unavailable)},
        }),
    };
    let spec = json!({
        "selector": selector(&it.selector),
        "updateStrategy": strategy,
        "minReadySeconds": it.min_ready_seconds,
        "revisionHistoryLimit": it.revision_history_limit,
        "template": template(&it.template),
    });
    let mut object = whole("apps/v1", "DaemonSet", &it.meta, spec);
    if it.template_generation > 0 {
        object["metadata"]["annotations"][TEMPLATE_GENERATION] =
            json!(it.template_generation.to_string());
    }
    object
}

fn controller_revision(it: &ControllerRevision) -> Value {
    let mut template = template(&it.template);
    template["$patch"] = json!("replace");
    json!({
        "apiVersion": "apps/v1", "kind": "ControllerRevision", "metadata": metadata(&it.meta),
        "revision": it.revision, "data": {"spec": {"template": template}},
    })
}

fn priority_class(it: &PriorityClass) -> Value {
    let mut class = json!({
        "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": metadata(&it.meta),
        "value": it.value, "preemptionPolicy": it.preemption.name(),
    });
    if it.scope == ClassScope::Default {
        class["globalDefault"] = json!(true);
    }
    if !it.description.is_empty() {
        class["description"] = json!(&*it.description);
    }
    class
}

fn node_spec(it: &Node) -> Value {
    let taints: Vec<Value> = it
        .taints
        .iter()
        .map(|taint| {
            let mut written = json!({"key": &*taint.key, "effect": taint.effect.name()});
            if !taint.value.is_empty() {
                written["value"] = json!(&*taint.value);
            }
            written
        })
        .collect();
    let mut spec = Map::new();
    if !taints.is_empty() {
        spec.insert("taints".into(), json!(taints));
    }
    if it.schedulability == Schedulability::Cordoned {
        spec.insert("unschedulable".into(), json!(true));
    }
    Value::Object(spec)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::patch::{PatchType, merge};

    fn web() -> Object {
        let written: apps::Deployment = serde_json::from_value(json!({
            "metadata": {"name": "web", "namespace": "shop", "labels": {"team": "a"}},
            "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web"}},
                "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [
                    {"name": "c", "image": "web:1", "env": [{"name": "A", "value": "1"}]},
                    {"name": "side", "image": "side:1"}]}}}
        }))
        .expect("a Deployment");
        let mut typed = Typed::Deployment(Box::new(written));
        assert!(crate::api::validation::object::prepare_create(&mut typed).is_empty());
        compacted(typed)
    }

    fn deployment_of(object: &Object) -> &Deployment {
        let Object::Deployment(it) = object else { panic!("a Deployment") };
        it
    }

    fn patched(object: &Object, patch: &Value) -> Result<Object, String> {
        edited(object, Gates::default(), |json| merge(json, patch, PatchType::Strategic))
    }

    #[test]
    fn an_edit_of_nothing_changes_nothing_and_there_and_back_is_the_same() {
        let web = web();
        assert_eq!(edited(&web, Gates::default(), |_| {}).expect("nothing"), web);
        let image = |tag: &str| json!({"spec": {"template": {"spec": {"containers": [{"name": "c", "image": tag}]}}}});
        let second = patched(&web, &image("web:2")).expect("an image");
        let (a, b) = (deployment_of(&web), deployment_of(&second));
        assert_ne!(a.template.hash, b.template.hash);
        assert_eq!(&*b.template.spec.containers[0].image, "web:2");
        assert_eq!(&*b.template.spec.containers[1].image, "side:1");
        assert_eq!(patched(&second, &image("web:1")).expect("back"), web);
    }

    #[test]
    fn what_the_api_server_refuses_is_refused_with_its_field() {
        let why = patched(&web(), &json!({"spec": {"replicas": -1}})).expect_err("no number");
        assert!(why.contains("spec.replicas: Invalid value: -1"), "{why}");
        let other = json!({"spec": {"selector": {"matchLabels": {"app": "other"}}}});
        let why = patched(&web(), &other).expect_err("immutable");
        assert!(why.contains("spec.selector"), "{why}");
        let gone = json!({"metadata": {"labels": {"team": null, "tier": "gold"}}});
        let next = patched(&web(), &gone).expect("labels");
        let labels: Vec<&str> = next.meta().labels.keys().map(AsRef::as_ref).collect();
        assert_eq!(labels, ["tier"]);
    }
}
