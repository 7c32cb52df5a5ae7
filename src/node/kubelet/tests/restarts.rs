//! Containers that end, fail probes, are started again, and go in order.
use super::rig::*;
use crate::api::pod::*;
use crate::messages::app::*;
use crate::node::kubelet::{Found, KubeletSettings};

fn ends(code: u8) -> App {
    let lasts = takes(1).expect("a delay");
    App { run: Some(Run { lasts, exit_code: code, exit_by_index: vec![] }), ..App::default() }
}

#[test]
fn a_crashing_container_waits_longer_each_time_from_its_end() {
    let mut rig = Rig::new();
    rig.assign(1, spec(vec![], vec![container("app")]), vec![ends(3)]);
    rig.run_to(80);
    let log = rig.take();
    let waits: Vec<_> =
        log.iter().filter_map(|line| line.split_once("back-off ")).map(|it| it.1).collect();
    assert_eq!(waits, ["seconds=10", "seconds=20", "seconds=40", "seconds=80"]);
    // Ended at 4.881, again at 15.968 and 37.055; an image check and a creation come before each start.
    let starts: Vec<_> = log.iter().filter(|line| line.contains("fact started")).collect();
    assert_eq!(
        starts,
        [
            "1.835 fact started container=0 restarts=0",
            "3.850 fact started container=0 restarts=1",
            "14.937 fact started container=0 restarts=2",
            "36.024 fact started container=0 restarts=3",
            "77.111 fact started container=0 restarts=4",
        ]
    );
    assert!(log.contains(&"5.763 write Running [CrashLoopBackOff x1]".to_owned()));
}

#[test]
fn a_program_that_hangs_is_unready_and_then_killed_for_its_liveness_probe() {
    let mut rig = Rig::new();
    let app = Container {
        liveness: Some(probe(10)),
        startup: Some(Probe { failure_threshold: 2, ..probe(5) }),
        readiness: Some(probe(3)),
        ..container("app")
    };
    let program = App { hang: takes(40), ready: takes(6), ..App::default() };
    rig.assign(1, spec(vec![], vec![app]), vec![program]);
    rig.run_to(79);
    let log = rig.take();
    assert_eq!(
        log[4..],
        [
            "1.835 fact started container=0 restarts=0",
            "2.763 write Running [running]",
            // The startup probe ticks each 5 s; the program answers from 7.835.
            "10.000 write Running [running]",
            "10.000 write Running ready [running ready]",
            // It hangs from 41.835: three ticks of 3 s and a timeout, three of 10 s and a timeout.
            "50.000 fact probe-failed container=0",
            "50.000 write Running [running]",
            "71.000 fact probe-failed container=0",
            "71.000 fact killing container=0",
            "71.012 ended 0 with 0",
            "71.055 fact exited container=0 exit_code=0",
            "71.142 fact started container=0 restarts=1",
            "71.763 write Running [running x1]",
        ]
    );
}

#[test]
fn a_startup_probe_that_never_succeeds_ends_the_container() {
    let mut rig = Rig::new();
    let app = Container { startup: Some(probe(5)), ..container("app") };
    let program = App { ready: Some(Delay::Never), ..App::default() };
    rig.assign(1, spec(vec![], vec![app]), vec![program]);
    rig.run_to(16);
    let log = rig.take();
    assert!(log.contains(&"15.000 fact killing container=0".to_owned()), "{log:#?}");
    assert!(!log.iter().any(|line| line.contains("ready [")), "{log:#?}");
}

#[test]
fn a_program_that_is_slower_than_its_liveness_probe_never_gets_there() {
    let mut rig = Rig::new();
    let app = Container { liveness: Some(probe(5)), ..container("app") };
    rig.assign(1, spec(vec![], vec![app]), vec![App { ready: takes(60), ..App::default() }]);
    rig.run_to(200);
    let log = rig.take();
    // Killed after three refusals, at 15, 30, 45 and 60 s. A sync that kills goes by the end before: the first has none,
    // the second finds no wait yet, the third one of 10 s from 30 s on, the fourth one of 20 s from 45 s on.
    let starts: Vec<_> = log.iter().filter(|line| line.contains("fact started")).collect();
    assert_eq!(starts.len(), 6, "{log:#?}");
    let waits: Vec<_> =
        log.iter().filter_map(|line| line.split_once("fact back-off ")).map(|it| it.1).collect();
    assert_eq!(waits, ["seconds=20", "seconds=40", "seconds=80"], "{log:#?}");
}

