//! GpuShare: pods that share GPUs, device by device, and pods that take whole ones.
//!
//! An out-of-tree plugin as the open-gpu-share world and the openb traces have it: a node says how
//! many GPUs it has and of which model, a pod how many it takes and how much of each (1000: whole).
//! A share lies on one device; whole GPUs are empty before. Owns what a pod asks, which devices it
//! gets, and the scores. `FGD` is fragmentation gradient descent (Weng et al., "Beware of
//! Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient Descent", USENIX
//! ATC'23); `BestFit` is the paper's baseline of that name, `WorstFit` its opposite.
//!
//! Points: Filter, Score with normalisation, Reserve (the devices are chosen when the pod is counted
//! in on its node, by [`NodeInfo::add_pod`]).

pub mod ask;
pub mod devices;
pub mod fragmentation;

use smallvec::SmallVec;

use self::ask::{Ask, Asked};
use self::fragmentation::Typical;
use super::super::framework::{Code, MAX_SCORE, Plugin, Rejection};
use super::super::node_info::NodeInfo;
use super::super::shape::PodShape;
use super::super::snapshot::Snapshot;
use crate::api::name::Text;

/// A whole GPU, in thousandths.
pub const WHOLE: i32 = 1000;
/// More devices of one node are not told apart.
pub const DEVICES_MAX: usize = 64;
/// What the paper's authors take for the largest node, to weigh CPU against GPU in best fit.
const LARGEST: (i64, i64) = (128_000, 8_000);

/// Which node is good.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Policy {
    /// Where least would be left, of CPU and GPU alike.
    #[default]
    BestFit,
    /// Where most would be left.
    WorstFit,
    /// Where the GPU that typical pods cannot use grows least.
    Fgd,
}

/// The plugin's arguments.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GpuShare {
    /// How nodes are scored, and the device of a share is chosen.
    pub policy: Policy,
    /// GPUs: of a node by its allocatable, of a pod by annotation or request.
    pub count: Text,
    /// Thousandths of each GPU a pod takes, by annotation or request.
    pub milli: Text,
    /// The annotation of the devices a pod has, as in `0-1`.
    pub index: Text,
    /// The model: a node's label, and a pod's annotation (`V100|T4`: any of these).
    pub model: Text,
    /// An extended resource of whole GPUs, for nodes and pods.
    pub whole: Text,
    /// The pods FGD expects; empty: pods like those that are on nodes.
    pub workload: Vec<Typical>,
}

impl Default for GpuShare {
    /// The names of open-gpu-share.
    fn default() -> GpuShare {
        GpuShare {
            policy: Policy::BestFit,
            count: "alibabacloud.com/gpu-count".into(),
            milli: "alibabacloud.com/gpu-milli".into(),
            index: "alibabacloud.com/gpu-index".into(),
            model: "alibabacloud.com/gpu-card-model".into(),
            whole: "nvidia.com/gpu".into(),
            workload: Vec::new(),
        }
    }
}

const MALFORMED: u64 = 1;
const WRONG_MODEL: u64 = 2;
const TOO_FEW: u64 = 3;
const TAKEN: u64 = 4;

/// The reasons of a rejection.
pub fn reasons(detail: u64) -> SmallVec<[Text; 2]> {
    let words = match detail {
        MALFORMED => "pod asks for GPUs in a way that cannot be: a share lies on one device",
        WRONG_MODEL => "node(s) had no GPU of the requested model",
        TOO_FEW => "node(s) had too few GPUs",
        _ => "Insufficient GPU share",
    };
    smallvec::smallvec![words.into()]
}

/// Whether the node has the devices the pod asks for.
pub fn filter(args: &GpuShare, pod: &PodShape, node: &NodeInfo) -> Option<Rejection> {
    let rejected = |code, detail| Some(Rejection { plugin: Plugin::GpuShare, code, detail });
    let ask = match Asked::of(args, pod) {
        Asked::Nothing => return None,
        Asked::Malformed => return rejected(Code::UnschedulableAndUnresolvable, MALFORMED),
        Asked::Devices(ask) => ask,
    };
    let Some(devices) = node.devices.as_deref() else {
        return rejected(Code::UnschedulableAndUnresolvable, TOO_FEW);
    };
    if devices.left().len() < ask.count as usize {
        return rejected(Code::UnschedulableAndUnresolvable, TOO_FEW);
    }
    if !ask.takes(devices.model()) {
        return rejected(Code::UnschedulableAndUnresolvable, WRONG_MODEL);
    }
    match devices.choose(&ask, cpu_left(node)) {
        Some(_) => None,
        None => rejected(Code::Unschedulable, TAKEN),
    }
}

fn cpu_left(node: &NodeInfo) -> i64 {
    node.allocatable.cpu_milli.saturating_sub(node.requested.cpu_milli)
}

/// Scores of the nodes that passed the filters: as they are, and brought to 0..=100.
pub fn scores(
    args: &GpuShare,
    pod: &PodShape,
    snapshot: &Snapshot,
    nodes: &[&NodeInfo],
) -> (Vec<i64>, Vec<i64>) {
    let ask = match Asked::of(args, pod) {
        Asked::Devices(ask) => ask,
        Asked::Nothing | Asked::Malformed => {
            Ask { cpu: pod.spec().requests.cpu_milli, ..Ask::default() }
        }
    };
    match args.policy {
        Policy::BestFit => min_max(nodes.iter().map(|node| MAX_SCORE - left(&ask, node))),
        Policy::WorstFit => min_max(nodes.iter().map(|node| left(&ask, node))),
        Policy::Fgd => {
            let present;
            let workload = match args.workload.as_slice() {
                [] => {
                    present = fragmentation::present(args, snapshot);
                    &present
                }
                given => given,
            };
            let score = |node: &&NodeInfo| fragmentation::score(workload, &ask, node);
            let raw: Vec<i64> = nodes.iter().map(score).collect();
            (raw.clone(), raw)
        }
    }
}

/// Hundredths of the largest node, rounded up, that would be left of CPU and GPU, each half.
fn left(ask: &Ask, node: &NodeInfo) -> i64 {
    let gpu =
        node.devices.as_deref().map_or(0, |it| it.left().iter().map(|it| i64::from(*it)).sum());
    let gpu: i64 = gpu - i64::from(ask.milli) * i64::from(ask.count);
    let cpu = cpu_left(node) - ask.cpu;
    let (most_cpu, most_gpu) = LARGEST;
    let share = (cpu.max(0) as i128 * i128::from(most_gpu)
        + gpu.max(0) as i128 * i128::from(most_cpu))
        * i128::from(MAX_SCORE);
    let whole = 2 * i128::from(most_cpu) * i128::from(most_gpu);
    ((share + whole - 1) / whole).min(i128::from(MAX_SCORE)) as i64
}

/// Raw scores, and the same spread over 0..=100 (all 0 where they are equal).
fn min_max(raw: impl Iterator<Item = i64>) -> (Vec<i64>, Vec<i64>) {
    let raw: Vec<i64> = raw.collect();
    let (low, high) = (raw.iter().min().copied(), raw.iter().max().copied());
    let (low, high) = (low.unwrap_or(0), high.unwrap_or(0));
    let of = |score: &i64| match high - low {
        0 => 0,
        range => (score - low) * MAX_SCORE / range,
    };
    let normalized = raw.iter().map(of).collect();
    (raw, normalized)
}

#[cfg(test)]
mod tests;
