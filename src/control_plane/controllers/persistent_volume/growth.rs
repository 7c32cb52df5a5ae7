//! Volumes grow when their claims ask for more: a simulated resizer of every CSI driver (external-resizer 1.14),
//! and the kubelet's part, which is done as soon as a pod that uses the claim runs.
//!
//! ```text
//! asked for more ─▶ Resizer ─ as long as making one takes ─▶ volume has it ─┬─ raw device ─▶ claim has it
//!                                                                           └─▶ Node ─ a pod runs ─▶ claim has it
//! ```
//! Provisioners of directories on a node have no resizer: their claims wait for ever, as in a real cluster.
//! Failures of an expansion are not modelled.

use super::{PersistentVolumes, find, told, update};
use crate::api::edit::grown;
use crate::api::pod::{Phase, Pod};
use crate::api::storage::{
    Growth, GrowthStage, PersistentVolume, PersistentVolumeClaim, VolumeMode, VolumeSource,
};
use crate::base::id::Id;
use crate::control_plane::controllers::{Known, Timer};
use crate::control_plane::scheduler::algorithm::volumes::{LOCAL_PROVISIONERS, is_for};
use crate::messages::{Call, Effects, Part};
use crate::store::Change;
use crate::time::SimTime;

impl PersistentVolumes {
    /// What is to be done next so that a bound claim has what it asks for.
    pub(super) fn grow(
        &mut self,
        id: Id<PersistentVolumeClaim>,
        claim: &PersistentVolumeClaim,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) -> Option<Call> {
        let (rev, _) = known.view.version(id)?;
        let now = fx.now();
        let status = |capacity: i64, growth: Option<(GrowthStage, i64)>| {
            let growth = growth.map(|(stage, to)| Growth { to, stage, since: now });
            let next = PersistentVolumeClaim { capacity, growth, ..claim.clone() };
            Some(update(id, Some(rev), next, Part::Status))
        };
        let Some(growth) = claim.growth else {
            self.growing.remove(&id);
            let is_short = claim.capacity > 0 && claim.spec.request > claim.capacity;
            let volume = find(known, claim.volume.as_ref()?).filter(|_| is_short)?.2;
            told::awaits_resizer(claim, fx);
            let begins = Some((GrowthStage::Resizer, claim.spec.request));
            return has_resizer(volume).then(|| status(claim.capacity, begins)).flatten();
        };
        let (volume_id, volume_rev, volume) = find(known, claim.volume.as_ref()?)?;
        if !volume.claim.as_ref().is_some_and(|held| is_for(held, claim)) {
            return None;
        }
        match growth.stage {
            GrowthStage::Resizer if volume.spec.capacity >= growth.to => match volume.spec.mode {
                VolumeMode::Block => status(growth.to, None),
                VolumeMode::Filesystem => {
                    status(claim.capacity, Some((GrowthStage::Node, growth.to)))
                }
            },
            GrowthStage::Resizer => {
                let takes = self.settings.provisioning;
                let due = *self.growing.entry(id).or_insert_with(|| {
                    fx.arm(takes, Timer::Volumes);
                    now + takes
                });
                if due > now {
                    return None;
                }
                let spec = grown(&volume.spec, growth.to).into();
                let next = PersistentVolume { spec, ..volume.clone() };
                Some(update(volume_id, Some(volume_rev), next, Part::Main))
            }
            GrowthStage::Node => {
                self.growing.insert(id, SimTime::MAX);
                let mut pods = known.view.list::<Pod>();
                let is_used = pods.any(|(_, pod)| uses(pod, claim));
                is_used.then(|| status(growth.to, None)).flatten()
            }
        }
    }

    /// A pod that runs now lets file systems grow.
    pub(super) fn pod_runs(
        &mut self,
        change: &Change<'_, Pod>,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        if self.growing.is_empty() {
            return;
        }
        let runs = |pod: &Pod| pod.status.phase == Phase::Running;
        if let Some(pod) = change.new
            && runs(pod)
            && !change.old.is_some_and(runs)
        {
            let waiting = self.growing.iter().filter(|(_, at)| **at == SimTime::MAX);
            let waiting: Vec<_> = waiting.map(|(&claim, _)| claim).collect();
            waiting.into_iter().for_each(|claim| self.add(super::Item::Claim(claim)));
            self.next(known, fx);
        }
    }
}

/// Whether anybody makes the volume larger.
fn has_resizer(volume: &PersistentVolume) -> bool {
    match &volume.spec.source {
        VolumeSource::Csi { driver, .. } => !LOCAL_PROVISIONERS.contains(&&**driver),
        _ => false,
    }
}

/// Whether the claim's volume is mounted for this pod.
fn uses(pod: &Pod, claim: &PersistentVolumeClaim) -> bool {
    pod.status.phase == Phase::Running
        && pod.meta.namespace == claim.meta.namespace
        && pod.spec.volumes.claims.iter().any(|it| claim.meta.name == *it.name(&pod.meta.name))
}
