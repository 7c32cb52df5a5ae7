//! Cron schedules: the text of `CronJob.spec.schedule`, and when it fires next.
//!
//! Owns the grammar and the walk over the calendar as github.com/robfig/cron v3 has them, which
//! kube-controller-manager 1.36 uses. It does not know what a missed run is, nor where a time zone
//! comes from: the caller gives the zone.

mod fields;
mod next;

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// The time zone of this very name, out of the database that is built in; none, if it has none.
pub fn zone(name: &str) -> Option<TimeZone> {
    let found = TimeZoneDatabase::bundled().get(name).ok()?;
    (found.iana_name() == Some(name)).then_some(found)
}

/// The place of a time zone of this name, as Go's `time.LoadLocation` finds it on a machine that is set to
/// UTC.
///
/// # Errors
/// Why there is none, in Go's words.
pub fn location(name: &str) -> Result<TimeZone, String> {
    if matches!(name, "" | "UTC" | "Local") {
        return Ok(TimeZone::UTC);
    }
    if name.contains("..") || name.starts_with(['/', '\\']) {
        return Err("time: invalid location name".to_owned());
    }
    zone(name).ok_or_else(|| format!("unknown time zone {name}"))
}

/// Which fields a text must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// minute, hour, day of month, month, day of week: what Kubernetes takes.
    Standard,
    /// The same with seconds before them; the day of week may be left out.
    WithSeconds,
}

/// A schedule that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    zone: Option<String>,
    rule: Rule,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    Calendar(fields::Calendar),
    /// Every so many seconds (at least one).
    Every(i64),
}

/// Why a text is no schedule, in the words of the library.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotASchedule(String);

impl Schedule {
    /// Reads a schedule.
    ///
    /// # Errors
    /// The first thing wrong with the text.
    pub fn parse(text: &str, layout: Layout) -> Result<Schedule, NotASchedule> {
        if text.is_empty() {
            return Err(NotASchedule("empty spec string".to_owned()));
        }
        let (zone, rest) = split_zone(text)?;
        let rule = match rest.strip_prefix('@') {
            Some(_) => descriptor(rest)?,
            None => Rule::Calendar(fields::Calendar::parse(rest, layout)?),
        };
        Ok(Schedule { zone, rule })
    }

    /// The time zone named in the text itself (`TZ=` or `CRON_TZ=`), which wins over the caller's.
    pub fn zone(&self) -> Option<&str> {
        self.zone.as_deref()
    }

    /// The first instant after `after` at which the schedule fires on the clocks of `zone`;
    /// `None` if there is none within five years.
    pub fn next_after(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        match &self.rule {
            Rule::Calendar(calendar) => next::next_after(calendar, after, zone),
            Rule::Every(seconds) => {
                Timestamp::from_second(after.as_second().checked_add(*seconds)?).ok()
            }
        }
    }
}

fn split_zone(text: &str) -> Result<(Option<String>, &str), NotASchedule> {
    let Some(rest) = text.strip_prefix("TZ=").or_else(|| text.strip_prefix("CRON_TZ=")) else {
        return Ok((None, text));
    };
    match rest.split_once(' ') {
        Some((zone, fields)) => match location(zone) {
            Ok(_) => Ok((Some(zone.to_owned()), fields.trim())),
            Err(why) => Err(NotASchedule(format!("provided bad location {zone}: {why}"))),
        },
        // The library panics, and Kubernetes says so.
        None => {
            let why = "runtime error: slice bounds out of range [:-1]";
            Err(NotASchedule(format!("invalid schedule format: {why}")))
        }
    }
}

