//! The last step to a plan: flags over settings, the cluster's nodes, namespaces, owners, bound pods.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::claims;
use super::load::Overrides;
use super::nodes::{Group, default_capacity};
use super::settings::Settings;
use super::storage;
use super::traffic::judge_clients;
use crate::api::compact::{Arrival, Compactor};
use crate::api::diagnostic::{Diagnostic, Severity};
use crate::api::ip_family::Families;
use crate::api::kind::Kind;
use crate::api::meta::Owner;
use crate::api::name::{Name, Text};
use crate::api::object::Object;
use crate::api::resources::Resources;
use crate::api::rules::resources::{amounts, counted};
use crate::base::{FastMap, FastSet, StableHasher};
use crate::cluster::plan::{
    Act, End, Plan, PlannedNode, PlannedObject, Role, SchedulerPlan, Source, StaticPod, Step,
};
use crate::messages::profile::Profile;
use crate::time::{SimDuration, SimTime};

/// Namespaces every cluster has.
const NAMESPACES: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];
/// How long convergence must hold where nobody says otherwise.
const SETTLE: SimDuration = SimDuration::from_secs(60);
/// The last instant of a run that has no end of its own.
const BACKSTOP: SimTime = SimTime::from_secs(30 * 60);

/// What was read.
pub(super) struct Input {
    pub name: String,
    pub settings: Settings,
    pub scheduler: SchedulerPlan,
    pub objects: Vec<PlannedObject>,
}

pub(super) fn plan(
    input: Input,
    overrides: &Overrides,
    compactor: &mut Compactor,
    findings: &mut Vec<Diagnostic>,
) -> Plan {
    let Input { name, settings, scheduler, objects } = input;
    let (nodes, mut objects): (Vec<_>, Vec<_>) =
        objects.into_iter().partition(|it| matches!(it.object, Object::Node(_)));
    let is_made_up = nodes.is_empty();
    let node_groups = settings.node_groups.iter().map(|it| it.planned(compactor)).collect();
    let static_pods = static_pods(&nodes, &settings, overrides);
    let nodes = cluster_nodes(nodes, &settings, overrides, compactor, findings);
    drop_doubles(&mut objects, findings);
    let node_names: FastSet<Text> =
        nodes.iter().map(|it| compactor.text(&it.node.meta.name.to_string())).collect();
    unbind_strays(&mut objects, &node_names, findings);
    release_orphans(&mut objects, &nodes, findings);
    let mut written = settings.steps;
    written.sort_by_key(|it| it.step.at);
    let (steps, claims): (Vec<_>, Vec<_>) =
        written.into_iter().map(|it| (it.step, it.claims)).unzip();
    let clients = settings.clients_of_services;
    judge_clients(&clients, &objects, &steps, &nodes, &settings.apps, findings);
    let mut objects = with_namespaces(objects, &steps, compactor, findings);
    if is_made_up {
        objects.extend(storage::standard_class(&objects, &steps, compactor));
    }
    storage::warn_of_classes(&objects, &steps, findings);
    storage::warn_of_wishes(&objects, &steps, findings);
    forget_manifests(&mut objects, &steps);
    let plan = Plan {
        name: name.into(),
        seed: overrides.seed.unwrap_or(settings.seed),
        epoch_seconds: settings.epoch_seconds,
        end: end(settings.duration, overrides),
        images: images(&nodes),
        nodes,
        profile: match settings.control_plane.api_server_cores {
            Some(_) => Profile::uncrowded(),
            None => Profile::default(),
        },
        control_plane: settings.control_plane,
        clients: settings.clients,
        kubelet: settings.kubelet.under(&settings.feature_gates),
        fidelity: overrides.fidelity.unwrap_or(settings.fidelity),
        feature_gates: settings.feature_gates.iter().map(|(name, on)| (name.into(), on)).collect(),
        checks: settings.feature_gates.of_checks(),
        pod_tolerations: settings.pod_tolerations,
        families: families(settings.families, &objects),
        engine: settings.engine,
        scheduler,
        apps: settings.apps,
        objects,
        static_pods,
        steps,
        node_groups,
        autoscaler: settings.autoscaler,
        traffic: clients.into_iter().map(|client| client.plan).collect(),
        metrics: settings.metrics,
    };
    claims::check(&plan, &claims, findings);
    plan
}

