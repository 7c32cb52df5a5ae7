//! What a run may cost the machine: wall-clock time and memory. Looked at now and then from outside;
//! a run that goes over is stopped between two events, and what was simulated is written.

use std::ops::ControlFlow;
use std::time::Duration;

use super::{Code, Failure};
use crate::api::quantity::Quantity;
use crate::kernel::Halt;
use crate::time::SimDuration;

/// The limits of one run.
#[derive(Debug)]
pub(super) struct Machine {
    #[expect(clippy::disallowed_types, reason = "a limit on wall-clock time needs the wall clock")]
    until: Option<std::time::Instant>,
    bytes_max: Option<u64>,
}

impl Machine {
    /// Limits as given on the command line, counted from now.
    ///
    /// # Errors
    /// A text that is no duration or no size, or a memory limit where memory cannot be read.
    pub(super) fn new(wall: Option<&str>, memory: Option<&str>) -> Result<Machine, Failure> {
        let wrong = |flag: &str, why: String| Failure {
            code: Code::Input,
            message: Some(format!("{flag}: {why}")),
        };
        let span = wall
            .map(|text| {
                SimDuration::parse(text).map_err(|why| wrong("--max-wall", why.to_string()))
            })
            .transpose()?;
        let bytes_max = memory
            .map(|text| {
                let parsed = Quantity::parse(text).map_err(|why| why.to_string());
                let bytes = parsed.map_err(|why| wrong("--max-memory", why))?.value();
                u64::try_from(bytes)
                    .map_err(|_| wrong("--max-memory", "must not be negative".into()))
            })
            .transpose()?;
        if bytes_max.is_some() && resident_bytes().is_none() {
            return Err(wrong(
                "--max-memory",
                "this machine does not tell what a process holds".into(),
            ));
        }
        let until = span.and_then(|span| now().checked_add(Duration::from_nanos(span.as_nanos())));
        Ok(Machine { until, bytes_max })
    }

    /// Whether the run may go on.
    pub(super) fn look(&self) -> ControlFlow<Halt> {
        if self.until.is_some_and(|until| now() >= until) {
            return ControlFlow::Break(Halt::WallClock);
        }
        let over = |max: u64| resident_bytes().is_some_and(|held| held > max);
        if self.bytes_max.is_some_and(over) {
            return ControlFlow::Break(Halt::Memory);
        }
        ControlFlow::Continue(())
    }
}

#[expect(clippy::disallowed_methods, reason = "a limit on wall-clock time needs the wall clock")]
#[expect(clippy::disallowed_types, reason = "a limit on wall-clock time needs the wall clock")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

/// What this process holds in memory, where the kernel tells (Linux: `/proc/self/statm`, in pages of
/// 4 KiB).
#[expect(clippy::disallowed_methods, reason = "a limit on memory needs the kernel's count")]
fn resident_bytes() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4096)
}
