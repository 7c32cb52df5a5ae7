//! Jobs.
//!
//! A Job's selector is made by the API server from the Job's uid, unless `manualSelector` says
//! otherwise; [`generate_selector`] is that step.

use k8s_openapi::{
    api::batch::v1::{Job, JobSpec},
    api::core::v1::{Affinity, PodTemplateSpec},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::spec::{self, is_indexed};
use crate::api::validation::{
    field::{Errors, Path},
    labels::{SelectorValues, validate_label_selector},
    meta::{Scope, validate_object_meta, validate_object_meta_update},
    names,
    scalar::{immutable, json, text},
    selector,
};

const UID_LABELS: [&str; 2] = ["controller-uid", "batch.kubernetes.io/controller-uid"];
const NAME_LABELS: [&str; 2] = ["job-name", "batch.kubernetes.io/job-name"];

/// Gives a Job the selector and template labels that follow from its uid and name
/// (`pkg/registry/batch/job` of 1.36). A Job with `manualSelector` is left as it is.
pub fn generate_selector(job: &mut Job) {
    let uid = text(job.metadata.uid.as_ref()).to_owned();
    let name = text(job.metadata.name.as_ref()).to_owned();
    let Some(spec) = job.spec.as_mut().filter(|spec| spec.manual_selector != Some(true)) else {
        return;
    };
    let labels = spec.template.metadata.get_or_insert_default().labels.get_or_insert_default();
    for (keys, value) in [(UID_LABELS, &uid), (NAME_LABELS, &name)] {
        for key in keys {
            labels.insert(key.to_owned(), value.clone());
        }
    }
    let selector = spec.selector.get_or_insert_default();
    let wanted = selector.match_labels.get_or_insert_default();
    wanted.insert(UID_LABELS[1].to_owned(), uid);
}

/// Checks a new Job whose defaults are set and whose selector is generated.
pub fn validate(job: &Job, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    let rule = names::subdomain_name;
    validate_object_meta(&job.metadata, Scope::Namespaced, rule, &metadata, errors);
    let nothing = JobSpec::default();
    let spec = job.spec.as_ref().unwrap_or(&nothing);
    check_generated_selector(job, spec, errors);
    validate_with_selector(spec, errors);
    if is_indexed(spec)
        && let Some(completions) = spec.completions.filter(|completions| *completions > 0)
    {
        // The last pod's host name must fit a DNS label.
        let name = text(job.metadata.name.as_ref());
        let hostname = format!("{name}-{}", completions - 1);
        if !names::is_dns1123_label(&hostname).is_empty() {
            let detail = format!("will not able to create pod with invalid DNS label: {hostname}");
            errors.invalid(&metadata.child("name"), name, detail);
        }
    }
}

fn validate_with_selector(job: &JobSpec, errors: &mut Errors) {
    let path = Path::ROOT.child("spec");
    spec::validate(job, &path, errors);
    let Some(selector) = &job.selector else {
        errors.required(&path.child("selector"), "");
        return check_match(job, None, &path, errors);
    };
    let values = SelectorValues::LabelValues;
    validate_label_selector(selector, &path.child("selector"), values, errors);
    if selector::is_sound(selector) {
        let labels = template_labels(&job.template);
        check_match(job, Some(selector::matches(selector, labels)), &path, errors);
    }
}

/// A selector that is not there matches nothing.
fn check_match(job: &JobSpec, matches: Option<bool>, path: &Path<'_>, errors: &mut Errors) {
    if matches != Some(true) {
        let value = template_labels(&job.template).map_or_else(|| "null".to_owned(), json);
        let path = path.child("template");
        let path = path.child("metadata");
        let detail = "`selector` does not match template `labels`";
        errors.invalid_as(&path.child("labels"), value, detail);
    }
}

fn template_labels(
    template: &PodTemplateSpec,
) -> Option<&std::collections::BTreeMap<String, String>> {
    template.metadata.as_ref().and_then(|metadata| metadata.labels.as_ref())
}

/// Whether the generated labels arrived, and the selector asks for nothing but them.
fn check_generated_selector(job: &Job, spec: &JobSpec, errors: &mut Errors) {
    if spec.manual_selector == Some(true) {
        return;
    }
    let Some(selector) = &spec.selector else { return };
    let uid = text(job.metadata.uid.as_ref());
    let name = text(job.metadata.name.as_ref());
    if uid.is_empty() {
        errors.required(&Path::ROOT.child("metadata").child("uid"), "");
    }
    let path = Path::ROOT.child("spec");
    let template = path.child("template");
    let metadata = template.child("metadata");
    let place = metadata.child("labels");
    let labels = template_labels(&spec.template);
    let mut expected = std::collections::BTreeMap::new();
    for (key, value) in
        [(UID_LABELS[0], uid), (NAME_LABELS[0], name), (UID_LABELS[1], uid), (NAME_LABELS[1], name)]
    {
        match labels.and_then(|labels| labels.get(key)) {
            None => errors.required(&place.key(key), &format!("must be '{value}'")),
            Some(given) if given != value => {
                let value = format!("must be '{value}'");
                errors.invalid_as(&place.key(key), json(&labels), value);
            }
            Some(_) => {}
        }
        expected.insert(key.to_owned(), value.to_owned());
    }
    if selector::is_sound(selector) && !selector::matches(selector, Some(&expected)) {
        let detail = "`selector` not auto-generated";
        errors.invalid_as(&path.child("selector"), json(selector), detail);
    }
}

/// Checks that a Job may become `new`.
pub fn validate_update(new: &Job, old: &Job, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    validate_object_meta_update(&new.metadata, &old.metadata, &metadata, errors);
    let nothing = JobSpec::default();
    let after = new.spec.as_ref().unwrap_or(&nothing);
    let before = old.spec.as_ref().unwrap_or(&nothing);
    validate_with_selector(after, errors);
    let path = Path::ROOT.child("spec");
    check_completions(after, before, &path.child("completions"), errors);
    immutable(&path.child("selector"), &after.selector, &before.selector, errors);
    check_template_change(old, after, before, &path, errors);
    let mode = path.child("completionMode");
    immutable(&mode, &after.completion_mode, &before.completion_mode, errors);
    let policy = path.child("podFailurePolicy");
    immutable(&policy, &after.pod_failure_policy, &before.pod_failure_policy, errors);
    let limit = path.child("backoffLimitPerIndex");
    immutable(&limit, &after.backoff_limit_per_index, &before.backoff_limit_per_index, errors);
    immutable(&path.child("managedBy"), &after.managed_by, &before.managed_by, errors);
    let policy = path.child("successPolicy");
    immutable(&policy, &after.success_policy, &before.success_policy, errors);
}

/// Completions change only for an indexed Job, and then together with parallelism.
fn check_completions(new: &JobSpec, old: &JobSpec, path: &Path<'_>, errors: &mut Errors) {
    if !is_indexed(new) {
        immutable(path, &new.completions, &old.completions, errors);
    } else if let Some(completions) = new.completions
        && new.completions != old.completions
        && new.parallelism != new.completions
    {
        let detail = "can only be modified in tandem with spec.parallelism";
        errors.invalid(path, &completions, detail);
    }
}

/// The template stays; of a suspended Job that never started, where its pods may go can change.
fn check_template_change(
    old: &Job,
    after: &JobSpec,
    before: &JobSpec,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let never_started = old.status.as_ref().is_none_or(|status| status.start_time.is_none());
    let suspended = before.suspend == Some(true);
    let mut allowed = before.template.clone();
    if suspended && never_started {
        allow_scheduling_changes(&mut allowed, &after.template);
    }
    immutable(&path.child("template"), &after.template, &allowed, errors);
}

fn allow_scheduling_changes(allowed: &mut PodTemplateSpec, new: &PodTemplateSpec) {
    let (Some(pod), Some(new_pod)) = (&mut allowed.spec, &new.spec) else { return };
    pod.node_selector.clone_from(&new_pod.node_selector);
    pod.tolerations.clone_from(&new_pod.tolerations);
    pod.scheduling_gates.clone_from(&new_pod.scheduling_gates);
    match (&new_pod.affinity, &mut pod.affinity) {
        (Some(new), old) => {
            old.get_or_insert_default().node_affinity.clone_from(&new.node_affinity);
        }
        (None, Some(old)) => {
            old.node_affinity = None;
            if *old == Affinity::default() {
                pod.affinity = None;
            }
        }
        (None, None) => {}
    }
    let none = ObjectMeta::default();
    let new_metadata = new.metadata.as_ref().unwrap_or(&none);
    if allowed.metadata.is_some() || new.metadata.is_some() {
        let metadata = allowed.metadata.get_or_insert_default();
        metadata.labels.clone_from(&new_metadata.labels);
        metadata.annotations.clone_from(&new_metadata.annotations);
    }
}
