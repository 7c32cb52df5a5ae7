//! DaemonSets and ControllerRevisions.

use std::sync::Arc;

use k8s_openapi::api::apps::v1 as apps;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::meta::arrival;
use super::workload::{generation, number, share};
use super::{Arrival, Compacted, Compactor, unsigned};
use crate::api::controller_revision::ControllerRevision;
use crate::api::daemon_set::{DaemonSet, DaemonSetStatus, DaemonUpdate, TEMPLATE_GENERATION};
use crate::api::kinds::Scope;
use crate::api::object::Object;
use crate::api::workload::IntOrPercent;

fn update(written: Option<&apps::DaemonSetUpdateStrategy>) -> DaemonUpdate {
    if written.and_then(|it| it.type_.as_deref()) == Some("OnDelete") {
        return DaemonUpdate::OnDelete;
    }
    let rolling = written.and_then(|it| it.rolling_update.as_ref());
    let bound = |written: Option<&IntOrString>, default| match written {
        Some(written) => share(Some(written)),
        None => IntOrPercent::Int(default),
    };
    DaemonUpdate::RollingUpdate {
        max_unavailable: bound(rolling.and_then(|it| it.max_unavailable.as_ref()), 1),
        max_surge: bound(rolling.and_then(|it| it.max_surge.as_ref()), 0),
    }
}

impl Compactor {
    /// A DaemonSet; its status counts only if it was in a cluster.
    pub fn daemon_set(&mut self, written: apps::DaemonSet) -> Compacted {
        let arrival = arrival(&written.metadata);
        let mut meta = self.meta(&written.metadata, Scope::Namespaced);
        let annotation = meta.annotation(TEMPLATE_GENERATION).map(str::parse);
        let template_generation = annotation.and_then(Result::ok).unwrap_or(0).max(0);
        if annotation_is_there(&meta.annotations) {
            Arc::make_mut(&mut meta.annotations).remove(TEMPLATE_GENERATION);
        }
        let spec = written.spec.unwrap_or_default();
        let status = written.status.filter(|_| arrival == Arrival::Imported).unwrap_or_default();
        let set = DaemonSet {
            meta,
            selector: Arc::new(self.intern.selector(&spec.selector)),
            template: Arc::new(self.template("DaemonSet", Some(spec.template))),
            update: update(spec.update_strategy.as_ref()),
            min_ready_seconds: unsigned(i64::from(number(spec.min_ready_seconds))),
            revision_history_limit: spec.revision_history_limit.unwrap_or(10),
            template_generation,
            status: DaemonSetStatus {
                desired: status.desired_number_scheduled,
                current: status.current_number_scheduled,
                misscheduled: status.number_misscheduled,
                ready: status.number_ready,
                updated: number(status.updated_number_scheduled),
                available: number(status.number_available),
                unavailable: number(status.number_unavailable),
                observed_generation: generation(status.observed_generation),
                collision_count: unsigned(i64::from(number(status.collision_count))),
            },
        };
        Compacted { object: Object::DaemonSet(Box::new(set)), arrival, node: None }
    }

    /// A ControllerRevision. Of its data the pod template counts, as StatefulSets and DaemonSets
    /// write it; other data is no template and never equal to one.
    pub fn controller_revision(&mut self, written: apps::ControllerRevision) -> Compacted {
        let arrival = arrival(&written.metadata);
        let meta = self.meta(&written.metadata, Scope::Namespaced);
        let template = written.data.as_ref().and_then(|data| {
            let template = data.0.get("spec")?.get("template")?;
            serde_json::from_value::<core::PodTemplateSpec>(template.clone()).ok()
        });
        let template = Arc::new(self.template("ControllerRevision", template));
        let revision = ControllerRevision { meta, revision: written.revision, template };
        Compacted { object: Object::ControllerRevision(Box::new(revision)), arrival, node: None }
    }
}

fn annotation_is_there(annotations: &crate::api::meta::Labels) -> bool {
    annotations.contains_key(TEMPLATE_GENERATION)
}
