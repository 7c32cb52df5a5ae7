//! Faults: what can be broken, and what that means.
//!
//! Owns the kinds of faults, how they name what they strike, and the compilation of a fault, at the
//! instant it strikes, to rules of the network and to lifecycle orders ([`damage()`]). Refuses to know
//! how an order is carried out (`cluster/` does), who wrote the fault (`scenario/`), and how long it
//! lasts (the timeline).
//!
//! ```text
//! Fault --strikes--> targets found, by luck where asked --> Damage { rules, orders } --ends--> undone
//!                         `-- nothing found: missed
//! ```

pub mod damage;
pub mod target;

use std::fmt;

pub use damage::{Damage, Order, damage};
pub use target::{Count, Pods, Scene, Spot, Which};

use crate::api::name::Text;
use crate::luck::{Distribution, Ratio};
use crate::net::Ways;

/// What can break.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Nodes, with all that runs on them.
    NodeCrash(Spot),
    /// Nodes go down in order: their pods end first, as far as their kubelets wait for it.
    NodeShutdown(Spot),
    /// Kubelets of nodes; containers run on.
    KubeletStop(Spot),
    /// An instance of the control plane.
    Kill(Instance),
    /// A member of etcd, by number, stands still (SIGSTOP): connections to it stay, nothing is answered.
    Freeze(u16),
    /// Nothing passes between two sets of places, in either direction.
    Partition {
        /// One side.
        from: Vec<Spot>,
        /// The other; empty: everything that is not on the first.
        to: Vec<Spot>,
    },
    /// Messages between two sets of places are late or lost.
    Link {
        /// One side.
        from: Vec<Spot>,
        /// The other; empty: everything that is not on the first.
        to: Vec<Spot>,
        /// Which messages.
        ways: Ways,
        /// What becomes of them.
        harm: LinkHarm,
    },
    /// Pods are deleted without grace (Chaos Mesh's `pod-kill`).
    PodKill(Pods),
    /// Containers of pods end, and none of them can run while it lasts (Chaos Mesh's `pod-failure`).
    PodFailure(Pods),
    /// No registry has images that look like this (`*`: any letters, `?`: one).
    ImagePull(Text),
    /// Containers of pods end; their kubelets start them again.
    ContainerCrash {
        /// The pods.
        pods: Pods,
        /// Which container of each; none: all.
        container: Option<Text>,
        /// The exit code: 137 is SIGKILL's.
        exit: u8,
    },
}

/// What becomes of messages on a harmed link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkHarm {
    /// They never arrive.
    Cut,
    /// They arrive so much later.
    Late(Distribution),
    /// So many are lost.
    Lossy(Ratio),
}

/// An instance of the control plane, by number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Instance {
    /// An API server.
    ApiServer(u16),
    /// A scheduler.
    Scheduler(u16),
    /// A controller manager.
    ControllerManager(u16),
    /// A member of etcd.
    Etcd(u16),
}

impl fmt::Display for Instance {
    /// As its pod is called where each runs in one: `kube-scheduler-0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Instance::ApiServer(number) => write!(f, "kube-apiserver-{number}"),
            Instance::Scheduler(number) => write!(f, "kube-scheduler-{number}"),
            Instance::ControllerManager(number) => write!(f, "kube-controller-manager-{number}"),
            Instance::Etcd(number) => write!(f, "etcd-{number}"),
        }
    }
}

impl Fault {
    /// Whether it holds for a time, so that it can end. What it did may need time to mend all the
    /// same.
    pub fn lasts(&self) -> bool {
        !matches!(self, Fault::PodKill(_) | Fault::ContainerCrash { .. })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::NodeCrash(spot) => write!(f, "{spot} crashes"),
            Fault::NodeShutdown(spot) => write!(f, "{spot} is shut down"),
            Fault::KubeletStop(spot) => write!(f, "the kubelet of {spot} stops"),
            Fault::Kill(instance) => write!(f, "{instance} is killed"),
            Fault::Freeze(number) => write!(f, "{} stands still", Instance::Etcd(*number)),
            Fault::Partition { from, to } => write!(f, "{} cut off from {}", List(from), Rest(to)),
            Fault::Link { from, to, harm, .. } => {
                let (from, to) = (List(from), Rest(to));
                match harm {
                    LinkHarm::Cut => write!(f, "{from} cut off from {to}"),
                    LinkHarm::Late(_) => write!(f, "messages between {from} and {to} are late"),
                    LinkHarm::Lossy(_) => write!(f, "messages between {from} and {to} get lost"),
                }
            }
            Fault::PodKill(pods) => write!(f, "{pods} killed"),
            Fault::ImagePull(image) => write!(f, "image {image} cannot be fetched"),
            Fault::PodFailure(pods) => write!(f, "{pods} cannot run"),
            Fault::ContainerCrash { pods, container, exit } => match container {
                Some(name) => write!(f, "container {name} of {pods} ends with exit code {exit}"),
                None => write!(f, "containers of {pods} end with exit code {exit}"),
            },
        }
    }
}

struct List<'a>(&'a [Spot]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, spot) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{spot}")?;
        }
        Ok(())
    }
}

struct Rest<'a>(&'a [Spot]);

impl fmt::Display for Rest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            [] => f.write_str("all else"),
            spots => write!(f, "{}", List(spots)),
        }
    }
}
