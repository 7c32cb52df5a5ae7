//! Experiments of Chaos Mesh (`chaos-mesh.org/v1alpha1`, as of 2.7): PodChaos and NetworkChaos become
//! steps. What is not modelled of them is said by name, and then nothing of it happens.
//!
//! An experiment strikes when it is applied, or later, as its annotation [`AT`] says, and is tried
//! again each second until its selector finds something, as Chaos Mesh does.

use std::sync::Arc;

use super::claims::Claims;
use super::judge::Judge;
use super::steps::WrittenStep;
use super::strikes::{lateness_of, ratio};
use crate::api::meta::Labels;
use crate::api::name::Text;
use crate::api::rules::selector::Selector;
use crate::api::tree::{Node, Value, scalar_text};
use crate::cluster::plan::{Act, Count, Fault, LinkHarm, Pods, Spot, Step, Which};
use crate::net::Ways;
use crate::time::{SimDuration, SimTime};

/// The group of Chaos Mesh.
pub(super) const GROUP: &str = "chaos-mesh.org/";
/// The annotation that says how long after it was applied an experiment begins.
const AT: &str = "wavetank.dev/at";
/// Modes, as Chaos Mesh calls them.
const MODES: [&str; 5] = ["one", "all", "fixed", "fixed-percent", "random-max-percent"];
/// Actions of a PodChaos.
const POD_ACTIONS: [&str; 3] = ["pod-kill", "pod-failure", "container-kill"];
/// Actions of a NetworkChaos; those after the third are not modelled.
const NETWORK_ACTIONS: [&str; 7] =
    ["delay", "loss", "partition", "netem", "duplicate", "corrupt", "bandwidth"];
/// Fields of each kind that play their part.
const POD_FIELDS: [&str; 6] = ["action", "mode", "value", "selector", "duration", "containerNames"];
const NETWORK_FIELDS: [&str; 9] =
    ["action", "mode", "value", "selector", "duration", "direction", "target", "delay", "loss"];
/// The exit code of a container that was killed.
const KILLED: u8 = 137;

/// The step an experiment is, applied at `applied`. Nothing where it is wrong or not modelled, which
/// is said.
pub(super) fn experiment(applied: SimTime, judge: &mut Judge<'_, '_>) -> Option<WrittenStep> {
    let document = judge.document;
    let kind = document.kind();
    let name = document.metadata("name").unwrap_or_default();
    if name.is_empty() {
        judge.missing("metadata.name", "Required value");
        return None;
    }
    let fields: &[&str] = match kind {
        "PodChaos" => &POD_FIELDS,
        "NetworkChaos" => &NETWORK_FIELDS,
        _ => {
            let message = format!("{kind} of Chaos Mesh is not modelled: nothing of it happens");
            judge.warn("kind", message);
            return None;
        }
    };
    let spec = document.node.get("spec").map(Node::entries).unwrap_or_default();
    for entry in spec {
        if !fields.contains(&&*entry.key) {
            let message = format!("{:?} of a {kind} is not modelled: it plays no part", entry.key);
            judge.warn(&format!("spec.{}", entry.key), message);
        }
    }
    let pods = pods("spec", judge)?;
    let fault = match kind {
        "PodChaos" => pod_fault(pods, judge)?,
        _ => network_fault(pods, judge)?,
    };
    let lasts = match document.node.at_path("spec.duration") {
        None => None,
        Some(_) => Some(span("spec.duration", judge)?),
    };
    let lasts = lasts.filter(|_| fault.lasts());
    let delay = match document.node.at_path(&format!("metadata.annotations[{AT}]")) {
        None => SimDuration::ZERO,
        Some(_) => span(&format!("metadata.annotations[{AT}]"), judge)?,
    };
    let step =
        Step { at: applied + delay, name: name.into(), act: Act::Experiment { fault, lasts } };
    Some(WrittenStep { step, claims: Claims::default(), apply: None, patch: None })
}

fn text(path: &str, judge: &Judge<'_, '_>) -> Option<String> {
    judge.document.node.at_path(path).and_then(Node::text).map(str::to_owned)
}

fn span(path: &str, judge: &mut Judge<'_, '_>) -> Option<SimDuration> {
    let written = judge.document.node.at_path(path).and_then(Node::text).unwrap_or_default();
    match SimDuration::parse(written) {
        Ok(span) => Some(span),
        Err(why) => {
            judge.error(path, format!("Invalid value: {written:?}: {why}"));
            None
        }
    }
}

/// `selector`, `mode` and `value` of the object at `path`.
fn pods(path: &str, judge: &mut Judge<'_, '_>) -> Option<Pods> {
    let place = format!("{path}.mode");
    let mode = text_or_error(&place, judge)?;
    let count = match mode.as_str() {
        "one" => Count::Some(1),
        "all" => Count::All,
        "fixed" => Count::Some(number(&format!("{path}.value"), judge)?),
        "fixed-percent" => Count::Percent(number(&format!("{path}.value"), judge)?.min(100)),
        "random-max-percent" => {
            judge.warn(&place, "random-max-percent is not modelled: nothing of it happens");
            return None;
        }
        other => {
            judge.not_one_of(&place, other, &MODES);
            return None;
        }
    };
    let which = selector(&format!("{path}.selector"), judge)?;
    Some(Pods { which, count })
}

