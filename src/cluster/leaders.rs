//! Who leads: the candidacy of each scheduler and controller manager, and the renewals of those that
//! won.
//!
//! Owns who holds which Lease and whether renewals arrive; what a candidate does is `election`'s, what
//! leading means the process's. Renewals are no events: a candidate is woken only when the holder has
//! fallen silent. Explicit fidelity runs each renewal and each look, and comes to the same.
//!
//! ```text
//! process --stands--> candidate --lead--> holder --killed, cut off--> silent --> candidates are told
//!    ^                                       `---- no renewal for 10 s: it exits and is started anew
//!    `-------------------------------------------------------------------'
//! ```

use super::event::Event;
use super::heartbeats::{Pulse, Way};
use super::processes::{ProcessId, Readiness, State};
use super::requests::Sink;
use super::{Duty, World};
use crate::api::meta::Meta;
use crate::api::misc::{Lease, Namespace};
use crate::api::name::Name;
use crate::api::object::Object;
use crate::base::hash::hash_text;
use crate::control_plane::election::{self, Election};
use crate::control_plane::scheduler::Leading;
use crate::kernel::{Fidelity, NO_CAUSE};
use crate::messages::{Component, Effects, Reply};
use crate::store::{Cursors, TableKind, View};
use crate::time::{SimDuration, SimTime};

/// What one instance of several leads in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Post {
    /// Scheduling.
    Scheduler,
    /// Controlling.
    ControllerManager,
}

impl Post {
    const ALL: [Post; 2] = [Post::Scheduler, Post::ControllerManager];

    fn of(id: ProcessId) -> Post {
        match id {
            ProcessId::Scheduler(_) => Post::Scheduler,
            ProcessId::Manager(_) => Post::ControllerManager,
        }
    }

    /// The name of its Lease, which is that of its program.
    fn lease(self) -> &'static str {
        match self {
            Post::Scheduler => "kube-scheduler",
            Post::ControllerManager => "kube-controller-manager",
        }
    }

    fn component(self) -> Component {
        match self {
            Post::Scheduler => Component::Scheduler,
            Post::ControllerManager => Component::ControllerManager,
        }
    }
}

#[derive(Clone, Debug)]
struct Holder {
    of: ProcessId,
    candidacy: u8,
    pulse: Pulse,
    /// What silenced it: whoever takes over does so because of this fact.
    silenced_by: u64,
}

/// The holders of all posts.
#[derive(Clone, Debug)]
pub struct Leaders {
    holders: [Option<Holder>; Post::ALL.len()],
    way: Way,
}

impl Leaders {
    /// Nobody leads yet; renewals go this way.
    pub fn new(way: Way) -> Leaders {
        Leaders { holders: [None, None], way }
    }

    /// Explicit fidelity: a holder sends renewal `k` now.
    pub fn renew(&mut self, post: Post, k: u64) {
        if let Some(holder) = &mut self.holders[post as usize] {
            holder.pulse.renew(k, &self.way);
        }
    }

    /// When the holder's latest renewal arrived, seen at `now`.
    fn renewed(&self, post: Post, now: SimTime) -> Option<SimTime> {
        self.holders[post as usize].as_ref()?.pulse.last_heard(now, &self.way)
    }

    /// When the Lease of the latest holder that fell silent runs out; the start if none did.
    fn lost_at(&self, now: SimTime, lease: SimDuration) -> SimTime {
        let silent = Post::ALL.into_iter().filter(|&post| self.is_silent(post));
        let lost = silent.filter_map(|post| self.renewed(post, now)?.checked_add(lease));
        lost.max().unwrap_or(SimTime::ZERO)
    }

    /// Whether no renewal will come as things stand.
    fn is_silent(&self, post: Post) -> bool {
        self.holders[post as usize].as_ref().is_none_or(|holder| !holder.pulse.is_heard())
    }
}

impl World {
    /// When the Leases of leaders that fell silent run out, so that others notice.
    pub(super) fn leaders_lost_at(&self, now: SimTime) -> SimTime {
        self.leaders.lost_at(now, election::Settings::default().lease)
    }

    /// A process stands as a candidate; its first look is now.
    pub(super) fn stand(&mut self, id: ProcessId, cause: u64, sink: Sink<'_>) {
        let election = self.new_candidate(id);
        self.process_mut(id).election = Some(election);
        self.elect(id, cause, sink, |election, _, fx| election.begin(fx));
    }

