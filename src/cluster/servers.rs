//! API servers and etcd's members as processes: up or down, and where.

use crate::net::{Net, Place};

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

/// The members of etcd, spread over the masters in turn. None of them ever fails by itself; a cut
/// network parts them.
#[derive(Clone, Debug)]
pub struct Etcd {
    members: Vec<Place>,
}

impl Etcd {
    /// A member at each of these places.
    pub fn new(members: Vec<Place>) -> Etcd {
        Etcd { members }
    }

    /// Whether an API server at `from` reaches more than half of the members, so that its writes go
    /// through.
    pub fn has_quorum(&self, from: Place, net: &Net) -> bool {
        let reached = self.members.iter().filter(|&&member| net.reaches(from, member)).count();
        reached > self.members.len() / 2
    }
}
