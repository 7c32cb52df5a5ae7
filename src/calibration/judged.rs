//! How far a model is from what it stands for, beside how far that is from itself.
//!
//! The measured thing is never quite the same twice: its medians move from one sitting to the next. So an error is
//! held against that spread: it is too great where it is more than a factor times the larger of the spread and the
//! goal of 15 %.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::samples::Samples;
use super::told::millis;
use crate::time::SimDuration;

/// What is good enough however little the real thing varies.
pub const GOAL: f64 = 0.15;
/// A difference below this is no error: so long messages of the control plane are under way, which is virtual both
/// ways.
const SLIGHT: SimDuration = SimDuration::from_millis(5);

/// Times by name.
pub type Times = BTreeMap<String, Samples>;

/// Gathers times by name.
pub fn gather(times: impl IntoIterator<Item = (String, SimDuration)>) -> Times {
    let mut lists: BTreeMap<String, Vec<SimDuration>> = BTreeMap::new();
    for (name, time) in times {
        lists.entry(name).or_default().push(time);
    }
    lists.into_iter().map(|(name, list)| (name, list.into_iter().collect())).collect()
}

/// One thing that was timed both ways.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What.
    pub name: String,
    /// Samples for real.
    pub count: usize,
    /// 50th and 95th percentiles for real.
    pub real: (SimDuration, SimDuration),
    /// The same of the model.
    pub model: (SimDuration, SimDuration),
    /// How far the model's median is from the real one, as a share of it.
    pub error: f64,
    /// How far the medians of real sittings are from each other, as a share of theirs; `None`: there was one.
    pub spread: Option<f64>,
    /// Kolmogorov and Smirnov's D between the model and reality.
    pub distance: f64,
    /// The greatest D between two real sittings.
    pub distance_real: Option<f64>,
}

impl Row {
    /// What its error may be, before any factor.
    pub fn allowed(&self) -> f64 {
        GOAL.max(self.spread.unwrap_or(0.0))
    }

    /// Whether the model is within so many times what it may be off.
    pub fn is_within(&self, factor: f64) -> bool {
        let (real, model) = (self.real.0, self.model.0);
        let apart = real.saturating_sub(model).max(model.saturating_sub(real));
        apart < SLIGHT || self.error.abs() <= factor * self.allowed()
    }

    /// Whether it takes any time at all, here or there.
    fn is_timed(&self) -> bool {
        self.real.0 >= SLIGHT || self.model.0 >= SLIGHT
    }
}

/// Holds the times of several real sittings against those of the model. What only one of them has is left out: that
/// it is there at all is for the order of events to tell; and what takes no time to speak of.
pub fn judge(sittings: &[Times], model: &Times) -> Vec<Row> {
    let mut names: Vec<&String> = sittings.iter().flat_map(Times::keys).collect();
    names.sort();
    names.dedup();
    let rows = names.into_iter().filter_map(|name| row(name, sittings, model.get(name)?));
    rows.filter(Row::is_timed).collect()
}

fn row(name: &str, sittings: &[Times], model: &Samples) -> Option<Row> {
    let real: Vec<&Samples> = sittings.iter().filter_map(|sitting| sitting.get(name)).collect();
    let all: Samples = real.iter().flat_map(|one| one.sorted().iter().copied()).collect();
    let (median, ours) = (all.median(), model.median());
    let share = |a: SimDuration, b: SimDuration| {
        (a.as_nanos() as f64 - b.as_nanos() as f64) / median.as_nanos().max(1) as f64
    };
    let pairs = || (0..real.len()).flat_map(|a| (0..a).map(move |b| (a, b)));
    let widest = |of: &dyn Fn(&Samples, &Samples) -> f64| {
        pairs().map(|(a, b)| of(real[a], real[b])).reduce(f64::max)
    };
    Some(Row {
        name: name.to_owned(),
        count: all.len(),
        real: (median, all.quantile(950)),
        model: (ours, model.quantile(950)),
        error: share(ours, median),
        spread: widest(&|a, b| share(a.median(), b.median()).abs()),
        distance: all.distance(model),
        distance_real: widest(&|a, b| a.distance(b)),
    })
}

/// A line a row.
pub fn table(rows: &[Row], factor: f64) -> String {
    let mut out = String::from(
        "                                                  REAL             MODEL            MEDIAN OFF  REAL AGAINST REAL   KS D: MODEL  REAL\n\
         WHAT                                            n   p50    p95    p50    p95\n",
    );
    for row in rows {
        let percent = |share: f64| format!("{:.0} %", 100.0 * share);
        let maybe = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        let _ = writeln!(
            out,
            "{:<44} {:>5} {:>6} {:>6} {:>6} {:>6} {:>14} {:>18} {:>12.2} {:>6} {}",
            row.name,
            row.count,
            millis(row.real.0),
            millis(row.real.1),
            millis(row.model.0),
            millis(row.model.1),
            format!("{:+.0} %", 100.0 * row.error),
            maybe(row.spread.map(percent)),
            row.distance,
            maybe(row.distance_real.map(|it| format!("{it:.2}"))),
            if row.is_within(factor) { "" } else { "OUTSIDE" }
        );
    }
    out
}

/// The median of the rows' errors, and how many of them meet the goal: within 15 % or the real spread.
pub fn summary(rows: &[Row]) -> (f64, usize) {
    let mut errors: Vec<f64> = rows.iter().map(|row| row.error.abs()).collect();
    errors.sort_by(f64::total_cmp);
    let median = errors.get(errors.len() / 2).copied().unwrap_or(0.0);
    (median, rows.iter().filter(|row| row.is_within(1.0)).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(millis: &[u64]) -> Times {
        gather(millis.iter().map(|it| ("x".to_owned(), SimDuration::from_millis(*it))))
    }

    #[test]
    fn an_error_is_held_against_the_spread_of_reality() {
        let steady = [times(&[99, 100, 101]), times(&[100, 100, 100])];
        let restless = [times(&[90, 100, 110]), times(&[130, 140, 150])];
        let model = times(&[130, 131, 132]);
        let rows = judge(&steady, &model);
        assert!((rows[0].error - 0.31).abs() < 1e-9 && rows[0].spread == Some(0.0), "{rows:?}");
        assert!(!rows[0].is_within(2.0) && rows[0].is_within(2.1), "31 % of 15 %");
        let rows = judge(&restless, &model);
        assert!(rows[0].is_within(1.0), "{rows:?}");
        assert_eq!(rows[0].distance_real, Some(1.0));
        assert!(judge(&steady, &times(&[])).is_empty());
        assert!(table(&judge(&steady, &model), 2.0).contains("OUTSIDE"));
        assert_eq!(summary(&judge(&restless, &model)).1, 1);
    }

    #[test]
    fn slight_differences_are_never_outside() {
        assert!(judge(&[times(&[1])], &times(&[4])).is_empty(), "nothing to speak of");
        assert!(judge(&[times(&[2])], &times(&[6]))[0].is_within(1.0));
        assert!(!judge(&[times(&[1])], &times(&[9]))[0].is_within(1.0));
    }
}
