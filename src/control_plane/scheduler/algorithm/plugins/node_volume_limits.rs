//! NodeVolumeLimits: a CSI driver attaches so many volumes to a node and no more
//! (`plugins/nodevolumelimits/csi.go`, 1.36).
//!
//! VolumeAttachments are not modelled: volumes count by the pods that use them.

use std::collections::BTreeMap;

use super::super::framework::{Code, Plugin, Question, Rejection};
use super::super::node_info::NodeInfo;
use super::super::shape::PodShape;
use super::super::volumes::Volumes;
use crate::api::name::Text;
use crate::api::storage::{CsiNode, InTreePlugin, PersistentVolumeClaim, VolumeSource};

/// Its words.
pub const REASON: &str = "node(s) exceed max volume count";

/// Volumes that count: the driver of each, by driver and handle.
type Attached = BTreeMap<(Text, Text), Text>;

/// Whether the pod has volumes that may count.
pub fn pre_filter(pod: &PodShape) -> bool {
    let volumes = &pod.spec().volumes;
    !volumes.claims.is_empty() || !volumes.in_tree.is_empty()
}

/// Rejects nodes with too many volumes of a driver the pod's volumes are of.
pub fn filter(q: Question<'_>, node: &NodeInfo) -> Option<Rejection> {
    if !pre_filter(q.pod) {
        return None;
    }
    let volumes = q.snapshot.surroundings().volumes();
    let missing = |name: &Text| volumes.claim(q.pod.namespace(), name).is_none();
    if let Some(at) = q.pod.claims().iter().position(missing) {
        return Some(Rejection {
            plugin: Plugin::NodeVolumeLimits,
            code: Code::UnschedulableAndUnresolvable,
            detail: 1 + at as u64,
        });
    }
    let csi = volumes.csi_node(node.written_name())?;
    let mut new = Attached::new();
    count(volumes, q.pod, csi, &mut new);
    if new.is_empty() || csi.drivers.iter().all(|driver| driver.limit.is_none()) {
        return None;
    }
    let mut held = Attached::new();
    for resident in node.pods.iter().filter(|resident| pre_filter(&resident.shape)) {
        count(volumes, &resident.shape, csi, &mut held);
    }
    // What is attached already costs nothing.
    new.retain(|volume, _| !held.contains_key(volume));
    let of = |all: &Attached, name: &Text| all.values().filter(|driver| *driver == name).count();
    let exceeds = csi.drivers.iter().any(|driver| {
        let wanted = of(&new, &driver.name);
        let limit = driver.limit.map(i64::from);
        wanted > 0 && limit.is_some_and(|limit| (wanted + of(&held, &driver.name)) as i64 > limit)
    });
    exceeds.then_some(Rejection::of(Plugin::NodeVolumeLimits, Code::Unschedulable))
}

/// Adds the volumes of a pod that drivers of this node would attach.
fn count(volumes: &Volumes, pod: &PodShape, csi: &CsiNode, into: &mut Attached) {
    for claim in volumes.claims_of(pod) {
        if let Some((driver, handle)) = attachment(volumes, claim, csi) {
            into.insert((driver.clone(), handle), driver);
        }
    }
    for (plugin, handle) in &pod.spec().volumes.in_tree {
        if let Some(driver) = migrated(*plugin, csi) {
            into.insert((driver.clone(), handle.clone()), driver);
        }
    }
}

/// The driver in place of an in-tree plugin, if it has taken over on this node.
fn migrated(plugin: InTreePlugin, csi: &CsiNode) -> Option<Text> {
    csi.migrated.contains(&plugin).then(|| plugin.driver().into())
}

/// Driver and handle of a claim's volume; of a claim without one, what its class would give it.
fn attachment(
    volumes: &Volumes,
    claim: &PersistentVolumeClaim,
    csi: &CsiNode,
) -> Option<(Text, Text)> {
    match claim.volume.as_ref().and_then(|name| volumes.volume(name)) {
        Some(volume) => match &volume.spec.source {
            VolumeSource::Csi { driver, handle } => Some((driver.clone(), handle.clone())),
            VolumeSource::InTree { plugin, handle } => {
                Some((migrated(*plugin, csi)?, handle.clone()))
            }
            _ => None,
        },
        None => {
            let class = volumes.class(claim.spec.class_name())?;
            let driver = match InTreePlugin::named(&class.provisioner) {
                Some(plugin) => migrated(plugin, csi)?,
                None => class.provisioner.clone(),
            };
            // No driver calls a volume like this.
            let handle = format!("\0{}/{}", claim.meta.namespace, claim.meta.name);
            Some((driver, handle.into()))
        }
    }
}

/// The words for what is wrong.
pub fn reason(detail: u64, pod: &PodShape) -> Text {
    let at = usize::try_from(detail.wrapping_sub(1)).unwrap_or(usize::MAX);
    match pod.claims().get(at) {
        None => REASON.into(),
        Some(name) => {
            let (namespace, quoted) =
                (pod.namespace(), format!("persistentvolumeclaim \"{name}\""));
            format!("looking up PVC {namespace}/{name}: {quoted} not found").into()
        }
    }
}
