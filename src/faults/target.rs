//! What faults strike, as people name it, and what that is when the fault strikes.

use std::fmt;
use std::sync::Arc;

use crate::api::daemon_set::DaemonSet;
use crate::api::job::Job;
use crate::api::kind::Kind;
use crate::api::meta::Uid;
use crate::api::name::Text;
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::api::rules::selector::Selector;
use crate::api::stateful_set::StatefulSet;
use crate::api::workload::{Deployment, ReplicaSet};
use crate::base::hash::StableHasher;
use crate::base::id::Id;
use crate::luck::{Label, Luck};
use crate::net::Place;
use crate::store::{Store, Stored};

const TARGET: Label = Label::new("fault-target");

/// A place as a scenario names it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Spot {
    /// A node by name.
    Node(Text),
    /// All nodes of a zone.
    Zone(Text),
    /// A master by number.
    Master(u16),
    /// Whatever lies outside the cluster.
    Outside,
    /// Some pods, wherever they are: for links only, and alone.
    Pods(Pods),
}

impl From<&str> for Spot {
    /// The node of this name.
    fn from(name: &str) -> Spot {
        Spot::Node(name.into())
    }
}

impl From<String> for Spot {
    /// The node of this name.
    fn from(name: String) -> Spot {
        Spot::Node(name.into())
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Spot::Node(name) => write!(f, "node {name}"),
            Spot::Zone(name) => write!(f, "zone {name}"),
            Spot::Master(number) => write!(f, "master {number}"),
            Spot::Outside => f.write_str("the world outside"),
            Spot::Pods(pods) => write!(f, "{pods}"),
        }
    }
}

/// How many of those that could be meant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Count {
    /// All.
    All,
    /// So many at most, drawn by luck.
    Some(u32),
    /// So many of a hundred, drawn by luck, rounded down (Chaos Mesh's `fixed-percent`).
    Percent(u32),
}

/// Some pods.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Pods {
    /// Which pods could be meant.
    pub which: Which,
    /// How many of them.
    pub count: Count,
}

/// Which pods could be meant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Which {
    /// The pod of this namespace and name.
    Named(Text, Text),
    /// Those of a workload: its kind, namespace and name.
    Of(Kind, Text, Text),
    /// Those in these namespaces (none: in all) that a selector selects.
    Matching(Vec<Text>, Arc<Selector>),
}

impl PartialOrd for Which {
    fn partial_cmp(&self, other: &Which) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Which {
    fn cmp(&self, other: &Which) -> std::cmp::Ordering {
        self.to_string().cmp(&other.to_string())
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Which::Named(namespace, name) => write!(f, "pod {namespace}/{name}"),
            Which::Of(kind, namespace, name) => write!(f, "pods of {kind} {namespace}/{name}"),
            Which::Matching(namespaces, selector) => {
                f.write_str("pods")?;
                if !namespaces.is_empty() {
                    write!(f, " in {}", namespaces.join(", "))?;
                }
                for (at, one) in selector.requirements.iter().enumerate() {
                    let word = if at == 0 { " with" } else { " and" };
                    write!(f, "{word} {}", one.key)?;
                    match &one.values[..] {
                        [] => {}
                        values => write!(f, "={}", values.join("|"))?,
                    }
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Pods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.count, &self.which) {
            (_, Which::Named(..)) => write!(f, "{}", self.which),
            (Count::All, which) => write!(f, "all {which}"),
            (Count::Some(number), which) => write!(f, "{number} of the {which}"),
            (Count::Percent(share), which) => write!(f, "{share} % of the {which}"),
        }
    }
}

/// What a fault finds when it strikes.
pub struct Scene<'a> {
    /// The objects as they stand.
    pub store: &'a Store,
    /// Machines of nodes and where they are.
    pub machines: &'a [(Id<Node>, Place)],
    /// The machines of the control plane, be they nodes or not.
    pub control_plane: &'a [Place],
    /// The run's luck.
    pub luck: Luck,
    /// A stable number of the fault.
    pub key: u64,
}

impl Scene<'_> {
    /// The nodes at a spot, in the order of the plan.
    pub fn nodes(&self, spot: &Spot) -> Vec<Id<Node>> {
        let is_there = |&&(id, place): &&(Id<Node>, Place)| match spot {
            Spot::Node(name) => self.node(id).is_some_and(|node| node.meta.name == **name),
            Spot::Zone(zone) => self.node(id).is_some_and(|node| node.zone() == &**zone),
            Spot::Master(number) => place == Place::Master(*number),
            Spot::Outside | Spot::Pods(_) => false,
        };
        self.machines.iter().filter(is_there).map(|(id, _)| *id).collect()
    }

