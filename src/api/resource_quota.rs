//! ResourceQuotas as a run holds them.

use std::sync::Arc;

use super::meta::Meta;
use super::name::Text;
use super::rules::resources::Amounts;
use super::rules::selector::Operator;

/// A ResourceQuota.
#[derive(Clone, PartialEq, Debug)]
pub struct ResourceQuota {
    /// Its metadata.
    pub meta: Meta,
    /// How much of what its namespace may use (`spec.hard`).
    pub hard: Arc<Amounts>,
    /// Which objects count: those that fulfil all of these (`scopes`, then `scopeSelector`).
    pub scopes: Arc<[ScopeRule]>,
    /// What is known of its use.
    pub status: QuotaStatus,
    /// Spec as written, as canonical JSON.
    pub written: Text,
}

/// Status of a ResourceQuota. Admission goes by it alone: a quota whose controller has not seen it
/// forbids nothing.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct QuotaStatus {
    /// The limits that are enforced; `None`: nobody has looked at it yet.
    pub hard: Option<Arc<Amounts>>,
    /// How much is used; `None`: nobody has counted yet.
    pub used: Option<Arc<Amounts>>,
}

/// One condition that objects must fulfil to count.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScopeRule {
    /// What it looks at.
    pub scope: QuotaScope,
    /// How: a scope without an operator must simply be so, which is `Exists`.
    pub operator: Operator,
    /// Names of classes, for scopes that compare any.
    pub values: Vec<Text>,
}

impl ScopeRule {
    /// A condition without names: it must simply be so.
    pub fn plainly(scope: QuotaScope) -> ScopeRule {
        ScopeRule { scope, operator: Operator::Exists, values: Vec::new() }
    }
}

/// A scope of a quota.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum QuotaScope {
    /// Pods with an `activeDeadlineSeconds`.
    Terminating,
    /// Pods without.
    NotTerminating,
    /// Pods that ask for nothing.
    BestEffort,
    /// Pods that ask for something.
    NotBestEffort,
    /// Pods by their PriorityClass.
    PriorityClass,
    /// Pods drawn to, or kept from, pods of other namespaces.
    CrossNamespacePodAffinity,
    /// Claims by their VolumeAttributesClass.
    VolumeAttributesClass,
}

impl QuotaScope {
    /// All of them, in the order of the API's documentation.
    pub const ALL: [QuotaScope; 7] = [
        QuotaScope::Terminating,
        QuotaScope::NotTerminating,
        QuotaScope::BestEffort,
        QuotaScope::NotBestEffort,
        QuotaScope::PriorityClass,
        QuotaScope::CrossNamespacePodAffinity,
        QuotaScope::VolumeAttributesClass,
    ];

    /// As the API prints it.
    pub fn name(self) -> &'static str {
        match self {
            QuotaScope::Terminating => "Terminating",
            QuotaScope::NotTerminating => "NotTerminating",
            QuotaScope::BestEffort => "BestEffort",
            QuotaScope::NotBestEffort => "NotBestEffort",
            QuotaScope::PriorityClass => "PriorityClass",
            QuotaScope::CrossNamespacePodAffinity => "CrossNamespacePodAffinity",
            QuotaScope::VolumeAttributesClass => "VolumeAttributesClass",
        }
    }

    /// The scope of this name.
    pub fn named(name: &str) -> Option<QuotaScope> {
        QuotaScope::ALL.into_iter().find(|scope| scope.name() == name)
    }
}
