//! Whose pods a VerticalPodAutoscaler is for: looked up by its recommender and updater in what they know, by the API
//! server in what is stored. vertical-pod-autoscaler, August 2026 (pkg/target/fetcher.go,
//! pkg/target/controller_fetcher).
//!
//! Owns which kinds have pods of their own, which pods those are, and what stands above them; says in the
//! autoscaler's words why nothing is found.

use std::sync::Arc;

use super::{Store, Stored, View};
use crate::api::autoscaling::ObjectRef;
use crate::api::cron_job::CronJob;
use crate::api::daemon_set::DaemonSet;
use crate::api::job::{Job, UID_LABELS};
use crate::api::kind::Kind;
use crate::api::meta::{Labels, Meta, Owner};
use crate::api::name::{Name, Text};
use crate::api::rules::selector::Selector;
use crate::api::stateful_set::StatefulSet;
use crate::api::workload::{Deployment, ReplicaSet};
use crate::base::id::Id;

/// Owners stand above each other no deeper than this; in a circle they would go on for ever.
const DEPTH_MAX: usize = 16;
/// Kinds of the API that have pods, and no scale by which another could find them.
const UNSCALED: [(&str, &str); 2] = [("", "Pod"), ("", "Service")];

/// Where objects are looked up.
pub trait Lookup {
    /// The object, if it is there.
    fn object<T: Stored>(&self, id: Id<T>) -> Option<&T>;
    /// The one of this name.
    fn named<T: Stored>(&self, namespace: &str, name: &str) -> Option<Id<T>>;
}

impl Lookup for Store {
    fn object<T: Stored>(&self, id: Id<T>) -> Option<&T> {
        self.get(id)
    }

    fn named<T: Stored>(&self, namespace: &str, name: &str) -> Option<Id<T>> {
        self.find(namespace, name)
    }
}

impl Lookup for View<'_> {
    fn object<T: Stored>(&self, id: Id<T>) -> Option<&T> {
        self.get(id)
    }

    fn named<T: Stored>(&self, namespace: &str, name: &str) -> Option<Id<T>> {
        self.find(namespace, name)
    }
}

/// A target that was found.
#[derive(Clone, Debug)]
pub struct Target {
    /// Which pods are its.
    pub selector: Arc<Selector>,
    /// What made it, if something did.
    pub owner: Option<Owner>,
}

/// The target that `reference` names in `namespace`.
///
/// # Errors
/// There is none: the autoscaler's words.
pub fn find(lookup: &impl Lookup, reference: &ObjectRef, namespace: &str) -> Result<Target, Text> {
    let (kind, name) = (&*reference.kind, &*reference.name);
    let found = match kind {
        "Deployment" => of::<Deployment>(lookup, namespace, name, |it| it.selector.clone()),
        "StatefulSet" => of::<StatefulSet>(lookup, namespace, name, |it| it.selector.clone()),
        "DaemonSet" => of::<DaemonSet>(lookup, namespace, name, |it| it.selector.clone()),
        "ReplicaSet" | "ReplicationController" => {
            let is_it = |set: &&ReplicaSet| Kind::from(set.kind).name() == kind;
            let set = lookup.named::<ReplicaSet>(namespace, name);
            let set = set.and_then(|id| lookup.object(id)).filter(is_it);
            set.map(|it| Target { selector: it.selector.clone(), owner: it.meta.owner })
        }
        "Job" => of::<Job>(lookup, namespace, name, of_job),
        "CronJob" => of::<CronJob>(lookup, namespace, name, |it| {
            Arc::new(Selector::of_labels(&it.spec.template.spec.template.labels))
        }),
        _ => return Err(unhandled(reference)),
    };
    found.ok_or_else(|| format!("{kind} {namespace}/{name} does not exist").into())
}

fn of<T: Stored>(
    lookup: &impl Lookup,
    namespace: &str,
    name: &str,
    selector: impl Fn(&T) -> Arc<Selector>,
) -> Option<Target> {
    let it = lookup.object(lookup.named::<T>(namespace, name)?)?;
    Some(Target { selector: selector(it), owner: it.meta().owner })
}

fn of_job(job: &Job) -> Arc<Selector> {
    let own = || {
        let uid = Text::from(job.meta.uid.to_string());
        Selector::of_labels(&Labels::from_iter([(UID_LABELS[1].into(), uid)]))
    };
    Arc::new(job.spec.manual_selector.clone().unwrap_or_else(own))
}

fn unhandled(reference: &ObjectRef) -> Text {
    let ObjectRef { api_version, kind, name } = reference;
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let why = match UNSCALED.contains(&(group, kind)) {
        true => "the server could not find the requested resource".to_owned(),
        false => format!("no matches for kind {kind:?} in group {group:?}"),
    };
    format!("Unhandled targetRef {api_version} / {kind} / {name}, last error {why}").into()
}

/// The object above all that stand above a pod: its kind and name. None where nothing does, and where the chain is
/// broken.
pub fn topmost(lookup: &impl Lookup, owner: Option<Owner>) -> Option<(Kind, Name)> {
    let (mut next, mut found) = (owner, None);
    for _ in 0..DEPTH_MAX {
        let Some(owner) = next.filter(|it| is_controller(it.kind)) else { break };
        let meta = meta(lookup, owner)?;
        found = Some((owner.kind, meta.name.clone()));
        next = meta.owner;
    }
    found
}

/// Whether a kind has pods of its own.
pub fn is_controller(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Deployment
            | Kind::ReplicaSet
            | Kind::ReplicationController
            | Kind::StatefulSet
            | Kind::DaemonSet
            | Kind::Job
            | Kind::CronJob
    )
}

fn meta(lookup: &impl Lookup, owner: Owner) -> Option<&Meta> {
    fn of<T: Stored>(lookup: &impl Lookup, owner: Owner) -> Option<&Meta> {
        lookup.object::<T>(owner.at.typed()).map(T::meta)
    }
    match owner.kind {
        Kind::Deployment => of::<Deployment>(lookup, owner),
        Kind::ReplicaSet | Kind::ReplicationController => of::<ReplicaSet>(lookup, owner),
        Kind::StatefulSet => of::<StatefulSet>(lookup, owner),
        Kind::DaemonSet => of::<DaemonSet>(lookup, owner),
        Kind::Job => of::<Job>(lookup, owner),
        Kind::CronJob => of::<CronJob>(lookup, owner),
        _ => None,
    }
}
