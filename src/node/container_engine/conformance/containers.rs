//! Rules about containers, and how their programs end by themselves.

use super::{Behaviour, Driver, ENDS_WITH, Held, Rule, Session, broken, is_not_found, need};
use crate::api::pod::TerminationReason;
use crate::messages::engine::{ContainerRef, EngineAsk, EngineError, Listed, ListedState};

pub(super) fn rules<D: Driver>() -> Vec<Rule<D>> {
    vec![
        ("no container without sandbox and image", nothing_to_create_from),
        ("containers are listed as they are", listed),
        ("a name is free once its attempt has ended", one_attempt),
        ("only what was created is started", unknown),
        ("nothing starts in a stopped sandbox", stopped_sandbox),
        ("a program that ends well is Completed", completed),
        ("a program that fails leaves its exit code", failed),
        ("a program beyond its memory is OOMKilled", oom),
        ("a command that is not there is a StartError", start_error),
    ]
}

fn shown<D: Driver>(session: &Session<'_, D>, container: ContainerRef) -> Option<Listed> {
    let pods = session.driver.list();
    let pod = pods.into_iter().find(|one| one.pod == container.pod)?;
    pod.containers.iter().find(|one| one.container == container).copied()
}

fn nothing_to_create_from<D: Driver>(session: &mut Session<'_, D>) -> Held {
    let (pod, ask) = session.sandbox(0, &[Behaviour::Serves])?;
    let container = ContainerRef { pod, index: 0, attempt: 0 };
    let created = session.done(EngineAsk::CreateContainer(container))?;
    need(is_not_found(&created), || format!("without sandbox: {created:?}"))?;
    session.good(ask)?;
    let created = session.done(EngineAsk::CreateContainer(container))?;
    need(is_not_found(&created), || format!("without image: {created:?}"))
}

fn listed<D: Driver>(session: &mut Session<'_, D>) -> Held {
    let container = session.created(0, Behaviour::Succeeds)?;
    let state = shown(session, container).map(|one| one.state);
    need(state == Some(ListedState::Created), || format!("created, it is listed as {state:?}"))?;
    session.good(EngineAsk::StartContainer(container))?;
    let exit = session.exit(container)?;
    match shown(session, container).map(|one| one.state) {
        Some(ListedState::Exited(_, listed)) => {
            need(listed == exit, || format!("it ended as {exit:?} and is listed as {listed:?}"))
        }
        other => broken(format!("ended, it is listed as {other:?}")),
    }
}

fn one_attempt<D: Driver>(session: &mut Session<'_, D>) -> Held {
    let (container, since) = session.started(0, Behaviour::Serves)?;
    let state = shown(session, container).map(|one| one.state);
    need(state == Some(ListedState::Running(since)), || {
        format!("running since {since}, it is listed as {state:?}")
    })?;
    let next = ContainerRef { attempt: 1, ..container };
    let taken = session.done(EngineAsk::CreateContainer(next))?;
    need(taken == Err(EngineError::AlreadyExists), || format!("while it runs: {taken:?}"))?;
    session.good(EngineAsk::StopContainer(container, 30))?;
    session.exit(container)?;
    session.good(EngineAsk::CreateContainer(next))?;
    session.good(EngineAsk::StartContainer(next)).map(|_| ())
}

fn unknown<D: Driver>(session: &mut Session<'_, D>) -> Held {
    let container = session.created(0, Behaviour::Serves)?;
    for other in [ContainerRef { attempt: 7, ..container }, ContainerRef { index: 5, ..container }]
    {
        let started = session.done(EngineAsk::StartContainer(other))?;
        need(is_not_found(&started), || format!("{other:?}: {started:?}"))?;
    }
    Ok(())
}

fn stopped_sandbox<D: Driver>(session: &mut Session<'_, D>) -> Held {
    let container = session.created(0, Behaviour::Serves)?;
    session.good(EngineAsk::StopPodSandbox(container.pod))?;
    let started = session.done(EngineAsk::StartContainer(container))?;
    need(started.is_err(), || format!("it starts: {started:?}"))
}

/// Lets a program end by itself, with this code and for this reason, once.
fn ends<D: Driver>(
    session: &mut Session<'_, D>,
    behaviour: Behaviour,
    (code, reason): (u8, TerminationReason),
) -> Held {
    let (container, since) = session.started(0, behaviour)?;
    let exit = session.exit(container)?;
    need((exit.code, exit.reason) == (code.into(), reason), || format!("it ends as {exit:?}"))?;
    let now = session.driver.now();
    need(since <= exit.finished && exit.finished <= now, || {
        format!("begun at {since}, told at {now}, it ended at {}", exit.finished)
    })
}

fn completed<D: Driver>(session: &mut Session<'_, D>) -> Held {
    ends(session, Behaviour::Succeeds, (0, TerminationReason::Completed))
}

fn failed<D: Driver>(session: &mut Session<'_, D>) -> Held {
    ends(session, Behaviour::Fails, (ENDS_WITH, TerminationReason::Error))
}

fn oom<D: Driver>(session: &mut Session<'_, D>) -> Held {
    ends(session, Behaviour::Hoards, (137, TerminationReason::OomKilled))
}

/// As containerd does: the call fails with an unknown error, and the container counts as ended with 128.
fn start_error<D: Driver>(session: &mut Session<'_, D>) -> Held {
    let container = session.created(0, Behaviour::CannotStart)?;
    let started = session.done(EngineAsk::StartContainer(container))?;
    need(matches!(started, Err(EngineError::Unknown(_))), || format!("its start: {started:?}"))?;
    match shown(session, container).map(|one| one.state) {
        Some(ListedState::Exited(_, exit)) => {
            need((exit.code, exit.reason) == (128, TerminationReason::StartError), || {
                format!("it is listed as {exit:?}")
            })
        }
        other => broken(format!("it is listed as {other:?}")),
    }
}
