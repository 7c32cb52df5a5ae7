//! The story of a run, gathered from its facts as they come.
//!
//! Owns what is remembered for it: one episode for the start and one for each step or fault, each with
//! a milestone for each kind of event. A fact belongs to the episode of the fact it followed from; one
//! that followed from none belongs to the latest. Memory: a byte a fact (up to [`FACTS_MAX`]), and
//! nothing else that grows with the run. Refuses to know terminals.

mod episode;
mod telling;

use std::collections::{BTreeMap, BTreeSet};

use crate::api::kind::Kind;
use crate::api::name::Text;
use crate::api::object::Object;
use crate::cluster::plan::{Act, Plan};
use crate::kernel::{FactSink, NO_CAUSE};
use crate::messages::{Fact, Verb};
use crate::time::SimTime;

use super::surges::{Surge, Surges};
use episode::{Episode, Mark};

/// Facts whose episode is remembered; later ones belong to the latest episode.
const FACTS_MAX: usize = 16_000_000;
/// Episodes told one by one; the last one takes in what comes later.
const EPISODES_MAX: usize = 64;
/// Deployments whose availability is followed.
const DEPLOYMENTS_MAX: usize = 4096;

/// Pods and ReplicaSets that somebody applied and are told apart from those of controllers.
const APPLIED_MAX: usize = 4096;
/// Machines that boot at a time and are told apart.
const MACHINES_MAX: usize = 4096;

/// A line of the story.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Line {
    /// What stands in the column of times.
    pub time: String,
    /// How it is meant.
    pub tone: Tone,
    /// What happened.
    pub text: String,
}

/// How a line is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tone {
    /// Something begins.
    Headline,
    /// It goes on.
    Plain,
    /// For the better.
    Good,
    /// For the worse.
    Bad,
}

/// Follows a run and remembers what to tell.
#[derive(Clone, Debug)]
pub struct Chronicle {
    episodes: Vec<Episode>,
    /// The episode of each fact, by its number less one.
    of: Vec<u8>,
    /// Available pods of each Deployment, and what it wants if it was told.
    deployments: BTreeMap<String, (i64, Option<i64>)>,
    /// When each of the plan's steps comes, its name, and how long it lasts in words.
    steps: Vec<(SimTime, Text, String)>,
    /// Pods and ReplicaSets that the plan applies, which controllers make otherwise.
    applied: BTreeSet<String>,
    surges: Surges,
    /// Machines that boot.
    booting: BTreeSet<String>,
    /// The time of the latest fact.
    now: SimTime,
}

impl Chronicle {
    /// For a run of `plan`.
    pub fn new(plan: &Plan) -> Chronicle {
        let steps = plan.steps.iter().map(|step| {
            let lasts = match &step.act {
                Act::Fault { lasts: Some(lasts), .. } => {
                    format!(", for {}", super::words::span(*lasts))
                }
                _ => String::new(),
            };
            (step.at, step.name.clone(), lasts)
        });
        Chronicle {
            episodes: vec![Episode::new(SimTime::ZERO, NO_CAUSE, String::new(), String::new())],
            of: Vec::new(),
            deployments: wanted(plan),
            steps: steps.collect(),
            applied: applied(plan),
            surges: Surges::new(plan),
            booting: BTreeSet::new(),
            now: SimTime::ZERO,
        }
    }

    /// Load that rose, and what autoscalers made of it.
    pub fn surges(&self) -> Vec<Surge> {
        self.surges.told(self.now)
    }

    /// What autoscalers scale, as facts name it.
    pub fn autoscaled(&self) -> impl Iterator<Item = &str> {
        self.surges.targets()
    }

    /// Machines that boot are told apart from nodes that were there.
    fn machine(&mut self, fact: &Fact) -> Option<Mark> {
        let name = || fact.object.name.to_string();
        match fact.verb {
            Verb::Booting if self.booting.len() < MACHINES_MAX => {
                self.booting.insert(name());
                Some(Mark::Booting)
            }
            Verb::Created | Verb::NodeReady
                if fact.object.kind == Kind::Node && self.booting.contains(&name()) =>
            {
                if fact.verb == Verb::Created {
                    return Some(Mark::Booted);
                }
                self.booting.remove(&name());
                Some(Mark::MachineReady)
            }
            _ => None,
        }
    }

    fn episode_of(&self, number: u64) -> Option<usize> {
        let at = usize::try_from(number).ok()?.checked_sub(1)?;
        self.of.get(at).map(|episode| usize::from(*episode))
    }

    fn latest(&self) -> usize {
        self.episodes.len() - 1
    }