#[test]
fn a_container_killed_for_its_probe_starts_again_though_it_ended_well() {
    let starts = |policy| {
        let mut rig = Rig::new();
        let app = Container { liveness: Some(probe(5)), ..container("app") };
        let spec = PodSpec { restart_policy: policy, ..spec(vec![], vec![app]) };
        rig.assign(1, spec, vec![App { hang: takes(3), ..App::default() }]);
        rig.run_to(40);
        let said = rig.said.join("\n");
        let started = |line: &&String| line.contains("fact started");
        (rig.take().iter().filter(started).count(), said)
    };
    let (count, said) = starts(RestartPolicy::OnFailure);
    assert_eq!(count, 3, "killed at 16 and at 31 s");
    assert!(said.contains("Container app failed liveness probe, will be restarted"), "{said}");
    let (count, said) = starts(RestartPolicy::Never);
    assert_eq!(count, 1);
    assert!(said.contains("Stopping container app"), "{said}");
}

#[test]
fn each_try_that_fails_is_told_but_no_more_than_are_let_through() {
    let mut rig = Rig::new();
    let handler = ProbeHandler::HttpGet(80);
    let app = Container { readiness: Some(Probe { handler, ..probe(2) }), ..container("app") };
    let never = App { ready: Some(Delay::Never), ..App::default() };
    rig.assign(1, spec(vec![], vec![app]), vec![never]);
    rig.run_to(20);
    let told = |rig: &Rig| rig.said.iter().filter(|line| line.contains("Unhealthy")).count();
    assert_eq!(told(&rig), 9, "{:#?}", rig.said);
    rig.run_to(1000);
    assert_eq!(told(&rig), 25 + 3, "one in five minutes from then on");
}

#[test]
fn sidecars_go_last_and_the_grace_period_counts_from_the_deletion() {
    let mut rig = Rig::new();
    let side = Container {
        lifetime: Lifetime::Sidecar,
        pre_stop: Some(Hook::Sleep(secs(1))),
        ..container("side")
    };
    let hooked = Container { pre_stop: Some(Hook::Sleep(secs(4))), ..container("a") };
    let stubborn = App { stop: Some(Delay::Never), ..App::default() };
    let apps = vec![App { stop: takes(3), ..App::default() }, App::default(), stubborn];
    rig.assign(1, spec(vec![side], vec![hooked, container("b")]), apps);
    rig.run_to(50).take();
    rig.delete(1, 10).run_to(80);
    let log = rig.take();
    let ended: Vec<_> = log.iter().filter(|line| line.contains("ended")).collect();
    assert_eq!(
        ended,
        ["54.012 ended 1 with 0", "60.000 ended 2 with 137", "62.000 ended 0 with 137"]
            .map(str::to_owned)
            .iter()
            .collect::<Vec<_>>()
    );
    assert_eq!(log.last().map(String::as_str), Some("62.143 delete within 0"));
}

#[test]
fn a_pod_that_is_through_takes_its_sidecar_along() {
    let mut rig = Rig::new();
    let side = Container { lifetime: Lifetime::Sidecar, ..container("side") };
    let job = PodSpec {
        restart_policy: RestartPolicy::Never,
        ..spec(vec![side], vec![container("job")])
    };
    rig.assign(1, job, vec![App::default(), ends(0)]);
    rig.run_to(50);
    let writes = rig.take_only("write");
    assert_eq!(writes[3], "8.763 write Running [running ready, Completed 0]");
    assert_eq!(writes[4], "8.918 write Succeeded [Completed 0, Completed 0]");
}

#[test]
fn two_containers_with_one_port_both_start_and_the_second_fails() {
    let mut rig = Rig::new();
    let port = ContainerPort { name: "".into(), port: 80, protocol: Protocol::Tcp };
    let with_port = |name| Container { ports: vec![port.clone()], ..container(name) };
    rig.assign(1, spec(vec![], vec![with_port("a"), with_port("b")]), vec![]);
    rig.run_to(12);
    let log = rig.take();
    assert!(log.iter().any(|line| line.ends_with("[running ready, Error 1]")), "{log:#?}");
}

#[test]
fn a_kubelet_that_starts_anew_finds_its_pods_again() {
    let mut rig = Rig::new();
    rig.assign(1, spec(vec![], vec![container("app")]), vec![]);
    rig.run_to(20).take();
    rig.kubelets.stop(AT);
    let found = rig.engines.list(AT);
    let pod = rig.pods[&1].clone();
    rig.tell(|kubelets, fx| kubelets.start(AT, found, fx));
    rig.tell(|kubelets, fx| kubelets.pod_assigned(AT, pod_id(1), &pod, vec![].into(), fx));
    rig.run_to(40);
    let log = rig.take();
    assert!(!log.iter().any(|line| line.contains("started")), "it still runs: {log:#?}");
    assert!(rig.pods[&1].is_ready());
}

