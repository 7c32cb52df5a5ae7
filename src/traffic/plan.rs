//! What a scenario says of one client: who calls what, how often, and how long it waits.

use crate::api::meta::Labels;
use crate::api::name::Text;
use crate::time::{SimDuration, SimTime};

/// One entry of `spec.traffic`: an open-loop source of requests to one port of one Service.
#[derive(Clone, PartialEq, Debug)]
pub struct TrafficPlan {
    /// What facts and reports call it; unique in a plan.
    pub name: Text,
    /// Where its requests start.
    pub from: Origin,
    /// The Service: namespace and name.
    pub service: (Text, Text),
    /// Which of the Service's ports.
    pub port: PortName,
    /// Requests a second, over all of its origins and connections.
    pub rate: Rate,
    /// How they are spread in time.
    pub arrivals: Arrivals,
    /// How long it waits for an answer; not zero.
    pub timeout: SimDuration,
    /// When it begins.
    pub start: SimTime,
    /// When it stops sending; [`SimTime::MAX`]: at the end of the run.
    pub until: SimTime,
    /// Requests go over so many long-lived connections in turn, each of which stays with its pod;
    /// `None`: each request is a connection of its own.
    pub connections: Option<u32>,
}

/// Where requests start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Origin {
    /// Outside the cluster: they come in through a load balancer.
    Outside,
    /// On a node, by name: a process of the node itself.
    Node(Text),
    /// In the ready pods with these labels, all alike.
    Pods {
        /// The pods' namespace.
        namespace: Text,
        /// Labels they have, at least one.
        labels: Labels,
    },
}

/// A Service's port as a client names it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PortName {
    /// By number.
    Number(u16),
    /// By its name.
    Name(Text),
}

/// So many requests in so long a time, exactly.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    /// Requests.
    pub requests: u64,
    /// In this time; not zero.
    pub per: SimDuration,
}

/// How requests are spread in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Arrivals {
    /// Independent of each other: gaps are exponential.
    #[default]
    Poisson,
    /// At equal distances, the first one distance after the start.
    Constant,
}
