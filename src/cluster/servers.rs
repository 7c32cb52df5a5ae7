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

/// The members of etcd, spread over the masters in turn. A member fails with its machine or by
/// itself; a cut network parts them.
#[derive(Clone, Debug)]
pub struct Etcd {
    members: Vec<Place>,
    /// Machines that are down.
    down: Vec<Place>,
    /// Members that are down by themselves.
    stopped: Vec<u16>,
}

impl Etcd {
    /// A member at each of these places.
    pub fn new(members: Vec<Place>) -> Etcd {
        Etcd { members, down: Vec::new(), stopped: Vec::new() }
    }

    /// Whether an API server at `from` reaches more than half of the members, so that its writes go
    /// through.
    pub fn has_quorum(&self, from: Place, net: &Net) -> bool {
        let answers = |(number, member): &(u16, &Place)| {
            !self.down.contains(member)
                && !self.stopped.contains(number)
                && net.reaches(from, **member)
        };
        let reached = (0..).zip(&self.members).filter(answers).count();
        reached > self.members.len() / 2
    }

    /// The machine at `place` goes down, and a member on it.
    pub fn stop(&mut self, place: Place) {
        if self.members.contains(&place) {
            self.down.push(place);
        }
    }

    /// The machine at `place` is back, and a member on it with what it had stored.
    pub fn start(&mut self, place: Place) {
        self.down.retain(|&one| one != place);
    }
    /// Member `number` goes down by itself.
    pub fn stop_member(&mut self, number: u16) {
        self.stopped.push(number);
    }

    /// Member `number` is back with what it had stored.
    pub fn start_member(&mut self, number: u16) {
        self.stopped.retain(|&one| one != number);
    }
}
