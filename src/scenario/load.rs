//! From inputs to a plan: the Scenario told from the objects, all findings of all files together.

use std::collections::VecDeque;
use std::io::Read;
use std::sync::Arc;

use super::assign::Assignment;
use super::chaos;
use super::feature_gates::FeatureGates;
use super::judge::Judge;
use super::nodes::Group;
use super::objects::{Applied, Objects, Purpose};
use super::placement::{self, Witness};
use super::profile_file::WantedProfile;
use super::raw;
use super::reading::whole;
use super::resolve;
use super::scheduler::{self, Configured};
use super::settings::{Settings, settings};
use super::steps::WrittenStep;
use crate::api::compact::Notes;
use crate::api::decode::Strictness;
use crate::api::diagnostic::{Diagnostic, Severity};
use crate::api::documents::{self, Document, Limits};
use crate::api::kind::Kind;
use crate::api::object::Object;
use crate::api::pod::Pod;
use crate::api::tree::{Entry, Node, Value, canonical_json};
use crate::cluster::plan::{Act, Plan, PlannedObject, SchedulerPlan};
use crate::expect::Expectations;
use crate::kernel::Fidelity;
use crate::node::container_engine::simulated::EngineSettings;
use crate::time::{SimDuration, SimTime};

/// The one `apiVersion` of a Scenario.
pub const API_VERSION: &str = "wavetank.dev/v1alpha1";
/// The group of all our kinds.
const GROUP: &str = "wavetank.dev/";
/// The Scenario of somebody who wrote none and sets some of its fields.
const EMPTY: &str = r#"{"apiVersion":"wavetank.dev/v1alpha1","kind":"Scenario","spec":{}}"#;

/// What the command line says of a run; it wins over the Scenario.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Overrides {
    /// `--seed`.
    pub seed: Option<u64>,
    /// `--nodes`: these, in place of all others.
    pub nodes: Option<Group>,
    /// `--until`.
    pub until: Option<SimDuration>,
    /// `--settle`.
    pub settle: Option<SimDuration>,
    /// `--fidelity`.
    pub fidelity: Option<Fidelity>,
    /// `--set`, in order.
    pub assignments: Vec<Assignment>,
    /// `--strict`.
    pub strictness: Strictness,
    /// `--max-input`.
    pub limits: Limits,
    /// `--feature-gates`.
    pub feature_gates: FeatureGates,
}

/// What came out of the inputs.
#[derive(Debug)]
pub struct Loaded {
    /// The plan; its objects are complete only if no finding is an error.
    pub plan: Plan,
    /// Errors and warnings, file by file.
    pub findings: Vec<Diagnostic>,
    /// What was set and plays no part.
    pub notes: Notes,
    /// What is expected of its runs.
    pub expectations: Arc<Expectations>,
    /// Documents read, the Scenario among them.
    pub documents: usize,
}

impl Loaded {
    /// Whether any finding is an error.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(Diagnostic::is_error)
    }
}

/// Reads inputs one after the other.
#[derive(Debug)]
pub struct Loader {
    overrides: Overrides,
    objects: Objects,
    list: Vec<PlannedObject>,
    settings: Option<Settings>,
    scheduler: Option<Configured>,
    first_file: Option<String>,
    documents: usize,
    wanted: VecDeque<Wanted>,
    pub(super) wanted_profile: Option<WantedProfile>,
    experiments: Vec<WrittenStep>,
    /// What only those ask for who place pods and run nothing.
    witness: Option<Witness>,
    copies: Vec<PlannedObject>,
}

/// A file that a step applies, to be read by whoever opens files.
#[derive(Clone, PartialEq, Debug)]
pub struct Wanted {
    /// The display name of the input that names it.
    pub beside: String,
    /// Its path as written, relative to that input.
    pub path: String,
    /// The step, as written.
    step: usize,
    /// What is to be said where it cannot be read.
    at: Diagnostic,
}

