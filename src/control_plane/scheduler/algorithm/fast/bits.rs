//! A set of small numbers as bits, with the words laid open: places in the order of nodes.

/// Bits in a word.
pub(super) const WORD: usize = 64;

/// A set of numbers below some length.
#[derive(Clone, Default, Debug)]
pub(super) struct Bits {
    words: Vec<u64>,
}

impl Bits {
    /// A set of the numbers below `len`, all or none of them in it.
    pub fn all(len: usize) -> Bits {
        let mut words = vec![u64::MAX; len.div_ceil(WORD)];
        if let Some(last) = words.last_mut()
            && !len.is_multiple_of(WORD)
        {
            *last = (1 << (len % WORD)) - 1;
        }
        Bits { words }
    }

    /// A set without numbers.
    pub fn none(len: usize) -> Bits {
        Bits { words: vec![0; len.div_ceil(WORD)] }
    }

    /// Takes a number in.
    #[inline]
    pub fn insert(&mut self, at: usize) {
        self.words[at / WORD] |= 1 << (at % WORD);
    }

    /// Takes a number out.
    #[inline]
    pub fn remove(&mut self, at: usize) {
        self.words[at / WORD] &= !(1 << (at % WORD));
    }

    /// The word of this place.
    #[inline]
    pub fn word(&self, at: usize) -> u64 {
        self.words[at]
    }

    /// Empties a word; returns what was in it.
    #[inline]
    pub fn take_word(&mut self, at: usize) -> u64 {
        std::mem::take(&mut self.words[at])
    }
}
