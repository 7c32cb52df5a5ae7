//! One profile: its plugins at every point, and their arguments.

use super::Deferred;
use super::arguments::{self, Place};
use super::merge::{Enabled, List, Twice, at_point, defaults, merged, weight};
use super::registry::{self, Point, Registered, Standing};
use super::written;
use crate::api::kinds::nearest;
use crate::api::validation::field::Path;
use crate::control_plane::scheduler::algorithm::framework::PluginSet;
use crate::control_plane::scheduler::algorithm::{Plugin, Profile};
use crate::scenario::judge::Judge;

/// The version every configuration has.
const VERSION: &str = super::API_VERSION;

/// Reads a profile; its name and percentage are the caller's.
pub(super) fn profile(
    written: &written::Profile,
    path: &Path<'_>,
    judge: &mut Judge<'_, '_>,
    deferred: &mut Vec<Deferred>,
) -> Profile {
    let mut profile = Profile::default();
    let none = written::Plugins::default();
    let plugins = written.plugins.as_ref().unwrap_or(&none);
    let name = written.scheduler_name.as_deref().unwrap_or(&profile.name).to_owned();
    take_plugins(plugins, &name, &mut profile, &path.child("plugins"), (judge, deferred));
    let list = path.child("pluginConfig");
    for (at, config) in written.plugin_config.iter().enumerate() {
        let path = list.index(at);
        let here = path.to_string();
        if written.plugin_config[..at].iter().any(|other| other.name == config.name) {
            judge.error(&here, format!("Duplicate value: {:?}", config.name));
        }
        if registry::INVALID.contains(&config.name.as_str()) {
            judge.error(&here, invalid(&config.name));
        } else if registry::named(&config.name).is_none() {
            unknown(&format!("{here}.name"), &config.name, "plugin", judge);
        } else if config.args.is_some() && is_of_kind(&config.name, &here, judge) {
            let path = path.child("args");
            let mut place = Place { path: &path, judge: &mut *judge, deferred: &mut *deferred };
            arguments::take(&config.name, &mut profile, &mut place);
        }
    }
    profile
}

/// Whether arguments are of the plugin's own kind, where they say of which they are.
fn is_of_kind(plugin: &str, path: &str, judge: &mut Judge<'_, '_>) -> bool {
    let args = judge.document.node.at_path(&format!("{path}.args"));
    let of = |field: &str| args.and_then(|args| args.get(field)?.text());
    let wanted = format!("{plugin}Args");
    let kind = of("kind").unwrap_or(&wanted).to_owned();
    let version = of("apiVersion").unwrap_or(VERSION).to_owned();
    if kind != wanted {
        let group = "kubescheduler.config.k8s.io";
        let message = format!(
            "args for plugin {plugin} were not of type {wanted}.{group}, got {kind}.{group}"
        );
        judge.error(&format!("{path}.args.kind"), message);
    } else if version != VERSION {
        let message = super::not_registered(&kind, &version);
        judge.error(&format!("{path}.args.apiVersion"), message);
    }
    (kind, version.as_str()) == (wanted, VERSION)
}

fn invalid(name: &str) -> String {
    format!(
        "Invalid value: {name:?}: was invalid in version {VERSION:?} (KubeSchedulerConfiguration \
         is version {VERSION:?})"
    )
}

/// There is no such plugin.
fn unknown(path: &str, name: &str, kind: &str, judge: &mut Judge<'_, '_>) {
    let names: Vec<&str> = registry::ALL.iter().map(|plugin| plugin.name).collect();
    let mut finding = judge.blank(path);
    finding.message = format!("{kind} {name:?} does not exist");
    finding.hint = nearest(name, &names).map(|name| format!("did you mean {name:?}?"));
    judge.findings.push(finding);
}

/// The written list of a point (none: `multiPoint`), every plugin of it looked at.
fn list(
    written: &written::PluginSet,
    point: Option<Point>,
    path: &Path<'_>,
    (judge, deferred): (&mut Judge<'_, '_>, &mut Vec<Deferred>),
) -> List {
    let mut list = List::default();
    let path = path.child(point.map_or("multiPoint", Point::field));
    let disabled = path.child("disabled");
    for (at, it) in written.disabled.iter().enumerate() {
        let here = format!("{}.name", disabled.index(at));
        let is_gone = [&registry::GONE[..], &registry::INVALID[..]].concat();
        if is_gone.contains(&it.name.as_str()) {
            judge.warn(&here, format!("there is no plugin {:?} any more", it.name));
        } else if it.name != "*" && registry::named(&it.name).is_none() {
            unknown(&here, &it.name, "plugin", judge);
        }
        list.disabled.push(it.name.clone());
    }
    let enabled = path.child("enabled");
    for (at, it) in written.enabled.iter().enumerate() {
        let here = enabled.index(at).to_string();
        let Some(plugin) = registry::named(&it.name) else {
            match registry::INVALID.contains(&it.name.as_str()) {
                true => judge.error(&here, invalid(&it.name)),
                false => {
                    let kind = point.map_or("plugin", Point::kind);
                    unknown(&format!("{here}.name"), &it.name, kind, judge);
                }
            }
            continue;
        };
        if let Some(point) = point.filter(|point| !plugin.points.contains(point)) {
            let message = format!("plugin {:?} does not extend {} plugin", it.name, point.kind());
            judge.error(&format!("{here}.name"), message);
            continue;
        }
        let weight = it.weight.unwrap_or(0);
        if weight < 0 {
            let detail = "must be greater than or equal to 0";
            judge.error(&format!("{here}.weight"), format!("Invalid value: {weight}: {detail}"));
        }
        stands_behind_gate(plugin, &here, judge, deferred);
        list.enabled.push(Enabled { name: it.name.clone(), weight: weight.max(0), at: here });
    }
    list
}

