//! Namespaces, Services and owners as a decision looks at them.

use std::sync::Arc;

use crate::api::disruption::PodDisruptionBudget;
use crate::api::meta::Labels;
use crate::api::name::Text;
use crate::api::object::Object;
use crate::api::pod::Pod;
use crate::base::id::Id;
use crate::cluster::plan::PlannedObject;
use crate::control_plane::scheduler::algorithm::{Budget, Surroundings};

/// The label every namespace has.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

pub(super) fn surroundings(objects: &[PlannedObject]) -> Surroundings {
    let mut surroundings = Surroundings::default();
    for planned in objects {
        let meta = planned.object.meta();
        match &planned.object {
            Object::Namespace(_) => {
                let name: Text = meta.name.to_string().into();
                let labels = with_name(&meta.labels, &name);
                surroundings.set_namespace(&name, Some(labels));
            }
            Object::Service(service) => {
                let selector = service.spec.selector.clone().map(Arc::new);
                let name = meta.name.to_string().into();
                surroundings.set_service(&meta.namespace, &name, selector);
            }
            Object::ReplicaSet(set) => {
                surroundings.set_owner(meta.uid, Some(Arc::clone(&set.selector)));
            }
            Object::StatefulSet(set) => {
                surroundings.set_owner(meta.uid, Some(Arc::clone(&set.selector)));
            }
            _ => {}
        }
    }
    for planned in objects {
        let namespace = &planned.object.meta().namespace;
        if !namespace.is_empty() && surroundings.namespace(namespace).is_none() {
            let labels = with_name(&Labels::new(), namespace);
            surroundings.set_namespace(namespace, Some(labels));
        }
    }
    surroundings
}

/// The class of claims that name none.
pub(super) fn default_class(objects: &[PlannedObject]) -> Option<Text> {
    objects.iter().find_map(|planned| match &planned.object {
        Object::StorageClass(class) if class.is_default() => {
            Some(class.meta.name.to_string().into())
        }
        _ => None,
    })
}

/// Claims that name no class get the default one (admission plugin DefaultStorageClass, 1.36).
pub(super) fn default_classes(objects: &mut [PlannedObject]) {
    let Some(default) = default_class(objects) else { return };
    for planned in objects {
        if let Object::PersistentVolumeClaim(claim) = &mut planned.object
            && claim.spec.class.is_none()
        {
            Arc::make_mut(&mut claim.spec).class = Some(default.clone());
        }
    }
}

/// Disruption budgets, when all pods have their places.
pub(super) fn budgets(
    objects: &[PodDisruptionBudget],
    pods: &[Pod],
    surroundings: &mut Surroundings,
) {
    for budget in objects {
        let space = &budget.meta.namespace;
        let is_named = |pod: &Pod| {
            let name = pod.meta.name.to_string();
            pod.meta.namespace == *space
                && budget.status.disrupted.iter().any(|(known, _)| **known == *name)
        };
        let disrupted = (0..).zip(pods).filter(|(_, pod)| is_named(pod));
        let known = Budget {
            selector: budget.selector.as_deref().cloned(),
            allowed: budget.status.allowed,
            disrupted: disrupted.map(|(slot, _)| Id::from_parts(slot, 0)).collect(),
        };
        let name = budget.meta.name.to_string().into();
        surroundings.set_budget(space, &name, Some(known));
    }
}

fn with_name(labels: &Labels, name: &Text) -> Arc<Labels> {
    let mut labels = labels.clone();
    labels.insert(NAME_LABEL.into(), name.clone());
    Arc::new(labels)
}
