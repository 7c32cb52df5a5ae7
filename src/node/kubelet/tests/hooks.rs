//! Hooks: how long they hold things up, and what comes of those that fail.
use super::rig::*;
use crate::api::pod::*;
use crate::messages::app::*;

const HOOKS: &[&str] = &["FailedPostStartHook", "FailedPreStopHook", "Killing"];

fn told(seconds: u64, exit_code: u8) -> Option<HookRun> {
    Some(HookRun { lasts: takes(seconds), exit_code })
}

fn stops_by(hook: Hook) -> Container {
    Container { pre_stop: Some(hook), ..container("app") }
}

fn ended(rig: &Rig) -> Vec<&str> {
    rig.log.iter().filter(|line| line.contains("ended")).map(String::as_str).collect()
}

#[test]
fn a_command_before_the_stop_takes_its_part_of_the_grace_period() {
    let mut rig = Rig::new();
    let app = App { stop: Some(Delay::Never), pre_stop: told(4, 0), ..App::default() };
    rig.assign(1, spec(vec![], vec![stops_by(Hook::Exec(None))]), vec![app]);
    rig.run_to(50).delete(1, 10).run_to(80);
    assert_eq!(
        ended(&rig),
        ["60.000 ended 0 with 137"],
        "SIGTERM at 54, SIGKILL six seconds later"
    );
    assert_eq!(rig.said_of(HOOKS), ["50.000 Killing: Stopping container app"]);
}

#[test]
fn a_hook_that_fails_is_told_and_the_stop_goes_on() {
    let mut rig = Rig::new();
    let app = App { stop: takes(1), pre_stop: told(3, 1), ..App::default() };
    let second = Container { pre_stop: Some(Hook::Unknown), ..container("b") };
    let pod = spec(vec![], vec![stops_by(Hook::Exec(None)), second]);
    rig.assign(1, pod, vec![app.clone(), app]);
    rig.run_to(50).delete(1, 30).run_to(80);
    assert_eq!(ended(&rig), ["51.000 ended 1 with 0", "54.000 ended 0 with 0"]);
    let failed = rig.said_of(&["FailedPreStopHook"]);
    let words = "FailedPreStopHook: PreStopHook failed";
    assert_eq!(failed, [format!("50.000 {words}"), format!("53.000 {words}")]);
    assert!(rig.log.contains(&"53.000 fact hook-failed container=0".to_owned()));
}

#[test]
fn a_hook_that_outlasts_the_grace_period_leaves_two_seconds() {
    for (hook, failed) in [(Hook::Exec(Some(secs(60))), 1), (Hook::Sleep(secs(60)), 0)] {
        let mut rig = Rig::new();
        let app = App { stop: Some(Delay::Never), ..App::default() };
        rig.assign(1, spec(vec![], vec![stops_by(hook)]), vec![app]);
        rig.run_to(50).delete(1, 10).run_to(80);
        assert_eq!(ended(&rig), ["62.000 ended 0 with 137"]);
        // A command dies with its container; the kubelet's own sleep is just waited for no longer.
        assert_eq!(rig.said_of(&["FailedPreStopHook"]).len(), failed, "{:?}", rig.said);
    }
}

#[test]
fn a_command_that_ends_its_container_fails_with_it() {
    let mut rig = Rig::new();
    let lasts = takes(49).expect("a delay");
    let run = Some(Run { lasts, exit_code: 0, exit_by_index: vec![] });
    let app = App { start: takes(3), run, pre_stop: told(20, 0), ..App::default() };
    rig.assign(1, spec(vec![], vec![stops_by(Hook::Exec(None))]), vec![app]);
    rig.run_to(50).delete(1, 30).run_to(80);
    assert_eq!(ended(&rig), ["52.000 ended 0 with 0"]);
    assert_eq!(
        rig.said_of(&["FailedPreStopHook"]),
        ["52.000 FailedPreStopHook: PreStopHook failed"]
    );
    assert_eq!(rig.log.last().map(String::as_str), Some("52.000 delete within 0"));
}

