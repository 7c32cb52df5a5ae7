//! The small kinds: namespaces, leases, priority classes, and everything that is stored but not
//! modelled.

use super::kinds::SERVED;
use super::meta::Meta;
use super::name::Text;
use super::pod::Preemption;
use crate::time::SimTime;

/// A Namespace.
#[derive(Clone, PartialEq, Debug)]
pub struct Namespace {
    /// Its metadata.
    pub meta: Meta,
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
}

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
