//! What a pod uses of a quota (`pkg/quota/v1/evaluator/core/pods.go`, 1.36).

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1 as core;

use super::count;
use crate::api::name::Text;
use crate::api::pod::{Pod, PodSpec, Qos};
use crate::api::resource_quota::QuotaScope;
use crate::api::rules::affinity::PodTerm;
use crate::api::rules::resources::{
    Amounts, SumRules, amounts, is_huge_pages, is_native, is_pod_level_resource, pod_limits,
    pod_requests,
};
use crate::time::{SimDuration, SimTime};

/// What every container must say something of where a quota bounds it.
const ASKED_OF_CONTAINERS: [&str; 6] =
    ["cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"];

/// What quotas must know of the pods of one spec: worked out once for all of them.
#[derive(Clone, Debug)]
pub struct PodAccount {
    /// What one of them uses while it may run, its object apart.
    pub usage: Amounts,
    /// Its PriorityClass, empty if none.
    pub priority_class: Text,
    /// Of which resources each container says something.
    containers: Vec<(String, BTreeSet<String>)>,
    asks_as_whole: bool,
    has_deadline: bool,
    is_best_effort: bool,
    crosses_namespaces: bool,
}

impl PodAccount {
    /// The account of pods of this spec.
    pub fn of(spec: &PodSpec) -> PodAccount {
        // What was written was read before; what somebody else made up asks for nothing.
        let written: core::PodSpec = serde_json::from_str(&spec.written).unwrap_or_default();
        let requests = pod_requests(&written, None, SumRules::default());
        let limits = pod_limits(&written, None, SumRules::default());
        let all = written.containers.iter().chain(written.init_containers.iter().flatten());
        let whole = written.resources.as_ref();
        let mut named = whole
            .into_iter()
            .flat_map(|it| it.requests.iter().flatten().chain(it.limits.iter().flatten()));
        let terms = [&spec.pod_affinity, &spec.pod_anti_affinity];
        let mut terms = terms
            .into_iter()
            .flat_map(|it| it.required.iter().chain(it.preferred.iter().map(|(_, term)| term)));
        PodAccount {
            usage: compute(&requests, &limits),
            priority_class: spec.priority_class.clone(),
            containers: all.map(named_by).collect(),
            asks_as_whole: named.any(|(name, _)| is_pod_level_resource(name)),
            has_deadline: spec.active_deadline_seconds.is_some(),
            is_best_effort: spec.qos == Qos::BestEffort,
            crosses_namespaces: terms.any(|term: &PodTerm| {
                !term.namespaces.is_empty() || term.namespace_selector.is_some()
            }),
        }
    }

    pub(super) fn is_in(&self, scope: QuotaScope) -> bool {
        match scope {
            QuotaScope::Terminating => self.has_deadline,
            QuotaScope::NotTerminating => !self.has_deadline,
            QuotaScope::BestEffort => self.is_best_effort,
            QuotaScope::NotBestEffort => !self.is_best_effort,
            QuotaScope::CrossNamespacePodAffinity => self.crosses_namespaces,
            QuotaScope::PriorityClass => !self.priority_class.is_empty(),
            QuotaScope::VolumeAttributesClass => false,
        }
    }

    pub(super) fn lacks<'n>(&self, required: impl Iterator<Item = &'n str>) -> Option<String> {
        if self.asks_as_whole {
            return None;
        }
        let required: BTreeSet<&str> =
            required.filter(|name| ASKED_OF_CONTAINERS.contains(name)).collect();
        let mut missing: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (container, named) in &self.containers {
            for &name in required.iter().filter(|name| !named.contains(**name)) {
                missing.entry(name).or_default().insert(container);
            }
        }
        let told = missing.iter().map(|(name, containers)| {
            let containers: Vec<&str> = containers.iter().copied().collect();
            format!("{name} for: {}", containers.join(","))
        });
        let told: Vec<String> = told.collect();
        (!told.is_empty()).then(|| format!("must specify {}", told.join("; ")))
    }
}

fn named_by(container: &core::Container) -> (String, BTreeSet<String>) {
    let resources = container.resources.as_ref();
    let requests = amounts(resources.and_then(|it| it.requests.as_ref()));
    let limits = amounts(resources.and_then(|it| it.limits.as_ref()));
    (container.name.clone(), compute(&requests, &limits).into_keys().collect())
}

/// What requests and limits use up (`podComputeUsageHelper`).
fn compute(requests: &Amounts, limits: &Amounts) -> Amounts {
    let mut usage = Amounts::from([("pods".to_owned(), count(1))]);
    for (name, amount) in requests {
        let is_plain = matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage");
        if is_plain || is_huge_pages(name) {
            usage.insert(name.clone(), *amount);
        }
        if is_plain || is_huge_pages(name) || is_extended(name) {
            usage.insert(format!("requests.{name}"), *amount);
        }
    }
    for (name, amount) in limits {
        if matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage") {
            usage.insert(format!("limits.{name}"), *amount);
        }
    }
    usage
}

/// Extended resources, those that stand for a class of devices too.
fn is_extended(name: &str) -> bool {
    let of_devices = name.starts_with("deviceclass.resource.kubernetes.io/");
    (!is_native(name) || of_devices) && !name.starts_with("requests.")
}

/// Whether a pod's resources are charged at `now`: not when it is done, nor when it should have been
/// gone for longer than its grace (`QuotaV1Pod`).
pub fn is_charged(pod: &Pod, now: SimTime) -> bool {
    let is_overdue = pod.meta.deletion.is_some_and(|deletion| {
        let grace = SimDuration::from_secs(u64::from(deletion.grace_seconds));
        now > deletion.at + grace
    });
    !pod.status.phase.is_terminal() && !is_overdue
}
