//! Volumes as a run holds them: PersistentVolumes, claims on them, StorageClasses, and what drivers
//! say of a node (CSINode).
//!
//! Owns what scheduling and binding look at; everything else of a spec is kept as written only.

use std::sync::Arc;

use super::meta::{Labels, Meta, Uid};
use super::name::Text;
use super::rules::affinity::Term;
use super::rules::selector::Selector;
use crate::time::SimTime;

/// Finalizer of a claim, for as long as a pod may use it.
pub const CLAIM_PROTECTION: &str = "kubernetes.io/pvc-protection";
/// Finalizer of a volume, for as long as it is bound.
pub const VOLUME_PROTECTION: &str = "kubernetes.io/pv-protection";
/// Annotation of a claim that its binding is through (`pv.kubernetes.io/bind-completed`).
pub const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";
/// Annotation of what a controller, not a user, bound (`pv.kubernetes.io/bound-by-controller`).
pub const BOUND_BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";
/// Annotation of a claim: the node for which its volume is to be made.
pub const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
/// Annotation of a claim: who is to make its volume.
pub const STORAGE_PROVISIONER: &str = "volume.kubernetes.io/storage-provisioner";
/// The same as provisioners of old look for it.
pub const STORAGE_PROVISIONER_BETA: &str = "volume.beta.kubernetes.io/storage-provisioner";
/// Annotation of a volume: who made it.
pub const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";
/// Annotation of a StorageClass that claims without class get.
pub const DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";
/// Provisioner of a class whose volumes nobody makes (`volume.NotSupportedProvisioner`, 1.36).
pub const NO_PROVISIONER: &str = "kubernetes.io/no-provisioner";

/// How a volume may be mounted: a set of access modes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct AccessModes(u8);

impl AccessModes {
    /// `ReadWriteOnce`: by one node.
    pub const READ_WRITE_ONCE: AccessModes = AccessModes(1);
    /// `ReadOnlyMany`: by many nodes, read only.
    pub const READ_ONLY_MANY: AccessModes = AccessModes(2);
    /// `ReadWriteMany`: by many nodes.
    pub const READ_WRITE_MANY: AccessModes = AccessModes(4);
    /// `ReadWriteOncePod`: by one pod.
    pub const READ_WRITE_ONCE_POD: AccessModes = AccessModes(8);

    /// The mode written like this; none for an unknown one.
    pub fn named(written: &str) -> AccessModes {
        match written {
            "ReadWriteOnce" => AccessModes::READ_WRITE_ONCE,
            "ReadOnlyMany" => AccessModes::READ_ONLY_MANY,
            "ReadWriteMany" => AccessModes::READ_WRITE_MANY,
            "ReadWriteOncePod" => AccessModes::READ_WRITE_ONCE_POD,
            _ => AccessModes::default(),
        }
    }

    /// The names of these, in the order in which kubectl tells them.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let all = ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"];
        all.into_iter().filter(move |name| self.has(AccessModes::named(name)))
    }

    /// How many they are.
    pub fn count(self) -> u32 {
        self.0.count_ones()
    }

    /// Both together.
    pub fn with(self, other: AccessModes) -> AccessModes {
        AccessModes(self.0 | other.0)
    }

    /// Whether all of `other` are among these.
    pub fn has(self, other: AccessModes) -> bool {
        self.0 & other.0 == other.0
    }
}

/// `volumeMode`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum VolumeMode {
    /// A file system.
    #[default]
    Filesystem,
    /// A raw device.
    Block,
}

impl VolumeMode {
    /// As the API writes it.
    pub fn name(self) -> &'static str {
        match self {
            VolumeMode::Filesystem => "Filesystem",
            VolumeMode::Block => "Block",
        }
    }
}

/// What becomes of a volume whose claim is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Reclaim {
    /// It stays, released.
    #[default]
    Retain,
    /// It goes.
    Delete,
    /// It is emptied and offered again (deprecated).
    Recycle,
}

