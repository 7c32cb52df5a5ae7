//! Leader election by Lease, as client-go 1.36 tools/leaderelection does it: a library for
//! schedulers and controller managers.
//!
//! Owns what one candidate knows of its Lease and when it tries; refuses to know what leading
//! means, and whether renewals arrive: the world tells when the holder's latest one did. A holder
//! renews every 2 s, a candidate looks every 2 to 4.4 s; while renewals arrive neither can change
//! anything and neither is run.
//!
//! ```text
//! candidate ─ Lease free, or unchanged for more than 15 s at a look ─▶ asking ─ ok ─▶ leading
//!     ▲                                                                 │ refused       │
//!     └─────────────────────────────────────────────────────────────────┘   no renewal for 10 s of
//!                                                            lost (it exits) ◀─ trying ─┘
//! ```
//!
//! The candidate's clock is its own: 15 s count from the look at which it first saw a renewal. Its
//! looks are a chain of draws, worked out only where one matters; explicit or not, a look finds
//! the same. A look that no API server answers finds nothing: a renewal that came before counts from
//! the first look afterwards.

use crate::api::kind::Kind;
use crate::api::meta::{Meta, ObjectName};
use crate::api::misc::Lease;
use crate::api::name::{Name, Text};
use crate::api::object::Object;
use crate::kernel::recurring::{Cadence, Fidelity};
use crate::luck::{Label, Luck};
use crate::messages::core_event::Source;
use crate::messages::{
    About, Call, ClientId, Component, CoreEvent, Effects, Fact, Part, Remark, Reply, Verb,
};
use crate::store::View;
use crate::time::{SimDuration, SimTime};

const LOOK: Label = Label::new("election-look");
/// Where Leases of the control plane lie.
pub const NAMESPACE: &str = "kube-system";

/// Times of an election.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// How long an unchanged Lease is respected.
    pub lease: SimDuration,
    /// How long a holder tries to renew before it gives up.
    pub deadline: SimDuration,
    /// From renewal to renewal, and the shortest time between looks.
    pub retry: SimDuration,
    /// What is added to the time between looks at most: 1.2 times `retry`.
    pub jitter: SimDuration,
}

impl Default for Settings {
    /// 15 s, 10 s, 2 s, and up to 2.4 s.
    fn default() -> Settings {
        Settings {
            lease: SimDuration::from_secs(15),
            deadline: SimDuration::from_secs(10),
            retry: SimDuration::from_secs(2),
            jitter: SimDuration::from_millis(2_400),
        }
    }
}

/// A candidate's wish to be woken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer {
    /// Look number `n`: it recurs, so it comes after the ordinary events of its instant.
    Look {
        /// Counted from 0, at the start.
        n: u32,
    },
    /// The holder may have to give up.
    GiveUp,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Candidate,
    Asking,
    Leading { since: SimTime },
    Lost,
}

/// The looks of a candidate: a chain in which each follows from the one before.
#[derive(Clone, Copy, Debug)]
struct Chain {
    n: u32,
    at: SimTime,
}

/// One candidate.
#[derive(Clone, Debug)]
pub struct Election {
    component: Component,
    client: ClientId,
    lease: Text,
    identity: Text,
    settings: Settings,
    fidelity: Fidelity,
    luck: Luck,
    key: u64,
    state: State,
    /// The chain's start, and the latest look that was run.
    start: Chain,
    latest: Chain,
    /// A renewal, and the look that first saw it: where the next walk along the chain begins.
    seen: (SimTime, Chain),
    /// From when until when no API server answers it; the last may go on, to the end of time.
    blind: Vec<(SimTime, SimTime)>,
    /// The look that was asked for last; earlier wishes count no more.
    armed: Option<u32>,
}

impl Election {
    /// A candidate for the Lease called `lease`; `identity` is its own, unlike that of any other
    /// instance before or after it.
    pub fn new(
        component: Component,
        client: ClientId,
        lease: &str,
        identity: &str,
        settings: Settings,
        fidelity: Fidelity,
        luck: Luck,
    ) -> Election {
        let start = Chain { n: 0, at: SimTime::ZERO };
        Election {
            component,
            client,
            lease: lease.into(),
            identity: identity.into(),
            settings,
            fidelity,
            luck,
            key: luck.identity(LOOK, &[lease, identity], 0),
            state: State::Candidate,
            start,
            latest: start,
            seen: (SimTime::ZERO, start),
            blind: Vec::new(),
            armed: None,
        }
    }

