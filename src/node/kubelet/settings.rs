//! How kubelets are set.

use super::backoff::BackoffLaw;
use super::shutdown::ShutdownGroup;
use super::{eviction, image_gc};
use crate::messages::engine::Pulls;
use crate::time::SimDuration;

/// Times of a kubelet that are not laid down by the pod.
#[derive(Clone, PartialEq, Debug)]
pub struct KubeletSettings {
    /// After which a sync that failed is tried again (`backOffPeriod`).
    pub error_retry: SimDuration,
    /// From a kubelet's start to its first clean-up of pods nobody claims (`housekeepingPeriod`).
    pub housekeeping: SimDuration,
    /// How containers that crash wait before they are started again.
    pub crashes: BackoffLaw,
    /// What pods may take when their node goes down; empty: it goes down at once.
    pub shutdown: Vec<ShutdownGroup>,
    /// How images are pulled.
    pub pulls: Pulls,
    /// When images that nobody uses are removed.
    pub images: image_gc::Policy,
    /// What becomes of containers that a kubelet finds running when it starts anew.
    pub found: Found,
    /// When a node is short of something, and how pods are evicted then.
    pub eviction: eviction::Settings,
}

/// Whether containers that a kubelet finds running are still what they were.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Found {
    /// They stay started and ready until a probe says otherwise.
    #[default]
    AsTheyWere,
    /// Probes have to find out anew (the gate `ChangeContainerStatusOnKubeletRestart`).
    Unknown,
}

impl Default for KubeletSettings {
    fn default() -> KubeletSettings {
        KubeletSettings {
            error_retry: SimDuration::from_secs(10),
            housekeeping: SimDuration::from_secs(2),
            crashes: BackoffLaw::KUBELET,
            shutdown: Vec::new(),
            pulls: Pulls::default(),
            images: image_gc::Policy::default(),
            found: Found::default(),
            eviction: eviction::Settings::default(),
        }
    }
}
