//! Arguments of NodeResourcesFit and NodeResourcesBalancedAllocation.

use serde::Deserialize;

use super::{Place, arguments};
use crate::api::validation::field::{Errors, Path};
use crate::api::validation::labels::validate_label_name;
use crate::control_plane::scheduler::algorithm::Profile;
use crate::control_plane::scheduler::algorithm::profile::{Fit, Scored, Strategy};

/// Scores of a written shape are tenths of the framework's.
const SHAPE_SCALE: i64 = 10;
const STRATEGIES: [&str; 3] = ["LeastAllocated", "MostAllocated", "RequestedToCapacityRatio"];

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Resource {
    name: String,
    weight: i64,
}

/// A point of a broken line.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Point {
    utilization: i32,
    score: i32,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Ratio {
    shape: Vec<Point>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct ScoringStrategy {
    #[serde(rename = "type")]
    name: String,
    resources: Vec<Resource>,
    requested_to_capacity_ratio: Option<Ratio>,
}

arguments!(FitArgs {
    ignored_resources: Vec<String>,
    ignored_resource_groups: Vec<String>,
    scoring_strategy: Option<ScoringStrategy>,
});

pub(super) fn fit(profile: &mut Profile, place: &mut Place<'_, '_, '_>, errors: &mut Errors) {
    let written: FitArgs = place.read();
    let list = place.path.child("ignoredResources");
    for (at, name) in written.ignored_resources.iter().enumerate() {
        validate_label_name(name, &list.index(at), errors);
    }
    let list = place.path.child("ignoredResourceGroups");
    for (at, group) in written.ignored_resource_groups.iter().enumerate() {
        if group.contains('/') {
            errors.invalid(&list.index(at), group, "resource group name can't contain '/'");
        }
        validate_label_name(group, &list.index(at), errors);
    }
    let texts = |list: &[String]| list.iter().map(|text| text.as_str().into()).collect();
    profile.fit = Fit {
        ignored: texts(&written.ignored_resources),
        ignored_groups: texts(&written.ignored_resource_groups),
        ..Fit::default()
    };
    if let Some(strategy) = &written.scoring_strategy {
        let path = place.path.child("scoringStrategy");
        take_strategy(strategy, &mut profile.fit, &path, errors);
    }
}

fn take_strategy(written: &ScoringStrategy, fit: &mut Fit, path: &Path<'_>, errors: &mut Errors) {
    if !STRATEGIES.contains(&written.name.as_str()) {
        errors.not_supported(&path.child("type"), &written.name, &STRATEGIES);
    }
    if !written.resources.is_empty() {
        fit.resources.clear();
    }
    let list = path.child("resources");
    for (at, resource) in written.resources.iter().enumerate() {
        let weight = given(resource.weight);
        if !(1..=100).contains(&weight) {
            let detail =
                format!("resource weight of {} not in valid range (0, 100]", resource.name);
            errors.invalid(&list.index(at).child("weight"), &weight, detail);
        }
        fit.resources.push((Scored::named(&resource.name), weight.clamp(1, 100)));
    }
    let path = path.child("requestedToCapacityRatio");
    match (written.name.as_str(), &written.requested_to_capacity_ratio) {
        ("RequestedToCapacityRatio", Some(ratio)) => {
            validate_shape(&ratio.shape, &path.child("shape"), errors);
            let point = |it: &Point| (i64::from(it.utilization), i64::from(it.score) * SHAPE_SCALE);
            fit.strategy =
                Strategy::RequestedToCapacityRatio(ratio.shape.iter().map(point).collect());
        }
        ("RequestedToCapacityRatio", None) => {
            errors.required(&path, "must be specified when type is RequestedToCapacityRatio");
        }
        (_, Some(_)) => {
            errors.forbidden(&path, "must be nil when type is not RequestedToCapacityRatio");
        }
        ("MostAllocated", None) => fit.strategy = Strategy::MostAllocated,
        (_, None) => fit.strategy = Strategy::LeastAllocated,
    }
}

/// A weight of 0 is none given, which counts 1.
fn given(weight: i64) -> i64 {
    if weight == 0 { 1 } else { weight }
}

/// The rules of a broken line.
pub(super) fn validate_shape(shape: &[Point], path: &Path<'_>, errors: &mut Errors) {
    if shape.is_empty() {
        return errors.required(path, "at least one point must be specified");
    }
    let falls = |at: &usize| shape[at - 1].utilization >= shape[*at].utilization;
    if let Some(at) = (1..shape.len()).find(falls) {
        let detail = "values must be sorted in increasing order";
        errors.invalid(&path.index(at).child("utilization"), &shape[at].utilization, detail);
    }
    for (at, point) in shape.iter().enumerate() {
        let path = path.index(at);
        if !(0..=100).contains(&point.utilization) {
            let detail = "not in valid range [0, 100]";
            errors.invalid(&path.child("utilization"), &point.utilization, detail);
        }
        if !(0..=10).contains(&point.score) {
            errors.invalid(&path.child("score"), &point.score, "not in valid range [0, 10]");
        }
    }
}

arguments!(BalancedArgs { resources: Vec<Resource>, });

pub(super) fn balanced(profile: &mut Profile, place: &mut Place<'_, '_, '_>, errors: &mut Errors) {
    let written: BalancedArgs = place.read();
    let list = place.path.child("resources");
    for (at, resource) in written.resources.iter().enumerate() {
        let path = list.index(at);
        if written.resources[..at].iter().any(|other| other.name == resource.name) {
            errors.duplicate(&path.child("name"), &resource.name);
        }
        if given(resource.weight) != 1 {
            errors.invalid(&path.child("weight"), &resource.weight, "must be 1");
        }
    }
    if !written.resources.is_empty() {
        profile.balanced = written.resources.iter().map(|it| Scored::named(&it.name)).collect();
    }
}
