//! What a kubelet works out: phases, conditions, waits and grace periods.

use std::sync::Arc;

use serde_json::{Value, json};
use wavetank::api::compact::Compactor;
use wavetank::api::meta::Uid;
use wavetank::api::node::Tristate;
use wavetank::api::object::Object;
use wavetank::api::pod::{
    ContainerState, ContainerStatus, Phase, PodCondition, PodSpec, PodStatus, SaidCondition,
    StatusReason, Termination, TerminationReason, WaitingReason,
};
use wavetank::api::rules::commands::expanded;
use wavetank::api::rules::hostnames::{Naming, host_and_domain, truncated};
use wavetank::api::rules::image_names::with_tag;
use wavetank::api::rules::pod_addresses::in_order;
use wavetank::api::rules::pod_conditions::{Finding, Known, ready_to_start};
use wavetank::api::rules::probing::{Found, NotTried, Verdict, verdict};
use wavetank::api::rules::restarts::{Anew, all_restart};
use wavetank::base::hash::hash_text;
use wavetank::luck::{Label, Luck, Steps};
use wavetank::node::kubelet::backoff::{Backoff, BackoffLaw, CrashDecay};
use wavetank::node::kubelet::converted::{self, Course, List, Shown, Subject};
use wavetank::node::kubelet::merging::{Containers, merged};
use wavetank::node::kubelet::phase::{Finality, Initialized, phase_at_end, pod_phase};
use wavetank::node::kubelet::{Standing, Starts, effective_grace, image_gc, shutdown_groups};
use wavetank::time::{SimDuration, SimTime};

use super::suite::{Outcome, run, same};

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map_or(&[], Vec::as_slice)
}

/// The spec as a run holds it; tables leave out what the API server would ask for.
fn spec(value: &Value) -> PodSpec {
    let mut written = value.clone();
    if written["containers"].is_null() {
        written["containers"] = Value::Array(Vec::new());
    }
    let meta = json!({"name": "p", "namespace": "default"});
    let pod = serde_json::from_value(json!({"metadata": meta, "spec": written})).expect("a Pod");
    match Compactor::new().pod(pod).object {
        Object::Pod(pod) => (*pod.spec).clone(),
        other => panic!("a {:?}", other.kind()),
    }
}

/// Go's exit code -1 is any bad one.
fn ended(value: &Value) -> Option<Termination> {
    let terminated = value.get("terminated")?;
    let code = terminated["exitCode"].as_i64().unwrap_or(0);
    let reason = match terminated["reason"].as_str() {
        Some("RestartingAllContainers") => TerminationReason::RestartingAllContainers,
        _ => TerminationReason::Error,
    };
    let zero = SimTime::ZERO;
    let exit_code = i32::try_from(code).expect("an exit code");
    Some(Termination { exit_code, reason, started: zero, finished: zero })
}

/// The status that stands for a container, by its index in the spec.
fn status_of(spec: &PodSpec, values: &[Value], index: usize) -> Option<ContainerStatus> {
    let container = spec.init_containers.iter().chain(&spec.containers).nth(index)?;
    let found = values.iter().find(|status| status["name"] == *container.name)?;
    let state = match (found["state"].get("running"), ended(&found["state"])) {
        (Some(_), _) => ContainerState::Running(SimTime::ZERO),
        (None, Some(end)) => ContainerState::Terminated(end),
        (None, None) => ContainerState::Waiting(WaitingReason::ContainerCreating),
    };
    Some(ContainerStatus {
        state,
        last: ended(&found["lastState"]),
        restarts: 0,
        ready: found["ready"] == true,
        started: found["started"] == true,
        held_back_millis: 0,
    })
}

fn phase(text: &Value) -> Phase {
    match text.as_str() {
        Some("Running") => Phase::Running,
        Some("Succeeded") => Phase::Succeeded,
        Some("Failed") => Phase::Failed,
        _ => Phase::Pending,
    }
}

