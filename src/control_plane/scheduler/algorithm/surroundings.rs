//! Objects besides nodes and pods that a decision looks at: namespaces, who selects pods, disruption
//! budgets.
//!
//! Owns what the real scheduler's listers hold. Every change counts up a version, so that what was
//! worked out from it is told from what is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::volumes::Volumes;
use crate::api::meta::{Labels, Uid};
use crate::api::name::Text;
use crate::api::pod::Pod;
use crate::api::rules::selector::Selector;
use crate::base::id::Id;

/// A PodDisruptionBudget.
#[derive(Clone, PartialEq, Debug)]
pub struct Budget {
    /// Whose disruptions it limits; `None` selects none.
    pub selector: Option<Selector>,
    /// `status.disruptionsAllowed`.
    pub allowed: i32,
    /// `status.disruptedPods`: pods whose disruption is counted already.
    pub disrupted: BTreeSet<Id<Pod>>,
}

/// Namespaces, selectors and budgets.
#[derive(Clone, Default, Debug)]
pub struct Surroundings {
    namespaces_version: u64,
    selectors_version: u64,
    budgets_version: u64,
    namespaces: BTreeMap<Text, Arc<Labels>>,
    /// Selectors of Services by namespace and name.
    services: BTreeMap<Text, BTreeMap<Text, Arc<Labels>>>,
    /// Selectors of ReplicaSets, ReplicationControllers and StatefulSets.
    owners: BTreeMap<Uid, Arc<Selector>>,
    /// By namespace and name.
    budgets: BTreeMap<Text, BTreeMap<Text, Budget>>,
    volumes: Volumes,
}

impl Surroundings {
    /// Changes with every change of a namespace.
    pub fn namespaces_version(&self) -> u64 {
        self.namespaces_version
    }

    /// Changes with every change of a Service's or a controller's selector.
    pub fn selectors_version(&self) -> u64 {
        self.selectors_version
    }

    /// Changes with every change of a budget.
    pub fn budgets_version(&self) -> u64 {
        self.budgets_version
    }

    /// Forgets all; that is a change too.
    pub fn clear(&mut self) {
        *self = Surroundings {
            namespaces_version: self.namespaces_version + 1,
            selectors_version: self.selectors_version + 1,
            budgets_version: self.budgets_version + 1,
            ..Surroundings::default()
        };
    }

    /// A namespace is there with these labels; `None`: it is gone.
    pub fn set_namespace(&mut self, name: &Text, labels: Option<Arc<Labels>>) {
        set(&mut self.namespaces_version, &mut self.namespaces, name.clone(), labels);
    }

    /// The labels of a namespace, if it is there.
    pub fn namespace(&self, name: &str) -> Option<&Labels> {
        self.namespaces.get(name).map(AsRef::as_ref)
    }

    /// All namespaces with their labels.
    pub fn namespaces(&self) -> impl Iterator<Item = (&Text, &Labels)> {
        self.namespaces.iter().map(|(name, labels)| (name, &**labels))
    }

    /// A Service selects pods with these labels; `None`: it is gone, or has no selector.
    pub fn set_service(&mut self, namespace: &Text, name: &Text, selector: Option<Arc<Labels>>) {
        let of_namespace = self.services.entry(namespace.clone()).or_default();
        set(&mut self.selectors_version, of_namespace, name.clone(), selector);
    }

    /// The selectors of a namespace's Services, by name of the Service. One without requirements
    /// selects no pod.
    pub fn services(&self, namespace: &str) -> impl Iterator<Item = &Arc<Labels>> {
        self.services.get(namespace).into_iter().flat_map(BTreeMap::values)
    }

    /// A controller of pods selects its own by this; `None`: it is gone.
    pub fn set_owner(&mut self, uid: Uid, selector: Option<Arc<Selector>>) {
        set(&mut self.selectors_version, &mut self.owners, uid, selector);
    }

    /// How the controller of this uid selects its pods, if it is one of the kinds that count.
    pub fn owner(&self, uid: Uid) -> Option<&Arc<Selector>> {
        self.owners.get(&uid)
    }

    /// A PodDisruptionBudget is there; `None`: it is gone.
    pub fn set_budget(&mut self, namespace: &Text, name: &Text, budget: Option<Budget>) {
        let of_namespace = self.budgets.entry(namespace.clone()).or_default();
        set(&mut self.budgets_version, of_namespace, name.clone(), budget);
    }

    /// The budgets of a namespace, by name.
    pub fn budgets(&self, namespace: &str) -> impl Iterator<Item = &Budget> {
        self.budgets.get(namespace).into_iter().flat_map(BTreeMap::values)
    }

    /// What is known about volumes.
    pub fn volumes(&self) -> &Volumes {
        &self.volumes
    }

    /// The same, to be changed. No version counts: what is remembered of pods says nothing of their
    /// volumes.
    pub fn volumes_mut(&mut self) -> &mut Volumes {
        &mut self.volumes
    }

    /// Whether there is any budget at all.
    pub fn has_budgets(&self) -> bool {
        self.budgets.values().any(|of_namespace| !of_namespace.is_empty())
    }
}

fn set<K, V>(version: &mut u64, map: &mut BTreeMap<K, V>, key: K, value: Option<V>)
where
    K: Ord,
    V: PartialEq,
{
    if map.get(&key) == value.as_ref() {
        return;
    }
    match value {
        Some(value) => drop(map.insert(key, value)),
        None => drop(map.remove(&key)),
    }
    *version += 1;
}
