//! Who owns the claims of a StatefulSet's pods, so that they go when the set's
//! `persistentVolumeClaimRetentionPolicy` says so: with the set, or with a pod that is scaled away
//! (kube-controller-manager 1.36 pkg/controller/statefulset/stateful_set_utils.go).

use std::sync::Arc;

use super::identity::{claim_name, range};
use crate::api::meta::{Labels, Meta, Owner, Uid};
use crate::api::name::Name;
use crate::api::rules::selector::Operator;
use crate::api::stateful_set::{ClaimRetention, StatefulSet};
use crate::api::storage::{ClaimTemplate, PersistentVolumeClaim};

/// Who is to own a claim.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keeper {
    /// Nobody: it stays.
    Nobody,
    /// The set: it goes with it.
    Set,
    /// Its pod: it goes with it.
    Pod,
}

/// Who is to own the claims of the pod numbered `ordinal` (`isClaimOwnerUpToDate`).
pub fn keeper(set: &StatefulSet, ordinal: i32) -> Keeper {
    let is_condemned = !range(set).contains(&ordinal);
    match (set.when_scaled, set.when_deleted) {
        (ClaimRetention::Delete, _) if is_condemned => Keeper::Pod,
        (_, ClaimRetention::Delete) => Keeper::Set,
        (_, ClaimRetention::Retain) => Keeper::Nobody,
    }
}

/// Whether a claim belongs to a controller that is neither its set nor its pod; nobody else may
/// change that (`hasUnexpectedController`).
pub fn is_anothers(owner: Option<Owner>, set: Uid, pod: Uid) -> bool {
    owner.is_some_and(|owner| owner.uid != set && owner.uid != pod)
}

/// Whether a claim belongs to its set or pod otherwise than by a controller's reference: somebody
/// wrote that, and it is mended (`hasNonControllerOwner`).
pub fn is_owned_loosely(claim: &Meta, set: Uid, pod: Uid) -> bool {
    claim.other_owners().iter().any(|one| one.owner.uid == set || one.owner.uid == pod)
}

/// The claim's metadata as `keeper` wants it; none: it is so (`isClaimOwnerUpToDate`,
/// `updateClaimOwnerRefForSetAndPod`).
pub fn kept(claim: &Meta, keeper: Keeper, whose: (Owner, Option<Owner>)) -> Option<Meta> {
    let (set, pod) = (whose.0.uid, whose.1.map_or(Uid(0), |pod| pod.uid));
    let wanted = owner(claim.owner, keeper, whose);
    let is_so = wanted.map(|it| it.uid) == claim.owner.map(|it| it.uid);
    let is_loose = is_owned_loosely(claim, set, pod);
    let is_anothers = is_anothers(claim.owner, set, pod);
    if is_so && !is_loose {
        return None;
    }
    let mut next = claim.clone();
    next.disown(&[set, pod]);
    if !is_anothers {
        next.owner = wanted;
    }
    Some(next)
}

/// Who owns a claim once it is as `keeper` says; what is another's stays so.
pub fn owner(
    held: Option<Owner>,
    keeper: Keeper,
    (set, pod): (Owner, Option<Owner>),
) -> Option<Owner> {
    let pod_uid = pod.map_or(Uid(0), |pod| pod.uid);
    if is_anothers(held, set.uid, pod_uid) {
        return held;
    }
    match keeper {
        Keeper::Nobody => None,
        Keeper::Set => Some(set),
        Keeper::Pod => pod,
    }
}

/// The claim that `template` makes for the pod numbered `ordinal`: with the labels of the set's
/// selector besides its own (`getPersistentVolumeClaims`).
pub fn claim(set: &StatefulSet, template: &ClaimTemplate, ordinal: i32) -> PersistentVolumeClaim {
    let name = claim_name(&template.name, set, ordinal);
    let mut meta = Meta::new(set.meta.namespace.clone(), Name::new(name));
    let mut labels = Labels::clone(&template.labels);
    for one in &set.selector.requirements {
        if let (Operator::In, [value]) = (one.operator, &one.values[..]) {
            labels.insert(one.key.clone(), value.clone());
        }
    }
    meta.labels = Arc::new(labels);
    meta.annotations = template.annotations.clone();
    let spec = template.spec.clone();
    PersistentVolumeClaim::new(meta, spec)
}
