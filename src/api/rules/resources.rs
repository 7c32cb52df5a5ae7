//! What a pod asks for as a whole: its requests and limits, and its quality of service.
//!
//! Owns the sums over containers, init containers, sidecars, overhead and pod-level resources;
//! refuses to know nodes. Follows `k8s.io/component-helpers/resource` and
//! `pkg/apis/core/v1/helper/qos` of 1.36. Texts that are no quantity count as nothing: validation
//! has refused them before.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{Container, ContainerStatus, Pod, PodSpec, PodStatus};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Written;

use crate::api::quantity::Quantity;
use crate::api::resources::Resources;

/// Amounts by resource name.
pub type Amounts = BTreeMap<String, Quantity>;

/// Whether a pod's overhead belongs to a sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overhead {
    /// It does.
    #[default]
    Included,
    /// It does not.
    Excluded,
}

/// Whether pod-level resources take the place of the containers' sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PodLevel {
    /// They do, where set.
    #[default]
    Used,
    /// They are not looked at.
    Skipped,
}

/// Which resources of a container count while it is being resized in place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Basis {
    /// Those of the spec.
    #[default]
    Spec,
    /// The greatest of the spec's, the allocated and the actual ones.
    Status,
}

/// How to sum.
#[derive(Clone, Copy, Debug, Default)]
pub struct SumRules<'a> {
    /// Whether overhead is added.
    pub overhead: Overhead,
    /// Whether pod-level resources are looked at.
    pub pod_level: PodLevel,
    /// Whether the status is looked at.
    pub basis: Basis,
    /// Requests taken for containers that have none of that name (the scheduler's non-zero
    /// requests); never used for limits.
    pub missing: Option<&'a Amounts>,
}

/// Which half of a container's resources is summed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    Requests,
    Limits,
}

/// Which account of a container is taken.
#[derive(Clone, Copy)]
enum Account {
    Spec,
    Allocated,
    Actual,
}

/// Whether the resource can be set for a pod as a whole: CPU, memory and huge pages.
pub fn is_pod_level_resource(name: &str) -> bool {
    matches!(name, "cpu" | "memory") || is_huge_pages(name)
}

/// Whether the name stands for huge pages of some size.
pub fn is_huge_pages(name: &str) -> bool {
    name.starts_with("hugepages-")
}

/// Whether the resource belongs to Kubernetes itself: without a domain, or below `kubernetes.io`.
pub fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

/// Whether requests may be lower than limits.
pub fn is_overcommit_allowed(name: &str) -> bool {
    is_native(name) && !is_huge_pages(name)
}

/// The requests of a pod as the scheduler, quota and the kubelet count them.
pub fn pod_requests(spec: &PodSpec, status: Option<&PodStatus>, rules: SumRules<'_>) -> Amounts {
    let mut sum = container_requests(spec, status, rules);
    let set = amounts(spec.resources.as_ref().and_then(|r| r.requests.as_ref()));
    if rules.pod_level == PodLevel::Used {
        sum.extend(set.into_iter().filter(|(name, _)| is_pod_level_resource(name)));
    }
    if rules.overhead == Overhead::Included {
        add(&mut sum, &amounts(spec.overhead.as_ref()));
    }
    sum
}

/// The limits of a pod; overhead is added to limits that are there.
pub fn pod_limits(spec: &PodSpec, status: Option<&PodStatus>, rules: SumRules<'_>) -> Amounts {
    let mut sum = container_limits(spec, status, rules);
    let set = amounts(spec.resources.as_ref().and_then(|r| r.limits.as_ref()));
    if rules.pod_level == PodLevel::Used {
        sum.extend(set.into_iter().filter(|(name, _)| is_pod_level_resource(name)));
    }
    if rules.overhead == Overhead::Included {
        for (name, extra) in amounts(spec.overhead.as_ref()) {
            if let Some(limit) = sum.get_mut(&name).filter(|limit| !limit.is_zero()) {
                *limit = limit.plus(extra);
            }
        }
    }
    sum
}

