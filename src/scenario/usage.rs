//! What programs take of their machines, as a Scenario says it.
//!
//! Each resource is an amount (`cpu: 100m`) or an object: `base`, or a course over the time since the
//! container's start (`steps`, `linear`, or `csv`), `repeat`, `growth`, and what each request adds.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Written;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::judge::Judge;
use super::reading;
use super::values::Span;
use crate::api::kinds::nearest;
use crate::api::quantity::Quantity;
use crate::api::tree::Value;
use crate::messages::usage::{AMOUNT_MAX, Between, Course, Demand, Growth, Usage};
use crate::time::SimDuration;

/// Points of one course at most.
const POINTS_MAX: usize = 10_000;
/// What can be said of.
const FIELDS: [&str; 6] = ["cpu", "memory", "disk", "inodes", "processes", "volumes"];

/// One resource, where it is an object.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct WrittenDemand {
    base: Option<Written>,
    steps: Option<BTreeMap<String, Written>>,
    linear: Option<BTreeMap<String, Written>>,
    csv: Option<String>,
    column: Option<String>,
    repeat: Option<Span>,
    growth: Option<WrittenGrowth>,
    /// A time of processor for `cpu`, else an amount.
    #[allow(dead_code, reason = "read from the document itself: its form hangs on the resource")]
    per_request: Option<IgnoredAny>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct WrittenGrowth {
    by: Option<Written>,
    each: Option<Span>,
    up_to: Option<Written>,
}

/// What a resource is counted in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    NanoCores,
    Whole,
    /// Thousandths, of a figure that is no resource.
    Milli,
}

impl Unit {
    fn of(self, quantity: Quantity) -> u64 {
        let amount = match self {
            Unit::NanoCores => quantity.scaled_value(-9),
            Unit::Whole => quantity.value(),
            Unit::Milli => quantity.milli_value(),
        };
        amount.max(0) as u64
    }
}

/// Reads `usage` at `path`; what is wrong is told to `judge`.
pub(super) fn usage(path: &str, judge: &mut Judge<'_, '_>) -> Option<Usage> {
    let node = judge.document.node.at_path(path)?;
    let Value::Map(entries) = &node.value else {
        judge.error(path, "expected an object as in {cpu: 100m, memory: 64Mi}");
        return None;
    };
    let mut usage = Usage::default();
    for entry in entries {
        let at = format!("{path}.{}", entry.key);
        let take = |unit, place: &mut Demand, judge: &mut Judge<'_, '_>| {
            if let Some(found) = demand(&at, unit, judge) {
                *place = found;
            }
        };
        match &*entry.key {
            "cpu" => take(Unit::NanoCores, &mut usage.cpu, judge),
            "memory" => take(Unit::Whole, &mut usage.memory, judge),
            "disk" => take(Unit::Whole, &mut usage.disk, judge),
            "inodes" => take(Unit::Whole, &mut usage.inodes, judge),
            "processes" => take(Unit::Whole, &mut usage.processes, judge),
            "volumes" => usage.volumes = volumes(&at, judge),
            other => judge.unknown_field(&at, nearest(other, &FIELDS)),
        }
    }
    Some(usage)
}

fn volumes(path: &str, judge: &mut Judge<'_, '_>) -> Vec<(Arc<str>, Demand)> {
    let entries = judge.document.node.at_path(path).map(|node| &node.value);
    let Some(Value::Map(entries)) = entries else {
        judge.error(path, "expected volumes by name, as in {cache: 1Gi}");
        return Vec::new();
    };
    let each = |name: &str| {
        let found = demand(&format!("{path}.{name}"), Unit::Whole, judge)?;
        Some((name.into(), found))
    };
    let names: Vec<_> = entries.iter().map(|entry| entry.key.to_string()).collect();
    names.iter().map(String::as_str).filter_map(each).collect()
}

/// Reads an amount over the time of the run at `path`; what is wrong is told to `judge`.
pub(super) fn series(path: &str, unit: Unit, judge: &mut Judge<'_, '_>) -> Option<Course> {
    if judge.document.node.at_path(path).is_none() {
        judge
            .missing(path, "Required value: how much it is, as in 20 or {steps: {0s: 20, 5m: 80}}");
        return None;
    }
    let found = demand(path, unit, judge)?;
    if found.per_request > 0 {
        judge.error(&format!("{path}.perRequest"), "Forbidden: no request adds to it");
    }
    Some(found.course)
}

