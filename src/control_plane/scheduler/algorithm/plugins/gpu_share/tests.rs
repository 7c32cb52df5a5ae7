use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::ask::{Ask, Asked};
use super::devices::Devices;
use super::fragmentation::expected;
use super::*;
use crate::api::compact::Compactor;
use crate::api::object::Object;
use crate::api::resources::Resources;
use crate::base::id::Id;

fn share(milli: i32, cpu: i64) -> Ask {
    Ask { count: 1, milli, cpu, ..Ask::default() }
}

fn whole(count: u32) -> Ask {
    Ask { count, milli: WHOLE, ..Ask::default() }
}

fn typical(ask: Ask, weight: u32) -> Typical {
    Typical { ask, weight }
}

/// Devices of a node, with this left of each.
fn devices(args: GpuShare, left: &[i32]) -> Devices {
    let allocatable = Resources {
        scalar: vec![("alibabacloud.com/gpu-count".into(), left.len() as i64)],
        ..Resources::default()
    };
    let mut devices = Devices::new(Arc::new(args));
    devices.set_node(&BTreeMap::new(), &allocatable);
    for (at, left) in left.iter().enumerate().filter(|(_, left)| **left < WHOLE) {
        let taken = Ask { pinned: vec![at], ..share(WHOLE - left, 0) };
        devices.hold(Id::from_parts(at as u32, 0), taken);
    }
    devices
}

#[test]
fn a_share_goes_to_the_fullest_device_that_has_room_and_whole_ones_to_empty_devices() {
    let node = devices(GpuShare::default(), &[1000, 400, 600, 1000]);
    assert_eq!(node.left(), [1000, 400, 600, 1000]);
    let of = |ask: Ask| node.choose(&ask, 0).map(|it| it.to_vec());
    assert_eq!(of(share(300, 0)), Some(vec![1]));
    assert_eq!(of(share(500, 0)), Some(vec![2]));
    assert_eq!(of(share(700, 0)), Some(vec![0]));
    assert_eq!(of(whole(2)), Some(vec![0, 3]));
    // 2000 are left in sum of the others, but none of them is empty.
    assert_eq!(of(whole(3)), None);
    assert_eq!(of(Ask { pinned: vec![3], ..share(100, 0) }), Some(vec![3]));
    assert_eq!(of(Ask { pinned: vec![9], ..share(100, 0) }), None);
}

#[test]
fn what_is_given_back_is_there_again() {
    let mut node = devices(GpuShare::default(), &[1000, 1000]);
    node.hold(Id::from_parts(7, 0), share(300, 0));
    node.hold(Id::from_parts(8, 0), share(300, 0));
    node.hold(Id::from_parts(9, 0), whole(1));
    assert_eq!((node.left(), node.of(Id::from_parts(9, 0))), (&[400, 0][..], &[1][..]));
    node.remove_pod(Id::from_parts(7, 0));
    node.remove_pod(Id::from_parts(9, 0));
    assert_eq!(node.left(), [700, 1000]);
}

/// Two devices with 400 and 1000 left, 8 CPU left; of four pods three want half a GPU and 4 CPU, one
/// wants two GPUs.
///
/// - half a GPU: it runs (1000 >= 500), and cannot use the 400. Three times 400: 1200.
/// - two GPUs: only one is empty, so it cannot run: all 1400.
/// - together 2600, over weights of 4.
#[test]
fn fragmentation_by_hand() {
    let workload = [typical(share(500, 4000), 3), typical(whole(2), 1)];
    assert_eq!(expected(&workload, &[400, 1000], 8000, ""), 2600);
    // With too little CPU for the half nobody can use anything: 4 * 1400.
    assert_eq!(expected(&workload, &[400, 1000], 3000, ""), 5600);
    // A pod without GPU sees a fragment in all that is left.
    assert_eq!(expected(&[typical(Ask::default(), 1)], &[400, 1000], 8000, ""), 1400);
    // A pod of another model cannot use any.
    let other = Ask { models: "V100|A100".into(), ..share(100, 0) };
    assert_eq!(expected(&[typical(other.clone(), 1)], &[400, 1000], 0, "T4"), 1400);
    assert_eq!(expected(&[typical(other, 1)], &[400, 1000], 0, "A100"), 0);
}

