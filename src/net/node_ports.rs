//! The ports Services have on every node.
//!
//! The range is divided as `pkg/registry/core/service/portallocator` of 1.36 divides it: a lower band
//! for ports asked for by number, from which others are taken only when the rest is used up.

use std::ops::RangeInclusive;

use crate::base::FastSet;
use crate::luck::Draw;

/// `--service-node-port-range` of 1.36 by default.
pub const NODE_PORTS: RangeInclusive<u16> = 30_000..=32_767;

/// Why a port asked for is not to be had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PortError {
    /// It lies outside the range.
    OutOfRange,
    /// Another Service has it.
    Taken,
    /// None is left.
    Full,
}

/// The allocator of ports of nodes.
#[derive(Clone, Debug)]
pub struct NodePorts {
    first: u16,
    count: u16,
    used: FastSet<u16>,
}

impl Default for NodePorts {
    fn default() -> NodePorts {
        NodePorts::new(NODE_PORTS)
    }
}

impl NodePorts {
    /// An allocator of the ports of a range.
    pub fn new(range: RangeInclusive<u16>) -> NodePorts {
        let count = range.end().saturating_sub(*range.start()).saturating_add(1);
        NodePorts { first: *range.start(), count, used: FastSet::default() }
    }

    /// The lower band kept for ports asked for by number: `min(max(16, size/32), 128)`, none in a
    /// range of at most 16.
    fn reserved(&self) -> u16 {
        if self.count <= 16 { 0 } else { (self.count / 32).clamp(16, 128) }
    }

    /// Takes `port` out.
    ///
    /// # Errors
    /// It is outside the range or in use.
    pub fn take(&mut self, port: u16) -> Result<(), PortError> {
        if port < self.first || port - self.first >= self.count {
            return Err(PortError::OutOfRange);
        }
        if self.used.insert(port) { Ok(()) } else { Err(PortError::Taken) }
    }

    /// Takes any port out: by luck from the upper band, from the lower one when that is full.
    ///
    /// # Errors
    /// None is left.
    pub fn take_any(&mut self, draw: Draw) -> Result<u16, PortError> {
        let (reserved, bits) = (self.reserved(), draw.u64());
        let bands = [(reserved, self.count - reserved), (0, reserved)];
        for (start, count) in bands.into_iter().filter(|&(_, count)| count > 0) {
            let first = Draw::from_bits(bits).below(u64::from(count)) as u32;
            for step in 0..u32::from(count) {
                let offset = (first + step) % u32::from(count);
                let port = self.first + start + offset as u16;
                if self.used.insert(port) {
                    return Ok(port);
                }
            }
        }
        Err(PortError::Full)
    }

    /// Gives a port back.
    pub fn give_back(&mut self, port: u16) {
        self.used.remove(&port);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lower_band_is_used_last_and_every_port_once() {
        let mut ports = NodePorts::default();
        assert_eq!((ports.count, ports.reserved()), (2768, 86));
        let given: Vec<u16> = (0..2768)
            .map(|n: u64| {
                ports.take_any(Draw::from_bits(n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).unwrap()
            })
            .collect();
        assert!(given[..2682].iter().all(|&port| port >= 30_086), "{given:?}");
        assert!(given[2682..].iter().all(|&port| port < 30_086), "{given:?}");
        assert_eq!(ports.take_any(Draw::from_bits(1)), Err(PortError::Full));
        ports.give_back(30_100);
        assert_eq!(ports.take(30_100), Ok(()));
        assert_eq!(ports.take(30_100), Err(PortError::Taken));
        assert_eq!(ports.take(29_999), Err(PortError::OutOfRange));
        assert_eq!(ports.take(32_768), Err(PortError::OutOfRange));
    }
}
