//! What a controller manager does for its autoscalers: it tells them what changed, and lets the World ask
//! when they are to look and look then.

use super::horizontal_pod_autoscaler::Rhythm;
use super::vertical_pod_autoscaler::{RECOMMENDER, UPDATER};
use super::{ControllerManager, Known, Timer};
use crate::api::autoscaling::HorizontalPodAutoscaler;
use crate::api::kind::Kind;
use crate::messages::{Effects, MetricsApi};
use crate::store::{Change, View};

impl ControllerManager {
    pub(super) fn autoscaler(
        &mut self,
        change: &Change<'_, HorizontalPodAutoscaler>,
        view: &View<'_>,
        fx: &mut Effects<Timer>,
    ) {
        self.autoscalers.autoscaler(change, fx.now());
        let known = Known { view, index: &self.index };
        self.garbage.changed(Kind::HorizontalPodAutoscaler, change, known, fx);
        self.resource_quotas.object(Kind::HorizontalPodAutoscaler.resource(), change, known, fx);
    }

    /// Look `k` at the autoscaler in `slot`, at its time.
    pub fn autoscale(
        &mut self,
        (slot, k): (u32, u64),
        metrics: &dyn MetricsApi,
        view: &View<'_>,
        fx: &mut Effects<Timer>,
    ) {
        let known = Known { view, index: &self.index };
        match slot {
            RECOMMENDER | UPDATER => self.verticals.pass(slot, metrics, known, fx),
            _ => self.autoscalers.look(slot, k, metrics, known, fx),
        }
    }

    /// What has changed of when autoscalers are to be looked at. To be asked for after each event of
    /// the manager.
    pub fn take_rhythms(&mut self) -> Vec<Rhythm> {
        let mut rhythms = self.verticals.take_rhythms();
        if self.autoscalers.has_rhythms() {
            let mut first = self.autoscalers.take_rhythms();
            first.append(&mut rhythms);
            return first;
        }
        rhythms
    }

    /// The slots of all autoscalers it looks at.
    pub fn autoscaled(&self) -> impl Iterator<Item = u32> {
        self.autoscalers.slots().chain(self.verticals.slots())
    }

    /// A node or a link broke or healed: what is measured may differ from now on.
    pub fn measure_anew(&mut self) {
        self.autoscalers.wake_all();
    }
}
