//! Lives of pods: how they come up and go.
use super::rig::*;
use crate::api::meta::Labels;
use crate::api::pod::*;
use crate::api::resources::Resources;
use crate::api::rules::taints::{Effect, Taint};
use crate::messages::app::{App, Delay};
use crate::node::kubelet::{GoingDown, KubeletSettings, shutdown_groups};

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

#[test]
fn a_pod_that_does_not_belong_on_its_node_is_refused() {
    let mut rig = Rig::new();
    let barred = Taint::new("gone", "", Effect::NoExecute);
    let big = Resources { cpu_milli: 5000, ..Resources::default() };
    let unknown = Resources { scalar: vec![("example.com/gpu".into(), 1)], ..Resources::default() };
    let elsewhere = Labels::from_iter([("disk".into(), "ssd".into())]);
    let plain = || spec(vec![], vec![container("app")]);
    rig.assign(1, PodSpec { requests: big, ..plain() }, vec![staged()]);
    rig.assign(2, PodSpec { node_selector: elsewhere, ..plain() }, vec![staged()]);
    rig.assign(3, PodSpec { requests: unknown, ..plain() }, vec![staged()]);
    rig.see(|node| node.taints = [barred].into());
    rig.assign(4, plain(), vec![staged()]);
    rig.run_to(5);
    let why = |n: u32| rig.pods[&n].status.reason.as_ref().map(|why| why.message.to_string());
    let rejected = |why: &str| Some(format!("Pod was rejected: {why}"));
    assert_eq!(
        why(1),
        rejected("Node didn't have enough resource: cpu, requested: 5000, used: 0, capacity: 4000")
    );
    assert_eq!(
        why(2),
        rejected(
            "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"
        )
    );
    assert_eq!((why(3), rig.pods[&3].status.phase), (None, Phase::Running));
    assert_eq!(
        why(4),
        rejected("Predicate TaintToleration failed: node(s) had untolerated taint(s)")
    );
}

#[test]
fn a_node_that_goes_down_ends_ordinary_pods_first_and_waits_for_none_too_long() {
    let mut rig = Rig::with(KubeletSettings {
        shutdown: shutdown_groups(secs(30), secs(10)),
        ..KubeletSettings::default()
    });
    let plain = || spec(vec![], vec![container("app")]);
    let stubborn = App { stop: Some(Delay::Never), ..staged() };
    rig.assign(1, plain(), vec![App { stop: takes(3), ..staged() }]);
    rig.assign(2, plain(), vec![stubborn]);
    rig.assign(3, PodSpec { priority: 2_000_000_000, ..plain() }, vec![staged()]);
    rig.run_to(100).take();
    rig.tell(|kubelets, fx| assert_eq!(kubelets.shut_down(AT, fx), GoingDown::InOrder));
    rig.assign(4, plain(), vec![staged()]);
    rig.run_to(110);
    let stops = &rig.pods[&2].status;
    assert!(!stops.is(PodCondition::DisruptionTarget) && stops.phase == Phase::Running);
    rig.run_to(200);
    assert_eq!(
        rig.take_only("ended"),
        ["103.000 ended 0 with 0", "120.000 ended 0 with 137", "121.000 ended 0 with 0"]
    );
    let why = |n: u32| rig.pods[&n].status.reason.as_ref().map(|why| why.reason.to_string());
    assert_eq!([1, 2, 3].map(why), [(); 3].map(|()| Some("Terminated".to_owned())));
    assert_eq!([1, 2, 3].map(|n| rig.pods[&n].status.phase), [Phase::Failed; 3]);
    assert_eq!(why(4), Some("NodeShutdown".to_owned()));
    assert!(rig.pods[&1].status.is(PodCondition::DisruptionTarget));
}
