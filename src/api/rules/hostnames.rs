//! Names of pods below a Service (`ShouldSetHostname`, Kubernetes 1.36
//! staging/src/k8s.io/endpointslice/util).

use crate::api::pod::Pod;

/// The host name that an endpoint of this Service (namespace, name) shows of its pod: the one it asks
/// for, if its subdomain is the Service.
pub fn hostname(pod: &Pod, service: (&str, &str)) -> Option<String> {
    let (namespace, name) = service;
    // Most pods name none, and a spec is long.
    if !pod.spec.written.contains("\"subdomain\"") || *pod.meta.namespace != *namespace {
        return None;
    }
    let spec: serde_json::Value = serde_json::from_str(&pod.spec.written).ok()?;
    let hostname = spec["hostname"].as_str().filter(|hostname| !hostname.is_empty())?;
    (spec["subdomain"] == name).then(|| hostname.to_owned())
}
