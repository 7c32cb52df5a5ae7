//! What a kubelet says of its pods and of its node (kubelet 1.36 `pkg/kubelet/events`, `images/image_manager.go`,
//! `kuberuntime/kuberuntime_container.go`, `prober/prober.go`, `kubelet_node_status.go`).
//!
//! Only the words: when each is said is for those who decide it. What a probe's command answers, and the texts
//! of an engine's errors, nobody knows: nothing is said of them.

use std::net::Ipv4Addr;

use serde_json::Value;

use super::eviction::Starved;
use super::worker::{SandboxKnown, Worker};
use super::{Desk, KubeletNode, Timer};
use crate::api::kind::Kind;
use crate::api::meta::{ObjectName, Uid};
use crate::api::node::{NodeConditions, Tristate};
use crate::api::pod::{Container, ProbeHandler, TerminationReason};
use crate::api::quantity::{Format, Quantity};
use crate::api::rules::image_names::whole_reference;
use crate::luck::{Label, Luck};
use crate::messages::core_event::Source;
use crate::messages::engine::{EngineError, Exit, ProbeKind};
use crate::messages::{About, CoreEvent, Effects, Remark};
use crate::time::{SimDuration, SimTime};

const KUBELET: &str = "kubelet";
/// What is said of conditions that are true, and false.
const MEMORY: [&str; 2] = ["NodeHasInsufficientMemory", "NodeHasSufficientMemory"];
const DISK: [&str; 2] = ["NodeHasDiskPressure", "NodeHasNoDiskPressure"];
const PID: [&str; 2] = ["NodeHasInsufficientPID", "NodeHasSufficientPID"];
const BOOT: Label = Label::new("boot-id");
const READY: [&str; 2] = ["NodeReady", "NodeNotReady"];

impl Worker {
    /// Something about the pod.
    pub(super) fn say(&self, desk: &mut Desk<'_>, remark: impl FnOnce() -> Remark) {
        let now = desk.fx.now();
        self.say_at(now, None, desk, || Some(remark()));
    }

    /// Something about one of its containers.
    pub(super) fn say_of(
        &self,
        index: usize,
        desk: &mut Desk<'_>,
        remark: impl FnOnce(&Container) -> Remark,
    ) {
        let now = desk.fx.now();
        self.say_at(now, Some(index), desk, || Some(remark(self.container(index))));
    }

    fn say_at(
        &self,
        at: SimTime,
        container: Option<usize>,
        desk: &mut Desk<'_>,
        remark: impl FnOnce() -> Option<Remark>,
    ) {
        let host = &desk.node.meta.name;
        desk.fx.say_at(at, || {
            let source = Source::Core { component: KUBELET, host: Some(host.clone()) };
            let mut about = About::named(self.name.clone(), Some(self.uid));
            about.field = container.map(|index| {
                let list = if index < self.inits() { "initContainers" } else { "containers" };
                format!("spec.{list}{{{}}}", self.container(index).name).into()
            });
            Some(CoreEvent { source, about, remark: remark()? })
        });
    }

    /// A container ended and waits before it is started again.
    pub(super) fn say_back_off(&self, index: usize, desk: &mut Desk<'_>) {
        self.say_of(index, desk, |container| {
            let ObjectName { namespace, name, .. } = &self.name;
            let pod = format!("{name}_{namespace}({})", self.uid);
            let what =
                format!("Back-off restarting failed container {} in pod {pod}", container.name);
            Remark::warning("BackOff", what)
        });
    }

    /// A try of a probe of this `kind` failed just now.
    pub(super) fn say_unhealthy(&self, index: usize, kind: ProbeKind, desk: &mut Desk<'_>) {
        let (Some(probe), SandboxKnown::Made(Some(address))) =
            (kind.of(self.container(index)), self.sandbox)
        else {
            return;
        };
        let now = desk.fx.now();
        let failure = self.failure(index, now);
        self.say_at(now, Some(index), desk, || {
            let written = self.written_probe(index, kind);
            let what = answer(probe.handler, &written, address, failure)?;
            Some(Remark::warning("Unhealthy", format!("{} probe failed: {what}", kind.name())))
        });
    }

    /// Why a probe of this `kind` failed, in plain words that follow on what failed.
    pub(super) fn why_unhealthy(&self, index: usize, kind: ProbeKind, now: SimTime) -> String {
        let Some(probe) = kind.of(self.container(index)) else { return String::new() };
        let (times, period) = (probe.failure_threshold.max(1), probe.period.as_secs());
        let often = match times {
            1 => " once".to_owned(),
            _ => format!(" {times} times, {period} s apart"),
        };
        match self.failure(index, now) {
            Failure::Hangs => {
                let hung = now.saturating_since(self.runs[index].answers.until).as_secs();
                let timeout = probe.timeout.as_secs();
                format!(
                    "{often}: no answer within {timeout} s: the program hangs, for {hung} s now"
                )
            }
            Failure::Refused => {
                format!("{often}: connection refused: the program does not answer yet")
            }
        }
    }

