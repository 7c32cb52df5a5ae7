//! Volumes as a decision looks at them: PersistentVolumes, claims, StorageClasses, CSINodes, and
//! which volume a claim would get on a node (`pkg/scheduler/framework/plugins/volumebinding/binder.go`
//! and `k8s.io/component-helpers/storage/volume`, 1.36).
//!
//! Owns the objects as last seen and the matching. Refuses to know who binds: [`reserve`] says what
//! placing a pod would take, [`bind`] does it at once, for a scheduler without a cluster.
//!
//! Where the real scheduler takes any of several equal volumes (it walks a map), ours takes the first
//! by name.

use std::collections::{BTreeMap, BTreeSet};

use super::node_info::NodeInfo;
use super::shape::PodShape;
use crate::api::meta::{Labels, Meta};
use crate::api::name::{Name, Text};
use crate::api::object::Object;
use crate::api::rules::affinity::Term;
use crate::api::rules::selector::{Operator, Requirement};
use crate::api::storage::{
    BIND_COMPLETED, BOUND_BY_CONTROLLER, BindingMode, ClaimPhase, ClaimRef, CsiNode,
    NO_PROVISIONER, PROVISIONED_BY, PersistentVolume, PersistentVolumeClaim, SELECTED_NODE,
    StorageClass, VolumePhase, VolumeSource, VolumeSpec,
};

/// Provisioners whose volumes lie on one node, though no CSINode says so.
pub const LOCAL_PROVISIONERS: [&str; 2] = ["rancher.io/local-path", "openebs.io/local"];
/// The label that tells nodes apart.
const HOSTNAME: &str = "kubernetes.io/hostname";

/// Objects about volumes, by name.
#[derive(Clone, Default, Debug)]
pub struct Volumes {
    volumes: BTreeMap<Text, PersistentVolume>,
    claims: BTreeMap<Text, BTreeMap<Text, PersistentVolumeClaim>>,
    classes: BTreeMap<Text, StorageClass>,
    nodes: BTreeMap<Text, CsiNode>,
}

fn set<V>(map: &mut BTreeMap<Text, V>, name: &Name, value: Option<V>) {
    match value {
        Some(value) => drop(map.insert(name.to_string().into(), value)),
        None => drop(map.remove(&*name.to_string())),
    }
}

impl Volumes {
    /// An object is there like this, if it is about volumes.
    pub fn put(&mut self, object: Object) {
        let (space, name) = (object.meta().namespace.clone(), object.meta().name.clone());
        match object {
            Object::PersistentVolume(it) => self.set_volume(&name, Some(*it)),
            Object::PersistentVolumeClaim(it) => self.set_claim(&space, &name, Some(*it)),
            Object::StorageClass(it) => self.set_class(&name, Some(*it)),
            Object::CsiNode(it) => self.set_csi_node(&name, Some(*it)),
            _ => {}
        }
    }

    /// A PersistentVolume is there like this; `None`: it is gone.
    pub fn set_volume(&mut self, name: &Name, volume: Option<PersistentVolume>) {
        set(&mut self.volumes, name, volume);
    }

    /// A claim is there like this; `None`: it is gone.
    pub fn set_claim(&mut self, space: &Text, name: &Name, claim: Option<PersistentVolumeClaim>) {
        set(self.claims.entry(space.clone()).or_default(), name, claim);
    }

    /// A StorageClass is there like this; `None`: it is gone.
    pub fn set_class(&mut self, name: &Name, class: Option<StorageClass>) {
        set(&mut self.classes, name, class);
    }

    /// A CSINode is there like this; `None`: it is gone.
    pub fn set_csi_node(&mut self, name: &Name, node: Option<CsiNode>) {
        set(&mut self.nodes, name, node);
    }

    /// The PersistentVolume of this name.
    pub fn volume(&self, name: &str) -> Option<&PersistentVolume> {
        self.volumes.get(name)
    }

    /// The claim of this name.
    pub fn claim(&self, namespace: &str, name: &str) -> Option<&PersistentVolumeClaim> {
        self.claims.get(namespace)?.get(name)
    }

    /// All PersistentVolumes, by name.
    pub fn all(&self) -> impl Iterator<Item = (&Text, &PersistentVolume)> {
        self.volumes.iter()
    }

    /// The StorageClass of this name.
    pub fn class(&self, name: &str) -> Option<&StorageClass> {
        self.classes.get(name)
    }

    /// The CSINode of this name.
    pub fn csi_node(&self, name: &str) -> Option<&CsiNode> {
        self.nodes.get(name)
    }

