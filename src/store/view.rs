//! The store as one component knows it: each kind as of the component's cursor on it.

use super::cursor::Cursors;
use super::{Rev, Store, Stored};
use crate::base::id::Id;
use crate::time::SimTime;

/// The past, as a component knows it. Kinds the component does not watch look empty.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The instant the component looks.
    pub now: SimTime,
    store: &'a Store,
    cursors: &'a Cursors,
}

impl<'a> View<'a> {
    /// The view of `store` at `cursors`.
    pub fn new(now: SimTime, store: &'a Store, cursors: &'a Cursors) -> View<'a> {
        View { now, store, cursors }
    }

    fn revision<T: Stored>(&self) -> Option<Rev> {
        let cursor = self.cursors.get(T::TABLE)?;
        Some(T::table(self.store).seen(cursor))
    }

    /// The latest revision of objects of this kind that was seen; none: they are not watched.
    pub fn seen<T: Stored>(&self) -> Rev {
        self.revision::<T>().unwrap_or(Rev::ZERO)
    }

    /// The object as last seen.
    pub fn get<T: Stored>(&self, id: Id<T>) -> Option<&'a T> {
        T::table(self.store).at(id, self.revision::<T>()?).map(|(_, value)| value)
    }

    /// The object as last seen, with the revision it had.
    pub fn version<T: Stored>(&self, id: Id<T>) -> Option<(Rev, &'a T)> {
        T::table(self.store).at(id, self.revision::<T>()?)
    }

    /// The object as it is now: what the reply to a write carries.
    pub fn replied<T: Stored>(&self, id: Id<T>) -> Option<&'a T> {
        self.store.get(id)
    }

    /// The object as it is now with its revision: what a read past the caches finds.
    pub fn read<T: Stored>(&self, id: Id<T>) -> Option<(Rev, &'a T)> {
        Some((T::table(self.store).revision(id)?, self.store.get(id)?))
    }

    /// The object called `name`, if it was seen.
    pub fn find<T: Stored>(&self, namespace: &str, name: &str) -> Option<Id<T>> {
        T::table(self.store).find(namespace, name, self.revision::<T>()?)
    }

    /// All objects seen, in the order of their slots. Costs a walk over the table: for start-up and
    /// re-lists, not for each event.
    pub fn list<T: Stored>(&self) -> impl Iterator<Item = (Id<T>, &'a T)> + use<'a, T> {
        let rev = self.revision::<T>();
        let table = T::table(self.store);
        rev.into_iter().flat_map(move |rev| table.list(rev))
    }
}
