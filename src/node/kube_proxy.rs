//! kube-proxies: from when on a node sends connections by a changed EndpointSlice, and to which endpoints.
//!
//! Owns the arithmetic of both; refuses to keep anything: what a proxy knows is a function of the store's log,
//! of the node's lag and of its sync times, so a change costs nothing until somebody asks.
//!
//! ```text
//! slice written at t --lag of (node, slice, version)--> arrived --next sync of the node--> programmed
//! ```
//! A proxy syncs at most once a second (`iptables.minSyncPeriod`, kube-proxy 1.36); its syncs are taken to lie
//! on a grid of that period with the node's own phase.
pub mod choose;
pub mod rules;

use crate::api::meta::Uid;
use crate::base::hash::StableHasher;
use crate::kernel::recurring::Cadence;
use crate::luck::{Distribution, Label, Luck};
use crate::time::{SimDuration, SimTime};

const LAG: Label = Label::new("proxy-lag");
const PHASE: Label = Label::new("proxy-sync-phase");

/// Times of kube-proxies.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ProxySettings {
    /// From the commit of a change to its arrival at a proxy.
    pub lag: Distribution,
    /// Syncs are this far apart at least; not zero.
    pub min_sync: SimDuration,
}

impl Default for ProxySettings {
    fn default() -> ProxySettings {
        let millis = SimDuration::from_millis;
        ProxySettings {
            lag: Distribution::Uniform { min: millis(2), max: millis(8) },
            min_sync: SimDuration::from_secs(1),
        }
    }
}

/// A change of an EndpointSlice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SliceChange {
    /// When it was committed.
    pub at: SimTime,
    /// The slice.
    pub uid: Uid,
    /// Which version of the slice it made, counted from 1.
    pub nth: u32,
}

/// All proxies of a cluster: their times and their luck.
#[derive(Clone, Copy, Debug)]
pub struct Proxies {
    settings: ProxySettings,
    luck: Luck,
}

impl Proxies {
    /// Proxies of these times.
    pub fn new(settings: ProxySettings, luck: Luck) -> Proxies {
        Proxies { settings, luck }
    }

    /// From when on the proxy of the node whose name hashes to `node` goes by `change`, if nothing cuts it off before.
    pub fn programmed_at(&self, node: u64, change: SliceChange) -> SimTime {
        let key = StableHasher::new().word(node).word(change.uid.0).finish();
        let lag = self.settings.lag.sample(self.luck.draw(LAG, key, change.nth.into()));
        self.next_sync(node, change.at + lag)
    }

    /// From when on all proxies go by `change`; the start of the run if there is none.
    pub fn all_programmed_at(
        &self,
        nodes: impl Iterator<Item = u64>,
        change: SliceChange,
    ) -> SimTime {
        let each = nodes.map(|node| self.programmed_at(node, change));
        each.max().unwrap_or(SimTime::ZERO)
    }

    /// The first sync of a node's proxy at or after an instant.
    pub fn next_sync(&self, node: u64, instant: SimTime) -> SimTime {
        let period = self.settings.min_sync.max(SimDuration::from_nanos(1));
        let last = period.saturating_sub(SimDuration::from_nanos(1));
        let draw = self.luck.draw(PHASE, node, 0);
        let phase = SimTime::ZERO + draw.duration_between(SimDuration::ZERO, last);
        let syncs = Cadence::new(phase, period).expect("a period that is not zero");
        syncs.at(syncs.first_from(instant))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hash::hash_text;

    #[test]
    fn a_change_is_programmed_at_a_sync_within_lag_and_period() {
        let proxies = Proxies::new(ProxySettings::default(), Luck::new(3));
        let names: Vec<u64> = (0..50).map(|i| hash_text(&format!("n-{i}"))).collect();
        let change = SliceChange { at: SimTime::from_secs(100), uid: Uid(5), nth: 2 };
        let mut latest = SimTime::ZERO;
        for &name in &names {
            let at = proxies.programmed_at(name, change);
            assert!(at >= SimTime::from_millis(100_002) && at < SimTime::from_millis(101_008));
            assert_eq!(proxies.next_sync(name, at), at, "it is a sync of that node");
            latest = latest.max(at);
        }
        assert_eq!(proxies.all_programmed_at(names.iter().copied(), change), latest);
        assert_eq!(proxies.all_programmed_at(std::iter::empty(), change), SimTime::ZERO);
    }
}
