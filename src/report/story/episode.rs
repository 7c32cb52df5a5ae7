//! One stretch of a story: the start of a run, or a step or fault, with what followed from it.

use smallvec::SmallVec;

use crate::api::name::Text;
use crate::messages::Fact;
use crate::time::SimTime;

/// Names remembered of each kind of event.
const NAMES_MAX: usize = 4;
/// Deployments whose ups and downs are remembered for each episode.
const DIPS_MAX: usize = 8;

/// What is told together in one line.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Mark {
    /// Nodes join.
    NodesJoined,
    /// The user's objects are stored: which kind.
    Applied(crate::api::kind::Kind),
    /// The API server refuses something.
    Refused,
    /// A Deployment's template is changed.
    Changed,
    /// A workload somebody wrote is scaled.
    Scaled,
    /// Autoscalers ask for more pods.
    AutoscaledUp,
    /// Autoscalers ask for fewer pods.
    AutoscaledDown,
    /// ReplicaSets are made.
    SetsMade,
    /// A CronJob's Jobs are made.
    JobsMade,
    /// Pods are created.
    PodsMade,
    /// Pods are bound.
    Bound,
    /// Pods fit nowhere.
    Unschedulable,
    /// Images are being fetched.
    Pulling,
    /// Images are there.
    Pulled,
    /// Images cannot be had.
    PullFailed,
    /// Containers start.
    Started,
    /// Containers start again.
    Restarted,
    /// Containers end.
    Exited,
    /// Probes fail.
    ProbeFailed,
    /// Hooks of containers fail.
    HookFailed,
    /// Containers wait before they start again.
    BackOff,
    /// Pods become ready.
    Ready,
    /// Pods are no longer ready.
    Unready,
    /// Pods succeed.
    Succeeded,
    /// Pods fail.
    Failed,
    /// A Service has ready endpoints.
    Endpoints,
    /// Requests are answered.
    Served,
    /// A Deployment is as desired.
    Available,
    /// Jobs are suspended.
    JobSuspended,
    /// Jobs go on.
    JobResumed,
    /// Jobs are complete.
    JobCompleted,
    /// Jobs fail.
    JobFailed,
    /// Nothing is heard from nodes.
    NodeUnknown,
    /// Nodes say they are not ready.
    NodeNotReady,
    /// Nodes are ready.
    NodeReady,
    /// Nodes have less processor time than is asked of them.
    Crowded,
    /// Pods make room for more important ones.
    Preempted,
    /// Pods are told to leave.
    Evicted,
    /// Pods are marked for deletion.
    Deleting,
    /// Pods are gone.
    Deleted,
    /// Somebody leads.
    Leader,
    /// Somebody leads no more.
    LeaderLost,
    /// The fault ends.
    Healed,
    /// A step or fault finds nothing.
    Missed,
    /// VerticalPodAutoscalers recommend something else.
    Advised,
    /// Pods ask for something else than is recommended.
    Outgrown,
    /// Machines are asked for.
    Booting,
    /// Machines register their nodes.
    Booted,
    /// Machines' nodes are ready.
    MachineReady,
    /// No node group helps a pod.
    NotHelped,
    /// Machines do not come.
    ScaleUpFailed,
    /// Nodes are emptied to be given back.
    Removing,
    /// Machines are given back.
    Returned,
}

