//! What every container engine must do, whatever it is made of: the rules a kubelet counts on.
//!
//! Owns the rules; refuses to know how an engine does its work and how long that takes: only order, results
//! and bounds count, so that an engine of real processes passes by the wall clock as a simulated one does in
//! virtual time. Whoever has an engine implements [`Driver`] and calls [`check`].

mod containers;
mod sandboxes;
mod stops;

use std::sync::Arc;

use super::EngineReport;
use crate::api::meta::Uid;
use crate::api::name::Text;
use crate::api::pod::{Container, Pod, PodSpec};
use crate::base::Id;
use crate::messages::app::App;
use crate::messages::engine::{
    ContainerRef, EngineAnswer, EngineAsk, EngineCall, EngineError, EngineEvent, Exit, ListedPod,
    OpId, SandboxConfig,
};
use crate::time::{SimDuration, SimTime};

/// How long anything may take that is not told to take longer.
const PATIENCE: SimDuration = SimDuration::from_secs(60);
/// How long is waited for what must not come.
const QUIET: SimDuration = SimDuration::from_secs(2);
/// The code a program ends with that ends by itself.
const ENDS_WITH: u8 = 3;

/// A program the suite needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Behaviour {
    /// It runs until it is stopped, and ends well, and soon, at SIGTERM.
    Serves,
    /// It runs until it is killed: it ignores SIGTERM.
    IgnoresTerm,
    /// It ends well by itself within a few seconds.
    Succeeds,
    /// It ends with exit code 3 by itself within a few seconds.
    Fails,
    /// It takes more memory than its container's limit within a few seconds.
    Hoards,
    /// There is no such command.
    CannotStart,
}

/// A container with its program, as the driver's engine runs them.
pub type Offer = (Container, App);

/// An engine with one node, and time.
pub trait Driver {
    /// Takes a call on, on the only node.
    fn submit(&mut self, call: EngineCall);

    /// Lets time pass until something is told, at most so long; gives all that was told, in order.
    fn wait(&mut self, at_most: SimDuration) -> Vec<EngineReport>;

    /// The instant by the engine's own clock.
    fn now(&self) -> SimTime;

    /// What stands on the node (`ListPodSandbox`, `ListContainers`).
    fn list(&self) -> Vec<ListedPod>;

    /// A container whose program behaves so, of an image that registries have and the node at first
    /// has not; `None`: the engine has no such programs, and what is about them is passed over.
    fn offer(&self, behaviour: Behaviour) -> Option<Offer>;

    /// An image that no registry has.
    fn missing_image(&self) -> Text;
}

/// A rule that was broken: in words, with what was told instead.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Broken {
    /// The rule's name.
    pub rule: &'static str,
    /// What happened.
    pub what: String,
}

/// What came of the rules.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Verdict {
    /// Rules that hold.
    pub held: Vec<&'static str>,
    /// Rules that do not.
    pub broken: Vec<Broken>,
    /// Rules about programs the engine has not.
    pub passed_over: Vec<&'static str>,
}

/// A rule broken, or passed over for want of a program.
#[derive(Debug)]
enum Miss {
    Broken(String),
    NoProgram,
}

type Held = Result<(), Miss>;
type Rule<D> = (&'static str, fn(&mut Session<'_, D>) -> Held);

/// Holds an engine to all rules, each on a fresh one that `fresh` makes.
pub fn check<D: Driver>(fresh: &mut dyn FnMut() -> D) -> Verdict {
    let mut verdict = Verdict::default();
    let rules = [&sandboxes::rules::<D>()[..], &containers::rules::<D>(), &stops::rules::<D>()];
    for &(name, rule) in rules.into_iter().flatten() {
        let mut driver = fresh();
        let mut session = Session::new(&mut driver);
        let held = rule(&mut session).and_then(|()| session.is_quiet());
        match held {
            Ok(()) => verdict.held.push(name),
            Err(Miss::Broken(what)) => verdict.broken.push(Broken { rule: name, what }),
            Err(Miss::NoProgram) => verdict.passed_over.push(name),
        }
    }
    verdict
}

/// What came of a call.
type Answer = Result<EngineAnswer, EngineError>;

/// A talk with one engine: calls are numbered, and what was told is kept until it is asked for.
struct Session<'a, D: Driver> {
    driver: &'a mut D,
    calls: u64,
    /// Calls that were answered.
    answered: Vec<OpId>,
    /// What was told and not yet asked for.
    told: Vec<EngineEvent>,
}

