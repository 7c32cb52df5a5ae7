//! What programs take of their machines: asked by anybody, decided by nobody here.

use super::World;
use super::nodes::{Nodes, Power};
use super::requests::Sink;
use crate::api::node::Node;
use crate::api::pod::{Pod, TerminationReason};
use crate::base::Id;
use crate::compute::shares::{Seat, asked, seat};
use crate::messages::app::App;
use crate::messages::usage::CORE;
use crate::node::NodeIndex;
use crate::node::container_engine::simulated::{Resident, RunningProgram};
use crate::time::{SimDuration, SimTime};
use crate::traffic::{Harm, Harmed, Traffic};

/// How many spans of a while are told apart where processor time is short; the rest is taken as one.
const SPANS_MAX: u32 = 4096;

/// What a container's program took of its machine over a while.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ContainerUsage {
    /// Since when it runs: counters of processor time begin there.
    pub since: SimTime,
    /// The while: what was asked for, or what of it the program ran.
    pub over: SimDuration,
    /// Time of cores it took in all that while.
    pub cpu: SimDuration,
    /// Bytes of its working set at the end of it.
    pub memory: u64,
}

impl ContainerUsage {
    /// Nano-cores on average; 0 over no time at all.
    pub fn nano_cores(&self) -> u64 {
        if self.over.is_zero() { 0 } else { self.cpu.scaled(CORE, self.over.as_nanos()).as_nanos() }
    }
}

impl World {
    /// Requests ended programs, as the latest fact says.
    #[cold]
    pub(super) fn harm(&mut self, harmed: Vec<Harmed>, sink: Sink<'_>) {
        let cause = self.kernel.facts();
        for Harmed { pod, container, node, harm } in harmed {
            let crash = |app: &App| app.crash.as_ref().map(|crash| crash.exit_code);
            let exit = match harm {
                Harm::Memory => (137, TerminationReason::OomKilled),
                Harm::Crash => {
                    let code = self.nodes.engines.app_of(pod, container).and_then(crash);
                    (code.unwrap_or(1), TerminationReason::Error)
                }
            };
            self.engine(node, cause, sink, |engines, mut bench| {
                engines.kill_program(pod, container, exit, &mut bench);
            });
        }
    }

    /// What the program of a pod's container took from `from` to `to`, its requests included: nothing is
    /// kept for it, so asking changes nothing. The latest three minutes can be asked of, `to` not after
    /// now. `None`: it does not run, or did not by then.
    ///
    /// Where the programs of a node want more than it has, each gets its share by `cpu.shares`: what it ran is
    /// told, not what it asked for. (Programs whose containers are gone are forgotten.)
    pub fn usage(
        &self,
        pod: Id<Pod>,
        container: u16,
        from: SimTime,
        to: SimTime,
    ) -> Option<ContainerUsage> {
        let program = self.nodes.engines.running(pod, container)?;
        let node = self.nodes.engines.node_of_pod(pod)?;
        let traffic = self.traffic.as_deref();
        of_program(&program, (&self.nodes, traffic), (node, pod, container), (from, to))
    }

    /// Whether the kubelet of a node runs, so that it answers.
    pub fn kubelet_runs(&self, node: Id<Node>) -> bool {
        self.nodes.of(node).is_some_and(|at| self.nodes.row(at).power == Power::On)
    }
}

/// What the program of a pod's container took of its node.
pub(super) fn of_program(
    program: &RunningProgram,
    (nodes, traffic): (&Nodes, Option<&Traffic>),
    (node, pod, container): (NodeIndex, Id<Pod>, u16),
    (from, to): (SimTime, SimTime),
) -> Option<ContainerUsage> {
    let alone = alone(program, traffic, (pod, container), (from, to))?;
    if !may_be_short((nodes, traffic), node, from) {
        return Some(alone);
    }
    let cpu = ran(nodes, traffic, (node, pod, container), (from, to)).unwrap_or(alone.cpu);
    Some(ContainerUsage { cpu, ..alone })
}

/// Whether programs of a node may have wanted more processor time than it has since an instant.
pub(super) fn may_be_short(
    (nodes, traffic): (&Nodes, Option<&Traffic>),
    node: NodeIndex,
    since: SimTime,
) -> bool {
    let was_crowded = traffic.is_some_and(|traffic| traffic.was_crowded(node, since));
    (was_crowded || nodes.engines.may_be_short(node, since)) && nodes.engines.is_watched(node)
}