/// How often something happened, from when to when, and to what first.
#[derive(Clone, Debug)]
pub struct Milestone {
    /// The first time.
    pub first: SimTime,
    /// The latest time.
    pub last: SimTime,
    /// How often.
    pub count: u64,
    /// A sum that belongs to it (bytes).
    pub sum: u64,
    /// The first few objects.
    pub names: Vec<String>,
    /// The node of the first.
    pub node: Option<String>,
    /// What was said of the first.
    pub message: Option<Text>,
    /// The integers of the first.
    pub values: SmallVec<[(&'static str, i64); 2]>,
}

/// Requests that failed.
#[derive(Clone, Debug)]
pub struct Failing {
    /// The beginning of the first second with one.
    pub first: SimTime,
    /// The end of the latest.
    pub last: SimTime,
    /// Refused, reset, timed out, answered with an error.
    pub kinds: [u64; 4],
    /// Sent from the first to the latest.
    pub sent: u64,
    /// Why, of the first one told of singly.
    pub why: Option<Text>,
}

/// A Deployment that lost available pods.
#[derive(Clone, Debug)]
pub struct Dip {
    /// `Deployment/shop/web`.
    pub name: String,
    /// When it began.
    pub at: SimTime,
    /// Available before, no more than are wanted.
    pub before: i64,
    /// The fewest.
    pub lowest: i64,
    /// When as many as before were available again.
    pub back: Option<SimTime>,
}

/// A stretch of the story.
#[derive(Clone, Debug)]
pub struct Episode {
    /// When it begins.
    pub begins: SimTime,
    /// The number of the fact it begins with.
    pub step: u64,
    /// What it is called; nothing for the start.
    pub title: String,
    /// What the step or fault is about.
    pub about: String,
    /// What happened, by kind.
    pub marks: std::collections::BTreeMap<Mark, Milestone>,
    /// Requests that failed.
    pub failing: Option<Failing>,
    /// Deployments that lost available pods.
    pub dips: Vec<Dip>,
    /// Deployments beyond those.
    pub dips_more: u64,
}

impl Episode {
    /// One that begins at `begins`.
    pub fn new(begins: SimTime, step: u64, title: String, about: String) -> Episode {
        Episode {
            begins,
            step,
            title,
            about,
            marks: std::collections::BTreeMap::new(),
            failing: None,
            dips: Vec::new(),
            dips_more: 0,
        }
    }

    /// Something happened.
    pub fn note(&mut self, at: SimTime, mark: Mark, fact: &Fact) {
        let row = self.marks.entry(mark).or_insert_with(|| Milestone {
            first: at,
            last: at,
            count: 0,
            sum: 0,
            names: Vec::new(),
            node: fact.node.as_ref().map(ToString::to_string),
            message: fact.message.clone(),
            values: fact.values.clone(),
        });
        row.last = at;
        row.count += 1;
        if row.names.len() < NAMES_MAX {
            let name = fact.object.to_string();
            if !row.names.contains(&name) {
                row.names.push(name);
            }
        }
        for (key, value) in &fact.values {
            if *key == "bytes" {
                row.sum = row.sum.saturating_add(u64::try_from(*value).unwrap_or(0));
            }
        }
    }

    /// Requests failed in the second before `at`.
    pub fn fail(&mut self, at: SimTime, kinds: [u64; 4], sent: u64) {
        let begin = at.saturating_sub(crate::time::SimDuration::from_secs(1));
        let row = self.failing.get_or_insert(Failing {
            first: begin,
            last: at,
            kinds: [0; 4],
            sent: 0,
            why: None,
        });
        row.last = at;
        row.sent += sent;
        for (sum, count) in row.kinds.iter_mut().zip(kinds) {
            *sum += count;
        }
    }

    /// A Deployment has fewer available pods than before.
    pub fn dip(&mut self, at: SimTime, name: &str, before: i64, available: i64) {
        if let Some(known) = self.dips.iter_mut().find(|dip| dip.name == name) {
            known.lowest = known.lowest.min(available);
            known.back = None;
        } else if self.dips.len() < DIPS_MAX {
            let name = name.to_owned();
            self.dips.push(Dip { name, at, before, lowest: available, back: None });
        } else {
            self.dips_more += 1;
        }
    }

    /// A Deployment went: that it had fewer pods before is no loss.
    pub fn forgive(&mut self, name: &str) {
        self.dips.retain(|dip| dip.name != name || dip.back.is_some());
    }

    /// A Deployment has more available pods than before.
    pub fn rise(&mut self, at: SimTime, name: &str, available: i64) {
        let known = self.dips.iter_mut().find(|dip| dip.name == name && dip.back.is_none());
        if let Some(dip) = known.filter(|dip| available >= dip.before) {
            dip.back = Some(at);
        }
    }
}
