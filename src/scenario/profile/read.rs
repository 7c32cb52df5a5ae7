//! From a Profile as written to one that an engine can go by: every value judged.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::raw;
use super::{Ceiling, EngineProfile, Fitted, Measurement, Oom, Phase, Pull};
use crate::api::kinds::nearest;
use crate::luck::Measured;
use crate::scenario::judge::Judge;
use crate::scenario::reading::whole;
use crate::scenario::values::Span;
use crate::time::SimDuration;

/// Thousandths of one.
const WHOLE: f64 = 1000.0;
/// Values of one phase at most.
const QUANTILES_MAX: usize = 1001;
/// The greatest factor that anything may have.
const FACTOR_MAX: f64 = 1000.0;

/// Reads the document under judgement; `None` only where it says nothing at all.
pub(in crate::scenario) fn profile(judge: &mut Judge<'_, '_>) -> Option<EngineProfile> {
    let written: raw::Profile = whole("", judge);
    let name = written.metadata.unwrap_or_default().name.unwrap_or_default();
    let Some(spec) = written.spec else {
        judge.missing("spec", "Required value");
        return None;
    };
    let behind = spec.contention.unwrap_or_default().behind;
    let behind = factor(behind, 0.0, (0.0, FACTOR_MAX), "spec.contention.behind", judge);
    let phases = phases(spec.phases.unwrap_or_default(), judge);
    let pull = match spec.pull {
        Some(written) => pull(&written, judge),
        None => {
            judge.missing("spec.pull", "Required value");
            return None;
        }
    };
    let oom = spec.oom.unwrap_or_default();
    let oom = Oom { runs: oom.runs.unwrap_or(0), seen: oom.seen.unwrap_or(0) };
    let written = spec.quota.into_iter().flatten().enumerate();
    let quota = written.map(|(at, it)| ceiling(&it, &format!("spec.quota[{at}]"), judge)).collect();
    let measured = measurement(spec.measured.unwrap_or_default(), judge);
    Some(EngineProfile { name, measured, behind, phases, pull, oom, quota })
}

fn measurement(written: raw::Measured, judge: &mut Judge<'_, '_>) -> Measurement {
    let (pressure, steal) =
        (written.pressure.unwrap_or_default(), written.steal.unwrap_or_default());
    let mut percent = |value: Option<f64>, field: &str| {
        let path = format!("spec.measured.{field}");
        factor(value.map(|it| it / 100.0), 0.0, (0.0, 1.0), &path, judge)
    };
    let pressure =
        (percent(pressure.before, "pressure.before"), percent(pressure.after, "pressure.after"));
    let steal = (percent(steal.before, "steal.before"), percent(steal.during, "steal.during"));
    Measurement {
        at: written.at.unwrap_or_default(),
        cpu: written.cpu.unwrap_or_default(),
        cores: written.cores.unwrap_or(0),
        kernel: written.kernel.unwrap_or_default(),
        cgroups: written.cgroups.unwrap_or_default(),
        network: written.network.unwrap_or_default(),
        runtime: written.runtime.unwrap_or_default(),
        oci: written.oci.unwrap_or_default(),
        took: written.took.map_or(SimDuration::ZERO, |Span(span)| span),
        pressure,
        steal,
        busy: written.busy.unwrap_or(false),
        samples: written.samples.unwrap_or_default(),
    }
}

fn phases(
    written: BTreeMap<String, raw::Phase>,
    judge: &mut Judge<'_, '_>,
) -> BTreeMap<Phase, Fitted> {
    let names: Vec<&str> = Phase::ALL.iter().map(|phase| phase.name()).collect();
    let mut phases = BTreeMap::new();
    for (name, one) in written {
        let path = format!("spec.phases.{name}");
        match Phase::called(&name) {
            None => judge.unknown_field(&path, nearest(&name, &names)),
            Some(phase) => {
                if let Some(fitted) = fitted(one, &path, judge) {
                    phases.insert(phase, fitted);
                }
            }
        }
    }
    for phase in Phase::NEEDED {
        if !phases.contains_key(&phase) {
            judge.missing(&format!("spec.phases.{}", phase.name()), "Required value");
        }
    }
    phases
}

