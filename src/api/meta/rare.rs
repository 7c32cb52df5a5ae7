//! What few objects carry: finalizers, and owners beside or unlike the one controller that most
//! have. Held behind one pointer, so that an object without them pays eight bytes.

use std::sync::Arc;

use super::{Meta, Owner, Uid};
use crate::api::name::Text;
use crate::base::hash::StableHasher;

/// Whether an owner that is deleted in the foreground waits for the dependent
/// (`blockOwnerDeletion`).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Blocks {
    /// It does.
    #[default]
    Owner,
    /// It does not.
    Nothing,
}

/// An owner that is no controller.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reference {
    /// The owner.
    pub owner: Owner,
    /// Whether it waits for this object.
    pub blocks: Blocks,
    /// Its `apiVersion`, as written.
    pub api_version: Text,
    /// Its `kind`, as written.
    pub kind: Text,
    /// Its name, as written.
    pub name: Text,
}

/// What few objects carry. Shared by versions of an object, and by siblings that carry the same.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rare {
    finalizers: Vec<Text>,
    owners: Vec<Reference>,
    controller: Blocks,
}

impl Rare {
    /// Finalizers alone, to be shared by many objects.
    pub fn of_finalizers(finalizers: Vec<Text>) -> Arc<Rare> {
        Arc::new(Rare { finalizers, ..Rare::default() })
    }

    /// The finalizers.
    pub fn finalizers(&self) -> &[Text] {
        &self.finalizers
    }
}

impl Meta {
    /// What must be taken away before a deleted object goes.
    pub fn finalizers(&self) -> &[Text] {
        self.rare.as_ref().map_or(&[], |rare| &rare.finalizers)
    }

    /// Whether `name` is among the finalizers.
    pub fn has_finalizer(&self, name: &str) -> bool {
        self.finalizers().iter().any(|one| &**one == name)
    }

    /// Sets the finalizers.
    pub fn set_finalizers(&mut self, finalizers: Vec<Text>) {
        if self.finalizers() != finalizers {
            self.edit(|rare| rare.finalizers = finalizers);
        }
    }

    /// Adds a finalizer, if it is not there.
    pub fn add_finalizer(&mut self, name: &str) {
        if !self.has_finalizer(name) {
            self.edit(|rare| rare.finalizers.push(name.into()));
        }
    }

    /// Takes a finalizer away.
    pub fn drop_finalizer(&mut self, name: &str) {
        if self.has_finalizer(name) {
            self.edit(|rare| rare.finalizers.retain(|one| &**one != name));
        }
    }

    /// The owners that are no controller, in the order written.
    pub fn other_owners(&self) -> &[Reference] {
        self.rare.as_ref().map_or(&[], |rare| &rare.owners)
    }

    /// Sets the owners that are no controller.
    pub fn set_other_owners(&mut self, owners: Vec<Reference>) {
        if self.other_owners() != owners {
            self.edit(|rare| rare.owners = owners);
        }
    }

    /// Whether the controller waits for this object when it is deleted in the foreground. Those that
    /// controllers make and adopt say so; what people write may not.
    pub fn controller_blocks(&self) -> Blocks {
        self.rare.as_ref().map_or(Blocks::Owner, |rare| rare.controller)
    }

    /// Says whether the controller waits for this object.
    pub fn set_controller_blocks(&mut self, blocks: Blocks) {
        if self.controller_blocks() != blocks {
            self.edit(|rare| rare.controller = blocks);
        }
    }