    /// The same, leading since `since`: a run begins with a cluster that is up.
    #[must_use]
    pub fn seated(mut self, since: SimTime) -> Election {
        self.state = State::Leading { since };
        self
    }

    /// Whether it stands by for the Lease, with no request for it under way.
    pub fn stands_by(&self) -> bool {
        self.state == State::Candidate
    }

    /// Whether it leads.
    pub fn leads(&self) -> bool {
        matches!(self.state, State::Leading { .. })
    }

    /// Its identity, as a Lease names it.
    pub fn identity(&self) -> &Text {
        &self.identity
    }

    /// When it renews, while it leads; occurrence 0 is the acquisition.
    pub fn renewals(&self) -> Option<Cadence> {
        let State::Leading { since } = self.state else { return None };
        Cadence::new(since, self.settings.retry)
    }

    /// The process starts: the first look is now.
    pub fn begin(&mut self, fx: &mut Effects<Timer>) {
        self.start = Chain { n: 0, at: fx.now() };
        self.latest = self.start;
        self.seen = (SimTime::ZERO, self.start);
        self.arm(self.start, fx);
    }

    fn arm(&mut self, look: Chain, fx: &mut Effects<Timer>) {
        self.armed = Some(look.n);
        fx.arm_at(look.at, Timer::Look { n: look.n });
    }

    fn after(&self, look: Chain) -> Chain {
        let draw = self.luck.draw(LOOK, self.key, u64::from(look.n));
        let Settings { retry, jitter, .. } = self.settings;
        Chain { n: look.n + 1, at: look.at + draw.duration_between(retry, retry + jitter) }
    }

    /// No API server answers it from `now` on.
    pub fn lose_sight(&mut self, now: SimTime) {
        if self.blind.last().is_none_or(|last| last.1 != SimTime::MAX) {
            self.blind.push((now, SimTime::MAX));
        }
    }

    /// An API server answers it; says whether it is again.
    pub fn regain_sight(&mut self, now: SimTime) -> bool {
        let open = self.blind.last_mut().filter(|last| last.1 == SimTime::MAX);
        open.map(|last| last.1 = now).is_some()
    }

    /// The first look at or after `at` that is answered, no earlier than `from`; none as long as nobody
    /// answers.
    fn first_from(&self, mut from: Chain, at: SimTime) -> Option<Chain> {
        loop {
            let blind = self.blind.iter().rev().find(|it| (it.0..it.1).contains(&from.at));
            match blind {
                Some((_, SimTime::MAX)) => return None,
                None if from.at >= at => return Some(from),
                _ => from = self.after(from),
            }
        }
    }

    /// The look at which a Lease last renewed at `renewed` is taken over.
    fn takeover(&mut self, renewed: SimTime) -> Option<Chain> {
        let (known, look) = self.seen;
        let from = if renewed >= known { look } else { self.start };
        let seen = self.first_from(from, renewed)?;
        self.seen = (renewed, seen);
        let end = seen.at + self.settings.lease + SimDuration::from_nanos(1);
        self.first_from(seen, end)
    }

    /// The holder's renewals no longer arrive as things stand; the latest did at `renewed`. For
    /// candidates, and for the holder itself (whose own latest success it is).
    pub fn silent(&mut self, renewed: SimTime, fx: &mut Effects<Timer>) {
        match self.state {
            State::Candidate => {
                let look = self.takeover(renewed);
                if let Some(look) = look.and_then(|look| self.first_from(look, fx.now())) {
                    self.arm(look, fx);
                }
            }
            State::Leading { .. } => fx.arm_at(self.gives_up(renewed), Timer::GiveUp),
            State::Asking | State::Lost => {}
        }
    }

    /// A round of renewal begins one period after the last success and lasts for the deadline.
    fn gives_up(&self, renewed: SimTime) -> SimTime {
        renewed + self.settings.retry + self.settings.deadline
    }

