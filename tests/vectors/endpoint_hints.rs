//! For whom endpoints are: topology hints and traffic distribution.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;
use wavetank::api::compact::Compactor;
use wavetank::api::ip_family::IpFamily;
use wavetank::api::name::Text;
use wavetank::api::node::{Node, ZONE_LABEL};
use wavetank::api::object::Object;
use wavetank::api::quantity::Quantity;
use wavetank::api::service::{Distribution, Hint, NodeHint, Service};
use wavetank::base::Id;
use wavetank::control_plane::controllers::endpoint_slice::hints::{Slices, Spot};
use wavetank::control_plane::controllers::endpoint_slice::topology::{
    Allocation, Counts, Notice, Topology, cpu_by_zone, giving_and_receiving, hints_by_zone,
    is_auto, ratios, redistribute,
};

use super::objects::{int, labels, list, text};
use super::suite::{Outcome, same};

/// The first name of a list of zones or nodes.
fn named(list: &Value) -> Option<Text> {
    list[0]["name"].as_str().map(Text::from)
}

fn spot(endpoint: &Value) -> Spot {
    let hints = &endpoint["hints"];
    let nodes = named(&hints["forNodes"]);
    // The controller names no node but the endpoint's own.
    assert!(nodes.is_none() || nodes.as_deref() == endpoint["nodeName"].as_str());
    Spot {
        is_ready: endpoint["conditions"]["ready"] == true,
        zone: endpoint["zone"].as_str().map(Text::from),
        hint: Hint {
            zone: named(&hints["forZones"]),
            node: if nodes.is_some() { NodeHint::Own } else { NodeHint::None },
        },
    }
}

fn spots(slice: &Value) -> Vec<Spot> {
    list(&slice["endpoints"]).iter().map(spot).collect()
}

fn slices(create: &Value, update: &Value, unchanged: &Value) -> Slices {
    let numbered = |all: &Value| list(all).iter().map(spots).enumerate().collect();
    Slices {
        create: list(create).iter().map(spots).collect(),
        update: numbered(update),
        unchanged: numbered(unchanged),
    }
}

/// The endpoints alone: the numbers of slices are the test's own.
fn written(slices: &Slices) -> [Vec<Vec<Spot>>; 3] {
    let plain = |all: &[(usize, Vec<Spot>)]| all.iter().map(|(_, spots)| spots.clone()).collect();
    [slices.create.clone(), plain(&slices.update), plain(&slices.unchanged)]
}

fn shares(value: &Value) -> Option<BTreeMap<Text, f64>> {
    let all = value.as_object()?.iter();
    Some(all.map(|(zone, share)| (Text::from(&**zone), share.as_f64().expect("a share"))).collect())
}

fn counts(value: &Value) -> Counts {
    let all = value.as_object().into_iter().flatten();
    all.map(|(zone, count)| (Text::from(&**zone), int(count))).collect()
}

fn allocations(value: &Value) -> BTreeMap<Text, Allocation> {
    let all = value.as_object().into_iter().flatten();
    let one = |(zone, it): (&String, &Value)| {
        let wanted = it["desired"].as_f64().expect("a share");
        let (least, most) = (int(&it["minimum"]), int(&it["maximum"]));
        (Text::from(&**zone), Allocation { least, most, wanted })
    };
    all.map(one).collect()
}

fn add_hints(input: &Value, expected: &Value) -> Outcome {
    let info = &input["sliceInfo"];
    let mut ours = slices(&info["toCreate"], &info["toUpdate"], &info["unchanged"]);
    let mut topology = Topology::new(shares(&input["cpuRatiosByZone"]));
    let service: Id<Service> = Id::from_parts(0, 0);
    let said = topology.add_hints((service, IpFamily::V4), &mut ours);
    let theirs = slices(
        &expected["expectedSlicesToCreate"],
        &expected["expectedSlicesToUpdate"],
        &Value::Null,
    );
    let said: Vec<_> = said
        .iter()
        .map(|notice| match notice {
            Notice::Enabled => ("TopologyAwareHintsEnabled", notice.message()),
            Notice::Disabled(_) => ("TopologyAwareHintsDisabled", notice.message()),
        })
        .collect();
    let events = list(&expected["expectedEvents"]);
    let is_said = events.len() == said.len()
        && events.iter().zip(&said).all(|(event, (reason, message))| {
            event["reason"] == *reason && message.starts_with(text(&event["message"]))
        });
    if !is_said {
        return Outcome::Different(format!("{said:?}"));
    }
    let held = counts(&expected["expectedEndpointsByAddrType"]["IPv4"]);
    let mut spread = Counts::new();
    for zone in written(&ours).iter().flatten().flatten().filter_map(|spot| spot.hint.zone.clone())
    {
        *spread.entry(zone).or_default() += 1;
    }
    same((written(&ours)[..2].to_vec(), spread), (written(&theirs)[..2].to_vec(), held))
}

