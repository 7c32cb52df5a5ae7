//! Pods that ask for other pods, in 65,536 kinds.

use std::sync::Arc;

use crate::api::kind::Kind;
use crate::api::meta::{Labels, Owner, RawId, Uid};
use crate::api::node::{HOSTNAME_LABEL, ZONE_LABEL};
use crate::api::pod::Pod;
use crate::api::rules::affinity::PodTerm;
use crate::api::rules::selector::{Operator, Requirement, Selector};
use crate::api::rules::spread::{InclusionPolicy, SpreadConstraint, WhenUnsatisfiable};
use crate::api::rules::volumes::Disk;

/// Namespaces of the pods.
pub const NAMESPACES: [&str; 3] = ["default", "blue", "green"];
/// Labels `app` of the pods.
pub const APPS: [&str; 3] = ["a", "b", "c"];
/// The uid of the controller of some.
pub const OWNER: Uid = Uid(77);

fn selector(app: u16) -> Option<Selector> {
    match app & 3 {
        3 => Some(Selector::default()),
        app => {
            let labels: Labels = [("app".into(), APPS[usize::from(app)].into())].into();
            Some(Selector::of_labels(&labels))
        }
    }
}

fn topology_key(bit: u16) -> &'static str {
    if bit & 1 == 0 { ZONE_LABEL } else { HOSTNAME_LABEL }
}

fn term(kind: u16) -> PodTerm {
    let named = Requirement { key: "team".into(), operator: Operator::Exists, values: Vec::new() };
    PodTerm {
        selector: selector(kind),
        namespaces: if kind & 4 != 0 { vec!["blue".into()] } else { Vec::new() },
        namespace_selector: match kind & 24 {
            8 => Some(Selector { requirements: vec![named] }),
            24 => Some(Selector::default()),
            _ => None,
        },
        topology_key: topology_key(kind >> 5).into(),
        ..PodTerm::default()
    }
}

fn constraint(kind: u16, unsatisfiable: WhenUnsatisfiable) -> SpreadConstraint {
    let policy = |bit: u16| match kind & bit {
        0 => InclusionPolicy::Honor,
        _ => InclusionPolicy::Ignore,
    };
    SpreadConstraint {
        max_skew: 1 + i32::from(kind >> 3 & 1),
        topology_key: topology_key(kind >> 2).into(),
        unsatisfiable,
        selector: selector(kind),
        min_domains: (kind & 48 == 48).then_some(3),
        node_affinity: policy(64),
        node_taints: policy(128),
        match_label_keys: Vec::new(),
    }
}

/// Lets a pod ask for others as `kind` says; an eighth of them ask nothing.
pub fn ask(pod: &mut Pod, kind: u16) {
    let app = APPS[usize::from(kind & 3).min(2)];
    pod.meta.namespace = NAMESPACES[usize::from(kind >> 2 & 3).min(2)].into();
    pod.meta.labels = Arc::new([("app".into(), app.into())].into());
    if kind & 16 != 0 {
        let at = RawId { slot: 0, generation: 0 };
        pod.meta.owner = Some(Owner { kind: Kind::ReplicaSet, uid: OWNER, at });
    }
    let rest = kind >> 8;
    if kind & 0x303 == 0x100 {
        let milli = if kind & 4 == 0 { "400" } else { "1000" };
        let gpus = [("alibabacloud.com/gpu-count", "1"), ("alibabacloud.com/gpu-milli", milli)];
        let gpus = gpus.map(|(key, value)| (key.into(), value.into()));
        pod.meta.annotations = Arc::new(gpus.into());
    }
    let spec = Arc::make_mut(&mut pod.spec);
    if kind & 0x1e00 == 0x1e00 {
        spec.volumes.disks.push(Disk::Aws(app.into()));
    }
    spec.priority = i32::from(kind >> 14);
    match kind >> 5 & 7 {
        0 => spec.pod_affinity.required = vec![term(rest)],
        1 => spec.pod_anti_affinity.required = vec![term(rest)],
        2 => spec.pod_affinity.preferred = vec![(7, term(rest)), (2, term(rest >> 1))],
        3 => spec.pod_anti_affinity.preferred = vec![(9, term(rest))],
        4 => spec.spread = vec![constraint(rest, WhenUnsatisfiable::DoNotSchedule)],
        5 => spec.spread = vec![constraint(rest, WhenUnsatisfiable::ScheduleAnyway)],
        6 => {
            spec.spread = vec![
                constraint(rest, WhenUnsatisfiable::DoNotSchedule),
                constraint(rest >> 1, WhenUnsatisfiable::ScheduleAnyway),
                constraint(rest >> 2, WhenUnsatisfiable::DoNotSchedule),
            ];
            spec.pod_affinity.required = vec![term(rest), term(rest >> 2)];
        }
        _ => {}
    }
}
