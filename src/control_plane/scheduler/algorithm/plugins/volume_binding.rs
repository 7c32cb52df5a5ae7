//! VolumeBinding: a pod goes where its volumes can be used, or found, or made (`plugins/volumebinding`,
//! 1.36). Its score needs a gate that is off (StorageCapacityScoring).

use smallvec::SmallVec;

use super::super::framework::{Code, Plugin, Question, Refusal, Rejection};
use super::super::node_info::NodeInfo;
use super::super::volumes::{self, Conflicts};
use crate::api::name::Text;
use crate::api::rules::volumes::PodClaim;
use crate::api::storage::{ClaimPhase, PersistentVolumeClaim};

/// Words by conflict, in order.
const REASONS: [(Conflicts, &str); 3] = [
    (Conflicts::NODE, "node(s) didn't match PersistentVolume's node affinity"),
    (Conflicts::BIND, "node(s) didn't find available persistent volumes to bind"),
    (
        Conflicts::MISSING,
        "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)",
    ),
];
/// A claim is unbound that nobody waits for a pod to bind.
const UNBOUND: &str = "pod has unbound immediate PersistentVolumeClaims";

/// Whether the plugin filters: the pod has claims.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct State;

fn refuse(words: impl Into<Text>) -> Refusal {
    Refusal {
        plugin: Plugin::VolumeBinding,
        code: Code::UnschedulableAndUnresolvable,
        words: words.into(),
    }
}

/// PreFilter: no state where there is nothing to filter.
///
/// # Errors
/// A claim that is missing, lost, on its way out, another pod's, or unbound with nobody to wait for.
pub fn pre_filter(q: Question<'_>) -> Result<Option<State>, Refusal> {
    let volumes = q.snapshot.surroundings().volumes();
    let wanted = &q.pod.spec().volumes.claims;
    if wanted.is_empty() {
        return Ok(None);
    }
    for (wanted, name) in wanted.iter().zip(q.pod.claims()) {
        let claim = volumes.claim(q.pod.namespace(), name);
        check(q, wanted, name, claim).map_err(refuse)?;
    }
    let is_unbound =
        |claim: &PersistentVolumeClaim| !claim.is_bound() && !volumes.waits_for_consumer(claim);
    match volumes.claims_of(q.pod).any(is_unbound) {
        true => Err(refuse(UNBOUND)),
        false => Ok(Some(State)),
    }
}

/// Whether the pod may use the claim at all (`podHasPVCs`).
fn check(
    q: Question<'_>,
    wanted: &PodClaim,
    name: &str,
    claim: Option<&PersistentVolumeClaim>,
) -> Result<(), String> {
    let Some(claim) = claim else {
        return Err(match wanted {
            PodClaim::Named(_) => format!("persistentvolumeclaim \"{name}\" not found"),
            PodClaim::Ephemeral(_) => format!(
                "waiting for ephemeral volume controller to create the persistentvolumeclaim \"{name}\""
            ),
        });
    };
    if claim.phase == ClaimPhase::Lost {
        let volume = claim.volume.as_deref().unwrap_or_default();
        return Err(format!(
            "persistentvolumeclaim \"{name}\" bound to non-existent persistentvolume \"{volume}\""
        ));
    }
    if claim.meta.is_terminating() {
        return Err(format!("persistentvolumeclaim \"{name}\" is being deleted"));
    }
    match q.pod.own() {
        Some((pod, uid)) if wanted.is_ephemeral() && !claim.meta.is_owned_by(uid) => {
            let space = q.pod.namespace();
            Err(format!(
                "PVC {space}/{name} was not created for pod {space}/{pod} (pod is not owner)"
            ))
        }
        _ => Ok(()),
    }
}

/// Rejects nodes where a volume cannot be used, found or made. Taking pods away would not help.
pub fn filter(q: Question<'_>, node: &NodeInfo) -> Option<Rejection> {
    let conflicts = volumes::reserve(q.snapshot.surroundings().volumes(), q.pod, node).err()?;
    Some(Rejection {
        plugin: Plugin::VolumeBinding,
        code: Code::UnschedulableAndUnresolvable,
        detail: conflicts.0,
    })
}

/// The words for what is wrong.
pub fn reasons(detail: u64) -> SmallVec<[Text; 2]> {
    let held = REASONS.iter().filter(|(conflict, _)| Conflicts(detail).has(*conflict));
    held.map(|(_, words)| Text::from(*words)).collect()
}
