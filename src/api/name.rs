//! Names of objects. A generated name is (what it is generated from, suffix) and shares its first
//! part with its siblings: 150,000 pods of 500 ReplicaSets hold 500 texts.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::base::hash::StableHasher;

/// Shared immutable text.
pub type Text = Arc<str>;

/// Longest name of any object, in bytes (RFC 1123 subdomain).
pub const NAME_MAX: usize = 253;

/// The letters of generated names (`k8s.io/apimachinery/pkg/util/rand`, 1.36).
const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// Five generated letters at the end of a name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Suffix(u32);

impl Suffix {
    /// How many suffixes there are.
    pub const COUNT: u64 = 27 * 27 * 27 * 27 * 27;

    /// The suffix number `at`, taken modulo [`Suffix::COUNT`].
    pub fn nth(at: u64) -> Suffix {
        Suffix((at % Suffix::COUNT) as u32)
    }

    /// Its letters, in writing order.
    pub fn letters(self) -> [u8; 5] {
        let mut rest = self.0;
        let mut letters = [0; 5];
        for letter in letters.iter_mut().rev() {
            *letter = LETTERS[(rest % 27) as usize];
            rest /= 27;
        }
        letters
    }
}

/// The name of an object within its kind and namespace. Equality, order and hash are those of the
/// written name, however it is held.
#[derive(Clone)]
pub struct Name {
    base: Text,
    suffix: Option<Suffix>,
}

impl Name {
    /// A name as somebody wrote it.
    pub fn new(text: impl Into<Text>) -> Name {
        Name { base: text.into(), suffix: None }
    }

    /// `base` (ending in `-` by custom) followed by five generated letters.
    pub fn generated(base: Text, suffix: Suffix) -> Name {
        Name { base, suffix: Some(suffix) }
    }

    /// The written name in two parts; the second is empty for a plain name.
    fn parts(&self) -> (&str, [u8; 5], usize) {
        match self.suffix {
            None => (&self.base, [0; 5], 0),
            Some(suffix) => (&self.base, suffix.letters(), 5),
        }
    }

    fn bytes(&self) -> impl Iterator<Item = u8> + '_ {
        let (base, letters, count) = self.parts();
        base.bytes().chain(letters.into_iter().take(count))
    }

    /// Length of the written name in bytes.
    pub fn len(&self) -> usize {
        self.base.len() + if self.suffix.is_some() { 5 } else { 0 }
    }

    /// Whether the written name is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The stable hash of the written name: the same on every machine and for every way to hold it.
    pub fn stable_hash(&self) -> u64 {
        self.fold(StableHasher::new()).finish()
    }

    /// Folds the written name into a hash.
    pub fn fold(&self, hasher: StableHasher) -> StableHasher {
        let (base, letters, count) = self.parts();
        if count == 0 {
            return hasher.text(base);
        }
        let mut text = [0; NAME_MAX + 5];
        let used = base.len().min(NAME_MAX);
        text[..used].copy_from_slice(&base.as_bytes()[..used]);
        text[used..used + count].copy_from_slice(&letters[..count]);
        hasher.text(std::str::from_utf8(&text[..used + count]).unwrap_or(base))
    }

    /// The text all siblings share, for a generated name; the whole name otherwise.
    pub fn base(&self) -> &Text {
        &self.base
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)?;
        match self.suffix {
            None => Ok(()),
            Some(suffix) => suffix.letters().iter().try_for_each(|&b| write!(f, "{}", b as char)),
        }
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Name) -> bool {
        if self.suffix.is_some() == other.suffix.is_some() {
            self.suffix == other.suffix && self.base == other.base
        } else {
            self.len() == other.len() && self.bytes().eq(other.bytes())
        }
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        self.len() == other.len() && self.bytes().eq(other.bytes())
    }
}

impl Eq for Name {}

impl Ord for Name {
    fn cmp(&self, other: &Name) -> Ordering {
        self.bytes().cmp(other.bytes())
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Name) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.stable_hash());
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Name {
        Name::new(text)
    }
}
