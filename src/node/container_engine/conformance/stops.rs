//! Rules about stopping: SIGTERM, SIGKILL, and stops that overtake each other.

use super::{Behaviour, Driver, Held, QUIET, Rule, Session, need};
use crate::api::pod::TerminationReason;
use crate::messages::engine::{ContainerRef, EngineAsk, EngineEvent, OpId};
use crate::time::SimDuration;

pub(super) fn rules<D: Driver>() -> Vec<Rule<D>> {
    vec![
        ("SIGTERM ends a program well, before its grace is over", terminated),
        ("SIGKILL ends what ignores SIGTERM, after its grace", killed),
        ("no grace is SIGKILL at once", killed_at_once),
        ("a shorter stop overtakes a longer one, which is not answered", overtaken),
        ("a longer stop does not lengthen a shorter one", not_lengthened),
        ("what has ended is stopped", already_ended),
        ("a sandbox takes its programs along", with_the_sandbox),
        ("nothing is told of a pod that was removed", removed),
    ]
}

/// How long a program may take to die once it was killed.
const DYING: SimDuration = SimDuration::from_secs(10);

/// Whether the end of the container was told, or the answer, whichever comes first.
fn end_comes_first(events: &[EngineEvent], container: ContainerRef, op: OpId) -> bool {
    let place = |wanted: &dyn Fn(&EngineEvent) -> bool| events.iter().position(wanted);
    let end = place(&|it| matches!(it, EngineEvent::Exited(of, _) if *of == container));
    let answer = place(&|it| matches!(it, EngineEvent::Done(of, _) if *of == op));
    answer.is_none_or(|answer| end.is_some_and(|end| end < answer))
}

fn stopped<D: Driver>(
    session: &mut Session<'_, D>,
    (behaviour, grace): (Behaviour, u32),
    (code, reason): (u8, TerminationReason),
) -> Result<SimDuration, super::Miss> {
    let (container, _) = session.started(0, behaviour)?;
    let asked = session.driver.now();
    let op = session.ask(EngineAsk::StopContainer(container, grace));
    while !session.answered.contains(&op) {
        need(session.driver.now() <= asked + super::PATIENCE, || "no answer".to_owned())?;
        session.hear(DYING)?;
    }
    need(end_comes_first(&session.told, container, op), || {
        format!("its end is not told before the answer: {:?}", session.told)
    })?;
    let exit = session.exit(container)?;
    let answer = session.answer(op)?;
    need(answer.is_ok(), || format!("{answer:?}"))?;
    need((exit.code, exit.reason) == (code.into(), reason), || format!("it ends as {exit:?}"))?;
    need(exit.finished >= asked, || format!("asked at {asked}, it ended as {exit:?}"))?;
    Ok(exit.finished - asked)
}

fn terminated<D: Driver>(session: &mut Session<'_, D>) -> Held {
    let took =
        stopped(session, (Behaviour::Serves, 30), (0, TerminationReason::Completed))?.as_secs();
    need(took < 30, || format!("it took {took} s"))
}

fn killed<D: Driver>(session: &mut Session<'_, D>) -> Held {
    let took = stopped(session, (Behaviour::IgnoresTerm, 2), (137, TerminationReason::Error))?;
    let grace = SimDuration::from_secs(2);
    need(grace <= took && took < grace + DYING, || format!("it took {} ms", took.as_millis()))
}

fn killed_at_once<D: Driver>(session: &mut Session<'_, D>) -> Held {
    let took = stopped(session, (Behaviour::Serves, 0), (137, TerminationReason::Error))?;
    need(took < DYING, || format!("it took {} ms", took.as_millis()))
}

/// Two stops of a program that ignores SIGTERM; it is to end by the shorter one, and the second is answered.
fn two_stops<D: Driver>(session: &mut Session<'_, D>, graces: [u32; 2]) -> Held {
    let (container, _) = session.started(0, Behaviour::IgnoresTerm)?;
    let asked = session.driver.now();
    let ops = graces.map(|grace| session.ask(EngineAsk::StopContainer(container, grace)));
    let exit = session.exit(container)?;
    need(exit.finished >= asked, || format!("asked at {asked}, it ended as {exit:?}"))?;
    let took = exit.finished - asked;
    let least = SimDuration::from_secs(graces[0].min(graces[1]).into());
    need(exit.code == 137 && least <= took && took < least + DYING, || {
        format!("asked at {asked}, it ended as {exit:?}")
    })?;
    let answer = session.answer(ops[1])?;
    need(answer.is_ok(), || format!("{answer:?}"))?;
    session.hear(QUIET)?;
    need(!session.answered.contains(&ops[0]), || "the first stop is answered".to_owned())
}

fn overtaken<D: Driver>(session: &mut Session<'_, D>) -> Held {
    two_stops(session, [600, 2])
}

fn not_lengthened<D: Driver>(session: &mut Session<'_, D>) -> Held {
    two_stops(session, [2, 600])
}

fn already_ended<D: Driver>(session: &mut Session<'_, D>) -> Held {
    let (container, _) = session.started(0, Behaviour::Succeeds)?;
    session.exit(container)?;
    for _ in 0..2 {
        session.good(EngineAsk::StopContainer(container, 30))?;
    }
    Ok(())
}

fn with_the_sandbox<D: Driver>(session: &mut Session<'_, D>) -> Held {
    let (container, _) = session.started(0, Behaviour::IgnoresTerm)?;
    let asked = session.driver.now();
    session.good(EngineAsk::StopPodSandbox(container.pod))?;
    let exit = session.exit(container)?;
    need(exit.code == 137 && exit.finished < asked + DYING, || {
        format!("asked at {asked}, it ended as {exit:?}")
    })
}

fn removed<D: Driver>(session: &mut Session<'_, D>) -> Held {
    let (container, _) = session.started(0, Behaviour::Serves)?;
    session.good(EngineAsk::RemovePodSandbox(container.pod))?;
    session.told.clear();
    session.is_quiet()?;
    let listed = session.driver.list();
    need(listed.is_empty(), || format!("listed is {listed:?}"))
}