fn set_nodes(input: &Value, expected: &Value) -> Outcome {
    let node = |(at, it): (usize, &Value)| -> Node {
        let mut whole = serde_json::json!({
            "metadata": {"name": format!("n-{at}"), "labels": it["labels"]},
            "status": {
                "allocatable": {"cpu": it["cpu"]},
                "conditions": [{"type": "Ready", "status": it["ready"]}],
            },
        });
        if let Some(zone) = it["zone"].as_str() {
            whole["metadata"]["labels"][ZONE_LABEL] = zone.into();
        }
        let written = serde_json::from_value(whole).expect("a Node");
        match Compactor::new().node(written).object {
            Object::Node(node) => *node,
            other => panic!("a Node became a {}", other.kind()),
        }
    };
    let nodes: Vec<Node> = list(&input["nodes"]).iter().enumerate().map(node).collect();
    let cpu = cpu_by_zone(nodes.iter());
    let quantity = |value: &Value| Quantity::parse(text(value)).expect("an amount").milli_value();
    let theirs = expected["expectedCPUByZone"].as_object();
    let theirs: Option<BTreeMap<Text, i64>> = theirs
        .map(|all| all.iter().map(|(zone, cpu)| (Text::from(&**zone), quantity(cpu))).collect());
    let shared = cpu.as_ref().map(ratios);
    same(
        (cpu.is_some(), shared, cpu),
        (expected["expectSufficientNodeInfo"] == true, shares(&expected["expectedRatios"]), theirs),
    )
}

fn distribute(input: &Value, expected: &Value) -> Outcome {
    let mut ours =
        slices(&input["slicesToCreate"], &input["slicesToUpdate"], &input["slicesUnchanged"]);
    ours.distribute(match input["trafficDistribution"].as_str() {
        Some("PreferClose" | "PreferSameZone") => Distribution::SameZone,
        Some("PreferSameNode") => Distribution::SameNode,
        _ => Distribution::Cluster,
    });
    let theirs = slices(
        &expected["wantSlicesToCreate"],
        &expected["wantSlicesToUpdate"],
        &expected["wantSlicesUnchanged"],
    );
    same(written(&ours), written(&theirs))
}

/// Asks one case; `None` if it is of another function.
pub fn ask(function: &str, input: &Value, expected: &Value) -> Option<Outcome> {
    Some(match function {
        "TestSetNodes" => set_nodes(input, expected),
        "TestAddHints" => add_hints(input, expected),
        "Test_getGivingAndReceivingZones" => {
            let allocations = allocations(&input["allocations"]);
            let ours = giving_and_receiving(&allocations, &counts(&input["allocatedHintsByZone"]));
            let theirs = ["expectedGivingZones", "expectedReceivingZones"];
            let [giving, receiving] = theirs.map(|field| counts(&expected[field]));
            same(ours, (giving, receiving))
        }
        "Test_redistributeHints" => {
            let mut all: Vec<Spot> = list(&input["slices"]).iter().flat_map(spots).collect();
            let zones = ["givingZones", "receivingZones"].map(|field| counts(&input[field]));
            let [giving, receiving] = zones;
            let ours = redistribute(all.iter_mut(), giving, receiving);
            same(ours, counts(&expected["expectedRedistributions"]))
        }
        "Test_getHintsByZone" => {
            let allocations = allocations(&input["allocations"]);
            let allocated = counts(&input["allocatedHintsByZone"]);
            let ours = hints_by_zone(&spots(&input["slice"]), &allocated, &allocations);
            let theirs = &expected["expectedHintsByZone"];
            same(ours, theirs.is_object().then(|| counts(theirs)))
        }
        "TestReconcileHints" => distribute(input, expected),
        "Test_hintsEnabled" => {
            let annotations = labels(&input["annotations"]);
            same(is_auto(&Arc::unwrap_or_clone(annotations)), expected["expectEnabled"] == true)
        }
        _ => return None,
    })
}
