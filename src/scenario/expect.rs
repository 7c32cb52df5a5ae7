//! The expectations of a Scenario: what is wrong with them is told at the column of the condition.

use std::collections::BTreeSet;

use super::judge::Judge;
use super::raw;
use crate::api::diagnostic::{Diagnostic, Severity};
use crate::api::kind::Kind;
use crate::api::kinds::nearest;
use crate::api::meta::Labels;
use crate::api::object::Object;
use crate::api::rules::selector::Requirement;
use crate::api::vertical::is_vertical;
use crate::cluster::plan::{Act, Plan, PlannedObject};
use crate::expect::{
    Builder, Expectations, Mention, Mode, Noun, Place, Problem, Subject, requirements,
};
use crate::time::SimDuration;

/// What a Scenario expects.
#[derive(Debug, Default)]
pub(super) struct Expected {
    pub expectations: Expectations,
    /// What its conditions name: whether it is there is known when everything was read.
    pub mentioned: Mentioned,
}

impl Expected {
    /// Findings that may yet be told.
    pub(super) fn findings(&mut self) -> impl Iterator<Item = &mut Diagnostic> {
        let Mentioned { subjects, steps } = &mut self.mentioned;
        let subjects = subjects.iter_mut().map(|(_, finding)| finding);
        subjects.chain(steps.iter_mut().map(|(_, finding)| finding))
    }
}

/// What conditions name, each with what is to be said if it is not there.
#[derive(Debug, Default)]
pub(super) struct Mentioned {
    subjects: Vec<(Subject, Diagnostic)>,
    /// Steps and faults of the timeline.
    steps: Vec<(String, Diagnostic)>,
}

/// Reads expectations.
pub(super) fn expect(written: Vec<raw::Expect>, judge: &mut Judge<'_, '_>) -> Expected {
    let mut builder = Builder::default();
    let mut mentioned = Mentioned::default();
    let mut names = BTreeSet::new();
    for (at, one) in written.into_iter().enumerate() {
        let path = format!("spec.expect[{at}]");
        let Some((mode, text)) = mode(&one, &path, judge) else { continue };
        let name = match &one.name {
            Some(name) => name.clone(),
            None => format!("{}-{at}", mode.word()),
        };
        if name.is_empty() {
            judge.error(&format!("{path}.name"), "Invalid value: \"\": expected a name");
        } else if !names.insert(name.clone()) {
            judge.error(&format!("{path}.name"), format!("a second expectation named {name:?}"));
        }
        if let Some(of) = &one.of {
            let finding = judge.document.finding(Severity::Error, &format!("{path}.of"), "");
            mentioned.steps.push((of.clone(), finding));
        }
        windows(&one, mode, &path, judge);
        let place = format!("{path}.{}", mode.word());
        let condition = match builder.condition(text) {
            Ok(condition) => condition,
            Err(problems) => {
                for problem in problems {
                    let finding = finding(judge, &place, text, &problem);
                    judge.findings.push(finding);
                }
                continue;
            }
        };
        for Mention { at, subject } in condition.mentions.clone() {
            let problem = Problem { at, message: String::new(), hint: None };
            mentioned.subjects.push((subject, finding(judge, &place, text, &problem)));
        }
        let line = judge.document.locate(&path).line;
        let source = Place { file: judge.document.file.to_owned(), line };
        let expectation = builder.expect(name.into(), mode, condition, source);
        expectation.of = one.of.as_deref().map(Into::into);
        expectation.after = one.after.map_or(SimDuration::ZERO, |span| span.0);
        expectation.within = one.within.map(|span| span.0);
        expectation.hold = one.lasts.map(|span| span.0);
    }
    Expected { expectations: builder.finish(), mentioned }
}

fn mode<'e>(
    one: &'e raw::Expect,
    path: &str,
    judge: &mut Judge<'_, '_>,
) -> Option<(Mode, &'e String)> {
    let forms = [
        (Mode::Always, &one.always),
        (Mode::Never, &one.never),
        (Mode::Eventually, &one.eventually),
        (Mode::AtEnd, &one.at_end),
    ];
    let given: Vec<_> =
        forms.iter().filter_map(|(mode, text)| Some((*mode, text.as_ref()?))).collect();
    if let [one] = given[..] {
        return Some(one);
    }
    let found: Vec<&str> = given.iter().map(|(mode, _)| mode.word()).collect();
    let message = "expected exactly one of always, never, eventually, atEnd; found";
    if found.is_empty() {
        judge.missing(path, format!("{message} none"));
    } else {
        judge.error(path, format!("{message} {}", found.join(" and ")));
    }
    None
}

