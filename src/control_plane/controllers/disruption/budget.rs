//! What a PodDisruptionBudget's status is to say of the pods it selects: pure rules
//! (`disruption.go`: `getExpectedPodCount`, `buildDisruptedPodMap`, `countHealthyPods`, 1.36).

use std::collections::BTreeMap;

use crate::api::disruption::Limit;
use crate::api::meta::Uid;
use crate::api::name::Text;
use crate::api::pod::Pod;
use crate::api::workload::{IntOrPercent, Rounding};
use crate::time::{SimDuration, SimTime};

/// How long an evicted pod counts as gone before it is (`DeletionTimeout`).
pub const DELETION_TIMEOUT: SimDuration = SimDuration::from_secs(120);

/// Whose a selected pod is, and how many pods its owner wants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Scale {
    /// Nobody's.
    Unmanaged,
    /// The controller of this uid wants so many.
    Wanted(Uid, i32),
    /// Its controller tells no number, and why.
    Unknown(Text),
}

/// How many pods there should be, and how many must stay.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Expected {
    /// `expectedPods`.
    pub pods: i32,
    /// `desiredHealthy`.
    pub healthy: i32,
    /// Selected pods that are nobody's, where their owners' wishes count.
    pub unmanaged: usize,
}

/// What a budget with this limit expects of the pods it selects, `count` of them.
///
/// # Errors
/// Some pod's controller tells no number: why.
pub fn expected(
    limit: Limit,
    count: usize,
    scales: impl Iterator<Item = Scale>,
) -> Result<Expected, Text> {
    let count = i32::try_from(count).unwrap_or(i32::MAX);
    Ok(match limit {
        Limit::Unwritten => Expected { pods: 0, healthy: 0, unmanaged: 0 },
        Limit::MinAvailable(IntOrPercent::Int(least)) => {
            Expected { pods: count, healthy: least, unmanaged: 0 }
        }
        Limit::MinAvailable(least) => {
            let (pods, unmanaged) = wanted(scales)?;
            Expected { pods, healthy: least.of(pods, Rounding::Up), unmanaged }
        }
        Limit::MaxUnavailable(most) => {
            let (pods, unmanaged) = wanted(scales)?;
            let healthy = pods.saturating_sub(most.of(pods, Rounding::Up)).max(0);
            Expected { pods, healthy, unmanaged }
        }
    })
}

/// What all controllers together want, each counted once; and how many pods have none.
fn wanted(scales: impl Iterator<Item = Scale>) -> Result<(i32, usize), Text> {
    let (mut by_controller, mut unmanaged) = (BTreeMap::new(), 0);
    for scale in scales {
        match scale {
            Scale::Unmanaged => unmanaged += 1,
            Scale::Wanted(controller, replicas) => {
                by_controller.entry(controller).or_insert(replicas);
            }
            Scale::Unknown(why) => return Err(why),
        }
    }
    let total = by_controller.values().fold(0i32, |sum, &replicas| sum.saturating_add(replicas));
    Ok((total, unmanaged))
}

/// Evicted pods that are not gone yet.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Disrupted {
    /// By name, and since when.
    pub pods: Vec<(Text, SimTime)>,
    /// Those that should be gone by now and no longer count.
    pub overdue: Vec<Uid>,
    /// When to look again.
    pub recheck: Option<SimTime>,
}

/// Which of the pods `held` as disrupted still are; pods on their way out are not.
pub fn disrupted<'a>(
    held: &[(Text, SimTime)],
    pods: impl Iterator<Item = &'a Pod>,
    now: SimTime,
) -> Disrupted {
    let mut found = Disrupted::default();
    if held.is_empty() {
        return found;
    }
    let held: BTreeMap<&str, SimTime> =
        held.iter().map(|(name, since)| (&**name, *since)).collect();
    for pod in pods.filter(|pod| !pod.meta.is_terminating()) {
        let name = pod.meta.name.to_string();
        let Some(&since) = held.get(name.as_str()) else { continue };
        let until = since + DELETION_TIMEOUT;
        if until < now {
            found.overdue.push(pod.meta.uid);
        } else {
            found.recheck = Some(found.recheck.map_or(until, |held| held.min(until)));
            found.pods.push((name.into(), since));
        }
    }
    found.pods.sort();
    found
}

/// How many pods are healthy: ready, and neither on their way out nor disrupted.
pub fn healthy<'a>(
    pods: impl Iterator<Item = &'a Pod>,
    disrupted: &[(Text, SimTime)],
    now: SimTime,
) -> i32 {
    let is_disrupted = |pod: &Pod| {
        !disrupted.is_empty() && {
            let name = pod.meta.name.to_string();
            let found = disrupted.binary_search_by(|(held, _)| (**held).cmp(&name));
            found.is_ok_and(|at| disrupted[at].1 + DELETION_TIMEOUT > now)
        }
    };
    let counts = |pod: &&Pod| !pod.meta.is_terminating() && pod.is_ready() && !is_disrupted(pod);
    i32::try_from(pods.filter(counts).count()).unwrap_or(i32::MAX)
}

/// `disruptionsAllowed`. Where no pods are expected none may be disrupted: the first ones come
/// before anybody has counted them.
pub fn allowed(expected: Expected, healthy: i32) -> i32 {
    if expected.pods <= 0 { 0 } else { healthy.saturating_sub(expected.healthy).max(0) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::meta::Meta;

    fn scales(scales: &[Scale]) -> impl Iterator<Item = Scale> {
        scales.iter().cloned()
    }

    #[test]
    fn a_share_is_of_what_controllers_want_and_rounded_up() {
        let of = Limit::MaxUnavailable(IntOrPercent::Percent(30));
        let seven = [Scale::Wanted(Uid(1), 7), Scale::Wanted(Uid(1), 7)];
        let found = expected(of, 2, scales(&seven));
        assert_eq!(found, Ok(Expected { pods: 7, healthy: 4, unmanaged: 0 }));
        let two = [Scale::Wanted(Uid(1), 7), Scale::Wanted(Uid(2), 3), Scale::Unmanaged];
        let found = expected(Limit::MinAvailable(IntOrPercent::Percent(50)), 3, scales(&two));
        assert_eq!(found, Ok(Expected { pods: 10, healthy: 5, unmanaged: 1 }));
        let unknown = [Scale::Unknown("no number".into())];
        assert_eq!(expected(of, 1, scales(&unknown)), Err("no number".into()));
        let number = Limit::MinAvailable(IntOrPercent::Int(8));
        let found = expected(number, 11, scales(&unknown));
        assert_eq!(found, Ok(Expected { pods: 11, healthy: 8, unmanaged: 0 }));
    }

    #[test]
    fn an_evicted_pod_counts_as_gone_for_two_minutes() {
        let pod = Pod {
            meta: Meta { uid: Uid(7), ..Meta::new("default".into(), "a".into()) },
            spec: Default::default(),
            node: None,
            status: Default::default(),
        };
        let held = [("a".into(), SimTime::from_secs(10))];
        let at = |seconds| disrupted(&held, [&pod].into_iter(), SimTime::from_secs(seconds));
        assert_eq!(at(130).pods, held);
        assert_eq!(at(130).recheck, Some(SimTime::from_secs(130)));
        assert_eq!((at(131).pods.len(), at(131).overdue), (0, vec![Uid(7)]));
    }
}
