//! What happens in the course of a run: steps of the timeline.

use std::fmt;
use std::sync::Arc;

use super::PlannedObject;
use crate::api::kind::Kind;
use crate::api::meta::ObjectName;
use crate::api::name::{Name, Text};
use crate::api::patch::PatchType;
pub use crate::api::rules::taint_edits::TaintEdit;
pub use crate::faults::{Count, Fault, Instance, LinkHarm, Pods, Spot, Which};
pub use crate::messages::request::Propagation;
use crate::time::{SimDuration, SimTime};

/// Something that happens in the course of a run.
#[derive(Clone, PartialEq, Debug)]
pub struct Step {
    /// When.
    pub at: SimTime,
    /// What it is called; steps without a name are called by their verb and number.
    pub name: Text,
    /// What.
    pub act: Act,
}

/// What happens.
#[derive(Clone, PartialEq, Debug)]
pub enum Act {
    /// Objects are applied: created, or brought to this state.
    Apply(Vec<PlannedObject>),
    /// An object is deleted, as by `kubectl delete`.
    Delete {
        /// The object.
        target: Target,
        /// What becomes of what it owns.
        propagation: Propagation,
    },
    /// A pod is evicted through the eviction API, asked once: its PodDisruptionBudget may refuse.
    Evict(Target),
    /// A node is cordoned and its pods are evicted as `kubectl drain` does, those of DaemonSets and
    /// mirror pods apart: what a PodDisruptionBudget refuses is asked again each 5 s.
    Drain(Text),
    /// A stored object is changed.
    Change {
        /// The object.
        target: Target,
        /// How.
        change: Change,
    },
    /// Something breaks.
    Fault {
        /// What.
        fault: Fault,
        /// For how long; none: for good.
        lasts: Option<SimDuration>,
    },
    /// Something breaks as soon as it is there to be broken, tried each second.
    Experiment {
        /// What.
        fault: Fault,
        /// For how long; none: for good.
        lasts: Option<SimDuration>,
    },
}

/// A change of a stored object, as kubectl makes it.
#[derive(Clone, PartialEq, Debug)]
pub enum Change {
    /// A workload's replicas are set.
    Scale(i32),
    /// Images of a workload's template are set.
    Image {
        /// Which container; none: all of them.
        container: Option<Text>,
        /// The image.
        image: Text,
    },
    /// It is patched.
    Patch {
        /// The patch, as JSON.
        patch: Arc<serde_json::Value>,
        /// How it is merged.
        how: PatchType,
    },
    /// What a pod's containers may take is patched (`kubectl patch --subresource resize`).
    Resize {
        /// The patch, as JSON.
        patch: Arc<serde_json::Value>,
        /// How it is merged.
        how: PatchType,
    },
    /// Conditions of a pod are patched (`kubectl patch --subresource status`).
    Status {
        /// The patch, as JSON.
        patch: Arc<serde_json::Value>,
        /// How it is merged.
        how: PatchType,
    },
    /// A Deployment goes back to an earlier template (`kubectl rollout undo`).
    Undo {
        /// Which revision; none: the one before.
        revision: Option<i64>,
    },
    /// A Deployment replaces all its pods (`kubectl rollout restart`).
    Restart,
    /// A Deployment's rollouts stop.
    Pause,
    /// They go on.
    Resume,
    /// A node takes no new pods.
    Cordon,
    /// It does again.
    Uncordon,
    /// Labels are set, or removed where there is no value.
    Label(Vec<(Text, Option<Text>)>),
    /// Annotations are set, or removed where there is no value.
    Annotate(Vec<(Text, Option<Text>)>),
    /// Taints of a node are set and removed.
    Taint(Vec<TaintEdit>),
}

