//! The controllers of a manager together, before an API server that commits.

use super::testing::{self, Cluster};
use crate::api::object::Object;
use crate::api::pod::{Phase, Pod, PodCondition};
use crate::api::service::EndpointSlice;
use crate::api::status::Status;
use crate::api::workload::{Deployment, IntOrPercent, ReplicaSet, Rollout, Strategy};
use crate::base::id::Id;
use crate::time::{SimDuration, SimTime};

fn secs(seconds: u64) -> SimDuration {
    SimDuration::from_secs(seconds)
}

fn millis(millis: u64) -> SimDuration {
    SimDuration::from_millis(millis)
}

/// When pods were created.
fn created(cluster: &Cluster) -> Vec<u64> {
    let pods = cluster.log.iter().filter(|(_, what)| what.starts_with("created Pod/"));
    pods.map(|(at, _)| at.as_nanos() / 1_000_000).collect()
}

/// Makes every pod that is not yet ready so, and lets those being deleted go.
fn settle_pods(cluster: &mut Cluster) {
    let node = match cluster.store.find::<crate::api::node::Node>("", "n-0") {
        Some(node) => node,
        None => cluster.create(Object::Node(Box::new(testing::node("n-0")))).typed(),
    };
    let now = cluster.now();
    for (id, pod) in cluster.all::<Pod>() {
        if pod.meta.is_terminating() {
            cluster.remove(id);
        } else if !pod.is_ready() {
            cluster.change(id, |pod| {
                pod.node = Some(node);
                pod.status.phase = Phase::Running;
                pod.status.ip = Some(std::net::Ipv4Addr::from(0x0a00_0000 + id.slot() as u32));
                pod.status.set(PodCondition::Ready, true, now);
            });
        }
    }
}

fn deploy(cluster: &mut Cluster, deployment: Deployment) -> Id<Deployment> {
    cluster.create(Object::Deployment(Box::new(deployment))).typed()
}

fn sizes(cluster: &Cluster) -> Vec<i32> {
    cluster.all::<ReplicaSet>().into_iter().map(|(_, set)| set.replicas).collect()
}

#[test]
fn ten_pods_come_in_batches_of_1_2_4_3() {
    let mut cluster = Cluster::new();
    deploy(&mut cluster, testing::deployment("web", 10));
    cluster.run(secs(1));
    let at = created(&cluster);
    let mut batches: Vec<usize> = Vec::new();
    for (index, time) in at.iter().enumerate() {
        match batches.last_mut() {
            Some(last) if at[index - 1] == *time => *last += 1,
            _ => batches.push(1),
        }
    }
    assert_eq!(batches, [1, 2, 4, 3]);
}

/// golden-timelines, fact 2: the client's 30 at once and 20/s, with Events between the calls.
#[test]
fn a_hundred_pods_take_as_long_as_recorded() {
    for (replicas, from, to) in [(100, 3_830, 3_904), (300, 14_000, 14_600), (1000, 49_500, 50_800)]
    {
        let mut cluster = Cluster::new();
        deploy(&mut cluster, testing::deployment("web", replicas));
        cluster.run(secs(60));
        let at = created(&cluster);
        assert_eq!(at.len(), replicas as usize);
        let last = at[at.len() - 1];
        assert!((from * 9 / 10..=to * 11 / 10).contains(&last), "{replicas} pods: {last} ms");
    }
}

#[test]
fn a_deployment_becomes_complete_and_says_so() {
    let mut cluster = Cluster::new();
    let id = deploy(&mut cluster, testing::deployment("web", 3));
    cluster.run(secs(1));
    settle_pods(&mut cluster);
    cluster.run(secs(1));
    let d = cluster.store.get(id).expect("the Deployment");
    assert_eq!((d.status.replicas, d.status.updated, d.status.available), (3, 3, 3));
    assert_eq!(d.status.progressing.as_ref().map(|one| one.reason), Some("NewReplicaSetAvailable"));
    assert_eq!(d.meta.annotation("deployment.kubernetes.io/revision"), Some("1"));
    let (_, set) = cluster.all::<ReplicaSet>().remove(0);
    assert_eq!(set.status.available, 3);
    let log = cluster.log.len();
    cluster.run(secs(3600));
    assert_eq!(cluster.log.len(), log, "nothing more happens");
}