    /// How its program fails its probes at `now`.
    fn failure(&self, index: usize, now: SimTime) -> Failure {
        match self.runs[index].answers.until <= now {
            true => Failure::Hangs,
            false => Failure::Refused,
        }
    }

    /// The probe as it is written.
    fn written_probe(&self, index: usize, kind: ProbeKind) -> Value {
        let spec: Value = serde_json::from_str(&self.spec.written).unwrap_or_default();
        let (list, at) = match index.checked_sub(self.inits()) {
            None => ("initContainers", index),
            Some(at) => ("containers", at),
        };
        spec[list][at][kind.field()].clone()
    }
}

/// How a program fails a probe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Failure {
    /// It does not listen.
    Refused,
    /// It does not answer in time.
    Hangs,
}

/// What a probe that fails has to tell, in the words of Go's net and http.
fn answer(
    handler: ProbeHandler,
    written: &Value,
    address: Ipv4Addr,
    failure: Failure,
) -> Option<String> {
    let (ProbeHandler::HttpGet(port) | ProbeHandler::TcpSocket(port)) = handler else {
        return None;
    };
    let refused = format!("dial tcp {address}:{port}: connect: connection refused");
    let is_http = matches!(handler, ProbeHandler::HttpGet(_));
    if !is_http {
        return Some(match failure {
            Failure::Refused => refused,
            Failure::Hangs => format!("dial tcp {address}:{port}: i/o timeout"),
        });
    }
    let get = &written["httpGet"];
    let scheme = get["scheme"].as_str().unwrap_or("HTTP").to_lowercase();
    let path = get["path"].as_str().unwrap_or("/").trim_start_matches('/');
    let why = match failure {
        Failure::Refused => &refused,
        Failure::Hangs => {
            "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        }
    };
    Some(format!("Get \"{scheme}://{address}:{port}/{path}\": {why}"))
}

/// Why a container ended, in plain words; nothing of one that ended well.
pub(super) fn why_ended(container: &Container, exit: Exit) -> Option<String> {
    let Container { name, limits, .. } = container;
    if exit.reason == TerminationReason::OomKilled {
        let limit = match limits.memory {
            0 => "it has no limit, its node has no more".to_owned(),
            limit => format!("its limit is {}", Quantity::new(limit, Format::BinarySi)),
        };
        let killed = match exit.code {
            SIGKILLED => format!("container {name} was killed"),
            _ => format!("a process of container {name} was killed"),
        };
        return Some(format!("OOMKilled: {killed} because memory ran out: {limit}"));
    }
    match exit.code {
        0 => None,
        code @ 129..=255 => Some(format!("container {name} was ended by {}", signal(code - 128))),
        code => Some(format!("the program of container {name} ended itself with error {code}")),
    }
}

/// What a shell and container engines make of a program that signal 9 ended.
const SIGKILLED: i32 = 128 + 9;

/// A signal of Linux by its number.
fn signal(number: i32) -> String {
    let name = match number {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT, as a program that gives up",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV, as a program with a bad pointer",
        13 => "SIGPIPE",
        15 => "SIGTERM",
        _ => return format!("signal {number}"),
    };
    name.to_owned()
}

/// An image is fetched.
pub(super) fn pulling(container: &Container) -> Remark {
    Remark::normal("Pulling", format!("Pulling image \"{}\"", container.image))
}

/// An image was there already.
pub(super) fn present(container: &Container) -> Remark {
    let image = &container.image;
    let what = format!(
        "Container image \"{image}\" already present on machine and can be accessed by the pod"
    );
    Remark::normal("Pulled", what)
}

/// An image was fetched, which took so long, and so long with all that was fetched before it.
pub(super) fn pulled(
    container: &Container,
    bytes: i64,
    (took, in_all): (SimDuration, SimDuration),
) -> Remark {
    let (image, took, in_all) = (&container.image, go_duration(took), go_duration(in_all));
    let what = format!(
        "Successfully pulled image \"{image}\" in {took} ({in_all} including waiting). Image size: \
         {bytes} bytes."
    );
    Remark::normal("Pulled", what)
}

/// An image could not be fetched.
pub(super) fn pull_failed(container: &Container, error: &EngineError) -> Remark {
    let why = match error {
        EngineError::NotFound(image) => {
            let reference = whole_reference(image);
            format!(
                "rpc error: code = NotFound desc = failed to pull and unpack image \"{reference}\": failed to \
                 resolve reference \"{reference}\": {reference}: not found"
            )
        }
        EngineError::AlreadyExists => "rpc error: code = AlreadyExists".to_owned(),
        EngineError::Unknown(why) => why.to_string(),
    };
    Remark::warning("Failed", format!("Failed to pull image \"{}\": {why}", container.image))
}

/// An image that could not be fetched is not fetched yet.
pub(super) fn backs_off_pulling(container: &Container) -> Remark {
    Remark::normal("BackOff", format!("Back-off pulling image \"{}\"", container.image))
}

/// The name of an image is none.
pub(super) fn unreadable(container: &Container) -> Remark {
    let image = &container.image;
    let what = format!(
        "Failed to apply default image tag \"{image}\": couldn't parse image name \"{image}\": invalid \
         reference format"
    );
    Remark::warning("InspectFailed", what)
}

/// An image is not there and must not be fetched.
pub(super) fn never_pulled(container: &Container) -> Remark {
    let image = &container.image;
    let what = format!("Container image \"{image}\" is not present with pull policy of Never");
    Remark::warning("ErrImageNeverPull", what)
}

/// A duration cut to the millisecond as Go prints it.
fn go_duration(span: SimDuration) -> String {
    let millis = span.as_millis();
    let fraction = |millis: u64| {
        let text = format!("{}.{:03}", millis / 1000, millis % 1000);
        format!("{}s", text.trim_end_matches('0').trim_end_matches('.'))
    };
    let (minutes, hours) = (millis / 60_000, millis / 3_600_000);
    match (hours, minutes) {
        _ if millis == 0 => "0s".to_owned(),
        (0, 0) if millis < 1000 => format!("{millis}ms"),
        (0, 0) => fraction(millis),
        (0, _) => format!("{minutes}m{}", fraction(millis % 60_000)),
        _ => format!("{hours}h{}m{}", minutes % 60, fraction(millis % 60_000)),
    }
}

impl KubeletNode {
    /// It starts, and looks at its node anew.
    pub(super) fn say_started(&self, luck: Luck, fx: &mut Effects<Timer>) {
        fx.say(|| Some(self.event(Remark::normal("Starting", "Starting kubelet."))));
        if self.has_rebooted {
            fx.say(|| {
                let name = &self.meta.name;
                let boot = Uid(luck.identity(BOOT, &[&name.to_string()], self.reboots));
                let what = format!("Node {name} has been rebooted, boot id: {boot}");
                Some(self.event(Remark::warning("Rebooted", what)))
            });
        }
        for [_, reason] in [MEMORY, DISK, PID] {
            fx.say(|| Some(self.event(self.status(reason))));
        }
        let enforced = "Updated Node Allocatable limit across pods";
        fx.say(|| Some(self.event(Remark::normal("NodeAllocatableEnforced", enforced))));
    }

    /// It posts these conditions of its node, which so far are written as `before`.
    pub(super) fn told_by(
        &self,
        before: &NodeConditions,
        next: &NodeConditions,
    ) -> impl Iterator<Item = CoreEvent> {
        let held = [before, next].map(|it| {
            let [memory, disk, pid] = it.pressures();
            [memory, disk, pid, it.ready]
        });
        let [before, next] = held;
        let news = [MEMORY, DISK, PID, READY].into_iter().zip(before).zip(next);
        news.filter_map(|(([when_true, when_false], before), next)| {
            let reason = match next {
                _ if next == before => return None,
                Tristate::True => when_true,
                Tristate::False => when_false,
                Tristate::Unknown => return None,
            };
            Some(self.event(self.status(reason)))
        })
    }

    /// It goes down in order.
    pub(super) fn say_shutdown(&self, fx: &mut Effects<Timer>) {
        let detected = "Shutdown manager detected shutdown event";
        fx.say(|| Some(self.event(Remark::normal("Shutdown", detected))));
    }

    /// A threshold was crossed for as long as it takes: something must give way.
    pub(super) fn say_reclaims(&self, starved: Starved, fx: &mut Effects<Timer>) {
        let what = || format!("Attempting to reclaim {}", starved.name());
        fx.say(|| Some(self.event(Remark::warning("EvictionThresholdMet", what()))));
    }

    /// `recordNodeStatusEvent`.
    fn status(&self, reason: &'static str) -> Remark {
        Remark::normal(reason, format!("Node {} status is now: {reason}", self.meta.name))
    }

    pub(super) fn event(&self, remark: Remark) -> CoreEvent {
        let source = Source::Core { component: KUBELET, host: Some(self.meta.name.clone()) };
        let about = About::named(ObjectName::of(Kind::Node, &self.meta), None);
        CoreEvent { source, about, remark }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_probe_tells_what_the_network_told_it() {
        let written = json!({"httpGet": {"path": "/healthz", "port": "http"}});
        let of = |handler, failure| answer(handler, &written, Ipv4Addr::new(10, 0, 0, 7), failure);
        assert_eq!(
            of(ProbeHandler::HttpGet(80), Failure::Refused).as_deref(),
            Some(
                "Get \"http://10.0.0.7:80/healthz\": dial tcp 10.0.0.7:80: connect: connection refused"
            )
        );
        assert_eq!(
            of(ProbeHandler::TcpSocket(80), Failure::Hangs).as_deref(),
            Some("dial tcp 10.0.0.7:80: i/o timeout")
        );
        assert_eq!(of(ProbeHandler::Exec, Failure::Refused), None);
    }

    #[test]
    fn durations_are_written_as_go_does() {
        let texts = [
            (0, "0s"),
            (317, "317ms"),
            (1317, "1.317s"),
            (13_100, "13.1s"),
            (60_000, "1m0s"),
            (834_260, "13m54.26s"),
            (3_600_001, "1h0m0.001s"),
        ];
        for (millis, text) in texts {
            assert_eq!(go_duration(SimDuration::from_millis(millis)), text);
        }
    }
}
