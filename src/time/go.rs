//! Durations as Go (hence Kubernetes) reads and prints them: `1h30m`, `1.5s`, `300µs`.
//!
//! Owns that text form; refuses days, calendars and negative spans. Source: Go 1.25 time.ParseDuration and
//! Duration.String. Go scales a fraction in floating point, here it is exact and rounded down.
use std::fmt;
use std::str::FromStr;

use super::SimDuration;

/// Go's durations are signed 64-bit nanoseconds: no text may say more.
const GO_MAX: u64 = i64::MAX as u64;

/// Why a text is no duration; its message quotes the text and says what is expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// The text is not of the form at all.
    #[error("invalid duration {0:?}: expected numbers with units, as in 300ms, 1.5s or 1h30m")]
    Form(String),
    /// A number without a unit after it.
    #[error(
        "invalid duration {0:?}: a unit is missing after {1:?} (ns, us, ms, s, m or h, as in 1h30m)"
    )]
    MissingUnit(String, String),
    /// A unit Go does not know.
    #[error("invalid duration {0:?}: unknown unit {1:?} (ns, us, ms, s, m or h, as in 1h30m)")]
    UnknownUnit(String, String),
    /// A span before zero.
    #[error("invalid duration {0:?}: must not be negative")]
    Negative(String),
    /// More than 2^63 - 1 nanoseconds.
    #[error("invalid duration {0:?}: longer than 2562047h47m16.854775807s")]
    TooLong(String),
}

impl SimDuration {
    /// Reads a duration as Go does, e.g. `1h30m`, `1.5s`, `100ms`, `300us`, `0`.
    ///
    /// # Errors
    /// Where Go refuses it, and where it is negative.
    pub fn parse(text: &str) -> Result<Self, DurationError> {
        let (negative, unsigned) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let span = if unsigned == "0" { Self::ZERO } else { sum_of_parts(text, unsigned)? };
        if negative && span != Self::ZERO {
            return Err(DurationError::Negative(text.to_owned()));
        }
        Ok(span)
    }
}

impl FromStr for SimDuration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        Self::parse(text)
    }
}

fn sum_of_parts(text: &str, unsigned: &str) -> Result<SimDuration, DurationError> {
    if unsigned.is_empty() {
        return Err(DurationError::Form(text.to_owned()));
    }
    let mut rest = unsigned;
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (nanos, after) = part(text, rest)?;
        total = total
            .checked_add(nanos)
            .filter(|&total| total <= GO_MAX)
            .ok_or_else(|| DurationError::TooLong(text.to_owned()))?;
        rest = after;
    }
    Ok(SimDuration::from_nanos(total))
}

/// Reads one number with its unit from the front of `rest`: its nanoseconds, and what follows.
fn part<'a>(text: &str, rest: &'a str) -> Result<(u64, &'a str), DurationError> {
    let too_long = || DurationError::TooLong(text.to_owned());
    let (whole, after_whole) = digits(rest);
    let (fraction, after) = match after_whole.strip_prefix('.') {
        Some(after_point) => digits(after_point),
        None => ("", after_whole),
    };
    if whole.is_empty() && fraction.is_empty() {
        return Err(DurationError::Form(text.to_owned()));
    }
    let end = after.find(|c: char| c == '.' || c.is_ascii_digit()).unwrap_or(after.len());
    let (unit, after) = after.split_at(end);
    if unit.is_empty() {
        let number = rest[..rest.len() - after.len()].to_owned();
        return Err(DurationError::MissingUnit(text.to_owned(), number));
    }
    let scale = nanos_of(unit)
        .ok_or_else(|| DurationError::UnknownUnit(text.to_owned(), unit.trim().to_owned()))?;
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| too_long())? };
    let nanos = whole.checked_mul(scale).ok_or_else(too_long)?;
    let nanos = nanos.checked_add(fraction_of(fraction, scale)).ok_or_else(too_long)?;
    Ok((nanos, after))
}

fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// `0.digits * scale`, rounded down. Digits past the eighteenth are worth less than a nanosecond of an
/// hour's 3.6e12 and are dropped, as Go drops what overflows it.
fn fraction_of(digits: &str, scale: u64) -> u64 {
    let kept = &digits[..digits.len().min(18)];
    let (value, power) = kept.bytes().fold((0u128, 1u128), |(value, power), digit| {
        (value * 10 + u128::from(digit - b'0'), power * 10)
    });
    u64::try_from(value * u128::from(scale) / power).expect("a part of the scale")
}

