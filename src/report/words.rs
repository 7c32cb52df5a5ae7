//! Times, numbers and lists as people read them.

use crate::time::{SimDuration, SimTime};

/// An instant for a column: `0:05.652`, `1:02:03.500`.
pub(super) fn clock(at: SimTime) -> String {
    let millis = at.as_nanos().saturating_add(500_000) / 1_000_000;
    let (seconds, rest) = (millis / 1000, millis % 1000);
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    if minutes < 60 {
        return format!("{minutes}:{seconds:02}.{rest:03}");
    }
    format!("{}:{:02}:{seconds:02}.{rest:03}", minutes / 60, minutes % 60)
}

/// Seconds with three digits: people read no more.
pub(super) fn short(at: SimTime) -> String {
    let millis = at.as_nanos().saturating_add(500_000) / 1_000_000;
    format!("{}.{:03} s", millis / 1000, millis % 1000)
}

/// A span in a sentence: `12 ms`, `43.2 s`, `5 min`, `5 min 43 s`, `2 h 5 min`.
pub(super) fn span(span: SimDuration) -> String {
    let nanos = span.as_nanos();
    if nanos < 995_000_000 {
        return match nanos.saturating_add(500_000) / 1_000_000 {
            0 if nanos > 0 => "under 1 ms".to_owned(),
            millis => format!("{millis} ms"),
        };
    }
    let tenths = nanos.saturating_add(50_000_000) / 100_000_000;
    if tenths < 1200 {
        let rest = tenths % 10;
        let rest = if rest == 0 { String::new() } else { format!(".{rest}") };
        return format!("{}{rest} s", tenths / 10);
    }
    let seconds = nanos.saturating_add(500_000_000) / 1_000_000_000;
    let two = |big: u64, unit: &str, small: u64, sub: &str| match small {
        0 => format!("{big} {unit}"),
        _ => format!("{big} {unit} {small} {sub}"),
    };
    if seconds < 7200 {
        return two(seconds / 60, "min", seconds % 60, "s");
    }
    let minutes = (seconds + 30) / 60;
    two(minutes / 60, "h", minutes % 60, "min")
}

/// How long after `from`: `+43.2 s`.
pub(super) fn after(from: SimTime, at: SimTime) -> String {
    let millis = at.saturating_since(from).as_nanos().saturating_add(500_000) / 1_000_000;
    format!("+{}.{:03} s", millis / 1000, millis % 1000)
}

/// Microseconds as milliseconds: `12.1 ms`.
pub(super) fn millis(micros: u64) -> String {
    match micros {
        0..100_000 => format!("{}.{} ms", micros / 1000, micros % 1000 / 100),
        _ => format!("{} ms", number(micros / 1000)),
    }
}

/// `web` of `default/web`; other namespaces stay.
pub(super) fn without_default(name: &str) -> &str {
    name.strip_prefix("default/").unwrap_or(name)
}

/// `12,345`.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 pod`, `2 pods`.
pub(super) fn count(amount: u64, what: &str) -> String {
    let plural = match what {
        _ if amount == 1 => "",
        _ if what.ends_with('s') => "es",
        _ => "s",
    };
    format!("{} {what}{plural}", number(amount))
}

/// `a`, `a and b`, `a, b and 3 more` of `total` in all.
pub(super) fn list(names: &[String], total: u64) -> String {
    let more = total.saturating_sub(names.len() as u64);
    match (names, more) {
        ([], _) => number(total),
        ([one], 0) => one.clone(),
        ([first @ .., last], 0) => format!("{} and {last}", first.join(", ")),
        _ => format!("{} and {} more", names.join(", "), number(more)),
    }
}

/// Bytes in decimal units: `210 MB`.
pub(super) fn bytes(bytes: u64) -> String {
    let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1000, "kB")];
    let Some((unit, name)) = units.into_iter().find(|(unit, _)| bytes >= *unit) else {
        return format!("{bytes} B");
    };
    let tenths = bytes.saturating_add(unit / 20) / (unit / 10);
    if tenths < 100 {
        format!("{}.{} {name}", tenths / 10, tenths % 10)
    } else {
        format!("{} {name}", tenths / 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_naturally() {
        for (millis, text) in [
            (0, "0 ms"),
            (12, "12 ms"),
            (994, "994 ms"),
            (999, "1 s"),
            (43_214, "43.2 s"),
            (119_940, "119.9 s"),
            (300_000, "5 min"),
            (343_214, "5 min 43 s"),
            (7_200_000, "2 h"),
            (7_530_000, "2 h 6 min"),
        ] {
            assert_eq!(span(SimDuration::from_millis(millis)), text);
        }
        assert_eq!(span(SimDuration::from_nanos(7)), "under 1 ms");
    }

    #[test]
    fn clocks_and_numbers() {
        assert_eq!(clock(SimTime::from_millis(5_652)), "0:05.652");
        assert_eq!(clock(SimTime::from_millis(3_723_500)), "1:02:03.500");
        assert_eq!(
            (number(0), number(1000), number(1_234_567)),
            ("0".into(), "1,000".into(), "1,234,567".into())
        );
        assert_eq!((count(1, "pod"), count(2, "class")), ("1 pod".into(), "2 classes".into()));
        assert_eq!(
            (bytes(999), bytes(109_433_880), bytes(2_500_000)),
            ("999 B".into(), "109 MB".into(), "2.5 MB".into())
        );
        let names = ["a".to_owned(), "b".to_owned()];
        assert_eq!(
            (list(&names, 2), list(&names, 5)),
            ("a and b".into(), "a, b and 3 more".into())
        );
    }
}
