//! The way from a rise in load to the pod it took, as stages that follow each other.

use super::{Felt, Open, Stage, StageKind, Surge, Surges};
use crate::messages::{Fact, Verb};
use crate::report::words::{span, without_default};
use crate::time::SimTime;

/// A machine that was asked for in the course of the run.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    asked: SimTime,
    /// When its node was registered.
    pub(super) booted: Option<SimTime>,
    /// When its node was ready.
    pub(super) ready: Option<SimTime>,
}

impl Machine {
    pub(super) fn asked(at: SimTime) -> Machine {
        Machine { asked: at, booted: None, ready: None }
    }
}

/// What became of a pod, each for the first time.
#[derive(Clone, Debug)]
pub(super) struct PodMarks {
    name: String,
    created: SimTime,
    unschedulable: Option<SimTime>,
    bound: Option<SimTime>,
    node: String,
    pulled: Option<SimTime>,
    started: Option<SimTime>,
    ready: Option<SimTime>,
}

impl PodMarks {
    pub(super) fn created(name: String, at: SimTime) -> PodMarks {
        PodMarks {
            name,
            created: at,
            unschedulable: None,
            bound: None,
            node: String::new(),
            pulled: None,
            started: None,
            ready: None,
        }
    }

    /// Its node, once it is bound.
    pub(super) fn node(&self) -> &str {
        &self.node
    }

    /// Its image is on its node.
    pub(super) fn has_image(&mut self, at: SimTime) {
        if self.started.is_none() {
            self.pulled = Some(at);
        }
    }

    pub(super) fn note(&mut self, at: SimTime, fact: &Fact) {
        match fact.verb {
            Verb::Unschedulable => {
                self.unschedulable.get_or_insert(at);
            }
            Verb::Bound => {
                self.bound = Some(at);
                self.node = fact.node.as_ref().map_or(String::new(), ToString::to_string);
            }
            // With several containers, the last one counts.
            Verb::Pulled if self.ready.is_none() => self.pulled = Some(at),
            Verb::Started if self.ready.is_none() => self.started = Some(at),
            Verb::Ready => {
                self.ready.get_or_insert(at);
            }
            _ => {}
        }
    }
}

/// The stages so far.
struct Path {
    at: SimTime,
    stages: Vec<Stage>,
}

impl Path {
    /// The stage that ends at `to`, if it has been reached; one that took no time is none.
    fn stage(&mut self, kind: StageKind, to: Option<SimTime>, text: impl Into<String>) {
        let Some(to) = to.filter(|to| *to > self.at) else { return };
        self.stages.push(Stage { kind, from: self.at, to, text: text.into() });
        self.at = to;
    }
}

impl Surges {
    /// All surges of a run that is at `now`, in which load rose or machines had to come.
    pub fn told(&self, now: SimTime) -> Vec<Surge> {
        let told = |open: &Open| {
            let surge = self.surge(open, now);
            let had_to_boot = surge.stages.iter().any(|it| it.kind == StageKind::Booting);
            (surge.rates.is_some() || had_to_boot).then_some(surge)
        };
        let mut all: Vec<Surge> = self.surges.iter().filter_map(told).collect();
        all.sort_by_key(|surge| surge.begins);
        all
    }

    fn surge(&self, open: &Open, now: SimTime) -> Surge {
        let scaler = &self.scalers[open.scaler];
        let felt = open.watch.as_ref().and_then(|watch| {
            let until = watch.is_over();
            Some(Felt {
                from: watch.felt()?,
                until,
                usual: watch.usual,
                worst: watch.worst,
                errors: watch.errors,
            })
        });
        let short = scaler.name.split_once('/').map_or("", |(_, rest)| rest);
        Surge {
            autoscaler: without_default(short).to_owned(),
            target: scaler.target.clone(),
            services: scaler.load.map_or(String::new(), |it| self.loads[it].services.clone()),
            rates: open.rise.map(|rise| (rise.before, rise.since)),
            begins: open.begins,
            stages: self.stages(open, felt, now),
            felt,
        }
    }

    fn stages(&self, open: &Open, felt: Option<Felt>, now: SimTime) -> Vec<Stage> {
        let mut path = Path { at: open.begins, stages: Vec::new() };
        let autoscaler = self.scalers[open.scaler].name.rsplit('/').next().unwrap_or_default();
        let Some(&(first, from, to)) = open.decisions.first() else { return path.stages };
        let seen = self.scrapes.filter(|_| open.is_scraped).and_then(|(period, delay)| {
            let next = open.begins.as_nanos() / period.as_nanos() + 1;
            (SimTime::ZERO + period * next).checked_add(delay).filter(|seen| *seen <= first)
        });
        path.stage(
            StageKind::Measuring,
            seen,
            "metrics-server serves figures that have it in them",
        );
        let text = format!("autoscaler {autoscaler} decides: {to} pods in place of {from}");
        path.stage(StageKind::Deciding, Some(first), text);
        let until = felt.and_then(|it| it.until);
        let Some(pod) = decisive(open, until) else {
            path.end(felt, now, None);
            return path.stages;
        };
        for step in steps(open, pod) {
            match step {
                Step::Asks(decision) => {
                    let (at, from, to) = open.decisions[decision];
                    let text = format!("{autoscaler} asks for more again: {to} in place of {from}");
                    path.stage(StageKind::Growing, Some(at), text);
                }
                Step::Pod(pod) => self.pod_path(pod, &mut path),
            }
        }
        path.end(felt, now, Some(pod));
        path.stages
    }

