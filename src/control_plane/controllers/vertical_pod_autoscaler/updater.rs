//! The updater: pods that are off what is recommended are evicted or resized, as their owners can bear it
//! (vertical-pod-autoscaler pkg/updater/logic, pkg/updater/restriction).
//!
//! ```text
//! InPlaceOrRecreate:  off ─▶ resize ─┬─ done
//!                                    ├─ refused, infeasible, or deferred for 5 min, or under way for 1 h ─▶ evicted
//! Recreate, Auto:     off ───────────┴─────────────────────────────────────────────────────────────────▶ evicted
//! ```

use std::collections::BTreeMap;

use super::update::{self, Flock, Priority};
use super::{Known, Timer, is_live, pods_of, target_of};
use crate::api::daemon_set::DaemonSet;
use crate::api::edit::resized;
use crate::api::kind::Kind;
use crate::api::meta::{ObjectName, Owner, RawId, Uid};
use crate::api::misc::Other;
use crate::api::name::Text;
use crate::api::object::Object;
use crate::api::pod::{Container, Phase, Pod};
use crate::api::stateful_set::StatefulSet;
use crate::api::validation::gates::Gates;
use crate::api::vertical::{Mode, Vertical};
use crate::api::workload::ReplicaSet;
use crate::base::id::Id;
use crate::control_plane::controllers::Which;
use crate::control_plane::controllers::events::Events;
use crate::control_plane::controllers::workqueue::Tag;
use crate::messages::{About, Call, ClientId, Component, Effects, Fact, Part, Remark, Reply, Verb};
use crate::store::targets;
use crate::time::SimTime;

/// What is done with a pod.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Deed {
    Evict,
    Resize,
}

/// A call under way.
#[derive(Clone, Debug)]
struct Flight {
    pod: Id<Pod>,
    deed: Deed,
    about: About,
    vertical: About,
}

/// An autoscaler that acts on its pods.
struct Acting<'a> {
    held: &'a Other,
    vertical: Vertical,
}

/// The updater.
#[derive(Clone, Debug)]
pub struct Updater {
    client: ClientId,
    /// Pods that are being resized, since when.
    resizing: BTreeMap<Id<Pod>, SimTime>,
    /// By the pod's slot.
    flights: BTreeMap<u32, Flight>,
    pub(in super::super) events: Events,
}

impl Updater {
    /// One that sends by `client`.
    pub fn new(client: ClientId) -> Updater {
        let (resizing, flights) = (BTreeMap::new(), BTreeMap::new());
        Updater { client, resizing, flights, events: Events::new(Which::Verticals, client) }
    }

    /// A pass over all autoscalers.
    pub fn pass(
        &mut self,
        verticals: impl Iterator<Item = Id<Other>>,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        self.resizing.retain(|&id, _| {
            let pod = known.view.get(id).filter(|pod| !pod.meta.is_terminating());
            pod.is_some_and(|pod| !update::is_resized(pod))
        });
        for acting in acting(verticals, known) {
            if !acting.vertical.recommended.is_empty() {
                self.update(&acting, known, fx);
            }
        }
    }

    fn update(&mut self, acting: &Acting<'_>, known: Known<'_>, fx: &mut Effects<Timer>) {
        let Acting { held, vertical } = acting;
        let pods = controlled(vertical, &held.meta.namespace, known);
        let required = vertical.min_replicas.unwrap_or(update::REPLICAS);
        let mut flocks = flocks(&pods, required, known);
        let mut wanted: Vec<(Priority, Id<Pod>, &Pod)> = pods
            .iter()
            .map(|&(id, pod)| (update::priority(vertical, pod), id, pod))
            .filter(|(priority, _, pod)| update::is_wanted(vertical, pod, *priority, fx.now()))
            .collect();
        // Who is to grow comes first, then who is furthest off.
        wanted.sort_by(|(a, ..), (b, ..)| b.grows.cmp(&a.grows).then(b.off.total_cmp(&a.off)));
        for (_, id, pod) in wanted {
            let flock = pod.meta.owner.and_then(|owner| flocks.get_mut(&owner.uid));
            let Some(flock) = flock.filter(|_| !self.flights.contains_key(&(id.slot() as u32)))
            else {
                continue;
            };
            let call = match vertical.mode {
                Mode::InPlace => self.in_place(acting, (id, pod), *flock, fx.now()),
                _ if update::is_resizing(pod) => self.instead((id, pod), *flock, fx.now()),
                _ => flock.may_lose(pod).then_some(Call::Evict { pod: id }),
            };
            let Some(call) = call else { continue };
            flock.evicted += i32::from(pod.status.phase != Phase::Pending);
            let deed = match call {
                Call::Evict { .. } => Deed::Evict,
                _ => Deed::Resize,
            };
            if deed == Deed::Resize {
                self.resizing.entry(id).or_insert(fx.now());
            }
            fx.fact(outgrown(pod));
            let about = About::of(Kind::Pod, &pod.meta);
            let vertical = About::of(Kind::VerticalPodAutoscaler, &held.meta);
            self.send(Flight { pod: id, deed, about, vertical }, call, fx);
        }
    }