impl Reclaim {
    /// As the API writes it.
    pub fn name(self) -> &'static str {
        match self {
            Reclaim::Retain => "Retain",
            Reclaim::Delete => "Delete",
            Reclaim::Recycle => "Recycle",
        }
    }
}

/// What a volume lies on, as far as attach limits, and those who delete volumes, tell volumes apart.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum VolumeSource {
    /// A volume of a CSI driver.
    Csi {
        /// The driver.
        driver: Text,
        /// Its name for the volume.
        handle: Text,
    },
    /// A volume of an in-tree plugin that a CSI driver has taken over, on nodes that say so.
    InTree {
        /// The plugin.
        plugin: InTreePlugin,
        /// Its name for the volume.
        handle: Text,
    },
    /// A directory of a node.
    HostPath {
        /// Where it is.
        path: Text,
    },
    /// A share of an NFS server.
    Nfs,
    /// Any other: never counted.
    #[default]
    Other,
}

/// In-tree plugins that CSI drivers have taken over (`k8s.io/csi-translation-lib`, 1.36).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum InTreePlugin {
    /// `kubernetes.io/aws-ebs`.
    AwsEbs,
    /// `kubernetes.io/gce-pd`.
    GcePd,
    /// `kubernetes.io/azure-disk`.
    AzureDisk,
    /// `kubernetes.io/azure-file`.
    AzureFile,
    /// `kubernetes.io/cinder`.
    Cinder,
    /// `kubernetes.io/vsphere-volume`.
    Vsphere,
    /// `kubernetes.io/portworx-volume`.
    Portworx,
}

impl InTreePlugin {
    const ALL: [InTreePlugin; 7] = [
        InTreePlugin::AwsEbs,
        InTreePlugin::GcePd,
        InTreePlugin::AzureDisk,
        InTreePlugin::AzureFile,
        InTreePlugin::Cinder,
        InTreePlugin::Vsphere,
        InTreePlugin::Portworx,
    ];

    /// Its name, as StorageClasses name it as their provisioner.
    pub fn name(self) -> &'static str {
        match self {
            InTreePlugin::AwsEbs => "kubernetes.io/aws-ebs",
            InTreePlugin::GcePd => "kubernetes.io/gce-pd",
            InTreePlugin::AzureDisk => "kubernetes.io/azure-disk",
            InTreePlugin::AzureFile => "kubernetes.io/azure-file",
            InTreePlugin::Cinder => "kubernetes.io/cinder",
            InTreePlugin::Vsphere => "kubernetes.io/vsphere-volume",
            InTreePlugin::Portworx => "kubernetes.io/portworx-volume",
        }
    }

    /// The CSI driver in its place.
    pub fn driver(self) -> &'static str {
        match self {
            InTreePlugin::AwsEbs => "ebs.csi.aws.com",
            InTreePlugin::GcePd => "pd.csi.storage.gke.io",
            InTreePlugin::AzureDisk => "disk.csi.azure.com",
            InTreePlugin::AzureFile => "file.csi.azure.com",
            InTreePlugin::Cinder => "cinder.csi.openstack.org",
            InTreePlugin::Vsphere => "csi.vsphere.vmware.com",
            InTreePlugin::Portworx => "pxd.portworx.com",
        }
    }

    /// The plugin of this name.
    pub fn named(name: &str) -> Option<InTreePlugin> {
        InTreePlugin::ALL.into_iter().find(|plugin| plugin.name() == name)
    }
}

/// A PersistentVolume.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PersistentVolume {
    /// Its metadata.
    pub meta: Meta,
    /// What it offers.
    pub spec: Arc<VolumeSpec>,
    /// `spec.claimRef`: whose it is, or is meant to be.
    pub claim: Option<ClaimRef>,
    /// `status.phase`.
    pub phase: VolumePhase,
    /// `status.lastPhaseTransitionTime`; none: from before the run.
    pub phase_since: Option<SimTime>,
    /// `status.message`: why it failed; empty: nothing is said.
    pub message: Text,
}

