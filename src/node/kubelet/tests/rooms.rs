//! Room for critical pods, and what images and thresholds leave.

use super::rig::*;
use crate::api::pod::{PodSpec, Qos};

fn asking(milli: i64, priority: i32, qos: Qos) -> PodSpec {
    let mut spec = PodSpec { priority, qos, ..spec(vec![], vec![container("a")]) };
    spec.requests.cpu_milli = milli;
    spec
}

const CRITICAL: i32 = 2_000_000_000;

#[test]
fn a_critical_pod_that_does_not_fit_evicts_others_and_begins_after_them() {
    let mut rig = Rig::new();
    rig.assign(1, asking(3000, 0, Qos::Guaranteed), vec![staged()]);
    rig.assign(2, asking(800, 0, Qos::Burstable), vec![staged()]);
    rig.run_to(5).take();
    rig.assign(3, asking(500, CRITICAL, Qos::Burstable), vec![staged()]);
    rig.run_to(20);
    let facts = rig.take_only("fact");
    let told: Vec<&str> = facts.iter().filter_map(|fact| fact.split(' ').nth(2)).collect();
    assert_eq!(told, ["evicted", "killing", "accepted", "exited", "started"]);
    let status = |n: u32| rig.pods[&n].status.clone();
    let why = status(2).reason.expect("a reason");
    assert_eq!((&*why.reason, status(2).phase.name()), ("Preempting", "Failed"));
    assert_eq!((status(1).phase.name(), status(3).phase.name()), ("Running", "Running"));
}

#[test]
fn one_that_would_not_fit_all_the_same_is_refused_and_nobody_goes() {
    let mut rig = Rig::new();
    rig.assign(1, asking(3000, CRITICAL, Qos::Guaranteed), vec![staged()]);
    rig.assign(2, asking(500, 0, Qos::Burstable), vec![staged()]);
    rig.run_to(5).take();
    rig.assign(3, asking(2000, CRITICAL, Qos::Burstable), vec![staged()]);
    assert_eq!(rig.take_only("fact"), ["5.000 fact refused"]);
    let why = rig.pods[&3].status.reason.clone().expect("a reason");
    assert_eq!(&*why.reason, "OutOfcpu");
}

#[test]
fn an_ordinary_pod_makes_nobody_go() {
    let mut rig = Rig::new();
    rig.assign(1, asking(3000, 0, Qos::BestEffort), vec![staged()]);
    rig.run_to(5).take();
    rig.assign(2, asking(2000, 1000, Qos::Guaranteed), vec![staged()]);
    assert_eq!(rig.take_only("fact"), ["5.000 fact refused"]);
}
