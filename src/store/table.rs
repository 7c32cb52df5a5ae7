//! Objects of one kind: rows, versions, the change log, the index by name, and the cursors on it.

use std::collections::VecDeque;
use std::ops::Range;

use hashbrown::HashTable;

use super::{Rev, Stored};
use crate::api::name::Name;
use crate::base::arena::Arena;
use crate::base::hash::StableHasher;
use crate::base::id::Id;
use crate::time::SimTime;

/// A cursor of a table: a watch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CursorId(u16);

/// Limit on cursors of one table: 2,048 components watching one kind.
const CURSORS_MAX: usize = 2048;

/// One object: its chain of versions, newest first, and counters that live beside it.
#[derive(Clone, Debug)]
struct Row<T> {
    newest: Id<Version<T>>,
    name_hash: u64,
    versions: u32,
    requests: u32,
    children: u32,
    tenure: Tenure,
    /// Whether the object is there now: told here too, where nothing else need be read.
    stands: bool,
}

/// Whether a row outlives its object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Tenure {
    /// It goes with what was last seen of it.
    OfObject,
    /// It is held for objects of its name, each after the one before.
    Reserved,
}

/// One state of one object.
#[derive(Clone, Debug)]
struct Version<T> {
    rev: Rev,
    /// The revision that deleted it; [`Rev::NEVER`] if it was replaced, or stands.
    gone: Rev,
    older: Option<Id<Version<T>>>,
    newer: Option<Id<Version<T>>>,
    value: T,
}

/// One entry of the change log.
#[derive(Clone, Debug)]
struct Entry<T> {
    rev: Rev,
    at: SimTime,
    object: Id<T>,
    old: Option<Id<Version<T>>>,
    new: Option<Id<Version<T>>>,
    /// Which version of its object the change made, counted from 1: the key of its luck.
    nth: u32,
    cause: u64,
}

/// A change as a watcher gets to see it.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a, T> {
    /// When it was committed.
    pub at: SimTime,
    /// The object.
    pub id: Id<T>,
    /// Its state before; `None`: it is new.
    pub old: Option<&'a T>,
    /// Its state after; `None`: it is gone.
    pub new: Option<&'a T>,
    /// Which version of its object the change made, counted from 1.
    pub nth: u32,
    /// The number of the latest fact that led to it; 0 if none is known.
    pub cause: u64,
}

#[derive(Clone, Debug)]
struct Cursor {
    /// The revision it has seen.
    seen: Rev,
    /// The log entry it will see next.
    next: u64,
    state: CursorState,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum CursorState {
    Live,
    /// It lies behind what was compacted: it keeps its View and must re-list.
    Lost,
    /// Nobody uses it.
    Closed,
}

/// All objects of one kind.
#[derive(Clone, Debug)]
pub struct Table<T: Clone> {
    rows: Arena<Row<T>>,
    versions: Arena<Version<T>>,
    names: HashTable<u32>,
    log: VecDeque<Entry<T>>,
    /// The number of the log's first entry.
    log_start: u64,
    cursors: Vec<Cursor>,
    /// Objects that are there now.
    alive: usize,
    newest: Rev,
}

impl<T: Clone> Default for Table<T> {
    fn default() -> Table<T> {
        Table {
            rows: Arena::new(),
            versions: Arena::new(),
            names: HashTable::new(),
            log: VecDeque::new(),
            log_start: 0,
            cursors: Vec::new(),
            alive: 0,
            newest: Rev::ZERO,
        }
    }
}

fn row_id<T>(id: Id<T>) -> Id<Row<T>> {
    Id::from_parts(id.slot() as u32, id.generation())
}

fn object_id<T>(id: Id<Row<T>>) -> Id<T> {
    Id::from_parts(id.slot() as u32, id.generation())
}

fn name_hash(namespace: &str, name: u64) -> u64 {
    StableHasher::new().text(namespace).word(name).finish()
}

impl<T: Stored> Table<T> {
    /// How many objects there are now.
    pub fn len(&self) -> usize {
        self.alive
    }

