//! Probes and lifecycle hooks: bounds, and exactly one handler each.
//!
//! Follows `pkg/apis/core/validation` 1.36.

use k8s_openapi::api::core::v1::{
    ExecAction, GRPCAction, HTTPGetAction, Lifecycle, LifecycleHandler, Probe, SleepAction,
    TCPSocketAction,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::absent::{items, text};
use super::field::{Errors, Path};
use super::meta::validate_nonnegative;
use super::names::{is_http_header_name, is_valid_port_name, is_valid_port_num};

/// What a probe is for; each purpose has a rule of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Liveness,
    Readiness,
    Startup,
}

/// What a probe or a hook can do.
struct Handlers<'a> {
    exec: Option<&'a ExecAction>,
    http_get: Option<&'a HTTPGetAction>,
    tcp_socket: Option<&'a TCPSocketAction>,
    grpc: Option<&'a GRPCAction>,
    sleep: Option<&'a SleepAction>,
}

/// A probe of a container.
pub(super) fn validate_probe(
    probe: &Probe,
    purpose: Purpose,
    grace: Option<i64>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let handlers = Handlers {
        exec: probe.exec.as_ref(),
        http_get: probe.http_get.as_ref(),
        tcp_socket: probe.tcp_socket.as_ref(),
        grpc: probe.grpc.as_ref(),
        sleep: None,
    };
    validate_handlers(&handlers, grace, path, errors);
    for (field, number) in [
        ("initialDelaySeconds", probe.initial_delay_seconds),
        ("timeoutSeconds", probe.timeout_seconds),
        ("periodSeconds", probe.period_seconds),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ] {
        validate_nonnegative(number.unwrap_or(0).into(), &path.child(field), errors);
    }
    let own_grace = probe.termination_grace_period_seconds;
    let grace_path = path.child("terminationGracePeriodSeconds");
    if let Some(seconds) = own_grace.filter(|seconds| *seconds <= 0) {
        errors.invalid(&grace_path, &seconds, "must be greater than 0");
    }
    let successes = probe.success_threshold.unwrap_or(0);
    match (purpose, own_grace) {
        (Purpose::Readiness, Some(seconds)) => {
            errors.invalid(&grace_path, &seconds, "must not be set for readinessProbes");
        }
        (Purpose::Readiness, None) => {}
        (Purpose::Liveness | Purpose::Startup, _) if successes != 1 => {
            errors.invalid(&path.child("successThreshold"), &successes, "must be 1");
        }
        (Purpose::Liveness | Purpose::Startup, _) => {}
    }
}

/// Hooks of a container and its stop signal.
pub(super) fn validate_lifecycle(
    lifecycle: &Lifecycle,
    grace: Option<i64>,
    os: Option<&str>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    for (field, hook) in [("postStart", &lifecycle.post_start), ("preStop", &lifecycle.pre_stop)] {
        if let Some(hook) = hook {
            validate_handlers(&handlers_of(hook), grace, &path.child(field), errors);
        }
    }
    if let Some(signal) = &lifecycle.stop_signal {
        validate_stop_signal(signal, os, &path.child("stopSignal"), errors);
    }
}

fn handlers_of(hook: &LifecycleHandler) -> Handlers<'_> {
    Handlers {
        exec: hook.exec.as_ref(),
        http_get: hook.http_get.as_ref(),
        tcp_socket: hook.tcp_socket.as_ref(),
        grpc: None,
        sleep: hook.sleep.as_ref(),
    }
}

fn validate_handlers(
    handlers: &Handlers<'_>,
    grace: Option<i64>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    let given = [
        ("exec", handlers.exec.is_some()),
        ("httpGet", handlers.http_get.is_some()),
        ("tcpSocket", handlers.tcp_socket.is_some()),
        ("grpc", handlers.grpc.is_some()),
        ("sleep", handlers.sleep.is_some()),
    ];
    let mut given = given.iter().filter_map(|(field, set)| set.then_some(*field));
    let Some(first) = given.next() else {
        errors.required(path, "must specify a handler type");
        return;
    };
    validate_handler(handlers, first, grace, &path.child(first), errors);
    for field in given {
        errors.forbidden(&path.child(field), "may not specify more than 1 handler type");
    }
}

