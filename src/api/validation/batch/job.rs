//! Jobs.
//!
//! A Job's selector is made by the API server from the Job's uid, unless `manualSelector` says
//! otherwise; [`generate_selector`] is that step.

use k8s_openapi::{
    api::batch::v1::{Job, JobSpec},
    api::core::v1::PodTemplateSpec,
};

use super::spec::{self, is_indexed};
use crate::api::job::{NAME_LABELS, UID_LABELS};
use crate::api::validation::{
    field::{Errors, Path},
    labels::{SelectorValues, validate_label_selector},
    meta::{Scope, validate_object_meta},
    names,
    scalar::{json, text},
    selector,
};

/// Gives a Job the selector and template labels that follow from its uid and name, where it does not have
/// them (`pkg/registry/batch/job` of 1.36): those it has must be the same. A Job with `manualSelector` is
/// left as it is.
pub fn generate_selector(job: &mut Job) {
    let uid = text(job.metadata.uid.as_ref()).to_owned();
    let name = text(job.metadata.name.as_ref()).to_owned();
    let Some(spec) = job.spec.as_mut().filter(|spec| spec.manual_selector != Some(true)) else {
        return;
    };
    let labels = spec.template.metadata.get_or_insert_default().labels.get_or_insert_default();
    for (keys, value) in [(UID_LABELS, &uid), (NAME_LABELS, &name)] {
        for key in keys {
            labels.entry(key.to_owned()).or_insert_with(|| value.clone());
        }
    }
    let selector = spec.selector.get_or_insert_default();
    let wanted = selector.match_labels.get_or_insert_default();
    wanted.entry(UID_LABELS[1].to_owned()).or_insert(uid);
}

/// Checks a new Job whose defaults are set and whose selector is generated.
pub fn validate(job: &Job, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    let rule = names::subdomain_name;
    validate_object_meta(&job.metadata, Scope::Namespaced, rule, &metadata, errors);
    let nothing = JobSpec::default();
    let spec = job.spec.as_ref().unwrap_or(&nothing);
    check_spec(job, spec, Prefixed::Required, errors);
}

/// Whether the labels of a Job's pods must be there under their new names too.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Prefixed {
    /// They must.
    Required,
    /// The Job was stored when there were none (`validationOptionsForJob`).
    Unknown,
}

/// Checks what a Job must be whether it is new or changed, its metadata apart.
pub(super) fn check_spec(job: &Job, spec: &JobSpec, prefixed: Prefixed, errors: &mut Errors) {
    check_generated_selector(job, spec, prefixed, errors);
    validate_with_selector(spec, errors);
    if is_indexed(spec)
        && let Some(completions) = spec.completions.filter(|completions| *completions > 0)
    {
        // The last pod's host name must fit a DNS label.
        let name = text(job.metadata.name.as_ref());
        let hostname = format!("{name}-{}", completions - 1);
        if !names::is_dns1123_label(&hostname).is_empty() {
            let detail = format!("will not able to create pod with invalid DNS label: {hostname}");
            errors.invalid(&Path::ROOT.child("metadata").child("name"), name, detail);
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

pub(super) fn template_labels(
    template: &PodTemplateSpec,
) -> Option<&std::collections::BTreeMap<String, String>> {
    template.metadata.as_ref().and_then(|metadata| metadata.labels.as_ref())
}

/// Whether the generated labels arrived, and the selector asks for nothing but them.
fn check_generated_selector(job: &Job, spec: &JobSpec, prefixed: Prefixed, errors: &mut Errors) {
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
        expected.insert(key.to_owned(), value.to_owned());
        if prefixed == Prefixed::Unknown && (key == UID_LABELS[1] || key == NAME_LABELS[1]) {
            continue;
        }
        match labels.and_then(|labels| labels.get(key)) {
            None => errors.required(&place.key(key), &format!("must be '{value}'")),
            Some(given) if given != value => {
                let value = format!("must be '{value}'");
                errors.invalid_as(&place.key(key), json(&labels), value);
            }
            Some(_) => {}
        }
    }
    if selector::is_sound(selector) && !selector::matches(selector, Some(&expected)) {
        let detail = "`selector` not auto-generated";
        errors.invalid_as(&path.child("selector"), json(selector), detail);
    }
}
