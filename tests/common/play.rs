//! A whole run of manifests and a Scenario given as text, and all the facts it told.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use wavetank::kernel::FactSink;
use wavetank::messages::Fact;
use wavetank::runs::{self, Finished};
use wavetank::scenario::{Loader, Overrides};
use wavetank::time::SimTime;

/// All facts of a run, in order.
#[derive(Default)]
pub struct Told(pub Vec<(SimTime, Fact)>);

impl FactSink<Fact> for Told {
    fn record(&mut self, at: SimTime, _number: u64, _cause: u64, fact: &Fact) {
        self.0.push((at, fact.clone()));
    }
}

/// Runs what the text says, which must be valid.
pub fn run(text: &str) -> (Finished, Told) {
    let mut loader = Loader::new(Overrides::default());
    loader.read("in.yaml", text.as_bytes(), &mut |_| {});
    let loaded = loader.finish();
    assert!(!loaded.has_errors(), "{:?}", loaded.findings);
    let mut told = Told::default();
    let never = AtomicBool::new(false);
    let finished = runs::run(Arc::new(loaded.plan), &mut told, &never, &mut |_| {});
    (finished, told)
}
