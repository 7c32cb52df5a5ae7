//! Queues of entries in blocks of one pool: append at the end, take from the front.
//!
//! Owns the blocks; refuses to know which bucket comes first.

/// Entries a block: of 32 bytes each, half a kilobyte.
const BLOCK: usize = 16;
/// No block.
const NONE: u32 = u32::MAX;

/// An event and its instant in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<E> {
    pub(super) at: u64,
    pub(super) event: E,
}

/// One queue of entries: a chain of blocks, the first one read from `start`, the last one filled up to `end`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bucket {
    first: u32,
    last: u32,
    start: u32,
    end: u32,
    least: u64,
}

impl Bucket {
    pub(super) const EMPTY: Self =
        Self { first: NONE, last: NONE, start: 0, end: 0, least: u64::MAX };

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.first == NONE
    }

    #[inline]
    pub(super) fn holds_one(&self) -> bool {
        self.first == self.last && self.end == self.start + 1
    }

    /// The least time ever appended since it was empty. Exact for a bucket nothing was taken from, and for
    /// one whose entries fall on one instant.
    #[inline]
    pub(super) fn least(&self) -> u64 {
        self.least
    }
}

/// Blocks in one vector, and the chain that leads from each to the next: of its bucket, or of the free ones.
#[derive(Clone, Debug)]
pub(super) struct Pool<E: Copy> {
    blocks: Vec<[Entry<E>; BLOCK]>,
    next: Vec<u32>,
    free: u32,
}

impl<E: Copy> Pool<E> {
    pub(super) fn new() -> Self {
        Self { blocks: Vec::new(), next: Vec::new(), free: NONE }
    }

    #[inline]
    pub(super) fn append(&mut self, bucket: &mut Bucket, entry: Entry<E>) {
        bucket.least = bucket.least.min(entry.at);
        if bucket.last != NONE && (bucket.end as usize) < BLOCK {
            self.blocks[bucket.last as usize][bucket.end as usize] = entry;
            bucket.end += 1;
            return;
        }
        let block = self.block_with(entry);
        if bucket.last == NONE {
            (bucket.first, bucket.start) = (block, 0);
        } else {
            self.next[bucket.last as usize] = block;
        }
        (bucket.last, bucket.end) = (block, 1);
    }

    /// A free block whose first entry is this one; what else lies in it has no meaning.
    #[inline]
    fn block_with(&mut self, entry: Entry<E>) -> u32 {
        let block = self.free;
        if block == NONE {
            let block = u32::try_from(self.blocks.len()).expect("fewer than 2^32 blocks");
            assert_ne!(block, NONE, "fewer than 2^32 - 1 blocks");
            self.blocks.push([entry; BLOCK]);
            self.next.push(NONE);
            return block;
        }
        self.free = std::mem::replace(&mut self.next[block as usize], NONE);
        self.blocks[block as usize][0] = entry;
        block
    }

    #[inline]
    fn release(&mut self, block: u32) {
        self.next[block as usize] = self.free;
        self.free = block;
    }

    /// The front entry of a bucket that has one.
    #[inline]
    pub(super) fn take_front(&mut self, bucket: &mut Bucket) -> Entry<E> {
        let block = bucket.first;
        let entry = self.blocks[block as usize][bucket.start as usize];
        bucket.start += 1;
        if block == bucket.last {
            if bucket.start == bucket.end {
                self.release(block);
                *bucket = Bucket::EMPTY;
            }
        } else if bucket.start as usize == BLOCK {
            (bucket.first, bucket.start) = (self.next[block as usize], 0);
            self.release(block);
        }
        entry
    }

    /// The entries of the first block of a bucket nothing was taken from, and how many of them count.
    #[inline]
    pub(super) fn take_block(&mut self, bucket: &mut Bucket) -> Option<([Entry<E>; BLOCK], usize)> {
        if bucket.is_empty() {
            return None;
        }
        let block = bucket.first;
        let entries = self.blocks[block as usize];
        let count = if block == bucket.last { bucket.end as usize } else { BLOCK };
        if block == bucket.last {
            *bucket = Bucket::EMPTY;
        } else {
            bucket.first = self.next[block as usize];
        }
        self.release(block);
        Some((entries, count))
    }

    /// Swaps a random entry of the bucket, chosen by `bits`, with the front one. Walks the bucket: for tests.
    pub(super) fn draw_to_front(&mut self, bucket: &Bucket, bits: u64) {
        let mut places = Vec::new();
        let (mut block, mut from) = (bucket.first, bucket.start as usize);
        loop {
            let to = if block == bucket.last { bucket.end as usize } else { BLOCK };
            places.extend((from..to).map(|i| (block as usize, i)));
            if block == bucket.last {
                break;
            }
            (block, from) = (self.next[block as usize], 0);
        }
        // The bias of a remainder is below 2^-32 for any bucket that fits in memory.
        let ((front, i), (chosen, j)) = (places[0], places[(bits % places.len() as u64) as usize]);
        let entry = self.blocks[front][i];
        self.blocks[front][i] = std::mem::replace(&mut self.blocks[chosen][j], entry);
    }

    /// Blocks in use or free: what the queue's memory is made of.
    #[cfg(test)]
    pub(super) fn blocks(&self) -> usize {
        self.blocks.len()
    }
}
