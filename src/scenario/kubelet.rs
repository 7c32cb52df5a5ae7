//! Kubelets as a Scenario sets them: fields of KubeletConfiguration.

use std::collections::BTreeMap;

use super::feature_gates::FeatureGates;
use super::judge::Judge;
use super::raw;
use super::values::Span;
use crate::messages::engine::Pulls;
use crate::node::kubelet::backoff::{BackoffLaw, CrashDecay};
use crate::node::kubelet::{
    Found, KubeletSettings, ShutdownGroup, eviction, image_gc, shutdown_groups,
};
use crate::time::SimDuration;

/// The gate under which crashed containers wait more briefly.
const REDUCED_DECAY: &str = "ReduceDefaultCrashLoopBackOffDecay";

/// The gate under which kubelets that start anew know nothing of containers' readiness.
const CHANGE_AT_RESTART: &str = "ChangeContainerStatusOnKubeletRestart";

/// Fields of KubeletConfiguration that act, judged as kubelet 1.36 `pkg/kubelet/apis/config/validation` does.
pub(super) fn kubelet(written: &raw::Kubelet, judge: &mut Judge<'_, '_>) -> Kubelet {
    let path = "spec.cluster.kubelet";
    let of = |span: Option<Span>| span.map_or(SimDuration::ZERO, |span| span.0);
    let requested = of(written.shutdown_grace_period);
    let critical = of(written.shutdown_grace_period_critical_pods);
    for (field, span) in
        [("shutdownGracePeriod", requested), ("shutdownGracePeriodCriticalPods", critical)]
    {
        if !span.is_zero() && span < SimDuration::from_secs(1) {
            judge.error(&format!("{path}.{field}"), "must be either zero or otherwise >= 1 sec");
        }
    }
    if requested < critical {
        let message = "must not be longer than shutdownGracePeriod";
        judge.error(&format!("{path}.shutdownGracePeriodCriticalPods"), message);
    }
    let crashes = written.crash_loop_back_off.as_ref();
    let longest = crashes.and_then(|it| it.max_container_restart_period).map(|span| span.0);
    let (least, most) = (SimDuration::from_secs(1), SimDuration::from_secs(300));
    if longest.is_some_and(|longest| !(least..=most).contains(&longest)) {
        let place = format!("{path}.crashLoopBackOff.maxContainerRestartPeriod");
        judge.error(&place, "must be set between 1s and 300s");
    }
    Kubelet {
        longest,
        shutdown: shutdown_groups(requested, critical),
        pulls: pulls(written, path, judge),
        images: images(written, path, judge),
        eviction: eviction(written, path, judge),
    }
}

/// What is said of kubelets, feature gates apart.
#[derive(Clone, Debug, Default)]
pub(super) struct Kubelet {
    /// The longest wait of a container that crashed.
    longest: Option<SimDuration>,
    /// What pods may take when their node goes down.
    shutdown: Vec<ShutdownGroup>,
    pulls: Pulls,
    images: image_gc::Policy,
    eviction: eviction::Settings,
}

impl Kubelet {
    /// The settings under these gates.
    pub(super) fn under(self, gates: &FeatureGates) -> KubeletSettings {
        let decay = match gates.iter().any(|gate| gate == (REDUCED_DECAY, true)) {
            true => CrashDecay::Reduced,
            false => CrashDecay::Default,
        };
        let found = match gates.iter().any(|gate| gate == (CHANGE_AT_RESTART, true)) {
            true => Found::Unknown,
            false => Found::AsTheyWere,
        };
        KubeletSettings {
            found,
            crashes: BackoffLaw::of_crashes(decay, self.longest),
            shutdown: self.shutdown,
            pulls: self.pulls,
            images: self.images,
            eviction: self.eviction,
            ..KubeletSettings::default()
        }
    }
}

/// How images are pulled (`ValidateKubeletConfiguration`).
fn pulls(written: &raw::Kubelet, path: &str, judge: &mut Judge<'_, '_>) -> Pulls {
    let default = Pulls::default();
    let at_a_time = match (written.serialize_image_pulls, written.max_parallel_image_pulls) {
        (_, Some(0)) => {
            let message = "Invalid value: 0: must be greater than or equal to 1";
            judge.error(&format!("{path}.maxParallelImagePulls"), message);
            default.at_a_time
        }
        (Some(true), Some(2..)) => {
            let message = "cannot be larger than 1 unless SerializeImagePulls (--serialize-image-pulls) set to false";
            judge.error(&format!("{path}.maxParallelImagePulls"), message);
            default.at_a_time
        }
        (None | Some(false), Some(most)) => most,
        (Some(false), None) => u32::MAX,
        (None | Some(true), _) => 1,
    };
    let qps = written.registry_pull_qps.unwrap_or(default.qps);
    Pulls { at_a_time, qps, burst: written.registry_burst.unwrap_or(default.burst) }
}

/// When images are removed.
fn images(written: &raw::Kubelet, path: &str, judge: &mut Judge<'_, '_>) -> image_gc::Policy {
    let default = image_gc::Policy::default();
    let policy = image_gc::Policy {
        min_age: written.image_min_age.map_or(default.min_age, |span| span.0),
        max_age: written.image_max_age.map_or(default.max_age, |span| span.0),
        ..default
    };
    let high = written.image_gc_high.unwrap_or(default.high.into());
    let low = written.image_gc_low.unwrap_or(default.low.into());
    policy.between(high, low).unwrap_or_else(|why| {
        let field = if written.image_gc_low.is_some() { "Low" } else { "High" };
        judge.error(&format!("{path}.imageGC{field}ThresholdPercent"), why);
        policy
    })
}

/// When pods are evicted: what is said of hard thresholds takes the place of all defaults.
fn eviction(written: &raw::Kubelet, path: &str, judge: &mut Judge<'_, '_>) -> eviction::Settings {
    let mut settings = eviction::Settings::default();
    if let Some(Span(transition)) = written.eviction_pressure_transition_period {
        settings.transition = transition;
    }
    settings.soft_grace_seconds = written.eviction_max_pod_grace_period.unwrap_or(0);
    let pairs = |map: &'_ Option<BTreeMap<String, String>>| -> Vec<(String, String)> {
        map.iter().flatten().map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    let said = [
        &written.eviction_hard,
        &written.eviction_soft,
        &written.eviction_soft_grace_period,
        &written.eviction_minimum_reclaim,
    ];
    if said.iter().all(|map| map.is_none()) {
        return settings;
    }
    let owned = said.map(pairs);
    let [hard, soft, soft_grace, min_reclaim] = owned
        .each_ref()
        .map(|list| list.iter().map(|(name, value)| (&**name, &**value)).collect::<Vec<_>>());
    let default = eviction::thresholds::Config::DEFAULT;
    let config = eviction::thresholds::Config {
        hard: if written.eviction_hard.is_some() { &hard } else { default.hard },
        soft: &soft,
        soft_grace: &soft_grace,
        min_reclaim: &min_reclaim,
        ..default
    };
    match config.thresholds() {
        Ok(thresholds) => settings.thresholds = thresholds.into(),
        Err(why) => judge.error(&format!("{path}.evictionHard"), why),
    }
    settings
}