#[test]
fn a_node_that_crashed_starts_its_pods_again() {
    let mut rig = Rig::new();
    rig.assign(1, spec(vec![], vec![container("app")]), vec![]);
    rig.run_to(20).take();
    rig.kubelets.stop(AT);
    let now = rig.now;
    rig.engines.crash(AT, &mut rig.machine, now);
    let found = rig.engines.list(AT);
    let pod = rig.pods[&1].clone();
    rig.run_to(30);
    rig.tell(|kubelets, fx| kubelets.start(AT, found, fx));
    rig.tell(|kubelets, fx| kubelets.pod_assigned(AT, pod_id(1), &pod, vec![].into(), fx));
    rig.run_to(50);
    let writes = rig.take_only("write");
    let last = writes.last().map_or("", String::as_str);
    assert!(last.ends_with("write Running ready [running x1 ready]"), "{writes:#?}");
}

#[test]
fn an_exit_code_of_a_rule_restarts_one_container_or_all() {
    let mut rig = Rig::new();
    let on = |action, codes| RestartRule { action, codes: ExitCodes::In(codes) };
    let main = Container {
        restart_policy: Some(RestartPolicy::Never),
        restart_rules: vec![on(RestartAction::RestartAll, vec![42])],
        ..container("main")
    };
    let pod = PodSpec {
        restart_policy: RestartPolicy::Never,
        ..spec(vec![container("init")], vec![main, container("other")])
    };
    let first = App {
        run: Some(Run { lasts: takes(5).expect("a delay"), exit_code: 42, exit_by_index: vec![] }),
        ..App::default()
    };
    rig.assign(1, pod, vec![App::default(), first, App::default()]);
    rig.run_to(30);
    let log = rig.take();
    let told: Vec<&str> = log
        .iter()
        .filter_map(|line| Some(line.split_once(" write ")?.1))
        .skip_while(|line| !line.starts_with("Running"))
        .collect();
    assert_eq!(
        told[..4],
        [
            "Running ready [Completed 0 ready, running ready, running ready]",
            "Running [Completed 0 ready, Error 42, running ready]",
            "Pending [RestartingAllContainers x1, RestartingAllContainers x1, RestartingAllContainers x1]",
            "Pending [running x1, RestartingAllContainers x1, RestartingAllContainers x1]",
        ]
    );
    assert!(log.iter().any(|line| line.contains("killing container=2")), "{log:#?}");
}

/// A kubelet that starts anew 40 s after its pod; what is told and written from then on.
fn restarted(settings: KubeletSettings, app: Container, program: App) -> Vec<String> {
    let mut rig = Rig::with(settings);
    rig.assign(1, spec(vec![], vec![app]), vec![program.clone()]);
    rig.run_to(40).take();
    rig.kubelets.stop(AT);
    let found = rig.engines.list(AT);
    let pod = rig.pods[&1].clone();
    rig.tell(|kubelets, fx| kubelets.start(AT, found, fx));
    rig.tell(|kubelets, fx| kubelets.pod_assigned(AT, pod_id(1), &pod, vec![program].into(), fx));
    rig.run_to(80);
    rig.take()
}

#[test]
fn a_kubelet_that_starts_anew_leaves_what_is_ready_until_a_probe_fails() {
    let app =
        || Container { readiness: Some(probe(10)), startup: Some(probe(10)), ..container("app") };
    let log = restarted(KubeletSettings::default(), app(), App::default());
    assert_eq!(log, ["40.000 fact accepted"], "nothing changes");
    // Gone silent while nobody asked: three probes fail, the first within a period of the start.
    let hangs = App { hang: takes(35), ..App::default() };
    let log = restarted(KubeletSettings::default(), app(), hangs);
    let failed = log.iter().find(|line| line.contains("probe-failed")).expect("it fails");
    let at: f64 = failed.split(' ').next().and_then(|at| at.parse().ok()).expect("a time");
    assert!(at > 61.0 && at < 71.0 && failed != "61.000 fact probe-failed container=0", "{log:#?}");
    // The gate has probes find out anew: the startup probe first, then readiness.
    let found = KubeletSettings { found: Found::Unknown, ..KubeletSettings::default() };
    let log = restarted(found, app(), App::default());
    assert_eq!(log[1], "40.000 write Running [running]");
    assert!(log.last().is_some_and(|line| line.ends_with("ready [running ready]")), "{log:#?}");
}

#[test]
fn probes_of_a_kubelet_that_just_started_are_spread_over_their_period() {
    let hangs = App { hang: takes(35), ..App::default() };
    let of = |period: u64| {
        let app = Container { liveness: Some(probe(period)), ..container("app") };
        let log = restarted(KubeletSettings::default(), app, hangs.clone());
        let failed = log.iter().find(|line| line.contains("probe-failed")).cloned();
        let failed = failed.expect("it fails");
        failed.split(' ').next().and_then(|at| at.parse::<f64>().ok()).expect("a time")
    };
    // Three failures and a timeout after the first probe, which comes within a period of 40 s.
    let (short, long) = (of(2) - 45.0, of(8) - 57.0);
    assert!((0.0..2.0).contains(&short) && (0.0..8.0).contains(&long), "{short} and {long}");
    assert!(short > 0.0 && long > 0.0 && (long - 4.0 * short).abs() < 0.01, "one part of each");
}
