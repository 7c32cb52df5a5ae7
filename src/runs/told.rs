//! A run once more, as far as the decisions about one pod that somebody asks about.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::one::Progress;
use crate::api::kind::Kind;
use crate::api::name::Name;
use crate::cluster::plan::Plan;
use crate::cluster::{Watching, World};
use crate::control_plane::scheduler::telling::{Asked, Telling};
use crate::kernel::{Engine, FactSink, Order, PULSE};
use crate::messages::{Fact, Verb};
use crate::time::SimTime;

/// Decisions kept: of more, the latest.
const DECISIONS_MAX: usize = 64;

/// A decision about a pod that became a fact.
#[derive(Clone, Debug)]
pub struct Decided {
    /// The number of the fact that tells of it: the pod was bound, or found no node.
    pub fact: u64,
    /// The node it was bound to, as the fact says.
    pub node: Option<Name>,
    /// How it came about.
    pub telling: Telling,
}

/// Facts of one step about the pod's placing.
struct Placings<'a> {
    about: &'a Asked,
    seen: Vec<(u64, Option<Name>)>,
    last: u64,
}

impl FactSink<Fact> for Placings<'_> {
    fn record(&mut self, _at: SimTime, number: u64, _cause: u64, fact: &Fact) {
        self.last = number;
        let (object, about) = (&fact.object, self.about);
        let is_it = object.kind == Kind::Pod
            && object.name == about.name
            && object.namespace == about.namespace;
        if is_it && matches!(fact.verb, Verb::Bound | Verb::Unschedulable) {
            self.seen.push((number, fact.node.clone()));
        }
    }
}

/// Runs `plan` as far as fact number `last` and tells how each decision about a pod came about that
/// became a fact; attempts that brought no news are left out. `tell` hears from time to time how far
/// it is. Where `interrupt` is set before the end, there is no answer.
pub fn decisions(
    plan: &Arc<Plan>,
    about: &Asked,
    last: u64,
    interrupt: &AtomicBool,
    tell: &mut dyn FnMut(Progress),
) -> Option<Vec<Decided>> {
    let mut facts = Placings { about, seen: Vec::new(), last: 0 };
    let watching = Watching { asked: Some(about.clone()), ..Watching::default() };
    let mut world = World::watched(plan.clone(), watching, Order::Fifo, &mut facts);
    let (until, mut calls) = (plan.end.until(), Vec::new());
    let (mut latest, mut decided): (Option<Telling>, Vec<Decided>) = (None, Vec::new());
    loop {
        // A fact tells of a decision of an earlier step: a cycle takes its time.
        for (fact, node) in facts.seen.drain(..) {
            let Some(telling) = latest.take() else { continue };
            if decided.len() == DECISIONS_MAX {
                decided.remove(0);
            }
            decided.push(Decided { fact, node, telling });
        }
        latest = world.take_tellings().pop().or(latest);
        let is_next = world.next_at().is_some_and(|next| next <= until);
        if facts.last >= last || !is_next {
            return Some(decided);
        }
        if world.events().is_multiple_of(PULSE) {
            if interrupt.load(Ordering::Relaxed) {
                return None;
            }
            let (now, events, digest) = (world.now(), world.events(), world.digest());
            tell(Progress { now, events, digest });
        }
        world.step(until, &mut facts, &mut calls);
    }
}