    /// The claims of a pod as far as they are there, in the order of its spec.
    pub fn claims_of<'a>(
        &'a self,
        pod: &'a PodShape,
    ) -> impl Iterator<Item = &'a PersistentVolumeClaim> {
        pod.claims().iter().filter_map(|name| self.claim(pod.namespace(), name))
    }

    /// Whether an unbound claim waits for a pod that uses it (`IsDelayBindingMode`, 1.36). One that
    /// names its volume does not.
    pub fn waits_for_consumer(&self, claim: &PersistentVolumeClaim) -> bool {
        let class = self.class(claim.spec.class_name());
        claim.volume.is_none()
            && class.is_some_and(|class| class.binding == BindingMode::WaitForFirstConsumer)
    }
}

/// Whether a node with these labels can use the volume (`CheckNodeAffinity`, 1.36).
pub fn reaches(volume: &PersistentVolume, node: &Labels) -> bool {
    let terms = volume.spec.node_affinity.as_ref();
    terms.is_none_or(|terms| terms.iter().any(|term| term.matches("", node)))
}

/// What placing a pod takes of volumes (`PodVolumes`, 1.36).
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Reservation {
    /// Claims that get a volume that is there: (claim, volume), the smallest claim first.
    pub bindings: Vec<(Text, Text)>,
    /// Claims that get a volume that is to be made for the node.
    pub provisions: Vec<Text>,
}

/// Why a node cannot give a pod its volumes: bits, in the order of the words.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Conflicts(pub u64);

impl Conflicts {
    /// A bound volume cannot be used there.
    pub const NODE: Conflicts = Conflicts(1);
    /// No volume is free, and none can be made.
    pub const BIND: Conflicts = Conflicts(2);
    /// A claim is bound to a volume that is not there.
    pub const MISSING: Conflicts = Conflicts(4);

    /// Whether `other` is among them.
    pub fn has(self, other: Conflicts) -> bool {
        self.0 & other.0 != 0
    }

    fn add(&mut self, other: Conflicts) {
        self.0 |= other.0;
    }
}

/// What placing the pod on `node` would take (`FindPodVolumes`, 1.36).
///
/// # Errors
/// Why it cannot be placed there.
pub fn reserve(
    volumes: &Volumes,
    pod: &PodShape,
    node: &NodeInfo,
) -> Result<Reservation, Conflicts> {
    let mut conflicts = Conflicts::default();
    let bound = volumes.claims_of(pod).filter(|claim| claim.is_bound());
    for claim in bound {
        match claim.volume.as_ref().and_then(|name| volumes.volume(name)) {
            None => conflicts.add(Conflicts::MISSING),
            Some(volume) if !reaches(volume, &node.labels) => conflicts.add(Conflicts::NODE),
            Some(_) => continue,
        }
        break;
    }
    let waiting = volumes.claims_of(pod).filter(|claim| volumes.waits_for_consumer(claim));
    let waiting: Vec<&PersistentVolumeClaim> = waiting.collect();
    match place(volumes, waiting, node) {
        Some(reservation) if conflicts == Conflicts::default() => Ok(reservation),
        Some(_) => Err(conflicts),
        None => {
            conflicts.add(Conflicts::BIND);
            Err(conflicts)
        }
    }
}

/// What claims that wait for a pod get on `node`; `None` if not all get something.
fn place(
    volumes: &Volumes,
    claims: Vec<&PersistentVolumeClaim>,
    node: &NodeInfo,
) -> Option<Reservation> {
    let selected = |claim: &PersistentVolumeClaim| {
        claim.meta.annotation(SELECTED_NODE).map(|name| name == node.written_name())
    };
    if claims.iter().any(|claim| selected(claim) == Some(false)) {
        return None;
    }
    let (mut to_make, mut to_find): (Vec<_>, Vec<_>) =
        claims.into_iter().partition(|claim| selected(claim).is_some());
    to_find.sort_by_key(|claim| claim.spec.request);
    let mut reservation = Reservation::default();
    let mut taken: BTreeSet<Text> = BTreeSet::new();
    for claim in to_find {
        let of_class = volumes.volumes.iter().filter(|(name, volume)| {
            *volume.spec.class == *claim.spec.class_name() && !taken.contains(*name)
        });
        match matching(claim, of_class, Seeker::Scheduler(&node.labels)) {
            None => to_make.push(claim),
            Some(name) => {
                taken.insert(name.clone());
                reservation.bindings.push((claim.meta.name.to_string().into(), name.clone()));
            }
        }
    }
    for claim in to_make {
        if !can_provision(volumes, claim, node) {
            return None;
        }
        reservation.provisions.push(claim.meta.name.to_string().into());
    }
    Some(reservation)
}

