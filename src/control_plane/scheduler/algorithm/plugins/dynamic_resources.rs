//! DynamicResources: claims of devices (`plugins/dynamicresources`, 1.36). A pod with claims is
//! reported as not modelled when it is read; of the others the plugin says the same everywhere.

/// What it gives every node for a pod without claims.
pub const SCORE: i64 = 0;

/// What it adds to the message of a pod that fits nowhere.
pub const NOTHING_TO_DEALLOCATE: &str = "no new claims to deallocate";

/// What it says in its place where an earlier plugin refused the pod in PreFilter.
pub const NO_STATE: &str = "not found";
