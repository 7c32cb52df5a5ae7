//! The cloud that lends machines: groups of equal ones, each with a target size. What the cluster
//! autoscaler asks of it, and what it answers. Calls to it take no time; machines do.

use super::app::Delay;
use crate::api::name::{Name, Text};
use crate::api::node::Node;
use crate::time::SimTime;

/// The label that names a node's group.
pub const GROUP_LABEL: &str = "wavetank.dev/nodegroup";

/// Machines that are all alike.
#[derive(Clone, PartialEq, Debug)]
pub struct NodeGroup {
    /// Its name; machines are called this, a dash, and a number from 0.
    pub name: Text,
    /// The fewest machines.
    pub min: u32,
    /// The most machines.
    pub max: u32,
    /// How many there are when the run begins.
    pub count: u32,
    /// A node of it, its labels complete but for the host name.
    pub node: Node,
    /// From the request to the registration of a machine's node.
    pub boot: Delay,
    /// What a machine costs, in millionths of a unit of money an hour; nothing if nobody says.
    pub price: Option<u64>,
    /// Which group is preferred by the expander `priority`: the greatest.
    pub priority: i32,
    /// How it is resized.
    pub sizing: Sizing,
}

impl NodeGroup {
    /// The name of machine `number`.
    pub fn machine(&self, number: u32) -> Name {
        Name::new(format!("{}-{number}", self.name))
    }
}

/// How a group is resized.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Sizing {
    /// Node by node.
    #[default]
    Single,
    /// All of it or nothing (`ZeroOrMaxNodeScaling`).
    ZeroOrMax,
}

/// What is asked of the cloud.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CloudCall {
    /// So many machines more.
    Add {
        /// The group, by number.
        group: u16,
        /// How many.
        machines: u32,
    },
    /// One machine less: this one. Its target size shrinks with it.
    Remove {
        /// The machine.
        machine: Name,
    },
}

/// A machine that was asked for and not given back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Machine {
    /// Its name, which is its node's.
    pub name: Name,
    /// Its group, by number.
    pub group: u16,
    /// When it was asked for.
    pub asked: SimTime,
}

/// What the cloud answers.
pub trait Cloud {
    /// The machines that are lent, in the order in which they were asked for; a group's target size is
    /// how many are its.
    fn machines(&self) -> &[Machine];

    /// How often anything changed.
    fn changes(&self) -> u64;
}
