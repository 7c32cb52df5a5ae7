//! What must hold after every event of every run, as a checker that tests ask.
//!
//! Owns the statements and the little it must remember to judge them; changes nothing, decides
//! nothing. It walks over everything: for small clusters.

use std::collections::{BTreeMap, BTreeSet};

use super::World;
use super::nodes::Power;
use super::plan::Act;
use crate::api::kind::Kind;
use crate::api::meta::Uid;
use crate::api::node::Node;
use crate::api::pod::{Pod, PodNetwork};
use crate::api::resources::Resources;
use crate::api::service::{EndpointSlice, Service, UnreadyEndpoints as Unready};
use crate::api::workload::ReplicaSet;
use crate::base::id::Id;
use crate::store::Rev;

/// Looks at a World after each event.
#[derive(Clone, Debug, Default)]
pub struct Invariants {
    revision: Rev,
    /// Where each pod was bound.
    nodes: BTreeMap<Uid, Id<Node>>,
    /// Pods that were ready once.
    ready: BTreeSet<Uid>,
    /// The most pods each ReplicaSet ever wanted.
    wanted: BTreeMap<Uid, i32>,
}

impl Invariants {
    /// Checks all of them.
    ///
    /// # Errors
    /// The first one that does not hold, in words.
    pub fn check(&mut self, world: &World) -> Result<(), String> {
        world.check_traffic()?;
        let revision = world.store.revision();
        if revision == self.revision {
            return Ok(());
        }
        if revision < self.revision {
            return Err(format!("revision {revision:?} comes after {:?}", self.revision));
        }
        self.revision = revision;
        self.pods(world)?;
        self.replica_sets(world)?;
        self.endpoints(world)?;
        kubelets(world)?;
        capacity(world)?;
        addresses(world)
    }

    /// A pod stays where it was bound.
    fn pods(&mut self, world: &World) -> Result<(), String> {
        for (_, pod) in world.store.table::<Pod>().iter() {
            if pod.is_ready() {
                self.ready.insert(pod.meta.uid);
            }
            let Some(node) = pod.node else { continue };
            let first = *self.nodes.entry(pod.meta.uid).or_insert(node);
            if first != node {
                return Err(format!("pod {} went from node {first:?} to {node:?}", pod.meta.name));
            }
        }
        Ok(())
    }

    /// A ReplicaSet never has more active pods than it wanted at its highest.
    fn replica_sets(&mut self, world: &World) -> Result<(), String> {
        let mut owned: BTreeMap<Uid, i32> = BTreeMap::new();
        for (_, pod) in world.store.table::<Pod>().iter().filter(|(_, pod)| pod.is_active()) {
            let owner = pod.meta.owner.filter(|owner| owner.kind == Kind::ReplicaSet);
            if let Some(owner) = owner {
                *owned.entry(owner.uid).or_default() += 1;
            }
        }
        for (_, set) in world.store.table::<ReplicaSet>().iter() {
            let most = self.wanted.entry(set.meta.uid).or_default();
            *most = (*most).max(set.replicas);
            let has = owned.get(&set.meta.uid).copied().unwrap_or(0);
            if has > *most {
                return Err(format!("{} has {has} pods and wanted at most {most}", set.meta.name));
            }
        }
        Ok(())
    }

    /// Whatever is offered as ready was ready once, unless its Service publishes pods that are not.
    fn endpoints(&self, world: &World) -> Result<(), String> {
        for (_, slice) in world.store.table::<EndpointSlice>().iter() {
            let owner = slice.meta.owner.map(|owner| owner.at.typed());
            let service = owner.and_then(|id| world.store.get::<Service>(id));
            let is_published = service.is_some_and(|it| it.spec.unready == Unready::Published);
            let offered = slice.endpoints.iter().filter(|one| one.conditions.ready);
            for endpoint in offered {
                if !is_published && !self.ready.contains(&endpoint.uid) {
                    return Err(format!("{} offers a pod never ready", slice.meta.name));
                }
                let node = self.nodes.get(&endpoint.uid);
                if node.is_some_and(|&node| node != endpoint.node) {
                    return Err(format!("{} offers a pod on the wrong node", slice.meta.name));
                }
            }
        }
        Ok(())
    }
}

/// No two kubelets have the same pod, and each has only pods bound to its node.
fn kubelets(world: &World) -> Result<(), String> {
    let mut held = BTreeSet::new();
    for at in world.nodes.indexes() {
        world.nodes.kubelets.check_lists(at)?;
        for pod in world.nodes.kubelets.pods_of(at) {
            if !held.insert(pod) {
                return Err(format!("two kubelets have pod {pod:?}"));
            }
            let bound = world.store.get(pod).and_then(|pod| pod.node);
            if bound.is_some_and(|node| node != world.nodes.row(at).id) {
                return Err(format!("a kubelet has pod {pod:?} of another node"));
            }
        }
    }
    Ok(())
}

/// What the scheduler bound to a node fits into it. Nodes with pods that somebody else bound are
/// left out.
fn capacity(world: &World) -> Result<(), String> {
    // What a user binds by hand no scheduler finds room for, at the start or in a step.
    let applied = world.plan.steps.iter().filter_map(|step| match &step.act {
        Act::Apply(objects) => Some(objects),
        _ => None,
    });
    let written = world.plan.objects.iter().chain(applied.flatten());
    let by_hand: BTreeSet<&str> = written.filter_map(|one| one.node.as_deref()).collect();
    for (id, node) in world.store.table::<Node>().iter() {
        if by_hand.contains(node.meta.name.to_string().as_str()) {
            continue;
        }
        let mut asked = Resources::default();
        let pods = world.store.indexes().pods_on(id).iter().filter_map(|&id| world.store.get(id));
        for pod in pods.filter(|pod| !pod.status.phase.is_terminal()) {
            asked.add(&pod.allocated_spec().requests);
            asked.pods += 1;
        }
        let has = &node.allocatable;
        let fits = asked.cpu_milli <= has.cpu_milli
            && asked.memory <= has.memory
            && asked.ephemeral_storage <= has.ephemeral_storage.max(0)
            && asked.pods <= has.pods
            && asked.scalar.iter().all(|(name, amount)| *amount <= has.scalar(name));
        if !fits {
            return Err(format!("{} has {has:?} and is asked for {asked:?}", node.meta.name));
        }
    }
    Ok(())
}

/// Living pods with a network of their own have addresses of their own. What a node whose kubelet
/// does not run says is old news.
fn addresses(world: &World) -> Result<(), String> {
    let mut taken: BTreeMap<std::net::Ipv4Addr, &Pod> = BTreeMap::new();
    for (_, pod) in world.store.table::<Pod>().iter() {
        let is_known = pod.node.and_then(|node| world.nodes.of(node)).is_some_and(|at| {
            let row = world.nodes.row(at);
            row.power == Power::On && row.reached
        });
        let is_own = pod.spec.network == PodNetwork::Own;
        if !is_known || !is_own || pod.status.phase.is_terminal() {
            continue;
        }
        let Some(ip) = pod.status.ip else { continue };
        if let Some(other) = taken.insert(ip, pod) {
            return Err(format!("{} and {} both have {ip}", pod.meta.name, other.meta.name));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
