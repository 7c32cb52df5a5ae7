//! IP addresses and CIDR blocks in fields, as `k8s.io/apimachinery/pkg/util/validation/ip.go` of
//! 1.36 checks them: read leniently as Go once did, then refused where the forms are ambiguous
//! (StrictIPCIDRValidation, on by default).
//!
//! It does not know which addresses a cluster hands out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::field::{Errors, Path};
use super::gates::{Gate, State};

const NOT_AN_IP: &str = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
const NOT_A_CIDR: &str = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";

/// The two address families.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// 32 bits.
    V4,
    /// 128 bits.
    V6,
}

/// An address as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The address; an IPv4 address mapped into IPv6 is given as IPv4, as Go's `To4` does.
    pub ip: IpAddr,
    spelling: Spelling,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spelling {
    Plain,
    LeadingZeros,
    Mapped,
}

impl Address {
    /// Reads an address, allowing leading zeros; `None` if it is none.
    pub fn parse(text: &str) -> Option<Address> {
        if !text.contains(':') {
            let (ip, spelling) = parse_v4(text)?;
            return Some(Address { ip: IpAddr::V4(ip), spelling });
        }
        let (ip, spelling) = match text.rsplit_once(':') {
            Some((head, tail)) if tail.contains('.') => {
                let (tail, spelling) = parse_v4(tail)?;
                (format!("{head}:{tail}").parse::<Ipv6Addr>().ok()?, spelling)
            }
            _ => (text.parse::<Ipv6Addr>().ok()?, Spelling::Plain),
        };
        Some(match ip.to_ipv4_mapped() {
            None => Address { ip: IpAddr::V6(ip), spelling },
            Some(v4) if spelling == Spelling::Plain => {
                Address { ip: IpAddr::V4(v4), spelling: Spelling::Mapped }
            }
            Some(v4) => Address { ip: IpAddr::V4(v4), spelling },
        })
    }

    /// Its family.
    pub fn family(&self) -> Family {
        match self.ip {
            IpAddr::V4(_) => Family::V4,
            IpAddr::V6(_) => Family::V6,
        }
    }
}

fn parse_v4(text: &str) -> Option<(Ipv4Addr, Spelling)> {
    let mut octets = [0u8; 4];
    let mut spelling = Spelling::Plain;
    let mut parts = text.split('.');
    for octet in &mut octets {
        let part = parts.next()?;
        if part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        if part.len() > 1 && part.starts_with('0') {
            spelling = Spelling::LeadingZeros;
        }
        let significant = part.trim_start_matches('0');
        *octet = if significant.is_empty() { 0 } else { significant.parse().ok()? };
    }
    parts.next().is_none().then_some((Ipv4Addr::from(octets), spelling))
}

/// The family of an address, IPv4 where it is no address at all (Go's `IsIPv6String` says no).
pub fn family_of(text: &str) -> Family {
    Address::parse(text).map_or(Family::V4, |address| address.family())
}

/// Checks an address; a value that stands in `known` (the old object's) is let through.
pub fn check_ip(path: &Path<'_>, text: &str, known: &[String], errors: &mut Errors) {
    if known.iter().any(|value| value == text) {
        return;
    }
    let Some(address) = Address::parse(text) else {
        return errors.invalid(path, text, NOT_AN_IP);
    };
    let detail = match address.spelling {
        Spelling::LeadingZeros => "must not have leading 0s",
        Spelling::Mapped => "must not be an IPv4-mapped IPv6 address",
        Spelling::Plain => return,
    };
    errors.only(Gate::StrictIPCIDRValidation, State::On, |errors| {
        errors.invalid(path, text, detail);
    });
}

/// A block of addresses as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    /// The address before the slash.
    pub address: Address,
    /// Bits of the prefix, 0 to 32 or 128.
    pub prefix: u8,
    zeros_in_prefix: bool,
}

impl Cidr {
    /// Reads a block, allowing leading zeros; `None` if it is none.
    pub fn parse(text: &str) -> Option<Cidr> {
        let (ip, bits) = text.split_once('/')?;
        let address = Address::parse(ip)?;
        if bits.is_empty() || !bits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let prefix: u8 = bits.parse().ok()?;
        let longest = if ip.contains(':') { 128 } else { 32 };
        let zeros_in_prefix = bits.len() > 1 && bits.starts_with('0');
        (prefix <= longest).then_some(Cidr { address, prefix, zeros_in_prefix })
    }

    fn has_bits_beyond_prefix(&self) -> bool {
        let shift = u32::from(self.prefix);
        match self.address.ip {
            IpAddr::V4(ip) => u32::from(ip).checked_shl(shift).is_some_and(|rest| rest != 0),
            IpAddr::V6(ip) => u128::from(ip).checked_shl(shift).is_some_and(|rest| rest != 0),
        }
    }
}

