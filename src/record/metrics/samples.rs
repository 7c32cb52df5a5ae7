//! Samples of the cluster on a grid, and requests by the same grid.
//!
//! The grid is a second wide until it has [`CELLS_MAX`] cells, then twice as wide, and so on: memory
//! and time are bounded for any run. A sample is taken after the last event at or before its instant,
//! and also at each step and each end of a fault. It costs a look at the workloads and the nodes, none
//! at the pods: those are counted as they change.

use std::collections::BTreeMap;

use super::series::{Metric, Series};
use super::window::Window;
use crate::api::daemon_set::DaemonSet;
use crate::api::kind::Kind;
use crate::api::meta::{ObjectName, RawId};
use crate::api::node::{Node, TAINT_CONTROL_PLANE};
use crate::api::stateful_set::StatefulSet;
use crate::api::workload::{Deployment, ReplicaSet};
use crate::cluster::World;
use crate::cluster::census::PodState;
use crate::cluster::plan::{Act, Plan};
use crate::kernel::Engine;
use crate::messages::cloud::GROUP_LABEL;
use crate::store::{TABLES, TableKind};
use crate::time::{SimDuration, SimTime};

/// Cells of the grid before it is made coarser.
const CELLS_MAX: u64 = 600;
/// Workloads, and nodes, that have series of their own; beyond that only the whole is sampled.
const OBJECTS_MAX: usize = 64;
/// One, in a ratio's last decimal.
const RATIO_ONE: i64 = 1_000_000;

/// What a series is of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Of {
    /// The whole cluster.
    Cluster,
    /// The node with the least.
    Least,
    /// The node with the most.
    Most,
    /// An object of the store.
    Object(TableKind, RawId),
}

type Key = (Metric, Of);

/// All samples of a run.
#[derive(Clone, Debug)]
pub struct Samples {
    /// Width of a cell, in seconds.
    step: u64,
    /// The next instant to be sampled.
    next: SimTime,
    /// Instants off the grid still to be sampled, latest first.
    marks: Vec<SimTime>,
    series: BTreeMap<Key, (Series, SimTime)>,
    /// Objects with series of their own, by table.
    objects: [usize; TABLES.len()],
    /// For each Service, what became of its requests in each cell that had any.
    requests: Vec<Vec<(u64, Window)>>,
}

impl Samples {
    /// For a run of `plan` in which `services` Services are called.
    pub(super) fn new(plan: &Plan, services: usize) -> Samples {
        let mut marks = Vec::new();
        for step in &plan.steps {
            marks.push(step.at);
            if let Act::Fault { lasts: Some(lasts), .. } = &step.act {
                marks.extend(step.at.checked_add(*lasts));
            }
        }
        marks.sort_unstable_by(|a, b| b.cmp(a));
        marks.dedup();
        Samples {
            step: 1,
            next: SimTime::ZERO,
            marks,
            series: BTreeMap::new(),
            objects: [0; TABLES.len()],
            requests: vec![Vec::new(); services],
        }
    }

    /// Adds what was told of second `second` of service number `service`.
    pub(super) fn requests(&mut self, service: usize, second: u64, part: &Window) {
        let cell = second / self.step;
        let cells = &mut self.requests[service];
        match cells.last_mut() {
            Some((last, window)) if *last >= cell => window.add(part),
            _ => cells.push((cell, part.clone())),
        }
    }

    /// Takes the sample that is due before the world goes on, if any is.
    pub(super) fn sample(&mut self, world: &World) {
        let until = world.next_at().unwrap_or(SimTime::MAX);
        if until <= self.next {
            return;
        }
        let at = self.next;
        while at.as_secs() / self.step >= CELLS_MAX {
            self.coarsen();
        }
        self.take(world, at);
        self.marks.truncate(self.marks.partition_point(|mark| *mark > at));
        self.await_next(until);
    }

    /// Takes the last sample, unless it has been.
    pub(super) fn finish(&mut self, world: &World) {
        self.take(world, world.now());
    }

    /// Nothing changes before `until`: the first instant of the grid from there on is the next.
    fn await_next(&mut self, until: SimTime) {
        let nanos = SimDuration::from_secs(self.step).as_nanos();
        let cells = until.as_nanos().div_ceil(nanos);
        let next = SimTime::from_nanos(cells.saturating_mul(nanos));
        self.next = self.marks.last().map_or(next, |mark| next.min(*mark));
    }

