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
//! volume: Pending ─▶ Available ─▶ Bound ─▶ claim gone: Released (Retain) or deleted (Delete)
//! ```
//! Level-triggered: what is to be done next follows from what is seen, one call at a time; the change a
//! call makes comes back by the watch and leads to the next. Finalizers that protect volumes in use are
//! not modelled.

mod growth;
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
    BOUND_BY_CONTROLLER, ClaimPhase, InTreePlugin, NO_PROVISIONER, PersistentVolume,
    PersistentVolumeClaim, Reclaim, SELECTED_NODE, STORAGE_PROVISIONER, STORAGE_PROVISIONER_BETA,
    StorageClass, VolumePhase,
};
use crate::base::id::Id;
use crate::control_plane::scheduler::algorithm::volumes::{
    Seeker, Volumes, bound_to, claim_ref, is_for, matching, provisioned,
};
use crate::messages::request::Propagation;
use crate::messages::{Call, ClientId, Effects, Part, Reply};
use crate::store::{Change, Rev, Stored};
use crate::time::{SimDuration, SimTime};

use super::{Known, Timer};
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
                self.growing.remove(&change.id);
            }
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
                Item::Volume(id) => self.sync_volume(id, known),
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
            return sync_bound(id, rev, claim, known).or_else(|| self.grow(id, claim, known, fx));
        }
        let Some(name) = self.volume_for(claim) else {
            if claim.volume.is_none() {
                told::unbound(claim, Unbound::Delayed, known, fx);
            }
            return None;
        };
        let Some(name) = name else { return self.make((id, rev), claim, known, fx) };
        let (volume_id, volume_rev, volume) = find(known, &name)?;
        if volume.claim.as_ref().and_then(|held| held.uid) != Some(claim.meta.uid) {
            let mut next = volume.clone();
            // One that was meant for the claim is bound by whoever meant it.
            if !volume.claim.as_ref().is_some_and(|held| is_for(held, claim)) {
                next.meta.annotate(BOUND_BY_CONTROLLER, "yes");
            }
            next.claim = Some(claim_ref(claim));
            return Some(update(volume_id, Some(volume_rev), next, Part::Main));
        }
        Some(update(id, Some(rev), bound_to(claim, name), Part::Main))
    }

    /// The volume an unbound claim is to have: `None`, it has to wait; `Some(None)`, one is to be made.
    fn volume_for(&self, claim: &PersistentVolumeClaim) -> Option<Option<Text>> {
        if let Some(name) = &claim.volume {
            let volume = self.known.volume(name)?;
            let will_do = volume.claim.as_ref().is_none_or(|held| is_for(held, claim));
            return will_do.then(|| Some(name.clone()));
        }
        let meant = |volume: &&PersistentVolume| {
            volume.claim.as_ref().is_some_and(|held| is_for(held, claim))
        };
        if let Some(volume) = self.known.all().map(|(_, volume)| volume).find(meant) {
            return Some(Some(volume.meta.name.to_string().into()));
        }
        if self.known.waits_for_consumer(claim) {
            return claim.meta.annotation(SELECTED_NODE).map(|_| None);
        }
        Some(matching(claim, self.known.all(), Seeker::Controller).cloned())
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
        if class.provisioner.is_empty() || &*class.provisioner == NO_PROVISIONER {
            return None;
        }
        let provisioner = InTreePlugin::named(&class.provisioner);
        let provisioner = provisioner.map_or(&*class.provisioner, |plugin| plugin.driver());
        if claim.meta.annotation(STORAGE_PROVISIONER) != Some(provisioner) {
            return Some(update(id, Some(rev), asking(claim, provisioner), Part::Main));
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

    /// What is to be done about a volume (`syncVolume`).
    fn sync_volume(&self, id: Id<PersistentVolume>, known: Known<'_>) -> Option<Call> {
        let (rev, volume) = known.view.version(id)?;
        let phase = |phase: VolumePhase| {
            let next = PersistentVolume { phase, ..volume.clone() };
            (volume.phase != phase).then(|| update(id, Some(rev), next, Part::Status))
        };
        // Held for a claim that never was: it waits for it.
        let Some(held) = volume.claim.as_ref().filter(|held| held.uid.is_some()) else {
            return phase(VolumePhase::Available);
        };
        let claim = self.known.claim(&held.namespace, &held.name);
        match claim.filter(|claim| is_for(held, claim)) {
            Some(claim) if claim.is_bound() => phase(VolumePhase::Bound),
            Some(_) => None,
            None => phase(VolumePhase::Released).or_else(|| reclaimed(id, volume)),
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

/// A volume that is released goes, if it is not to be kept (`reclaimVolume`).
fn reclaimed(id: Id<PersistentVolume>, volume: &PersistentVolume) -> Option<Call> {
    let goes = volume.spec.reclaim == Reclaim::Delete && !volume.meta.is_terminating();
    goes.then(|| Call::Delete {
        kind: Kind::PersistentVolume,
        id: id.into(),
        uid: Some(volume.meta.uid),
        grace_seconds: None,
        propagation: Propagation::Background,
    })
}

/// A claim whose binding is through: its phase says so, or that its volume is gone.
fn sync_bound(
    id: Id<PersistentVolumeClaim>,
    rev: Rev,
    claim: &PersistentVolumeClaim,
    known: Known<'_>,
) -> Option<Call> {
    let volume = find(known, claim.volume.as_ref()?);
    let is_its = volume.is_some_and(|(_, _, volume)| {
        volume.claim.as_ref().is_some_and(|held| is_for(held, claim))
    });
    let phase = if is_its { ClaimPhase::Bound } else { ClaimPhase::Lost };
    // What it has is noted once: later on its file system may be smaller than its volume.
    let capacity = match volume {
        Some((_, _, volume)) if is_its => volume.spec.capacity,
        _ => claim.capacity,
    };
    let next = PersistentVolumeClaim { phase, capacity, ..claim.clone() };
    (claim.phase != phase).then(|| update(id, Some(rev), next, Part::Status))
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
