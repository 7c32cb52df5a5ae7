//! What objects use of a ResourceQuota (Kubernetes 1.36 pkg/quota/v1/evaluator and
//! k8s.io/apiserver/pkg/quota/v1).
//!
//! Owns which resources an object uses up, which quotas it counts for, and the arithmetic of both;
//! refuses to know where quotas are kept and who writes their status.

pub mod admission;
pub mod amounts;
mod pods;

use crate::api::quantity::{Format, Quantity};
use crate::api::resource_quota::{QuotaScope, ScopeRule};
use crate::api::rules::resources::{Amounts, is_huge_pages, is_native};
use crate::api::rules::selector::Requirement;
use crate::api::service::{Exposure, LoadBalancerPorts, ServiceSpec};
use crate::api::storage::ClaimSpec;

pub use pods::{PodAccount, is_charged};

/// Between the name of a StorageClass and the resource counted for it alone.
const OF_STORAGE_CLASS: &str = ".storageclass.storage.k8s.io/";
const REQUESTED: &str = "requests.";

/// The resources of pods a quota can name, huge pages and extended ones apart.
const OF_PODS: [&str; 11] = [
    "count/pods",
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "pods",
];
const OF_SERVICES: [&str; 4] =
    ["count/services", "services", "services.nodeports", "services.loadbalancers"];
const OF_CLAIMS: [&str; 2] = ["persistentvolumeclaims", "requests.storage"];
/// Kinds whose plain name counts them too, as it did before `count/`.
const PLAINLY_COUNTED: [&str; 4] =
    ["configmaps", "resourcequotas", "replicationcontrollers", "secrets"];

/// Who counts objects of one kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Evaluator<'a> {
    /// Pods, with what they ask for.
    Pods,
    /// Services, with their ports on nodes.
    Services,
    /// PersistentVolumeClaims, with their sizes.
    Claims,
    /// Any other kind by its resource, `deployments.apps`: objects are counted.
    Counted(&'a str),
}

impl<'a> Evaluator<'a> {
    /// Who counts objects of the resource `deployments.apps`.
    pub fn of(resource: &'a str) -> Evaluator<'a> {
        match resource {
            "pods" => Evaluator::Pods,
            "services" => Evaluator::Services,
            "persistentvolumeclaims" => Evaluator::Claims,
            other => Evaluator::Counted(other),
        }
    }

    /// Whether it counts towards the resource `name` of a quota (`MatchingResources`).
    pub fn tracks(self, name: &str) -> bool {
        match self {
            Evaluator::Pods => {
                OF_PODS.contains(&name)
                    || is_huge_pages(name.strip_prefix(REQUESTED).unwrap_or(name))
                    || (name.starts_with(REQUESTED) && !is_native(name))
            }
            Evaluator::Services => OF_SERVICES.contains(&name),
            Evaluator::Claims => {
                let plain = name.split_once(OF_STORAGE_CLASS).map_or(name, |(_, plain)| plain);
                name == "count/persistentvolumeclaims" || OF_CLAIMS.contains(&plain)
            }
            Evaluator::Counted(resource) => {
                name.strip_prefix("count/") == Some(resource)
                    || (name == resource && PLAINLY_COUNTED.contains(&resource))
            }
        }
    }
}

/// Whether a pod's resources are charged, or only its object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Life {
    /// It may run.
    Charged,
    /// It ended, or should have long ago: only `count/pods` counts it.
    Free,
}

/// An object as a quota sees it.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    /// A pod.
    Pod(&'a PodAccount, Life),
    /// A Service.
    Service(&'a ServiceSpec),
    /// A PersistentVolumeClaim.
    Claim(&'a ClaimSpec),
    /// An object of another kind, by its resource.
    Counted(&'a str),
}

fn count(number: usize) -> Quantity {
    Quantity::new(i64::try_from(number).unwrap_or(i64::MAX), Format::DecimalSi)
}

impl<'a> Item<'a> {
    /// Who counts it.
    pub fn evaluator(&self) -> Evaluator<'a> {
        match *self {
            Item::Pod(..) => Evaluator::Pods,
            Item::Service(_) => Evaluator::Services,
            Item::Claim(_) => Evaluator::Claims,
            Item::Counted(resource) => Evaluator::Counted(resource),
        }
    }

    /// What it uses up.
    pub fn usage(&self) -> Amounts {
        match self {
            Item::Pod(account, life) => {
                let mut usage = match life {
                    Life::Charged => account.usage.clone(),
                    Life::Free => Amounts::new(),
                };
                usage.insert("count/pods".to_owned(), count(1));
                usage
            }
            Item::Service(spec) => service_usage(spec),
            Item::Claim(spec) => claim_usage(spec),
            Item::Counted(resource) => {
                let mut usage = Amounts::from([(format!("count/{resource}"), count(1))]);
                if PLAINLY_COUNTED.contains(resource) {
                    usage.insert((*resource).to_owned(), count(1));
                }
                usage
            }
        }
    }

    /// Whether it fulfils one condition of a quota; kinds without scopes fulfil none.
    pub fn is_in(&self, rule: &ScopeRule) -> bool {
        let named = |name: &str| {
            let (key, values) = (rule.scope.name().into(), rule.values.clone());
            let requirement = Requirement { key, operator: rule.operator, values };
            requirement.holds((!name.is_empty()).then_some(name))
        };
        match self {
            Item::Pod(account, _) => match rule.scope {
                QuotaScope::PriorityClass => named(&account.priority_class),
                scope => account.is_in(scope),
            },
            Item::Claim(spec) if rule.scope == QuotaScope::VolumeAttributesClass => {
                named(&spec.attributes_class)
            }
            _ => false,
        }
    }

    /// What it lacks that quotas on these resources ask for; only pods lack anything.
    pub fn lacks<'n>(&self, required: impl Iterator<Item = &'n str>) -> Option<String> {
        match self {
            Item::Pod(account, _) => account.lacks(required),
            _ => None,
        }
    }
}

/// Ports are charged by intent: none is allocated yet when admission asks.
fn service_usage(spec: &ServiceSpec) -> Amounts {
    let wanted = || spec.ports.iter().filter(|port| port.node_port.is_some()).count();
    let (balancers, ports) = match (spec.exposure, spec.load_balancer_ports) {
        (Exposure::NodePort, _) => (0, spec.ports.len()),
        (Exposure::LoadBalancer, LoadBalancerPorts::Allocated) => (1, spec.ports.len()),
        (Exposure::LoadBalancer, LoadBalancerPorts::AsWritten) => (1, wanted()),
        _ => (0, 0),
    };
    let counts = [("count/services", 1), ("services", 1), ("services.loadbalancers", balancers)];
    let counts = counts.into_iter().chain([("services.nodeports", ports)]);
    counts.map(|(name, number)| (name.to_owned(), count(number))).collect()
}

fn claim_usage(spec: &ClaimSpec) -> Amounts {
    let class = spec.class_name();
    let mut usage = Amounts::from([("count/persistentvolumeclaims".to_owned(), count(1))]);
    let mut charge = |name: &str, amount: Quantity| {
        usage.insert(name.to_owned(), amount);
        if !class.is_empty() {
            usage.insert(format!("{class}{OF_STORAGE_CLASS}{name}"), amount);
        }
    };
    charge("persistentvolumeclaims", count(1));
    charge("requests.storage", Quantity::new(spec.request, Format::BinarySi));
    usage
}

/// Whether an object counts for a quota with these conditions.
pub fn is_in_all(item: &Item<'_>, rules: &[ScopeRule]) -> bool {
    rules.iter().all(|rule| item.is_in(rule))
}
