//! Revisions of a StatefulSet or DaemonSet: which one a template is, and which may go
//! (kube-controller-manager 1.36 pkg/controller/history).
//!
//! Owns names, numbers and equality of revisions; refuses to know pods and requests.

use std::sync::Arc;

use super::deployment::hash::template_hash;
use super::workqueue::Outcome;
use super::{Known, is_namespace_ending};
use crate::api::controller_revision::ControllerRevision;
use crate::api::meta::{Labels, Meta, Owner, Uid};
use crate::api::name::Name;
use crate::api::object::Object;
use crate::api::pod::PodTemplate;
use crate::api::rules::selector::Selector;
use crate::api::status::Status;
use crate::base::id::Id;
use crate::messages::{Call, Part, Reply};

/// Label of pods and revisions that says which revision it is.
pub const REVISION_HASH: &str = "controller-revision-hash";
/// What a name begins with is cut to so many bytes.
const PREFIX_MAX: usize = 223;

/// A revision as it was read.
#[derive(Clone, Copy, Debug)]
pub struct Held<'a> {
    /// Its id.
    pub id: Id<ControllerRevision>,
    /// The revision.
    pub revision: &'a ControllerRevision,
}

/// The name of the revision of `template` that `owner` makes (`ControllerRevisionName`); each
/// collision counted gives another.
pub fn name(owner: &str, template: &PodTemplate, collisions: u32) -> (String, String) {
    let hash = template_hash(template, collisions);
    let mut end = owner.len().min(PREFIX_MAX);
    while !owner.is_char_boundary(end) {
        end -= 1;
    }
    (format!("{}-{hash}", &owner[..end]), hash)
}

/// The revision of `template` that `owner` makes, numbered `number`.
pub fn of_template(
    owner: &Meta,
    by: Owner,
    template: &Arc<PodTemplate>,
    collisions: u32,
    number: i64,
) -> ControllerRevision {
    let (name, hash) = name(&owner.name.to_string(), template, collisions);
    let mut meta = Meta::new(owner.namespace.clone(), Name::new(name));
    let mut labels = Labels::clone(&template.labels);
    labels.insert(REVISION_HASH.into(), hash.into());
    meta.labels = Arc::new(labels);
    meta.annotations = owner.annotations.clone();
    meta.owner = Some(by);
    ControllerRevision { meta, revision: number, template: template.clone() }
}

/// Whether two templates are one revision.
pub fn is_same(a: &PodTemplate, b: &PodTemplate) -> bool {
    std::ptr::eq(a, b)
        || (a.spec.written == b.spec.written
            && a.name == b.name
            && a.finalizers() == b.finalizers()
            && a.labels == b.labels
            && a.annotations == b.annotations)
}

/// Oldest first: by number, then by creation, then by name (`SortControllerRevisions`).
pub fn sort(revisions: &mut [Held<'_>]) {
    revisions.sort_by(|a, b| {
        let key = |one: &Held<'_>| (one.revision.revision, one.revision.meta.created.as_secs());
        key(a).cmp(&key(b)).then_with(|| a.revision.meta.name.cmp(&b.revision.meta.name))
    });
}

/// The revisions that `selector` matches, of the owner `uid` and of nobody, sorted
/// (`ListControllerRevisions`): what was adopted a moment ago is nobody's yet where it is read.
pub fn listed<'a>(
    (uid, namespace): (Uid, &str),
    selector: &Selector,
    known: Known<'a>,
) -> Vec<Held<'a>> {
    let owned = known.index.owned.revisions(uid).iter().copied();
    let ids = owned.chain(known.index.owned.orphan_revisions(namespace));
    let held = ids.filter_map(|id| Some(Held { id, revision: known.view.get(id)? }));
    let mut held: Vec<Held<'a>> =
        held.filter(|one| selector.matches(&one.revision.meta.labels)).collect();
    sort(&mut held);
    held
}

/// A revision with another number, and the call that makes it so.
fn renumbered(one: &Held<'_>, number: i64, known: Known<'_>) -> (Box<ControllerRevision>, Call) {
    let base = known.view.version(one.id).map(|(rev, _)| rev);
    let next = Box::new(ControllerRevision { revision: number, ..one.revision.clone() });
    let object = Object::ControllerRevision(next.clone());
    (next, Call::Update { id: one.id.into(), object, base, part: Part::Main })
}

/// How a template comes to have a revision that is the newest.
#[derive(Clone, Debug)]
pub enum Revising<'a> {
    /// This one is.
    Is(&'a ControllerRevision),
    /// This one will be, by this call.
    Write(Box<ControllerRevision>, Call),
}

/// How the `template` of `owner`, which stands for it in references as `by` and has the revisions `held`,
/// comes to have one (`getStatefulSetRevisions`, `constructHistory`).
pub fn revising<'a>(
    (owner, by): (&Meta, Owner),
    held: &[Held<'a>],
    template: &Arc<PodTemplate>,
    collisions: u32,
    known: Known<'a>,
) -> Revising<'a> {
    match latest(held, template) {
        Latest::Is(one) => Revising::Is(one.revision),
        Latest::Again(one, number) => {
            let (next, call) = renumbered(&one, number, known);
            Revising::Write(next, call)
        }
        Latest::New(number) => {
            let new = Box::new(of_template(owner, by, template, collisions, number));
            Revising::Write(new.clone(), Call::Create(Object::ControllerRevision(new)))
        }
    }
}

