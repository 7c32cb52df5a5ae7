//! What LimitRanges fill into pods and forbid (kube-apiserver 1.36
//! plugin/pkg/admission/limitranger).
//!
//! Owns the arithmetic of one LimitRange on one pod or claim, and its words; refuses to know which
//! ranges a namespace has. Where Kubernetes walks a map in no order, resources come by name.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, PodSpec};

use super::resources::{Amounts, Overhead, PodLevel, SumRules, pod_limits, pod_requests};
use crate::api::limit_range::{LimitItem, LimitRange, LimitType};
use crate::api::quantity::Quantity;
use crate::api::rules::resources::amounts;

/// Above this many units thousandths no longer fit 64 bits.
const MILLI_UNITS_MAX: i64 = i64::MAX / 1000;

/// Fills the range's defaults into containers that name no amount of their own; says what was set, as
/// the annotation `kubernetes.io/limit-ranger` does.
pub fn fill_in(spec: &mut PodSpec, range: &LimitRange) -> Option<String> {
    let items = || range.limits.iter().filter(|item| item.of == LimitType::Container);
    let together = |of: fn(&LimitItem) -> &Amounts| {
        let all = items().flat_map(|item| of(item).iter());
        all.map(|(name, amount)| (name.clone(), *amount)).collect::<Amounts>()
    };
    let (requests, limits) = (together(|item| &item.request), together(|item| &item.limit));
    let mut said = Vec::new();
    for container in &mut spec.containers {
        fill_container(container, (&requests, &limits), "container", &mut said);
    }
    for container in spec.init_containers.iter_mut().flatten() {
        fill_container(container, (&requests, &limits), "init container", &mut said);
    }
    (!said.is_empty()).then(|| format!("LimitRanger plugin set: {}", said.join("; ")))
}

fn fill_container(
    container: &mut Container,
    (requests, limits): (&Amounts, &Amounts),
    what: &str,
    said: &mut Vec<String>,
) {
    let name = container.name.clone();
    let resources = container.resources.get_or_insert_default();
    let halves = [("request", &mut resources.requests, requests)];
    let halves = halves.into_iter().chain([("limit", &mut resources.limits, limits)]);
    for (half, written, defaults) in halves {
        let held = written.get_or_insert_with(BTreeMap::new);
        let missing = defaults.iter().filter(|(name, _)| !held.contains_key(*name));
        let missing: Vec<_> =
            missing.map(|(name, amount)| (name.clone(), amount.written())).collect();
        if !missing.is_empty() {
            let names: Vec<&str> = missing.iter().map(|(name, _)| name.as_str()).collect();
            said.push(format!("{} {half} for {what} {name}", names.join(", ")));
        }
        held.extend(missing);
    }
}

/// What the range has against a pod of this spec.
pub fn check_pod(spec: &PodSpec, range: &LimitRange, pod_level: PodLevel) -> Vec<String> {
    let mut wrong = Vec::new();
    for item in range.limits.iter() {
        match item.of {
            LimitType::Container => {
                let all = spec.containers.iter().chain(spec.init_containers.iter().flatten());
                for container in all {
                    let resources = container.resources.as_ref();
                    let requests = amounts(resources.and_then(|it| it.requests.as_ref()));
                    let limits = amounts(resources.and_then(|it| it.limits.as_ref()));
                    check_item(item, &requests, &limits, &mut wrong);
                }
            }
            LimitType::Pod => {
                let rules =
                    SumRules { overhead: Overhead::Excluded, pod_level, ..SumRules::default() };
                let requests = pod_requests(spec, None, rules);
                let limits = pod_limits(spec, None, rules);
                check_item(item, &requests, &limits, &mut wrong);
            }
            LimitType::PersistentVolumeClaim | LimitType::Else => {}
        }
    }
    wrong
}

/// What the range has against a claim that requests so much.
pub fn check_claim(requests: &Amounts, range: &LimitRange) -> Vec<String> {
    let mut wrong = Vec::new();
    for item in range.limits.iter().filter(|item| item.of == LimitType::PersistentVolumeClaim) {
        for (name, least) in &item.min {
            wrong.extend(below(item.of, name, *least, requests.get(name), None));
        }
        for (name, most) in &item.max {
            let asked = requests.get(name);
            wrong.extend(match asked {
                None => Some(too_little_said("maximum", item.of, name, *most, "request")),
                Some(&asked) => above(item.of, name, *most, asked, "request"),
            });
        }
    }
    wrong
}

