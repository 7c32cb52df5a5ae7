//! A run by a clock, with an engine outside: it ends as desired, and its log makes it again.

use std::collections::{BTreeMap, VecDeque};
use std::net::Ipv4Addr;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::*;
use crate::compute::Machine;
use crate::kernel::{Engine, FactSink, Halt, InputLog, Virtual};
use crate::luck::Luck;
use crate::messages::engine::{EngineAsk, EngineEvent};
use crate::messages::{Effect, Effects, Fact, Listening};
use crate::node::container_engine::ContainerEngine;
use crate::node::container_engine::simulated::*;
use crate::record::Metrics;
use crate::runs::{Finished, Task, run_outside};
use crate::scenario::{Loaded, Loader, Overrides};

const NODES: u32 = 4;

/// Engines with a clock that goes on when somebody waits, as the wall clock does without.
struct Clocked {
    engines: SimulatedEngines,
    machines: Vec<Machine>,
    now: SimTime,
    timers: BTreeMap<(SimTime, u64), EngineTimer>,
    pushed: u64,
    told: VecDeque<EngineReport>,
    fx: Effects<EngineTimer>,
    /// From when on it is dead.
    dies: SimTime,
}

impl Clocked {
    fn new() -> Clocked {
        let images = ImageTable::default();
        let mut engines = SimulatedEngines::new(EngineSettings::default(), images, Luck::new(3));
        for number in 1..=NODES {
            engines.add_node(Ipv4Addr::from(0xc0a8_0000 + number), &[]);
        }
        Clocked {
            engines,
            machines: (0..NODES).map(|_| Machine::new(4000)).collect(),
            now: SimTime::ZERO,
            timers: BTreeMap::new(),
            pushed: 0,
            told: VecDeque::new(),
            fx: Effects::new(),
            dies: SimTime::MAX,
        }
    }

    fn work(&mut self, at: NodeIndex, work: impl FnOnce(&mut SimulatedEngines, Bench<'_>)) {
        self.fx.begin(self.now, 0, 1);
        let mut reports = Vec::new();
        let machine = &mut self.machines[at.row()];
        work(&mut self.engines, Bench { machine, fx: &mut self.fx, reports: &mut reports });
        self.told.extend(reports);
        for (_, effect) in self.fx.drain() {
            if let Effect::Arm { at, timer } = effect {
                self.pushed += 1;
                self.timers.insert((at, self.pushed), timer);
            }
        }
    }
}

impl RealEngine for Clocked {
    fn now(&self) -> SimTime {
        self.now
    }

    fn submit(&mut self, node: NodeIndex, call: EngineCall) {
        if let EngineAsk::Probe(container, kind) = call.ask {
            let state = self.engines.program_state(container.pod, container.index);
            if let ProgramState::Running { since, .. } = state {
                let good = self.now >= since + SimDuration::from_secs(2);
                let event = EngineEvent::Probed(container, kind, good);
                self.told.push_back(EngineReport { node, cause: 0, event });
            }
            return;
        }
        self.work(node, |engines, bench| engines.submit(node, call, bench));
    }

    fn wait(&mut self, at_most: SimDuration) -> Option<EngineReport> {
        let end = self.now + at_most;
        while self.told.is_empty() {
            let Some(entry) = self.timers.first_entry().filter(|it| it.key().0 <= end) else {
                self.now = end;
                return None;
            };
            self.now = self.now.max(entry.key().0);
            let timer = entry.remove();
            if let Some(at) = self.engines.node_of(timer) {
                self.work(at, |engines, mut bench| engines.timer(timer, &mut bench));
            }
        }
        self.told.pop_front()
    }

