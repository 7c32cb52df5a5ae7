//! What kubectl makes of an object when it changes it: the next state of the object, or why not.

use std::sync::Arc;

use super::World;
use super::plan::Change;
use crate::api::controller_revision::ControllerRevision;
use crate::api::edit::{conditions_patched, edited, resized, to_json, with_known_uids};
use crate::api::kind::Kind;
use crate::api::meta::{Labels, Meta};
use crate::api::name::Text;
use crate::api::node::{Node, Schedulability};
use crate::api::object::Object;
use crate::api::patch::merge;
use crate::api::pod::PodTemplate;
use crate::api::rules::taint_edits;
use crate::api::status::Status;
use crate::api::validation::gates::Gates;
use crate::api::workload::{Deployment, ReplicaSet, Rollout};
use crate::control_plane::controllers::deployment::annotations::{NOT_COPIED, revision};
use crate::control_plane::controllers::deployment::arithmetic::{TEMPLATE_HASH, same_template};

/// The annotation of `kubectl rollout restart`.
const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

impl World {
    /// `object` after `change`.
    ///
    /// # Errors
    /// What kubectl or the API server would say.
    pub(super) fn changed(&self, object: &Object, change: &Change) -> Result<Object, Status> {
        let (mut next, gates) = (object.clone(), self.plan.checks);
        let invalid = |why: String| Status::Invalid(object.name(), why.into());
        match change {
            Change::Scale(replicas) => match &mut next {
                Object::Deployment(it) => it.replicas = *replicas,
                Object::ReplicaSet(it) => it.replicas = *replicas,
                Object::StatefulSet(_) => {
                    return edited(object, gates, |json| {
                        json["spec"]["replicas"] = (*replicas).into()
                    })
                    .map_err(invalid);
                }
                other => return Err(unasked(format!("a {} has no replicas", other.kind()))),
            },
            Change::Image { container, image } => {
                return with_image(object, gates, (container.as_deref(), image));
            }
            Change::Patch { patch, how } => {
                return edited(object, gates, |json| merge(json, &with_known_uids(patch), *how))
                    .map_err(invalid);
            }
            Change::Resize { patch, how } => {
                return resized(object, gates, |json| merge(json, patch, *how)).map_err(invalid);
            }
            Change::Status { patch, how } => {
                return conditions_patched(object, patch, *how, self.kernel.now()).map_err(invalid);
            }
            Change::Undo { revision } if has_revisions(object) => {
                return self.back_to(object, *revision);
            }
            Change::Undo { revision } => {
                self.undo(deployment(&mut next)?, *revision).map_err(unasked)?;
            }
            Change::Restart => {
                let at = self.calendar();
                if has_revisions(object) {
                    return edited(object, gates, |json| {
                        let template = &mut json["spec"]["template"];
                        template["metadata"]["annotations"][RESTARTED_AT] = at.into();
                    })
                    .map_err(invalid);
                }
                restart(deployment(&mut next)?, at).map_err(unasked)?;
            }
            Change::Pause | Change::Resume => {
                pause(deployment(&mut next)?, change).map_err(unasked)?;
            }
            Change::Cordon => node(&mut next)?.schedulability = Schedulability::Cordoned,
            Change::Uncordon => node(&mut next)?.schedulability = Schedulability::Open,
            Change::Label(edits) => edit_map(&mut next.meta_mut().labels, edits),
            Change::Annotate(edits) => edit_map(&mut next.meta_mut().annotations, edits),
            Change::Taint(edits) => {
                let node = node(&mut next)?;
                node.taints = taint_edits::edited(&node.taints, edits).map_err(unasked)?.into();
            }
        }
        Ok(next)
    }

    /// The present instant on the calendar, to the second.
    fn calendar(&self) -> String {
        let seconds = self.plan.epoch_seconds.saturating_add_unsigned(self.kernel_seconds());
        jiff::Timestamp::from_second(seconds).unwrap_or_default().to_string()
    }

    /// A StatefulSet or DaemonSet as one of its revisions has it (kubectl 1.36
    /// `pkg/polymorphichelpers/rollback.go`).
    fn back_to(&self, object: &Object, to: Option<i64>) -> Result<Object, Status> {
        let all = self.store.table::<ControllerRevision>().iter().map(|(_, one)| one);
        let mut all: Vec<&ControllerRevision> =
            all.filter(|one| one.meta.is_owned_by(object.meta().uid)).collect();
        all.sort_by_key(|one| std::cmp::Reverse(one.revision));
        let found = match to {
            Some(number) => *all.iter().find(|one| one.revision == number).ok_or_else(|| {
                unasked(format!("unable to find specified revision {number} in history"))
            })?,
            None => {
                all.get(1).ok_or_else(|| unasked("no last revision to roll back to".to_owned()))?
            }
        };
        let data = to_json(&Object::ControllerRevision(Box::new(found.clone())));
        let mut template = data.map(|json| json["data"]["spec"]["template"].clone());
        if let Some(template) = template.as_mut().and_then(|it| it.as_object_mut()) {
            template.remove("$patch");
        }
        edited(object, self.plan.checks, |json| {
            json["spec"]["template"] = template.unwrap_or_default()
        })
        .map_err(|why| Status::Invalid(object.name(), why.into()))
    }