/// Several complaints as one, as Kubernetes joins them (`utilerrors.NewAggregate`).
pub fn joined(complaints: &[String]) -> Option<String> {
    let mut distinct: Vec<&str> = Vec::new();
    for complaint in complaints {
        if !distinct.contains(&complaint.as_str()) {
            distinct.push(complaint);
        }
    }
    match distinct[..] {
        [] => None,
        [only] => Some(only.to_owned()),
        _ => Some(format!("[{}]", distinct.join(", "))),
    }
}

fn check_item(item: &LimitItem, requests: &Amounts, limits: &Amounts, wrong: &mut Vec<String>) {
    for (name, least) in &item.min {
        wrong.extend(below(item.of, name, *least, requests.get(name), limits.get(name)));
    }
    for (name, most) in &item.max {
        wrong.extend(match limits.get(name) {
            None => Some(too_little_said("maximum", item.of, name, *most, "limit")),
            Some(&limit) => above(item.of, name, *most, limit, "limit").or_else(|| {
                requests.get(name).and_then(|asked| above(item.of, name, *most, *asked, "request"))
            }),
        });
    }
    for (name, most) in &item.ratio {
        wrong.extend(out_of_ratio(item.of, name, *most, requests.get(name), limits.get(name)));
    }
}

fn too_little_said(
    bound: &str,
    of: LimitType,
    name: &str,
    enforced: Quantity,
    half: &str,
) -> String {
    format!("{bound} {name} usage per {} is {enforced}.  No {half} is specified", of.name())
}

/// Amounts in thousandths if all of them fit, else in units.
fn comparable<const N: usize>(amounts: [Quantity; N]) -> [i64; N] {
    if amounts.iter().all(|amount| amount.value() <= MILLI_UNITS_MAX) {
        amounts.map(Quantity::milli_value)
    } else {
        amounts.map(Quantity::value)
    }
}

fn below(
    of: LimitType,
    name: &str,
    least: Quantity,
    request: Option<&Quantity>,
    limit: Option<&Quantity>,
) -> Option<String> {
    let Some(&asked) = request else {
        return Some(too_little_said("minimum", of, name, least, "request"));
    };
    let [request, ceiling, enforced] =
        comparable([asked, limit.copied().unwrap_or(Quantity::ZERO), least]);
    let told = |half: &str, amount: Quantity| {
        Some(format!("minimum {name} usage per {} is {least}, but {half} is {amount}", of.name()))
    };
    if request < enforced {
        return told("request", asked);
    }
    limit.filter(|_| ceiling < enforced).and_then(|limit| told("limit", *limit))
}

fn above(
    of: LimitType,
    name: &str,
    most: Quantity,
    amount: Quantity,
    half: &str,
) -> Option<String> {
    let [observed, enforced] = comparable([amount, most]);
    (observed > enforced).then(|| {
        format!("maximum {name} usage per {} is {most}, but {half} is {amount}", of.name())
    })
}

/// The ratio is compared as Kubernetes compares it, in floating point: two integers divided, which
/// every platform does alike.
fn out_of_ratio(
    of: LimitType,
    name: &str,
    most: Quantity,
    request: Option<&Quantity>,
    limit: Option<&Quantity>,
) -> Option<String> {
    let zero = Quantity::ZERO;
    let [asked, ceiling, _] =
        comparable([*request.unwrap_or(&zero), *limit.unwrap_or(&zero), most]);
    let start = format!("{name} max limit to request ratio per {} is {most}, but", of.name());
    if asked == 0 {
        return Some(format!("{start} no request is specified or request is 0"));
    }
    if ceiling == 0 {
        return Some(format!("{start} no limit is specified or limit is 0"));
    }
    let ratio = ceiling as f64 / asked as f64;
    let (observed, enforced) = if most.value() <= MILLI_UNITS_MAX {
        (ratio * 1000.0, most.milli_value() as f64)
    } else {
        (ratio, most.value() as f64)
    };
    (observed > enforced).then(|| format!("{start} provided ratio is {ratio:.6}"))
}
