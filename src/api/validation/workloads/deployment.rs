//! Deployments.

use k8s_openapi::{
    api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment},
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::{
    Kind, SelectorIs, check_replicated_template, check_selector, printed_amount, printed_strategy,
};
use crate::api::validation::{
    amounts::{amount_or_zero, check_amount, check_at_most_all},
    field::{Errors, Path},
    meta::{Scope, validate_object_meta, validate_object_meta_update},
    names,
    scalar::{immutable, json, not_negative, not_negative_if_set, text},
};

const KIND: Kind = Kind {
    in_deadline: "ReplicaSet",
    in_selector: "deployment",
    unsound_selector: "invalid label selector",
};

/// Checks a new Deployment whose defaults are set.
pub fn validate(deployment: &Deployment, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    let rule = names::subdomain_name;
    validate_object_meta(&deployment.metadata, Scope::Namespaced, rule, &metadata, errors);
    validate_spec(deployment.spec.as_ref(), errors);
}

/// Checks that a Deployment may become `new`.
pub fn validate_update(new: &Deployment, old: &Deployment, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    validate_object_meta_update(&new.metadata, &old.metadata, &metadata, errors);
    validate_spec(new.spec.as_ref(), errors);
    if let (Some(new), Some(old)) = (&new.spec, &old.spec) {
        let spec = Path::ROOT.child("spec");
        immutable(&spec.child("selector"), &new.selector, &old.selector, errors);
    }
}

fn validate_spec(spec: Option<&DeploymentSpec>, errors: &mut Errors) {
    let nothing = DeploymentSpec::default();
    let spec = spec.unwrap_or(&nothing);
    let path = Path::ROOT.child("spec");
    not_negative_if_set(&path.child("replicas"), spec.replicas, errors);
    let selector = check_selector(&spec.selector, KIND, &path.child("selector"), errors);
    if selector == SelectorIs::Usable {
        let template = path.child("template");
        check_replicated_template(&spec.template, &spec.selector, &template, errors);
    }
    validate_strategy(spec.strategy.as_ref(), &path.child("strategy"), errors);
    let min_ready = spec.min_ready_seconds.unwrap_or(0);
    not_negative(&path.child("minReadySeconds"), min_ready, errors);
    not_negative_if_set(&path.child("revisionHistoryLimit"), spec.revision_history_limit, errors);
    if let Some(deadline) = spec.progress_deadline_seconds {
        let path = path.child("progressDeadlineSeconds");
        not_negative(&path, deadline, errors);
        if deadline <= min_ready {
            errors.invalid(&path, &deadline, "must be greater than minReadySeconds");
        }
    }
}

fn validate_strategy(strategy: Option<&DeploymentStrategy>, path: &Path<'_>, errors: &mut Errors) {
    let rolling_update = strategy.and_then(|strategy| strategy.rolling_update.as_ref());
    let place = path.child("rollingUpdate");
    match (text(strategy.and_then(|strategy| strategy.type_.as_ref())), rolling_update) {
        ("Recreate", None) => {}
        ("Recreate", Some(_)) => {
            let detail = "may not be specified when strategy `type` is 'Recreate'";
            errors.forbidden(&place, detail);
        }
        ("RollingUpdate", None) => {
            errors.required(&place, "this should be defaulted and never be nil");
        }
        ("RollingUpdate", Some(update)) => validate_rolling_update(update, &place, errors),
        (other, update) => {
            let fields = update.map(|update| {
                vec![
                    ("MaxUnavailable", printed_amount(update.max_unavailable.as_ref())),
                    ("MaxSurge", printed_amount(update.max_surge.as_ref())),
                ]
            });
            let value = printed_strategy(other, fields);
            errors.not_supported(path, &value, &["Recreate", "RollingUpdate"]);
        }
    }
}