/// Whether a volume for `claim` can be made where `node` can use it (`checkVolumeProvisions`, 1.36;
/// free capacity of storage is not modelled).
fn can_provision(volumes: &Volumes, claim: &PersistentVolumeClaim, node: &NodeInfo) -> bool {
    volumes.class(claim.spec.class_name()).is_some_and(|class| {
        !class.provisioner.is_empty()
            && &*class.provisioner != NO_PROVISIONER
            && (class.topologies.is_empty()
                || class.topologies.iter().any(|one| one.matches(&node.labels)))
    })
}

/// Who seeks a volume for a claim.
#[derive(Clone, Copy, Debug)]
pub enum Seeker<'a> {
    /// The scheduler, for a node with these labels.
    Scheduler(&'a Labels),
    /// The controller that binds claims without asking for a node: those that wait for their consumer only
    /// to a volume that is meant for them.
    Controller(BindingMode),
}

/// The volume the controller finds for `claim`: of those with the fewest access modes that will do
/// (`findByClaim`, kube-controller-manager 1.36).
pub fn found<'a>(claim: &PersistentVolumeClaim, volumes: &'a Volumes) -> Option<&'a Text> {
    let binding = match volumes.waits_for_consumer(claim) {
        true => BindingMode::WaitForFirstConsumer,
        false => BindingMode::Immediate,
    };
    let will_do = volumes.all().filter(|(_, volume)| volume.spec.access.has(claim.spec.access));
    let sets: BTreeSet<_> =
        will_do.map(|(_, volume)| (volume.spec.access.count(), volume.spec.access)).collect();
    sets.into_iter().find_map(|(_, access)| {
        let of_set = volumes.all().filter(|(_, volume)| volume.spec.access == access);
        matching(claim, of_set, Seeker::Controller(binding))
    })
}

/// The volume `claim` gets out of `volumes`: the one meant for it, else the smallest that will do
/// (`FindMatchingVolume`, 1.36).
pub fn matching<'a>(
    claim: &PersistentVolumeClaim,
    volumes: impl Iterator<Item = (&'a Text, &'a PersistentVolume)>,
    seeker: Seeker<'_>,
) -> Option<&'a Text> {
    let wanted = &claim.spec;
    let mut best: Option<(i64, &Text)> = None;
    for (name, volume) in volumes {
        let spec = &volume.spec;
        let is_meant = volume.claim.as_ref().map(|held| is_for(held, claim));
        let will_do = is_meant != Some(false)
            && spec.capacity >= wanted.request
            && spec.mode == wanted.mode
            && spec.attributes_class == wanted.attributes_class
            && !volume.meta.is_terminating();
        if !will_do {
            continue;
        }
        let is_reached = match seeker {
            Seeker::Scheduler(node) => reaches(volume, node),
            Seeker::Controller(_) => true,
        };
        if is_meant == Some(true) {
            return is_reached.then_some(name);
        }
        let is_free = !matches!(seeker, Seeker::Controller(BindingMode::WaitForFirstConsumer))
            && volume.phase == VolumePhase::Available
            && wanted.selector.as_ref().is_none_or(|it| it.matches(&volume.meta.labels))
            && *spec.class == *wanted.class_name()
            && is_reached
            && spec.access.has(wanted.access);
        if is_free && best.is_none_or(|(size, _)| spec.capacity < size) {
            best = Some((spec.capacity, name));
        }
    }
    best.map(|(_, name)| name)
}

/// Whether a volume held like this is held for `claim`.
pub fn is_for(held: &ClaimRef, claim: &PersistentVolumeClaim) -> bool {
    held.namespace == claim.meta.namespace
        && claim.meta.name == *held.name
        && held.uid.is_none_or(|uid| uid == claim.meta.uid)
}

/// How a volume refers to its claim.
pub fn claim_ref(claim: &PersistentVolumeClaim) -> ClaimRef {
    ClaimRef {
        namespace: claim.meta.namespace.clone(),
        name: claim.meta.name.to_string().into(),
        uid: Some(claim.meta.uid),
    }
}

