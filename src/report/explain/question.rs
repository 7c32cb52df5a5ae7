//! What is asked about: an object by kind and name, or a fact by number.

use std::str::FromStr;

use crate::control_plane::scheduler::telling::Asked;

/// What somebody asked about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Question(Subject);

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Subject {
    /// An object as the timeline names it.
    Object(String),
    /// A fact.
    Fact(u64),
}

impl Question {
    /// The object of the API it is about, as a timeline names it.
    pub fn object(&self) -> Option<String> {
        let Subject::Object(object) = &self.0 else { return None };
        let is_none = object.starts_with("Client/") || object.starts_with("Other/");
        (!is_none).then(|| object.clone())
    }

    pub(super) fn asked(&self) -> Subject {
        self.0.clone()
    }

    /// The pod, if it is one that is asked about.
    pub fn pod(&self) -> Option<Asked> {
        let Subject::Object(object) = &self.0 else { return None };
        let (namespace, name) = object.strip_prefix("Pod/")?.split_once('/')?;
        Some(Asked { namespace: namespace.into(), name: name.into() })
    }
}

/// Kinds as people write them.
const KINDS: &[(&[&str], &str)] = &[
    (&["pod", "pods", "po"], "Pod"),
    (&["deployment", "deployments", "deploy"], "Deployment"),
    (&["replicaset", "replicasets", "rs"], "ReplicaSet"),
    (&["replicationcontroller", "replicationcontrollers", "rc"], "ReplicationController"),
    (&["statefulset", "statefulsets", "sts"], "StatefulSet"),
    (&["daemonset", "daemonsets", "ds"], "DaemonSet"),
    (&["job", "jobs"], "Job"),
    (&["cronjob", "cronjobs", "cj"], "CronJob"),
    (&["horizontalpodautoscaler", "horizontalpodautoscalers", "hpa"], "HorizontalPodAutoscaler"),
    (&["service", "services", "svc"], "Service"),
    (&["endpointslice", "endpointslices"], "EndpointSlice"),
    (&["lease", "leases"], "Lease"),
    (&["node", "nodes", "no"], "Node"),
    (&["namespace", "namespaces", "ns"], "Namespace"),
    (&["priorityclass", "priorityclasses", "pc"], "PriorityClass"),
    (&["client", "clients"], "Client"),
    (&["other"], "Other"),
];

/// Kinds that live in no namespace.
const WITHOUT_NAMESPACE: &[&str] = &["Node", "Namespace", "PriorityClass", "Client", "Other"];

impl FromStr for Question {
    type Err = String;

    fn from_str(text: &str) -> Result<Question, String> {
        if let Some(number) = text.strip_prefix('#') {
            let number =
                number.parse().map_err(|_| format!("{text}: expected a number after #"))?;
            return Ok(Question(Subject::Fact(number)));
        }
        let form = || {
            format!(
                "{text}: expected pod/NAMESPACE/NAME, deployment/.., node/NAME, client/NAME or #123"
            )
        };
        let parts: Vec<&str> = text.split('/').collect();
        let (kind, rest) = parts.split_first().ok_or_else(form)?;
        let lower = kind.to_ascii_lowercase();
        let known = KINDS.iter().find(|(names, _)| names.contains(&lower.as_str()));
        let kind = known.map(|(_, kind)| *kind).ok_or_else(form)?;
        let object = match (rest, WITHOUT_NAMESPACE.contains(&kind)) {
            ([name], true) => format!("{kind}/{name}"),
            ([name], false) => format!("{kind}/default/{name}"),
            ([namespace, name], false) => format!("{kind}/{namespace}/{name}"),
            _ => return Err(form()),
        };
        if rest.iter().any(|part| part.is_empty()) {
            return Err(form());
        }
        Ok(Question(Subject::Object(object)))
    }
}

/// How a name is asked about: `pod/shop/web-x` of `Pod/shop/web-x`.
pub(super) fn asked_as(object: &str) -> String {
    let (kind, rest) = object.split_once('/').unwrap_or((object, ""));
    format!("{}/{rest}", kind.to_ascii_lowercase())
}

/// Steps from one text to another, letter by letter, as far as `most`.
pub(super) fn distance(from: &str, to: &str, most: usize) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    if from.len().abs_diff(to.len()) > most {
        return most + 1;
    }
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (at, letter) in from.iter().enumerate() {
        let mut before = row[0];
        row[0] = at + 1;
        for (column, other) in to.iter().enumerate() {
            let changed = before + usize::from(letter != other);
            before = row[column + 1];
            row[column + 1] = changed.min(before + 1).min(row[column] + 1);
        }
    }
    row[to.len()].min(most + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_named_as_kubectl_names_them() {
        for (text, object) in [
            ("pod/shop/web-1", "Pod/shop/web-1"),
            ("po/web-1", "Pod/default/web-1"),
            ("Deployment/shop/web", "Deployment/shop/web"),
            ("node/n-0", "Node/n-0"),
            ("client/shoppers", "Client/shoppers"),
        ] {
            let asked = text.parse::<Question>().expect(text).asked();
            assert_eq!(asked, Subject::Object(object.to_owned()));
        }
        assert_eq!("#12".parse::<Question>().expect("a fact").asked(), Subject::Fact(12));
        for wrong in ["web", "pod/", "node/a/b", "pod/a/b/c", "#x", "", "gizmo/a"] {
            assert!(wrong.parse::<Question>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn distances_count_letters() {
        assert_eq!(distance("web-1", "web-2", 3), 1);
        assert_eq!(distance("web", "webs", 3), 1);
        assert_eq!(distance("a", "abcdefgh", 3), 4);
    }
}
