//! The four plugins about volumes, one after the other as the framework runs them.

use smallvec::SmallVec;

use super::super::framework::{Plugin, Question, Refusal, Rejection};
use super::super::node_info::NodeInfo;
use super::super::shape::PodShape;
use super::{node_volume_limits, volume_binding, volume_restrictions, volume_zone};
use crate::api::name::Text;

/// What PreFilter of these plugins worked out. One without a state has nothing to filter.
#[derive(Clone, Default, Debug)]
pub struct State {
    restrictions: Option<volume_restrictions::State>,
    binding: Option<volume_binding::State>,
    zone: Option<volume_zone::State>,
}

/// Runs PreFilter of those the profile has.
///
/// # Errors
/// The first refusal.
pub fn pre_filter(q: Question<'_>) -> Result<State, Refusal> {
    let mut state = State::default();
    if !concerns(q.pod) {
        return Ok(state);
    }
    let has = |plugin| q.profile.filters.has(plugin);
    if has(Plugin::VolumeRestrictions) {
        state.restrictions = volume_restrictions::pre_filter(q)?;
    }
    if has(Plugin::VolumeBinding) {
        state.binding = volume_binding::pre_filter(q)?;
    }
    if has(Plugin::VolumeZone) {
        state.zone = volume_zone::pre_filter(q)?;
    }
    Ok(state)
}

/// Whether these plugins have anything to say about a pod.
pub fn concerns(pod: &PodShape) -> bool {
    let volumes = &pod.spec().volumes;
    !volumes.claims.is_empty() || !volumes.disks.is_empty() || !volumes.in_tree.is_empty()
}

impl State {
    /// A pod comes (1) or goes (-1) in thought.
    pub fn shift(&mut self, pod: &PodShape, by: i64) {
        if let Some(restrictions) = &mut self.restrictions {
            restrictions.shift(pod, by);
        }
    }
}

/// Runs the filters: the first rejection, if any.
pub fn filter(q: Question<'_>, state: &State, node: &NodeInfo) -> Option<Rejection> {
    let restrictions = state.restrictions.as_ref();
    let limits = || q.profile.filters.has(Plugin::NodeVolumeLimits);
    restrictions
        .and_then(|state| volume_restrictions::filter(state, q.pod, node))
        .or_else(|| limits().then(|| node_volume_limits::filter(q, node)).flatten())
        .or_else(|| state.binding.and_then(|_| volume_binding::filter(q, node)))
        .or_else(|| state.zone.as_ref().and_then(|state| volume_zone::filter(state, node)))
}

/// The words of a rejection by one of these plugins; none for another.
pub fn reasons(rejection: Rejection, pod: &PodShape) -> SmallVec<[Text; 2]> {
    let detail = rejection.detail;
    match rejection.plugin {
        Plugin::VolumeRestrictions => {
            smallvec::smallvec![volume_restrictions::reason(detail).into()]
        }
        Plugin::NodeVolumeLimits => smallvec::smallvec![node_volume_limits::reason(detail, pod)],
        Plugin::VolumeBinding => volume_binding::reasons(detail),
        Plugin::VolumeZone => smallvec::smallvec![volume_zone::REASON.into()],
        _ => SmallVec::new(),
    }
}
