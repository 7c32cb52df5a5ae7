//! What became of the requests of a stretch of time.

use crate::base::histogram::upper_nanos;

/// Counts of requests, and how long the answered ones took.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Window {
    /// Sent.
    pub sent: u64,
    /// Answered well.
    pub ok: u64,
    /// Refused: no endpoint, or nothing listens there.
    pub refused: u64,
    /// Cut off: the pod ended under them.
    pub reset: u64,
    /// Not answered within the client's patience.
    pub timeout: u64,
    /// Answered with an error.
    pub failed: u64,
    /// The latencies of the ones answered well, summed, in nanoseconds; saturates.
    pub latency_nanos_sum: u64,
    /// The latencies of the ones answered well.
    pub histogram: Buckets,
}

impl Window {
    /// Requests that came to an end without a good answer.
    pub fn errors(&self) -> u64 {
        self.refused + self.reset + self.timeout + self.failed
    }

    /// The share of finished requests that were answered well, 0 to 1; `None` if none finished.
    pub fn success_ratio(&self) -> Option<f64> {
        let finished = self.ok + self.errors();
        (finished > 0).then(|| self.ok as f64 / finished as f64)
    }

    /// The latency that a share `q` (0 to 1) of the good answers did not exceed, in milliseconds, at
    /// most 1 % too high; `None` without a good answer.
    pub fn quantile_ms(&self, q: f64) -> Option<f64> {
        self.histogram.quantile_nanos(q).map(|nanos| nanos as f64 / 1e6)
    }

    /// The mean latency of the good answers, in milliseconds; `None` without one.
    pub fn mean_ms(&self) -> Option<f64> {
        (self.ok > 0).then(|| self.latency_nanos_sum as f64 / self.ok as f64 / 1e6)
    }

    /// Requests sent a second, taken over `seconds` (at least 1).
    pub fn rate(&self, seconds: u64) -> f64 {
        self.sent as f64 / seconds.max(1) as f64
    }

    /// Adds what happened in another stretch, or to another client.
    pub fn add(&mut self, other: &Window) {
        self.each(other, u64::saturating_add);
        self.histogram.add(&other.histogram);
    }

    /// Takes away what was added before.
    pub(super) fn subtract(&mut self, other: &Window) {
        self.each(other, u64::saturating_sub);
        self.histogram.subtract(&other.histogram);
    }

    fn each(&mut self, other: &Window, change: impl Fn(u64, u64) -> u64) {
        let pairs = [
            (&mut self.sent, other.sent),
            (&mut self.ok, other.ok),
            (&mut self.refused, other.refused),
            (&mut self.reset, other.reset),
            (&mut self.timeout, other.timeout),
            (&mut self.failed, other.failed),
            (&mut self.latency_nanos_sum, other.latency_nanos_sum),
        ];
        for (mine, theirs) in pairs {
            *mine = change(*mine, theirs);
        }
    }
}

/// Counts by bucket of `base::histogram`, held from the lowest bucket used to the highest.
#[derive(Clone, Debug, Default)]
pub struct Buckets {
    first: u16,
    counts: Vec<u64>,
}

impl PartialEq for Buckets {
    fn eq(&self, other: &Buckets) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Buckets {}

impl Buckets {
    /// Counts `count` values of one bucket.
    pub fn count(&mut self, bucket: u16, count: u64) {
        if count > 0 {
            let row = self.row(bucket);
            *row = row.saturating_add(count);
        }
    }

    /// The buckets that hold anything, lowest first.
    pub fn iter(&self) -> impl Iterator<Item = (u16, u64)> + '_ {
        let rows = self.counts.iter().zip(self.first..);
        rows.filter(|(count, _)| **count > 0).map(|(count, bucket)| (bucket, *count))
    }

    /// Values counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The upper end of the bucket in which the value of rank `q` lies, in nanoseconds.
    pub fn quantile_nanos(&self, q: f64) -> Option<u64> {
        let total = self.total();
        if total == 0 {
            return None;
        }
        let rank = libm::ceil(q.clamp(0.0, 1.0) * total as f64).max(1.0) as u64;
        let mut seen = 0;
        let found = self.iter().find(|(_, count)| {
            seen += count;
            seen >= rank
        });
        // Above 2^53 values the rank may be rounded past the last of them.
        let bucket = found.or_else(|| self.iter().last()).map(|(bucket, _)| bucket)?;
        Some(upper_nanos(bucket))
    }

    fn add(&mut self, other: &Buckets) {
        other.iter().for_each(|(bucket, count)| self.count(bucket, count));
    }

    fn subtract(&mut self, other: &Buckets) {
        for (bucket, count) in other.iter() {
            let row = self.row(bucket);
            *row = row.saturating_sub(count);
        }
    }

    fn row(&mut self, bucket: u16) -> &mut u64 {
        if self.counts.is_empty() {
            self.first = bucket;
        }
        if bucket < self.first {
            let more = usize::from(self.first - bucket);
            self.counts.splice(0..0, std::iter::repeat_n(0, more));
            self.first = bucket;
        }
        let at = usize::from(bucket - self.first);
        if at >= self.counts.len() {
            self.counts.resize(at + 1, 0);
        }
        &mut self.counts[at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::histogram::bucket_of;

    fn window(latencies_ms: &[u64]) -> Window {
        let mut window = Window { ok: latencies_ms.len() as u64, ..Window::default() };
        for ms in latencies_ms {
            window.latency_nanos_sum += ms * 1_000_000;
            window.histogram.count(bucket_of(ms * 1_000_000), 1);
        }
        window
    }

    #[test]
    fn quantiles_are_at_most_one_percent_too_high() {
        let all: Vec<u64> = (1..=1000).collect();
        let window = window(&all);
        for (q, exact) in [(0.0, 1.0), (0.5, 500.0), (0.95, 950.0), (0.99, 990.0), (1.0, 1000.0)] {
            let found = window.quantile_ms(q).expect("answers");
            assert!(found >= exact && found <= exact * 1.01, "{q}: {found}");
        }
        assert_eq!(window.mean_ms(), Some(500.5));
        assert_eq!(Window::default().quantile_ms(0.5), None);
    }

    #[test]
    fn what_was_added_can_be_taken_away() {
        let (early, late) = (window(&[900, 3]), window(&[1, 2, 2000]));
        let mut both = early.clone();
        both.add(&late);
        assert_eq!(both.histogram.total(), 5);
        assert_ne!(both, late);
        both.subtract(&early);
        assert_eq!(both, late);
    }

    #[test]
    fn the_success_ratio_counts_what_has_finished() {
        let window = Window { sent: 10, ok: 6, reset: 1, timeout: 1, ..Window::default() };
        assert_eq!(window.success_ratio(), Some(0.75));
        assert_eq!(Window { sent: 3, ..Window::default() }.success_ratio(), None);
    }
}
