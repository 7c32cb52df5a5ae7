//! Real manifests, beside the checkout: each file runs on a generous cluster, and what becomes of
//! each of its documents stands in `tests/data/corpus.tsv`. A row is
//! `file, document, object, outcome`, the outcome one of `converged`, `accepted-not-modelled`,
//! `pending: message` and `refused: reason`. When a row differs the test prints the new table.
#![expect(clippy::disallowed_methods, reason = "the test reads the corpus itself")]

mod common {
    pub mod manifests;
}

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use common::manifests::files_below;
use wavetank::api::daemon_set::DaemonSet;
use wavetank::api::diagnostic::Diagnostic;
use wavetank::api::job::Job;
use wavetank::api::meta::Labels;
use wavetank::api::node::Tristate;
use wavetank::api::object::Object;
use wavetank::api::pod::{ContainerState, Phase, Pod, PodCondition, WaitingReason};
use wavetank::api::stateful_set::StatefulSet;
use wavetank::api::workload::{Deployment, ReplicaSet};
use wavetank::cluster::plan::PlannedObject;
use wavetank::kernel::NoSink;
use wavetank::runs::{self, Finished};
use wavetank::scenario::{Group, Loaded, Loader, Overrides};
use wavetank::store::Store;
use wavetank::time::SimDuration;

const SHARED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared");

const FOLDERS: [&str; 5] = [
    "online-boutique",
    "sock-shop",
    "kubernetes-examples",
    "k8s-website-examples",
    "istio-samples",
];

/// What is refused, by a part of our reason, and what Kubernetes 1.36 says of the same document.
const REFUSED_BY_1_36: &[(&str, &str)] = &[
    ("apiVersion: Required value", "kubectl: apiVersion not set"),
    ("kind: Required value", "kubectl: kind not set"),
    ("unrendered Helm template", "kubectl: error converting YAML to JSON"),
    ("a key may not be an object", "kubectl: error converting YAML to JSON: invalid map key"),
    ("already set in map", "kubectl: error converting YAML to JSON: key already set in map"),
    ("nothing to run", "kubectl: no objects passed to apply"),
    ("no matches for kind", "kubectl: no matches for kind in version"),
    ("illegal base64 data", "API server: illegal base64 data at input byte"),
    ("Unsupported value", "API server: Unsupported value"),
    ("spec.selector: Required value", "API server: spec.selector: Required value"),
    ("metadata.name: Required value", "API server: name or generateName is required"),
    ("spec.ephemeralContainers: Forbidden", "API server: cannot be set on create"),
    ("not configured on this cluster", "API server: of a family that a cluster of one has not"),
    ("not configured for dual-stack services", "API server: of two families, which one has not"),
    ("no PriorityClass with name", "admission plugin Priority: no PriorityClass was found"),
];

/// The corpus, if it is beside the checkout.
#[expect(clippy::print_stdout, reason = "it says that it was skipped")]
fn corpus() -> Option<PathBuf> {
    let corpus = Path::new(SHARED).join("corpus");
    if !corpus.is_dir() {
        println!("skipped: no corpus beside the checkout");
        return None;
    }
    Some(corpus)
}

/// A document of a file, and the item of its list; document 0 is the file as a whole.
type Place = (usize, Option<usize>);

/// What a file holds, by place: kind and name as written.
type Written = BTreeMap<Place, String>;

fn load(files: &[PathBuf], overrides: Overrides) -> (Loaded, Written) {
    let mut loader = Loader::new(overrides);
    let mut written = Written::new();
    for file in files {
        let bytes = std::fs::read(file).expect("a file of the corpus");
        loader.read("file", bytes.as_slice(), &mut |document| {
            let name = document.metadata("name").unwrap_or_default();
            let kind = document.kind();
            written.insert((document.number, document.item), format!("{kind}/{name}"));
        });
    }
    (loader.finish(), written)
}