fn end(duration: Option<SimDuration>, overrides: &Overrides) -> End {
    let until = overrides.until.or(match overrides.settle {
        Some(_) => None,
        None => duration,
    });
    match until {
        Some(span) => End::At(SimTime::ZERO + span),
        None => End::Settled { hold: overrides.settle.unwrap_or(SETTLE), backstop: BACKSTOP },
    }
}

/// What nodes that nobody wrote as objects run from manifests of their own.
fn static_pods(
    written: &[PlannedObject],
    settings: &Settings,
    overrides: &Overrides,
) -> Vec<StaticPod> {
    let groups = if overrides.nodes.is_some() { &[][..] } else { &settings.groups[..] };
    let mut found: Vec<StaticPod> = groups.iter().flat_map(Group::manifests).collect();
    if written.is_empty() || overrides.nodes.is_some() {
        let masters = settings.control_plane.masters;
        found.extend(Group::master_manifests(masters, &settings.master_pods));
    }
    found
}

fn warning(file: &str, message: String) -> Diagnostic {
    Diagnostic { severity: Severity::Warning, ..Diagnostic::of_file(file, message) }
}

pub(super) fn cluster_nodes(
    written: Vec<PlannedObject>,
    settings: &Settings,
    overrides: &Overrides,
    compactor: &mut Compactor,
    findings: &mut Vec<Diagnostic>,
) -> Vec<PlannedNode> {
    let mut nodes = Vec::new();
    let mut seen = BTreeSet::new();
    let mut add = |(object, arrival, role): (Object, Arrival, Role),
                   source: &Source,
                   findings: &mut Vec<Diagnostic>| {
        let Object::Node(node) = object else { return };
        if seen.insert(node.meta.name.to_string()) {
            nodes.push(PlannedNode { node: *node, arrival, role });
        } else {
            let message = format!("a second node named {:?}", node.meta.name.to_string());
            findings.push(Diagnostic::of_file(&source.to_string(), message));
        }
    };
    let default = [Group::default()];
    let mut groups = &settings.groups[..];
    let mut written = written;
    if let Some(given) = &overrides.nodes {
        let unused = written.len() + groups.len();
        if unused > 0 {
            let message =
                format!("takes the place of the nodes in the input ({unused} Nodes and groups)");
            findings.push(warning("--nodes", message));
        }
        written.clear();
        groups = std::slice::from_ref(given);
    } else if written.is_empty() && groups.is_empty() && settings.node_groups.is_empty() {
        groups = &default;
    }
    let mut is_brought = false;
    for mut planned in written {
        give_capacity(&mut planned, findings);
        is_brought = true;
        add((planned.object, planned.arrival, Role::Worker), &planned.source, findings);
    }
    let nowhere = Source { file: "spec.cluster.nodes".into(), ..Source::nowhere() };
    for group in groups {
        for node in group.nodes() {
            let compacted = compactor.node(node);
            add((compacted.object, compacted.arrival, Role::Worker), &nowhere, findings);
        }
    }
    for node in settings.node_groups.iter().flat_map(|lent| lent.group.nodes()) {
        let compacted = compactor.node(node);
        add((compacted.object, compacted.arrival, Role::Worker), &nowhere, findings);
    }
    if is_brought {
        // The control plane of a cluster that was brought stands outside it.
        return nodes;
    }
    let nowhere = Source { file: "spec.cluster.controlPlane".into(), ..Source::nowhere() };
    let mut zones: Vec<&str> = Vec::new();
    let all = groups.iter().chain(settings.node_groups.iter().map(|lent| &lent.group));
    for zone in all.map(|group| &*group.zone).filter(|zone| !zone.is_empty()) {
        if !zones.contains(&zone) {
            zones.push(zone);
        }
    }
    for (number, node) in (0..).zip(Group::masters(settings.control_plane.masters, &zones)) {
        let compacted = compactor.node(node);
        add((compacted.object, compacted.arrival, Role::Master(number)), &nowhere, findings);
    }
    nodes
}

/// A Node that says nothing of its size gets the default one.
fn give_capacity(planned: &mut PlannedObject, findings: &mut Vec<Diagnostic>) {
    let Object::Node(node) = &mut planned.object else { return };
    if *node.capacity != Resources::default() {
        return;
    }
    let capacity = counted(&amounts(Some(&default_capacity())));
    node.capacity = capacity.clone().into();
    node.allocatable = capacity.into();
    let message = format!(
        "Node {} has no status.capacity: it is taken to have 4 CPU, 16Gi of memory and room for 110 pods",
        node.meta.name
    );
    findings.push(warning(&planned.source.to_string(), message));
}

