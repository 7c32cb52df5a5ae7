//! A recording beside runs of ours: row by row, sizes and order, and the lines of the table.
//!
//! ```text
//! a row of one run or more: least..greatest, in so many runs
//!   greatest <= 1.5 x least   each run of ours within 10 % or 0.3 s, whichever is larger; 1 s for timers
//!                             over 10 s and where there is one run
//!   greatest >  1.5 x least   noise: the middle one of our runs within least..greatest as it stands
//!     by more than 10 s       chance: waits that double and are drawn. One of our runs, the same for all such
//!                             rows of a recording, within least..greatest as it stands
//!   a count                   equal where all recorded runs agree, else within least..greatest
//! ```

use std::collections::{BTreeMap, BTreeSet};

use super::ours::Ours;
use super::recording::{Recording, Run, Steps};
use super::rows::{Answer, Beside, by_rank, is_apart};

/// Recorded instants closer than this may come in any order: no time is held more tightly.
pub const NOISE: f64 = 0.3;

/// What is longer is of timers, not of a machine.
const TIMER: f64 = 10.0;

/// What came of one recording.
#[derive(Default)]
pub struct Verdict {
    pub compared: usize,
    /// Rows that are compared as they stand, being noise.
    pub strict: usize,
    /// Rows that hang on chance, and which of our runs have all of them within.
    pub chance: (usize, Vec<usize>),
    /// Rows that are not compared, and why.
    pub apart: BTreeSet<String>,
    /// Rows that differ, and how.
    pub differing: BTreeMap<String, String>,
}

/// What was recorded of a row.
struct Range {
    least: f64,
    greatest: f64,
    /// In how many runs.
    count: usize,
}

impl Range {
    fn of(values: &[f64]) -> Range {
        let least = values.iter().copied().fold(f64::MAX, f64::min);
        let greatest = values.iter().copied().fold(f64::MIN, f64::max);
        Range { least, greatest, count: values.len() }
    }

    fn is_noise(&self) -> bool {
        self.count > 1 && self.least > 0.0 && self.greatest > 1.5 * self.least
    }

    /// No noise of a machine is that long: it was drawn.
    fn hangs_on_chance(&self) -> bool {
        self.is_noise() && self.greatest - self.least > TIMER
    }

    fn widened(&self) -> (f64, f64) {
        let slack = if self.least > TIMER || self.count == 1 { 1.0 } else { 0.3 };
        let of = |value: f64| (value.abs() * 0.1).max(slack);
        (self.least - of(self.least), self.greatest + of(self.greatest))
    }
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn is_count(row: &str) -> bool {
    row.starts_with("n_") || row.contains("_n_") || row == "leader_changes"
}

impl Verdict {
    fn holds(&mut self, row: &str, holds: bool, told: impl FnOnce() -> String) {
        self.compared += 1;
        if !holds {
            self.differing.insert(row.to_owned(), told());
        }
    }

