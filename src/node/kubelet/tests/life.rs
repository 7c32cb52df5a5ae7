//! Lives of pods: how they come up and go.
use super::rig::*;
use crate::messages::app::App;

#[test]
fn a_staged_pod_runs_and_stops_exactly_when_the_scenario_says() {
    let mut rig = Rig::new();
    rig.assign(1, spec(vec![], vec![container("app")]), vec![staged()]);
    rig.run_to(10).delete(1, 30);
    rig.run_to(20);
    assert_eq!(
        rig.take(),
        [
            "0.000 fact accepted",
            "0.000 write Pending [ContainerCreating]",
            "1.000 fact started container=0 restarts=0",
            "1.000 write Running ready [running ready]",
            "10.000 fact killing container=0",
            "11.000 ended 0 with 0",
            "11.000 fact exited container=0 exit_code=0",
            "11.000 write Succeeded [Completed 0]",
            "11.000 delete within 0",
        ]
    );
}

#[test]
fn a_staged_pod_is_ready_when_the_scenario_says() {
    let mut rig = Rig::new();
    let app = App { ready: takes(2), ..staged() };
    rig.assign(1, spec(vec![], vec![container("app")]), vec![app]);
    rig.run_to(10);
    assert_eq!(
        rig.take_only("write"),
        [
            "0.000 write Pending [ContainerCreating]",
            "1.000 write Running [running]",
            "3.000 write Running ready [running ready]",
        ]
    );
}

#[test]
fn init_containers_go_first_and_one_after_the_other() {
    let mut rig = Rig::new();
    let inits = vec![container("one"), container("two")];
    rig.assign(1, spec(inits, vec![container("app")]), vec![]);
    rig.run_to(60);
    let starts = rig.take_only("write");
    let states: Vec<_> =
        starts.iter().map(|line| line.split_once(" write ").map_or("", |it| it.1)).collect();
    assert_eq!(
        states,
        [
            "Pending [PodInitializing, PodInitializing, PodInitializing]",
            "Pending [running, PodInitializing, PodInitializing]",
            "Pending [Completed 0 ready, PodInitializing, PodInitializing]",
            "Pending [Completed 0 ready, running, PodInitializing]",
            "Pending [Completed 0 ready, Completed 0 ready, PodInitializing]",
            "Running ready [Completed 0 ready, Completed 0 ready, running ready]",
        ]
    );
}
