//! What an autoscaler scales: found by kind and name, in the words of Kubernetes' discovery and scale
//! clients where it is not.

use std::sync::Arc;

use super::super::Known;
use crate::api::autoscaling::ObjectRef;
use crate::api::kind::Kind;
use crate::api::meta::{RawId, Uid};
use crate::api::name::Text;
use crate::api::rules::selector::{Operator, Requirement, Selector};
use crate::api::stateful_set::StatefulSet;
use crate::api::workload::{Deployment, ReplicaSet, SetKind};

/// A target that was found.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its kind.
    pub kind: Kind,
    /// Which one.
    pub id: RawId,
    /// Its uid.
    pub uid: Uid,
    /// `spec.replicas`.
    pub wanted: i32,
    /// `status.replicas`.
    pub there: i32,
    /// Which pods are its.
    pub selector: Arc<Selector>,
}

/// Kinds of the API that have no scale.
const UNSCALED: [(&str, &str); 5] =
    [("apps", "DaemonSet"), ("batch", "Job"), ("batch", "CronJob"), ("", "Pod"), ("", "Service")];

/// The target that `reference` names in `namespace`.
///
/// # Errors
/// There is none, or none that can be scaled: Kubernetes' words.
pub fn find(reference: &ObjectRef, namespace: &Text, known: Known<'_>) -> Result<Target, Text> {
    let group = reference.api_version.split_once('/').map_or("", |(group, _)| group);
    let kind = &*reference.kind;
    let name = &*reference.name;
    let missing = |what: &str| Text::from(format!("{what} \"{name}\" not found"));
    let view = known.view;
    match (group, kind) {
        ("apps", "Deployment") => {
            let id = view.find::<Deployment>(namespace, name);
            let found = id.and_then(|id| Some((id, view.get(id)?)));
            let (id, it) = found.ok_or_else(|| missing("deployments/scale.apps"))?;
            Ok(Target {
                kind: Kind::Deployment,
                id: id.into(),
                uid: it.meta.uid,
                wanted: it.replicas,
                there: it.status.replicas,
                selector: it.selector.clone(),
            })
        }
        ("apps", "StatefulSet") => {
            let id = view.find::<StatefulSet>(namespace, name);
            let found = id.and_then(|id| Some((id, view.get(id)?)));
            let (id, it) = found.ok_or_else(|| missing("statefulsets/scale.apps"))?;
            Ok(Target {
                kind: Kind::StatefulSet,
                id: id.into(),
                uid: it.meta.uid,
                wanted: it.replicas,
                there: it.status.replicas,
                selector: it.selector.clone(),
            })
        }
        ("apps", "ReplicaSet") => set(namespace, name, SetKind::ReplicaSet, known)
            .ok_or_else(|| missing("replicasets/scale.apps")),
        ("", "ReplicationController") => {
            set(namespace, name, SetKind::ReplicationController, known)
                .ok_or_else(|| missing("replicationcontrollers/scale"))
        }
        _ if UNSCALED.contains(&(group, kind)) => {
            Err("the server could not find the requested resource".into())
        }
        _ => Err(format!("no matches for kind {kind:?} in group {group:?}").into()),
    }
}

fn set(namespace: &str, name: &str, kind: SetKind, known: Known<'_>) -> Option<Target> {
    let id = known.view.find::<ReplicaSet>(namespace, name)?;
    let it = known.view.get(id).filter(|it| it.kind == kind)?;
    Some(Target {
        kind: kind.into(),
        id: id.into(),
        uid: it.meta.uid,
        wanted: it.replicas,
        there: it.status.replicas,
        selector: it.selector.clone(),
    })
}

/// A selector as `labels.Selector` prints it: by key, and then as written.
pub(super) fn printed(selector: &Selector) -> String {
    let mut all: Vec<&Requirement> = selector.requirements.iter().collect();
    all.sort_by(|a, b| a.key.cmp(&b.key));
    let one = |it: &Requirement| {
        let (key, values) = (&it.key, it.values.join(","));
        match it.operator {
            Operator::In if it.values.len() == 1 => format!("{key}={values}"),
            Operator::In => format!("{key} in ({values})"),
            Operator::NotIn => format!("{key} notin ({values})"),
            Operator::Exists => key.to_string(),
            Operator::DoesNotExist => format!("!{key}"),
            Operator::Gt => format!("{key}>{values}"),
            Operator::Lt => format!("{key}<{values}"),
        }
    };
    all.into_iter().map(one).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_are_printed_as_kubernetes_does() {
        let requirement = |key: &str, operator, values: &[&str]| Requirement {
            key: key.into(),
            operator,
            values: values.iter().map(|&value| value.into()).collect(),
        };
        let selector = Selector {
            requirements: vec![
                requirement("tier", Operator::In, &["a", "b"]),
                requirement("app", Operator::In, &["web"]),
                requirement("old", Operator::DoesNotExist, &[]),
            ],
        };
        assert_eq!(printed(&selector), "app=web,!old,tier in (a,b)");
    }
}
