//! What a manifest of a pod says that a run does not ask for, as everything in a run begins at its
//! start: when the pod started, whether it ended or is on its way out, who owns it by name.

use std::collections::BTreeMap;

use crate::api::documents::Document;
use crate::api::name::Name;
use crate::api::tree::{Node, Value};

/// What was seen of a pod.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Seen {
    /// `status.startTime`, in nanoseconds since 1970.
    pub start: Option<i64>,
    /// Whether it has a `deletionTimestamp`.
    pub is_leaving: bool,
    /// Whether it succeeded or failed.
    pub has_ended: bool,
    /// Whether it is leaving because another pod preempted it.
    pub is_preempted: bool,
    /// Whether `spec.priority` is written.
    pub has_priority: bool,
    /// `status.nominatedNodeName`.
    pub nominated: Option<String>,
    /// Its controller's kind and name.
    pub owner: Option<(String, String)>,
}

impl Seen {
    /// Whether it makes sense on its own node only.
    pub(super) fn stays_with_its_node(&self) -> bool {
        self.owner.as_ref().is_some_and(|(kind, _)| matches!(&**kind, "DaemonSet" | "Node"))
    }
}

/// All that was seen, by namespace and name.
#[derive(Clone, Default, Debug)]
pub(in super::super) struct Witness {
    pods: BTreeMap<(String, String), Seen>,
}

impl Witness {
    /// Looks at a document.
    pub(in super::super) fn see(&mut self, document: &Document<'_>) {
        if (document.api_version(), document.kind()) != ("v1", "Pod") {
            return;
        }
        let root = &document.node;
        let seen = Seen {
            start: text(root, "status.startTime").and_then(nanoseconds),
            is_leaving: text(root, "metadata.deletionTimestamp").is_some(),
            has_ended: matches!(text(root, "status.phase"), Some("Succeeded" | "Failed")),
            is_preempted: is_preempted(root),
            has_priority: matches!(
                root.at_path("spec.priority").map(|node| &node.value),
                Some(Value::Int(_))
            ),
            nominated: text(root, "status.nominatedNodeName").map(str::to_owned),
            owner: owner(root),
        };
        if seen != Seen::default() {
            let namespace = text(root, "metadata.namespace").filter(|it| !it.is_empty());
            let name = text(root, "metadata.name").unwrap_or_default();
            let key = (namespace.unwrap_or("default").to_owned(), name.to_owned());
            self.pods.insert(key, seen);
        }
    }

    pub(super) fn of(&self, namespace: &str, name: &Name) -> Option<&Seen> {
        self.pods.get(&(namespace.to_owned(), name.to_string()))
    }

    /// The earliest start of all.
    pub(super) fn first_start(&self) -> i64 {
        self.pods.values().filter_map(|seen| seen.start).min().unwrap_or(0)
    }
}

fn text<'n>(root: &'n Node<'_>, path: &str) -> Option<&'n str> {
    root.at_path(path)?.text()
}

fn nanoseconds(written: &str) -> Option<i64> {
    let instant = written.parse::<jiff::Timestamp>().ok()?;
    i64::try_from(instant.as_nanosecond()).ok()
}

fn is_preempted(root: &Node<'_>) -> bool {
    let conditions = root.at_path("status.conditions").map(Node::items).unwrap_or_default();
    conditions.iter().any(|condition| {
        text(condition, "type") == Some("DisruptionTarget")
            && text(condition, "status") == Some("True")
            && text(condition, "reason") == Some("PreemptionByScheduler")
    })
}

fn owner(root: &Node<'_>) -> Option<(String, String)> {
    let references = root.at_path("metadata.ownerReferences")?.items();
    let controls = |reference: &&Node<'_>| {
        reference.get("controller").is_some_and(|it| it.value == Value::Bool(true))
    };
    let controller = references.iter().find(controls)?;
    Some((text(controller, "kind")?.to_owned(), text(controller, "name")?.to_owned()))
}
