//! Arguments of GpuShare.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Written;
use serde::Deserialize;

use super::{Place, arguments};
use crate::api::quantity::Quantity;
use crate::api::validation::field::Errors;
use crate::api::validation::labels::validate_label_name;
use crate::control_plane::scheduler::algorithm::Profile;
use crate::control_plane::scheduler::algorithm::plugins::gpu_share::ask::Ask;
use crate::control_plane::scheduler::algorithm::plugins::gpu_share::fragmentation::Typical;
use crate::control_plane::scheduler::algorithm::plugins::gpu_share::{
    DEVICES_MAX, GpuShare, Policy, WHOLE,
};

/// Typical pods of a workload.
const TYPICAL_MAX: usize = 1000;
/// How often one may come against another.
const WEIGHT_MAX: i64 = 1_000_000;

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct TypicalPod {
    cpu: Option<Written>,
    gpu_count: Option<i64>,
    gpu_milli: Option<i64>,
    gpu_model: String,
    weight: Option<i64>,
}

arguments!(GpuShareArgs {
    policy: Option<String>,
    count_name: Option<String>,
    milli_name: Option<String>,
    index_name: Option<String>,
    model_name: Option<String>,
    whole_name: Option<String>,
    workload: Vec<TypicalPod>,
});

pub(super) fn gpu_share(profile: &mut Profile, place: &mut Place<'_, '_, '_>, errors: &mut Errors) {
    let written: GpuShareArgs = place.read();
    let mut found = GpuShare::default();
    match written.policy.as_deref() {
        None | Some("BestFit") => {}
        Some("WorstFit") => found.policy = Policy::WorstFit,
        Some("FGD") => found.policy = Policy::Fgd,
        Some(other) => {
            let known = ["BestFit", "FGD", "WorstFit"];
            errors.not_supported(&place.path.child("policy"), other, &known);
        }
    }
    for (field, name, to) in [
        ("countName", written.count_name, &mut found.count),
        ("milliName", written.milli_name, &mut found.milli),
        ("indexName", written.index_name, &mut found.index),
        ("modelName", written.model_name, &mut found.model),
        ("wholeName", written.whole_name, &mut found.whole),
    ] {
        let Some(name) = name else { continue };
        validate_label_name(&name, &place.path.child(field), errors);
        *to = name.as_str().into();
    }
    let list = place.path.child("workload");
    if written.workload.len() > TYPICAL_MAX {
        errors.too_many(&list, written.workload.len(), TYPICAL_MAX);
    }
    for (at, pod) in written.workload.iter().enumerate() {
        let path = list.index(at);
        let count = pod.gpu_count.unwrap_or(i64::from(pod.gpu_milli.is_some()));
        let milli = pod.gpu_milli.unwrap_or(if count > 0 { i64::from(WHOLE) } else { 0 });
        let weight = pod.weight.unwrap_or(1);
        let mut within = |field: &str, value: i64, least: i64, most: i64| {
            if !(least..=most).contains(&value) {
                let detail = format!("not in valid range [{least}, {most}]");
                errors.invalid(&path.child(field), &value, detail);
            }
        };
        within("gpuCount", count, 0, DEVICES_MAX as i64);
        within("gpuMilli", milli, i64::from(count > 0), i64::from(WHOLE));
        within("weight", weight, 1, WEIGHT_MAX);
        if count > 1 && milli < i64::from(WHOLE) {
            errors.invalid(&path.child("gpuMilli"), &milli, "a share lies on one device");
        }
        let cpu = pod.cpu.as_ref().map(Quantity::of);
        if let Some(Err(error)) = &cpu {
            errors.invalid(&path.child("cpu"), "", error.to_string());
        }
        let cpu = cpu.and_then(Result::ok).map_or(0, |cpu| cpu.milli_value());
        let ask = Ask {
            count: u32::try_from(count).unwrap_or(0),
            milli: i32::try_from(milli).unwrap_or(0),
            cpu,
            models: pod.gpu_model.as_str().into(),
            pinned: Vec::new(),
        };
        let weight = u32::try_from(weight).unwrap_or(1);
        found.workload.push(Typical { ask, weight });
    }
    profile.gpu = Arc::new(found);
}
