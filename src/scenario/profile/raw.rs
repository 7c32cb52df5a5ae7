//! A Profile as written: every field optional, none judged.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::scenario::values::Span;

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Profile {
    #[allow(dead_code, reason = "looked at before the document is read as a whole")]
    pub api_version: Option<String>,
    #[allow(dead_code, reason = "looked at before the document is read as a whole")]
    pub kind: Option<String>,
    pub metadata: Option<Metadata>,
    pub spec: Option<Spec>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Metadata {
    pub name: Option<String>,
    #[allow(dead_code, reason = "kept in the inputs, plays no part")]
    pub annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Spec {
    pub measured: Option<Measured>,
    pub contention: Option<Contention>,
    pub phases: Option<BTreeMap<String, Phase>>,
    pub pull: Option<Pull>,
    pub oom: Option<Oom>,
    pub quota: Option<Vec<Ceiling>>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Measured {
    pub at: Option<String>,
    pub cpu: Option<String>,
    pub cores: Option<u32>,
    pub kernel: Option<String>,
    pub cgroups: Option<String>,
    pub network: Option<String>,
    pub runtime: Option<String>,
    pub oci: Option<String>,
    pub took: Option<Span>,
    pub pressure: Option<Pressure>,
    pub steal: Option<Steal>,
    pub busy: Option<bool>,
    pub samples: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Pressure {
    pub before: Option<f64>,
    pub after: Option<f64>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Steal {
    pub before: Option<f64>,
    pub during: Option<f64>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Contention {
    pub behind: Option<f64>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Phase {
    pub samples: Option<u32>,
    pub floor: Option<Span>,
    pub p50: Option<Span>,
    pub p99: Option<Span>,
    pub quantiles: Option<Vec<Span>>,
    pub work: Option<f64>,
    pub distance: Option<f64>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Pull {
    pub samples: Option<u32>,
    pub base: Option<Span>,
    pub bytes_per_second: Option<u64>,
    pub per_file: Option<Span>,
    pub files_per_mebibyte: Option<u32>,
    pub spread: Option<f64>,
    pub work: Option<f64>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Oom {
    pub runs: Option<u32>,
    pub seen: Option<u32>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Ceiling {
    pub quota: Option<f64>,
    pub threads: Option<u32>,
    pub used: Option<f64>,
}
