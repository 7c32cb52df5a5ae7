//! One node with its kubelet, engine and machine, driven by a small queue; requests are written down, with
//! nobody behind them.
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::api::meta::{Deletion, Meta, Uid};
use crate::api::name::Name;
use crate::api::node::{Node, NodeConditions, Schedulability};
use crate::api::pod::*;
use crate::api::resources::Resources;
use crate::base::Id;
use crate::compute::Machine;
use crate::kernel::Fidelity;
use crate::luck::{Distribution, Luck};
use crate::messages::app::{App, Apps, Delay};
use crate::messages::engine::EngineEvent;
use crate::messages::{Call, ClientId, Effect, Effects, Listening};
use crate::node::NodeIndex;
use crate::node::container_engine::simulated::*;
use crate::node::container_engine::{ContainerEngine, EngineReport};
use crate::node::kubelet::{KubeletSettings, Kubelets, Timer};
use crate::time::{SimDuration, SimTime};

enum Wake {
    Kubelet(Timer),
    Engine(EngineTimer),
}

pub(super) struct Rig {
    pub kubelets: Kubelets,
    pub engines: SimulatedEngines,
    node: Node,
    pub machine: Machine,
    pub now: SimTime,
    queue: BTreeMap<Reverse<Reverse<(SimTime, u64)>>, Wake>,
    pushed: u64,
    kubelet_fx: Effects<Timer>,
    engine_fx: Effects<EngineTimer>,
    reports: Vec<EngineReport>,
    facts: u64,
    /// Writes and facts, one a line.
    pub log: Vec<String>,
    /// Events, a line each.
    pub said: Vec<String>,
    pub pods: BTreeMap<u32, Pod>,
    pub events: usize,
}

pub(super) const AT: NodeIndex = NodeIndex(0);

pub(super) fn pod_id(n: u32) -> Id<Pod> {
    Id::from_parts(n, 0)
}

pub(super) fn secs(n: u64) -> SimDuration {
    SimDuration::from_secs(n)
}

pub(super) fn takes(seconds: u64) -> Option<Delay> {
    Some(Delay::Takes(Distribution::Constant(secs(seconds))))
}

pub(super) fn container(name: &str) -> Container {
    Container {
        name: name.into(),
        image: format!("{name}:1").into(),
        pull: PullPolicy::IfNotPresent,
        requests: Resources::default(),
        limits: Resources::default(),
        ports: Vec::new(),
        startup: None,
        liveness: None,
        readiness: None,
        lifetime: Lifetime::Normal,
        restart_policy: None,
        restart_rules: Vec::new(),
        on_resize: Default::default(),
        post_start: None,
        pre_stop: None,
    }
}

pub(super) fn probe(period: u64) -> Probe {
    Probe {
        handler: ProbeHandler::Exec,
        initial_delay: SimDuration::ZERO,
        period: secs(period),
        timeout: secs(1),
        success_threshold: 1,
        failure_threshold: 3,
        grace_seconds: None,
    }
}

pub(super) fn spec(init: Vec<Container>, main: Vec<Container>) -> PodSpec {
    PodSpec {
        init_containers: init,
        containers: main,
        grace_seconds: 30,
        scheduler_name: "default-scheduler".into(),
        ..PodSpec::default()
    }
}

/// The fake kubelet of the recorded timelines: runs a second after it was seen, stops in a second.
pub(super) fn staged() -> App {
    App { start: takes(1), stop: takes(1), ..App::default() }
}

impl Rig {
    pub(super) fn new() -> Rig {
        Rig::with(KubeletSettings::default())
    }

