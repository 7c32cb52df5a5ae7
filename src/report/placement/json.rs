//! A schedule as JSON.

use std::collections::BTreeMap;

use crate::api::node::Node;
use crate::base::id::Id;
use crate::control_plane::scheduler::algorithm::{Code, Explanation, PodShape, Rejection};
use crate::control_plane::scheduler::alone::{Fate, Outcome, Step};
use crate::record::Json;

/// The schedule; steps are whole only where every decision was told.
pub fn json(outcome: &Outcome) -> Json {
    Json::map([
        ("steps", Json::List(outcome.steps.iter().map(|one| step(outcome, one)).collect())),
        ("final", last(outcome)),
    ])
}

/// Fields in order; those without a value are left out.
#[derive(Default)]
struct Fields(Vec<(String, Json)>);

impl Fields {
    fn put(&mut self, key: &str, value: impl Into<Option<Json>>) {
        self.0.extend(value.into().map(|value| (key.to_owned(), value)));
    }
}

fn texts(names: impl IntoIterator<Item = String>) -> Json {
    Json::List(names.into_iter().map(Json::Text).collect())
}

fn sorted(outcome: &Outcome, nodes: impl Iterator<Item = Id<Node>>) -> Json {
    let mut names: Vec<String> = nodes.map(|id| outcome.node_name(id)).collect();
    names.sort();
    texts(names)
}

fn step(outcome: &Outcome, step: &Step) -> Json {
    let mut fields = Fields::default();
    fields.put("pod", Json::text(outcome.pod_name(step.pod)));
    fields.put("attempt", Json::count(u64::from(step.attempt)));
    fields.put("num_nodes", Json::count(outcome.nodes.len() as u64));
    let nominated = step.nominated.map(|node| Json::text(outcome.node_name(node)));
    if let Some(told) = step.told.as_deref() {
        fields.put("evaluated", Json::count(evaluated(step, told)));
        fields.put("nominated_before", nominated);
        fields.put("feasible", sorted(outcome, told.feasible.iter().copied()));
        fields.put("scored", Json::Bool(!told.totals.is_empty()));
        if !told.totals.is_empty() {
            scores(outcome, told, &mut fields);
        }
        if step.chosen.is_some() {
            fields.put("max_set", sorted(outcome, told.best()));
        }
    } else {
        fields.put("nominated_before", nominated);
    }
    fields.put("chosen", step.chosen.map(|node| Json::text(outcome.node_name(node))));
    if let Some(told) = step.told.as_deref() {
        rejected(outcome, step, told, &mut fields);
    }
    let mut plugins = step.plugins;
    for (_, rejection) in step.told.iter().flat_map(|told| &told.rejected) {
        plugins.insert(rejection.plugin);
    }
    let mut plugins: Vec<String> = plugins.iter().map(|one| one.name().to_owned()).collect();
    plugins.sort();
    fields.put("unschedulable_plugins", (!plugins.is_empty()).then(|| texts(plugins)));
    if let Some(message) = &step.failure {
        fields.put("failure_message", Json::text(&**message));
        fields.put("failure_reason", Json::text("Unschedulable"));
    }
    if let Some(preempted) = &step.preempted {
        let victims = preempted.victims.iter().map(|pod| outcome.pod_name(*pod));
        let preemption = Json::map([
            ("nominated", Json::text(outcome.node_name(preempted.node))),
            ("victims", texts(victims)),
        ]);
        fields.put("preemption", preemption);
    }
    Json::Map(fields.0)
}

/// `EvaluatedNodes` of a result: an attempt that found no node has none.
fn evaluated(step: &Step, told: &Explanation) -> u64 {
    match step.chosen {
        Some(_) => (told.feasible.len() + told.rejected.len()) as u64,
        None => 0,
    }
}

