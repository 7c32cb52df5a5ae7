//! The controller that binds claims to volumes, with a simulated provisioner beside it, and the one
//! that makes the claims of generic ephemeral volumes (kube-controller-manager 1.36
//! pkg/controller/volume/persistentvolume and pkg/controller/volume/ephemeral).
//!
//! Owns which claim gets which volume, when a volume is made, and what becomes of a volume whose claim
//! is gone. Refuses to know nodes' disks and drivers: a provisioner here is a delay. A claim that waits
//! for its first consumer is left alone until the scheduler has chosen a node for it, or a volume.
//!
//! ```text
//! claim:  Pending ─▶ volume found, or made after a delay ─▶ volume is the claim's ─▶ Bound
//!                                                                                      └─ volume gone: Lost
//! volume: Pending ─▶ Available ─▶ Bound ─▶ claim gone: Released ─▶ as its policy says
//! ```
//! Level-triggered: what is to be done next follows from what is seen, one call at a time; the change a
//! call makes comes back by the watch and leads to the next. Finalizers that protect volumes in use are
//! not modelled.

mod binding;
mod growth;
mod reclaim;
mod told;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::api::kind::Kind;
use crate::api::meta::{Meta, Owner, RawId};
use crate::api::name::{Name, Text};
use crate::api::node::Node;
use crate::api::object::Object;
use crate::api::pod::Pod;
use crate::api::rules::volumes::PodClaim;
use crate::api::storage::{
    AccessModes, BOUND_BY_CONTROLLER, ClaimPhase, Filling, InTreePlugin, PROVISIONED_BY,
    PersistentVolume, PersistentVolumeClaim, Reclaim, SELECTED_NODE, STORAGE_PROVISIONER,
    STORAGE_PROVISIONER_BETA, StorageClass, VolumePhase,
};
use crate::base::id::Id;
use crate::control_plane::scheduler::algorithm::volumes::{
    Volumes, bound_to, claim_ref, is_for, provisioned,
};
use crate::messages::request::Propagation;
use crate::messages::{Call, ClientId, Effects, Part, Reply};
use crate::store::{Change, Rev, Stored};
use crate::time::{SimDuration, SimTime};

use super::{Known, Timer};
use binding::Next;
use reclaim::reclaimed;
use told::Unbound;

/// How long what was refused is left alone.
const RETRY: SimDuration = SimDuration::from_secs(1);

/// Times of the controller, and of those beside it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// How long the simulated provisioner needs to make a volume, once it is asked, and the
    /// simulated resizer to make one larger.
    pub provisioning: SimDuration,
}

impl Default for Settings {
    /// 2 s a volume: a directory on the node's own disk, made by a helper, as kind's provisioner does.
    fn default() -> Settings {
        Settings { provisioning: SimDuration::from_secs(2) }
    }
}

/// What is to be looked at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Item {
    Claim(Id<PersistentVolumeClaim>),
    Volume(Id<PersistentVolume>),
    /// A pod with claims of its own that may have to be made.
    Pod(Id<Pod>),
    /// A claim whose pod is gone.
    Leftover(Id<PersistentVolumeClaim>),
}

/// The controller.
#[derive(Clone, Debug)]
pub struct PersistentVolumes {
    client: ClientId,
    settings: Settings,
    known: Volumes,
    line: VecDeque<Item>,
    waiting: BTreeSet<Item>,
    in_flight: Option<Item>,
    /// Volumes being made, and when each is there.
    making: BTreeMap<Id<PersistentVolumeClaim>, SimTime>,
    /// Claims whose volumes are to be filled from claims that are not bound yet.
    cloning: BTreeSet<Id<PersistentVolumeClaim>>,
    /// Volumes that are to grow, and when each has grown; the end of time: its node is waited for.
    growing: BTreeMap<Id<PersistentVolumeClaim>, SimTime>,
    /// What was refused, to be tried again.
    refused: Vec<Item>,
}

