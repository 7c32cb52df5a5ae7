//! Rules several components share: whom a selector selects, which taints a pod tolerates, what a
//! pod asks for. Pure functions of objects.
pub mod affinity;
pub mod commands;
pub mod hostnames;
pub mod image_names;
pub mod limits;
pub mod merge_label_keys;
pub mod oom_score;
pub mod pod_addresses;
pub mod pod_conditions;
pub mod ports;
pub mod probing;
pub mod quota;
pub mod resources;
pub mod restarts;
pub mod selector;
pub mod spread;
pub mod static_pods;
pub mod taint_edits;
pub mod taints;
pub mod toleration_limits;
pub mod volumes;