/// Windows that contradict themselves.
fn windows(one: &raw::Expect, mode: Mode, path: &str, judge: &mut Judge<'_, '_>) {
    let mut wrong = |field: &str, message: &str| judge.error(&format!("{path}.{field}"), message);
    if mode == Mode::AtEnd {
        for (field, given) in [
            ("of", one.of.is_some()),
            ("after", one.after.is_some()),
            ("within", one.within.is_some()),
        ] {
            if given {
                wrong(field, "atEnd looks at the end of the run: it has no window");
            }
        }
        return;
    }
    let after = one.after.map_or(SimDuration::ZERO, |span| span.0);
    let within = one.within.map(|span| span.0);
    let hold = one.lasts.map(|span| span.0);
    if hold.is_some_and(SimDuration::is_zero) {
        wrong("for", "must be longer than 0s");
    }
    if within.is_some_and(|within| within <= after) {
        wrong(
            "within",
            "the window is empty: it ends before it begins (both count from the same instant)",
        );
        return;
    }
    match (mode, within, hold) {
        (Mode::Eventually, Some(within), Some(hold)) if after + hold > within => {
            wrong("for", "is longer than the window");
        }
        (Mode::Always | Mode::Never, Some(_), Some(_)) => {
            wrong("for", "is the window's length here, and within gives another: choose one");
        }
        _ => {}
    }
}

/// A problem of a condition with its place in the file: the very column, if the condition stands in one
/// line as it is.
fn finding(judge: &Judge<'_, '_>, path: &str, text: &str, problem: &Problem) -> Diagnostic {
    let message = format!("column {}: {}", problem.at + 1, problem.message);
    let mut finding = judge.document.finding(Severity::Error, path, message);
    finding.hint.clone_from(&problem.hint);
    let line = judge.document.line_from(path);
    if let Some(before) = line.find(text).map(|at| line[..at].chars().count())
        && let Ok(shift) = u32::try_from(before + problem.at)
    {
        finding.position.column += shift;
    }
    finding
}

impl Mentioned {
    /// What is named and not there.
    pub(super) fn check(self, plan: &Plan) -> Vec<Diagnostic> {
        let applied = plan.steps.iter().filter_map(|step| match &step.act {
            Act::Apply(list) => Some(list),
            _ => None,
        });
        let mirrors = plan.mirrors();
        let objects = plan.objects.iter().chain(&mirrors).chain(applied.flatten());
        let objects: Vec<&PlannedObject> = objects.collect();
        let relabels = plan.steps.iter().any(|it| ["patch", "label"].contains(&it.act.verb()));
        let mut findings = Vec::new();
        let steps: Vec<&str> = plan.steps.iter().map(|step| &*step.name).collect();
        for (of, mut finding) in self.steps {
            if !steps.contains(&of.as_str()) {
                finding.message = format!("the timeline has no step named {of:?}");
                finding.hint = nearest(&of, &steps).map(|name| format!("did you mean {name:?}?"));
                findings.push(finding);
            }
        }
        for (subject, mut finding) in self.subjects {
            // The column, put there beforehand.
            let column = finding.message.clone();
            match &subject {
                Subject::Object { noun, namespace, name } => {
                    let known = names(*noun, plan, &objects);
                    let wanted = shown(namespace, name);
                    if known.contains(&wanted) || is_made_of(*noun, namespace, name, &objects) {
                        continue;
                    }
                    let what = noun.word();
                    finding.message = format!("{column}nothing creates a {what} named {wanted:?}");
                    let known: Vec<&str> = known.iter().map(String::as_str).collect();
                    finding.hint =
                        nearest(&wanted, &known).map(|name| format!("did you mean {name:?}?"));
                }
                Subject::Pods { namespace, query } => {
                    let wanted = requirements(query);
                    let is_here = |it: &str| namespace.as_ref().is_none_or(|ns| **ns == *it);
                    if relabels || objects.iter().any(|it| may_match(it, &wanted, is_here)) {
                        continue;
                    }
                    finding.severity = Severity::Warning;
                    finding.message = format!("{column}no pod of the input has such labels");
                }
                Subject::Cluster => continue,
            }
            findings.push(finding);
        }
        findings
    }
}

