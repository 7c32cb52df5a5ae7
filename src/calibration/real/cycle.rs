//! One cycle: a sandbox and three containers, everything a kubelet asks for, timed. The steps are those that
//! [`crate::calibration::sitting::steps`] tells the model.

use super::machine::{first_line, wait};
use super::{Halted, Place};
use crate::calibration::sitting::OWN_END;
use crate::node::container_engine::linux::{
    Client, ContainerSpec, ContainerState, ContainerTold, SandboxSpec, Timed, Trouble,
};
use crate::scenario::profile::Phase;
use crate::time::SimDuration;

/// How often an end is looked for: as often as the engine of a real run looks.
const LOOK: SimDuration = SimDuration::from_millis(10);

/// Who keeps the samples.
pub(super) type Keep<'k> = &'k mut dyn FnMut(Phase, SimDuration);

/// From one stamp in nanoseconds to a later one.
pub(super) fn between(from: i64, to: i64) -> SimDuration {
    SimDuration::from_nanos(u64::try_from(to.saturating_sub(from)).unwrap_or(0))
}

pub(super) fn cycle(place: &Place<'_>, client: &Client, keep: Keep<'_>) -> Result<(), Halted> {
    place.go_on()?;
    let sandbox = place.runtime.sandbox(&place.name("cycle"));
    let made = client.run_pod_sandbox(&sandbox)?;
    keep(Phase::RunPodSandbox, made.took);
    let pod = &made.value;
    keep(Phase::Version, client.version()?.took);
    let first = place.container("polite", &[]);
    polite(client, (pod, &sandbox), &first, keep)?;
    place.go_on()?;
    let mut second =
        place.container("brief", &[&format!("exit={}", OWN_END.as_millis()), "code=3"]);
    ended(client, (pod, &sandbox), &second, keep)?;
    second.attempt = 1;
    ended(client, (pod, &sandbox), &second, keep)?;
    let third = place.container("killed", &[]);
    let (id, _) = started(client, (pod, &sandbox), &third, keep)?;
    keep(Phase::KillContainer, client.stop_container(&id, 0)?.took);
    keep(Phase::RemoveContainer, client.remove_container(&id)?.took);
    keep(Phase::StopPodSandbox, client.stop_pod_sandbox(pod)?.took);
    keep(Phase::RemovePodSandbox, client.remove_pod_sandbox(pod)?.took);
    Ok(())
}

/// Makes a container and starts it; gives its id, and how long both took.
pub(super) fn started(
    client: &Client,
    (pod, sandbox): (&str, &SandboxSpec),
    container: &ContainerSpec,
    keep: Keep<'_>,
) -> Result<(String, Timed<SimDuration>), Halted> {
    let created = client.create_container(pod, sandbox, container)?;
    keep(Phase::CreateContainer, created.took);
    let start = client.start_container(&created.value)?;
    keep(Phase::StartContainer, start.took);
    let both = Timed { value: created.took + start.took, took: start.took, begun: start.begun };
    Ok((created.value, both))
}

/// A program that is asked for this and that, and ends when it is told to.
fn polite(
    client: &Client,
    at: (&str, &SandboxSpec),
    container: &ContainerSpec,
    keep: Keep<'_>,
) -> Result<(), Halted> {
    let (id, start) = started(client, at, container, keep)?;
    let log = format!("{}/{}_{}.log", at.1.logs, container.name, container.attempt);
    if let Some(line) = first_line(&log) {
        keep(Phase::StartToRunning, between(start.begun, line));
    }
    keep(Phase::ContainerStatus, client.container_status(&id)?.took);
    keep(Phase::ContainerStats, client.container_stats(&id)?.took);
    let exec = client.exec_sync(&id, &["/program".to_owned(), "true".to_owned()], 10)?;
    keep(Phase::Exec, exec.took);
    let stop = client.stop_container(&id, 5)?;
    let told = client.container_status(&id)?.value;
    as_meant(&told, (0, "Completed"))?;
    let signal = between(stop.begun, told.finished);
    keep(Phase::StopContainer, stop.took);
    keep(Phase::StopSignal, signal.min(stop.took));
    keep(Phase::StopAnswer, stop.took.saturating_sub(signal));
    keep(Phase::RemoveContainer, client.remove_container(&id)?.took);
    Ok(())
}

/// A program that ends by itself.
fn ended(
    client: &Client,
    at: (&str, &SandboxSpec),
    container: &ContainerSpec,
    keep: Keep<'_>,
) -> Result<(), Halted> {
    let (id, start) = started(client, at, container, keep)?;
    if container.attempt > 0 {
        keep(Phase::Restart, start.value);
    }
    let (told, seen) = end_of(client, &id)?;
    as_meant(&told, (3, "Error"))?;
    keep(Phase::ExitToSeen, between(told.finished, seen));
    Ok(())
}

/// Numbers may look right where programs did something else: their codes and reasons tell.
fn as_meant(told: &ContainerTold, meant: (i32, &str)) -> Result<(), Halted> {
    let found = (told.exit_code, told.reason.as_str());
    if found == meant {
        return Ok(());
    }
    let why = format!("{found:?} in place of {meant:?} {}", told.message);
    Err(Trouble::machine("a program ended as it should not have", why).into())
}

/// Looks until a container has ended; gives what was told then, and when.
pub(super) fn end_of(client: &Client, id: &str) -> Result<(ContainerTold, i64), Halted> {
    loop {
        let told = client.container_status(id)?;
        if told.value.state == ContainerState::Exited {
            let seen = told.begun.saturating_add(told.took.as_nanos() as i64);
            return Ok((told.value, seen));
        }
        wait(LOOK);
    }
}