    pub(super) fn with(kubelet: KubeletSettings) -> Rig {
        let luck = Luck::new(7);
        let settings = EngineSettings::default();
        let mut engines = SimulatedEngines::new(settings, ImageTable::default(), luck);
        let mut kubelets = Kubelets::new(kubelet, Fidelity::Elided, luck);
        let address = Ipv4Addr::new(192, 168, 0, 1);
        let amounts =
            Resources { cpu_milli: 4000, memory: 1 << 34, pods: 110, ..Resources::default() };
        let node = Node {
            meta: Meta::new("".into(), Name::from("n-0")),
            schedulability: Schedulability::Open,
            taints: Arc::from([]),
            capacity: Arc::new(amounts.clone()),
            allocatable: Arc::new(amounts),
            conditions: NodeConditions::default(),
            images: Arc::from([]),
            address,
        };
        engines.add_node(address, &[]);
        kubelets.add_node(Id::from_parts(0, 0), &node, ClientId(1));
        Rig {
            node,
            kubelets,
            engines,
            machine: Machine::new(4000),
            now: SimTime::ZERO,
            queue: BTreeMap::new(),
            pushed: 0,
            kubelet_fx: Effects::listening(Listening::All),
            engine_fx: Effects::new(),
            reports: Vec::new(),
            facts: 0,
            log: Vec::new(),
            said: Vec::new(),
            pods: BTreeMap::new(),
            events: 0,
        }
    }

    /// Tells the kubelet something.
    pub(super) fn tell(&mut self, what: impl FnOnce(&mut Kubelets, &mut Effects<Timer>)) {
        self.kubelet_fx.begin(self.now, 0, self.facts + 1);
        what(&mut self.kubelets, &mut self.kubelet_fx);
        self.drain();
    }

    pub(super) fn assign(&mut self, n: u32, spec: PodSpec, apps: Vec<App>) {
        let mut meta = Meta::new("default".into(), Name::from(&*format!("p-{n}")));
        meta.uid = Uid(u64::from(n) + 1000);
        let pod = Pod { meta, spec: Arc::new(spec), node: None, status: PodStatus::default() };
        self.pods.insert(n, pod.clone());
        let apps: Apps = apps.into();
        self.tell(|kubelets, fx| kubelets.pod_assigned(AT, pod_id(n), &pod, apps, fx));
    }

    /// The kubelet sees its node changed.
    pub(super) fn see(&mut self, change: impl FnOnce(&mut Node)) {
        change(&mut self.node);
        self.kubelets.see_node(AT, &self.node);
    }

    pub(super) fn delete(&mut self, n: u32, grace: u32) -> &mut Rig {
        let at = self.now + secs(grace.into());
        if let Some(pod) = self.pods.get_mut(&n) {
            pod.meta.deletion = Some(Deletion { at, grace_seconds: grace });
        }
        self.tell(|kubelets, fx| kubelets.pod_deleting(pod_id(n), grace, fx));
        self
    }

    fn drain(&mut self) {
        loop {
            for (_, fact) in self.kubelet_fx.drain_facts() {
                self.facts += 1;
                let values: Vec<_> =
                    fact.values.iter().map(|(key, value)| format!(" {key}={value}")).collect();
                self.log.push(format!("{} fact {}{}", stamp(self.now), fact.verb, values.concat()));
            }
            for (at, event) in self.kubelet_fx.drain_said() {
                let remark = event.remark;
                self.said.push(format!("{} {}: {}", stamp(at), remark.reason, remark.message));
            }
            let effects: Vec<_> = self.kubelet_fx.drain().map(|(_, effect)| effect).collect();
            for effect in effects {
                match effect {
                    Effect::Send(request) => self.written(request.call),
                    Effect::Cloud(_) => unreachable!("a kubelet asks for no machines"),
                    Effect::Engine(call) => {
                        self.engine_fx.begin(self.now, 0, self.facts + 1);
                        let (machine, fx) = (&mut self.machine, &mut self.engine_fx);
                        let bench = Bench { machine, fx, reports: &mut self.reports };
                        self.engines.submit(AT, call, bench);
                        self.drain_engine();
                    }
                    Effect::Arm { at, timer } => self.push(at, Wake::Kubelet(timer)),
                }
            }
            if self.reports.is_empty() {
                return;
            }
            let report = self.reports.remove(0);
            self.kubelet_fx.begin(self.now, report.cause, self.facts + 1);
            if let EngineEvent::Exited(container, exit) = &report.event {
                self.log.push(format!(
                    "{} ended {} with {}",
                    stamp(self.now),
                    container.index,
                    exit.code
                ));
            }
            self.kubelets.engine(AT, report.event, &mut self.kubelet_fx);
        }
    }