impl PersistentVolumes {
    /// The controller, sending by `client`.
    pub fn new(client: ClientId, settings: Settings) -> PersistentVolumes {
        PersistentVolumes {
            client,
            settings,
            known: Volumes::default(),
            line: VecDeque::new(),
            waiting: BTreeSet::new(),
            in_flight: None,
            making: BTreeMap::new(),
            cloning: BTreeSet::new(),
            growing: BTreeMap::new(),
            refused: Vec::new(),
        }
    }

    /// A StorageClass changed: claims of it may be served now.
    pub fn class(
        &mut self,
        change: &Change<'_, StorageClass>,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let Some(class) = change.new.or(change.old) else { return };
        self.known.set_class(&class.meta.name, change.new.cloned());
        self.unbound_claims(known, fx);
    }

    /// A claim changed.
    pub fn claim(
        &mut self,
        change: &Change<'_, PersistentVolumeClaim>,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let Some(claim) = change.new.or(change.old) else { return };
        self.known.set_claim(&claim.meta.namespace, &claim.meta.name, change.new.cloned());
        match change.new {
            Some(_) => self.add(Item::Claim(change.id)),
            None => {
                self.making.remove(&change.id);
                self.cloning.remove(&change.id);
                self.growing.remove(&change.id);
            }
        }
        if claim.phase == ClaimPhase::Bound {
            let waiting = std::mem::take(&mut self.cloning);
            waiting.into_iter().for_each(|id| self.add(Item::Claim(id)));
        }
        let volume = claim.volume.as_ref();
        let volume = volume.and_then(|name| known.view.find::<PersistentVolume>("", name));
        volume.into_iter().for_each(|id| self.add(Item::Volume(id)));
        // A pod may have several claims of its own: the next is made now.
        if let Some(owner) = claim.meta.owner.filter(|owner| owner.kind == Kind::Pod) {
            self.add(Item::Pod(owner.at.typed()));
            self.add(Item::Leftover(change.id));
        }
        self.next(known, fx);
    }

    /// A volume changed.
    pub fn volume(
        &mut self,
        change: &Change<'_, PersistentVolume>,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let Some(volume) = change.new.or(change.old) else { return };
        self.known.set_volume(&volume.meta.name, change.new.cloned());
        if change.new.is_some() {
            self.add(Item::Volume(change.id));
        }
        let held = volume.claim.as_ref();
        match held.and_then(|it| known.view.find::<PersistentVolumeClaim>(&it.namespace, &it.name))
        {
            Some(claim) => self.add(Item::Claim(claim)),
            None if volume.phase == VolumePhase::Available => self.unbound_claims(known, fx),
            None => {}
        }
        self.next(known, fx);
    }

    /// A pod changed: claims of its own come and go with it.
    pub fn pod(&mut self, change: &Change<'_, Pod>, known: Known<'_>, fx: &mut Effects<Timer>) {
        self.pod_runs(change, known, fx);
        let has_own = |pod: &&Pod| pod.spec.volumes.claims.iter().any(PodClaim::is_ephemeral);
        match (change.old.filter(has_own), change.new.filter(has_own)) {
            (None, Some(_)) => self.add(Item::Pod(change.id)),
            (Some(pod), None) => {
                for claim in pod.spec.volumes.claims.iter().filter(|claim| claim.is_ephemeral()) {
                    let name = claim.name(&pod.meta.name);
                    let found =
                        known.view.find::<PersistentVolumeClaim>(&pod.meta.namespace, &name);
                    found.into_iter().for_each(|id| self.add(Item::Leftover(id)));
                }
            }
            _ => return,
        }
        self.next(known, fx);
    }

    /// A timer of its own is up: volumes are made, and what was refused is tried again.
    pub fn due(&mut self, known: Known<'_>, fx: &mut Effects<Timer>) {
        for item in std::mem::take(&mut self.refused) {
            self.add(item);
        }
        let made = self.making.iter().chain(&self.growing).filter(|(_, at)| **at <= fx.now());
        let made: Vec<_> = made.map(|(&claim, _)| claim).collect();
        made.into_iter().for_each(|claim| self.add(Item::Claim(claim)));
        self.next(known, fx);
    }

