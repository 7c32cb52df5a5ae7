//! The GPUs of one node: what is left of each, and who has what.

use std::sync::Arc;

use smallvec::SmallVec;

use super::ask::{Ask, Asked};
use super::fragmentation;
use super::{DEVICES_MAX, GpuShare, Policy, WHOLE};
use crate::api::meta::Labels;
use crate::api::name::Text;
use crate::api::pod::Pod;
use crate::api::resources::Resources;
use crate::base::id::Id;
use crate::control_plane::scheduler::algorithm::shape::PodShape;

/// Thousandths left of each device; below 0 where more was given than there is.
pub type Left = SmallVec<[i32; 8]>;

/// The devices of a node.
#[derive(Clone, Debug)]
pub struct Devices {
    args: Arc<GpuShare>,
    model: Text,
    left: Left,
    /// Who has how much of which devices, in the order they came.
    held: Vec<(Id<Pod>, Ask, SmallVec<[usize; 2]>)>,
}

impl Devices {
    /// Of a node that nothing is known of.
    pub fn new(args: Arc<GpuShare>) -> Devices {
        Devices { args, model: "".into(), left: Left::new(), held: Vec::new() }
    }

    /// What is left of each.
    pub fn left(&self) -> &[i32] {
        &self.left
    }

    /// Their model, empty if it is not said.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The devices that `pod` has, by number.
    pub fn of(&self, pod: Id<Pod>) -> &[usize] {
        self.held.iter().find(|(holder, ..)| *holder == pod).map_or(&[], |(.., devices)| devices)
    }

    /// Takes over what the node object says; who has what stays.
    pub fn set_node(&mut self, labels: &Labels, allocatable: &Resources) {
        let named = |name: &Text| allocatable.scalar(name);
        let count = match named(&self.args.count) {
            0 => named(&self.args.whole),
            count => count,
        };
        self.model = labels.get(&self.args.model).cloned().unwrap_or_else(|| "".into());
        let count = usize::try_from(count).unwrap_or(0).min(DEVICES_MAX);
        self.left = smallvec::smallvec![WHOLE; count];
        for (pod, ask, devices) in std::mem::take(&mut self.held) {
            // A pod that was seen before its node has none yet.
            match devices.len() == ask.count as usize && devices.iter().all(|at| *at < count) {
                true => {
                    take(&mut self.left, ask.milli, &devices);
                    self.held.push((pod, ask, devices));
                }
                false => self.give(pod, ask, allocatable.cpu_milli),
            }
        }
    }

    /// The devices a pod would get: those it names, else of a share the one the policy likes best,
    /// of whole GPUs the first empty ones. `None`: not enough is left.
    pub fn choose(&self, ask: &Ask, cpu_left: i64) -> Option<SmallVec<[usize; 2]>> {
        let fits = |at: usize| self.left.get(at).is_some_and(|left| *left >= ask.milli);
        if !ask.pinned.is_empty() {
            let all_fit = ask.pinned.iter().all(|at| fits(*at));
            return all_fit.then(|| ask.pinned.iter().copied().collect());
        }
        let open = (0..self.left.len()).filter(|at| fits(*at));
        if ask.milli == WHOLE {
            let found: SmallVec<[usize; 2]> = open.take(ask.count as usize).collect();
            return (found.len() == ask.count as usize).then_some(found);
        }
        let by_left = |at: &usize| self.left[*at];
        let best = match (self.args.policy, self.args.workload.as_slice()) {
            (Policy::Fgd, workload @ [_, ..]) => open.min_by_key(|at| {
                let mut left = self.left.clone();
                take(&mut left, ask.milli, &[*at]);
                fragmentation::expected(workload, &left, cpu_left - ask.cpu, &self.model)
            }),
            (Policy::WorstFit, _) => open.min_by_key(|at| -by_left(at)),
            _ => open.min_by_key(by_left),
        };
        best.map(|at| smallvec::smallvec![at])
    }

    /// Counts a pod in. One that is there without room is given what is emptiest.
    pub fn add_pod(&mut self, pod: Id<Pod>, shape: &PodShape, cpu_left: i64) {
        if let Asked::Devices(ask) = Asked::of(&self.args, shape) {
            self.give(pod, ask, cpu_left);
        }
    }

    #[cfg(test)]
    pub(super) fn hold(&mut self, pod: Id<Pod>, ask: Ask) {
        self.give(pod, ask, 0);
    }

    fn give(&mut self, pod: Id<Pod>, ask: Ask, cpu_left: i64) {
        let devices = self.choose(&ask, cpu_left).unwrap_or_else(|| {
            let mut all: SmallVec<[usize; 2]> = match ask.pinned.is_empty() {
                true => (0..self.left.len()).collect(),
                false => ask.pinned.iter().copied().filter(|at| *at < self.left.len()).collect(),
            };
            all.sort_by_key(|at| -self.left[*at]);
            all.truncate(ask.count as usize);
            all
        });
        take(&mut self.left, ask.milli, &devices);
        self.held.push((pod, ask, devices));
    }

    /// Counts a pod out.
    pub fn remove_pod(&mut self, pod: Id<Pod>) {
        let Some(at) = self.held.iter().position(|(holder, ..)| *holder == pod) else { return };
        let (_, ask, devices) = self.held.remove(at);
        take(&mut self.left, -ask.milli, &devices);
    }
}

fn take(left: &mut Left, milli: i32, devices: &[usize]) {
    for at in devices {
        if let Some(left) = left.get_mut(*at) {
            *left -= milli;
        }
    }
}