fn scores(outcome: &Outcome, told: &Explanation, fields: &mut Fields) {
    let by_node = |scores: &[i64]| {
        let named = told.feasible.iter().zip(scores);
        let named: BTreeMap<String, i64> =
            named.map(|(id, score)| (outcome.node_name(*id), *score)).collect();
        Json::Map(named.into_iter().map(|(name, score)| (name, Json::Int(score))).collect())
    };
    fields.put("scores", by_node(&told.totals));
    let of_plugins: BTreeMap<&str, Json> =
        told.scores.iter().map(|one| (one.plugin.name(), by_node(&one.normalized))).collect();
    let of_plugins = of_plugins.into_iter().map(|(name, scores)| (name.to_owned(), scores));
    fields.put("per_plugin", Json::Map(of_plugins.collect()));
}

/// How a node was rejected, in the names of the API.
pub(super) fn code(code: Code) -> &'static str {
    match code {
        Code::Unschedulable => "Unschedulable",
        Code::UnschedulableAndUnresolvable => "UnschedulableAndUnresolvable",
    }
}

fn rejected(outcome: &Outcome, step: &Step, told: &Explanation, fields: &mut Fields) {
    let shape = PodShape::of(&outcome.pods[step.pod.slot()]);
    let mut groups: BTreeMap<Rejection, Vec<Id<Node>>> = BTreeMap::new();
    for (node, rejection) in &told.rejected {
        groups.entry(*rejection).or_default().push(*node);
    }
    let groups: Vec<Json> = groups
        .into_iter()
        .map(|(rejection, nodes)| {
            let reasons =
                rejection.reasons(&shape).iter().map(ToString::to_string).collect::<Vec<_>>();
            Json::map([
                ("plugin", Json::text(rejection.plugin.name())),
                ("code", Json::text(code(rejection.code))),
                ("reasons", texts(reasons)),
                ("nodes", sorted(outcome, nodes.into_iter())),
            ])
        })
        .collect();
    fields.put("rejected", (!groups.is_empty()).then_some(Json::List(groups)));
    if let Some(refusal) = told.diagnosis.refused.as_ref().filter(|_| step.chosen.is_none()) {
        let absent = Json::map([
            ("plugin", Json::text(refusal.plugin.name())),
            ("code", Json::text(code(refusal.code))),
            ("reasons", texts([refusal.words.to_string()])),
            ("nodes", Json::Null),
        ]);
        fields.put("absent_nodes", absent);
    }
}

/// Where every pod ended.
fn last(outcome: &Outcome) -> Json {
    let mut bound = BTreeMap::new();
    let (mut waiting, mut gated, mut deleted) = (Vec::new(), Vec::new(), Vec::new());
    let mut ignored = BTreeMap::new();
    for (pod, fate) in outcome.fates() {
        let name = outcome.pod_name(pod);
        match fate {
            Fate::There(node) | Fate::Bound(node) => {
                bound.insert(name, Json::text(outcome.node_name(node)));
            }
            Fate::Waiting => waiting.push(name),
            Fate::Ignored => {
                let scheduler = &outcome.pods[pod.slot()].spec.scheduler_name;
                ignored.insert(name.clone(), Json::text(&**scheduler));
                waiting.push(name);
            }
            Fate::Gated => gated.push(name),
            Fate::Preempted | Fate::Deleted => deleted.push(name),
            Fate::Ended | Fate::Away => {}
        }
    }
    for list in [&mut waiting, &mut gated, &mut deleted] {
        list.sort();
    }
    let mut fields = Fields::default();
    fields.put("bound", Json::Map(bound.into_iter().collect()));
    fields.put("unschedulable", texts(waiting));
    fields.put("gated", (!gated.is_empty()).then(|| texts(gated)));
    fields.put("deleted", texts(deleted));
    let unknown = Json::Map(ignored.into_iter().collect());
    fields.put("unknown_scheduler", (unknown != Json::Map(Vec::new())).then_some(unknown));
    Json::Map(fields.0)
}
