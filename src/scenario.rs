//! What people write becomes a plan: Kubernetes objects, and the Scenario that says what surrounds
//! them.
//!
//! Owns the schema of a Scenario (`wavetank.dev/v1alpha1`), what the flags of the command line mean
//! for a plan, the default cluster, namespaces nobody wrote. Reads documents through `api`; opens no
//! file itself.
mod apps;
mod assign;
mod chaos;
mod claims;
mod edits;
mod expect;
mod feature_gates;
mod judge;
mod kubelet;
mod load;
mod metrics;
mod node_groups;
mod nodes;
mod objects;
pub mod placement;
pub mod profile;
mod profile_file;
mod raw;
mod reading;
mod resolve;
mod scheduler;
pub mod schema;
mod settings;
mod steps;
mod storage;
mod strikes;
mod targets;
mod traffic;
mod usage;
mod values;

pub use assign::Assignment;
pub use feature_gates::FeatureGates;
pub use load::{API_VERSION, Loaded, Loader, Overrides, Wanted};
pub use nodes::{Group, NODES_MAX};
pub use profile_file::{WantedProfile, is_file, read as read_profile};
pub use values::letter_at;

#[cfg(test)]
mod tests;
