//! Fragmentation as a measure: GPU that is left and that a typical pod cannot use (ATC'23, section 3).
//!
//! For a node with `R_g` thousandths left of device g and a typical pod m that wants `D` of each of
//! its devices, the fragment is
//!
//! ```text
//! F(m) = sum of R_g over all g             where m cannot run there (or wants no GPU at all)
//!        sum of R_g over g with R_g < D    where it can
//! F    = sum over m of share(m) * F(m)
//! ```
//!
//! Sums stay integers, in thousandths times the weights of typical pods; a score is rounded once.

use std::collections::BTreeMap;

use super::ask::{Ask, Asked};
use super::{GpuShare, WHOLE};
use crate::control_plane::scheduler::algorithm::framework::MAX_SCORE;
use crate::control_plane::scheduler::algorithm::node_info::NodeInfo;
use crate::control_plane::scheduler::algorithm::snapshot::Snapshot;

/// A kind of pod that is expected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Typical {
    /// What it asks for.
    pub ask: Ask,
    /// How often it comes, against the others.
    pub weight: u32,
}

/// Fragmented thousandths of a node with so much left, times the sum of weights.
pub fn expected(workload: &[Typical], left: &[i32], cpu_left: i64, model: &str) -> i64 {
    let all: i64 = left.iter().map(|left| i64::from((*left).max(0))).sum();
    let of = |typical: &Typical| {
        let Typical { ask, weight } = typical;
        let roomy = left.iter().filter(|left| **left >= ask.milli).count();
        let runs =
            ask.count > 0 && ask.cpu <= cpu_left && ask.takes(model) && roomy >= ask.count as usize;
        let fragment = match runs {
            true => left
                .iter()
                .filter(|left| **left < ask.milli)
                .map(|it| i64::from((*it).max(0)))
                .sum(),
            false => all,
        };
        fragment * i64::from(*weight)
    };
    workload.iter().map(of).sum()
}

/// 100 / (1 + e^d), cut off, where d is by how many GPUs the fragment would grow with the pod: 50
/// where it stays. As the authors' simulator scores; the one float here.
pub(super) fn score(workload: &[Typical], ask: &Ask, node: &NodeInfo) -> i64 {
    let weights: i64 = workload.iter().map(|it| i64::from(it.weight)).sum();
    let cpu_left = node.allocatable.cpu_milli.saturating_sub(node.requested.cpu_milli);
    let Some(devices) = node.devices.as_deref() else { return MAX_SCORE / 2 };
    let before = expected(workload, devices.left(), cpu_left, devices.model());
    let mut left: Vec<i32> = devices.left().to_vec();
    if ask.count > 0 {
        for at in devices.choose(ask, cpu_left).unwrap_or_default() {
            left[at] -= ask.milli;
        }
    }
    let after = expected(workload, &left, cpu_left - ask.cpu, devices.model());
    if weights == 0 {
        return MAX_SCORE / 2;
    }
    let growth = (after - before) as f64 / (weights * i64::from(WHOLE)) as f64;
    (MAX_SCORE as f64 / (1.0 + libm::exp(growth))) as i64
}

/// The pods that are on nodes, by what they ask for.
pub(super) fn present(args: &GpuShare, snapshot: &Snapshot) -> Vec<Typical> {
    let mut kinds: BTreeMap<Ask, u32> = BTreeMap::new();
    for resident in snapshot.nodes().flat_map(|node| &node.pods) {
        let ask = match Asked::of(args, &resident.shape) {
            Asked::Devices(ask) => Ask { pinned: Vec::new(), ..ask },
            Asked::Nothing => {
                Ask { cpu: resident.shape.spec().requests.cpu_milli, ..Ask::default() }
            }
            Asked::Malformed => continue,
        };
        *kinds.entry(ask).or_default() += 1;
    }
    kinds.into_iter().map(|(ask, weight)| Typical { ask, weight }).collect()
}
