//! Which kinds there are: the table of what API server 1.36 serves with its default flags, and what
//! to say about a kind it does not serve.
//!
//! The rule of the defaults (`pkg/controlplane/instance.go` 1.36): stable versions are on, alpha and
//! beta versions are off, without an exception left. Groups that are not Kubernetes' own hold custom
//! resources: accepted, not modelled. Knows nothing of what a kind means.

use std::collections::BTreeMap;

mod table;

use table::{CONFIGURATION_GROUPS, CUSTOM_GROUPS, OWN_GROUPS, REPLACED};
pub use table::{Kind, SERVED, Scope};

use super::tree::Node;

/// A kind as a document names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupVersionKind {
    /// The group; empty for the core.
    pub group: String,
    /// The version.
    pub version: String,
    /// The kind.
    pub kind: String,
}

impl GroupVersionKind {
    /// From a document's `apiVersion` (`v1`, `apps/v1`) and `kind`.
    pub fn new(api_version: &str, kind: &str) -> GroupVersionKind {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        GroupVersionKind {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
        }
    }

    /// `v1` or `apps/v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }
}

/// How a kind stands to the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// A built-in kind, served.
    Served(&'static Kind),
    /// A custom resource, defined in the input or in a group that is not Kubernetes' own.
    Custom,
    /// In one of Kubernetes' own groups, and not served.
    Unknown,
}

/// The kinds known so far: the built-in ones and those that CRDs of the input define.
#[derive(Clone, Debug, Default)]
pub struct Kinds {
    defined: BTreeMap<GroupVersionKind, Scope>,
}

impl Kinds {
    /// How `kind` stands at this point of the input. [`Standing::Unknown`] may still become
    /// [`Standing::Custom`] by a CRD that follows.
    pub fn standing(&self, kind: &GroupVersionKind) -> Standing {
        if let Some(served) = served(kind) {
            Standing::Served(served)
        } else if self.defined.contains_key(kind) || !is_kubernetes_own(&kind.group) {
            Standing::Custom
        } else {
            Standing::Unknown
        }
    }

    /// The scope a CRD of the input gives to a kind.
    pub fn defined_scope(&self, kind: &GroupVersionKind) -> Option<Scope> {
        self.defined.get(kind).copied()
    }

    /// Takes note of the kinds that a `CustomResourceDefinition` defines.
    pub fn define(&mut self, crd: &Node<'_>) {
        let Some(spec) = crd.get("spec") else { return };
        let group = spec.get("group").and_then(Node::text);
        let kind = spec.get("names").and_then(|names| names.get("kind")).and_then(Node::text);
        let (Some(group), Some(kind)) = (group, kind) else { return };
        let scope = match spec.get("scope").and_then(Node::text) {
            Some("Cluster") => Scope::Cluster,
            _ => Scope::Namespaced,
        };
        for version in spec.get("versions").map(Node::items).unwrap_or_default() {
            if let Some(name) = version.get("name").and_then(Node::text) {
                let defined = GroupVersionKind {
                    group: group.to_owned(),
                    version: name.to_owned(),
                    kind: kind.to_owned(),
                };
                self.defined.insert(defined, scope);
            }
        }
    }
}

/// The built-in kind, if 1.36 serves it.
pub fn served(kind: &GroupVersionKind) -> Option<&'static Kind> {
    SERVED.iter().find(|served| {
        served.group == kind.group && served.version == kind.version && served.kind == kind.kind
    })
}

/// Whether a group is Kubernetes' own, so that a kind in it is either served or does not exist.
///
/// A group without a dot, or below `k8s.io` and `kubernetes.io`, may not be a custom one unless the
/// community approved it (KEP-2337): those that ship as CRDs or aggregated APIs are listed, and all of
/// `x-k8s.io` and `sigs.k8s.io` are such.
fn is_kubernetes_own(group: &str) -> bool {
    if OWN_GROUPS.contains(&group) {
        return true;
    }
    group.ends_with(".k8s.io")
        && !group.ends_with(".sigs.k8s.io")
        && !CUSTOM_GROUPS.iter().any(|custom| {
            group == *custom || group.strip_suffix(custom).is_some_and(|sub| sub.ends_with('.'))
        })
}

/// kubectl's words for a kind nobody serves.
pub fn no_match(kind: &GroupVersionKind) -> String {
    format!("no matches for kind {:?} in version {:?}", kind.kind, kind.api_version())
}

/// What the writer may have meant.
pub fn hint(kind: &GroupVersionKind) -> Option<String> {
    let asked = (kind.group.as_str(), kind.version.as_str(), kind.kind.as_str());
    if let Some((.., advice)) = REPLACED
        .iter()
        .find(|(group, name, _)| *group == asked.0 && (name.is_empty() || *name == asked.2))
    {
        return Some((*advice).to_owned());
    }
    if CONFIGURATION_GROUPS.contains(&asked.0) {
        return Some("this is a program's configuration file, not an object of the cluster".into());
    }
    if let Some(other) = SERVED.iter().find(|served| served.kind == asked.2) {
        let since = if is_preview(asked.1) && other.group == asked.0 {
            "alpha and beta versions are off by default; "
        } else {
            ""
        };
        return Some(format!("{since}1.36 serves it in {:?}", other.api_version()));
    }
    if let Some(served) = SERVED
        .iter()
        .filter(|served| near(served.kind, asked.2))
        .min_by_key(|served| distance(served.kind, asked.2))
    {
        return Some(format!("did you mean {} in {:?}?", served.kind, served.api_version()));
    }
    if is_preview(asked.1) {
        return Some("alpha and beta versions are off by default in 1.36".to_owned());
    }
    asked.0.contains('.').then(|| "if a CRD defines it, add the CRD to the input".to_owned())
}