/// Sizes of images as nodes report them; the greatest where they differ.
fn images(nodes: &[PlannedNode]) -> BTreeMap<Text, i64> {
    let mut sizes: BTreeMap<Text, i64> = BTreeMap::new();
    for image in nodes.iter().flat_map(|it| it.node.images.iter()) {
        let size = sizes.entry(image.name.clone()).or_default();
        *size = (*size).max(image.bytes);
    }
    sizes
}

fn identity(planned: &PlannedObject) -> u64 {
    let meta = planned.object.meta();
    let hasher = StableHasher::new().text(planned.object.kind().name()).text(&meta.namespace);
    let hasher = match &planned.object {
        Object::Other(other) => {
            let group = other.api_version.rsplit_once('/').map_or("", |(group, _)| group);
            hasher.text(group).text(&other.kind)
        }
        _ => hasher,
    };
    meta.name.fold(hasher).finish()
}

/// An object applied twice is what it was last: the place is the first one's.
pub(super) fn drop_doubles(objects: &mut Vec<PlannedObject>, findings: &mut Vec<Diagnostic>) {
    let mut seen: FastMap<u64, usize> = FastMap::default();
    let mut kept: Vec<PlannedObject> = Vec::with_capacity(objects.len());
    for planned in objects.drain(..) {
        let is_generated = planned.object.meta().name.base().ends_with('-');
        let first = if is_generated { None } else { seen.get(&identity(&planned)).copied() };
        if let Some(first) = first {
            let name = planned.object.name();
            let message =
                format!("{name} was given before in {}: the later one counts", kept[first].source);
            findings.push(warning(&planned.source.to_string(), message));
            kept[first] = planned;
        } else {
            seen.insert(identity(&planned), kept.len());
            kept.push(planned);
        }
    }
    *objects = kept;
}

/// Pods bound to nodes that are not there have to be placed anew.
fn unbind_strays(
    objects: &mut [PlannedObject],
    nodes: &FastSet<Text>,
    findings: &mut Vec<Diagnostic>,
) {
    let mut strays = 0_u32;
    let mut example = None;
    for planned in objects {
        let Some(node) = planned.node.take_if(|node| !nodes.contains(node)) else { continue };
        if let Object::Pod(pod) = &mut planned.object
            && !pod.status.phase.is_terminal()
        {
            pod.status = Default::default();
            strays += 1;
            let name = pod.meta.name.clone();
            example.get_or_insert_with(|| (name, node, planned.source.clone()));
        }
    }
    if let Some((name, node, source)) = example {
        let message = format!(
            "pods bound to nodes that are not in the cluster are placed anew: {strays} ({name} on \
             {node}, for one)"
        );
        findings.push(warning(&source.to_string(), message));
    }
}

/// The families that are said, or else those of the Services that come from a cluster; IPv4 alone
/// where there are none.
fn families(said: Families, objects: &[PlannedObject]) -> Families {
    let imported = objects.iter().filter(|it| it.arrival == Arrival::Imported);
    let services = imported.filter_map(|it| match &it.object {
        Object::Service(service) => Some(service.families),
        _ => None,
    });
    let seen = services.flat_map(|families| families.list()).copied();
    match (said, Families::of(seen)) {
        (Families::Unsaid, Families::Unsaid) => Families::V4,
        (Families::Unsaid, seen) => seen,
        (said, _) => said,
    }
}

