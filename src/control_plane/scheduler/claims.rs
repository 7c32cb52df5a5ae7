//! Pods that have a node and whose volumes have yet to be bound: Reserve and PreBind of VolumeBinding
//! (`pkg/scheduler/framework/plugins/volumebinding/binder.go`, 1.36).
//!
//! ```text
//! node chosen ─▶ volumes assumed ─▶ claims and volumes written ─▶ all claims bound? ─▶ pod bound
//!                                                                   └─ not yet: waits for its watch
//! ```
//! Not modelled: the end of that wait after ten minutes (`bindTimeoutSeconds`).

use std::collections::BTreeMap;
use std::ops::Range;

use super::algorithm::volumes::{self, Reservation, Volumes};
use super::algorithm::{PodShape, plugins};
use super::queue::hints::ClusterEvent;
use super::{Leading, Scheduler, Timer, tag_of};
use crate::api::meta::{Meta, RawId};
use crate::api::name::Text;
use crate::api::node::Node;
use crate::api::object::Object;
use crate::api::pod::Pod;
use crate::api::storage::{
    BOUND_BY_CONTROLLER, CsiNode, PersistentVolume, PersistentVolumeClaim, SELECTED_NODE,
    StorageClass,
};
use crate::base::id::Id;
use crate::messages::effects::Effects;
use crate::messages::request::{Call, Part};
use crate::store::{Rev, Store, Stored, TableKind, View};

/// Pods with a node and with claims that are not bound.
#[derive(Clone, Default, Debug)]
pub(super) struct Claims {
    /// What the pod in hand takes.
    reserved: BTreeMap<Id<Pod>, Reservation>,
    /// Pods whose claims are being bound.
    awaited: BTreeMap<Id<Pod>, Awaited>,
}

/// A pod whose claims are being bound.
#[derive(Clone, Debug)]
struct Awaited {
    shape: PodShape,
    node: Id<Node>,
    taken: Reservation,
}

/// Marks the tags of writes about volumes.
pub(super) const VOLUME_TAG: u64 = 1 << 61;

impl Scheduler {
    /// Everything in the view counts as new, and nothing as taken.
    pub(super) fn list_volumes(&mut self, view: &View<'_>) {
        self.claims.reserved.clear();
        let volumes = self.cache.snapshot_mut().surroundings_mut().volumes_mut();
        *volumes = Volumes::default();
        for (_, it) in view.list::<PersistentVolume>() {
            volumes.set_volume(&it.meta.name, Some(it.clone()));
        }
        for (_, it) in view.list::<PersistentVolumeClaim>() {
            volumes.set_claim(&it.meta.namespace, &it.meta.name, Some(it.clone()));
        }
        for (_, it) in view.list::<StorageClass>() {
            volumes.set_class(&it.meta.name, Some(it.clone()));
        }
        for (_, it) in view.list::<CsiNode>() {
            volumes.set_csi_node(&it.meta.name, Some(it.clone()));
        }
    }

    /// Its watch on a table about volumes shows the changes of this range.
    pub(super) fn volumes_changed(
        &mut self,
        table: TableKind,
        changes: Range<u64>,
        store: &Store,
        view: &View<'_>,
        fx: &mut Effects<Timer>,
    ) {
        match table {
            TableKind::PersistentVolume => {
                self.each_changed(changes, store, view, fx, |volumes, meta, now| {
                    volumes.set_volume(&meta.name, now.cloned());
                });
            }
            TableKind::PersistentVolumeClaim => {
                self.each_changed(changes, store, view, fx, |volumes, meta, now| {
                    volumes.set_claim(&meta.namespace, &meta.name, now.cloned());
                });
                self.claims_changed(view, fx);
            }
            TableKind::StorageClass => {
                self.each_changed(changes, store, view, fx, |volumes, meta, now| {
                    volumes.set_class(&meta.name, now.cloned());
                });
            }
            TableKind::CsiNode => {
                self.each_changed(changes, store, view, fx, |volumes, meta, now| {
                    volumes.set_csi_node(&meta.name, now.cloned());
                });
            }
            _ => {}
        }
    }

    fn each_changed<T: Stored>(
        &mut self,
        changes: Range<u64>,
        store: &Store,
        view: &View<'_>,
        fx: &mut Effects<Timer>,
        tell: fn(&mut Volumes, &Meta, Option<&T>),
    ) {
        for change in store.table::<T>().changes(changes) {
            let Some(meta) = change.new.or(change.old).map(Stored::meta) else { continue };
            let around = self.cache.snapshot_mut().surroundings_mut();
            tell(around.volumes_mut(), meta, change.new);
            if change.new.is_some() {
                fx.because(change.cause);
                self.wake(&ClusterEvent::Around(T::TABLE, meta), None, view, fx);
            }
        }
    }

