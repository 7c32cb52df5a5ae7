//! Who is next, and how long pods back off (`pkg/scheduler/backend/queue`, `queuesort`).

use serde_json::{Value, json};
use wavetank::api::pod::Pod;
use wavetank::base::id::Id;
use wavetank::control_plane::scheduler::algorithm::gates::Gates as FeatureGates;
use wavetank::control_plane::scheduler::algorithm::{
    Plugin, PluginSet, Profile, Question, Snapshot,
};
use wavetank::control_plane::scheduler::queue::backoff::Backoff;
use wavetank::control_plane::scheduler::queue::hints::{ClusterEvent, helps};
use wavetank::control_plane::scheduler::queue::{Attempt, Gates, Queue};
use wavetank::time::{SimDuration, SimTime};

use super::scheduling::shape;
use super::table::{Outcome, run};

/// A duration as the table writes it: whole seconds or nanoseconds.
fn duration(text: &Value) -> SimDuration {
    let text = text.as_str().expect("a duration");
    match text.strip_suffix("ns") {
        Some(nanos) => SimDuration::from_nanos(nanos.parse().expect("a number")),
        None => {
            let seconds = text.strip_suffix('s').expect("seconds").parse().expect("a number");
            SimDuration::from_secs(seconds)
        }
    }
}

fn backoff(input: &Value) -> Backoff {
    Backoff {
        initial: duration(&input["initialBackoffDuration"]),
        max: duration(&input["maxBackoffDuration"]),
    }
}

fn until(input: &Value, expected: &Value) -> Outcome {
    if input["podInfo"]["backoffExpiration"].is_string() {
        return Outcome::Excluded(
            "a cached expiration: ours is worked out from what it follows from",
        );
    }
    let count = |field: &str| input["podInfo"][field].as_u64().unwrap_or(0) as u32;
    let ours = backoff(input).until_after(
        SimTime::ZERO,
        count("unschedulableCount"),
        count("consecutiveErrorsCount"),
    );
    let theirs = expected["want"].as_str().map(|at| {
        let (_, seconds) = at.trim_end_matches('Z').rsplit_once(':').expect("a time");
        SimTime::from_secs(seconds.parse().expect("seconds"))
    });
    Outcome::same(ours, theirs)
}

fn less(input: &Value, expected: &Value) -> Outcome {
    let mut queue = Queue::new(Backoff::default());
    // The second goes in first, so that order of arrival cannot be what decides.
    for (slot, name) in [(2, "p2"), (1, "p1")] {
        let one = &input[name];
        let since = match one["timestamp"].as_str() {
            Some("now+1s") => SimTime::from_secs(1),
            _ => SimTime::ZERO,
        };
        let priority = one["pod"]["spec"]["priority"].as_i64().unwrap_or(0) as i32;
        queue.add(Id::from_parts(slot, 0), priority, Gates::Open, since, 0, 0);
    }
    let first = queue.pop().map(|(pod, _)| pod.slot());
    Outcome::same(first == Some(1), expected["expected"] == true)
}

/// Whether what happened to a pod on a node wakes one that a plugin rejected. The table has no pod
/// as it was before: a change of labels is told like a pod that came, one of requests needs a
/// larger one.
fn assigned(input: &Value, expected: &Value) -> Outcome {
    let constraints = input["unschedPod"]["spec"]["topologySpreadConstraints"].as_array();
    if constraints.into_iter().flatten().any(|one| one["labelSelector"].is_null()) {
        return Outcome::Excluded("the table's hint says yes to a constraint that counts no pod");
    }
    let (pod, other) = (shape(&input["unschedPod"]), shape(&input["updatedAssignedPod"]));
    let rejected = Plugin::ALL.into_iter().find(|one| input["unschedPlugin"] == one.name());
    let plugins = rejected.map_or(PluginSet::EMPTY, |plugin| PluginSet::of(&[plugin]));
    let mut larger = input["updatedAssignedPod"].clone();
    larger["spec"]["containers"] =
        json!([{"name": "c", "image": "i", "resources": {"requests": {"cpu": "2"}}}]);
    let larger = shape(&larger);
    const SCALE_DOWN: i64 = 512;
    let event = match input["event"]["actionType"].as_i64() {
        Some(SCALE_DOWN) => ClusterEvent::PodChanged { old: &larger, new: &other },
        _ => ClusterEvent::PodPlaced(&other),
    };
    let (profile, snapshot) = (Profile::default(), Snapshot::new());
    let q = Question { profile: &profile, snapshot: &snapshot, pod: &pod };
    Outcome::same(helps(&event, q, plugins), expected["wantToRequeue"] == true)
}