    /// A timer is due; `renewed`: when the holder's latest renewal arrived, if it renews.
    pub fn timer(
        &mut self,
        timer: Timer,
        renewed: Option<SimTime>,
        view: &View<'_>,
        fx: &mut Effects<Timer>,
    ) {
        match timer {
            Timer::Look { n } if self.armed == Some(n) && self.state == State::Candidate => {
                self.armed = None;
                self.latest = Chain { n, at: fx.now() };
                self.look(renewed, view, fx);
            }
            Timer::GiveUp => self.give_up(renewed, fx),
            Timer::Look { .. } => {}
        }
    }

    /// `tryAcquireOrRenew` of a candidate.
    fn look(&mut self, renewed: Option<SimTime>, view: &View<'_>, fx: &mut Effects<Timer>) {
        if self.blind.last().is_some_and(|last| last.1 == SimTime::MAX) {
            return self.look_again(fx);
        }
        let held = view.find::<Lease>(NAMESPACE, &self.lease);
        let held = held.and_then(|id| Some((id, view.version(id)?)));
        let Some((id, (rev, lease))) = held else {
            let lease = self.as_held(None, fx.now());
            self.state = State::Asking;
            return fx.send(self.client, 0, Call::Create(Object::Lease(Box::new(lease))));
        };
        let latest = lease.renewed.max(renewed.unwrap_or(SimTime::ZERO));
        let takeover = self.takeover(latest);
        if !lease.holder.is_empty() && takeover.is_none_or(|it| fx.now() < it.at) {
            return self.look_again(fx);
        }
        self.state = State::Asking;
        let next = self.as_held(Some(lease), fx.now());
        let object = Object::Lease(Box::new(next));
        let call = Call::Update { id: id.into(), object, base: Some(rev), part: Part::Main };
        fx.send(self.client, 0, call);
    }

    /// Explicit fidelity: the next look.
    fn look_again(&mut self, fx: &mut Effects<Timer>) {
        if self.fidelity == Fidelity::Explicit {
            let next = self.after(self.latest);
            self.arm(next, fx);
        }
    }

    fn as_held(&self, from: Option<&Lease>, now: SimTime) -> Lease {
        let fresh = || Meta::new(NAMESPACE.into(), Name::new(self.lease.clone()));
        Lease {
            meta: from.map_or_else(fresh, |lease| lease.meta.clone()),
            holder: self.identity.clone(),
            acquired: now,
            renewed: now,
            transitions: from.map_or(0, |lease| lease.transitions + 1),
        }
    }

    /// The answer to the candidate's request.
    pub fn reply(&mut self, reply: &Reply, fx: &mut Effects<Timer>) {
        if self.state != State::Asking {
            return;
        }
        if reply.result.is_ok() {
            self.state = State::Leading { since: fx.now() };
            self.tell(Verb::Leader, "became leader", fx);
        } else {
            self.state = State::Candidate;
            let next = self.after(self.latest);
            self.arm(next, fx);
        }
    }

    fn give_up(&mut self, renewed: Option<SimTime>, fx: &mut Effects<Timer>) {
        let State::Leading { since } = self.state else { return };
        if fx.now() >= self.gives_up(renewed.unwrap_or(since).max(since)) {
            self.state = State::Lost;
            self.tell(Verb::LeaderLost, "stopped leading", fx);
        }
    }

    /// Whether it has given up leading: its process exits.
    pub fn is_lost(&self) -> bool {
        self.state == State::Lost
    }

    fn tell(&self, verb: Verb, what: &str, fx: &mut Effects<Timer>) {
        let object = ObjectName {
            kind: Kind::Lease,
            namespace: NAMESPACE.into(),
            name: Name::new(self.lease.clone()),
        };
        fx.say(|| {
            let component = match self.component {
                Component::Scheduler => "default-scheduler",
                _ => "kube-controller-manager",
            };
            let remark = Remark::normal("LeaderElection", format!("{} {what}", self.identity));
            let about = About::named(object.clone(), None);
            Some(CoreEvent { source: Source::Core { component, host: None }, about, remark })
        });
        let fact = Fact::new(self.component, verb, object);
        fx.fact(
            fact.on(&Name::new(self.identity.clone())).saying(format!("{} {what}", self.identity)),
        );
    }
}

#[cfg(test)]
mod tests;
