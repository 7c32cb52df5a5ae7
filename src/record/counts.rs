//! What is counted as it happens, because the store does not remember it.

use crate::api::kind::Kind;
use crate::messages::{Component, Fact, Verb};

/// Counts over a whole run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Facts of all kinds.
    pub facts: u64,
    /// Pods stored.
    pub pods_created: u64,
    /// Pods told to leave their node.
    pub pods_evicted: u64,
    /// Containers started again.
    pub restarts: u64,
    /// Objects the API server refused.
    pub refused: u64,
}

impl Counts {
    /// Counts one fact.
    pub fn add(&mut self, fact: &Fact) {
        self.facts += 1;
        match (fact.verb, fact.object.kind) {
            (Verb::Created, Kind::Pod) => self.pods_created += 1,
            (Verb::Evicted, Kind::Pod) => self.pods_evicted += 1,
            (Verb::Started, _) => {
                let again = fact.values.iter().any(|(key, value)| *key == "restarts" && *value > 0);
                self.restarts += u64::from(again);
            }
            (Verb::Refused, _) if fact.component == Component::ApiServer => self.refused += 1,
            _ => {}
        }
    }
}
