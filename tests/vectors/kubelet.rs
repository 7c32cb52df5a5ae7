//! What a kubelet works out: phases, conditions, waits and grace periods.

use serde_json::Value;
use wavetank::api::pod::{
    Container, ContainerState, ContainerStatus, Lifetime, Phase, PodSpec, PullPolicy,
    RestartPolicy, Termination, TerminationReason, WaitingReason,
};
use wavetank::api::resources::Resources;
use wavetank::node::container_engine::simulated::with_tag;
use wavetank::node::kubelet::backoff::{Backoff, BackoffLaw};
use wavetank::node::kubelet::conditions::{containers_ready, pod_initialized, pod_ready};
use wavetank::node::kubelet::effective_grace;
use wavetank::node::kubelet::phase::{Finality, Initialized, pod_phase};
use wavetank::time::{SimDuration, SimTime};

use super::suite::{Outcome, run, same};

fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value[field].as_array().map_or(&[], Vec::as_slice)
}

fn container(value: &Value) -> Container {
    let sidecar = value["restartPolicy"] == "Always";
    Container {
        name: value["name"].as_str().unwrap_or("").into(),
        image: "".into(),
        pull: PullPolicy::default(),
        requests: Resources::default(),
        limits: Resources::default(),
        ports: Vec::new(),
        startup: None,
        liveness: None,
        readiness: None,
        lifetime: if sidecar { Lifetime::Sidecar } else { Lifetime::Normal },
        pre_stop: None,
    }
}

fn spec(value: &Value) -> PodSpec {
    PodSpec {
        init_containers: list(value, "initContainers").iter().map(container).collect(),
        containers: list(value, "containers").iter().map(container).collect(),
        restart_policy: match value["restartPolicy"].as_str() {
            Some("Never") => RestartPolicy::Never,
            Some("OnFailure") => RestartPolicy::OnFailure,
            _ => RestartPolicy::Always,
        },
        grace_seconds: 30,
        readiness_gates: list(value, "readinessGates")
            .iter()
            .filter_map(|gate| Some(gate["conditionType"].as_str()?.into()))
            .collect(),
        ..PodSpec::default()
    }
}

/// Go's exit code -1 is any bad one.
fn ended(value: &Value) -> Option<Termination> {
    let terminated = value.get("terminated")?;
    let code = terminated["exitCode"].as_i64().unwrap_or(0);
    let reason = TerminationReason::Error;
    let zero = SimTime::ZERO;
    let exit_code = u8::try_from(code).unwrap_or(255);
    Some(Termination { exit_code, reason, started: zero, finished: zero })
}

/// The statuses of all containers of a spec; one that has none is waiting, never having run.
fn statuses(spec: &PodSpec, values: &[Value]) -> Vec<ContainerStatus> {
    let containers = spec.init_containers.iter().chain(&spec.containers);
    let one = |container: &Container| {
        let found = values.iter().find(|status| status["name"] == *container.name);
        let found = found.unwrap_or(&Value::Null);
        let state = match (found["state"].get("running"), ended(&found["state"])) {
            (Some(_), _) => ContainerState::Running(SimTime::ZERO),
            (None, Some(end)) => ContainerState::Terminated(end),
            (None, None) => ContainerState::Waiting(WaitingReason::ContainerCreating),
        };
        ContainerStatus {
            state,
            last: ended(&found["lastState"]),
            restarts: 0,
            ready: found["ready"] == true,
            started: found["started"] == true,
        }
    };
    containers.map(one).collect()
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
        if matches!(
            function,
            "TestPodPhaseWithContainerRestartPolicy"
                | "TestPodPhaseWithContainerRestartPolicyInitContainers"
                | "TestPodPhaseWithRestartAllContainers"
        ) {
            return Outcome::Excluded("restart policies of single containers are not modelled");
        }
        let spec = spec(&input["pod"]["spec"]);
        let status = &input["pod"]["status"];
        let values =
            [list(status, "initContainerStatuses"), list(status, "containerStatuses")].concat();
        let is_final = input["podIsTerminal"] == true;
        let finality = if is_final { Finality::Final } else { Finality::Open };
        let once = input["podHasInitialized"] == true;
        let initialized = if once { Initialized::Once } else { Initialized::NotYet };
        let ours = pod_phase(&spec, &statuses(&spec, &values), finality, initialized);
        same(ours, phase(&expected["status"]))
    });
}

#[test]
pub fn kubelet_pod_conditions() {
    run("pod status", include_str!("../data/vectors/kubelet_pod_status.json"), |function, case| {
        let (input, expected) = (&case["input"], &case["expected"]);
        let rule = match function {
            "TestGenerateContainersReadyCondition" => containers_ready,
            "TestGeneratePodReadyCondition" => pod_ready,
            "TestGeneratePodInitializedCondition" => pod_initialized,
            "Test_generateAPIPodStatus" | "TestConvertToAPIContainerStatuses" => {
                return Outcome::Excluded(
                    "asked of whole runs: states come from an engine, not a table",
                );
            }
            "TestTerminatePod_EnsurePodPhaseIsTerminal" | "TestMergePodStatus" => {
                return Outcome::Excluded("part of writing a status, not a rule of its own here");
            }
            _ => {
                return Outcome::Excluded(
                    "host names, sandboxes and second addresses are not modelled",
                );
            }
        };
        if input["containerStatuses"].is_null() {
            return Outcome::Excluded("a kubelet of ours always has statuses");
        }
        if !list(input, "conditions").is_empty() {
            return Outcome::Excluded("nobody sets the conditions of readiness gates");
        }
        let spec = spec(&input["spec"]);
        let statuses = statuses(&spec, list(input, "containerStatuses"));
        let ours = rule(&spec, &statuses, phase(&input["podPhase"]));
        let theirs = expected.get("expectReady").or(expected.get("expected"));
        same(ours, theirs.is_some_and(|condition| condition["status"] == "True"))
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
                Outcome::Excluded("no setting of nodes changes the law")
            }
            "TestProbe" => {
                Outcome::Excluded("outcomes of probes are programs' here, not commands'")
            }
            "Test_allowPodStart" => Outcome::Excluded("static pods are not modelled"),
            "TestShouldAllContainersRestart" => Outcome::Excluded("restart rules are not modelled"),
            _ => Outcome::Excluded("image clean-up and shutdown of nodes are not modelled"),
        }
    });
}
