//! Changes of Jobs, as `pkg/registry/batch/job` and `pkg/apis/batch/validation` of 1.36 check them.

use k8s_openapi::{
    api::batch::v1::{Job, JobSpec},
    api::core::v1::{Affinity, Container, PodTemplateSpec},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::job::{Prefixed, check_spec, template_labels};
use super::spec::is_indexed;
use crate::api::job::{NAME_LABELS, UID_LABELS};
use crate::api::validation::{
    field::{Errors, Path},
    gates::{Gate, State},
    meta::validate_object_meta_update,
    scalar::immutable,
};

/// Checks that a Job may become `new`.
pub fn validate(new: &Job, old: &Job, errors: &mut Errors) {
    let nothing = JobSpec::default();
    let after = new.spec.as_ref().unwrap_or(&nothing);
    let before = old.spec.as_ref().unwrap_or(&nothing);
    check_spec(new, after, prefixed(before), errors);
    let metadata = Path::ROOT.child("metadata");
    validate_object_meta_update(&new.metadata, &old.metadata, &metadata, errors);
    let path = Path::ROOT.child("spec");
    check_completions(after, before, &path.child("completions"), errors);
    immutable(&path.child("selector"), &after.selector, &before.selector, errors);
    check_template_change(old, after, before, &path.child("template"), errors);
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

/// What a Job of an older cluster never had is not asked of it.
fn prefixed(before: &JobSpec) -> Prefixed {
    let labels = template_labels(&before.template);
    let has = |key: &str| labels.is_some_and(|labels| labels.contains_key(key));
    match has(UID_LABELS[1]) && has(NAME_LABELS[1]) {
        true => Prefixed::Required,
        false => Prefixed::Unknown,
    }
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

/// Whether a Job has no pods for sure: it never started, or its controller has taken all of them away.
fn is_at_rest(job: &Job, spec: &JobSpec) -> bool {
    let Some(status) = &job.status else { return spec.suspend == Some(true) };
    let mut conditions = status.conditions.iter().flatten();
    spec.suspend == Some(true)
        && status.active.unwrap_or(0) == 0
        && (status.start_time.is_none()
            || conditions.any(|it| it.type_ == "Suspended" && it.status == "True"))
}

/// The template stays; of a suspended Job without pods, where its pods may go and what they ask for can
/// change.
fn check_template_change(
    old: &Job,
    after: &JobSpec,
    before: &JobSpec,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let (new, held) = (&after.template, &before.template);
    if !is_at_rest(old, before) {
        return immutable(path, new, held, errors);
    }
    let mut allowed = held.clone();
    allow_scheduling_changes(&mut allowed, new);
    errors.only(Gate::MutablePodResourcesForSuspendedJobs, State::Off, |errors| {
        immutable(path, new, &allowed, errors);
    });
    errors.only(Gate::MutablePodResourcesForSuspendedJobs, State::On, |errors| {
        allow_resource_changes(&mut allowed, new);
        immutable(&path.child("spec"), &new.spec, &allowed.spec, errors);
    });
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

/// Requests, limits and claims of the containers, each by its place.
fn allow_resource_changes(allowed: &mut PodTemplateSpec, new: &PodTemplateSpec) {
    let (Some(pod), Some(new_pod)) = (&mut allowed.spec, &new.spec) else { return };
    let copy = |held: &mut [Container], new: &[Container]| {
        for (held, new) in held.iter_mut().zip(new) {
            held.resources.clone_from(&new.resources);
        }
    };
    copy(&mut pod.containers, &new_pod.containers);
    if let (Some(held), Some(new)) = (&mut pod.init_containers, &new_pod.init_containers) {
        copy(held, new);
    }
}
