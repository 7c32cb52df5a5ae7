//! A long random sequence owned by one thing: an arrival process, a client, a fault process.
//!
//! Owns a ChaCha8 generator, named by type so that no update of a crate changes runs; refuses to be shared
//! by things, for then their luck would depend on the order of calls.
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::Draw;
use crate::base::StableHasher;

/// A sequence of draws. 304 bytes: one for each process, never one for each small thing.
#[derive(Clone, Debug)]
pub struct Stream {
    rng: ChaCha8Rng,
}

impl Stream {
    /// The stream of a key: four words folded from it are ChaCha8's 256-bit key.
    pub(super) fn from_key(key: StableHasher) -> Self {
        let mut seed = [0; 32];
        for (word, bytes) in (0..).zip(seed.chunks_exact_mut(8)) {
            bytes.copy_from_slice(&key.word(word).finish().to_le_bytes());
        }
        Self { rng: ChaCha8Rng::from_seed(seed) }
    }

    /// The next draw of the sequence.
    #[inline]
    pub fn draw(&mut self) -> Draw {
        Draw::from_bits(self.rng.next_u64())
    }
}
