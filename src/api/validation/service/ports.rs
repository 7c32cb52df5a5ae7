//! Ports of a Service.

use std::collections::BTreeSet;

use k8s_openapi::{api::core::v1::ServicePort, apimachinery::pkg::util::intstr::IntOrString};

use crate::api::validation::{
    field::{Errors, Path, Shown},
    names,
    scalar::{PROTOCOLS, obeys, one_of, text},
};

/// Checks each port by itself, and that names differ.
pub(super) fn validate(ports: &[ServicePort], path: &Path<'_>, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (at, port) in ports.iter().enumerate() {
        let path = path.index(at);
        let name = text(port.name.as_ref());
        if !name.is_empty() {
            obeys(&path.child("name"), name, names::is_dns1123_label, errors);
            if !seen.insert(name) {
                errors.duplicate(&path.child("name"), name);
            }
        } else if ports.len() > 1 {
            errors.required(&path.child("name"), "");
        }
        for complaint in names::is_valid_port_num(port.port.into()) {
            errors.invalid(&path.child("port"), &port.port, complaint);
        }
        one_of(&path.child("protocol"), text(port.protocol.as_ref()), &PROTOCOLS, errors);
        validate_target(port, &path.child("targetPort"), errors);
        if let Some(protocol) = &port.app_protocol {
            obeys(&path.child("appProtocol"), protocol, names::is_qualified_name, errors);
        }
    }
}

fn validate_target(port: &ServicePort, path: &Path<'_>, errors: &mut Errors) {
    match port.target_port.as_ref().unwrap_or(&IntOrString::Int(0)) {
        IntOrString::Int(number) => {
            for complaint in names::is_valid_port_num((*number).into()) {
                errors.invalid(path, number, complaint);
            }
        }
        IntOrString::String(name) => obeys(path, name, names::is_valid_port_name, errors),
    }
}

/// A Service of type ClusterIP has no node ports.
pub(super) fn forbid_node_ports(ports: &[ServicePort], path: &Path<'_>, errors: &mut Errors) {
    for (at, port) in ports.iter().enumerate() {
        if node_port(port) != 0 {
            let detail = "may not be used when `type` is 'ClusterIP'";
            errors.forbidden(&path.index(at).child("nodePort"), detail);
        }
    }
}

/// Neither a node port nor a port may stand twice for one protocol.
pub(super) fn validate_unique(ports: &[ServicePort], path: &Path<'_>, errors: &mut Errors) {
    let mut seen = BTreeSet::new();
    for (at, port) in ports.iter().enumerate().filter(|(_, port)| node_port(port) != 0) {
        if !seen.insert((text(port.protocol.as_ref()), node_port(port))) {
            errors.duplicate(&path.index(at).child("nodePort"), &node_port(port));
        }
    }
    let mut seen = BTreeSet::new();
    for (at, port) in ports.iter().enumerate() {
        let protocol = text(port.protocol.as_ref());
        if !seen.insert((protocol, port.port)) {
            errors.duplicate(&path.index(at), &DuplicatePort { protocol, port: port.port });
        }
    }
}

fn node_port(port: &ServicePort) -> i32 {
    port.node_port.unwrap_or(0)
}

/// The key by which ports are compared, printed as the API server prints it: its internal type
/// with all other fields empty.
struct DuplicatePort<'a> {
    protocol: &'a str,
    port: i32,
}

impl Shown for DuplicatePort<'_> {
    fn shown(&self) -> String {
        format!(
            "{{\"Name\":\"\",\"Protocol\":{:?},\"AppProtocol\":null,\"Port\":{},\"TargetPort\":0,\
             \"NodePort\":0}}",
            self.protocol, self.port
        )
    }
}