/// What a PersistentVolume offers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct VolumeSpec {
    /// `capacity.storage`, in bytes.
    pub capacity: i64,
    /// How it may be mounted.
    pub access: AccessModes,
    /// Its class; empty: none.
    pub class: Text,
    /// `volumeMode`.
    pub mode: VolumeMode,
    /// What becomes of it without its claim.
    pub reclaim: Reclaim,
    /// Terms one of which must select a node that uses it; none: any node does.
    pub node_affinity: Option<Vec<Term>>,
    /// What it lies on.
    pub source: VolumeSource,
    /// `volumeAttributesClassName`; empty: none.
    pub attributes_class: Text,
    /// Spec as written, as canonical JSON, `claimRef` apart; empty for what a provisioner made.
    pub written: Text,
}

/// Whose a volume is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClaimRef {
    /// The claim's namespace.
    pub namespace: Text,
    /// The claim's name.
    pub name: Text,
    /// The claim's uid; none: any claim of that name may have it.
    pub uid: Option<Uid>,
}

/// The phase of a volume.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum VolumePhase {
    /// No controller has looked at it.
    #[default]
    Pending,
    /// Nobody has it.
    Available,
    /// A claim has it.
    Bound,
    /// Its claim is gone.
    Released,
    /// It could not be reclaimed.
    Failed,
}

impl VolumePhase {
    /// As the API prints it.
    pub fn name(self) -> &'static str {
        match self {
            VolumePhase::Pending => "Pending",
            VolumePhase::Available => "Available",
            VolumePhase::Bound => "Bound",
            VolumePhase::Released => "Released",
            VolumePhase::Failed => "Failed",
        }
    }
}

/// A PersistentVolumeClaim.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PersistentVolumeClaim {
    /// Its metadata.
    pub meta: Meta,
    /// What it asks for.
    pub spec: Arc<ClaimSpec>,
    /// `spec.volumeName`: the volume it has, or wants.
    pub volume: Option<Text>,
    /// `status.phase`.
    pub phase: ClaimPhase,
    /// `status.accessModes`: those of its volume.
    pub access: AccessModes,
    /// `status.capacity.storage`, in bytes: what its volume had when it was bound, or has grown to; 0: none.
    pub capacity: i64,
    /// How far its volume has grown, while it grows.
    pub growth: Option<Growth>,
}

/// A volume that grows because its claim asks for more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Growth {
    /// `status.allocatedResources.storage`, in bytes: what it grows to.
    pub to: i64,
    /// Who is at it.
    pub stage: GrowthStage,
    /// Since when.
    pub since: SimTime,
}

/// Who is at a volume that grows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GrowthStage {
    /// Its driver's resizer (`ControllerResizeInProgress`).
    Resizer,
    /// Its file system is to grow where a pod uses it (`NodeResizePending`).
    Node,
}

impl PersistentVolumeClaim {
    /// A claim of which nobody has taken notice.
    pub fn new(meta: Meta, spec: Arc<ClaimSpec>) -> PersistentVolumeClaim {
        PersistentVolumeClaim {
            meta,
            spec,
            volume: None,
            phase: ClaimPhase::Pending,
            access: AccessModes::default(),
            capacity: 0,
            growth: None,
        }
    }

    /// Whether its binding is through.
    pub fn is_bound(&self) -> bool {
        self.volume.is_some() && self.meta.annotation(BIND_COMPLETED).is_some()
    }
}

/// What a claim asks for.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ClaimSpec {
    /// How it is to be mounted.
    pub access: AccessModes,
    /// The class it wants; `None`: the default one, empty: none.
    pub class: Option<Text>,
    /// `resources.requests.storage`, in bytes.
    pub request: i64,
    /// Labels of the volumes it takes; `None`: any.
    pub selector: Option<Selector>,
    /// `volumeMode`.
    pub mode: VolumeMode,
    /// `volumeAttributesClassName`; empty: none.
    pub attributes_class: Text,
    /// What its volume is to be filled with; none: nothing.
    pub filling: Option<Filling>,
    /// Spec as written, as canonical JSON, `volumeName` and class apart.
    pub written: Text,
}

