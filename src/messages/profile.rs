//! How long things take when nothing is wrong: the model's times, gathered in one place. Every
//! field is a default that a calibration or a scenario may replace.

use super::Call;
use crate::luck::Distribution;
use crate::time::SimDuration;

/// The times of a cluster.
#[derive(Clone, PartialEq, Debug)]
pub struct Profile {
    /// One way between two places, in each direction.
    pub link: Distribution,
    /// What an API server needs for one write, without etcd: a third of it before the commit
    /// (authentication, admission), the rest after (the answer, which goes the way of a watch's
    /// news).
    pub api_request: Distribution,
    /// What etcd needs to commit one write.
    pub etcd_commit: Distribution,
    /// What a request keeps one core of its API server busy, with all that it brings about beside it (etcd,
    /// watchers that are told, who listens there). Others wait meanwhile where cores are counted.
    pub write_work: SimDuration,
    /// From a commit to the change's delivery to a watch, the link apart.
    pub watch_lag: Distribution,
    /// Changes reach a watcher in frames: delivery falls on the next whole multiple of this.
    pub watch_frame: SimDuration,
    /// After which a client gives up on a server that does not answer.
    pub request_timeout: SimDuration,
    /// How long a watcher waits before it connects again: its first wait (client-go's reflector: 0.8 s
    /// and up to as much again). Each further one doubles, up to 37.5 times the first.
    pub watch_reconnect: Distribution,
    /// From the start of an API server to its first answer.
    pub api_server_start: Distribution,
    /// From the start of a controller manager or scheduler to caches that are filled.
    pub informer_sync: Distribution,
    /// How long the simulated provisioner needs to make a volume.
    pub provisioning: SimDuration,
}

impl Profile {
    /// What a request keeps a core of its API server busy. The Event about a binding is written too, by
    /// a client of its own.
    pub fn work_of(&self, call: &Call) -> SimDuration {
        match call {
            Call::Bind { .. } => self.write_work * 2,
            _ => self.write_work,
        }
    }

    /// The least a message needs from one place to another.
    pub fn link_floor(&self) -> SimDuration {
        match self.link {
            Distribution::Constant(span) | Distribution::Uniform { min: span, .. } => span,
            Distribution::Exponential { .. } | Distribution::LogNormal { .. } => SimDuration::ZERO,
        }
    }
}

impl Profile {
    /// The same for a control plane whose cores are counted: the times of one write while there is no other,
    /// about 8 ms from a client's write to a watcher; waits come on top as cores are busy. Fitted to
    /// bursts in recorded timelines of a control plane on two cores (`tests/golden/derive.rs` says how). Under
    /// load that lasts it is too slow: of 87 to 100 pods a second that one recording made it makes 53.
    pub fn uncrowded() -> Profile {
        let millis = SimDuration::from_millis;
        Profile {
            api_request: Distribution::LogNormal { p50: millis(7), p99: millis(20) },
            etcd_commit: Distribution::LogNormal { p50: millis(2), p99: millis(8) },
            watch_lag: Distribution::Uniform { min: millis(1), max: millis(4) },
            ..Profile::default()
        }
    }
}

impl Default for Profile {
    /// Sizes that give back the recorded timelines of a control plane on one quiet machine: about
    /// 10 ms a write, about 5 ms from a commit to a watcher, an API server that answers 2.3 to 2.7 s
    /// after its start.
    fn default() -> Profile {
        let millis = SimDuration::from_millis;
        Profile {
            link: Distribution::Constant(SimDuration::from_micros(250)),
            api_request: Distribution::LogNormal { p50: millis(6), p99: millis(20) },
            etcd_commit: Distribution::LogNormal { p50: millis(4), p99: millis(16) },
            write_work: millis(5),
            watch_lag: Distribution::Uniform { min: millis(2), max: millis(8) },
            watch_frame: millis(1),
            request_timeout: SimDuration::from_secs(10),
            watch_reconnect: Distribution::Uniform { min: millis(800), max: millis(1600) },
            api_server_start: Distribution::Uniform { min: millis(2300), max: millis(2700) },
            informer_sync: Distribution::Uniform { min: millis(1300), max: millis(1700) },
            provisioning: SimDuration::from_secs(2),
        }
    }
}
