//! Which volume an unbound claim is to have (`syncUnboundClaim`, kube-controller-manager 1.36
//! pkg/controller/volume/persistentvolume).

use super::told::Unbound;
use crate::api::name::Text;
use crate::api::storage::{PersistentVolume, PersistentVolumeClaim, SELECTED_NODE};
use crate::control_plane::scheduler::algorithm::volumes::{Volumes, found, is_for};

/// What is to be done about an unbound claim.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Next<'a> {
    /// It gets this volume.
    Bind(Text),
    /// A volume is to be made for it.
    Make,
    /// It waits, and is told why.
    Wait(Unbound<'a>),
    /// It waits for the volume that it names to be there.
    WaitForNamed,
}

/// What is to be done about an unbound claim.
pub(super) fn next<'a>(claim: &'a PersistentVolumeClaim, volumes: &Volumes) -> Next<'a> {
    let Some(name) = &claim.volume else {
        return match found(claim, volumes) {
            Some(volume) => Next::Bind(volume.clone()),
            None if volumes.waits_for_consumer(claim)
                && claim.meta.annotation(SELECTED_NODE).is_none() =>
            {
                Next::Wait(Unbound::Delayed)
            }
            None => Next::Make,
        };
    };
    let Some(volume) = volumes.volume(name) else { return Next::WaitForNamed };
    match &volume.claim {
        Some(held) if is_for(held, claim) => Next::Bind(name.clone()),
        Some(_) => Next::Wait(Unbound::Taken(name)),
        None => match mismatch(volume, claim) {
            Some(why) => Next::Wait(Unbound::Mismatch(name, why)),
            None => Next::Bind(name.clone()),
        },
    }
}

/// Why a volume that nobody has cannot be that of a claim that names it (`checkVolumeSatisfyClaim`).
fn mismatch(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> Option<String> {
    let (has, wants) = (&volume.spec, &claim.spec);
    let why = if volume.meta.is_terminating() {
        return Some(format!("the volume is marked for deletion \"{}\"", volume.meta.name));
    } else if has.capacity < wants.request {
        "requested PV is too small"
    } else if *has.class != *wants.class_name() {
        "storageClassName does not match"
    } else if has.attributes_class != wants.attributes_class {
        "volumeAttributesClassName does not match"
    } else if has.mode != wants.mode {
        "incompatible volumeMode"
    } else if !has.access.has(wants.access) {
        "incompatible accessMode"
    } else {
        return None;
    };
    Some(why.to_owned())
}
