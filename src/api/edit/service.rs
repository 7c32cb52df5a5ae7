//! A Service as an API server would give it back: with the addresses and ports it was given.

use serde_json::{Value, json};

use super::{parsed, whole};
use crate::api::service::{Exposure, Service};

/// A Service.
pub(super) fn service(it: &Service) -> Value {
    let mut spec = parsed(&it.spec.written);
    allocated(it, &mut spec);
    whole("v1", "Service", &it.meta, spec)
}

/// Adds to a spec as written the address and the ports of nodes that the API server gave out.
pub fn allocated(it: &Service, spec: &mut Value) {
    let ports = spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten();
    for (port, given) in ports.zip(it.node_ports.iter()).filter(|(_, given)| **given != 0) {
        port["nodePort"] = json!(given);
    }
    if let Some(port) = it.health_port {
        spec["healthCheckNodePort"] = json!(port);
    }
    let addresses: Vec<String> = match it.spec.exposure {
        Exposure::Headless => vec!["None".to_owned()],
        _ => it.addresses().map(|ip| ip.to_string()).collect(),
    };
    if let Some(first) = addresses.first() {
        spec["clusterIP"] = json!(first);
        spec["clusterIPs"] = json!(addresses);
    }
    let families: Vec<&str> = it.families.list().iter().map(|family| family.name()).collect();
    if !families.is_empty() {
        spec["ipFamilies"] = json!(families);
    }
    if let Some(policy) = it.policy {
        spec["ipFamilyPolicy"] = json!(policy.name());
    }
}