fn nanos_of(unit: &str) -> Option<u64> {
    Some(match unit {
        "ns" => 1,
        // U+00B5 is the micro sign, U+03BC the Greek letter; Go takes both.
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

/// As Go prints it: `1h30m0s`, `1.5s`, `300µs`, `0s`.
impl fmt::Display for SimDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.as_nanos();
        let text = match nanos {
            0 => "0s".to_owned(),
            1..1_000 => format!("{nanos}ns"),
            1_000..1_000_000 => decimal(nanos, 3) + "\u{b5}s",
            1_000_000..1_000_000_000 => decimal(nanos, 6) + "ms",
            _ => {
                let (minutes, rest) = (nanos / 60_000_000_000, nanos % 60_000_000_000);
                let seconds = decimal(rest, 9) + "s";
                match (minutes / 60, minutes % 60) {
                    (0, 0) => seconds,
                    (0, m) => format!("{m}m{seconds}"),
                    (h, m) => format!("{h}h{m}m{seconds}"),
                }
            }
        };
        f.pad(&text)
    }
}

/// `value / 10^places` without trailing zeros.
fn decimal(value: u64, places: u32) -> String {
    let unit = 10u64.pow(places);
    let (whole, fraction) = (value / unit, value % unit);
    if fraction == 0 {
        return whole.to_string();
    }
    let digits = format!("{fraction:0width$}", width = places as usize);
    format!("{whole}.{}", digits.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_go_reads() {
        // From Go's time_test.go parseDurationTests, the ones that are not negative.
        for (text, nanos) in [
            ("0", 0),
            ("5s", 5_000_000_000),
            ("1478s", 1_478_000_000_000),
            ("+5s", 5_000_000_000),
            ("-0", 0),
            ("5.0s", 5_000_000_000),
            ("5.6s", 5_600_000_000),
            ("5.s", 5_000_000_000),
            (".5s", 500_000_000),
            ("1.004s", 1_004_000_000),
            ("100.00100s", 100_001_000_000),
            ("12\u{b5}s", 12_000),
            ("12\u{3bc}s", 12_000),
            ("3h30m", 12_600_000_000_000),
            ("10.5s4m", 250_500_000_000),
            ("2m3.4s", 123_400_000_000),
            ("1h2m3s4ms5us6ns", 3_723_004_005_006),
            ("52763797000ns", 52_763_797_000),
            ("0.3333333333333333333h", 1_200_000_000_000 - 1),
            ("9223372036854775807ns", GO_MAX),
            ("9223372036s854ms775us807ns", GO_MAX),
            ("0.100000000000000000000h", 360_000_000_000),
        ] {
            assert_eq!(SimDuration::parse(text), Ok(SimDuration::from_nanos(nanos)), "{text}");
        }
    }

    #[test]
    fn refuses_with_a_reason() {
        let message = |text| SimDuration::parse(text).expect_err("no duration").to_string();
        assert_eq!(
            message("5 minutes"),
            r#"invalid duration "5 minutes": unknown unit "minutes" (ns, us, ms, s, m or h, as in 1h30m)"#
        );
        assert_eq!(
            message("3"),
            r#"invalid duration "3": a unit is missing after "3" (ns, us, ms, s, m or h, as in 1h30m)"#
        );
        assert_eq!(message("-5s"), r#"invalid duration "-5s": must not be negative"#);
        for text in ["", "-", "s", ".", ".s", "+.s", "5m ", "1d", "\u{85}\u{85}", "1s-2s", "1.2.3s"]
        {
            assert!(SimDuration::parse(text).is_err(), "{text:?} was taken");
        }
        for text in [
            "3000000h",
            "9223372036854775808ns",
            "9223372036s854ms775us808ns",
            "99999999999999999999s",
        ] {
            assert!(matches!(SimDuration::parse(text), Err(DurationError::TooLong(_))), "{text}");
        }
    }

    #[test]
    fn prints_as_go_prints() {
        // From Go's time_test.go durationTests.
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1\u{b5}s"),
            (2_200_000, "2.2ms"),
            (3_300_000_000, "3.3s"),
            (245_000_000_000, "4m5s"),
            (245_001_000_000, "4m5.001s"),
            (18_367_001_000_000, "5h6m7.001s"),
            (480_000_000_001, "8m0.000000001s"),
            (5_400_000_000_000, "1h30m0s"),
            (GO_MAX, "2562047h47m16.854775807s"),
        ] {
            assert_eq!(SimDuration::from_nanos(nanos).to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(nanos in 0..=GO_MAX) {
            let span = SimDuration::from_nanos(nanos);
            prop_assert_eq!(SimDuration::parse(&span.to_string()), Ok(span));
        }

        #[test]
        fn no_text_panics(text in "[-+0-9. a-zµ]{0,12}|.{0,6}") {
            let _ = SimDuration::parse(&text);
        }
    }
}
