//! What each process sees is what a plain copy of all it was told would show: under lag, cut off, and after a list
//! anew because what it had missed was compacted.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use super::super::plan::{
    Act, Change, ControlPlane, End, Fault, Instance, Plan, Spot, Step, Target,
};
use super::super::processes::ProcessId;
use super::{World, plan};
use crate::api::kind::Kind;
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::base::id::Id;
use crate::kernel::{Engine, NoSink, Order};
use crate::store::{CursorId, Stored, TableKind, View};
use crate::time::{SimDuration, SimTime};

type Copied<T> = BTreeMap<Id<T>, T>;

/// Every change of one table, copied at its commit, and the copies that processes would keep.
struct Copies<T> {
    table: TableKind,
    /// The test's own watch, which sees everything at once.
    cursor: CursorId,
    /// What there was when it was opened, and what changed since.
    base: Copied<T>,
    start: u64,
    history: Vec<(Id<T>, Option<T>)>,
    /// Of each process: in which life, up to where, and its copy.
    held: BTreeMap<ProcessId, (u8, u64, Copied<T>)>,
    lagged: u32,
    relisted: u32,
    /// Every so-manieth change is withheld from the copies; 0: none is.
    withheld: u64,
}

impl<T: Stored + Clone + PartialEq + Debug> Copies<T> {
    fn new(world: &mut World, table: TableKind, withheld: u64) -> Copies<T> {
        let cursor = world.store.open(table);
        let base = world.store.table::<T>().iter().map(|(id, it)| (id, it.clone())).collect();
        let start = world.store.log_end(table);
        let (history, held) = (Vec::new(), BTreeMap::new());
        Copies { table, cursor, base, start, history, held, lagged: 0, relisted: 0, withheld }
    }

    /// Compares after a step.
    fn check(&mut self, world: &mut World) -> Result<(), String> {
        let fresh = world.store.advance(self.table, self.cursor, u64::MAX);
        let changes = world.store.table::<T>().changes(fresh.clone());
        self.history.extend(changes.map(|change| (change.id, change.new.cloned())));
        world.store.settle(self.table, fresh);
        for id in world.processes() {
            self.check_one(id, world)?;
        }
        Ok(())
    }

    fn check_one(&mut self, id: ProcessId, world: &World) -> Result<(), String> {
        let process = world.process(id);
        let Some(cursor) = process.cursors.get(self.table) else { return Ok(()) };
        let to = world.store.next(self.table, cursor);
        self.lagged += u32::from(to < world.store.log_end(self.table));
        let fresh = || (process.life, self.start, self.base.clone());
        let held = self.held.entry(id).or_insert_with(fresh);
        if held.0 != process.life {
            *held = fresh();
            self.relisted += 1;
        }
        for at in held.1..to {
            let (id, new) = &self.history[(at - self.start) as usize];
            match new {
                _ if self.withheld > 0 && at % self.withheld == 0 => {}
                Some(new) => drop(held.2.insert(*id, new.clone())),
                None => drop(held.2.remove(id)),
            }
        }
        held.1 = to;
        let view = View::new(world.now(), &world.store, &process.cursors);
        let seen = view.list::<T>().map(|(id, it)| (id, it.clone()));
        if seen.eq(held.2.iter().map(|(id, it)| (*id, it.clone()))) {
            return Ok(());
        }
        Err(format!("{id:?} at {} sees other than it was told", world.now()))
    }
}

/// Two of each process; the second master is cut off for so long that what its scheduler misses is compacted.
fn torn(seed: u64) -> Plan {
    let mut plan = plan(10, 4);
    plan.seed = seed;
    plan.control_plane = ControlPlane {
        masters: 3,
        api_servers: 3,
        etcd: 3,
        schedulers: 2,
        controller_managers: 2,
        api_server_cores: None,
    };
    let fault = |at, fault, lasts| {
        let act = Act::Fault { fault, lasts: Some(SimDuration::from_secs(lasts)) };
        Step { at: SimTime::ZERO + SimDuration::from_millis(at), name: "fault".into(), act }
    };
    let target = Target { kind: Kind::Deployment, namespace: "default".into(), name: "web".into() };
    let cut = Fault::Partition { from: vec![Spot::Master(1)], to: Vec::new() };
    plan.steps = vec![
        fault(1_500 + seed * 37, cut, 700),
        fault(20_000, Fault::Kill(Instance::ControllerManager(0)), 30),
        Step {
            at: SimTime::from_secs(100),
            name: "scale".into(),
            act: Act::Change { target, change: Change::Scale(14) },
        },
    ];
    plan.end = End::At(SimTime::from_secs(760));
    plan
}

/// Steps in which a view lagged, and lists made anew; or what is wrong.
fn compare(seed: u64, withheld: u64) -> Result<(u32, u32), String> {
    let mut world = World::new(Arc::new(torn(seed)), Order::Fifo, &mut NoSink);
    let mut pods = Copies::<Pod>::new(&mut world, TableKind::Pod, withheld);
    let mut nodes = Copies::<Node>::new(&mut world, TableKind::Node, withheld);
    while world.next_at().is_some_and(|next| next <= world.ends_at()) {
        world.step(SimTime::MAX, &mut NoSink, &mut Vec::new());
        pods.check(&mut world)?;
        nodes.check(&mut world)?;
    }
    assert_eq!(world.store.table::<Pod>().len(), 14);
    Ok((pods.lagged + nodes.lagged, pods.relisted))
}

#[test]
fn views_equal_copied_caches_in_a_torn_cluster() {
    for seed in 1..5 {
        let (lagged, relisted) = compare(seed, 0).unwrap_or_else(|wrong| panic!("{seed}: {wrong}"));
        assert!(lagged > 100 && relisted >= 1, "{lagged} steps behind, {relisted} lists anew");
    }
}

#[test]
fn a_cache_that_misses_a_change_is_caught() {
    assert!(compare(1, 9).is_err());
}
