//! The requests of one Service, second by second.

use std::collections::VecDeque;

use super::window::Window;
use crate::time::{SimDuration, SimTime};

/// The longest stretch that can be asked about, in seconds; older seconds are only in the total.
pub const SPAN_SECONDS_MAX: u64 = 3600;

/// What became of the requests one Service was sent.
#[derive(Clone, Debug, Default)]
pub struct ServiceMetrics {
    /// The latest seconds in which anything happened, by their number.
    seconds: VecDeque<(u64, Window)>,
    total: Window,
    /// Stretches that are asked about again and again, with their sums up to the latest second.
    tracked: Vec<Tracked>,
}

#[derive(Clone, Debug)]
struct Tracked {
    span: u64,
    sum: Window,
    /// The first second in `sum`.
    from: u64,
}

/// Whole seconds of a span: at least one, part of one counts as one.
fn whole(span: SimDuration) -> u64 {
    span.as_nanos().div_ceil(1_000_000_000).max(1)
}

/// What is kept of the seconds from `from` up to, not including, `to`.
fn between(seconds: &VecDeque<(u64, Window)>, from: u64, to: u64) -> impl Iterator<Item = &Window> {
    let start = seconds.partition_point(|(second, _)| *second < from);
    let end = seconds.partition_point(|(second, _)| *second < to);
    seconds.range(start..end.max(start)).map(|(_, window)| window)
}

/// The number of the second that ends at `at`, or in which `at` lies.
pub fn second_before(at: SimTime) -> u64 {
    at.as_nanos().div_ceil(1_000_000_000).saturating_sub(1)
}

impl ServiceMetrics {
    /// All requests of the run so far.
    pub fn total(&self) -> &Window {
        &self.total
    }

    /// The requests of the last `span` before `now`, in whole seconds: what was told of seconds that
    /// ended is in it. Spans are rounded up to the second and cut at [`SPAN_SECONDS_MAX`].
    pub fn window(&self, now: SimTime, span: SimDuration) -> Window {
        let from = now.as_secs().saturating_sub(whole(span).min(SPAN_SECONDS_MAX));
        if let Some(known) = self.tracked.iter().find(|it| it.span == whole(span)) {
            let mut sum = known.sum.clone();
            between(&self.seconds, known.from, from).for_each(|window| sum.subtract(window));
            return sum;
        }
        let mut sum = Window::default();
        between(&self.seconds, from, u64::MAX).for_each(|window| sum.add(window));
        sum
    }

    /// Keeps the sum over `span` ready from now on.
    pub(super) fn track(&mut self, span: SimDuration) {
        let span = whole(span).min(SPAN_SECONDS_MAX);
        if self.tracked.iter().all(|known| known.span != span) {
            let mut sum = Window::default();
            self.seconds.iter().for_each(|(_, window)| sum.add(window));
            let from = self.seconds.front().map_or(0, |(second, _)| *second);
            self.tracked.push(Tracked { span, sum, from });
        }
    }

    /// Takes note of what was told at `at` of the second that ended then.
    pub(super) fn add(&mut self, at: SimTime, part: &Window) {
        let number = second_before(at);
        self.total.add(part);
        match self.seconds.back_mut() {
            Some((last, window)) if *last >= number => window.add(part),
            _ => self.seconds.push_back((number, part.clone())),
        }
        for known in &mut self.tracked {
            known.sum.add(part);
            let from = (number + 1).saturating_sub(known.span);
            let gone = between(&self.seconds, known.from, from);
            gone.for_each(|window| known.sum.subtract(window));
            known.from = known.from.max(from);
        }
        let oldest = (number + 1).saturating_sub(SPAN_SECONDS_MAX);
        while self.seconds.front().is_some_and(|(second, _)| *second < oldest) {
            self.seconds.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(sent: u64) -> Window {
        Window { sent, ..Window::default() }
    }

    fn at(secs: u64) -> SimTime {
        SimTime::from_secs(secs)
    }

    #[test]
    fn a_tracked_span_gives_what_adding_up_gives() {
        let (mut tracked, mut plain) = (ServiceMetrics::default(), ServiceMetrics::default());
        let span = SimDuration::from_secs(5);
        tracked.track(span);
        for second in [1, 2, 3, 3, 9, 10, 11, 40, 41] {
            for metrics in [&mut tracked, &mut plain] {
                metrics.add(at(second), &sent(second));
            }
            for later in [0, 1, 4, 20] {
                let now = at(second + later);
                assert_eq!(tracked.window(now, span), plain.window(now, span), "{second}+{later}");
            }
        }
        assert_eq!(plain.window(at(41), span).sent, 81);
        assert_eq!(plain.window(at(44), span).sent, 81);
        assert_eq!(plain.window(at(45), span).sent, 41);
        assert_eq!(plain.total().sent, 120);
    }

    #[test]
    fn a_span_holds_the_seconds_that_ended_in_it() {
        let mut metrics = ServiceMetrics::default();
        (1..=10).for_each(|second| metrics.add(at(second), &sent(1)));
        // The end of a run tells of a part of a second.
        metrics.add(SimTime::from_millis(10_400), &sent(1));
        for (millis, span, expected) in
            [(10_000, 3, 4), (10_400, 3, 4), (11_000, 3, 3), (60_000, 3, 0)]
        {
            let window = metrics.window(SimTime::from_millis(millis), SimDuration::from_secs(span));
            assert_eq!(window.sent, expected, "{millis}");
        }
    }

    #[test]
    fn memory_does_not_grow_with_time() {
        let mut metrics = ServiceMetrics::default();
        (1..=3 * SPAN_SECONDS_MAX).for_each(|second| metrics.add(at(second), &sent(1)));
        assert_eq!(metrics.seconds.len() as u64, SPAN_SECONDS_MAX);
        assert_eq!(metrics.total().sent, 3 * SPAN_SECONDS_MAX);
    }
}
