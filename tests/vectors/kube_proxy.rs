//! Which endpoints a proxy sends connections to.

use std::net::Ipv4Addr;

use serde_json::Value;
use wavetank::api::compact::Compactor;
use wavetank::api::meta::Uid;
use wavetank::api::object::Object;
use wavetank::api::service::{Endpoint, EndpointConditions, Hint, NodeHint};
use wavetank::base::Id;
use wavetank::node::kube_proxy::choose::{Candidate, Here, TrafficPolicy, usable};

use super::objects::{int, list, node_id, text};
use super::suite::{Outcome, run, same};

const HINTS: &str = "several zones an endpoint: the controller names one";
const GATE: &str = "a gate that is on in 1.36";
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

/// Whether connections to a Service's address go by its endpoints.
fn skipped(input: &Value, expected: &Value) -> Outcome {
    if input["service"]["spec"]["clusterIP"] == "" {
        return Outcome::Excluded("a Service of this kind always has an address when it is stored");
    }
    let written = serde_json::from_value(input["service"].clone()).expect("a Service");
    let Object::Service(service) = Compactor::new().service(written).object else {
        return Outcome::Different("it became something else".to_owned());
    };
    same(!service.spec.exposure.has_address(), expected["shouldSkip"] == true)
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
            "TestComputeProbability" => Outcome::Excluded("one draw stands for the chain of rules"),
            "TestNumberIptablesRules" => Outcome::Excluded("rules are not written out"),
            _ => Outcome::Different("no answer to this function".to_owned()),
        }
    });
    assert_eq!(tally.equal, 54);
}