/// How long the program of a container ran on a node where there may not have been enough for all: its share of each
/// span in which all programs there take what they take evenly.
#[cold]
fn ran(
    nodes: &Nodes,
    traffic: Option<&Traffic>,
    (node, pod, container): (NodeIndex, Id<Pod>, u16),
    (from, to): (SimTime, SimTime),
) -> Option<SimDuration> {
    let (cores, _) = nodes.engines.cpu_at_most(node);
    let residents = nodes.engines.residents(node, from);
    let own =
        residents.iter().position(|it| (it.seat.pod, it.seat.container) == (pod, container))?;
    // What its requests took, evenly from when it began.
    let by_requests: Vec<(SimDuration, SimDuration)> = residents
        .iter()
        .map(|one| {
            let which = (one.seat.pod, one.seat.container);
            let over = (from, to.min(one.ended));
            let all = alone(&one.program, traffic, which, over);
            let all = all.map_or((SimDuration::ZERO, SimDuration::ZERO), |it| (it.cpu, it.over));
            (all.0.saturating_sub(one.program.cpu(from, over.1)), all.1)
        })
        .collect();
    let mut total = SimDuration::ZERO;
    let mut at = from.max(residents[own].program.since);
    for left in (0..SPANS_MAX).rev() {
        if at >= to {
            break;
        }
        let end = if left == 0 { to } else { evenly_until(&residents, at, to) };
        let span = end - at;
        let taken = |(one, (requests, over)): (&Resident, &(SimDuration, SimDuration))| {
            let (begin, stop) = (at.max(one.program.since), end.min(one.ended));
            let within = stop.saturating_since(begin);
            let part = match over.is_zero() {
                true => SimDuration::ZERO,
                false => requests.scaled(within.as_nanos(), over.as_nanos()),
            };
            let limit =
                one.program.cpu_limit.map_or(SimDuration::MAX, |it| within.scaled(it, CORE));
            let wants = (one.program.cpu(at, stop) + part).as_nanos();
            Seat { wants, limit: limit.as_nanos(), ..one.seat }
        };
        let seats: Vec<Seat> = residents.iter().zip(&by_requests).map(taken).collect();
        let whole = span.scaled(cores, CORE).as_nanos();
        let got = match asked(&seats) <= whole {
            true => seats[own].asks(),
            false => seat(whole, &seats)[own],
        };
        total += SimDuration::from_nanos(got);
        at = end;
    }
    Some(total)
}

/// Up to when, at most, programs take what they take at an instant: to the next bend of any of them, and no further
/// than a second where one goes up or down.
fn evenly_until(residents: &[Resident], at: SimTime, most: SimTime) -> SimTime {
    let mut end = most;
    let mut is_even = true;
    for one in residents {
        let course = &one.program.usage.cpu.course;
        let (since, ended) = (one.program.since, one.ended);
        let later = |instant: SimTime| if instant > at { instant } else { most };
        end = end.min(later(since)).min(later(ended));
        if since <= at && at < ended {
            let age = at - since;
            let bend = course.bends_after(age).map_or(most, |bend| since + bend);
            end = end.min(bend.max(at + SimDuration::from_nanos(1)));
            let last = (end - since).saturating_sub(SimDuration::from_nanos(1));
            is_even &= course.at(age) == course.at(last);
        }
    }
    if is_even { end } else { end.min(at + SimDuration::from_secs(1)) }
}

/// What a program would take if it were alone on its node.
fn alone(
    program: &RunningProgram,
    traffic: Option<&Traffic>,
    (pod, container): (Id<Pod>, u16),
    (from, to): (SimTime, SimTime),
) -> Option<ContainerUsage> {
    let from = from.max(program.since);
    if to < from {
        return None;
    }
    let over = to - from;
    let spent = |at| {
        let spent = traffic.and_then(|traffic| traffic.spent(pod, container, at));
        spent.filter(|_| at > program.since).unwrap_or_default()
    };
    let (before, after) = (spent(from), spent(to));
    // Requests are told of by the whole second; over so many seconds as that makes, the rate is right.
    let seconds = to.as_secs().saturating_sub(from.as_secs());
    let by_requests = if seconds == 0 {
        SimDuration::ZERO
    } else {
        let nanos = after.cpu.saturating_sub(before.cpu) / u128::from(seconds);
        let rate = SimDuration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        rate.scaled(over.as_nanos(), CORE)
    };
    let most = program.cpu_limit.map_or(SimDuration::MAX, |limit| over.scaled(limit, CORE));
    let held = program.usage.memory.per_request.saturating_mul(after.inside.into());
    Some(ContainerUsage {
        since: program.since,
        over,
        cpu: (program.cpu(from, to) + by_requests).min(most),
        memory: program.memory(to).saturating_add(held),
    })
}
