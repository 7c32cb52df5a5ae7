//! Deployment, ReplicaSet, ReplicationController, StatefulSet and DaemonSet, as
//! `pkg/apis/apps/v1/defaults.go` and `pkg/apis/core/v1/defaults.go` of 1.36 fill them in.

use k8s_openapi::{
    api::{
        apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet},
        core::v1::{PodTemplateSpec, ReplicationController},
    },
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::{fill, pod::default_pod_spec, storage::default_claim_spec};

const REVISIONS_KEPT: i32 = 10;
const PROGRESS_DEADLINE_SECONDS: i32 = 600;

/// Fills in the pods of a template.
pub(super) fn default_template(template: &mut PodTemplateSpec) {
    default_pod_spec(template.spec.get_or_insert_default());
}

fn quarter() -> IntOrString {
    IntOrString::String("25%".to_owned())
}

/// Fills in a Deployment.
pub fn default_deployment(deployment: &mut Deployment) {
    let spec = deployment.spec.get_or_insert_default();
    default_template(&mut spec.template);
    spec.replicas.get_or_insert(1);
    let strategy = spec.strategy.get_or_insert_default();
    fill(&mut strategy.type_, "RollingUpdate");
    if strategy.type_.as_deref() == Some("RollingUpdate") {
        let update = strategy.rolling_update.get_or_insert_default();
        update.max_unavailable.get_or_insert_with(quarter);
        update.max_surge.get_or_insert_with(quarter);
    }
    spec.revision_history_limit.get_or_insert(REVISIONS_KEPT);
    spec.progress_deadline_seconds.get_or_insert(PROGRESS_DEADLINE_SECONDS);
}

/// Fills in a ReplicaSet.
pub fn default_replica_set(set: &mut ReplicaSet) {
    let spec = set.spec.get_or_insert_default();
    default_template(spec.template.get_or_insert_default());
    spec.replicas.get_or_insert(1);
}

/// Fills in a ReplicationController; its selector and labels follow from the template's.
pub fn default_replication_controller(controller: &mut ReplicationController) {
    let spec = controller.spec.get_or_insert_default();
    if let Some(template) = &mut spec.template {
        default_template(template);
    }
    let template = spec.template.as_ref();
    let labels = template.and_then(|template| template.metadata.as_ref()?.labels.clone());
    if let Some(labels) = labels.filter(|labels| !labels.is_empty()) {
        if spec.selector.as_ref().is_none_or(|selector| selector.is_empty()) {
            spec.selector = Some(labels.clone());
        }
        let own = &mut controller.metadata.labels;
        if own.as_ref().is_none_or(|own| own.is_empty()) {
            *own = Some(labels);
        }
    }
    spec.replicas.get_or_insert(1);
}

/// Fills in a StatefulSet.
pub fn default_stateful_set(set: &mut StatefulSet) {
    let spec = set.spec.get_or_insert_default();
    default_template(&mut spec.template);
    fill(&mut spec.pod_management_policy, "OrderedReady");
    let strategy = spec.update_strategy.get_or_insert_default();
    if strategy.type_.as_deref().unwrap_or("").is_empty() {
        strategy.type_ = Some("RollingUpdate".to_owned());
        strategy.rolling_update.get_or_insert_default();
    }
    if strategy.type_.as_deref() == Some("RollingUpdate")
        && let Some(update) = &mut strategy.rolling_update
    {
        update.partition.get_or_insert(0);
    }
    let retention = spec.persistent_volume_claim_retention_policy.get_or_insert_default();
    fill(&mut retention.when_deleted, "Retain");
    fill(&mut retention.when_scaled, "Retain");
    spec.replicas.get_or_insert(1);
    spec.revision_history_limit.get_or_insert(REVISIONS_KEPT);
    for claim in spec.volume_claim_templates.iter_mut().flatten() {
        default_claim_spec(claim.spec.get_or_insert_default());
    }
}

/// Fills in a DaemonSet.
pub fn default_daemon_set(set: &mut DaemonSet) {
    let spec = set.spec.get_or_insert_default();
    default_template(&mut spec.template);
    let strategy = spec.update_strategy.get_or_insert_default();
    fill(&mut strategy.type_, "RollingUpdate");
    if strategy.type_.as_deref() == Some("RollingUpdate") {
        let update = strategy.rolling_update.get_or_insert_default();
        update.max_unavailable.get_or_insert(IntOrString::Int(1));
        update.max_surge.get_or_insert(IntOrString::Int(0));
    }
    spec.revision_history_limit.get_or_insert(REVISIONS_KEPT);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_deployment_is_filled_in() {
        let mut deployment = Deployment::default();
        default_deployment(&mut deployment);
        let mut spec = serde_json::to_value(deployment.spec).unwrap();
        spec.as_object_mut().unwrap().remove("template");
        assert_eq!(
            spec,
            json!({
                "replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600,
                "selector": {},
                "strategy": {
                    "type": "RollingUpdate",
                    "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
                },
            })
        );
    }

    #[test]
    fn recreate_needs_no_amounts() {
        let mut deployment = Deployment::default();
        let spec = deployment.spec.get_or_insert_default();
        spec.strategy.get_or_insert_default().type_ = Some("Recreate".to_owned());
        default_deployment(&mut deployment);
        assert_eq!(deployment.spec.unwrap().strategy.unwrap().rolling_update, None);
    }

    #[test]
    fn a_controller_takes_selector_and_labels_from_its_template() {
        let mut controller: ReplicationController = serde_json::from_value(json!({
            "spec": {"template": {"metadata": {"labels": {"a": "b"}}}},
        }))
        .unwrap();
        default_replication_controller(&mut controller);
        let spec = controller.spec.unwrap();
        assert_eq!(serde_json::to_value(spec.selector).unwrap(), json!({"a": "b"}));
        assert_eq!(serde_json::to_value(controller.metadata.labels).unwrap(), json!({"a": "b"}));
    }
}
