//! Arguments of plugins (`pluginConfig[].args`), checked as pkg/scheduler/apis/config/validation 1.36
//! does.

mod gpu;
mod resources;

use k8s_openapi::api::core::v1::{NodeAffinity, TopologySpreadConstraint};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Deferred;
use crate::api::compact::{node_affinity, spread};
use crate::api::validation::affinity::validate_node_affinity;
use crate::api::validation::field::{Errors, Path};
use crate::api::validation::labels::validate_label_name;
use crate::control_plane::scheduler::algorithm::Profile;
use crate::control_plane::scheduler::algorithm::profile::{ResidentPreferences, SpreadDefaults};
use crate::scenario::judge::Judge;
use crate::scenario::reading::whole;
use crate::time::SimDuration;

/// Where arguments stand, and who is told what is wrong with them.
pub(super) struct Place<'p, 'j, 'd> {
    /// `profiles[0].pluginConfig[1].args`.
    pub path: &'p Path<'p>,
    pub judge: &'p mut Judge<'j, 'd>,
    pub deferred: &'p mut Vec<Deferred>,
}

impl Place<'_, '_, '_> {
    fn read<T: DeserializeOwned + Default>(&mut self) -> T {
        whole(&self.path.to_string(), self.judge)
    }

    fn warn(&mut self, field: &str, message: &str) {
        self.judge.warn(&format!("{}.{field}", self.path), message);
    }

    /// An error that is none while `gate` is on.
    fn needs(&mut self, gate: &'static str, field: &str, message: &str) {
        let mut finding = self.judge.blank(&format!("{}.{field}", self.path));
        finding.message = message.to_owned();
        self.deferred.push(Deferred { gate, finding });
    }
}

/// Takes the arguments of plugin `name`.
pub(super) fn take(name: &str, profile: &mut Profile, place: &mut Place<'_, '_, '_>) {
    let mut errors = Errors::new();
    let here = place.path;
    match name {
        "DefaultPreemption" => preemption(profile, place, &mut errors),
        "InterPodAffinity" => inter_pod_affinity(profile, place, &mut errors),
        "NodeAffinity" => added_affinity(profile, place, &mut errors),
        "NodeResourcesBalancedAllocation" => resources::balanced(profile, place, &mut errors),
        "NodeResourcesFit" => resources::fit(profile, place, &mut errors),
        "PodTopologySpread" => topology_spread(profile, place, &mut errors),
        "VolumeBinding" => volume_binding(place, &mut errors),
        "DynamicResources" => dynamic_resources(place, &mut errors),
        "GpuShare" => gpu::gpu_share(profile, place, &mut errors),
        other => place.judge.warn(&here.to_string(), format!("{other} takes no arguments")),
    }
    place.judge.invalid(errors);
}

