//! The pods a target selects, as they were seen last: read anew only once one of them has changed.
//!
//! Owns the copy that a look goes through in order, and when it holds; refuses to know what is done with it.
//! Of a hundred thousand pods little is in a cache: what is read here at each look lies together.

use std::iter::repeat_n;
use std::sync::Arc;

use super::pods::PodFacts;
use crate::api::pod::{Pod, PodSpec};
use crate::base::id::Id;
use crate::control_plane::controllers::Known;
use crate::control_plane::controllers::index::groups::Group;
use crate::messages::metrics::Bound;

/// Pods of one target.
#[derive(Clone, Debug, Default)]
pub(super) struct Flock {
    /// The groups they are of, each as it was.
    of: Vec<(Id<Group>, u64)>,
    /// What decides whether a pod counts.
    pub(super) facts: Vec<PodFacts<Id<Pod>>>,
    /// Where it is, in the same order.
    pub(super) bound: Vec<Bound>,
    /// Its spec likewise: how many in a row have the same.
    specs: Vec<(Arc<PodSpec>, usize)>,
}

impl Flock {
    /// Looks at the pods of these groups, if anything of them has changed.
    pub(super) fn look(&mut self, groups: &[Id<Group>], known: Known<'_>) {
        let found = groups.iter().filter_map(|&id| Some((id, known.index.groups.get(id)?)));
        let of = found.clone().map(|(id, group)| (id, group.stamp()));
        if of.clone().eq(self.of.iter().copied()) {
            let facts = members(groups, known).map(|(key, pod)| PodFacts::of(key, pod));
            debug_assert!(facts.eq(self.facts.iter().copied()), "a pod has changed");
            return;
        }
        self.of = of.collect();
        // All are looked up before any is read: memory is fetched for many at a time.
        let pods: Vec<(Id<Pod>, &Pod)> = members(groups, known).collect();
        self.facts = pods.iter().map(|&(key, pod)| PodFacts::of(key, pod)).collect();
        self.bound = pods.iter().map(|&(key, pod)| Bound::of(key, pod)).collect();
        self.specs.clear();
        for (_, pod) in pods {
            match self.specs.last_mut().filter(|(spec, _)| Arc::ptr_eq(spec, &pod.spec)) {
                Some((_, count)) => *count += 1,
                None => self.specs.push((pod.spec.clone(), 1)),
            }
        }
    }

    /// The specs that pods have, without those that the one before has too.
    pub(super) fn kinds(&self) -> impl Iterator<Item = &Arc<PodSpec>> {
        self.specs.iter().map(|(spec, _)| spec)
    }

    /// The spec of each.
    pub(super) fn specs(&self) -> impl Iterator<Item = &Arc<PodSpec>> {
        self.specs.iter().flat_map(|(spec, count)| repeat_n(spec, *count))
    }
}

/// The pods of groups.
fn members<'a>(groups: &[Id<Group>], known: Known<'a>) -> impl Iterator<Item = (Id<Pod>, &'a Pod)> {
    let groups = groups.iter().filter_map(move |&id| known.index.groups.get(id));
    let members = groups.flat_map(|group| &group.members);
    members.filter_map(move |it| Some((it.pod, known.view.get(it.pod)?)))
}