    /// All owners, the controller first, and whether each waits for this object.
    pub fn owners(&self) -> impl Iterator<Item = (Owner, Blocks)> + '_ {
        let controller = self.owner.map(|owner| (owner, self.controller_blocks()));
        controller.into_iter().chain(self.other_owners().iter().map(|one| (one.owner, one.blocks)))
    }

    /// All owners, to be changed.
    pub fn owners_mut(&mut self, mut change: impl FnMut(&mut Owner)) {
        self.owner.iter_mut().for_each(&mut change);
        if !self.other_owners().is_empty() {
            self.edit(|rare| rare.owners.iter_mut().for_each(|one| change(&mut one.owner)));
        }
    }

    /// Takes over the owners of `written`; those that are its owners already lie where they lay.
    pub fn take_owners(&mut self, written: &Meta) {
        let held: Vec<Owner> = self.owners().map(|(owner, _)| owner).collect();
        let found = |owner: Owner| *held.iter().find(|it| it.uid == owner.uid).unwrap_or(&owner);
        self.owner = written.owner.map(found);
        self.set_controller_blocks(written.controller_blocks());
        let others = written.other_owners().iter();
        let others = others.map(|one| Reference { owner: found(one.owner), ..one.clone() });
        self.set_other_owners(others.collect());
    }

    /// Takes away the owners with these uids.
    pub fn disown(&mut self, owners: &[Uid]) {
        self.keep_owners(|owner| !owners.contains(&owner.uid));
    }

    /// Takes away the owners that are not to be kept; says how many there were.
    pub fn keep_owners(&mut self, keep: impl Fn(&Owner) -> bool) -> usize {
        let before = self.owners().count();
        self.owner = self.owner.filter(&keep);
        if self.owner.is_none() {
            self.set_controller_blocks(Blocks::Owner);
        }
        if self.other_owners().iter().any(|one| !keep(&one.owner)) {
            self.edit(|rare| rare.owners.retain(|one| keep(&one.owner)));
        }
        before - self.owners().count()
    }

    /// No owner waits for this object any more.
    pub fn unblock_owners(&mut self) {
        if self.owner.is_some() {
            self.set_controller_blocks(Blocks::Nothing);
        }
        if self.other_owners().iter().any(|one| one.blocks == Blocks::Owner) {
            self.edit(|rare| rare.owners.iter_mut().for_each(|one| one.blocks = Blocks::Nothing));
        }
    }

    /// A hash of who the owners are, to tell whether they are still the same.
    pub fn owners_hash(&self) -> u64 {
        let uids = self.owners().map(|(owner, _)| owner.uid.0);
        uids.fold(StableHasher::new(), StableHasher::word).finish()
    }

    fn edit(&mut self, change: impl FnOnce(&mut Rare)) {
        let mut rare = self.rare.take().map_or_else(Rare::default, Arc::unwrap_or_clone);
        change(&mut rare);
        self.rare = (rare != Rare::default()).then(|| Arc::new(rare));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::kind::Kind;
    use crate::api::meta::RawId;

    fn owner(uid: u64) -> Owner {
        Owner { kind: Kind::Other, uid: Uid(uid), at: RawId { slot: 0, generation: 0 } }
    }

    fn reference(uid: u64) -> Reference {
        Reference {
            owner: owner(uid),
            blocks: Blocks::Nothing,
            api_version: "v1".into(),
            kind: "ConfigMap".into(),
            name: "cm".into(),
        }
    }

    #[test]
    fn what_is_taken_away_leaves_nothing_behind() {
        let mut meta = Meta::new("default".into(), "a".into());
        meta.add_finalizer("a/b");
        meta.add_finalizer("a/b");
        meta.set_other_owners(vec![reference(2), reference(3)]);
        meta.owner = Some(owner(1));
        let uids = |meta: &Meta| meta.owners().map(|(it, _)| it.uid.0).collect::<Vec<_>>();
        assert_eq!((meta.finalizers().len(), uids(&meta)), (1, vec![1, 2, 3]));
        meta.disown(&[Uid(1), Uid(3)]);
        assert_eq!(uids(&meta), [2]);
        meta.drop_finalizer("a/b");
        meta.disown(&[Uid(2)]);
        assert!(meta.rare.is_none());
    }

    #[test]
    fn an_object_with_one_controller_has_nothing_rare() {
        assert_eq!(size_of::<Option<Arc<Rare>>>(), 8);
        assert_eq!(size_of::<Meta>(), 136, "what each of a million pods pays");
    }
}
