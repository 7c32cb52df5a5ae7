//! The claims of a StatefulSet's pods (`updateStorage`, pkg/controller/statefulset 1.36).

use std::sync::Arc;

use crate::api::meta::Meta;
use crate::api::name::{Name, Text};
use crate::api::pod::PodSpec;
use crate::api::rules::volumes::PodClaim;
use crate::api::stateful_set::StatefulSet;
use crate::api::storage::PersistentVolumeClaim;

fn name(template: &str, pod: &str) -> Text {
    format!("{template}-{pod}").into()
}

/// The spec of the pod of this name, its own claims among its volumes.
pub(super) fn with_claims(spec: &Arc<PodSpec>, set: &StatefulSet, pod: &str) -> Arc<PodSpec> {
    let mut spec = (**spec).clone();
    let own = set.claims.iter().map(|template| PodClaim::Named(name(&template.name, pod)));
    spec.volumes.claims.extend(own);
    Arc::new(spec)
}

/// Its claims; those that name no class get `default`.
pub(super) fn claims<'a>(
    set: &'a StatefulSet,
    pod: &'a str,
    default: Option<&'a Text>,
) -> impl Iterator<Item = PersistentVolumeClaim> + 'a {
    set.claims.iter().map(move |template| {
        let mut meta = Meta::new(set.meta.namespace.clone(), Name::new(name(&template.name, pod)));
        meta.labels = Arc::clone(&template.labels);
        meta.annotations = Arc::clone(&template.annotations);
        let mut spec = Arc::clone(&template.spec);
        if let (None, Some(default)) = (&spec.class, default) {
            Arc::make_mut(&mut spec).class = Some(default.clone());
        }
        PersistentVolumeClaim::new(meta, spec)
    })
}
