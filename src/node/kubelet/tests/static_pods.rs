//! Static pods and their mirrors.

use super::rig::*;
use crate::api::kind::Kind;
use crate::api::meta::{Meta, ObjectName, Uid};
use crate::api::name::Name;
use crate::api::pod::{Pod, PodStatus};
use crate::api::rules::static_pods::{HASH, MIRROR};
use crate::api::status::Status;
use crate::messages::{ClientId, Reply};
use crate::node::kubelet::{Kubelets, Manifest};

const MIRRORED: &str = "Pod/kube-system/agent-n-0";

fn written() -> Pod {
    let meta = Meta::new("kube-system".into(), Name::from("agent"));
    let spec = spec(vec![], vec![container("a")]);
    Pod { meta, spec: spec.into(), node: None, status: PodStatus::default() }
}

fn started() -> Rig {
    let mut rig = Rig::new();
    rig.tell(|kubelets, fx| {
        let pod = kubelets.as_read(AT, &written());
        kubelets.add_manifest(AT, Manifest::new(pod_id(5), pod, vec![staged()].into()));
        kubelets.read_manifests(AT, fx);
    });
    rig
}

/// The API server has stored the mirror under this uid.
fn shows(rig: &mut Rig, uid: u64) {
    let mut pod = rig.kubelets.as_read(AT, &written());
    let hash = pod.meta.annotation(HASH).unwrap_or_default().to_owned();
    pod.meta.annotate(MIRROR, &hash);
    pod.meta.uid = Uid(uid);
    rig.tell(|kubelets: &mut Kubelets, fx| {
        kubelets.pod_assigned(AT, pod_id(5), &pod, vec![staged()].into(), fx);
    });
}

#[test]
fn it_runs_before_anybody_hears_of_it_and_its_mirror_is_told_all() {
    let mut rig = started();
    rig.run_to(3);
    assert_eq!(rig.take_only("create"), [format!("0.000 create {MIRRORED}")]);
    shows(&mut rig, 7);
    assert_eq!(rig.take_only("write"), ["3.000 write Running ready [running ready]"]);
}

#[test]
fn a_mirror_that_is_deleted_comes_back_and_nothing_restarts() {
    let mut rig = started();
    shows(&mut rig, 7);
    rig.run_to(3).take();
    rig.tell(|kubelets, fx| kubelets.pod_deleting(pod_id(5), 30, fx));
    assert_eq!(rig.take(), ["3.000 delete within 0"]);
    rig.tell(|kubelets, fx| kubelets.pod_removed(pod_id(5), fx));
    assert_eq!(rig.take(), [format!("3.000 create {MIRRORED}")]);
    rig.run_to(5);
    shows(&mut rig, 8);
    rig.run_to(30);
    assert_eq!(rig.take(), ["5.000 write Running ready [running ready]"]);
}

#[test]
fn a_mirror_that_is_refused_is_asked_for_again_with_the_next_sync() {
    let mut rig = started();
    rig.run_to(3).take();
    let name = ObjectName::of(Kind::Pod, &written().meta);
    let result = Err(Status::Forbidden(name, "no".into()));
    // The first worker's first mirror.
    let reply = Reply { client: ClientId(1), tag: 2, result };
    rig.tell(|kubelets, fx| kubelets.reply(&reply, fx));
    assert_eq!(rig.run_to(62).take_only("create").len(), 0);
    assert_eq!(rig.run_to(94).take_only("create").len(), 1);
}

#[test]
fn a_kubelet_that_starts_anew_finds_it_running() {
    let mut rig = started();
    shows(&mut rig, 7);
    rig.run_to(3).take();
    rig.tell(|kubelets, _| kubelets.stop(AT));
    let found = rig.engines.list(AT);
    rig.tell(|kubelets, fx| kubelets.start(AT, found, fx));
    rig.run_to(5);
    shows(&mut rig, 7);
    assert_eq!(rig.take_only("fact").len(), 1, "accepted, never started again");
    // Without its containers it starts over, and counts that.
    rig.tell(|kubelets, _| kubelets.stop(AT));
    let now = rig.now;
    let (engines, machine) = (&mut rig.engines, &mut rig.machine);
    engines.crash(AT, machine, now);
    rig.tell(|kubelets, fx| kubelets.start(AT, Vec::new(), fx));
    rig.run_to(9);
    shows(&mut rig, 7);
    assert_eq!(rig.take_only("write"), ["9.000 write Running ready [running x1 ready]"]);
}
