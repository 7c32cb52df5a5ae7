//! Claims in use and bound volumes stay until nobody needs them (kube-controller-manager 1.36
//! pkg/controller/volume/pvcprotection and pvprotection).
//!
//! Owns when the finalizers go that the API server puts on every claim and volume. Refuses to know
//! who deletes them.
//!
//! ```text
//! claim deleted ──▶ a pod on a node names it? ─ no ─▶ finalizer taken away
//!                        └─ yes ─ that pod goes ─▶ looked at again
//! volume deleted ─▶ Bound? ─ no ─▶ finalizer taken away
//! ```

use std::collections::{BTreeMap, BTreeSet};

use crate::api::kind::Kind;
use crate::api::meta::{Meta, RawId};
use crate::api::name::Text;
use crate::api::pod::Pod;
use crate::api::status::Status;
use crate::api::storage::{
    CLAIM_PROTECTION, PersistentVolume, PersistentVolumeClaim, VOLUME_PROTECTION, VolumePhase,
};
use crate::base::FastMap;
use crate::base::id::Id;
use crate::messages::request::MetaPatch;
use crate::messages::{Call, ClientId, Effects, Reply};
use crate::store::Change;
use crate::time::SimDuration;

use super::{Known, Timer};

/// After a refusal.
const RETRY: SimDuration = SimDuration::from_millis(100);

type Item = (Kind, RawId);

/// The two controllers: of claims, and of volumes.
#[derive(Clone, Debug)]
pub struct Protection {
    claims: ClientId,
    volumes: ClientId,
    /// Pods on nodes by the claims they name, by namespace and name.
    users: BTreeMap<(Text, Text), BTreeSet<Id<Pod>>>,
    asked: FastMap<u64, Item>,
    busy: BTreeSet<Item>,
    refused: BTreeSet<Item>,
    serial: u64,
    reading: Reading,
}

/// Whether the caches are being filled: not all users of a claim are known then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reading {
    Listing,
    Watching,
}

/// The claims that a pod keeps from going: it is on a node and names them.
fn used(pod: &Pod) -> impl Iterator<Item = (Text, Text)> + '_ {
    let is_placed = pod.node.is_some();
    let claims = pod.spec.volumes.claims.iter().filter(move |claim| {
        is_placed && !(claim.is_ephemeral() && pod.status.phase.is_terminal())
    });
    claims.map(|claim| (pod.meta.namespace.clone(), claim.name(&pod.meta.name)))
}

impl Protection {
    /// The controllers, sending by these clients.
    pub fn new(claims: ClientId, volumes: ClientId) -> Protection {
        Protection {
            claims,
            volumes,
            users: BTreeMap::new(),
            asked: FastMap::default(),
            busy: BTreeSet::new(),
            refused: BTreeSet::new(),
            serial: 0,
            reading: Reading::Listing,
        }
    }

    /// All that was listed has been told: claims whose last user is gone may go.
    pub fn listed(&mut self, known: Known<'_>, fx: &mut Effects<Timer>) {
        self.reading = Reading::Watching;
        for (id, _) in known.view.list::<PersistentVolume>() {
            self.look((Kind::PersistentVolume, id.into()), known, fx);
        }
        for (id, _) in known.view.list::<PersistentVolumeClaim>() {
            self.look((Kind::PersistentVolumeClaim, id.into()), known, fx);
        }
    }

    /// A claim changed.
    pub fn claim(
        &mut self,
        change: &Change<'_, PersistentVolumeClaim>,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        self.look((Kind::PersistentVolumeClaim, change.id.into()), known, fx);
    }

    /// A volume changed.
    pub fn volume(
        &mut self,
        change: &Change<'_, PersistentVolume>,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        self.look((Kind::PersistentVolume, change.id.into()), known, fx);
    }

    /// A pod changed.
    pub fn pod(&mut self, change: &Change<'_, Pod>, known: Known<'_>, fx: &mut Effects<Timer>) {
        let has_claims =
            |pod: Option<&Pod>| pod.is_some_and(|pod| !pod.spec.volumes.claims.is_empty());
        if !has_claims(change.old) && !has_claims(change.new) {
            return;
        }
        let now: BTreeSet<(Text, Text)> = change.new.into_iter().flat_map(used).collect();
        for key in change.old.into_iter().flat_map(used).filter(|key| !now.contains(key)) {
            let Some(users) = self.users.get_mut(&key) else { continue };
            users.remove(&change.id);
            if users.is_empty() {
                self.users.remove(&key);
                let claim = known.view.find::<PersistentVolumeClaim>(&key.0, &key.1);
                if let Some(claim) = claim {
                    self.look((Kind::PersistentVolumeClaim, claim.into()), known, fx);
                }
            }
        }
        for key in now {
            self.users.entry(key).or_default().insert(change.id);
        }
    }

