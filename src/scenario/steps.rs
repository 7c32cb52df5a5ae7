//! The timeline of a Scenario: exactly one verb a step.

use std::sync::Arc;

use super::judge::Judge;
use super::raw;
use crate::api::kind::Kind;
use crate::api::tree::Node;
use crate::cluster::plan::{Act, Fault, Instance, Spot, Step, Target};
use crate::time::SimTime;

/// A step, and whether objects it applies are still to be read.
#[derive(Debug)]
pub(super) struct WrittenStep {
    /// The step; objects of an `apply` are not in it yet.
    pub step: Step,
    /// Path of the objects to apply.
    pub apply: Option<String>,
}

/// Faults by name.
const FAULTS: [&str; 4] = ["node-crash", "kubelet-stop", "kill", "partition"];
/// Kinds a step may name, as kubectl names them.
const KINDS: [(&str, Kind); 10] = [
    ("deployment", Kind::Deployment),
    ("deploy", Kind::Deployment),
    ("replicaset", Kind::ReplicaSet),
    ("rs", Kind::ReplicaSet),
    ("replicationcontroller", Kind::ReplicationController),
    ("rc", Kind::ReplicationController),
    ("pod", Kind::Pod),
    ("service", Kind::Service),
    ("svc", Kind::Service),
    ("namespace", Kind::Namespace),
];
/// Parts of the control plane that can be killed.
const INSTANCES: [&str; 3] = ["api-server", "scheduler", "controller-manager"];

pub(super) fn steps(written: Vec<raw::Step>, judge: &mut Judge<'_, '_>) -> Vec<WrittenStep> {
    let mut steps: Vec<WrittenStep> = written
        .into_iter()
        .enumerate()
        .filter_map(|(at, step)| read_step(step, at, judge))
        .collect();
    steps.sort_by_key(|step| step.step.at);
    steps
}

/// The verbs of a step that are there.
fn verbs(step: &raw::Step) -> Vec<&'static str> {
    let all = [
        ("fault", step.fault.is_some()),
        ("apply", step.apply.is_some()),
        ("delete", step.delete.is_some()),
        ("scale", step.scale.is_some()),
        ("setImage", step.set_image.is_some()),
        ("patch", step.patch.is_some()),
        ("undo", step.undo.is_some()),
        ("pause", step.pause.is_some()),
        ("resume", step.resume.is_some()),
        ("restart", step.restart.is_some()),
        ("cordon", step.cordon.is_some()),
        ("uncordon", step.uncordon.is_some()),
        ("drain", step.drain.is_some()),
        ("evict", step.evict.is_some()),
        ("label", step.label.is_some()),
        ("annotate", step.annotate.is_some()),
        ("taint", step.taint.is_some()),
    ];
    all.into_iter().filter(|(_, given)| *given).map(|(verb, _)| verb).collect()
}

fn read_step(step: raw::Step, at: usize, judge: &mut Judge<'_, '_>) -> Option<WrittenStep> {
    let path = format!("spec.timeline[{at}]");
    let verbs = verbs(&step);
    let [verb] = verbs[..] else {
        let found = if verbs.is_empty() { "none".to_owned() } else { verbs.join(", ") };
        judge.error(&path, format!("expected exactly one verb, found {found}"));
        return None;
    };
    let Some(when) = step.at else {
        judge.error(&format!("{path}.at"), "Required value: when it happens, as in 2m");
        return None;
    };
    let name = match &step.name {
        Some(name) => name.as_str().into(),
        None => format!("{verb}-{at}").into(),
    };
    if step.lasts.is_some() && verb != "fault" {
        judge.error(&format!("{path}.for"), "only a fault lasts for a time");
    }
    for (field, given, owner) in [
        ("replicas", step.replicas.is_some(), "scale"),
        ("image", step.image.is_some(), "setImage"),
        ("container", step.container.is_some(), "setImage"),
        ("target", step.target.is_some(), "fault"),
        ("from", step.from.is_some(), "fault"),
    ] {
        if given && verb != owner {
            judge.error(&format!("{path}.{field}"), format!("belongs to {owner}, not to {verb}"));
        }
    }
    let mut apply = None;
    let act = match verb {
        "fault" => fault(&step, &path, judge)?,
        "apply" => {
            apply = Some(format!("{path}.apply"));
            Act::Apply(Vec::new())
        }
        "delete" => Act::Delete(target(step.delete.as_deref()?, &format!("{path}.delete"), judge)?),
        "scale" => scale(&step, &path, judge)?,
        "setImage" => set_image(&step, &path, judge)?,
        _ => {
            judge.warn(
                &format!("{path}.{verb}"),
                "accepted, not modelled yet: the step is left out",
            );
            return None;
        }
    };
    let step = Step { at: SimTime::ZERO + when.0, name, act };
    Some(WrittenStep { step, apply })
}

fn scale(step: &raw::Step, path: &str, judge: &mut Judge<'_, '_>) -> Option<Act> {
    let place = format!("{path}.scale");
    let target = workload(step.scale.as_deref()?, &place, judge);
    let replicas = match step.replicas {
        Some(replicas) if replicas >= 0 => Some(replicas),
        Some(replicas) => {
            let message = format!("Invalid value: {replicas}: must be greater than or equal to 0");
            judge.error(&format!("{path}.replicas"), message);
            None
        }
        None => {
            judge.error(&format!("{path}.replicas"), "Required value");
            None
        }
    };
    Some(Act::Scale { target: target?, replicas: replicas? })
}