/// golden-timelines, fact 4 and published P7: never below 8 available nor above 13 in all.
#[test]
fn a_rolling_update_of_ten_keeps_its_bounds() {
    let mut cluster = Cluster::new();
    let id = deploy(&mut cluster, testing::deployment("web", 10));
    cluster.run(secs(1));
    settle_pods(&mut cluster);
    cluster.run(secs(1));
    cluster.change(id, |d| d.template = testing::template("web", 2).into());
    cluster.run(secs(1));
    assert_eq!(sizes(&cluster), [8, 5]);
    for _ in 0..20 {
        settle_pods(&mut cluster);
        let ready = cluster.all::<Pod>().iter().filter(|(_, pod)| pod.is_ready()).count();
        let active = cluster.all::<Pod>().iter().filter(|(_, pod)| pod.is_active()).count();
        assert!(ready >= 8 && active <= 13, "{ready} ready of {active}");
        cluster.run(millis(200));
    }
    assert_eq!(sizes(&cluster), [0, 10]);
    let d = cluster.store.get(id).expect("the Deployment");
    assert_eq!(d.meta.annotation("deployment.kubernetes.io/revision"), Some("2"));
    // Scaling in mid-rollout and undoing: the old template's set is taken up again.
    cluster.change(id, |d| d.template = testing::template("web", 1).into());
    cluster.run(secs(1));
    let (_, first) = cluster.all::<ReplicaSet>().remove(0);
    assert_eq!(first.meta.annotation("deployment.kubernetes.io/revision"), Some("3"));
    assert_eq!(first.meta.annotation("deployment.kubernetes.io/revision-history"), Some("1"));
}

/// golden-timelines s2_scale_during_rollout: 8 + 5 to 15 + 10 in one pass.
#[test]
fn scaling_in_mid_rollout_is_in_proportion() {
    let mut cluster = Cluster::new();
    let id = deploy(&mut cluster, testing::deployment("web", 10));
    cluster.run(secs(1));
    settle_pods(&mut cluster);
    cluster.run(secs(1));
    cluster.change(id, |d| d.template = testing::template("web", 2).into());
    cluster.run(secs(1));
    cluster.change(id, |d| d.replicas = 20);
    cluster.run(secs(3));
    assert_eq!(sizes(&cluster), [15, 10]);
}

#[test]
fn recreate_waits_for_the_last_old_pod() {
    let mut cluster = Cluster::new();
    let recreate = Deployment { strategy: Strategy::Recreate, ..testing::deployment("web", 3) };
    let id = deploy(&mut cluster, recreate);
    cluster.run(secs(1));
    settle_pods(&mut cluster);
    cluster.run(secs(1));
    cluster.change(id, |d| d.template = testing::template("web", 2).into());
    cluster.run(secs(10));
    assert_eq!(sizes(&cluster), [0], "three pods are still on their way out");
    settle_pods(&mut cluster);
    cluster.run(secs(1));
    assert_eq!(sizes(&cluster), [0, 3]);
}

#[test]
fn a_paused_rollout_stands_still_and_a_stuck_one_times_out() {
    let mut cluster = Cluster::new();
    let short = Deployment { progress_deadline_seconds: 60, ..testing::deployment("web", 4) };
    let id = deploy(&mut cluster, short);
    cluster.run(secs(1));
    settle_pods(&mut cluster);
    cluster.run(secs(1));
    cluster.change(id, |d| {
        d.template = testing::template("web", 2).into();
        d.rollout = Rollout::Paused;
    });
    cluster.run(secs(100));
    assert_eq!(sizes(&cluster), [4]);
    cluster.change(id, |d| d.rollout = Rollout::Active);
    cluster.run(secs(59));
    let reason = |cluster: &Cluster| {
        let d = cluster.store.get(id).expect("the Deployment");
        d.status.progressing.as_ref().map(|one| one.reason)
    };
    assert_eq!(reason(&cluster), Some("ReplicaSetUpdated"));
    cluster.run(secs(3));
    assert_eq!(reason(&cluster), Some("ProgressDeadlineExceeded"));
}

