//! What schedulers count of a pod that is being resized: of each container the greatest of what is asked for, what
//! its node has made room for, and what it has (`PodRequests` with `UseStatusResources`, component-helpers 1.36).

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Written;

use super::pod_spec::nonzero_defaults;
use crate::api::pod::{PodSpec, Resizing, container_at};
use crate::api::resources::Resources;
use crate::api::rules::resources::{Basis, SumRules, counted, pod_requests};

/// The spec with the requests that count while it is resized like this.
pub fn counted_spec(spec: &Arc<PodSpec>, resizing: &Resizing) -> Arc<PodSpec> {
    let is_through = resizing.pending.is_none()
        && resizing.actual.is_empty()
        && resizing.allocated.written == spec.written;
    if is_through {
        return spec.clone();
    }
    let written: core::PodSpec = serde_json::from_str(&spec.written).unwrap_or_default();
    let status = status(spec, resizing);
    let defaults = nonzero_defaults();
    let basis = Basis::Status;
    let plain = SumRules { basis, ..SumRules::default() };
    let nonzero = SumRules { basis, missing: Some(&defaults), ..SumRules::default() };
    let mut next = PodSpec::clone(spec);
    next.requests = counted(&pod_requests(&written, Some(&status), plain));
    next.nonzero_requests = counted(&pod_requests(&written, Some(&status), nonzero));
    Arc::new(next)
}

/// What the status of such a pod says of it.
fn status(spec: &PodSpec, resizing: &Resizing) -> core::PodStatus {
    let inits = spec.init_containers.len();
    let of = |index: usize| {
        let allocated = container_at(&resizing.allocated, index);
        let actual = resizing.actual.iter().find(|(at, _)| usize::from(*at) == index);
        let has = actual.map_or(&allocated.requests, |(_, share)| &share.requests);
        core::ContainerStatus {
            name: allocated.name.to_string(),
            allocated_resources: Some(amounts(&allocated.requests)),
            resources: Some(core::ResourceRequirements {
                requests: Some(amounts(has)),
                ..Default::default()
            }),
            ..Default::default()
        }
    };
    let pending = resizing.pending.as_ref().map(|why| core::PodCondition {
        type_: "PodResizePending".into(),
        status: "True".into(),
        reason: Some(why.reason.to_string()),
        ..Default::default()
    });
    core::PodStatus {
        init_container_statuses: Some((0..inits).map(of).collect()),
        container_statuses: Some((inits..inits + spec.containers.len()).map(of).collect()),
        conditions: Some(pending.into_iter().collect()),
        ..Default::default()
    }
}

fn amounts(of: &Resources) -> BTreeMap<String, Written> {
    let mut all = BTreeMap::new();
    let mut put = |name: &str, text: String| all.insert(name.to_owned(), Written(text));
    if of.cpu_milli > 0 {
        put("cpu", format!("{}m", of.cpu_milli));
    }
    for (name, amount) in [("memory", of.memory), ("ephemeral-storage", of.ephemeral_storage)] {
        if amount > 0 {
            put(name, amount.to_string());
        }
    }
    for (name, amount) in &of.scalar {
        put(name, amount.to_string());
    }
    all
}
