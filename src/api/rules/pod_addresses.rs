//! The addresses of a pod as its status tells them (kubelet 1.36 `kubelet_pods.go` sortPodIPs).

use std::net::{IpAddr, Ipv4Addr};

/// The addresses an engine gave a pod, as they count: one of each family, that of the node's own address first.
/// Texts that are no addresses are left out; numbers may begin with zeros.
pub fn in_order(node: Option<IpAddr>, given: &[&str]) -> Vec<IpAddr> {
    let all: Vec<IpAddr> = given.iter().filter_map(|text| parsed(text)).collect();
    let is_primary = |it: &&IpAddr| it.is_ipv4() == node.is_none_or(|node| node.is_ipv4());
    let first = all.iter().find(is_primary);
    let second = all.iter().find(|it| !is_primary(it));
    first.into_iter().chain(second).copied().collect()
}

fn parsed(text: &str) -> Option<IpAddr> {
    let plain = || {
        let parts: Vec<u8> =
            text.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
        let parts: [u8; 4] = parts.try_into().ok()?;
        Some(IpAddr::V4(Ipv4Addr::from(parts)))
    };
    text.parse().ok().or_else(plain)
}
