//! Which pods of a set go first (`ActivePodsWithRanks`, kube-controller-manager 1.36
//! pkg/controller/controller_utils.go).

use std::cmp::Ordering;

use super::DeletionCosts;
use crate::api::meta::Uid;
use crate::api::pod::{Lifetime, Phase, Pod, PodCondition};
use crate::base::FastMap;
use crate::base::id::Id;
use crate::time::SimTime;

/// Annotation that says how much a pod's deletion costs; pods of lower cost go first.
pub const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// A pod that may be chosen.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// The pod's id.
    pub id: Id<Pod>,
    /// The pod.
    pub pod: &'a Pod,
    /// How many active pods of the same family its node holds.
    pub rank: u32,
}

/// The `amount` of `pods` that go first, where `related` are all pods of the sets with the same
/// controller (`getPodsToDelete`). If all go, nobody is ranked.
pub fn first_to_go<'a>(
    mut pods: Vec<(Id<Pod>, &'a Pod)>,
    related: impl Iterator<Item = &'a Pod>,
    amount: usize,
    costs: DeletionCosts,
    now: SimTime,
) -> Vec<(Id<Pod>, Uid)> {
    if amount < pods.len() {
        let mut on_node: FastMap<Option<usize>, u32> = FastMap::default();
        let slot = |pod: &Pod| pod.node.map(|node| node.slot());
        for pod in related.filter(|pod| pod.is_active()) {
            *on_node.entry(slot(pod)).or_default() += 1;
        }
        let rank = |pod| on_node.get(&slot(pod)).copied().unwrap_or(0);
        let mut ranked: Vec<Candidate<'_>> =
            pods.iter().map(|&(id, pod)| Candidate { id, pod, rank: rank(pod) }).collect();
        sort(&mut ranked, costs, now);
        return ranked.iter().take(amount).map(|one| (one.id, one.pod.meta.uid)).collect();
    }
    pods.sort_unstable_by_key(|(_, pod)| pod.meta.uid);
    pods.into_iter().map(|(id, pod)| (id, pod.meta.uid)).collect()
}

/// Sorts `pods` so that those to be deleted first come first. The order is no strict one
/// (a tie within a bucket of ages is broken by uid, one of equal ages is not), so the sort is a
/// plain merge of halves that holds with any order.
pub fn sort(pods: &mut Vec<Candidate<'_>>, costs: DeletionCosts, now: SimTime) {
    pods.sort_unstable_by_key(|one| one.pod.meta.uid);
    let mut width = 1;
    while width < pods.len() {
        let mut merged = Vec::with_capacity(pods.len());
        for pair in pods.chunks(2 * width) {
            let (mut left, mut right) = pair.split_at(width.min(pair.len()));
            while let (Some(a), Some(b)) = (left.first(), right.first()) {
                if order(b, a, costs, now) == Ordering::Less {
                    merged.push(*b);
                    right = &right[1..];
                } else {
                    merged.push(*a);
                    left = &left[1..];
                }
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        *pods = merged;
        width *= 2;
    }
}

/// `Less`: the lesser is deleted first.
pub fn order(a: &Candidate<'_>, b: &Candidate<'_>, costs: DeletionCosts, now: SimTime) -> Ordering {
    let deletion_cost = |pod: &Pod| match costs {
        DeletionCosts::Count => deletion_cost(pod),
        DeletionCosts::Ignored => 0,
    };
    let ready_since = |one: &Candidate<'_>| one.pod.status.condition(PodCondition::Ready).since();
    let created = |one: &Candidate<'_>| SimTime::from_secs(one.pod.meta.created.as_secs());
    let by_age = |at_a: SimTime, at_b: SimTime| {
        if at_a == at_b {
            return Ordering::Equal;
        }
        // The younger first: a smaller logarithm of the age.
        let ages = log_age(at_a, now).cmp(&log_age(at_b, now));
        ages.then(a.pod.meta.uid.cmp(&b.pod.meta.uid))
    };
    a.pod
        .node
        .is_some()
        .cmp(&b.pod.node.is_some())
        .then_with(|| phase(a.pod).cmp(&phase(b.pod)))
        .then_with(|| a.pod.is_ready().cmp(&b.pod.is_ready()))
        .then_with(|| deletion_cost(a.pod).cmp(&deletion_cost(b.pod)))
        .then_with(|| b.rank.cmp(&a.rank))
        .then_with(|| {
            if a.pod.is_ready() && b.pod.is_ready() {
                match (ready_since(a), ready_since(b)) {
                    (Some(at_a), Some(at_b)) => by_age(at_a, at_b),
                    // Ready for no time at all goes first.
                    (at_a, at_b) => at_a.is_some().cmp(&at_b.is_some()),
                }
            } else {
                Ordering::Equal
            }
        })
        .then_with(|| max_restarts(b.pod).cmp(&max_restarts(a.pod)))
        .then_with(|| by_age(created(a), created(b)))
}

fn phase(pod: &Pod) -> u8 {
    match pod.status.phase {
        Phase::Pending => 0,
        Phase::Unknown => 1,
        Phase::Running => 2,
        // Not in upstream's table of active phases: its map gives 0 for what it does not hold.
        Phase::Succeeded | Phase::Failed => 0,
    }
}

/// The pod's deletion cost; 0 where the annotation is missing or is no 32-bit integer as
/// Kubernetes writes them (no plus sign, no leading zeros).
fn deletion_cost(pod: &Pod) -> i32 {
    let Some(text) = pod.meta.annotation(DELETION_COST) else { return 0 };
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_written_so = text == "0" || digits.starts_with(|first| matches!(first, '1'..='9'));
    if is_written_so { text.parse().unwrap_or(0) } else { 0 }
}

/// floor(log2(age in nanoseconds)); -1 for what is not yet past.
fn log_age(since: SimTime, now: SimTime) -> i32 {
    match now.saturating_since(since).as_nanos() {
        0 => -1,
        nanos => nanos.ilog2() as i32,
    }
}

/// The most restarts of any regular container, then of any sidecar.
fn max_restarts(pod: &Pod) -> (u32, u32) {
    let Some(statuses) = &pod.status.containers else { return (0, 0) };
    let init = &pod.spec.init_containers;
    let (mut regular, mut sidecar) = (0, 0);
    for (at, status) in statuses.iter().enumerate() {
        match init.get(at) {
            None => regular = regular.max(status.restarts),
            Some(one) if one.lifetime == Lifetime::Sidecar => {
                sidecar = sidecar.max(status.restarts);
            }
            Some(_) => {}
        }
    }
    (regular, sidecar)
}