    /// Whether there is none now.
    pub fn is_empty(&self) -> bool {
        self.alive == 0
    }

    /// How many versions are kept for current state and for cursors.
    pub fn versions(&self) -> usize {
        self.versions.len()
    }

    /// The current version of an object.
    pub fn current(&self, id: Id<T>) -> Option<&T> {
        let newest = &self.versions[self.rows.get(row_id(id))?.newest];
        (newest.gone == Rev::NEVER).then_some(&newest.value)
    }

    /// Whether an object is there now.
    pub fn stands(&self, id: Id<T>) -> bool {
        self.rows.get(row_id(id)).is_some_and(|row| row.stands)
    }

    /// The revision of an object's current version.
    pub fn revision(&self, id: Id<T>) -> Option<Rev> {
        let newest = &self.versions[self.rows.get(row_id(id))?.newest];
        (newest.gone == Rev::NEVER).then_some(newest.rev)
    }

    /// The version of an object that stood at `rev`.
    pub fn at(&self, id: Id<T>, rev: Rev) -> Option<(Rev, &T)> {
        let row = self.rows.get(row_id(id))?;
        let mut version = &self.versions[row.newest];
        while version.rev > rev {
            version = &self.versions[version.older?];
        }
        (version.gone > rev).then_some((version.rev, &version.value))
    }

    /// What was last seen of an object, gone or not, as long as a watch may see it.
    pub(super) fn latest(&self, id: Id<T>) -> Option<&T> {
        Some(&self.versions[self.rows.get(row_id(id))?.newest].value)
    }

    /// The object called `name` at `rev`.
    pub fn find(&self, namespace: &str, name: &str, rev: Rev) -> Option<Id<T>> {
        let hash = name_hash(namespace, StableHasher::new().text(name).finish());
        self.names.iter_hash(hash).find_map(|&slot| {
            let (id, _) = self.rows.at_slot(slot as usize)?;
            let id = object_id(id);
            let (_, value) = self.at(id, rev)?;
            let meta = value.meta();
            (&*meta.namespace == namespace && meta.name == *name).then_some(id)
        })
    }

    /// The object now called `name`.
    pub fn find_name(&self, namespace: &str, name: &Name) -> Option<Id<T>> {
        self.all_named(namespace, name).next().map(|(id, _)| id)
    }

    /// The objects now called `name`: more than one only where a table holds several kinds.
    pub fn all_named<'a>(
        &'a self,
        namespace: &'a str,
        name: &'a Name,
    ) -> impl Iterator<Item = (Id<T>, &'a T)> {
        self.names.iter_hash(name_hash(namespace, name.stable_hash())).filter_map(move |&slot| {
            let (id, _) = self.rows.at_slot(slot as usize)?;
            let id = object_id(id);
            let value = self.current(id)?;
            let meta = value.meta();
            (&*meta.namespace == namespace && meta.name == *name).then_some((id, value))
        })
    }

    /// The revision of the latest write to this table.
    pub fn newest(&self) -> Rev {
        self.newest
    }

    /// All objects at `rev`, in the order of their slots.
    pub fn list(&self, rev: Rev) -> impl Iterator<Item = (Id<T>, &T)> {
        self.rows.iter().filter_map(move |(id, _)| {
            let id = object_id(id);
            self.at(id, rev).map(|(_, value)| (id, value))
        })
    }

    /// All objects there are now, in the order of their slots.
    pub fn iter(&self) -> impl Iterator<Item = (Id<T>, &T)> {
        self.list(Rev(u64::MAX - 1))
    }

    /// Takes the next request number of an object: the key of that request's luck.
    pub fn next_request(&mut self, id: Id<T>) -> u32 {
        self.rows.get_mut(row_id(id)).map_or(0, |row| {
            row.requests = row.requests.wrapping_add(1);
            row.requests
        })
    }

    pub(super) fn next_child(&mut self, id: Id<T>) -> u32 {
        self.rows.get_mut(row_id(id)).map_or(0, |row| {
            row.children += 1;
            row.children - 1
        })
    }

