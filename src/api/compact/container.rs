//! Containers, their ports and their probes.

use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::intern::Interner;
use super::unsigned;
use crate::api::pod::{
    Container, ContainerPort, ExitCodes, Hook, Lifetime, OnResize, Probe, ProbeHandler, Protocol,
    PullPolicy, ResizePolicy, RestartAction, RestartPolicy, RestartRule,
};
use crate::api::rules::resources::{amounts, counted};
use crate::time::SimDuration;

/// Whether a container stands among the init containers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Init,
    Main,
}

pub(super) fn protocol(written: Option<&str>) -> Protocol {
    match written {
        Some("UDP") => Protocol::Udp,
        Some("SCTP") => Protocol::Sctp,
        _ => Protocol::Tcp,
    }
}

/// A port number; 0 where it is none.
pub(super) fn port(number: i32) -> u16 {
    u16::try_from(number).unwrap_or(0)
}

pub(super) fn lifetime(written: &core::Container, place: Place) -> Lifetime {
    match (place, written.restart_policy.as_deref()) {
        (Place::Init, Some("Always")) => Lifetime::Sidecar,
        _ => Lifetime::Normal,
    }
}

pub(super) fn restart_policy(written: &str) -> RestartPolicy {
    match written {
        "Never" => RestartPolicy::Never,
        "OnFailure" => RestartPolicy::OnFailure,
        _ => RestartPolicy::Always,
    }
}

fn restart_rule(written: &core::ContainerRestartRule) -> RestartRule {
    let codes = |it: &core::ContainerRestartRuleOnExitCodes| {
        let values = it.values.clone().unwrap_or_default();
        if it.operator == "In" { ExitCodes::In(values) } else { ExitCodes::NotIn(values) }
    };
    let is_all = written.action == "RestartAllContainers";
    RestartRule {
        action: if is_all { RestartAction::RestartAll } else { RestartAction::Restart },
        codes: written.exit_codes.as_ref().map_or(ExitCodes::In(Vec::new()), codes),
    }
}

fn seconds(number: Option<i32>, default: i32) -> SimDuration {
    SimDuration::from_secs(u64::from(unsigned(i64::from(number.unwrap_or(default)))))
}

/// The number of a probe's port; 0 for a name the container does not declare.
fn probe_port(written: &IntOrString, container: &core::Container) -> u16 {
    match written {
        IntOrString::Int(number) => port(*number),
        IntOrString::String(name) => container
            .ports
            .iter()
            .flatten()
            .find(|it| it.name.as_ref() == Some(name))
            .map_or(0, |it| port(it.container_port)),
    }
}

fn probe(written: &core::Probe, container: &core::Container) -> Option<Probe> {
    let handler = if let Some(http) = &written.http_get {
        ProbeHandler::HttpGet(probe_port(&http.port, container))
    } else if let Some(tcp) = &written.tcp_socket {
        ProbeHandler::TcpSocket(probe_port(&tcp.port, container))
    } else if let Some(grpc) = &written.grpc {
        ProbeHandler::Grpc(port(grpc.port))
    } else {
        written.exec.as_ref()?;
        ProbeHandler::Exec
    };
    let threshold = |number: Option<i32>, default| unsigned(i64::from(number.unwrap_or(default)));
    Some(Probe {
        handler,
        initial_delay: seconds(written.initial_delay_seconds, 0),
        period: seconds(written.period_seconds, 10),
        timeout: seconds(written.timeout_seconds, 1),
        success_threshold: threshold(written.success_threshold, 1),
        failure_threshold: threshold(written.failure_threshold, 3),
        grace_seconds: written.termination_grace_period_seconds.map(unsigned),
    })
}

/// What a lifecycle hook does (kubelet 1.36 `lifecycle/handlers.go` Run: the first of these it has).
fn hook(written: &core::LifecycleHandler, container: &core::Container) -> Hook {
    if let Some(exec) = &written.exec {
        return Hook::Exec(sleeps(exec.command.as_deref().unwrap_or_default()));
    }
    if let Some(http) = &written.http_get {
        return match http.host.as_deref() {
            None | Some("") => Hook::HttpGet(probe_port(&http.port, container)),
            Some(_) => Hook::HttpGetElsewhere,
        };
    }
    let seconds = |it: &core::SleepAction| u64::from(unsigned(it.seconds));
    let sleep = written.sleep.as_ref().map(seconds);
    sleep.map_or(Hook::Unknown, |seconds| Hook::Sleep(SimDuration::from_secs(seconds)))
}