#[test]
pub fn kubelet_pod_phase() {
    run("pod phase", include_str!("../data/vectors/kubelet_pod_phase.json"), |function, case| {
        let (input, expected) = (&case["input"], &case["expected"]);
        let is_flat = input["pod"].is_null();
        let spec = spec(if is_flat { &input["spec"] } else { &input["pod"]["spec"] });
        let status = &input["pod"]["status"];
        let parts = ["initContainerStatuses", "containerStatuses"].map(|part| list(status, part));
        let values = if is_flat { list(input, "statuses").to_vec() } else { parts.concat() };
        let is_final = input["podIsTerminal"] == true;
        let finality = if is_final { Finality::Final } else { Finality::Open };
        // The last test leaves it out of its table: all its pods were initialized once.
        let once = function == "TestPodPhaseWithRestartAllContainers"
            || input["podHasInitialized"] == true;
        let initialized = if once { Initialized::Once } else { Initialized::NotYet };
        let of = |index| status_of(&spec, &values, index);
        let theirs = expected.get("status").unwrap_or(&expected["expectedPhase"]);
        same(pod_phase(&spec, of, finality, initialized), phase(theirs))
    });
}

/// Asks a rule of a condition, and compares all it says.
fn condition(case: &Value, rule: impl Fn(Known<'_>) -> Finding) -> Outcome {
    let (input, expected) = (&case["input"], &case["expected"]);
    let spec = spec(&input["spec"]);
    let values = list(input, "containerStatuses");
    let of = |index| status_of(&spec, values, index);
    let statuses = input["containerStatuses"].is_array().then_some(());
    let statuses = statuses.map(|()| &of as &dyn Fn(usize) -> Option<ContainerStatus>);
    let ours = rule(Known { spec: &spec, statuses, phase: phase(&input["podPhase"]) });
    let theirs = expected.get("expectReady").unwrap_or(&expected["expected"]);
    let text = |field: &str| theirs[field].as_str();
    // A table that names no message asks for none.
    let message = text("message").unwrap_or(&ours.message).to_owned();
    same(
        (ours.holds, ours.reason, ours.message),
        (text("status") == Some("True"), text("reason").unwrap_or(""), message),
    )
}

/// Phase and conditions of whole statuses, from the states of containers the table has them end in.
fn whole_status(case: &Value) -> Outcome {
    let (input, expected) = (&case["input"], &case["expected"]["expected"]);
    let spec = spec(&input["pod"]["spec"]);
    let parts = ["initContainerStatuses", "containerStatuses"].map(|part| list(expected, part));
    let (values, of_main) = (parts.concat(), parts[1]);
    let of = |index: usize| {
        // Of init containers the table shows no statuses; those there are have ended well.
        status_of(&spec, &values, index).or_else(|| {
            (index < spec.init_containers.len() && !of_main.is_empty()).then_some(THROUGH)
        })
    };
    let held = [&input["previousStatus"]["phase"], &input["pod"]["status"]["phase"]];
    let held = held.map(phase).into_iter().find(|phase| phase.is_terminal());
    let is_final = input["isPodTerminal"] == true;
    let finality = if is_final { Finality::Final } else { Finality::Open };
    let ours = held.unwrap_or_else(|| pod_phase(&spec, of, finality, Initialized::NotYet));
    let ours = if is_final { phase_at_end(ours) } else { ours };
    if ours != phase(&expected["phase"]) {
        return same(ours, phase(&expected["phase"]));
    }
    let known = Known { spec: &spec, statuses: Some(&of), phase: ours };
    let found = [
        ("Initialized", known.initialized()),
        ("Ready", known.ready(|_| None)),
        ("ContainersReady", known.containers_ready()),
    ];
    let theirs = |name: &str| {
        let condition = list(expected, "conditions").iter().find(|it| it["type"] == name);
        condition.map(|it| (it["status"] == "True", it["reason"].as_str().unwrap_or("")))
    };
    let names = found.each_ref().map(|(name, _)| *name);
    same(found.map(|(_, found)| Some((found.holds, found.reason))), names.map(theirs))
}

/// The statuses of one list of containers, out of what the engine shows and what was written.
fn converted_statuses(case: &Value) -> Outcome {
    let input = &case["input"];
    let spec = spec(&input["pod"]["spec"]);
    let is_init = input["isInitContainer"] == true;
    let containers = if is_init { &spec.init_containers } else { &spec.containers };
    let course = match (input["podRestarting"] == true, &input["pod"]["metadata"]) {
        (true, _) => Course::RestartsAll,
        (false, meta) if meta["deletionTimestamp"].is_null() => Course::Open,
        _ => Course::Deleted,
    };
    let has_inits = input["hasInitContainers"] == true;
    let waits_as =
        if has_inits { WaitingReason::PodInitializing } else { WaitingReason::ContainerCreating };
    let list_of = if is_init { List::Init(Initialized::Once) } else { List::Main };
    let now = SimTime::ZERO;
    let ours = containers.iter().map(|container| {
        let named = |it: &&Value| it["name"] == *container.name;
        let shown = list(&input["currentStatus"], "containerStatuses").iter().find(named);
        let shown = shown.map(|it| Shown {
            state: match it["state"].as_str() {
                Some("exited") => ContainerState::Terminated(end_of(it)),
                _ => ContainerState::Running(now),
            },
            restarts: it["restartCount"].as_u64().unwrap_or(0) as u32,
        });
        let before = list(input, "previousStatus").iter().find(named).map(written_status);
        let subject = Subject { container, list: list_of, waits_as, course };
        told_of(&converted::status(subject, shown, before, now))
    });
    let theirs = list(&case["expected"], "expected").iter().map(|it| told_of(&written_status(it)));
    same(ours.collect::<Vec<_>>(), theirs.collect())
}

/// A status as a table has it.
fn written_status(it: &Value) -> ContainerStatus {
    let state = match (&it["state"], ended(&it["state"])) {
        (_, Some(end)) => ContainerState::Terminated(with_reason(end, &it["state"])),
        (state, None) if !state["running"].is_null() => ContainerState::Running(SimTime::ZERO),
        (state, None) => ContainerState::Waiting(match state["waiting"]["reason"].as_str() {
            Some("RestartingAllContainers") => WaitingReason::RestartingAllContainers,
            Some("PodInitializing") => WaitingReason::PodInitializing,
            _ => WaitingReason::ContainerCreating,
        }),
    };
    let last = ended(&it["lastState"]).map(|end| with_reason(end, &it["lastState"]));
    let restarts = it["restartCount"].as_u64().unwrap_or(0) as u32;
    ContainerStatus { state, last, restarts, ready: false, started: false, held_back_millis: 0 }
}

fn with_reason(end: Termination, state: &Value) -> Termination {
    let reason = match state["terminated"]["reason"].as_str() {
        Some("ContainerStatusUnknown") => TerminationReason::ContainerStatusUnknown,
        Some("Completed") => TerminationReason::Completed,
        _ => end.reason,
    };
    Termination { reason, ..end }
}

fn end_of(it: &Value) -> Termination {
    let code = it["exitCode"].as_i64().unwrap_or(0);
    let (zero, reason) = (SimTime::ZERO, TerminationReason::Error);
    let exit_code = i32::try_from(code).expect("an exit code");
    Termination { exit_code, reason, started: zero, finished: zero }
}

/// All that a table compares of a status.
fn told_of(it: &ContainerStatus) -> String {
    format!("{:?} {:?} {}", it.state, it.last, it.restarts)
}

/// A status of the table of merges: it holds what the case names, Ready and PodScheduled.
fn merging() -> PodStatus {
    let why = StatusReason { reason: "".into(), message: "Message".into() };
    let mut status =
        PodStatus { phase: Phase::Running, reason: Some(Arc::new(why)), ..PodStatus::default() };
    for which in [PodCondition::Ready, PodCondition::PodScheduled] {
        status.set(which, true, SimTime::ZERO);
    }
    status
}

fn pick(status: &mut PodStatus, by: &str) {
    status.set(PodCondition::DisruptionTarget, true, SimTime::ZERO);
    let why = StatusReason { reason: by.into(), message: "".into() };
    status.disruption = Some(Arc::new(why));
}

fn feature(status: &mut PodStatus, value: bool) {
    let (kind, value) = ("example.com/feature".into(), Tristate::of(value));
    let (reason, message) = ("".into(), "".into());
    let said = SaidCondition { kind, value, reason, message, since_seconds: 0 };
    status.others = Some(Arc::from([said]));
}

/// What the table compares: phase, why, and each condition with its value and why.
fn told(status: &PodStatus) -> (Phase, String, String, Vec<[String; 3]>) {
    let gate = |kind: &str| status.said(kind).map(|it| it.value);
    let spec = PodSpec::default();
    let known = Known { spec: &spec, statuses: Some(&|_| None), phase: status.phase };
    let named = [
        (PodCondition::Ready, "Ready", known.ready(gate).reason),
        (PodCondition::ContainersReady, "ContainersReady", known.containers_ready().reason),
        (PodCondition::PodScheduled, "PodScheduled", ""),
    ];
    let line = |name: &str, value: Tristate, why: &str| {
        [name.to_owned(), value.name().to_owned(), why.to_owned()]
    };
    let own = named.into_iter().filter_map(|(which, name, why)| {
        let value = status.condition(which).value?;
        Some(line(name, value, if value == Tristate::True { "" } else { why }))
    });
    let mut all: Vec<_> = own.collect();
    if let Some(value) = status.condition(PodCondition::DisruptionTarget).value {
        let why = status.disruption.as_ref().map(|why| why.reason.to_string());
        all.push(line("DisruptionTarget", value, &why.unwrap_or_default()));
    }
    all.extend(
        status.others.iter().flat_map(|all| all.iter()).map(|it| line(&it.kind, it.value, "")),
    );
    all.sort();
    let why =
        |of: fn(&StatusReason) -> String| status.reason.as_deref().map(of).unwrap_or_default();
    (status.phase, why(|it| it.reason.to_string()), why(|it| it.message.to_string()), all)
}

/// What is written where the kubelet merges. The table has functions for what goes in, so it is put together here
/// as they do it, by the case's name (`TestMergePodStatus` 1.36).
fn merged_status(case: &Value) -> Outcome {
    let (mut old, mut new) = (merging(), merging());
    match case["name"].as_str().unwrap_or("") {
        "no change" => {}
        "add DisruptionTarget condition when transitioning into failed phase"
        | "don't add DisruptionTarget condition when transitioning into failed phase, but there might still be running containers" =>
        {
            new.phase = Phase::Failed;
            pick(&mut new, "TerminationByKubelet");
        }
        "preserve DisruptionTarget condition" => pick(&mut old, "TerminationByKubelet"),
        "override DisruptionTarget condition"
        | "don't override DisruptionTarget condition when transitioning to failed phase but there might still be running containers" =>
        {
            pick(&mut old, "EvictedByEvictionAPI");
            new.phase = Phase::Failed;
            pick(&mut new, "TerminationByKubelet");
        }
        "don't override DisruptionTarget condition when remaining in running phase" => {
            pick(&mut old, "EvictedByEvictionAPI");
            pick(&mut new, "TerminationByKubelet");
        }
        "readiness changes" => new.set(PodCondition::Ready, false, SimTime::ZERO),
        "additional pod condition" => feature(&mut old, true),
        "additional pod condition and readiness changes" => {
            feature(&mut old, true);
            new.set(PodCondition::Ready, false, SimTime::ZERO);
        }
        "additional pod condition changes" => {
            feature(&mut old, true);
            feature(&mut new, false);
        }
        "phase is transitioning to failed and no containers running"
        | "phase is transitioning to failed and containers running" => {
            let why = |reason: &str, message: &str| {
                Some(Arc::new(StatusReason { reason: reason.into(), message: message.into() }))
            };
            old.reason = why("Unknown", "Message");
            (new.phase, new.reason) = (Phase::Failed, why("Evicted", "Was Evicted"));
        }
        other => return Outcome::Different(format!("an unknown case: {other}")),
    }
    let may_run = case["input"]["hasRunningContainers"] == true;
    let containers = if may_run { Containers::MayRun } else { Containers::Gone };
    let ours = merged(&old, new, containers, SimTime::ZERO);
    let theirs = &case["expected"]["expectPodStatus"];
    let said = |it: &Value, field: &str| it[field].as_str().unwrap_or("").to_owned();
    let conditions = list(theirs, "conditions").iter();
    let mut conditions: Vec<_> =
        conditions.map(|it| ["type", "status", "reason"].map(|field| said(it, field))).collect();
    conditions.sort();
    let theirs =
        (phase(&theirs["phase"]), said(theirs, "reason"), said(theirs, "message"), conditions);
    same(told(&ours), theirs)
}

/// The host name and the domain of a pod.
fn named(input: &Value, expected: &Value) -> Outcome {
    let text = |field: &str| input[field].as_str().unwrap_or("");
    let is_on = input["featureGateEnabled"] == true;
    let naming = Naming {
        name: text("podName"),
        namespace: "default",
        hostname: text("podHostname"),
        subdomain: text("podSubdomain"),
        replaced: input["podHostnameOverride"].as_str().filter(|_| is_on),
    };
    match (host_and_domain(naming, "cluster.local"), expected["expectError"] == true) {
        (Ok((host, domain)), false) => same(
            (Some(&*host), Some(&*domain)),
            (expected["expectedHostname"].as_str(), expected["expectedDomain"].as_str()),
        ),
        (Err(why), true) if why.contains(text("errorContains")) => Outcome::Equal,
        (ours, _) => Outcome::Different(format!("ours {ours:?}")),
    }
}

/// Waits of a back-off with steps, jitter within its bounds.
fn steps(case: &Value) -> Outcome {
    let initial = &case["input"]["initial"];
    let milli = |field: &str| (initial[field].as_f64().unwrap_or(0.0) * 1000.0) as u64;
    let span = |field: &str| match initial[field].as_str() {
        Some(text) => SimDuration::parse(text).expect("a duration"),
        None => SimDuration::ZERO,
    };
    for seed in 0..5 {
        let luck = Luck::new(seed);
        let mut steps = Steps {
            wait: span("duration"),
            factor_milli: milli("factor"),
            jitter_milli: milli("jitter"),
            left: u32::try_from(initial["steps"].as_i64().unwrap_or(0)).unwrap_or(0),
            longest: span("cap"),
        };
        for (nth, want) in (0..).zip(list(&case["expected"], "want")) {
            let want = go_nanos(want);
            let got = steps.step(luck.draw(Label::new("step"), 0, nth)).as_nanos();
            let is_right = match steps.jitter_milli {
                0 => got == want,
                // As the test does it: the share by which it is less than what is asked for.
                jitter => {
                    got != want
                        && (want.saturating_sub(got)) as u128 * 1000
                            <= u128::from(want) * u128::from(jitter)
                }
            };
            if !is_right {
                return Outcome::Different(format!("wait {nth}: ours {got}, theirs {want}"));
            }
        }
    }
    Outcome::Equal
}

/// What counts of a probe's try, and the command that is run for it.
fn tried(input: &Value, expected: &Value) -> Outcome {
    let probe = &input["probe"];
    let is_unsupported = input["unsupported"] == true;
    let found = match input["execResult"].as_str() {
        Some("success") => Found::Success,
        Some("warning") => Found::Warning,
        Some("failure") => Found::Failure,
        _ => Found::Unknown,
    };
    let has_handler = !probe["exec"].is_null() && !is_unsupported;
    let answer = match (has_handler, input["execError"] == true) {
        (true, false) => Ok(found),
        _ => Err(NotTried),
    };
    let ours = verdict((!probe.is_null() || is_unsupported).then_some(answer));
    let theirs = match (expected["expectError"] == true, expected["expectedResult"].as_i64()) {
        (true, _) => Verdict::Error,
        (false, Some(0)) => Verdict::Good,
        _ => Verdict::Bad,
    };
    let words: Vec<&str> =
        list(&probe["exec"], "command").iter().filter_map(Value::as_str).collect();
    let env = list(input, "env");
    let value = |name: &str| env.iter().find(|it| it["name"] == name)?["value"].as_str();
    let command = expanded(&words, value);
    let wanted = list(expected, "expectCommand").iter().filter_map(Value::as_str);
    same((ours, command), (theirs, wanted.map(str::to_owned).collect()))
}

/// Whether a static pod may start.
fn allowed_start(input: &Value, expected: &Value) -> Outcome {
    let meta = &input["pod"]["metadata"];
    let is_static = !meta["annotations"]["kubernetes.io/config.source"].is_null();
    let uid = |text: &Value| Uid(hash_text(text.as_str().unwrap_or("")));
    let mut starts = Starts::default();
    for (name, one) in input["startedStaticPodsByFullname"].as_object().into_iter().flatten() {
        starts.started.insert(name.clone(), uid(one));
    }
    for (name, all) in input["waitingToStartStaticPodsByFullname"].as_object().into_iter().flatten()
    {
        let all = all.as_array().into_iter().flatten().map(uid);
        starts.waiting.insert(name.clone(), all.collect());
    }
    let known = input["podSyncStatuses"].as_object().expect("statuses");
    let lives = |one: Uid| {
        let mut found = known.iter().filter(|(name, _)| Uid(hash_text(name)) == one);
        found.any(|(_, it)| it["terminatingAt"].is_null() && it["terminatedAt"].is_null())
    };
    let name = format!("{}_{}", meta["name"].as_str().unwrap_or(""), "");
    let standing = match is_static {
        true => starts.ask(&name, uid(&meta["uid"]), lives),
        false => Standing::Allowed,
    };
    let theirs = match (expected["allowed"] == true, expected["allowedEver"] == true) {
        (true, _) => Standing::Allowed,
        (false, true) => Standing::Waits,
        (false, false) => Standing::Never,
    };
    if standing != theirs {
        return same(standing, theirs);
    }
    let field = "expectedStartedStaticPodsByFullname";
    if let Some(all) = expected[field].as_object() {
        let theirs = all.iter().map(|(name, one)| (name.clone(), uid(one))).collect();
        if starts.started != theirs {
            return same(starts.started, theirs);
        }
    }
    let field = "expectedWaitingToStartStaticPodsByFullname";
    let Some(all) = expected[field].as_object() else { return Outcome::Equal };
    let of = |all: &Value| all.as_array().into_iter().flatten().map(uid).collect::<Vec<_>>();
    same(starts.waiting, all.iter().map(|(name, all)| (name.clone(), of(all))).collect())
}

const THROUGH: ContainerStatus = ContainerStatus {
    state: ContainerState::Terminated(Termination {
        exit_code: 0,
        reason: TerminationReason::Completed,
        started: SimTime::ZERO,
        finished: SimTime::ZERO,
    }),
    last: None,
    restarts: 0,
    ready: true,
    started: false,
    held_back_millis: 0,
};

#[test]
pub fn kubelet_pod_conditions() {
    run("pod status", include_str!("../data/vectors/kubelet_pod_status.json"), |function, case| {
        let (input, expected) = (&case["input"], &case["expected"]);
        match function {
            "TestGenerateContainersReadyCondition" => condition(case, |it| it.containers_ready()),
            "TestGeneratePodInitializedCondition" => condition(case, |it| it.initialized()),
            "TestGeneratePodReadyCondition" => condition(case, |it| {
                it.ready(|gate| {
                    let mut set = list(input, "conditions").iter();
                    let condition = set.find(|condition| condition["type"] == gate)?;
                    Some(Tristate::parse(condition["status"].as_str()?))
                })
            }),
            "TestGeneratePodReadyToStartContainersCondition" => {
                let stands = |it: &&Value| it["state"] == "SANDBOX_READY";
                let sandbox = list(&input["status"], "sandboxStatuses").iter().find(stands);
                let address = sandbox.and_then(|it| it["network"]["ip"].as_str()?.parse().ok());
                same(ready_to_start(address), expected["expected"]["status"] == "True")
            }
            "Test_generateAPIPodStatus" => whole_status(case),
            "TestTerminatePod_EnsurePodPhaseIsTerminal" => {
                let ours = phase_at_end(phase(&input["status"]["phase"]));
                same(ours, phase(&expected["wantStatus"]["phase"]))
            }
            "TestConvertToAPIContainerStatuses" => converted_statuses(case),
            "TestMergePodStatus" => merged_status(case),
            "TestSortPodIPs" => {
                let texts: Vec<&str> =
                    list(input, "podIPs").iter().filter_map(Value::as_str).collect();
                let node = input["nodeIP"].as_str().and_then(|text| text.parse().ok());
                let ours = in_order(node, &texts);
                let ours: Vec<String> = ours.iter().map(ToString::to_string).collect();
                let theirs = list(expected, "expectedIPs").iter().filter_map(Value::as_str);
                same(ours, theirs.map(str::to_owned).collect())
            }
            "TestTruncatePodHostname" => {
                let ours = truncated(input["input"].as_str().unwrap_or(""));
                same(ours.ok().as_deref(), expected["output"].as_str())
            }
            "TestGeneratePodHostNameAndDomain" => named(input, expected),
            other => Outcome::Different(format!("nobody asks {other}")),
        }
    });
}

#[test]
pub fn backoff() {
    let nanos = SimDuration::from_nanos;
    let law = |initial, max| BackoffLaw {
        initial: nanos(initial),
        max: nanos(max),
        forgotten_after: nanos(2 * max),
    };
    let table: Value =
        serde_json::from_str(include_str!("../data/vectors/backoff.json")).expect("table");
    // Both tests are loops over one back-off: the cases before a case are its past.
    let of = |function: &str| -> Vec<Value> {
        list(&table, "cases").iter().filter(|case| case["function"] == function).cloned().collect()
    };
    let mut answers: Vec<(Value, bool, u64)> = Vec::new();
    let (short, mut state) = (law(1, 10), Backoff::default());
    for case in of("TestIsInBackOffSinceUpdate") {
        let tick = go_nanos(&case["input"]["tick"]);
        let now = SimTime::from_nanos(tick);
        let waits = state.until_since_update(&short, now).is_some();
        answers.push((case["name"].clone(), waits, state.wait().as_nanos()));
        if !waits {
            state.next(&short, now, now);
        }
    }
    run(
        "back-off",
        include_str!("../data/vectors/backoff.json"),
        |function, case| match function {
            "TestIsInBackOffSinceUpdate" => {
                let (_, waits, _) =
                    answers.iter().find(|(name, ..)| *name == case["name"]).expect("case");
                same(*waits, case["expected"]["inBackOff"] == true)
            }
            "TestSlowBackoff" => {
                let nth =
                    case["name"].as_str().and_then(|name| name.strip_prefix("case-")?.parse().ok());
                let (slow, mut state) = (law(1, 50), Backoff::default());
                for i in 0..nth.unwrap_or(0) {
                    let now = SimTime::from_nanos(i);
                    state.next(&slow, now, now);
                }
                same(state.wait().as_nanos(), go_nanos(&case["expected"]["value"]))
            }
            "TestBackoff_Step" => steps(case),
            other => Outcome::Different(format!("nobody asks {other}")),
        },
    );
}

fn go_nanos(text: &Value) -> u64 {
    let text = text.as_str().unwrap_or("");
    SimDuration::parse(text).expect("duration").as_nanos()
}

#[test]
pub fn kubelet_misc() {
    run("kubelet", include_str!("../data/vectors/kubelet_misc.json"), |function, case| {
        let (input, expected) = (&case["input"], &case["expected"]);
        let seconds = |field: &str| input[field].as_u64().map(|seconds| seconds as u32);
        match function {
            "Test_calculateEffectiveGracePeriod" => {
                let spec = seconds("podSpecTerminationGracePeriodSeconds").unwrap_or(30);
                let deletion = seconds("podDeletionGracePeriodSeconds");
                let ours = effective_grace(spec, deletion, seconds("gracePeriodOverride"));
                same(Some(ours.into()), expected["expectedGracePeriod"].as_u64())
            }
            "TestApplyDefaultImageTag" => {
                let ours = with_tag(&input["input"].as_str().unwrap_or("").into());
                same(Some(&*ours), expected["output"].as_str())
            }
            "TestCrashLoopBackOffConfiguration" => {
                let decay = match list(input, "featureGates").is_empty() {
                    true => CrashDecay::Default,
                    false => CrashDecay::Reduced,
                };
                let nanos = |text: &Value| SimDuration::from_nanos(go_nanos(text));
                let ours = BackoffLaw::of_crashes(decay, Some(nanos(&input["configuredMax"])));
                let theirs = [nanos(&expected["expectedInitial"]), nanos(&expected["expectedMax"])];
                same([ours.initial, ours.max], theirs)
            }
            "Test_migrateConfig" => {
                let nanos = |field: &str| SimDuration::from_nanos(go_nanos(&input["args"][field]));
                let ours = shutdown_groups(
                    nanos("shutdownGracePeriodRequested"),
                    nanos("shutdownGracePeriodCriticalPods"),
                );
                let ours = ours.iter().map(|it| (it.priority.into(), it.period.as_secs()));
                let theirs = list(expected, "want").iter();
                let theirs = theirs.map(|it| {
                    let seconds = it["shutdownGracePeriodSeconds"].as_u64();
                    (it["priority"].as_i64().unwrap_or(-1), seconds.unwrap_or(u64::MAX))
                });
                same(ours.collect::<Vec<(i64, u64)>>(), theirs.collect())
            }
            "TestProbe" => tried(input, expected),
            "Test_allowPodStart" => allowed_start(input, expected),
            "TestShouldAllContainersRestart" => {
                let underway = list(&input["apiPodStatus"], "conditions").iter();
                let mut underway = underway.filter(|it| it["type"] == "AllContainersRestarting");
                let anew = match underway.any(|it| it["status"] == "True") {
                    true => Anew::Underway,
                    false => Anew::No,
                };
                let spec = spec(&input["pod"]["spec"]);
                let ended = list(&input["podStatus"], "containerStatuses").iter();
                let ended = ended.filter(|it| it["state"] == "exited").map(|status| {
                    let mut all = spec.init_containers.iter().chain(&spec.containers);
                    let container = all.find(|it| status["name"] == *it.name).expect("a container");
                    (container, status["exitCode"].as_i64().unwrap_or(0) as i32)
                });
                same(Some(all_restart(anew, ended)), expected["expected"].as_bool())
            }
            "TestValidateImageGCPolicy" => {
                let percent =
                    |field: &str| input["imageGCPolicy"][field].as_i64().unwrap_or_default();
                let ours = image_gc::Policy::default()
                    .between(percent("highThresholdPercent"), percent("lowThresholdPercent"));
                let ours = ours.err().unwrap_or_default();
                same(Some(&*ours), expected["expectErr"].as_str())
            }
            other => Outcome::Different(format!("nobody asks {other}")),
        }
    });
}
