//! What endpoints are made of pods, which ports they serve, and how many slices hold them.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use serde_json::{Value, json};
use wavetank::api::compact::Compactor;
use wavetank::api::meta::Uid;
use wavetank::api::object::Object;
use wavetank::api::pod::{Pod, Protocol};
use wavetank::api::rules::hostnames::hostname;
use wavetank::api::service::{
    Endpoint, EndpointConditions, EndpointPort, Service, ServicePort, TargetPort, UnreadyEndpoints,
};
use wavetank::base::Id;
use wavetank::control_plane::controllers::endpoint_slice::{endpoint, families, pack, ports};
use wavetank::control_plane::controllers::index::Member;

use super::endpoint_hints;
use super::objects::{self, int, list, text};
use super::suite::{Outcome, run, same};

const INVALID: &str = "a port that validation refuses";

fn member(pod: &Pod) -> Member {
    Member::of(Id::from_parts(0, 0), pod)
}

fn to_endpoint(input: &Value, expected: &Value) -> Outcome {
    let expected = &expected["expectedEndpoint"];
    let unready = match input["svc"]["spec"]["publishNotReadyAddresses"] == true {
        true => UnreadyEndpoints::Published,
        false => UnreadyEndpoints::Hidden,
    };
    let ours = endpoint(&member(&objects::pod(&input["pod"])), unready);
    let Some(ours) = ours else { return Outcome::Different("no endpoint".to_owned()) };
    let theirs = &expected["conditions"];
    let theirs = EndpointConditions {
        ready: theirs["ready"] == true,
        serving: theirs["serving"] == true,
        terminating: theirs["terminating"] == true,
    };
    let ip: Option<Ipv4Addr> = text(&expected["addresses"][0]).parse().ok();
    let node = objects::node_id(text(&expected["nodeName"]));
    same((ours.conditions, Some(ours.ip), Some(ours.node)), (theirs, ip, node))
}

fn is_in(input: &Value, expected: &Value) -> Outcome {
    let one = member(&objects::pod(&input["pod"]));
    // The slices take pods on their way out, the Endpoints objects do not.
    let ours = match input["includeTerminating"] == true {
        true => one.has_endpoint(),
        false => one.has_endpoint() && !one.is_terminating,
    };
    same(ours, expected["expected"] == true)
}

fn service_port(value: &Value) -> ServicePort {
    let target = match &value["targetPort"] {
        Value::String(name) => TargetPort::Name((&**name).into()),
        number => TargetPort::Number(int(number) as u16),
    };
    ServicePort {
        name: text(&value["name"]).into(),
        port: int(&value["port"]) as u16,
        protocol: Protocol::Tcp,
        target,
        node_port: None,
        app_protocol: None,
    }
}

fn find_port(input: &Value, expected: &Value) -> Outcome {
    let containers = list(&input["containers"]).iter().chain(list(&input["initContainers"]));
    let mut declared = containers.flat_map(|one| list(&one["ports"]));
    let refused =
        |port: &Value| int(&port["containerPort"]) < 1 || text(&port["protocol"]) == "snmp";
    if declared.any(refused) {
        return Outcome::Excluded(INVALID);
    }
    let spec =
        json!({"containers": input["containers"], "initContainers": input["initContainers"]});
    let port = service_port(&json!({"targetPort": input["port"]}));
    let ours = ports::find(&port, Some(&objects::pod_spec(&spec)));
    let theirs = (expected["pass"] == true).then(|| int(&expected["expected"]) as u16);
    same(ours, theirs)
}

fn service(value: &Value) -> Service {
    let mut whole = value.clone();
    if !whole["metadata"].is_object() {
        whole["metadata"] = json!({"name": "s"});
    }
    let written = serde_json::from_value(whole).expect("a Service");
    match Compactor::new().service(written).object {
        Object::Service(service) => *service,
        other => panic!("a Service became a {}", other.kind()),
    }
}

fn endpoint_ports(input: &Value, expected: &Value) -> Outcome {
    let pod = objects::pod_spec(&input["pod"]["spec"]);
    let ours = ports::of_pod(&service(&input["service"]).spec, Some(&pod));
    let app = |it: &EndpointPort| it.app_protocol.as_ref().map(ToString::to_string);
    let ours: Vec<_> = ours.iter().map(|it| (it.name.to_string(), it.port, app(it))).collect();
    let port = |one: &Value| {
        let app = one["appProtocol"].as_str().map(str::to_owned);
        (text(&one["name"]).to_owned(), int(&one["port"]) as u16, app)
    };
    same(ours, list(&expected["expectedPorts"]).iter().map(port).collect())
}

/// The families there are slices of, in any order.
fn address_types(input: &Value, expected: &Value) -> Outcome {
    // A Service as a cluster has it: its families and addresses are its own.
    let written = json!({
        "metadata": {"name": "s", "uid": "u", "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": input["service"]["spec"],
    });
    let ours = families::of_service(&service(&written)).iter().map(|family| family.name());
    let theirs = list(&expected["expectedAddressTypes"]).iter().map(text);
    same(ours.collect::<BTreeSet<_>>(), theirs.collect())
}

/// 250 ready pods and no slice yet.
fn lengths(input: &Value, expected: &Value) -> Outcome {
    let conditions = EndpointConditions { ready: true, serving: true, terminating: false };
    let one = |slot: u32| Endpoint {
        pod: Id::from_parts(slot, 0),
        uid: Uid(u64::from(slot) + 1),
        node: Id::from_parts(0, 0),
        ip: Ipv4Addr::from(slot),
        conditions,
    };
    let most = int(&input["maxEndpointsPerSlice"]) as usize;
    let changes = pack::spread(&[], (0..250).map(one).collect(), most);
    let ours: Vec<i64> = changes.create.iter().map(|slice| slice.len() as i64).collect();
    let theirs: Vec<i64> = list(&expected["expectedSliceLengths"]).iter().map(int).collect();
    match (changes.update.is_empty(), changes.delete.is_empty()) {
        (true, true) => same(ours, theirs),
        _ => Outcome::Different("slices were changed that are not there".to_owned()),
    }
}

#[test]
pub fn endpoint_slice_tables() {
    let data = include_str!("../data/vectors/endpointslice.json");
    let tally = run("EndpointSlices", data, |function, case| {
        let (input, expected) = (&case["input"], &case["expected"]);
        match function {
            "TestPodToEndpoint" => to_endpoint(input, expected),
            "TestShouldPodBeInEndpoints" => is_in(input, expected),
            "TestFindPort" => find_port(input, expected),
            "TestGetEndpointPorts" => endpoint_ports(input, expected),
            "TestReconcileMaxEndpointsPerSlice" => lengths(input, expected),
            "TestSupportedServiceAddressType" => address_types(input, expected),
            "TestShouldSetHostname" => {
                let service = &input["service"]["metadata"];
                let service = (text(&service["namespace"]), text(&service["name"]));
                let ours = hostname(&objects::pod(&input["pod"]), service);
                same(ours.is_some(), expected["expected"] == true)
            }
            _ => endpoint_hints::ask(function, input, expected)
                .unwrap_or_else(|| Outcome::Different("no answer to this function".to_owned())),
        }
    });
    assert_eq!((tally.equal, tally.excluded_for(INVALID)), (119, 2));
}