/// A share of 300 on devices with 500 and 400 left; typical pods want 500.
///
/// - on the first, 200 and 400 are left, none fits a 500: the fragment is 600.
/// - on the second, 500 and 100 are left: the fragment is 100.
///
/// Best fit takes the fullest, which is the second too; with 350 and 500 left it would take the 350,
/// and FGD as well, for 500 stays whole. With 500 and 900: best fit takes the 500 (200 and 900 left:
/// 200 of fragment), FGD the 900 (500 and 600 left: none).
#[test]
fn fgd_chooses_the_device_that_leaves_the_least_fragment() {
    let fgd = || GpuShare {
        policy: Policy::Fgd,
        workload: vec![typical(share(500, 0), 1)],
        ..GpuShare::default()
    };
    let chosen = |args, left: &[i32]| devices(args, left).choose(&share(300, 0), 0).map(|it| it[0]);
    assert_eq!(chosen(fgd(), &[500, 400]), Some(1));
    assert_eq!(chosen(fgd(), &[500, 900]), Some(1));
    assert_eq!(chosen(GpuShare::default(), &[500, 900]), Some(0));
}

fn node(left: &[i32], cpu: i64, args: &GpuShare) -> NodeInfo {
    let mut node = NodeInfo::pods_only(Id::from_parts(0, 0));
    node.allocatable = Arc::new(Resources { cpu_milli: cpu, ..Resources::default() });
    node.devices = Some(Box::new(devices(args.clone(), left)));
    node
}

/// Typical pods want 500 each. A share of 300:
///
/// - where 500 is left: before, 500 is usable (0); after, 200 is a fragment: growth 0.2 GPU.
///   100 / (1 + e^0.2) = 100 / 2.2214 = 45.01 -> 45.
/// - where 300 is left: before, 300 is a fragment; after, nothing: growth -0.3.
///   100 / (1 + e^-0.3) = 100 / 1.7408 = 57.44 -> 57.
/// - where 1000 is left: before 0, after 700 >= 500 is usable: 0. 100 / 2 = 50.
#[test]
fn fgd_scores_by_hand() {
    let args = GpuShare { policy: Policy::Fgd, ..GpuShare::default() };
    let workload = [typical(share(500, 0), 1)];
    let score =
        |left: &[i32]| fragmentation::score(&workload, &share(300, 0), &node(left, 0, &args));
    assert_eq!([score(&[500]), score(&[300]), score(&[1000])], [45, 57, 50]);
    // Weights scale sums, not scores.
    let twice = [typical(share(500, 0), 2)];
    assert_eq!(fragmentation::score(&twice, &share(300, 0), &node(&[500], 0, &args)), 45);
}

/// A pod of half a GPU and 8 CPU on nodes of 2 GPUs, with
///
/// - 2000 GPU and 64 CPU left: 1500 / 8000 and 56 / 128 remain: 18.75 % and 43.75 %, half of each is
///   31.25, rounded up 32: raw 68;
/// - 500 GPU and 16 CPU left: 0 and 8 / 128 = 6.25 %: 3.125 -> 4: raw 96;
/// - 1000 GPU and 64 CPU left: 500 / 8000 = 6.25 % and 43.75 %: 25: raw 75.
///
/// Spread over 0..=100: 0, 100, 100 * (75 - 68) / 28 = 25.
#[test]
fn best_fit_scores_by_hand() {
    let args = GpuShare::default();
    let ask = share(500, 8000);
    let nodes = [
        node(&[1000, 1000], 64_000, &args),
        node(&[500], 16_000, &args),
        node(&[1000], 64_000, &args),
    ];
    let raw: Vec<i64> = nodes.iter().map(|node| MAX_SCORE - left(&ask, node)).collect();
    assert_eq!(raw, [68, 96, 75]);
    assert_eq!(min_max(raw.into_iter()).1, [0, 100, 25]);
    assert_eq!(min_max([7, 7].into_iter()).1, [0, 0]);
}

