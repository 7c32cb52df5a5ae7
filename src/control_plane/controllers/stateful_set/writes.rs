//! The calls that carry out what is to be done about one pod, one after the other.

use std::collections::VecDeque;
use std::sync::Arc;

use super::claims::{claim, keeper, kept};
use super::identity::{self, claim_name, pod_name};
use super::plan::{Act, Because, Claims};
use crate::api::compact::derived::identified;
use crate::api::kind::Kind;
use crate::api::meta::{Meta, Owner};
use crate::api::name::{Name, Text};
use crate::api::object::Object;
use crate::api::pod::{Pod, PodStatus, PodTemplate};
use crate::api::stateful_set::{ClaimRetention, StatefulSet};
use crate::api::status::Status;
use crate::api::storage::PersistentVolumeClaim;
use crate::base::id::Id;
use crate::control_plane::controllers::Known;
use crate::messages::request::Propagation;
use crate::messages::{Call, Part, Remark};

/// A set, and itself as an owner.
#[derive(Clone, Copy)]
pub(super) struct Whose<'a> {
    pub set: &'a StatefulSet,
    pub owner: Owner,
}

/// A call and what it is worth.
#[derive(Clone, Debug)]
pub(super) struct Write {
    pub call: Call,
    pub what: What,
    /// The pod's name.
    pub pod: Name,
}

/// What a call does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum What {
    /// A claim is made: that it is there already is as good.
    Claim,
    /// A pod is made.
    Pod,
    /// A pod goes: that it is gone is as good.
    Deletion(Because),
    /// A claim's owner or a pod's labels change.
    Change,
}

impl Write {
    /// What is said of how it went (`recordPodEvent`, `recordClaimEvent`).
    pub fn remark(&self, set: &Name, result: Result<(), &Status>) -> Remark {
        let (verb, reason) = match self.what {
            What::Deletion(_) => ("Delete", ["SuccessfulDelete", "FailedDelete"]),
            _ => ("Create", ["SuccessfulCreate", "FailedCreate"]),
        };
        let pod = &self.pod;
        let claim = match &self.call {
            Call::Create(Object::PersistentVolumeClaim(claim)) => Some(&claim.meta.name),
            _ => None,
        };
        let [done, failed] = reason;
        match (claim, result) {
            (None, Ok(())) => {
                Remark::normal(done, format!("{verb} Pod {pod} in StatefulSet {set} successful"))
            }
            (None, Err(why)) => Remark::warning(
                failed,
                format!("{verb} Pod {pod} in StatefulSet {set} failed error: {why}"),
            ),
            (Some(claim), Ok(())) => Remark::normal(
                done,
                format!("{verb} Claim {claim} Pod {pod} in StatefulSet {set} success"),
            ),
            (Some(claim), Err(why)) => Remark::warning(
                failed,
                format!(
                    "{verb} Claim {claim} for Pod {pod} in StatefulSet {set} failed error: {why}"
                ),
            ),
        }
    }
}

fn deletion(id: Id<Pod>, because: Because, known: Known<'_>) -> Option<Write> {
    let pod = &known.view.get(id)?.meta;
    let uid = Some(pod.uid);
    let call = Call::Delete {
        kind: Kind::Pod,
        id: id.into(),
        uid,
        grace_seconds: None,
        propagation: Propagation::Background,
    };
    Some(Write { call, what: What::Deletion(because), pod: pod.name.clone() })
}

/// The calls of `act`; `template` is that of the revision a new pod is of, with its name.
pub(super) fn writes(
    act: Act,
    whose: Whose<'_>,
    (template, revision): (&PodTemplate, &str),
    known: Known<'_>,
) -> VecDeque<Write> {
    match act {
        Act::Delete(id, because) => deletion(id, because, known).into_iter().collect(),
        Act::Create(ordinal, _) => {
            let mut all = missing_claims(whose.set, ordinal, known);
            let pod = pod(whose, ordinal, template, revision);
            let name = pod.meta.name.clone();
            let call = Call::Create(Object::Pod(Box::new(pod)));
            all.push_back(Write { call, what: What::Pod, pod: name });
            all.extend(claims_to_own(whose, ordinal, None, known));
            all
        }
        Act::Mend(id, ordinal) => {
            let mut all = missing_claims(whose.set, ordinal, known);
            let Some((rev, held)) = known.view.version(id) else { return all };
            let at = id.into();
            let pod = Owner { kind: Kind::Pod, uid: held.meta.uid, at };
            all.extend(claims_to_own(whose, ordinal, Some(pod), known));
            if !identity::matches(held, ordinal) {
                let mut next = held.clone();
                next.meta.labels = identity::repaired(held, ordinal);
                let object = Object::Pod(Box::new(next));
                let call = Call::Update { id: at, object, base: Some(rev), part: Part::Main };
                let pod = held.meta.name.clone();
                all.push_back(Write { call, what: What::Change, pod });
            }
            all
        }
    }
}