    /// Processes that stand by and have not seen their Lease yet do so once an API server answers
    /// them: the time after which a Lease is over counts from there, as client-go counts it.
    pub(super) fn stand_where_reached(&mut self, cause: u64, sink: Sink<'_>) {
        for id in self.processes() {
            let process = self.process(id);
            let waits = process.state == State::StandingBy && process.election.is_none();
            if waits && self.server_for(process.place, id.key()).is_some() {
                self.stand(id, cause, sink);
            }
        }
    }

    fn new_candidate(&mut self, id: ProcessId) -> Election {
        let post = Post::of(id);
        let process = self.process_mut(id);
        process.candidacy = process.candidacy.wrapping_add(1);
        let number = match id {
            ProcessId::Scheduler(at) | ProcessId::Manager(at) => at,
        };
        let identity = format!("{}-{number}_{}", post.lease(), process.candidacy);
        let client = process.candidate;
        let (settings, fidelity) = (election::Settings::default(), self.plan.fidelity);
        let component = post.component();
        Election::new(component, client, post.lease(), &identity, settings, fidelity, self.luck)
    }

    /// The first instance of each kind leads from the start, as its Lease says.
    pub(super) fn seat(&mut self, id: ProcessId, sink: Sink<'_>) {
        let election = self.new_candidate(id).seated(SimTime::ZERO);
        let (namespace, name) = (election::NAMESPACE, Post::of(id).lease());
        if self.store.find::<Namespace>("", namespace).is_none() {
            let meta = Meta::new("".into(), namespace.into());
            self.put(Object::Namespace(Box::new(Namespace::new(meta))), sink);
        }
        let lease = |meta| Lease {
            meta,
            holder: election.identity().clone(),
            acquired: SimTime::ZERO,
            renewed: SimTime::ZERO,
            transitions: 0,
        };
        let held = self.store.find::<Lease>(namespace, name);
        match held.and_then(|id| Some((id, self.store.get(id)?.meta.clone()))) {
            Some((id, meta)) => {
                self.store.update(SimTime::ZERO, id, lease(meta));
                self.observe(NO_CAUSE);
            }
            None => {
                let meta = Meta::new(namespace.into(), Name::new(name));
                self.put(Object::Lease(Box::new(lease(meta))), sink);
            }
        }
        self.process_mut(id).election = Some(election);
        self.hold(id);
    }

