//! Services, EndpointSlices and Endpoints objects.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::{Fields, Moment};
use crate::api::edit::allocated;
use crate::api::ip_family::IpFamily;
use crate::api::node::Node;
use crate::api::pod::{Pod, Protocol};
use crate::api::rules::hostnames::hostname;
use crate::api::service::{
    EndpointAddress, EndpointPort, EndpointSlice, Endpoints, Hint, NodeHint, SERVICE_LABEL, Service,
};
use crate::base::id::Id;
use crate::net::address::address6;

/// Adds the address and the ports of nodes that the API server gave out.
pub(super) fn service(it: &Service, fields: &mut Fields) {
    if let Some(spec) = fields.get_mut("spec") {
        allocated(it, spec);
    }
}

/// An address as it is in a family.
pub(super) fn address(ip: Ipv4Addr, family: IpFamily) -> String {
    match family {
        IpFamily::V4 => ip.to_string(),
        IpFamily::V6 => address6(ip).to_string(),
    }
}

fn ports(ports: &[EndpointPort]) -> Vec<Value> {
    let port = |it: &EndpointPort| {
        let protocol = match it.protocol {
            Protocol::Tcp => "TCP",
            Protocol::Udp => "UDP",
            Protocol::Sctp => "SCTP",
        };
        let mut written = json!({"name": &*it.name, "port": it.port, "protocol": protocol});
        if let Some(spoken) = &it.app_protocol {
            written["appProtocol"] = json!(&**spoken);
        }
        written
    };
    ports.iter().map(port).collect()
}

/// The pod behind an endpoint; nothing if it is gone.
fn target(moment: Moment<'_>, pod: Id<Pod>) -> Option<Value> {
    let meta = &moment.store.get(pod)?.meta;
    Some(json!({
        "kind": "Pod",
        "namespace": &*meta.namespace,
        "name": meta.name.to_string(),
        "uid": meta.uid.to_string(),
    }))
}

/// Adds the host name of an endpoint's pod, if it has one below the Service.
fn name(moment: Moment<'_>, pod: Id<Pod>, service: (&str, &str), endpoint: &mut Value) {
    let pod = moment.store.get(pod);
    if let Some(name) = pod.and_then(|pod| hostname(pod, service)) {
        endpoint["hostname"] = json!(name);
    }
}

/// For whom an endpoint is.
fn hints(hint: &Hint, own: Option<&Node>, endpoint: &mut Value) {
    if let Some(zone) = &hint.zone {
        endpoint["hints"]["forZones"] = json!([{"name": &**zone}]);
    }
    if let (NodeHint::Own, Some(node)) = (hint.node, own) {
        endpoint["hints"]["forNodes"] = json!([{"name": node.meta.name.to_string()}]);
    }
}

/// An EndpointSlice.
pub(super) fn slice(moment: Moment<'_>, it: &EndpointSlice) -> Value {
    let endpoints: Vec<Value> = it
        .endpoints
        .iter()
        .enumerate()
        .map(|(at, endpoint)| {
            let conditions = endpoint.conditions;
            let mut written = json!({
                "addresses": [address(endpoint.ip, it.family)],
                "conditions": {
                    "ready": conditions.ready,
                    "serving": conditions.serving,
                    "terminating": conditions.terminating,
                },
            });
            let node = moment.store.node_of_pods(endpoint.node);
            if let Some(hint) = it.hints.get(at) {
                hints(hint, node, &mut written);
            }
            if let Some(node) = node {
                written["nodeName"] = json!(node.meta.name.to_string());
                if !node.zone().is_empty() {
                    written["zone"] = json!(node.zone());
                }
            }
            if let Some(target) = target(moment, endpoint.pod) {
                written["targetRef"] = target;
            }
            let service = it.meta.labels.get(SERVICE_LABEL).map_or("", AsRef::as_ref);
            name(moment, endpoint.pod, (&it.meta.namespace, service), &mut written);
            written
        })
        .collect();
    json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "addressType": it.family.name(),
        "endpoints": endpoints,
        "ports": ports(&it.ports),
    })
}

/// An Endpoints object.
pub(super) fn endpoints(moment: Moment<'_>, it: &Endpoints) -> Value {
    let of = moment.store.find::<Service>(&it.meta.namespace, &it.meta.name.to_string());
    let of = of.and_then(|id| moment.store.get(id));
    let family = of.map_or(IpFamily::V4, |service| service.families.primary());
    let addresses = |list: &[EndpointAddress]| -> Vec<Value> {
        list.iter()
            .map(|one| {
                let mut written = json!({"ip": address(one.ip, family)});
                let node = moment.store.get(one.pod).and_then(|pod| pod.node);
                if let Some(node) = moment.node_name(node) {
                    written["nodeName"] = json!(node);
                }
                if let Some(target) = target(moment, one.pod) {
                    written["targetRef"] = target;
                }
                let service = it.meta.name.to_string();
                name(moment, one.pod, (&it.meta.namespace, &service), &mut written);
                written
            })
            .collect()
    };
    let subsets: Vec<Value> = it
        .subsets
        .iter()
        .map(|subset| {
            let mut written = json!({"ports": ports(&subset.ports)});
            for (field, list) in
                [("addresses", &subset.addresses), ("notReadyAddresses", &subset.not_ready)]
            {
                if !list.is_empty() {
                    written[field] = json!(addresses(list));
                }
            }
            written
        })
        .collect();
    let mut object = json!({"apiVersion": "v1", "kind": "Endpoints"});
    if !subsets.is_empty() {
        object["subsets"] = json!(subsets);
    }
    object
}
