//! The machine that is measured: what it is, how busy it is with other things, its clock and its logs.
#![expect(clippy::disallowed_methods, reason = "the real-time part reads files and waits")]

use crate::node::container_engine::linux::{MachineFacts, Pressure};
use crate::scenario::profile::Measurement;
use crate::time::SimDuration;

/// How long the machine is watched before and after.
const WATCHED: SimDuration = SimDuration::from_secs(2);
/// Thousandths of the time in which something waits for a processor, beyond which a machine is busy.
const BUSY_PRESSURE: u32 = 50;
/// Thousandths of the processors' time that others have, beyond which it is.
const BUSY_STEAL: u32 = 10;

/// Waits for so long.
pub(super) fn wait(span: SimDuration) {
    std::thread::sleep(std::time::Duration::from_nanos(span.as_nanos()));
}

fn text(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// How busy a machine is while we do nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Idle {
    /// Thousandths of the time in which something waited for a processor; 0 where the kernel does not tell.
    pub pressure: u32,
    /// Thousandths of the processors' time that others had.
    pub steal: u32,
    /// Ticks when the watching ended: stolen, and of all kinds.
    ticks: (u64, u64),
}

impl Idle {
    /// Watches the machine for two seconds.
    pub fn watch() -> Idle {
        let waited = || -> u64 {
            let text = text("/proc/pressure/cpu");
            let some = text.lines().find(|line| line.starts_with("some ")).unwrap_or_default();
            let total = some.split(' ').find_map(|word| word.strip_prefix("total="));
            total.and_then(|micros| micros.parse().ok()).unwrap_or(0)
        };
        let (before, ticks) = (waited(), Pressure::read());
        wait(WATCHED);
        let (after, then) = (waited(), Pressure::read());
        let pressure = (after.saturating_sub(before)) * 1_000_000 / WATCHED.as_nanos().max(1);
        let ticks_now = (then.steal_ticks, then.all_ticks);
        let steal = stolen((ticks.steal_ticks, ticks.all_ticks), ticks_now);
        Idle { pressure: (pressure as u32).min(1000), steal, ticks: ticks_now }
    }

    /// Thousandths of the processors' time that others had since.
    pub fn stolen_since(&self) -> u32 {
        let now = Pressure::read();
        stolen(self.ticks, (now.steal_ticks, now.all_ticks))
    }
}

fn stolen(from: (u64, u64), to: (u64, u64)) -> u32 {
    let all = to.1.saturating_sub(from.1).max(1);
    (to.0.saturating_sub(from.0) * 1000 / all) as u32
}

/// The machine with how it was. `stolen`: thousandths of its time that others had meanwhile.
pub fn measurement(before: Idle, after: Idle, stolen: u32) -> Measurement {
    let facts = MachineFacts::read();
    let is_loaded = |idle: Idle| idle.pressure > BUSY_PRESSURE || idle.steal > BUSY_STEAL;
    Measurement {
        cpu: facts.cpu,
        cores: facts.cores,
        kernel: facts.kernel,
        cgroups: facts.cgroups.name().to_owned(),
        network: "host".to_owned(),
        pressure: (before.pressure, after.pressure),
        steal: (before.steal, stolen),
        busy: is_loaded(before) || is_loaded(after) || stolen > BUSY_STEAL,
        ..Measurement::default()
    }
}

/// Processor time of a process, in nanoseconds (`/proc/PID/stat`, 100 ticks a second).
pub(super) fn spent(process: u32) -> Option<u64> {
    let text = text(&format!("/proc/{process}/stat"));
    // The program's name may hold anything; what follows its bracket does not.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|it| it.parse::<u64>().ok());
    Some((ticks(11)? + ticks(12)?) * 10_000_000)
}

/// When the first line of a log was written, in nanoseconds since 1970; nothing if none comes in half a second.
pub(super) fn first_line(path: &str) -> Option<i64> {
    for _ in 0..100 {
        let text = text(path);
        if let Some(stamp) = text.lines().next().and_then(|line| line.split(' ').next()) {
            let instant: jiff::Timestamp = stamp.parse().ok()?;
            return i64::try_from(instant.as_nanosecond()).ok();
        }
        wait(SimDuration::from_millis(5));
    }
    None
}

/// What containers are run with: the first line that runc says of its version.
pub fn oci() -> String {
    let said = std::process::Command::new("runc").arg("--version").output();
    let text = said.map(|said| String::from_utf8_lossy(&said.stdout).into_owned());
    let text = text.unwrap_or_default();
    text.lines().next().unwrap_or_default().replace("version ", "").trim().to_owned()
}
