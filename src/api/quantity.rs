//! Amounts of resources as Kubernetes writes them: `100m`, `1.5Gi`, `1e3`.
//!
//! Owns parsing, canonical printing and exact arithmetic; refuses to know what is being counted.
//! Follows `k8s.io/apimachinery/pkg/api/resource` of 1.36: nothing finer than a billionth is kept
//! (finer amounts are rounded away from zero), and no floating point decides anything.

use std::cmp::Ordering;
use std::fmt;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Written;

/// Billionths in one.
const NANOS: i128 = 1_000_000_000;

/// How an amount was written, and so how it is printed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `12k`, `100m`: powers of 1000.
    DecimalSi,
    /// `12Ki`, `1Gi`: powers of 1024.
    BinarySi,
    /// `12e3`.
    DecimalExponent,
}

/// Why a text is no quantity, in the API server's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not of the form of a quantity at all.
    #[error(
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"
    )]
    FormatWrong,
    /// The unit is unknown.
    #[error("unable to parse quantity's suffix")]
    Suffix,
}

/// An exact amount, in billionths, and the form it was written in.
///
/// Equality and order look at the amount alone. Amounts beyond about 1.7e29 are held at that bound
/// (Kubernetes itself caps binary amounts at 2^63-1, as we do, and leaves decimal ones unbounded).
#[derive(Clone, Copy, Debug)]
pub struct Quantity {
    nanos: i128,
    format: Format,
}

impl Quantity {
    /// Nothing, printed `0`.
    pub const ZERO: Quantity = Quantity { nanos: 0, format: Format::DecimalSi };

    /// A whole number.
    pub fn new(value: i64, format: Format) -> Quantity {
        Quantity { nanos: i128::from(value) * NANOS, format }
    }

    /// A number of thousandths.
    pub fn from_milli(value: i64, format: Format) -> Quantity {
        Quantity { nanos: i128::from(value) * (NANOS / 1000), format }
    }

    /// `value` times ten to the `exponent`, rounded away from zero to billionths.
    pub fn from_parts(value: i128, exponent: i32, format: Format) -> Quantity {
        Quantity { nanos: scale_away(value, exponent.saturating_add(9)), format }
    }

    /// Reads `[+-]digits[.digits][suffix]`.
    ///
    /// # Errors
    /// In the API server's words, see [`ParseError`].
    pub fn parse(text: &str) -> Result<Quantity, ParseError> {
        if text.is_empty() {
            return Err(ParseError::FormatWrong);
        }
        let split = split(text)?;
        let (base, exponent, format) = unit(split.suffix).ok_or(ParseError::Suffix)?;
        let amount = amount(&split, base, exponent);
        let negative = text.starts_with('-');
        let (nanos, format) = match base {
            Base::Ten => (amount, format),
            // Binary amounts are capped, and those below one are told in decimals.
            Base::Two if amount > 0 && amount < NANOS => (amount, Format::DecimalSi),
            Base::Two => (amount.min(i128::from(i64::MAX) * NANOS), format),
        };
        Ok(Quantity { nanos: if negative { -nanos } else { nanos }, format })
    }

    /// Reads a quantity of the official types.
    ///
    /// # Errors
    /// As [`Quantity::parse`].
    pub fn of(written: &Written) -> Result<Quantity, ParseError> {
        Quantity::parse(written.0.trim())
    }

    /// The form it is printed in.
    pub fn format(self) -> Format {
        self.format
    }

    /// Whether the amount is zero.
    pub fn is_zero(self) -> bool {
        self.nanos == 0
    }

    /// -1, 0 or 1.
    pub fn signum(self) -> i32 {
        match self.nanos.cmp(&0) {
            Ordering::Less => -1,
            Ordering::Equal => 0,
            Ordering::Greater => 1,
        }
    }

    /// The amount in units, rounded away from zero, held inside i64.
    pub fn value(self) -> i64 {
        self.scaled_value(0)
    }

    /// The amount in thousandths, rounded away from zero, held inside i64.
    pub fn milli_value(self) -> i64 {
        self.scaled_value(-3)
    }

    /// The amount in units of ten to the `scale`, rounded away from zero, held inside i64.
    pub fn scaled_value(self, scale: i32) -> i64 {
        clamp(scale_away(self.nanos, (-9_i32).saturating_sub(scale)))
    }

    /// Rounds away from zero to a multiple of ten to the `scale`; says whether nothing was lost.
    pub fn round_up(self, scale: i32) -> (Quantity, Exact) {
        let units = scale_away(self.nanos, (-9_i32).saturating_sub(scale));
        let rounded = Quantity { nanos: scale_away(units, scale.saturating_add(9)), ..self };
        let exact = scale <= -9 || rounded.nanos == self.nanos;
        if scale <= -9 {
            return (self, Exact::Yes);
        }
        (rounded, if exact { Exact::Yes } else { Exact::Rounded })
    }