    /// A reply to its call.
    pub fn reply(&mut self, reply: &Reply, known: Known<'_>, fx: &mut Effects<Timer>) {
        let Some(item) = self.in_flight.take() else { return };
        // What a call changed comes by the watch.
        if reply.result.is_err() {
            self.refused.push(item);
            fx.arm(RETRY, Timer::Volumes);
        }
        self.next(known, fx);
    }

    fn add(&mut self, item: Item) {
        if self.waiting.insert(item) {
            self.line.push_back(item);
        }
    }

    fn unbound_claims(&mut self, known: Known<'_>, fx: &mut Effects<Timer>) {
        for (id, claim) in known.view.list::<PersistentVolumeClaim>() {
            if !claim.is_bound() {
                self.add(Item::Claim(id));
            }
        }
        self.next(known, fx);
    }

    /// Works through the line until a call is out.
    fn next(&mut self, known: Known<'_>, fx: &mut Effects<Timer>) {
        while self.in_flight.is_none()
            && let Some(item) = self.line.pop_front()
        {
            self.waiting.remove(&item);
            let call = match item {
                Item::Claim(id) => self.sync_claim(id, known, fx),
                Item::Volume(id) => self.sync_volume(id, known, fx),
                Item::Pod(id) => made_with(id, known),
                Item::Leftover(id) => leftover(id, known),
            };
            if let Some(call) = call {
                fx.send(self.client, 0, call);
                self.in_flight = Some(item);
            }
        }
    }

    /// What is to be done about a claim (`syncClaim`).
    fn sync_claim(
        &mut self,
        id: Id<PersistentVolumeClaim>,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) -> Option<Call> {
        let (rev, claim) = known.view.version(id)?;
        if claim.meta.is_terminating() {
            return None;
        }
        if claim.is_bound() {
            self.making.remove(&id);
            return sync_bound((id, rev), claim, known, fx)
                .or_else(|| self.grow(id, claim, known, fx));
        }
        let name = match binding::next(claim, &self.known) {
            Next::Bind(name) => name,
            Next::Make => return self.make((id, rev), claim, known, fx),
            Next::Wait(why) => {
                told::unbound(claim, why, known, fx);
                return None;
            }
            Next::WaitForNamed => return None,
        };
        let (volume_id, volume_rev, volume) = find(known, &name)?;
        if volume.claim.as_ref().and_then(|held| held.uid) != Some(claim.meta.uid) {
            let next = held_for(volume, claim);
            return Some(update(volume_id, Some(volume_rev), next, Part::Main));
        }
        Some(update(id, Some(rev), bound_to(claim, name), Part::Main))
    }

    /// A volume is to be made for the claim: its provisioner is asked, and has made it after the delay.
    fn make(
        &mut self,
        (id, rev): (Id<PersistentVolumeClaim>, Rev),
        claim: &PersistentVolumeClaim,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) -> Option<Call> {
        let name = claim.spec.class_name();
        let Some(class) = self.known.class(name) else {
            let why = if name.is_empty() { Unbound::NoVolume } else { Unbound::NoClass(name) };
            told::unbound(claim, why, known, fx);
            return None;
        };
        if class.provisioner.is_empty() {
            return None;
        }
        if is_left_in_tree(&class.provisioner) {
            told::unbound(claim, Unbound::NoPlugin(&class.provisioner), known, fx);
            return None;
        }
        let provisioner = InTreePlugin::named(&class.provisioner);
        let provisioner = provisioner.map_or(&*class.provisioner, |plugin| plugin.driver());
        if claim.meta.annotation(STORAGE_PROVISIONER) != Some(provisioner) {
            return Some(update(id, Some(rev), asking(claim, provisioner), Part::Main));
        }
        if self.lacks_filling(claim) {
            if self.cloning.insert(id) {
                told::unbound(claim, Unbound::External(provisioner), known, fx);
            }
            return None;
        }
        let is_there = self.making.get(&id).is_some_and(|at| *at <= fx.now());
        if is_there || !self.making.contains_key(&id) {
            if !is_there {
                told::unbound(claim, Unbound::External(provisioner), known, fx);
            }
            // Until the volume is seen, it counts as being made anew.
            self.making.insert(id, fx.now() + self.settings.provisioning);
            fx.arm(self.settings.provisioning, Timer::Volumes);
        }
        if !is_there {
            return None;
        }
        let node = claim.meta.annotation(SELECTED_NODE);
        let node = node.and_then(|name| known.view.get(known.view.find::<Node>("", name)?));
        let name = node.map(|node| node.meta.name.to_string());
        let place = name.as_deref().zip(node.map(|node| &*node.meta.labels));
        let made = provisioned(&self.known, claim, class, place);
        Some(Call::Create(Object::PersistentVolume(Box::new(made))))
    }