    pub(super) fn create(&mut self, rev: Rev, at: SimTime, value: T) -> Id<T> {
        let meta = value.meta();
        let hash = name_hash(&meta.namespace, meta.name.stable_hash());
        let (version, id) = self.add_row(rev, Rev::NEVER, hash, Tenure::OfObject, value);
        self.alive += 1;
        self.push(Entry { rev, at, object: id, old: None, new: Some(version), nth: 1, cause: 0 });
        id
    }

    fn add_row(
        &mut self,
        rev: Rev,
        gone: Rev,
        hash: u64,
        tenure: Tenure,
        value: T,
    ) -> (Id<Version<T>>, Id<T>) {
        let newest = Version { rev, gone, older: None, newer: None, value };
        let version = self.versions.insert(newest);
        let row = Row {
            newest: version,
            name_hash: hash,
            versions: u32::from(gone == Rev::NEVER),
            requests: 0,
            children: 0,
            tenure,
            stands: gone == Rev::NEVER,
        };
        let id = self.rows.insert(row);
        let rows = &self.rows;
        self.names.insert_unique(hash, id.slot() as u32, |&slot| {
            rows.at_slot(slot as usize).map_or(0, |(_, row)| row.name_hash)
        });
        (version, object_id(id))
    }

    /// Holds an id for objects of the name of `value`, which is not there yet and may come and go.
    pub(super) fn reserve(&mut self, value: T) -> Id<T> {
        let meta = value.meta();
        let hash = name_hash(&meta.namespace, meta.name.stable_hash());
        self.add_row(Rev::ZERO, Rev::ZERO, hash, Tenure::Reserved, value).1
    }

    /// Holds the id of an object for those of its name that come after it.
    pub(super) fn hold(&mut self, id: Id<T>) {
        if let Some(row) = self.rows.get_mut(row_id(id)) {
            row.tenure = Tenure::Reserved;
        }
    }

    /// The id that is held for objects of this name, if none of them is there.
    pub(super) fn reserved(&self, namespace: &str, name: &Name) -> Option<Id<T>> {
        self.names.iter_hash(name_hash(namespace, name.stable_hash())).find_map(|&slot| {
            let (id, row) = self.rows.at_slot(slot as usize)?;
            let newest = &self.versions[row.newest];
            let meta = newest.value.meta();
            let is_same = &*meta.namespace == namespace && meta.name == *name;
            let is_free = row.tenure == Tenure::Reserved && newest.gone != Rev::NEVER;
            (is_same && is_free).then_some(object_id(id))
        })
    }

    /// An object comes at an id that is held for it.
    pub(super) fn revive(&mut self, rev: Rev, at: SimTime, id: Id<T>, value: T) {
        let Some(row) = self.rows.get_mut(row_id(id)) else { return };
        let older = Some(row.newest);
        let next = Version { rev, gone: Rev::NEVER, older, newer: None, value };
        let version = self.versions.insert(next);
        self.versions[row.newest].newer = Some(version);
        row.newest = version;
        row.stands = true;
        row.versions = row.versions.wrapping_add(1);
        let nth = row.versions;
        self.alive += 1;
        self.push(Entry { rev, at, object: id, old: None, new: Some(version), nth, cause: 0 });
    }

    pub(super) fn update(&mut self, rev: Rev, at: SimTime, id: Id<T>, value: T) {
        let Some(row) = self.rows.get_mut(row_id(id)) else { return };
        let old = row.newest;
        let next = Version { rev, gone: Rev::NEVER, older: Some(old), newer: None, value };
        let version = self.versions.insert(next);
        row.newest = version;
        row.versions = row.versions.wrapping_add(1);
        let nth = row.versions;
        self.versions[old].newer = Some(version);
        self.push(Entry { rev, at, object: id, old: Some(old), new: Some(version), nth, cause: 0 });
    }

    pub(super) fn delete(&mut self, rev: Rev, at: SimTime, id: Id<T>) {
        let Some(row) = self.rows.get_mut(row_id(id)) else { return };
        let old = row.newest;
        row.stands = false;
        self.versions[old].gone = rev;
        row.versions = row.versions.wrapping_add(1);
        let nth = row.versions;
        self.alive -= 1;
        self.push(Entry { rev, at, object: id, old: Some(old), new: None, nth, cause: 0 });
    }

