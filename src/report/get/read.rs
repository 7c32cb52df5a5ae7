//! Reading an API object as JSON, and the texts that many columns share.
//!
//! Owns paths into JSON and kubectl's way to write times, selectors and lists; refuses to know kinds.

use jiff::Timestamp;
use serde_json::{Map, Value};

/// What a column says of nothing.
pub(super) const NONE: &str = "<none>";
/// What a column says where nobody knows.
pub(super) const UNKNOWN: &str = "<unknown>";
/// What a column says of a field that is not written.
pub(super) const UNSET: &str = "<unset>";

/// The instant at which somebody looks, in nanoseconds of the calendar.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clock(pub i128);

impl Clock {
    /// The clock that shows this instant of RFC 3339.
    ///
    /// # Errors
    /// What is no instant.
    pub fn parse(text: &str) -> Result<Clock, String> {
        let instant: Timestamp = text.parse().map_err(|_| format!("{text}: no instant"))?;
        Ok(Clock(instant.as_nanosecond()))
    }

    /// How long ago an instant was; without one, nobody knows (`translateTimestampSince`, 1.36).
    pub(super) fn since(self, instant: Option<i128>) -> String {
        instant.map_or_else(|| UNKNOWN.to_owned(), |then| human(self.0 - then))
    }
}

/// A span in nanoseconds as kubectl writes it (`duration.HumanDuration`, 1.36): the two greatest units
/// while the greater one is small. Clocks may differ by less than two seconds.
pub(super) fn human(nanos: i128) -> String {
    let seconds = nanos / 1_000_000_000;
    match seconds {
        ..-1 => return "<invalid>".to_owned(),
        -1 => return "0s".to_owned(),
        0..120 => return format!("{seconds}s"),
        _ => {}
    }
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let two = |great: i128, unit: &str, small: i128, lesser: &str| match small {
        0 => format!("{great}{unit}"),
        _ => format!("{great}{unit}{small}{lesser}"),
    };
    let (days, years) = (hours / 24, hours / 24 / 365);
    match (minutes, hours) {
        (..10, _) => two(minutes, "m", seconds % 60, "s"),
        (..180, _) => format!("{minutes}m"),
        (_, ..8) => two(hours, "h", minutes % 60, "m"),
        (_, ..48) => format!("{hours}h"),
        (_, ..192) => two(days, "d", hours % 24, "h"),
        (_, ..17_520) => format!("{days}d"),
        (_, ..70_080) => two(years, "y", days % 365, "d"),
        _ => format!("{years}y"),
    }
}

/// An API object or a part of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Read<'a>(pub &'a Value);

