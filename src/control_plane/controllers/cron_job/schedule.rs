//! Which start of a CronJob is due, and when to look next
//! (kube-controller-manager 1.36 pkg/controller/cronjob/utils.go).
//!
//! Owns the arithmetic on the calendar; refuses to know Jobs and requests.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::api::cron::{Layout, NotASchedule, Schedule, location, zone};

/// How long after its time a start is looked at (`nextScheduleDelta`).
pub const DELTA: SignedDuration = SignedDuration::from_millis(100);
/// Missed starts beyond which a CronJob is warned about.
const MANY: i64 = 100;

/// A schedule on the clocks of its zone. It remembers its latest walks over the calendar: a CronJob asks
/// again and again for the start after the same one.
#[derive(Clone, Debug)]
pub struct Clocked {
    schedule: Schedule,
    zone: TimeZone,
    /// The latest walk first: from where, and what it came to.
    walks: [Option<(Timestamp, Option<Timestamp>)>; 2],
}

/// Why there is no schedule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unusable {
    /// The time zone has no entry in the database.
    Zone(String),
    /// The text is no schedule.
    Schedule(NotASchedule),
}

/// How many starts were missed since the last one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Missed {
    /// None but the one that is due.
    None,
    /// Some.
    Few,
    /// More than a hundred.
    Many,
}

/// What is due at some instant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Due {
    /// From when starts were counted.
    pub earliest: Timestamp,
    /// The latest start that is due.
    pub latest: Option<Timestamp>,
    /// How many were missed.
    pub missed: Missed,
}

/// A schedule whose starts do not come apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NeverFires;

impl Clocked {
    /// Reads a schedule; a zone in its text wins over `time_zone`, and without either it is UTC.
    ///
    /// # Errors
    /// The zone is unknown, or the text is no schedule.
    pub fn read(schedule: &str, time_zone: Option<&str>) -> Result<Clocked, Unusable> {
        let find = |name: &str| zone(name).ok_or_else(|| Unusable::Zone(name.to_owned()));
        let outer = time_zone.map(find).transpose()?;
        let schedule = Schedule::parse(schedule, Layout::Standard).map_err(Unusable::Schedule)?;
        let inner = schedule.zone().and_then(|name| location(name).ok());
        let zone = inner.or(outer).unwrap_or(TimeZone::UTC);
        Ok(Clocked { schedule, zone, walks: [None; 2] })
    }

    /// The first start after `after`, if there is one within five years.
    pub fn next(&mut self, after: Timestamp) -> Option<Timestamp> {
        let known = self.walks.iter().flatten().find(|(from, _)| *from == after);
        if let Some(&(_, found)) = known {
            return found;
        }
        let found = self.schedule.next_after(after, &self.zone);
        self.walks = [Some((after, found)), self.walks[0]];
        found
    }

    /// Whether the zone stands in the text of the schedule.
    pub fn names_its_zone(&self) -> bool {
        self.schedule.zone().is_some()
    }

    /// Its zone.
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }
}

/// What is due at `now` of starts after `last` (the last one, or the CronJob's creation) and not
/// longer ago than `deadline` seconds (`mostRecentScheduleTime`).
///
/// # Errors
/// The schedule never fires, or not at a second of its own.
pub fn due(
    schedule: &mut Clocked,
    last: Timestamp,
    deadline: Option<i64>,
    now: Timestamp,
) -> Result<Due, NeverFires> {
    let oldest =
        deadline.and_then(|seconds| now.checked_sub(SignedDuration::from_secs(seconds)).ok());
    let earliest = oldest.map_or(last, |oldest| oldest.max(last));
    let none = |missed| Due { earliest, latest: None, missed };
    let first = schedule.next(earliest).ok_or(NeverFires)?;
    if now < first {
        return Ok(none(Missed::None));
    }
    let Some(second) = schedule.next(first) else { return Err(NeverFires) };
    if now < second {
        return Ok(Due { latest: Some(first), ..none(Missed::None) });
    }
    let between = (second.as_second() - first.as_second()).max(0);
    if between < 1 {
        return Err(NeverFires);
    }
    // A rough count: how often the first distance fits in.
    let elapsed = now.duration_since(first).as_secs();
    let count = elapsed / between + 1;
    let missed = if count > MANY { Missed::Many } else { Missed::Few };
    // The same rough count tells where to begin to look, so that an uneven schedule may be missed.
    let begin = SignedDuration::from_secs((count - 2) * between);
    let begin = first.checked_add(begin).map_err(|_| NeverFires)?;
    let mut latest = None;
    let mut at = schedule.next(begin);
    while let Some(start) = at.filter(|&start| start <= now) {
        latest = Some(start);
        at = schedule.next(start);
    }
    Ok(Due { earliest, latest, missed })
}

/// How long until the next start is to be looked at (`nextScheduleTimeDuration`); `None`: never.
pub fn next_look(
    schedule: &mut Clocked,
    last: Timestamp,
    now: Timestamp,
) -> Option<SignedDuration> {
    let from = match due(schedule, last, None, now) {
        Err(NeverFires) => now,
        Ok(due) => match (due.latest, due.missed) {
            (Some(latest), _) => latest,
            (None, Missed::None) => due.earliest,
            (None, _) => now,
        },
    };
    let next = schedule.next(from)?;
    Some(next.checked_add(DELTA).ok()?.duration_since(now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// However often it is asked and for what, a schedule that remembers says what a new one does.
        #[test]
        fn what_is_remembered_is_what_would_be_found(schedule in prop::sample::select(&["7 * * * *", "*/3 1-4 * * *", "@every 90s", "0 2 30 2 *", "0 2 31 3,10 *"][..]), asked in prop::collection::vec(0i64..40, 1..30)) {
            let read = || Clocked::read(schedule, Some("Europe/Berlin")).expect("a schedule");
            let mut clocked = read();
            for hours in asked {
                let after = Timestamp::from_second(1_743_000_000 + hours * 9_000).expect("an instant");
                prop_assert_eq!(clocked.next(after), read().next(after));
            }
        }
    }
}
