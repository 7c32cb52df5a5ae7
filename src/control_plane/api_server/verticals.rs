//! VerticalPodAutoscalers at admission: new pods get the requests that are recommended for them, limits in
//! proportion (vertical-pod-autoscaler pkg/admission-controller, a mutating webhook: before the plugins that
//! judge).

use std::sync::Arc;

use super::Server;
use crate::api::compact::Compactor;
use crate::api::kind::Kind;
use crate::api::meta::{Labels, ObjectName};
use crate::api::misc::Other;
use crate::api::name::Text;
use crate::api::pod::{Pod, PodSpec};
use crate::api::status::Status;
use crate::api::vertical::apply::{OBSERVED, UPDATES, observed};
use crate::api::vertical::{Mode, Vertical, is_vertical};
use crate::base::FastMap;
use crate::base::id::Id;
use crate::store::{Rev, targets};

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

/// What a pod becomes, and what is said of it in its annotations.
#[derive(Clone, Debug)]
pub(super) struct Raised {
    pub spec: Arc<PodSpec>,
    said: Option<Text>,
    seen: Text,
}

impl Raised {
    /// Says in the pod's annotations what was set, and of which containers.
    pub fn annotate(&self, annotations: &mut Arc<Labels>) {
        let annotations = Arc::make_mut(annotations);
        annotations.extend(self.said.iter().map(|said| (UPDATES.into(), said.clone())));
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
    /// What is recommended makes of a new pod; nothing of one that is under no autoscaler.
    pub(super) fn raised(&mut self, pod: &Pod) -> Option<Arc<Raised>> {
        let (id, other, vertical) = self.vertical_of(pod)?;
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

    /// The autoscaler of a pod: the first made, then the first by name, of those that act on what stands above the
    /// pod's owner and whose selector matches (pkg/utils/vpa/api.go).
    fn vertical_of(&self, pod: &Pod) -> Option<(Id<Other>, &Other, Vertical)> {
        let space = &*pod.meta.namespace;
        let ids = self.store.indexes().verticals_in(space);
        if ids.is_empty() {
            return None;
        }
        let (kind, name) = targets::topmost(&*self.store, pod.meta.owner)?;
        let acting = ids.iter().filter_map(|&id| {
            let other = self.store.get(id)?;
            let vertical = Vertical::of(other).ok().filter(|it| it.mode != Mode::Off)?;
            if *vertical.target.kind != *kind.name() || name != *vertical.target.name {
                return None;
            }
            let target = targets::find(&*self.store, &vertical.target, space).ok()?;
            target.selector.matches(&pod.meta.labels).then_some((id, other, vertical))
        });
        acting
            .min_by_key(|(_, other, _)| (other.meta.created.as_secs(), other.meta.name.to_string()))
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
    let seen = observed(&written).into();
    let Some(said) = vertical.fill(name, &mut written) else {
        return Some(Raised { spec: pod.spec.clone(), said: None, seen });
    };
    let (spec, errors) = compactor.refilled(&created, written);
    errors.list().is_empty().then(|| Raised { spec, said: Some(said.into()), seen })
}
