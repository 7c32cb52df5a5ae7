//! The timeline of a Scenario: exactly one verb a step.

use std::sync::Arc;

use super::claims::Claims;
use super::edits::{Values, map_edits, taint_edits};
use super::judge::Judge;
use super::targets::{node, target};
use super::{raw, strikes};
use crate::api::kind::Kind;
use crate::api::patch::PatchType;
use crate::api::pod::PodCondition;
use crate::api::tree::{Value, canonical_json};
use crate::base::FastMap;
use crate::cluster::plan::{Act, Change, Propagation, Step, Target};
use crate::time::SimTime;

/// A step, and whether objects it applies are still to be read.
#[derive(Debug)]
pub(super) struct WrittenStep {
    /// The step; objects of an `apply` are not in it yet.
    pub step: Step,
    /// What it takes for granted.
    pub claims: Claims,
    /// Path of the objects to apply.
    pub apply: Option<String>,
    /// Path of a patch, to be looked through for fields nobody knows.
    pub patch: Option<String>,
}

/// Fields beside the verb, and the verbs they belong to.
const BESIDES: [(&str, &[&str]); 16] = [
    ("for", &["fault"]),
    ("target", &["fault"]),
    ("from", &["fault"]),
    ("direction", &["fault"]),
    ("delay", &["fault"]),
    ("jitter", &["fault"]),
    ("probability", &["fault"]),
    ("exit", &["fault"]),
    ("container", &["setImage", "fault"]),
    ("image", &["setImage", "fault"]),
    ("replicas", &["scale"]),
    ("with", &["patch", "label", "annotate", "taint"]),
    ("type", &["patch"]),
    ("subresource", &["patch"]),
    ("toRevision", &["undo"]),
    ("cascade", &["delete"]),
];

pub(super) fn steps(written: Vec<raw::Step>, judge: &mut Judge<'_, '_>) -> Vec<WrittenStep> {
    let mut names: FastMap<String, usize> = FastMap::default();
    let mut steps = Vec::with_capacity(written.len());
    for (at, step) in written.into_iter().enumerate() {
        let given = step.name.clone();
        let Some(read) = read_step(step, at, judge) else { continue };
        if let Some(first) = names.insert(read.step.name.to_string(), at) {
            let path = format!("spec.timeline[{at}]{}", given.map_or("", |_| ".name"));
            let name = &read.step.name;
            let message = format!("Duplicate value: {name:?}: spec.timeline[{first}] is called so");
            judge.error(&path, message);
        }
        steps.push(read);
    }
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
        if verbs.is_empty() {
            judge.missing(&path, "expected exactly one verb, found none");
        } else {
            judge.error(&path, format!("expected exactly one verb, found {}", verbs.join(", ")));
        }
        return None;
    };
    for (field, owners) in BESIDES {
        let place = format!("{path}.{field}");
        let is_given = judge.document.node.at_path(&place).is_some();
        if is_given && !owners.contains(&verb) {
            judge.error(&place, format!("belongs to {}, not to {verb}", owners.join(", ")));
        }
    }
    if step.at.is_none() {
        judge.missing(&format!("{path}.at"), "Required value: when it happens, as in 2m");
    }
    let name = match &step.name {
        Some(name) => name.as_str().into(),
        None => format!("{verb}-{at}").into(),
    };
    let mut claims = Claims::default();
    let (mut apply, mut patch) = (None, None);
    let place = format!("{path}.{verb}");
    let act = match verb {
        "fault" => strikes::fault(&step, &path, &mut claims, judge)?,
        "apply" => {
            apply = Some(place);
            Act::Apply(Vec::new())
        }
        "delete" => Act::Delete {
            propagation: cascade(&step, &path, judge)?,
            target: target(step.delete.as_deref()?, &place, &mut claims, judge)?,
        },
        "evict" => {
            let target = target(step.evict.as_deref()?, &place, &mut claims, judge)?;
            Act::Evict(only(target, &[Kind::Pod], &place, "only pods are evicted", judge)?)
        }
        "drain" => Act::Drain(node(step.drain.as_deref()?, &place, &mut claims, judge)?),
        _ => {
            patch = (verb == "patch").then(|| format!("{path}.with"));
            change(verb, &step, &path, &mut claims, judge)?
        }
    };
    let step = Step { at: SimTime::ZERO + step.at?.0, name, act };
    Some(WrittenStep { step, claims, apply, patch })
}

