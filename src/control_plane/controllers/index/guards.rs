//! PodDisruptionBudgets and the groups of pods they select, kept as they and the pods change.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::groups::Group;
use crate::api::disruption::PodDisruptionBudget;
use crate::api::meta::Labels;
use crate::api::name::Text;
use crate::api::rules::selector::Selector;
use crate::base::id::Id;

/// A budget as last seen.
#[derive(Clone, Debug)]
struct Guard {
    namespace: Text,
    selector: Option<Arc<Selector>>,
    groups: Vec<Id<Group>>,
}

/// All budgets.
#[derive(Clone, Debug, Default)]
pub(super) struct Guards {
    of: BTreeMap<Id<PodDisruptionBudget>, Guard>,
    local: BTreeMap<Text, BTreeSet<Id<PodDisruptionBudget>>>,
}

impl Guards {
    /// Whether `now` selects other pods than it did.
    pub fn is_news(&self, id: Id<PodDisruptionBudget>, now: Option<&PodDisruptionBudget>) -> bool {
        match (self.of.get(&id), now) {
            (Some(held), Some(now)) => held.selector != now.selector,
            (held, now) => held.is_some() || now.is_some(),
        }
    }

    /// Takes a budget out; returns its groups.
    pub fn forget(&mut self, id: Id<PodDisruptionBudget>) -> Vec<Id<Group>> {
        let Some(guard) = self.of.remove(&id) else { return Vec::new() };
        if let Some(local) = self.local.get_mut(&guard.namespace) {
            local.remove(&id);
            if local.is_empty() {
                self.local.remove(&guard.namespace);
            }
        }
        guard.groups
    }

    /// Puts a budget in, with the groups it selects.
    pub fn note(
        &mut self,
        id: Id<PodDisruptionBudget>,
        budget: &PodDisruptionBudget,
        groups: Vec<Id<Group>>,
    ) {
        let namespace = budget.meta.namespace.clone();
        self.local.entry(namespace.clone()).or_default().insert(id);
        self.of.insert(id, Guard { namespace, selector: budget.selector.clone(), groups });
    }

    /// The budgets that select pods with these labels.
    pub fn selecting(&self, namespace: &Text, labels: &Labels) -> Vec<Id<PodDisruptionBudget>> {
        let local = self.local.get(namespace).into_iter().flatten().copied();
        let selects = |id: &Id<PodDisruptionBudget>| {
            let selector = self.of.get(id).and_then(|guard| guard.selector.as_ref());
            selector.is_some_and(|selector| selector.matches(labels))
        };
        local.filter(selects).collect()
    }

    /// A group came that these budgets select.
    pub fn group_made(&mut self, group: Id<Group>, budgets: &[Id<PodDisruptionBudget>]) {
        for id in budgets {
            if let Some(guard) = self.of.get_mut(id) {
                guard.groups.push(group);
            }
        }
    }

    /// A group went that these budgets select.
    pub fn group_gone(&mut self, group: Id<Group>, budgets: &[Id<PodDisruptionBudget>]) {
        for id in budgets {
            if let Some(guard) = self.of.get_mut(id) {
                guard.groups.retain(|&held| held != group);
            }
        }
    }

    /// The groups a budget selects.
    pub fn groups_of(&self, id: Id<PodDisruptionBudget>) -> &[Id<Group>] {
        self.of.get(&id).map_or(&[], |guard| guard.groups.as_slice())
    }
}
