//! The VerticalPodAutoscaler: its recommender and its updater (vertical-pod-autoscaler, August 2026:
//! pkg/recommender, pkg/updater). What it recommends reaches new pods at admission, in the API server.
//!
//! Owns when they look; refuses to measure (the metrics API) and to know how amounts follow from use (`usage`), what
//! is kept of that (`checkpoints`) and whom to evict (`update`).
//!
//! ```text
//! each minute, while there is any:   recommender: samples ─▶ histograms ─▶ status, if it differs ─▶ checkpoints
//!                                    updater: pods off what is recommended ─▶ eviction or resize, as budgets let it
//! ```
//! Where there is none, nothing happens: what containers used before is not known. They run with the controller
//! manager that leads; the next one goes on from the checkpoints.

mod checkpoints;
pub mod histogram;
mod recommender;
pub mod update;
mod updater;
pub mod usage;

use crate::api::misc::Other;
use crate::api::name::Text;
use crate::api::pod::{Phase, Pod};
use crate::api::vertical::checkpoint::is_checkpoint;
use crate::api::vertical::{Vertical, is_vertical};
use crate::base::id::Id;
use crate::kernel::recurring::Cadence;
use crate::messages::metrics::MetricsApi;
use crate::messages::{ClientId, Effects, Reply};
use crate::store::targets::Target;
use crate::store::{Change, targets};
use crate::time::{SimDuration, SimTime};

use super::cron_job::Calendar;
use super::horizontal_pod_autoscaler::Rhythm;
use super::{Known, Timer};
use recommender::Recommender;
use updater::Updater;

/// `--recommender-interval`, `--updater-interval`.
const PERIOD: SimDuration = SimDuration::from_secs(60);
/// The recommender, among what is looked at again and again: beyond all slots of autoscalers.
pub const RECOMMENDER: u32 = u32::MAX - 1;
/// The updater.
pub const UPDATER: u32 = u32::MAX;

/// The recommender and the updater.
#[derive(Clone, Debug)]
pub struct Verticals {
    recommender: Recommender,
    pub(super) updater: Updater,
    rhythms: Vec<Rhythm>,
}

impl Verticals {
    /// They, sending by a client each.
    pub fn new(recommender: ClientId, updater: ClientId, calendar: Calendar) -> Verticals {
        Verticals {
            recommender: Recommender::new(recommender, calendar),
            updater: Updater::new(updater),
            rhythms: Vec::new(),
        }
    }

    /// They start.
    pub fn begin(&mut self, now: SimTime) {
        self.recommender.begin(now);
    }

    /// What has changed of when they are to look.
    pub fn take_rhythms(&mut self) -> Vec<Rhythm> {
        std::mem::take(&mut self.rhythms)
    }

    /// What they look by, if they do.
    pub fn slots(&self) -> impl Iterator<Item = u32> {
        let is_awake = self.recommender.has_work();
        [RECOMMENDER, UPDATER].into_iter().filter(move |_| is_awake)
    }

    /// An object of another kind changed, which may be one of them or one of their checkpoints.
    pub fn other(&mut self, change: &Change<'_, Other>, now: SimTime) {
        let Some(object) = change.new.or(change.old) else { return };
        let had_work = self.recommender.has_work();
        if is_vertical(object) {
            self.recommender.vertical(change);
        } else if is_checkpoint(object) {
            self.recommender.checkpoint(change);
        }
        match (had_work, self.recommender.has_work()) {
            (false, true) => {
                let Some(cadence) = Cadence::new(now + PERIOD, PERIOD) else { return };
                for slot in [RECOMMENDER, UPDATER] {
                    self.rhythms.extend([Rhythm::Declare(slot, cadence), Rhythm::Next(slot)]);
                }
            }
            (true, false) => self.rhythms.extend([RECOMMENDER, UPDATER].map(Rhythm::Retire)),
            _ => {}
        }
    }

    /// A pass of the recommender or of the updater.
    pub fn pass(
        &mut self,
        slot: u32,
        metrics: &dyn MetricsApi,
        known: Known<'_>,
        fx: &mut Effects<Timer>,
    ) {
        self.rhythms.push(Rhythm::Next(slot));
        match slot {
            RECOMMENDER => self.recommender.pass(metrics, known, fx),
            _ => self.updater.pass(self.recommender.verticals(), known, fx),
        }
    }

    /// A reply to the recommender. What did not get through is tried again in the next pass.
    pub fn advised(&mut self, reply: &Reply) {
        self.recommender.reply(reply);
    }

    /// A reply to the updater.
    pub fn updated(&mut self, reply: &Reply, fx: &mut Effects<Timer>) {
        self.updater.reply(reply, fx);
    }
}

/// The pods a target selects, as far as they may have used something, by uid.
fn pods_of<'a>(target: &Target, space: &Text, known: Known<'a>) -> Vec<(Id<Pod>, &'a Pod)> {
    let groups = known.index.groups.selected(space, &target.selector);
    let groups = groups.into_iter().filter_map(|group| known.index.groups.get(group));
    let pods = groups.flat_map(|group| &group.members);
    let pods = pods.filter_map(|member| Some((member.pod, known.view.get(member.pod)?)));
    let mut pods: Vec<_> = pods.filter(|(_, pod)| pod.node.is_some()).collect();
    pods.sort_by_key(|(_, pod)| pod.meta.uid);
    pods
}

/// Whose pods it is for.
fn target_of(vertical: &Vertical, space: &Text, known: Known<'_>) -> Result<Target, Text> {
    targets::find(known.view, &vertical.target, space)
}

/// Whether a pod may still run.
fn is_live(pod: &Pod) -> bool {
    !pod.meta.is_terminating() && !matches!(pod.status.phase, Phase::Succeeded | Phase::Failed)
}