    /// Whether what the claim's volume is to be filled with is not there yet: provisioners clone volumes of
    /// bound claims alone (external-provisioner, `getPVCSource`).
    fn lacks_filling(&self, claim: &PersistentVolumeClaim) -> bool {
        let Some(Filling::Claim(name)) = &claim.spec.filling else { return false };
        let source = self.known.claim(&claim.meta.namespace, name);
        source.is_none_or(|source| source.phase != ClaimPhase::Bound)
    }

    /// What is to be done about a volume (`syncVolume`).
    fn sync_volume(
        &self,
        id: Id<PersistentVolume>,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) -> Option<Call> {
        let (rev, volume) = known.view.version(id)?;
        let phase = |phase: VolumePhase| {
            let next = PersistentVolume { phase, message: "".into(), ..volume.clone() };
            (volume.phase != phase).then(|| update(id, Some(rev), next, Part::Status))
        };
        // Held for a claim that never was: it waits for it.
        let Some(held) = volume.claim.as_ref().filter(|held| held.uid.is_some()) else {
            return phase(VolumePhase::Available);
        };
        let claim = self.known.claim(&held.namespace, &held.name);
        let claim = claim.filter(|claim| is_for(held, claim));
        match claim.map(|claim| claim.volume.as_deref()) {
            Some(None) => None,
            Some(Some(its)) if volume.meta.name == *its => phase(VolumePhase::Bound),
            // Its claim has another one.
            Some(Some(_)) if !is_made_for_nothing(volume) => {
                Some(update(id, Some(rev), unbound(volume), Part::Main))
            }
            // That it failed stays to be seen.
            _ if volume.phase == VolumePhase::Failed => reclaimed((id, rev), volume, fx),
            _ => phase(VolumePhase::Released).or_else(|| reclaimed((id, rev), volume, fx)),
        }
    }
}

/// The claim once its provisioner is asked for a volume (`setClaimProvisioner`).
fn asking(claim: &PersistentVolumeClaim, provisioner: &str) -> PersistentVolumeClaim {
    let mut next = claim.clone();
    for key in [STORAGE_PROVISIONER_BETA, STORAGE_PROVISIONER] {
        next.meta.annotate(key, provisioner);
    }
    next
}

/// Whether a plugin of this name would be one of Kubernetes itself that no CSI driver has taken over: none
/// of them makes volumes.
fn is_left_in_tree(plugin: &str) -> bool {
    plugin.starts_with("kubernetes.io/") && InTreePlugin::named(plugin).is_none()
}

/// Whether a volume whose claim has another one goes, as it was made for that claim.
fn is_made_for_nothing(volume: &PersistentVolume) -> bool {
    volume.meta.annotation(PROVISIONED_BY).is_some() && volume.spec.reclaim == Reclaim::Delete
}

/// The volume as it was before it was bound: what a user has meant for a claim still is (`unbindVolume`).
fn unbound(volume: &PersistentVolume) -> PersistentVolume {
    let mut next = volume.clone();
    if volume.meta.annotation(BOUND_BY_CONTROLLER).is_some() {
        next.claim = None;
        next.meta.unannotate(BOUND_BY_CONTROLLER);
    } else if let Some(held) = &mut next.claim {
        held.uid = None;
    }
    next
}