    /// Of noise the middle one of all runs is looked at, else each of the first `ours`.
    fn row(&mut self, row: &str, recorded: &Range, runs: usize, all: &[Beside<'_>], ours: usize) {
        let count = if recorded.is_noise() { all.len() } else { ours };
        let answers: Vec<Answer> = all[..count].iter().map(|it| it.row(row)).collect();
        let mut found = Vec::new();
        for answer in &answers {
            match answer {
                Answer::Apart(why) => drop(self.apart.insert(format!("{row} ({why})"))),
                Answer::Is(value) => found.push(*value),
                Answer::Never | Answer::Unknown => {}
            }
        }
        if answers.iter().any(|it| matches!(it, Answer::Apart(_))) {
            return;
        }
        if answers.contains(&Answer::Unknown) {
            return self.holds(row, false, || "no row of ours is called so".to_owned());
        }
        let Range { least, greatest, count } = *recorded;
        let theirs = format!("recorded {least:.3}..{greatest:.3} ({count} of {runs})");
        if found.len() < answers.len() && count < runs {
            // Some recorded runs have none either.
            self.apart.insert(format!("{row} (not in every recorded run)"));
        } else if found.len() < answers.len() {
            return self.holds(row, false, || format!("{theirs}, ours has none"));
        }
        if found.is_empty() {
            return;
        }
        let holds = if is_count(row) {
            found.iter().all(|it| (least..=greatest).contains(it))
        } else if recorded.is_noise() {
            self.strict += 1;
            (least..=greatest).contains(&middle(found.clone()))
        } else {
            let (below, above) = recorded.widened();
            found.iter().all(|it| (below..=above).contains(it))
        };
        self.holds(row, holds, || {
            let noise = if recorded.is_noise() { "noise, as it stands: " } else { "" };
            let ours: Vec<String> = found.iter().map(|it| format!("{it:.3}")).collect();
            format!("{noise}{theirs}, ours {}", ours.join(" "))
        });
    }

    /// Rows that hang on chance are those of one draw: they hold if they do so in one run.
    fn drawn(&mut self, rows: &[(&String, Range)], ours: &[Beside<'_>]) {
        if rows.is_empty() {
            return;
        }
        let is_within = |it: &Beside<'_>, (row, range): &(&String, Range)| matches!(it.row(row), Answer::Is(at) if (range.least..=range.greatest).contains(&at));
        let all_within = |it: &Beside<'_>| rows.iter().all(|row| is_within(it, row));
        let found = (1..).zip(ours).filter(|it| all_within(it.1)).map(|it| it.0);
        self.chance = (rows.len(), found.collect());
        self.strict += rows.len();
        for (row, Range { least, greatest, .. }) in rows {
            self.holds(row, !self.chance.1.is_empty(), || {
                let ours: Vec<String> =
                    ours.iter().map(|it| format!("{:?}", it.row(row))).collect();
                format!("chance: recorded {least:.3}..{greatest:.3}, ours {}", ours.join(" "))
            });
        }
    }

    /// Rows that all recorded runs have in one order, and far enough apart, are so in ours.
    fn order(&mut self, recorded: &[BTreeMap<String, f64>], ours: &[Beside<'_>]) {
        let rows: Vec<&String> = recorded[0]
            .keys()
            .filter(|row| recorded.iter().all(|it| it.contains_key(*row)))
            .collect();
        let is_event = |row: &&&String| {
            let word = row.split(' ').nth(1).or_else(|| row.rsplit('_').next()).unwrap_or_default();
            ["created", "deleting", "deleted", "evicted", "finished", "ready"].contains(&word)
                && !row.contains("_after_")
        };
        let rows: Vec<&String> = rows.iter().filter(is_event).copied().collect();
        let mut wrong = Vec::new();
        for beside in ours {
            let times: Vec<Option<f64>> = rows
                .iter()
                .map(|row| match beside.row(row) {
                    Answer::Is(at) => Some(at),
                    _ => None,
                })
                .collect();
            for (first, before) in rows.iter().enumerate() {
                for (second, after) in rows.iter().enumerate() {
                    let agreed = recorded.iter().all(|it| it[*after] - it[*before] > NOISE);
                    if let (true, Some(one), Some(other)) = (agreed, times[first], times[second])
                        && one > other
                    {
                        wrong.push(format!("{after} before {before}"));
                    }
                }
            }
        }
        wrong.sort();
        wrong.dedup();
        self.holds("order", wrong.is_empty(), || wrong.join("; "));
    }

    fn sizes(&mut self, recorded: &[BTreeMap<String, Vec<i64>>], ours: &[Beside<'_>]) {
        let sets: BTreeSet<&String> = recorded.iter().flat_map(BTreeMap::keys).collect();
        for set in sets {
            let theirs: Vec<&Vec<i64>> = recorded.iter().filter_map(|it| it.get(set)).collect();
            let is_one = theirs.windows(2).all(|pair| pair[0] == pair[1]);
            for ours in ours {
                let ours = now(ours.ours, set, ours.until);
                let holds = if is_one { ours == *theirs[0] } else { is_alike(&ours, &theirs) };
                let how = if is_one { "equal" } else { "alike" };
                self.holds(&format!("sizes of {set}"), holds, || {
                    format!("not {how}: recorded {theirs:?}, ours {ours:?}")
                });
            }
        }
    }
}

/// Who was deleted after whom, where all recorded runs agree: by name, numbered pods by their node.
fn deletions(runs: &[Run<'_>], ours: &[Beside<'_>], verdict: &mut Verdict) {
    let theirs: Vec<Vec<String>> = runs.iter().map(|run| run.deletions()).collect();
    let least = theirs.iter().map(Vec::len).min().unwrap_or_default();
    let agreed: Vec<usize> =
        (0..least).filter(|&at| theirs.windows(2).all(|it| it[0][at] == it[1][at])).collect();
    if agreed.is_empty() {
        return;
    }
    if runs.iter().any(|run| run.placed() == 0) {
        verdict.apart.insert("deletion order (ages of pods are not told: ranking.rs)".to_owned());
        return;
    }
    let of = |all: &[String]| agreed.iter().map(|&at| all.get(at).cloned()).collect::<Vec<_>>();
    let told: Vec<Vec<Option<String>>> = ours.iter().map(|it| of(&it.deletions())).collect();
    let wanted = of(&theirs[0]);
    verdict.holds("deletion order", told.iter().all(|it| *it == wanted), || {
        format!("recorded {wanted:?}, ours {told:?}")
    });
}

/// The conditions of the one Deployment there is, each time they change: as in one of the recorded runs, or
/// so but for what one of the two passes through in a moment.
fn conditions(runs: &[Run<'_>], ours: &[Beside<'_>], verdict: &mut Verdict) {
    let theirs: Option<Vec<Steps>> = runs.iter().map(|run| run.conditions()).collect();
    let Some(theirs) = theirs.filter(|it| it.iter().any(|run| run.len() > 1)) else { return };
    let told: Vec<Steps> = ours.iter().filter_map(told).collect();
    let alike = |one: &Steps| theirs.iter().any(|it| is_one_way(&spans(it), &spans(one)));
    let holds = told.len() == ours.len() && told.iter().all(alike);
    verdict.holds("conditions", holds, || {
        let of = |it: &[Steps]| format!("{:?}", it.iter().map(words).collect::<Vec<_>>());
        format!("recorded {}, ours {}", of(&theirs), of(&told))
    });
}

fn words(steps: &Steps) -> Vec<&str> {
    steps.iter().map(|it| it.1.as_str()).collect()
}

/// How long each state lasts.
fn spans(steps: &Steps) -> Vec<(f64, &str)> {
    let ends = steps.iter().skip(1).map(|it| it.0).chain([f64::MAX]);
    steps.iter().zip(ends).map(|(step, end)| (end - step.0, step.1.as_str())).collect()
}

/// Whether two go the same way, but for states that one of them passes through in a moment.
fn is_one_way(one: &[(f64, &str)], other: &[(f64, &str)]) -> bool {
    let is_passed = |it: &[(f64, &str)]| it.first().is_some_and(|it| it.0 < NOISE);
    match (one.first(), other.first()) {
        (None, None) => return true,
        (Some(a), Some(b)) if a.1 == b.1 && is_one_way(&one[1..], &other[1..]) => return true,
        _ => {}
    }
    (is_passed(one) && is_one_way(&one[1..], other))
        || (is_passed(other) && is_one_way(one, &other[1..]))
}

/// Those of ours, from the first action on, those it has then first.
fn told(ours: &Beside<'_>) -> Option<Steps> {
    let [all] = ours.ours.conditions.values().collect::<Vec<_>>()[..] else { return None };
    let began = all.iter().rfind(|it| it.0 < 0.0);
    let after = all.iter().filter(|it| (0.0..ours.until).contains(&it.0));
    Some(began.into_iter().chain(after).cloned().collect())
}

/// The sizes of a set from the first action on, the one it has then first.
fn now(ours: &Ours, set: &str, until: f64) -> Vec<i64> {
    let all = ours.sizes.get(set).map_or(&[][..], Vec::as_slice);
    let began = all.iter().rfind(|it| it.0 < 0.0);
    began
        .into_iter()
        .chain(all.iter().filter(|it| (0.0..until).contains(&it.0)))
        .map(|it| it.1)
        .collect()
}

/// Where runs differ: bounds, first step, end, and monotony where all of them keep it.
fn is_alike(ours: &[i64], theirs: &[&Vec<i64>]) -> bool {
    let all = || theirs.iter().flat_map(|it| it.iter());
    let bounds = all().min().zip(all().max());
    let within =
        bounds.is_some_and(|(least, most)| ours.iter().all(|it| (least..=most).contains(&it)));
    let same = |of: fn(&[i64]) -> Option<i64>| {
        let first = of(theirs[0]);
        !theirs.iter().all(|it| of(it) == first) || of(ours) == first
    };
    let (first, last) =
        (same(|it| it.get(1).or(it.first()).copied()), same(|it| it.last().copied()));
    let keeps = |is: fn(&i64, &i64) -> bool| {
        let sorted = |it: &[i64]| it.windows(2).all(|pair| is(&pair[0], &pair[1]));
        !theirs.iter().all(|it| sorted(it)) || sorted(ours)
    };
    within && first && last && keeps(|a, b| a <= b) && keeps(|a, b| a >= b)
}

fn range(row: &str, recorded: &[BTreeMap<String, f64>]) -> Range {
    Range::of(&recorded.iter().filter_map(|it| it.get(row).copied()).collect::<Vec<_>>())
}

/// What chance has to do with the rows of a recording.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Chance {
    /// Nothing.
    None,
    /// Its machine was now slow, now not.
    Noise,
    /// Waits are drawn.
    Drawn,
}

/// The most that chance has to do with any row that all runs have.
pub fn chance(runs: &[Run<'_>]) -> Chance {
    let recorded: Vec<BTreeMap<String, f64>> =
        runs.iter().map(|run| by_rank(&run.timings())).collect();
    let of = |row: &String| match range(row, &recorded) {
        it if it.count < runs.len() || is_count(row) || is_apart(row) => Chance::None,
        it if it.hangs_on_chance() => Chance::Drawn,
        it if it.is_noise() => Chance::Noise,
        _ => Chance::None,
    };
    recorded[0].keys().map(of).max().unwrap_or(Chance::None)
}

/// Compares a recording with runs of ours: each of the first `count`, and the middle ones of all.
pub fn compare(recording: &Recording, all: &[Beside<'_>], count: usize) -> Verdict {
    let mut verdict = Verdict::default();
    let ours = &all[..count];
    let runs = recording.runs();
    let recorded: Vec<BTreeMap<String, f64>> =
        runs.iter().map(|run| by_rank(&run.timings())).collect();
    let rows: BTreeSet<&String> = recorded.iter().flat_map(BTreeMap::keys).collect();
    let mut drawn = Vec::new();
    for row in rows {
        let range = range(row, &recorded);
        let is_time = !is_apart(row) && !is_count(row);
        if range.hangs_on_chance() && range.count == runs.len() && is_time {
            drawn.push((row, range));
        } else {
            verdict.row(row, &range, runs.len(), all, ours.len());
        }
    }
    verdict.drawn(&drawn, ours);
    verdict.order(&recorded, ours);
    let sizes: Vec<BTreeMap<String, Vec<i64>>> = runs.iter().map(|run| run.sizes()).collect();
    let played: Vec<&Ours> = ours.iter().map(|it| it.ours).collect();
    verdict.sizes(&sizes, ours);
    conditions(&runs, ours, &mut verdict);
    deletions(&runs, ours, &mut verdict);
    let most: Vec<f64> = runs.iter().filter_map(|run| run.most_pods()).collect();
    if !most.is_empty() {
        let range = Range::of(&most);
        let holds = played.iter().all(|it| (range.least..=range.greatest).contains(&it.most_pods));
        verdict.holds("most pods at once", holds, || {
            let ours: Vec<f64> = played.iter().map(|it| it.most_pods).collect();
            format!("recorded {most:?}, ours {ours:?}")
        });
    }
    verdict
}
