//! Rules about sandboxes and images.

use super::{Behaviour, Driver, Held, Miss, Rule, Session, is_not_found, need};
use crate::messages::engine::{EngineAnswer, EngineAsk, EngineError};

pub(super) fn rules<D: Driver>() -> Vec<Rule<D>> {
    vec![
        ("sandboxes have addresses of their own", addresses),
        ("a pod has one sandbox", one_sandbox),
        ("a sandbox is stopped and removed as often as one likes", stopped_and_removed),
        ("an image is fetched once", images),
        ("an image that no registry has is not found", missing_image),
        ("pulls of many images are each answered", many_calls),
    ]
}

fn addresses<D: Driver>(session: &mut Session<'_, D>) -> Held {
    let mut addresses = Vec::new();
    for number in 0..3 {
        let (_, ask) = session.sandbox(number, &[Behaviour::Serves])?;
        let answer = session.good(ask)?;
        let EngineAnswer::Sandbox(address) = answer else {
            return Err(Miss::Broken(format!("a sandbox is answered with {answer:?}")));
        };
        need(!addresses.contains(&address), || format!("{address} is given out twice"))?;
        addresses.push(address);
    }
    let listed = session.driver.list();
    let mut shown: Vec<_> = listed.iter().filter_map(|pod| pod.address).collect();
    shown.sort_unstable();
    addresses.sort_unstable();
    need(shown == addresses, || format!("given out were {addresses:?}, listed are {shown:?}"))
}

fn one_sandbox<D: Driver>(session: &mut Session<'_, D>) -> Held {
    let (pod, ask) = session.sandbox(0, &[Behaviour::Serves])?;
    session.good(ask.clone())?;
    let again = session.done(ask.clone())?;
    need(again == Err(EngineError::AlreadyExists), || format!("a second one: {again:?}"))?;
    session.good(EngineAsk::StopPodSandbox(pod))?;
    session.good(EngineAsk::RemovePodSandbox(pod))?;
    session.good(ask).map(|_| ())
}

fn stopped_and_removed<D: Driver>(session: &mut Session<'_, D>) -> Held {
    let (pod, ask) = session.sandbox(0, &[Behaviour::Serves])?;
    session.good(ask)?;
    for _ in 0..2 {
        session.good(EngineAsk::StopPodSandbox(pod))?;
    }
    let listed = session.driver.list();
    need(listed.len() == 1 && listed[0].address.is_none(), || {
        format!("a stopped sandbox is listed as {listed:?}")
    })?;
    for _ in 0..2 {
        session.good(EngineAsk::RemovePodSandbox(pod))?;
    }
    let listed = session.driver.list();
    need(listed.is_empty(), || format!("a removed sandbox is listed as {listed:?}"))
}

fn images<D: Driver>(session: &mut Session<'_, D>) -> Held {
    let image = session.offer(Behaviour::Serves)?.0.image;
    let status = session.done(EngineAsk::ImageStatus(image.clone()))?;
    need(is_not_found(&status), || format!("before it is fetched: {status:?}"))?;
    let first = session.good(EngineAsk::PullImage(image.clone()))?;
    let status = session.good(EngineAsk::ImageStatus(image.clone()))?;
    let again = session.good(EngineAsk::PullImage(image))?;
    let size = |answer: EngineAnswer| match answer {
        EngineAnswer::Image { bytes, fetched, .. } => Some((bytes, fetched)),
        _ => None,
    };
    let (first, status, again) = (size(first), size(status), size(again));
    let bytes = first.map(|(bytes, _)| bytes).filter(|bytes| *bytes > 0);
    need(bytes.is_some() && first.is_some_and(|(_, fetched)| fetched > 0), || {
        format!("the first pull tells {first:?} (bytes, fetched)")
    })?;
    let there = bytes.map(|bytes| (bytes, 0));
    need(status == there && again == there, || {
        format!(
            "after {first:?} (bytes, fetched) its status is {status:?}, a second pull {again:?}"
        )
    })
}

fn missing_image<D: Driver>(session: &mut Session<'_, D>) -> Held {
    let image = session.driver.missing_image();
    let pulled = session.done(EngineAsk::PullImage(image.clone()))?;
    need(is_not_found(&pulled), || format!("its pull: {pulled:?}"))?;
    let status = session.done(EngineAsk::ImageStatus(image))?;
    need(is_not_found(&status), || format!("its status: {status:?}"))
}

fn many_calls<D: Driver>(session: &mut Session<'_, D>) -> Held {
    let image = session.offer(Behaviour::Serves)?.0.image;
    let missing = session.driver.missing_image();
    let mut asked = Vec::new();
    for number in 0..3 {
        let (_, ask) = session.sandbox(number, &[Behaviour::Serves])?;
        asked.push((session.ask(ask), true));
        asked.push((session.ask(EngineAsk::PullImage(image.clone())), true));
        asked.push((session.ask(EngineAsk::PullImage(missing.clone())), false));
    }
    for (op, is_good) in asked {
        let answer = session.answer(op)?;
        need(answer.is_ok() == is_good, || format!("{op:?}: {answer:?}"))?;
    }
    Ok(())
}