fn run(loaded: &Loaded) -> Finished {
    let never = AtomicBool::new(false);
    runs::run(Arc::new(loaded.plan.clone()), &mut NoSink, &never, &mut |_| {})
}

fn nodes(text: &str) -> Option<Group> {
    Some(Group::parse(text).expect("nodes"))
}

/// Why a pod is not placed.
fn why_pending(pod: &Pod) -> Option<String> {
    let waits_for_ever = ContainerState::Waiting(WaitingReason::InvalidImageName);
    let mut containers = pod.status.containers.iter().flat_map(|all| all.iter());
    if containers.any(|one| one.state == waits_for_ever) {
        return Some(WaitingReason::InvalidImageName.name().to_owned());
    }
    let is_refused =
        pod.status.condition(PodCondition::PodScheduled).value == Some(Tristate::False);
    (pod.node.is_none() && is_refused)
        .then(|| pod.status.reason.as_ref().map_or_else(String::new, |it| it.message.to_string()))
}

fn judged(is_there: bool, pending: Option<String>) -> String {
    match (is_there, pending) {
        (_, Some(message)) => format!("pending: {message}"),
        (true, None) => "converged".to_owned(),
        (false, None) => "not converged".to_owned(),
    }
}

fn of_workload(
    store: &Store,
    namespace: &str,
    labels: &Labels,
    counts: Option<(i32, i32)>,
) -> String {
    let mine = |pod: &&Pod| {
        *pod.meta.namespace == *namespace
            && labels.iter().all(|(key, value)| pod.meta.labels.get(key) == Some(value))
    };
    let pods = store.table::<Pod>().iter().map(|(_, pod)| pod);
    let pending = pods.filter(mine).find_map(why_pending);
    judged(counts.is_some_and(|(desired, available)| desired == available), pending)
}

fn outcome(planned: &PlannedObject, store: &Store) -> String {
    let name = planned.object.meta().name.to_string();
    let namespace = &*planned.object.meta().namespace;
    match &planned.object {
        Object::Other(_) => "accepted-not-modelled".to_owned(),
        Object::Pod(_) => {
            let Some(pod) = store.find(namespace, &name).and_then(|id| store.get::<Pod>(id)) else {
                return "not there".to_owned();
            };
            let is_done = pod.status.phase == Phase::Succeeded || pod.is_ready();
            judged(is_done, why_pending(pod))
        }
        Object::Deployment(it) => {
            let held = store.find(namespace, &name).and_then(|id| store.get::<Deployment>(id));
            let counts = held.map(|it| (it.replicas, it.status.available));
            of_workload(store, namespace, &it.template.labels, counts)
        }
        Object::ReplicaSet(it) => {
            let held = store.find(namespace, &name).and_then(|id| store.get::<ReplicaSet>(id));
            let counts = held.map(|it| (it.replicas, it.status.available));
            of_workload(store, namespace, &it.template.labels, counts)
        }
        Object::StatefulSet(it) => {
            let held = store.find(namespace, &name).and_then(|id| store.get::<StatefulSet>(id));
            let counts = held.map(|it| (it.replicas, it.status.available));
            of_workload(store, namespace, &it.template.labels, counts)
        }
        Object::DaemonSet(it) => {
            let held = store.find(namespace, &name).and_then(|id| store.get::<DaemonSet>(id));
            let counts = held.map(|it| (it.status.desired, it.status.available));
            of_workload(store, namespace, &it.template.labels, counts)
        }
        Object::Job(it) => {
            let held = store.find(namespace, &name).and_then(|id| store.get::<Job>(id));
            let counts = held.map(|it| (1, i32::from(it.is_complete() || it.is_suspended())));
            of_workload(store, namespace, &it.spec.template.labels, counts)
        }
        _ => "converged".to_owned(),
    }
}

fn reason(finding: &Diagnostic) -> String {
    match &finding.field {
        Some(field) => format!("refused: {field}: {}", finding.message),
        None => format!("refused: {}", finding.message),
    }
}

