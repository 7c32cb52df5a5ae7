//! Objects as kubectl shows them: `wavetank get`.
//!
//! Owns the names of kinds ([`resource`]), the search for objects in a [`Store`], the way from a compact
//! object to what an API server would give (`export`), and from there to kubectl's columns (one file a
//! family of kinds, after pkg/printers/internalversion, 1.36), to JSON, YAML or names. Refuses to know how
//! the store came to its state, and the wall clock: ages are told against an instant handed to it.
//!
//! ```text
//! words ─ resource ─▶ kinds ─ search ─▶ objects ─ export ─▶ JSON ─┬─ columns ─▶ table
//!                                                                 └─ output  ─▶ JSON, YAML, names
//! ```

mod export;
mod network;
mod node;
mod output;
mod pod;
mod policy;
mod proxy_rules;
mod read;
pub mod resource;
mod search;
mod small;
mod storage;
mod table;
mod told;
mod workloads;

use serde_json::Value;

use crate::api::ip_family::Families;
use crate::api::node::Node;
use crate::api::object::Object;
use crate::api::pod::Pod;
use crate::base::Id;
use crate::cluster::heartbeats::Renewals;
use crate::control_plane::core_events::CoreEvents;
use crate::store::Store;
use crate::time::SimTime;
pub use output::{Answer, Asked, Form, answer};
pub use proxy_rules::proxy_rules;
pub use read::Clock;
use read::Read;
pub use resource::Resource;
pub use search::{Namespaces, Query, asks_for_events};
pub use told::describe;

/// A state of a cluster, and when it was so.
#[derive(Clone, Copy)]
pub struct Moment<'a> {
    /// All objects.
    pub store: &'a Store,
    /// The instant.
    pub now: SimTime,
    /// The calendar's second at the start of the run.
    pub epoch_seconds: i64,
    /// The families of the cluster's addresses.
    pub families: Families,
    /// Signs of life of its nodes, if they are to be told.
    pub renewals: Option<&'a Renewals>,
    /// Kubernetes' own Events, if they were listened to.
    pub events: Option<&'a CoreEvents>,
}

impl Moment<'_> {
    fn clock(&self) -> Clock {
        let start = i128::from(self.epoch_seconds) * 1_000_000_000;
        Clock(start + i128::from(self.now.as_nanos()))
    }
}

/// The pods of a node as an API server would give them.
pub(super) fn pods_on(moment: Moment<'_>, node: Id<Node>) -> Vec<Value> {
    let whole = |&id: &Id<Pod>| {
        let object = Object::Pod(Box::new(moment.store.get(id)?.clone()));
        let revision = moment.store.table::<Pod>().revision(id)?;
        Some(export::object(moment, &object, revision))
    };
    moment.store.indexes().pods_on(node).iter().filter_map(whole).collect()
}

/// How much room there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Width {
    /// For the columns that matter most.
    Narrow,
    /// For all columns.
    Wide,
}

/// A column: its heading, and whether it is shown where there is little room.
#[derive(Clone, Copy, Debug)]
struct Column {
    heading: &'static str,
    least: Width,
}

const fn always(heading: &'static str) -> Column {
    Column { heading, least: Width::Narrow }
}

const fn wide(heading: &'static str) -> Column {
    Column { heading, least: Width::Wide }
}

/// How objects of a kind are shown in columns.
struct Printer {
    columns: &'static [Column],
    /// The cells of an object, one a column, those for wide tables included.
    row: fn(Read<'_>, Clock, Width) -> Vec<String>,
}

impl Printer {
    /// Which columns there is room for.
    fn shown(&self, width: Width) -> impl Iterator<Item = bool> + use<'_> {
        self.columns.iter().map(move |it| width == Width::Wide || it.least == Width::Narrow)
    }

    fn headings(&self, width: Width) -> Vec<String> {
        let shown = self.columns.iter().zip(self.shown(width)).filter(|(_, shown)| *shown);
        shown.map(|(column, _)| column.heading.to_owned()).collect()
    }

    fn cells(&self, object: &Value, clock: Clock, width: Width) -> Vec<String> {
        let cells = (self.row)(Read(object), clock, width).into_iter();
        cells.zip(self.shown(width)).filter(|(_, shown)| *shown).map(|(cell, _)| cell).collect()
    }
}

/// The printer of a kind.
fn printer(group: &str, kind: &str) -> &'static Printer {
    match (group, kind) {
        ("", "Pod") => &pod::PODS,
        ("", "Node") => &node::NODES,
        ("", "Namespace") => &node::NAMESPACES,
        ("", "ReplicationController") => &workloads::REPLICATION_CONTROLLERS,
        ("", "Service") => &network::SERVICES,
        ("", "Endpoints") => &network::ENDPOINTS,
        ("", "PersistentVolume") => &storage::VOLUMES,
        ("", "PersistentVolumeClaim") => &storage::CLAIMS,
        ("", "ConfigMap") => &small::CONFIG_MAPS,
        ("", "Secret") => &small::SECRETS,
        ("", "ServiceAccount") => &small::SERVICE_ACCOUNTS,
        ("", "PodTemplate") => &small::POD_TEMPLATES,
        ("", "ResourceQuota") => &policy::QUOTAS,
        ("" | "events.k8s.io", "Event") => &small::EVENTS,
        ("", "LimitRange")
        | ("rbac.authorization.k8s.io", "Role" | "ClusterRole")
        | ("apiextensions.k8s.io", "CustomResourceDefinition") => &small::CREATED_AT,
        ("apps", "Deployment") => &workloads::DEPLOYMENTS,
        ("apps", "ReplicaSet") => &workloads::REPLICA_SETS,
        ("apps", "StatefulSet") => &workloads::STATEFUL_SETS,
        ("apps", "DaemonSet") => &workloads::DAEMON_SETS,
        ("apps", "ControllerRevision") => &workloads::CONTROLLER_REVISIONS,
        ("batch", "Job") => &workloads::JOBS,
        ("batch", "CronJob") => &workloads::CRON_JOBS,
        ("autoscaling", "HorizontalPodAutoscaler") => &policy::AUTOSCALERS,
        ("autoscaling.k8s.io", "VerticalPodAutoscaler") => &policy::VERTICALS,
        ("policy", "PodDisruptionBudget") => &policy::BUDGETS,
        ("coordination.k8s.io", "Lease") => &small::LEASES,
        ("discovery.k8s.io", "EndpointSlice") => &network::ENDPOINT_SLICES,
        ("networking.k8s.io", "Ingress") => &network::INGRESSES,
        ("networking.k8s.io", "NetworkPolicy") => &network::NETWORK_POLICIES,
        ("node.k8s.io", "RuntimeClass") => &small::RUNTIME_CLASSES,
        ("rbac.authorization.k8s.io", "RoleBinding" | "ClusterRoleBinding") => {
            &policy::ROLE_BINDINGS
        }
        ("scheduling.k8s.io", "PriorityClass") => &policy::PRIORITY_CLASSES,
        ("storage.k8s.io", "StorageClass") => &storage::CLASSES,
        ("storage.k8s.io", "CSINode") => &storage::CSI_NODES,
        (
            "admissionregistration.k8s.io",
            "MutatingWebhookConfiguration" | "ValidatingWebhookConfiguration",
        ) => &small::WEBHOOKS,
        _ => &small::ANY,
    }
}

/// The cells kubectl shows of an object of `kind` in `group`, given as an API server gives it.
pub fn cells(group: &str, kind: &str, object: &Value, clock: Clock, width: Width) -> Vec<String> {
    printer(group, kind).cells(object, clock, width)
}
