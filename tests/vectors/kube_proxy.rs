//! Which endpoints a proxy sends connections to.

use std::net::Ipv4Addr;
use std::sync::Arc;

use serde_json::{Value, json};
use wavetank::api::compact::Compactor;
use wavetank::api::ip_family::IpFamily;
use wavetank::api::meta::{Meta, Uid};
use wavetank::api::object::Object;
use wavetank::api::pod::Protocol;
use wavetank::api::service::{
    Endpoint, EndpointConditions, EndpointPort, EndpointSlice, Hint, NodeHint, Service,
};
use wavetank::base::Id;
use wavetank::node::kube_proxy::choose::{Candidate, Here, TrafficPolicy, usable};
use wavetank::node::kube_proxy::rules::{portals, probability, rules};

use super::objects::{int, list, node_id, text};
use super::suite::{Outcome, run, same};

const HINTS: &str = "several zones an endpoint: the controller names one";
const GATE: &str = "a gate that 1.36 has locked to on";
const LOCAL: &str = "test-node";

/// An endpoint and for whom it is.
type Offer = (Endpoint, Option<Hint>);

/// An endpoint on a node; a missing condition is false, as in the table.
fn endpoint(address: &str, node: &str, conditions: &Value) -> Endpoint {
    let flag = |name: &str| conditions[name] == true;
    let ip: Ipv4Addr = address.split(':').next().and_then(|ip| ip.parse().ok()).expect("address");
    Endpoint {
        pod: Id::from_parts(u32::from(ip), 0),
        uid: Uid(0),
        node: node_id(node).unwrap_or(Id::from_parts(0, 0)),
        ip,
        conditions: EndpointConditions {
            ready: flag("ready"),
            serving: flag("serving"),
            terminating: flag("terminating"),
        },
    }
}

fn addresses(offers: &[Offer], policy: TrafficPolicy, node: &str, zone: &str) -> Vec<String> {
    let all = offers.iter().map(|(endpoint, hint)| Candidate { endpoint, hint: hint.as_ref() });
    let here = Here { node: node_id(node).unwrap_or(Id::from_parts(0, 0)), zone };
    let mut all: Vec<_> = usable(all, policy, here).map(|one| format!("{}:80", one.ip)).collect();
    all.sort();
    all
}

fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().map_or(&[][..], Vec::as_slice);
    let mut all: Vec<_> = list.iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect();
    all.sort();
    all
}

/// An endpoint of a table that names hints; one with a hint for a node runs there.
fn offer(one: &Value, local: &str) -> Offer {
    let hinted = one["nodeHints"][0].as_str();
    let node = hinted.unwrap_or(if one["isLocal"] == true { local } else { "elsewhere" });
    let zone = one["zoneHints"][0].as_str().map(Into::into);
    let own = if hinted.is_some() { NodeHint::Own } else { NodeHint::None };
    let hint = (zone.is_some() || hinted.is_some()).then_some(Hint { zone, node: own });
    (endpoint(one["endpoint"].as_str().unwrap_or(""), node, one), hint)
}

/// Both sets of `CategorizeEndpoints`; null means that nothing asks for the set.
fn categorized(input: &Value, expected: &Value) -> Outcome {
    let list = list(&input["endpoints"]);
    if list.iter().any(|one| one["zoneHints"][1].is_string()) {
        return Outcome::Excluded(HINTS);
    }
    if input["preferSameEnabled"] == false && list.iter().any(|one| one["nodeHints"].is_array()) {
        return Outcome::Excluded(GATE);
    }
    let local = input["nodeName"].as_str().filter(|name| !name.is_empty()).unwrap_or(LOCAL);
    let zone = input["nodeLabels"]["topology.kubernetes.io/zone"].as_str().unwrap_or("");
    let all: Vec<_> = list.iter().map(|one| offer(one, local)).collect();
    let sets =
        [("clusterEndpoints", TrafficPolicy::Cluster), ("localEndpoints", TrafficPolicy::Local)];
    for (set, policy) in sets {
        let (ours, theirs) = (addresses(&all, policy, local, zone), texts(&expected[set]));
        if !expected[set].is_null() && ours != theirs {
            return Outcome::Different(format!("{set}: ours {ours:?}, theirs {theirs:?}"));
        }
    }
    Outcome::Equal
}

/// Where packets may go: from inside by the internal policy, from outside by the external one.
fn flows(
    endpoints: &[Offer],
    internal: TrafficPolicy,
    external: TrafficPolicy,
    expected: &Value,
) -> Outcome {
    for flow in expected["flowTests"].as_array().map_or(&[][..], Vec::as_slice) {
        let from_inside = flow["sourceIP"].as_str().is_some_and(|ip| ip.starts_with("10."));
        let policy = if from_inside { internal } else { external };
        let ours = addresses(endpoints, policy, LOCAL, "");
        let ours = if ours.is_empty() { "none".to_owned() } else { ours.join(", ") };
        let theirs = match flow["output"].as_str().unwrap_or("") {
            "REJECT" | "DROP" => "none",
            reached => reached,
        };
        if ours != theirs {
            return Outcome::Different(format!("{}: ours {ours}, theirs {theirs}", flow["name"]));
        }
    }
    Outcome::Equal
}

/// Ready endpoints of a table of addresses and nodes.
fn ready(input: &Value) -> Vec<Offer> {
    let ready = serde_json::json!({"ready": true});
    let one = |it: &Value| (endpoint(text(&it["ip"]), text(&it["nodeName"]), &ready), None);
    list(&input["endpoints"]).iter().map(one).collect()
}

