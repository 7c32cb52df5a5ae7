//! API servers and etcd's members as processes: up or down, and where.

use crate::net::Place;

/// An API server instance. It holds no state: what a request meets is whether it is up, and whether
/// it is still the one it was sent to.
#[derive(Clone, Debug)]
pub struct ApiServer {
    /// Where it runs.
    pub place: Place,
    /// Which life it is in.
    pub life: u32,
    up: bool,
}

impl ApiServer {
    /// An instance that runs.
    pub fn new(place: Place) -> ApiServer {
        ApiServer { place, life: 0, up: true }
    }

    /// Whether it answers.
    pub fn is_up(&self) -> bool {
        self.up
    }

    /// It stops; requests on their way are lost.
    pub fn stop(&mut self) {
        self.up = false;
    }

    /// It starts again.
    pub fn start(&mut self) {
        if !self.up {
            self.up = true;
            self.life += 1;
        }
    }
}

/// The members of etcd.
#[derive(Clone, Debug)]
pub struct Etcd {
    members: Vec<bool>,
}

impl Etcd {
    /// So many members, all up.
    pub fn new(members: usize) -> Etcd {
        Etcd { members: vec![true; members] }
    }

    /// Whether more than half of the members are up, so that writes go through.
    pub fn has_quorum(&self) -> bool {
        let up = self.members.iter().filter(|up| **up).count();
        up > self.members.len() / 2
    }
}
