//! Pods resized in place.

use std::sync::Arc;

use super::rig::*;
use crate::api::pod::{OnResize, Pod, PodSpec, PodStatus, ResizePolicy};
use crate::messages::app::App;

/// A spec that asks for so many thousandths of a core and is limited to them.
fn sized(milli: i64, on_resize: OnResize) -> PodSpec {
    let mut one = container("a");
    one.requests.cpu_milli = milli;
    one.limits.cpu_milli = milli;
    one.on_resize = on_resize;
    let mut spec = spec(vec![], vec![one]);
    spec.requests.cpu_milli = milli;
    spec.written = format!("{{\"containers\":[{{\"cpu\":{milli}}}]}}").into();
    spec
}

fn plain(milli: i64) -> PodSpec {
    sized(milli, OnResize::default())
}

fn resize(rig: &mut Rig, n: u32, spec: PodSpec) {
    let spec = Arc::new(spec);
    rig.tell(|kubelets, fx| kubelets.pod_resized(pod_id(n), (&spec, 2), fx));
}

fn status(rig: &Rig, n: u32) -> (i64, Option<String>, Option<String>) {
    let status: &PodStatus = &rig.pods[&n].status;
    let resize = status.resize.as_ref().expect("it was asked for");
    let why = |why: &Option<crate::api::pod::StatusReason>| {
        why.as_ref().map(|why| format!("{}:{}", why.reason, why.message))
    };
    (resize.allocated.requests.cpu_milli, why(&resize.pending), why(&resize.progress))
}

#[test]
fn a_container_gets_more_without_a_restart() {
    let mut rig = Rig::new();
    rig.assign(1, plain(500), vec![staged()]);
    rig.run_to(5).take();
    resize(&mut rig, 1, plain(1500));
    rig.run_to(6);
    assert_eq!(rig.take_only("fact"), ["5.000 fact resizing", "5.000 fact resized"]);
    assert_eq!(status(&rig, 1), (1500, None, None));
    assert_eq!(rig.engines.limits_of(pod_id(1), 0).map(|it| it.cpu_milli), Some(1500));
}

#[test]
fn what_does_not_fit_now_waits_and_what_never_fits_is_told() {
    let mut rig = Rig::new();
    rig.assign(1, plain(1000), vec![staged()]);
    rig.assign(2, plain(2500), vec![staged()]);
    rig.run_to(5).take();
    resize(&mut rig, 1, plain(5000));
    let infeasible =
        "Infeasible:Node didn't have enough capacity: cpu, requested: 5000, capacity: 4000";
    assert_eq!(status(&rig, 1), (1000, Some(infeasible.to_owned()), None));
    resize(&mut rig, 1, plain(2000));
    let deferred = "Deferred:Node didn't have enough resource: cpu, requested: 2000, used: 2500, \
                    capacity: 4000";
    assert_eq!(status(&rig, 1), (1000, Some(deferred.to_owned()), None));
    // The other one shrinks: there is room.
    resize(&mut rig, 2, plain(500));
    rig.run_to(6);
    assert_eq!(status(&rig, 1), (2000, None, None));
    assert_eq!(status(&rig, 2), (500, None, None));
}

#[test]
fn room_that_a_pod_leaves_goes_to_the_highest_priority_first() {
    let mut rig = Rig::new();
    for (n, priority) in [(1, 0), (2, 10)] {
        rig.assign(n, PodSpec { priority, ..plain(500) }, vec![staged()]);
    }
    rig.assign(3, plain(3000), vec![staged()]);
    rig.run_to(5).take();
    for (n, priority) in [(1, 0), (2, 10)] {
        resize(&mut rig, n, PodSpec { priority, ..plain(3000) });
    }
    rig.delete(3, 1).run_to(10);
    assert_eq!((status(&rig, 1).0, status(&rig, 2).0), (500, 3000));
}

#[test]
fn a_container_may_ask_to_be_restarted_for_it() {
    let mut rig = Rig::new();
    let policy = OnResize { cpu: ResizePolicy::Restart, ..OnResize::default() };
    rig.assign(1, sized(500, policy), vec![staged()]);
    rig.run_to(5).take();
    resize(&mut rig, 1, sized(1500, policy));
    rig.run_to(30);
    let facts = rig.take_only("fact");
    let told: Vec<&str> = facts.iter().filter_map(|fact| fact.split(' ').nth(2)).collect();
    assert_eq!(told, ["resizing", "killing", "exited", "started", "resized"]);
    let restarts = rig.pods[&1].status.restarts();
    assert_eq!((status(&rig, 1), restarts), ((1500, None, None), 1));
    assert_eq!(rig.engines.limits_of(pod_id(1), 0).map(|it| it.cpu_milli), Some(1500));
}

#[test]
fn a_kubelet_that_starts_anew_goes_on_with_what_waits() {
    let mut rig = Rig::new();
    rig.assign(1, plain(1000), vec![staged()]);
    rig.assign(2, plain(2500), vec![staged()]);
    rig.run_to(5);
    resize(&mut rig, 1, plain(2000));
    rig.tell(|kubelets, _| kubelets.stop(AT));
    let found = rig.engines.list(AT);
    rig.tell(|kubelets, fx| kubelets.start(AT, found, fx));
    let pods: Vec<(u32, Pod)> = rig.pods.iter().map(|(n, pod)| (*n, pod.clone())).collect();
    for (n, mut pod) in pods {
        if n == 1 {
            pod.spec = Arc::new(plain(2000));
        }
        let apps: Vec<App> = vec![staged()];
        rig.tell(|kubelets, fx| kubelets.pod_assigned(AT, pod_id(n), &pod, apps.into(), fx));
    }
    rig.run_to(6);
    assert_eq!(status(&rig, 1).0, 1000);
    rig.delete(2, 1).run_to(10);
    assert_eq!(status(&rig, 1), (2000, None, None));
}
