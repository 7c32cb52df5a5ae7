//! Values a Scenario is written with: durations, delays, calendar instants.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::api::documents::Document;
use crate::luck::Distribution;
use crate::messages::app::Delay;
use crate::time::SimDuration;

/// A duration as Go writes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Span(pub SimDuration);

struct SpanVisitor;

impl Visitor<'_> for SpanVisitor {
    type Value = Span;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration as in 300ms, 1.5s or 1h30m")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Span, E> {
        SimDuration::parse(text).map(Span).map_err(E::custom)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
        deserializer.deserialize_any(SpanVisitor)
    }
}

/// A short name. YAML takes a bare `n` or `y` for a boolean; in a Scenario it is a name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Word {
    Text(String),
    Letter,
}

struct WordVisitor;

impl Visitor<'_> for WordVisitor {
    type Value = Word;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Word, E> {
        Ok(Word::Text(text.to_owned()))
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Word, E> {
        Ok(Word::Letter)
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Word, D::Error> {
        deserializer.deserialize_any(WordVisitor)
    }
}

impl Word {
    /// The name; `line` is what was written from its key on. Nothing for a boolean that is no single
    /// letter.
    pub(super) fn text(self, line: &str) -> Option<String> {
        match self {
            Word::Text(text) => Some(text),
            Word::Letter => {
                let value = line.split_once(':')?.1.trim_start();
                let end = value.find([',', '}', ' ', '\t', '#']).unwrap_or(value.len());
                Some(value[..end].to_owned()).filter(|word| matches!(&**word, "n" | "y"))
            }
        }
    }
}

/// A name of one letter that YAML took for a boolean, as it was written at `path`.
pub fn letter_at(document: &Document<'_>, path: &str) -> Option<String> {
    Word::Letter.text(document.line_from(path))
}

/// A DELAY: `1s`, `never`, `{uniform: [1s, 2s]}`, `{exponential: 1s}`, `{lognormal: {p50: 1s, p99: 3s}}`.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct WrittenDelay(pub Delay);

/// The forms of a delay that are an object.
const LAWS: [&str; 3] = ["uniform", "exponential", "lognormal"];

struct DelayVisitor;

impl<'de> Visitor<'de> for DelayVisitor {
    type Value = WrittenDelay;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a delay: 1s, never, {uniform: [1s, 2s]}, {exponential: 1s} or \
             {lognormal: {p50: 1s, p99: 3s}}",
        )
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<WrittenDelay, E> {
        if text == "never" {
            return Ok(WrittenDelay(Delay::Never));
        }
        let span = SimDuration::parse(text).map_err(E::custom)?;
        Ok(WrittenDelay(Delay::Takes(Distribution::Constant(span))))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<WrittenDelay, A::Error> {
        let Some(law) = map.next_key::<String>()? else {
            return Err(A::Error::custom(format!("expected one of {}", LAWS.join(", "))));
        };
        let distribution = match law.as_str() {
            "uniform" => map.next_value::<Uniform>()?.0,
            "exponential" => Distribution::Exponential { mean: map.next_value::<Span>()?.0 },
            "lognormal" => map.next_value::<LogNormal>()?.distribution()?,
            other => {
                let hint = crate::api::kinds::nearest(other, &LAWS)
                    .map_or(String::new(), |name| format!(" (did you mean {name:?}?)"));
                let laws = LAWS.join(", ");
                return Err(A::Error::custom(format!(
                    "unknown law {other:?}: expected one of {laws}{hint}"
                )));
            }
        };
        if map.next_key::<String>()?.is_some() {
            return Err(A::Error::custom("expected exactly one law"));
        }
        Ok(WrittenDelay(Delay::Takes(distribution)))
    }
}

impl<'de> Deserialize<'de> for WrittenDelay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<WrittenDelay, D::Error> {
        deserializer.deserialize_any(DelayVisitor)
    }
}

struct Uniform(Distribution);

impl<'de> Deserialize<'de> for Uniform {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Uniform, D::Error> {
        struct Bounds;
        impl<'de> Visitor<'de> for Bounds {
            type Value = Uniform;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the shortest and the longest time, as in [1s, 2s]")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Uniform, A::Error> {
                let wrong = || A::Error::custom("expected two durations, as in [1s, 2s]");
                let min = seq.next_element::<Span>()?.ok_or_else(wrong)?.0;
                let max = seq.next_element::<Span>()?.ok_or_else(wrong)?.0;
                if seq.next_element::<Span>()?.is_some() {
                    return Err(wrong());
                }
                if max < min {
                    return Err(A::Error::custom("the longest time is shorter than the shortest"));
                }
                Ok(Uniform(Distribution::Uniform { min, max }))
            }
        }
        deserializer.deserialize_seq(Bounds)
    }
}

#[derive(serde::Deserialize)]
struct LogNormal {
    p50: Option<Span>,
    p99: Option<Span>,
}

impl LogNormal {
    fn distribution<E: Error>(self) -> Result<Distribution, E> {
        let (Some(Span(p50)), Some(Span(p99))) = (self.p50, self.p99) else {
            return Err(E::custom(
                "expected the median and the 99th percentile: {p50: 1s, p99: 3s}",
            ));
        };
        if p99 < p50 {
            return Err(E::custom("p99 is shorter than p50"));
        }
        Ok(Distribution::LogNormal { p50, p99 })
    }
}