fn set_image(step: &raw::Step, path: &str, judge: &mut Judge<'_, '_>) -> Option<Act> {
    let place = format!("{path}.setImage");
    let target = workload(step.set_image.as_deref()?, &place, judge);
    let image = step.image.as_deref().filter(|image| !image.is_empty());
    if image.is_none() {
        judge.error(&format!("{path}.image"), "Required value");
    }
    let container = step.container.as_deref().map(Arc::from);
    Some(Act::SetImage { target: target?, container, image: image?.into() })
}

/// An object with replicas and a template.
fn workload(text: &str, path: &str, judge: &mut Judge<'_, '_>) -> Option<Target> {
    let target = target(text, path, judge)?;
    match target.kind {
        Kind::Deployment | Kind::ReplicaSet | Kind::ReplicationController => Some(target),
        other => {
            judge.error(path, format!("Invalid value: {text:?}: a {other} has no replicas"));
            None
        }
    }
}

/// `deployment/shop/web`, or `deployment/web` in namespace `default`.
fn target(text: &str, path: &str, judge: &mut Judge<'_, '_>) -> Option<Target> {
    let parts: Vec<&str> = text.split('/').collect();
    let (kind, namespace, name) = match parts[..] {
        [kind, name] => (kind, "default", name),
        [kind, namespace, name] => (kind, namespace, name),
        _ => ("", "", ""),
    };
    if kind.is_empty() || namespace.is_empty() || name.is_empty() {
        judge.error(
            path,
            format!("Invalid value: {text:?}: expected an object as in deployment/shop/web"),
        );
        return None;
    }
    let known = KINDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(kind));
    let Some((_, kind)) = known else {
        judge.not_one_of(path, kind, &KINDS.map(|(name, _)| name));
        return None;
    };
    let namespace = if *kind == Kind::Namespace { "" } else { namespace };
    Some(Target { kind: *kind, namespace: namespace.into(), name: name.into() })
}

fn fault(step: &raw::Step, path: &str, judge: &mut Judge<'_, '_>) -> Option<Act> {
    let name = step.fault.as_deref()?;
    let place = format!("{path}.target");
    let targets = texts(judge.document.node.at_path(&place), &place, judge);
    let fault = match name {
        "node-crash" | "kubelet-stop" => {
            let [one] = &targets[..] else {
                judge.error(&place, "expected one node, as in node/n-0");
                return None;
            };
            let Some(Spot::Node(node)) = spot(one) else {
                judge.error(
                    &place,
                    format!("Invalid value: {one:?}: expected a node, as in node/n-0"),
                );
                return None;
            };
            if name == "node-crash" { Fault::NodeCrash(node) } else { Fault::KubeletStop(node) }
        }
        "kill" => {
            let [one] = &targets[..] else {
                judge.error(&place, "expected one instance, as in api-server/0");
                return None;
            };
            Fault::Kill(instance(one, &place, judge)?)
        }
        "partition" => {
            let from_place = format!("{path}.from");
            let others = texts(judge.document.node.at_path(&from_place), &from_place, judge);
            if targets.is_empty() {
                judge.error(&place, "Required value: what is cut off, as in node/n-0");
                return None;
            }
            let from = spots(&targets, &place, judge)?;
            let to = spots(&others, &from_place, judge)?;
            Fault::Partition { from, to }
        }
        other => {
            judge.not_one_of(&format!("{path}.fault"), other, &FAULTS);
            return None;
        }
    };
    Some(Act::Fault { fault, lasts: step.lasts.map(|span| span.0) })
}

/// A text or a list of them; none if there is nothing.
fn texts(node: Option<&Node<'_>>, path: &str, judge: &mut Judge<'_, '_>) -> Vec<String> {
    let Some(node) = node else { return Vec::new() };
    if let Some(text) = node.text() {
        return vec![text.to_owned()];
    }
    let all: Option<Vec<String>> =
        node.items().iter().map(|item| item.text().map(str::to_owned)).collect();
    match all {
        Some(list) if !list.is_empty() => list,
        _ => {
            judge.error(path, "expected a place or a list of places, as in node/n-0");
            Vec::new()
        }
    }
}

fn spots(list: &[String], path: &str, judge: &mut Judge<'_, '_>) -> Option<Vec<Spot>> {
    let mut found = Vec::with_capacity(list.len());
    for text in list {
        let Some(spot) = spot(text) else {
            judge.error(
                path,
                format!("Invalid value: {text:?}: expected a place: node/NAME, zone/NAME or master/NUMBER"),
            );
            return None;
        };
        found.push(spot);
    }
    Some(found)
}

fn spot(text: &str) -> Option<Spot> {
    let (kind, name) = text.split_once('/').filter(|(_, name)| !name.is_empty())?;
    match kind {
        "node" => Some(Spot::Node(name.into())),
        "zone" => Some(Spot::Zone(name.into())),
        "master" => name.parse().ok().map(Spot::Master),
        _ => None,
    }
}

fn instance(text: &str, path: &str, judge: &mut Judge<'_, '_>) -> Option<Instance> {
    let (kind, number) = text.split_once('/').unwrap_or((text, "0"));
    let Ok(number) = number.parse() else {
        judge.error(
            path,
            format!("Invalid value: {text:?}: expected an instance as in api-server/0"),
        );
        return None;
    };
    match kind {
        "api-server" => Some(Instance::ApiServer(number)),
        "scheduler" => Some(Instance::Scheduler(number)),
        "controller-manager" => Some(Instance::ControllerManager(number)),
        other => {
            judge.not_one_of(path, other, &INSTANCES);
            None
        }
    }
}
