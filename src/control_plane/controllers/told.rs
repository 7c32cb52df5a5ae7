//! What controllers of pods say of them (`RealPodControl`, kube-controller-manager 1.36
//! pkg/controller/controller_utils.go).

use super::Known;
use crate::api::meta::RawId;
use crate::api::name::Name;
use crate::api::pod::Pod;
use crate::api::status::Status;
use crate::messages::Remark;

/// A pod was created, as the reply tells.
pub fn created(pod: RawId, known: Known<'_>) -> Remark {
    let name = known.view.replied(pod.typed::<Pod>()).map(|pod| &pod.meta.name);
    let name = name.map(ToString::to_string).unwrap_or_default();
    Remark::normal("SuccessfulCreate", format!("Created pod: {name}"))
}

/// A pod could not be created.
pub fn not_created(why: &Status) -> Remark {
    Remark::warning("FailedCreate", format!("Error creating: {why}"))
}

/// A pod was deleted.
pub fn deleted(pod: &Name) -> Remark {
    Remark::normal("SuccessfulDelete", format!("Deleted pod: {pod}"))
}

/// A pod could not be deleted.
pub fn not_deleted(why: &Status) -> Remark {
    Remark::warning("FailedDelete", format!("Error deleting: {why}"))
}
