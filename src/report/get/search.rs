//! Which objects are meant, and where they lie in the store.

use std::collections::{BTreeMap, BTreeSet};

use super::resource::{Resource, plural, resources};
use super::{Moment, Value, export};
use crate::api::kinds::{GroupVersionKind, Scope, served};
use crate::api::meta::{Meta, RawId};
use crate::api::misc::Other;
use crate::api::object::Object;
use crate::api::selector_text::LabelQuery;
use crate::api::vertical::{self, checkpoint};
use crate::control_plane::core_events::{CoreEvents, Stamp};
use crate::store::{Rev, Store, Stored, TABLES, TableKind};

/// In which namespaces is looked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Namespaces {
    /// In this one.
    One(String),
    /// In all.
    All,
}

/// Which objects of a kind are meant.
#[derive(Clone, Debug)]
pub struct Query {
    /// Where.
    pub namespaces: Namespaces,
    /// Names; none: all there are.
    pub names: Vec<String>,
    /// What their labels must be.
    pub labels: Option<LabelQuery>,
}

/// An object found: its place in the order of kubectl, and where it lies.
pub(super) struct Found {
    pub namespace: String,
    pub name: String,
    place: Place,
}

/// Where an object lies.
#[derive(Clone, Copy)]
enum Place {
    /// In the store.
    Table(TableKind, RawId),
    /// Among the Events.
    Event(Stamp),
}

/// Does something with the table of a kind, its objects wrapped as `Object`.
macro_rules! with_table {
    ($table:expr, $($kind:ident),*; |$typed:ident, $wrap:ident| $body:expr) => {
        match $table {
            $(TableKind::$kind => {
                type $typed = object::$kind;
                let $wrap = |it: $typed| Object::$kind(Box::new(it));
                $body
            })*
        }
    };
}

macro_rules! on {
    ($table:expr, |$typed:ident, $wrap:ident| $body:expr) => {
        with_table!($table, Pod, Node, Namespace, ReplicaSet, Deployment, Service, EndpointSlice,
            Endpoints, Lease, PriorityClass, PodDisruptionBudget, HorizontalPodAutoscaler, StatefulSet, DaemonSet,
            ControllerRevision, Job, CronJob, PersistentVolume, PersistentVolumeClaim, StorageClass, CsiNode,
            LimitRange, ResourceQuota, Other;
            |$typed, $wrap| $body)
    };
}

/// The types of all tables, by the names of the tables.
mod object {
    pub(super) use crate::api::autoscaling::HorizontalPodAutoscaler;
    pub(super) use crate::api::controller_revision::ControllerRevision;
    pub(super) use crate::api::cron_job::CronJob;
    pub(super) use crate::api::daemon_set::DaemonSet;
    pub(super) use crate::api::disruption::PodDisruptionBudget;
    pub(super) use crate::api::job::Job;
    pub(super) use crate::api::limit_range::LimitRange;
    pub(super) use crate::api::misc::{Lease, Namespace, Other, PriorityClass};
    pub(super) use crate::api::node::Node;
    pub(super) use crate::api::pod::Pod;
    pub(super) use crate::api::resource_quota::ResourceQuota;
    pub(super) use crate::api::service::{EndpointSlice, Endpoints, Service};
    pub(super) use crate::api::stateful_set::StatefulSet;
    pub(super) use crate::api::storage::{
        CsiNode, PersistentVolume, PersistentVolumeClaim, StorageClass,
    };
    pub(super) use crate::api::workload::{Deployment, ReplicaSet};
}

/// The tables where objects of a kind may lie: its own, and that of objects which are only stored.
fn tables(resource: &Resource) -> impl Iterator<Item = TableKind> + use<'_> {
    // ReplicationControllers lie beside ReplicaSets.
    let kind = match &*resource.kind {
        "ReplicationController" => "ReplicaSet",
        kind => kind,
    };
    let is_its = move |table: &TableKind| format!("{table:?}").eq_ignore_ascii_case(kind);
    TABLES.into_iter().filter(move |table| is_its(table) || *table == TableKind::Other)
}

/// Whether `object` is of the kind.
fn is_of(object: &Object, resource: &Resource) -> bool {
    match object {
        Object::Other(it) => {
            let (group, _) = it.api_version.split_once('/').unwrap_or(("", &it.api_version));
            group == resource.group && *it.kind == *resource.kind
        }
        object => object.kind().name() == resource.kind,
    }
}

impl Query {
    fn takes(&self, meta: &Meta) -> bool {
        let is_there = match &self.namespaces {
            Namespaces::All => true,
            Namespaces::One(namespace) => {
                meta.namespace.is_empty() || *meta.namespace == **namespace
            }
        };
        is_there
            && (self.names.is_empty() || self.names.iter().any(|name| meta.name == **name))
            && self.labels.as_ref().is_none_or(|labels| {
                let of = meta.labels.iter();
                let of = of.map(|(key, value)| (key.to_string(), value.to_string()));
                labels.matches(&of.collect::<BTreeMap<_, _>>())
            })
    }
}

