//! The requests to the Services of one target, second by second: when they rose, and whether clients
//! are served as they were before.

use std::collections::VecDeque;

use crate::api::name::Text;
use crate::record::metrics::Window;
use crate::time::SimTime;

/// Seconds that are remembered: how far back a rise is looked for.
const SECONDS: u64 = 600;
/// Means are taken over so many seconds.
const WIDTH: usize = 10;
/// What is usual is what was in so many seconds before the rise.
const BEFORE: u64 = 60;
/// Clients are judged by so many seconds at a time ..
const JUDGED: u64 = 5;
/// .. and served as before once nothing was wrong for so many.
const CALM: u64 = 30;

/// A load.
#[derive(Clone, Debug)]
pub(super) struct Load {
    /// The namespace.
    pub(super) space: Text,
    /// The Services' names.
    pub(super) services: String,
    /// What is known of each second, by number; those nobody told of are not there.
    seconds: VecDeque<(u64, Window)>,
}

/// A load that rose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Rise {
    /// When.
    pub(super) begins: SimTime,
    /// Requests a second before.
    pub(super) before: u64,
    /// Requests a second since.
    pub(super) since: u64,
}

impl Load {
    pub(super) fn new(space: Text, services: String) -> Load {
        Load { space, services, seconds: VecDeque::new() }
    }

    /// Adds what a client tells of a second; the one that is complete by that, if one is.
    pub(super) fn add(&mut self, second: u64, part: &Window) -> Option<u64> {
        let last = self.seconds.back_mut();
        if let Some((_, window)) = last.filter(|(last, _)| *last >= second) {
            window.add(part);
            return None;
        }
        let done = self.seconds.back().map(|(last, _)| *last);
        self.seconds.push_back((second, part.clone()));
        while self.seconds.front().is_some_and(|(first, _)| first + SECONDS < second) {
            self.seconds.pop_front();
        }
        done
    }

    /// All of the seconds from `from` up to, not including, `to`.
    fn between(&self, from: u64, to: u64) -> Window {
        let start = self.seconds.partition_point(|(second, _)| *second < from);
        let mut sum = Window::default();
        let those = self.seconds.range(start..).take_while(|(second, _)| *second < to);
        those.for_each(|(_, window)| sum.add(window));
        sum
    }

    /// When the load that is there at `at` rose, if it did after `after`. Where it rose more than once,
    /// and stood still in between, it is the last time that counts.
    pub(super) fn rise(&self, after: SimTime, at: SimTime) -> Option<Rise> {
        let to = at.as_secs();
        let from = after.as_secs().max(to.saturating_sub(SECONDS));
        let sent = |second: u64| self.between(second, second + 1).sent;
        let rates: Vec<u64> = (from..to).map(sent).collect();
        let mut begins = climb(&rates)?;
        let mut before = 0;
        while let Some(next) = climb(&rates[begins..]).map(|next| begins + next)
            && is_level(&rates[begins..next], &rates[next..])
        {
            (before, begins) = (begins, next);
        }
        let mean = |from: usize, to: usize| {
            let those = &rates[from..to];
            let seconds = those.len().max(1) as u64;
            (those.iter().sum::<u64>() + seconds / 2) / seconds
        };
        Some(Rise {
            begins: SimTime::from_secs(from + begins as u64),
            before: mean(begins.saturating_sub(BEFORE as usize).max(before), begins),
            since: mean(begins, rates.len()),
        })
    }
}

/// Sums over so many seconds that follow each other, and how many that is.
fn sums(rates: &[u64]) -> (Vec<u64>, u64) {
    let width = WIDTH.min(rates.len() / 2).max(1);
    (rates.windows(width).map(|it| it.iter().sum()).collect(), width as u64)
}

/// Since when rates are high, if they became so: the last second in which they were nearer to the least
/// there was than a quarter of the way to the most since is the one before.
fn climb(rates: &[u64]) -> Option<usize> {
    let (sums, width) = sums(rates);
    let (low_at, low) = sums.iter().copied().enumerate().min_by_key(|(_, sum)| *sum)?;
    let high = sums[low_at..].iter().copied().max()?;
    // A fifth more, and at least one a second.
    if high * 5 < low * 6 + 5 * width {
        return None;
    }
    let limit = low + (high - low) / 4;
    let begins = rates.iter().rposition(|rate| rate * width < limit)? + 1;
    (begins < rates.len()).then_some(begins)
}

/// Whether rates stand still, for long enough to tell, beside how they rise afterwards.
fn is_level(rates: &[u64], after: &[u64]) -> bool {
    let mean = |rates: &[u64]| rates.iter().sum::<u64>() as f64 / rates.len().max(1) as f64;
    let (first, second) = rates.split_at(rates.len() / 2);
    let (moves, rises) = ((mean(second) - mean(first)).abs(), mean(after) - mean(rates));
    rates.len() >= 2 * WIDTH && moves * 12.0 <= rises
}