/// golden-timelines s2_rolling_minready5: 4 to 5 s after the pods became ready, by the cut second.
#[test]
fn min_ready_seconds_count_from_the_cut_second() {
    let mut cluster = Cluster::new();
    let slow = Deployment { min_ready_seconds: 5, ..testing::deployment("web", 2) };
    let id = deploy(&mut cluster, slow);
    cluster.run(millis(1_700));
    settle_pods(&mut cluster);
    let available =
        |cluster: &Cluster| cluster.store.get(id).expect("the Deployment").status.available;
    cluster.run(millis(4_200));
    assert_eq!((cluster.now(), available(&cluster)), (SimTime::from_millis(5_900), 0));
    cluster.run(millis(200));
    assert_eq!(available(&cluster), 2);
}

#[test]
fn a_refused_pod_shows_as_failure_and_is_tried_again() {
    let mut cluster = Cluster::new();
    let name = crate::api::meta::ObjectName {
        kind: crate::api::kind::Kind::Pod,
        namespace: "default".into(),
        name: "web".into(),
    };
    cluster.refuse_pods = Some(Status::Forbidden(name, "exceeded quota".into()));
    let set = testing::replica_set("web", 3);
    let id: Id<ReplicaSet> = cluster.create(Object::ReplicaSet(Box::new(set))).typed();
    cluster.run(secs(1));
    let failure = |cluster: &Cluster| {
        cluster.store.get(id).expect("the set").status.failure.clone().map(|it| it.reason)
    };
    assert_eq!(failure(&cluster).as_deref(), Some("FailedCreate"));
    cluster.refuse_pods = None;
    cluster.run(secs(10));
    assert_eq!(created(&cluster).len(), 3);
    assert_eq!(failure(&cluster), None);
}

#[test]
fn orphans_are_adopted_and_strangers_released() {
    let mut cluster = Cluster::new();
    for name in ["a", "b"] {
        cluster.create(Object::Pod(Box::new(testing::pod(name, "web"))));
    }
    let set = testing::replica_set("web", 3);
    let id: Id<ReplicaSet> = cluster.create(Object::ReplicaSet(Box::new(set))).typed();
    cluster.run(secs(1));
    let uid = cluster.store.get(id).expect("the set").meta.uid;
    let owned = |cluster: &Cluster| {
        cluster.all::<Pod>().iter().filter(|(_, pod)| pod.meta.is_owned_by(uid)).count()
    };
    assert_eq!((cluster.all::<Pod>().len(), owned(&cluster)), (3, 3));
    let (first, _) = cluster.all::<Pod>()[0];
    cluster.change(first, |pod| pod.meta.labels = testing::labels("other"));
    cluster.run(secs(1));
    assert_eq!((cluster.all::<Pod>().len(), owned(&cluster)), (4, 3));
}

#[test]
fn endpoints_follow_ready_pods() {
    let mut cluster = Cluster::new();
    cluster.create(Object::Service(Box::new(testing::service("web"))));
    cluster.run(secs(1));
    let endpoints = |cluster: &Cluster| -> Vec<usize> {
        cluster.all::<EndpointSlice>().iter().map(|(_, one)| one.endpoints.len()).collect()
    };
    assert_eq!(endpoints(&cluster), [0], "a placeholder");
    let mut d = testing::deployment("web", 250);
    d.strategy = Strategy::RollingUpdate {
        max_surge: IntOrPercent::Int(0),
        max_unavailable: IntOrPercent::Int(250),
    };
    let id = deploy(&mut cluster, d);
    cluster.run(secs(30));
    settle_pods(&mut cluster);
    cluster.run(secs(10));
    assert_eq!(endpoints(&cluster), [100, 100, 50]);
    cluster.change(id, |d| d.replicas = 0);
    cluster.run(secs(30));
    let slices = cluster.all::<EndpointSlice>();
    assert!(slices.iter().flat_map(|(_, one)| one.endpoints.iter()).all(|one| {
        one.conditions.terminating && one.conditions.serving && !one.conditions.ready
    }));
    settle_pods(&mut cluster);
    cluster.run(secs(10));
    assert_eq!(endpoints(&cluster), [0]);
}

#[test]
fn a_manager_that_starts_anew_goes_on_from_what_is_stored() {
    let mut cluster = Cluster::new();
    deploy(&mut cluster, testing::deployment("web", 60));
    cluster.run(millis(300));
    cluster.restart();
    cluster.run(secs(10));
    assert_eq!(cluster.all::<Pod>().len(), 60);
    assert_eq!(cluster.all::<ReplicaSet>().len(), 1);
}