    fn push(&mut self, entry: Entry<T>) {
        self.newest = entry.rev;
        self.log.push_back(entry);
        if self.cursors.iter().all(|cursor| cursor.state != CursorState::Live) {
            self.trim();
        }
    }

    // --- cursors -----------------------------------------------------------------------------

    /// Opens a watch that has seen everything there is now.
    ///
    /// # Panics
    /// Beyond 2,048 open watches on one kind, which no plan can ask for.
    pub fn open(&mut self) -> CursorId {
        let cursor = Cursor { seen: self.newest, next: self.log_end(), state: CursorState::Live };
        let free = self.cursors.iter().position(|one| one.state == CursorState::Closed);
        let at = free.unwrap_or(self.cursors.len());
        assert!(at < CURSORS_MAX, "too many watches on one kind");
        if at == self.cursors.len() {
            self.cursors.push(cursor);
        } else {
            self.cursors[at] = cursor;
        }
        CursorId(at as u16)
    }

    /// Closes a watch: what only it could see is freed.
    pub fn close(&mut self, cursor: CursorId) {
        self.cursors[usize::from(cursor.0)].state = CursorState::Closed;
        self.sweep();
        self.trim();
    }

    /// The revision a watch has seen.
    pub fn seen(&self, cursor: CursorId) -> Rev {
        self.cursors[usize::from(cursor.0)].seen
    }

    /// Whether the watch lies behind the compacted revision and must re-list (410).
    pub fn is_lost(&self, cursor: CursorId) -> bool {
        self.cursors[usize::from(cursor.0)].state == CursorState::Lost
    }

    /// The number of the first log entry the watch has not seen.
    pub fn next(&self, cursor: CursorId) -> u64 {
        self.cursors[usize::from(cursor.0)].next
    }

    /// The number the next log entry will have.
    pub fn log_end(&self) -> u64 {
        self.log_start + self.log.len() as u64
    }

