//! How many feasible nodes are enough (`schedule_one_test.go`).

use wavetank::control_plane::scheduler::algorithm::feasible_to_find;

use super::table::{Outcome, run};

#[test]
pub fn scheduler_feasible_nodes() {
    let data = include_str!("../data/vectors/scheduler_feasible_nodes.json");
    run("scheduler feasible nodes", data, |function, _, input, expected| {
        Some(match function {
            "TestNumFeasibleNodesToFind" => {
                let given = input["profilePercentage"].as_u64();
                let percentage = given.or(input["globalPercentage"].as_u64()).unwrap_or(0);
                let nodes = input["numAllNodes"].as_u64().unwrap_or(0);
                let ours = feasible_to_find(percentage as u8, nodes as usize);
                Outcome::same(Some(ours as u64), expected["wantNumNodes"].as_u64())
            }
            _ => Outcome::Excluded("random tie-breakers, which only extenders fill since 1.35"),
        })
    });
}
