//! A quota between a ReplicaSet and its pods.

use std::sync::Arc;

use super::super::testing::{Cluster, pod, replica_set};
use crate::api::meta::Meta;
use crate::api::object::Object;
use crate::api::pod::{Phase, Pod};
use crate::api::quantity::Quantity;
use crate::api::resource_quota::{QuotaStatus, ResourceQuota};
use crate::api::rules::resources::Amounts;
use crate::api::workload::{ReplicaSet, SetFailure};
use crate::base::id::Id;
use crate::messages::Call;
use crate::messages::request::Propagation;
use crate::time::SimDuration;

fn hard(pods: &str) -> Arc<Amounts> {
    Arc::new(Amounts::from([("pods".to_owned(), Quantity::parse(pods).expect("a number"))]))
}

fn quota(pods: &str) -> Object {
    Object::ResourceQuota(Box::new(ResourceQuota {
        meta: Meta::new("default".into(), "few".into()),
        hard: hard(pods),
        scopes: Arc::from([]),
        status: QuotaStatus::default(),
        written: "{}".into(),
    }))
}

fn used(cluster: &Cluster) -> String {
    let (_, quota) = cluster.all::<ResourceQuota>().remove(0);
    quota.status.used.map_or_else(String::new, |used| used["pods"].to_string())
}

fn cluster(pods: &str) -> (Cluster, Id<ResourceQuota>) {
    let mut cluster = Cluster::new();
    let id = cluster.create(quota(pods)).typed();
    cluster.run(SimDuration::from_millis(100));
    (cluster, id)
}

#[test]
fn a_quota_keeps_pods_out_until_it_is_raised_and_the_back_off_is_over() {
    let (mut cluster, quota) = cluster("2");
    assert_eq!(used(&cluster), "0");
    cluster.create(Object::ReplicaSet(Box::new(replica_set("web", 5))));
    cluster.run(SimDuration::from_secs(20));
    assert_eq!((cluster.all::<Pod>().len(), used(&cluster).as_str()), (2, "2"));
    let (_, set) = cluster.all::<ReplicaSet>().remove(0);
    let SetFailure { reason, message, .. } = set.status.failure.expect("a failure");
    assert_eq!(&*reason, "FailedCreate");
    assert!(
        message.ends_with("exceeded quota: few, requested: pods=1, used: pods=2, limited: pods=2")
    );
    cluster.change(quota, |quota: &mut ResourceQuota| quota.hard = hard("9"));
    cluster.run(SimDuration::from_millis(500));
    assert_eq!(cluster.all::<Pod>().len(), 2, "nobody wakes the set");
    cluster.run(SimDuration::from_secs(60));
    assert_eq!((cluster.all::<Pod>().len(), used(&cluster).as_str()), (5, "5"));
}

#[test]
fn what_ends_or_goes_is_given_back() {
    let (mut cluster, _) = cluster("2");
    let first: Id<Pod> = cluster.create(Object::Pod(Box::new(pod("a", "a")))).typed();
    let second: Id<Pod> = cluster.create(Object::Pod(Box::new(pod("b", "a")))).typed();
    let third = || Call::Create(Object::Pod(Box::new(pod("c", "a"))));
    assert_eq!(cluster.commit(third()).map_err(|status| status.code()), Err(403));
    cluster.change(first, |pod: &mut Pod| pod.status.phase = Phase::Succeeded);
    cluster.run(SimDuration::from_secs(1));
    assert_eq!(used(&cluster), "1");
    let deletion = Call::Delete {
        kind: crate::api::kind::Kind::Pod,
        id: second.into(),
        uid: None,
        grace_seconds: Some(0),
        propagation: Propagation::Background,
    };
    cluster.commit(deletion).expect("a pod that may go");
    cluster.run(SimDuration::from_secs(1));
    assert_eq!(used(&cluster), "0");
    assert!(cluster.commit(third()).is_ok());
}

#[test]
fn a_new_manager_counts_what_it_finds() {
    let (mut cluster, quota) = cluster("4");
    cluster.create(Object::Pod(Box::new(pod("a", "a"))));
    let wrong = QuotaStatus { hard: Some(hard("4")), used: Some(hard("3")) };
    cluster.change(quota, |quota: &mut ResourceQuota| quota.status = wrong);
    cluster.restart();
    cluster.run(SimDuration::from_secs(1));
    assert_eq!(used(&cluster), "1");
}

#[test]
fn a_count_that_went_wrong_is_mended_by_the_next_round() {
    let (mut cluster, quota) = cluster("4");
    let wrong = QuotaStatus { hard: Some(hard("4")), used: Some(hard("3")) };
    cluster.change(quota, |quota: &mut ResourceQuota| quota.status = wrong);
    cluster.run(SimDuration::from_secs(298));
    assert_eq!(used(&cluster), "3");
    cluster.run(SimDuration::from_secs(3));
    assert_eq!(used(&cluster), "0");
}