    /// Lets a candidate do something, and carries out what it wishes.
    fn elect(
        &mut self,
        id: ProcessId,
        cause: u64,
        sink: Sink<'_>,
        work: impl FnOnce(&mut Election, &View<'_>, &mut Effects<election::Timer>),
    ) {
        let Some(mut election) = self.process_mut(id).election.take() else { return };
        let now = self.kernel.now();
        let mut fx = std::mem::take(&mut self.buffers.election);
        fx.begin(now, cause, self.kernel.facts() + 1);
        // It reads its Lease, it does not watch it: it sees the present.
        let mut cursors = Cursors::default();
        cursors.set(TableKind::Lease, Some(self.observed.cursor(TableKind::Lease)));
        let led = election.leads();
        work(&mut election, &View::new(now, &self.store, &cursors), &mut fx);
        let (leads, is_lost) = (election.leads(), election.is_lost());
        let cause = fx.cause();
        let process = self.process_mut(id);
        process.election = Some(election);
        let candidacy = process.candidacy;
        self.carry_out(&mut fx, sink, |kernel, at, cause, timer| match timer {
            election::Timer::Look { .. } => {
                kernel.recurring.once(now, Duty::Look(id, candidacy, timer), at);
            }
            election::Timer::GiveUp => {
                kernel.schedule(at, cause, Event::Election(id, candidacy, timer));
            }
        });
        self.buffers.election = fx;
        if leads && !led {
            self.takes_over(id, cause, sink);
        } else if is_lost {
            // Its process exits, and is started again.
            self.kill(id);
            self.start(cause, id, Readiness::AfterSync, sink);
            self.hear_leaders(cause, sink);
        }
    }

    /// Takes note that `id` holds its Lease from now on.
    fn hold(&mut self, id: ProcessId) {
        let (post, now) = (Post::of(id), self.kernel.now());
        let process = self.process(id);
        let Some(election) = &process.election else { return };
        let Some(cadence) = election.renewals() else { return };
        let pulse = Pulse::new(hash_text(election.identity()), cadence, now);
        let holder = Holder { of: id, candidacy: process.candidacy, pulse, silenced_by: NO_CAUSE };
        self.leaders.holders[post as usize] = Some(holder);
        if self.plan.fidelity == Fidelity::Explicit {
            self.kernel.recurring.declare(now, Duty::Leader(post), cadence);
        }
    }

    fn takes_over(&mut self, id: ProcessId, cause: u64, sink: Sink<'_>) {
        self.hold(id);
        match (id, self.process(id).state) {
            (ProcessId::Scheduler(at), State::Running) => {
                self.scheduler(at, cause, sink, |it, _, view, fx| it.lead(Leading::Yes, view, fx));
            }
            (ProcessId::Manager(_), State::StandingBy) => {
                self.fill_caches(cause, id, Readiness::AfterSync);
            }
            _ => {}
        }
        self.hear_leaders(cause, sink);
    }

    /// A look of a candidate: it comes of what silenced the holder.
    pub(super) fn look(
        &mut self,
        id: ProcessId,
        candidacy: u8,
        timer: election::Timer,
        sink: Sink<'_>,
    ) {
        let holder = self.leaders.holders[Post::of(id) as usize].as_ref();
        let cause = holder.map_or(NO_CAUSE, |holder| holder.silenced_by);
        self.election_timer(id, candidacy, cause, timer, sink);
    }

    /// A timer of a candidate.
    pub(super) fn election_timer(
        &mut self,
        id: ProcessId,
        candidacy: u8,
        cause: u64,
        timer: election::Timer,
        sink: Sink<'_>,
    ) {
        if self.process(id).candidacy != candidacy {
            return;
        }
        let renewed = self.leaders.renewed(Post::of(id), self.kernel.now());
        self.elect(id, cause, sink, |election, view, fx| election.timer(timer, renewed, view, fx));
        self.await_takeover(id, cause, sink);
    }

    /// An answer to a candidate.
    pub(super) fn candidate_reply(
        &mut self,
        id: ProcessId,
        cause: u64,
        reply: &Reply,
        sink: Sink<'_>,
    ) {
        self.elect(id, cause, sink, |election, _, fx| election.reply(reply, fx));
    }

    /// Who stands by before a silent holder looks when its Lease is over. In explicit fidelity it
    /// looks all the time.
    fn await_takeover(&mut self, id: ProcessId, cause: u64, sink: Sink<'_>) {
        let post = Post::of(id);
        let stands_by = self.process(id).election.as_ref().is_some_and(Election::stands_by);
        if !stands_by || !self.leaders.is_silent(post) || self.plan.fidelity == Fidelity::Explicit {
            return;
        }
        let renewed = self.leaders.renewed(post, SimTime::MAX).unwrap_or(SimTime::ZERO);
        // Somebody may have taken the Lease and died before it knew: then it is the Lease that tells.
        let held = self.store.find::<Lease>(election::NAMESPACE, post.lease());
        let taken = held.and_then(|id| self.store.get(id)).map(|lease| lease.renewed);
        let renewed = renewed.max(taken.unwrap_or(SimTime::ZERO));
        self.elect(id, cause, sink, |election, _, fx| election.silent(renewed, fx));
    }

    /// A fault began or ended, or somebody took over: holders fall silent or are heard again.
    pub(super) fn hear_leaders(&mut self, cause: u64, sink: Sink<'_>) {
        let now = self.kernel.now();
        let back = self.look_whether_they_see(now);
        for post in Post::ALL {
            let Some(holder) = &self.leaders.holders[post as usize] else { continue };
            let (id, candidacy) = (holder.of, holder.candidacy);
            let process = self.process(id);
            let is_alive = process.candidacy == candidacy && process.election.is_some();
            let is_heard = is_alive && self.server_for(process.place, id.key()).is_some();
            let Leaders { holders, way } = &mut self.leaders;
            let Some(holder) = &mut holders[post as usize] else { continue };
            if is_heard {
                holder.pulse.speak(now);
                continue;
            }
            let Some(renewed) = holder.pulse.fall_silent(now, way) else { continue };
            holder.silenced_by = cause;
            if is_alive {
                self.elect(id, cause, sink, |election, _, fx| election.silent(renewed, fx));
            }
            for other in self.processes() {
                if other != id && Post::of(other) == post {
                    self.await_takeover(other, cause, sink);
                }
            }
        }
        for id in back {
            self.await_takeover(id, cause, sink);
        }
    }

    /// Whether an API server answers the candidates; returns those that one answers again.
    fn look_whether_they_see(&mut self, now: SimTime) -> Vec<ProcessId> {
        let mut back = self.processes();
        back.retain(|&id| {
            let is_served = self.server_for(self.process(id).place, id.key()).is_some();
            match &mut self.process_mut(id).election {
                Some(election) if is_served => election.regain_sight(now),
                Some(election) => {
                    election.lose_sight(now);
                    false
                }
                None => false,
            }
        });
        back
    }
}