impl<'a, D: Driver> Session<'a, D> {
    fn new(driver: &'a mut D) -> Session<'a, D> {
        Session { driver, calls: 0, answered: Vec::new(), told: Vec::new() }
    }

    fn ask(&mut self, ask: EngineAsk) -> OpId {
        self.calls += 1;
        let op = OpId(self.calls);
        self.driver.submit(EngineCall { op, ask });
        op
    }

    /// Hears what is told within so long, at least once.
    fn hear(&mut self, at_most: SimDuration) -> Held {
        for report in self.driver.wait(at_most) {
            if let EngineEvent::Done(op, result) = &report.event {
                if self.answered.contains(op) {
                    return broken(format!("{op:?} is answered a second time: {result:?}"));
                }
                if op.0 == 0 || op.0 > self.calls {
                    return broken(format!("{op:?} is answered and was never asked"));
                }
                self.answered.push(*op);
            }
            self.told.push(report.event);
        }
        Ok(())
    }

    /// Waits for what `wanted` makes something of.
    fn until<T>(
        &mut self,
        what: &str,
        wanted: impl Fn(&EngineEvent) -> Option<T>,
    ) -> Result<T, Miss> {
        let end = self.driver.now() + PATIENCE;
        loop {
            let found = self.told.iter().enumerate();
            let found = found.filter_map(|(at, event)| Some((at, wanted(event)?))).next();
            if let Some((at, found)) = found {
                self.told.remove(at);
                return Ok(found);
            }
            let left = end.saturating_since(self.driver.now());
            if left.is_zero() {
                let told = &self.told;
                return Err(Miss::Broken(format!("{what} does not come; told was {told:?}")));
            }
            self.hear(left)?;
        }
    }

    fn answer(&mut self, op: OpId) -> Result<Answer, Miss> {
        self.until(&format!("the answer to {op:?}"), |event| match event {
            EngineEvent::Done(of, result) if *of == op => Some(result.clone()),
            _ => None,
        })
    }

    /// Asks, and waits for the answer.
    fn done(&mut self, ask: EngineAsk) -> Result<Answer, Miss> {
        let op = self.ask(ask);
        self.answer(op)
    }

    /// The same; the answer must be good.
    fn good(&mut self, ask: EngineAsk) -> Result<EngineAnswer, Miss> {
        let asked = format!("{ask:?}");
        self.done(ask)?.map_err(|error| Miss::Broken(format!("{asked} fails: {error:?}")))
    }

    /// Waits for a container's end.
    fn exit(&mut self, container: ContainerRef) -> Result<Exit, Miss> {
        self.until(&format!("the end of {container:?}"), |event| match event {
            EngineEvent::Exited(of, exit) if *of == container => Some(*exit),
            _ => None,
        })
    }

    /// Nothing is told any more: every answer and every end came once and was asked for.
    fn is_quiet(&mut self) -> Held {
        self.hear(QUIET)?;
        need(self.told.is_empty(), || format!("told besides: {:?}", self.told))
    }

    fn offer(&self, behaviour: Behaviour) -> Result<Offer, Miss> {
        self.driver.offer(behaviour).ok_or(Miss::NoProgram)
    }

    /// A sandbox for containers with these programs; its pod and their images.
    fn sandbox(
        &mut self,
        number: u32,
        programs: &[Behaviour],
    ) -> Result<(Id<Pod>, EngineAsk), Miss> {
        let pod = Id::from_parts(number, 0);
        let offers: Result<Vec<Offer>, Miss> =
            programs.iter().map(|&one| self.offer(one)).collect();
        let (containers, apps): (Vec<Container>, Vec<App>) = offers?.into_iter().unzip();
        let spec = Arc::new(PodSpec { containers, grace_seconds: 30, ..PodSpec::default() });
        let uid = Uid(u64::from(number) + 1);
        let config = SandboxConfig { pod, uid, spec, apps: apps.into(), job: None };
        Ok((pod, EngineAsk::RunPodSandbox(config)))
    }

    /// A pod with one container, created and not started.
    fn created(&mut self, number: u32, behaviour: Behaviour) -> Result<ContainerRef, Miss> {
        let (pod, ask) = self.sandbox(number, &[behaviour])?;
        let image = self.offer(behaviour)?.0.image;
        self.good(ask)?;
        self.good(EngineAsk::PullImage(image))?;
        let container = ContainerRef { pod, index: 0, attempt: 0 };
        self.good(EngineAsk::CreateContainer(container))?;
        Ok(container)
    }

    /// The same, started; and since when it runs.
    fn started(
        &mut self,
        number: u32,
        behaviour: Behaviour,
    ) -> Result<(ContainerRef, SimTime), Miss> {
        let container = self.created(number, behaviour)?;
        let before = self.driver.now();
        let answer = self.good(EngineAsk::StartContainer(container))?;
        let EngineAnswer::Started(since) = answer else {
            return Err(Miss::Broken(format!("a start is answered with {answer:?}")));
        };
        let now = self.driver.now();
        need(before <= since && since <= now, || {
            format!("asked for at {before}, answered at {now}, it claims to have begun at {since}")
        })?;
        Ok((container, since))
    }
}

fn broken(what: String) -> Held {
    Err(Miss::Broken(what))
}

fn need(holds: bool, what: impl FnOnce() -> String) -> Held {
    if holds { Ok(()) } else { broken(what()) }
}

/// Whether an answer says that something is not there.
fn is_not_found(answer: &Answer) -> bool {
    matches!(answer, Err(EngineError::NotFound(_)))
}

#[cfg(test)]
mod tests;