    /// A node was chosen: what the pod takes of volumes is taken.
    pub(super) fn reserve_volumes(&mut self, id: Id<Pod>, shape: &PodShape, node: Id<Node>) {
        if !plugins::volumes::concerns(shape) {
            return;
        }
        let snapshot = self.cache.snapshot_mut();
        let Some(info) = snapshot.node(node) else { return };
        let around = snapshot.surroundings();
        let taken = volumes::reserve(around.volumes(), shape, info).unwrap_or_default();
        let name: Text = info.written_name().into();
        volumes::assume(
            snapshot.surroundings_mut().volumes_mut(),
            shape.namespace(),
            &name,
            &taken,
        );
        self.claims.reserved.insert(id, taken);
    }

    /// The cycle of a pod with a node is over: it is bound, or first its volumes are.
    pub(super) fn bind_pod(
        &mut self,
        id: Id<Pod>,
        node: Id<Node>,
        view: &View<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let reserved = self.claims.reserved.remove(&id).unwrap_or_default();
        let pod = view.get(id);
        match pod
            .filter(|pod| reserved != Reservation::default() && !pod.spec.volumes.claims.is_empty())
        {
            None => fx.send(self.client, tag_of(id), Call::Bind { pod: id, node }),
            Some(pod) => {
                let shape = self.shapes.of(pod);
                self.claims.awaited.insert(id, Awaited { shape, node, taken: reserved });
                self.write_volumes(id, view, fx);
                self.claims_changed(view, fx);
            }
        }
    }

    /// Volumes are written to be the claims', and claims that wait for a volume to have their node: what
    /// of it is not done, as far as is seen. Also when a write was refused, for something had changed.
    pub(super) fn write_volumes(&self, id: Id<Pod>, view: &View<'_>, fx: &mut Effects<Timer>) {
        let Some(Awaited { shape, node, taken }) = self.claims.awaited.get(&id) else { return };
        let tag = tag_of(id) | VOLUME_TAG;
        let claim = |name: &str| find::<PersistentVolumeClaim>(view, shape.namespace(), name);
        for (claim_name, volume) in &taken.bindings {
            let (Some((_, _, claim)), Some((volume, rev, held))) =
                (claim(claim_name), find::<PersistentVolume>(view, "", volume))
            else {
                continue;
            };
            if held.claim.as_ref().is_some_and(|it| it.uid.is_some()) {
                continue;
            }
            let mut next = held.clone();
            next.claim = Some(volumes::claim_ref(claim));
            next.meta.annotate(BOUND_BY_CONTROLLER, "yes");
            let object = Object::PersistentVolume(Box::new(next));
            let call = Call::Update { id: volume, object, base: Some(rev), part: Part::Main };
            fx.send(self.client, tag, call);
        }
        let Some(node) = view.get(*node) else { return };
        for name in &taken.provisions {
            let Some((id, rev, held)) = claim(name) else { continue };
            if held.is_bound() || held.meta.annotation(SELECTED_NODE).is_some() {
                continue;
            }
            let mut next = held.clone();
            next.meta.annotate(SELECTED_NODE, &node.meta.name.to_string());
            let object = Object::PersistentVolumeClaim(Box::new(next));
            let call = Call::Update { id, object, base: Some(rev), part: Part::Main };
            fx.send(self.client, tag, call);
        }
    }

    /// Claims changed: pods that waited for theirs are bound, those that are gone let go.
    pub(super) fn claims_changed(&mut self, view: &View<'_>, fx: &mut Effects<Timer>) {
        if self.leading == Leading::No {
            return;
        }
        let mut done = Vec::new();
        for (&id, Awaited { shape, node, .. }) in &self.claims.awaited {
            let is_there = view.get(id).is_some_and(|pod| !pod.meta.is_terminating());
            let is_bound = |name: &Text| {
                let claim = find::<PersistentVolumeClaim>(view, shape.namespace(), name);
                claim.is_some_and(|(_, _, claim)| claim.is_bound())
            };
            if !is_there {
                done.push((id, None));
            } else if shape.claims().iter().all(is_bound) {
                done.push((id, Some(*node)));
            }
        }
        for (id, node) in done {
            self.claims.awaited.remove(&id);
            match node {
                Some(node) => fx.send(self.client, tag_of(id), Call::Bind { pod: id, node }),
                None => {
                    self.binding.remove(&id);
                    self.cache.forget(id);
                }
            }
        }
    }
}

fn find<'v, T: Stored>(view: &View<'v>, space: &str, name: &str) -> Option<(RawId, Rev, &'v T)> {
    let id = view.find::<T>(space, name)?;
    let (rev, object) = view.version(id)?;
    Some((id.into(), rev, object))
}