    fn trouble(&mut self) -> Option<String> {
        (self.now >= self.dies).then(|| "it died".to_owned())
    }
}

const APP: &str = r#"
apiVersion: wavetank.dev/v1alpha1
kind: Scenario
metadata: {name: clocked}
spec:
  cluster:
    nodes: [{name: n, count: 2, capacity: {cpu: "4", memory: 8Gi, pods: 20}}]
  apps:
  - match: {image: "crash:*"}
    run: {for: 1s, exit: 3}
  timeline:
  - {at: 20s, scale: deployment/default/web, replicas: 2}
  expect:
  - {name: up, eventually: "deployment('default/web').available == 3", within: 30s}
  - {name: crashes, eventually: "pod('default/crash').restarts >= 2", within: 60s}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: web:1
        startupProbe: {tcpSocket: {port: 80}, periodSeconds: 1, failureThreshold: 9}
        readinessProbe: {httpGet: {path: /, port: 80}, periodSeconds: 1, successThreshold: 2}
---
apiVersion: v1
kind: Pod
metadata: {name: crash}
spec:
  containers: [{name: c, image: "crash:1"}]
"#;

fn loaded() -> Loaded {
    let mut loader = Loader::new(Overrides::default());
    loader.read("app.yaml", APP.as_bytes(), &mut |_| {});
    let loaded = loader.finish();
    assert!(!loaded.has_errors(), "{:?}", loaded.findings);
    loaded
}

/// Keeps nothing.
struct Deaf;

impl FactSink<Fact> for Deaf {
    fn record(&mut self, _: SimTime, _: u64, _: u64, _: &Fact) {}
}

fn run<D>(driver: &mut D) -> (Finished, InputLog<EngineInput>)
where
    D: Driver<Input = EngineInput, Call = EngineOrder>,
{
    let loaded = loaded();
    let plan = Arc::new(loaded.plan.clone());
    let mut metrics = Metrics::sampling(&plan);
    let task = Task {
        plan,
        expectations: loaded.expectations.clone(),
        sink: &mut Deaf,
        metrics: &mut metrics,
        interrupt: &AtomicBool::new(false),
        events_max: u64::MAX,
        listening: Listening::Nobody,
    };
    run_outside(task, SimTime::MAX, driver, &mut |_| ControlFlow::Continue(()))
}

#[test]
fn a_run_by_a_clock_is_made_again_from_its_log() {
    let never = AtomicBool::new(false);
    let (first, log) = run(&mut WallClock::new(Clocked::new(), &never));
    assert!(first.has_passed(), "{:?}", first.expectations);
    assert_eq!(first.halt, Halt::Goal);
    let probed = |one: &&crate::kernel::LoggedInput<EngineInput>| {
        matches!(one.input.event, EngineEvent::Probed(..))
    };
    assert!(log.inputs().iter().filter(probed).count() > 10);

    let (again, of_again) = run(&mut Virtual::replaying(log.clone()));
    assert_eq!(again.world.digest(), first.world.digest());
    assert_eq!((again.world.now(), again.halt), (first.world.now(), first.halt));
    assert_eq!(of_again, log);

    // Without one of them it is another run: the digest would tell.
    let ready = log
        .inputs()
        .iter()
        .position(|one| matches!(one.input.event, EngineEvent::Probed(_, _, true)));
    let mut inputs = log.inputs().to_vec();
    inputs.remove(ready.unwrap());
    let (other, _) = run(&mut Virtual::replaying(inputs.into()));
    assert_ne!(other.world.digest(), first.world.digest());
}

#[test]
fn an_engine_that_dies_and_an_interrupt_end_the_run() {
    let never = AtomicBool::new(false);
    let dies = SimTime::from_secs(5);
    let mut driver = WallClock::new(Clocked { dies, ..Clocked::new() }, &never);
    let (finished, _) = run(&mut driver);
    assert_eq!(driver.trouble(), Some("it died"));
    assert_eq!(finished.halt, Halt::Driver);
    assert!(finished.world.now() + SimDuration::from_secs(1) >= dies);

    let at_once = AtomicBool::new(true);
    let mut driver = WallClock::new(Clocked::new(), &at_once);
    let (finished, _) = run(&mut driver);
    assert_eq!((finished.halt, driver.trouble()), (Halt::Driver, None));
}
