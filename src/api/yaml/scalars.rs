//! What a scalar means: the rules of go-yaml v2 (`resolve.go` of `sigs.k8s.io/yaml/goyaml.v2`).
//!
//! A plain `yes`, `on` or `y` is a boolean, `010` is 8, `1_000` a thousand; a quoted scalar is text.

use std::borrow::Cow;

use crate::api::tree::Value;

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// Without quotes.
    Plain,
    /// In quotes or as a block.
    Quoted,
}

/// The value of a scalar without a tag, or with one of YAML's own (`str`, `int` ...).
///
/// # Errors
/// A tag that the text does not fit, a tag we do not read, a number JSON cannot hold.
pub(super) fn resolve<'a>(
    text: Cow<'a, str>,
    written: Written,
    tag: Option<&str>,
) -> Result<Value<'a>, String> {
    match (tag, written) {
        (None, Written::Quoted) => Ok(Value::Text(text)),
        (None, Written::Plain) => plain(text),
        (Some("str" | "timestamp"), _) => Ok(Value::Text(text)),
        (Some("binary"), _) => Err("the tag !!binary is not read here: write the text".to_owned()),
        (Some(tag), _) => tagged(text, tag),
    }
}

fn tagged<'a>(text: Cow<'a, str>, tag: &str) -> Result<Value<'a>, String> {
    let value = plain(text.clone())?;
    let fits = match (tag, &value) {
        ("null", Value::Null)
        | ("bool", Value::Bool(_))
        | ("int", Value::Int(_) | Value::Big(_))
        | ("float", Value::Int(_) | Value::Big(_) | Value::Float(_)) => true,
        ("null" | "bool" | "int" | "float", _) => false,
        _ => return Ok(Value::Text(text)),
    };
    if fits { Ok(value) } else { Err(format!("cannot decode `{text}` as a !!{tag}")) }
}

fn plain(text: Cow<'_, str>) -> Result<Value<'_>, String> {
    let Some(&first) = text.as_bytes().first() else { return Ok(Value::Null) };
    let value = match first {
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' => word(&text),
        b'+' | b'-' | b'0'..=b'9' | b'.' => number(&text)?,
        _ => None,
    };
    Ok(value.unwrap_or(Value::Text(text)))
}

/// The words, in exactly the spellings YAML 1.1 lists.
fn word(text: &str) -> Option<Value<'static>> {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Some(Value::Bool(true))
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Some(Value::Bool(false))
        }
        "~" | "null" | "Null" | "NULL" => Some(Value::Null),
        _ => None,
    }
}

fn number(text: &str) -> Result<Option<Value<'static>>, String> {
    match text.strip_prefix(['+', '-']).unwrap_or(text) {
        ".inf" | ".Inf" | ".INF" => return Err(format!("{text} has no form in JSON")),
        ".nan" | ".NaN" | ".NAN" if text.starts_with('.') => {
            return Err(format!("{text} has no form in JSON"));
        }
        _ => {}
    }
    if text.starts_with('.') {
        return Ok(is_float(text).then(|| float(text)).flatten());
    }
    let bare: Cow<'_, str> =
        if text.contains('_') { Cow::Owned(text.replace('_', "")) } else { Cow::Borrowed(text) };
    if let Some(whole) = integer(&bare) {
        return Ok(Some(whole));
    }
    Ok(is_float(&bare).then(|| float(&bare)).flatten())
}

fn float(text: &str) -> Option<Value<'static>> {
    text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::Float)
}

/// Go's `strconv.ParseInt(text, 0, 64)`: `0x`, `0o`, `0b` and a leading zero choose the base.
fn integer(text: &str) -> Option<Value<'static>> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (base, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    if !digits.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    let size = u64::from_str_radix(digits, base).ok()?;
    if negative {
        return 0i64.checked_sub_unsigned(size).map(Value::Int);
    }
    // ParseUint takes no sign: a number above i64::MAX written with `+` is left to the float rule.
    match i64::try_from(size) {
        Ok(number) => Some(Value::Int(number)),
        Err(_) if text.starts_with('+') => None,
        Err(_) => Some(Value::Big(size)),
    }
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`, the whole text.
fn is_float(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (size, power) = match text.split_once(['e', 'E']) {
        Some((size, power)) => (size, Some(power.strip_prefix(['+', '-']).unwrap_or(power))),
        None => (text, None),
    };
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let size_fits = match size.split_once('.') {
        Some((whole, part)) => {
            digits(whole) && digits(part) && !(whole.is_empty() && part.is_empty())
        }
        None => digits(size) && !size.is_empty(),
    };
    size_fits && power.is_none_or(|power| !power.is_empty() && digits(power))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Value<'_> {
        resolve(Cow::Borrowed(text), Written::Plain, None).expect("the value has a form in JSON")
    }

    #[test]
    fn words_of_yaml_1_1_are_booleans_in_their_listed_spellings() {
        for yes in ["y", "Y", "yes", "Yes", "YES", "true", "on", "On"] {
            assert_eq!(of(yes), Value::Bool(true), "{yes}");
        }
        for no in ["n", "N", "no", "No", "NO", "false", "off", "OFF"] {
            assert_eq!(of(no), Value::Bool(false), "{no}");
        }
        for text in ["yEs", "nO", "tRUE", "oN", "yess", "nul"] {
            assert_eq!(of(text), Value::Text(text.into()), "{text}");
        }
        for null in ["", "~", "null", "Null", "NULL"] {
            assert_eq!(of(null), Value::Null, "{null:?}");
        }
    }

    #[test]
    fn numbers_are_gos() {
        for (text, number) in [
            ("010", 8),
            ("0o10", 8),
            ("0x1F", 31),
            ("0b101", 5),
            ("-0b101", -5),
            ("1_000", 1000),
            ("+7", 7),
            ("0", 0),
            ("-9223372036854775808", i64::MIN),
        ] {
            assert_eq!(of(text), Value::Int(number), "{text}");
        }
        for (text, number) in
            [("08", 8.0), ("1e3", 1000.0), ("1.", 1.0), (".5", 0.5), ("-1.5E-1", -0.15)]
        {
            assert_eq!(of(text), Value::Float(number), "{text}");
        }
        assert_eq!(of("18446744073709551615"), Value::Big(u64::MAX));
        for text in
            ["1.2.3", "12:30:45", "1Gi", "2026-01-01", "-", "+", ".", "0x", "1e", "1e999", "--1"]
        {
            assert_eq!(of(text), Value::Text(text.into()), "{text}");
        }
        for text in [".inf", "-.Inf", ".nan"] {
            assert!(resolve(Cow::Borrowed(text), Written::Plain, None).is_err(), "{text}");
        }
    }

    #[test]
    fn quotes_and_tags_decide_before_the_text_does() {
        let tagged = |text: &'static str, tag| resolve(text.into(), Written::Quoted, Some(tag));
        assert_eq!(resolve("yes".into(), Written::Quoted, None), Ok(Value::Text("yes".into())));
        assert_eq!(tagged("5", "int"), Ok(Value::Int(5)));
        assert_eq!(tagged("5", "str"), Ok(Value::Text("5".into())));
        assert_eq!(tagged("5", "float"), Ok(Value::Int(5)));
        assert_eq!(tagged("five", "int"), Err("cannot decode `five` as a !!int".to_owned()));
        assert_eq!(tagged("5", "!mine"), Ok(Value::Text("5".into())));
    }
}