/// The rows of a file: what became of each of its documents.
fn rows(file: &Path, shown: &str, table: &mut String) {
    let overrides = Overrides {
        nodes: nodes("5x16,64Gi"),
        until: Some(SimDuration::from_secs(300)),
        ..Overrides::default()
    };
    let (loaded, mut written) = load(&[file.to_owned()], overrides);
    let mut outcomes: BTreeMap<Place, String> = BTreeMap::new();
    for finding in loaded.findings.iter().filter(|it| it.is_error()) {
        let place = (finding.document, finding.item);
        outcomes.entry(place).or_insert_with(|| reason(finding));
        written.entry(place).or_default();
    }
    let finished = run(&loaded);
    let place = |source: &wavetank::cluster::plan::Source| {
        (source.document as usize, source.item.map(|item| item as usize))
    };
    for refusal in finished.world.refused() {
        let outcome = format!("refused: {}", refusal.status);
        outcomes.entry(place(&refusal.source)).or_insert(outcome);
    }
    for planned in loaded.plan.objects.iter().filter(|it| it.source.document > 0) {
        let outcome = || outcome(planned, finished.world.store());
        outcomes.entry(place(&planned.source)).or_insert_with(outcome);
    }
    for (at, object) in written {
        let item = at.1.map_or_else(String::new, |item| format!("[{item}]"));
        // A Node of the file gives way to the cluster that is given.
        let outcome = outcomes.get(&at).map_or("accepted-not-modelled", String::as_str);
        // Writing into a String cannot fail.
        let _ = writeln!(table, "{shown}\t{}{item}\t{object}\t{outcome}", at.0);
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "it counts, and prints the table when it is out of date")]
fn every_document_of_the_corpus_meets_its_outcome() {
    let Some(corpus) = corpus() else { return };
    let mut table = String::new();
    for folder in FOLDERS {
        let mut files = Vec::new();
        files_below(&corpus.join(folder), &mut files);
        assert!(!files.is_empty(), "{folder} is empty");
        for file in files {
            let shown = file.strip_prefix(&corpus).expect("below the corpus").display();
            rows(&file, &shown.to_string(), &mut table);
        }
    }
    let outcomes = || table.lines().filter_map(|row| row.split('\t').nth(3));
    for outcome in outcomes().filter(|it| it.starts_with("refused: ")) {
        let is_known = REFUSED_BY_1_36.iter().any(|(part, _)| outcome.contains(part));
        assert!(is_known, "1.36 is not known to say: {outcome}");
    }
    let count = |start| outcomes().filter(|it| it.starts_with(start)).count();
    println!(
        "corpus: {} documents: {} converged, {} accepted and not modelled, {} pending, {} refused",
        outcomes().count(),
        count("converged"),
        count("accepted"),
        count("pending"),
        count("refused")
    );
    let pinned = include_str!("data/corpus.tsv");
    let differs = table.lines().zip(pinned.lines()).find(|(ours, pinned)| ours != pinned);
    if table != pinned {
        println!("----- tests/data/corpus.tsv as it would be -----\n{table}-----");
    }
    assert!(table == pinned, "first difference (ours, pinned): {differs:?}");
    assert_eq!(count("not "), 0, "a workload that a real cluster brings up does not come up");
}

#[test]
fn the_online_boutique_opens() {
    let Some(corpus) = corpus() else { return };
    let file = [corpus.join("online-boutique/release/kubernetes-manifests.yaml")];
    let (loaded, _) = load(&file, Overrides::default());
    assert!(!loaded.has_errors(), "{:?}", loaded.findings);
    let (once, again) = (run(&loaded), run(&loaded));
    assert!(once.has_converged());
    assert_eq!(once.world.digest(), again.world.digest());
    let store = once.world.store();
    let deployments: Vec<_> = store.table::<Deployment>().iter().map(|(_, it)| it).collect();
    assert_eq!(deployments.len(), 12);
    assert!(deployments.iter().all(|it| it.status.available == it.replicas));
    let (other, _) = load(&file, Overrides { seed: Some(2), ..Overrides::default() });
    assert_ne!(run(&other).world.digest(), once.world.digest());
}