impl Loader {
    /// A loader that has read nothing.
    pub fn new(overrides: Overrides) -> Loader {
        let objects = Objects::new(overrides.strictness, Purpose::Run);
        Loader {
            overrides,
            objects,
            list: Vec::new(),
            settings: None,
            scheduler: None,
            first_file: None,
            documents: 0,
            wanted: VecDeque::new(),
            wanted_profile: None,
            experiments: Vec::new(),
            witness: None,
            copies: Vec::new(),
        }
    }

    /// A loader of what is to be placed: to be finished by [`Loader::finish_placement`].
    pub fn for_placement(overrides: Overrides) -> Loader {
        let objects = Objects::new(overrides.strictness, Purpose::Placement);
        Loader { witness: Some(Witness::default()), objects, ..Loader::new(overrides) }
    }

    /// Reads the pod of which copies are to be counted, shown as `file`.
    pub fn read_copy(&mut self, file: &str, input: impl Read) {
        let limits = self.overrides.limits;
        let (objects, mut copies) = (&mut self.objects, Vec::new());
        let before = objects.findings.len();
        let findings = documents::read(file, input, &limits, &mut |document| {
            copies.extend(objects.read(&document, Applied::AtStart));
        });
        self.objects.findings.extend(findings);
        if copies.len() != 1 && self.objects.findings.len() == before {
            let message = format!("expected one pod to count copies of, not {}", copies.len());
            self.objects.findings.push(Diagnostic::of_file(file, message));
        }
        self.copies = copies;
    }

    /// Everything that was read, for a scheduler alone.
    pub fn finish_placement(mut self) -> placement::Loaded {
        let mut settings = self.settings.take().unwrap_or_default();
        let scheduler = self.scheduler_plan(&mut settings);
        let (compactor, findings) = self.objects.finish(settings.feature_gates.of_checks());
        let input = placement::Input {
            settings,
            scheduler,
            objects: self.list,
            copies: self.copies,
            witness: self.witness.unwrap_or_default(),
        };
        placement::placement(input, &self.overrides, compactor, findings)
    }

    /// How pods are placed, under the feature gates of the Scenario and of the command line.
    fn scheduler_plan(&mut self, settings: &mut Settings) -> SchedulerPlan {
        let flags = &self.overrides.feature_gates;
        settings.feature_gates = settings.feature_gates.clone().under(flags);
        let place = |_: Option<&str>| Diagnostic::of_file("--feature-gates", "");
        self.objects.findings.extend(settings.feature_gates.judge(flags, &place));
        let (scheduler, told) = match self.scheduler.take() {
            Some(configured) => configured.under(&settings.feature_gates),
            None => Default::default(),
        };
        self.objects.findings.extend(told);
        SchedulerPlan { gates: settings.feature_gates.of_scheduler(), ..scheduler }
    }

    /// The next file that a step applies: it is read by [`Loader::read_wanted`], or said to be
    /// unreadable. To be asked when all inputs were read.
    pub fn next_wanted(&mut self) -> Option<Wanted> {
        self.wanted.pop_front()
    }

