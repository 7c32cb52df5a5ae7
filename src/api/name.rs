//! Names of objects. A generated name is (what it is generated from, suffix) and shares its first
//! part with its siblings: 150,000 pods of 500 ReplicaSets hold 500 texts.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::base::hash::StableHasher;
use crate::luck::Suffix;

/// Shared immutable text.
pub type Text = Arc<str>;

/// Longest name of any object, in bytes (RFC 1123 subdomain).
pub const NAME_MAX: usize = 253;

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
    fn parts(&self) -> (&str, &str) {
        (&self.base, self.suffix.as_ref().map_or("", Suffix::as_str))
    }

    fn bytes(&self) -> impl Iterator<Item = u8> + '_ {
        let (base, suffix) = self.parts();
        base.bytes().chain(suffix.bytes())
    }

    /// Length of the written name in bytes.
    pub fn len(&self) -> usize {
        let (base, suffix) = self.parts();
        base.len() + suffix.len()
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
        let (base, suffix) = self.parts();
        if suffix.is_empty() {
            return hasher.text(base);
        }
        let mut text = [0; NAME_MAX + 5];
        let used = base.len().min(NAME_MAX);
        text[..used].copy_from_slice(&base.as_bytes()[..used]);
        text[used..used + suffix.len()].copy_from_slice(suffix.as_bytes());
        hasher.bytes(&text[..used + suffix.len()])
    }

    /// The text all siblings share, for a generated name; the whole name otherwise.
    pub fn base(&self) -> &Text {
        &self.base
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (base, suffix) = self.parts();
        f.write_str(base)?;
        f.write_str(suffix)
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
        let ((base, suffix), (other_base, other_suffix)) = (self.parts(), other.parts());
        let shared = base.len().min(other_base.len());
        let (first, rest) = base.as_bytes().split_at(shared);
        let (other_first, other_rest) = other_base.as_bytes().split_at(shared);
        first.cmp(other_first).then_with(|| {
            let rest = rest.iter().chain(suffix.as_bytes());
            rest.cmp(other_rest.iter().chain(other_suffix.as_bytes()))
        })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::luck::{Label, Luck};
    use proptest::prelude::*;

    proptest! {
        /// However two names are held, they compare as what they say.
        #[test]
        fn names_compare_as_they_are_written(a in "[a-c]{0,9}", b in "[a-c]{0,9}", seed in any::<u64>(), held in 0u8..4) {
            let suffix = |key| Luck::new(seed).draw(Label::new("names"), key, 0).suffix();
            let name = |text: &str, key: u64, is_generated| match is_generated {
                true => Name::generated(text.into(), suffix(key)),
                false => Name::new(text),
            };
            let (a, b) = (name(&a, 1, held & 1 != 0), name(&b, 1, held & 2 != 0));
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
            prop_assert_eq!(a.cmp(&Name::new(a.to_string())), Ordering::Equal);
            prop_assert_eq!(Name::new(b.to_string()).cmp(&b), Ordering::Equal);
        }
    }
}