    /// A step of the timeline begins; returns its episode.
    fn turn(&mut self, at: SimTime, number: u64, fact: &Fact) -> usize {
        if self.episodes.len() < EPISODES_MAX {
            let said = fact.message.as_deref().unwrap_or_default();
            let known =
                self.steps.iter().find(|(when, name, _)| *when == at && said.starts_with(&**name));
            let lasts = known.map_or("", |(.., lasts)| lasts);
            let about = fact.object.to_string();
            self.episodes.push(Episode::new(at, number, format!("{said}{lasts}"), about));
        }
        self.latest()
    }

    /// Where a fact that nothing leads to belongs: to the latest fault of its node, else the latest.
    fn place(&self, cause: u64, fact: &Fact) -> usize {
        if let Some(known) = (cause != NO_CAUSE).then(|| self.episode_of(cause)).flatten() {
            return known;
        }
        if fact.object.kind == Kind::Node {
            let name = fact.object.to_string();
            let same = |it: &Episode| it.about == name;
            return self.episodes.iter().rposition(same).unwrap_or(self.latest());
        }
        self.latest()
    }

    fn requests(&mut self, at: SimTime, fact: &Fact) {
        let value = |key: &str| {
            let found = fact.values.iter().find(|(name, _)| *name == key);
            found.map_or(0, |(_, value)| u64::try_from(*value).unwrap_or(0))
        };
        // What is told at the end of a second belongs to what began before it.
        let episode = self.episodes.iter().rposition(|it| it.begins < at).unwrap_or(0);
        let episode = &mut self.episodes[episode];
        if value("ok") > 0 {
            episode.note(at, Mark::Served, fact);
        }
        let kinds = ["refused", "reset", "timeout", "failed"].map(value);
        let is_failing = kinds.iter().any(|count| *count > 0);
        if is_failing || episode.failing.as_ref().is_some_and(|it| it.last == at) {
            episode.fail(at, kinds, value("sent"));
        }
    }

    fn status(&mut self, episode: usize, at: SimTime, fact: &Fact) {
        let Some((_, available)) = fact.values.iter().find(|(key, _)| *key == "available") else {
            return;
        };
        let name = fact.object.to_string();
        if self.deployments.len() >= DEPLOYMENTS_MAX && !self.deployments.contains_key(&name) {
            return;
        }
        let row = self.deployments.entry(name.clone()).or_default();
        let before = std::mem::replace(&mut row.0, *available);
        // A Deployment scaled down is meant to have fewer.
        let owed = row.1.map_or(before, |wanted| wanted.min(before));
        if *available < owed {
            self.episodes[episode].dip(at, &name, owed, *available);
        } else if *available > before {
            self.episodes.iter_mut().for_each(|it| it.rise(at, &name, *available));
        }
    }
}

/// What is known of each Deployment and StatefulSet of the plan: none of its pods available, and how many are wanted.
fn wanted(plan: &Plan) -> BTreeMap<String, (i64, Option<i64>)> {
    let mut wanted = BTreeMap::new();
    for planned in &plan.objects {
        let replicas = match &planned.object {
            Object::Deployment(it) => it.replicas,
            Object::StatefulSet(it) => it.replicas,
            _ => continue,
        };
        if wanted.len() < DEPLOYMENTS_MAX {
            let name = planned.object.name().to_string();
            wanted.insert(name, (0, Some(i64::from(replicas))));
        }
    }
    wanted
}

/// What the plan applies, now or later, of the kinds that controllers make.
fn applied(plan: &Plan) -> BTreeSet<String> {
    let steps = plan.steps.iter().filter_map(|step| match &step.act {
        Act::Apply(objects) => Some(objects),
        _ => None,
    });
    let all = plan.objects.iter().chain(steps.flatten()).map(|planned| &planned.object);
    let made = all.filter(|it| matches!(it, Object::Pod(_) | Object::ReplicaSet(_)));
    made.take(APPLIED_MAX).map(|it| it.name().to_string()).collect()
}

impl FactSink<Fact> for Chronicle {
    fn record(&mut self, at: SimTime, number: u64, cause: u64, fact: &Fact) {
        self.now = at;
        self.surges.record(at, number, cause, fact);
        let episode = match fact.verb {
            Verb::Step => self.turn(at, number, fact),
            _ => self.place(cause, fact),
        };
        if self.of.len() < FACTS_MAX {
            self.of.push(episode as u8);
        }
        match fact.verb {
            Verb::Requests => self.requests(at, fact),
            Verb::RequestFailed => {
                let failing = self.episodes[episode].failing.as_mut();
                if let Some(failing) = failing.filter(|it| it.why.is_none()) {
                    failing.why = fact.message.clone();
                }
            }
            Verb::Status if is_followed(fact.object.kind) => {
                self.status(episode, at, fact);
            }
            Verb::Deleted if is_followed(fact.object.kind) => {
                // Nobody wants its pods any more.
                let name = fact.object.to_string();
                self.deployments.remove(&name);
                self.episodes[episode].forgive(&name);
            }
            Verb::Scaled if is_followed(fact.object.kind) => {
                let wanted = fact.values.first().map(|(_, value)| *value);
                if let Some(row) = self.deployments.get_mut(&fact.object.to_string()) {
                    row.1 = wanted;
                }
            }
            _ => {}
        }
        let is_applied = [NO_CAUSE, self.episodes[episode].step].contains(&cause);
        let mark = match self.machine(fact).or_else(|| mark_of(at, fact)) {
            // What a controller makes of it nobody applied.
            Some(Mark::Applied(_)) if !is_applied => None,
            Some(Mark::PodsMade | Mark::SetsMade)
                if !self.applied.is_empty() && self.applied.contains(&fact.object.to_string()) =>
            {
                Some(Mark::Applied(fact.object.kind))
            }
            mark => mark,
        };
        if let Some(mark) = mark {
            self.episodes[episode].note(at, mark, fact);
        }
    }
}