#[test]
fn a_boutique_on_small_nodes_opens_as_far_as_it_fits() {
    let Some(corpus) = corpus() else { return };
    let file = [corpus.join("online-boutique/release/kubernetes-manifests.yaml")];
    let overrides = Overrides { nodes: nodes("3x400m,2Gi"), ..Overrides::default() };
    let finished = run(&load(&file, overrides).0);
    assert!(!finished.has_converged());
    let pods: Vec<&Pod> = finished.world.store().table::<Pod>().iter().map(|(_, it)| it).collect();
    let pending: Vec<String> = pods.iter().filter_map(|pod| why_pending(pod)).collect();
    assert_eq!(
        (pods.len(), pods.iter().filter(|pod| pod.is_ready()).count()),
        (12, 12 - pending.len())
    );
    // 12 pods ask for 1,570m, the nodes have 1,200m in pieces of 400m.
    assert!((2..=5).contains(&pending.len()), "{pending:?}");
    let why = "0/4 nodes are available: 1 node(s) had untolerated taint(s), 3 Insufficient cpu.";
    assert!(pending.iter().all(|it| it.starts_with(why)), "{pending:?}");
}

/// The Pods of k8s-sims' 100 nodes and 1,067 pods after three minutes, and why some wait.
fn nearly_full(more: &[&str]) -> Option<Vec<String>> {
    let folder = Path::new(SHARED).join("traces/k8s-sims/data/small/vanilla");
    if !folder.is_dir() {
        return None;
    }
    let more = more.iter().map(|name| Path::new(env!("CARGO_MANIFEST_DIR")).join(name));
    let inputs = ["nodes-100.yaml", "pods-100.yaml.gz"].map(|name| folder.join(name));
    let files: Vec<_> = inputs.into_iter().chain(more).collect();
    let until = Some(SimDuration::from_secs(180));
    let (loaded, _) = load(&files, Overrides { until, ..Overrides::default() });
    assert!(!loaded.has_errors(), "{:?}", loaded.findings);
    let finished = run(&loaded);
    let pods: Vec<&Pod> = finished.world.store().table::<Pod>().iter().map(|(_, it)| it).collect();
    assert_eq!(pods.len(), 1067);
    let pending: Vec<String> = pods.iter().filter_map(|pod| why_pending(pod)).collect();
    assert_eq!(pods.iter().filter(|pod| pod.is_ready()).count(), 1067 - pending.len());
    Some(pending)
}

/// Bare pods that ask for 98.8 % of the CPU. With its default plugins kube-scheduler spreads them and
/// left 16 (results-repro/small-final/kube-sched.csv of GCDA-UDL/k8s-sims, column `unscheduled_pods`): we place at
/// least as many.
#[test]
#[expect(clippy::print_stdout, reason = "it says that it was skipped")]
fn a_nearly_full_cluster_takes_what_kube_scheduler_places() {
    let Some(pending) = nearly_full(&[]) else {
        println!("skipped: no traces beside the checkout");
        return;
    };
    assert!(pending.len() <= 16, "{} pods are not placed", pending.len());
    let says_why = |it: &String| it.starts_with("0/100 nodes are available: 100 Insufficient cpu");
    assert!(pending.iter().all(says_why), "{pending:?}");
}

/// With a scheduler configured to pack, all of them are placed.
#[test]
#[expect(clippy::print_stdout, reason = "it says that it was skipped")]
fn a_nearly_full_cluster_takes_all_when_the_scheduler_packs() {
    let Some(pending) = nearly_full(&["scenarios/with/packing.yaml"]) else {
        println!("skipped: no traces beside the checkout");
        return;
    };
    assert_eq!(pending, Vec::<String>::new());
}
