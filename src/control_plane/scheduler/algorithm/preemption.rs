//! DefaultPreemption: whether pods of lower priority could make room for a pod that fits nowhere,
//! and which (`pkg/scheduler/framework/preemption`, `plugins/defaultpreemption`, 1.36).
//!
//! Owns the answer alone: a pure function of a [`Question`] and of how each node was rejected.
//! Refuses to know how victims are evicted and what becomes of the pod meanwhile.
//!
//! ```text
//! eligible? --> nodes rejected for what pods hold --> dry run on each --> the best of them
//!    | no           | none                            | none would do
//!    v              v                                 v
//!  Ineligible     Nowhere                           Nowhere, with each node's reason
//! ```

mod choice;
mod victims;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use choice::{Candidate, choose, earliest_start};
pub(super) use victims::select;
pub use victims::{more_important_first, split_by_budgets};

use super::diagnosis::{Diagnosis, MadeRoom, NO_VICTIMS, NOT_HELPFUL, sorted_histogram};
use super::framework::{self, Code, CycleState, Question, Rejection};
use super::node_info::NodeInfo;
use super::nominations::Nominee;
use super::profile::Candidates;
use super::resident::{Resident, Standing};
use super::shape::PodShape;
use crate::api::name::Text;
use crate::api::node::Node;
use crate::api::pod::{Pod, Preemption};
use crate::base::id::Id;

/// How many candidates are enough among `nodes` that may do (`calculateNumCandidates`, 1.36).
pub fn enough(args: Candidates, nodes: usize) -> usize {
    let number = |given: i32| usize::try_from(given).unwrap_or(0);
    let share = nodes * number(args.percentage) / 100;
    share.max(number(args.absolute)).min(nodes)
}

/// In which order nodes are tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tour {
    /// By name; of equal candidates the one of the smallest name is taken.
    ByName,
    /// As the snapshot has them, from this place on, taken modulo their number; of equal candidates
    /// the first that was found is taken.
    From(u64),
}

/// Why a pod may not preempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ineligible {
    /// Its preemptionPolicy is Never.
    Policy,
    /// Its victims are still leaving.
    VictimsLeave,
}

/// Why no pods of a node can make room.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Failure {
    /// There is none of lower priority.
    NoVictims,
    /// With all of them gone the pod would not fit either.
    Rejected(Rejection),
}

/// Room was found.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where, and whose.
    pub chosen: Candidate,
    /// All that could have been chosen, in the order they were found, those that violate no budget
    /// first.
    pub candidates: Vec<Arc<Candidate>>,
    /// Those that were as good as the chosen one.
    pub tied: Vec<Id<Node>>,
    /// Pods of lower priority that were promised the node, and are no longer.
    pub displaced: Vec<Id<Pod>>,
}

/// What preemption says of a pod that fits nowhere.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// These pods have to go.
    Plan(Box<Plan>),
    /// The pod may not preempt; a promise to it stays.
    Ineligible(Ineligible),
    /// No node would do, with the reasons of those that were tried and how many nodes have each; a
    /// promise to the pod is void.
    Nowhere(Vec<(Failure, u32)>),
}

const POLICY: &str = "not eligible due to preemptionPolicy=Never.";
const LEAVING: &str = "not eligible due to a terminating pod on the nominated node.";

impl Verdict {
    /// The plan, if there is one.
    pub fn plan(&self) -> Option<&Plan> {
        match self {
            Verdict::Plan(plan) => Some(plan),
            _ => None,
        }
    }

    /// What it means for the pod's condition, in a cluster of so many nodes.
    pub fn made_room(&self, nodes: usize, pod: &PodShape) -> MadeRoom {
        let failures = match self {
            Verdict::Plan(_) => return MadeRoom::Nominated,
            Verdict::Ineligible(Ineligible::Policy) => return MadeRoom::No(POLICY.into()),
            Verdict::Ineligible(Ineligible::VictimsLeave) => return MadeRoom::No(LEAVING.into()),
            Verdict::Nowhere(failures) => failures,
        };
        let mut counts: BTreeMap<Text, u32> = BTreeMap::new();
        let mut count = |reason: Text, nodes: u32| *counts.entry(reason).or_default() += nodes;
        let mut tried = 0;
        for (failure, nodes) in failures {
            tried += *nodes;
            match failure {
                Failure::NoVictims => count(NO_VICTIMS.into(), *nodes),
                Failure::Rejected(rejection) => {
                    rejection.reasons(pod).into_iter().for_each(|reason| count(reason, *nodes));
                }
            }
        }
        let rest = (nodes as u32).saturating_sub(tried);
        if rest > 0 {
            count(NOT_HELPFUL.into(), rest);
        }
        let words = sorted_histogram(counts.iter().map(|(reason, nodes)| (&**reason, *nodes)));
        MadeRoom::No(format!("0/{nodes} nodes are available: {words}.").into())
    }
}

/// Runs PostFilter for a pod that fits nowhere, as `diagnosis` has it; `nominated` is the node it
/// was promised.
pub fn post_filter(
    q: Question<'_>,
    diagnosis: &Diagnosis,
    nominated: Option<Id<Node>>,
    tour: Tour,
) -> Verdict {
    let mut state = None;
    post_filter_by(q, diagnosis, nominated, tour, |node| {
        let state = state.get_or_insert_with(|| framework::pre_filter(q).1);
        select(q, state, node)
    })
}

