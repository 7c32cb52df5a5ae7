//! The engine of real processes keeps the rules that the simulated one keeps.

use std::sync::Arc;

use super::*;
use crate::api::name::Text;
use crate::api::pod::{Container, Lifetime, PullPolicy};
use crate::api::resources::Resources;
use crate::luck::Distribution;
use crate::messages::app::{App, Delay, Run};
use crate::messages::usage::{Course, Demand, Growth, Usage};
use crate::node::container_engine::conformance::{Behaviour, Driver, Offer, check};
use crate::node::container_engine::linux::tests::runtime;

const AT: NodeIndex = NodeIndex(0);

/// One node of real processes.
struct Real(LinuxEngine);

impl Real {
    fn fresh(runtime: &Arc<LinuxRuntime>) -> Real {
        for image in runtime.client().list_images().unwrap().value {
            if image.names.iter().any(|name| name.contains("/rules.example/")) {
                runtime.client().remove_image(&image.id).unwrap();
            }
        }
        // It stands for a user's image, whose own entrypoint is run.
        let own = [image(Behaviour::CannotStart)];
        let engine = LinuxEngine::new(runtime.clone(), &own, Clock::start(), Luck::new(3)).unwrap();
        let real = Real(engine);
        for behaviour in ALL {
            real.0.offer(&image(behaviour)).unwrap();
        }
        real
    }
}

const ALL: [Behaviour; 6] = [
    Behaviour::Serves,
    Behaviour::IgnoresTerm,
    Behaviour::Succeeds,
    Behaviour::Fails,
    Behaviour::Hoards,
    Behaviour::CannotStart,
];

fn image(behaviour: Behaviour) -> String {
    format!("rules.example/{behaviour:?}:1").to_lowercase()
}

impl Driver for Real {
    fn submit(&mut self, call: EngineCall) {
        self.0.submit(AT, call);
    }

    fn wait(&mut self, at_most: SimDuration) -> Vec<EngineReport> {
        self.0.wait(at_most).into_iter().collect()
    }

    fn now(&self) -> SimTime {
        self.0.now()
    }

    fn list(&self) -> Vec<ListedPod> {
        self.0.list(AT)
    }

    fn offer(&self, behaviour: Behaviour) -> Option<Offer> {
        let takes = |seconds| Delay::Takes(Distribution::Constant(SimDuration::from_secs(seconds)));
        let run = |exit_code| Some(Run { lasts: takes(1), exit_code, exit_by_index: Vec::new() });
        let mut limits = Resources::default();
        let app = match behaviour {
            Behaviour::Serves => App::default(),
            Behaviour::IgnoresTerm => App { stop: Some(Delay::Never), ..App::default() },
            Behaviour::Succeeds => App { run: run(0), ..App::default() },
            Behaviour::Fails => App { run: run(3), ..App::default() },
            Behaviour::Hoards => {
                limits.memory = 64 << 20;
                let growth = Growth { by: 64 << 20, each: SimDuration::from_secs(1), up_to: None };
                let course = Course::growing(0, growth);
                let memory = Demand { course, per_request: 0 };
                let usage = Usage { memory, ..Usage::default() };
                App { usage: Some(Arc::new(usage)), ..App::default() }
            }
            Behaviour::CannotStart => App::default(),
        };
        let container = Container {
            name: "main".into(),
            image: image(behaviour).into(),
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
            post_start: None,
            pre_stop: None,
            on_resize: Default::default(),
        };
        Some((container, app))
    }

    fn missing_image(&self) -> Text {
        "nowhere.example/nothing:1".into()
    }
}

#[test]
fn the_engine_of_real_processes_keeps_the_rules() {
    let Some(runtime) = runtime() else { return };
    let mut nothing = Recipe::program(&image(Behaviour::CannotStart), &[]);
    nothing.entrypoint = vec!["/nothing".to_owned()];
    runtime.offer(&nothing).unwrap();
    let runtime = Arc::new(runtime);
    let verdict = check(&mut || Real::fresh(&runtime));
    assert_eq!(verdict.broken, []);
    assert_eq!(verdict.passed_over, Vec::<&str>::new());
    assert_eq!(verdict.held.len(), 23);
    runtime.end().unwrap();
    assert_eq!(runtime.left(), Vec::<String>::new());
}
