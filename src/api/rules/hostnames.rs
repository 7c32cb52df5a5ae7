//! Names of pods: below a Service (`ShouldSetHostname`, Kubernetes 1.36
//! staging/src/k8s.io/endpointslice/util), and as their containers see them.

use crate::api::pod::Pod;
use crate::api::validation::names::{is_dns1123_label, is_dns1123_subdomain};

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

/// Longest host name that Linux takes.
const HOSTNAME_MAX: usize = 63;

/// What a pod says of its host name.
#[derive(Clone, Copy, Debug, Default)]
pub struct Naming<'a> {
    /// The pod's name.
    pub name: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// `spec.hostname`, empty if not set.
    pub hostname: &'a str,
    /// `spec.subdomain`, empty if not set.
    pub subdomain: &'a str,
    /// `spec.hostnameOverride`.
    pub replaced: Option<&'a str>,
}

/// The host name that a pod's containers see, and the domain it lies in, empty for most
/// (`GeneratePodHostNameAndDomain`, kubelet 1.36).
///
/// # Errors
/// In a kubelet's words, where a name cannot be one.
pub fn host_and_domain(
    naming: Naming<'_>,
    cluster_domain: &str,
) -> Result<(String, String), String> {
    let wrong = |field: &str, value: &str, kind: &str, problems: Vec<String>| {
        let problems = problems.join(", ");
        Err(format!("pod {field} {value:?} is not a valid DNS {kind}: {problems}"))
    };
    if let Some(replaced) = naming.replaced {
        return match is_dns1123_subdomain(replaced) {
            problems if problems.is_empty() => Ok((truncated(replaced)?, String::new())),
            problems => wrong("HostnameOverride", replaced, "subdomain", problems),
        };
    }
    for (field, value) in [("Hostname", naming.hostname), ("Subdomain", naming.subdomain)] {
        let problems = if value.is_empty() { Vec::new() } else { is_dns1123_label(value) };
        if !problems.is_empty() {
            return wrong(field, value, "label", problems);
        }
    }
    let host = match naming.hostname {
        "" => truncated(naming.name)?,
        hostname => hostname.to_owned(),
    };
    let domain = match naming.subdomain {
        "" => String::new(),
        subdomain => format!("{subdomain}.{}.svc.{cluster_domain}", naming.namespace),
    };
    Ok((host, domain))
}

/// A name cut to what Linux takes, without signs at its end that a name may not end in
/// (`truncatePodHostnameIfNeeded`).
///
/// # Errors
/// If nothing is left of it.
pub fn truncated(name: &str) -> Result<String, String> {
    if name.len() <= HOSTNAME_MAX {
        return Ok(name.to_owned());
    }
    let cut = name.char_indices().take_while(|(at, one)| at + one.len_utf8() <= HOSTNAME_MAX);
    let cut: String = cut.map(|(_, one)| one).collect();
    let cut = cut.trim_end_matches(['-', '.']);
    if cut.is_empty() {
        return Err(format!("hostname for pod was invalid: {name:?}"));
    }
    Ok(cut.to_owned())
}
