//! StatefulSets.

use std::borrow::Cow;

use k8s_openapi::{
    api::{
        apps::v1::{
            RollingUpdateStatefulSetStrategy, StatefulSet,
            StatefulSetPersistentVolumeClaimRetentionPolicy, StatefulSetSpec,
            StatefulSetUpdateStrategy,
        },
        core::v1::{PersistentVolumeClaimVolumeSource, PodTemplateSpec, Volume},
    },
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::{Kind, SelectorIs, check_endless, check_match, check_selector, printed_strategy};
use crate::api::validation::{
    amounts::{amount_or_zero, check_amount, check_at_most_all},
    field::{Errors, Path},
    gates::{Gate, Gates, State},
    meta::{Scope, validate_object_meta, validate_object_meta_update},
    names,
    pod::validate_pod_template_spec,
    scalar::{items, json, not_negative, not_negative_if_set, obeys, text},
    storage::validate_claim_spec,
};

const KIND: Kind =
    Kind { in_deadline: "StatefulSet", in_selector: "statefulset", unsound_selector: "" };

/// Which parts of a spec are looked at: on update, some were taken before the rules were made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// A new object: everything.
    New,
    /// An update: not the immutable parts.
    Mutable,
    /// An update of an object that is not valid itself: not the template either.
    Lenient,
}

/// Checks a new StatefulSet whose defaults are set.
pub fn validate(set: &StatefulSet, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    let rule = names::label_name;
    validate_object_meta(&set.metadata, Scope::Namespaced, rule, &metadata, errors);
    validate_spec(set.spec.as_ref(), Depth::New, errors);
}

/// Checks that a StatefulSet may become `new`.
pub fn validate_update(new: &StatefulSet, old: &StatefulSet, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    validate_object_meta_update(&new.metadata, &old.metadata, &metadata, errors);
    let mut old_errors = Errors::new();
    validate_spec(old.spec.as_ref(), Depth::Mutable, &mut old_errors);
    let depth = if old_errors.is_empty() { Depth::Mutable } else { Depth::Lenient };
    validate_spec(new.spec.as_ref(), depth, errors);
    if let (Some(new), Some(old)) = (&new.spec, &old.spec)
        && !differ_only_where_allowed(new, old)
    {
        let detail = "updates to statefulset spec for fields other than 'replicas', 'ordinals', \
                      'template', 'updateStrategy', 'revisionHistoryLimit', \
                      'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden";
        errors.forbidden(&Path::ROOT.child("spec"), detail);
    }
}

fn differ_only_where_allowed(new: &StatefulSetSpec, old: &StatefulSetSpec) -> bool {
    // Taken apart so that a new field does not go unnoticed.
    let StatefulSetSpec {
        min_ready_seconds: _,
        ordinals: _,
        persistent_volume_claim_retention_policy: _,
        pod_management_policy,
        replicas: _,
        revision_history_limit: _,
        selector,
        service_name,
        template: _,
        update_strategy: _,
        volume_claim_templates,
    } = new;
    text(pod_management_policy.as_ref()) == text(old.pod_management_policy.as_ref())
        && *selector == old.selector
        && text(service_name.as_ref()) == text(old.service_name.as_ref())
        && items(volume_claim_templates.as_ref()) == items(old.volume_claim_templates.as_ref())
}

fn validate_spec(spec: Option<&StatefulSetSpec>, depth: Depth, errors: &mut Errors) {
    let nothing = StatefulSetSpec::default();
    let spec = spec.unwrap_or(&nothing);
    let path = Path::ROOT.child("spec");
    let management = path.child("podManagementPolicy");
    match text(spec.pod_management_policy.as_ref()) {
        "" => errors.required(&management, ""),
        "OrderedReady" | "Parallel" => {}
        other => errors.invalid(&management, other, "must be 'OrderedReady' or 'Parallel'"),
    }
    validate_strategy(spec.update_strategy.as_ref(), &path.child("updateStrategy"), errors);
    if let Some(policy) = &spec.persistent_volume_claim_retention_policy {
        let path = path.child("persistentVolumeClaimRetentionPolicy");
        validate_retention(policy, &path, errors);
    }
    if depth == Depth::New {
        let list = path.child("volumeClaimTemplates");
        for (at, claim) in items(spec.volume_claim_templates.as_ref()).iter().enumerate() {
            validate_claim_spec(claim.spec.as_ref(), &list.index(at).child("spec"), errors);
        }
    }
    not_negative_if_set(&path.child("replicas"), spec.replicas, errors);
    not_negative_if_set(&path.child("minReadySeconds"), spec.min_ready_seconds, errors);
    if let Some(ordinals) = &spec.ordinals {
        not_negative_if_set(&path.child("ordinals.start"), ordinals.start, errors);
    }
    let service = text(spec.service_name.as_ref());
    if depth == Depth::New && !service.is_empty() {
        obeys(&path.child("serviceName"), service, names::is_dns1123_label, errors);
    }
    let selector = check_selector(&spec.selector, KIND, &path.child("selector"), errors);
    let template_path = path.child("template");
    if selector == SelectorIs::Usable {
        check_match(&spec.selector, &spec.template, &template_path, errors);
        if depth != Depth::Lenient {
            validate_pod_template_spec(&template_with_claims(spec), &template_path, errors);
        }
    }
    check_endless(&spec.template, KIND, &template_path, errors);
}