    fn send(&mut self, flight: Flight, call: Call, fx: &mut Effects<Timer>) {
        let slot = flight.pod.slot() as u32;
        self.flights.insert(slot, flight);
        fx.send(self.client, Tag::Sync(0, slot, 0).pack(), call);
    }

    /// What is to be done with a pod that is to be resized: nothing, while its node is at it.
    fn in_place(
        &mut self,
        acting: &Acting<'_>,
        (id, pod): (Id<Pod>, &Pod),
        flock: Flock,
        now: SimTime,
    ) -> Option<Call> {
        if update::is_resizing(pod) {
            return self.instead((id, pod), flock, now);
        }
        if pod.status.phase == Phase::Pending || !flock.may_be_disturbed() {
            return None;
        }
        let name = acting.held.meta.name.to_string();
        let edit = |whole: &mut serde_json::Value| {
            let Some(spec) = whole.get_mut("spec") else { return };
            let Ok(mut written) = serde_json::from_value(spec.clone()) else { return };
            if acting.vertical.fill(&name, &mut written).is_some()
                && let Ok(next) = serde_json::to_value(written)
            {
                *spec = next;
            }
        };
        match resized(&Object::Pod(Box::new(pod.clone())), Gates::default(), edit) {
            Ok(Object::Pod(next)) if next.spec != pod.spec => {
                let (object, base, part) = (Object::Pod(next), None, Part::Resize);
                Some(Call::Update { id: id.into(), object, base, part })
            }
            Ok(_) => None,
            Err(_) => Some(Call::Evict { pod: id }),
        }
    }

    /// A pod that is being resized goes if that does not come to an end.
    fn instead(&mut self, (id, pod): (Id<Pod>, &Pod), flock: Flock, now: SimTime) -> Option<Call> {
        let asked = *self.resizing.entry(id).or_insert(now);
        let is_due = flock.may_be_disturbed() && update::is_stuck(pod, asked, now);
        is_due.then_some(Call::Evict { pod: id })
    }

    /// A reply to a call of a pass. Who cannot be resized is evicted; what else did not get through is tried again
    /// in the next pass.
    pub fn reply(&mut self, reply: &Reply, fx: &mut Effects<Timer>) {
        let Tag::Sync(_, slot, _) = Tag::unpack(reply.tag) else {
            return self.events.reply(reply.result.as_ref().map(drop), fx);
        };
        let Some(flight) = self.flights.remove(&slot) else { return };
        match (flight.deed, &reply.result) {
            (Deed::Evict, Ok(_)) => {
                let of_pod = "Pod was evicted by VPA Updater to apply resource recommendation.";
                let name = flight.about.name.to_string();
                self.say(flight.about, fx, || Remark::normal("EvictedByVPA", of_pod));
                self.say(flight.vertical, fx, || {
                    let words =
                        format!("VPA Updater evicted Pod {name} to apply resource recommendation.");
                    Remark::normal("EvictedPod", words)
                });
            }
            (Deed::Resize, Ok(_)) => {
                let words = "Pod was resized in place by VPA Updater.";
                self.say(flight.about, fx, || Remark::normal("InPlaceResizedByVPA", words));
            }
            (Deed::Resize, Err(_)) => {
                let pod = flight.pod;
                self.resizing.remove(&pod);
                let call = Call::Evict { pod };
                self.send(Flight { deed: Deed::Evict, ..flight }, call, fx);
            }
            (Deed::Evict, Err(_)) => {}
        }
    }

