//! Pods grouped by namespace and equal labels: what selectors are matched against, once a group
//! and not once a pod. A Service's or an orphan's match is looked up here, never searched.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

use super::guards::Guards;
use crate::api::disruption::PodDisruptionBudget;
use crate::api::meta::{Labels, Uid};
use crate::api::name::Text;
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::api::rules::selector::Selector;
use crate::api::service::Service;
use crate::base::arena::Arena;
use crate::base::id::Id;

/// What endpoints are made of: the part of a pod that they show.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Member {
    /// The pod.
    pub pod: Id<Pod>,
    /// Its uid.
    pub uid: Uid,
    /// Its node, once it is bound.
    pub node: Option<Id<Node>>,
    /// Its address, once it has one.
    pub ip: Option<Ipv4Addr>,
    /// Whether it is ready.
    pub is_ready: bool,
    /// Whether it is being deleted.
    pub is_terminating: bool,
    /// Whether it is done for good.
    pub is_done: bool,
    /// Whether no controller owns it.
    pub is_orphan: bool,
}

impl Member {
    /// What of a pod is shown.
    pub fn of(id: Id<Pod>, pod: &Pod) -> Member {
        Member {
            pod: id,
            uid: pod.meta.uid,
            node: pod.node,
            ip: pod.status.ip,
            is_ready: pod.is_ready(),
            is_terminating: pod.meta.is_terminating(),
            is_done: pod.status.phase.is_terminal(),
            is_orphan: pod.meta.owner.is_none(),
        }
    }

    /// Whether it looks to endpoints as it did.
    pub fn shows_as(&self, before: &Member) -> bool {
        Member { is_orphan: false, ..*self } == Member { is_orphan: false, ..*before }
    }

    /// Whether it may be an endpoint, terminating ones included
    /// (`endpointslice/util ShouldPodBeInEndpoints`).
    pub fn has_endpoint(&self) -> bool {
        !self.is_done && self.ip.is_some()
    }
}

/// Pods of one namespace with equal labels.
#[derive(Clone, Debug)]
pub struct Group {
    /// The namespace.
    pub namespace: Text,
    /// The labels.
    pub labels: Arc<Labels>,
    /// The pods, in no order that means anything.
    pub members: Vec<Member>,
    /// Services whose selector selects these labels.
    pub services: Vec<Id<Service>>,
    /// PodDisruptionBudgets whose selector selects these labels, oldest first.
    pub budgets: Vec<Id<PodDisruptionBudget>>,
    orphans: u32,
    stamp: u64,
}

impl Group {
    /// As long as it stays, so does every pod of the group, as it was seen.
    pub fn stamp(&self) -> u64 {
        self.stamp
    }
}

/// Selector of a Service, as last seen.
#[derive(Clone, Debug)]
struct Selecting {
    namespace: Text,
    selector: Labels,
    groups: Vec<Id<Group>>,
}

/// All groups, and the Services that select them.
#[derive(Clone, Debug, Default)]
pub struct Groups {
    groups: Arena<Group>,
    by_labels: BTreeMap<(Text, Arc<Labels>), Id<Group>>,
    services: BTreeMap<Id<Service>, Selecting>,
    services_in: BTreeMap<Text, BTreeSet<Id<Service>>>,
    with_orphans: BTreeMap<Text, BTreeSet<Id<Group>>>,
    guards: Guards,
    made: u64,
}

/// Whether a Service's selector selects something with these labels: all pairs equal.
fn selects(selector: &Labels, labels: &Labels) -> bool {
    selector.iter().all(|(key, value)| labels.get(key).is_some_and(|held| held == value))
}

impl Groups {
    /// The group `id`.
    pub fn get(&self, id: Id<Group>) -> Option<&Group> {
        self.groups.get(id)
    }

    /// The groups whose pods `service` selects, oldest first.
    pub fn of_service(&self, service: Id<Service>) -> &[Id<Group>] {
        self.services.get(&service).map_or(&[], |one| one.groups.as_slice())
    }

    /// How many pods `service` selects.
    pub fn members_of(&self, service: Id<Service>) -> usize {
        let groups = self.of_service(service).iter().filter_map(|&id| self.groups.get(id));
        groups.map(|group| group.members.len()).sum()
    }

    /// The groups of `namespace` in which some pod has no controller.
    pub fn with_orphans(&self, namespace: &str) -> impl Iterator<Item = &Group> {
        let ids = self.with_orphans.get(namespace);
        ids.into_iter().flatten().filter_map(|&id| self.groups.get(id))
    }

    /// How many groups were made and are gone again: as long as it stays, so does every answer of
    /// [`Groups::selected`].
    pub fn made(&self) -> u64 {
        self.made
    }

    /// The groups of `namespace` that a selector selects, by their labels.
    pub fn selected(&self, namespace: &Text, selector: &Selector) -> Vec<Id<Group>> {
        let start = (namespace.clone(), Arc::new(Labels::new()));
        let local = self.by_labels.range(start..).take_while(|((held, _), _)| held == namespace);
        local.filter(|((_, labels), _)| selector.matches(labels)).map(|(_, &group)| group).collect()
    }

    pub(super) fn insert(&mut self, id: Id<Pod>, pod: &Pod) -> (Id<Group>, u32) {
        let key = (pod.meta.namespace.clone(), pod.meta.labels.clone());
        let group = match self.by_labels.get(&key) {
            Some(&known) => known,
            None => self.make(key),
        };
        let member = Member::of(id, pod);
        let row = self.groups.get_mut(group).expect("a group just looked up");
        row.members.push(member);
        row.stamp += 1;
        let at = row.members.len() as u32 - 1;
        self.orphans(group, None, Some(member));
        (group, at)
    }

