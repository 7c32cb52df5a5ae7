//! Which endpoints a proxy sends connections to.

use std::net::Ipv4Addr;

use serde_json::Value;
use wavetank::api::meta::Uid;
use wavetank::api::service::{Endpoint, EndpointConditions};
use wavetank::base::Id;
use wavetank::node::kube_proxy::choose::{TrafficPolicy, usable};

use super::suite::{Outcome, run};

/// An endpoint on node 0 or 1; a missing condition is false, as in the table.
fn endpoint(address: &str, is_here: bool, conditions: &Value) -> Endpoint {
    let flag = |name: &str| conditions[name] == true;
    let ip: Ipv4Addr = address.split(':').next().and_then(|ip| ip.parse().ok()).expect("address");
    Endpoint {
        pod: Id::from_parts(u32::from(ip), 0),
        uid: Uid(0),
        node: Id::from_parts(u32::from(!is_here), 0),
        ip,
        conditions: EndpointConditions {
            ready: flag("ready"),
            serving: flag("serving"),
            terminating: flag("terminating"),
        },
    }
}

fn addresses(endpoints: &[Endpoint], policy: TrafficPolicy) -> Vec<String> {
    let mut all: Vec<_> = usable(endpoints.iter(), policy, Id::from_parts(0, 0))
        .map(|one| format!("{}:80", one.ip))
        .collect();
    all.sort();
    all
}

fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().map_or(&[][..], Vec::as_slice);
    let mut all: Vec<_> = list.iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect();
    all.sort();
    all
}

/// Both sets of `CategorizeEndpoints`; null means that nothing asks for the set.
fn categorized(input: &Value, expected: &Value) -> Outcome {
    let list = input["endpoints"].as_array().map_or(&[][..], Vec::as_slice);
    if list.iter().any(|one| one.get("zoneHints").is_some() || one.get("nodeHints").is_some()) {
        return Outcome::Excluded("topology hints are not modelled");
    }
    let all: Vec<_> = list
        .iter()
        .map(|one| endpoint(one["endpoint"].as_str().unwrap_or(""), one["isLocal"] == true, one))
        .collect();
    let sets =
        [("clusterEndpoints", TrafficPolicy::Cluster), ("localEndpoints", TrafficPolicy::Local)];
    for (set, policy) in sets {
        let (ours, theirs) = (addresses(&all, policy), texts(&expected[set]));
        if !expected[set].is_null() && ours != theirs {
            return Outcome::Different(format!("{set}: ours {ours:?}, theirs {theirs:?}"));
        }
    }
    Outcome::Equal
}

/// Where packets may go: from inside by the internal policy, from outside by the external one.
fn flows(
    endpoints: &[Endpoint],
    internal: TrafficPolicy,
    external: TrafficPolicy,
    expected: &Value,
) -> Outcome {
    for flow in expected["flowTests"].as_array().map_or(&[][..], Vec::as_slice) {
        let from_inside = flow["sourceIP"].as_str().is_some_and(|ip| ip.starts_with("10."));
        let policy = if from_inside { internal } else { external };
        let ours = addresses(endpoints, policy);
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

#[test]
fn kube_proxy() {
    run("kube-proxy", include_str!("../data/vectors/kube_proxy.json"), |function, case| {
        let (input, expected) = (&case["input"], &case["expected"]);
        let sliced = || -> Vec<Endpoint> {
            let list =
                input["endpointslice"]["endpoints"].as_array().map_or(&[][..], Vec::as_slice);
            let here = |one: &Value| one["nodeName"] == "test-node";
            let address = |one: &Value| one["addresses"][0].as_str().unwrap_or("").to_owned();
            list.iter().map(|one| endpoint(&address(one), here(one), &one["conditions"])).collect()
        };
        match function {
            "TestCategorizeEndpoints" => categorized(input, expected),
            "TestInternalTrafficPolicy" => {
                let list = input["endpoints"].as_array().map_or(&[][..], Vec::as_slice);
                let ready = serde_json::json!({"ready": true});
                let one = |it: &Value| {
                    endpoint(it["ip"].as_str().unwrap_or(""), it["nodeName"] == "test-node", &ready)
                };
                let all: Vec<_> = list.iter().map(one).collect();
                let local = input["internalTrafficPolicy"] == "Local";
                let internal = if local { TrafficPolicy::Local } else { TrafficPolicy::Cluster };
                flows(&all, internal, TrafficPolicy::Cluster, expected)
            }
            "TestTerminatingEndpointsTrafficPolicyLocal" => {
                flows(&sliced(), TrafficPolicy::Cluster, TrafficPolicy::Local, expected)
            }
            "TestTerminatingEndpointsTrafficPolicyCluster" => {
                flows(&sliced(), TrafficPolicy::Cluster, TrafficPolicy::Cluster, expected)
            }
            "TestComputeProbability" => Outcome::Excluded("one draw stands for the chain of rules"),
            "TestNumberIptablesRules" => Outcome::Excluded("rules are not written out"),
            "TestShouldSkipService" => {
                Outcome::Excluded("a Service without an address has no rules to ask for")
            }
            "TestNoEndpointsMetric" => Outcome::Excluded("a metric"),
            _ => Outcome::Different("no answer to this function".to_owned()),
        }
    });
}
