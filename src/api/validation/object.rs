//! What the API server does to any object before it is stored: defaults, then checks, by kind.
//!
//! Owns the way from a kind to its defaults and checks. It does not allocate (addresses, node
//! ports, uids) nor look at other objects; where a check wants a value that is only given out on
//! creation, a stand-in takes its place for the check. Kinds that are accepted and not modelled
//! have their metadata checked.

use k8s_openapi::api::{batch::v1::Job, core::v1::Service};

use super::{
    autoscaling, batch, config, endpoints,
    field::{Errors, Path},
    gates::Gates,
    lease, meta,
    names::{self, NameRule},
    namespace, node, pod, pod_update, policy, priority_class, quota_limits, service, storage,
    storage_class,
    workloads::{
        daemon_set, deployment, replica_set, replication_controller, stateful_set, status,
    },
};
use crate::api::{
    decode::Typed,
    defaults,
    kinds::{Kind, Scope},
};

/// A uid for the check of a Job that has none yet.
const STAND_IN_UID: &str = "00000000-0000-0000-0000-000000000000";
/// As long as a generated suffix.
const STAND_IN_SUFFIX: &str = "xxxxx";
/// Most characters of a generated name before its suffix.
const GENERATED_BASE_MAX: usize = 58;
/// Some port of the node port range.
const STAND_IN_NODE_PORT: i32 = 30_000;

/// Fills in a new object as the API server does, its namespace too, and checks it.
pub fn prepare_create(object: &mut Typed) -> Errors {
    prepare_create_with(object, Errors::new())
}

/// The same where nobody knows yet how feature gates stand: errors say which they hang on.
pub fn prepare_create_undecided(object: &mut Typed) -> Errors {
    prepare_create_with(object, Errors::undecided())
}

fn prepare_create_with(object: &mut Typed, mut errors: Errors) -> Errors {
    let kind = object.kind();
    if kind.is_some_and(|kind| kind.scope == Scope::Namespaced) {
        let namespace = &mut object.metadata_mut().namespace;
        if namespace.as_ref().is_none_or(String::is_empty) {
            *namespace = Some("default".to_owned());
        }
    }
    set_defaults(object);
    let given = object.metadata().name.clone();
    stand_in_for_generated_name(object);
    validate_create(object, kind, &mut errors);
    object.metadata_mut().name = given;
    errors
}

/// Fills in an object that replaces `old`, what was allocated to it too, and checks the change. What
/// hangs on a feature gate is let through where `old` has it already.
pub fn prepare_update(new: &mut Typed, old: &Typed, gates: Gates) -> Errors {
    let known = old.metadata();
    let (uid, version, created) =
        (known.uid.clone(), known.resource_version.clone(), known.creation_timestamp.clone());
    let namespace = known.namespace.clone();
    let metadata = new.metadata_mut();
    // What the client leaves out of these is taken from the stored object.
    metadata.uid = metadata.uid.take().or(uid);
    metadata.resource_version = metadata.resource_version.take().or(version);
    metadata.creation_timestamp = metadata.creation_timestamp.take().or(created);
    metadata.namespace = metadata.namespace.take().or(namespace);
    set_defaults(new);
    if let (Typed::Service(new), Typed::Service(old)) = (&mut *new, old) {
        defaults::service::keep_allocated(new, old);
        defaults::service::normalize_cluster_ips(new, old);
        defaults::service::trim_families(new, old);
        defaults::service::drop_type_dependent(new, old);
    }
    let gates = match (&mut *new, old) {
        (Typed::StatefulSet(new), Typed::StatefulSet(old)) => {
            stateful_set::drop_disabled(new, old, gates)
        }
        _ => gates,
    };
    let mut had = Errors::undecided();
    validate_create(old, old.kind(), &mut had);
    let has = |gate| had.list().iter().any(|error| error.only.is_some_and(|it| it.0 == gate));
    validate_update(new, old).decided(|gate, state| gates.state(gate) == state && !has(gate))
}

fn stand_in_for_generated_name(object: &mut Typed) {
    let metadata = object.metadata_mut();
    if metadata.name.as_ref().is_some_and(|name| !name.is_empty()) {
        return;
    }
    if let Some(base) = metadata.generate_name.as_ref().filter(|base| !base.is_empty()) {
        let base: String = base.chars().take(GENERATED_BASE_MAX).collect();
        metadata.name = Some(base + STAND_IN_SUFFIX);
    }
}