fn validate_handler(
    handlers: &Handlers<'_>,
    field: &str,
    grace: Option<i64>,
    path: &Path<'_>,
    errors: &mut Errors,
) {
    match field {
        "exec" if handlers.exec.is_some_and(|exec| items(&exec.command).is_empty()) => {
            errors.required(&path.child("command"), "");
        }
        "httpGet" => {
            if let Some(http) = handlers.http_get {
                validate_http_get(http, path, errors);
            }
        }
        "tcpSocket" => {
            if let Some(tcp) = handlers.tcp_socket {
                validate_port_number_or_name(&tcp.port, &path.child("port"), errors);
            }
        }
        "grpc" => {
            if let Some(grpc) = handlers.grpc {
                let port = IntOrString::Int(grpc.port);
                validate_port_number_or_name(&port, &path.child("port"), errors);
            }
        }
        "sleep" => {
            let seconds = handlers.sleep.map_or(0, |sleep| sleep.seconds);
            if let Some(grace) = grace.filter(|grace| seconds < 0 || seconds > *grace) {
                let detail = format!(
                    "must be non-negative and less than terminationGracePeriodSeconds ({grace})"
                );
                errors.invalid(path, &seconds, detail);
            }
        }
        _ => {}
    }
}

fn validate_http_get(http: &HTTPGetAction, path: &Path<'_>, errors: &mut Errors) {
    if text(&http.path).is_empty() {
        errors.required(&path.child("path"), "");
    }
    validate_port_number_or_name(&http.port, &path.child("port"), errors);
    let scheme = text(&http.scheme);
    if !matches!(scheme, "HTTP" | "HTTPS") {
        errors.not_supported(&path.child("scheme"), scheme, &["HTTP", "HTTPS"]);
    }
    for header in items(&http.http_headers) {
        for message in is_http_header_name(&header.name) {
            errors.invalid(&path.child("httpHeaders"), &header.name, message);
        }
    }
}

/// A port given by number or by name.
pub fn validate_port_number_or_name(port: &IntOrString, path: &Path<'_>, errors: &mut Errors) {
    match port {
        IntOrString::Int(number) => {
            for message in is_valid_port_num(i64::from(*number)) {
                errors.invalid(path, number, message);
            }
        }
        IntOrString::String(name) => {
            for message in is_valid_port_name(name) {
                errors.invalid(path, name, message);
            }
        }
    }
}

const SIGNALS: [&str; 34] = [
    "SIGABRT",
    "SIGALRM",
    "SIGBUS",
    "SIGCHLD",
    "SIGCLD",
    "SIGCONT",
    "SIGFPE",
    "SIGHUP",
    "SIGILL",
    "SIGINT",
    "SIGIO",
    "SIGIOT",
    "SIGKILL",
    "SIGPIPE",
    "SIGPOLL",
    "SIGPROF",
    "SIGPWR",
    "SIGQUIT",
    "SIGSEGV",
    "SIGSTKFLT",
    "SIGSTOP",
    "SIGSYS",
    "SIGTERM",
    "SIGTRAP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGUSR1",
    "SIGUSR2",
    "SIGVTALRM",
    "SIGWINCH",
    "SIGXCPU",
    "SIGXFSZ",
];

/// All signals of Linux, the real-time ones (RTMIN to +15, RTMAX-14 to RTMAX) included, sorted.
fn linux_signals() -> Vec<String> {
    let mut all: Vec<String> = SIGNALS.iter().map(ToString::to_string).collect();
    all.push("SIGRTMIN".to_owned());
    all.push("SIGRTMAX".to_owned());
    all.extend((1..=15).map(|n| format!("SIGRTMIN+{n}")));
    all.extend((1..=14).map(|n| format!("SIGRTMAX-{n}")));
    all.sort();
    all
}

fn validate_stop_signal(signal: &str, os: Option<&str>, path: &Path<'_>, errors: &mut Errors) {
    match os {
        None => {
            let detail = "may not be set for containers with empty `spec.os.name`";
            errors.forbidden(path, detail);
        }
        Some("windows") if !matches!(signal, "SIGKILL" | "SIGTERM") => {
            errors.not_supported(path, signal, &["SIGKILL", "SIGTERM"]);
        }
        Some("linux") => {
            let known = linux_signals();
            if !known.iter().any(|name| name == signal) {
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                errors.not_supported(path, signal, &known);
            }
        }
        Some(_) => {}
    }
}
