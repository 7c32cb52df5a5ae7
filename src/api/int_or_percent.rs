//! Numbers that may be written as a percentage: `maxSurge: 25%`.
//!
//! Owns the arithmetic of `k8s.io/apimachinery/pkg/util/intstr` of 1.36. It knows nothing of the
//! fields that use it, nor which of them allow what.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// What to do with the part of a pod a percentage leaves over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// Towards more (maxSurge, minAvailable).
    Up,
    /// Towards fewer (maxUnavailable of a Deployment).
    Down,
}

/// The text is neither a number nor a percentage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid value for IntOrString: invalid type: string is not a percentage")]
pub struct NotAPercentage;

/// A value with its meaning told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// So many.
    Count(i32),
    /// So many of a hundred.
    Percent(i32),
}

/// Reads a value as a count or a percentage.
///
/// # Errors
/// A string that does not end in one `%`, or with no whole number before it.
pub fn amount(value: &IntOrString) -> Result<Amount, NotAPercentage> {
    match value {
        IntOrString::Int(count) => Ok(Amount::Count(*count)),
        IntOrString::String(text) => text
            .strip_suffix('%')
            .and_then(|digits| digits.parse().ok())
            .map(Amount::Percent)
            .ok_or(NotAPercentage),
    }
}

/// The value for a whole of `total`: a count stands as it is, a percentage is taken of `total`.
///
/// # Errors
/// As [`amount`].
pub fn scaled(value: &IntOrString, total: i32, rounding: Rounding) -> Result<i32, NotAPercentage> {
    Ok(match amount(value)? {
        Amount::Count(count) => count,
        Amount::Percent(percent) => {
            let product = i64::from(percent) * i64::from(total);
            let share = match rounding {
                Rounding::Up => -(-product).div_euclid(100),
                Rounding::Down => product.div_euclid(100),
            };
            i32::try_from(share).unwrap_or(if share < 0 { i32::MIN } else { i32::MAX })
        }
    })
}

/// A text as the command line reads it: a number that fits 32 bits is a number, all else text.
pub fn parse(text: &str) -> IntOrString {
    match text.parse() {
        Ok(count) => IntOrString::Int(count),
        Err(_) => IntOrString::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percent(text: &str, total: i32, rounding: Rounding) -> Result<i32, NotAPercentage> {
        scaled(&IntOrString::String(text.to_owned()), total, rounding)
    }

    #[test]
    fn percentages_round_as_asked() {
        assert_eq!(percent("25%", 10, Rounding::Up), Ok(3));
        assert_eq!(percent("25%", 10, Rounding::Down), Ok(2));
        assert_eq!(percent("100%", 7, Rounding::Down), Ok(7));
        assert_eq!(scaled(&IntOrString::Int(4), 10, Rounding::Up), Ok(4));
        assert_eq!(percent("2147483647%", i32::MAX, Rounding::Up), Ok(i32::MAX));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "%", "25", "25%%", "a%", "2 5%"] {
            assert_eq!(percent(text, 10, Rounding::Up), Err(NotAPercentage), "{text}");
        }
    }
}