/// Checks a block of addresses; a value that stands in `known` is let through.
pub fn check_cidr(path: &Path<'_>, text: &str, known: &[String], errors: &mut Errors) {
    if known.iter().any(|value| value == text) {
        return;
    }
    let Some(cidr) = Cidr::parse(text) else {
        return errors.invalid(path, text, NOT_A_CIDR);
    };
    let detail = if cidr.address.spelling == Spelling::LeadingZeros || cidr.zeros_in_prefix {
        "must not have leading 0s in IP or prefix length"
    } else if cidr.address.spelling == Spelling::Mapped {
        "must not have an IPv4-mapped IPv6 address"
    } else if cidr.has_bits_beyond_prefix() {
        "must not have bits set beyond the prefix length"
    } else {
        return;
    };
    errors.only(Gate::StrictIPCIDRValidation, State::On, |errors| {
        errors.invalid(path, text, detail);
    });
}

/// Refuses the special addresses that no endpoint may have (`ValidateEndpointIP`).
pub fn check_endpoint_ip(path: &Path<'_>, text: &str, errors: &mut Errors) {
    let Some(address) = Address::parse(text) else {
        return errors.invalid(path, text, "must be a valid IP address");
    };
    let ip = address.ip;
    if ip.is_unspecified() {
        errors.invalid(path, text, format!("may not be unspecified ({text})"));
    }
    if ip.is_loopback() {
        errors.invalid(path, text, "may not be in the loopback range (127.0.0.0/8, ::1/128)");
    }
    let (link_local, link_local_multicast) = match ip {
        IpAddr::V4(v4) => (v4.is_link_local(), v4.octets()[..3] == [224, 0, 0]),
        IpAddr::V6(v6) => {
            let first = v6.segments()[0];
            (first & 0xffc0 == 0xfe80, first & 0xff0f == 0xff02)
        }
    };
    if link_local {
        let detail = "may not be in the link-local range (169.254.0.0/16, fe80::/10)";
        errors.invalid(path, text, detail);
    }
    if link_local_multicast {
        let detail = "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)";
        errors.invalid(path, text, detail);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(check: impl Fn(&Path<'_>, &mut Errors)) -> String {
        let mut errors = Errors::new();
        check(&Path::ROOT.child("ip"), &mut errors);
        errors.list().first().map_or(String::new(), ToString::to_string)
    }

    #[test]
    fn addresses_are_read_leniently_and_checked_strictly() {
        let ip = |text: &str| line(|path, errors| check_ip(path, text, &[], errors));
        assert_eq!(ip("10.0.0.1"), "");
        assert_eq!(ip("2001:db8::1"), "");
        assert_eq!(ip("010.0.0.1"), "ip: Invalid value: \"010.0.0.1\": must not have leading 0s");
        assert!(ip("::ffff:10.0.0.1").ends_with("must not be an IPv4-mapped IPv6 address"));
        assert!(ip("10.0.0.256").ends_with(NOT_AN_IP));
        assert!(ip("10.0.0").ends_with(NOT_AN_IP));
        assert!(ip("").ends_with(NOT_AN_IP));
        assert_eq!(family_of("::ffff:10.0.0.1"), Family::V4);
    }

    #[test]
    fn blocks_may_not_be_ambiguous() {
        let cidr = |text: &str| line(|path, errors| check_cidr(path, text, &[], errors));
        assert_eq!(cidr("10.0.0.0/8"), "");
        assert_eq!(cidr("0.0.0.0/0"), "");
        assert_eq!(cidr("2000::/10"), "");
        assert!(cidr("10.0.0.1/8").ends_with("must not have bits set beyond the prefix length"));
        assert!(cidr("10.0.0.0/08").ends_with("leading 0s in IP or prefix length"));
        assert!(cidr("10.0.0.0/33").ends_with(NOT_A_CIDR));
        assert!(cidr("10.0.0.0").ends_with(NOT_A_CIDR));
    }

    #[test]
    fn values_of_the_old_object_stay() {
        let known = ["010.0.0.1".to_owned()];
        assert_eq!(line(|path, errors| check_ip(path, "010.0.0.1", &known, errors)), "");
    }

    #[test]
    fn endpoints_are_no_special_addresses() {
        let ip = |text: &str| line(|path, errors| check_endpoint_ip(path, text, errors));
        assert_eq!(ip("10.0.0.1"), "");
        assert!(ip("127.0.0.1").contains("loopback"));
        assert!(ip("169.254.1.1").contains("link-local range"));
        assert!(ip("224.0.0.5").contains("multicast"));
        assert!(ip("::").contains("may not be unspecified (::)"));
    }
}
