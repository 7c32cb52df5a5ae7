//! A KubeSchedulerConfiguration among the inputs: the profiles schedulers place pods by
//! (`kubescheduler.config.k8s.io/v1`, 1.36).
//!
//! Modelled: several profiles, `percentageOfNodesToScore`, back-off, plugins enabled, disabled and
//! weighed at `multiPoint`, `filter` and `score`, the arguments of NodeResourcesFit. What else is set is told as
//! not modelled; what does not exist is an error.

use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::judge::Judge;
use crate::api::decode::read;
use crate::api::documents::Document;
use crate::cluster::plan::SchedulerPlan;
use crate::control_plane::scheduler::algorithm::Profile;
use crate::control_plane::scheduler::algorithm::framework::Plugin;
use crate::control_plane::scheduler::algorithm::profile::{Fit, Scored, Strategy};
use crate::time::SimDuration;

/// Its `apiVersion`.
pub(super) const API_VERSION: &str = "kubescheduler.config.k8s.io/v1";
/// Its kind.
pub(super) const KIND: &str = "KubeSchedulerConfiguration";

/// Plugins of 1.36 that have no part in a run yet, or none that could be set.
const NOT_MODELLED: [&str; 2] = ["GangScheduling", "NodeDeclaredFeatures"];
/// Scores of a written shape are tenths of the framework's.
const SHAPE_SCALE: i64 = 10;
const STRATEGIES: [&str; 3] = ["LeastAllocated", "MostAllocated", "RequestedToCapacityRatio"];

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Configuration {
    #[allow(dead_code, reason = "looked at before the document is read as a whole")]
    api_version: Option<String>,
    #[allow(dead_code, reason = "looked at before the document is read as a whole")]
    kind: Option<String>,
    profiles: Vec<WrittenProfile>,
    percentage_of_nodes_to_score: Option<i32>,
    pod_initial_backoff_seconds: Option<i64>,
    pod_max_backoff_seconds: Option<i64>,
    #[allow(dead_code, reason = "how the process runs plays no part")]
    parallelism: Option<IgnoredAny>,
    #[allow(dead_code, reason = "how the process runs plays no part")]
    leader_election: Option<IgnoredAny>,
    #[allow(dead_code, reason = "how the process runs plays no part")]
    client_connection: Option<IgnoredAny>,
    extenders: Option<IgnoredAny>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct WrittenProfile {
    scheduler_name: Option<String>,
    percentage_of_nodes_to_score: Option<i32>,
    plugins: Option<WrittenPlugins>,
    plugin_config: Vec<PluginConfig>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct WrittenPlugins {
    multi_point: PluginList,
    pre_filter: PluginList,
    filter: PluginList,
    score: PluginList,
    pre_enqueue: PluginList,
    queue_sort: PluginList,
    post_filter: PluginList,
    pre_score: PluginList,
    reserve: PluginList,
    permit: PluginList,
    pre_bind: PluginList,
    bind: PluginList,
    post_bind: PluginList,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct PluginList {
    enabled: Vec<WrittenPlugin>,
    disabled: Vec<WrittenPlugin>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct WrittenPlugin {
    name: String,
    weight: Option<i32>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct PluginConfig {
    name: String,
    args: Arguments,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Arguments {
    scoring_strategy: Option<WrittenStrategy>,
    ignored_resources: Vec<String>,
    ignored_resource_groups: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct WrittenStrategy {
    #[serde(rename = "type")]
    name: Option<String>,
    resources: Vec<WrittenResource>,
    requested_to_capacity_ratio: Option<WrittenRatio>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct WrittenResource {
    name: String,
    weight: Option<i64>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct WrittenRatio {
    shape: Vec<WrittenPoint>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct WrittenPoint {
    utilization: i64,
    score: i64,
}

/// Reads a configuration; what is wrong is told to `judge`.
pub(super) fn scheduler(document: &Document<'_>, judge: &mut Judge<'_, '_>) -> SchedulerPlan {
    let mut plan = SchedulerPlan::default();
    let mut unknown = Vec::new();
    let written = match read::<Configuration>(&document.node, &mut unknown) {
        Ok(written) => written,
        Err(misfit) => {
            judge.error(&misfit.path, misfit.message.clone());
            return plan;
        }
    };
    for field in unknown {
        // Arguments of other plugins have fields of their own.
        if !field.path.contains(".args.") {
            judge.error(&field.path, format!("unknown field {:?}", field.path));
        }
    }
    if written.extenders.is_some() {
        judge.warn("extenders", "accepted, not modelled: extenders are not asked");
    }
    let waits = [
        (
            "podInitialBackoffSeconds",
            written.pod_initial_backoff_seconds,
            &mut plan.backoff.initial,
        ),
        ("podMaxBackoffSeconds", written.pod_max_backoff_seconds, &mut plan.backoff.max),
    ];
    for (field, seconds, place) in waits {
        match seconds {
            Some(seconds @ 1..=86_400) => *place = SimDuration::from_secs(seconds.unsigned_abs()),
            Some(wrong) => {
                judge.error(field, format!("Invalid value: {wrong}: must be greater than 0"));
            }
            None => {}
        }
    }
    if plan.backoff.max < plan.backoff.initial {
        let message = "must be greater than or equal to podInitialBackoffSeconds";
        judge.error("podMaxBackoffSeconds", message);
    }
    let share = percentage(written.percentage_of_nodes_to_score, "", judge);
    plan.profiles.clear();
    if written.profiles.is_empty() {
        plan.profiles.push(Arc::new(Profile { percentage: share, ..Profile::default() }));
    }
    for (at, one) in written.profiles.into_iter().enumerate() {
        let profile = profile(one, share, &format!("profiles[{at}]"), judge);
        if plan.profiles.iter().any(|known| known.name == profile.name) {
            let message = format!("Duplicate value: {:?}", &*profile.name);
            judge.error(&format!("profiles[{at}].schedulerName"), message);
        }
        plan.profiles.push(Arc::new(profile));
    }
    plan
}

fn percentage(written: Option<i32>, path: &str, judge: &mut Judge<'_, '_>) -> u8 {
    match written {
        None => 0,
        Some(share @ 0..=100) => share as u8,
        Some(wrong) => {
            let dot = if path.is_empty() { "" } else { "." };
            let message = format!("Invalid value: {wrong}: not in valid range [0-100]");
            judge.error(&format!("{path}{dot}percentageOfNodesToScore"), message);
            0
        }
    }
}

fn profile(written: WrittenProfile, share: u8, path: &str, judge: &mut Judge<'_, '_>) -> Profile {
    let mut profile = Profile { percentage: share, ..Profile::default() };
    if let Some(name) = &written.scheduler_name {
        profile.name = name.as_str().into();
    }
    if written.percentage_of_nodes_to_score.is_some() {
        profile.percentage = percentage(written.percentage_of_nodes_to_score, path, judge);
    }
    let plugins = written.plugins.unwrap_or_default();
    let path_of = |point: &str| format!("{path}.plugins.{point}");
    for (point, list) in [
        ("preFilter", &plugins.pre_filter),
        ("preEnqueue", &plugins.pre_enqueue),
        ("queueSort", &plugins.queue_sort),
        ("postFilter", &plugins.post_filter),
        ("preScore", &plugins.pre_score),
        ("reserve", &plugins.reserve),
        ("permit", &plugins.permit),
        ("preBind", &plugins.pre_bind),
        ("bind", &plugins.bind),
        ("postBind", &plugins.post_bind),
    ] {
        if !list.enabled.is_empty() || !list.disabled.is_empty() {
            judge.warn(&path_of(point), "accepted, not modelled: plugins act at filter and score");
        }
    }
    for (point, list, at) in [
        ("multiPoint", &plugins.multi_point, At { filter: true, score: true }),
        ("filter", &plugins.filter, At { filter: true, score: false }),
        ("score", &plugins.score, At { filter: false, score: true }),
    ] {
        take_plugins(&mut profile, list, at, &path_of(point), judge);
    }
    for (at, config) in written.plugin_config.into_iter().enumerate() {
        let path = format!("{path}.pluginConfig[{at}]");
        if config.name == Plugin::NodeResourcesFit.name() {
            profile.fit = fit(config.args, &format!("{path}.args"), judge);
        } else if plugin(&config.name, &path, judge) {
            judge.warn(&format!("{path}.args"), "accepted, not modelled");
        }
    }
    profile
}

/// The points a list of plugins is about.
#[derive(Clone, Copy)]
struct At {
    filter: bool,
    score: bool,
}

/// The plugin of this name, if it is modelled; one that does not exist is told.
fn find(name: &str, path: &str, judge: &mut Judge<'_, '_>) -> Option<Plugin> {
    let found = Plugin::ALL.into_iter().find(|plugin| plugin.name() == name);
    if found.is_none() && plugin(name, path, judge) {
        judge.warn(path, format!("{name}: accepted, not modelled"));
    }
    found
}

/// Whether there is such a plugin in 1.36; if not, it is told.
fn plugin(name: &str, path: &str, judge: &mut Judge<'_, '_>) -> bool {
    let modelled = Plugin::ALL.map(Plugin::name);
    let is_there = modelled.contains(&name) || NOT_MODELLED.contains(&name);
    if !is_there {
        let known: Vec<&str> = modelled.into_iter().chain(NOT_MODELLED).collect();
        judge.not_one_of(&format!("{path}.name"), name, &known);
    }
    is_there
}

fn take_plugins(
    profile: &mut Profile,
    list: &PluginList,
    points: At,
    path: &str,
    judge: &mut Judge<'_, '_>,
) {
    for (at, one) in list.disabled.iter().enumerate() {
        let all = one.name == "*";
        let named = match all {
            true => None,
            false => find(&one.name, &format!("{path}.disabled[{at}]"), judge),
        };
        for plugin in Plugin::ALL.into_iter().filter(|it| all || Some(*it) == named) {
            if points.filter {
                profile.filters.remove(plugin);
            }
            if points.score {
                profile.weights[plugin as usize] = 0;
            }
        }
    }
    for (at, one) in list.enabled.iter().enumerate() {
        let path = format!("{path}.enabled[{at}]");
        let Some(plugin) = find(&one.name, &path, judge) else { continue };
        if points.filter {
            profile.filters.insert(plugin);
        }
        match one.weight {
            Some(weight) if weight < 0 => {
                let message =
                    format!("Invalid value: {weight}: must be greater than or equal to 0");
                judge.error(&format!("{path}.weight"), message);
            }
            // A weight of 0 is none given, which counts as 1 (`getScoreWeights`).
            weight if points.score && Plugin::SCORING.contains(&plugin) => {
                let default =
                    if profile.weights[plugin as usize] == 0 { 1 } else { plugin.default_weight() };
                let given = weight.filter(|weight| *weight > 0);
                profile.weights[plugin as usize] = given.unwrap_or(default);
            }
            _ => {}
        }
    }
}

fn fit(written: Arguments, path: &str, judge: &mut Judge<'_, '_>) -> Fit {
    let texts = |list: Vec<String>| list.into_iter().map(|text| text.as_str().into()).collect();
    let mut fit = Fit {
        ignored: texts(written.ignored_resources),
        ignored_groups: texts(written.ignored_resource_groups),
        ..Fit::default()
    };
    let Some(strategy) = written.scoring_strategy else { return fit };
    let path = format!("{path}.scoringStrategy");
    if !strategy.resources.is_empty() {
        fit.resources.clear();
    }
    for (at, one) in strategy.resources.iter().enumerate() {
        // A weight of 0 is none given (`SetDefaults_NodeResourcesFitArgs`).
        let weight = one.weight.filter(|weight| *weight != 0).unwrap_or(1);
        if !(1..=100).contains(&weight) {
            let message = format!(
                "Invalid value: {weight}: resource weight of {} not in valid range [1, 100]",
                one.name
            );
            judge.error(&format!("{path}.resources[{at}].weight"), message);
        }
        fit.resources.push((Scored::named(&one.name), weight.clamp(1, 100)));
    }
    match strategy.name.as_deref() {
        None | Some("LeastAllocated") => {}
        Some("MostAllocated") => fit.strategy = Strategy::MostAllocated,
        Some("RequestedToCapacityRatio") => {
            let points = strategy.requested_to_capacity_ratio.unwrap_or_default().shape;
            fit.strategy = ratio(&points, &path, judge);
        }
        Some(other) => judge.not_one_of(&format!("{path}.type"), other, &STRATEGIES),
    }
    fit
}

fn ratio(points: &[WrittenPoint], path: &str, judge: &mut Judge<'_, '_>) -> Strategy {
    let path = format!("{path}.requestedToCapacityRatio.shape");
    if points.is_empty() {
        judge.missing(&path, "Required value: at least one point must be specified");
    }
    let mut last = None;
    for (at, point) in points.iter().enumerate() {
        let mut check = |field: &str, value: i64, most: i64| {
            if !(0..=most).contains(&value) {
                let message = format!("Invalid value: {value}: not in valid range [0-{most}]");
                judge.error(&format!("{path}[{at}].{field}"), message);
            }
        };
        check("utilization", point.utilization, 100);
        check("score", point.score, 10);
        if last.is_some_and(|last| point.utilization <= last) {
            let message = format!(
                "Invalid value: {}: utilization values must be sorted in increasing order",
                point.utilization
            );
            judge.error(&format!("{path}[{at}].utilization"), message);
        }
        last = Some(point.utilization);
    }
    Strategy::RequestedToCapacityRatio(
        points
            .iter()
            .map(|point| (point.utilization.clamp(0, 100), point.score.clamp(0, 10) * SHAPE_SCALE))
            .collect(),
    )
}