    fn coarsen(&mut self) {
        self.step *= 2;
        self.series.values_mut().for_each(|(series, _)| series.thin(self.step));
        for cells in &mut self.requests {
            let mut merged: Vec<(u64, Window)> = Vec::with_capacity(cells.len() / 2 + 1);
            for (cell, window) in cells.drain(..) {
                match merged.last_mut() {
                    Some((last, sum)) if *last == cell / 2 => sum.add(&window),
                    _ => merged.push((cell / 2, window)),
                }
            }
            *cells = merged;
        }
    }

    fn take(&mut self, world: &World, at: SimTime) {
        for (state, metric) in PodState::ALL.into_iter().zip(Metric::ALL) {
            self.put(at, (metric, Of::Cluster), i64::from(world.census().pods(state)), None);
        }
        self.workloads(world, at);
        self.nodes(world, at);
        // What was not there to be sampled is gone.
        for (series, sampled) in self.series.values_mut() {
            if *sampled != at {
                series.push(at, None);
            }
        }
    }

    fn workloads(&mut self, world: &World, at: SimTime) {
        let mut all = [0; 3];
        let mut one = |id: RawId, table, name: &dyn Fn() -> ObjectName, counts: [i32; 3]| {
            let of = Of::Object(table, id);
            let counts = counts.map(i64::from);
            for (sum, count) in all.iter_mut().zip(counts) {
                *sum += count;
            }
            self.put_object(at, of, &WORKLOAD, counts, name);
        };
        for (id, it) in world.store().table::<Deployment>().iter() {
            let counts = [it.replicas, it.status.ready, it.status.available];
            let name = || ObjectName::of(Kind::Deployment, &it.meta);
            one(id.into(), TableKind::Deployment, &name, counts);
        }
        for (id, it) in world.store().table::<ReplicaSet>().iter() {
            if it.meta.owner.is_none() {
                let counts = [it.replicas, it.status.ready, it.status.available];
                let name = || ObjectName::of(it.kind.into(), &it.meta);
                one(id.into(), TableKind::ReplicaSet, &name, counts);
            }
        }
        for (id, it) in world.store().table::<StatefulSet>().iter() {
            let counts = [it.replicas, it.status.ready, it.status.available];
            let name = || ObjectName::of(Kind::StatefulSet, &it.meta);
            one(id.into(), TableKind::StatefulSet, &name, counts);
        }
        for (id, it) in world.store().table::<DaemonSet>().iter() {
            let counts = [it.status.desired, it.status.ready, it.status.available];
            let name = || ObjectName::of(Kind::DaemonSet, &it.meta);
            one(id.into(), TableKind::DaemonSet, &name, counts);
        }
        for (metric, sum) in WORKLOAD.into_iter().zip(all) {
            self.put(at, (metric, Of::Cluster), sum, None);
        }
    }

    fn nodes(&mut self, world: &World, at: SimTime) {
        let (mut ready, mut nodes, mut lent) = (0, 0, 0);
        let (mut asked, mut offered) = ([0_i64; 2], [0_i64; 2]);
        let (mut least, mut most) = ([i64::MAX; 2], [0; 2]);
        for (id, node) in world.store().table::<Node>().iter() {
            ready += i64::from(node.is_ready());
            lent += i64::from(node.meta.labels.contains_key(GROUP_LABEL));
            if node.taints.iter().any(|taint| &*taint.key == TAINT_CONTROL_PLANE) {
                continue;
            }
            nodes += 1;
            let load = world.census().load(id);
            let (load, size) = (
                [load.cpu_milli, load.memory],
                [node.allocatable.cpu_milli, node.allocatable.memory],
            );
            let ratios: [i64; 2] = std::array::from_fn(|it| ratio(load[it], size[it]));
            for it in 0..2 {
                asked[it] += load[it];
                offered[it] += size[it];
                least[it] = least[it].min(ratios[it]);
                most[it] = most[it].max(ratios[it]);
            }
            let name = || ObjectName::of(Kind::Node, &node.meta);
            self.put_object(at, Of::Object(TableKind::Node, id.into()), &REQUESTED, ratios, &name);
        }
        self.put(at, (Metric::NodesReady, Of::Cluster), ready, None);
        let groups = world.costs();
        if !groups.is_empty() {
            let machines: u64 = groups.iter().map(|group| group.machines).sum();
            let booting = (machines as i64 - lent).max(0);
            self.put(at, (Metric::NodesBooting, Of::Cluster), booting, None);
        }
        if nodes == 0 {
            return;
        }
        for (it, metric) in REQUESTED.into_iter().enumerate() {
            self.put(at, (metric, Of::Cluster), ratio(asked[it], offered[it]), None);
            self.put(at, (metric, Of::Least), least[it], None);
            self.put(at, (metric, Of::Most), most[it], None);
        }
    }

