//! What serves the metrics APIs, as a Scenario says it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::judge::Judge;
use super::raw;
use super::reading;
use super::usage::{self, Unit};
use super::values::Span;
use crate::api::compact::DEFAULT_NAMESPACE;
use crate::api::meta::Labels;
use crate::api::rules::selector::Selector;
use crate::api::tree::Value;
use crate::control_plane::metrics_server::{Metrics, Owner, Pods, Series, Settings, Share};
use crate::time::SimDuration;

/// How often a figure that stands for what pods use is written anew, if nothing else is said.
const EVERY: SimDuration = SimDuration::from_secs(15);
/// The shortest period metrics-server takes (`--metric-resolution`).
const PERIOD_MIN: SimDuration = SimDuration::from_secs(10);
/// Figures of one Scenario at most.
const SERIES_MAX: usize = 10_000;

/// Judges `spec.metrics`; what is wrong is told to `judge`.
pub(super) fn metrics(written: raw::Metrics, judge: &mut Judge<'_, '_>) -> Metrics {
    let mut metrics = Metrics { server: server(judge), series: Vec::new() };
    let series = written.series.unwrap_or_default();
    if series.len() > SERIES_MAX {
        let message = format!("{} series: there may be up to {SERIES_MAX}", series.len());
        judge.error("spec.metrics.series", message);
        return metrics;
    }
    for (at, one) in series.into_iter().enumerate() {
        metrics.series.extend(figure(one, &format!("spec.metrics.series[{at}]"), judge));
    }
    metrics
}

/// `none`, or how it is run.
fn server(judge: &mut Judge<'_, '_>) -> Option<Settings> {
    const PATH: &str = "spec.metrics.server";
    let default = Settings::default();
    match judge.document.node.at_path(PATH).map(|node| &node.value) {
        None => return Some(default),
        Some(Value::Text(word)) if *word == "none" => return None,
        Some(Value::Text(word)) => {
            let word = word.to_string();
            judge.not_one_of(PATH, &word, &["none"]);
            return Some(default);
        }
        Some(_) => {}
    }
    let written: raw::MetricsServer = reading::whole(PATH, judge);
    let period = written.period.map_or(default.period, |Span(it)| it);
    if period < PERIOD_MIN {
        let message = "Invalid value: must be at least 10s, as metrics-server demands";
        judge.error(&format!("{PATH}.period"), message);
        return Some(default);
    }
    Some(Settings { period, delay: written.delay.map_or(default.delay, |Span(it)| it) })
}

fn figure(written: raw::Series, path: &str, judge: &mut Judge<'_, '_>) -> Option<Series> {
    let name = match (written.name, written.usage) {
        (Some(name), None) => name,
        (None, Some(resource)) if matches!(&*resource, "cpu" | "memory") => {
            return usage_of(&resource, written.pods, (written.every, written.shared), path, judge);
        }
        (None, Some(other)) => {
            judge.not_one_of(&format!("{path}.usage"), &other, &["cpu", "memory"]);
            return None;
        }
        (Some(_), Some(_)) => {
            judge.error(&format!("{path}.usage"), "Forbidden: may not be said beside name");
            return None;
        }
        (None, None) => {
            judge.missing(&format!("{path}.name"), "Required value: what the metric is called");
            return None;
        }
    };
    if written.every.is_some() {
        let message = "Forbidden: only usage is written anew now and then";
        judge.error(&format!("{path}.every"), message);
    }
    let of = match (written.pods, written.object) {
        (None, None) => {
            if written.shared == Some(true) {
                let message = "Forbidden: only pods share a figure";
                judge.error(&format!("{path}.shared"), message);
            }
            Owner::Outside
        }
        (Some(pods), None) => Owner::Pods(selected(pods, written.shared)),
        (None, Some(object)) => owner(&object, &format!("{path}.object"), judge)?,
        (Some(_), Some(_)) => {
            judge.error(&format!("{path}.object"), "Forbidden: may not be said beside pods");
            return None;
        }
    };
    let labels = labels(written.labels.unwrap_or_default());
    let course = usage::series(&format!("{path}.value"), Unit::Milli, judge)?;
    Some(Series { name: name.into(), labels, of, course })
}

fn usage_of(
    resource: &str,
    pods: Option<raw::SeriesPods>,
    (every, shared): (Option<Span>, Option<bool>),
    path: &str,
    judge: &mut Judge<'_, '_>,
) -> Option<Series> {
    let Some(pods) = pods else {
        judge.missing(&format!("{path}.pods"), "Required value: whose usage it is");
        return None;
    };
    let every = every.map_or(EVERY, |Span(it)| it);
    if every.is_zero() {
        judge.error(&format!("{path}.every"), "Invalid value: 0s: must be longer than nothing");
        return None;
    }
    let of = Owner::Usage { pods: selected(pods, shared), every };
    let course = usage::series(&format!("{path}.value"), Unit::Milli, judge)?;
    Some(Series { name: resource.into(), labels: Labels::new(), of, course })
}

fn labels(written: BTreeMap<String, String>) -> Labels {
    written.into_iter().map(|(key, value)| (key.into(), value.into())).collect()
}

fn selected(written: raw::SeriesPods, shared: Option<bool>) -> Pods {
    let namespace = written.namespace.unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned());
    let selector = Selector::of_labels(&labels(written.labels.unwrap_or_default()));
    let share = if shared == Some(true) { Share::Together } else { Share::Each };
    Pods { namespace: namespace.into(), selector: Arc::new(selector), share }
}

/// `ingress/shop/main`, or `ingress/main` of the default namespace.
fn owner(written: &str, path: &str, judge: &mut Judge<'_, '_>) -> Option<Owner> {
    let parts: Vec<&str> = written.split('/').collect();
    let (kind, namespace, name) = match parts[..] {
        [kind, namespace, name] => (kind, namespace, name),
        [kind, name] => (kind, DEFAULT_NAMESPACE, name),
        _ => ("", "", ""),
    };
    if kind.is_empty() || namespace.is_empty() || name.is_empty() {
        let message =
            format!("Invalid value: {written:?}: expected an object as in ingress/shop/main");
        judge.error(path, message);
        return None;
    }
    Some(Owner::Object {
        kind: kind.to_lowercase().into(),
        namespace: namespace.into(),
        name: name.into(),
    })
}
