//! Documents become compact objects: decoded, filled in, checked.

use crate::api::compact::{AsRead, Compacted, Compactor};
use crate::api::decode::{Decoded, Decoder, Strictness, Typed};
use crate::api::diagnostic::{Diagnostic, Severity};
use crate::api::documents::Document;
use crate::api::kinds::Scope;
use crate::api::name::Text;
use crate::api::object::Object;
use crate::api::validation::gates::{Gate, Gates, State};
use crate::api::validation::object::prepare_create_undecided;
use crate::api::validation::workloads::stateful_set::max_unavailable;
use crate::api::vertical::{Vertical, is_known_kind, is_vertical};
use crate::cluster::plan::{PlannedObject, Source};
use crate::net::node_ports::NODE_PORTS;

/// Who applies an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Applied {
    /// Whoever starts the run, if it was not there before.
    AtStart,
    /// A step of the timeline.
    ByStep,
}

/// What the user wrote of an object of a kind that can be applied again, before defaults are filled in.
/// Pods that are there from the start are many, and nearly nothing of them can be changed: what they were
/// written as is not kept.
fn written(typed: &Typed, applied: Applied) -> Option<Text> {
    let json = match typed {
        Typed::Deployment(it) => serde_json::to_value(it),
        Typed::ReplicaSet(it) => serde_json::to_value(it),
        Typed::ReplicationController(it) => serde_json::to_value(it),
        Typed::Job(it) => serde_json::to_value(it),
        Typed::CronJob(it) => serde_json::to_value(it),
        Typed::Service(it) => serde_json::to_value(it),
        Typed::Namespace(it) => serde_json::to_value(it),
        Typed::LimitRange(it) => serde_json::to_value(it),
        Typed::ResourceQuota(it) => serde_json::to_value(it),
        Typed::StatefulSet(it) => serde_json::to_value(it),
        Typed::DaemonSet(it) => serde_json::to_value(it),
        Typed::PodDisruptionBudget(it) => serde_json::to_value(it),
        Typed::HorizontalPodAutoscaler(it) => serde_json::to_value(it),
        Typed::PersistentVolume(it) => serde_json::to_value(it),
        Typed::PersistentVolumeClaim(it) => serde_json::to_value(it),
        Typed::StorageClass(it) => serde_json::to_value(it),
        Typed::CSINode(it) => serde_json::to_value(it),
        Typed::PriorityClass(it) => serde_json::to_value(it),
        Typed::Pod(it) if applied == Applied::ByStep => serde_json::to_value(it),
        Typed::Node(it) if applied == Applied::ByStep => serde_json::to_value(it),
        _ => return None,
    };
    Some(json.ok()?.to_string().into())
}

/// What objects are read for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    /// They are created in a cluster.
    Run,
    /// A scheduler alone looks at them.
    Placement,
}

/// Whether an object that the API server would refuse for this can be looked at all the same: those
/// that count by their selectors, volumes, and claims.
fn is_beside_the_point(typed: &Typed, finding: &Diagnostic) -> bool {
    let looked_at = matches!(
        typed,
        Typed::Service(_)
            | Typed::Namespace(_)
            | Typed::ReplicaSet(_)
            | Typed::ReplicationController(_)
            | Typed::StatefulSet(_)
            | Typed::PodDisruptionBudget(_)
            | Typed::HorizontalPodAutoscaler(_)
            | Typed::HorizontalPodAutoscalerV1(_)
            | Typed::PersistentVolume(_)
            | Typed::PersistentVolumeClaim(_)
            | Typed::StorageClass(_)
            | Typed::CSINode(_)
    );
    let field = finding.field.as_deref().unwrap_or_default();
    looked_at && field != "metadata.name" && !field.starts_with("spec.template.")
}

/// Reads the objects of all inputs of one command.
#[derive(Debug)]
pub(super) struct Objects {
    decoder: Decoder,
    purpose: Purpose,
    pub compactor: Compactor,
    pub findings: Vec<Diagnostic>,
    /// Findings that hang on where a feature gate stands, which may be said after them.
    undecided: Vec<(Gate, State, Diagnostic)>,
    /// The latest file, so that its name is held once.
    file: Text,
}

impl Objects {
    pub(super) fn new(strictness: Strictness, purpose: Purpose) -> Objects {
        Objects {
            decoder: Decoder::new(strictness),
            purpose,
            compactor: Compactor::new(),
            findings: Vec::new(),
            undecided: Vec::new(),
            file: "".into(),
        }
    }