    /// The values of an object, if there is room for it.
    fn put_object<const N: usize>(
        &mut self,
        at: SimTime,
        of: Of,
        metrics: &[Metric; N],
        values: [i64; N],
        name: &dyn Fn() -> ObjectName,
    ) {
        let table = match of {
            Of::Object(table, _) => table as usize,
            _ => 0,
        };
        let is_known = self.series.contains_key(&(metrics[0], of));
        if !is_known && self.objects[table] == OBJECTS_MAX {
            return;
        }
        self.objects[table] += usize::from(!is_known);
        for (metric, value) in metrics.iter().zip(values) {
            self.put(at, (*metric, of), value, Some(name));
        }
    }

    /// `name` is asked for the object's name when it is new.
    fn put(&mut self, at: SimTime, key: Key, value: i64, name: Option<&dyn Fn() -> ObjectName>) {
        let (series, sampled) = self.series.entry(key).or_insert_with(|| {
            let object = match (key.1, name) {
                (Of::Least, _) => "cluster/min".to_owned(),
                (Of::Most, _) => "cluster/max".to_owned(),
                (Of::Object(..), Some(name)) => name().to_string(),
                _ => "cluster".to_owned(),
            };
            (Series::new(key.0, object), at)
        });
        series.push(at, Some(value));
        *sampled = at;
    }

    /// All series of a run that ended at `end`, by metric and object; `services` are the Services in
    /// the order in which their requests were told.
    pub(super) fn series(&self, end: SimTime, services: &[String]) -> Vec<Series> {
        let mut all: Vec<Series> = self.series.values().map(|(series, _)| series.clone()).collect();
        for (cells, service) in self.requests.iter().zip(services) {
            all.extend(self.service(end, cells, service));
        }
        all.sort_by(|a, b| (a.metric, &a.object).cmp(&(b.metric, &b.object)));
        all
    }

    fn service(&self, end: SimTime, cells: &[(u64, Window)], name: &str) -> [Series; 5] {
        let mut all = SERVICE.map(|metric| Series::new(metric, name));
        let mut before = 0;
        let width = SimDuration::from_secs(self.step);
        let begin = |cell: u64| SimTime::from_secs(cell.saturating_mul(self.step));
        let none = Window::default();
        for (cell, window) in cells {
            // Cells nobody told of had no requests.
            if *cell > before {
                put_window(&mut all, begin(before), &none, width);
            }
            let stretch = end.saturating_since(begin(*cell)).min(width);
            put_window(&mut all, begin(*cell), window, stretch);
            before = cell + 1;
        }
        if begin(before) < end {
            put_window(&mut all, begin(before), &none, width);
        }
        all
    }
}

const WORKLOAD: [Metric; 3] = [Metric::Desired, Metric::Ready, Metric::Available];
const REQUESTED: [Metric; 2] = [Metric::CpuRequested, Metric::MemoryRequested];
const SERVICE: [Metric; 5] = [
    Metric::RequestRate,
    Metric::SuccessRatio,
    Metric::LatencyP50,
    Metric::LatencyP95,
    Metric::LatencyP99,
];

/// `part` of `whole` as a ratio; of nothing it is nothing.
fn ratio(part: i64, whole: i64) -> i64 {
    let ratio = i128::from(part) * i128::from(RATIO_ONE) / i128::from(whole.max(1));
    i64::try_from(ratio).unwrap_or(i64::MAX)
}

/// What holds from `at` on: the requests of the `stretch` that begins there.
fn put_window(all: &mut [Series; 5], at: SimTime, window: &Window, stretch: SimDuration) {
    let finished = window.ok + window.errors();
    let per_second =
        u128::from(window.sent) * 1_000_000_000_000 / u128::from(stretch.as_nanos().max(1_000_000));
    let success = (finished > 0)
        .then(|| (u128::from(window.ok) * RATIO_ONE as u128 / u128::from(finished)) as i64);
    // Microseconds: the third decimal of a millisecond.
    let latency = |q| window.histogram.quantile_nanos(q).map(|nanos| (nanos / 1000) as i64);
    let values = [
        Some(i64::try_from(per_second).unwrap_or(i64::MAX)),
        success,
        latency(0.50),
        latency(0.95),
        latency(0.99),
    ];
    for (series, value) in all.iter_mut().zip(values) {
        series.push(at, value);
    }
}
