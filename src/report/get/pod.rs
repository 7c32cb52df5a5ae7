//! Pods: what they are up to in one word (`printPod`, pkg/printers/internalversion, 1.36).
//!
//! A pod has no status of its own: the word is worked out from its phase, its reason, its containers from
//! the last to the first, and whether it is being deleted. Init containers have the say until they are
//! through.

use super::read::{Clock, NONE, Read};
use super::{Column, Printer, Width, always, wide};

pub(super) static PODS: Printer = Printer { columns: COLUMNS, row };

const COLUMNS: &[Column] = &[
    always("NAME"),
    always("READY"),
    always("STATUS"),
    always("RESTARTS"),
    always("AGE"),
    wide("IP"),
    wide("NODE"),
    wide("NOMINATED NODE"),
    wide("READINESS GATES"),
];

/// Restarts, and when the latest container ended before one.
#[derive(Clone, Copy, Default)]
struct Restarts {
    count: i64,
    last: Option<i128>,
}

impl Restarts {
    fn add(&mut self, container: Read<'_>) {
        self.count += container.number("restartCount");
        self.last = self.last.max(container.instant("lastState.terminated.finishedAt"));
    }
}

/// What the containers of a pod add up to.
struct Sum {
    reason: String,
    ready: usize,
    restarts: Restarts,
}

fn row(pod: Read<'_>, clock: Clock, _: Width) -> Vec<String> {
    let is_sidecar = |it: &Read<'_>| it.text("restartPolicy") == "Always";
    let sidecars = pod.items("spec.initContainers").filter(is_sidecar).count();
    let total = pod.len("spec.containers") + sidecars;
    let mut sum = sum(pod);
    let is_going = pod.has("metadata.deletionTimestamp");
    if is_going && pod.text("status.reason") == "NodeLost" {
        sum.reason = "Unknown".to_owned();
    } else if is_going && !matches!(pod.text("status.phase"), "Succeeded" | "Failed") {
        sum.reason = "Terminating".to_owned();
    }
    let restarts = match (sum.restarts.count, sum.restarts.last) {
        (1.., last @ Some(_)) => format!("{} ({} ago)", sum.restarts.count, clock.since(last)),
        (count, _) => count.to_string(),
    };
    let ip = pod.items("status.podIPs").next().map_or("", |it| it.text("ip"));
    vec![
        pod.name(),
        format!("{}/{total}", sum.ready),
        sum.reason,
        restarts,
        pod.age(clock),
        if ip.is_empty() { NONE.to_owned() } else { ip.to_owned() },
        pod.text_or("spec.nodeName", NONE),
        pod.text_or("status.nominatedNodeName", NONE),
        gates(pod),
    ]
}

fn sum(pod: Read<'_>) -> Sum {
    let mut reason = pod.text_or("status.reason", pod.text("status.phase"));
    let is_gated =
        |it: Read<'_>| it.text("type") == "PodScheduled" && it.text("reason") == "SchedulingGated";
    if pod.items("status.conditions").any(is_gated) {
        reason = "SchedulingGated".to_owned();
    }
    let mut sum = Sum { reason, ready: 0, restarts: Restarts::default() };
    let of_sidecars = match initializing(pod, &mut sum) {
        Initializing::Yes => return sum,
        Initializing::No { sidecars } => sidecars,
    };
    sum.restarts = of_sidecars;
    containers(pod, &mut sum);
    sum
}

/// How far the init containers are.
enum Initializing {
    /// One of them has the say.
    Yes,
    /// They are through; the restarts of those that go on running.
    No { sidecars: Restarts },
}

fn initializing(pod: Read<'_>, sum: &mut Sum) -> Initializing {
    let total = pod.len("spec.initContainers");
    let mut sidecars = Restarts::default();
    let mut is_at_it = false;
    for (at, container) in pod.items("status.initContainerStatuses").enumerate() {
        let spec =
            pod.items("spec.initContainers").find(|it| it.text("name") == container.text("name"));
        let is_sidecar = spec.is_some_and(|it| it.text("restartPolicy") == "Always");
        sum.restarts.add(container);
        if is_sidecar {
            sidecars.add(container);
        }
        let (ended, waiting) =
            (container.at("state.terminated"), container.text("state.waiting.reason"));
        let has_ended = container.has("state.terminated");
        if has_ended && ended.number("exitCode") == 0 {
            continue;
        }
        if is_sidecar && container.is_true("started") {
            sum.ready += usize::from(container.is_true("ready"));
            continue;
        }
        is_at_it = true;
        sum.reason = if has_ended {
            format!("Init:{}", end(ended))
        } else if !waiting.is_empty() && waiting != "PodInitializing" {
            format!("Init:{waiting}")
        } else {
            format!("Init:{at}/{total}")
        };
        break;
    }
    let is_through = pod.condition("Initialized").is_some_and(|it| it.text("status") == "True");
    if is_at_it && !is_through { Initializing::Yes } else { Initializing::No { sidecars } }
}

/// Why a container ended; without a reason, by its signal or exit code.
fn end(ended: Read<'_>) -> String {
    match (ended.text("reason"), ended.number("signal")) {
        ("", 0) => format!("ExitCode:{}", ended.number("exitCode")),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

fn containers(pod: Read<'_>, sum: &mut Sum) {
    let mut is_one_running = false;
    for container in pod.items("status.containerStatuses").rev() {
        sum.restarts.add(container);
        let waiting = container.text("state.waiting.reason");
        if !waiting.is_empty() {
            sum.reason = waiting.to_owned();
        } else if container.has("state.terminated") {
            sum.reason = end(container.at("state.terminated"));
        } else if container.is_true("ready") && container.has("state.running") {
            is_one_running = true;
            sum.ready += 1;
        }
    }
    if sum.reason == "Completed" && is_one_running {
        let is_ready = pod.condition("Ready").is_some_and(|it| it.text("status") == "True");
        sum.reason = if is_ready { "Running" } else { "NotReady" }.to_owned();
    }
}

/// How many readiness gates are open.
fn gates(pod: Read<'_>) -> String {
    let all = pod.len("spec.readinessGates");
    if all == 0 {
        return NONE.to_owned();
    }
    let is_open = |gate: &Read<'_>| {
        let condition = pod.condition(gate.text("conditionType"));
        condition.is_some_and(|it| it.text("status") == "True")
    };
    format!("{}/{all}", pod.items("spec.readinessGates").filter(is_open).count())
}
