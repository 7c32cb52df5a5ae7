//! Faults of a timeline, as written.

use super::claims::{Claim, Claims};
use super::judge::Judge;
use super::targets;
use super::{raw, values};
use crate::api::name::Text;
use crate::cluster::plan::{Act, Fault, Instance, LinkHarm, Spot};
use crate::luck::{Distribution, Ratio};
use crate::messages::app::Delay;
use crate::net::Ways;
use crate::time::SimDuration;

/// Faults by name.
pub(super) const FAULTS: [&str; 12] = [
    "node-crash",
    "node-shutdown",
    "kubelet-stop",
    "kill",
    "freeze",
    "partition",
    "latency",
    "loss",
    "pod-kill",
    "pod-failure",
    "container-crash",
    "image-pull",
];
/// Directions, as Chaos Mesh calls them.
const DIRECTIONS: [&str; 3] = ["both", "to", "from"];
/// The exit code of a program that was killed.
const KILLED: u8 = 137;
/// What a probability is counted in.
const MILLION: u64 = 1_000_000;

pub(super) fn fault(
    step: &raw::Step,
    path: &str,
    claims: &mut Claims,
    judge: &mut Judge<'_, '_>,
) -> Option<Act> {
    let name = step.fault.as_deref()?;
    if !FAULTS.contains(&name) {
        judge.not_one_of(&format!("{path}.fault"), name, &FAULTS);
        return None;
    }
    check_fields(step, name, path, judge);
    let target = format!("{path}.target");
    let fault = match name {
        "node-crash" => Fault::NodeCrash(targets::machines(&target, claims, judge)?),
        "node-shutdown" => Fault::NodeShutdown(targets::machines(&target, claims, judge)?),
        "kubelet-stop" => Fault::KubeletStop(targets::machines(&target, claims, judge)?),
        "kill" => Fault::Kill(targets::instance(&target, claims, judge)?),
        "freeze" => match targets::instance(&target, claims, judge)? {
            Instance::Etcd(number) => Fault::Freeze(number),
            _ => {
                judge.error(&target, "only a member of etcd can be frozen, as in etcd/0");
                return None;
            }
        },
        "pod-kill" => Fault::PodKill(targets::pods(&target, claims, judge)?),
        "pod-failure" => Fault::PodFailure(targets::pods(&target, claims, judge)?),
        "image-pull" => Fault::ImagePull(image(step, path, claims, judge)?),
        "container-crash" => Fault::ContainerCrash {
            pods: targets::pods(&target, claims, judge)?,
            container: step.container.as_deref().map(Into::into),
            exit: step.exit.unwrap_or(KILLED),
        },
        _ => link(step, name, path, claims, judge)?,
    };
    if step.lasts.is_some() && !fault.lasts() {
        judge
            .error(&format!("{path}.for"), format!("{name} is over at once: it lasts for no time"));
    }
    Some(Act::Fault { fault, lasts: step.lasts.map(|span| span.0) })
}

fn check_fields(step: &raw::Step, name: &str, path: &str, judge: &mut Judge<'_, '_>) {
    let is_link = matches!(name, "partition" | "latency" | "loss");
    let is_image = name == "image-pull";
    for (field, given, fits) in [
        ("target", step.target.is_some(), !is_image),
        ("image", step.image.is_some(), is_image),
        ("from", step.from.is_some(), is_link),
        ("direction", step.direction.is_some(), is_link),
        ("delay", step.delay.is_some(), name == "latency"),
        ("jitter", step.jitter.is_some(), name == "latency"),
        ("probability", step.probability.is_some(), name == "loss"),
        ("exit", step.exit.is_some(), name == "container-crash"),
        ("container", step.container.is_some(), name == "container-crash"),
    ] {
        if given && !fits {
            judge.error(&format!("{path}.{field}"), format!("plays no part in {name}"));
        }
    }
}

