//! Luck: keyed draws, which belong to things and not to an order of calls, and streams for long sequences.
//!
//! Owns every random value of a run; refuses to know what is decided by it. The whole of a run's luck is one seed:
//!
//! ```text
//! draw    (seed, label, stable id of a thing, that thing's own counter) -> value    no state, no order, 2 ns
//! stream  (seed, label, stable id) -> ChaCha8 sequence owned by one thing           304 bytes each: only for
//!                                                                                   arrival processes and the like
//! ```
//! So a thing that is added shifts nobody else's luck. Integers come from bits by code written out here;
//! the laws of time are in [`distribution`].
pub mod distribution;
pub mod draw;
pub mod exponential;
pub mod measured;
#[cfg(test)]
pub mod recorded;
pub mod steps;
pub mod stream;
pub mod suffix;

pub use distribution::Distribution;
pub use draw::{Draw, Ratio};
pub use exponential::Exponential;
pub use measured::Measured;
pub use steps::Steps;
pub use stream::Stream;
pub use suffix::Suffix;

use crate::base::hash::{StableHasher, hash_text};

/// What a draw is for. Stable by name: adding, moving or removing labels elsewhere changes no draw.
///
/// Declared where it is used, once for each use: `const PULL_JITTER: Label = Label::new("pull-jitter");`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label {
    name: &'static str,
    hash: u64,
}

impl Label {
    /// The label of this name. The name is the promise: renaming it gives other luck.
    pub const fn new(name: &'static str) -> Self {
        Self { name, hash: hash_text(name) }
    }

    /// The name it was made with.
    pub const fn name(self) -> &'static str {
        self.name
    }
}

/// All the luck of a run: its seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Luck {
    seed: u64,
}

impl Luck {
    /// The luck of `seed`.
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The draw of one thing for one purpose: `id` is stable over what-if runs (a hash of names or a uid,
    /// never a slot number or a revision), `counter` is the thing's own count of such draws.
    #[inline]
    pub fn draw(self, label: Label, id: u64, counter: u64) -> Draw {
        #[cfg(test)]
        recorded::note(label, id, counter);
        Draw::from_bits(self.key(label, id).word(counter).finish())
    }

    /// The sequence owned by one thing for one purpose; `id` as in [`Luck::draw`].
    pub fn stream(self, label: Label, id: u64) -> Stream {
        Stream::from_key(self.key(label, id))
    }

    /// A stable 64-bit identity drawn from names, such as a uid's bits: `parts` in order, under `label`.
    pub fn identity(self, label: Label, parts: &[&str], ordinal: u64) -> u64 {
        #[cfg(test)]
        recorded::note(label, hash_text(&parts.join("/")), ordinal);
        let hasher = StableHasher::new().word(self.seed).word(label.hash).word(parts.len() as u64);
        parts.iter().fold(hasher, |hasher, part| hasher.text(part)).word(ordinal).finish()
    }

    #[inline]
    const fn key(self, label: Label, id: u64) -> StableHasher {
        StableHasher::new().word(self.seed).word(label.hash).word(id)
    }
}

#[cfg(test)]
mod tests;