fn missing_claims(set: &StatefulSet, ordinal: i32, known: Known<'_>) -> VecDeque<Write> {
    let missing = set.claims.iter().filter(|template| {
        let name = claim_name(&template.name, set, ordinal);
        known.view.find::<PersistentVolumeClaim>(&set.meta.namespace, &name).is_none()
    });
    let make = missing.map(|template| {
        let object = Object::PersistentVolumeClaim(Box::new(claim(set, template, ordinal)));
        let pod = Name::new(pod_name(set, ordinal));
        Write { call: Call::Create(object), what: What::Claim, pod }
    });
    make.collect()
}

/// Claims of a pod that are to have another owner.
fn claims_to_own(
    whose: Whose<'_>,
    ordinal: i32,
    pod: Option<Owner>,
    known: Known<'_>,
) -> Vec<Write> {
    let set = whose.set;
    let held = set.claims.iter().filter_map(|template| {
        let name = claim_name(&template.name, set, ordinal);
        let id = known.view.find::<PersistentVolumeClaim>(&set.meta.namespace, &name)?;
        let (rev, claim) = known.view.version(id)?;
        Some((id, rev, claim))
    });
    let wrong = held.filter_map(|(id, rev, claim)| {
        let meta = kept(&claim.meta, keeper(set, ordinal), (whose.owner, pod))?;
        let next = PersistentVolumeClaim { meta, ..claim.clone() };
        let object = Object::PersistentVolumeClaim(Box::new(next));
        let call = Call::Update { id: id.into(), object, base: Some(rev), part: Part::Main };
        let pod = Name::new(pod_name(set, ordinal));
        Some(Write { call, what: What::Change, pod })
    });
    wrong.collect()
}

/// How the claims of the pod numbered `ordinal` stand; `pod` is that pod, if it is there.
pub(super) fn claims_of(
    whose: Whose<'_>,
    ordinal: i32,
    pod: Option<Owner>,
    known: Known<'_>,
) -> Claims {
    let set = whose.set;
    if set.claims.is_empty() {
        return Claims::AsWanted;
    }
    let mut state = Claims::AsWanted;
    for template in set.claims.iter() {
        let name = claim_name(&template.name, set, ordinal);
        let found = known.view.find::<PersistentVolumeClaim>(&set.meta.namespace, &name);
        let Some(claim) = found.and_then(|id| known.view.get(id)) else {
            state = Claims::Amiss;
            continue;
        };
        let held = claim.meta.owner;
        let is_gone = held.is_some_and(|owner| {
            owner.kind == Kind::Pod && pod.is_none_or(|pod| pod.uid != owner.uid)
        });
        if pod.is_none() && is_gone && set.when_scaled == ClaimRetention::Delete {
            return Claims::Stale;
        }
        if kept(&claim.meta, keeper(set, ordinal), (whose.owner, pod)).is_some() {
            state = Claims::Amiss;
        }
    }
    state
}

/// `newStatefulSetPod`.
fn pod(whose: Whose<'_>, ordinal: i32, template: &PodTemplate, revision: &str) -> Pod {
    let set = whose.set;
    let name = pod_name(set, ordinal);
    let claims: Vec<(Text, String)> = set
        .claims
        .iter()
        .map(|claim| (claim.name.clone(), claim_name(&claim.name, set, ordinal)))
        .collect();
    let spec = identified(&template.spec, &name, &set.service, &claims);
    let mut meta = Meta::new(set.meta.namespace.clone(), Name::new(Arc::from(&*name)));
    meta.labels = identity::labels(&template.labels, &name, ordinal, revision);
    meta.annotations = template.annotations.clone();
    meta.rare = template.rare.clone();
    meta.owner = Some(whose.owner);
    Pod { meta, spec, node: None, status: PodStatus::default() }
}
