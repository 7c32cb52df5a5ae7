//! Runs by the wall clock, their containers made by a real runtime on this machine.

use super::Failure;
use super::args::RunArgs;
use crate::cluster::EngineInput;
use crate::kernel::InputLog;
use crate::runs::{Finished, Look, Task};
use crate::scenario::Loaded;

/// A run by the wall clock that has ended.
pub(super) struct Ended {
    pub finished: Finished,
    /// What came in, to make it run so again.
    pub log: InputLog<EngineInput>,
    /// Why the runtime could do nothing more, if that is what ended it.
    pub trouble: Option<String>,
}

#[cfg(not(feature = "linux-runtime"))]
mod without {
    use super::{Ended, Failure, Loaded, Look, RunArgs, Task};
    use crate::cli::calibrate::without_feature;

    /// There is none.
    pub(in crate::cli) enum Real {}

    impl Real {
        pub fn start(_: &RunArgs, _: &Loaded) -> Result<Real, Failure> {
            Err(without_feature())
        }

        pub fn run<'a>(&self, _: Task<'a>, _: Look<'a>) -> Result<Ended, Failure> {
            match *self {}
        }

        pub fn end(self) -> Result<(), Failure> {
            match self {}
        }
    }
}

#[cfg(not(feature = "linux-runtime"))]
pub(super) use without::Real;

#[cfg(feature = "linux-runtime")]
pub(super) use with::{Real, settings};

#[cfg(feature = "linux-runtime")]
mod with {
    use std::sync::Arc;

    use super::{Ended, Failure, Loaded, Look, RunArgs, Task};
    use crate::cli::args::RealArgs;
    use crate::cli::complain;
    use crate::cluster::plan::{Act, Plan};
    use crate::luck::Luck;
    use crate::node::container_engine::linux::{
        Clock, LinuxEngine, LinuxRuntime, Settings, Trouble,
    };
    use crate::runs::{WallClock, run_outside};
    use crate::time::SimTime;

    pub(in crate::cli) fn settings(args: &RealArgs) -> Settings {
        let (work, socket) = (args.work.clone(), args.socket.clone());
        Settings { work, socket, ..Settings::default() }
    }

    fn failure(trouble: Trouble) -> Failure {
        let message = trouble.to_string();
        match trouble {
            Trouble::CannotHere(_) => Failure::cannot_here(message),
            Trouble::Input(_) => Failure::usage(message),
            Trouble::Machine(_) | Trouble::Cri(_) => Failure::machine(message),
        }
    }

    /// A runtime that is up, with the images the user brought.
    pub(in crate::cli) struct Real {
        runtime: Arc<LinuxRuntime>,
        own_images: Vec<String>,
        seed: u64,
    }

    /// What of a plan only the model can do.
    fn unfit(plan: &Plan) -> Option<String> {
        let only = |what: &str| Some(format!("--runtime linux: {what}: leave it to the model"));
        let breaks = |act: &Act| matches!(act, Act::Fault { .. } | Act::Experiment { .. });
        if let Some(step) = plan.steps.iter().find(|step| breaks(&step.act)) {
            return only(&format!("step {:?} breaks something of a cluster", step.name));
        }
        if let Some(client) = plan.traffic.first() {
            return only(&format!("client {:?} sends requests", client.name));
        }
        None
    }

    impl Real {
        pub fn start(args: &RunArgs, loaded: &Loaded) -> Result<Real, Failure> {
            if let Some(why) = unfit(&loaded.plan) {
                return Err(Failure::usage(why));
            }
            let runtime = Arc::new(LinuxRuntime::start(&settings(&args.real)).map_err(failure)?);
            let mut own_images = Vec::new();
            for path in &args.image {
                let images = runtime.offer_archive(path).map_err(failure)?;
                own_images.extend(images.into_iter().flat_map(|(image, _)| image.names));
            }
            if !args.input.quiet {
                note(&own_images);
            }
            Ok(Real { runtime, own_images, seed: loaded.plan.seed })
        }

        pub fn run<'a>(&self, task: Task<'a>, look: Look<'a>) -> Result<Ended, Failure> {
            let (luck, clock) = (Luck::new(self.seed), Clock::start());
            let engine = LinuxEngine::new(self.runtime.clone(), &self.own_images, clock, luck);
            let mut driver = WallClock::new(engine.map_err(failure)?, task.interrupt);
            let (finished, log) = run_outside(task, SimTime::MAX, &mut driver, look);
            let trouble = driver.trouble().map(str::to_owned);
            Ok(Ended { finished, log, trouble })
        }

        pub fn end(self) -> Result<(), Failure> {
            self.runtime.end().map_err(failure)
        }
    }

    /// Which images are the user's, and what stands for the others.
    fn note(own_images: &[String]) {
        if !own_images.is_empty() {
            complain(format_args!("note: images of yours: {}", own_images.join(", ")));
        }
        complain(
            "note: any other image stands for a program of ours that does what `apps` say of it",
        );
    }
}