/// The volume a provisioner makes for `claim` of `class`, for use on `node`. It can be used where the
/// node's labels have the same values of the driver's topology keys; a volume of a provisioner that
/// keeps it on the node's own disk, on that node alone.
pub fn provisioned(
    volumes: &Volumes,
    claim: &PersistentVolumeClaim,
    class: &StorageClass,
    node: Option<(&str, &Labels)>,
) -> PersistentVolume {
    let driver = &class.provisioner;
    let reported = node.and_then(|(name, _)| volumes.csi_node(name));
    let on_node = reported.and_then(|it| it.drivers.iter().find(|it| it.name == *driver));
    let hostname = [Text::from(HOSTNAME)];
    let keys: &[Text] = match on_node {
        Some(on_node) => &on_node.topology_keys,
        None if LOCAL_PROVISIONERS.contains(&&**driver) => &hostname,
        None => &[],
    };
    let requirement = |key: &Text| {
        let value = node.and_then(|(_, labels)| labels.get(key))?.clone();
        Some(Requirement { key: key.clone(), operator: Operator::In, values: vec![value] })
    };
    let labels: Vec<Requirement> = keys.iter().filter_map(requirement).collect();
    let name = format!("pvc-{}", claim.meta.uid);
    let spec = VolumeSpec {
        capacity: claim.spec.request,
        access: claim.spec.access,
        class: claim.spec.class_name().into(),
        mode: claim.spec.mode,
        reclaim: class.reclaim,
        node_affinity: (!labels.is_empty()).then(|| vec![Term { labels, fields: Vec::new() }]),
        source: VolumeSource::Csi { driver: driver.clone(), handle: name.as_str().into() },
        attributes_class: claim.spec.attributes_class.clone(),
        written: "".into(),
    };
    let mut meta = Meta::new("".into(), Name::new(name));
    meta.annotate(PROVISIONED_BY, driver);
    let (claim, phase) = (Some(claim_ref(claim)), VolumePhase::Bound);
    PersistentVolume {
        meta,
        spec: spec.into(),
        claim,
        phase,
        phase_since: None,
        message: "".into(),
    }
}

/// Takes what `reservation` of a pod in `namespace` on the node of this name takes, so that no other pod
/// is given it: volumes are the claims', claims wait for a volume on the node (`AssumePodVolumes`, 1.36).
pub fn assume(volumes: &mut Volumes, namespace: &Text, node: &str, reservation: &Reservation) {
    for (claim, volume) in &reservation.bindings {
        let held = volumes.claim(namespace, claim).map(claim_ref);
        if let (Some(volume), Some(_)) = (volumes.volumes.get_mut(volume), &held) {
            volume.claim = held;
        }
    }
    for claim in &reservation.provisions {
        let of_namespace = volumes.claims.get_mut(namespace);
        if let Some(claim) = of_namespace.and_then(|claims| claims.get_mut(claim)) {
            claim.meta.annotate(SELECTED_NODE, node);
        }
    }
}

/// Does at once what `reservation` of a pod in `namespace` on `node` takes: the claims are bound, new
/// volumes are there.
pub fn bind(volumes: &mut Volumes, namespace: &Text, node: &NodeInfo, reservation: &Reservation) {
    for (claim, volume) in &reservation.bindings {
        let Some(claim) = volumes.claim(namespace, claim) else { continue };
        let held = claim_ref(claim);
        let claim = bound_to(claim, volume.clone());
        if let Some(volume) = volumes.volumes.get_mut(volume) {
            volume.claim = Some(held);
            volume.phase = VolumePhase::Bound;
        }
        volumes.set_claim(namespace, &claim.meta.name.clone(), Some(claim));
    }
    for claim in &reservation.provisions {
        let Some(claim) = volumes.claim(namespace, claim) else { continue };
        let Some(class) = volumes.class(claim.spec.class_name()) else { continue };
        let made = provisioned(volumes, claim, class, Some((node.written_name(), &node.labels)));
        let claim = bound_to(claim, made.meta.name.to_string().into());
        volumes.set_volume(&made.meta.name.clone(), Some(made));
        volumes.set_claim(namespace, &claim.meta.name.clone(), Some(claim));
    }
}

/// The claim once its binding to `volume` is through: by the controller, unless it had asked for this one
/// (`bindClaimToVolume`).
pub fn bound_to(claim: &PersistentVolumeClaim, volume: Text) -> PersistentVolumeClaim {
    let mut claim = claim.clone();
    if claim.volume.as_ref() != Some(&volume) {
        claim.meta.annotate(BOUND_BY_CONTROLLER, "yes");
    }
    claim.volume = Some(volume);
    claim.phase = ClaimPhase::Bound;
    claim.meta.annotate(BIND_COMPLETED, "yes");
    claim
}

#[cfg(test)]
mod tests;
