//! Which pods and revisions a set takes because they match its selector, and which it lets go because
//! they no longer do (`ClaimPods`, `ClaimControllerRevisions`, kube-controller-manager 1.36
//! pkg/controller/controller_ref_manager.go).

use super::Known;
use super::own_writes::Written;
use crate::api::controller_revision::ControllerRevision;
use crate::api::meta::{Meta, Owner, RawId};
use crate::api::object::Object;
use crate::api::pod::Pod;
use crate::api::rules::selector::Selector;
use crate::base::id::Id;
use crate::messages::{Call, Part};

/// Something that is to have another owner, or none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Claim {
    /// A pod.
    Pod(Id<Pod>, Option<Owner>),
    /// A revision.
    Revision(Id<ControllerRevision>, Option<Owner>),
}

impl Claim {
    /// What is written by it.
    pub fn what(self) -> Written {
        match self {
            Claim::Pod(..) => Written::Pod,
            Claim::Revision(..) => Written::Revision,
        }
    }

    /// The call that makes it so; none: the object is gone.
    pub fn call(self, known: Known<'_>) -> Option<Call> {
        let (id, rev, object) = match self {
            Claim::Pod(id, owner) => {
                let (rev, pod) = known.view.version(id)?;
                let mut next = pod.clone();
                next.meta.owner = owner;
                (RawId::from(id), rev, Object::Pod(Box::new(next)))
            }
            Claim::Revision(id, owner) => {
                let (rev, revision) = known.view.version(id)?;
                let mut next = revision.clone();
                next.meta.owner = owner;
                (RawId::from(id), rev, Object::ControllerRevision(Box::new(next)))
            }
        };
        Some(Call::Update { id, object, base: Some(rev), part: Part::Main })
    }
}

/// What is to change owner: pods that `owner` owns and does not select, pods it selects and nobody
/// owns, as far as `may_adopt` lets it, and revisions it selects and nobody owns. `set` is the
/// owner's metadata; one that is being deleted neither takes nor lets go.
pub fn all(
    owner: Owner,
    set: &Meta,
    selector: &Selector,
    may_adopt: impl Fn(&Pod) -> bool,
    known: Known<'_>,
) -> Vec<Claim> {
    if set.is_terminating() {
        return Vec::new();
    }
    let held = |&id: &Id<Pod>| Some((id, known.view.get(id)?));
    let ours = known.index.owned.pods(owner.uid).iter().filter_map(held);
    let strays = ours.filter(|(_, pod)| !selector.matches(&pod.meta.labels));
    let mut pods: Vec<_> = strays.map(|(id, _)| (id, None)).collect();
    let groups = known.index.groups.with_orphans(&set.namespace);
    for group in groups.filter(|group| selector.matches(&group.labels)) {
        let free = group.members.iter().filter(|one| one.is_orphan && !one.is_terminating);
        let free = free.filter(|one| known.view.get(one.pod).is_some_and(&may_adopt));
        pods.extend(free.map(|one| (one.pod, Some(owner))));
    }
    pods.sort_by_key(|(id, _)| *id);
    let revisions = known.index.owned.orphan_revisions(&set.namespace).filter(|&id| {
        known
            .view
            .get(id)
            .is_some_and(|one| !one.meta.is_terminating() && selector.matches(&one.meta.labels))
    });
    let revisions = revisions.map(|id| Claim::Revision(id, Some(owner)));
    pods.into_iter().map(|(id, owner)| Claim::Pod(id, owner)).chain(revisions).collect()
}
