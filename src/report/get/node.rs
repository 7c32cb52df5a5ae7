//! Nodes and namespaces.

use std::collections::BTreeSet;

use super::read::{Clock, NONE, Read, UNKNOWN};
use super::{Column, Printer, Width, always, wide};

pub(super) static NODES: Printer = Printer {
    columns: &[
        always("NAME"),
        always("STATUS"),
        always("ROLES"),
        always("AGE"),
        always("VERSION"),
        wide("INTERNAL-IP"),
        wide("EXTERNAL-IP"),
        wide("OS-IMAGE"),
        wide("KERNEL-VERSION"),
        wide("CONTAINER-RUNTIME"),
    ],
    row: node,
};

pub(super) static NAMESPACES: Printer = Printer {
    columns: const { &[always("NAME"), always("STATUS"), always("AGE")] as &[Column] },
    row: namespace,
};

/// Prefix of labels that name a role by their key.
const ROLE_PREFIX: &str = "node-role.kubernetes.io/";
/// Label that names a role by its value.
const ROLE: &str = "kubernetes.io/role";

fn node(node: Read<'_>, clock: Clock, _: Width) -> Vec<String> {
    // Of several conditions of one type the last counts.
    let ready = node.items("status.conditions").rfind(|it| it.text("type") == "Ready");
    let mut status = match ready.map(|it| it.text("status")) {
        Some("True") => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    }
    .to_owned();
    if node.is_true("spec.unschedulable") {
        status += ",SchedulingDisabled";
    }
    let address = |of_type: &str| {
        let mut all = node.items("status.addresses");
        let found = all.find(|it| it.text("type") == of_type);
        found.map_or_else(|| NONE.to_owned(), |it| it.text("address").to_owned())
    };
    let info = node.at("status.nodeInfo");
    vec![
        node.name(),
        status,
        roles(node),
        node.age(clock),
        info.text("kubeletVersion").to_owned(),
        address("InternalIP"),
        address("ExternalIP"),
        info.text_or("osImage", UNKNOWN),
        info.text_or("kernelVersion", UNKNOWN),
        info.text_or("containerRuntimeVersion", UNKNOWN),
    ]
}

fn roles(node: Read<'_>) -> String {
    let role = |(key, value): (&'_ str, &'_ str)| match key.strip_prefix(ROLE_PREFIX) {
        Some(role) => role.to_owned(),
        None if key == ROLE => value.to_owned(),
        None => String::new(),
    };
    let all: BTreeSet<String> = node.map("metadata.labels").map(role).collect();
    let named: Vec<String> = all.into_iter().filter(|role| !role.is_empty()).collect();
    if named.is_empty() { NONE.to_owned() } else { named.join(",") }
}

fn namespace(namespace: Read<'_>, clock: Clock, _: Width) -> Vec<String> {
    vec![namespace.name(), namespace.text("status.phase").to_owned(), namespace.age(clock)]
}