/// The requests of the containers together, without overhead and pod-level resources.
pub fn container_requests(
    spec: &PodSpec,
    status: Option<&PodStatus>,
    rules: SumRules<'_>,
) -> Amounts {
    let sum = |account| aggregate(spec, status, rules.missing, (Half::Requests, account));
    if rules.basis == Basis::Spec {
        return sum(Account::Spec);
    }
    let mut greatest = sum(Account::Actual);
    raise(&mut greatest, &sum(Account::Allocated));
    if !is_resize_infeasible(status) {
        raise(&mut greatest, &sum(Account::Spec));
    }
    greatest
}

/// The limits of the containers together, without overhead and pod-level resources.
pub fn container_limits(
    spec: &PodSpec,
    status: Option<&PodStatus>,
    rules: SumRules<'_>,
) -> Amounts {
    let sum = |account| aggregate(spec, status, None, (Half::Limits, account));
    if rules.basis == Basis::Spec {
        return sum(Account::Spec);
    }
    let mut greatest = sum(Account::Actual);
    if !is_resize_infeasible(status) {
        raise(&mut greatest, &sum(Account::Spec));
    }
    greatest
}

/// The sum of regular containers and sidecars, or the largest moment of initialization if that is
/// more: an init container runs beside the sidecars started before it.
fn aggregate(
    spec: &PodSpec,
    status: Option<&PodStatus>,
    missing: Option<&Amounts>,
    what: (Half, Account),
) -> Amounts {
    let of = |container: &Container| {
        let mut own = account_of(container, status, what);
        for (name, amount) in missing.into_iter().flatten() {
            own.entry(name.clone()).or_insert(*amount);
        }
        own
    };
    let mut sum = Amounts::new();
    for container in &spec.containers {
        add(&mut sum, &of(container));
    }
    let (mut sidecars, mut starting) = (Amounts::new(), Amounts::new());
    for container in spec.init_containers.iter().flatten() {
        let mut moment = of(container);
        if is_sidecar(container) {
            add(&mut sum, &moment);
            add(&mut sidecars, &moment);
            moment.clone_from(&sidecars);
        } else {
            add(&mut moment, &sidecars);
        }
        raise(&mut starting, &moment);
    }
    raise(&mut sum, &starting);
    sum
}

/// Whether an init container keeps running beside the regular ones.
pub fn is_sidecar(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

fn account_of(
    container: &Container,
    status: Option<&PodStatus>,
    (half, account): (Half, Account),
) -> Amounts {
    let resources = container.resources.as_ref();
    let spec = resources.and_then(|r| match half {
        Half::Requests => r.requests.as_ref(),
        Half::Limits => r.limits.as_ref(),
    });
    let known = match account {
        Account::Spec => return amounts(spec),
        Account::Allocated | Account::Actual => status_of(&container.name, status),
    };
    let actual = known.and_then(|s| s.resources.as_ref()).and_then(|r| match half {
        Half::Requests => r.requests.as_ref(),
        Half::Limits => r.limits.as_ref(),
    });
    let allocated = known.and_then(|s| s.allocated_resources.as_ref());
    let found = match (account, half) {
        (Account::Actual, Half::Limits) => actual,
        (Account::Actual, Half::Requests) => actual.or(allocated),
        (Account::Allocated | Account::Spec, _) => allocated,
    };
    if found.is_none() && is_resize_infeasible(status) {
        return Amounts::new();
    }
    amounts(found.or(spec))
}

fn status_of<'a>(name: &str, status: Option<&'a PodStatus>) -> Option<&'a ContainerStatus> {
    let status = status?;
    let regular = status.container_statuses.iter().flatten();
    let mut all = regular.chain(status.init_container_statuses.iter().flatten());
    all.find(|container| container.name == name)
}

fn is_resize_infeasible(status: Option<&PodStatus>) -> bool {
    let mut conditions = status.into_iter().flat_map(|s| s.conditions.iter().flatten());
    let pending = conditions.find(|condition| condition.type_ == "PodResizePending");
    pending.is_some_and(|condition| condition.reason.as_deref() == Some("Infeasible"))
}

/// A written list of amounts, as numbers.
pub fn amounts(written: Option<&BTreeMap<String, Written>>) -> Amounts {
    let all = written.into_iter().flatten();
    all.filter_map(|(name, text)| Some((name.clone(), Quantity::of(text).ok()?))).collect()
}