    /// From a decision to a pod that is ready, or as far as it came.
    fn pod_path(&self, pod: &PodMarks, path: &mut Path) {
        let text = format!("pod {} is made", pod.name);
        path.stage(StageKind::Creating, Some(pod.created), text);
        self.room(pod, path);
        let said = |what: &str| what.to_owned();
        path.stage(StageKind::Pulling, pod.pulled, said("its image is fetched"));
        path.stage(StageKind::Starting, pod.started, said("its containers run"));
        path.stage(StageKind::Warming, pod.ready, said("it is ready"));
    }

    /// From a pod that is there to its node.
    fn room(&self, pod: &PodMarks, path: &mut Path) {
        let machine = self.machines.get(&pod.node).filter(|it| it.ready > Some(pod.created));
        let node = &pod.node;
        if let Some(machine) = machine {
            let text = format!("no node has room: the cluster autoscaler asks for machine {node}");
            path.stage(StageKind::NoRoom, Some(machine.asked), text);
            path.stage(StageKind::Booting, machine.booted, format!("{node} has booted"));
            path.stage(StageKind::Joining, machine.ready, format!("node {node} is ready"));
        } else if pod.unschedulable.is_some() {
            path.stage(StageKind::NoRoom, pod.bound, format!("there is room on {node}"));
        }
        path.stage(StageKind::Placing, pod.bound, format!("the scheduler places it on {node}"));
    }
}

impl Path {
    /// The last stage: until clients are served as before, or the run ends.
    fn end(&mut self, felt: Option<Felt>, now: SimTime, pod: Option<&PodMarks>) {
        let Some(felt) = felt else { return };
        let usual = felt.usual.map_or(String::new(), |usual| {
            let usual = crate::time::SimDuration::from_nanos(usual);
            format!(": p99 is below twice its usual {}", span(usual))
        });
        match (felt.until, pod.map(|pod| pod.ready)) {
            (Some(until), _) => {
                let text = format!("clients are served as before{usual}");
                self.stage(StageKind::WorkingOff, Some(until), text);
            }
            (None, Some(None)) => {
                self.stage(StageKind::NoRoom, Some(now), "the run ends before the pod is ready")
            }
            (None, _) => self.stage(
                StageKind::WorkingOff,
                Some(now),
                "the run ends before clients are served as before",
            ),
        }
    }
}

/// The pod that clients waited for: the last that was ready when they were served as before. If they
/// never were, the last there is.
fn decisive(open: &Open, until: Option<SimTime>) -> Option<&PodMarks> {
    let ready = |pod: &&PodMarks| pod.ready.is_some_and(|at| until.is_none_or(|until| at <= until));
    let last = open.pods.iter().filter(ready).max_by_key(|pod| pod.ready);
    match until {
        Some(_) => last,
        None => open.pods.iter().find(|pod| pod.ready.is_none()).or(last),
    }
}

/// A part of the way after the first decision.
enum Step<'a> {
    /// The autoscaler asks for more pods again: which of its decisions.
    Asks(usize),
    /// A pod becomes ready.
    Pod(&'a PodMarks),
}

/// The way from the first decision to `pod`. A decision follows from the last pod that became ready
/// since the one before it, for then the metrics changed; without one, from that decision.
fn steps<'a>(open: &'a Open, pod: &'a PodMarks) -> Vec<Step<'a>> {
    let decided =
        |pod: &PodMarks| open.decisions.partition_point(|it| it.0 <= pod.created).saturating_sub(1);
    let mut steps = vec![Step::Pod(pod)];
    let mut at = decided(pod);
    while at > 0 {
        steps.push(Step::Asks(at));
        let since = (open.decisions[at - 1].0, open.decisions[at].0);
        let is_between = |it: &&PodMarks| {
            decided(it) < at && it.ready.is_some_and(|ready| since.0 < ready && ready <= since.1)
        };
        match open.pods.iter().filter(is_between).max_by_key(|it| it.ready) {
            Some(pod) => {
                steps.push(Step::Pod(pod));
                at = decided(pod);
            }
            None => at -= 1,
        }
    }
    steps.reverse();
    steps
}
