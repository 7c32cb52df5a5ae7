//! Which objects go, which stay, and in what order. ReplicaSets of no pods stand for any object.

use super::*;
use crate::api::meta::{Blocks, Owner, Reference};
use crate::api::misc::Namespace;
use crate::api::name::Name;
use crate::api::object::Object;
use crate::api::workload::ReplicaSet;
use crate::base::id::Id;
use crate::control_plane::controllers::testing::{self, Cluster};

type Set = Id<ReplicaSet>;

fn set(name: &str) -> ReplicaSet {
    testing::replica_set(name, 0)
}

fn store(cluster: &mut Cluster, set: ReplicaSet) -> Set {
    cluster.create(Object::ReplicaSet(Box::new(set))).typed()
}

fn owner(cluster: &Cluster, id: Set) -> Owner {
    let uid = cluster.store.get(id).expect("an owner").meta.uid;
    Owner { kind: Kind::ReplicaSet, uid, at: id.into() }
}

fn nobody(kind: Kind) -> Owner {
    Owner { kind, uid: Uid(77), at: RawId::NOWHERE }
}

fn reference(owner: Owner, blocks: Blocks) -> Reference {
    let kind = match owner.kind {
        Kind::Other => "Widget",
        kind => kind.name(),
    };
    let (api_version, kind, name) = ("apps/v1".into(), kind.into(), "x".into());
    Reference { owner, blocks, api_version, kind, name }
}

/// A set with these owners, none of them its controller.
fn owned_by(name: &str, owners: &[(Owner, Blocks)]) -> ReplicaSet {
    let mut set = set(name);
    let all = owners.iter().map(|&(owner, blocks)| reference(owner, blocks));
    set.meta.set_other_owners(all.collect());
    set
}

fn delete(cluster: &mut Cluster, id: Set, propagation: Propagation) {
    let (kind, uid, grace_seconds) = (Kind::ReplicaSet, None, None);
    let call = Call::Delete { kind, id: id.into(), uid, grace_seconds, propagation };
    cluster.commit(call).expect("a deletion");
    cluster.run(SimDuration::from_secs(1));
}

fn names(cluster: &Cluster) -> String {
    let all = cluster.all::<ReplicaSet>();
    let mut names: Vec<String> = all.iter().map(|(_, set)| set.meta.name.to_string()).collect();
    names.sort();
    names.join(" ")
}

fn owners(cluster: &Cluster, id: Set) -> Vec<Uid> {
    let set = cluster.store.get(id).expect("it is there");
    set.meta.owners().map(|(owner, _)| owner.uid).collect()
}

#[test]
fn an_object_of_several_owners_goes_with_the_last() {
    let mut cluster = Cluster::new();
    let (a, b) = (store(&mut cluster, set("a")), store(&mut cluster, set("b")));
    let both = [a, b].map(|id| (owner(&cluster, id), Blocks::Owner));
    let id = store(&mut cluster, owned_by("child", &both));
    delete(&mut cluster, a, Propagation::Background);
    assert_eq!(names(&cluster), "b child");
    assert_eq!(owners(&cluster, id), [both[1].0.uid], "it lost the one that is gone");
    delete(&mut cluster, b, Propagation::Background);
    assert_eq!(names(&cluster), "");
}

#[test]
fn one_owner_gone_and_one_waiting_are_no_owner_to_stay_for() {
    let mut cluster = Cluster::new();
    let (a, b) = (store(&mut cluster, set("a")), store(&mut cluster, set("b")));
    let both = [a, b].map(|id| (owner(&cluster, id), Blocks::Owner));
    let mut child = owned_by("child", &both);
    child.meta.add_finalizer("example.com/held");
    let id = store(&mut cluster, child);
    delete(&mut cluster, a, Propagation::Foreground);
    assert_eq!(names(&cluster), "b child", "it loses the one that waits, for the other is there");
    assert_eq!(owners(&cluster, id), [both[1].0.uid]);
    delete(&mut cluster, b, Propagation::Foreground);
    assert_eq!(names(&cluster), "b child", "a finalizer of its own holds both");
    let uid = cluster.store.get(id).expect("it").meta.uid;
    let patch = MetaPatch::DropFinalizer("example.com/held".into());
    let kind = Kind::ReplicaSet;
    cluster.commit(Call::Patch { kind, id: id.into(), uid, patch }).expect("a patch");
    cluster.run(SimDuration::from_secs(1));
    assert_eq!(names(&cluster), "");
}

#[test]
fn what_names_an_owner_nobody_has_goes_at_once() {
    let mut cluster = Cluster::new();
    let mut lost = set("lost");
    lost.meta.owner = Some(nobody(Kind::Deployment));
    store(&mut cluster, lost);
    store(&mut cluster, owned_by("unknown", &[(nobody(Kind::Other), Blocks::Owner)]));
    cluster.run(SimDuration::from_secs(1));
    assert_eq!(
        names(&cluster),
        "unknown",
        "of a kind the API server does not know nobody can tell"
    );
}