    /// The call about a claim or volume, if any.
    fn look(&mut self, item: Item, known: Known<'_>, fx: &mut Effects<Timer>) {
        if self.reading == Reading::Listing || self.busy.contains(&item) {
            return;
        }
        let (meta, is_used, finalizer, client): (&Meta, bool, &str, ClientId) = match item.0 {
            Kind::PersistentVolume => {
                let Some(volume) = known.view.get::<PersistentVolume>(item.1.typed()) else {
                    return;
                };
                (&volume.meta, volume.phase == VolumePhase::Bound, VOLUME_PROTECTION, self.volumes)
            }
            _ => {
                let held = known.view.get::<PersistentVolumeClaim>(item.1.typed());
                let Some(claim) = held else { return };
                let key = (claim.meta.namespace.clone(), claim.meta.name.to_string().into());
                (&claim.meta, self.users.contains_key(&key), CLAIM_PROTECTION, self.claims)
            }
        };
        let patch = match (meta.is_terminating(), meta.has_finalizer(finalizer)) {
            (true, true) if !is_used => MetaPatch::DropFinalizer(finalizer.into()),
            // What was there before the API server knew of it.
            (false, false) => MetaPatch::AddFinalizer(finalizer.into()),
            _ => return,
        };
        let uid = meta.uid;
        self.serial += 1;
        self.asked.insert(self.serial, item);
        self.busy.insert(item);
        fx.send(client, self.serial, Call::Patch { kind: item.0, id: item.1, uid, patch });
    }

    /// A reply to a call.
    pub fn reply(&mut self, reply: &Reply, fx: &mut Effects<Timer>) {
        let Some(item) = self.asked.remove(&reply.tag) else { return };
        self.busy.remove(&item);
        match &reply.result {
            Ok(_) | Err(Status::NotFound(_)) => {}
            Err(_) => {
                if self.refused.is_empty() {
                    fx.arm(RETRY, Timer::Protection);
                }
                self.refused.insert(item);
            }
        }
    }

    /// What was refused is tried again.
    pub fn retry(&mut self, known: Known<'_>, fx: &mut Effects<Timer>) {
        for item in std::mem::take(&mut self.refused) {
            self.look(item, known, fx);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::compact::Compactor;
    use crate::control_plane::controllers::testing::Cluster;
    use crate::messages::request::Propagation;

    #[test]
    fn what_is_used_stays_until_it_is_not() {
        let mut cluster = Cluster::new();
        let class = json!({"metadata": {"name": "fast"}, "provisioner": "csi.example",
            "volumeBindingMode": "Immediate", "reclaimPolicy": "Delete"});
        let class = serde_json::from_value(class).expect("a class");
        cluster.create(Compactor::new().storage_class(class).object);
        let claim = json!({"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"],
            "storageClassName": "fast", "resources": {"requests": {"storage": "1Gi"}}}});
        let claim = serde_json::from_value(claim).expect("a claim");
        let claim = cluster.create(Compactor::new().persistent_volume_claim(claim).object);
        let pod = json!({"metadata": {"name": "p"}, "spec": {
            "containers": [{"name": "c", "image": "i:1"}],
            "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]}});
        let pod = serde_json::from_value(pod).expect("a pod");
        let pod: Id<Pod> = cluster.create(Compactor::new().pod(pod).object).typed();
        cluster.change(pod, |pod| pod.node = Some(Id::from_parts(0, 0)));
        cluster.run(SimDuration::from_secs(5));
        let volumes = |cluster: &Cluster| cluster.all::<PersistentVolume>().len();
        assert_eq!(volumes(&cluster), 1);
        let (volume, _) = cluster.all::<PersistentVolume>().remove(0);
        for (kind, id) in
            [(Kind::PersistentVolumeClaim, claim), (Kind::PersistentVolume, volume.into())]
        {
            let (uid, grace_seconds, propagation) = (None, None, Propagation::Background);
            let call = Call::Delete { kind, id, uid, grace_seconds, propagation };
            cluster.commit(call).expect("a deletion");
        }
        cluster.run(SimDuration::from_secs(20));
        let held = cluster.all::<PersistentVolumeClaim>();
        assert!(held[0].1.meta.is_terminating(), "a pod uses it");
        assert_eq!(volumes(&cluster), 1, "and it is bound");
        cluster.remove(pod);
        cluster.run(SimDuration::from_secs(2));
        assert!(cluster.all::<PersistentVolumeClaim>().is_empty());
        assert_eq!(volumes(&cluster), 0);
    }
}