/// The endpoints of an EndpointSlice.
fn sliced(input: &Value) -> Vec<Offer> {
    let one = |it: &Value| {
        let address = text(&it["addresses"][0]);
        (endpoint(address, text(&it["nodeName"]), &it["conditions"]), None)
    };
    list(&input["endpointslice"]["endpoints"]).iter().map(one).collect()
}

fn policy(written: &Value) -> TrafficPolicy {
    if written == "Local" { TrafficPolicy::Local } else { TrafficPolicy::Cluster }
}

/// A Service is counted whose policy is local, and that has endpoints, but none here.
fn without_local(input: &Value, expected: &Value) -> Outcome {
    let all = ready(input);
    let counted = |field: &str| {
        let policy = policy(&input[field]);
        let none = |policy| addresses(&all, policy, LOCAL, "").is_empty();
        i64::from(none(policy) && !none(TrafficPolicy::Cluster))
    };
    let theirs = ["Internal", "External"]
        .map(|way| int(&expected[format!("expectedSyncProxyRulesNoLocalEndpointsTotal{way}")]));
    same(["internalTrafficPolicy", "externalTrafficPolicy"].map(counted), theirs)
}

/// A Service as a cluster has it, with the ports of nodes it asks for.
fn service(written: &Value) -> Service {
    let mut whole = written.clone();
    whole["metadata"]["uid"] = json!(whole["metadata"]["name"].clone());
    let written = serde_json::from_value(whole).expect("a Service");
    let Object::Service(mut service) = Compactor::new().service(written).object else {
        panic!("it became something else")
    };
    let ports = service.spec.ports.iter().map(|port| port.node_port.unwrap_or(0));
    service.node_ports = ports.collect();
    *service
}

fn here() -> Here<'static> {
    Here { node: node_id(LOCAL).expect("a node"), zone: "" }
}

/// Whether there are no rules for a Service.
fn skipped(input: &Value, expected: &Value) -> Outcome {
    let mut written = input["service"].clone();
    written["spec"]["ports"] = json!([{"port": 80}]);
    let ours = portals(&service(&written), &[], IpFamily::V4, here());
    same(ours.is_empty(), expected["shouldSkip"] == true)
}

/// The rules for as many Services with as many endpoints, as upstream's test makes them.
fn counted(title: &str, input: &Value, expected: &Value) -> Outcome {
    let [services, endpoints] = ["services", "epPerService"].map(|field| int(&input[field]) as u8);
    let is_balanced = title.ends_with("LoadBalancer");
    let mut all = Vec::new();
    for nth in 0..services {
        let mut written = json!({
            "metadata": {"name": format!("svc{nth}"), "namespace": "namespace"},
            "spec": {"clusterIP": format!("10.0.0.{}", 1 + nth), "ports": [{
                "name": "8080", "protocol": "TCP", "port": 80 + u16::from(nth), "targetPort": 8080,
            }]},
        });
        if is_balanced {
            written["spec"]["type"] = json!("LoadBalancer");
            written["spec"]["externalIPs"] = json!(["1.2.3.4"]);
            written["spec"]["loadBalancerSourceRanges"] = json!([" 1.2.3.4/28"]);
            written["spec"]["ports"][0]["nodePort"] = json!(30_000 + u16::from(nth));
            written["status"] = json!({"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}});
        }
        let ready = json!({"ready": true});
        let one = |host| endpoint(&format!("172.16.0.{}", host + 1), "elsewhere", &ready);
        let slice = EndpointSlice {
            meta: Meta::new("namespace".into(), "ep".into()),
            family: IpFamily::V4,
            endpoints: (0..endpoints).map(one).collect(),
            hints: Arc::from([]),
            ports: Arc::from([EndpointPort {
                name: "8080".into(),
                port: 8080,
                protocol: Protocol::Tcp,
                app_protocol: None,
            }]),
        };
        all.extend(portals(&service(&written), &[&slice], IpFamily::V4, here()));
    }
    let rules = rules(&all, IpFamily::V4);
    let theirs = ["expectedFilterRules", "expectedNatRules"].map(|field| int(&expected[field]));
    same([rules.filter.len() as i64, rules.nat.len() as i64], theirs)
}

#[test]
pub fn kube_proxy() {
    let data = include_str!("../data/vectors/kube_proxy.json");
    let tally = run("kube-proxy", data, |function, case| {
        let (input, expected) = (&case["input"], &case["expected"]);
        match function {
            "TestCategorizeEndpoints" => categorized(input, expected),
            "TestInternalTrafficPolicy" => {
                let internal = policy(&input["internalTrafficPolicy"]);
                flows(&ready(input), internal, TrafficPolicy::Cluster, expected)
            }
            "TestTerminatingEndpointsTrafficPolicyLocal" => {
                flows(&sliced(input), TrafficPolicy::Cluster, TrafficPolicy::Local, expected)
            }
            "TestTerminatingEndpointsTrafficPolicyCluster" => {
                flows(&sliced(input), TrafficPolicy::Cluster, TrafficPolicy::Cluster, expected)
            }
            "TestNoEndpointsMetric" => without_local(input, expected),
            "TestShouldSkipService" => skipped(input, expected),
            "TestComputeProbability" => {
                let ours = probability(int(&input["n"]) as usize);
                same(&*ours, text(&expected["probability"]))
            }
            "TestNumberIptablesRules" => counted(text(&case["name"]), input, expected),
            _ => Outcome::Different("no answer to this function".to_owned()),
        }
    });
    assert_eq!(tally.equal, 81);
}
