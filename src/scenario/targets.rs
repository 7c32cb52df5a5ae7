//! How a Scenario names what a step is about: objects, places, pods, instances.

use std::sync::Arc;

use super::claims::{Claim, Claims};
use super::judge::Judge;
use crate::api::kind::Kind;
use crate::api::kinds::nearest;
use crate::api::meta::Labels;
use crate::api::name::Text;
use crate::api::rules::selector::Selector;
use crate::api::tree::{Node, Value};
use crate::cluster::plan::{Count, Instance, Pods, Spot, Target, Which};

/// Kinds a step may name, as kubectl names them.
const KINDS: [(&str, Kind); 60] = [
    ("deployment", Kind::Deployment),
    ("deployments", Kind::Deployment),
    ("deploy", Kind::Deployment),
    ("replicaset", Kind::ReplicaSet),
    ("replicasets", Kind::ReplicaSet),
    ("rs", Kind::ReplicaSet),
    ("replicationcontroller", Kind::ReplicationController),
    ("replicationcontrollers", Kind::ReplicationController),
    ("rc", Kind::ReplicationController),
    ("pod", Kind::Pod),
    ("pods", Kind::Pod),
    ("po", Kind::Pod),
    ("service", Kind::Service),
    ("services", Kind::Service),
    ("svc", Kind::Service),
    ("namespace", Kind::Namespace),
    ("namespaces", Kind::Namespace),
    ("ns", Kind::Namespace),
    ("node", Kind::Node),
    ("nodes", Kind::Node),
    ("no", Kind::Node),
    ("priorityclass", Kind::PriorityClass),
    ("priorityclasses", Kind::PriorityClass),
    ("pc", Kind::PriorityClass),
    ("poddisruptionbudget", Kind::PodDisruptionBudget),
    ("poddisruptionbudgets", Kind::PodDisruptionBudget),
    ("pdb", Kind::PodDisruptionBudget),
    ("horizontalpodautoscaler", Kind::HorizontalPodAutoscaler),
    ("horizontalpodautoscalers", Kind::HorizontalPodAutoscaler),
    ("hpa", Kind::HorizontalPodAutoscaler),
    ("job", Kind::Job),
    ("jobs", Kind::Job),
    ("cronjob", Kind::CronJob),
    ("cronjobs", Kind::CronJob),
    ("cj", Kind::CronJob),
    ("statefulset", Kind::StatefulSet),
    ("statefulsets", Kind::StatefulSet),
    ("sts", Kind::StatefulSet),
    ("daemonset", Kind::DaemonSet),
    ("daemonsets", Kind::DaemonSet),
    ("ds", Kind::DaemonSet),
    ("controllerrevision", Kind::ControllerRevision),
    ("controllerrevisions", Kind::ControllerRevision),
    ("persistentvolume", Kind::PersistentVolume),
    ("persistentvolumes", Kind::PersistentVolume),
    ("pv", Kind::PersistentVolume),
    ("persistentvolumeclaim", Kind::PersistentVolumeClaim),
    ("persistentvolumeclaims", Kind::PersistentVolumeClaim),
    ("pvc", Kind::PersistentVolumeClaim),
    ("storageclass", Kind::StorageClass),
    ("storageclasses", Kind::StorageClass),
    ("sc", Kind::StorageClass),
    ("csinode", Kind::CsiNode),
    ("csinodes", Kind::CsiNode),
    ("limitrange", Kind::LimitRange),
    ("limitranges", Kind::LimitRange),
    ("limits", Kind::LimitRange),
    ("resourcequota", Kind::ResourceQuota),
    ("resourcequotas", Kind::ResourceQuota),
    ("quota", Kind::ResourceQuota),
];
/// Parts of the control plane that can be killed.
const INSTANCES: [&str; 4] = ["api-server", "scheduler", "controller-manager", "etcd"];

/// `deployment/shop/web`, or `deployment/web` in namespace `default`.
pub(super) fn target(
    text: &str,
    path: &str,
    claims: &mut Claims,
    judge: &mut Judge<'_, '_>,
) -> Option<Target> {
    let found = parsed_target(text, path, judge)?;
    claims.add(Claim::Object(found.clone()), path, judge);
    Some(found)
}

