//! What programs take of their machines: asked by anybody, decided by nobody here.

use super::World;
use super::nodes::{Nodes, Power};
use super::requests::Sink;
use crate::api::node::Node;
use crate::api::pod::{Pod, TerminationReason};
use crate::base::Id;
use crate::compute::shares::{Claim, divide, shares_of};
use crate::messages::app::App;
use crate::messages::usage::CORE;
use crate::node::container_engine::simulated::RunningProgram;
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
    ///
    /// Where the programs of a node together want more than it has, each gets its share by `cpu.shares`, on
    /// average over the while. (Requests do not take longer for it: only a limit of their own holds them up.)
    pub fn usage(
        &self,
        pod: Id<Pod>,
        container: u16,
        from: SimTime,
        to: SimTime,
    ) -> Option<ContainerUsage> {
        let alone = of(&self.nodes, self.traffic.as_deref(), (pod, container), (from, to))?;
        let Some((node, beside)) = self.nodes.engines.beside(pod) else { return Some(alone) };
        if !self.nodes.engines.is_watched(node) {
            return Some(alone);
        }
        let capacity = self.store.get(self.nodes.row(node).id)?.capacity.cpu_milli;
        let whole = (to - from).scaled(u64::try_from(capacity).unwrap_or(0), 1000).as_nanos();
        let claims: Vec<_> = beside
            .iter()
            .map(|one| Claim {
                weight: shares_of(one.asked_milli),
                wants: of(
                    &self.nodes,
                    self.traffic.as_deref(),
                    (one.pod, one.container),
                    (from, to),
                )
                .map_or(0, |it| it.cpu.as_nanos()),
            })
            .collect();
        if claims.iter().map(|one| one.wants).fold(0, u64::saturating_add) <= whole {
            return Some(alone);
        }
        let own = beside.iter().position(|one| (one.pod, one.container) == (pod, container))?;
        let got = SimDuration::from_nanos(divide(whole, &claims)[own]);
        Some(ContainerUsage { cpu: got, ..alone })
    }

    /// Whether the kubelet of a node runs, so that it answers.
    pub fn kubelet_runs(&self, node: Id<Node>) -> bool {
        self.nodes.of(node).is_some_and(|at| self.nodes.row(at).power == Power::On)
    }
}

/// What a program would take if it were alone on its node: what metrics-server is told, so that a pod's figures do
/// not change with those of its neighbours.
pub(super) fn of(
    nodes: &Nodes,
    traffic: Option<&Traffic>,
    (pod, container): (Id<Pod>, u16),
    (from, to): (SimTime, SimTime),
) -> Option<ContainerUsage> {
    let program = nodes.engines.running(pod, container)?;
    of_program(&program, traffic, (pod, container), (from, to))
}

/// The same of a program that is known.
pub(super) fn of_program(
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
