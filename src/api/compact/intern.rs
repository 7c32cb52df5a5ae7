//! What many objects share is held once: texts, label sets, pod specs.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

use crate::api::meta::Labels;
use crate::api::name::Text;
use crate::api::pod::PodSpec;

/// Tables for look-ups only; their order is never looked at.
#[derive(Debug, Default)]
pub(super) struct Interner {
    texts: HashTable<Text>,
    labels: HashTable<Arc<Labels>>,
    specs: HashTable<Arc<PodSpec>>,
    /// Where specs are written before they are looked up.
    pub(super) scratch: Vec<u8>,
}

fn hash_of(value: &(impl Hash + ?Sized)) -> u64 {
    FxBuildHasher.hash_one(value)
}

fn hash_of_labels<K: AsRef<str>, V: AsRef<str>>(labels: &BTreeMap<K, V>) -> u64 {
    labels.iter().fold(0, |sum, (key, value)| hash_of(&(sum, key.as_ref(), value.as_ref())))
}

fn are_equal(known: &Labels, written: &BTreeMap<String, String>) -> bool {
    known.len() == written.len()
        && known.iter().zip(written).all(|(a, b)| **a.0 == **b.0 && **a.1 == **b.1)
}

impl Interner {
    /// The shared text.
    pub(super) fn text(&mut self, text: &str) -> Text {
        let hash = hash_of(text);
        if let Some(known) = self.texts.find(hash, |known| **known == *text) {
            return known.clone();
        }
        let new: Text = text.into();
        self.texts.insert_unique(hash, new.clone(), |text| hash_of(&**text));
        new
    }

    /// The shared text of a field, empty if it is not set.
    pub(super) fn optional(&mut self, text: Option<&str>) -> Text {
        self.text(text.unwrap_or_default())
    }

    /// The shared label set.
    pub(super) fn labels(&mut self, written: Option<&BTreeMap<String, String>>) -> Arc<Labels> {
        let empty = BTreeMap::new();
        let written = written.unwrap_or(&empty);
        let hash = hash_of_labels(written);
        if let Some(known) = self.labels.find(hash, |known| are_equal(known, written)) {
            return known.clone();
        }
        let new = Arc::new(self.plain_labels(written));
        self.labels.insert_unique(hash, new.clone(), |labels| hash_of_labels(labels));
        new
    }

    /// A label set that belongs to one owner.
    pub(super) fn plain_labels(&mut self, written: &BTreeMap<String, String>) -> Labels {
        written.iter().map(|(key, value)| (self.text(key), self.text(value))).collect()
    }

    /// The spec written like this, if it is known.
    pub(super) fn known_spec(&self, written: &str) -> Option<Arc<PodSpec>> {
        self.specs.find(hash_of(written), |known| *known.written == *written).cloned()
    }

    /// Keeps a spec that is not known yet.
    pub(super) fn keep_spec(&mut self, spec: PodSpec) -> Arc<PodSpec> {
        let spec = Arc::new(spec);
        let hash = hash_of(&*spec.written);
        self.specs.insert_unique(hash, spec.clone(), |spec| hash_of(&*spec.written));
        spec
    }

    /// How many specs are kept.
    pub(super) fn distinct_specs(&self) -> usize {
        self.specs.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_label_sets_are_one_and_others_are_not() {
        let mut intern = Interner::default();
        let a = BTreeMap::from([("app".to_owned(), "web".to_owned())]);
        let b = BTreeMap::from([("app".to_owned(), "db".to_owned())]);
        let (first, again, other) =
            (intern.labels(Some(&a)), intern.labels(Some(&a)), intern.labels(Some(&b)));
        assert!(Arc::ptr_eq(&first, &again));
        assert!(!Arc::ptr_eq(&first, &other));
        assert_eq!(&*other["app"], "db");
        assert!(Arc::ptr_eq(&intern.labels(None), &intern.labels(Some(&BTreeMap::new()))));
    }
}
