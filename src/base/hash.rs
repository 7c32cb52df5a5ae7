//! The one hash whose value is a promise: written out here, the same on every machine and in every version.
//!
//! Owns the arithmetic behind digests, uids and keyed draws; refuses to be a general `Hasher` (std's
//! `Hash` makes no promise about what it feeds). Changing a constant changes every run: it is a line in
//! the changelog. Not meant against an adversary.
//!
//! ```text
//! fold(a, b)    the 128-bit product of a and b, its high half xor its low half
//! word(w)       state <- fold(state ^ w, MULTIPLIER) + rotate_left(state, 23)
//! text(s)       word(length in bytes), then a word for each 8 bytes, little-endian, the last padded with zeros
//! finish()      murmur3's 64-bit finaliser of the state
//! ```

/// 2^64 / golden ratio, odd: the start, and splitmix64's step.
pub(crate) const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
/// wyhash's first secret: an odd constant with 32 bits set.
const MULTIPLIER: u64 = 0xa076_1d64_78bd_642f;

/// Folds words and text into 64 bits. `Copy`: a half-filled hasher is a value to go on from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct StableHasher {
    state: u64,
}

impl StableHasher {
    /// A hasher that has seen nothing.
    #[inline]
    pub const fn new() -> Self {
        Self { state: GOLDEN }
    }

    /// Folds in one word.
    #[inline]
    pub const fn word(self, word: u64) -> Self {
        let product = (self.state ^ word) as u128 * MULTIPLIER as u128;
        let folded = (product as u64) ^ ((product >> 64) as u64);
        // The rotated state is added so that no word can make the past forgotten.
        Self { state: folded.wrapping_add(self.state.rotate_left(23)) }
    }

    /// Folds in a signed integer, as its two's complement.
    #[inline]
    pub const fn signed(self, value: i64) -> Self {
        self.word(value.cast_unsigned())
    }

    /// Folds in bytes, their number first, so that no two sequences of texts run together.
    #[inline]
    pub const fn bytes(self, bytes: &[u8]) -> Self {
        let mut hasher = self.word(bytes.len() as u64);
        let mut rest = bytes;
        while let Some((chunk, after)) = rest.split_first_chunk::<8>() {
            hasher = hasher.word(u64::from_le_bytes(*chunk));
            rest = after;
        }
        if rest.is_empty() {
            return hasher;
        }
        let mut last = 0;
        let mut i = 0;
        while i < rest.len() {
            last |= (rest[i] as u64) << (8 * i);
            i += 1;
        }
        hasher.word(last)
    }

    /// Folds in a text, as its UTF-8 bytes.
    #[inline]
    pub const fn text(self, text: &str) -> Self {
        self.bytes(text.as_bytes())
    }

    /// The 64-bit value of what was folded in so far.
    #[inline]
    #[must_use]
    pub const fn finish(self) -> u64 {
        avalanche(self.state)
    }
}

impl Default for StableHasher {
    fn default() -> Self {
        Self::new()
    }
}

/// murmur3's 64-bit finaliser: a bijection in which each input bit moves each output bit.
#[inline]
pub(crate) const fn avalanche(mut x: u64) -> u64 {
    x ^= x >> 33;
    x = x.wrapping_mul(0xff51_afd7_ed55_8ccd);
    x ^= x >> 33;
    x = x.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    x ^ (x >> 33)
}

/// The stable hash of one text, as a constant may need it.
#[inline]
pub const fn hash_text(text: &str) -> u64 {
    StableHasher::new().text(text).finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn values_are_what_they_were() {
        // Computed by a second implementation, written from the module doc in another language.
        for (text, hash) in [
            ("", 0x758d_1be1_93c9_7669),
            ("a", 0x2a71_ac39_cfad_91f2),
            ("web-0", 0xa70f_9f79_b4f1_3e3f),
            ("12345678", 0xfb14_4d45_7b5c_c41e),
            ("default/web-5d4f-x2x9p", 0x59eb_9495_2fcf_9196),
            ("\u{b5}", 0x3474_ec0a_bbf1_74bb),
        ] {
            assert_eq!(hash_text(text), hash, "{text:?}");
        }
        assert_eq!(StableHasher::new().finish(), 0x9ca0_66f1_a4ab_2eea);
        assert_eq!(StableHasher::new().word(1).word(2).finish(), 0x81d2_bc92_f0f7_0c5a);
        assert_eq!(StableHasher::new().signed(-1), StableHasher::new().word(u64::MAX));
    }

    #[test]
    fn texts_do_not_run_together_and_padding_is_seen() {
        let pairs = |a, b| StableHasher::new().text(a).text(b).finish();
        assert_ne!(pairs("ab", "c"), pairs("a", "bc"));
        assert_ne!(hash_text("a"), hash_text("a\0"));
        assert_ne!(StableHasher::new().word(0).finish(), StableHasher::new().finish());
    }

    #[test]
    fn no_collision_among_a_million_names_that_differ_little() {
        let mut seen = BTreeSet::new();
        for i in 0..200_000u32 {
            for text in
                [format!("default/web-{i}"), format!("{i}-app"), format!("n-{i:08}/x-{}", i ^ 0x55)]
            {
                assert!(seen.insert(hash_text(&text)), "{text} collides");
            }
            assert!(seen.insert(StableHasher::new().word(u64::from(i)).word(7).finish()));
            assert!(seen.insert(StableHasher::new().word(7).word(u64::from(i) << 40).finish()));
        }
    }

    #[test]
    fn each_input_bit_moves_about_half_of_the_output() {
        let base = StableHasher::new().word(0x1234).word(0x5678).finish();
        for bit in 0..64 {
            let first = StableHasher::new().word(0x1234 ^ (1 << bit)).word(0x5678).finish();
            let last = StableHasher::new().word(0x1234).word(0x5678 ^ (1 << bit)).finish();
            for other in [first, last] {
                let moved = (base ^ other).count_ones();
                assert!((12..=52).contains(&moved), "bit {bit} moved {moved} bits");
            }
        }
    }
}
