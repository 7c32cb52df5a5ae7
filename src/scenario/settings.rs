//! From a Scenario as written to settings a plan can be made from: every value judged.

use std::sync::Arc;

use super::apps::app_rule;
use super::expect::{self, Expected};
use super::feature_gates::FeatureGates;
use super::judge::Judge;
use super::kubelet::{Kubelet, kubelet};
use super::metrics;
use super::node_groups::{self, LentGroup};
use super::nodes::{Group, NODES_MAX};
use super::profile_file::{self, Named};
use super::raw;
use super::steps::{self, WrittenStep};
use super::traffic::{self, WrittenClient};
use super::values::{Span, Word};
use crate::api::ip_family::{Families, IpFamily};
use crate::api::pod::Pod;
use crate::api::quantity::Quantity;
use crate::api::validation::names::is_dns1123_subdomain;
use crate::cluster::plan::{AppRules, ClientLimit, ClientLimits, ControlPlane};
use crate::control_plane::api_server::tolerations::PodTolerations;
use crate::control_plane::controllers::cluster_autoscaler::Options;
use crate::control_plane::metrics_server::Metrics;
use crate::kernel::Fidelity;
use crate::node::container_engine::simulated::EngineSettings;
use crate::time::SimDuration;

/// 2026-01-01T00:00:00Z.
const DEFAULT_EPOCH_SECONDS: i64 = 1_767_225_600;
/// Most instances of anything in the control plane.
const INSTANCES_MAX: u16 = 32;

/// What a Scenario says, its own objects apart.
#[derive(Debug)]
pub(super) struct Settings {
    pub name: Option<String>,
    pub seed: u64,
    pub epoch_seconds: i64,
    pub duration: Option<SimDuration>,
    pub groups: Vec<Group>,
    pub node_groups: Vec<LentGroup>,
    pub autoscaler: Option<Options>,
    pub control_plane: ControlPlane,
    /// Pods that each master runs from a manifest of its own.
    pub master_pods: Vec<Arc<Pod>>,
    pub clients: ClientLimits,
    pub kubelet: Kubelet,
    pub fidelity: Fidelity,
    /// Where the engine's costs are told, if the scenario says so.
    pub profile: Named,
    /// What container engines cost.
    pub engine: EngineSettings,
    pub feature_gates: FeatureGates,
    pub pod_tolerations: PodTolerations,
    /// The families of the cluster's addresses, if they are said.
    pub families: Families,
    pub apps: AppRules,
    pub steps: Vec<WrittenStep>,
    pub clients_of_services: Vec<WrittenClient>,
    /// What serves the metrics APIs.
    pub metrics: Metrics,
    pub expect: Expected,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            name: None,
            seed: 1,
            epoch_seconds: DEFAULT_EPOCH_SECONDS,
            duration: None,
            groups: Vec::new(),
            node_groups: Vec::new(),
            autoscaler: None,
            control_plane: ControlPlane::default(),
            master_pods: Vec::new(),
            clients: ClientLimits::default(),
            kubelet: Kubelet::default(),
            fidelity: Fidelity::Elided,
            profile: Named::Default,
            engine: EngineSettings::default(),
            feature_gates: FeatureGates::default(),
            pod_tolerations: PodTolerations::default(),
            families: Families::Unsaid,
            apps: AppRules::default(),
            steps: Vec::new(),
            clients_of_services: Vec::new(),
            metrics: Metrics::default(),
            expect: Expected::default(),
        }
    }
}

/// The families of the cluster's addresses, the primary one first.
fn families(written: &[String], judge: &mut Judge<'_, '_>) -> Families {
    let mut all = Families::Unsaid;
    for (at, name) in written.iter().enumerate() {
        let field = format!("spec.cluster.ipFamilies[{at}]");
        match IpFamily::named(name) {
            None => judge.not_one_of(&field, name, &["IPv4", "IPv6"]),
            Some(family) if all.has(family) => {
                judge.error(&field, format!("Duplicate value: {name:?}"));
            }
            Some(family) => all = all.and(family),
        }
    }
    all
}