fn in_table<T: Stored>(
    store: &Store,
    wrap: impl Fn(T) -> Object,
    (resource, query): (&Resource, &Query),
    found: &mut Vec<Found>,
) {
    for (id, it) in store.table::<T>().iter() {
        let meta = it.meta();
        if query.takes(meta) && is_of(&wrap(it.clone()), resource) {
            found.push(Found {
                namespace: meta.namespace.to_string(),
                name: meta.name.to_string(),
                place: Place::Table(T::TABLE, id.into()),
            });
        }
    }
}

/// The objects of a kind that are meant, by namespace and name.
pub(super) fn search(moment: Moment<'_>, resource: &Resource, query: &Query) -> Vec<Found> {
    let mut found = Vec::new();
    for table in tables(resource) {
        on!(table, |Kind, wrap| in_table::<Kind>(
            moment.store,
            wrap,
            (resource, query),
            &mut found
        ));
    }
    if let (true, Some(events)) = (is_event(resource), moment.events) {
        found.extend(among(moment, events, query));
    }
    found.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    found
}

fn is_event(resource: &Resource) -> bool {
    resource.kind == "Event"
}

/// Whether the names of kinds, with commas between, ask for Events.
pub fn asks_for_events(kinds: &str) -> bool {
    resources(kinds, &[]).is_ok_and(|all| all.iter().any(is_event))
}

/// Events that are meant. They have no labels.
fn among(moment: Moment<'_>, events: &CoreEvents, query: &Query) -> Vec<Found> {
    let is_meant = |it: &Found| {
        let is_there = match &query.namespaces {
            Namespaces::All => true,
            Namespaces::One(namespace) => *namespace == it.namespace,
        };
        is_there
            && (query.names.is_empty() || query.names.contains(&it.name))
            && query.labels.as_ref().is_none_or(|labels| labels.matches(&BTreeMap::new()))
    };
    let all = events.iter().map(|it| Found {
        namespace: export::event::namespace(it),
        name: export::event::name(moment, it),
        place: Place::Event(it.stamp),
    });
    all.filter(is_meant).collect()
}

/// A found object as an API server would give it.
pub(super) fn read(moment: Moment<'_>, found: &Found) -> Value {
    let (table, RawId { slot, generation }) = match found.place {
        Place::Table(table, id) => (table, id),
        Place::Event(stamp) => {
            let event = moment.events.and_then(|events| events.get(stamp));
            return event.map_or(Value::Null, |event| export::event::event(moment, event));
        }
    };
    on!(table, |Kind, wrap| {
        let id = crate::base::id::Id::<Kind>::from_parts(slot, generation);
        let revision = moment.store.table::<Kind>().revision(id).unwrap_or(Rev::ZERO);
        let object = moment.store.get(id).cloned().map(wrap);
        object.map_or(Value::Null, |object| export::object(moment, &object, revision))
    })
}

/// The name of the object that lies there, if one does.
pub(super) fn name_at(store: &Store, table: TableKind, at: RawId) -> Option<String> {
    on!(table, |Kind, _wrap| {
        let id = crate::base::id::Id::<Kind>::from_parts(at.slot, at.generation);
        store.get(id).map(|it| it.meta().name.to_string())
    })
}

/// The kinds in the store that are no built-in ones, as their CRDs name them.
pub(super) fn custom(store: &Store) -> Vec<Resource> {
    let others = || store.table::<Other>().iter().map(|(_, it)| it);
    let mut all: Vec<Resource> = Vec::new();
    for crd in others().filter(|it| &*it.kind == "CustomResourceDefinition") {
        all.extend(serde_json::from_str(&crd.written).ok().as_ref().and_then(defined));
    }
    let mut seen = BTreeSet::new();
    for it in others().filter(|it| seen.insert((it.api_version.clone(), it.kind.clone()))) {
        let kind = GroupVersionKind::new(&it.api_version, &it.kind);
        let is_known = |known: &Resource| known.group == kind.group && known.kind == kind.kind;
        if served(&kind).is_none() && !all.iter().any(is_known) {
            all.push(Resource {
                plural: plural(&kind.kind),
                short: short_of(&kind.kind),
                scope: if it.meta.namespace.is_empty() {
                    Scope::Cluster
                } else {
                    Scope::Namespaced
                },
                group: kind.group,
                version: kind.version,
                kind: kind.kind,
            });
        }
    }
    all
}

/// The kind that a CRD defines.
/// Short names of a custom kind whose definition is not there; those of kinds that act are known.
fn short_of(kind: &str) -> Vec<String> {
    let known = [(vertical::KIND, "vpa"), (checkpoint::KIND, "vpacheckpoint")];
    known.iter().filter(|(it, _)| *it == kind).map(|(_, short)| (*short).to_owned()).collect()
}

fn defined(crd: &Value) -> Option<Resource> {
    let (spec, names) = (&crd["spec"], &crd["spec"]["names"]);
    let text = |of: &Value| of.as_str().map(str::to_owned);
    let short = names["shortNames"].as_array().into_iter().flatten();
    Some(Resource {
        group: text(&spec["group"])?,
        version: text(&spec["versions"][0]["name"])?,
        kind: text(&names["kind"])?,
        plural: text(&names["plural"])?,
        short: short.filter_map(text).collect(),
        scope: if spec["scope"] == "Cluster" { Scope::Cluster } else { Scope::Namespaced },
    })
}