fn shown(namespace: &str, name: &str) -> String {
    if namespace.is_empty() { name.to_owned() } else { format!("{namespace}/{name}") }
}

/// The names of all objects of a kind.
fn names(noun: Noun, plan: &Plan, objects: &[&PlannedObject]) -> Vec<String> {
    let kind = match noun {
        Noun::Deployment => Kind::Deployment,
        Noun::ReplicaSet => Kind::ReplicaSet,
        Noun::ReplicationController => Kind::ReplicationController,
        Noun::StatefulSet => Kind::StatefulSet,
        Noun::DaemonSet => Kind::DaemonSet,
        Noun::Job => Kind::Job,
        Noun::CronJob => Kind::CronJob,
        Noun::Autoscaler => Kind::HorizontalPodAutoscaler,
        Noun::Vertical => Kind::Other,
        Noun::Service => Kind::Service,
        Noun::Pod => Kind::Pod,
        Noun::Node => {
            return plan.nodes.iter().map(|it| it.node.meta.name.to_string()).collect();
        }
        Noun::NodeGroup => {
            return plan.node_groups.iter().map(|group| group.name.to_string()).collect();
        }
        Noun::Pods | Noun::Cluster => return Vec::new(),
    };
    let is_meant = |object: &Object| match object {
        Object::Other(it) => is_vertical(it),
        _ => true,
    };
    let of_kind = objects.iter().filter(|it| it.object.kind() == kind && is_meant(&it.object));
    of_kind
        .map(|it| it.object.meta())
        .map(|it| shown(&it.namespace, &it.name.to_string()))
        .collect()
}

/// Whether a controller may make an object of this name: it begins with its owner's.
fn is_made_of(noun: Noun, namespace: &str, name: &str, objects: &[&PlannedObject]) -> bool {
    if !matches!(noun, Noun::Pod | Noun::ReplicaSet | Noun::Job) {
        return false;
    }
    objects.iter().any(|it| {
        let meta = it.object.meta();
        let makes = match &it.object {
            Object::Deployment(_) => noun != Noun::Job,
            Object::StatefulSet(_) | Object::DaemonSet(_) => noun == Noun::Pod,
            Object::Job(_) => noun == Noun::Pod,
            Object::CronJob(_) => matches!(noun, Noun::Pod | Noun::Job),
            Object::Other(it) => makes_pods(&it.api_version),
            Object::ReplicaSet(_) => noun == Noun::Pod,
            _ => false,
        };
        makes
            && *meta.namespace == *namespace
            && name.strip_prefix(&meta.name.to_string()).is_some_and(|rest| rest.starts_with('-'))
    })
}

/// Whether pods that an object is or makes may match. Of kinds that are not modelled nobody knows.
fn may_match(
    planned: &PlannedObject,
    wanted: &[Requirement],
    is_here: impl Fn(&str) -> bool,
) -> bool {
    let fits = |labels: &Labels| wanted.iter().all(|it| it.matches(labels));
    is_here(&planned.object.meta().namespace)
        && match &planned.object {
            Object::Pod(pod) => fits(&pod.meta.labels),
            Object::Deployment(it) => fits(&it.template.labels),
            Object::ReplicaSet(it) => fits(&it.template.labels),
            Object::StatefulSet(it) => fits(&it.template.labels),
            Object::DaemonSet(it) => fits(&it.template.labels),
            // Labels that tell whose its pods are come when it is made.
            Object::Job(_) | Object::CronJob(_) => true,
            Object::Other(it) => makes_pods(&it.api_version),
            _ => false,
        }
}

/// Whether objects of a kind that is not modelled may make pods: custom resources may.
fn makes_pods(api_version: &str) -> bool {
    let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
    group.contains('.') && !group.ends_with(".k8s.io")
}