fn validate_rolling_update(update: &RollingUpdateDeployment, path: &Path<'_>, errors: &mut Errors) {
    let none = IntOrString::Int(0);
    let unavailable = update.max_unavailable.as_ref().unwrap_or(&none);
    let surge = update.max_surge.as_ref().unwrap_or(&none);
    let unavailable_path = path.child("maxUnavailable");
    check_amount(unavailable, &unavailable_path, errors);
    check_amount(surge, &path.child("maxSurge"), errors);
    if amount_or_zero(unavailable) == 0 && amount_or_zero(surge) == 0 {
        let detail = "may not be 0 when `maxSurge` is 0";
        errors.invalid_as(&unavailable_path, json(unavailable), detail);
    }
    check_at_most_all(unavailable, &unavailable_path, errors);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn deployment(changes: Value) -> Deployment {
        let mut spec = json!({
            "replicas": 1,
            "selector": {"matchLabels": {"app": "web"}},
            "strategy": {"type": "Recreate"},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {
                    "restartPolicy": "Always", "dnsPolicy": "ClusterFirst",
                    "terminationGracePeriodSeconds": 30,
                    "containers": [{
                        "name": "c", "image": "i", "imagePullPolicy": "Always",
                        "terminationMessagePolicy": "File",
                    }],
                },
            },
        });
        if let (Value::Object(spec), Value::Object(changes)) = (&mut spec, changes) {
            spec.extend(changes);
        }
        serde_json::from_value(json!({"metadata": {"name": "d", "namespace": "n"}, "spec": spec}))
            .unwrap()
    }

    fn lines(changes: Value) -> Vec<String> {
        let mut errors = Errors::new();
        validate(&deployment(changes), &mut errors);
        errors.list().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn lines_read_as_the_api_servers() {
        assert_eq!(lines(json!({})), [""; 0]);
        assert_eq!(
            lines(json!({"replicas": -1})),
            ["spec.replicas: Invalid value: -1: must be greater than or equal to 0"]
        );
        assert_eq!(
            lines(json!({"selector": {"matchLabels": {"app": "db"}}})),
            ["spec.template.metadata.labels: Invalid value: {\"app\":\"web\"}: `selector` does \
              not match template `labels`"]
        );
        assert_eq!(
            lines(json!({"strategy": {"type": "Slowly"}})),
            ["spec.strategy: Unsupported value: {\"Type\":\"Slowly\",\"RollingUpdate\":null}: \
              supported values: \"Recreate\", \"RollingUpdate\""]
        );
        assert_eq!(
            lines(json!({"minReadySeconds": 10, "progressDeadlineSeconds": 10})),
            ["spec.progressDeadlineSeconds: Invalid value: 10: must be greater than \
              minReadySeconds"]
        );
    }

    #[test]
    fn a_rollout_must_be_able_to_move() {
        let rolling = |surge: Value, unavailable: Value| {
            lines(json!({"strategy": {"type": "RollingUpdate", "rollingUpdate": {
                "maxSurge": surge, "maxUnavailable": unavailable,
            }}}))
        };
        assert_eq!(rolling(json!("25%"), json!(0)), [""; 0]);
        assert_eq!(
            rolling(json!("0%"), json!(0)),
            ["spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when \
              `maxSurge` is 0"]
        );
        assert_eq!(
            rolling(json!(1), json!("101%")),
            ["spec.strategy.rollingUpdate.maxUnavailable: Invalid value: \"101%\": must not be \
              greater than 100%"]
        );
    }

    #[test]
    fn the_selector_never_changes() {
        let mut old = deployment(json!({}));
        old.metadata.resource_version = Some("1".to_owned());
        let mut new = old.clone();
        let spec = new.spec.as_mut().unwrap();
        spec.selector.match_labels = None;
        spec.selector.match_expressions =
            serde_json::from_value(json!([{"key": "app", "operator": "Exists"}])).unwrap();
        let mut errors = Errors::new();
        validate_update(&new, &old, &mut errors);
        let lines: Vec<String> = errors.list().iter().map(ToString::to_string).collect();
        assert_eq!(
            lines,
            ["spec.selector: Invalid value: {\"matchExpressions\":[{\"key\":\"app\",\
              \"operator\":\"Exists\"}]}: field is immutable"]
        );
    }
}
