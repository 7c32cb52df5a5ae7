//! Addresses: of Services out of the service range, and DNS names.
//!
//! The service range is divided as `pkg/registry/core/service/ipallocator` of 1.36 divides it: a
//! lower band for addresses asked for by number, from which dynamic ones are taken only when the
//! rest is used up.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::base::FastSet;
use crate::luck::Draw;

/// The cluster's DNS domain.
pub const CLUSTER_DOMAIN: &str = "cluster.local";

/// The name of a Service inside the cluster.
pub fn service_dns_name(namespace: &str, name: &str) -> String {
    format!("{name}.{namespace}.svc.{CLUSTER_DOMAIN}")
}

/// The first 108 bits of IPv6 addresses of Services: as many as [`ServiceRange::of_ipv6`] gives out.
const SERVICES6: u128 = 0xfd00_0010_0096 << 80;

/// The IPv6 address of a Service by its place in [`ServiceRange::of_ipv6`].
pub fn service_address6(place: Ipv4Addr) -> Ipv6Addr {
    Ipv6Addr::from(SERVICES6 | u128::from(u32::from(place)))
}

/// The place in [`ServiceRange::of_ipv6`] of a Service's IPv6 address; 0.0.0.0, which the range does not
/// have, where it lies outside.
pub fn service_place6(address: Ipv6Addr) -> Ipv4Addr {
    let place = u128::from(address).wrapping_sub(SERVICES6);
    Ipv4Addr::from(u32::try_from(place).unwrap_or(0))
}

/// The IPv6 address of a pod or node of this IPv4 address: the same figures, 10.244.3.7 being
/// fd00:10:244:3::7.
pub fn address6(address: Ipv4Addr) -> Ipv6Addr {
    // The hexadecimal number that reads as the decimal one.
    let alike = |octet: u8| {
        let octet = u16::from(octet);
        octet / 100 * 0x100 + octet / 10 % 10 * 0x10 + octet % 10
    };
    let [a, b, c, d] = address.octets().map(alike);
    Ipv6Addr::new(0xfd00, a, b, c, 0, 0, 0, d)
}

/// Why an address asked for is not to be had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AddressError {
    /// It lies outside the range.
    OutOfRange,
    /// Another Service has it.
    Taken,
    /// None is left.
    Full,
}

/// The allocator of cluster addresses.
#[derive(Clone, Debug)]
pub struct ServiceRange {
    base: u32,
    prefix: u8,
    used: FastSet<u32>,
}

impl ServiceRange {
    /// The range `base/prefix`; its first and last address are never given out.
    pub fn new(base: Ipv4Addr, prefix: u8) -> ServiceRange {
        ServiceRange {
            base: u32::from(base),
            prefix: prefix.clamp(1, 30),
            used: FastSet::default(),
        }
    }

    /// Places of IPv6 addresses, which [`service_address6`] turns into these: a /108.
    pub fn of_ipv6() -> ServiceRange {
        ServiceRange::new(Ipv4Addr::UNSPECIFIED, 12)
    }

    /// Its first address, which is the API server's own.
    pub fn first(&self) -> Ipv4Addr {
        Ipv4Addr::from(self.base + 1)
    }

    /// How many addresses it can give.
    pub fn size(&self) -> u32 {
        (1u32 << (32 - self.prefix)) - 2
    }

    /// The lower band kept for addresses asked for by number: `min(max(16, size/16), 256)`, none
    /// in a range of at most 16.
    fn reserved(&self) -> u32 {
        let size = self.size();
        if size <= 16 { 0 } else { (size / 16).clamp(16, 256) }
    }

    /// Takes `address` out.
    ///
    /// # Errors
    /// It is outside the range or in use.
    pub fn take(&mut self, address: Ipv4Addr) -> Result<(), AddressError> {
        let offset = u32::from(address).wrapping_sub(self.base);
        if offset == 0 || offset > self.size() {
            return Err(AddressError::OutOfRange);
        }
        if self.used.insert(offset) { Ok(()) } else { Err(AddressError::Taken) }
    }

    /// Takes any address out: by luck from the upper band, from the lower one when that is full.
    ///
    /// # Errors
    /// None is left.
    pub fn take_any(&mut self, draw: Draw) -> Result<Ipv4Addr, AddressError> {
        let (size, reserved, bits) = (self.size(), self.reserved(), draw.u64());
        let bands = [(reserved, size - reserved), (0, reserved)];
        for (start, count) in bands.into_iter().filter(|&(_, count)| count > 0) {
            let first = Draw::from_bits(bits).below(u64::from(count)) as u32;
            let offsets = (0..count).map(|step| start + 1 + (first + step) % count);
            for offset in offsets {
                if self.used.insert(offset) {
                    return Ok(Ipv4Addr::from(self.base + offset));
                }
            }
        }
        Err(AddressError::Full)
    }

    /// Gives an address back.
    pub fn give_back(&mut self, address: Ipv4Addr) {
        self.used.remove(&u32::from(address).wrapping_sub(self.base));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lower_band_is_used_last() {
        let base = Ipv4Addr::new(10, 0, 0, 0);
        let mut range = ServiceRange::new(base, 27);
        assert_eq!((range.size(), range.reserved()), (30, 16));
        let taken: Vec<u8> = (0..30)
            .map(|n| range.take_any(Draw::from_bits(n * 0x9e37_79b9)).unwrap().octets()[3])
            .collect();
        assert!(taken[..14].iter().all(|&last| last > 16), "{taken:?}");
        assert!(taken[14..].iter().all(|&last| last <= 16), "{taken:?}");
        assert_eq!(range.take_any(Draw::from_bits(1)), Err(AddressError::Full));
    }

    #[test]
    fn addresses_of_ipv6_read_like_those_of_ipv4() {
        let of = |text: &str| address6(text.parse().unwrap()).to_string();
        assert_eq!(of("10.244.3.7"), "fd00:10:244:3::7");
        assert_eq!(of("172.16.0.205"), "fd00:172:16::205");
        let mut range = ServiceRange::of_ipv6();
        let given = range.take_any(Draw::from_bits(7)).unwrap();
        let address = service_address6(given);
        assert!(address.to_string().starts_with("fd00:10:96::"), "{address}");
        assert_eq!(service_place6(address), given);
        let outside = service_place6("2001:db8::1".parse().unwrap());
        assert_eq!(range.take(outside), Err(AddressError::OutOfRange));
    }

    #[test]
    fn an_address_is_given_once_and_inside_the_range() {
        let mut range = ServiceRange::new(Ipv4Addr::new(10, 96, 0, 0), 12);
        let wanted = Ipv4Addr::new(10, 96, 0, 10);
        assert_eq!(range.take(wanted), Ok(()));
        assert_eq!(range.take(wanted), Err(AddressError::Taken));
        assert_eq!(range.take(Ipv4Addr::new(10, 95, 0, 1)), Err(AddressError::OutOfRange));
        range.give_back(wanted);
        assert_eq!(range.take(wanted), Ok(()));
    }
}