fn parsed_target(text: &str, path: &str, judge: &mut Judge<'_, '_>) -> Option<Target> {
    let parts: Vec<&str> = text.split('/').collect();
    let (kind, namespace, name) = match parts[..] {
        [kind, name] => (kind, "default", name),
        [kind, namespace, name] => (kind, namespace, name),
        _ => ("", "", ""),
    };
    if kind.is_empty() || namespace.is_empty() || name.is_empty() {
        judge.error(
            path,
            format!("Invalid value: {text:?}: expected an object as in deployment/shop/web"),
        );
        return None;
    }
    let known = KINDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(kind));
    let Some((_, kind)) = known else {
        judge.not_one_of(path, kind, &KINDS.map(|(name, _)| name));
        return None;
    };
    let is_global = matches!(
        kind,
        Kind::Namespace
            | Kind::Node
            | Kind::PriorityClass
            | Kind::PersistentVolume
            | Kind::StorageClass
            | Kind::CsiNode
    );
    if is_global && parts.len() > 2 {
        judge.error(path, format!("Invalid value: {text:?}: a {kind} lives in no namespace"));
        return None;
    }
    let namespace = if is_global { "" } else { namespace };
    Some(Target { kind: *kind, namespace: namespace.into(), name: name.into() })
}

/// A node: `node/n-0`, or `n-0` as kubectl takes it.
pub(super) fn node(
    text: &str,
    path: &str,
    claims: &mut Claims,
    judge: &mut Judge<'_, '_>,
) -> Option<Text> {
    let name = match text.split_once('/') {
        None => text,
        Some(("node" | "nodes" | "no", name)) => name,
        Some(_) => "",
    };
    if name.is_empty() || name.contains('/') {
        judge.error(path, format!("Invalid value: {text:?}: expected a node, as in node/n-0"));
        return None;
    }
    claims.add(Claim::Spot(Spot::Node(name.into())), path, judge);
    Some(name.into())
}

/// A place: `node/n-0`, `zone/a`, `master/0`, `outside`.
fn spot(text: &str, path: &str, judge: &mut Judge<'_, '_>) -> Option<Spot> {
    let (kind, name) = text.split_once('/').unwrap_or((text, ""));
    let found = match (kind, name) {
        ("outside", "") => Some(Spot::Outside),
        (_, "") => None,
        ("node", name) => Some(Spot::Node(name.into())),
        ("zone", name) => Some(Spot::Zone(name.into())),
        ("master", name) => name.parse().ok().map(Spot::Master),
        _ => None,
    };
    if found.is_none() {
        judge.error(
            path,
            format!(
                "Invalid value: {text:?}: expected a place: node/NAME, zone/NAME, master/NUMBER or \
                 outside"
            ),
        );
    }
    found
}

/// The one place whose machines a fault strikes.
pub(super) fn machines(path: &str, claims: &mut Claims, judge: &mut Judge<'_, '_>) -> Option<Spot> {
    let expected = "expected one node or zone, as in node/n-0 or zone/a";
    let Some(text) = judge.document.node.at_path(path).and_then(Node::text).map(str::to_owned)
    else {
        judge.error(path, expected);
        return None;
    };
    let found = spot(&text, path, judge)?;
    if matches!(found, Spot::Outside) {
        judge.error(path, format!("Invalid value: {text:?}: {expected}"));
        return None;
    }
    claims.add(Claim::Spot(found.clone()), path, judge);
    Some(found)
}

/// One end of links: places, or pods. Nothing is written: an empty list.
pub(super) fn spots(
    path: &str,
    claims: &mut Claims,
    judge: &mut Judge<'_, '_>,
) -> Option<Vec<Spot>> {
    let Some(written) = judge.document.node.at_path(path).cloned() else { return Some(Vec::new()) };
    let is_pods = match &written.value {
        Value::Map(_) => true,
        Value::Text(text) => names_pods(text),
        _ => false,
    };
    if is_pods {
        return Some(vec![Spot::Pods(pods(path, claims, judge)?)]);
    }
    let mut found = Vec::new();
    let items: Vec<(String, Option<String>)> = match &written.value {
        Value::Text(text) => vec![(path.to_owned(), Some(text.to_string()))],
        _ => {
            let items = written.items().iter().map(|item| item.text().map(str::to_owned));
            items.enumerate().map(|(at, text)| (format!("{path}[{at}]"), text)).collect()
        }
    };
    if items.is_empty() {
        judge.error(path, "expected a place or a list of places, as in node/n-0");
        return None;
    }
    for (path, text) in items {
        let Some(text) = text else {
            judge.error(&path, "expected a place, as in node/n-0");
            return None;
        };
        let spot = spot(&text, &path, judge)?;
        claims.add(Claim::Spot(spot.clone()), &path, judge);
        found.push(spot);
    }
    Some(found)
}

fn names_pods(text: &str) -> bool {
    let kind = text.split('/').next().unwrap_or_default();
    let known = KINDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(kind));
    known.is_some_and(|(_, kind)| *kind != Kind::Node)
}

