//! Endpoints and EndpointSlices, as `pkg/apis/core/validation` and `pkg/apis/discovery/validation`
//! of 1.36 check them.

use std::collections::BTreeSet;

use k8s_openapi::api::{
    core::v1::{EndpointAddress, EndpointPort as SubsetPort, EndpointSubset, Endpoints},
    discovery::v1::{Endpoint, EndpointHints, EndpointPort, EndpointSlice},
};

use super::{
    address::{Address, Family, check_endpoint_ip, check_ip},
    field::{Errors, Path},
    labels::validate_labels,
    meta::{Scope, validate_object_meta, validate_object_meta_update},
    names,
    scalar::{PROTOCOLS, immutable, items, obeys, one_of, text},
};

const ENDPOINTS_MAX: usize = 1000;
const ADDRESSES_MAX: usize = 100;
const PORTS_MAX: usize = 20_000;
const TOPOLOGY_LABELS_MAX: usize = 16;
const HINTS_MAX: usize = 8;
const ZONE_LABEL: &str = "topology.kubernetes.io/zone";

/// Checks a new EndpointSlice whose defaults are set.
pub fn validate_slice(slice: &EndpointSlice, errors: &mut Errors) {
    validate_slice_body(slice, None, errors);
}

/// Checks that an EndpointSlice may become `new`.
pub fn validate_slice_update(new: &EndpointSlice, old: &EndpointSlice, errors: &mut Errors) {
    validate_slice_body(new, Some(old), errors);
    immutable(&Path::ROOT.child("addressType"), &new.address_type, &old.address_type, errors);
}

fn validate_slice_body(slice: &EndpointSlice, old: Option<&EndpointSlice>, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    let rule = names::subdomain_name;
    validate_object_meta(&slice.metadata, Scope::Namespaced, rule, &metadata, errors);
    let path = Path::ROOT.child("addressType");
    one_of(&path, &slice.address_type, &["FQDN", "IPv4", "IPv6"], errors);
    validate_slice_ports(items(slice.ports.as_ref()), errors);
    // Endpoints that did not change may be older than the rules.
    if old.is_none_or(|old| old.endpoints != slice.endpoints) {
        let endpoints = items(slice.endpoints.as_ref());
        let path = Path::ROOT.child("endpoints");
        if endpoints.len() > ENDPOINTS_MAX {
            return errors.too_many(&path, endpoints.len(), ENDPOINTS_MAX);
        }
        for (at, endpoint) in endpoints.iter().enumerate() {
            validate_endpoint(endpoint, &slice.address_type, &path.index(at), errors);
        }
    }
}

fn validate_slice_ports(ports: &[EndpointPort], errors: &mut Errors) {
    let path = Path::ROOT.child("ports");
    if ports.len() > PORTS_MAX {
        return errors.too_many(&path, ports.len(), PORTS_MAX);
    }
    let mut seen = BTreeSet::new();
    for (at, port) in ports.iter().enumerate() {
        let path = path.index(at);
        let name = text(port.name.as_ref());
        if !name.is_empty() {
            obeys(&path.child("name"), name, names::is_dns1123_label, errors);
        }
        if !seen.insert(name) {
            errors.duplicate(&path.child("name"), name);
        }
        match &port.protocol {
            None => errors.required(&path.child("protocol"), ""),
            Some(protocol) if !PROTOCOLS.contains(&protocol.as_str()) => {
                errors.not_supported(&path.child("protocol"), protocol, &PROTOCOLS);
            }
            Some(_) => {}
        }
        if let Some(protocol) = &port.app_protocol {
            obeys(&path.child("appProtocol"), protocol, names::is_qualified_name, errors);
        }
    }
}

fn validate_endpoint(endpoint: &Endpoint, kind: &str, path: &Path<'_>, errors: &mut Errors) {
    let addresses = path.child("addresses");
    match endpoint.addresses.len() {
        0 => errors.required(&addresses, "must contain at least 1 address"),
        count if count > ADDRESSES_MAX => errors.too_many(&addresses, count, ADDRESSES_MAX),
        _ => {}
    }
    for (at, address) in endpoint.addresses.iter().enumerate() {
        let place = addresses.index(at);
        match kind {
            "IPv4" => check_slice_ip(address, Family::V4, &place, errors),
            "IPv6" => check_slice_ip(address, Family::V6, &place, errors),
            "FQDN" => check_domain(address, &place, errors),
            _ => {}
        }
    }
    if let Some(node) = &endpoint.node_name {
        obeys(&path.child("nodeName"), node, names::is_dns1123_subdomain, errors);
    }
    if let Some(topology) = &endpoint.deprecated_topology {
        let path = path.child("deprecatedTopology");
        if topology.len() > TOPOLOGY_LABELS_MAX {
            errors.too_many(&path, topology.len(), TOPOLOGY_LABELS_MAX);
        }
        validate_labels(topology, &path, errors);
        if topology.contains_key(ZONE_LABEL) {
            let detail = "reserved key was not removed in conversion";
            errors.invalid_as(&path.key(ZONE_LABEL), "", detail);
        }
    }
    if let Some(hostname) = &endpoint.hostname {
        obeys(&path.child("hostname"), hostname, names::is_dns1123_label, errors);
    }
    if let Some(hints) = &endpoint.hints {
        validate_hints(hints, &path.child("hints"), errors);
    }
}

