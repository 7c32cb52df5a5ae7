//! What namespaces say of their pods' tolerations (admission plugin PodTolerationRestriction, 1.36
//! plugin/pkg/admission/podtolerationrestriction), which is off unless a cluster turns it on.
//!
//! Owns the two annotations. A list that cannot be read refuses every pod of its namespace.

use k8s_openapi::api::core::v1 as core;

use super::Server;
use crate::api::compact::Compactor;
use crate::api::meta::Meta;
use crate::api::misc::Namespace;
use crate::api::name::Text;
use crate::api::object::Object;
use crate::api::pod::{PodSpec, Qos};
use crate::api::rules::taints::{Comparison, Effect, Toleration};
use crate::api::rules::toleration_limits::{allows, merged};
use crate::api::status::Status;

/// What pods of a namespace tolerate besides what they say.
const DEFAULTS: &str = "scheduler.alpha.kubernetes.io/defaultTolerations";
/// What they may tolerate at most.
const ALLOWED: &str = "scheduler.alpha.kubernetes.io/tolerationsWhitelist";
const MEMORY_PRESSURE: &str = "node.kubernetes.io/memory-pressure";

/// Whether namespaces have a say in their pods' tolerations.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PodTolerations {
    /// They have none.
    #[default]
    Free,
    /// The plugin is on.
    Restricted,
}

impl<T> Server<'_, T> {
    /// Gives a new pod of `namespace` the tolerations that are the custom there, and refuses those
    /// that are not allowed.
    pub(super) fn restrict_tolerations(
        &self,
        namespace: &Text,
        spec: &mut PodSpec,
    ) -> Result<(), Status> {
        let found = self.store.find::<Namespace>("", namespace);
        let Some(meta) = found.and_then(|id| self.store.get(id)).map(|it| &it.meta) else {
            return Ok(());
        };
        let mut first = listed(meta, DEFAULTS)?;
        if spec.qos != Qos::BestEffort {
            first.push(Toleration {
                key: MEMORY_PRESSURE.into(),
                comparison: Comparison::Exists,
                value: "".into(),
                effect: Some(Effect::NoSchedule),
                seconds: None,
            });
        }
        if !first.is_empty() {
            spec.tolerations = merged(&first, &spec.tolerations);
        }
        if allows(&listed(meta, ALLOWED)?, &spec.tolerations) {
            return Ok(());
        }
        let words = "pod tolerations (possibly merged with namespace default tolerations) conflict \
                     with its namespace whitelist";
        Err(Status::Internal(words.into()))
    }
}

/// The tolerations that an annotation lists.
fn listed(meta: &Meta, annotation: &str) -> Result<Vec<Toleration>, Status> {
    let Some(text) = meta.annotation(annotation).filter(|text| !text.is_empty()) else {
        return Ok(Vec::new());
    };
    let tolerations: Vec<core::Toleration> =
        serde_json::from_str(text).map_err(|error| Status::Internal(error.to_string().into()))?;
    Ok(held(tolerations))
}

/// Tolerations as pods hold them.
pub(super) fn held(tolerations: Vec<core::Toleration>) -> Vec<Toleration> {
    let spec = core::PodSpec { tolerations: Some(tolerations), ..core::PodSpec::default() };
    let pod = core::Pod { spec: Some(spec), ..core::Pod::default() };
    match Compactor::new().pod(pod).object {
        Object::Pod(pod) => pod.spec.tolerations.clone(),
        _ => Vec::new(),
    }
}