    /// kubectl 1.36 `pkg/polymorphichelpers/rollback.go`.
    fn undo(&self, of: &mut Deployment, to: Option<i64>) -> Result<(), String> {
        let name = of.meta.name.to_string();
        if of.rollout == Rollout::Paused {
            return Err(format!(
                "you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume \
                 deployment/{name}' and try again"
            ));
        }
        let sets = self.store.table::<ReplicaSet>().iter().map(|(_, set)| set);
        let mut sets: Vec<&ReplicaSet> =
            sets.filter(|set| set.meta.is_owned_by(of.meta.uid)).collect();
        sets.sort_by_key(|set| std::cmp::Reverse(revision(&set.meta)));
        let found = match to {
            Some(number) => *sets
                .iter()
                .find(|set| revision(&set.meta) == number)
                .ok_or_else(|| format!("unable to find specified revision {number} in history"))?,
            None => sets
                .get(1)
                .ok_or_else(|| format!("no rollout history found for deployment {name:?}"))?,
        };
        if same_template(&of.template, &found.template) {
            return Ok(());
        }
        let mut labels = Labels::clone(&found.template.labels);
        labels.remove(TEMPLATE_HASH);
        let (annotations, spec) = (found.template.annotations.clone(), found.template.spec.clone());
        let template = PodTemplate::new(Arc::new(labels), annotations, spec);
        let (name, rare) = (found.template.name.clone(), found.template.rare.clone());
        of.template = Arc::new(template.named(name).with_rare(rare));
        of.meta.annotations = Arc::new(annotations_after_undo(&of.meta, &found.meta));
        Ok(())
    }
}

/// Annotations of a Deployment that goes back to a set: the set's, but for those each keeps of its
/// own.
fn annotations_after_undo(of: &Meta, set: &Meta) -> Labels {
    let is_own = |key: &Text| NOT_COPIED.contains(&&**key);
    let own = of.annotations.iter().filter(|(key, _)| is_own(key));
    let taken = set.annotations.iter().filter(|(key, _)| !is_own(key));
    own.chain(taken).map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Whether its history is one of ControllerRevisions.
fn has_revisions(object: &Object) -> bool {
    matches!(object, Object::StatefulSet(_) | Object::DaemonSet(_))
}

/// What kubectl says before it asks.
fn unasked(why: String) -> Status {
    Status::Unasked(why.into())
}

fn deployment(object: &mut Object) -> Result<&mut Deployment, Status> {
    match object {
        Object::Deployment(it) => Ok(it),
        other => Err(unasked(format!("a {} has no rollouts", other.kind()))),
    }
}

fn node(object: &mut Object) -> Result<&mut Node, Status> {
    match object {
        Object::Node(it) => Ok(it),
        other => Err(unasked(format!("a {} is no node", other.kind()))),
    }
}

/// `kubectl set image`: containers of that name, init containers too, or all.
fn with_image(
    object: &Object,
    gates: Gates,
    (container, image): (Option<&str>, &str),
) -> Result<Object, Status> {
    let mut found = false;
    let next = edited(object, gates, |json| {
        for list in ["initContainers", "containers"] {
            let path = format!("/spec/template/spec/{list}");
            let Some(items) = json.pointer_mut(&path).and_then(|it| it.as_array_mut()) else {
                continue;
            };
            for item in items {
                if container.is_none_or(|name| item["name"] == name) {
                    found = true;
                    item["image"] = image.into();
                }
            }
        }
    })
    .map_err(|why| Status::Invalid(object.name(), why.into()))?;
    match (found, container) {
        (false, Some(name)) => Err(unasked(format!("unable to find container named {name:?}"))),
        _ => Ok(next),
    }
}

fn restart(of: &mut Deployment, at: String) -> Result<(), String> {
    if of.rollout == Rollout::Paused {
        return Err(about(of, "can't restart paused deployment (run rollout resume first)"));
    }
    let template = &of.template;
    let mut annotations = Labels::clone(&template.annotations);
    annotations.insert(RESTARTED_AT.into(), at.into());
    let (labels, spec) = (template.labels.clone(), template.spec.clone());
    let (name, rare) = (template.name.clone(), template.rare.clone());
    let template = PodTemplate::new(labels, Arc::new(annotations), spec);
    of.template = Arc::new(template.named(name).with_rare(rare));
    Ok(())
}

/// What most commands under `kubectl rollout` say of a Deployment.
fn about(of: &Deployment, what: &str) -> String {
    format!("{} {:?} {what}", Kind::Deployment.resource(), of.meta.name.to_string())
}

fn pause(of: &mut Deployment, change: &Change) -> Result<(), String> {
    let (wanted, word) = match change {
        Change::Pause => (Rollout::Paused, "is already paused"),
        _ => (Rollout::Active, "is not paused"),
    };
    if of.rollout == wanted {
        return Err(about(of, word));
    }
    of.rollout = wanted;
    Ok(())
}

fn edit_map(map: &mut Arc<Labels>, edits: &[(Text, Option<Text>)]) {
    let map = Arc::make_mut(map);
    for (key, value) in edits {
        match value {
            Some(value) => map.insert(key.clone(), value.clone()),
            None => map.remove(key),
        };
    }
}
