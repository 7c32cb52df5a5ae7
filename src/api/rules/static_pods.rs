//! Static pods: those a kubelet runs from manifests of its own, and the mirrors by which the API shows them
//! (kubelet 1.36 `pkg/kubelet/types/pod_update.go`, `config/common.go`).

use crate::api::meta::Meta;
use crate::api::name::Name;

/// Marks a mirror of a static pod; its value is the hash of what is mirrored.
pub const MIRROR: &str = "kubernetes.io/config.mirror";
/// Where a kubelet has a pod from: `file`, `http`, or `api`.
pub const SOURCE: &str = "kubernetes.io/config.source";
/// The hash of the manifest a kubelet has a pod from.
pub const HASH: &str = "kubernetes.io/config.hash";

/// Whether it is the mirror of a static pod.
pub fn is_mirror(meta: &Meta) -> bool {
    meta.annotation(MIRROR).is_some()
}

/// The name of a static pod: that of its manifest, and its node's (`generatePodName`).
pub fn name_on(name: &Name, node: &Name) -> Name {
    Name::from(&*format!("{name}-{}", node.to_string().to_lowercase()))
}
