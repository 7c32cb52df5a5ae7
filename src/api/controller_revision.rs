//! ControllerRevisions as a run holds them: what a StatefulSet or DaemonSet was at some time.

use std::sync::Arc;

use super::meta::Meta;
use super::pod::PodTemplate;

/// A ControllerRevision. Its data is a patch that brings back a pod template, so the template
/// stands for it.
#[derive(Clone, PartialEq, Debug)]
pub struct ControllerRevision {
    /// Its metadata.
    pub meta: Meta,
    /// `revision`: the greater, the newer.
    pub revision: i64,
    /// The template kept.
    pub template: Arc<PodTemplate>,
}