impl<'a> Read<'a> {
    /// The part at a path of field names with dots between; null where there is none.
    pub(super) fn at(self, path: &str) -> Read<'a> {
        Read(path.split('.').fold(self.0, |value, field| value.get(field).unwrap_or(&Value::Null)))
    }

    /// Whether something is written there.
    pub(super) fn has(self, path: &str) -> bool {
        !self.at(path).0.is_null()
    }

    /// The text there; empty where there is none.
    pub(super) fn text(self, path: &str) -> &'a str {
        self.at(path).0.as_str().unwrap_or_default()
    }

    /// The text there, or `otherwise` if it is empty.
    pub(super) fn text_or(self, path: &str, otherwise: &'a str) -> String {
        let text = self.text(path);
        if text.is_empty() { otherwise.to_owned() } else { text.to_owned() }
    }

    /// The whole number there, 0 where there is none.
    pub(super) fn number(self, path: &str) -> i64 {
        self.at(path).0.as_i64().unwrap_or(0)
    }

    /// Whether `true` stands there.
    pub(super) fn is_true(self, path: &str) -> bool {
        self.at(path).0 == &Value::Bool(true)
    }

    /// A number, text or flag as it is written; nothing where there is none.
    pub(super) fn shown(self, path: &str) -> Option<String> {
        match self.at(path).0 {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    /// The items of the list there.
    pub(super) fn items(self, path: &str) -> impl DoubleEndedIterator<Item = Read<'a>> + use<'a> {
        self.list(path).iter().map(Read)
    }

    /// How many items the list there has, or keys the map.
    pub(super) fn len(self, path: &str) -> usize {
        self.at(path).0.as_object().map_or(self.list(path).len(), Map::len)
    }

    /// The texts of the list there.
    pub(super) fn texts(self, path: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.list(path).iter().filter_map(Value::as_str)
    }

    fn list(self, path: &str) -> &'a [Value] {
        self.at(path).0.as_array().map_or(&[], Vec::as_slice)
    }

    /// The texts of the map there, by key.
    pub(super) fn map(self, path: &str) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let map = self.at(path).0.as_object();
        map.into_iter().flatten().map(|(key, value)| (&**key, value.as_str().unwrap_or_default()))
    }

    /// The instant there, in nanoseconds of the calendar.
    pub(super) fn instant(self, path: &str) -> Option<i128> {
        self.text(path).parse().ok().map(Timestamp::as_nanosecond)
    }

    /// Its name.
    pub(super) fn name(self) -> String {
        self.text("metadata.name").to_owned()
    }

    /// How long it has been there.
    pub(super) fn age(self, clock: Clock) -> String {
        clock.since(self.instant("metadata.creationTimestamp"))
    }

    /// The condition of this type.
    pub(super) fn condition(self, of_type: &str) -> Option<Read<'a>> {
        self.items("status.conditions").find(|it| it.text("type") == of_type)
    }

    /// Labels as `a=1,b=2` (`labels.FormatLabels`).
    pub(super) fn labels(self, path: &str) -> String {
        let mut pairs: Vec<String> =
            self.map(path).map(|(key, value)| format!("{key}={value}")).collect();
        pairs.sort_unstable();
        if pairs.is_empty() { NONE.to_owned() } else { pairs.join(",") }
    }

    /// A label selector as people write it (`metav1.FormatLabelSelector`).
    pub(super) fn selector(self, path: &str) -> String {
        let of = self.at(path);
        let mut terms: Vec<(&str, String)> =
            of.map("matchLabels").map(|(key, value)| (key, format!("{key}={value}"))).collect();
        for term in of.items("matchExpressions") {
            let key = term.text("key");
            let mut values: Vec<&str> = term.texts("values").collect();
            values.sort_unstable();
            let values = values.join(",");
            let text = match term.text("operator") {
                "In" => format!("{key} in ({values})"),
                "NotIn" => format!("{key} notin ({values})"),
                "Exists" => key.to_owned(),
                "DoesNotExist" => format!("!{key}"),
                _ => return "<error>".to_owned(),
            };
            terms.push((key, text));
        }
        terms.sort_by_key(|(key, _)| *key);
        let texts: Vec<String> = terms.into_iter().map(|(_, text)| text).collect();
        if texts.is_empty() { NONE.to_owned() } else { texts.join(",") }
    }

    /// Names and images of the containers of a pod spec.
    pub(super) fn containers(self, path: &str) -> [String; 2] {
        let all = |field: &str| {
            let texts: Vec<&str> = self.items(path).map(|it| it.text(field)).collect();
            texts.join(",")
        };
        [all("name"), all("image")]
    }
}

/// The first `max` of a list, and how many more there are (`listWithMoreString`).
pub(super) fn some_of(list: &[String], max: usize, none: &str) -> String {
    let shown = list[..list.len().min(max)].join(",");
    match list.len().saturating_sub(max) {
        _ if list.is_empty() => none.to_owned(),
        0 => shown,
        more => format!("{shown} + {more} more..."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Bounds of `HumanDuration`'s own test table, in seconds.
    #[test]
    fn spans_show_two_units_while_the_greater_is_small() {
        let texts = [
            (-2, "<invalid>"),
            (-1, "0s"),
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (130, "2m10s"),
            (599, "9m59s"),
            (600, "10m"),
            (3 * 3600 - 1, "179m"),
            (3 * 3600, "3h"),
            (3 * 3600 + 60, "3h1m"),
            (8 * 3600, "8h"),
            (48 * 3600 - 1, "47h"),
            (48 * 3600, "2d"),
            (49 * 3600, "2d1h"),
            (8 * 86_400, "8d"),
            (2 * 365 * 86_400 - 1, "729d"),
            (2 * 365 * 86_400, "2y"),
            ((2 * 365 + 1) * 86_400, "2y1d"),
            (8 * 365 * 86_400, "8y"),
        ];
        for (seconds, text) in texts {
            assert_eq!(human(seconds * 1_000_000_000), text, "{seconds} s");
        }
        assert_eq!(human(-1_900_000_000), "0s");
    }

    #[test]
    fn selectors_are_sorted_by_key() {
        let object = json!({"s": {"matchLabels": {"b": "1"}, "matchExpressions": [
            {"key": "c", "operator": "In", "values": ["z", "y"]},
            {"key": "a", "operator": "DoesNotExist"}, {"key": "d", "operator": "Exists"}]}});
        assert_eq!(Read(&object).selector("s"), "!a,b=1,c in (y,z),d");
        assert_eq!(Read(&object).selector("t"), NONE);
    }
}
