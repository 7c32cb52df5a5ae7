//! VerticalPodAutoscalerCheckpoints (`autoscaling.k8s.io/v1`): what a recommender knows of the containers of one name
//! of an autoscaler's pods, for the next recommender to go on from (vertical-pod-autoscaler
//! pkg/apis/autoscaling.k8s.io/v1/types.go, pkg/recommender/model/aggregate_container_state.go).
//!
//! Owns the format; refuses to know what histograms are for.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::GROUP;
use crate::api::meta::Meta;
use crate::api::misc::Other;
use crate::api::name::Text;

/// Their kind.
pub const KIND: &str = "VerticalPodAutoscalerCheckpoint";
/// `SupportedCheckpointVersion`: others cannot be read.
const VERSION: &str = "v3";

/// A histogram as a checkpoint keeps it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Weights {
    /// The instant that weights are relative to; older samples weigh less.
    pub reference: Option<Timestamp>,
    /// Weight of all buckets that are not empty, in ten-thousandths of the heaviest.
    pub buckets: BTreeMap<u16, u32>,
    /// What they weigh together.
    pub total: f64,
}

/// What one holds.
#[derive(Clone, PartialEq, Debug)]
pub struct Checkpoint {
    /// Its autoscaler, of the same namespace.
    pub vertical: Text,
    /// The containers' name.
    pub container: Text,
    /// The first sample of processors, and the last.
    pub span: Option<(Timestamp, Timestamp)>,
    /// How many there were.
    pub samples: u64,
    /// Of processors.
    pub cpu: Weights,
    /// Of peaks of memory.
    pub memory: Weights,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Raw {
    spec: RawSpec,
    status: RawStatus,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RawSpec {
    #[serde(rename = "vpaObjectName")]
    vertical: String,
    container_name: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RawStatus {
    version: String,
    first_sample_start: Option<Timestamp>,
    last_sample_start: Option<Timestamp>,
    total_samples_count: u64,
    cpu_histogram: RawWeights,
    memory_histogram: RawWeights,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct RawWeights {
    reference_timestamp: Option<Timestamp>,
    bucket_weights: BTreeMap<u16, u32>,
    total_weight: f64,
}

/// Whether an object of another kind is one.
pub fn is_checkpoint(other: &Other) -> bool {
    let group = other.api_version.split_once('/').map_or("", |(group, _)| group);
    group == GROUP && &*other.kind == KIND
}

impl Checkpoint {
    /// What is written of one; nothing where it cannot be gone on from.
    pub fn of(other: &Other) -> Option<Checkpoint> {
        let Raw { spec, status } = serde_json::from_str(&other.written).ok()?;
        let of = |raw: RawWeights| Weights {
            reference: raw.reference_timestamp,
            buckets: raw.bucket_weights,
            total: raw.total_weight,
        };
        (status.version == VERSION).then(|| Checkpoint {
            vertical: spec.vertical.into(),
            container: spec.container_name.into(),
            span: status.first_sample_start.zip(status.last_sample_start),
            samples: status.total_samples_count,
            cpu: of(status.cpu_histogram),
            memory: of(status.memory_histogram),
        })
    }

    /// Whose it is, and of which containers.
    pub fn names(other: &Other) -> Option<(Text, Text)> {
        let Raw { spec, .. } = serde_json::from_str(&other.written).ok()?;
        Some((spec.vertical.into(), spec.container_name.into()))
    }

    /// The object: a new one, or the one that is `held` with another status.
    pub fn object(&self, namespace: &Text, held: Option<&Other>, now: Timestamp) -> Other {
        let (api_version, name) =
            (format!("{GROUP}/v1"), format!("{}-{}", self.vertical, self.container));
        let mut whole =
            held.and_then(|it| serde_json::from_str(&it.written).ok()).unwrap_or_else(|| {
                json!({
                    "apiVersion": api_version,
                    "kind": KIND,
                    "metadata": {"name": name, "namespace": &**namespace},
                    "spec": {"containerName": &*self.container, "vpaObjectName": &*self.vertical},
                })
            });
        whole["status"] = json!({
            "version": VERSION,
            "lastUpdateTime": shown(Some(now)),
            "firstSampleStart": shown(self.span.map(|span| span.0)),
            "lastSampleStart": shown(self.span.map(|span| span.1)),
            "totalSamplesCount": self.samples,
            "cpuHistogram": weights(&self.cpu),
            "memoryHistogram": weights(&self.memory),
        });
        let written = whole.to_string().into();
        match held {
            Some(held) => Other { written, ..held.clone() },
            None => {
                let meta = Meta::new(namespace.clone(), name.as_str().into());
                Other { meta, api_version: api_version.into(), kind: KIND.into(), written }
            }
        }
    }
}

/// An instant to the second, as all of Kubernetes writes it.
fn shown(at: Option<Timestamp>) -> Value {
    let at = at.and_then(|at| Timestamp::from_second(at.as_second()).ok());
    at.map_or(Value::Null, |at| json!(at.to_string()))
}

fn weights(of: &Weights) -> Value {
    let buckets = of.buckets.iter().map(|(bucket, weight)| (bucket.to_string(), json!(weight)));
    let buckets: serde_json::Map<String, Value> = buckets.collect();
    json!({
        "referenceTimestamp": shown(of.reference),
        "bucketWeights": buckets,
        "totalWeight": of.total,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_read_as_it_was_written_unless_it_is_of_another_version() {
        let at = |second| Timestamp::from_second(second).expect("an instant");
        let of = |total| Weights {
            reference: Some(at(1_767_225_600)),
            buckets: BTreeMap::from([(3, 10_000), (70, 1)]),
            total,
        };
        let checkpoint = Checkpoint {
            vertical: "web".into(),
            container: "main".into(),
            span: Some((at(1_767_225_615), at(1_767_229_200))),
            samples: 60,
            cpu: of(6.25),
            memory: of(1.0),
        };
        let object = checkpoint.object(&"shop".into(), None, at(1_767_229_260));
        assert!(is_checkpoint(&object));
        assert_eq!(object.meta.name.to_string(), "web-main");
        assert_eq!(Checkpoint::of(&object), Some(checkpoint.clone()));
        let more = Checkpoint { samples: 61, ..checkpoint };
        let next = more.object(&"shop".into(), Some(&object), at(1_767_229_320));
        assert_eq!(Checkpoint::of(&next), Some(more));
        let foreign = next.written.replace("\"v3\"", "\"foo\"");
        let foreign = Other { written: foreign.into(), ..next };
        assert_eq!(Checkpoint::of(&foreign), None);
        assert_eq!(Checkpoint::names(&foreign), Some(("web".into(), "main".into())));
    }
}
