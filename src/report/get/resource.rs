//! Kinds by the names people call them.
//!
//! Owns kubectl's names (plural, singular, short, with a group behind a dot, `all`) and its words for a
//! name that is none; knows the built-in kinds, and is told of custom ones.

use crate::api::kinds::{self, SERVED, Scope};

/// A kind of objects, as somebody asked for it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resource {
    /// The group; empty for the core.
    pub group: String,
    /// The version.
    pub version: String,
    /// The kind.
    pub kind: String,
    /// Its name in URLs.
    pub plural: String,
    /// Shorter names.
    pub short: Vec<String>,
    /// Where its objects live.
    pub scope: Scope,
}

/// Short names of built-in kinds (`kubectl api-resources`, 1.36).
const SHORT: &[(&str, &[&str])] = &[
    ("certificatesigningrequests", &["csr"]),
    ("componentstatuses", &["cs"]),
    ("configmaps", &["cm"]),
    ("cronjobs", &["cj"]),
    ("customresourcedefinitions", &["crd", "crds"]),
    ("daemonsets", &["ds"]),
    ("deployments", &["deploy"]),
    ("endpoints", &["ep"]),
    ("events", &["ev"]),
    ("horizontalpodautoscalers", &["hpa"]),
    ("ingresses", &["ing"]),
    ("ipaddresses", &["ip"]),
    ("limitranges", &["limits"]),
    ("namespaces", &["ns"]),
    ("networkpolicies", &["netpol"]),
    ("nodes", &["no"]),
    ("persistentvolumeclaims", &["pvc"]),
    ("persistentvolumes", &["pv"]),
    ("poddisruptionbudgets", &["pdb"]),
    ("pods", &["po"]),
    ("priorityclasses", &["pc"]),
    ("replicasets", &["rs"]),
    ("replicationcontrollers", &["rc"]),
    ("resourcequotas", &["quota"]),
    ("serviceaccounts", &["sa"]),
    ("services", &["svc"]),
    ("statefulsets", &["sts"]),
    ("storageclasses", &["sc"]),
    ("volumeattributesclasses", &["vac"]),
];

/// What `all` stands for, in this order.
const ALL: [&str; 10] = [
    "pods",
    "replicationcontrollers",
    "services",
    "daemonsets",
    "deployments",
    "replicasets",
    "statefulsets",
    "horizontalpodautoscalers",
    "cronjobs",
    "jobs",
];

impl Resource {
    fn built_in(kind: &kinds::Kind) -> Resource {
        let short = SHORT.iter().find(|(plural, _)| *plural == kind.plural);
        let short = short.map_or(&[][..], |(_, short)| *short);
        Resource {
            group: kind.group.to_owned(),
            version: kind.version.to_owned(),
            kind: kind.kind.to_owned(),
            plural: kind.plural.to_owned(),
            short: short.iter().map(|it| (*it).to_owned()).collect(),
            scope: kind.scope,
        }
    }

    /// `pods`, `deployments.apps`.
    pub fn qualified(&self) -> String {
        with_group(&self.plural, &self.group)
    }

    /// `pod`, `deployment.apps`: what kubectl puts before names.
    pub fn singular(&self) -> String {
        with_group(&self.kind.to_ascii_lowercase(), &self.group)
    }

    fn is_called(&self, name: &str) -> bool {
        let singular = self.kind.to_ascii_lowercase();
        let (name, group) =
            name.split_once('.').map_or((name, None), |(name, rest)| (name, Some(rest)));
        let is_name =
            name == self.plural || name == singular || self.short.iter().any(|it| it == name);
        let version = || group.and_then(|it| it.strip_prefix(&self.version)?.strip_prefix('.'));
        is_name && group.is_none_or(|group| group == self.group || version() == Some(&self.group))
    }
}

fn with_group(name: &str, group: &str) -> String {
    if group.is_empty() { name.to_owned() } else { format!("{name}.{group}") }
}

/// The kinds that a comma-separated list of names means; each once. `custom` are the kinds that are no
/// built-in ones.
///
/// # Errors
/// kubectl's words for a name that is none, with the nearest that is one.
pub fn resources(list: &str, custom: &[Resource]) -> Result<Vec<Resource>, String> {
    let mut found: Vec<Resource> = Vec::new();
    for name in list.split(',') {
        let name = name.to_ascii_lowercase();
        let all = if name == "all" { &ALL[..] } else { &[&*name] };
        for name in all {
            let resource = resource(name, custom)?;
            if !found.contains(&resource) {
                found.push(resource);
            }
        }
    }
    Ok(found)
}

fn resource(name: &str, custom: &[Resource]) -> Result<Resource, String> {
    let built_in: Vec<Resource> = SERVED.iter().map(Resource::built_in).collect();
    if let Some(found) = built_in.iter().chain(custom).find(|it| it.is_called(name)) {
        return Ok(found.clone());
    }
    let known: Vec<&str> = built_in.iter().chain(custom).map(|it| &*it.plural).collect();
    let hint =
        kinds::nearest(name, &known).map_or_else(String::new, |it| format!("; did you mean {it}?"));
    Err(format!("the server doesn't have a resource type {name:?}{hint}"))
}

/// The plural of a kind of which nobody says it (`meta.UnsafeGuessKindToResource`, apimachinery 1.36).
pub(super) fn plural(kind: &str) -> String {
    let kind = kind.to_ascii_lowercase();
    if kind.ends_with("endpoints") {
        kind
    } else if kind.ends_with('s') {
        kind + "es"
    } else if let Some(stem) = kind.strip_suffix('y') {
        format!("{stem}ies")
    } else {
        kind + "s"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(list: &str) -> Vec<String> {
        let found = resources(list, &[]).expect("known names");
        found.iter().map(Resource::qualified).collect()
    }

    #[test]
    fn kinds_have_many_names() {
        for (names, qualified) in [
            ("po,pod,Pods,POD", &["pods"][..]),
            ("deploy,deployments.apps,deployment.v1.apps", &["deployments.apps"]),
            ("svc,ep,no", &["services", "endpoints", "nodes"]),
            (
                "pdb,cj,sc",
                &["poddisruptionbudgets.policy", "cronjobs.batch", "storageclasses.storage.k8s.io"],
            ),
        ] {
            assert_eq!(named(names), qualified, "{names}");
        }
        assert_eq!(named("all")[..3], ["pods", "replicationcontrollers", "services"]);
        assert_eq!(resources("deployments.extensions", &[]).ok(), None);
    }

    #[test]
    fn what_is_none_is_told_with_the_nearest() {
        assert_eq!(
            resources("deploymnets", &[]).expect_err("no such kind"),
            "the server doesn't have a resource type \"deploymnets\"; did you mean deployments?"
        );
        assert_eq!(
            resources("x", &[]).expect_err("no such kind"),
            "the server doesn't have a resource type \"x\""
        );
    }

    #[test]
    fn plurals_are_guessed() {
        assert_eq!(
            ["Gateway", "Ingress", "Policy"].map(plural),
            ["gatewaies", "ingresses", "policies"]
        );
    }
}
