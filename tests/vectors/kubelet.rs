//! What a kubelet works out: phases, conditions, waits and grace periods.

use serde_json::{Value, json};
use wavetank::api::compact::Compactor;
use wavetank::api::object::Object;
use wavetank::api::pod::{
    ContainerState, ContainerStatus, Phase, PodSpec, RestartAction, Termination, TerminationReason,
    WaitingReason,
};
use wavetank::api::rules::image_names::with_tag;
use wavetank::api::rules::pod_conditions::{Finding, Known, ready_to_start};
use wavetank::api::rules::restarts::action_on;
use wavetank::node::kubelet::backoff::{Backoff, BackoffLaw, CrashDecay};
use wavetank::node::kubelet::phase::{Finality, Initialized, phase_at_end, pod_phase};
use wavetank::node::kubelet::{effective_grace, shutdown_groups};
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
    let exit_code = u8::try_from(code).unwrap_or(255);
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
                    Some(set.find(|condition| condition["type"] == gate)?["status"] == "True")
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
            "TestConvertToAPIContainerStatuses" => Outcome::Excluded(
                "no status is put together anew at each sync: a kubelet knows its containers",
            ),
            "TestMergePodStatus" => Outcome::Excluded("the table leaves out what is merged"),
            "TestSortPodIPs" => Outcome::Excluded("pods have one address"),
            _ => Outcome::Excluded("programs do not see the host name of their pod"),
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
            _ => Outcome::Excluded("wait.Backoff is not what kubelets use"),
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
            "TestProbe" => {
                Outcome::Excluded("outcomes of probes are programs' here, not commands'")
            }
            "Test_allowPodStart" => Outcome::Excluded("static pods are not modelled"),
            "TestShouldAllContainersRestart" => {
                if !list(&input["apiPodStatus"], "conditions").is_empty() {
                    return Outcome::Excluded("a kubelet of ours remembers it, not a condition");
                }
                let spec = spec(&input["pod"]["spec"]);
                let ended = list(&input["podStatus"], "containerStatuses").iter();
                let ours = ended.filter(|it| it["state"] == "exited").any(|status| {
                    let mut all = spec.init_containers.iter().chain(&spec.containers);
                    let container = all.find(|it| status["name"] == *it.name).expect("a container");
                    let code = status["exitCode"].as_u64().unwrap_or(0) as u8;
                    action_on(container, code) == Some(RestartAction::RestartAll)
                });
                same(Some(ours), expected["expected"].as_bool())
            }
            _ => Outcome::Excluded("disks of nodes are not modelled, so nothing is cleaned up"),
        }
    });
}
