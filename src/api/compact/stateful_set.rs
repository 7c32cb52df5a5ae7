//! StatefulSets.

use std::sync::Arc;

use k8s_openapi::api::apps::v1 as apps;
use k8s_openapi::api::core::v1 as core;

use super::meta::arrival;
use super::pod_spec::canonical;
use super::workload::{generation, number, share};
use super::{Arrival, Compacted, Compactor, unsigned};
use crate::api::kinds::Scope;
use crate::api::object::Object;
use crate::api::stateful_set::{
    ClaimRetention, PodManagement, StatefulSet, StatefulSetStatus, UpdateStrategy,
};
use crate::api::storage::ClaimTemplate;

fn retention(written: Option<&str>) -> ClaimRetention {
    match written {
        Some("Delete") => ClaimRetention::Delete,
        _ => ClaimRetention::Retain,
    }
}

fn update(written: Option<&apps::StatefulSetUpdateStrategy>) -> UpdateStrategy {
    if written.and_then(|it| it.type_.as_deref()) == Some("OnDelete") {
        return UpdateStrategy::OnDelete;
    }
    let rolling = written.and_then(|it| it.rolling_update.as_ref());
    UpdateStrategy::RollingUpdate {
        partition: number(rolling.and_then(|it| it.partition)),
        max_unavailable: rolling
            .and_then(|it| it.max_unavailable.as_ref())
            .map(|it| share(Some(it))),
    }
}

/// Takes `maxUnavailable` out of a set whose API server does not know it (`dropStatefulSetDisabledFields`).
pub fn without_max_unavailable(set: &mut StatefulSet) {
    let UpdateStrategy::RollingUpdate { max_unavailable, .. } = &mut set.update else { return };
    if max_unavailable.take().is_none() {
        return;
    }
    let mut spec: apps::StatefulSetSpec = serde_json::from_str(&set.written).unwrap_or_default();
    let update = spec.update_strategy.as_mut().and_then(|it| it.rolling_update.as_mut());
    if let Some(update) = update {
        update.max_unavailable = None;
    }
    set.written = canonical(&spec, &mut Vec::new()).into();
}

impl Compactor {
    /// A StatefulSet; its status counts only if it was in a cluster.
    pub fn stateful_set(&mut self, written: apps::StatefulSet) -> Compacted {
        let arrival = arrival(&written.metadata);
        let meta = self.meta(&written.metadata, Scope::Namespaced);
        let spec = written.spec.unwrap_or_default();
        let mut scratch = std::mem::take(&mut self.intern.scratch);
        let text = self.intern.text(canonical(&spec, &mut scratch));
        self.intern.scratch = scratch;
        let kept = spec.persistent_volume_claim_retention_policy.as_ref();
        let claims = spec
            .volume_claim_templates
            .iter()
            .flatten()
            .map(|it| self.claim_template(it))
            .collect();
        let status = written.status.filter(|_| arrival == Arrival::Imported).unwrap_or_default();
        let set = StatefulSet {
            meta,
            replicas: spec.replicas.unwrap_or(1),
            selector: Arc::new(self.intern.selector(&spec.selector)),
            service: self.intern.optional(spec.service_name.as_deref()),
            management: match spec.pod_management_policy.as_deref() {
                Some("Parallel") => PodManagement::Parallel,
                _ => PodManagement::OrderedReady,
            },
            update: update(spec.update_strategy.as_ref()),
            min_ready_seconds: unsigned(i64::from(number(spec.min_ready_seconds))),
            revision_history_limit: spec.revision_history_limit.unwrap_or(10),
            first_ordinal: spec.ordinals.as_ref().map_or(0, |it| number(it.start)),
            when_deleted: retention(kept.and_then(|it| it.when_deleted.as_deref())),
            when_scaled: retention(kept.and_then(|it| it.when_scaled.as_deref())),
            claims,
            template: Arc::new(self.template("StatefulSet", Some(spec.template))),
            status: StatefulSetStatus {
                replicas: status.replicas,
                ready: number(status.ready_replicas),
                available: number(status.available_replicas),
                current: number(status.current_replicas),
                updated: number(status.updated_replicas),
                current_revision: self.intern.optional(status.current_revision.as_deref()),
                update_revision: self.intern.optional(status.update_revision.as_deref()),
                collision_count: unsigned(i64::from(number(status.collision_count))),
                observed_generation: generation(status.observed_generation),
            },
            written: text,
        };
        Compacted { object: Object::StatefulSet(Box::new(set)), arrival, node: None }
    }

    fn claim_template(&mut self, written: &core::PersistentVolumeClaim) -> ClaimTemplate {
        let meta = &written.metadata;
        ClaimTemplate {
            name: self.intern.optional(meta.name.as_deref()),
            labels: self.intern.labels(meta.labels.as_ref()),
            annotations: self.intern.labels(meta.annotations.as_ref()),
            spec: self.intern.claim_spec(written.spec.as_ref(), None),
        }
    }
}