fn demand(path: &str, unit: Unit, judge: &mut Judge<'_, '_>) -> Option<Demand> {
    let node = judge.document.node.at_path(path)?;
    if !matches!(node.value, Value::Map(_)) {
        let amount = amount_at(path, unit, judge)?;
        return Some(Demand::constant(amount));
    }
    let has_per_request = judge.document.node.at_path(&format!("{path}.perRequest")).is_some();
    let written: WrittenDemand = reading::whole(path, judge);
    let per_request = if has_per_request {
        per_request(&format!("{path}.perRequest"), unit, judge)
    } else {
        None
    };
    let per_request = per_request.unwrap_or(0);
    Some(Demand { course: course(&written, path, unit, judge)?, per_request })
}

/// A request's own: of the processor a time, of the rest an amount.
fn per_request(path: &str, unit: Unit, judge: &mut Judge<'_, '_>) -> Option<u64> {
    if unit != Unit::NanoCores {
        return amount_at(path, unit, judge);
    }
    let text = match judge.document.node.at_path(path).map(|node| &node.value) {
        Some(Value::Text(text)) => text.to_string(),
        _ => String::new(),
    };
    match SimDuration::parse(&text) {
        Ok(time) => Some(time.as_nanos()),
        Err(_) => {
            judge.error(path, "expected a time of one core, as in 5ms");
            None
        }
    }
}

/// An amount written as a text or a number.
fn amount_at(path: &str, unit: Unit, judge: &mut Judge<'_, '_>) -> Option<u64> {
    let node = judge.document.node.at_path(path)?;
    match crate::api::decode::read::<Written>(node, &mut Vec::new()) {
        Ok(written) => amount(&written, path, unit, judge),
        Err(_) => {
            let example = if unit == Unit::NanoCores { "100m" } else { "64Mi" };
            judge.error(path, format!("expected an amount as in {example}, or an object"));
            None
        }
    }
}

fn amount(written: &Written, path: &str, unit: Unit, judge: &mut Judge<'_, '_>) -> Option<u64> {
    let wrong = match Quantity::of(written) {
        Ok(quantity) if quantity.signum() < 0 => "must be greater than or equal to 0".to_owned(),
        Ok(quantity) if unit.of(quantity) > AMOUNT_MAX => "is too large".to_owned(),
        Ok(quantity) => return Some(unit.of(quantity)),
        Err(error) => error.to_string(),
    };
    judge.error(path, format!("Invalid value: {:?}: {wrong}", written.0));
    None
}

fn course(
    written: &WrittenDemand,
    path: &str,
    unit: Unit,
    judge: &mut Judge<'_, '_>,
) -> Option<Course> {
    let forms = [
        ("base", written.base.is_some()),
        ("steps", written.steps.is_some()),
        ("linear", written.linear.is_some()),
        ("csv", written.csv.is_some()),
    ];
    let given: Vec<_> = forms.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect();
    if let [first, second, ..] = given[..] {
        let message = format!("Forbidden: may not be said beside {first}");
        judge.error(&format!("{path}.{second}"), message);
        return None;
    }
    if let (Some(_), Some(&name)) = (&written.growth, given.first())
        && name != "base"
    {
        let message = format!("Forbidden: may not be said beside {name}");
        judge.error(&format!("{path}.growth"), message);
        return None;
    }
    if let (Some(_), None | Some(&"base")) = (written.repeat, given.first()) {
        let message = "Forbidden: only steps, linear and csv begin anew";
        judge.error(&format!("{path}.repeat"), message);
        return None;
    }
    let cycle = written.repeat.map(|span| span.0);
    if let Some(points) = &written.steps {
        return through(points, &format!("{path}.steps"), Between::Steps, cycle, unit, judge);
    }
    if let Some(points) = &written.linear {
        return through(points, &format!("{path}.linear"), Between::Lines, cycle, unit, judge);
    }
    if let Some(text) = &written.csv {
        return table(text, written.column.as_deref(), path, cycle, unit, judge);
    }
    let base = match &written.base {
        Some(base) => amount(base, &format!("{path}.base"), unit, judge)?,
        None => 0,
    };
    match &written.growth {
        Some(growth) => growing(base, growth, &format!("{path}.growth"), unit, judge),
        None => Some(Course::constant(base)),
    }
}

