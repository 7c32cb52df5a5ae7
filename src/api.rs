//! Kubernetes objects: as people write them, as the API server checks them, as we hold them.
pub mod quantity;
pub mod validation;
