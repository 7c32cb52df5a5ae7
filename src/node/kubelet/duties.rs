//! What a kubelet does again and again whether or not anything happens: when each occurrence falls.
//!
//! Nothing here is queued. In an elided run whoever keeps node leases works out from these cadences what arrived
//! when, and a relist, a status or a batch of unsent statuses is woken only where there is something to see or
//! send. In an explicit run each occurrence pops. Probes tick by pod and container ([`super::probes`]): elided,
//! only ticks that change a result pop; explicit, all of them.

use crate::api::name::Name;
use crate::kernel::recurring::Cadence;
use crate::luck::{Label, Luck};
use crate::time::{SimDuration, SimTime};

/// A recurring duty of a kubelet (defaults of kubelet 1.36).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Duty {
    /// Renewing the node's Lease: each 10 s, a quarter of its 40 s.
    Lease,
    /// Working out the node's status: each 10 s; posted when it changed, or after five minutes.
    Status,
    /// Relisting containers: each second.
    Relist,
    /// Sending pod statuses that could not be sent: each 10 s.
    Resend,
    /// Looking at what the node is short of: each 10 s.
    Pressure,
    /// Looking whether images must go: each five minutes (`ImageGCPeriod`).
    Images,
}

impl Duty {
    /// The span between occurrences.
    pub const fn period(self) -> SimDuration {
        match self {
            Duty::Lease | Duty::Status | Duty::Resend | Duty::Pressure => {
                SimDuration::from_secs(10)
            }
            Duty::Relist => SimDuration::from_secs(1),
            Duty::Images => SimDuration::from_secs(300),
        }
    }

    const fn label(self) -> Label {
        match self {
            Duty::Lease => Label::new("node-lease-phase"),
            Duty::Status => Label::new("node-status-phase"),
            Duty::Relist => Label::new("relist-phase"),
            Duty::Resend => Label::new("resend-phase"),
            Duty::Pressure => Label::new("pressure-phase"),
            Duty::Images => Label::new("image-gc-phase"),
        }
    }

    /// When the duty falls on this node: its phase is the node's own luck.
    pub fn cadence(self, luck: Luck, node: &Name) -> Cadence {
        let period = self.period();
        let last = period.saturating_sub(SimDuration::from_nanos(1));
        let draw = luck.draw(self.label(), node.stable_hash(), 0);
        let phase = SimTime::ZERO + draw.duration_between(SimDuration::ZERO, last);
        Cadence::new(phase, period).expect("periods are not zero")
    }
}

/// The first occurrence after an instant.
pub fn next_after(cadence: Cadence, instant: SimTime) -> SimTime {
    cadence.at(cadence.first_from(instant + SimDuration::from_nanos(1)))
}
