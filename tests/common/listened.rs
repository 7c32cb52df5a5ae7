//! A whole run of a text of which somebody listens to all Events.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use wavetank::cluster::World;
use wavetank::kernel::NoSink;
use wavetank::messages::Listening;
use wavetank::record::Metrics;
use wavetank::runs::{Task, run_task};
use wavetank::scenario::{Loader, Overrides};

/// The end of a run of what the text says, which must be valid, and what was noted as it was read.
pub fn listened(text: &str) -> (World, Vec<String>) {
    let mut loader = Loader::new(Overrides::default());
    loader.read("in.yaml", text.as_bytes(), &mut |_| {});
    let loaded = loader.finish();
    assert!(!loaded.has_errors(), "{:?}", loaded.findings);
    let notes = loaded.notes.iter().map(|(note, _)| note.to_string()).collect();
    let plan = Arc::new(loaded.plan);
    let task = Task {
        expectations: loaded.expectations,
        sink: &mut NoSink,
        metrics: &mut Metrics::new(&plan),
        interrupt: &AtomicBool::new(false),
        events_max: u64::MAX,
        listening: Listening::All,
        plan,
    };
    (run_task(task, &mut |_| ControlFlow::Continue(())).world, notes)
}
