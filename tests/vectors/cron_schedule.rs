//! Cron schedules: the grammar, and when they fire.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use wavetank::api::cron::{Layout, Schedule};

use super::table::{Outcome, run};

/// The zones of the table, by the rules they had in the years it asks about: no database of zones is
/// built in.
fn zone(name: &str) -> TimeZone {
    let rules = match name {
        "America/New_York" => "EST5EDT,M3.2.0,M11.1.0",
        "America/Sao_Paulo" => "<-03>3<-02>,M11.1.0/0,M2.3.0/0",
        other => panic!("zone {other}"),
    };
    TimeZone::posix(rules).expect("rules")
}

/// An instant, and the zone its clock shows: named before it, an offset behind it, or UTC.
fn instant(text: &str) -> (Timestamp, TimeZone) {
    let (named, text) = match text.strip_prefix("TZ=") {
        Some(rest) => {
            let (name, text) = rest.split_once(' ').expect("zone, then time");
            (Some(zone(name)), text)
        }
        None => (None, text),
    };
    if let Ok((at, offset)) = jiff::fmt::strtime::parse("%Y-%m-%dT%H:%M:%S%z", text)
        .and_then(|parsed| Ok((parsed.to_timestamp()?, parsed.offset())))
    {
        let offset = offset.map_or(TimeZone::UTC, TimeZone::fixed);
        return (at, named.unwrap_or(offset));
    }
    // The day of the week in front is not always right in the table: it is not looked at.
    let (_, text) = text.split_once(' ').expect("day, then date");
    let civil = ["%b %e %H:%M:%S %Y", "%b %e %H:%M %Y"]
        .iter()
        .find_map(|format| DateTime::strptime(format, text).ok())
        .unwrap_or_else(|| panic!("time {text}"));
    (TimeZone::UTC.to_timestamp(civil).expect("in range"), TimeZone::UTC)
}

fn next(schedule: &str, layout: Layout, after: &str) -> Option<Timestamp> {
    let schedule = Schedule::parse(schedule, layout).expect("schedule");
    let (after, own) = instant(after);
    let zone = schedule.zone().map_or(own, zone);
    schedule.next_after(after, &zone)
}

#[test]
pub fn schedules_fire_when_the_library_says() {
    let data = include_str!("../data/vectors/cron_schedule.json");
    run("cron_schedule", data, |function, _, input, expected| {
        Some(match function {
            "TestActivation" => {
                let (at, _) = instant(input["time"].as_str()?);
                let schedule = Schedule::parse(input["spec"].as_str()?, Layout::Standard);
                let before = at - jiff::SignedDuration::from_secs(1);
                let next = schedule.ok()?.next_after(before, &TimeZone::UTC);
                Outcome::same(next == Some(at), expected["expected"].as_bool()?)
            }
            "TestNext" | "TestNextWithTz" => {
                let layout = match function {
                    "TestNext" => Layout::WithSeconds,
                    _ => Layout::Standard,
                };
                let ours = next(input["spec"].as_str()?, layout, input["time"].as_str()?);
                let theirs = Some(expected["expected"].as_str()?).filter(|text| !text.is_empty());
                Outcome::same(ours, theirs.map(|text| instant(text).0))
            }
            "TestErrors" => {
                let ours = Schedule::parse(input["value"].as_str()?, Layout::Standard);
                Outcome::same(ours.is_ok(), expected["valid"].as_bool()?)
            }
            "TestParseScheduleErrors" => {
                let ours = Schedule::parse(input["expr"].as_str()?, Layout::WithSeconds);
                let error = ours.err().map(|error| error.to_string()).unwrap_or_default();
                let theirs = expected["err"].as_str()?;
                Outcome::same(error.contains(theirs), true)
            }
            _ => return None,
        })
    });
}