/// What came of the write of a revision.
#[derive(Clone, Copy, Debug)]
pub enum Revised<'a> {
    /// The template has this one.
    Is(&'a ControllerRevision),
    /// Another template's goes by its name.
    Taken,
    /// The sync is over.
    Over(Outcome),
}

/// What came of the write of `revision`, which is to be that of `template`.
pub fn revised<'a>(
    revision: &'a ControllerRevision,
    template: &PodTemplate,
    reply: &Reply,
    known: Known<'a>,
) -> Revised<'a> {
    match &reply.result {
        Ok(_) => Revised::Is(revision),
        Err(Status::AlreadyExists(_)) => {
            let (meta, name) = (&revision.meta, revision.meta.name.to_string());
            let taken = known.view.find::<ControllerRevision>(&meta.namespace, &name);
            match taken.and_then(|id| known.view.get(id)) {
                Some(taken) if is_same(&taken.template, template) => Revised::Is(taken),
                Some(_) => Revised::Taken,
                None => Revised::Over(Outcome::Failed),
            }
        }
        Err(status) if is_namespace_ending(status) => Revised::Over(Outcome::Done),
        Err(_) => Revised::Over(Outcome::Failed),
    }
}

/// What is to be done so that `template` has a revision and it is the newest.
#[derive(Clone, Copy, Debug)]
enum Latest<'a> {
    /// This one is.
    Is(Held<'a>),
    /// This one is to get the given number: the owner goes back to it.
    Again(Held<'a>, i64),
    /// None is: one is to be made, with the given number.
    New(i64),
}

/// How `template` stands to `revisions`, which are sorted (`getStatefulSetRevisions`).
fn latest<'a>(revisions: &[Held<'a>], template: &PodTemplate) -> Latest<'a> {
    let number = revisions.last().map_or(1, |newest| newest.revision.revision + 1);
    let equal = revisions.iter().rfind(|one| is_same(&one.revision.template, template));
    match (equal, revisions.last()) {
        (None, _) | (_, None) => Latest::New(number),
        (Some(equal), Some(newest)) if equal.id == newest.id => Latest::Is(*equal),
        (Some(equal), Some(newest))
            if is_same(&equal.revision.template, &newest.revision.template) =>
        {
            Latest::Is(*newest)
        }
        (Some(equal), Some(_)) => Latest::Again(*equal, number),
    }
}

/// The revisions that are to go, oldest first, so that of those nobody uses no more than `limit`
/// are left (`truncateHistory`); a negative limit keeps all.
pub fn surplus(
    sorted: &[Held<'_>],
    limit: i32,
    is_live: impl Fn(&ControllerRevision) -> bool,
) -> Vec<Id<ControllerRevision>> {
    let Ok(limit) = usize::try_from(limit) else { return Vec::new() };
    let unused: Vec<_> = sorted.iter().filter(|one| !is_live(one.revision)).collect();
    let many = unused.len().saturating_sub(limit);
    unused.into_iter().take(many).map(|one| one.id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control_plane::controllers::testing;

    fn revision(mark: u64, number: i64) -> ControllerRevision {
        let template = Arc::new(testing::template("db", mark));
        let meta = Meta::new("default".into(), Name::new(name("db", &template, 0).0));
        ControllerRevision { meta, revision: number, template }
    }

    fn held(revisions: &[ControllerRevision]) -> Vec<Held<'_>> {
        let ids = (0..).map(|slot| Id::from_parts(slot, 0));
        let mut all: Vec<_> =
            ids.zip(revisions).map(|(id, revision)| Held { id, revision }).collect();
        sort(&mut all);
        all
    }

    #[test]
    fn a_template_is_the_newest_an_old_one_again_or_new() {
        let all = [revision(7, 2), revision(5, 1)];
        let sorted = held(&all);
        let of = |mark| latest(&sorted, &testing::template("db", mark));
        assert!(matches!(of(7), Latest::Is(one) if one.revision.revision == 2));
        assert!(matches!(of(5), Latest::Again(one, 3) if one.revision.revision == 1));
        assert!(matches!(of(6), Latest::New(3)));
        assert!(matches!(latest(&[], &testing::template("db", 1)), Latest::New(1)));
    }

    #[test]
    fn of_the_unused_the_oldest_go() {
        let all = [revision(1, 1), revision(2, 2), revision(3, 3), revision(4, 4)];
        let sorted = held(&all);
        let gone = |limit| -> Vec<usize> {
            let live = |one: &ControllerRevision| one.revision == 1 || one.revision == 4;
            surplus(&sorted, limit, live).into_iter().map(Id::slot).collect()
        };
        assert_eq!(gone(1), [1]);
        assert_eq!(gone(0), [1, 2]);
        assert_eq!((gone(2), gone(-1)), (vec![], vec![]));
    }
}