#[test]
fn an_owner_in_another_namespace_is_none() {
    let mut cluster = Cluster::new();
    let namespace = Namespace::new(Meta::new("".into(), Name::new("far")));
    let namespace = cluster.create(Object::Namespace(Box::new(namespace)));
    let near = store(&mut cluster, set("near"));
    let own = owner(&cluster, near);
    let mut far = owned_by("far", &[(own, Blocks::Owner)]);
    far.meta.namespace = "far".into();
    store(&mut cluster, far);
    store(&mut cluster, owned_by("kept", &[(own, Blocks::Owner)]));
    let uid = cluster.store.get::<Namespace>(namespace.typed()).expect("it is there").meta.uid;
    let of_namespace = Owner { kind: Kind::Namespace, uid, at: namespace };
    store(&mut cluster, owned_by("of-namespace", &[(of_namespace, Blocks::Owner)]));
    cluster.run(SimDuration::from_secs(1));
    assert_eq!(names(&cluster), "kept near of-namespace");
}

#[test]
fn only_dependents_that_block_are_waited_for() {
    let mut cluster = Cluster::new();
    let a = store(&mut cluster, set("a"));
    let own = owner(&cluster, a);
    for (name, blocks) in [("blocks", Blocks::Owner), ("does-not", Blocks::Nothing)] {
        let mut child = owned_by(name, &[(own, blocks)]);
        child.meta.add_finalizer("example.com/held");
        store(&mut cluster, child);
    }
    delete(&mut cluster, a, Propagation::Foreground);
    let ending = cluster.all::<ReplicaSet>();
    assert_eq!(ending.iter().filter(|(_, set)| set.meta.is_terminating()).count(), 3);
    for (name, left) in [("blocks", "does-not"), ("does-not", "")] {
        let all = cluster.all::<ReplicaSet>();
        let (id, held) = all.iter().find(|(_, set)| set.meta.name == *name).expect("it");
        let patch = MetaPatch::DropFinalizer("example.com/held".into());
        let (kind, uid) = (Kind::ReplicaSet, held.meta.uid);
        cluster.commit(Call::Patch { kind, id: (*id).into(), uid, patch }).expect("a patch");
        cluster.run(SimDuration::from_secs(1));
        assert_eq!(names(&cluster), left);
    }
}

#[test]
fn owners_in_a_circle_go_all_the_same() {
    let mut cluster = Cluster::new();
    let a = store(&mut cluster, set("a"));
    let b = owned_by("b", &[(owner(&cluster, a), Blocks::Owner)]);
    let b = store(&mut cluster, b);
    let back = reference(owner(&cluster, b), Blocks::Owner);
    cluster.change(a, |set| set.meta.set_other_owners(vec![back]));
    cluster.run(SimDuration::from_secs(1));
    delete(&mut cluster, a, Propagation::Foreground);
    assert_eq!(names(&cluster), "");
}

#[test]
fn orphans_stay_and_lose_that_owner_alone() {
    let mut cluster = Cluster::new();
    let (a, b) = (store(&mut cluster, set("a")), store(&mut cluster, set("b")));
    let both = [a, b].map(|id| (owner(&cluster, id), Blocks::Owner));
    let id = store(&mut cluster, owned_by("child", &both));
    delete(&mut cluster, a, Propagation::Orphan);
    assert_eq!((names(&cluster).as_str(), owners(&cluster, id)), ("b child", vec![both[1].0.uid]));
    delete(&mut cluster, b, Propagation::Orphan);
    assert_eq!((names(&cluster).as_str(), owners(&cluster, id)), ("child", vec![]));
}

/// `pkg/registry/core/replicationcontroller/strategy.go`: nobody who asks for nothing loses pods.
#[test]
fn a_kind_has_its_custom() {
    for (kind, left) in [
        (crate::api::workload::SetKind::ReplicaSet, 0),
        (crate::api::workload::SetKind::ReplicationController, 2),
    ] {
        let mut cluster = Cluster::new();
        let set = ReplicaSet { kind, ..testing::replica_set("web", 2) };
        let id = store(&mut cluster, set);
        cluster.run(SimDuration::from_secs(1));
        let (kind, uid, grace_seconds) = (kind.into(), None, None);
        let propagation = Propagation::Custom;
        let call = Call::Delete { kind, id: id.into(), uid, grace_seconds, propagation };
        cluster.commit(call).expect("a deletion");
        cluster.run(SimDuration::from_secs(1));
        let pods = cluster.all::<crate::api::pod::Pod>();
        assert_eq!(pods.iter().filter(|(_, pod)| !pod.meta.is_terminating()).count(), left);
    }
}

#[test]
fn a_manager_that_starts_anew_collects_what_was_left() {
    let mut cluster = Cluster::new();
    let a = store(&mut cluster, set("a"));
    let own = owner(&cluster, a);
    store(&mut cluster, owned_by("child", &[(own, Blocks::Owner)]));
    cluster.run(SimDuration::from_secs(1));
    cluster.remove(a);
    cluster.restart();
    cluster.run(SimDuration::from_secs(1));
    assert_eq!(names(&cluster), "");
}
