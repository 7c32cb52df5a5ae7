//! The controller at work on a small cluster.

use std::sync::Arc;

use crate::api::compact::Compactor;
use crate::api::meta::Uid;
use crate::api::object::Object;
use crate::api::pod::{Phase, Pod, PodCondition};
use crate::api::stateful_set::StatefulSet;
use crate::api::storage::PersistentVolumeClaim;
use crate::base::id::Id;
use crate::control_plane::controllers::history::REVISION_HASH;
use crate::control_plane::controllers::testing::{Cluster, template};
use crate::time::SimDuration;
use serde_json::{Value, json};

const SECOND: SimDuration = SimDuration::from_secs(1);

fn set(spec: Value) -> StatefulSet {
    let mut spec = spec;
    spec["selector"] = json!({"matchLabels": {"app": "db"}});
    spec["template"]["metadata"] = json!({"labels": {"app": "db"}});
    spec["template"]["spec"]["containers"] = json!([{"name": "c"}]);
    spec["serviceName"] = json!("db");
    let written = json!({"metadata": {"name": "db", "namespace": "default"}, "spec": spec});
    let written = serde_json::from_value(written).expect("a StatefulSet");
    match Compactor::new().stateful_set(written).object {
        Object::StatefulSet(set) => *set,
        other => panic!("a StatefulSet became a {}", other.kind()),
    }
}

fn apply(cluster: &mut Cluster, set: StatefulSet) -> Id<StatefulSet> {
    let id = cluster.create(Object::StatefulSet(Box::new(set))).typed();
    cluster.run(SECOND);
    id
}

/// All pods run and are ready, those being deleted go; then some time goes by.
fn settle(cluster: &mut Cluster) {
    let now = cluster.now();
    for (id, pod) in cluster.all::<Pod>() {
        if pod.meta.is_terminating() {
            cluster.remove(id);
        } else if !pod.is_ready() {
            cluster.change(id, |pod: &mut Pod| {
                pod.status.phase = Phase::Running;
                pod.status.set(PodCondition::Ready, true, now);
            });
        }
    }
    cluster.run(SECOND);
}

fn names(cluster: &Cluster) -> Vec<String> {
    let mut names: Vec<String> =
        cluster.all::<Pod>().iter().map(|(_, pod)| pod.meta.name.to_string()).collect();
    names.sort();
    names
}

fn uid(cluster: &Cluster, name: &str) -> Option<Uid> {
    let all = cluster.all::<Pod>();
    all.iter().find(|(_, pod)| pod.meta.name == *name).map(|(_, pod)| pod.meta.uid)
}

#[test]
fn pods_come_in_order_with_their_labels_and_claims() {
    let mut cluster = Cluster::new();
    apply(
        &mut cluster,
        set(json!({"replicas": 2, "ordinals": {"start": 5},
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {}}]})),
    );
    assert_eq!(names(&cluster), ["db-5"]);
    settle(&mut cluster);
    assert_eq!(names(&cluster), ["db-5", "db-6"]);
    let pods = cluster.all::<Pod>();
    let label = |key: &str| pods[0].1.meta.labels[key].to_string();
    assert_eq!(label("apps.kubernetes.io/pod-index"), "5");
    assert_eq!(label("statefulset.kubernetes.io/pod-name"), "db-5");
    assert!(label(REVISION_HASH).starts_with("db-"));
    let claims = cluster.all::<PersistentVolumeClaim>();
    let claims: Vec<String> = claims.iter().map(|(_, claim)| claim.meta.name.to_string()).collect();
    assert_eq!(claims, ["data-db-5", "data-db-6"]);
    assert!(pods[0].1.spec.written.contains("\"claimName\":\"data-db-5\""));
}

#[test]
fn a_failed_pod_is_made_anew_under_its_name() {
    let mut cluster = Cluster::new();
    apply(&mut cluster, set(json!({"replicas": 1})));
    let before = uid(&cluster, "db-0");
    let (id, _) = cluster.all::<Pod>()[0].clone();
    cluster.change(id, |pod: &mut Pod| pod.status.phase = Phase::Failed);
    cluster.run(SECOND);
    assert_eq!(names(&cluster), ["db-0"]);
    assert_ne!(uid(&cluster, "db-0"), before, "it is another one");
}

#[test]
fn claims_of_pods_scaled_away_belong_to_them_if_they_are_to_go() {
    let mut cluster = Cluster::new();
    let kept = json!({"whenScaled": "Delete", "whenDeleted": "Delete"});
    let id = apply(
        &mut cluster,
        set(json!({"replicas": 2, "podManagementPolicy": "Parallel",
        "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {}}],
        "persistentVolumeClaimRetentionPolicy": kept})),
    );
    settle(&mut cluster);
    let owners = |cluster: &Cluster| -> Vec<Option<Uid>> {
        let claims = cluster.all::<PersistentVolumeClaim>();
        claims.iter().map(|(_, claim)| claim.meta.owner.map(|owner| owner.uid)).collect()
    };
    let set_uid = cluster.all::<StatefulSet>()[0].1.meta.uid;
    assert_eq!(owners(&cluster), [Some(set_uid), Some(set_uid)]);
    cluster.change(id, |set: &mut StatefulSet| set.replicas = 1);
    cluster.run(SECOND);
    assert_eq!(names(&cluster), ["db-0"]);
    assert_eq!(owners(&cluster), [Some(set_uid)], "it went with its pod");
}

#[test]
fn an_update_goes_down_to_the_partition_and_old_revisions_go() {
    let mut cluster = Cluster::new();
    let rolling = json!({"type": "RollingUpdate", "rollingUpdate": {"partition": 1}});
    let id = apply(
        &mut cluster,
        set(json!({"replicas": 3, "podManagementPolicy": "Parallel",
        "updateStrategy": rolling, "revisionHistoryLimit": 0})),
    );
    settle(&mut cluster);
    let before: Vec<_> = ["db-0", "db-1", "db-2"].map(|name| uid(&cluster, name)).into();
    cluster.change(id, |set: &mut StatefulSet| {
        set.template = Arc::new(template("db", 9));
        set.written = "{}".into();
    });
    cluster.run(SECOND);
    for _ in 0..8 {
        settle(&mut cluster);
    }
    let after: Vec<_> = ["db-0", "db-1", "db-2"].map(|name| uid(&cluster, name)).into();
    assert_eq!(after[0], before[0], "below the partition nothing moves");
    assert!(after[1] != before[1] && after[2] != before[2]);
    let revisions = cluster.all::<crate::api::controller_revision::ControllerRevision>();
    assert_eq!(revisions.len(), 2, "both are in use");
    let status = cluster.all::<StatefulSet>()[0].1.status.clone();
    assert_eq!((status.updated, status.current, status.ready), (2, 1, 3));
    assert_ne!(status.current_revision, status.update_revision);
}
