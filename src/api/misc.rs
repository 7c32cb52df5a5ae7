//! The small kinds: namespaces, leases, priority classes, and everything that is stored but not
//! modelled.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::kinds::SERVED;
use super::meta::Meta;
use super::name::Text;
use super::pod::Preemption;
use crate::time::SimTime;

/// Finalizer of a namespace, in its spec, until all it contains is gone.
pub const NAMESPACE_CONTENT: &str = "kubernetes";

/// A Namespace.
#[derive(Clone, PartialEq, Debug)]
pub struct Namespace {
    /// Its metadata.
    pub meta: Meta,
    /// `spec.finalizers`: who still empties it. Users have no say in them once it is there.
    pub finalizers: Vec<Text>,
    /// What is left of its contents while it is being deleted, as far as it was looked.
    pub content: Option<Arc<Content>>,
}

impl Namespace {
    /// A namespace of this metadata, to be emptied by its controller.
    pub fn new(meta: Meta) -> Namespace {
        Namespace { meta, finalizers: vec![NAMESPACE_CONTENT.into()], content: None }
    }
}

/// What is left in a namespace that is being deleted: the conditions NamespaceContentRemaining and
/// NamespaceFinalizersRemaining of its status (pkg/controller/namespace/deletion, 1.36).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Content {
    /// How many objects there are of each resource: `pods.`, `deployments.apps`.
    pub resources: BTreeMap<Text, u32>,
    /// How many of them carry each finalizer.
    pub finalizers: BTreeMap<Text, u32>,
    /// Since when it is known that something is left.
    pub since: SimTime,
    /// Since when it is known that some of it has finalizers, or that nothing has.
    pub held_since: SimTime,
}

impl Content {
    /// Counts objects, each told by its resource and metadata.
    pub fn of<'a>(left: impl Iterator<Item = (Text, &'a Meta)>) -> Content {
        let mut content = Content::default();
        for (resource, meta) in left {
            *content.resources.entry(resource).or_default() += 1;
            for finalizer in meta.finalizers() {
                *content.finalizers.entry(finalizer.clone()).or_default() += 1;
            }
        }
        content
    }

    /// The same as a note at `now`, after the one `before`; `None` if it is no news.
    pub fn noted(mut self, before: Option<&Content>, now: SimTime) -> Option<Content> {
        (self.since, self.held_since) = (now, now);
        let Some(before) = before else { return Some(self) };
        self.since = before.since;
        if self.finalizers.is_empty() == before.finalizers.is_empty() {
            self.held_since = before.held_since;
        }
        (self != *before).then_some(self)
    }

    /// The message of NamespaceContentRemaining.
    pub fn remaining(&self) -> String {
        let all = self.resources.iter();
        let all: Vec<String> =
            all.map(|(name, count)| format!("{name} has {count} resource instances")).collect();
        format!("Some resources are remaining: {}", all.join(", "))
    }

    /// The message of NamespaceFinalizersRemaining; none: nothing has finalizers.
    pub fn held(&self) -> Option<String> {
        let all = self.finalizers.iter();
        let all: Vec<String> =
            all.map(|(name, count)| format!("{name} in {count} resource instances")).collect();
        let words = "Some content in the namespace has finalizers remaining: ";
        (!all.is_empty()).then(|| format!("{words}{}", all.join(", ")))
    }
}

/// A Lease: who leads, and since when nobody heard from them. Leases of nodes are no objects; a
/// run keeps them by arithmetic.
#[derive(Clone, PartialEq, Debug)]
pub struct Lease {
    /// Its metadata.
    pub meta: Meta,
    /// Who holds it; empty if it was given back.
    pub holder: Text,
    /// `acquireTime`.
    pub acquired: SimTime,
    /// `renewTime`.
    pub renewed: SimTime,
    /// How often it changed hands.
    pub transitions: u32,
}

/// A PriorityClass.
#[derive(Clone, PartialEq, Debug)]
pub struct PriorityClass {
    /// Its metadata.
    pub meta: Meta,
    /// The priority.
    pub value: i32,
    /// Whether pods without a class get it.
    pub scope: ClassScope,
    /// Whether its pods may preempt others.
    pub preemption: Preemption,
    /// What it is for, in its maker's words.
    pub description: Text,
}

/// The two classes every cluster has, and their values (`pkg/apis/scheduling/types.go`, 1.36).
pub const SYSTEM_CLASSES: [(&str, i32); 2] =
    [("system-node-critical", 2_000_001_000), ("system-cluster-critical", 2_000_000_000)];

/// For whom a PriorityClass is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ClassScope {
    /// For pods that name it.
    #[default]
    Named,
    /// For pods that name none (`globalDefault`).
    Default,
}

/// An object of a kind that is not modelled.
#[derive(Clone, PartialEq, Debug)]
pub struct Other {
    /// Its metadata.
    pub meta: Meta,
    /// Its `apiVersion`.
    pub api_version: Text,
    /// Its `kind`.
    pub kind: Text,
    /// The object as written, as canonical JSON; values of Secrets are blanked.
    pub written: Text,
}

impl Other {
    /// Its resource as the API server names it, `configmaps` or `ingresses.networking.k8s.io`; none for
    /// kinds that Kubernetes itself does not serve.
    pub fn resource(&self) -> Option<String> {
        let group = self.api_version.rsplit_once('/').map_or("", |(group, _)| group);
        let is_it = |kind: &&super::kinds::Kind| kind.group == group && kind.kind == &*self.kind;
        let plural = SERVED.iter().find(is_it)?.plural;
        Some(if group.is_empty() { plural.to_owned() } else { format!("{plural}.{group}") })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_of_what_is_left_tells_since_when() {
        let of = |finalizers: &[&str]| Content {
            resources: [("pods.".into(), 1)].into(),
            finalizers: finalizers.iter().map(|one| ((*one).into(), 1)).collect(),
            ..Content::default()
        };
        let at = SimTime::from_secs;
        let first = of(&["a/b"]).noted(None, at(1)).expect("news");
        assert_eq!(of(&["a/b"]).noted(Some(&first), at(2)), None);
        let second = of(&[]).noted(Some(&first), at(3)).expect("news");
        assert_eq!((second.since, second.held_since), (at(1), at(3)));
    }
}
