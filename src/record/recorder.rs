//! Keeps facts while a run goes on.

use std::io::{self, Write};

use super::counts::Counts;
use super::timeline::write_row;
use crate::kernel::FactSink;
use crate::messages::Fact;
use crate::time::SimTime;

/// Counts facts, and writes them out. A failure to write stops the writing, not
/// the run; it is told at the end.
#[derive(Debug)]
pub struct Recorder<W> {
    /// None: writing failed.
    out: Option<W>,
    counts: Counts,
    failure: Option<io::Error>,
}

impl<W: Write> Recorder<W> {
    /// One that writes to `out`.
    pub fn to(out: W) -> Recorder<W> {
        Recorder { out: Some(out), counts: Counts::default(), failure: None }
    }

    /// Writes out what is still held back.
    ///
    /// # Errors
    /// The first failure to write.
    pub fn finish(mut self) -> io::Result<Counts> {
        if let Some(out) = &mut self.out {
            out.flush()?;
        }
        match self.failure {
            Some(failure) => Err(failure),
            None => Ok(self.counts),
        }
    }
}

impl<W: Write> FactSink<Fact> for Recorder<W> {
    fn record(&mut self, at: SimTime, number: u64, cause: u64, fact: &Fact) {
        self.counts.add(fact);
        let Some(out) = &mut self.out else { return };
        if let Err(failure) = write_row(out, at, number, cause, fact) {
            self.failure = Some(failure);
            self.out = None;
        }
    }
}
