//! What serves the metrics APIs: metrics-server, which asks all kubelets once a period, and whatever
//! adapter serves figures a scenario gives. No component of its own: both are functions of an instant.
//!
//! Owns when which scrape is served, what two scrapes of a container tell, and the figures given; refuses
//! to know what programs use. metrics-server 0.8 (pkg/scraper, pkg/storage), its manifest's flags.
//!
//! ```text
//! scrape k-1 ───────── scrape k ─ delay ─▶ served until scrape k+1 is
//!      └──── window ──────┘
//! ```

use std::sync::Arc;

use crate::api::meta::Labels;
use crate::api::name::Text;
use crate::api::rules::selector::Selector;
use crate::messages::usage::Course;
use crate::time::{SimDuration, SimTime};

/// How metrics-server is run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Settings {
    /// `--metric-resolution`: how often it asks. Not zero.
    pub period: SimDuration,
    /// From when it asks to when it serves the answers.
    pub delay: SimDuration,
}

impl Default for Settings {
    /// Each 15 s, as its manifest says, and a tenth of a second.
    fn default() -> Settings {
        Settings { period: SimDuration::from_secs(15), delay: SimDuration::from_millis(100) }
    }
}

/// How long it waits for a kubelet that does not answer, and serves nothing new (`KubeletRequestTimeout`).
const TIMEOUT: SimDuration = SimDuration::from_secs(10);
/// How long a container must have run for its start to count as a first scrape
/// (`freshContainerMinMetricsResolution`).
const FRESH: SimDuration = SimDuration::from_secs(10);

/// Two scrapes, one after the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Scrapes {
    /// The one before; `None`: there was none.
    pub before: Option<SimTime>,
    /// The one that is served.
    pub last: SimTime,
}

impl Settings {
    /// The scrapes that are served at `now`. `is_held_up` says whether some kubelet did not answer one.
    pub fn served(self, now: SimTime, is_held_up: impl Fn(SimTime) -> bool) -> Option<Scrapes> {
        let at = |k: u64| SimTime::ZERO + self.period * k;
        let latest = now.as_nanos() / self.period.as_nanos();
        let is_served = |&k: &u64| {
            let wait = if is_held_up(at(k)) { TIMEOUT.max(self.delay) } else { self.delay };
            at(k) + wait <= now
        };
        let k = (0..=latest).rev().take(4).find(is_served)?;
        Some(Scrapes { before: k.checked_sub(1).map(at), last: at(k) })
    }
}

impl Scrapes {
    /// Since when what a container used counts, that runs since `since`: the scrape before, or its own
    /// start if that lies between. `None`: nothing can be told of it yet.
    pub fn window(self, since: SimTime, period: SimDuration) -> Option<SimTime> {
        if since > self.last {
            return None;
        }
        match self.before {
            Some(before) if since <= before => Some(before),
            _ => {
                let ran = self.last - since;
                (ran >= FRESH && ran < period).then_some(since)
            }
        }
    }
}

/// A figure a scenario gives, over time.
#[derive(Clone, PartialEq, Debug)]
pub struct Series {
    /// What it is called; of what pods use: `cpu` or `memory`.
    pub name: Text,
    /// Its labels.
    pub labels: Labels,
    /// Whose it is.
    pub of: Owner,
    /// How much, in thousandths, by the time of the run.
    pub course: Course,
}

/// Whose a figure is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Owner {
    /// Nobody's in the cluster.
    Outside,
    /// This object's.
    Object {
        /// Its kind as written, in small letters.
        kind: Text,
        /// Its namespace.
        namespace: Text,
        /// Its name.
        name: Text,
    },
    /// Each pod's that is selected.
    Pods(Pods),
    /// What each pod uses that is selected, in place of what is measured.
    Usage {
        /// Whose.
        pods: Pods,
        /// How often it is written anew.
        every: SimDuration,
    },
}

/// Pods that have a figure.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pods {
    /// Their namespace.
    pub namespace: Text,
    /// Their labels.
    pub selector: Arc<Selector>,
    /// What the figure says.
    pub share: Share,
}

/// What a figure of pods says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Share {
    /// What each has.
    #[default]
    Each,
    /// What all ready ones have together: each its part.
    Together,
}

/// What serves the metrics APIs of a cluster.
#[derive(Clone, PartialEq, Debug)]
pub struct Metrics {
    /// metrics-server; `None`: there is none.
    pub server: Option<Settings>,
    /// Figures given.
    pub series: Vec<Series>,
}

impl Default for Metrics {
    /// metrics-server, and nothing else.
    fn default() -> Metrics {
        Metrics { server: Some(Settings::default()), series: Vec::new() }
    }
}

impl Series {
    /// How much it is at `at`, in thousandths.
    pub fn at(&self, at: SimTime) -> i64 {
        i64::try_from(self.course.at(at.since_start())).unwrap_or(i64::MAX)
    }

    /// Up to when it stays as it is at `at`; [`SimTime::MAX`]: for ever.
    pub fn holds_until(&self, at: SimTime) -> SimTime {
        let bend = self.course.bends_after(at.since_start());
        bend.map_or(SimTime::MAX, |bend| SimTime::ZERO + bend)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn secs(seconds: u64) -> SimTime {
        SimTime::from_secs(seconds)
    }

    #[test]
    fn a_scrape_is_served_once_all_have_answered() {
        let server = Settings::default();
        let served = |now, is_held_up: bool| server.served(now, |_| is_held_up);
        assert_eq!(served(SimTime::from_millis(30_050), false).unwrap().last, secs(15));
        assert_eq!(served(SimTime::from_millis(30_100), false).unwrap().last, secs(30));
        assert_eq!(served(secs(39), true).unwrap().last, secs(15));
        assert_eq!(served(secs(40), true).unwrap().last, secs(30));
        assert_eq!(served(SimTime::from_millis(50), false), None);
    }

    #[test]
    fn two_scrapes_or_ten_seconds_make_a_sample() {
        let scrapes = Scrapes { before: Some(secs(30)), last: secs(45) };
        let window = |since| scrapes.window(secs(since), SimDuration::from_secs(15));
        assert_eq!(window(20), Some(secs(30)));
        assert_eq!(window(32), Some(secs(32)));
        assert_eq!(window(36), None);
        assert_eq!(window(46), None);
    }
}