/// Owners that are not in the input own nothing of what was in the cluster before: the garbage collector
/// would delete what is theirs, as it does with what is applied.
fn release_orphans(
    objects: &mut [PlannedObject],
    nodes: &[PlannedNode],
    findings: &mut Vec<Diagnostic>,
) {
    let is_imported = |it: &&PlannedObject| it.arrival == Arrival::Imported;
    let known: FastSet<u64> = objects
        .iter()
        .filter(is_imported)
        .map(|it| it.object.meta().uid.0)
        .chain(nodes.iter().map(|it| it.node.meta.uid.0))
        .collect();
    let mut released = Example::default();
    let mut doomed = Example::default();
    for planned in objects {
        let is_imported = is_imported(&&*planned);
        let meta = planned.object.meta_mut();
        let is_known = |owner: &Owner| known.contains(&owner.uid.0);
        if is_imported {
            if meta.keep_owners(is_known) > 0 {
                released.note(&meta.name, &planned.source);
            }
        } else if meta.owners().next().is_some() && !meta.owners().any(|(it, _)| is_known(&it)) {
            doomed.note(&meta.name, &planned.source);
        }
    }
    released.tell("objects whose owners are not in the input are taken to have none", findings);
    let message =
        "owners of what is applied are not in the input: the garbage collector deletes it";
    doomed.tell(message, findings);
}

/// How many objects something is said of, and the first of them.
#[derive(Default)]
struct Example {
    count: u32,
    first: Option<(Name, Source)>,
}

impl Example {
    fn note(&mut self, name: &Name, source: &Source) {
        self.count += 1;
        self.first.get_or_insert_with(|| (name.clone(), source.clone()));
    }

    fn tell(self, message: &str, findings: &mut Vec<Diagnostic>) {
        if let Some((name, source)) = self.first {
            let message = format!("{message}: {} ({name}, for one)", self.count);
            findings.push(warning(&source.to_string(), message));
        }
    }
}

/// What was written of an object is of use only where a step applies it again.
fn forget_manifests(objects: &mut [PlannedObject], steps: &[Step]) {
    let mut again: FastSet<u64> = FastSet::default();
    for step in steps {
        if let Act::Apply(list) = &step.act {
            again.extend(list.iter().map(|planned| planned.object.name().stable_hash()));
        }
    }
    for planned in objects.iter_mut().filter(|planned| planned.manifest.is_some()) {
        if !again.contains(&planned.object.name().stable_hash()) {
            planned.manifest = None;
        }
    }
}

/// All namespaces first: those every cluster has, those of the input, and those it only refers to.
fn with_namespaces(
    objects: Vec<PlannedObject>,
    steps: &[Step],
    compactor: &mut Compactor,
    findings: &mut Vec<Diagnostic>,
) -> Vec<PlannedObject> {
    let (written, others): (Vec<_>, Vec<_>) =
        objects.into_iter().partition(|it| it.object.kind() == Kind::Namespace);
    let mut known: BTreeSet<String> =
        written.iter().map(|it| it.object.meta().name.to_string()).collect();
    let mut made = Vec::new();
    for name in NAMESPACES {
        if known.insert(name.to_owned()) {
            made.push(namespace(name, Arrival::Imported, compactor));
        }
    }
    made.extend(written);
    let created_later: BTreeSet<String> = steps
        .iter()
        .filter_map(|step| match &step.act {
            Act::Apply(list) => Some(list),
            _ => None,
        })
        .flatten()
        .filter(|it| it.object.kind() == Kind::Namespace)
        .map(|it| it.object.meta().name.to_string())
        .collect();
    let applied = steps.iter().filter_map(|step| match &step.act {
        Act::Apply(list) => Some(list.iter()),
        _ => None,
    });
    for (planned, may_wait) in
        others.iter().map(|it| (it, false)).chain(applied.flatten().map(|it| (it, true)))
    {
        let wanted = &planned.object.meta().namespace;
        if wanted.is_empty()
            || known.contains(&**wanted)
            || (may_wait && created_later.contains(&**wanted))
        {
            continue;
        }
        known.insert(wanted.to_string());
        let message = format!(
            "namespace {wanted:?} is used by {} and created nowhere in the input: it is created first",
            planned.object.name()
        );
        findings.push(warning(&planned.source.to_string(), message));
        made.push(namespace(wanted, Arrival::Applied, compactor));
    }
    made.extend(others);
    made
}

fn namespace(name: &str, arrival: Arrival, compactor: &mut Compactor) -> PlannedObject {
    let metadata = ObjectMeta {
        name: Some(name.to_owned()),
        labels: Some(BTreeMap::from([("kubernetes.io/metadata.name".to_owned(), name.to_owned())])),
        ..ObjectMeta::default()
    };
    let compacted = compactor.namespace(&Namespace { metadata, ..Namespace::default() });
    PlannedObject {
        object: compacted.object,
        arrival,
        node: None,
        source: Source::nowhere(),
        manifest: None,
    }
}
