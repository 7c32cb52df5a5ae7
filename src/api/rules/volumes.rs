//! The volumes of a pod, as far as they decide where it may run.

use crate::api::name::{Name, Text};
use crate::api::storage::{ClaimTemplate, InTreePlugin};

/// The volumes of a pod that something looks at; a ConfigMap or an empty directory is none of them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PodVolumes {
    /// Volumes on claims, in the order of the spec.
    pub claims: Vec<PodClaim>,
    /// Disks mounted without a claim that two pods on one node may quarrel over.
    pub disks: Vec<Disk>,
    /// Volumes without a claim that CSI drivers have taken over, with the plugin's name for them.
    pub in_tree: Vec<(InTreePlugin, Text)>,
    /// Images mounted as volumes.
    pub images: Vec<Text>,
    /// Volumes whose data lie on the node and are lost with it, by name: `hostPath`, and `emptyDir`
    /// but in memory.
    pub local: Vec<Text>,
}

/// A volume of a pod that lies on a claim.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PodClaim {
    /// On the claim of this name.
    Named(Text),
    /// On a claim of its own that is made with the pod (a generic ephemeral volume); the template
    /// has the volume's name.
    Ephemeral(ClaimTemplate),
}

impl PodClaim {
    /// The name of the claim, for a pod of this name.
    pub fn name(&self, pod: &Name) -> Text {
        match self {
            PodClaim::Named(name) => name.clone(),
            PodClaim::Ephemeral(template) => format!("{pod}-{}", template.name).into(),
        }
    }

    /// Whether the claim is made with the pod.
    pub fn is_ephemeral(&self) -> bool {
        matches!(self, PodClaim::Ephemeral(_))
    }
}

/// How a disk is mounted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mount {
    /// For writing too.
    #[default]
    ReadWrite,
    /// For reading only.
    ReadOnly,
}

/// A disk mounted without a claim.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Disk {
    /// A Google persistent disk, by name.
    Gce(Text, Mount),
    /// An Amazon EBS volume, by id.
    Aws(Text),
    /// An iSCSI target, by qualified name.
    Iscsi(Text, Mount),
    /// A Ceph RBD image.
    Rbd {
        /// Monitors of its cluster.
        monitors: Vec<Text>,
        /// Its pool.
        pool: Text,
        /// Its name.
        image: Text,
        /// How it is mounted.
        mount: Mount,
    },
}

impl Disk {
    /// Whether two pods on one node cannot mount these two (`isVolumeConflict`,
    /// pkg/scheduler/framework/plugins/volumerestrictions, 1.36): both are one disk, and not both
    /// mount it for reading only; one Amazon disk never goes twice.
    pub fn clashes(&self, other: &Disk) -> bool {
        let writes = |a: Mount, b: Mount| a != Mount::ReadOnly || b != Mount::ReadOnly;
        match (self, other) {
            (Disk::Gce(a, how), Disk::Gce(b, also)) => a == b && writes(*how, *also),
            (Disk::Aws(a), Disk::Aws(b)) => a == b,
            (Disk::Iscsi(a, how), Disk::Iscsi(b, also)) => a == b && writes(*how, *also),
            (
                Disk::Rbd { monitors, pool, image, mount },
                Disk::Rbd { monitors: m, pool: p, image: i, mount: also },
            ) => {
                monitors.iter().any(|monitor| m.contains(monitor))
                    && pool == p
                    && image == i
                    && writes(*mount, *also)
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_goes_twice_only_for_reading_and_an_amazon_one_never() {
        use Mount::{ReadOnly, ReadWrite};
        let gce = |name: &str, mount| Disk::Gce(name.into(), mount);
        assert!(gce("a", ReadOnly).clashes(&gce("a", ReadWrite)));
        assert!(!gce("a", ReadOnly).clashes(&gce("a", ReadOnly)));
        assert!(!gce("a", ReadWrite).clashes(&gce("b", ReadWrite)));
        assert!(Disk::Aws("v".into()).clashes(&Disk::Aws("v".into())));
        assert!(!Disk::Aws("v".into()).clashes(&gce("v", ReadWrite)));
    }

    #[test]
    fn an_rbd_image_is_told_by_pool_name_and_any_common_monitor() {
        let rbd = |monitors: &[&str], image: &str| Disk::Rbd {
            monitors: monitors.iter().map(|&it| it.into()).collect(),
            pool: "rbd".into(),
            image: image.into(),
            mount: Mount::ReadWrite,
        };
        assert!(rbd(&["a", "b"], "x").clashes(&rbd(&["b"], "x")));
        assert!(!rbd(&["a"], "x").clashes(&rbd(&["b"], "x")));
        assert!(!rbd(&["a"], "x").clashes(&rbd(&["a"], "y")));
    }
}
