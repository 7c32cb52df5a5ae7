//! What becomes of a volume whose claim is gone (`reclaimVolume`, kube-controller-manager 1.36
//! pkg/controller/volume/persistentvolume).
//!
//! ```text
//! Released ─┬─ Retain ─▶ stays
//!           ├─ Delete ──┬─ made by a provisioner, or a directory below /tmp ─▶ gone
//!           │           ├─ another one of a driver: nobody deletes it ─▶ stays
//!           │           └─ any other ─▶ Failed
//!           └─ Recycle ─┬─ hostPath, NFS: recycler pods are not modelled ─▶ stays
//!                       └─ any other ─▶ Failed
//! ```

use super::{is_left_in_tree, told, update};
use crate::api::kind::Kind;
use crate::api::storage::{PROVISIONED_BY, PersistentVolume, Reclaim, VolumePhase, VolumeSource};
use crate::base::id::Id;
use crate::control_plane::controllers::Timer;
use crate::messages::request::Propagation;
use crate::messages::{Call, Effects, Part, Remark};
use crate::store::Rev;

/// The plugin of directories of a node.
const HOST_PATH: &str = "kubernetes.io/host-path";
/// The plugin of NFS shares.
const NFS: &str = "kubernetes.io/nfs";

/// What comes of an attempt to delete a volume.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Deletion {
    /// It is deleted.
    Done,
    /// It is an external provisioner's to delete, and none sees it as its own.
    Nobodys,
    /// It cannot be deleted.
    Failed(String),
}

/// The next call for a volume that is released.
pub(super) fn reclaimed(
    (id, rev): (Id<PersistentVolume>, Rev),
    volume: &PersistentVolume,
    fx: &mut Effects<Timer>,
) -> Option<Call> {
    let (reason, why) = match volume.spec.reclaim {
        Reclaim::Retain => return None,
        Reclaim::Recycle => match volume.spec.source {
            VolumeSource::HostPath { .. } | VolumeSource::Nfs => return None,
            _ => ("VolumeFailedRecycle", "No recycler plugin found for the volume!".to_owned()),
        },
        Reclaim::Delete => match deletion(volume) {
            Deletion::Done => {
                return (!volume.meta.is_terminating()).then(|| Call::Delete {
                    kind: Kind::PersistentVolume,
                    id: id.into(),
                    uid: Some(volume.meta.uid),
                    grace_seconds: None,
                    propagation: Propagation::Background,
                });
            }
            Deletion::Nobodys => return None,
            Deletion::Failed(why) => ("VolumeFailedDelete", why),
        },
    };
    if volume.phase == VolumePhase::Failed {
        return None;
    }
    let mut next = volume.clone();
    next.phase = VolumePhase::Failed;
    next.message = why.as_str().into();
    told::volume(volume, fx, || Remark::warning(reason, why));
    Some(update(id, Some(rev), next, Part::Status))
}

/// What comes of deleting the volume: who made it decides, else what it lies on (`findDeletablePlugin`;
/// an external provisioner deletes what it has made itself, `shouldDelete` of
/// sig-storage-lib-external-provisioner).
fn deletion(volume: &PersistentVolume) -> Deletion {
    match volume.meta.annotation(PROVISIONED_BY).filter(|by| !by.is_empty()) {
        Some(HOST_PATH) => return of_host_path(volume),
        Some(NFS) => return Deletion::Failed("no deletable volume plugin matched".into()),
        Some(by) if is_left_in_tree(by) => {
            return Deletion::Failed(format!("no volume plugin matched name: {by}"));
        }
        Some(_) => return Deletion::Done,
        None => {}
    }
    let why = match &volume.spec.source {
        VolumeSource::Csi { .. } | VolumeSource::InTree { .. } => return Deletion::Nobodys,
        VolumeSource::HostPath { .. } => return of_host_path(volume),
        VolumeSource::Nfs => "no deletable volume plugin matched",
        // The controller has no more plugins than those of hostPath and NFS.
        VolumeSource::Other => "no volume plugin matched",
    };
    let name = &volume.meta.name;
    Deletion::Failed(format!("error getting deleter volume plugin for volume \"{name}\": {why}"))
}

/// A directory is deleted below /tmp alone (pkg/volume/hostpath).
fn of_host_path(volume: &PersistentVolume) -> Deletion {
    let VolumeSource::HostPath { path } = &volume.spec.source else {
        return Deletion::Failed(format!(
            "failed to create deleter for volume \"{}\": spec.PersistentVolumeSource.HostPath is nil",
            volume.meta.name
        ));
    };
    let below = path.split_once("/tmp/").is_some_and(|(_, rest)| !rest.is_empty());
    match below {
        true => Deletion::Done,
        false => Deletion::Failed(format!(
            "host_path deleter only supports /tmp/.+ but received provided {path}"
        )),
    }
}
