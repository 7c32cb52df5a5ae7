//! What every object carries: who it is, whose it is, and whether it is on its way out.

mod rare;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::kind::Kind;
use super::name::{Name, Text};
use crate::base::hash::StableHasher;
use crate::time::SimTime;
pub use rare::{Blocks, Rare, Reference};

/// Labels or annotations, sorted by key.
pub type Labels = BTreeMap<Text, Text>;

/// A uid: a hash of (seed, kind, namespace, name, incarnation), never reused in a run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Uid(pub u64);

impl Uid {
    /// The uid that is printed as `text`, if one is.
    pub fn printed(text: &str) -> Option<Uid> {
        let hex = |range| u64::from_str_radix(text.get(range)?, 16).ok();
        let (high, middle, low) = (hex(0..8)?, hex(9..13)?, hex(15..18)?);
        // Four bits give way to the version; the rest of the text tells them.
        let all = (0..16).map(|four| Uid(high << 32 | middle << 16 | four << 12 | low));
        all.into_iter().find(|uid| uid.to_string() == text)
    }
}

impl fmt::Display for Uid {
    /// The form of a version-4 UUID, as Kubernetes prints it, spread from the 64 bits held.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let a = self.0;
        let b = a.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        write!(
            f,
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            a >> 32,
            (a >> 16) & 0xffff,
            a & 0xfff,
            0x8000 | (b & 0x3fff),
            (b >> 14) & 0xffff_ffff_ffff
        )
    }
}

/// A slot of the table of some kind, its kind told beside it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RawId {
    /// The slot's number.
    pub slot: u32,
    /// How often the slot was used before.
    pub generation: u32,
}

impl RawId {
    /// Where an owner lies that is not stored: nowhere. Whoever stores imported objects puts the right
    /// place in, found by uid.
    pub const NOWHERE: RawId = RawId { slot: u32::MAX, generation: 0 };
    /// Where an owner lies that is looked for later, together with others.
    pub const UNSOUGHT: RawId = RawId { slot: u32::MAX, generation: 1 };
}

/// An owner of an object, mostly its controller (`ownerReferences` with `controller: true`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Owner {
    /// Its kind.
    pub kind: Kind,
    /// Its uid: ownership is by uid, never by name.
    pub uid: Uid,
    /// Where it lay in its table when the reference was made.
    pub at: RawId,
}

/// That an object is being deleted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deletion {
    /// `deletionTimestamp`: when the grace period is over.
    pub at: SimTime,
    /// `deletionGracePeriodSeconds`.
    pub grace_seconds: u32,
}

/// The metadata of an object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Meta {
    /// The namespace, empty for what lives in none.
    pub namespace: Text,
    /// The name, unique within kind and namespace.
    pub name: Name,
    /// The uid; zero until the object is stored.
    pub uid: Uid,
    /// `creationTimestamp`.
    pub created: SimTime,
    /// `generation`: 1 at creation, one more with each change of the spec.
    pub generation: u32,
    /// How many children were ever generated from this object; names of children are drawn by it.
    pub children: u32,
    /// Set while the object is being deleted.
    pub deletion: Option<Deletion>,
    /// The controlling owner, if any.
    pub owner: Option<Owner>,
    /// Labels, shared with siblings where they are equal.
    pub labels: Arc<Labels>,
    /// Annotations, shared likewise.
    pub annotations: Arc<Labels>,
    /// Finalizers, owners that are no controller, and what else few objects carry.
    pub rare: Option<Arc<Rare>>,
}

impl Meta {
    /// Metadata of an object that is not yet stored.
    pub fn new(namespace: Text, name: Name) -> Meta {
        Meta {
            namespace,
            name,
            uid: Uid(0),
            created: SimTime::ZERO,
            generation: 1,
            children: 0,
            deletion: None,
            owner: None,
            labels: Arc::default(),
            annotations: Arc::default(),
            rare: None,
        }
    }

    /// Whether the object is being deleted.
    pub fn is_terminating(&self) -> bool {
        self.deletion.is_some()
    }

    /// Whether `uid` is this object's controller.
    pub fn is_owned_by(&self, uid: Uid) -> bool {
        self.owner.is_some_and(|owner| owner.uid == uid)
    }

    /// The value of annotation `key`.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.get(key).map(AsRef::as_ref)
    }

    /// Sets annotation `key`, leaving shared ones of siblings as they are.
    pub fn annotate(&mut self, key: &str, value: &str) {
        if self.annotation(key) != Some(value) {
            Arc::make_mut(&mut self.annotations).insert(key.into(), value.into());
        }
    }

    /// Takes annotation `key` away, leaving shared ones of siblings as they are.
    pub fn unannotate(&mut self, key: &str) {
        if self.annotation(key).is_some() {
            Arc::make_mut(&mut self.annotations).remove(key);
        }
    }
}

/// An object as messages and facts name it: `Pod/default/web-5d4f-x2x9p`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ObjectName {
    /// Its kind as printed; for a kind we do not model, the manifest's own.
    pub kind: Kind,
    /// Its namespace, empty for what lives in none.
    pub namespace: Text,
    /// Its name.
    pub name: Name,
}

impl ObjectName {
    /// A hash of kind, namespace and name: the same in every run.
    pub fn stable_hash(&self) -> u64 {
        let hasher = StableHasher::new().text(self.kind.name()).text(&self.namespace);
        self.name.fold(hasher).finish()
    }

    /// The name of an object of `kind` with this metadata.
    pub fn of(kind: Kind, meta: &Meta) -> ObjectName {
        ObjectName { kind, namespace: meta.namespace.clone(), name: meta.name.clone() }
    }
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{}/{}", self.kind, self.name)
        } else {
            write!(f, "{}/{}/{}", self.kind, self.namespace, self.name)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uid_is_known_by_how_it_is_printed() {
        for uid in [0, 1, u64::MAX, 0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210] {
            assert_eq!(Uid::printed(&Uid(uid).to_string()), Some(Uid(uid)));
        }
        for text in ["", "uid-set", "aaaaaaaa-0000-0000-0000-000000000001", "ä"] {
            assert_eq!(Uid::printed(text), None);
        }
    }
}