/// What a new volume is filled with (`dataSource`, `dataSourceRef`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Filling {
    /// What the volume of this claim of the same namespace has.
    Claim(Text),
    /// What an object of this kind has, such as a VolumeSnapshot.
    Other(Text),
}

impl ClaimSpec {
    /// The class it wants; empty: none.
    pub fn class_name(&self) -> &str {
        self.class.as_deref().unwrap_or_default()
    }
}

/// What claims are made from: of a StatefulSet, or of a pod's generic ephemeral volume.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClaimTemplate {
    /// The name of the template, or of the pod's volume.
    pub name: Text,
    /// Labels of each claim.
    pub labels: Arc<Labels>,
    /// Annotations of each claim.
    pub annotations: Arc<Labels>,
    /// What each claim asks for.
    pub spec: Arc<ClaimSpec>,
}

/// The phase of a claim.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ClaimPhase {
    /// It has no volume yet.
    #[default]
    Pending,
    /// It has its volume.
    Bound,
    /// Its volume is gone.
    Lost,
}

impl ClaimPhase {
    /// As the API prints it.
    pub fn name(self) -> &'static str {
        match self {
            ClaimPhase::Pending => "Pending",
            ClaimPhase::Bound => "Bound",
            ClaimPhase::Lost => "Lost",
        }
    }
}

/// A StorageClass.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StorageClass {
    /// Its metadata.
    pub meta: Meta,
    /// Who makes its volumes.
    pub provisioner: Text,
    /// When its claims are bound.
    pub binding: BindingMode,
    /// What becomes of its volumes without their claims.
    pub reclaim: Reclaim,
    /// Whether its volumes may grow.
    pub growth: ClassGrowth,
    /// Where its volumes may be made: on nodes that one of these selects; empty: on any.
    pub topologies: Vec<Topology>,
    /// Everything but its metadata as written, as canonical JSON.
    pub written: Text,
}

impl StorageClass {
    /// Whether claims without class get it.
    pub fn is_default(&self) -> bool {
        self.meta.annotation(DEFAULT_CLASS) == Some("true")
            || self.meta.annotation("storageclass.beta.kubernetes.io/is-default-class")
                == Some("true")
    }
}

/// Whether volumes of a class may grow (`allowVolumeExpansion`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ClassGrowth {
    /// They may not.
    #[default]
    Refused,
    /// They may.
    Allowed,
}

/// When claims of a class are bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum BindingMode {
    /// At once.
    #[default]
    Immediate,
    /// When a pod that uses the claim has a node.
    WaitForFirstConsumer,
}

/// One of a class's `allowedTopologies`: every label must have one of its values.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Topology {
    /// Labels of nodes with the values they may have.
    pub labels: Vec<(Text, Vec<Text>)>,
}

impl Topology {
    /// Whether a node with these labels is selected. One without labels selects nothing
    /// (`MatchTopologySelectorTerms`, 1.36).
    pub fn matches(&self, node: &Labels) -> bool {
        let holds = |(key, values): &(Text, Vec<Text>)| {
            node.get(key).is_some_and(|value| values.contains(value))
        };
        !self.labels.is_empty() && self.labels.iter().all(holds)
    }
}

/// What drivers say of one node; it has the node's name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CsiNode {
    /// Its metadata.
    pub meta: Meta,
    /// The drivers on the node.
    pub drivers: Vec<CsiDriverOnNode>,
    /// In-tree plugins that CSI drivers have taken over on this node.
    pub migrated: Vec<InTreePlugin>,
    /// Spec as written, as canonical JSON.
    pub written: Text,
}

/// A CSI driver on a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CsiDriverOnNode {
    /// The driver.
    pub name: Text,
    /// How many volumes it can attach; none: as many as there are.
    pub limit: Option<i32>,
    /// Labels of nodes that say where its volumes can be reached.
    pub topology_keys: Vec<Text>,
}
