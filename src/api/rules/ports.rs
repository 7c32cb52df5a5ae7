//! Ports of the host that containers ask for, and when two of them clash
//! (`HostPortInfo` of kube-scheduler 1.36).

use std::net::Ipv4Addr;

use crate::api::pod::Protocol;

/// A port of the host.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HostPort {
    /// The host's address it is bound to; unspecified: all of them.
    pub ip: Ipv4Addr,
    /// The protocol.
    pub protocol: Protocol,
    /// The port, 1 to 65535.
    pub port: u16,
}

impl HostPort {
    /// Whether both cannot be held on one host at once.
    pub fn clashes(&self, other: &HostPort) -> bool {
        self.port == other.port
            && self.protocol == other.protocol
            && (self.ip == other.ip || self.ip.is_unspecified() || other.ip.is_unspecified())
    }
}
