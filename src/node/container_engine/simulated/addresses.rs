//! Addresses of pods: one range a node, the next free one in turn, as the host-local CNI plugin gives them.

use std::net::Ipv4Addr;

use crate::node::NodeIndex;

/// Bits of a pod range's prefix: /24, `--node-cidr-mask-size` of kube-controller-manager 1.36.
pub const POD_CIDR_PREFIX: u8 = 24;
/// Where pod ranges begin: 10.128.0.0/9 holds 32,768 of them, clear of the usual service range.
const POD_RANGES: u32 = 0x0a80_0000;
/// Addresses of a range that pods can get: all but network, gateway (.1) and broadcast.
const FIRST: u8 = 2;
const LAST: u8 = 254;

/// The pod range of a node, as its first address; the prefix is [`POD_CIDR_PREFIX`].
pub fn pod_cidr(node: NodeIndex) -> Ipv4Addr {
    Ipv4Addr::from(POD_RANGES + ((node.0 % 32_768) << (32 - POD_CIDR_PREFIX)))
}

/// The addresses of one node's range.
#[derive(Clone, Debug)]
pub struct AddressPool {
    base: u32,
    last: u8,
    used: [u64; 4],
}

impl AddressPool {
    /// The pool of `node`, all free.
    pub fn new(node: NodeIndex) -> AddressPool {
        AddressPool { base: u32::from(pod_cidr(node)), last: FIRST - 1, used: [0; 4] }
    }

    /// The next free address after the one given last, round the range; `None` if none is free.
    pub fn take(&mut self) -> Option<Ipv4Addr> {
        let after = (self.last + 1..=LAST).chain(FIRST..=self.last.min(LAST));
        let host = after.into_iter().find(|&host| !self.is_used(host))?;
        self.used[usize::from(host) / 64] |= 1 << (host % 64);
        self.last = host;
        Some(Ipv4Addr::from(self.base + u32::from(host)))
    }

    /// Gives an address back; others are left alone.
    pub fn give_back(&mut self, address: Ipv4Addr) {
        let host = u32::from(address).wrapping_sub(self.base);
        if host < 256 {
            self.used[host as usize / 64] &= !(1 << (host % 64));
        }
    }

    /// Frees all addresses.
    pub fn clear(&mut self) {
        self.used = [0; 4];
    }

    fn is_used(&self, host: u8) -> bool {
        self.used[usize::from(host) / 64] & (1 << (host % 64)) != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_go_round_and_come_back_only_when_given_back() {
        let mut pool = AddressPool::new(NodeIndex(1));
        let first = pool.take().expect("free");
        assert_eq!(first, Ipv4Addr::new(10, 128, 1, 2));
        pool.give_back(first);
        assert_eq!(pool.take(), Some(Ipv4Addr::new(10, 128, 1, 3)), "not the one just given back");
        let rest: Vec<_> = std::iter::from_fn(|| pool.take()).collect();
        assert_eq!(rest.len(), 252);
        assert_eq!(rest.last(), Some(&first), "but in its turn");
        assert_eq!(pool.take(), None);
    }
}