/// The same, with the dry run on one node as `try_on` does it.
pub(super) fn post_filter_by<'q>(
    q: Question<'q>,
    diagnosis: &Diagnosis,
    nominated: Option<Id<Node>>,
    tour: Tour,
    try_on: impl FnMut(&'q NodeInfo) -> Result<Arc<Candidate>, Failure>,
) -> Verdict {
    if let Some(why) = ineligible(q, diagnosis, nominated) {
        return Verdict::Ineligible(why);
    }
    let nodes = that_may_do(q, diagnosis, tour);
    if nodes.is_empty() {
        return Verdict::Nowhere(Vec::new());
    }
    let wanted = enough(q.profile.candidates, nodes.len());
    let rows = nodes.iter().map(|&slot| q.snapshot.row(slot));
    let (candidates, failures) = dry_run_by(rows, wanted, try_on);
    let Some((chosen, tied)) = choose(&candidates) else {
        return Verdict::Nowhere(failures);
    };
    let is_lower = |nominee: &&Nominee| nominee.shape.spec().priority < q.pod.spec().priority;
    let promised = q.snapshot.nominations().at(chosen.node).iter();
    let displaced = promised.filter(is_lower).map(|nominee| nominee.pod).collect();
    Verdict::Plan(Box::new(Plan { chosen: chosen.clone(), tied, displaced, candidates }))
}

/// The slots of nodes on which taking pods away might help, in the order in which they are to be
/// tried.
fn that_may_do(q: Question<'_>, diagnosis: &Diagnosis, tour: Tour) -> Vec<u32> {
    let refused = diagnosis.refused.as_ref().map(|refusal| refusal.code);
    let every = refused == Some(Code::Unschedulable);
    let slot = |id: Id<Node>| id.slot() as u32;
    match tour {
        Tour::ByName if every => q.snapshot.by_name().to_vec(),
        Tour::ByName => {
            let mut may_do = vec![false; q.snapshot.rows().len()];
            diagnosis.rejected.resolvable().for_each(|id| may_do[id.slot()] = true);
            let by_name = q.snapshot.by_name().iter().copied();
            by_name.filter(|slot| may_do[*slot as usize]).collect()
        }
        Tour::From(place) => {
            let mut nodes: Vec<u32> = match every {
                true => q.snapshot.order().to_vec(),
                false => diagnosis.rejected.resolvable().map(slot).collect(),
            };
            if !nodes.is_empty() {
                let start = place % nodes.len() as u64;
                nodes.rotate_left(start as usize);
            }
            nodes
        }
    }
}

/// Whether the pod may preempt at all (`PodEligibleToPreemptOthers`, 1.36): not while pods that it
/// pushed aside are still leaving the node it was promised, unless that node will not do anyway.
pub fn ineligible(
    q: Question<'_>,
    diagnosis: &Diagnosis,
    nominated: Option<Id<Node>>,
) -> Option<Ineligible> {
    if q.pod.spec().preemption == Preemption::Never {
        return Some(Ineligible::Policy);
    }
    let of_node = nominated.and_then(|id| diagnosis.rejected.of(id));
    let refused = diagnosis.refused.as_ref().map(|refusal| refusal.code);
    let code = of_node.map(|rejection| rejection.code).or(refused)?;
    if code == Code::UnschedulableAndUnresolvable {
        return None;
    }
    let node = q.snapshot.node(nominated?)?;
    let priority = q.pod.spec().priority;
    let is_leaving = |pod: &Resident| {
        pod.standing == Standing::Preempted && pod.shape.spec().priority < priority
    };
    node.pods.iter().any(is_leaving).then_some(Ineligible::VictimsLeave)
}

/// Tries nodes one after the other until `wanted` candidates are found and one of them violates no
/// budget (`DryRunPreemption`, 1.36); also tells why nodes would not do, and how many for each
/// reason. Candidates that violate no budget come first.
pub fn dry_run(
    q: Question<'_>,
    state: &CycleState,
    nodes: &[&NodeInfo],
    wanted: usize,
) -> (Vec<Arc<Candidate>>, Vec<(Failure, u32)>) {
    dry_run_by(nodes.iter().copied(), wanted, |node| select(q, state, node))
}

fn dry_run_by<'q>(
    nodes: impl Iterator<Item = &'q NodeInfo>,
    wanted: usize,
    mut try_on: impl FnMut(&'q NodeInfo) -> Result<Arc<Candidate>, Failure>,
) -> (Vec<Arc<Candidate>>, Vec<(Failure, u32)>) {
    let (mut clean, mut violating) = (Vec::new(), Vec::new());
    let mut failures: Vec<(Failure, u32)> = Vec::new();
    for node in nodes {
        match try_on(node) {
            Ok(candidate) => {
                let list = if candidate.violations == 0 { &mut clean } else { &mut violating };
                if list.len() < wanted {
                    list.push(candidate);
                }
                if !clean.is_empty() && clean.len() + violating.len() >= wanted {
                    break;
                }
            }
            Err(failure) => match failures.iter_mut().find(|(known, _)| *known == failure) {
                Some((_, count)) => *count += 1,
                None => failures.push((failure, 1)),
            },
        }
    }
    clean.append(&mut violating);
    (clean, failures)
}