    fn say(&mut self, about: About, fx: &mut Effects<Timer>, remark: impl FnOnce() -> Remark) {
        let Some(uid) = about.uid else { return };
        self.events.say(uid, fx, || (Some(about), remark()));
    }
}

/// The autoscalers that act on pods: of those of one target the first made, then the first by name
/// (pkg/utils/vpa/api.go).
fn acting<'a>(verticals: impl Iterator<Item = Id<Other>>, known: Known<'a>) -> Vec<Acting<'a>> {
    let mut by_target: BTreeMap<(Text, Text, Text), Acting<'a>> = BTreeMap::new();
    for id in verticals {
        let Some(held) = known.view.get(id) else { continue };
        let Ok(vertical) = Vertical::of(held) else { continue };
        if !matches!(vertical.mode, Mode::Recreate | Mode::InPlace) {
            continue;
        }
        let target = &vertical.target;
        let key = (held.meta.namespace.clone(), target.kind.clone(), target.name.clone());
        let rank = |it: &Other| (it.meta.created.as_secs(), it.meta.name.to_string());
        let is_stronger = by_target.get(&key).is_none_or(|other| rank(held) < rank(other.held));
        if is_stronger {
            by_target.insert(key, Acting { held, vertical });
        }
    }
    by_target.into_values().collect()
}

/// The pods an autoscaler acts on: those below its target.
fn controlled<'a>(vertical: &Vertical, space: &Text, known: Known<'a>) -> Vec<(Id<Pod>, &'a Pod)> {
    let Ok(target) = target_of(vertical, space, known) else { return Vec::new() };
    let mut pods = pods_of(&target, space, known);
    pods.retain(|(_, pod)| {
        let top = targets::topmost(known.view, pod.meta.owner);
        let wanted = &vertical.target;
        is_live(pod)
            && top.is_some_and(|(kind, name)| *kind.name() == *wanted.kind && name == *wanted.name)
    });
    pods
}

/// That a pod asks for something else than is recommended, for people.
fn outgrown(pod: &Pod) -> Fact {
    let name = ObjectName::of(Kind::Pod, &pod.meta);
    let asked = |of: fn(&Container) -> i64| pod.spec.containers.iter().map(of).sum::<i64>();
    Fact::new(Component::VerticalPodAutoscaler, Verb::Outgrown, name)
        .with("cpu_milli", asked(|it| it.requests.cpu_milli))
        .with("memory", asked(|it| it.requests.memory))
}

/// The pods by their owners, where there are enough of them.
fn flocks(pods: &[(Id<Pod>, &Pod)], required: i32, known: Known<'_>) -> BTreeMap<Uid, Flock> {
    let mut flocks: BTreeMap<Uid, (Owner, i32, i32)> = BTreeMap::new();
    for (_, pod) in pods {
        let Some(owner) = pod.meta.owner else { continue };
        let (_, there, running) = flocks.entry(owner.uid).or_insert((owner, 0, 0));
        *there += 1;
        *running += i32::from(pod.status.phase != Phase::Pending);
    }
    let flock = |(uid, (owner, there, running)): (Uid, (Owner, i32, i32))| {
        let wanted = replicas(owner, there, known)?;
        let is_enough = there >= required && wanted > 0;
        is_enough.then_some((uid, Flock { wanted, running, evicted: 0 }))
    };
    flocks.into_iter().filter_map(flock).collect()
}

/// How many pods an owner is to have; a Job has what is there.
fn replicas(owner: Owner, there: i32, known: Known<'_>) -> Option<i32> {
    let at: RawId = owner.at;
    match owner.kind {
        Kind::ReplicaSet | Kind::ReplicationController => {
            known.view.get::<ReplicaSet>(at.typed()).map(|it| it.replicas)
        }
        Kind::StatefulSet => known.view.get::<StatefulSet>(at.typed()).map(|it| it.replicas),
        Kind::DaemonSet => known.view.get::<DaemonSet>(at.typed()).map(|it| it.status.ready),
        _ => Some(there),
    }
}