fn stands_behind_gate(
    plugin: &Registered,
    path: &str,
    judge: &mut Judge<'_, '_>,
    deferred: &mut Vec<Deferred>,
) {
    let Standing::Behind(gate) = plugin.standing else { return };
    judge.warn(path, format!("{}: accepted, not modelled", plugin.name));
    let mut finding = judge.blank(path);
    finding.message = format!(
        "plugin {:?} is behind the feature gate {gate}, which is off: it would do nothing",
        plugin.name
    );
    deferred.push(Deferred { gate, finding });
}

fn take_plugins(
    written: &written::Plugins,
    name: &str,
    profile: &mut Profile,
    path: &Path<'_>,
    (judge, deferred): (&mut Judge<'_, '_>, &mut Vec<Deferred>),
) {
    let custom = list(&written.multi_point, None, path, (&mut *judge, &mut *deferred));
    let multi = merged(defaults(), &custom);
    let mut twice = Vec::new();
    let mut acting: Vec<Vec<Enabled>> = Vec::new();
    for (point, written) in written.points() {
        let own = list(written, Some(point), path, (&mut *judge, &mut *deferred));
        let here = at_point(point, &own, &multi, &mut twice);
        if point == Point::Score {
            profile.weights = [0; Plugin::ALL.len()];
            for it in &here {
                if let Some(plugin) = registry::modelled(&it.name) {
                    profile.weights[plugin as usize] = weight(&it.name, &own, &multi);
                }
            }
        }
        acting.push(here);
    }
    let at = |point: Point| acting[point as usize].as_slice();
    profile.pre_enqueue = set(at(Point::PreEnqueue));
    profile.filters = set(at(Point::Filter));
    profile.post_filter = set(at(Point::PostFilter));
    let here = path.to_string();
    for Twice { at, name, point } in twice {
        judge.error(&at, format!("plugin {name:?} already registered as {:?}", point.kind()));
    }
    let sorts = at(Point::QueueSort).len();
    if sorts != 1 {
        let message = format!(
            "only one queue sort plugin required for profile with scheduler name {name:?}, but got \
             {sorts}"
        );
        judge.error(&format!("{here}.queueSort"), message);
    }
    if at(Point::Bind).is_empty() {
        let message =
            format!("at least one bind plugin is needed for profile with scheduler name {name:?}");
        judge.error(&format!("{here}.bind"), message);
    }
    not_modelled(&acting, &here, judge);
}

/// What of the choice plays no part here.
fn not_modelled(acting: &[Vec<Enabled>], path: &str, judge: &mut Judge<'_, '_>) {
    let has = |point: Point, name: &str| acting[point as usize].iter().any(|it| it.name == name);
    for plugin in registry::ALL.iter().filter(|it| registry::modelled(it.name).is_some()) {
        let name = plugin.name;
        for (before, with) in [(Point::PreFilter, Point::Filter), (Point::PreScore, Point::Score)] {
            let is_split = plugin.points.contains(&before) && plugin.points.contains(&with);
            if is_split && has(before, name) != has(with, name) {
                let message = format!(
                    "accepted, not modelled: {name} does its {} where it does its {}",
                    before.field(),
                    with.field()
                );
                judge.warn(&format!("{path}.{}", before.field()), message);
            }
        }
        let acts = has(Point::Filter, name) || has(Point::Score, name);
        for point in [Point::Reserve, Point::PreBind] {
            if acts && plugin.points.contains(&point) && !has(point, name) {
                let message = format!("accepted, not modelled: {name} keeps what it chose");
                judge.warn(&format!("{path}.{}", point.field()), message);
            }
        }
    }
    if !has(Point::PreEnqueue, "SchedulingGates") {
        let message = "accepted, not modelled: pods with scheduling gates are held back";
        judge.warn(&format!("{path}.preEnqueue"), message);
    }
    for point in [Point::Filter, Point::PostFilter] {
        let places: Vec<Plugin> =
            acting[point as usize].iter().filter_map(|it| registry::modelled(&it.name)).collect();
        if let Some(pair) = places.windows(2).find(|pair| pair[0] > pair[1]) {
            let message = format!(
                "accepted, not modelled: {} runs after {}, as by default",
                pair[0].name(),
                pair[1].name()
            );
            judge.warn(&format!("{path}.{}", point.field()), message);
        }
    }
}

fn set(list: &[Enabled]) -> PluginSet {
    let mut set = PluginSet::EMPTY;
    list.iter().filter_map(|it| registry::modelled(&it.name)).for_each(|it| set.insert(it));
    set
}

impl written::Plugins {
    /// Each point's own list, in the order of [`Point`].
    fn points(&self) -> [(Point, &written::PluginSet); 12] {
        [
            (Point::PreEnqueue, &self.pre_enqueue),
            (Point::QueueSort, &self.queue_sort),
            (Point::PreFilter, &self.pre_filter),
            (Point::Filter, &self.filter),
            (Point::PostFilter, &self.post_filter),
            (Point::PreScore, &self.pre_score),
            (Point::Score, &self.score),
            (Point::Reserve, &self.reserve),
            (Point::Permit, &self.permit),
            (Point::PreBind, &self.pre_bind),
            (Point::Bind, &self.bind),
            (Point::PostBind, &self.post_bind),
        ]
    }
}
