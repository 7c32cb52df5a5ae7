//! Which group is to grow, where several could (cluster-autoscaler 1.36 expander/).
//!
//! Expanders are asked one after the other, each about what the one before left; among what is left
//! in the end, luck chooses.

use super::estimator::Estimate;
use crate::api::resources::Resources;
use crate::luck::{Label, Luck};

const CHOICE: Label = Label::new("cluster-autoscaler-expander");

/// A way to choose.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Expander {
    /// Any.
    Random,
    /// Where most pods fit.
    MostPods,
    /// Where least of the new nodes stays unused.
    LeastWaste,
    /// Where the fewest nodes are added.
    LeastNodes,
    /// What costs least for what it runs.
    Price,
    /// The group of the greatest priority.
    Priority,
}

impl Expander {
    /// All of them, by name.
    pub const NAMES: [(&'static str, Expander); 6] = [
        ("random", Expander::Random),
        ("most-pods", Expander::MostPods),
        ("least-waste", Expander::LeastWaste),
        ("least-nodes", Expander::LeastNodes),
        ("price", Expander::Price),
        ("priority", Expander::Priority),
    ];
}

/// A way to grow.
#[derive(Clone, Debug)]
pub struct Choice {
    /// The group, by number.
    pub group: u16,
    /// How many nodes, for which pods.
    pub estimate: Estimate,
    /// What those pods ask for together.
    pub asked: Resources,
    /// What one node has.
    pub node: Resources,
    /// What one node costs, in millionths an hour; nothing if nobody says.
    pub price: Option<u64>,
    /// The group's priority.
    pub priority: i32,
}

/// The number of the best of `choices`, of which there is at least one. `nodes` are those of the
/// cluster, `nth` counts the autoscaler's choices.
pub fn best(
    expanders: &[Expander],
    choices: &[Choice],
    nodes: usize,
    luck: Luck,
    nth: u64,
) -> usize {
    let mut left: Vec<usize> = (0..choices.len()).collect();
    for expander in expanders {
        left = keep(*expander, choices, left, nodes);
        if left.len() == 1 {
            break;
        }
    }
    let of = choices.iter().fold(0, |sum: u64, one| sum.wrapping_mul(31) + u64::from(one.group));
    let last = left.len() as u64 - 1;
    let draw = luck.draw(CHOICE, of, nth);
    let at = draw.duration_between(
        crate::time::SimDuration::ZERO,
        crate::time::SimDuration::from_nanos(last),
    );
    left[at.as_nanos() as usize]
}

fn keep(expander: Expander, choices: &[Choice], left: Vec<usize>, nodes: usize) -> Vec<usize> {
    match expander {
        Expander::Random => left,
        Expander::MostPods => least(left, |at| -(choices[at].estimate.pods.len() as i128)),
        Expander::LeastWaste => least(left, |at| waste(&choices[at])),
        Expander::LeastNodes => least(left, |at| choices[at].estimate.nodes as i128),
        Expander::Priority => least(left, |at| -i128::from(choices[at].priority)),
        Expander::Price => cheapest(choices, &left, nodes),
    }
}

fn least(left: Vec<usize>, of: impl Fn(usize) -> i128) -> Vec<usize> {
    let best = left.iter().map(|&at| of(at)).min();
    left.into_iter().filter(|&at| Some(of(at)) == best).collect()
}

/// The shares of processors and memory that nobody asked for, added up, in units of 2^-32.
fn waste(one: &Choice) -> i128 {
    let share = |asked: i64, each: i64| {
        let all = i128::from(each) * one.estimate.nodes as i128;
        if all <= 0 { 0 } else { ((all - i128::from(asked)) << 32) / all }
    };
    share(one.asked.cpu_milli, one.node.cpu_milli) + share(one.asked.memory, one.node.memory)
}

/// What upstream takes a core and a GiB of memory to cost an hour, to tell what pods are worth
/// (cloudprovider/gce/gce_price_model.go).
const CORE: f64 = 0.033_174;
const GIB: f64 = 0.004_446;
/// A pod that keeps small scale-ups from looking too dear: half a core, 500 MB.
const STEADY: f64 = CORE * 0.5 + GIB * 500_000_000.0 / 1_073_741_824.0;

/// `expander/price`: the price of the nodes over that of their pods, made worse by nodes of a size that
/// does not suit the cluster's, the less the more nodes are added. Floating point, as upstream.
fn cheapest(choices: &[Choice], left: &[usize], nodes: usize) -> Vec<usize> {
    let mut best: Option<(usize, f64)> = None;
    for &at in left {
        let one = &choices[at];
        let Some(price) = one.price else { continue };
        let count = one.estimate.nodes as f64;
        let of_nodes = price as f64 / 1e6 * count;
        let cores = one.asked.cpu_milli as f64 / 1000.0;
        let of_pods = CORE * cores + GIB * one.asked.memory as f64 / 1_073_741_824.0;
        let score = (of_nodes + STEADY) / (of_pods + STEADY);
        let (wanted, has) = (preferred_cores(nodes), one.node.cpu_milli.max(1) as f64 / 1000.0);
        let unfit = (wanted / has).max(has / wanted);
        let softened = (unfit - 1.0) * (1.0 - libm::tanh((count - 1.0) / 15.0)) + 1.0;
        let score = softened * score;
        if best.is_none_or(|(_, held)| score < held) {
            best = Some((at, score));
        }
    }
    best.map_or_else(|| left.to_vec(), |(at, _)| vec![at])
}

/// Cores of the node that suits a cluster of this size (`preferred.go`).
fn preferred_cores(nodes: usize) -> f64 {
    match nodes {
        0..=2 => 1.0,
        3..=6 => 2.0,
        7..=20 => 4.0,
        21..=60 => 8.0,
        61..=200 => 16.0,
        _ => 32.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(group: u16, nodes: usize, pods: usize, cores: i64, price: Option<u64>) -> Choice {
        let of = |cpu_milli| Resources { cpu_milli, memory: 1 << 30, ..Resources::default() };
        let pods = (0..pods).map(|slot| crate::base::id::Id::from_parts(slot as u32, 0)).collect();
        Choice {
            group,
            estimate: Estimate { nodes, pods },
            asked: of(2000),
            node: of(cores * 1000),
            price,
            priority: i32::from(group),
        }
    }

    #[test]
    fn each_expander_has_its_own_best() {
        let choices = [
            choice(0, 3, 5, 1, Some(50_000)),
            choice(1, 1, 4, 8, Some(400_000)),
            choice(2, 2, 4, 1, Some(90_000)),
        ];
        let chosen = |expander| best(&[expander], &choices, 3, Luck::new(1), 0);
        assert_eq!(chosen(Expander::MostPods), 0);
        assert_eq!(chosen(Expander::LeastNodes), 1);
        assert_eq!(chosen(Expander::LeastWaste), 2);
        assert_eq!(chosen(Expander::Priority), 2);
        assert_eq!(chosen(Expander::Price), 0);
    }

    #[test]
    fn luck_chooses_among_equals_and_reaches_all() {
        let choices = [choice(0, 1, 1, 1, None), choice(1, 1, 1, 1, None)];
        let chosen: std::collections::BTreeSet<usize> = (0..20)
            .map(|nth| best(&[Expander::LeastWaste], &choices, 3, Luck::new(7), nth))
            .collect();
        assert_eq!(chosen.len(), 2);
    }
}
