//! Generated name endings: five letters as Kubernetes appends them for `generateName`.
//!
//! Owns the alphabet and the letters; refuses to join them to a name (a generated name is kept as owner
//! and suffix).
use std::fmt;

use super::Draw;

/// No vowels and no digit that looks like a letter (apimachinery 1.36 pkg/util/rand).
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
const LETTERS: usize = 5;

/// The five letters at the end of a generated name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Suffix([u8; LETTERS]);

impl Suffix {
    /// The letters as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("the alphabet is ASCII")
    }
}

impl Draw {
    /// Five letters, each combination of the 27^5 exactly as likely.
    pub fn suffix(self) -> Suffix {
        let radix = ALPHABET.len() as u64;
        let mut rest = self.below(radix.pow(LETTERS as u32));
        Suffix(std::array::from_fn(|_| {
            let letter = ALPHABET[(rest % radix) as usize];
            rest /= radix;
            letter
        }))
    }
}

impl fmt::Display for Suffix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::luck::{Label, Luck};
    use std::collections::BTreeSet;

    #[test]
    fn uses_the_whole_alphabet_and_nothing_else() {
        let luck = Luck::new(5);
        let drawn = (0..1000).map(|i| luck.draw(Label::new("suffix"), 0, i).suffix());
        let letters: BTreeSet<u8> = drawn.flat_map(|suffix| suffix.0).collect();
        assert!(letters.into_iter().eq(ALPHABET.iter().copied().collect::<BTreeSet<_>>()));
    }
}
