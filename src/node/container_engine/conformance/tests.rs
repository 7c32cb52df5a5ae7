//! The simulated engine keeps the rules, and the suite sees an engine that does not.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use super::*;
use crate::api::pod::{Lifetime, PullPolicy};
use crate::api::resources::Resources;
use crate::compute::Machine;
use crate::luck::{Distribution, Luck};
use crate::messages::app::{Delay, Run};
use crate::messages::usage::{Course, Demand, Growth, Usage};
use crate::messages::{Effect, Effects};
use crate::node::NodeIndex;
use crate::node::container_engine::ContainerEngine;
use crate::node::container_engine::simulated::*;

const AT: NodeIndex = NodeIndex(0);

/// What a driver does wrong on purpose.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flaw {
    None,
    /// Each answer is given twice.
    Echo,
    /// No end is told.
    Mute,
}

/// The simulated engine of one node, in virtual time.
struct Simulated {
    engines: SimulatedEngines,
    machine: Machine,
    now: SimTime,
    queue: BTreeMap<(SimTime, u64), EngineTimer>,
    pushed: u64,
    fx: Effects<EngineTimer>,
    reports: Vec<EngineReport>,
    flaw: Flaw,
}

impl Simulated {
    fn new(flaw: Flaw) -> Simulated {
        let table = ImageTable::default();
        let mut engines = SimulatedEngines::new(EngineSettings::default(), table, Luck::new(3));
        engines.add_node(Ipv4Addr::new(192, 168, 0, 1), &[]);
        engines.withhold(&"nowhere.example/*".into(), 0);
        Simulated {
            engines,
            machine: Machine::new(4000),
            now: SimTime::ZERO,
            queue: BTreeMap::new(),
            pushed: 0,
            fx: Effects::new(),
            reports: Vec::new(),
            flaw,
        }
    }

    fn drain(&mut self) {
        for (_, effect) in self.fx.drain() {
            if let Effect::Arm { at, timer } = effect {
                self.pushed += 1;
                self.queue.insert((at, self.pushed), timer);
            }
        }
    }
}

impl Driver for Simulated {
    fn submit(&mut self, call: EngineCall) {
        self.fx.begin(self.now, 0, 1);
        let Simulated { engines, machine, fx, reports, .. } = self;
        engines.submit(AT, call, Bench { machine, fx, reports });
        self.drain();
    }

    fn wait(&mut self, at_most: SimDuration) -> Vec<EngineReport> {
        let end = self.now + at_most;
        while self.reports.is_empty() {
            let Some(entry) = self.queue.first_entry().filter(|it| it.key().0 <= end) else {
                self.now = end;
                break;
            };
            self.now = entry.key().0;
            let timer = entry.remove();
            self.fx.begin(self.now, 0, 1);
            let Simulated { engines, machine, fx, reports, .. } = self;
            engines.timer(timer, &mut Bench { machine, fx, reports });
            self.drain();
        }
        let mut told = std::mem::take(&mut self.reports);
        match self.flaw {
            Flaw::None => {}
            Flaw::Echo => told.extend(told.clone()),
            Flaw::Mute => told.retain(|one| !matches!(one.event, EngineEvent::Exited(..))),
        }
        told
    }

    fn now(&self) -> SimTime {
        self.now
    }

    fn list(&self) -> Vec<ListedPod> {
        self.engines.list(AT)
    }

    fn offer(&self, behaviour: Behaviour) -> Option<Offer> {
        let takes = |seconds| Delay::Takes(Distribution::Constant(SimDuration::from_secs(seconds)));
        let run = |exit_code| Some(Run { lasts: takes(1), exit_code, exit_by_index: Vec::new() });
        let mut limits = Resources::default();
        let app = match behaviour {
            Behaviour::Serves => App::default(),
            Behaviour::IgnoresTerm => App { stop: Some(Delay::Never), ..App::default() },
            Behaviour::Succeeds => App { run: run(0), ..App::default() },
            Behaviour::Fails => App { run: run(ENDS_WITH), ..App::default() },
            Behaviour::Hoards => {
                limits.memory = 64 << 20;
                let growth = Growth { by: 32 << 20, each: SimDuration::from_secs(1), up_to: None };
                let course = Course::growing(0, growth);
                let memory = Demand { course, per_request: 0 };
                App {
                    usage: Some(Arc::new(Usage { memory, ..Usage::default() })),
                    ..App::default()
                }
            }
            // Whether a command is there, no scenario says.
            Behaviour::CannotStart => return None,
        };
        let container = Container {
            name: "main".into(),
            image: format!("registry.example/{behaviour:?}:1").to_lowercase().into(),
            pull: PullPolicy::IfNotPresent,
            requests: Resources::default(),
            limits,
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
        };
        Some((container, app))
    }

    fn missing_image(&self) -> Text {
        "nowhere.example/nothing:1".into()
    }
}

#[test]
fn the_simulated_engine_keeps_the_rules() {
    let verdict = check(&mut || Simulated::new(Flaw::None));
    assert_eq!(verdict.broken, []);
    assert_eq!(verdict.passed_over, ["a command that is not there is a StartError"]);
    assert_eq!(verdict.held.len(), 22);
}

#[test]
fn an_engine_that_breaks_them_is_found_out() {
    let verdict = check(&mut || Simulated::new(Flaw::Echo));
    assert_eq!(verdict.held, Vec::<&str>::new());
    assert!(verdict.broken.iter().all(|one| one.what.contains("a second time")));
    let verdict = check(&mut || Simulated::new(Flaw::Mute));
    let broken: Vec<_> = verdict.broken.iter().map(|one| one.rule).collect();
    assert!(broken.contains(&"SIGKILL ends what ignores SIGTERM, after its grace"));
    assert!(!broken.contains(&"an image is fetched once"));
}