    /// The places at some spots, sorted.
    pub fn places(&self, spots: &[Spot]) -> Vec<Place> {
        let mut places = Vec::new();
        for spot in spots {
            match spot {
                Spot::Master(number) => places.push(Place::Master(*number)),
                Spot::Outside => places.push(Place::Outside),
                Spot::Node(_) | Spot::Zone(_) | Spot::Pods(_) => {
                    let nodes = self.nodes(spot);
                    let here = self.machines.iter().filter(|(id, _)| nodes.contains(id));
                    places.extend(here.map(|(_, place)| *place));
                }
            }
        }
        places.sort_unstable();
        places.dedup();
        places
    }

    /// Every place of the cluster that is not among `these`, sorted.
    pub fn all_but(&self, these: &[Place]) -> Vec<Place> {
        let machines = self.machines.iter().map(|(_, place)| *place);
        let mut all: Vec<Place> = machines.chain(self.control_plane.iter().copied()).collect();
        all.sort_unstable();
        all.dedup();
        all.retain(|place| these.binary_search(place).is_err());
        all
    }

    /// The pods meant: alive and not on their way out, as many as asked for. Luck is each pod's own,
    /// so that another pod's coming shifts nobody's.
    pub fn pods(&self, pods: &Pods) -> Vec<Id<Pod>> {
        let mut found = self.candidates(&pods.which);
        let number = match pods.count {
            Count::All => return found.into_iter().map(|(id, _)| id).collect(),
            Count::Some(number) => number as usize,
            Count::Percent(share) => found.len() * share.min(100) as usize / 100,
        };
        found.sort_by_key(|(_, uid)| {
            let key = StableHasher::new().word(self.key).word(uid.0).finish();
            self.luck.draw(TARGET, key, 0).u64()
        });
        found.truncate(number);
        // Whoever is struck is struck in the order of the store, not of luck.
        found.sort_by_key(|(id, _)| id.slot());
        found.into_iter().map(|(id, _)| id).collect()
    }

    fn candidates(&self, which: &Which) -> Vec<(Id<Pod>, Uid)> {
        let owners = match which {
            Which::Of(kind, namespace, name) => self.owners(*kind, namespace, name),
            Which::Named(..) | Which::Matching(..) => Vec::new(),
        };
        let meant = |pod: &Pod| match which {
            Which::Named(namespace, name) => {
                pod.meta.namespace == *namespace && pod.meta.name == **name
            }
            Which::Of(..) => pod.meta.owner.is_some_and(|owner| owners.contains(&owner.uid)),
            Which::Matching(namespaces, selector) => {
                (namespaces.is_empty() || namespaces.contains(&pod.meta.namespace))
                    && selector.matches(&pod.meta.labels)
            }
        };
        let alive = |pod: &Pod| !pod.meta.is_terminating() && !pod.status.phase.is_terminal();
        let pods = self.store.table::<Pod>().iter().filter(|(_, pod)| alive(pod) && meant(pod));
        pods.map(|(id, pod)| (id, pod.meta.uid)).collect()
    }

    /// The uids of the sets that own a workload's pods.
    fn owners(&self, kind: Kind, namespace: &str, name: &str) -> Vec<Uid> {
        let uid = match kind {
            Kind::StatefulSet => self.uid_of::<StatefulSet>(namespace, name),
            Kind::DaemonSet => self.uid_of::<DaemonSet>(namespace, name),
            Kind::Job => self.uid_of::<Job>(namespace, name),
            _ => None,
        };
        if uid.is_some() {
            return uid.into_iter().collect();
        }
        let sets = self.store.table::<ReplicaSet>().iter().map(|(_, set)| set);
        if kind == Kind::Deployment {
            let deployment = self.store.find::<Deployment>(namespace, name);
            let Some(of) = deployment.and_then(|id| self.store.get(id)) else { return Vec::new() };
            let owned = sets.filter(|set| set.meta.is_owned_by(of.meta.uid));
            return owned.map(|set| set.meta.uid).collect();
        }
        let named = sets.filter(|set| {
            Kind::from(set.kind) == kind
                && *set.meta.namespace == *namespace
                && set.meta.name == *name
        });
        named.map(|set| set.meta.uid).collect()
    }

    fn uid_of<T: Stored>(&self, namespace: &str, name: &str) -> Option<Uid> {
        let id = self.store.find::<T>(namespace, name)?;
        Some(self.store.get(id)?.meta().uid)
    }

    fn node(&self, id: Id<Node>) -> Option<&Node> {
        self.store.get(id)
    }
}