/// How long a command takes that does nothing but sleep (`sleep 15`, also in a shell); of others nobody knows.
fn sleeps(command: &[String]) -> Option<SimDuration> {
    let words: Vec<&str> = match command {
        [shell, flag, script] if flag == "-c" && is_shell(shell) => {
            script.trim().trim_end_matches(';').split_whitespace().collect()
        }
        _ => command.iter().map(String::as_str).collect(),
    };
    let ["sleep" | "/bin/sleep" | "/usr/bin/sleep", time] = words[..] else { return None };
    let time = time.strip_suffix('s').unwrap_or(time);
    time.parse().ok().map(SimDuration::from_secs)
}

fn is_shell(path: &str) -> bool {
    matches!(path.rsplit('/').next(), Some("sh" | "bash" | "ash" | "dash"))
}

fn on_resize(written: &core::Container) -> OnResize {
    let of = |name: &str| {
        let found = written.resize_policy.iter().flatten().find(|it| it.resource_name == name);
        match found.map(|it| &*it.restart_policy) {
            Some("RestartContainer") => ResizePolicy::Restart,
            _ => ResizePolicy::InPlace,
        }
    };
    OnResize { cpu: of("cpu"), memory: of("memory") }
}

impl Interner {
    pub(super) fn container(&mut self, written: &core::Container, place: Place) -> Container {
        let resources = written.resources.as_ref();
        let of = |it: &Option<core::Probe>| it.as_ref().and_then(|it| probe(it, written));
        let lifecycle = written.lifecycle.as_ref();
        let post_start = lifecycle.and_then(|it| it.post_start.as_ref());
        let pre_stop = lifecycle.and_then(|it| it.pre_stop.as_ref());
        Container {
            name: self.text(&written.name),
            image: self.optional(written.image.as_deref()),
            pull: match written.image_pull_policy.as_deref() {
                Some("Always") => PullPolicy::Always,
                Some("Never") => PullPolicy::Never,
                _ => PullPolicy::IfNotPresent,
            },
            requests: counted(&amounts(resources.and_then(|it| it.requests.as_ref()))),
            limits: counted(&amounts(resources.and_then(|it| it.limits.as_ref()))),
            ports: written.ports.iter().flatten().map(|it| self.container_port(it)).collect(),
            startup: of(&written.startup_probe),
            liveness: of(&written.liveness_probe),
            readiness: of(&written.readiness_probe),
            lifetime: lifetime(written, place),
            restart_policy: written.restart_policy.as_deref().map(restart_policy),
            restart_rules: written
                .restart_policy_rules
                .iter()
                .flatten()
                .map(restart_rule)
                .collect(),
            on_resize: on_resize(written),
            post_start: post_start.map(|it| hook(it, written)),
            pre_stop: pre_stop.map(|it| hook(it, written)),
        }
    }

    fn container_port(&mut self, written: &core::ContainerPort) -> ContainerPort {
        ContainerPort {
            name: self.optional(written.name.as_deref()),
            port: port(written.container_port),
            protocol: protocol(written.protocol.as_deref()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_that_only_sleep_take_their_time() {
        let of = |command: &[&str]| {
            sleeps(&command.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
        };
        let fifteen = Some(SimDuration::from_secs(15));
        assert_eq!(of(&["sleep", "15"]), fifteen);
        assert_eq!(of(&["/bin/sh", "-c", "sleep 15;"]), fifteen);
        assert_eq!(of(&["bash", "-c", " sleep 15s "]), fifteen);
        assert_eq!(of(&["/bin/sh", "-c", "sleep 15 && nginx -s quit"]), None);
        assert_eq!(of(&["nginx", "-s", "quit"]), None);
        assert_eq!(of(&["sleep", "long"]), None);
    }

    #[test]
    fn a_hook_asks_a_port_of_its_pod_or_somebody_else() {
        let container: core::Container = serde_json::from_value(serde_json::json!({
            "name": "a", "ports": [{"name": "admin", "containerPort": 9000}],
        }))
        .expect("a container");
        let of = |written: serde_json::Value| {
            hook(&serde_json::from_value(written).expect("a hook"), &container)
        };
        let get = |more: &str| {
            let text = format!("{{\"httpGet\": {{\"port\": \"admin\"{more}}}}}");
            of(serde_json::from_str(&text).expect("json"))
        };
        assert_eq!(get(""), Hook::HttpGet(9000));
        assert_eq!(get(", \"host\": \"queue.example\""), Hook::HttpGetElsewhere);
        assert_eq!(of(serde_json::json!({"httpGet": {"port": "none"}})), Hook::HttpGet(0));
        assert_eq!(of(serde_json::json!({"tcpSocket": {"port": 80}})), Hook::Unknown);
        let sleep = of(serde_json::json!({"sleep": {"seconds": 3}}));
        assert_eq!(sleep, Hook::Sleep(SimDuration::from_secs(3)));
    }
}
