//! LimitRanges and ResourceQuotas.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Written;

use super::meta::arrival;
use super::pod_spec::canonical;
use super::{Compacted, Compactor};
use crate::api::kinds::Scope;
use crate::api::limit_range::{LimitItem, LimitRange, LimitType};
use crate::api::name::Text;
use crate::api::object::Object;
use crate::api::resource_quota::{QuotaScope, QuotaStatus, ResourceQuota, ScopeRule};
use crate::api::rules::resources::{Amounts, amounts};
use crate::api::rules::selector::Operator;

fn limit_item(written: &core::LimitRangeItem) -> LimitItem {
    LimitItem {
        of: match written.type_.as_str() {
            "Container" => LimitType::Container,
            "Pod" => LimitType::Pod,
            "PersistentVolumeClaim" => LimitType::PersistentVolumeClaim,
            _ => LimitType::Else,
        },
        max: amounts(written.max.as_ref()),
        min: amounts(written.min.as_ref()),
        limit: amounts(written.default.as_ref()),
        request: amounts(written.default_request.as_ref()),
        ratio: amounts(written.max_limit_request_ratio.as_ref()),
    }
}

/// What objects must fulfil to count for a quota: unknown scopes are refused before.
fn scope_rules(spec: &core::ResourceQuotaSpec) -> Arc<[ScopeRule]> {
    let named = spec
        .scopes
        .iter()
        .flatten()
        .filter_map(|name| QuotaScope::named(name).map(ScopeRule::plainly));
    let selector = spec.scope_selector.iter().flat_map(|it| it.match_expressions.iter().flatten());
    let selected = selector.filter_map(|rule| {
        Some(ScopeRule {
            scope: QuotaScope::named(&rule.scope_name)?,
            operator: match rule.operator.as_str() {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "DoesNotExist" => Operator::DoesNotExist,
                _ => Operator::Exists,
            },
            values: rule.values.iter().flatten().map(|value| value.as_str().into()).collect(),
        })
    });
    named.chain(selected).collect()
}

fn status(written: Option<&core::ResourceQuotaStatus>) -> QuotaStatus {
    fn of(it: Option<&BTreeMap<String, Written>>) -> Option<Arc<Amounts>> {
        it.map(|it| Arc::new(amounts(Some(it))))
    }
    QuotaStatus {
        hard: of(written.and_then(|it| it.hard.as_ref())),
        used: of(written.and_then(|it| it.used.as_ref())),
    }
}

impl Compactor {
    fn canonical_text<T: serde::Serialize>(&mut self, spec: &T) -> Text {
        let mut scratch = std::mem::take(&mut self.intern.scratch);
        let text = self.intern.text(canonical(spec, &mut scratch));
        self.intern.scratch = scratch;
        text
    }

    /// A LimitRange.
    pub fn limit_range(&mut self, written: core::LimitRange) -> Compacted {
        let arrival = arrival(&written.metadata);
        let meta = self.meta(&written.metadata, Scope::Namespaced);
        let spec = written.spec.unwrap_or_default();
        let range = LimitRange {
            meta,
            limits: spec.limits.iter().map(limit_item).collect(),
            written: self.canonical_text(&spec),
        };
        Compacted { object: Object::LimitRange(Box::new(range)), arrival, node: None }
    }

    /// A ResourceQuota. Its status is taken as written; whoever stores an applied one resets it.
    pub fn resource_quota(&mut self, written: core::ResourceQuota) -> Compacted {
        let arrival = arrival(&written.metadata);
        let meta = self.meta(&written.metadata, Scope::Namespaced);
        let spec = written.spec.unwrap_or_default();
        let quota = ResourceQuota {
            meta,
            hard: Arc::new(amounts(spec.hard.as_ref())),
            scopes: scope_rules(&spec),
            status: status(written.status.as_ref()),
            written: self.canonical_text(&spec),
        };
        Compacted { object: Object::ResourceQuota(Box::new(quota)), arrival, node: None }
    }
}
