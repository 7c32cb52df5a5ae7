//! API servers and etcd's members as processes: up or down, and where.

use super::cores::Cores;
use crate::luck::{Label, Luck};
use crate::net::{Net, Place};
use crate::time::{SimDuration, SimTime};

const DIAL: Label = Label::new("etcd-dial");

/// Whether an API server runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Down,
    /// Its port is open and it does not answer yet; when it will.
    Starting(SimTime),
    Serving,
}

/// An API server instance. Of state it holds what its watch caches have seen, which is what happened
/// since it began to serve; what a request meets is whether it is up, and whether it is still the one
/// it was sent to.
#[derive(Clone, Debug)]
pub struct ApiServer {
    /// Where it runs.
    pub place: Place,
    /// Which life it is in.
    pub life: u32,
    /// Since when it serves in this life.
    pub since: SimTime,
    phase: Phase,
    /// Since when its connection to etcd is gone, as no member was there to hold the other end.
    unlinked: Option<SimTime>,
    /// What its requests share.
    pub cores: Cores,
}

impl ApiServer {
    /// An instance that runs.
    pub fn new(place: Place, cores: Option<u16>) -> ApiServer {
        let (since, phase, unlinked) = (SimTime::ZERO, Phase::Serving, None);
        let cores = Cores::new(cores);
        ApiServer { place, life: 0, since, phase, unlinked, cores }
    }

    /// Whether it answers.
    pub fn is_up(&self) -> bool {
        self.phase == Phase::Serving
    }

    /// It stops; requests on their way are lost.
    pub fn stop(&mut self) {
        self.phase = Phase::Down;
        self.cores.let_go();
    }

    /// Whether it is to be started: neither does it run nor is it about to.
    pub fn is_down(&self) -> bool {
        self.phase == Phase::Down
    }

    /// It starts again, in its next life, and will answer at `ready`.
    pub fn start(&mut self, ready: SimTime) {
        self.phase = Phase::Starting(ready);
        self.life += 1;
    }

    /// When it will answer whoever dials it now, if it is about to start.
    pub fn answers_at(&self) -> Option<SimTime> {
        match self.phase {
            Phase::Starting(ready) => Some(ready),
            Phase::Down | Phase::Serving => None,
        }
    }

    /// It answers from now on, if it is still in that life; says whether it is. It has dialled anew.
    pub fn serve(&mut self, life: u32, now: SimTime) -> bool {
        let begins = self.answers_at().is_some() && self.life == life;
        if begins {
            (self.phase, self.since, self.unlinked) = (Phase::Serving, now, None);
        }
        begins
    }

    /// Whether its connection to etcd stands.
    pub fn is_linked(&self) -> bool {
        self.unlinked.is_none()
    }

    /// No member of etcd is there any more.
    pub fn unlink(&mut self, now: SimTime) {
        self.unlinked.get_or_insert(now);
    }

    /// Its connection to etcd stands again.
    pub fn link(&mut self) {
        self.unlinked = None;
    }

    /// When it dials next, at or after `now`, and finds the members that are back: it has dialled since
    /// its connection went, after waits of 1 s, 1.6 s and so on up to 120 s, each a fifth more or less
    /// (grpc-go's `backoff.DefaultConfig`, which etcd's client leaves as it is; the first is exact).
    /// `None` if it is connected.
    pub fn dials(&self, now: SimTime, luck: Luck, key: u64) -> Option<SimTime> {
        let mut at = self.unlinked?;
        let key = key ^ at.as_nanos();
        let (mut wait, mut tries) = (SimDuration::from_secs(1), 0);
        while at < now {
            let (least, most) = (wait * 4 / 5, wait * 6 / 5);
            let draw = luck.draw(DIAL, key, tries);
            at += if tries == 0 { wait } else { draw.duration_between(least, most) };
            wait = (wait * 8 / 5).min(SimDuration::from_secs(120));
            tries += 1;
        }
        Some(at)
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
    /// Members that stand still, each as often as something holds it.
    frozen: Vec<u16>,
}

impl Etcd {
    /// A member at each of these places.
    pub fn new(members: Vec<Place>) -> Etcd {
        Etcd { members, down: Vec::new(), stopped: Vec::new(), frozen: Vec::new() }
    }

    /// Whether an API server at `from` reaches more than half of the members, so that its writes go
    /// through.
    pub fn has_quorum(&self, from: Place, net: &Net) -> bool {
        if self.down.is_empty()
            && self.stopped.is_empty()
            && self.frozen.is_empty()
            && net.is_whole()
        {
            return !self.members.is_empty();
        }
        let answers = |(number, member): &(u16, &Place)| {
            !self.down.contains(member)
                && !self.stopped.contains(number)
                && !self.frozen.contains(number)
                && net.reaches(from, **member)
        };
        let reached = (0..).zip(&self.members).filter(answers).count();
        reached > self.members.len() / 2
    }

    /// Whether any member is there; it may stand still.
    pub fn has_member(&self) -> bool {
        let mut members = (0..).zip(&self.members);
        members.any(|(number, place)| !self.down.contains(place) && !self.stopped.contains(&number))
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

    /// Member `number` stands still.
    pub fn freeze(&mut self, number: u16) {
        self.frozen.push(number);
    }

    /// Something that held member `number` lets go of it.
    pub fn thaw(&mut self, number: u16) {
        if let Some(at) = self.frozen.iter().position(|&one| one == number) {
            self.frozen.swap_remove(at);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The sixth try comes 23.2 to 31.2 s after etcd went, the fifth 14.8 to 19.0 s after.
    #[test]
    fn an_api_server_dials_after_waits_that_grow() {
        let at = SimTime::from_secs;
        let mut tries = Vec::new();
        for seed in 0..200 {
            let mut server = ApiServer::new(Place::Master(0), None);
            assert_eq!(server.dials(at(5), Luck::new(seed), 1), None, "it is connected");
            server.unlink(at(100));
            server.unlink(at(101));
            assert_eq!(server.dials(at(100), Luck::new(seed), 1), Some(at(100)));
            assert_eq!(server.dials(at(101), Luck::new(seed), 1), Some(at(101)));
            let back = server.dials(at(120), Luck::new(seed), 1).expect("it dials") - at(100);
            assert!((20_000..31_500).contains(&back.as_millis()), "seed {seed}: {back:?}");
            tries.push(back);
            server.link();
            assert!(server.is_linked());
        }
        let spread = *tries.iter().max().expect("some") - *tries.iter().min().expect("some");
        assert!(spread > SimDuration::from_secs(4), "waits are drawn");
    }
}