fn check_slice_ip(text: &str, family: Family, path: &Path<'_>, errors: &mut Errors) {
    let before = errors.list().len();
    check_ip(path, text, &[], errors);
    if errors.list().len() > before {
        return;
    }
    if Address::parse(text).is_some_and(|address| address.family() != family) {
        let name = match family {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        };
        errors.invalid(path, text, format!("must be an {name} address"));
    }
    check_endpoint_ip(path, text, errors);
}

fn check_domain(name: &str, path: &Path<'_>, errors: &mut Errors) {
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_empty() {
        return errors.required(path, "");
    }
    let before = errors.list().len();
    obeys(path, name, names::is_dns1123_subdomain, errors);
    if errors.list().len() > before {
        return;
    }
    if name.split('.').count() < 2 {
        let detail = "should be a domain with at least two segments separated by dots";
        return errors.invalid(path, name, detail);
    }
    for label in name.split('.') {
        obeys(path, label, names::is_dns1123_label, errors);
    }
}

fn validate_hints(hints: &EndpointHints, path: &Path<'_>, errors: &mut Errors) {
    let zones: Vec<&str> =
        hints.for_zones.iter().flatten().map(|zone| zone.name.as_str()).collect();
    let nodes: Vec<&str> =
        hints.for_nodes.iter().flatten().map(|node| node.name.as_str()).collect();
    check_hint(&zones, names::is_valid_label_value, &path.child("forZones"), errors);
    check_hint(&nodes, names::is_dns1123_subdomain, &path.child("forNodes"), errors);
}

fn check_hint(
    hinted: &[&str],
    rule: fn(&str) -> Vec<String>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    if hinted.len() > HINTS_MAX {
        return errors.too_many(path, hinted.len(), HINTS_MAX);
    }
    let mut seen = BTreeSet::new();
    for (at, name) in hinted.iter().enumerate() {
        let path = path.index(at);
        let path = path.child("name");
        if !seen.insert(name) {
            errors.duplicate(&path, *name);
        }
        obeys(&path, name, rule, errors);
    }
}

/// Checks new Endpoints whose defaults are set.
pub fn validate_endpoints(endpoints: &Endpoints, errors: &mut Errors) {
    validate_endpoints_body(endpoints, None, errors);
}

/// Checks that Endpoints may become `new`.
pub fn validate_endpoints_update(new: &Endpoints, old: &Endpoints, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    validate_object_meta_update(&new.metadata, &old.metadata, &metadata, errors);
    validate_endpoints_body(new, Some(old), errors);
}

fn validate_endpoints_body(new: &Endpoints, old: Option<&Endpoints>, errors: &mut Errors) {
    let metadata = Path::ROOT.child("metadata");
    let rule = names::subdomain_name;
    validate_object_meta(&new.metadata, Scope::Namespaced, rule, &metadata, errors);
    if old.is_none_or(|old| old.subsets != new.subsets) {
        let path = Path::ROOT.child("subsets");
        for (at, subset) in items(new.subsets.as_ref()).iter().enumerate() {
            validate_subset(subset, &path.index(at), errors);
        }
    }
}

fn validate_subset(subset: &EndpointSubset, path: &Path<'_>, errors: &mut Errors) {
    let ready = items(subset.addresses.as_ref());
    let not_ready = items(subset.not_ready_addresses.as_ref());
    if ready.is_empty() && not_ready.is_empty() {
        errors.required(path, "must specify `addresses` or `notReadyAddresses`");
    }
    for (field, addresses) in [("addresses", ready), ("notReadyAddresses", not_ready)] {
        let list = path.child(field);
        for (at, address) in addresses.iter().enumerate() {
            validate_subset_address(address, &list.index(at), errors);
        }
    }
    let ports = items(subset.ports.as_ref());
    let list = path.child("ports");
    for (at, port) in ports.iter().enumerate() {
        validate_subset_port(port, ports.len(), &list.index(at), errors);
    }
}

fn validate_subset_address(address: &EndpointAddress, path: &Path<'_>, errors: &mut Errors) {
    check_ip(&path.child("ip"), &address.ip, &[], errors);
    let hostname = text(address.hostname.as_ref());
    if !hostname.is_empty() {
        obeys(&path.child("hostname"), hostname, names::is_dns1123_label, errors);
    }
    if let Some(node) = &address.node_name {
        obeys(&path.child("nodeName"), node, names::is_dns1123_subdomain, errors);
    }
    check_endpoint_ip(&path.child("ip"), &address.ip, errors);
}

fn validate_subset_port(port: &SubsetPort, count: usize, path: &Path<'_>, errors: &mut Errors) {
    let name = text(port.name.as_ref());
    if !name.is_empty() {
        obeys(&path.child("name"), name, names::is_dns1123_label, errors);
    } else if count > 1 {
        errors.required(&path.child("name"), "");
    }
    for complaint in names::is_valid_port_num(port.port.into()) {
        errors.invalid(&path.child("port"), &port.port, complaint);
    }
    one_of(&path.child("protocol"), text(port.protocol.as_ref()), &PROTOCOLS, errors);
    if let Some(protocol) = &port.app_protocol {
        obeys(&path.child("appProtocol"), protocol, names::is_qualified_name, errors);
    }
}
