//! A KubeSchedulerConfiguration, among the inputs or given by `--scheduler-config`: the profiles
//! schedulers place pods by (`kubescheduler.config.k8s.io/v1`, 1.36).
//!
//! Owns the reading of all of it, with the rules and words of pkg/scheduler/apis/config and of the
//! framework's own start. What has no part in a run is told; what does not exist is an error.

mod arguments;
mod merge;
mod profiles;
mod registry;
mod written;

use std::sync::Arc;

use super::feature_gates::FeatureGates;
use super::judge::Judge;
use super::reading::whole;
use crate::api::diagnostic::Diagnostic;
use crate::api::documents::Document;
use crate::api::validation::field::{Errors, Path};
use crate::api::validation::names::is_qualified_name;
use crate::cluster::plan::SchedulerPlan;
use crate::control_plane::scheduler::algorithm::Profile;
use crate::time::SimDuration;

/// Its group, of whatever version.
pub(super) const GROUP: &str = "kubescheduler.config.k8s.io/";
/// Its one `apiVersion`.
const API_VERSION: &str = "kubescheduler.config.k8s.io/v1";
/// Its kind.
const KIND: &str = "KubeSchedulerConfiguration";
/// The longest back-off taken.
const BACKOFF_SECONDS_MAX: i64 = 24 * 60 * 60;

/// What was read, and what is to be said of it once the feature gates are known.
#[derive(Debug)]
pub(super) struct Configured {
    pub plan: SchedulerPlan,
    deferred: Vec<Deferred>,
}

/// Something that is wrong while a gate is off.
#[derive(Debug)]
struct Deferred {
    gate: &'static str,
    finding: Diagnostic,
}

impl Configured {
    /// The plan, and what is wrong with it under these gates.
    pub(super) fn under(self, gates: &FeatureGates) -> (SchedulerPlan, Vec<Diagnostic>) {
        let wrong = self.deferred.into_iter().filter(|it| !gates.is_on(it.gate));
        (self.plan, wrong.map(|it| it.finding).collect())
    }
}

/// In the words of the decoder of a version that is not there (any more).
fn not_registered(kind: &str, version: &str) -> String {
    format!("no kind {kind:?} is registered for version {version:?}")
}

/// Reads a configuration; what is wrong is told to `judge`.
pub(super) fn scheduler(document: &Document<'_>, judge: &mut Judge<'_, '_>) -> Configured {
    let mut plan = SchedulerPlan::default();
    let mut deferred = Vec::new();
    if (document.api_version(), document.kind()) != (API_VERSION, KIND) {
        let mut finding = judge.blank("apiVersion");
        finding.message = not_registered(document.kind(), document.api_version());
        finding.hint = Some(format!("did you mean {KIND} in {API_VERSION:?}?"));
        judge.findings.push(finding);
        return Configured { plan, deferred };
    }
    let written: written::Configuration = whole("", judge);
    process(&written, judge);
    backoff(&written, &mut plan, judge);
    let share = percentage(written.percentage_of_nodes_to_score, "percentageOfNodesToScore", judge);
    plan.profiles.clear();
    if written.profiles.is_empty() {
        plan.profiles.push(Arc::new(Profile { percentage: share, ..Profile::default() }));
    }
    let list = Path::ROOT.child("profiles");
    let is_alone = written.profiles.len() == 1;
    for (at, one) in written.profiles.iter().enumerate() {
        let path = list.index(at);
        let mut profile = profiles::profile(one, &path, judge, &mut deferred);
        profile.percentage = match one.percentage_of_nodes_to_score {
            None => share,
            own => percentage(own, &format!("{path}.percentageOfNodesToScore"), judge),
        };
        let name_at = format!("{path}.schedulerName");
        match one.scheduler_name.as_deref() {
            None if is_alone => {}
            None | Some("") => judge.missing(&name_at, "Required value"),
            Some(name) => profile.name = name.into(),
        }
        let is_named = |other: &written::Profile| {
            one.scheduler_name.is_some() && other.scheduler_name == one.scheduler_name
        };
        if let Some(first) = written.profiles[..at].iter().rposition(is_named) {
            judge.error(&name_at, format!("Duplicate value: profiles[{first}].schedulerName"));
        }
        plan.profiles.push(Arc::new(profile));
    }
    same_queue_sort(&written.profiles, judge);
    same_devices(&plan.profiles, judge);
    Configured { plan, deferred }
}

/// All profiles share one queue.
fn same_queue_sort(profiles: &[written::Profile], judge: &mut Judge<'_, '_>) {
    let none = written::PluginSet::default();
    let sort = |profile: &written::Profile| {
        profile.plugins.as_ref().map_or(none.clone(), |it| it.queue_sort.clone())
    };
    let Some(first) = profiles.first().map(sort) else { return };
    for (at, profile) in profiles.iter().enumerate().skip(1) {
        if sort(profile) != first {
            let path = format!("profiles[{at}].plugins.queueSort");
            judge.error(&path, "Invalid value: must be the same for all profiles");
        }
    }
}

