//! Events about one object, as `kubectl describe` shows them.

use std::fmt::Write;

use super::read::human;
use crate::control_plane::core_events::{CoreEvents, Stored};
use crate::messages::core_event::Source;
use crate::time::SimTime;

/// How far apart columns are.
const PADDING: usize = 2;

/// The Events about `object`, named as in a timeline (`Pod/shop/web-1`), as they are `now` (`DescribeEvents`,
/// kubectl 1.36).
pub fn describe(events: &CoreEvents, object: &str, now: SimTime) -> String {
    let named = |it: &&Stored| {
        let (kind, namespace, name) = (it.about.kind, &it.about.namespace, &it.about.name);
        match object.split('/').collect::<Vec<_>>()[..] {
            [asked, rest] => asked == kind.name() && namespace.is_empty() && *name == *rest,
            [asked, within, rest] => {
                asked == kind.name() && **namespace == *within && *name == *rest
            }
            _ => false,
        }
    };
    let mut found: Vec<&Stored> = events.iter().filter(named).collect();
    if found.is_empty() {
        return "Events:  <none>\n".to_owned();
    }
    // By `lastTimestamp`, which Events of the newer API have not.
    found.sort_by_key(|it| match it.source {
        Source::Core { .. } => Some(it.last),
        Source::Series { .. } => None,
    });
    let mut lines: Vec<[String; 5]> = vec![
        ["Type", "Reason", "Age", "From", "Message"].map(str::to_owned),
        ["----", "------", "----", "----", "-------"].map(str::to_owned),
    ];
    lines.extend(found.into_iter().map(|it| line(it, now)));
    let mut text = "Events:\n".to_owned();
    for row in &lines {
        text += "  ";
        for (column, cell) in row.iter().enumerate() {
            let widest = lines.iter().map(|it| it[column].chars().count()).max().unwrap_or(0);
            let width = if column + 1 < row.len() { widest + PADDING } else { 0 };
            let _ = write!(text, "{cell:<width$}");
        }
        text.push('\n');
    }
    text
}

fn line(it: &Stored, now: SimTime) -> [String; 5] {
    let since = |then: SimTime| human(i128::from(now.saturating_since(then).as_nanos()));
    let age = match it.count {
        0 | 1 => since(it.first),
        count => format!("{} (x{count} over {})", since(it.last), since(it.first)),
    };
    let from = match &it.source {
        Source::Core { component, .. } => (*component).to_owned(),
        Source::Series { component, .. } => component.to_string(),
    };
    let message = it.remark.message.trim();
    let message = match &it.about.field {
        Some(field) => format!("{field}: {message}"),
        None => message.to_owned(),
    };
    [it.remark.tone.name().to_owned(), it.remark.reason.to_string(), age, from, message]
}
