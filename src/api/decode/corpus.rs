//! Real manifests: every file of the corpus is read, and each refusal is one that 1.36 makes too.

use std::path::{Path, PathBuf};

use super::{Decoder, Strictness};
use crate::api::diagnostic::Diagnostic;
use crate::api::documents::{self, Limits};

const FOLDERS: [&str; 5] = [
    "online-boutique",
    "sock-shop",
    "kubernetes-examples",
    "k8s-website-examples",
    "istio-samples",
];

/// The corpus beside the checkout, where there is one.
fn corpus() -> Option<PathBuf> {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus"));
    folder.is_dir().then(|| folder.to_owned())
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = folder.read_dir() else { return };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let extension = path.extension().and_then(|extension| extension.to_str());
        if path.is_dir() {
            files_below(&path, found);
        } else if matches!(extension, Some("yaml" | "yml" | "json")) {
            found.push(path);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the test reads the corpus itself")]
fn findings_of(path: &Path, name: &str) -> (usize, Vec<Diagnostic>) {
    let bytes = std::fs::read(path).unwrap_or_default();
    let mut decoder = Decoder::new(Strictness::Warn);
    let (mut objects, mut findings) = (0, Vec::new());
    let broken = documents::read(name, bytes.as_slice(), &Limits::default(), &mut |document| {
        objects += usize::from(decoder.decode(&document, &mut findings).is_some());
    });
    findings.extend(broken);
    findings.extend(decoder.finish());
    (objects, findings)
}

/// Why 1.36 refuses it too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// The version is gone or off by default: kubectl finds no match.
    NotServed,
    /// A program's own file: it has no kind, or one no API server knows.
    NoObject,
    /// A template: its placeholders are no YAML that JSON can hold, or no YAML at all.
    Template,
    /// A key that stands twice in one object.
    TwiceTheKey,
    /// The values stand for real ones and are no base64.
    NoBase64,
}

use Why::{NoBase64, NoObject, NotServed, Template, TwiceTheKey};

/// Every refusal: the end of the file's path, how many errors, and why.
const REFUSED: &[(&str, usize, Why)] = &[
    ("network-policies/kustomization.yaml", 1, NoObject),
    ("manifests-logging/fluentd-cr.yml", 1, NotServed),
    ("manifests-logging/fluentd-crb.yml", 1, NotServed),
    ("persistent-volume-label-initializer-config.yaml", 1, NotServed),
    ("cockroachdb/cockroachdb-statefulset.yaml", 1, NotServed),
    ("newrelic/newrelic-config-template.yaml", 1, Template),
    ("newrelic-infrastructure/newrelic-config-template.yaml", 1, Template),
    ("newrelic-infrastructure/newrelic-infra-daemonset.yaml", 1, NotServed),
    ("openshift-origin/etcd-controller.yaml", 1, TwiceTheKey),
    ("openshift-origin/etcd-discovery-controller.yaml", 1, TwiceTheKey),
    ("openshift-origin/openshift-controller.yaml", 1, TwiceTheKey),
    ("scheduler-policy/scheduler-policy-config-with-extender.json", 1, NoObject),
    ("scheduler-policy/scheduler-policy-config.json", 1, NoObject),
    ("vitess/etcd-service-template.yaml", 1, Template),
    ("vitess/vtgate-controller-template.yaml", 1, Template),
    ("account-specified-hdd/storageclass-account-hdd.yaml", 1, NotServed),
    ("dedicated-hdd/storageclass-dedicated-hdd.yaml", 1, NotServed),
    ("shared-hdd/storageclass-shared-hdd.yaml", 1, NotServed),
    ("managed-hdd/storageclass-managed-hdd.yaml", 1, NotServed),
    ("flexvolume/deploy/ds.yaml", 1, NotServed),
    ("cassandra/image/files/cassandra.yaml", 2, NoObject),
    ("src/test/resources/cassandra.yaml", 2, NoObject),
    ("mutatingadmissionpolicy/json-patch-example.yaml", 1, NotServed),
    ("seccomp/profiles/audit.json", 2, NoObject),
    ("seccomp/profiles/violation.json", 2, NoObject),
    ("policy/baseline-psp.yaml", 1, NotServed),
    ("policy/privileged-psp.yaml", 1, NotServed),
    ("policy/restricted-psp.yaml", 1, NotServed),
    ("secret/tls-auth-secret.yaml", 2, NoBase64),
    ("tls/server-signing-config.json", 2, NoObject),
    ("tag-chart/Chart.yaml", 1, NoObject),
    ("templates/mutatingwebhooks.yaml", 1, Template),
    ("templates/shimservice.yaml", 1, Template),
    ("tag-chart/values.yaml", 2, NoObject),
    ("mongodb/ratings_data.json", 4, NoObject),
    ("ratings/package.json", 2, NoObject),
    ("bookinfo/swagger.yaml", 2, NoObject),
    ("spire-base.yaml", 2, NoObject),
];

fn why(finding: &Diagnostic) -> Option<Why> {
    let text = finding.to_string();
    let has = |words: &str| text.contains(words);
    [
        ("template", Template),
        ("configuration file", NoObject),
        ("kubectl kustomize", NoObject),
        ("\"Policy\" in version \"v1\"", NoObject),
        ("Required value", NoObject),
        ("no matches for kind", NotServed),
        ("already set in map", TwiceTheKey),
        ("illegal base64", NoBase64),
    ]
    .into_iter()
    .find(|(words, _)| has(words))
    .map(|(_, why)| why)
}

#[test]
fn every_refusal_is_one_of_the_api_servers_too() {
    let Some(corpus) = corpus() else {
        eprintln!("skipped: no corpus beside the checkout");
        return;
    };
    let mut refused: Vec<(&str, usize, Why)> = Vec::new();
    for folder in FOLDERS {
        let mut files = Vec::new();
        files_below(&corpus.join(folder), &mut files);
        let (mut all, mut warnings) = (0, 0);
        for file in &files {
            let name = file.strip_prefix(&corpus).unwrap_or(file).display().to_string();
            let (objects, findings) = findings_of(file, &name);
            all += objects;
            let errors: Vec<&Diagnostic> = findings.iter().filter(|f| f.is_error()).collect();
            warnings += findings.len() - errors.len();
            let Some(first) = errors.first() else { continue };
            eprintln!("{first}");
            let row = REFUSED.iter().find(|(end, ..)| name.ends_with(end));
            let Some(&(end, ..)) = row else { panic!("refused without a reason: {first}") };
            let Some(why) = why(first) else { panic!("refused for a new reason: {first}") };
            refused.push((end, errors.len(), why));
        }
        eprintln!("{folder}: {} files, {all} objects, {warnings} warnings", files.len());
    }
    refused.sort_by_key(|row| REFUSED.iter().position(|(end, ..)| *end == row.0));
    assert_eq!(refused, REFUSED);
}