    pub(super) fn update(&mut self, group: Id<Group>, at: usize, id: Id<Pod>, pod: &Pod) {
        let member = Member::of(id, pod);
        let Some(row) = self.groups.get_mut(group) else { return };
        let old = std::mem::replace(&mut row.members[at], member);
        row.stamp += 1;
        self.orphans(group, Some(old), Some(member));
    }

    /// Takes out the pod at `at`; returns the one that has taken its place.
    pub(super) fn remove(&mut self, group: Id<Group>, at: usize) -> Option<Id<Pod>> {
        let row = self.groups.get_mut(group)?;
        let old = row.members.swap_remove(at);
        row.stamp += 1;
        let moved = row.members.get(at).map(|member| member.pod);
        let is_empty = row.members.is_empty();
        self.orphans(group, Some(old), None);
        if is_empty && let Some(gone) = self.groups.remove(group) {
            self.made += 1;
            for service in gone.services {
                if let Some(one) = self.services.get_mut(&service) {
                    one.groups.retain(|&held| held != group);
                }
            }
            self.guards.group_gone(group, &gone.budgets);
            self.by_labels.remove(&(gone.namespace, gone.labels));
        }
        moved
    }

    fn make(&mut self, key: (Text, Arc<Labels>)) -> Id<Group> {
        let (namespace, labels) = key.clone();
        let local = self.services_in.get(&namespace).into_iter().flatten();
        let services: Vec<Id<Service>> = local
            .filter(|id| self.services.get(id).is_some_and(|one| selects(&one.selector, &labels)))
            .copied()
            .collect();
        let budgets = self.guards.selecting(&namespace, &labels);
        let group = Group {
            namespace,
            labels,
            members: Vec::new(),
            services: services.clone(),
            budgets: budgets.clone(),
            orphans: 0,
            stamp: 0,
        };
        let id = self.groups.insert(group);
        self.guards.group_made(id, &budgets);
        for service in services {
            if let Some(one) = self.services.get_mut(&service) {
                one.groups.push(id);
            }
        }
        self.by_labels.insert(key, id);
        self.made += 1;
        id
    }

    fn orphans(&mut self, id: Id<Group>, old: Option<Member>, new: Option<Member>) {
        let counts = |member: Option<Member>| {
            u32::from(member.is_some_and(|one| one.is_orphan && !one.is_terminating))
        };
        let Some(group) = self.groups.get_mut(id) else { return };
        let before = group.orphans;
        group.orphans = before + counts(new) - counts(old);
        if (before == 0) == (group.orphans == 0) {
            return;
        }
        let namespace = group.namespace.clone();
        let local = self.with_orphans.entry(namespace.clone()).or_default();
        if before == 0 {
            local.insert(id);
        } else {
            local.remove(&id);
            if local.is_empty() {
                self.with_orphans.remove(&namespace);
            }
        }
    }

    /// Takes note of a Service as it is now; `None`: it is gone.
    pub fn service(&mut self, id: Id<Service>, now: Option<&Service>) {
        let selector = now.and_then(|service| service.spec.selector.as_ref());
        if let Some(one) = self.services.get(&id)
            && Some(&one.selector) == selector
        {
            return;
        }
        if let Some(one) = self.services.remove(&id) {
            for group in one.groups {
                if let Some(group) = self.groups.get_mut(group) {
                    group.services.retain(|&held| held != id);
                }
            }
            if let Some(local) = self.services_in.get_mut(&one.namespace) {
                local.remove(&id);
                if local.is_empty() {
                    self.services_in.remove(&one.namespace);
                }
            }
        }
        let (Some(service), Some(selector)) = (now, selector) else { return };
        let namespace = service.meta.namespace.clone();
        let mut groups = Vec::new();
        let start = (namespace.clone(), Arc::new(Labels::new()));
        for ((held, labels), &group) in self.by_labels.range(start..) {
            if *held != namespace {
                break;
            }
            if selects(selector, labels)
                && let Some(row) = self.groups.get_mut(group)
            {
                groups.push(group);
                row.services.push(id);
            }
        }
        self.services_in.entry(namespace.clone()).or_default().insert(id);
        self.services.insert(id, Selecting { namespace, selector: selector.clone(), groups });
    }

    /// The groups whose pods `budget` selects, oldest first.
    pub fn of_budget(&self, budget: Id<PodDisruptionBudget>) -> impl Iterator<Item = &Group> {
        self.guards.groups_of(budget).iter().filter_map(|&id| self.groups.get(id))
    }

    /// Takes note of a PodDisruptionBudget as it is now; `None`: it is gone.
    pub fn budget(&mut self, id: Id<PodDisruptionBudget>, now: Option<&PodDisruptionBudget>) {
        if !self.guards.is_news(id, now) {
            return;
        }
        for group in self.guards.forget(id) {
            if let Some(group) = self.groups.get_mut(group) {
                group.budgets.retain(|&held| held != id);
            }
        }
        let Some(budget) = now else { return };
        let namespace = budget.meta.namespace.clone();
        let start = (namespace.clone(), Arc::new(Labels::new()));
        let local = self.by_labels.range(start..).take_while(|((held, _), _)| *held == namespace);
        let mut groups = Vec::new();
        for ((_, labels), &group) in local {
            if budget.selects(labels)
                && let Some(row) = self.groups.get_mut(group)
            {
                groups.push(group);
                row.budgets.push(id);
            }
        }
        self.guards.note(id, budget, groups);
    }
}