/// Kinds whose availability is followed and whose changes are told.
fn is_followed(kind: Kind) -> bool {
    matches!(kind, Kind::Deployment | Kind::StatefulSet | Kind::DaemonSet)
}

/// Under which kind of event a fact is told; most are not.
fn mark_of(at: SimTime, fact: &Fact) -> Option<Mark> {
    let value = |key: &str| {
        fact.values.iter().find(|(name, _)| *name == key).map_or(0, |(_, value)| *value)
    };
    Some(match (fact.verb, fact.object.kind) {
        (Verb::Created, Kind::Node) => Mark::NodesJoined,
        (Verb::Created, Kind::ReplicaSet) => Mark::SetsMade,
        (Verb::Created, Kind::Pod) => Mark::PodsMade,
        (Verb::Created, Kind::Job) if fact.message.is_some() => Mark::JobsMade,
        (Verb::Created, Kind::EndpointSlice | Kind::Endpoints | Kind::Lease) => return None,
        // What is there at the very start nobody applied.
        (Verb::Created, kind) if at > SimTime::ZERO => Mark::Applied(kind),
        (Verb::Refused, _) => Mark::Refused,
        (Verb::Changed, kind) if is_followed(kind) => Mark::Changed,
        (Verb::Scaled, kind) if is_followed(kind) => Mark::Scaled,
        (Verb::Recommended, _) if value("desired") > value("current") => Mark::AutoscaledUp,
        (Verb::Recommended, _) => Mark::AutoscaledDown,
        (Verb::Bound, _) => Mark::Bound,
        (Verb::Unschedulable, _) => Mark::Unschedulable,
        (Verb::Pulling, _) => Mark::Pulling,
        (Verb::Pulled, _) => Mark::Pulled,
        (Verb::PullFailed, _) => Mark::PullFailed,
        (Verb::Started, _) if value("restarts") > 0 => Mark::Restarted,
        (Verb::Started, _) => Mark::Started,
        (Verb::Exited, _) => Mark::Exited,
        (Verb::ProbeFailed, _) => Mark::ProbeFailed,
        (Verb::HookFailed, _) => Mark::HookFailed,
        (Verb::BackOff, _) => Mark::BackOff,
        (Verb::Ready, _) => Mark::Ready,
        (Verb::Unready, _) => Mark::Unready,
        (Verb::Finished, _) if value("failed") > 0 => Mark::Failed,
        (Verb::Finished, _) => Mark::Succeeded,
        (Verb::Endpoints, _) if value("ready") > 0 => Mark::Endpoints,
        (Verb::Available, _) => Mark::Available,
        (Verb::Completed, _) => Mark::JobCompleted,
        (Verb::Failed, _) => Mark::JobFailed,
        (Verb::Suspended, _) => Mark::JobSuspended,
        (Verb::Resumed, _) => Mark::JobResumed,
        (Verb::NodeUnknown, _) => Mark::NodeUnknown,
        (Verb::NodeNotReady, _) => Mark::NodeNotReady,
        (Verb::NodeReady, _) => Mark::NodeReady,
        (Verb::Crowded, _) => Mark::Crowded,
        (Verb::Preempted, _) => Mark::Preempted,
        (Verb::Evicted, _) => Mark::Evicted,
        (Verb::Deleting, Kind::Pod) => Mark::Deleting,
        (Verb::Deleted, Kind::Pod) => Mark::Deleted,
        (Verb::Leader, _) => Mark::Leader,
        (Verb::LeaderLost, _) => Mark::LeaderLost,
        (Verb::Healed, _) => Mark::Healed,
        (Verb::Missed, _) => Mark::Missed,
        (Verb::Advised, _) => Mark::Advised,
        (Verb::Outgrown, _) => Mark::Outgrown,
        (Verb::NotHelped, _) => Mark::NotHelped,
        (Verb::ScaleUpFailed, _) => Mark::ScaleUpFailed,
        (Verb::Removing, _) => Mark::Removing,
        (Verb::Returned, _) => Mark::Returned,
        _ => return None,
    })
}
