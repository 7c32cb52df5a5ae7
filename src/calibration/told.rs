//! What came of a sitting, as a table and as pictures.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::plots::{Curve, Plot, Shares};
use super::samples::Samples;
use super::sitting::{HELD_BACK, IN_FLIGHT, Sitting, model, steps};
use crate::scenario::profile::{EngineProfile, Phase};
use crate::time::SimDuration;

/// What the model gives, by how many are in flight and phase.
type Modelled = BTreeMap<u32, BTreeMap<Phase, Samples>>;

fn modelled(profile: &EngineProfile) -> Modelled {
    let model = model(profile, profile.measured.cores.max(1));
    IN_FLIGHT.into_iter().map(|count| (count, model.samples(&steps(), count))).collect()
}

/// Milliseconds with a digit that is worth something.
pub fn millis(span: SimDuration) -> String {
    let ms = span.as_nanos() as f64 / 1e6;
    if ms < 10.0 { format!("{ms:.2}") } else { format!("{ms:.0}") }
}

/// How far `ours` is from `real`, in percent of it.
pub fn off(ours: SimDuration, real: SimDuration) -> f64 {
    100.0 * (ours.as_nanos() as f64 / real.as_nanos().max(1) as f64 - 1.0)
}

/// A line a phase: what was measured, and how far the model is from what no fit saw.
pub fn table(profile: &EngineProfile, sitting: &Sitting) -> String {
    let modelled = modelled(profile);
    let mut out = String::from(
        "PHASE                 1 IN FLIGHT (n min p50 p95 ms)      LAW: D   WORK   2: p50   8: p50   4, HELD BACK: p50  MODEL   OFF\n",
    );
    for (phase, fitted) in &profile.phases {
        let one = sitting.of(*phase, 1);
        let work = fitted.work.map_or("-".to_owned(), |it| format!("{:.2}", f64::from(it) / 1e3));
        let _ = write!(
            out,
            "{:<20} {:>5} {:>8} {:>8} {:>8} {:>13.3} {:>6}",
            phase.name(),
            one.len(),
            millis(one.least()),
            millis(one.median()),
            millis(one.quantile(950)),
            f64::from(fitted.distance) / 1e3,
            work
        );
        for count in [2, 8, HELD_BACK] {
            let real = sitting.of(*phase, count);
            let shown = if real.is_empty() { "-".to_owned() } else { millis(real.median()) };
            let _ = write!(out, " {shown:>8}");
        }
        let real = sitting.of(*phase, HELD_BACK);
        if let Some(ours) = modelled.get(&HELD_BACK).and_then(|all| all.get(phase))
            && !real.is_empty()
        {
            let (ours, real) = (ours.median(), real.median());
            let _ = write!(out, " {:>14} {:>+5.0} %", millis(ours), off(ours, real));
        }
        out.push('\n');
    }
    let pull = &profile.pull;
    let _ = writeln!(
        out,
        "\npull: {} + bytes at {:.0} MB/s + {} a file, one in a hundred {:.1} times as long, {:.0} % of it work ({} pulls)",
        pull.base,
        pull.bytes_a_second as f64 / 1e6,
        pull.per_file,
        f64::from(pull.spread) / 1e3,
        f64::from(pull.work) / 10.0,
        pull.samples
    );
    let behind = f64::from(profile.behind) / 10.0;
    let _ = writeln!(
        out,
        "contention: {behind:.0} % of an operation's work is done once more when its answer is out"
    );
    let _ = writeln!(
        out,
        "memory: {} of {} programs showed 137 and OOMKilled at once",
        profile.oom.seen, profile.oom.runs
    );
    for one in &profile.quota {
        let part = |thousandths: u32| f64::from(thousandths) / 1e3;
        let (quota, used) = (part(one.quota), part(one.used));
        let _ = writeln!(out, "quota {quota:.2}, threads {}: {used:.3} cores used", one.threads);
    }
    out
}

/// One picture a phase, and one of the pulls; each with the name of its files.
pub fn plots(profile: &EngineProfile, sitting: &Sitting) -> Vec<(String, Plot)> {
    let modelled = modelled(profile);
    let mut plots = Vec::new();
    for (phase, fitted) in &profile.phases {
        let mut curves = Vec::new();
        let mut add = |name: String, shares, colour| curves.push(Curve { name, shares, colour });
        for (colour, count) in IN_FLIGHT.into_iter().enumerate() {
            let real = sitting.of(*phase, count);
            if real.is_empty() {
                continue;
            }
            add(format!("{count} in flight (n = {})", real.len()), Shares::Measured(real), colour);
            if count == 1 {
                let name = format!("the law (D = {:.3})", f64::from(fitted.distance) / 1e3);
                add(name, Shares::Law(fitted.time.clone()), colour);
            } else if let Some(ours) = modelled[&count].get(phase) {
                let seen = if count == HELD_BACK { ", held back" } else { "" };
                add(format!("{count}: the model{seen}"), Shares::Model(ours.clone()), colour);
            }
        }
        let busy = if profile.measured.busy { ", on a busy machine" } else { "" };
        let title = format!("{}: share of samples up to a time{busy}", phase.name());
        plots.push((phase.name().to_owned(), Plot { title, curves }));
    }
    plots.push(("pull".to_owned(), pulls(profile, sitting)));
    plots
}

/// How much longer pulls took than expected.
fn pulls(profile: &EngineProfile, sitting: &Sitting) -> Plot {
    let mut shapes: BTreeMap<(u64, u64), Vec<SimDuration>> = BTreeMap::new();
    for pull in &sitting.pulls {
        shapes.entry((pull.bytes, pull.files)).or_default().push(pull.took);
    }
    let mut curves = Vec::new();
    for (colour, ((bytes, files), took)) in shapes.into_iter().enumerate() {
        let real: Samples = took.into_iter().collect();
        let expected = profile.pull.expected(bytes, files);
        let name = format!("{} MiB, {files} files", bytes >> 20);
        curves.push(Curve { name, shares: Shares::Measured(real), colour });
        let law = crate::luck::Measured::Constant(expected);
        curves.push(Curve { name: "expected".to_owned(), shares: Shares::Law(law), colour });
    }
    Plot { title: "pulls: share of samples up to a time".to_owned(), curves }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::documents::Limits;
    use crate::scenario::{profile::built_in, read_profile};

    #[test]
    fn a_profile_is_told_with_what_no_fit_saw() {
        let text = built_in::text("debian12-containerd").expect("it is built in");
        let profile = read_profile("p", text.as_bytes(), &Limits::default(), &mut |_| {})
            .expect("it is right");
        let took = SimDuration::from_millis(100);
        let sample = |in_flight| super::super::sitting::Sample {
            phase: Phase::StartContainer,
            in_flight,
            took,
        };
        let samples = IN_FLIGHT.into_iter().map(sample).collect();
        let sitting = Sitting { samples, pulls: Vec::new() };
        let told = table(&profile, &sitting);
        let line = told.lines().find(|line| line.starts_with("startContainer")).expect("a line");
        assert!(line.ends_with('%') && line.matches(" 100 ").count() >= 4, "{line}");
        let plots = plots(&profile, &sitting);
        let start = plots.iter().find(|(name, _)| name == "startContainer").expect("a picture");
        // Four measured, the law, and the model for 2, 4 and 8.
        assert_eq!(start.1.curves.len(), 8);
    }
}