    /// The sum; nothing takes the form of what is added to it.
    #[must_use]
    pub fn plus(self, other: Quantity) -> Quantity {
        let format = if self.is_zero() { other.format } else { self.format };
        Quantity { nanos: self.nanos.saturating_add(other.nanos), format }
    }

    /// The difference; nothing takes the form of what is taken from it.
    #[must_use]
    pub fn minus(self, other: Quantity) -> Quantity {
        let format = if self.is_zero() { other.format } else { self.format };
        Quantity { nanos: self.nanos.saturating_sub(other.nanos), format }
    }

    /// The amount with the other sign.
    #[must_use]
    pub fn negated(self) -> Quantity {
        Quantity { nanos: self.nanos.saturating_neg(), ..self }
    }

    /// The product.
    #[must_use]
    pub fn times(self, factor: i64) -> Quantity {
        Quantity { nanos: self.nanos.saturating_mul(i128::from(factor)), ..self }
    }

    /// The same amount, to be printed in another form.
    #[must_use]
    pub fn in_format(self, format: Format) -> Quantity {
        Quantity { format, ..self }
    }

    /// The greater of two; the first of two equals.
    #[must_use]
    pub fn max(self, other: Quantity) -> Quantity {
        if other > self { other } else { self }
    }

    /// The canonical text as a quantity of the official types.
    pub fn written(self) -> Written {
        Written(self.to_string())
    }
}

/// Whether a rounding lost anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exact {
    /// Nothing was lost.
    Yes,
    /// The amount grew in magnitude.
    Rounded,
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Quantity) -> bool {
        self.nanos == other.nanos
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Quantity) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Quantity) -> Ordering {
        self.nanos.cmp(&other.nanos)
    }
}

impl fmt::Display for Quantity {
    /// The canonical form: no fraction, the largest suffix that loses nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.nanos == 0 {
            return f.write_str("0");
        }
        let binary = self.format == Format::BinarySi
            && self.nanos % NANOS == 0
            && self.nanos.abs() >= 1024 * NANOS;
        if binary {
            return write_binary(f, self.nanos / NANOS);
        }
        write_decimal(f, self.nanos, self.format)
    }
}

fn write_binary(f: &mut fmt::Formatter<'_>, mut number: i128) -> fmt::Result {
    let mut suffixes = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"].iter();
    let mut suffix = suffixes.next().unwrap_or(&"");
    while number % 1024 == 0 {
        let Some(next) = suffixes.next() else { break };
        number /= 1024;
        suffix = next;
    }
    write!(f, "{number}{suffix}")
}

fn write_decimal(f: &mut fmt::Formatter<'_>, mut number: i128, format: Format) -> fmt::Result {
    let mut exponent = -9_i32;
    while number % 1000 == 0 && (exponent < 18 || format == Format::DecimalExponent) {
        number /= 1000;
        exponent += 3;
    }
    let suffix = match exponent {
        -9 => "n",
        -6 => "u",
        -3 => "m",
        3 => "k",
        6 => "M",
        9 => "G",
        12 => "T",
        15 => "P",
        18 => "E",
        _ => "",
    };
    match format {
        Format::DecimalExponent if exponent != 0 => write!(f, "{number}e{exponent}"),
        Format::DecimalExponent => write!(f, "{number}"),
        Format::DecimalSi | Format::BinarySi => write!(f, "{number}{suffix}"),
    }
}

/// `value` times ten to the `exponent`, rounded away from zero, held inside i128.
fn scale_away(value: i128, exponent: i32) -> i128 {
    let Some(factor) = 10_i128.checked_pow(exponent.unsigned_abs()) else {
        return match (exponent > 0, value.signum()) {
            (_, 0) => 0,
            (true, 1) => i128::MAX,
            (true, _) => -i128::MAX,
            (false, sign) => sign,
        };
    };
    if exponent >= 0 {
        return value.saturating_mul(factor);
    }
    let whole = value / factor;
    if value % factor == 0 { whole } else { whole + value.signum() }
}

fn clamp(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value > 0 { i64::MAX } else { i64::MIN })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Base {
    Two,
    Ten,
}

/// The parts of a written quantity, its sign aside.
struct Split<'a> {
    whole: &'a str,
    fraction: &'a str,
    suffix: &'a str,
}

fn digits_end(text: &str) -> usize {
    text.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(text.len())
}