fn rejected() -> PluginSet {
    PluginSet::of(&[Plugin::NodeResourcesFit])
}

/// A queue with one pod that was tried once.
fn tried(attempt: Attempt, pop_from_backoff: bool) -> (Queue, Id<Pod>) {
    let features = FeatureGates { pop_from_backoff, ..FeatureGates::default() };
    let mut queue = Queue::new(Backoff::default()).under(features);
    queue.add(Id::from_parts(1, 0), 0, Gates::Open, SimTime::ZERO, 0, 0);
    let (pod, waiting) = queue.pop().expect("it waits");
    queue.give_back(pod, waiting, attempt, SimTime::from_millis(100));
    (queue, pod)
}

/// Whether each plugin of the table lets the pod pass: who is on none of its lists is held.
fn is_held(input: &Value) -> bool {
    let name = &input["pod"]["metadata"]["name"];
    let passes = |plugin: &Value| {
        plugin["allowlists"].as_array().into_iter().flatten().any(|one| one == name)
    };
    !input["plugins"].as_array().into_iter().flatten().all(passes)
}

fn each_gate(
    input: &Value,
    check: impl Fn(bool) -> (usize, bool),
    theirs: (usize, bool),
) -> Outcome {
    let gates = input["popFromBackoffQEnabled"].as_array();
    let gates =
        gates.map_or(vec![true, false], |list| list.iter().filter_map(Value::as_bool).collect());
    let ours: Vec<_> = gates.iter().map(|&gate| check(gate)).collect();
    Outcome::same(ours, vec![theirs; gates.len()])
}

fn to_active(input: &Value, expected: &Value) -> Outcome {
    let later = SimTime::from_secs(100);
    let from_backoff = input["movesFromBackoffQ"] == true || input["event"] == "BackoffComplete";
    let check = |gate: bool| {
        let attempt = match from_backoff {
            true => Attempt::Woken(rejected()),
            false => Attempt::Rejected(rejected()),
        };
        let (mut queue, pod) = tried(attempt, gate);
        if is_held(input) {
            queue.hold(pod);
        }
        match input["event"].as_str() {
            Some("ForceActivate") => queue.activate(pod),
            Some("BackoffComplete") => queue.flush_backoff(later),
            _ => queue.wake(later, 0, |_, _| true),
        }
        let sleeps = queue.sleeper(pod).is_some();
        (usize::from(sleeps), queue.pop().is_some())
    };
    let pods = expected["wantUnschedulablePods"].as_u64().unwrap_or(0) as usize;
    each_gate(input, check, (pods, expected["wantSuccess"] == true))
}

fn to_backoff(input: &Value, expected: &Value) -> Outcome {
    let check = |gate: bool| {
        let (mut queue, pod) = tried(Attempt::Rejected(rejected()), gate);
        if is_held(input) {
            queue.hold(pod);
        }
        queue.wake(SimTime::from_millis(200), 0, |_, _| true);
        let sleeps = queue.sleeper(pod).is_some();
        (usize::from(sleeps), queue.next_backoff().is_some())
    };
    let success = expected["wantSuccess"] == true;
    each_gate(input, check, (usize::from(!success), success))
}

#[test]
pub fn scheduler_queue() {
    let data = include_str!("../data/vectors/scheduler_queue.json");
    run("scheduler queue", data, |function, title, input, expected| {
        Some(match function {
            "TestBackoffQueue_getBackoffTime" => until(input, expected),
            "TestBackoffQueue_calculateBackoffDuration" => {
                let count = input["count"].as_u64().unwrap_or(0) as u32;
                Outcome::same(backoff(input).duration(count), duration(&expected["want"]))
            }
            "TestBackOffFlow" => {
                let step: u32 = title.trim_start_matches("case-").parse().expect("a number");
                let ours = Backoff::default().duration(step + 1);
                Outcome::same(ours, duration(&expected["wantBackoff"]))
            }
            "TestLess" => less(input, expected),
            "TestPriorityQueue_AssignedPodAdded_" | "TestPriorityQueue_AssignedPodUpdated" => {
                assigned(input, expected)
            }
            "TestPriorityQueue_moveToActiveQ" => to_active(input, expected),
            "TestPriorityQueue_moveToBackoffQ" => to_backoff(input, expected),
            _ => return None,
        })
    });
}