/// The template as the controller will use it: its claims are volumes, and host name and
/// subdomain are the controller's.
fn template_with_claims(spec: &StatefulSetSpec) -> Cow<'_, PodTemplateSpec> {
    let claims = items(spec.volume_claim_templates.as_ref());
    let Some(pod) = &spec.template.spec else { return Cow::Borrowed(&spec.template) };
    if claims.is_empty() && pod.subdomain.is_none() && pod.hostname.is_none() {
        return Cow::Borrowed(&spec.template);
    }
    let mut pod = pod.clone();
    pod.subdomain = None;
    pod.hostname = None;
    if !claims.is_empty() {
        let mut volumes: Vec<Volume> = Vec::with_capacity(claims.len());
        for claim in claims {
            let name = text(claim.metadata.name.as_ref());
            if volumes.iter().all(|volume| volume.name != name) {
                volumes.push(claim_volume(name));
            }
        }
        let given = pod.volumes.take().unwrap_or_default();
        let claimed = volumes.len();
        for volume in given {
            if volumes[..claimed].iter().all(|known| known.name != volume.name) {
                volumes.push(volume);
            }
        }
        pod.volumes = Some(volumes);
    }
    let metadata = spec.template.metadata.clone();
    Cow::Owned(PodTemplateSpec { metadata, spec: Some(pod) })
}

fn claim_volume(name: &str) -> Volume {
    Volume {
        name: name.to_owned(),
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
            claim_name: name.to_owned(),
            read_only: None,
        }),
        ..Volume::default()
    }
}

fn validate_strategy(
    strategy: Option<&StatefulSetUpdateStrategy>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let rolling_update = strategy.and_then(|strategy| strategy.rolling_update.as_ref());
    let place = path.child("rollingUpdate");
    match (text(strategy.and_then(|strategy| strategy.type_.as_ref())), rolling_update) {
        ("", _) => errors.required(path, ""),
        ("OnDelete", Some(update)) => {
            let detail = "only allowed for updateStrategy 'RollingUpdate'";
            errors.invalid_as(&place, printed(update), detail);
        }
        ("OnDelete" | "RollingUpdate", None) => {}
        ("RollingUpdate", Some(update)) => {
            not_negative(&place.child("partition"), update.partition.unwrap_or(0), errors);
            if let Some(unavailable) = &update.max_unavailable {
                check_unavailable(unavailable, &place.child("maxUnavailable"), errors);
            }
        }
        (other, update) => {
            let fields = update.map(|update| {
                vec![
                    ("Partition", update.partition.unwrap_or(0).to_string()),
                    ("MaxUnavailable", json(&update.max_unavailable)),
                ]
            });
            let value = printed_strategy(other, fields).0;
            errors.invalid_as(path, value, "must be 'RollingUpdate' or 'OnDelete'");
        }
    }
}

/// `spec.updateStrategy.rollingUpdate.maxUnavailable`.
pub fn max_unavailable(set: &StatefulSet) -> Option<&IntOrString> {
    let strategy = set.spec.as_ref()?.update_strategy.as_ref()?;
    strategy.rolling_update.as_ref()?.max_unavailable.as_ref()
}

/// Takes `maxUnavailable` out of `new` where its gate is off and `old` does not have it
/// (`dropStatefulSetDisabledFields`): what has it keeps it, and is held to it. The gates to check by come
/// back.
pub fn drop_disabled(new: &mut StatefulSet, old: &StatefulSet, gates: Gates) -> Gates {
    if max_unavailable(old).is_some() {
        return gates.with(Gate::MaxUnavailableStatefulSet, State::On);
    }
    if gates.state(Gate::MaxUnavailableStatefulSet) == State::Off {
        let strategy = new.spec.as_mut().and_then(|spec| spec.update_strategy.as_mut());
        if let Some(update) = strategy.and_then(|strategy| strategy.rolling_update.as_mut()) {
            update.max_unavailable = None;
        }
    }
    gates
}

/// Without its gate the field is dropped before anybody looks at it.
fn check_unavailable(amount: &IntOrString, path: &Path<'_>, errors: &mut Errors) {
    errors.only(Gate::MaxUnavailableStatefulSet, State::On, |errors| {
        check_amount(amount, path, errors);
        if amount_or_zero(amount) == 0 {
            errors.invalid_as(path, json(amount), "cannot be 0");
        }
        check_at_most_all(amount, path, errors);
    });
}

fn printed(update: &RollingUpdateStatefulSetStrategy) -> String {
    let partition = update.partition.unwrap_or(0);
    format!("{{\"Partition\":{partition},\"MaxUnavailable\":{}}}", json(&update.max_unavailable))
}

fn validate_retention(
    policy: &StatefulSetPersistentVolumeClaimRetentionPolicy,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    for (field, value) in
        [("whenDeleted", &policy.when_deleted), ("whenScaled", &policy.when_scaled)]
    {
        let value = text(value.as_ref());
        if !["Retain", "Delete"].contains(&value) {
            errors.not_supported(&path.child(field), value, &["Retain", "Delete"]);
        }
    }
}