/// A device is given out once, whichever profile does it.
fn same_devices(profiles: &[Arc<Profile>], judge: &mut Judge<'_, '_>) {
    let mut sharing = profiles.iter().enumerate().filter(|(_, profile)| profile.shares_gpus());
    let Some((_, first)) = sharing.next() else { return };
    for (at, _) in sharing.filter(|(_, profile)| profile.gpu != first.gpu) {
        let message = "Invalid value: arguments of GpuShare must be the same for all profiles";
        judge.error(&format!("profiles[{at}].pluginConfig"), message);
    }
}

fn percentage(written: Option<i32>, path: &str, judge: &mut Judge<'_, '_>) -> u8 {
    match written {
        None => 0,
        Some(share @ 0..=100) => share as u8,
        Some(wrong) => {
            judge.error(path, format!("Invalid value: {wrong}: not in valid range [0-100]"));
            0
        }
    }
}

fn backoff(written: &written::Configuration, plan: &mut SchedulerPlan, judge: &mut Judge<'_, '_>) {
    let initial = written.pod_initial_backoff_seconds.unwrap_or(1);
    let max = written.pod_max_backoff_seconds.unwrap_or(10);
    if initial <= 0 {
        let message = format!("Invalid value: {initial}: must be greater than 0");
        judge.error("podInitialBackoffSeconds", message);
    }
    if max < initial {
        let detail = "must be greater than or equal to PodInitialBackoffSeconds";
        judge.error("podMaxBackoffSeconds", format!("Invalid value: {max}: {detail}"));
    }
    if initial.max(max) > BACKOFF_SECONDS_MAX {
        let long = format!("Invalid value: {}: wavetank waits a day at most", initial.max(max));
        let field =
            if max >= initial { "podMaxBackoffSeconds" } else { "podInitialBackoffSeconds" };
        judge.error(field, long);
    }
    let span =
        |seconds: i64| SimDuration::from_secs(seconds.clamp(1, BACKOFF_SECONDS_MAX).unsigned_abs());
    (plan.backoff.initial, plan.backoff.max) = (span(initial), span(max.max(initial)));
}

/// How the process runs: checked, and without a part in a run.
fn process(written: &written::Configuration, judge: &mut Judge<'_, '_>) {
    if let Some(wrong) = written.parallelism.filter(|number| *number <= 0) {
        let detail = "should be an integer value greater than zero";
        judge.error("parallelism", format!("Invalid value: {wrong}: {detail}"));
    }
    if let Some(election) = &written.leader_election {
        let lock = election.resource_lock.as_deref().filter(|lock| !lock.is_empty());
        if election.leader_elect != Some(false) && lock.is_some_and(|lock| lock != "leases") {
            let message = format!(
                "Invalid value: {:?}: resourceLock value must be \"leases\"",
                lock.unwrap_or_default()
            );
            judge.error("leaderElection.resourceLock", message);
        }
    }
    if let Some(client) = &written.client_connection {
        if client.burst.is_some_and(|burst| burst < 0) {
            judge.error("clientConnection.burst", "Invalid value: must be non-negative");
        }
        if client.qps.is_some() || client.burst.is_some() {
            let message =
                "accepted, not modelled: set spec.cluster.clients.scheduler of the Scenario";
            judge.warn("clientConnection", message);
        }
    }
    extenders(&written.extenders, judge);
}

fn extenders(written: &[written::Extender], judge: &mut Judge<'_, '_>) {
    let list = Path::ROOT.child("extenders");
    let mut errors = Errors::new();
    let mut managed: Vec<&str> = Vec::new();
    for (at, extender) in written.iter().enumerate() {
        let path = list.index(at);
        if !extender.prioritize_verb.is_empty() && extender.weight <= 0 {
            let detail = "must have a positive weight applied to it";
            errors.invalid(&path.child("weight"), &extender.weight, detail);
        }
        let resources = path.child("managedResources");
        for (at, resource) in extender.managed_resources.iter().enumerate() {
            let (path, name) = (resources.index(at), resource.name.as_str());
            let path = path.child("name");
            for message in is_qualified_name(name) {
                errors.invalid(&path, name, message);
            }
            if managed.contains(&name) {
                errors.invalid(&path, name, "duplicate extender managed resource name");
            }
            managed.push(name);
        }
    }
    let binders = written.iter().filter(|it| !it.bind_verb.is_empty()).count();
    if binders > 1 {
        let found = format!("found {binders} extenders implementing bind");
        errors.invalid(&list, &found, "only one extender can implement bind");
    }
    judge.invalid(errors);
    if !written.is_empty() {
        judge.warn("extenders", "accepted, not modelled: extenders are not asked");
    }
}