/// Splits a text as the API server's own scanner does: digits may be missing on either side.
fn split(text: &str) -> Result<Split<'_>, ParseError> {
    let rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, rest) = rest.split_at(digits_end(rest));
    let (fraction, suffix) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(digits_end(rest)),
        None => ("", rest),
    };
    let letters =
        suffix.bytes().position(|b| !b"eEinumkKMGTP".contains(&b)).unwrap_or(suffix.len());
    let tail = suffix.get(letters..).unwrap_or("");
    let tail = tail.strip_prefix(['-', '+']).unwrap_or(tail);
    if digits_end(tail) != tail.len() {
        return Err(ParseError::FormatWrong);
    }
    Ok(Split { whole, fraction, suffix })
}

fn unit(suffix: &str) -> Option<(Base, i32, Format)> {
    let decimal = |exponent| Some((Base::Ten, exponent, Format::DecimalSi));
    let binary = |exponent| Some((Base::Two, exponent, Format::BinarySi));
    match suffix {
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "" => decimal(0),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "P" => decimal(15),
        "E" => decimal(18),
        "Ki" => binary(10),
        "Mi" => binary(20),
        "Gi" => binary(30),
        "Ti" => binary(40),
        "Pi" => binary(50),
        "Ei" => binary(60),
        _ => {
            let exponent: i64 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            let exponent = exponent.clamp(i64::from(i32::MIN), i64::from(i32::MAX));
            Some((Base::Ten, i32::try_from(exponent).ok()?, Format::DecimalExponent))
        }
    }
}

/// The magnitude in billionths, rounded away from zero.
fn amount(split: &Split<'_>, base: Base, exponent: i32) -> i128 {
    let mut shift: i32 = match base {
        Base::Ten => exponent.saturating_add(9),
        Base::Two => 9,
    };
    let mut mantissa: i128 = 0;
    let mut lost = false;
    // Digits beyond what an i128 holds only say whether something is left over.
    let bound = (i128::MAX >> if base == Base::Two { exponent } else { 0 }) / 10 - 1;
    let whole = split.whole.bytes().map(|digit| (digit, 0));
    for (digit, place) in whole.chain(split.fraction.bytes().map(|digit| (digit, 1))) {
        if mantissa > bound {
            lost |= digit != b'0';
            shift = shift.saturating_add(1 - place);
        } else {
            mantissa = mantissa * 10 + i128::from(digit - b'0');
            shift = shift.saturating_sub(place);
        }
    }
    if base == Base::Two {
        mantissa <<= exponent;
    }
    // A lost remainder makes the amount inexact by itself.
    let scaled = scale_away(mantissa, shift);
    let exact = shift >= 0 || scale_away(scaled, -shift) == mantissa;
    if lost && exact { scaled.saturating_add(1) } else { scaled }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> String {
        Quantity::parse(text).map_or_else(|error| error.to_string(), |q| q.to_string())
    }

    #[test]
    fn texts_come_back_in_canonical_form() {
        for (text, expected) in [
            ("1024Mi", "1Gi"),
            ("1.5", "1500m"),
            ("1.5Gi", "1536Mi"),
            ("0.1m", "100u"),
            ("-1500", "-1500"),
            ("1000Ki", "1000Ki"),
            ("512", "512"),
            ("1e3", "1e3"),
            ("1E", "1E"),
            ("1.25Ki", "1280"),
            (".", "0"),
        ] {
            assert_eq!(canonical(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_refused_in_the_api_servers_words() {
        let regex = ParseError::FormatWrong.to_string();
        assert!(regex.starts_with("quantities must match the regular expression '^([+-]?[0-9.]+)"));
        for text in ["", "1.5.0Gi", "1 Gi", "abc", "1Gi ", "Infinity"] {
            assert_eq!(canonical(text), regex, "{text}");
        }
        for text in ["1gi", "1mi", "1Gib", "1e", "1KiKi", "1e+"] {
            assert!(Quantity::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn values_round_away_from_zero_and_stay_in_bounds() {
        fn parse(text: &str) -> Quantity {
            Quantity::parse(text).expect("a quantity")
        }
        assert_eq!(parse("1001m").value(), 2);
        assert_eq!(parse("-1001m").value(), -2);
        assert_eq!(parse("0.5m").milli_value(), 1);
        assert_eq!(parse("1e4000").value(), i64::MAX);
        assert_eq!(parse("1e-4000").milli_value(), 1);
        assert_eq!(parse("16Ei").value(), i64::MAX);
        assert_eq!(parse(&"9".repeat(400)).value(), i64::MAX);
        assert_eq!(parse(&format!("0.{}1", "0".repeat(400))), parse("1n"));
        assert_eq!(parse("1.0000000000000000000000000000000000000000001"), parse("1000000001n"));
    }
}