/// golden-timelines, fact 9.
#[test]
fn dependents_go_after_before_or_without_their_owner() {
    use crate::api::kind::Kind;
    use crate::messages::Call;
    use crate::messages::request::Propagation;
    for propagation in [Propagation::Background, Propagation::Foreground, Propagation::Orphan] {
        let mut cluster = Cluster::new();
        let id = deploy(&mut cluster, testing::deployment("web", 3));
        cluster.run(secs(1));
        settle_pods(&mut cluster);
        cluster.run(secs(1));
        let (kind, uid, grace_seconds) = (Kind::Deployment, None, None);
        let call = Call::Delete { kind, id: id.into(), uid, grace_seconds, propagation };
        cluster.commit(call).expect("a deletion");
        cluster.run(secs(1));
        let is_there = cluster.store.get(id).is_some();
        let ending =
            cluster.all::<Pod>().iter().filter(|(_, pod)| pod.meta.is_terminating()).count();
        match propagation {
            Propagation::Background | Propagation::Custom => {
                assert_eq!((is_there, ending), (false, 3));
            }
            Propagation::Foreground => assert_eq!((is_there, ending), (true, 3)),
            Propagation::Orphan => assert_eq!((is_there, ending), (false, 0)),
        }
        settle_pods(&mut cluster);
        cluster.run(secs(1));
        assert!(cluster.store.get(id).is_none());
        let left = if propagation == Propagation::Orphan { (1, 3) } else { (0, 0) };
        assert_eq!((cluster.all::<ReplicaSet>().len(), cluster.all::<Pod>().len()), left);
    }
}

/// golden-timelines, fact 12: 40 s of quarantine on a grid of 20 s.
#[test]
fn pods_of_a_vanished_node_are_taken_away() {
    let mut cluster = Cluster::new();
    let set = testing::replica_set("web", 2);
    cluster.create(Object::ReplicaSet(Box::new(set)));
    cluster.run(secs(1));
    settle_pods(&mut cluster);
    cluster.run(secs(6));
    let node = cluster.store.find::<crate::api::node::Node>("", "n-0").expect("the node");
    let old: Vec<Id<Pod>> = cluster.all::<Pod>().into_iter().map(|(id, _)| id).collect();
    cluster.remove(node);
    cluster.run(secs(50));
    assert!(old.iter().all(|&id| cluster.store.get(id).is_some()));
    cluster.run(secs(5));
    assert!(old.iter().all(|&id| cluster.store.get(id).is_none()));
    assert_eq!(cluster.all::<Pod>().len(), 2, "they were replaced");
}

/// golden-timelines, fact 9: pods are marked 5 s after the namespace, the rest goes 5 s later.
#[test]
fn a_namespace_goes_after_its_contents_pods_first() {
    use crate::api::meta::Deletion;
    use crate::api::misc::Namespace;
    let mut cluster = Cluster::new();
    deploy(&mut cluster, testing::deployment("web", 3));
    cluster.create(Object::Service(Box::new(testing::service("web"))));
    cluster.run(secs(1));
    settle_pods(&mut cluster);
    cluster.run(secs(1));
    let (id, _) = cluster.all::<Namespace>().remove(0);
    // It is the one that an API server would not let go.
    let at = cluster.now();
    cluster.change(id, |it| it.meta.deletion = Some(Deletion { at, grace_seconds: 0 }));
    let ending = |cluster: &Cluster| {
        cluster.all::<Pod>().iter().filter(|(_, pod)| pod.meta.is_terminating()).count()
    };
    cluster.run(millis(4_900));
    assert_eq!(ending(&cluster), 0);
    cluster.run(millis(200));
    assert_eq!(ending(&cluster), 3);
    settle_pods(&mut cluster);
    cluster.run(secs(4));
    assert_eq!(cluster.all::<Deployment>().len(), 1);
    cluster.run(secs(2));
    assert_eq!(cluster.all::<Deployment>().len() + cluster.all::<Pod>().len(), 0);
    assert!(cluster.all::<Namespace>().is_empty());
}
