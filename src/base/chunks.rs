//! A growable column whose chunks are shared between clones and copied when written.
//!
//! Owns the sharing that makes a clone of a whole run cheap; refuses to know what a row is. Rows are
//! never removed: [`super::Arena`] reuses them.
use std::ops::{Index, IndexMut};
use std::sync::Arc;

/// Rows a chunk. A power of two: small enough that the copy after a clone is short, large enough that
/// cloning a column of 150,000 rows touches 2,344 counters.
pub const CHUNK_ROWS: usize = 64;
const SHIFT: u32 = CHUNK_ROWS.trailing_zeros();
const MASK: usize = CHUNK_ROWS - 1;

/// A column of `T`. Full chunks are shared by clones until one of them writes; the open last chunk
/// (fewer than [`CHUNK_ROWS`] rows) is copied by the clone. `Clone` is O(chunks).
#[derive(Debug)]
pub struct Chunked<T> {
    full: Vec<Arc<[T]>>,
    /// Always fewer than `CHUNK_ROWS` rows.
    open: Vec<T>,
}

impl<T: Clone> Chunked<T> {
    /// An empty column; allocates nothing.
    pub const fn new() -> Self {
        Self { full: Vec::new(), open: Vec::new() }
    }

    /// Rows held.
    #[inline]
    pub fn len(&self) -> usize {
        (self.full.len() << SHIFT) + self.open.len()
    }

    /// Whether there are no rows.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends a row; its index is the length before.
    pub fn push(&mut self, row: T) {
        self.open.push(row);
        if self.open.len() == CHUNK_ROWS {
            self.full.push(Arc::from(std::mem::take(&mut self.open)));
        }
    }

    /// The row at `index`, if there is one.
    #[inline]
    pub fn get(&self, index: usize) -> Option<&T> {
        match self.full.get(index >> SHIFT) {
            Some(chunk) => chunk.get(index & MASK),
            None => self.open.get(index.checked_sub(self.full.len() << SHIFT)?),
        }
    }

    /// The row at `index` for writing, if there is one; copies its chunk first where a clone shares it.
    #[inline]
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        let first_open = self.full.len() << SHIFT;
        match self.full.get_mut(index >> SHIFT) {
            Some(chunk) => Arc::make_mut(chunk).get_mut(index & MASK),
            None => self.open.get_mut(index.checked_sub(first_open)?),
        }
    }

    /// All rows in index order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> + Clone {
        self.full.iter().flat_map(|chunk| chunk.iter()).chain(self.open.iter())
    }
}

impl<T: Clone> Clone for Chunked<T> {
    fn clone(&self) -> Self {
        Self { full: self.full.clone(), open: self.open.clone() }
    }
}

impl<T: Clone> Default for Chunked<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Clone> Extend<T> for Chunked<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, rows: I) {
        for row in rows {
            self.push(row);
        }
    }
}

impl<T: Clone> FromIterator<T> for Chunked<T> {
    fn from_iter<I: IntoIterator<Item = T>>(rows: I) -> Self {
        let mut column = Self::new();
        column.extend(rows);
        column
    }
}

impl<T: Clone> Index<usize> for Chunked<T> {
    type Output = T;

    /// The row at `index`.
    ///
    /// # Panics
    /// If there is none, as slices do.
    #[inline]
    fn index(&self, index: usize) -> &T {
        self.get(index).expect("row index within the column")
    }
}

impl<T: Clone> IndexMut<usize> for Chunked<T> {
    #[inline]
    fn index_mut(&mut self, index: usize) -> &mut T {
        self.get_mut(index).expect("row index within the column")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn grows_over_chunks_and_reads_back() {
        let column: Chunked<usize> = (0..1000).collect();
        assert_eq!(column.len(), 1000);
        assert!((0..1000).all(|i| column[i] == i));
        assert_eq!(column.get(1000), None);
        assert_eq!(column.get(1023), None);
        assert_eq!(column.get(usize::MAX), None);
        assert!(column.iter().copied().eq(0..1000));
        assert!(Chunked::<u8>::new().is_empty());
    }

    #[test]
    fn a_write_copies_one_chunk_and_leaves_the_clone_alone() {
        let mut column: Chunked<usize> = (0..1000).collect();
        let clone = column.clone();
        column[70] = 7;
        assert_eq!((column[70], clone[70]), (7, 70));
        let shared = |i: usize| Arc::ptr_eq(&column.full[i], &clone.full[i]);
        assert_eq!((0..column.full.len()).filter(|&i| !shared(i)).collect::<Vec<_>>(), [1]);
    }

    proptest! {
        #[test]
        fn behaves_as_a_vec_across_clones(writes in prop::collection::vec((0usize..400, any::<u32>(), any::<bool>()), 0..200)) {
            let mut column = Chunked::new();
            let mut plain = Vec::new();
            let mut kept: Vec<(Chunked<u32>, Vec<u32>)> = Vec::new();
            for (at, value, clone) in writes {
                if clone {
                    kept.push((column.clone(), plain.clone()));
                }
                match column.get_mut(at) {
                    Some(row) => { *row = value; plain[at] = value; }
                    None => for _ in 0..30 { column.push(value); plain.push(value); },
                }
            }
            kept.push((column, plain));
            for (column, plain) in kept {
                prop_assert_eq!(column.len(), plain.len());
                prop_assert!(column.iter().eq(plain.iter()));
            }
        }
    }
}