fn fitted(written: raw::Phase, path: &str, judge: &mut Judge<'_, '_>) -> Option<Fitted> {
    let work = written
        .work
        .is_some()
        .then(|| factor(written.work, 0.0, (0.0, 1.0), &format!("{path}.work"), judge));
    let distance = factor(written.distance, 0.0, (0.0, 1.0), &format!("{path}.distance"), judge);
    let law = (written.floor, written.p50, written.p99);
    let time = match (law, written.quantiles) {
        ((None, None, None), Some(values)) => quantiles(&values, path, judge)?,
        ((floor, Some(Span(p50)), Some(Span(p99))), None) => {
            let floor = floor.map_or(SimDuration::ZERO, |Span(span)| span);
            if floor > p50 {
                judge.error(&format!("{path}.floor"), "is longer than p50");
                return None;
            }
            if p99 < p50 {
                judge.error(&format!("{path}.p99"), "is shorter than p50");
                return None;
            }
            Measured::LogNormal { floor, p50, p99 }
        }
        _ => {
            judge.missing(path, "expected floor, p50 and p99, or quantiles");
            return None;
        }
    };
    Some(Fitted { time, work, samples: written.samples.unwrap_or(0), distance })
}

fn quantiles(values: &[Span], path: &str, judge: &mut Judge<'_, '_>) -> Option<Measured> {
    let path = format!("{path}.quantiles");
    if values.is_empty() || values.len() > QUANTILES_MAX {
        judge.error(&path, format!("expected 1 to {QUANTILES_MAX} times, found {}", values.len()));
        return None;
    }
    if let Some(at) = values.windows(2).position(|pair| pair[1].0 < pair[0].0) {
        judge.error(&format!("{path}[{}]", at + 1), "is shorter than the one before");
        return None;
    }
    let values: Arc<[SimDuration]> = values.iter().map(|Span(span)| *span).collect();
    Some(Measured::Quantiles(values))
}

fn pull(written: &raw::Pull, judge: &mut Judge<'_, '_>) -> Pull {
    let mut span = |value: Option<Span>, field: &str| {
        if value.is_none() {
            judge.missing(&format!("spec.pull.{field}"), "Required value");
        }
        value.map_or(SimDuration::ZERO, |Span(span)| span)
    };
    let (base, per_file) = (span(written.base, "base"), span(written.per_file, "perFile"));
    let rate = written.bytes_per_second;
    if rate.is_none() {
        judge.missing("spec.pull.bytesPerSecond", "Required value");
    }
    if rate == Some(0) {
        judge.error(
            "spec.pull.bytesPerSecond",
            "Invalid value: 0: must be greater than or equal to 1",
        );
    }
    Pull {
        base,
        bytes_a_second: rate.unwrap_or(1).max(1),
        per_file,
        files_a_mebibyte: written.files_per_mebibyte.unwrap_or(0),
        spread: factor(written.spread, 1.0, (1.0, FACTOR_MAX), "spec.pull.spread", judge),
        work: factor(written.work, 1.0, (0.0, 1.0), "spec.pull.work", judge),
        samples: written.samples.unwrap_or(0),
    }
}

fn ceiling(written: &raw::Ceiling, path: &str, judge: &mut Judge<'_, '_>) -> Ceiling {
    let limits = (0.0, FACTOR_MAX);
    Ceiling {
        quota: factor(written.quota, 0.0, limits, &format!("{path}.quota"), judge),
        threads: written.threads.unwrap_or(1),
        used: factor(written.used, 0.0, limits, &format!("{path}.used"), judge),
    }
}

/// A factor in thousandths.
fn factor(
    written: Option<f64>,
    default: f64,
    (least, most): (f64, f64),
    path: &str,
    judge: &mut Judge<'_, '_>,
) -> u32 {
    let value = written.unwrap_or(default);
    if !(least..=most).contains(&value) {
        let scale = if path.starts_with("spec.measured.") { 100.0 } else { 1.0 };
        let (value, least, most) = (value * scale, least * scale, most * scale);
        judge.error(path, format!("Invalid value: {value}: must be between {least} and {most}"));
        return (default * WHOLE) as u32;
    }
    libm::round(value * WHOLE) as u32
}