    /// The object in `document`; nothing where there was an error.
    pub(super) fn read(
        &mut self,
        document: &Document<'_>,
        applied: Applied,
    ) -> Option<PlannedObject> {
        let as_read = |scope| AsRead {
            api_version: document.api_version(),
            kind: document.kind(),
            scope,
            tree: &document.node,
        };
        let mut manifest = None;
        let compacted = match self.decoder.decode(document, &mut self.findings)? {
            Decoded::BuiltIn(kind, mut typed) => {
                manifest = written(&typed, applied);
                let errors = prepare_create_undecided(&mut typed);
                let mut is_valid = true;
                for error in errors.list() {
                    let mut finding = document.invalid(error);
                    if self.purpose == Purpose::Placement && is_beside_the_point(&typed, &finding) {
                        finding.severity = Severity::Warning;
                    } else {
                        is_valid &= error.only.is_some();
                    }
                    match error.only {
                        Some((gate, state)) => self.undecided.push((gate, state, finding)),
                        None => self.findings.push(finding),
                    }
                }
                for (path, why) in strange_node_ports(&typed) {
                    self.findings.push(document.finding(Severity::Error, &path, why));
                    is_valid = false;
                }
                if !is_valid {
                    return None;
                }
                self.tell_of_max_unavailable(&typed, document);
                self.compactor.built_in(typed, as_read(kind.scope))
            }
            Decoded::Custom(named) => {
                let written = match document.metadata("namespace") {
                    None if !is_known_kind(&named.group, &named.kind) => Scope::Cluster,
                    _ => Scope::Namespaced,
                };
                let scope = self.decoder.kinds().defined_scope(&named).unwrap_or(written);
                self.compactor.other(as_read(scope))
            }
        };
        let mut planned = self.planned(compacted, document);
        if let Object::Other(other) = &planned.object
            && is_vertical(other)
            && let Err(wrong) = Vertical::of(other)
        {
            let (path, why) = match wrong.split_once(": ") {
                Some((path, why)) if path.starts_with("spec.") => (path, why),
                _ => ("spec", &*wrong),
            };
            self.findings.push(document.finding(Severity::Error, path, why.to_owned()));
            return None;
        }
        planned.manifest = match &planned.object {
            Object::Other(other) => Some(other.written.clone()),
            _ => manifest,
        };
        Some(planned)
    }

    /// Without its gate, nothing comes of `maxUnavailable` of a StatefulSet.
    fn tell_of_max_unavailable(&mut self, typed: &Typed, document: &Document<'_>) {
        let Typed::StatefulSet(set) = typed else { return };
        if self.purpose == Purpose::Run && max_unavailable(set).is_some() {
            let message = "plays no part: feature gate MaxUnavailableStatefulSet is off, as in 1.36 unless it is set";
            let path = "spec.updateStrategy.rollingUpdate.maxUnavailable";
            let finding = document.finding(Severity::Warning, path, message);
            self.undecided.push((Gate::MaxUnavailableStatefulSet, State::Off, finding));
        }
    }

    /// Says what is wrong with the fields in `document`, which is no whole object.
    pub(super) fn look_at(&mut self, document: &Document<'_>) {
        self.decoder.decode(document, &mut self.findings);
    }

    fn planned(&mut self, compacted: Compacted, document: &Document<'_>) -> PlannedObject {
        if *self.file != *document.file {
            self.file = document.file.into();
        }
        let Compacted { object, arrival, node } = compacted;
        let source = Source {
            file: self.file.clone(),
            document: document.number as u32,
            item: document.item.map(|item| item as u32),
        };
        PlannedObject { object, arrival, node, source, manifest: None }
    }

    /// What can only be said when every input was read, and where feature gates stand.
    pub(super) fn finish(self, gates: Gates) -> (Compactor, Vec<Diagnostic>) {
        let mut findings = self.findings;
        let decided =
            self.undecided.into_iter().filter(|(gate, state, _)| gates.state(*gate) == *state);
        findings.extend(decided.map(|(_, _, finding)| finding));
        findings.extend(self.decoder.finish());
        (self.compactor, findings)
    }
}

/// Ports of the nodes that a new Service asks for and no allocator here has: their places, and the API
/// server's words. What comes out of another cluster may have been in its range.
fn strange_node_ports(typed: &Typed) -> Vec<(String, String)> {
    let Typed::Service(service) = typed else { return Vec::new() };
    if service.metadata.uid.is_some() {
        return Vec::new();
    }
    let ports = service.spec.iter().flat_map(|spec| spec.ports.iter().flatten()).enumerate();
    let asked = ports.filter_map(|(at, port)| Some((at, port.node_port.filter(|it| *it != 0)?)));
    let is_in = |port: i32| u16::try_from(port).is_ok_and(|port| NODE_PORTS.contains(&port));
    let (first, last) = (NODE_PORTS.start(), NODE_PORTS.end());
    asked
        .filter(|(_, port)| !is_in(*port))
        .map(|(at, port)| {
            let why = format!(
                "Invalid value: {port}: provided port is not in the valid range. The range of valid \
                 ports is {first}-{last}"
            );
            (format!("spec.ports[{at}].nodePort"), why)
        })
        .collect()
}