/// Adds each amount to that of its name.
pub fn add(sum: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        sum.entry(name.clone()).and_modify(|known| *known = known.plus(*amount)).or_insert(*amount);
    }
}

/// Raises each amount to that of its name, where that is more.
pub fn raise(sum: &mut Amounts, other: &Amounts) {
    for (name, amount) in other {
        sum.entry(name.clone())
            .and_modify(|known| *known = (*known).max(*amount))
            .or_insert(*amount);
    }
}

/// Amounts as the scheduler counts them: CPU in thousandths, the rest in whole units, rounded up.
pub fn counted(amounts: &Amounts) -> Resources {
    let mut counted = Resources::default();
    for (name, amount) in amounts {
        match name.as_str() {
            "cpu" => counted.cpu_milli = amount.milli_value(),
            "memory" => counted.memory = amount.value(),
            "ephemeral-storage" => counted.ephemeral_storage = amount.value(),
            "pods" => counted.pods = amount.value(),
            _ => counted.set_scalar(name, amount.value()),
        }
    }
    counted
}

/// How a pod's processes fare when memory runs short.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum QosClass {
    /// Requests equal limits for CPU and memory, in every container or for the pod as a whole.
    Guaranteed,
    /// Something is requested or limited.
    Burstable,
    /// Nothing is.
    BestEffort,
}

impl QosClass {
    /// The name in `status.qosClass`.
    pub fn name(self) -> &'static str {
        match self {
            QosClass::Guaranteed => "Guaranteed",
            QosClass::Burstable => "Burstable",
            QosClass::BestEffort => "BestEffort",
        }
    }
}

/// The class of a pod, worked out from its spec (`ComputePodQOS`).
pub fn qos_class(pod: &Pod) -> QosClass {
    let Some(spec) = &pod.spec else { return QosClass::BestEffort };
    let counted = |written: Option<&BTreeMap<String, Written>>| {
        let mut found = amounts(written);
        found.retain(|name, amount| {
            matches!(name.as_str(), "cpu" | "memory") && amount.signum() > 0
        });
        found
    };
    let (mut requests, mut limits) = (Amounts::new(), Amounts::new());
    let mut guaranteed = true;
    let whole = spec.resources.as_ref();
    let pod_level = whole.is_some_and(|r| {
        let names = r.requests.iter().flatten().chain(r.limits.iter().flatten());
        names.map(|(name, _)| name).any(|name| is_pod_level_resource(name))
    });
    let mut take = |resources: Option<&k8s_openapi::api::core::v1::ResourceRequirements>| {
        add(&mut requests, &counted(resources.and_then(|r| r.requests.as_ref())));
        let own = counted(resources.and_then(|r| r.limits.as_ref()));
        guaranteed &= own.len() == 2;
        add(&mut limits, &own);
    };
    if pod_level {
        take(whole);
    } else {
        for container in spec.containers.iter().chain(spec.init_containers.iter().flatten()) {
            take(container.resources.as_ref());
        }
    }
    if requests.is_empty() && limits.is_empty() {
        return QosClass::BestEffort;
    }
    let names: BTreeSet<&String> = requests.keys().chain(limits.keys()).collect();
    let equal = names.iter().all(|name| requests.get(*name) == limits.get(*name));
    if guaranteed && equal { QosClass::Guaranteed } else { QosClass::Burstable }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(json: serde_json::Value) -> PodSpec {
        serde_json::from_value(json).expect("a pod spec")
    }

    #[test]
    fn an_init_container_runs_beside_the_sidecars_before_it() {
        let spec = spec(serde_json::json!({
            "initContainers": [
                {"name": "proxy", "restartPolicy": "Always", "resources": {"requests": {"cpu": "1"}}},
                {"name": "setup", "resources": {"requests": {"cpu": "5"}}},
            ],
            "containers": [{"name": "app", "resources": {"requests": {"cpu": "2"}}}],
            "overhead": {"cpu": "250m"},
        }));
        let requests = pod_requests(&spec, None, SumRules::default());
        assert_eq!(requests["cpu"].to_string(), "6250m");
        assert_eq!(counted(&requests).cpu_milli, 6250);
    }
}
