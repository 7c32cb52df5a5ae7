//! Who is next, and how long pods back off (`pkg/scheduler/backend/queue`, `queuesort`).

use serde_json::Value;
use wavetank::base::id::Id;
use wavetank::control_plane::scheduler::queue::backoff::Backoff;
use wavetank::control_plane::scheduler::queue::{Gates, Queue};
use wavetank::time::{SimDuration, SimTime};

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

#[test]
fn scheduler_queue() {
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
                Outcome::Excluded("next issue: pod affinity and topology spread")
            }
            _ => Outcome::Excluded("plugins made up for the test"),
        })
    });
}