/// A step that never comes is right, and hardly meant.
fn late_steps(timeline: &[raw::Step], duration: Option<Span>, judge: &mut Judge<'_, '_>) {
    let Some(Span(duration)) = duration else { return };
    for (at, step) in timeline.iter().enumerate() {
        if step.at.is_some_and(|Span(when)| when > duration) {
            let message = "spec.duration ends the run before: this step never comes";
            judge.warn(&format!("spec.timeline[{at}].at"), message);
        }
    }
}

/// Judges a Scenario; what is wrong is told to `judge`.
pub(super) fn settings(written: raw::Scenario, judge: &mut Judge<'_, '_>) -> Settings {
    let mut settings =
        Settings { name: written.metadata.unwrap_or_default().name, ..Settings::default() };
    if let Some(name) = &settings.name {
        for problem in is_dns1123_subdomain(name) {
            judge.error("metadata.name", format!("Invalid value: {name:?}: {problem}"));
        }
    }
    let Some(spec) = written.spec else {
        judge.missing("spec", "Required value");
        return settings;
    };
    settings.seed = spec.seed.unwrap_or(settings.seed);
    if let Some(epoch) = &spec.epoch {
        match epoch.parse::<jiff::Timestamp>() {
            Ok(instant) => settings.epoch_seconds = instant.as_second(),
            Err(_) => judge.error(
                "spec.epoch",
                format!("Invalid value: {epoch:?}: expected an instant as in 2026-01-01T00:00:00Z"),
            ),
        }
    }
    settings.duration = spec.duration.map(|span| span.0);
    if let Some(cluster) = spec.cluster {
        take_cluster(cluster, &mut settings, judge);
    }
    for (at, app) in spec.apps.into_iter().flatten().enumerate() {
        let rule = app_rule(app, &format!("spec.apps[{at}]"), judge);
        settings.apps.rules.push(rule);
    }
    let timeline = spec.timeline.unwrap_or_default();
    late_steps(&timeline, spec.duration, judge);
    settings.steps = steps::steps(timeline, judge);
    settings.clients_of_services = traffic::clients(spec.traffic.unwrap_or_default(), judge);
    if let Some(written) = spec.metrics {
        settings.metrics = metrics::metrics(written, judge);
    }
    settings.expect = expect::expect(spec.expect.unwrap_or_default(), judge);
    settings
}

fn take_cluster(written: raw::Cluster, settings: &mut Settings, judge: &mut Judge<'_, '_>) {
    let mut total = 0_usize;
    for (at, group) in written.nodes.into_iter().flatten().enumerate() {
        let path = format!("spec.cluster.nodes[{at}]");
        let group = node_group(group, &path, judge);
        total = total.saturating_add(group.count as usize);
        settings.groups.push(group);
    }
    settings.node_groups = node_groups::groups(written.node_groups.unwrap_or_default(), judge);
    settings.autoscaler =
        written.autoscaler.map(|it| node_groups::autoscaler(it, &settings.node_groups, judge));
    let lent = settings.node_groups.iter().map(|group| group.max as usize);
    total = lent.fold(total, usize::saturating_add);
    if total > NODES_MAX {
        judge.error("spec.cluster.nodes", format!("{total} nodes: there may be up to {NODES_MAX}"));
        settings.groups.clear();
        settings.node_groups.clear();
    }
    if let Some(written) = written.control_plane {
        settings.control_plane = control_plane(&written, judge);
    }
    if let Some(written) = written.clients {
        let limits = &mut settings.clients;
        for (name, written, limit) in [
            ("controllers", written.controllers, &mut limits.controllers),
            ("scheduler", written.scheduler, &mut limits.scheduler),
            ("kubelets", written.kubelets, &mut limits.kubelets),
        ] {
            take_limit(name, written.unwrap_or_default(), limit, judge);
        }
    }
    match written.fidelity.as_deref() {
        None | Some("elided") => {}
        Some("explicit") => settings.fidelity = Fidelity::Explicit,
        Some(other) => {
            judge.not_one_of("spec.cluster.fidelity", other, &["elided", "explicit"]);
        }
    }
    settings.feature_gates = FeatureGates::of(written.feature_gates.unwrap_or_default());
    for (at, plugin) in written.admission_plugins.iter().flatten().enumerate() {
        match plugin.as_str() {
            "PodTolerationRestriction" => settings.pod_tolerations = PodTolerations::Restricted,
            other => {
                let field = format!("spec.cluster.admissionPlugins[{at}]");
                judge.not_one_of(&field, other, &["PodTolerationRestriction"]);
            }
        }
    }
    settings.families = families(written.ip_families.as_deref().unwrap_or_default(), judge);
    settings.kubelet = kubelet(&written.kubelet.unwrap_or_default(), judge);
    settings.profile = profile_file::named(written.profile.as_deref(), judge);
    if written.from.is_some() {
        judge.error(
            "spec.cluster.from",
            "not read yet: give the file to the command beside the scenario",
        );
    }
}

