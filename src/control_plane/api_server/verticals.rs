//! VerticalPodAutoscalers at admission: new pods get the requests that are recommended for them, limits in
//! proportion (vertical-pod-autoscaler pkg/admission-controller, a mutating webhook: before the plugins that
//! judge).

use std::sync::Arc;

use super::Server;
use crate::api::compact::Compactor;
use crate::api::daemon_set::DaemonSet;
use crate::api::kind::Kind;
use crate::api::meta::{Labels, ObjectName};
use crate::api::misc::Other;
use crate::api::name::Text;
use crate::api::pod::{Pod, PodSpec};
use crate::api::rules::selector::Selector;
use crate::api::stateful_set::StatefulSet;
use crate::api::status::Status;
use crate::api::vertical::{Mode, Vertical, is_vertical};
use crate::api::workload::{Deployment, ReplicaSet};
use crate::base::FastMap;
use crate::store::Rev;

/// Says what was set, and of which containers.
const UPDATES: &str = "vpaUpdates";
const OBSERVED: &str = "vpaObservedContainers";

/// Specs kept at most before all are worked out anew.
const KEPT_MAX: usize = 4096;

/// A spec, kept so that its address stays its own, and what became of it.
type Kept = (Arc<PodSpec>, Option<Arc<Raised>>);

/// Specs as recommendations left them, by the address of the spec they came from and by what they are
/// recommended by: siblings share one.
#[derive(Clone, Debug, Default)]
pub(super) struct Raises {
    by_source: FastMap<(usize, u32), Kept>,
    /// The revision of the recommendations they were worked out with.
    newest: Rev,
}

/// A spec as a recommendation left it.
#[derive(Debug)]
pub(super) struct Raised {
    pub spec: Arc<PodSpec>,
    said: Text,
    seen: Text,
}

impl Raised {
    /// Says in the pod's annotations what was set.
    pub fn annotate(&self, annotations: &mut Arc<Labels>) {
        let annotations = Arc::make_mut(annotations);
        annotations.insert(UPDATES.into(), self.said.clone());
        annotations.insert(OBSERVED.into(), self.seen.clone());
    }
}

/// What is wrong with a VerticalPodAutoscaler.
pub(super) fn check(other: &Other) -> Result<(), Status> {
    if !is_vertical(other) {
        return Ok(());
    }
    let name = || ObjectName::of(Kind::VerticalPodAutoscaler, &other.meta);
    Vertical::of(other).map(drop).map_err(|why| Status::Invalid(name(), why))
}

impl<T> Server<'_, T> {
    /// What is recommended makes of a new pod; nothing where nothing is.
    pub(super) fn raised(&mut self, pod: &Pod) -> Option<Arc<Raised>> {
        let ids = self.store.indexes().verticals_in(&pod.meta.namespace);
        if ids.is_empty() {
            return None;
        }
        let (id, other, vertical) = ids.iter().find_map(|&id| {
            let other = self.store.get(id)?;
            let vertical = Vertical::of(other).ok()?;
            let selector = self.selector_of(&vertical, &other.meta.namespace)?;
            let is_meant = !selector.is_empty() && selector.matches(&pod.meta.labels);
            is_meant.then_some((id, other, vertical))
        })?;
        if vertical.mode == Mode::Off || vertical.recommended.is_empty() {
            return None;
        }
        let newest = self.store.table::<Other>().newest();
        let key = (Arc::as_ptr(&pod.spec) as usize, id.slot() as u32);
        let held = &self.shared.raises;
        if held.newest == newest
            && let Some((_, known)) = held.by_source.get(&key)
        {
            return known.clone();
        }
        let made = raised(&vertical, &other.meta.name.to_string(), pod).map(Arc::new);
        let held = &mut self.shared.raises;
        if held.newest != newest || held.by_source.len() >= KEPT_MAX {
            held.by_source.clear();
            held.newest = newest;
        }
        held.by_source.insert(key, (pod.spec.clone(), made.clone()));
        made
    }

    fn selector_of(&self, vertical: &Vertical, space: &str) -> Option<Arc<Selector>> {
        let (store, name) = (&*self.store, &*vertical.target.name);
        Some(match &*vertical.target.kind {
            "Deployment" => store.get(store.find::<Deployment>(space, name)?)?.selector.clone(),
            "StatefulSet" => store.get(store.find::<StatefulSet>(space, name)?)?.selector.clone(),
            "DaemonSet" => store.get(store.find::<DaemonSet>(space, name)?)?.selector.clone(),
            "ReplicaSet" | "ReplicationController" => {
                store.get(store.find::<ReplicaSet>(space, name)?)?.selector.clone()
            }
            _ => return None,
        })
    }
}

fn raised(vertical: &Vertical, name: &str, pod: &Pod) -> Option<Raised> {
    let mut compactor = Compactor::new();
    // What comes of a template lacks what is filled in at creation.
    let created = match pod.meta.owner {
        Some(_) => compactor.created(&pod.spec),
        None => pod.spec.clone(),
    };
    let mut written = serde_json::from_str(&created.written).ok()?;
    let (said, seen) = vertical.fill(name, &mut written)?;
    let (spec, errors) = compactor.refilled(&created, written);
    errors.list().is_empty().then(|| Raised { spec, said: said.into(), seen: seen.into() })
}
