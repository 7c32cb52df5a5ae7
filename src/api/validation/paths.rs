//! File paths inside volumes and mounts, and the IP addresses of old fields.
//!
//! Follows `pkg/apis/core/validation` and `k8s.io/apimachinery/pkg/util/validation/ip.go` of 1.36.

use std::net::Ipv6Addr;

use super::field::{Errors, Path};

/// No `..` among the parts of the path.
pub(super) fn validate_no_backsteps(value: &str, path: &Path<'_>, errors: &mut Errors) {
    if value.split('/').any(|part| part == "..") {
        errors.invalid(path, value, "must not contain '..'");
    }
}

/// A relative path without `..` among its parts.
pub(super) fn validate_local_descending(value: &str, path: &Path<'_>, errors: &mut Errors) {
    if value.starts_with('/') {
        errors.invalid(path, value, "must be a relative path");
    }
    validate_no_backsteps(value, path, errors);
}

/// A relative path that also does not begin with `..` (names kept for the kubelet).
pub(super) fn validate_local_non_reserved(value: &str, path: &Path<'_>, errors: &mut Errors) {
    validate_local_descending(value, path, errors);
    if value.starts_with("..") && !value.starts_with("../") {
        errors.invalid(path, value, "must not start with '..'");
    }
}

/// An IP address in a field older than strict parsing: IPv4 parts may have leading zeros.
pub fn validate_legacy_ip(value: &str, path: &Path<'_>, errors: &mut Errors) {
    if !is_sloppy_ip(value) {
        let detail = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
        errors.invalid(path, value, detail);
    }
}

/// Whether the text is an IP address as Kubernetes reads it in old fields.
pub fn is_sloppy_ip(value: &str) -> bool {
    if value.contains(':') {
        return value.parse::<Ipv6Addr>().is_ok();
    }
    let parts: Vec<&str> = value.split('.').collect();
    let is_part = |part: &&str| {
        let digits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        digits
            && part.trim_start_matches('0').len() <= 3
            && part.parse::<u64>().is_ok_and(|n| n < 256)
    };
    parts.len() == 4 && parts.iter().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_generously_as_the_api_server_does() {
        for good in ["1.2.3.4", "010.002.003.004", "::1", "fd00::1", "::ffff:1.2.3.4"] {
            assert!(is_sloppy_ip(good), "{good}");
        }
        for bad in ["", "1.2.3", "1.2.3.256", "a.b.c.d", "1.2.3.4.5", "fe80::1%eth0", ":::"] {
            assert!(!is_sloppy_ip(bad), "{bad}");
        }
    }
}
