//! JSON to be written: seconds keep their nine digits, as no floating-point number would.

use std::fmt::{self, Write};

use crate::time::SimTime;

/// A value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Json {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Seconds with nine decimals.
    Seconds(SimTime),
    /// Milliseconds with three decimals, from microseconds.
    Millis(u64),
    /// A number with six decimals, from millionths.
    Millionths(u64),
    /// Text.
    Text(String),
    /// A list.
    List(Vec<Json>),
    /// An object, its keys in this order.
    Map(Vec<(String, Json)>),
}

impl Json {
    /// An object.
    pub fn map<const N: usize>(fields: [(&str, Json); N]) -> Json {
        Json::Map(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }

    /// A text.
    pub fn text(text: impl Into<String>) -> Json {
        Json::Text(text.into())
    }

    /// A whole number of at least 0.
    pub fn count(number: u64) -> Json {
        Json::Int(i64::try_from(number).unwrap_or(i64::MAX))
    }

    /// A value or `null`.
    pub fn or_null(value: Option<Json>) -> Json {
        value.unwrap_or(Json::Null)
    }

    /// The text with line breaks and two spaces a level.
    pub fn pretty(&self) -> String {
        let mut out = String::new();
        // Writing into a String cannot fail.
        let _ = self.write(&mut out, 0);
        out.push('\n');
        out
    }

    fn write(&self, out: &mut String, depth: usize) -> fmt::Result {
        match self {
            Json::Null => out.write_str("null"),
            Json::Bool(flag) => write!(out, "{flag}"),
            Json::Int(number) => write!(out, "{number}"),
            Json::Seconds(at) => write!(out, "{at}"),
            Json::Millis(micros) => write!(out, "{}.{:03}", micros / 1000, micros % 1000),
            Json::Millionths(of) => write!(out, "{}.{:06}", of / 1_000_000, of % 1_000_000),
            Json::Text(text) => out.write_str(&quoted(text)),
            Json::List(items) if items.is_empty() => out.write_str("[]"),
            Json::Map(fields) if fields.is_empty() => out.write_str("{}"),
            Json::List(items) => {
                out.write_char('[')?;
                for (at, item) in items.iter().enumerate() {
                    line(out, at, depth + 1)?;
                    item.write(out, depth + 1)?;
                }
                write!(out, "\n{:1$}]", "", depth * 2)
            }
            Json::Map(fields) => {
                out.write_char('{')?;
                for (at, (key, value)) in fields.iter().enumerate() {
                    line(out, at, depth + 1)?;
                    write!(out, "{}: ", quoted(key))?;
                    value.write(out, depth + 1)?;
                }
                write!(out, "\n{:1$}}}", "", depth * 2)
            }
        }
    }
}

fn line(out: &mut String, at: usize, depth: usize) -> fmt::Result {
    if at > 0 {
        out.write_char(',')?;
    }
    write!(out, "\n{:1$}", "", depth * 2)
}

/// A text as JSON writes it.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
