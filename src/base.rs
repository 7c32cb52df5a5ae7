//! Plain tools without a domain: typed ids, columns and arenas that are cheap to clone, one stable hash, fast maps.
//!
//! Owns data structures only; refuses to know what is kept in them. Nothing here reads a clock,
//! draws luck or does input or output.
pub mod arena;
pub mod by_slot;
pub mod chunks;
pub mod glob;
pub mod hash;
pub mod held;
pub mod histogram;
pub mod id;

pub use arena::Arena;
pub use by_slot::BySlot;
pub use chunks::Chunked;
pub use hash::StableHasher;
pub use held::Held;
pub use id::Id;

/// A hash map for look-ups only: **its order may never be looked at** (no `iter`, `keys`, `values`, `drain`,
/// `retain` with an effect that depends on order). Where order is seen use `BTreeMap` or `IndexMap`.
/// The hasher is fixed (Fx), so it is the same in every run, but the order still is no promise of ours.
pub type FastMap<K, V> = hashbrown::HashMap<K, V, rustc_hash::FxBuildHasher>;

/// A hash set for membership only, under the same rule as [`FastMap`]: its order may never be looked at.
pub type FastSet<K> = hashbrown::HashSet<K, rustc_hash::FxBuildHasher>;
