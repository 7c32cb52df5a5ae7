//! Virtual time: instants and spans in whole nanoseconds, and durations as people write them.
//!
//! Owns the arithmetic and the two texts of time (decimal seconds, Go's durations); refuses to know the
//! calendar and the wall clock: the run starts at zero, and only `kernel` moves it.
use std::fmt;
use std::ops::{Add, AddAssign, Div, Mul, Sub, SubAssign};

pub mod go;

pub use go::DurationError;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// An instant of the run, in nanoseconds since its start. [`SimTime::MAX`] means never: adding saturates there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SimTime(u64);

/// A span of virtual time in nanoseconds, never negative. [`SimDuration::MAX`] means forever: sums saturate there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SimDuration(u64);

impl SimTime {
    /// The start of the run.
    pub const ZERO: Self = Self(0);
    /// Never.
    pub const MAX: Self = Self(u64::MAX);

    /// The instant so many nanoseconds after the start.
    #[inline]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// The instant so many milliseconds after the start; saturates.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// The instant so many seconds after the start; saturates.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(NANOS_PER_SECOND))
    }

    /// Nanoseconds since the start.
    #[inline]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole seconds since the start, rounded down.
    pub const fn as_secs(self) -> u64 {
        self.0 / NANOS_PER_SECOND
    }

    /// The span from the start to this instant.
    pub const fn since_start(self) -> SimDuration {
        SimDuration(self.0)
    }

    /// The span from `earlier` to this instant, or `None` if that lies after it.
    pub const fn checked_since(self, earlier: Self) -> Option<SimDuration> {
        match self.0.checked_sub(earlier.0) {
            Some(nanos) => Some(SimDuration(nanos)),
            None => None,
        }
    }

    /// The span from `earlier` to this instant, zero if that lies after it.
    pub const fn saturating_since(self, earlier: Self) -> SimDuration {
        SimDuration(self.0.saturating_sub(earlier.0))
    }

    /// This instant later by `span`, or `None` beyond the end of time.
    pub const fn checked_add(self, span: SimDuration) -> Option<Self> {
        match self.0.checked_add(span.0) {
            Some(nanos) => Some(Self(nanos)),
            None => None,
        }
    }

    /// This instant earlier by `span`, or `None` before the start.
    pub const fn checked_sub(self, span: SimDuration) -> Option<Self> {
        match self.0.checked_sub(span.0) {
            Some(nanos) => Some(Self(nanos)),
            None => None,
        }
    }

    /// This instant earlier by `span`, at most back to the start.
    pub const fn saturating_sub(self, span: SimDuration) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl SimDuration {
    /// No time at all.
    pub const ZERO: Self = Self(0);
    /// Forever.
    pub const MAX: Self = Self(u64::MAX);

    /// So many nanoseconds.
    #[inline]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// So many microseconds; saturates.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros.saturating_mul(1_000))
    }

    /// So many milliseconds; saturates.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// So many seconds; saturates.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(NANOS_PER_SECOND))
    }

    /// Nanoseconds.
    #[inline]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Whole milliseconds, rounded down.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Whole seconds, rounded down.
    pub const fn as_secs(self) -> u64 {
        self.0 / NANOS_PER_SECOND
    }

    /// Whether it is no time at all.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The difference, or `None` where it would be negative.
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(nanos) => Some(Self(nanos)),
            None => None,
        }
    }

    /// The difference, at least zero.
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// `self * numerator / denominator` rounded down, without overflow on the way; saturates. Forever stays forever.
    ///
    /// # Panics
    /// If `denominator` is zero.
    pub const fn scaled(self, numerator: u64, denominator: u64) -> Self {
        assert!(denominator > 0, "a scale of so many zeroths");
        let nanos = self.0 as u128 * numerator as u128 / denominator as u128;
        if self.0 == u64::MAX || nanos > u64::MAX as u128 { Self::MAX } else { Self(nanos as u64) }
    }

    /// The span as decimal seconds, written from the integer.
    pub const fn seconds(self) -> Seconds {
        Seconds(self.0)
    }
}

/// Saturates at never.
impl Add<SimDuration> for SimTime {
    type Output = Self;

    #[inline]
    fn add(self, span: SimDuration) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

/// Saturates at never.
impl AddAssign<SimDuration> for SimTime {
    fn add_assign(&mut self, span: SimDuration) {
        *self = *self + span;
    }
}

/// The span from the right instant to the left one.
///
/// # Panics
/// If the right one is later: the caller mixed up past and future. See [`SimTime::saturating_since`].
impl Sub for SimTime {
    type Output = SimDuration;

    #[inline]
    fn sub(self, earlier: Self) -> SimDuration {
        self.checked_since(earlier).expect("an instant minus an earlier one")
    }
}

/// Saturates at forever.
impl Add for SimDuration {
    type Output = Self;

    #[inline]
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

/// Saturates at forever.
impl AddAssign for SimDuration {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// # Panics
/// If the difference is negative. See [`SimDuration::saturating_sub`].
impl Sub for SimDuration {
    type Output = Self;

    #[inline]
    fn sub(self, other: Self) -> Self {
        self.checked_sub(other).expect("a span minus a shorter one")
    }
}

/// # Panics
/// If the difference is negative.
impl SubAssign for SimDuration {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

/// Saturates at forever.
impl Mul<u64> for SimDuration {
    type Output = Self;

    #[inline]
    fn mul(self, times: u64) -> Self {
        Self(self.0.saturating_mul(times))
    }
}

/// Rounds down.
///
/// # Panics
/// If `parts` is zero.
impl Div<u64> for SimDuration {
    type Output = Self;

    #[inline]
    fn div(self, parts: u64) -> Self {
        Self(self.0 / parts)
    }
}

/// Decimal seconds with nine digits, as in `12.000000300`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seconds(u64);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}", self.0 / NANOS_PER_SECOND, self.0 % NANOS_PER_SECOND)
    }
}

/// Decimal seconds with nine digits, written from the integer.
impl fmt::Display for SimTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Seconds(self.0).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_and_forever_absorb() {
        assert_eq!(SimTime::MAX + SimDuration::from_secs(1), SimTime::MAX);
        assert_eq!(SimTime::from_secs(1) + SimDuration::MAX, SimTime::MAX);
        assert_eq!(SimDuration::MAX * 2, SimDuration::MAX);
        assert_eq!(SimDuration::MAX.scaled(1, 2), SimDuration::MAX);
        assert_eq!(SimTime::from_secs(u64::MAX), SimTime::MAX);
    }

    #[test]
    fn differences_are_checked() {
        let (early, late) = (SimTime::from_secs(2), SimTime::from_millis(3_500));
        assert_eq!(late - early, SimDuration::from_millis(1_500));
        assert_eq!(early.checked_since(late), None);
        assert_eq!(early.saturating_since(late), SimDuration::ZERO);
        assert_eq!(early.checked_sub(SimDuration::from_secs(3)), None);
        assert_eq!(SimTime::MAX.checked_add(SimDuration::from_nanos(1)), None);
        assert_eq!(
            SimDuration::from_secs(10).scaled(u64::MAX, u64::MAX),
            SimDuration::from_secs(10)
        );
    }

    #[test]
    fn seconds_are_written_from_the_integer() {
        assert_eq!(SimTime::from_nanos(12_000_000_300).to_string(), "12.000000300");
        assert_eq!(SimTime::ZERO.to_string(), "0.000000000");
        assert_eq!(SimTime::MAX.to_string(), "18446744073.709551615");
        assert_eq!(SimDuration::from_micros(5).seconds().to_string(), "0.000005000");
    }
}