/// Fills in what the object leaves out.
pub fn set_defaults(object: &mut Typed) {
    use defaults::{batch, cluster, pod, service, storage, workloads};
    match object {
        Typed::Pod(it) => pod::default_pod(it),
        Typed::Service(it) => service::default_service(it),
        Typed::Endpoints(it) => service::default_endpoints(it),
        Typed::EndpointSlice(it) => service::default_endpoint_slice(it),
        Typed::Deployment(it) => workloads::default_deployment(it),
        Typed::ReplicaSet(it) => workloads::default_replica_set(it),
        Typed::ReplicationController(it) => workloads::default_replication_controller(it),
        Typed::StatefulSet(it) => workloads::default_stateful_set(it),
        Typed::DaemonSet(it) => workloads::default_daemon_set(it),
        Typed::Job(it) => batch::default_job(it),
        Typed::CronJob(it) => batch::default_cron_job(it),
        Typed::PersistentVolumeClaim(it) => storage::default_claim(it),
        Typed::PersistentVolume(it) => storage::default_volume(it),
        Typed::StorageClass(it) => storage::default_class(it),
        Typed::Namespace(it) => cluster::default_namespace(it),
        Typed::Node(it) => cluster::default_node(it),
        Typed::PriorityClass(it) => cluster::default_priority_class(it),
        Typed::Secret(it) => cluster::default_secret(it),
        Typed::LimitRange(it) => cluster::default_limit_range(it),
        Typed::HorizontalPodAutoscaler(it) => cluster::default_autoscaler(it),
        Typed::HorizontalPodAutoscalerV1(it) => cluster::default_autoscaler_v1(it),
        _ => {}
    }
}

/// Checks the status of what comes out of a cluster: no API server can have stored another one. What is
/// new has none that counts.
fn validate_held_status(object: &Typed, errors: &mut Errors) {
    if object.metadata().uid.as_ref().is_none_or(String::is_empty) {
        return;
    }
    match object {
        Typed::Deployment(it) => {
            it.status.iter().for_each(|status| status::validate_deployment(status, errors));
        }
        Typed::ReplicaSet(it) => {
            it.status.iter().for_each(|status| status::validate_replica_set(status, errors));
        }
        Typed::StatefulSet(it) => {
            it.status.iter().for_each(|status| status::validate_stateful_set(status, errors));
        }
        Typed::PodDisruptionBudget(it) => {
            it.status.iter().for_each(|status| policy::validate_status(status, errors));
        }
        _ => {}
    }
}

fn validate_create(object: &Typed, kind: Option<&Kind>, errors: &mut Errors) {
    validate_held_status(object, errors);
    match object {
        Typed::Pod(it) => pod::validate_pod(it, errors),
        Typed::Service(it) => validate_service(it, errors),
        Typed::Endpoints(it) => endpoints::validate_endpoints(it, errors),
        Typed::EndpointSlice(it) => endpoints::validate_slice(it, errors),
        Typed::Deployment(it) => deployment::validate(it, errors),
        Typed::ReplicaSet(it) => replica_set::validate(it, errors),
        Typed::ReplicationController(it) => replication_controller::validate(it, errors),
        Typed::StatefulSet(it) => stateful_set::validate(it, errors),
        Typed::DaemonSet(it) => daemon_set::validate(it, errors),
        Typed::Job(it) => validate_job(it, errors),
        Typed::CronJob(it) => batch::validate_cron_job(it, errors),
        Typed::PersistentVolumeClaim(it) => storage::validate_claim(it, errors),
        Typed::PersistentVolume(it) => storage::validate_volume(it, errors),
        Typed::StorageClass(it) => storage_class::validate(it, errors),
        Typed::Namespace(it) => namespace::validate(it, errors),
        Typed::Node(it) => node::validate(it, errors),
        Typed::PriorityClass(it) => priority_class::validate(it, errors),
        Typed::ConfigMap(it) => config::validate_config_map(it, errors),
        Typed::Secret(it) => config::validate_secret(it, errors),
        Typed::ServiceAccount(it) => config::validate_service_account(it, errors),
        Typed::LimitRange(it) => quota_limits::validate_limit_range(it, errors),
        Typed::ResourceQuota(it) => quota_limits::validate_quota(it, errors),
        Typed::HorizontalPodAutoscaler(it) => autoscaling::validate(it, errors),
        Typed::HorizontalPodAutoscalerV1(it) => autoscaling::validate_v1(it, errors),
        Typed::PodDisruptionBudget(it) => policy::validate(it, errors),
        Typed::Lease(it) => lease::validate(it, errors),
        other => {
            if let Some(kind) = kind
                && let Some(rule) = name_rule(kind)
            {
                let scope = match kind.scope {
                    Scope::Namespaced => meta::Scope::Namespaced,
                    Scope::Cluster => meta::Scope::Cluster,
                };
                let path = Path::ROOT.child("metadata");
                meta::validate_object_meta(other.metadata(), scope, rule, &path, errors);
            }
        }
    }
}

/// How objects of a kind are named that is not modelled; nothing for questions put to the API
/// server, which have no name.
fn name_rule(kind: &Kind) -> Option<NameRule> {
    match kind.group {
        "authentication.k8s.io" | "authorization.k8s.io" => None,
        "networking.k8s.io"
        | "storage.k8s.io"
        | "node.k8s.io"
        | "apiextensions.k8s.io"
        | "resource.k8s.io" => Some(names::subdomain_name),
        _ => Some(names::path_segment_name),
    }
}

