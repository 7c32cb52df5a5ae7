//! How things are reached: Services, EndpointSlices, Endpoints, Ingresses, NetworkPolicies.

use std::collections::BTreeSet;

use super::read::{Clock, NONE, Read, UNKNOWN, UNSET, some_of};
use super::{Printer, Width, always, wide};

/// Addresses of load balancers are cut to so many letters where there is little room.
const BALANCER_WIDTH: usize = 16;
/// So many addresses or ports are shown; more are counted.
const SHOWN_MAX: usize = 3;

pub(super) static SERVICES: Printer = Printer {
    columns: &[
        always("NAME"),
        always("TYPE"),
        always("CLUSTER-IP"),
        always("EXTERNAL-IP"),
        always("PORT(S)"),
        always("AGE"),
        wide("SELECTOR"),
    ],
    row: service,
};

fn service(it: Read<'_>, clock: Clock, width: Width) -> Vec<String> {
    let cluster_ip = it.texts("spec.clusterIPs").next().unwrap_or(it.text("spec.clusterIP"));
    let port = |port: Read<'_>| match port.number("nodePort") {
        0 => format!("{}/{}", port.number("port"), port.text("protocol")),
        node => format!("{}:{node}/{}", port.number("port"), port.text("protocol")),
    };
    let ports: Vec<String> = it.items("spec.ports").map(port).collect();
    vec![
        it.name(),
        it.text("spec.type").to_owned(),
        if cluster_ip.is_empty() { NONE.to_owned() } else { cluster_ip.to_owned() },
        external(it, width),
        if ports.is_empty() { NONE.to_owned() } else { ports.join(",") },
        it.age(clock),
        it.labels("spec.selector"),
    ]
}

/// How a Service is reached from outside.
fn external(it: Read<'_>, width: Width) -> String {
    let own: Vec<&str> = it.texts("spec.externalIPs").collect();
    match it.text("spec.type") {
        "ClusterIP" | "NodePort" if own.is_empty() => NONE.to_owned(),
        "ClusterIP" | "NodePort" => own.join(","),
        "LoadBalancer" => {
            let balancer = balancer(it, width);
            let all: Vec<&str> =
                [&*balancer].into_iter().filter(|it| !it.is_empty()).chain(own).collect();
            if all.is_empty() { "<pending>".to_owned() } else { all.join(",") }
        }
        "ExternalName" => it.text("spec.externalName").to_owned(),
        _ => UNKNOWN.to_owned(),
    }
}

/// The addresses of a load balancer, each once.
fn balancer(it: Read<'_>, width: Width) -> String {
    let address = |it: Read<'_>| it.text_or("ip", it.text("hostname"));
    let all: BTreeSet<String> = it.items("status.loadBalancer.ingress").map(address).collect();
    let mut text = all.into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join(",");
    if width == Width::Narrow && text.len() > BALANCER_WIDTH && text.is_ascii() {
        text.truncate(BALANCER_WIDTH - "...".len());
        text += "...";
    }
    text
}

pub(super) static ENDPOINT_SLICES: Printer = Printer {
    columns: &[
        always("NAME"),
        always("ADDRESSTYPE"),
        always("PORTS"),
        always("ENDPOINTS"),
        always("AGE"),
    ],
    row: |it, clock, _| {
        let port = |port: Read<'_>| {
            let name = || port.shown("name").unwrap_or_else(|| "*".to_owned());
            port.shown("port").unwrap_or_else(name)
        };
        let ports: Vec<String> = it.items("ports").map(port).collect();
        let addresses: Vec<String> =
            it.items("endpoints").flat_map(|it| it.texts("addresses")).map(str::to_owned).collect();
        vec![
            it.name(),
            it.text("addressType").to_owned(),
            some_of(&ports, SHOWN_MAX, UNSET),
            some_of(&addresses, SHOWN_MAX, UNSET),
            it.age(clock),
        ]
    },
};

pub(super) static ENDPOINTS: Printer = Printer {
    columns: &[always("NAME"), always("ENDPOINTS"), always("AGE")],
    row: |it, clock, _| {
        let mut all = Vec::new();
        for subset in it.items("subsets") {
            if subset.len("ports") == 0 {
                all.extend(subset.items("addresses").map(|it| it.text("ip").to_owned()));
            }
            for port in subset.items("ports") {
                let at = |it: Read<'_>| match it.text("ip") {
                    six if six.contains(':') => format!("[{six}]:{}", port.number("port")),
                    four => format!("{four}:{}", port.number("port")),
                };
                all.extend(subset.items("addresses").map(at));
            }
        }
        let none = if it.len("subsets") == 0 { NONE } else { "" };
        vec![it.name(), some_of(&all, SHOWN_MAX, none), it.age(clock)]
    },
};

pub(super) static INGRESSES: Printer = Printer {
    columns: &[
        always("NAME"),
        always("CLASS"),
        always("HOSTS"),
        always("ADDRESS"),
        always("PORTS"),
        always("AGE"),
    ],
    row: |it, clock, width| {
        let hosts: Vec<String> = it
            .items("spec.rules")
            .filter(|rule| !rule.text("host").is_empty())
            .map(|rule| rule.text("host").to_owned())
            .collect();
        vec![
            it.name(),
            it.text_or("spec.ingressClassName", NONE),
            some_of(&hosts, SHOWN_MAX, "*"),
            balancer(it, width),
            if it.len("spec.tls") > 0 { "80, 443" } else { "80" }.to_owned(),
            it.age(clock),
        ]
    },
};

pub(super) static NETWORK_POLICIES: Printer = Printer {
    columns: &[always("NAME"), always("POD-SELECTOR"), always("AGE")],
    row: |it, clock, _| vec![it.name(), it.selector("spec.podSelector"), it.age(clock)],
};
