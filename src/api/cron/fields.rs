//! The fields of a cron text as sets of bits.

use super::{Layout, NotASchedule};

/// Set when a field was `*` or `?` with no step: days then follow the other day field alone.
const STAR: u64 = 1 << 63;

/// A set of values for each field, bit n for value n.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Calendar {
    pub(super) seconds: u64,
    pub(super) minutes: u64,
    pub(super) hours: u64,
    pub(super) month_days: u64,
    pub(super) months: u64,
    pub(super) week_days: u64,
}

struct Bounds {
    min: u64,
    max: u64,
    /// Names of the values from `min` on.
    names: &'static [&'static str],
}

const SIXTIETHS: Bounds = Bounds { min: 0, max: 59, names: &[] };
const HOURS: Bounds = Bounds { min: 0, max: 23, names: &[] };
const MONTH_DAYS: Bounds = Bounds { min: 1, max: 31, names: &[] };
const MONTHS: Bounds = Bounds {
    min: 1,
    max: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
};
const WEEK_DAYS: Bounds =
    Bounds { min: 0, max: 6, names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"] };

impl Calendar {
    pub(super) fn parse(text: &str, layout: Layout) -> Result<Calendar, NotASchedule> {
        let given: Vec<&str> = text.split_whitespace().collect();
        let found = given.len();
        let fields: Vec<&str> = match (layout, found) {
            (Layout::Standard, 5) => std::iter::once("0").chain(given).collect(),
            (Layout::WithSeconds, 5) => given.into_iter().chain(["*"]).collect(),
            (Layout::WithSeconds, 6) => given,
            (Layout::Standard, _) => {
                let all = given.join(" ");
                return Err(NotASchedule(format!(
                    "expected exactly 5 fields, found {found}: [{all}]"
                )));
            }
            (Layout::WithSeconds, _) => {
                let all = given.join(" ");
                return Err(NotASchedule(format!(
                    "expected 5 to 6 fields, found {found}: [{all}]"
                )));
            }
        };
        Ok(Calendar {
            seconds: field(fields[0], &SIXTIETHS)?,
            minutes: field(fields[1], &SIXTIETHS)?,
            hours: field(fields[2], &HOURS)?,
            month_days: field(fields[3], &MONTH_DAYS)?,
            months: field(fields[4], &MONTHS)?,
            week_days: field(fields[5], &WEEK_DAYS)?,
        })
    }

    /// Whether some field allows no value at all (`,`).
    pub(super) fn is_never(&self) -> bool {
        let Calendar { seconds, minutes, hours, month_days, months, week_days } = self;
        [seconds, minutes, hours, months].into_iter().any(|bits| bits & !STAR == 0)
            || (month_days | week_days) & !STAR == 0
    }

    /// Whether a day counts: by both day fields where one of them is a star, else by either.
    pub(super) fn day_matches(&self, month_day: i8, week_day: i8) -> bool {
        let by_month = self.month_days >> month_day & 1 == 1;
        let by_week = self.week_days >> week_day & 1 == 1;
        if (self.month_days | self.week_days) & STAR != 0 {
            by_month && by_week
        } else {
            by_month || by_week
        }
    }
}

fn field(text: &str, bounds: &Bounds) -> Result<u64, NotASchedule> {
    let mut bits = 0;
    for range in text.split(',').filter(|part| !part.is_empty()) {
        bits |= range_bits(range, bounds)?;
    }
    Ok(bits)
}

fn range_bits(text: &str, bounds: &Bounds) -> Result<u64, NotASchedule> {
    let (range, step) = match text.split('/').collect::<Vec<_>>()[..] {
        [range] => (range, None),
        [range, step] => (range, Some(step)),
        _ => (text.split('/').next().unwrap_or(text), None),
    };
    let ends: Vec<&str> = range.split('-').collect();
    let mut star = 0;
    let (start, mut end) = if matches!(ends[0], "*" | "?") {
        star = STAR;
        (bounds.min, bounds.max)
    } else {
        let start = value(ends[0], bounds.names, bounds.min)?;
        match ends[..] {
            [_] => (start, start),
            [_, end] => (start, value(end, bounds.names, bounds.min)?),
            _ => return Err(NotASchedule(format!("too many hyphens: {text}"))),
        }
    };
    if text.matches('/').count() > 1 {
        return Err(NotASchedule(format!("too many slashes: {text}")));
    }
    let step = match step {
        None => 1,
        Some(step) => {
            let step = number(step)?;
            // `N/step` means from N on.
            if ends.len() == 1 {
                end = bounds.max;
            }
            if step > 1 {
                star = 0;
            }
            step
        }
    };
    check_range(text, bounds, start, end, step)?;
    let stride = usize::try_from(step).unwrap_or(usize::MAX);
    Ok((start..=end).step_by(stride).fold(star, |bits, at| bits | 1 << at))
}

fn check_range(
    text: &str,
    bounds: &Bounds,
    start: u64,
    end: u64,
    step: u64,
) -> Result<(), NotASchedule> {
    let Bounds { min, max, .. } = bounds;
    let wrong = if start < *min {
        format!("beginning of range ({start}) below minimum ({min}): {text}")
    } else if end > *max {
        format!("end of range ({end}) above maximum ({max}): {text}")
    } else if start > end {
        format!("beginning of range ({start}) beyond end of range ({end}): {text}")
    } else if step == 0 {
        format!("step of range should be a positive number: {text}")
    } else {
        return Ok(());
    };
    Err(NotASchedule(wrong))
}

fn value(text: &str, names: &[&str], first: u64) -> Result<u64, NotASchedule> {
    let lower = text.to_lowercase();
    match (first..).zip(names).find(|(_, name)| **name == lower) {
        Some((at, _)) => Ok(at),
        None => number(text),
    }
}

fn number(text: &str) -> Result<u64, NotASchedule> {
    let wrong = |why: &str| {
        NotASchedule(format!(
            "failed to parse int from {text}: strconv.Atoi: parsing {text:?}: {why}"
        ))
    };
    match text.parse::<i64>() {
        Ok(number) => u64::try_from(number)
            .map_err(|_| NotASchedule(format!("negative number ({number}) not allowed: {text}"))),
        Err(error) => Err(match error.kind() {
            std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow => {
                wrong("value out of range")
            }
            _ => wrong("invalid syntax"),
        }),
    }
}
