//! Kubernetes objects: as people write them, as the API server checks them, as we hold them.
//!
//! The official types (`k8s-openapi`) live at the edges only: documents are decoded into them,
//! given the API server's defaults and checked in its words, then turned into the compact forms of
//! [`object`], which is what a run works with.
pub mod apply;
pub mod autoscaling;
pub mod compact;
pub mod controller_revision;
pub mod cron;
pub mod cron_job;
pub mod daemon_set;
pub mod decode;
pub mod defaults;
pub mod diagnostic;
pub mod disruption;
pub mod documents;
pub mod edit;
pub mod int_or_percent;
pub mod ip_family;
pub mod job;
pub mod json;
pub mod kind;
pub mod kinds;
pub mod limit_range;
pub mod meta;
pub mod misc;
pub mod name;
pub mod node;
pub mod object;
pub mod patch;
pub mod pod;
pub mod quantity;
pub mod resource_quota;
pub mod resources;
pub mod rules;
pub mod selector_text;
pub mod service;
pub mod stateful_set;
pub mod status;
pub mod storage;
pub mod tree;
pub mod validation;
pub mod vertical;
pub mod workload;
pub mod yaml;