/// A change of a stored object.
fn change(
    verb: &str,
    step: &raw::Step,
    path: &str,
    claims: &mut Claims,
    judge: &mut Judge<'_, '_>,
) -> Option<Act> {
    let place = format!("{path}.{verb}");
    let with = format!("{path}.with");
    let text = match verb {
        "scale" => &step.scale,
        "setImage" => &step.set_image,
        "patch" => &step.patch,
        "undo" => &step.undo,
        "restart" => &step.restart,
        "pause" => &step.pause,
        "resume" => &step.resume,
        "cordon" => &step.cordon,
        "uncordon" => &step.uncordon,
        "label" => &step.label,
        "annotate" => &step.annotate,
        _ => &step.taint,
    };
    let text = text.as_deref()?;
    let target = match verb {
        "cordon" | "uncordon" | "taint" => node(text, &place, claims, judge).map(Target::node),
        _ => target(text, &place, claims, judge),
    };
    let sets = [
        Kind::Deployment,
        Kind::ReplicaSet,
        Kind::ReplicationController,
        Kind::StatefulSet,
        Kind::DaemonSet,
    ];
    let rollouts = [Kind::Deployment, Kind::StatefulSet, Kind::DaemonSet];
    let target = target.and_then(|target| match verb {
        "scale" => only(target, &sets[..4], &place, "it has no replicas", judge),
        "setImage" => only(target, &sets, &place, "it has no template", judge),
        "patch" if step.subresource.as_deref() == Some("status") => {
            only(target, &[Kind::Pod], &place, "only the status of pods is patched", judge)
        }
        "undo" => only(target, &rollouts, &place, "it has no rollouts", judge),
        "restart" => only(target, &rollouts, &place, "restarting is not supported", judge),
        "pause" => only(target, &sets[..1], &place, "pausing is not supported", judge),
        "resume" => only(target, &sets[..1], &place, "resuming is not supported", judge),
        _ => Some(target),
    });
    let change = match verb {
        "scale" => scale(step, path, judge).map(Change::Scale),
        "setImage" => set_image(step, path, judge),
        "patch" => patch(step, path, judge),
        "undo" => match step.to_revision {
            Some(revision) if revision < 0 => {
                judge.error(&format!("{path}.toRevision"), "must be 0 or more");
                None
            }
            revision => Some(Change::Undo { revision: revision.filter(|number| *number > 0) }),
        },
        "restart" => Some(Change::Restart),
        "pause" => Some(Change::Pause),
        "resume" => Some(Change::Resume),
        "cordon" => Some(Change::Cordon),
        "uncordon" => Some(Change::Uncordon),
        "label" => map_edits(&with, Values::OfLabels, judge).map(Change::Label),
        "annotate" => map_edits(&with, Values::Free, judge).map(Change::Annotate),
        _ => taint_edits(&with, judge).map(Change::Taint),
    };
    Some(Act::Change { target: target?, change: change? })
}

/// `target` if it is of one of these kinds.
fn only(
    target: Target,
    kinds: &[Kind],
    path: &str,
    why: &str,
    judge: &mut Judge<'_, '_>,
) -> Option<Target> {
    if kinds.contains(&target.kind) {
        return Some(target);
    }
    judge.error(path, format!("Invalid value: \"{target}\": a {}: {why}", target.kind));
    None
}