    /// The log entry number `at`, if it is kept.
    pub fn change(&self, at: u64) -> Option<Change<'_, T>> {
        let entry = self.log.get(usize::try_from(at.checked_sub(self.log_start)?).ok()?)?;
        let value = |id: Id<Version<T>>| self.versions.get(id).map(|version| &version.value);
        Some(Change {
            at: entry.at,
            id: entry.object,
            old: entry.old.and_then(value),
            new: entry.new.and_then(value),
            nth: entry.nth,
            cause: entry.cause,
        })
    }

    /// Notes that the log entries numbered `range` came about through the fact `cause`.
    pub fn attribute(&mut self, range: Range<u64>, cause: u64) {
        for at in range {
            let place = at.checked_sub(self.log_start).and_then(|at| usize::try_from(at).ok());
            if let Some(entry) = place.and_then(|at| self.log.get_mut(at)) {
                entry.cause = cause;
            }
        }
    }

    /// The log entries numbered `range`, in order.
    pub fn changes(&self, range: Range<u64>) -> impl Iterator<Item = Change<'_, T>> {
        range.map_while(|at| self.change(at))
    }

    /// Moves a watch to just before entry `to`, so that its View shows everything earlier; returns
    /// the entries it now sees for the first time. [`Table::settle`] must follow once they are
    /// handled.
    pub fn advance(&mut self, cursor: CursorId, to: u64) -> Range<u64> {
        let to = to.min(self.log_end());
        let row = &mut self.cursors[usize::from(cursor.0)];
        let range = row.next..to.max(row.next);
        if let Some(last) = range.end.checked_sub(1)
            && range.start < range.end
        {
            row.seen = self.log[(last - self.log_start) as usize].rev;
            row.next = range.end;
        }
        range
    }

    /// Frees what nobody can see any more now that a watch is past `range`.
    pub fn settle(&mut self, range: Range<u64>) {
        for at in range {
            self.release(at);
        }
        self.trim();
    }

    /// Jumps a watch to the present, as a re-list does; its View before it is let go.
    pub fn relist(&mut self, cursor: CursorId) {
        let (seen, next) = (self.newest, self.log_end());
        self.cursors[usize::from(cursor.0)] = Cursor { seen, next, state: CursorState::Live };
        self.sweep();
        self.trim();
    }

    /// Drops log entries committed before `horizon`; watches behind them are lost.
    pub fn compact(&mut self, horizon: SimTime) {
        while self.log.front().is_some_and(|entry| entry.at < horizon) {
            let gone = self.log_start;
            for cursor in &mut self.cursors {
                if cursor.state == CursorState::Live && cursor.next <= gone {
                    cursor.state = CursorState::Lost;
                }
            }
            self.drop_first();
        }
    }

    fn trim(&mut self) {
        let needed = self
            .cursors
            .iter()
            .filter(|cursor| cursor.state == CursorState::Live)
            .map(|cursor| cursor.next)
            .min()
            .unwrap_or_else(|| self.log_end());
        while self.log_start < needed {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        self.release(self.log_start);
        self.log.pop_front();
        self.log_start += 1;
    }

    /// Frees the version that entry `at` replaced, unless some watch can still see it.
    fn release(&mut self, at: u64) {
        let Some(entry) = self.log.get((at - self.log_start) as usize) else { return };
        // What came at an id held for it has the one before, long gone, behind it.
        let before = || self.versions.get(entry.new?)?.older;
        let (Some(old), until, object) = (entry.old.or_else(before), entry.rev, entry.object)
        else {
            return;
        };
        let Some(version) = self.versions.get(old) else { return };
        let since = version.rev;
        let wanted = self.cursors.iter().any(|cursor| match cursor.state {
            CursorState::Live => cursor.next <= at,
            CursorState::Lost => since <= cursor.seen && cursor.seen < until,
            CursorState::Closed => false,
        });
        if !wanted {
            self.free(object, old);
        }
    }

    fn free(&mut self, object: Id<T>, version: Id<Version<T>>) {
        let is_held = |row: &Row<T>| row.tenure == Tenure::Reserved && row.newest == version;
        if self.rows.get(row_id(object)).is_some_and(is_held) {
            return;
        }
        let Some(gone) = self.versions.remove(version) else { return };
        if let Some(newer) = gone.newer.and_then(|id| self.versions.get_mut(id)) {
            newer.older = gone.older;
        }
        if let Some(older) = gone.older.and_then(|id| self.versions.get_mut(id)) {
            older.newer = gone.newer;
            older.gone = older.gone.min(gone.gone);
        }
        let Some(row) = self.rows.get_mut(row_id(object)) else { return };
        if row.newest != version {
            return;
        }
        if let Some(older) = gone.older {
            row.newest = older;
            return;
        }
        let (hash, slot) = (row.name_hash, object.slot() as u32);
        if let Ok(found) = self.names.find_entry(hash, |&known| known == slot) {
            found.remove();
        }
        self.rows.remove(row_id(object));
    }

    /// Frees every version that no watch can see: after one was closed or jumped.
    fn sweep(&mut self) {
        let mut unseen = Vec::new();
        for (row, held) in self.rows.iter() {
            let mut replaced = Rev::NEVER;
            let mut next = Some(held.newest);
            while let Some(at) = next {
                let Some(version) = self.versions.get(at) else { break };
                let until = version.gone.min(replaced);
                if until != Rev::NEVER && !self.can_be_seen(version.rev, until) {
                    unseen.push((object_id(row), at));
                }
                (replaced, next) = (version.rev, version.older);
            }
        }
        for (object, version) in unseen {
            self.free(object, version);
        }
    }

    fn can_be_seen(&self, since: Rev, until: Rev) -> bool {
        self.cursors.iter().any(|cursor| match cursor.state {
            CursorState::Live => cursor.seen < until,
            CursorState::Lost => since <= cursor.seen && cursor.seen < until,
            CursorState::Closed => false,
        })
    }
}