    /// Reads a file that a step applies, shown as `file`. `each` sees every document as read.
    pub fn read_wanted(
        &mut self,
        wanted: &Wanted,
        file: &str,
        input: impl Read,
        each: &mut dyn FnMut(&Document<'_>),
    ) {
        let limits = self.overrides.limits;
        let (mut found, mut experiments) = (Vec::new(), Vec::new());
        let steps = self.settings.as_ref().map(|it| &it.steps[..]).unwrap_or_default();
        let applied = steps.get(wanted.step).map_or(SimTime::ZERO, |it| it.step.at);
        let objects = &mut self.objects;
        let findings = documents::read(file, input, &limits, &mut |document| {
            each(&document);
            if document.api_version().starts_with(chaos::GROUP) {
                let findings = &mut objects.findings;
                let mut judge = Judge { document: &document, findings };
                experiments.extend(chaos::experiment(applied, &mut judge));
            } else if document.api_version().starts_with(GROUP) {
                let message = "a step applies Kubernetes objects: a Scenario is none";
                objects.findings.push(document.finding(Severity::Error, "kind", message));
            } else {
                found.extend(objects.read(&document, Applied::ByStep));
            }
        });
        self.objects.findings.extend(findings);
        self.documents += found.len() + experiments.len();
        self.experiments.append(&mut experiments);
        self.add_to_step(wanted.step, found);
    }

    /// A file that a step applies could not be opened.
    pub fn unreadable_wanted(&mut self, wanted: &Wanted, why: &str) {
        let message = format!("{:?} {why}", wanted.path);
        self.objects.findings.push(Diagnostic { message, ..wanted.at.clone() });
    }

    fn add_to_step(&mut self, step: usize, found: Vec<PlannedObject>) {
        let Some(settings) = &mut self.settings else { return };
        if let Some(Act::Apply(list)) = settings.steps.get_mut(step).map(|it| &mut it.step.act) {
            list.extend(found);
        }
    }

    /// Reads all of `input`, shown as `file`. `each` sees every document as read, values of Secrets
    /// blanked.
    pub fn read(&mut self, file: &str, input: impl Read, each: &mut dyn FnMut(&Document<'_>)) {
        self.first_file.get_or_insert_with(|| file.to_owned());
        let limits = self.overrides.limits;
        let findings = documents::read(file, input, &limits, &mut |document| {
            each(&document);
            self.document(document);
        });
        self.objects.findings.extend(findings);
    }

    /// Reads the configuration of the scheduler that the command line names.
    pub fn read_scheduler_config(
        &mut self,
        file: &str,
        input: impl Read,
        each: &mut dyn FnMut(&Document<'_>),
    ) {
        let limits = self.overrides.limits;
        let before = (self.objects.findings.len(), self.scheduler.is_some());
        let findings = documents::read(file, input, &limits, &mut |document| {
            each(&document);
            if document.api_version().starts_with(scheduler::GROUP) {
                return self.scheduler(&document);
            }
            let message = "expected a KubeSchedulerConfiguration";
            self.objects.findings.push(document.finding(Severity::Error, "kind", message));
        });
        self.objects.findings.extend(findings);
        if before == (self.objects.findings.len(), self.scheduler.is_some()) {
            let message = "holds no KubeSchedulerConfiguration";
            self.objects.findings.push(Diagnostic::of_file(file, message));
        }
    }

    /// An input that could not be opened.
    pub fn unreadable(&mut self, file: &str, why: &str) {
        self.objects.findings.push(Diagnostic::of_file(file, why));
    }

    fn document(&mut self, document: Document<'_>) {
        self.documents += 1;
        if let Some(witness) = &mut self.witness {
            witness.see(&document);
        }
        if document.api_version().starts_with(GROUP) {
            self.scenario(document);
        } else if document.api_version().starts_with(chaos::GROUP) {
            self.experiment(&document, SimTime::ZERO);
        } else if document.api_version().starts_with(scheduler::GROUP) {
            self.scheduler(&document);
        } else if let Some(planned) = self.objects.read(&document, Applied::AtStart) {
            self.list.push(planned);
        }
    }

    fn scheduler(&mut self, document: &Document<'_>) {
        let findings = &mut self.objects.findings;
        if self.scheduler.is_some() {
            let message = "a second KubeSchedulerConfiguration: there may be one among all inputs \
                           and --scheduler-config";
            findings.push(document.finding(Severity::Error, "", message));
            return;
        }
        let mut judge = Judge { document, findings };
        self.scheduler = Some(scheduler::scheduler(document, &mut judge));
    }

    /// An experiment of Chaos Mesh, applied at some time.
    fn experiment(&mut self, document: &Document<'_>, applied: SimTime) {
        let findings = &mut self.objects.findings;
        self.experiments.extend(chaos::experiment(applied, &mut Judge { document, findings }));
    }

    fn scenario(&mut self, mut document: Document<'_>) {
        let named = (document.api_version(), document.kind());
        if named != (API_VERSION, "Scenario") {
            let (version, kind) = named;
            let message = format!("no matches for kind {kind:?} in version {version:?}");
            let hint = format!("did you mean Scenario in {API_VERSION:?}?");
            let finding = document.finding(Severity::Error, "kind", message).with_hint(hint);
            self.objects.findings.push(finding);
            return;
        }
        if self.settings.is_some() {
            let message = "a second Scenario: there may be one among all inputs";
            self.objects.findings.push(document.finding(Severity::Error, "", message));
            return;
        }
        self.assign(&mut document);
        let mut findings = Vec::new();
        let mut judge = Judge { document: &document, findings: &mut findings };
        let written: raw::Scenario = whole("", &mut judge);
        let mut settings = settings(written, &mut judge);
        let gates = settings.feature_gates.clone().under(&self.overrides.feature_gates);
        let place = |name: Option<&str>| {
            let dot = name.map_or(String::new(), |name| format!(".{name}"));
            document.finding(Severity::Error, &format!("spec.cluster.featureGates{dot}"), "")
        };
        findings.extend(
            gates.judge(&settings.feature_gates.without(&self.overrides.feature_gates), &place),
        );
        settings.feature_gates = gates;
        self.blame_assignments(&mut findings);
        self.blame_assignments(settings.expect.findings());
        self.objects.findings.append(&mut findings);
        for (number, step) in settings.steps.iter_mut().enumerate() {
            if let (Some(path), Act::Apply(list)) = (&step.apply, &mut step.step.act) {
                *list = self.applied(&document, path, (number, step.step.at));
            }
            if let (Some(path), Act::Change { target, .. }) = (&step.patch, &step.step.act) {
                self.look_through(&document, path, target.kind);
            }
        }
        for (at, group) in settings.groups.iter_mut().enumerate() {
            let path = format!("spec.cluster.nodes[{at}].staticPods");
            group.static_pods = self.static_pods(&document, &path);
        }
        let path = "spec.cluster.controlPlane.staticPods";
        settings.master_pods = self.static_pods(&document, path);
        if let Some(engine) = self.want_profile(&settings.profile, &document) {
            settings.engine = engine;
        }
        self.settings = Some(settings);
    }

    pub(super) fn limits(&self) -> Limits {
        self.overrides.limits
    }

    pub(super) fn set_engine(&mut self, engine: EngineSettings) {
        if let Some(settings) = &mut self.settings {
            settings.engine = engine;
        }
    }

    pub(super) fn tell(&mut self, findings: Vec<Diagnostic>) {
        self.objects.findings.extend(findings);
    }

    /// Pods written inside the Scenario that nodes run from manifests of their own.
    fn static_pods(&mut self, document: &Document<'_>, path: &str) -> Vec<Arc<Pod>> {
        let Some(node) = document.node.at_path(path) else { return Vec::new() };
        let wrong = |objects: &mut Objects, path: &str, message: &str| {
            objects.findings.push(document.finding(Severity::Error, path, message));
        };
        let Value::List(items) = &node.value else {
            wrong(&mut self.objects, path, "expected a list of Pods, written out here");
            return Vec::new();
        };
        let mut found = Vec::new();
        for (at, item) in items.iter().enumerate() {
            let path = format!("{path}[{at}]");
            let text = match &item.value {
                Value::Map(_) => manifest(&canonical_json(item)),
                _ => None,
            };
            let Some(text) = text else {
                wrong(&mut self.objects, &path, "expected a Pod, written out here");
                continue;
            };
            self.read_inner(document, &path, text, &mut |objects, inner| match objects
                .read(inner, Applied::AtStart)
                .map(|planned| planned.object)
            {
                Some(Object::Pod(pod)) => found.push(Arc::from(pod)),
                Some(_) => {
                    wrong(objects, &path, "a kubelet runs Pods from manifests, nothing else")
                }
                None => {}
            });
        }
        found
    }

    /// Objects written inside the Scenario; files it names are wanted.
    fn applied(
        &mut self,
        document: &Document<'_>,
        path: &str,
        (step, applied): (usize, SimTime),
    ) -> Vec<PlannedObject> {
        let Some(node) = document.node.at_path(path) else { return Vec::new() };
        let items: Vec<(String, &Node<'_>)> = match &node.value {
            Value::List(items) => {
                items.iter().enumerate().map(|(at, it)| (format!("{path}[{at}]"), it)).collect()
            }
            _ => vec![(path.to_owned(), node)],
        };
        let (mut found, mut experiments) = (Vec::new(), Vec::new());
        for (path, item) in items {
            match &item.value {
                Value::Text(file) => self.wanted.push_back(Wanted {
                    beside: document.file.to_owned(),
                    path: file.to_string(),
                    step,
                    at: document.finding(Severity::Error, &path, ""),
                }),
                Value::Map(_) => {
                    let text = canonical_json(item);
                    self.read_inner(document, &path, text, &mut |objects, inner| {
                        if inner.api_version().starts_with(chaos::GROUP) {
                            let findings = &mut objects.findings;
                            let mut judge = Judge { document: inner, findings };
                            experiments.extend(chaos::experiment(applied, &mut judge));
                        } else {
                            found.extend(objects.read(inner, Applied::ByStep));
                        }
                    });
                }
                _ => {
                    let message = "expected objects, written out here, or files that hold them";
                    self.objects.findings.push(document.finding(Severity::Error, &path, message));
                }
            }
        }
        self.experiments.append(&mut experiments);
        found
    }

    /// Fields of a patch that its kind does not have are named.
    fn look_through(&mut self, document: &Document<'_>, path: &str, kind: Kind) {
        let Some(patch) = document.node.at_path(path) else { return };
        let mut whole = patch.clone().into_owned();
        if let Value::Map(entries) = &mut whole.value {
            entries.retain(|entry| !matches!(&*entry.key, "apiVersion" | "kind"));
            for (key, text) in [("apiVersion", kind.api_version()), ("kind", kind.name())] {
                let node = Node::new(Value::Text(text.into()));
                entries.push(Entry { key: key.into(), key_at: node.at, node });
            }
        }
        let before = self.objects.findings.len();
        self.read_inner(document, path, canonical_json(&whole), &mut |objects, inner| {
            objects.look_at(inner);
        });
        // Directives of a strategic merge patch are fields of no kind.
        let mut at = 0;
        self.objects.findings.retain(|finding| {
            at += 1;
            at <= before || !finding.message.contains('$')
        });
    }

    /// Reads what is written inside the Scenario at `path`; findings are placed there.
    fn read_inner(
        &mut self,
        document: &Document<'_>,
        path: &str,
        text: String,
        each: &mut dyn FnMut(&mut Objects, &Document<'_>),
    ) {
        let before = self.objects.findings.len();
        let limits = self.overrides.limits;
        let objects = &mut self.objects;
        let findings = documents::read(document.file, text.as_bytes(), &limits, &mut |inner| {
            each(objects, &inner);
        });
        self.objects.findings.extend(findings);
        for finding in &mut self.objects.findings[before..] {
            let within = finding.field.take().or_else(|| {
                // An unknown field is named by its message alone.
                let quoted = finding.message.strip_prefix("unknown field ")?;
                Some(quoted.trim_matches('"').to_owned())
            });
            let field = match within {
                Some(field) => format!("{path}.{field}"),
                None => path.to_owned(),
            };
            finding.position = document.locate(&field);
            finding.document = document.number;
            finding.item = document.item;
            finding.field = Some(field);
        }
    }

    fn assign(&mut self, document: &mut Document<'_>) {
        if self.overrides.assignments.is_empty() {
            return;
        }
        let mut root = document.node.clone().into_owned();
        for assignment in &self.overrides.assignments {
            if let Err(why) = assignment.put(&mut root) {
                let flag = format!("--set {}={}", assignment.path, assignment.value);
                self.objects.findings.push(Diagnostic::of_file(&flag, why));
            }
        }
        document.node = root;
    }

    /// What is wrong with a value from the command line is said of the command line.
    fn blame_assignments<'f>(&self, findings: impl IntoIterator<Item = &'f mut Diagnostic>) {
        for finding in findings {
            let Some(field) = &finding.field else { continue };
            let blamed = self
                .overrides
                .assignments
                .iter()
                .find(|it| field.starts_with(&it.path) || it.path.starts_with(field.as_str()));
            if let Some(assignment) = blamed {
                finding.file = format!("--set {}={}", assignment.path, assignment.value);
                finding.document = 0;
                finding.position = Default::default();
            }
        }
    }

    /// The plan of all that was read.
    pub fn finish(mut self) -> Loaded {
        if self.settings.is_none() && !self.overrides.assignments.is_empty() {
            self.read("--set", EMPTY.as_bytes(), &mut |_| {});
            self.documents -= 1;
        }
        while let Some(wanted) = self.wanted.pop_front() {
            self.unreadable_wanted(&wanted, "was not read");
        }
        if let Some(wanted) = self.wanted_profile.take() {
            self.unreadable_profile(&wanted, "was not read");
        }
        let mut settings = self.settings.take().unwrap_or_default();
        let scheduler = self.scheduler_plan(&mut settings);
        let file = self.first_file.as_deref().unwrap_or("input");
        for step in self.experiments {
            if settings.steps.iter().any(|it| it.step.name == step.step.name) {
                let message = format!("two steps or experiments are called {:?}", step.step.name);
                self.objects.findings.push(Diagnostic::of_file(file, message));
            }
            settings.steps.push(step);
        }
        if self.documents == 0 && self.objects.findings.iter().all(|it| !it.is_error()) {
            let file = self.first_file.as_deref().unwrap_or("input");
            self.objects.findings.push(
                Diagnostic::of_file(file, "nothing to run: no document in all of the input")
                    .with_hint("give at least one Kubernetes manifest"),
            );
        }
        let name = settings.name.clone().unwrap_or_else(|| name_of(self.first_file.as_deref()));
        let expected = std::mem::take(&mut settings.expect);
        let (mut compactor, mut findings) = self.objects.finish(settings.feature_gates.of_checks());
        let input = resolve::Input { name, settings, scheduler, objects: self.list };
        let plan = resolve::plan(input, &self.overrides, &mut compactor, &mut findings);
        findings.extend(expected.mentioned.check(&plan));
        Loaded {
            plan,
            findings,
            notes: compactor.notes().clone(),
            expectations: Arc::new(expected.expectations),
            documents: self.documents,
        }
    }
}

/// A manifest as a kubelet reads it: a Pod, in some namespace, that stays whatever befalls its node (kubelet
/// 1.36 `pkg/kubelet/config/common.go`).
fn manifest(written: &str) -> Option<String> {
    let mut pod: serde_json::Value = serde_json::from_str(written).ok()?;
    for (key, default) in [("apiVersion", "v1"), ("kind", "Pod")] {
        pod.as_object_mut()?.entry(key).or_insert(default.into());
    }
    if let Some(spec) = pod.get_mut("spec").and_then(|spec| spec.as_object_mut()) {
        let tolerations = spec.entry("tolerations").or_insert_with(|| serde_json::json!([]));
        let stays = serde_json::json!({"operator": "Exists", "effect": "NoExecute"});
        if let Some(list) = tolerations.as_array_mut().filter(|list| !list.contains(&stays)) {
            list.push(stays);
        }
    }
    Some(pod.to_string())
}

/// A name out of the first file's: its last part without its endings.
fn name_of(file: Option<&str>) -> String {
    let last = file.unwrap_or_default().rsplit('/').next().unwrap_or_default();
    let stem = last.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let name: String = stem
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect::<String>()
        .trim_matches('-')
        .to_owned();
    if name.is_empty() { "run".to_owned() } else { name }
}
