//! Room for critical pods: which others must go so that one is admitted (kubelet 1.36
//! `pkg/kubelet/preemption/preemption.go`).
//!
//! Lower quality of service goes first; within a class those whose requests come closest to what is missing.

use std::cmp::Ordering;

use crate::api::pod::Qos;
use crate::api::resources::Resources;

/// A pod that may have to go.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// What it is known by.
    pub key: usize,
    /// Its quality of service.
    pub qos: Qos,
    /// What it asks for.
    pub requests: &'a Resources,
}

/// How much of a resource is missing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Missing {
    /// `cpu`, `memory`, `ephemeral-storage`, `pods`, or an extended resource.
    pub resource: Box<str>,
    /// How much, in the units of [`Resources`].
    pub amount: i64,
}

fn amount(of: &Resources, resource: &str) -> i64 {
    match resource {
        "cpu" => of.cpu_milli,
        "memory" => of.memory,
        "ephemeral-storage" => of.ephemeral_storage,
        "pods" => 1,
        other => of.scalar(other),
    }
}

/// What is still missing once these have gone.
fn without<'c>(
    missing: &[Missing],
    gone: impl Iterator<Item = &'c Candidate<'c>> + Clone,
) -> Vec<Missing> {
    let left = |one: &Missing| {
        let freed: i64 = gone.clone().map(|it| amount(it.requests, &one.resource)).sum();
        let amount = one.amount - freed;
        (amount > 0).then(|| Missing { amount, ..one.clone() })
    };
    missing.iter().filter_map(left).collect()
}

/// How far a pod is from what is missing: the squares of the shares it leaves open, summed.
fn distance(missing: &[Missing], of: &Resources) -> f64 {
    let open = |one: &Missing| {
        let left = (one.amount - amount(of, &one.resource)).max(0);
        let share = left as f64 / one.amount as f64;
        share * share
    };
    missing.iter().map(open).sum()
}

/// Picks pods until nothing is missing; `None`: all together are not enough.
fn closest<'c>(
    mut missing: Vec<Missing>,
    mut pods: Vec<&'c Candidate<'c>>,
) -> Option<Vec<&'c Candidate<'c>>> {
    let mut picked = Vec::new();
    while !missing.is_empty() {
        let size = |it: &Candidate<'_>| (it.requests.memory, it.requests.cpu_milli);
        let nearer = |&a: &usize, &b: &usize| {
            let (a, b) = (pods[a], pods[b]);
            let far = |it: &Candidate<'_>| distance(&missing, it.requests);
            let by_distance = far(a).partial_cmp(&far(b)).unwrap_or(Ordering::Equal);
            // The later of two equals: `smallerResourceRequest` says yes to equal ones.
            by_distance.then_with(|| size(a).cmp(&size(b)))
        };
        let best = (0..pods.len()).rev().min_by(nearer)?;
        let one = pods.swap_remove(best);
        missing = without(&missing, std::iter::once(one));
        picked.push(one);
    }
    Some(picked)
}

/// Which pods must go, by their keys; `None`: it would not help if all went.
pub fn victims(missing: &[Missing], pods: &[Candidate<'_>]) -> Option<Vec<usize>> {
    if !without(missing, pods.iter()).is_empty() {
        return None;
    }
    let of = |qos: Qos| pods.iter().filter(move |it| it.qos == qos);
    let (best_effort, burstable) = (of(Qos::BestEffort), of(Qos::Burstable));
    let lower = best_effort.clone().chain(burstable.clone());
    let guaranteed = closest(without(missing, lower), of(Qos::Guaranteed).collect())?;
    let others = best_effort.clone().chain(guaranteed.iter().copied());
    let burst = closest(without(missing, others), burstable.collect())?;
    let others = burst.iter().chain(&guaranteed).copied();
    let least = closest(without(missing, others), best_effort.collect())?;
    Some(least.into_iter().chain(burst).chain(guaranteed).map(|it| it.key).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(cpu_milli: i64, memory: i64) -> Resources {
        Resources { cpu_milli, memory, ..Resources::default() }
    }

    fn lacks(resource: &str, amount: i64) -> Missing {
        Missing { resource: resource.into(), amount }
    }

    fn picked(missing: &[Missing], pods: &[(Qos, Resources)]) -> Option<Vec<usize>> {
        let pods: Vec<_> = pods
            .iter()
            .enumerate()
            .map(|(key, (qos, requests))| Candidate { key, qos: *qos, requests })
            .collect();
        victims(missing, &pods)
    }

    // The cases of kubelet 1.36 `preemption_test.go`, TestGetPodsToPreempt: best effort, bestEffort2, burstable
    // 100m/100Mi, high request burstable 300m/300Mi, guaranteed 100m/100Mi, high request guaranteed 300m/300Mi.
    #[test]
    fn lower_classes_go_first_and_those_that_fit_best() {
        use Qos::{BestEffort, Burstable, Guaranteed};
        let (small, large) = (|| asks(100, 100), || asks(300, 300));
        let all = [
            (BestEffort, asks(0, 0)),
            (Burstable, small()),
            (Burstable, large()),
            (Guaranteed, small()),
            (Guaranteed, large()),
        ];
        assert_eq!(picked(&[], &all), Some(vec![]), "nothing is missing");
        assert_eq!(
            picked(&[lacks("pods", 1)], &all),
            Some(vec![0]),
            "the best effort pod makes a place"
        );
        assert_eq!(picked(&[lacks("cpu", 100), lacks("memory", 100)], &all), Some(vec![1]));
        assert_eq!(picked(&[lacks("cpu", 300)], &all), Some(vec![2]));
        let mut many = picked(&[lacks("cpu", 500)], &all).expect("they are enough");
        many.sort_unstable();
        assert_eq!(many, [1, 2, 3]);
        assert_eq!(picked(&[lacks("memory", 2000)], &all), None, "all together are not enough");
    }
}