    fn drain_engine(&mut self) {
        let effects: Vec<_> = self.engine_fx.drain().map(|(_, effect)| effect).collect();
        for effect in effects {
            if let Effect::Arm { at, timer } = effect {
                self.push(at, Wake::Engine(timer));
            }
        }
    }

    fn push(&mut self, at: SimTime, wake: Wake) {
        self.pushed += 1;
        self.queue.insert(Reverse(Reverse((at, self.pushed))), wake);
    }

    fn written(&mut self, call: Call) {
        let at = stamp(self.now);
        match call {
            Call::PodStatus { pod, status, .. } => {
                let containers = status.containers.iter().flat_map(|all| all.iter());
                let states: Vec<_> = containers.map(shown).collect();
                let ready = if status.is(PodCondition::Ready) { " ready" } else { "" };
                self.log.push(format!(
                    "{at} write {}{ready} [{}]",
                    status.phase.name(),
                    states.join(", ")
                ));
                if let Some(held) = self.pods.get_mut(&(pod.slot() as u32)) {
                    held.status = *status;
                }
            }
            Call::Delete { grace_seconds, .. } => {
                self.log.push(format!("{at} delete within {}", grace_seconds.unwrap_or(99)));
            }
            Call::Create(object) => self.log.push(format!("{at} create {}", object.name())),
            other => self.log.push(format!("{at} other {other:?}")),
        }
    }

    /// Runs up to and at `seconds`.
    pub(super) fn run_to(&mut self, seconds: u64) -> &mut Rig {
        let end = SimTime::from_secs(seconds);
        while let Some(entry) = self.queue.first_entry() {
            let Reverse(Reverse((at, _))) = *entry.key();
            if at > end {
                break;
            }
            let wake = entry.remove();
            self.now = at;
            self.events += 1;
            assert!(
                self.events < 100_000,
                "events without end: {:?}",
                &self.log[self.log.len() - 5..]
            );
            match wake {
                Wake::Kubelet(timer) => {
                    self.kubelet_fx.begin(at, 0, self.facts + 1);
                    self.kubelets.timer(timer, &mut self.kubelet_fx);
                }
                Wake::Engine(timer) => {
                    self.engine_fx.begin(at, 0, self.facts + 1);
                    let (machine, fx) = (&mut self.machine, &mut self.engine_fx);
                    let mut bench = Bench { machine, fx, reports: &mut self.reports };
                    self.engines.timer(timer, &mut bench);
                    self.drain_engine();
                }
            }
            self.drain();
        }
        self.now = end;
        self
    }

    /// The log since it was last taken.
    pub(super) fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }

    /// The Events of these reasons.
    pub(super) fn said_of(&self, reasons: &[&str]) -> Vec<&str> {
        let reason = |line: &str| line.split([' ', ':']).nth(1).map(str::to_owned);
        let is = |line: &&str| reason(line).is_some_and(|it| reasons.contains(&&*it));
        self.said.iter().map(String::as_str).filter(is).collect()
    }

    /// The lines of the log with this word second, since it was last taken.
    pub(super) fn take_only(&mut self, word: &str) -> Vec<String> {
        let is = |line: &String| line.split(' ').nth(1) == Some(word);
        self.take().into_iter().filter(is).collect()
    }
}

fn stamp(at: SimTime) -> String {
    let nanos = at.as_nanos();
    format!("{}.{:03}", nanos / 1_000_000_000, nanos / 1_000_000 % 1000)
}

fn shown(status: &ContainerStatus) -> String {
    let state = match status.state {
        ContainerState::Waiting(reason) => reason.name().to_string(),
        ContainerState::Running(_) => "running".to_string(),
        ContainerState::Terminated(end) => format!("{} {}", end.reason.name(), end.exit_code),
    };
    let restarts =
        if status.restarts > 0 { format!(" x{}", status.restarts) } else { String::new() };
    format!("{state}{restarts}{}", if status.ready { " ready" } else { "" })
}