fn scale(step: &raw::Step, path: &str, judge: &mut Judge<'_, '_>) -> Option<i32> {
    let place = format!("{path}.replicas");
    match step.replicas {
        Some(replicas) if replicas >= 0 => Some(replicas),
        Some(replicas) => {
            let message = format!("Invalid value: {replicas}: must be greater than or equal to 0");
            judge.error(&place, message);
            None
        }
        None => {
            judge.missing(&place, "Required value");
            None
        }
    }
}

fn set_image(step: &raw::Step, path: &str, judge: &mut Judge<'_, '_>) -> Option<Change> {
    let image = step.image.as_deref().filter(|image| !image.is_empty());
    if image.is_none() {
        judge.missing(&format!("{path}.image"), "Required value");
    }
    let container = step.container.as_deref().filter(|name| *name != "*").map(Arc::from);
    Some(Change::Image { container, image: image?.into() })
}

fn patch(step: &raw::Step, path: &str, judge: &mut Judge<'_, '_>) -> Option<Change> {
    let how = match step.patch_type.as_deref() {
        None | Some("strategic") => PatchType::Strategic,
        Some("merge") => PatchType::Merge,
        Some(other) => {
            judge.not_one_of(&format!("{path}.type"), other, &["strategic", "merge"]);
            return None;
        }
    };
    let place = format!("{path}.with");
    let written = judge.document.node.at_path(&place);
    let Some(node) = written.filter(|node| matches!(node.value, Value::Map(_))) else {
        judge.missing(&place, "Required value: the patch, as in {spec: {replicas: 3}}");
        return None;
    };
    // What was just written as JSON reads as JSON.
    let patch = serde_json::from_str(&canonical_json(node)).unwrap_or_default();
    let patch = Arc::new(patch);
    match step.subresource.as_deref() {
        None => Some(Change::Patch { patch, how }),
        Some("resize") => Some(Change::Resize { patch, how }),
        Some("status") => {
            conditions(&place, &patch, judge).then_some(Change::Status { patch, how })
        }
        Some(other) => {
            judge.not_one_of(&format!("{path}.subresource"), other, &["resize", "status"]);
            None
        }
    }
}

/// Whether a patch of a pod's status says conditions, and none that is a kubelet's to say.
fn conditions(place: &str, patch: &serde_json::Value, judge: &mut Judge<'_, '_>) -> bool {
    let said = patch["status"]["conditions"].as_array().map_or(&[][..], Vec::as_slice);
    if said.is_empty() {
        let example = "{status: {conditions: [{type: example.com/registered, status: \"True\"}]}}";
        judge.missing(place, format!("Required value: conditions, as in {example}"));
        return false;
    }
    for (at, condition) in said.iter().enumerate() {
        let path = format!("{place}.status.conditions[{at}]");
        let kind = condition["type"].as_str().unwrap_or_default();
        if kind.is_empty() {
            judge.missing(&path, "Required value: the condition's type");
            return false;
        }
        if PodCondition::named(kind).is_some() || kind.starts_with("PodResize") {
            let message = format!("Invalid value: {kind:?}: it is the cluster's own to say");
            judge.error(&format!("{path}.type"), message);
            return false;
        }
        let value = condition["status"].as_str().unwrap_or_default();
        if !["True", "False", "Unknown"].contains(&value) {
            judge.not_one_of(&format!("{path}.status"), value, &["True", "False", "Unknown"]);
            return false;
        }
    }
    true
}

fn cascade(step: &raw::Step, path: &str, judge: &mut Judge<'_, '_>) -> Option<Propagation> {
    match step.cascade.as_deref() {
        None | Some("background") => Some(Propagation::Background),
        Some("foreground") => Some(Propagation::Foreground),
        Some("orphan") => Some(Propagation::Orphan),
        Some(other) => {
            let known = ["background", "foreground", "orphan"];
            judge.not_one_of(&format!("{path}.cascade"), other, &known);
            None
        }
    }
}
