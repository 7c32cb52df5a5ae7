//! What is seen of pods in a run, so that two runs can be held side by side: what happened to each, in which order,
//! with which codes and reasons, and how long after what came before.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::api::kind::Kind;
use crate::cluster::plan::Plan;
use crate::kernel::FactSink;
use crate::messages::{Fact, Listening, Verb};
use crate::record::Metrics;
use crate::runs::{Task, run_task};
use crate::time::{SimDuration, SimTime};

/// What is looked at. Bytes and instants are the engine's own.
const VERBS: [Verb; 15] = [
    Verb::Created,
    Verb::Bound,
    Verb::Accepted,
    Verb::Pulling,
    Verb::Pulled,
    Verb::Started,
    Verb::Exited,
    Verb::Killing,
    Verb::ProbeFailed,
    Verb::BackOff,
    Verb::Running,
    Verb::Ready,
    Verb::Unready,
    Verb::Finished,
    Verb::Deleted,
];
/// Integers that both ways must have alike.
const VALUES: [&str; 6] =
    ["container", "exit_code", "restarts", "seconds", "failed", "grace_seconds"];

/// A fact about a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    at: SimTime,
    pod: String,
    verb: Verb,
    /// The fact in words, without its time.
    words: String,
}

/// All of a run.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Watched {
    seen: Vec<Seen>,
}

impl FactSink<Fact> for Watched {
    fn record(&mut self, at: SimTime, _: u64, _: u64, fact: &Fact) {
        if fact.object.kind != Kind::Pod || !VERBS.contains(&fact.verb) {
            return;
        }
        let mut words = fact.verb.name().to_owned();
        for (key, value) in fact.values.iter().filter(|(key, _)| VALUES.contains(key)) {
            words += &format!(" {key}={value}");
        }
        if let (Verb::Exited, Some(why)) = (fact.verb, &fact.message) {
            words += &format!(" ({why})");
        }
        let pod = fact.object.name.to_string();
        self.seen.push(Seen { at, pod, verb: fact.verb, words });
    }
}

/// What pods of one owner are called by, without what was made up for each.
fn owner(pod: &str) -> &str {
    pod.rsplit_once('-').map_or(pod, |(owner, _)| owner)
}

impl Watched {
    /// How often something happened.
    pub fn count(&self, verb: Verb) -> usize {
        self.seen.iter().filter(|seen| seen.verb == verb).count()
    }

    /// What happened to each pod in order, by owner; pods of one owner are alike, so theirs are in no order.
    pub fn stories(&self) -> BTreeMap<String, Vec<Vec<String>>> {
        let mut pods: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for seen in &self.seen {
            pods.entry(&seen.pod).or_default().push(seen.words.clone());
        }
        let mut owners: BTreeMap<String, Vec<Vec<String>>> = BTreeMap::new();
        for (pod, story) in pods {
            owners.entry(owner(pod).to_owned()).or_default().push(story);
        }
        owners.values_mut().for_each(|stories| stories.sort());
        owners
    }

    /// From each thing that happened to a pod to the next, by both their names.
    pub fn spans(&self) -> Vec<(String, SimDuration)> {
        let mut last: BTreeMap<&str, &Seen> = BTreeMap::new();
        let mut spans = Vec::new();
        for seen in &self.seen {
            // Until a kubelet has the pod, no engine is in it.
            if let Some(before) = last.insert(&seen.pod, seen)
                && !matches!(seen.verb, Verb::Bound | Verb::Accepted)
            {
                spans.push((format!("{} to {}", before.verb, seen.verb), seen.at - before.at));
            }
        }
        spans
    }
}

/// Where the stories of two runs first part; nothing if they are equal.
pub fn parted(real: &Watched, model: &Watched) -> Option<String> {
    let (real, model) = (real.stories(), model.stories());
    let mut owners: Vec<&String> = real.keys().chain(model.keys()).collect();
    owners.sort();
    owners.dedup();
    let none = Vec::new();
    for owner in owners {
        let (a, b) = (real.get(owner).unwrap_or(&none), model.get(owner).unwrap_or(&none));
        if a.len() != b.len() {
            return Some(format!("{owner}: {} pods for real, {} in the model", a.len(), b.len()));
        }
        for (a, b) in a.iter().zip(b) {
            let at = (0..a.len().max(b.len())).find(|at| a.get(*at) != b.get(*at));
            if let Some(at) = at {
                let shown = |story: &[String]| story.get(at).cloned().unwrap_or("nothing".into());
                let before = at.checked_sub(1).map_or("the beginning", |before| &a[before]);
                return Some(format!(
                    "{owner}: after {before:?} came {:?} for real, {:?} in the model",
                    shown(a),
                    shown(b)
                ));
            }
        }
    }
    None
}

/// Runs a plan in virtual time.
pub fn modelled(plan: Arc<Plan>) -> Watched {
    let mut watched = Watched::default();
    let mut metrics = Metrics::default();
    let never = AtomicBool::new(false);
    let task = Task {
        plan,
        expectations: Arc::default(),
        sink: &mut watched,
        metrics: &mut metrics,
        interrupt: &never,
        events_max: u64::MAX,
        listening: Listening::Nobody,
    };
    run_task(task, &mut |_| ControlFlow::Continue(()));
    watched
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::meta::ObjectName;
    use crate::messages::Component;

    fn watched(facts: &[(u64, &str, Verb, i64)]) -> Watched {
        let mut watched = Watched::default();
        for (millis, pod, verb, code) in facts {
            let object =
                ObjectName { kind: Kind::Pod, namespace: "default".into(), name: (*pod).into() };
            let fact = Fact::new(Component::Kubelet, *verb, object).with("exit_code", *code);
            let fact = fact.with("bytes", *millis as i64);
            watched.record(SimTime::from_millis(*millis), 0, 0, &fact);
        }
        watched
    }

    #[test]
    fn pods_of_one_owner_are_alike_and_codes_are_not() {
        let one = watched(&[
            (1, "web-x", Verb::Started, 0),
            (2, "web-y", Verb::Started, 0),
            (3, "web-y", Verb::Exited, 3),
        ]);
        let other = watched(&[
            (5, "web-x", Verb::Started, 0),
            (5, "web-x", Verb::Exited, 3),
            (9, "web-y", Verb::Started, 0),
        ]);
        assert_eq!(parted(&one, &other), None);
        let wrong = watched(&[
            (5, "web-x", Verb::Started, 0),
            (5, "web-x", Verb::Exited, 4),
            (9, "web-y", Verb::Started, 0),
        ]);
        let told = parted(&one, &wrong).expect("another code");
        assert!(told.contains("exit_code=3") && told.contains("exit_code=4"), "{told}");
        let fewer = watched(&[(5, "web-x", Verb::Started, 0)]);
        assert!(parted(&one, &fewer).is_some_and(|told| told.contains("2 pods for real, 1")));
    }

    #[test]
    fn spans_are_those_of_one_pod() {
        let run = watched(&[
            (10, "a", Verb::Started, 0),
            (12, "b", Verb::Started, 0),
            (40, "a", Verb::Ready, 0),
        ]);
        let expected = ("started to ready".to_owned(), SimDuration::from_millis(30));
        assert_eq!(run.spans(), [expected]);
    }
}