fn descriptor(text: &str) -> Result<Rule, NotASchedule> {
    let standard = match text {
        "@yearly" | "@annually" => "0 0 1 1 *",
        "@monthly" => "0 0 1 * *",
        "@weekly" => "0 0 * * 0",
        "@daily" | "@midnight" => "0 0 * * *",
        "@hourly" => "0 * * * *",
        _ => {
            let Some(every) = text.strip_prefix("@every ") else {
                return Err(NotASchedule(format!("unrecognized descriptor: {text}")));
            };
            let nanoseconds = go_duration(every).ok_or_else(|| {
                NotASchedule(format!(
                    "failed to parse duration {text}: time: invalid duration {every:?}"
                ))
            })?;
            return Ok(Rule::Every((nanoseconds / 1_000_000_000).max(1)));
        }
    };
    Ok(Rule::Calendar(fields::Calendar::parse(standard, Layout::Standard)?))
}

/// A Go duration (`1h30m`, `1.5s`) in nanoseconds.
fn go_duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut total: i64 = 0;
    while !rest.is_empty() || total == 0 {
        let number_len = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(number_len);
        let unit_len = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_len);
        let scale: i64 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        total = total.checked_add(part(number, scale)?)?;
        rest = tail;
        if rest.is_empty() {
            break;
        }
    }
    Some(if negative { -total } else { total })
}

fn part(number: &str, scale: i64) -> Option<i64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let mut value = whole.checked_mul(scale)?;
    let mut unit = scale;
    for digit in fraction.chars() {
        unit /= 10;
        value = value.checked_add(unit.checked_mul(i64::from(digit.to_digit(10)?))?)?;
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        Schedule::parse(text, Layout::Standard).unwrap_err().to_string()
    }

    #[test]
    fn errors_read_as_the_librarys() {
        assert_eq!(error(""), "empty spec string");
        assert_eq!(error("* * * *"), "expected exactly 5 fields, found 4: [* * * *]");
        assert_eq!(error("60 0 * * *"), "end of range (60) above maximum (59): 60");
        assert_eq!(error("0 0 * * 7"), "end of range (7) above maximum (6): 7");
        assert_eq!(error("0 0 0 * *"), "beginning of range (0) below minimum (1): 0");
        assert_eq!(error("5-1 0 * * *"), "beginning of range (5) beyond end of range (1): 5-1");
        assert_eq!(error("*/0 0 * * *"), "step of range should be a positive number: */0");
        assert_eq!(error("1/2/3 0 * * *"), "too many slashes: 1/2/3");
        assert_eq!(error("1-2-3 0 * * *"), "too many hyphens: 1-2-3");
        assert_eq!(
            error("a 0 * * *"),
            "failed to parse int from a: strconv.Atoi: parsing \"a\": invalid syntax"
        );
        assert_eq!(error("@often"), "unrecognized descriptor: @often");
        assert_eq!(error("TZ=Foo 61 * * * *"), "provided bad location Foo: unknown time zone Foo");
        let nowhere = "provided bad location ../UTC: time: invalid location name";
        assert_eq!(error("CRON_TZ=../UTC 0 * * * *"), nowhere);
        let panics = "invalid schedule format: runtime error: slice bounds out of range [:-1]";
        assert_eq!(error("TZ=UTC"), panics);
        for zone in ["", "UTC", "Local", "Europe/Berlin"] {
            let text = format!("TZ={zone} 0 * * * *");
            assert!(Schedule::parse(&text, Layout::Standard).is_ok(), "{text}");
        }
    }

    #[test]
    fn durations_are_read_as_go_does() {
        assert_eq!(go_duration("1h30m"), Some(5_400_000_000_000));
        assert_eq!(go_duration("1.5s"), Some(1_500_000_000));
        assert_eq!(go_duration("5 minutes"), None);
        assert_eq!(go_duration(""), None);
        assert_eq!(go_duration("10"), None);
    }

    #[test]
    fn a_fixed_delay_counts_from_whole_seconds() {
        let schedule = Schedule::parse("@every 90s", Layout::Standard).unwrap();
        let start = Timestamp::new(100, 5).unwrap();
        let next = schedule.next_after(start, &TimeZone::UTC).unwrap();
        assert_eq!(next, Timestamp::new(190, 0).unwrap());
    }
}
