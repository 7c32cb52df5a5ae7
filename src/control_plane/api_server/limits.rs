//! LimitRanges at admission: defaults filled into new pods, then pods and claims checked (admission
//! plugin LimitRanger, 1.36).

use std::sync::Arc;

use super::Server;
use crate::api::compact::Compactor;
use crate::api::kind::Kind;
use crate::api::limit_range::LimitRange;
use crate::api::meta::{Labels, ObjectName};
use crate::api::name::Text;
use crate::api::pod::{Pod, PodSpec};
use crate::api::quantity::{Format, Quantity};
use crate::api::rules::limits::{check_claim, check_pod, fill_in, joined};
use crate::api::rules::resources::{Amounts, PodLevel};
use crate::api::status::Status;
use crate::api::storage::PersistentVolumeClaim;
use crate::base::FastMap;
use crate::store::Rev;

/// Says what was filled in.
const ANNOTATION: &str = "kubernetes.io/limit-ranger";

/// Specs kept at most before all are worked out anew.
const KEPT_MAX: usize = 4096;

/// Specs as the ranges of a namespace left them, by the address of the spec they came from: siblings
/// share one.
#[derive(Clone, Debug, Default)]
pub(super) struct Limits {
    by_source: FastMap<(usize, Text), (Arc<PodSpec>, Arc<Limited>)>,
    /// The revision of the ranges they were worked out with.
    ranges: Rev,
}

/// A spec as the ranges of its namespace left it.
#[derive(Debug)]
pub(super) struct Limited {
    pub spec: Arc<PodSpec>,
    /// What was filled in.
    said: Option<Text>,
    /// What is wrong with the spec now.
    invalid: Option<Text>,
    /// What a range has against it.
    forbidden: Option<Text>,
}

impl Limited {
    /// Says in the pod's annotations what was filled in.
    pub fn annotate(&self, annotations: &mut Arc<Labels>) {
        if let Some(said) = &self.said {
            Arc::make_mut(annotations).insert(ANNOTATION.into(), said.clone());
        }
    }

    /// What the API server answers to a pod of this spec.
    ///
    /// # Errors
    /// It is invalid by now, or a range forbids it.
    pub fn verdict(&self, name: impl Fn() -> ObjectName) -> Result<(), Status> {
        match (&self.invalid, &self.forbidden) {
            (Some(why), _) => Err(Status::Invalid(name(), why.clone())),
            (None, Some(why)) => Err(Status::Forbidden(name(), why.clone())),
            (None, None) => Ok(()),
        }
    }
}

impl<T> Server<'_, T> {
    /// The ranges of a namespace, by name.
    fn ranges(&self, namespace: &str) -> Vec<&LimitRange> {
        let ids = self.store.indexes().limit_ranges_in(namespace);
        let mut found: Vec<_> = ids.iter().filter_map(|&id| self.store.get(id)).collect();
        found.sort_by(|a, b| a.meta.name.cmp(&b.meta.name));
        found
    }

    /// What the ranges of its namespace make of a new pod; nothing where there are none.
    pub(super) fn limited(&mut self, pod: &Pod) -> Option<Arc<Limited>> {
        let ranges = self.ranges(&pod.meta.namespace);
        if ranges.is_empty() {
            return None;
        }
        let newest = self.store.table::<LimitRange>().newest();
        let key = (Arc::as_ptr(&pod.spec) as usize, pod.meta.namespace.clone());
        let held = &self.shared.limits;
        if held.ranges == newest
            && let Some((_, known)) = held.by_source.get(&key)
        {
            return Some(known.clone());
        }
        let made = Arc::new(limited(pod, &ranges));
        let held = &mut self.shared.limits;
        if held.ranges != newest || held.by_source.len() >= KEPT_MAX {
            held.by_source.clear();
            held.ranges = newest;
        }
        held.by_source.insert(key, (pod.spec.clone(), made.clone()));
        Some(made)
    }

    /// Whether the ranges of its namespace let a pod take what it is resized to.
    pub(super) fn check_resize(&self, next: &Pod) -> Result<(), Status> {
        let ranges = self.ranges(&next.meta.namespace);
        if ranges.is_empty() {
            return Ok(());
        }
        let Ok(written) = serde_json::from_str(&next.spec.written) else { return Ok(()) };
        let mut complaints = ranges.iter().map(|range| check_pod(&written, range, PodLevel::Used));
        match complaints.find_map(|complaints| joined(&complaints)) {
            Some(why) => Err(Status::Forbidden(ObjectName::of(Kind::Pod, &next.meta), why.into())),
            None => Ok(()),
        }
    }

    /// Whether the ranges of its namespace let a claim be of this size.
    pub(super) fn check_claim(&self, claim: &PersistentVolumeClaim) -> Result<(), Status> {
        let size = Quantity::new(claim.spec.request, Format::BinarySi);
        let requests = Amounts::from([("storage".to_owned(), size)]);
        for range in self.ranges(&claim.meta.namespace) {
            if let Some(why) = joined(&check_claim(&requests, range)) {
                let name = ObjectName::of(Kind::PersistentVolumeClaim, &claim.meta);
                return Err(Status::Forbidden(name, why.into()));
            }
        }
        Ok(())
    }
}

fn limited(pod: &Pod, ranges: &[&LimitRange]) -> Limited {
    let mut compactor = Compactor::new();
    // What comes of a template lacks what is filled in at creation.
    let created = match pod.meta.owner {
        Some(_) => compactor.created(&pod.spec),
        None => pod.spec.clone(),
    };
    let nothing = |spec| Limited { spec, said: None, invalid: None, forbidden: None };
    let Ok(mut written) = serde_json::from_str(&created.written) else { return nothing(created) };
    let mut said = None;
    for range in ranges {
        said = fill_in(&mut written, range).or(said);
    }
    let mut complaints = ranges.iter().map(|range| check_pod(&written, range, PodLevel::Used));
    let forbidden = complaints.find_map(|complaints| joined(&complaints)).map(Text::from);
    if said.is_none() {
        return Limited { forbidden, ..nothing(created) };
    }
    let (spec, errors) = compactor.refilled(&created, written);
    let errors: Vec<String> = errors.list().iter().map(ToString::to_string).collect();
    let (said, invalid) = (said.map(Text::from), joined(&errors).map(Text::from));
    Limited { said, invalid, forbidden, ..nothing(spec) }
}