fn is_preview(version: &str) -> bool {
    version.contains("alpha") || version.contains("beta")
}

fn near(a: &str, b: &str) -> bool {
    distance(a, b) <= 1 + a.len().max(b.len()) / 6
}

/// The one of `names` that `given` is probably a slip of.
pub fn nearest<'n>(given: &str, names: &[&'n str]) -> Option<&'n str> {
    names
        .iter()
        .copied()
        .filter(|name| given.len() < 64 && near(name, given))
        .min_by_key(|name| distance(name, given))
}

/// Letters to insert, delete, replace or swap with their neighbour, case apart.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<u8> = a.bytes().map(|c| c.to_ascii_lowercase()).collect();
    let b: Vec<u8> = b.bytes().map(|c| c.to_ascii_lowercase()).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for i in 0..a.len() {
        let mut next = Vec::with_capacity(b.len() + 1);
        next.push(i + 1);
        for j in 0..b.len() {
            let replaced = row[j] + usize::from(a[i] != b[j]);
            let mut best = replaced.min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j] {
                best = best.min(before[j - 1] + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::yaml;

    fn kind(api_version: &str, kind: &str) -> GroupVersionKind {
        GroupVersionKind::new(api_version, kind)
    }

    #[test]
    fn a_group_decides_between_custom_and_unknown() {
        let kinds = Kinds::default();
        let standing = |api_version, name| kinds.standing(&kind(api_version, name));
        for (api_version, name) in [
            ("extensions/v1beta1", "Deployment"),
            ("apps/v1beta2", "Deployment"),
            ("policy/v1beta1", "PodSecurityPolicy"),
            ("batch/v1beta1", "CronJob"),
            ("autoscaling/v2beta2", "HorizontalPodAutoscaler"),
            ("networking.k8s.io/v1beta1", "Ingress"),
            ("resource.k8s.io/v1beta1", "ResourceClaim"),
            ("v1", "Pods"),
            ("policy/v1", "Eviction"),
            ("netwroking.k8s.io/v1", "Ingress"),
            ("kubelet.config.k8s.io/v1beta1", "KubeletConfiguration"),
        ] {
            assert_eq!(standing(api_version, name), Standing::Unknown, "{api_version} {name}");
        }
        for (api_version, name) in [
            ("gateway.networking.k8s.io/v1", "HTTPRoute"),
            ("snapshot.storage.k8s.io/v1", "VolumeSnapshot"),
            ("kueue.x-k8s.io/v1beta1", "ClusterQueue"),
            ("x.sigs.k8s.io/v1", "A"),
            ("autoscaling.k8s.io/v1", "VerticalPodAutoscaler"),
            ("networking.istio.io/v1", "Gateway"),
            ("example.com/v1", "Pod"),
        ] {
            assert_eq!(standing(api_version, name), Standing::Custom, "{api_version} {name}");
        }
        assert!(matches!(standing("apps/v1", "Deployment"), Standing::Served(_)));
    }

    #[test]
    fn hints_name_what_is_served() {
        let hint_of = |api_version, name| hint(&kind(api_version, name)).unwrap_or_default();
        assert_eq!(hint_of("extensions/v1beta1", "Deployment"), "1.36 serves it in \"apps/v1\"");
        assert_eq!(hint_of("apps/v1", "Deploiment"), "did you mean Deployment in \"apps/v1\"?");
        assert!(hint_of("policy/v1beta1", "PodSecurityPolicy").contains("Pod Security Admission"));
        assert!(hint_of("batch/v1beta1", "CronJob").contains("\"batch/v1\""));
        assert_eq!(
            no_match(&kind("extensions/v1beta1", "Ingress")),
            "no matches for kind \"Ingress\" in version \"extensions/v1beta1\""
        );
    }

    #[test]
    fn a_crd_defines_its_kinds() {
        let text = "spec: {group: node.k8s.io, names: {kind: Thing}, scope: Cluster, versions: [{name: v1}]}";
        let mut kinds = Kinds::default();
        assert_eq!(kinds.standing(&kind("node.k8s.io/v1", "Thing")), Standing::Unknown);
        kinds.define(&yaml::parse(text).expect("good YAML"));
        assert_eq!(kinds.standing(&kind("node.k8s.io/v1", "Thing")), Standing::Custom);
        assert_eq!(kinds.defined_scope(&kind("node.k8s.io/v1", "Thing")), Some(Scope::Cluster));
    }

    #[test]
    fn the_nearest_name_is_a_slip_away() {
        assert_eq!(nearest("imgae", &["image", "imagePullPolicy", "name"]), Some("image"));
        assert_eq!(nearest("volume", &["image", "name"]), None);
    }
}