/// The images of a fault, by what they look like.
fn image(
    step: &raw::Step,
    path: &str,
    claims: &mut Claims,
    judge: &mut Judge<'_, '_>,
) -> Option<Text> {
    let place = format!("{path}.image");
    let Some(image) = step.image.as_deref().filter(|image| !image.is_empty()) else {
        judge.missing(&place, "Required value: an image, as in registry.example/web:2 or *web*");
        return None;
    };
    claims.add(Claim::Image(image.into()), &place, judge);
    Some(image.into())
}

fn link(
    step: &raw::Step,
    name: &str,
    path: &str,
    claims: &mut Claims,
    judge: &mut Judge<'_, '_>,
) -> Option<Fault> {
    let harm = match name {
        "latency" => Some(LinkHarm::Late(lateness(step, path, judge)?)),
        "loss" => Some(LinkHarm::Lossy(share(step, path, judge)?)),
        _ => None,
    };
    let place = format!("{path}.target");
    let from = targets::spots(&place, claims, judge)?;
    if from.is_empty() {
        judge.missing(&place, "Required value: one side, as in node/n-0");
        return None;
    }
    let to = targets::spots(&format!("{path}.from"), claims, judge)?;
    let ways = match step.direction.as_deref() {
        None | Some("both") => Ways::Both,
        Some("to") => Ways::Onward,
        Some("from") => Ways::Back,
        Some(other) => {
            judge.not_one_of(&format!("{path}.direction"), other, &DIRECTIONS);
            return None;
        }
    };
    let of_pods = |list: &[Spot]| list.iter().any(|spot| matches!(spot, Spot::Pods(_)));
    let is_plain = ways == Ways::Both && !of_pods(&from) && !of_pods(&to);
    Some(match harm {
        None if is_plain => Fault::Partition { from, to },
        None => Fault::Link { from, to, ways, harm: LinkHarm::Cut },
        Some(harm) => Fault::Link { from, to, ways, harm },
    })
}

fn lateness(step: &raw::Step, path: &str, judge: &mut Judge<'_, '_>) -> Option<Distribution> {
    let place = format!("{path}.delay");
    let law = match step.delay {
        Some(values::WrittenDelay(Delay::Takes(law))) => law,
        Some(values::WrittenDelay(Delay::Never)) => {
            judge.error(&place, "a message that never arrives is a partition's");
            return None;
        }
        None => {
            judge.missing(&place, "Required value: how late messages are, as in 100ms");
            return None;
        }
    };
    let Some(jitter) = step.jitter.map(|span| span.0) else { return Some(law) };
    match law {
        Distribution::Constant(mean) if jitter <= mean => Some(lateness_of(mean, jitter)),
        Distribution::Constant(_) => {
            judge.error(&format!("{path}.jitter"), "must not be longer than the delay");
            None
        }
        _ => {
            judge.error(&format!("{path}.jitter"), "belongs to a constant delay");
            None
        }
    }
}

/// So late, give or take the jitter.
pub(super) fn lateness_of(mean: SimDuration, jitter: SimDuration) -> Distribution {
    Distribution::Uniform { min: mean.saturating_sub(jitter), max: mean + jitter }
}

fn share(step: &raw::Step, path: &str, judge: &mut Judge<'_, '_>) -> Option<Ratio> {
    let place = format!("{path}.probability");
    let Some(written) = step.probability else {
        judge.missing(&place, "Required value: how many are lost, from 0 to 1");
        return None;
    };
    let found = ratio(written);
    if found.is_none() {
        judge
            .error(&place, format!("Invalid value: {written}: must be between 0 and 1, inclusive"));
    }
    found
}

/// A probability in millionths; nothing if it is none.
pub(super) fn ratio(probability: f64) -> Option<Ratio> {
    if !(0.0..=1.0).contains(&probability) {
        return None;
    }
    match (probability * MILLION as f64).round() as u64 {
        MILLION => Some(Ratio::ONE),
        millionths => Ratio::new(millionths, MILLION),
    }
}