/// A struct of arguments: the fields every one has, and its own.
macro_rules! arguments {
    ($name:ident { $($(#[$meta:meta])* $field:ident: $type:ty,)* }) => {
        #[derive(Deserialize, Default)]
        #[serde(rename_all = "camelCase", default)]
        struct $name {
            #[allow(dead_code, reason = "looked at before the arguments are read")]
            api_version: Option<String>,
            #[allow(dead_code, reason = "looked at before the arguments are read")]
            kind: Option<String>,
            $($(#[$meta])* $field: $type,)*
        }
    };
}
use arguments;

arguments!(PreemptionArgs {
    min_candidate_nodes_percentage: Option<i32>,
    min_candidate_nodes_absolute: Option<i32>,
});

fn preemption(profile: &mut Profile, place: &mut Place<'_, '_, '_>, errors: &mut Errors) {
    let written: PreemptionArgs = place.read();
    let mut found = profile.candidates;
    found.percentage = written.min_candidate_nodes_percentage.unwrap_or(found.percentage);
    found.absolute = written.min_candidate_nodes_absolute.unwrap_or(found.absolute);
    let percentage = place.path.child("minCandidateNodesPercentage");
    let absolute = place.path.child("minCandidateNodesAbsolute");
    if !(0..=100).contains(&found.percentage) {
        errors.invalid(&percentage, &found.percentage, "not in valid range [0, 100]");
    }
    if found.absolute < 0 {
        errors.invalid(&absolute, &found.absolute, "not in valid range [0, inf)");
    }
    if (found.percentage, found.absolute) == (0, 0) {
        let detail = "cannot be zero at the same time as minCandidateNodesAbsolute";
        errors.invalid(&percentage, &0, detail);
        let detail = "cannot be zero at the same time as minCandidateNodesPercentage";
        errors.invalid(&absolute, &0, detail);
    }
    profile.candidates = found;
}

arguments!(InterPodAffinityArgs {
    hard_pod_affinity_weight: Option<i32>,
    ignore_preferred_terms_of_existing_pods: bool,
});

fn inter_pod_affinity(profile: &mut Profile, place: &mut Place<'_, '_, '_>, errors: &mut Errors) {
    let written: InterPodAffinityArgs = place.read();
    if let Some(weight) = written.hard_pod_affinity_weight {
        if !(0..=100).contains(&weight) {
            let path = place.path.child("hardPodAffinityWeight");
            errors.invalid(&path, &weight, "not in valid range [0, 100]");
        }
        profile.hard_pod_affinity_weight = weight;
    }
    if written.ignore_preferred_terms_of_existing_pods {
        profile.preferences_of_residents = ResidentPreferences::Ignored;
    }
}

arguments!(NodeAffinityArgs { added_affinity: Option<NodeAffinity>, });

fn added_affinity(profile: &mut Profile, place: &mut Place<'_, '_, '_>, errors: &mut Errors) {
    let written: NodeAffinityArgs = place.read();
    let Some(added) = written.added_affinity else { return };
    validate_node_affinity(&added, &place.path.child("addedAffinity"), errors);
    profile.added_affinity = node_affinity(&added);
}

arguments!(PodTopologySpreadArgs {
    default_constraints: Vec<TopologySpreadConstraint>,
    defaulting_type: Option<String>,
});

fn topology_spread(profile: &mut Profile, place: &mut Place<'_, '_, '_>, errors: &mut Errors) {
    let written: PodTopologySpreadArgs = place.read();
    let constraints = &written.default_constraints;
    let path = place.path.child("defaultingType");
    match written.defaulting_type.as_deref().unwrap_or("System") {
        "System" if constraints.is_empty() => {}
        "System" => errors.invalid(&path, "System", "when .defaultConstraints are not empty"),
        "List" => profile.spread = SpreadDefaults::List(spread(constraints)),
        other => errors.not_supported(&path, other, &["System", "List"]),
    }
    let list = place.path.child("defaultConstraints");
    for (at, constraint) in constraints.iter().enumerate() {
        let path = list.index(at);
        if constraint.max_skew <= 0 {
            let detail = "not in valid range (0, inf)";
            errors.invalid(&path.child("maxSkew"), &constraint.max_skew, detail);
        }
        let key = constraint.topology_key.as_str();
        match key {
            "" => errors.required(&path.child("topologyKey"), "can not be empty"),
            _ => validate_label_name(key, &path.child("topologyKey"), errors),
        }
        let known = ["DoNotSchedule", "ScheduleAnyway"];
        let action = constraint.when_unsatisfiable.as_str();
        let place = path.child("whenUnsatisfiable");
        match action {
            "" => errors.required(&place, "can not be empty"),
            _ if !known.contains(&action) => errors.not_supported(&place, action, &known),
            _ => {}
        }
        if constraint.label_selector.is_some() {
            let detail = "constraint must not define a selector, as they deduced for each pod";
            errors.forbidden(&path.child("labelSelector"), detail);
        }
        let is_same = |other: &TopologySpreadConstraint| {
            other.topology_key == key && other.when_unsatisfiable == action
        };
        if constraints[..at].iter().any(is_same) {
            errors.duplicate(&path, &format!("{{{key}, {action}}}"));
        }
    }
}

arguments!(VolumeBindingArgs {
    bind_timeout_seconds: Option<i64>,
    shape: Option<Vec<resources::Point>>,
});

fn volume_binding(place: &mut Place<'_, '_, '_>, errors: &mut Errors) {
    let written: VolumeBindingArgs = place.read();
    if let Some(seconds) = written.bind_timeout_seconds.filter(|seconds| *seconds < 0) {
        let detail = "invalid BindTimeoutSeconds, should not be a negative value";
        errors.invalid(&place.path.child("bindTimeoutSeconds"), &seconds, detail);
    }
    if let Some(shape) = written.shape {
        resources::validate_shape(&shape, &place.path.child("shape"), errors);
        let gate = "StorageCapacityScoring";
        let message = "Invalid value: unexpected field `shape`, remove it or turn on the feature \
                       gate StorageCapacityScoring";
        place.needs(gate, "shape", message);
        place.warn("shape", "accepted, not modelled: volumes of all sizes score alike");
    }
}

arguments!(DynamicResourcesArgs {
    filter_timeout: Option<String>,
    binding_timeout: Option<String>,
});

fn dynamic_resources(place: &mut Place<'_, '_, '_>, errors: &mut Errors) {
    let written: DynamicResourcesArgs = place.read();
    for (field, text, least, low) in [
        ("filterTimeout", written.filter_timeout, SimDuration::ZERO, "must be zero or positive"),
        (
            "bindingTimeout",
            written.binding_timeout,
            SimDuration::from_secs(1),
            "must be at least 1 second",
        ),
    ] {
        let Some(text) = text else { continue };
        let path = place.path.child(field);
        match SimDuration::parse(text.strip_prefix('-').unwrap_or(&text)) {
            Err(error) => errors.invalid(&path, &text, error.to_string()),
            Ok(span) if span < least || text.starts_with('-') => errors.invalid(&path, &text, low),
            Ok(_) => place.warn(field, "accepted, not modelled: no pod has claims here"),
        }
    }
    if written_field(place, "filterTimeout") {
        let message = "Forbidden: DRASchedulingFilterTimeout feature gate is disabled";
        place.needs("DRASchedulerFilterTimeout", "filterTimeout", message);
    }
    if written_field(place, "bindingTimeout") {
        for gate in ["DRADeviceBindingConditions", "DRAResourceClaimDeviceStatus"] {
            let message = "Forbidden: DRADeviceBindingConditions or DRAResourceClaimDeviceStatus \
                           feature gate is disabled";
            place.needs(gate, "bindingTimeout", message);
        }
    }
}

fn written_field(place: &Place<'_, '_, '_>, field: &str) -> bool {
    place.judge.document.node.at_path(&format!("{}.{field}", place.path)).is_some()
}
