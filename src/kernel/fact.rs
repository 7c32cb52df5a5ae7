//! Facts: what a run leaves behind, as far as the kernel must know.
//!
//! Owns the two traits through which facts pass; refuses to know what is in one. The digest is a hash over
//! each fact in order: (time in nanoseconds, verb, stable hash of the object's name, of the node's name, the
//! fact's integers). Numbers and causes do not enter it, nor do ids, addresses, floats or rendered text.
use crate::base::StableHasher;
use crate::time::SimTime;

/// The cause of what nobody caused: facts are numbered from 1.
pub const NO_CAUSE: u64 = 0;

/// Something that happened, in the past tense.
pub trait Fact {
    /// Folds in all that belongs to the run's identity: verb, stable hashes of names, the integers (their
    /// count first where it varies). The time is folded by the kernel.
    fn fold(&self, hasher: &mut StableHasher);
}

/// Who keeps facts. What it keeps never changes a run: it cannot answer.
pub trait FactSink<F> {
    /// Takes note of the fact `number` at `at`, which followed from the fact `cause` ([`NO_CAUSE`]: from none).
    fn record(&mut self, at: SimTime, number: u64, cause: u64, fact: &F);
}

/// Keeps nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSink;

impl<F> FactSink<F> for NoSink {
    #[inline]
    fn record(&mut self, _at: SimTime, _number: u64, _cause: u64, _fact: &F) {}
}