/// How clients fare in a surge.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    begins: u64,
    /// The usual 99th percentile, in nanoseconds.
    pub(super) usual: Option<u64>,
    /// The first second in which something was wrong.
    felt: Option<u64>,
    /// The last.
    last: u64,
    /// The worst 99th percentile, in nanoseconds.
    pub(super) worst: u64,
    /// Requests without a good answer.
    pub(super) errors: u64,
    is_over: bool,
}

impl Watch {
    /// From a rise on.
    pub(super) fn begin(load: &Load, begins: SimTime) -> Watch {
        let begins = begins.as_secs();
        let usual = load.between(begins.saturating_sub(BEFORE), begins);
        let usual = usual.histogram.quantile_nanos(0.99);
        let mut watch =
            Watch { begins, usual, felt: None, last: 0, worst: 0, errors: 0, is_over: false };
        let known: Vec<u64> = load.seconds.iter().map(|(second, _)| *second).collect();
        // The latest is not complete.
        let complete = known.len().saturating_sub(1);
        known[..complete].iter().for_each(|second| watch.judge(load, *second));
        watch
    }

    /// A second is complete.
    pub(super) fn judge(&mut self, load: &Load, second: u64) {
        if self.is_over || second < self.begins {
            return;
        }
        let from = (second + 1).saturating_sub(JUDGED).max(self.begins);
        let window = load.between(from, second + 1);
        let finished = window.ok + window.errors();
        let slow = window.histogram.quantile_nanos(0.99);
        self.worst = self.worst.max(slow.unwrap_or(0));
        self.errors += load.between(second, second + 1).errors();
        // Twice the usual and a millisecond, or more than one in a hundred without a good answer.
        let limit = self.usual.map_or(u64::MAX, |usual| 2 * usual + 1_000_000);
        if window.errors() * 100 > finished || slow > Some(limit) {
            self.felt.get_or_insert(second);
            self.last = second;
        } else if self.felt.is_some() && second >= self.last + CALM {
            self.is_over = true;
        }
    }

    /// When clients began to notice.
    pub(super) fn felt(&self) -> Option<SimTime> {
        self.felt.map(SimTime::from_secs)
    }

    /// When they were served as before, if they are.
    pub(super) fn is_over(&self) -> Option<SimTime> {
        // Of the seconds judged together with the last wrong one, one is to blame.
        let first = (self.last + 2).saturating_sub(JUDGED).max(self.felt? + 1);
        self.is_over.then(|| SimTime::from_secs(first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::histogram::bucket_of;

    /// `rate` requests in each of `seconds`, answered in so many milliseconds.
    fn load(parts: &[(u64, u64, u64)]) -> Load {
        let (mut load, mut second) = (Load::new("default".into(), "web".into()), 0);
        for &(seconds, rate, millis) in parts {
            for _ in 0..seconds {
                let mut window = Window { sent: rate, ok: rate, ..Window::default() };
                window.histogram.count(bucket_of(millis * 1_000_000), rate);
                load.add(second, &window);
                second += 1;
            }
        }
        load
    }

    #[test]
    fn a_rise_is_found_where_it_began() {
        let at = SimTime::from_secs;
        let rise = |parts: &[(u64, u64, u64)], after| {
            let end = parts.iter().map(|it| it.0).sum();
            load(parts).rise(at(after), at(end))
        };
        let step = rise(&[(100, 150, 9), (20, 420, 9)], 0);
        assert_eq!(step, Some(Rise { begins: at(100), before: 150, since: 420 }));
        assert_eq!(rise(&[(100, 150, 9), (20, 160, 9)], 0), None);
        // Clients that begin are one thing, a spike is another.
        assert_eq!(rise(&[(30, 0, 9), (70, 150, 9), (20, 420, 9)], 0), step);
        assert_eq!(rise(&[(30, 0, 9), (20, 420, 9)], 0).map(|it| it.before), Some(0));
        assert_eq!(rise(&[(100, 150, 9), (20, 420, 9)], 105), None);
        // What is over has not risen.
        assert_eq!(rise(&[(60, 150, 9), (20, 420, 9), (20, 150, 9)], 0), None);
        // A slow rise began when a quarter of it was done.
        let slope: Vec<_> = (0..100).map(|second| (1, 100 + second, 9)).collect();
        let found = rise(&slope, 0).expect("it rises").begins.as_secs();
        assert!((20..40).contains(&found), "{found}");
    }

    #[test]
    fn clients_are_served_as_before_once_they_were_for_a_while() {
        let load = load(&[(60, 100, 9), (10, 300, 9), (40, 300, 500), (60, 300, 12)]);
        let watch = Watch::begin(&load, SimTime::from_secs(60));
        assert_eq!(watch.felt(), Some(SimTime::from_secs(70)));
        assert_eq!(watch.is_over(), Some(SimTime::from_secs(110)));
        assert!(watch.worst > 490_000_000);
    }
}
