//! What a scenario's `apps` say of a container, as arguments of the program in our images.
//!
//! Draws are the simulated engine's own, by the same keys: a program that ends after 3.2 s there does so here.

use std::fmt::Write;
use std::net::Ipv4Addr;

use crate::api::pod::{Container, Lifetime, PodSpec, Probe, ProbeHandler, Protocol};
use crate::base::hash::StableHasher;
use crate::luck::{Draw, Label, Luck, Ratio};
use crate::messages::app::{App, Delay};
use crate::messages::engine::{ContainerRef, SandboxConfig};
use crate::messages::usage::{CORE, Course};
use crate::node::container_engine::simulated::EngineSettings;
use crate::time::{SimDuration, SimTime};

/// The spec of a pod's container by its index, init containers first.
pub(super) fn container_of(spec: &PodSpec, index: u16) -> Option<&Container> {
    spec.init_containers.iter().chain(&spec.containers).nth(usize::from(index))
}

/// The arguments of the program that stands for a container's own.
pub(super) fn arguments(
    config: &SandboxConfig,
    container: ContainerRef,
    address: Ipv4Addr,
    luck: Luck,
) -> Vec<String> {
    let key = StableHasher::new().word(config.uid.0).word(container.index.into()).finish();
    let draw = |label: &'static str| luck.draw(Label::new(label), key, container.attempt.into());
    let defaults = EngineSettings::default();
    let none = App::default();
    let app = config.apps.get(usize::from(container.index)).unwrap_or(&none);
    let mut said = vec!["run".to_owned(), format!("address={address}")];
    let mut say = |key: &str, value: String| said.push(format!("{key}={value}"));

    let hang = app.hang.as_ref().and_then(|hang| span(hang, draw("app-hang")));
    let stop = app.stop.as_ref().unwrap_or(&defaults.stop_default);
    say("stop", time(span(stop, draw("app-stop"))));
    if let Some(ready) = &app.ready {
        say("ready", time(span(ready, draw("app-ready"))));
    }
    if let Some(hang) = hang {
        say("hang", hang.as_millis().to_string());
    }
    // One that hangs does not end by itself.
    let ends = end(config, container, app, &draw);
    if let Some((after, code)) = ends.filter(|(after, _)| hang.is_none_or(|hang| *after < hang)) {
        say("exit", after.as_millis().to_string());
        say("code", code.to_string());
    }
    let ports = container_of(&config.spec, container.index).map(ports).unwrap_or_default();
    if !ports.is_empty() {
        say("http", ports);
    }
    if let Some(usage) = &app.usage {
        say("memory", course(&usage.memory.course));
        // A thousandth of a core is not worth a thread.
        if usage.cpu.course != Course::constant(CORE / 1000) {
            say("burn", course(&usage.cpu.course));
        }
        let cycle = usage.memory.course.cycle().or(usage.cpu.course.cycle());
        if let Some(cycle) = cycle {
            say("cycle", cycle.as_millis().to_string());
        }
        if let Some(code) = app.oom_exit {
            say("oom", code.to_string());
        }
    }
    said
}

/// When and how the program ends of itself: as it is told to run, or by a crash, whichever comes first.
fn end(
    config: &SandboxConfig,
    container: ContainerRef,
    app: &App,
    draw: &dyn Fn(&'static str) -> Draw,
) -> Option<(SimDuration, u8)> {
    let defaults = EngineSettings::default();
    let own = match &app.run {
        Some(run) => {
            let code = run.exit_code_of(config.job.and_then(|job| job.index));
            span(&run.lasts, draw("app-run")).map(|after| (after, code))
        }
        None => {
            let init = config.spec.init_containers.get(usize::from(container.index));
            let lasts = match (init, config.job) {
                (Some(init), _) if init.lifetime == Lifetime::Normal => defaults.init_default,
                (None, Some(_)) => defaults.job_default,
                _ => Delay::Never,
            };
            span(&lasts, draw("app-run")).map(|after| (after, 0))
        }
    };
    let crash = app.crash.as_ref().and_then(|crash| {
        let comes = crash.chance == Ratio::ONE || draw("app-crashes").chance(crash.chance);
        let after = span(&crash.after, draw("app-crash")).filter(|_| comes)?;
        Some((after, crash.exit_code))
    });
    own.into_iter().chain(crash).min_by_key(|(after, _)| *after)
}

/// How long a delay is this time; `None`: never.
fn span(delay: &Delay, draw: Draw) -> Option<SimDuration> {
    let span = delay.sample(draw);
    (SimTime::ZERO + span != SimTime::MAX).then_some(span)
}

fn time(span: Option<SimDuration>) -> String {
    span.map_or_else(|| "never".to_owned(), |span| span.as_millis().to_string())
}

/// The ports it listens on: those it declares, and those its probes ask.
fn ports(container: &Container) -> String {
    let declared = container.ports.iter().filter(|port| port.protocol == Protocol::Tcp);
    let mut ports: Vec<u16> = declared.map(|port| port.port).collect();
    let probes = [&container.startup, &container.liveness, &container.readiness];
    let asked = |probe: &Probe| match probe.handler {
        ProbeHandler::HttpGet(port) | ProbeHandler::TcpSocket(port) | ProbeHandler::Grpc(port) => {
            Some(port)
        }
        ProbeHandler::Exec => None,
    };
    ports.extend(probes.into_iter().flatten().filter_map(asked));
    ports.sort_unstable();
    ports.dedup();
    let words: Vec<String> = ports.iter().map(u16::to_string).collect();
    words.join(",")
}

fn course(course: &Course) -> String {
    let mut text = String::new();
    for (from, amount, to, over) in course.pieces() {
        let comma = if text.is_empty() { "" } else { "," };
        let (from, over) = (from.as_millis(), over.as_millis());
        // Writing to a text cannot fail.
        let _ = write!(text, "{comma}{from}:{amount}:{to}:{over}");
    }
    text
}
