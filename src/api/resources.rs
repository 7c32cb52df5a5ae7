//! Amounts of resources as the scheduler and the kubelet count them: CPU in thousandths of a core,
//! memory and disk in bytes, everything else in whole units.

use super::name::Text;

/// Amounts of resources, of a request, a limit, a node.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Resources {
    /// CPU, in thousandths of a core.
    pub cpu_milli: i64,
    /// Memory, in bytes.
    pub memory: i64,
    /// Local disk (`ephemeral-storage`), in bytes.
    pub ephemeral_storage: i64,
    /// How many pods (a node's capacity; 0 in a request).
    pub pods: i64,
    /// Extended resources and huge pages, sorted by name.
    pub scalar: Vec<(Text, i64)>,
}

impl Resources {
    /// The amount of the extended resource `name`, 0 if it is not there.
    pub fn scalar(&self, name: &str) -> i64 {
        self.scalar
            .binary_search_by(|(known, _)| (**known).cmp(name))
            .map_or(0, |at| self.scalar[at].1)
    }

    /// Sets the extended resource `name`.
    pub fn set_scalar(&mut self, name: &str, amount: i64) {
        match self.scalar.binary_search_by(|(known, _)| (**known).cmp(name)) {
            Ok(at) => self.scalar[at].1 = amount,
            Err(at) => self.scalar.insert(at, (name.into(), amount)),
        }
    }

    /// Adds `other`, each resource for itself; saturates at the bounds of i64.
    pub fn add(&mut self, other: &Resources) {
        self.cpu_milli = self.cpu_milli.saturating_add(other.cpu_milli);
        self.memory = self.memory.saturating_add(other.memory);
        self.ephemeral_storage = self.ephemeral_storage.saturating_add(other.ephemeral_storage);
        self.pods = self.pods.saturating_add(other.pods);
        for (name, amount) in &other.scalar {
            self.set_scalar(name, self.scalar(name).saturating_add(*amount));
        }
    }

    /// Takes `other` away, each resource for itself.
    pub fn subtract(&mut self, other: &Resources) {
        self.cpu_milli = self.cpu_milli.saturating_sub(other.cpu_milli);
        self.memory = self.memory.saturating_sub(other.memory);
        self.ephemeral_storage = self.ephemeral_storage.saturating_sub(other.ephemeral_storage);
        self.pods = self.pods.saturating_sub(other.pods);
        for (name, amount) in &other.scalar {
            self.set_scalar(name, self.scalar(name).saturating_sub(*amount));
        }
    }
}