impl Act {
    /// The verb as written in a scenario.
    pub fn verb(&self) -> &'static str {
        match self {
            Act::Apply(_) => "apply",
            Act::Delete { .. } => "delete",
            Act::Evict(_) => "evict",
            Act::Drain(_) => "drain",
            Act::Change { change, .. } => change.verb(),
            Act::Fault { .. } | Act::Experiment { .. } => "fault",
        }
    }

    /// What it does, in words.
    pub fn described(&self) -> String {
        match self {
            Act::Apply(list) => match &list[..] {
                [one] => format!("apply {}", one.object.name()),
                many => format!("apply {} objects", many.len()),
            },
            Act::Delete { target, .. } => format!("delete {target}"),
            Act::Evict(target) => format!("evict {target}"),
            Act::Drain(node) => format!("drain Node/{node}"),
            Act::Change { target, change } => match change {
                Change::Scale(replicas) => format!("scale {target} to {replicas}"),
                Change::Image { container: Some(container), image } => {
                    format!("set the image of {container} in {target} to {image}")
                }
                Change::Image { container: None, image } => {
                    format!("set the image of {target} to {image}")
                }
                Change::Undo { revision: Some(revision) } => {
                    format!("undo {target} to revision {revision}")
                }
                Change::Resize { .. } => format!("resize {target} in place"),
                Change::Status { patch, .. } => {
                    let all = patch["status"]["conditions"].as_array();
                    let text = |it: &serde_json::Value, field: &str| {
                        it[field].as_str().unwrap_or_default().to_owned()
                    };
                    let said = all.into_iter().flatten();
                    let said =
                        said.map(|it| format!("{} {}", text(it, "type"), text(it, "status")));
                    let said = said.collect::<Vec<_>>().join(", ");
                    format!("set conditions of {target}: {said}")
                }
                other => format!("{} {target}", other.verb()),
            },
            Act::Fault { fault, .. } | Act::Experiment { fault, .. } => fault.to_string(),
        }
    }
}

impl Change {
    fn verb(&self) -> &'static str {
        match self {
            Change::Scale(_) => "scale",
            Change::Image { .. } => "setImage",
            Change::Patch { .. } | Change::Resize { .. } | Change::Status { .. } => "patch",
            Change::Undo { .. } => "undo",
            Change::Restart => "restart",
            Change::Pause => "pause",
            Change::Resume => "resume",
            Change::Cordon => "cordon",
            Change::Uncordon => "uncordon",
            Change::Label(_) => "label",
            Change::Annotate(_) => "annotate",
            Change::Taint(_) => "taint",
        }
    }
}

impl Step {
    /// What the step is about; one that is about many things is named by itself.
    pub fn object(&self) -> ObjectName {
        let itself = || named(Kind::Other, &self.name);
        match &self.act {
            Act::Delete { target, .. } | Act::Evict(target) | Act::Change { target, .. } => {
                target.object()
            }
            Act::Drain(node) => named(Kind::Node, node),
            Act::Fault {
                fault: Fault::NodeCrash(spot) | Fault::NodeShutdown(spot) | Fault::KubeletStop(spot),
                ..
            } => match spot {
                Spot::Node(node) => named(Kind::Node, node),
                _ => itself(),
            },
            Act::Fault { fault: Fault::Kill(instance), .. } => {
                named(Kind::Other, &instance.to_string().into())
            }
            Act::Fault { fault: Fault::Freeze(number), .. } => {
                named(Kind::Other, &Instance::Etcd(*number).to_string().into())
            }
            Act::Apply(list) if list.len() == 1 => list[0].object.name(),
            Act::Apply(_) | Act::Fault { .. } | Act::Experiment { .. } => itself(),
        }
    }
}

fn named(kind: Kind, name: &Text) -> ObjectName {
    ObjectName { kind, namespace: Text::default(), name: Name::new(name.clone()) }
}

/// An object a step is about: `deployment/shop/web`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Target {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace, empty for what lives in none.
    pub namespace: Text,
    /// Its name.
    pub name: Text,
}

impl Target {
    /// The node of this name.
    pub fn node(name: Text) -> Target {
        Target { kind: Kind::Node, namespace: Text::default(), name }
    }

    /// How messages name it.
    pub fn object(&self) -> ObjectName {
        ObjectName {
            kind: self.kind,
            namespace: self.namespace.clone(),
            name: Name::new(self.name.clone()),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.object().fmt(f)
    }
}
