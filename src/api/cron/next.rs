//! The walk from an instant to the next one that a calendar rule allows.
//!
//! ```text
//! month --ok--> day --ok--> hour --ok--> minute --ok--> second --ok--> found
//!   ^____________|___________|____________|______________|  a larger field turned over
//! ```

use jiff::{
    Timestamp,
    civil::{Date, DateTime},
    tz::TimeZone,
};

use super::fields::Calendar;

/// How far ahead to look before giving up.
const YEARS_MAX: i16 = 5;

/// A reading of the clocks of one zone.
struct Clock<'a> {
    zone: &'a TimeZone,
    /// Seconds since 1970, UTC.
    second: i64,
    /// Whether the fields below the one looked at were already set to their lowest.
    lowered: bool,
}

pub(super) fn next_after(
    calendar: &Calendar,
    after: Timestamp,
    zone: &TimeZone,
) -> Option<Timestamp> {
    if calendar.is_never() {
        return None;
    }
    let start = after.as_second() - i64::from(after.subsec_nanosecond() < 0);
    let mut clock = Clock { zone, second: start + 1, lowered: false };
    let last_year = clock.read()?.year() + YEARS_MAX;
    while clock.read()?.year() <= last_year {
        match clock.step_to(calendar)? {
            Walk::Found => return Timestamp::from_second(clock.second).ok(),
            Walk::TurnedOver => {}
        }
    }
    None
}

enum Walk {
    Found,
    TurnedOver,
}

impl Clock<'_> {
    fn read(&self) -> Option<DateTime> {
        let at = Timestamp::from_second(self.second).ok()?;
        Some(self.zone.to_offset(at).to_datetime(at))
    }

    /// Sets the clock to a reading of the zone's clocks. A reading that never shows, or shows
    /// twice, is resolved as Go's `time.Date` does: by the offset in force at the same reading
    /// taken as UTC, and if that is not the offset of the result, by the result's.
    fn set(&mut self, reading: DateTime) -> Option<()> {
        let as_utc = TimeZone::UTC.to_timestamp(reading).ok()?;
        let guess = self.zone.to_offset(as_utc);
        let first = guess.to_timestamp(reading).ok()?;
        let offset = self.zone.to_offset(first);
        self.second = offset.to_timestamp(reading).ok()?.as_second();
        Some(())
    }

    fn lower_to(&mut self, reading: DateTime) -> Option<()> {
        if !self.lowered {
            self.lowered = true;
            self.set(reading)?;
        }
        Some(())
    }

    /// Moves to the first reading that fits, or to where a field turned over and larger ones must
    /// be looked at again. `None` past the end of the calendar.
    fn step_to(&mut self, calendar: &Calendar) -> Option<Walk> {
        loop {
            let now = self.read()?;
            if calendar.months >> now.month() & 1 == 1 {
                break;
            }
            self.lower_to(now.date().first_of_month().at(0, 0, 0, 0))?;
            let now = self.read()?;
            self.set(DateTime::from_parts(first_of_next_month(now.date())?, now.time()))?;
            if self.read()?.month() == 1 {
                return Some(Walk::TurnedOver);
            }
        }
        loop {
            let now = self.read()?;
            let week_day = now.weekday().to_sunday_zero_offset();
            if calendar.day_matches(now.day(), week_day) {
                break;
            }
            self.lower_to(now.date().at(0, 0, 0, 0))?;
            self.next_day()?;
            if self.read()?.day() == 1 {
                return Some(Walk::TurnedOver);
            }
        }
        for (bits, unit) in [
            (calendar.hours, Unit::Hour),
            (calendar.minutes, Unit::Minute),
            (calendar.seconds, Unit::Second),
        ] {
            loop {
                let now = self.read()?;
                if bits >> unit.of(now) & 1 == 1 {
                    break;
                }
                self.lower_below(unit, now)?;
                self.second += self.way_to_next(unit, bits, unit.of(now))?;
                if unit.of(self.read()?) == 0 {
                    return Some(Walk::TurnedOver);
                }
            }
        }
        Some(Walk::Found)
    }

    /// Sets the fields below `unit` to 0. An hour is looked up on the zone's clocks, smaller fields
    /// are cut off the instant, as the library does: it tells when clocks go back.
    fn lower_below(&mut self, unit: Unit, now: DateTime) -> Option<()> {
        match unit {
            Unit::Hour => self.lower_to(now.date().at(now.hour(), 0, 0, 0))?,
            Unit::Minute if !self.lowered => self.second -= self.second.rem_euclid(60),
            Unit::Minute | Unit::Second => {}
        }
        self.lowered = true;
        Some(())
    }

    /// Seconds to the next value of `unit` that `bits` allow, or to where it turns over: in one go
    /// where the clocks do not change on the way, else to the next value.
    fn way_to_next(&self, unit: Unit, bits: u64, value: i8) -> Option<i64> {
        let left = i64::from(unit.values() - value);
        let steps = left.min(1 + i64::from((bits >> value >> 1).trailing_zeros()));
        let offset = |second| Some(self.zone.to_offset(Timestamp::from_second(second).ok()?));
        let far = steps * unit.seconds();
        let is_even = offset(self.second)? == offset(self.second + far)?;
        Some(if is_even { far } else { unit.seconds() })
    }

    fn next_day(&mut self) -> Option<()> {
        let now = self.read()?;
        self.set(DateTime::from_parts(now.date().tomorrow().ok()?, now.time()))?;
        // A change of clocks at midnight leaves the reading an hour off.
        let hour = i64::from(self.read()?.hour());
        self.second += 3600 * if hour > 12 { 24 - hour } else { -hour };
        Some(())
    }
}

fn first_of_next_month(date: Date) -> Option<Date> {
    date.last_of_month().tomorrow().ok()
}

#[derive(Clone, Copy)]
enum Unit {
    Hour,
    Minute,
    Second,
}

impl Unit {
    fn of(self, reading: DateTime) -> i8 {
        match self {
            Unit::Hour => reading.hour(),
            Unit::Minute => reading.minute(),
            Unit::Second => reading.second(),
        }
    }

    fn values(self) -> i8 {
        match self {
            Unit::Hour => 24,
            Unit::Minute | Unit::Second => 60,
        }
    }

    fn seconds(self) -> i64 {
        match self {
            Unit::Hour => 3600,
            Unit::Minute => 60,
            Unit::Second => 1,
        }
    }
}