fn text_or_error(path: &str, judge: &mut Judge<'_, '_>) -> Option<String> {
    let found = text(path, judge);
    if found.is_none() {
        judge.missing(path, "Required value");
    }
    found
}

/// A whole number, which Chaos Mesh writes as text.
fn number(path: &str, judge: &mut Judge<'_, '_>) -> Option<u32> {
    let written = judge.document.node.at_path(path).and_then(|node| scalar_text(&node.value));
    let found = written.as_deref().and_then(|text| text.parse().ok()).filter(|number| *number > 0);
    if found.is_none() {
        judge.error(path, "expected a whole number above 0, as in \"2\"");
    }
    found
}

fn selector(path: &str, judge: &mut Judge<'_, '_>) -> Option<Which> {
    let document = judge.document;
    let Some(node) = document.node.at_path(path) else {
        judge.missing(path, "Required value");
        return None;
    };
    let own = document.metadata("namespace").unwrap_or("default");
    let mut namespaces: Vec<Text> = vec![own.into()];
    let mut labels = Labels::new();
    for entry in node.entries() {
        match (&*entry.key, &entry.node.value) {
            ("namespaces", Value::List(items)) => {
                namespaces = items.iter().filter_map(Node::text).map(Into::into).collect();
            }
            ("labelSelectors", Value::Map(entries)) => {
                for label in entries {
                    let value = scalar_text(&label.node.value).unwrap_or_default();
                    labels.insert((&*label.key).into(), value.into());
                }
            }
            (other, _) => {
                // Whoever narrows a selection must not hit more than he means.
                let message =
                    format!("{other:?} of a selector is not modelled: nothing of it happens");
                judge.warn(&format!("{path}.{other}"), message);
                return None;
            }
        }
    }
    Some(Which::Matching(namespaces, Arc::new(Selector::of_labels(&labels))))
}

fn pod_fault(pods: Pods, judge: &mut Judge<'_, '_>) -> Option<Fault> {
    match text_or_error("spec.action", judge)?.as_str() {
        "pod-kill" => Some(Fault::PodKill(pods)),
        "pod-failure" => Some(Fault::PodFailure(pods)),
        "container-kill" => {
            let names = judge.document.node.at_path("spec.containerNames");
            match names.map(Node::items).unwrap_or_default() {
                [one] => {
                    let container = one.text().map(Into::into);
                    Some(Fault::ContainerCrash { pods, container, exit: KILLED })
                }
                [] => {
                    judge.missing("spec.containerNames", "Required value");
                    None
                }
                _ => {
                    let message = "more than one container is not modelled: nothing of it happens";
                    judge.warn("spec.containerNames", message);
                    None
                }
            }
        }
        other => {
            judge.not_one_of("spec.action", other, &POD_ACTIONS);
            None
        }
    }
}

fn network_fault(pods: Pods, judge: &mut Judge<'_, '_>) -> Option<Fault> {
    let action = text_or_error("spec.action", judge)?;
    let harm = match action.as_str() {
        "partition" => LinkHarm::Cut,
        "delay" => {
            let latency = span("spec.delay.latency", judge)?;
            let jitter = match judge.document.node.at_path("spec.delay.jitter") {
                Some(_) => span("spec.delay.jitter", judge)?,
                None => SimDuration::ZERO,
            };
            LinkHarm::Late(lateness_of(latency, jitter.min(latency)))
        }
        "loss" => {
            let written = text_or_error("spec.loss.loss", judge)?;
            let share = written.parse::<f64>().ok().and_then(|percent| ratio(percent / 100.0));
            let Some(share) = share else {
                judge.error("spec.loss.loss", format!("Invalid value: {written:?}: no percentage"));
                return None;
            };
            LinkHarm::Lossy(share)
        }
        other if NETWORK_ACTIONS.contains(&other) => {
            judge.warn("spec.action", format!("{other:?} is not modelled: nothing of it happens"));
            return None;
        }
        other => {
            judge.not_one_of("spec.action", other, &NETWORK_ACTIONS);
            return None;
        }
    };
    let ways = match text("spec.direction", judge).as_deref() {
        None | Some("to") => Ways::Onward,
        Some("from") => Ways::Back,
        Some("both") => Ways::Both,
        Some(other) => {
            judge.not_one_of("spec.direction", other, &["to", "from", "both"]);
            return None;
        }
    };
    let to = match judge.document.node.at_path("spec.target") {
        Some(_) => vec![Spot::Pods(self::pods("spec.target", judge)?)],
        None => Vec::new(),
    };
    Some(Fault::Link { from: vec![Spot::Pods(pods)], to, ways, harm })
}
