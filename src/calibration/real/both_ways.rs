//! The cases for real, in the place of the model.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Halted;
use crate::calibration::cases::Case;
use crate::calibration::watched::Watched;
use crate::cluster::plan::Plan;
use crate::luck::Luck;
use crate::messages::Listening;
use crate::node::container_engine::linux::{Clock, LinuxEngine, LinuxRuntime, PROGRAM, Trouble};
use crate::record::Metrics;
use crate::runs::{Task, WallClock, run_outside};
use crate::time::SimTime;

/// How large an image of our program is.
pub fn program_bytes() -> i64 {
    PROGRAM.len() as i64
}

/// Runs a case's plan on a real engine, by the wall clock.
///
/// # Errors
/// What halted it; also that it was interrupted.
pub fn run(
    runtime: &Arc<LinuxRuntime>,
    case: &Case,
    plan: Arc<Plan>,
    interrupt: &AtomicBool,
) -> Result<Watched, Halted> {
    let luck = Luck::new(plan.seed);
    let engine = LinuxEngine::new(runtime.clone(), &[], Clock::start(), luck)?;
    for image in case.warm.iter().chain(case.cold) {
        engine.offer(image)?;
    }
    for image in case.warm {
        runtime.client().pull_image(&runtime.reference(image))?;
    }
    for image in case.cold {
        runtime.client().remove_image(&runtime.reference(image))?;
    }
    drop(engine);
    // Another one, whose clock begins with the run: what is offered once more is there already and takes no time
    // that counts, for nothing happens in the first second.
    let mut watched = Watched::default();
    let mut metrics = Metrics::default();
    let task = Task {
        plan,
        expectations: Arc::default(),
        sink: &mut watched,
        metrics: &mut metrics,
        interrupt,
        events_max: u64::MAX,
        listening: Listening::Nobody,
    };
    let engine = LinuxEngine::new(runtime.clone(), &[], Clock::start(), luck)?;
    for image in case.warm.iter().chain(case.cold) {
        engine.offer(image)?;
    }
    let mut driver = WallClock::new(engine, interrupt);
    run_outside(task, SimTime::MAX, &mut driver, &mut |_| ControlFlow::Continue(()));
    if interrupt.load(Ordering::Relaxed) {
        return Err(Halted::Interrupted);
    }
    if let Some(why) = driver.trouble() {
        return Err(Halted::Trouble(Trouble::machine(case.name, why)));
    }
    Ok(watched)
}