/// Pods a fault strikes: `pod/shop/web-0`, `deployment/shop/web` (one of its pods), or
/// `{pods: {namespace: shop, labels: {app: web}, count: 2}}`.
pub(super) fn pods(path: &str, claims: &mut Claims, judge: &mut Judge<'_, '_>) -> Option<Pods> {
    let written = judge.document.node.at_path(path).cloned();
    match written.as_ref().map(|node| &node.value) {
        Some(Value::Text(text)) => {
            let target = target(text, path, claims, judge)?;
            let Target { kind, namespace, name } = target;
            match kind {
                Kind::Pod => Some(Pods { which: Which::Named(namespace, name), count: Count::All }),
                Kind::Deployment
                | Kind::ReplicaSet
                | Kind::ReplicationController
                | Kind::StatefulSet
                | Kind::DaemonSet
                | Kind::Job => {
                    let which = Which::Of(kind, namespace, name);
                    Some(Pods { which, count: Count::Some(1) })
                }
                other => {
                    judge.error(path, format!("Invalid value: {text:?}: a {other} has no pods"));
                    None
                }
            }
        }
        Some(Value::Map(entries)) => {
            let [entry] = &entries[..] else {
                judge.error(path, "expected {pods: {namespace: .., labels: {..}, count: ..}}");
                return None;
            };
            if entry.key != "pods" {
                let meant = nearest(&entry.key, &["pods"]);
                judge.unknown_field(&format!("{path}.{}", entry.key), meant);
                return None;
            }
            selected(&entry.node, &format!("{path}.pods"), claims, judge)
        }
        _ => {
            judge.error(
                path,
                "Required value: which pods, as in deployment/shop/web or \
                 {pods: {namespace: shop, labels: {app: web}, count: 1}}",
            );
            None
        }
    }
}

fn selected(
    node: &Node<'_>,
    path: &str,
    claims: &mut Claims,
    judge: &mut Judge<'_, '_>,
) -> Option<Pods> {
    let (mut namespace, mut labels, mut count) = (Text::from("default"), None, Count::All);
    let mut is_fine = true;
    for entry in node.entries() {
        let at = format!("{path}.{}", entry.key);
        match (&*entry.key, &entry.node.value) {
            ("namespace", Value::Text(text)) => {
                namespace = (&**text).into();
                claims.add(Claim::Namespace(namespace.clone()), &at, judge);
            }
            ("labels", Value::Map(_)) => labels = Some(label_map(&entry.node, &at, judge)?),
            ("count", Value::Int(number)) if (1..=i64::from(u32::MAX)).contains(number) => {
                count = Count::Some(*number as u32);
            }
            ("namespace" | "labels" | "count", _) => {
                let expected = match &*entry.key {
                    "namespace" => "expected a name",
                    "labels" => "expected labels, as in {app: web}",
                    _ => "expected a whole number from 1",
                };
                judge.error(&at, expected);
                is_fine = false;
            }
            (other, _) => {
                judge.unknown_field(&at, nearest(other, &["namespace", "labels", "count"]));
                is_fine = false;
            }
        }
    }
    let Some(labels) = labels else {
        judge.missing(path, "Required value: labels, as in {app: web}");
        return None;
    };
    let which = Which::Matching(vec![namespace], Arc::new(Selector::of_labels(&labels)));
    is_fine.then_some(Pods { which, count })
}

fn label_map(node: &Node<'_>, path: &str, judge: &mut Judge<'_, '_>) -> Option<Labels> {
    let mut labels = Labels::new();
    for entry in node.entries() {
        let Some(value) = entry.node.text() else {
            judge.error(&format!("{path}.{}", entry.key), "expected a text");
            return None;
        };
        labels.insert((&*entry.key).into(), value.into());
    }
    Some(labels)
}

/// An instance of the control plane: `scheduler/0`.
pub(super) fn instance(
    path: &str,
    claims: &mut Claims,
    judge: &mut Judge<'_, '_>,
) -> Option<Instance> {
    let Some(text) = judge.document.node.at_path(path).and_then(Node::text).map(str::to_owned)
    else {
        judge.error(path, "expected one instance, as in api-server/0");
        return None;
    };
    let (kind, number) = text.split_once('/').unwrap_or((&text, "0"));
    let Ok(number) = number.parse() else {
        judge.error(
            path,
            format!("Invalid value: {text:?}: expected an instance as in api-server/0"),
        );
        return None;
    };
    let found = match kind {
        "api-server" => Instance::ApiServer(number),
        "scheduler" => Instance::Scheduler(number),
        "controller-manager" => Instance::ControllerManager(number),
        "etcd" => Instance::Etcd(number),
        other => {
            judge.not_one_of(path, other, &INSTANCES);
            return None;
        }
    };
    claims.add(Claim::Instance(found), path, judge);
    Some(found)
}