fn take_limit(name: &str, written: raw::Limit, limit: &mut ClientLimit, judge: &mut Judge<'_, '_>) {
    for (field, number, place) in
        [("qps", written.qps, &mut limit.qps), ("burst", written.burst, &mut limit.burst)]
    {
        match number {
            Some(0) => judge.error(
                &format!("spec.cluster.clients.{name}.{field}"),
                "Invalid value: 0: must be greater than or equal to 1",
            ),
            Some(number) => *place = number,
            None => {}
        }
    }
}

fn control_plane(written: &raw::ControlPlane, judge: &mut Judge<'_, '_>) -> ControlPlane {
    let mut plane = ControlPlane::default();
    let mut cores = 0;
    for (field, number, place) in [
        ("masters", written.masters, &mut plane.masters),
        ("apiServers", written.api_servers, &mut plane.api_servers),
        ("etcd", written.etcd, &mut plane.etcd),
        ("schedulers", written.schedulers, &mut plane.schedulers),
        ("controllerManagers", written.controller_managers, &mut plane.controller_managers),
        ("apiServerCores", written.api_server_cores, &mut cores),
    ] {
        let Some(number) = number else { continue };
        if (1..=INSTANCES_MAX).contains(&number) {
            *place = number;
        } else {
            judge.error(
                &format!("spec.cluster.controlPlane.{field}"),
                format!("Invalid value: {number}: must be between 1 and {INSTANCES_MAX}"),
            );
        }
    }
    plane.api_server_cores = Some(cores).filter(|it| *it > 0);
    plane
}

pub(super) fn node_group(written: raw::NodeGroup, path: &str, judge: &mut Judge<'_, '_>) -> Group {
    let mut group = Group { count: written.count.unwrap_or(1), ..Group::default() };
    if let Some(name) = word(written.name, &format!("{path}.name"), judge) {
        for problem in is_dns1123_subdomain(&name) {
            judge.error(&format!("{path}.name"), format!("Invalid value: {name:?}: {problem}"));
        }
        group.name = name;
    }
    if group.count == 0 {
        let message = "Invalid value: 0: must be greater than or equal to 1";
        judge.error(&format!("{path}.count"), message);
    }
    if let Some(zone) = word(written.zone, &format!("{path}.zone"), judge) {
        group.zone = zone;
    }
    for (name, amount) in written.capacity.unwrap_or_default() {
        match Quantity::of(&amount) {
            Ok(quantity) if quantity.signum() >= 0 => {
                group.capacity.insert(name, amount);
            }
            Ok(_) => judge.error(
                &format!("{path}.capacity.{name}"),
                format!("Invalid value: {:?}: must be greater than or equal to 0", amount.0),
            ),
            Err(error) => judge.error(
                &format!("{path}.capacity.{name}"),
                format!("Invalid value: {:?}: {error}", amount.0),
            ),
        }
    }
    group.labels = written.labels.unwrap_or_default();
    group.taints = written.taints.unwrap_or_default();
    for (at, taint) in group.taints.iter().enumerate() {
        let effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
        if taint.key.is_empty() {
            judge.missing(&format!("{path}.taints[{at}].key"), "Required value");
        }
        if !effects.contains(&taint.effect.as_str()) {
            judge.not_one_of(&format!("{path}.taints[{at}].effect"), &taint.effect, &effects);
        }
    }
    group
}

fn word(written: Option<Word>, path: &str, judge: &mut Judge<'_, '_>) -> Option<String> {
    let found = written?.text(judge.document.line_from(path));
    if found.is_none() {
        judge.error(path, "expected a name, found a boolean: put it in quotes");
    }
    found
}
