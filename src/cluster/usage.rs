//! What programs take of their machines: asked by anybody, decided by nobody here.

use super::World;
use super::nodes::Nodes;
use super::requests::Sink;
use crate::api::pod::{Pod, TerminationReason};
use crate::base::Id;
use crate::messages::app::App;
use crate::messages::usage::CORE;
use crate::time::{SimDuration, SimTime};
use crate::traffic::{Harm, Harmed, Traffic};

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
    pub fn usage(
        &self,
        pod: Id<Pod>,
        container: u16,
        from: SimTime,
        to: SimTime,
    ) -> Option<ContainerUsage> {
        of(&self.nodes, self.traffic.as_deref(), (pod, container), (from, to))
    }
}

/// The same for whoever holds these parts of the World.
pub(super) fn of(
    nodes: &Nodes,
    traffic: Option<&Traffic>,
    (pod, container): (Id<Pod>, u16),
    (from, to): (SimTime, SimTime),
) -> Option<ContainerUsage> {
    let program = nodes.engines.running(pod, container)?;
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