#[test]
fn a_request_before_the_stop_is_answered_as_the_program_answers() {
    let serves = |seconds| {
        let time = takes(seconds).expect("a delay");
        Some(Serving { time, ..Serving::DEFAULT })
    };
    let stop = takes(1);
    let of = |app: App| {
        let mut rig = Rig::new();
        let app = App { stop, ..app };
        rig.assign(1, spec(vec![], vec![stops_by(Hook::HttpGet(80))]), vec![app]);
        rig.run_to(50).delete(1, 10).run_to(80);
        let failed = rig.said_of(&["FailedPreStopHook"]).first().map(|line| line[..6].to_owned());
        (ended(&rig)[0].to_owned(), failed)
    };
    let answered = App { service: serves(5), ..App::default() };
    assert_eq!(of(answered.clone()), ("56.000 ended 0 with 0".to_owned(), None));
    let unready = App { ready: takes(100), ..answered.clone() };
    assert_eq!(of(unready), ("51.000 ended 0 with 0".to_owned(), Some("50.000".to_owned())));
    let hangs = App { hang: takes(20), ..answered };
    assert_eq!(of(hangs), ("61.000 ended 0 with 0".to_owned(), Some("61.000".to_owned())));
}

#[test]
fn a_shorter_grace_period_cuts_a_hook_off_and_runs_it_anew() {
    let mut rig = Rig::new();
    let app = App { stop: Some(Delay::Never), pre_stop: told(20, 0), ..App::default() };
    rig.assign(1, spec(vec![], vec![stops_by(Hook::Exec(None))]), vec![app]);
    rig.run_to(50).delete(1, 30).run_to(55).delete(1, 1).run_to(80);
    assert_eq!(ended(&rig), ["58.000 ended 0 with 137"], "one second, then two");
    let failed = rig.said_of(&["FailedPreStopHook"]);
    assert_eq!(failed.iter().map(|line| &line[..6]).collect::<Vec<_>>(), ["55.000", "58.000"]);
}

#[test]
fn a_hook_after_the_start_holds_up_the_status_and_the_next_container() {
    let mut rig = Rig::new();
    let first = Container { post_start: Some(Hook::Exec(None)), ..container("app") };
    let app = App { post_start: told(5, 0), ..App::default() };
    rig.assign(1, spec(vec![], vec![first, container("b")]), vec![app, App::default()]);
    rig.run_to(30);
    let writes = rig.log.iter().filter(|line| line.contains("write") || line.contains("started"));
    assert_eq!(
        writes.collect::<Vec<_>>()[1..],
        [
            "1.835 fact started container=0 restarts=0",
            // It took until 6.835; a relist shows it, and the next image is fetched.
            "7.763 write Pending [running ready, ContainerCreating]",
            "10.268 fact started container=1 restarts=0",
            "10.763 write Running ready [running ready, running ready]",
        ]
    );
}

#[test]
fn a_hook_that_fails_after_the_start_kills_its_container() {
    let mut rig = Rig::new();
    let first = Container { post_start: Some(Hook::Exec(None)), ..container("app") };
    let app = App { post_start: told(2, 1), stop: takes(1), ..App::default() };
    rig.assign(1, spec(vec![], vec![first, container("b")]), vec![app, App::default()]);
    rig.run_to(40);
    // Killed for a second each time; started again at once, then 10 s after its end.
    let said = rig.said_of(&["FailedPostStartHook", "Killing"]);
    let words = ["FailedPostStartHook: PostStartHook failed", "Killing: FailedPostStartHook"];
    let at = |second: &str| words.map(|words| format!("{second} {words}"));
    assert_eq!(said, [at("3.835"), at("10.850"), at("23.937")].concat());
    let last = |word: &str| rig.log.iter().rfind(|line| line.contains(word)).cloned();
    let waits = last("PostStartHookError");
    assert!(waits.is_some_and(|it| it.contains("[PostStartHookError, running ready]")));
    assert!(last("CrashLoopBackOff x1, running ready").is_some(), "{:#?}", rig.log);
}