/// A pod with these annotations and requests.
fn pod(annotations: serde_json::Value, requests: serde_json::Value) -> PodShape {
    let written = json!({
        "metadata": {"name": "p", "uid": "p", "annotations": annotations},
        "spec": {"containers": [{"name": "c", "image": "i:1", "resources": {"requests": requests}}]}
    });
    match Compactor::new().pod(serde_json::from_value(written).expect("a pod")).object {
        Object::Pod(pod) => PodShape::of(&pod),
        other => panic!("{other:?}"),
    }
}

#[test]
fn pods_ask_by_annotation_or_request_in_the_terms_of_the_traces() {
    let args = GpuShare::default();
    let (count, milli) = ("alibabacloud.com/gpu-count", "alibabacloud.com/gpu-milli");
    let none = || json!({});
    let devices = |ask: Ask| Asked::Devices(ask);
    for (annotations, requests, asked) in [
        (none(), json!({"cpu": "2"}), Asked::Nothing),
        // openb writes a pod without GPUs as 0 of 0.
        (json!({count: "0", milli: "0"}), none(), Asked::Nothing),
        (json!({count: "1", milli: "460"}), json!({"cpu": "6"}), devices(share(460, 6000))),
        (json!({milli: "460"}), none(), devices(share(460, 0))),
        (json!({count: "8", milli: "1000"}), none(), devices(whole(8))),
        (json!({count: "8"}), none(), devices(whole(8))),
        (none(), json!({count: 1, milli: 250}), devices(share(250, 0))),
        (none(), json!({"nvidia.com/gpu": 2}), devices(whole(2))),
        (json!({count: "2", milli: "500"}), none(), Asked::Malformed),
        (json!({milli: "1001"}), none(), Asked::Malformed),
        (json!({milli: "half"}), none(), Asked::Malformed),
        (json!({count: "-1"}), none(), Asked::Malformed),
        (json!({milli: "500", "alibabacloud.com/gpu-index": "0-1"}), none(), Asked::Malformed),
        (json!({count: "2", "alibabacloud.com/gpu-index": "1-1"}), none(), Asked::Malformed),
        (
            json!({count: "2", "alibabacloud.com/gpu-index": "0-3"}),
            none(),
            devices(Ask { pinned: vec![0, 3], ..whole(2) }),
        ),
    ] {
        let shape = pod(annotations.clone(), requests.clone());
        assert_eq!(Asked::of(&args, &shape), asked, "{annotations} {requests}");
    }
}

#[test]
fn a_node_is_filtered_for_what_it_lacks() {
    let args = GpuShare::default();
    let rejected = |annotations, left: &[i32]| {
        let found = filter(&args, &pod(annotations, json!({})), &node(left, 4000, &args));
        found.map(|it| (it.code, reasons(it.detail)[0].to_string()))
    };
    let (count, milli) = ("alibabacloud.com/gpu-count", "alibabacloud.com/gpu-milli");
    let model = "alibabacloud.com/gpu-card-model";
    assert_eq!(rejected(json!({milli: "400"}), &[300, 500]), None);
    assert_eq!(rejected(json!({}), &[]), None);
    let short = |words: &str| Some((Code::Unschedulable, words.to_owned()));
    let never = |words: &str| Some((Code::UnschedulableAndUnresolvable, words.to_owned()));
    assert_eq!(rejected(json!({milli: "600"}), &[300, 500]), short("Insufficient GPU share"));
    assert_eq!(rejected(json!({count: "2"}), &[1000, 999]), short("Insufficient GPU share"));
    assert_eq!(rejected(json!({count: "3"}), &[1000, 1000]), never("node(s) had too few GPUs"));
    assert_eq!(
        rejected(json!({milli: "1", model: "T4"}), &[1000]),
        never("node(s) had no GPU of the requested model")
    );
}

/// Pods that were seen before their node was get their devices when it is.
#[test]
fn pods_seen_before_their_node_are_counted_once_it_is_there() {
    let mut devices = Devices::new(Arc::default());
    devices.hold(Id::from_parts(1, 0), share(300, 0));
    devices.hold(Id::from_parts(2, 0), whole(1));
    let count = vec![("alibabacloud.com/gpu-count".into(), 2)];
    devices.set_node(&BTreeMap::new(), &Resources { scalar: count, ..Resources::default() });
    assert_eq!(devices.left(), [700, 0]);
}
