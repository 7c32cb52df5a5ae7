//! Samples of one thing: their quantiles, and how far they are from others or from a law.

use crate::luck::Measured;
use crate::time::SimDuration;

/// Times in ascending order.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Samples {
    sorted: Vec<SimDuration>,
}

impl FromIterator<SimDuration> for Samples {
    fn from_iter<I: IntoIterator<Item = SimDuration>>(samples: I) -> Samples {
        let mut sorted: Vec<SimDuration> = samples.into_iter().collect();
        sorted.sort_unstable();
        Samples { sorted }
    }
}

impl Samples {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    /// In ascending order.
    pub fn sorted(&self) -> &[SimDuration] {
        &self.sorted
    }

    /// The least; zero if there are none.
    pub fn least(&self) -> SimDuration {
        self.sorted.first().copied().unwrap_or_default()
    }

    /// The median; zero if there are none.
    pub fn median(&self) -> SimDuration {
        self.quantile(500)
    }

    /// The value that so many thousandths do not exceed, straight between neighbours (R's type 7).
    pub fn quantile(&self, thousandths: u64) -> SimDuration {
        let Some(last) = self.sorted.len().checked_sub(1) else { return SimDuration::ZERO };
        let place = last as u64 * thousandths.min(1000);
        let (at, part) = ((place / 1000) as usize, place % 1000);
        let low = self.sorted[at];
        let high = self.sorted[(at + 1).min(last)];
        low + (high - low).scaled(part, 1000)
    }

    /// The greatest distance between the shares of these and those of a law (Kolmogorov and Smirnov's D).
    pub fn distance_to(&self, law: &Measured) -> f64 {
        let count = self.sorted.len() as f64;
        let far = |(at, value): (usize, &SimDuration)| {
            let share = law.share_up_to(*value);
            // A law may jump where samples do: what it gives just before counts for the step's foot.
            let before = law.share_up_to(value.saturating_sub(SimDuration::from_nanos(1)));
            ((at as f64 + 1.0) / count - share).max(before - at as f64 / count)
        };
        self.sorted.iter().enumerate().map(far).fold(0.0, f64::max)
    }

    /// The greatest distance between the shares of these and of others; 1 if one has none.
    pub fn distance(&self, other: &Samples) -> f64 {
        let (a, b) = (&self.sorted, &other.sorted);
        if a.is_empty() || b.is_empty() {
            return 1.0;
        }
        let share = |of: &[SimDuration], value: SimDuration| {
            of.partition_point(|it| *it <= value) as f64 / of.len() as f64
        };
        let far = |value: &SimDuration| (share(a, *value) - share(b, *value)).abs();
        a.iter().chain(b).map(far).fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(millis: &[u64]) -> Samples {
        millis.iter().map(|it| SimDuration::from_millis(*it)).collect()
    }

    #[test]
    fn quantiles_lie_straight_between_neighbours() {
        let four = samples(&[40, 10, 20, 30]);
        let micros = |thousandths| four.quantile(thousandths).as_nanos() / 1000;
        assert_eq!([0, 500, 950, 1000].map(micros), [10_000, 25_000, 38_500, 40_000]);
        assert_eq!(Samples::default().median(), SimDuration::ZERO);
    }

    #[test]
    fn two_sets_are_as_far_apart_as_their_shares() {
        let (a, b) = (samples(&[1, 2, 3, 4]), samples(&[3, 4, 5, 6]));
        assert_eq!((a.distance(&b), b.distance(&a)), (0.5, 0.5));
        assert_eq!(a.distance(&a), 0.0);
        assert_eq!(a.distance(&samples(&[9])), 1.0);
        assert_eq!(samples(&[1, 1, 2]).distance(&samples(&[1, 2, 2])), 1.0 / 3.0);
    }

    #[test]
    fn a_law_is_as_far_away_as_its_steps_say() {
        let all = samples(&[10, 20, 30, 40, 50]);
        let through = |millis: &[u64]| {
            let values: Vec<_> = millis.iter().map(|it| SimDuration::from_millis(*it)).collect();
            Measured::Quantiles(values.into())
        };
        // Shares of the law at the samples: 0, 1/4, 1/2, 3/4, 1; of the samples: 1/5 each.
        assert!((all.distance_to(&through(&[10, 50])) - 0.2).abs() < 1e-9);
        assert!((all.distance_to(&through(&[30, 70])) - 0.6).abs() < 1e-9);
        let constant = Measured::Constant(SimDuration::from_millis(7));
        assert_eq!(samples(&[7, 7, 7]).distance_to(&constant), 0.0);
        assert_eq!(samples(&[6, 7, 7, 7]).distance_to(&constant), 0.25);
    }
}
