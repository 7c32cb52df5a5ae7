//! A manager's cluster autoscaler, where it has one.

use std::sync::Arc;

use super::cluster_autoscaler::{ClusterAutoscaler, Setup};
use super::{ControllerManager, Known, Timer};
use crate::messages::cloud::Cloud;
use crate::messages::{Effects, Reply};
use crate::store::View;

impl ControllerManager {
    /// The same with a cluster autoscaler, if there is to be one.
    pub fn growing(mut self, setup: Option<Arc<Setup>>) -> ControllerManager {
        let client = self.clients.autoscaler;
        self.fleet = setup.map(|setup| ClusterAutoscaler::new(client, setup));
        self
    }

    /// Its cluster autoscaler.
    pub fn fleet(&self) -> Option<&ClusterAutoscaler> {
        self.fleet.as_ref()
    }

    /// A scan of its cluster autoscaler.
    pub fn scan(&mut self, cloud: &dyn Cloud, view: &View<'_>, fx: &mut Effects<Timer>) {
        if let Some(fleet) = &mut self.fleet {
            fleet.scan(cloud, Known { view, index: &self.index }, fx);
        }
    }

    pub(super) fn removals_due(&mut self, view: &View<'_>, fx: &mut Effects<Timer>) {
        if let Some(fleet) = &mut self.fleet {
            fleet.due(Known { view, index: &self.index }, fx);
        }
    }

    pub(super) fn fleet_reply(&mut self, reply: &Reply, view: &View<'_>, fx: &mut Effects<Timer>) {
        if let Some(fleet) = &mut self.fleet {
            fleet.reply(reply, Known { view, index: &self.index }, fx);
        }
    }
}
