//! VolumeZone: a volume labelled with a zone or region is used there (`plugins/volumezone`, 1.36).

use super::super::framework::{Code, Plugin, Question, Refusal, Rejection};
use super::super::node_info::NodeInfo;
use crate::api::name::Text;
use crate::api::rules::volumes::PodClaim;
use crate::api::storage::BindingMode;

/// Its words.
pub const REASON: &str = "node(s) had no available volume zone";

/// Labels that say where a volume lies, each with the one in its place today.
const KEYS: [(&str, &str); 4] = [
    ("failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone"),
    ("failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region"),
    ("topology.kubernetes.io/zone", "topology.kubernetes.io/zone"),
    ("topology.kubernetes.io/region", "topology.kubernetes.io/region"),
];
/// What lies between the zones of a volume that lies in several.
const SEPARATOR: &str = "__";

/// Where the pod's volumes lie: labels with the values they may have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct State {
    places: Vec<(usize, Vec<Text>)>,
}

fn refuse(words: impl Into<Text>) -> Refusal {
    Refusal {
        plugin: Plugin::VolumeZone,
        code: Code::UnschedulableAndUnresolvable,
        words: words.into(),
    }
}

/// PreFilter: no state where there is nothing to filter.
///
/// # Errors
/// A claim, volume or class that is not there, or a claim that has none.
pub fn pre_filter(q: Question<'_>) -> Result<Option<State>, Refusal> {
    let volumes = q.snapshot.surroundings().volumes();
    let mut places = Vec::new();
    for wanted in &q.pod.spec().volumes.claims {
        let PodClaim::Named(name) = wanted else { continue };
        let claim = volumes
            .claim(q.pod.namespace(), name)
            .ok_or_else(|| refuse(format!("persistentvolumeclaim \"{name}\" not found")))?;
        let Some(volume) = &claim.volume else {
            let class = claim.spec.class_name();
            if class.is_empty() {
                return Err(refuse("PersistentVolumeClaim had no pv name and storageClass name"));
            }
            let found = volumes.class(class);
            let found = found.ok_or_else(|| {
                refuse(format!("storageclass.storage.k8s.io \"{class}\" not found"))
            })?;
            match found.binding {
                BindingMode::WaitForFirstConsumer => continue,
                BindingMode::Immediate => return Err(refuse("PersistentVolume had no name")),
            }
        };
        let volume = volumes
            .volume(volume)
            .ok_or_else(|| refuse(format!("persistentvolume \"{volume}\" not found")))?;
        for (at, (key, _)) in KEYS.iter().enumerate() {
            let written = volume.meta.labels.get(*key);
            places.extend(written.and_then(|written| Some((at, zones(written)?))));
        }
    }
    Ok((!places.is_empty()).then_some(State { places }))
}

/// The zones a label names; none if one of them is empty.
fn zones(written: &str) -> Option<Vec<Text>> {
    let zones = written.split(SEPARATOR).map(str::trim);
    zones.map(|zone| (!zone.is_empty()).then(|| zone.into())).collect()
}

/// Rejects nodes that lie elsewhere; a node of which nobody knows where it lies will do.
pub fn filter(state: &State, node: &NodeInfo) -> Option<Rejection> {
    if KEYS.iter().all(|(key, _)| !node.labels.contains_key(*key)) {
        return None;
    }
    let is_there = |(at, values): &(usize, Vec<Text>)| {
        let (key, today) = KEYS[*at];
        let value = node.labels.get(key).or_else(|| node.labels.get(today));
        value.is_some_and(|value| values.contains(value))
    };
    let code = Code::UnschedulableAndUnresolvable;
    (!state.places.iter().all(is_there)).then_some(Rejection::of(Plugin::VolumeZone, code))
}
