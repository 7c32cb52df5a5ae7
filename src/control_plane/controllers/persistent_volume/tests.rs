use super::*;
use crate::api::compact::Compactor;
use crate::api::storage::NO_PROVISIONER;
use crate::control_plane::controllers::testing::Cluster;
use serde_json::{Value, json};

fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("an object")
}

fn class(cluster: &mut Cluster, name: &str, provisioner: &str, mode: &str) {
    let written = json!({"metadata": {"name": name}, "provisioner": provisioner,
        "volumeBindingMode": mode, "reclaimPolicy": "Delete"});
    cluster.create(Compactor::new().storage_class(read(written)).object);
}

fn claim(cluster: &mut Cluster, name: &str, class: &str) -> Id<PersistentVolumeClaim> {
    let written = json!({"metadata": {"name": name}, "spec": {"accessModes": ["ReadWriteOnce"],
        "storageClassName": class, "resources": {"requests": {"storage": "1Gi"}}}});
    cluster.create(Compactor::new().persistent_volume_claim(read(written)).object).typed()
}

fn volume(cluster: &mut Cluster, name: &str, class: &str, size: &str) -> Id<PersistentVolume> {
    let written = json!({"metadata": {"name": name}, "spec": {"accessModes": ["ReadWriteOnce"],
        "storageClassName": class, "capacity": {"storage": size}}});
    cluster.create(Compactor::new().persistent_volume(read(written)).object).typed()
}

fn phases(cluster: &Cluster) -> Vec<(String, VolumePhase)> {
    let all = cluster.all::<PersistentVolume>().into_iter();
    all.map(|(_, volume)| (volume.meta.name.to_string(), volume.phase)).collect()
}

fn claim_of(cluster: &Cluster, id: Id<PersistentVolumeClaim>) -> PersistentVolumeClaim {
    cluster.store.get(id).expect("the claim").clone()
}

fn secs(seconds: u64) -> SimDuration {
    SimDuration::from_secs(seconds)
}

#[test]
fn a_claim_is_bound_to_the_smallest_volume_and_the_volume_is_released_after_it() {
    let mut cluster = Cluster::new();
    volume(&mut cluster, "big", "", "5Gi");
    volume(&mut cluster, "small", "", "2Gi");
    volume(&mut cluster, "tiny", "", "1Mi");
    cluster.run(secs(1));
    assert!(phases(&cluster).iter().all(|(_, phase)| *phase == VolumePhase::Available));
    let id = claim(&mut cluster, "data", "");
    cluster.run(secs(1));
    let bound = claim_of(&cluster, id);
    assert!(bound.is_bound() && bound.phase == ClaimPhase::Bound);
    assert_eq!(bound.volume.as_deref(), Some("small"));
    assert_eq!(phases(&cluster)[1], ("small".to_owned(), VolumePhase::Bound));
    let log = cluster.log.len();
    cluster.run(secs(600));
    assert_eq!(cluster.log.len(), log, "nothing more happens");
    cluster.remove(id);
    cluster.run(secs(1));
    assert_eq!(phases(&cluster)[1], ("small".to_owned(), VolumePhase::Released));
}

#[test]
fn a_volume_is_made_after_the_delay_and_goes_with_its_claim() {
    let mut cluster = Cluster::new();
    let id = claim(&mut cluster, "data", "fast");
    cluster.run(secs(10));
    assert!(phases(&cluster).is_empty(), "its class is not there");
    class(&mut cluster, "fast", "csi.example", "Immediate");
    cluster.run(secs(1));
    assert!(phases(&cluster).is_empty(), "it is being made");
    cluster.run(secs(2));
    assert!(claim_of(&cluster, id).is_bound());
    assert_eq!(phases(&cluster).len(), 1);
    cluster.remove(id);
    cluster.run(secs(1));
    assert!(phases(&cluster).is_empty());
}

#[test]
fn a_claim_that_waits_for_its_consumer_is_served_once_it_has_a_node() {
    let mut cluster = Cluster::new();
    class(&mut cluster, "late", "csi.example", "WaitForFirstConsumer");
    class(&mut cluster, "by-hand", NO_PROVISIONER, "Immediate");
    let id = claim(&mut cluster, "data", "late");
    let other = claim(&mut cluster, "other", "by-hand");
    cluster.run(secs(30));
    assert!(!claim_of(&cluster, id).is_bound() && phases(&cluster).is_empty());
    cluster.change(id, |claim| claim.meta.annotate(SELECTED_NODE, "n-0"));
    cluster.run(secs(3));
    assert!(claim_of(&cluster, id).is_bound());
    assert!(!claim_of(&cluster, other).is_bound());
}

#[test]
fn a_bound_claim_whose_volume_goes_is_lost() {
    let mut cluster = Cluster::new();
    let gone = volume(&mut cluster, "v", "", "2Gi");
    let id = claim(&mut cluster, "data", "");
    cluster.run(secs(2));
    assert!(claim_of(&cluster, id).is_bound());
    cluster.remove(gone);
    cluster.run(secs(1));
    assert_eq!(claim_of(&cluster, id).phase, ClaimPhase::Lost);
}

#[test]
fn a_pods_own_claims_come_and_go_with_it() {
    let mut cluster = Cluster::new();
    class(&mut cluster, "fast", "csi.example", "Immediate");
    let own = |name: &str| {
        json!({"name": name, "ephemeral": {"volumeClaimTemplate": {"spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": "fast",
            "resources": {"requests": {"storage": "1Gi"}}}}}})
    };
    let written = json!({"metadata": {"name": "p"}, "spec": {
        "containers": [{"name": "c", "image": "i:1"}], "volumes": [own("a"), own("b")]}});
    let pod: Id<Pod> = cluster.create(Compactor::new().pod(read(written)).object).typed();
    cluster.run(secs(4));
    let names = |cluster: &Cluster| -> Vec<String> {
        let all = cluster.all::<PersistentVolumeClaim>().into_iter();
        all.map(|(_, claim)| format!("{} {}", claim.meta.name, claim.is_bound())).collect()
    };
    assert_eq!(names(&cluster), ["p-a true", "p-b true"]);
    cluster.remove(pod);
    cluster.run(secs(2));
    assert!(names(&cluster).is_empty() && phases(&cluster).is_empty());
}

#[test]
fn a_new_manager_goes_on_where_the_old_one_was() {
    let mut cluster = Cluster::new();
    class(&mut cluster, "fast", "csi.example", "Immediate");
    let id = claim(&mut cluster, "data", "fast");
    cluster.run(secs(1));
    cluster.restart();
    cluster.run(secs(3));
    assert!(claim_of(&cluster, id).is_bound());
}