fn growing(
    base: u64,
    growth: &WrittenGrowth,
    path: &str,
    unit: Unit,
    judge: &mut Judge<'_, '_>,
) -> Option<Course> {
    let Some(by) = &growth.by else {
        judge.missing(&format!("{path}.by"), "Required value: by how much it grows, as in 1Mi");
        return None;
    };
    let by = amount(by, &format!("{path}.by"), unit, judge)?;
    let each = growth.each.map_or(SimDuration::from_secs(1), |span| span.0);
    if each.is_zero() {
        judge.error(&format!("{path}.each"), "Invalid value: 0s: must be longer than nothing");
        return None;
    }
    let up_to = match &growth.up_to {
        Some(up_to) => Some(amount(up_to, &format!("{path}.upTo"), unit, judge)?),
        None => None,
    };
    if let Some(up_to) = up_to.filter(|up_to| *up_to < base) {
        let message = format!("Invalid value: {up_to}: is less than base: it would have to shrink");
        judge.error(&format!("{path}.upTo"), message);
    }
    Some(Course::growing(base, Growth { by, each, up_to }))
}

fn through(
    points: &BTreeMap<String, Written>,
    path: &str,
    between: Between,
    cycle: Option<SimDuration>,
    unit: Unit,
    judge: &mut Judge<'_, '_>,
) -> Option<Course> {
    let mut found = Vec::with_capacity(points.len());
    for (at, written) in points {
        match SimDuration::parse(at) {
            Ok(since) => {
                found.push((since, amount(written, &format!("{path}.{at}"), unit, judge)?))
            }
            Err(error) => {
                judge.error(path, format!("Invalid value: {at:?}: {error}: expected amounts by the time since the start, as in {{0s: 1, 5m: 2}}"));
                return None;
            }
        }
    }
    found.sort_unstable();
    made(&found, path, between, cycle, judge)
}

fn made(
    points: &[(SimDuration, u64)],
    path: &str,
    between: Between,
    cycle: Option<SimDuration>,
    judge: &mut Judge<'_, '_>,
) -> Option<Course> {
    if points.len() > POINTS_MAX {
        judge.error(path, format!("{} points: there may be up to {POINTS_MAX}", points.len()));
        return None;
    }
    match Course::through(points, between, cycle) {
        Ok(course) => Some(course),
        Err(why) => {
            judge.error(path, format!("Invalid value: {why}"));
            None
        }
    }
}

/// A table of comma-separated values: a line of names, the first of them `seconds`; then a point a line,
/// with a straight line between two.
fn table(
    text: &str,
    column: Option<&str>,
    path: &str,
    cycle: Option<SimDuration>,
    unit: Unit,
    judge: &mut Judge<'_, '_>,
) -> Option<Course> {
    let at = format!("{path}.csv");
    let mut rows =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let cells = |line: &str| -> Vec<String> {
        line.split(',').map(|cell| cell.trim().trim_matches('"').to_owned()).collect()
    };
    let head = cells(rows.next().unwrap_or_default());
    let resource = path.rsplit('.').next().unwrap_or_default();
    let wanted = column.unwrap_or(resource);
    let names: Vec<&str> = head.iter().map(String::as_str).collect();
    let (Some(time), Some(value)) = (
        names.iter().position(|name| *name == "seconds"),
        names.iter().position(|name| *name == wanted),
    ) else {
        let hint = nearest(wanted, &names).map_or(String::new(), |it| format!(" (is it {it:?}?)"));
        judge.error(
            &at,
            format!("expected a line of names with \"seconds\" and {wanted:?} first{hint}"),
        );
        return None;
    };
    let mut points = Vec::new();
    for (number, row) in rows.enumerate() {
        let cells = cells(row);
        let cell = |at: usize| cells.get(at).map_or("", String::as_str);
        let since = SimDuration::parse(&format!("{}s", cell(time)));
        let amount = Quantity::parse(cell(value)).ok().filter(|it| it.signum() >= 0);
        let (Ok(since), Some(amount)) = (since, amount) else {
            judge
                .error(&at, format!("row {}: {row:?}: expected seconds and an amount", number + 1));
            return None;
        };
        points.push((since, unit.of(amount)));
    }
    made(&points, &at, Between::Lines, cycle, judge)
}