/// A claim whose binding is through: its phase says so, or that its volume is gone (`syncBoundClaim`).
fn sync_bound(
    (id, rev): (Id<PersistentVolumeClaim>, Rev),
    claim: &PersistentVolumeClaim,
    known: Known<'_>,
    fx: &mut Effects<Timer>,
) -> Option<Call> {
    let found = find(known, claim.volume.as_ref()?);
    let status = |phase, access, capacity| {
        let next = PersistentVolumeClaim { phase, access, capacity, ..claim.clone() };
        Some(update(id, Some(rev), next, Part::Status))
    };
    let why = match found {
        None => told::Loss::Gone,
        Some((id, rev, volume)) => match &volume.claim {
            // Whoever took it away: it is the claim's again.
            None => return Some(update(id, Some(rev), held_for(volume, claim), Part::Main)),
            Some(held) if held.uid == Some(claim.meta.uid) => {
                let (now, access) = (ClaimPhase::Bound, volume.spec.access);
                // What it has is noted once: later on its file system may be smaller than its volume.
                let capacity = match claim.phase == now {
                    true => claim.capacity,
                    false => volume.spec.capacity,
                };
                let differs = claim.phase != now || claim.access != access;
                return differs.then(|| status(now, access, capacity)).flatten();
            }
            Some(_) => told::Loss::Misbound,
        },
    };
    if claim.phase == ClaimPhase::Lost {
        return None;
    }
    told::lost(claim, why, fx);
    status(ClaimPhase::Lost, AccessModes::default(), 0)
}

/// The volume once it is held for `claim`: by whoever had meant it, or by the controller
/// (`bindVolumeToClaim`).
fn held_for(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> PersistentVolume {
    let mut next = volume.clone();
    if !volume.claim.as_ref().is_some_and(|held| is_for(held, claim)) {
        next.meta.annotate(BOUND_BY_CONTROLLER, "yes");
    }
    next.claim = Some(claim_ref(claim));
    next
}

type Found<'v> = (Id<PersistentVolume>, Rev, &'v PersistentVolume);

fn find<'v>(known: Known<'v>, name: &str) -> Option<Found<'v>> {
    let id = known.view.find::<PersistentVolume>("", name)?;
    let (rev, volume) = known.view.version(id)?;
    Some((id, rev, volume))
}

fn update<T: Stored + Into<Object>>(id: Id<T>, base: Option<Rev>, next: T, part: Part) -> Call {
    Call::Update { id: id.into(), object: next.into(), base, part }
}

/// The next claim that is to be made with a pod.
fn made_with(id: Id<Pod>, known: Known<'_>) -> Option<Call> {
    let pod = known.view.get(id).filter(|pod| !pod.meta.is_terminating())?;
    let own = pod.spec.volumes.claims.iter().filter_map(|claim| match claim {
        PodClaim::Ephemeral(template) => Some((claim.name(&pod.meta.name), template)),
        PodClaim::Named(_) => None,
    });
    let is_missing =
        |name: &Text| known.view.find::<PersistentVolumeClaim>(&pod.meta.namespace, name).is_none();
    let (name, template) = own.into_iter().find(|(name, _)| is_missing(name))?;
    let mut meta = Meta::new(pod.meta.namespace.clone(), Name::new(name));
    meta.labels = template.labels.clone();
    meta.annotations = template.annotations.clone();
    meta.owner = Some(Owner { kind: Kind::Pod, uid: pod.meta.uid, at: RawId::from(id) });
    let claim = PersistentVolumeClaim::new(meta, template.spec.clone());
    Some(Call::Create(Object::PersistentVolumeClaim(Box::new(claim))))
}

/// Takes away a claim whose pod is gone.
fn leftover(id: Id<PersistentVolumeClaim>, known: Known<'_>) -> Option<Call> {
    let claim = known.view.get(id).filter(|claim| !claim.meta.is_terminating())?;
    let pod = claim.meta.owner.filter(|owner| owner.kind == Kind::Pod)?;
    if known.view.get::<Pod>(pod.at.typed()).is_some() {
        return None;
    }
    Some(Call::Delete {
        kind: Kind::PersistentVolumeClaim,
        id: id.into(),
        uid: Some(claim.meta.uid),
        grace_seconds: None,
        propagation: Propagation::Background,
    })
}

#[cfg(test)]
mod tests;