/// A Service whose health check port is still to be given.
fn validate_service(given: &Service, errors: &mut Errors) {
    let waits = given.spec.as_ref().is_some_and(|spec| {
        spec.type_.as_deref() == Some("LoadBalancer")
            && spec.external_traffic_policy.as_deref() == Some("Local")
            && spec.health_check_node_port.unwrap_or(0) == 0
    });
    if !waits {
        return service::validate(given, errors);
    }
    let mut allocated = given.clone();
    allocated.spec.get_or_insert_default().health_check_node_port = Some(STAND_IN_NODE_PORT);
    service::validate(&allocated, errors);
}

/// A Job whose selector is still to be made.
fn validate_job(given: &Job, errors: &mut Errors) {
    let mut made = given.clone();
    made.metadata.uid.get_or_insert_with(|| STAND_IN_UID.to_owned());
    batch::job::generate_selector(&mut made);
    batch::validate_job(&made, errors);
}

/// Checks that `old` may become `new`, whose defaults are set. An object may not change its kind.
pub fn validate_update(new: &Typed, old: &Typed) -> Errors {
    let mut found = Errors::undecided();
    let errors = &mut found;
    match (new, old) {
        (Typed::Pod(new), Typed::Pod(old)) => pod_update::validate_pod_update(new, old, errors),
        (Typed::Service(new), Typed::Service(old)) => service::validate_update(new, old, errors),
        (Typed::Endpoints(new), Typed::Endpoints(old)) => {
            endpoints::validate_endpoints_update(new, old, errors);
        }
        (Typed::EndpointSlice(new), Typed::EndpointSlice(old)) => {
            endpoints::validate_slice_update(new, old, errors);
        }
        (Typed::Deployment(new), Typed::Deployment(old)) => {
            deployment::validate_update(new, old, errors);
        }
        (Typed::ReplicaSet(new), Typed::ReplicaSet(old)) => {
            replica_set::validate_update(new, old, errors);
        }
        (Typed::ReplicationController(new), Typed::ReplicationController(old)) => {
            replication_controller::validate_update(new, old, errors);
        }
        (Typed::StatefulSet(new), Typed::StatefulSet(old)) => {
            stateful_set::validate_update(new, old, errors);
        }
        (Typed::DaemonSet(new), Typed::DaemonSet(old)) => {
            daemon_set::validate_update(new, old, errors);
        }
        (Typed::Job(new), Typed::Job(old)) => batch::validate_job_update(new, old, errors),
        (Typed::CronJob(new), Typed::CronJob(old)) => {
            batch::validate_cron_job_update(new, old, errors);
        }
        _ => validate_small_update(new, old, errors),
    }
    found
}

fn validate_small_update(new: &Typed, old: &Typed, errors: &mut Errors) {
    match (new, old) {
        (Typed::PersistentVolumeClaim(new), Typed::PersistentVolumeClaim(old)) => {
            storage::validate_claim_update(new, old, errors);
        }
        (Typed::PersistentVolume(new), Typed::PersistentVolume(old)) => {
            storage::validate_volume_update(new, old, errors);
        }
        (Typed::StorageClass(new), Typed::StorageClass(old)) => {
            storage_class::validate_update(new, old, errors);
        }
        (Typed::Namespace(new), Typed::Namespace(old)) => {
            namespace::validate_update(new, old, errors);
        }
        (Typed::Node(new), Typed::Node(old)) => node::validate_update(new, old, errors),
        (Typed::PriorityClass(new), Typed::PriorityClass(old)) => {
            priority_class::validate_update(new, old, errors);
        }
        (Typed::ConfigMap(new), Typed::ConfigMap(old)) => {
            config::validate_config_map_update(new, old, errors);
        }
        (Typed::Secret(new), Typed::Secret(old)) => {
            config::validate_secret_update(new, old, errors);
        }
        (Typed::ServiceAccount(new), Typed::ServiceAccount(old)) => {
            config::validate_service_account_update(new, old, errors);
        }
        (Typed::LimitRange(new), Typed::LimitRange(old)) => {
            quota_limits::validate_limit_range_update(new, old, errors);
        }
        (Typed::ResourceQuota(new), Typed::ResourceQuota(old)) => {
            quota_limits::validate_quota_update(new, old, errors);
        }
        (Typed::HorizontalPodAutoscaler(new), Typed::HorizontalPodAutoscaler(old)) => {
            autoscaling::validate_update(new, old, errors);
        }
        (Typed::HorizontalPodAutoscalerV1(new), Typed::HorizontalPodAutoscalerV1(old)) => {
            autoscaling::validate_v1_update(new, old, errors);
        }
        (Typed::PodDisruptionBudget(new), Typed::PodDisruptionBudget(old)) => {
            policy::validate_update(new, old, errors);
        }
        (Typed::Lease(new), Typed::Lease(old)) => lease::validate_update(new, old, errors),
        _ => {
            let path = Path::ROOT.child("metadata");
            meta::validate_object_meta_update(new.metadata(), old.metadata(), &path, errors);
        }
    }
}
