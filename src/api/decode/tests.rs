use super::*;
use crate::api::documents::{self, Limits};

struct Read {
    objects: Vec<Decoded>,
    lines: Vec<String>,
}

fn read_with(text: &str, strictness: Strictness) -> Read {
    let mut decoder = Decoder::new(strictness);
    let mut objects = Vec::new();
    let mut findings = Vec::new();
    let broken = documents::read("f", text.as_bytes(), &Limits::default(), &mut |document| {
        objects.extend(decoder.decode(&document, &mut findings));
    });
    findings.extend(broken);
    findings.extend(decoder.finish());
    Read { objects, lines: findings.iter().map(ToString::to_string).collect() }
}

fn read_text(text: &str) -> Read {
    read_with(text, Strictness::Warn)
}

fn pod(spec: &str) -> Read {
    read_text(&format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec:\n  containers:\n  - name: c\n    {spec}\n"
    ))
}

#[test]
fn an_object_becomes_its_official_type() {
    let read = pod("resources: {limits: {cpu: 0.5, memory: 1Gi, pods: 1e3}}");
    assert_eq!(read.lines, [""; 0]);
    let [Decoded::BuiltIn(kind, Typed::Pod(pod))] = read.objects.as_slice() else {
        panic!("expected one pod, found {:?}", read.objects)
    };
    assert_eq!(kind.plural, "pods");
    let limits = pod.spec.clone().unwrap_or_default().containers[0].resources.clone();
    let limits = limits.unwrap_or_default().limits.unwrap_or_default();
    let text = |name: &str| limits[name].0.as_str();
    assert_eq!((text("cpu"), text("memory"), text("pods")), ("0.5", "1Gi", "1000"));
}

#[test]
fn every_value_that_does_not_fit_is_named_with_its_place() {
    let text = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n  annotations: {a: yes, b: 1}\n\
                spec:\n  replicas: three\n  minReadySeconds: 3000000000\n  paused: \"true\"\n  template:\n    \
                spec:\n      containers:\n      - ports:\n        - containerPort: \"80\"\n";
    let read = read_text(text);
    assert!(read.objects.is_empty());
    let head = "(document 1, Deployment/default/web):";
    let mut lines = read.lines.clone();
    lines.sort();
    let mut expected = vec![
        format!(
            "f:5:17 {head} metadata.annotations[a]: expected a string, found the boolean true (put it in quotes: yes, no, on, off, y and n are booleans in YAML)"
        ),
        format!(
            "f:5:25 {head} metadata.annotations[b]: expected a string, found the number 1 (put it in quotes)"
        ),
        format!("f:7:3 {head} spec.replicas: expected an integer, found \"three\""),
        format!(
            "f:8:3 {head} spec.minReadySeconds: expected a 32-bit integer, found the number 3000000000"
        ),
        format!(
            "f:9:3 {head} spec.paused: expected true or false, found \"true\" (write it without quotes)"
        ),
        format!(
            "f:14:11 {head} spec.template.spec.containers[0].ports[0].containerPort: expected an integer, found \"80\" (write it without quotes)"
        ),
    ];
    expected.sort();
    assert_eq!(lines, expected);
}

#[test]
fn the_same_in_json_points_to_the_same_kind_of_place() {
    let text = "{\"apiVersion\": \"v1\", \"kind\": \"List\", \"items\": [\n {\"apiVersion\": \"v1\", \"kind\": \"Pod\",\n  \
                \"spec\": {\"priority\": \"x\", \"imgae\": 1}}]}";
    let lines = read_text(text).lines;
    assert_eq!(
        lines,
        [
            "f:3:12 (document 1, items[0], Pod): spec.priority: expected an integer, found \"x\"",
            "f:3:29 (document 1, items[0], Pod): warning: unknown field \"spec.imgae\"",
        ]
    );
}

#[test]
fn go_reads_null_as_the_zero_value_and_three_point_zero_as_three() {
    let read = read_text(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: ~\n  labels: {a: null}\n  creationTimestamp: null\n\
         spec:\n  replicas: 3.0\n  selector: null\n  template: {spec: {containers: [null], nodeName: null}}\n",
    );
    assert_eq!(read.lines, [""; 0]);
    let Some(Decoded::BuiltIn(_, Typed::Deployment(it))) = read.objects.first() else {
        panic!("expected a deployment")
    };
    assert_eq!(it.metadata.labels.clone().unwrap_or_default()["a"], "");
    assert_eq!(it.spec.clone().unwrap_or_default().replicas, Some(3));
}

#[test]
fn int_or_string_and_quantity_take_both_and_nothing_else() {
    for (spec, good) in [
        ("livenessProbe: {httpGet: {port: 80}}", true),
        ("livenessProbe: {httpGet: {port: \"http\"}}", true),
        ("livenessProbe: {httpGet: {port: 1.5}}", false),
        ("livenessProbe: {httpGet: {port: true}}", false),
        ("resources: {limits: {cpu: 1}}", true),
        ("resources: {limits: {cpu: \"1\"}}", true),
        ("resources: {limits: {cpu: true}}", false),
        ("resources: {limits: {cpu: [1]}}", false),
        ("env: [{name: a, value: 1}]", false),
        ("env: [{name: a, value: on}]", false),
        ("env: [{name: a, value: \"on\"}]", true),
        ("args: [yes]", false),
        ("securityContext: {runAsUser: 010}", true),
        ("imagePullPolicy: {a: b}", false),
        ("ports: {a: b}", false),
    ] {
        assert_eq!(pod(spec).lines.is_empty(), good, "{spec}: {:?}", pod(spec).lines);
    }
}

#[test]
fn times_are_rfc_3339() {
    let with = |time: &str| {
        read_text(&format!("apiVersion: v1\nkind: Pod\nmetadata: {{creationTimestamp: {time}}}\n"))
            .lines
    };
    assert_eq!(with("2026-01-01T00:00:00Z"), [""; 0]);
    assert_eq!(with("\"2026-01-01T00:00:00+02:00\""), [""; 0]);
    let lines = with("yesterday");
    assert!(
        lines[0].contains("metadata.creationTimestamp: expected a time in RFC 3339"),
        "{lines:?}"
    );
}

#[test]
fn unknown_fields_warn_and_are_errors_when_strict() {
    let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n  - name: c\n    imgae: x\n";
    let words = "unknown field \"spec.containers[0].imgae\" (did you mean \"image\"?)";
    let warned = read_text(text);
    assert_eq!(warned.objects.len(), 1);
    assert_eq!(warned.lines, [format!("f:7:5 (document 1, Pod/default/p): warning: {words}")]);
    let strict = read_with(text, Strictness::Strict);
    assert_eq!(strict.lines, [format!("f:7:5 (document 1, Pod/default/p): {words}")]);
}

#[test]
fn unknown_fields_of_one_shape_are_not_repeated_without_end() {
    let one = "---\napiVersion: v1\nkind: Pod\nspec: {containers: [{}, {nope: 1}]}\n";
    assert_eq!(read_text(&one.repeat(50)).lines.len(), REPEATS_MAX);
}

#[test]
fn kinds_nobody_serves_are_errors_unless_a_crd_defines_them() {
    let read =
        read_text("apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: web}\n");
    assert_eq!(
        read.lines,
        ["f:2:1 (document 1, Deployment/web): no matches for kind \"Deployment\" in version \
          \"extensions/v1beta1\" (1.36 serves it in \"apps/v1\")"]
    );
    let crd = "apiVersion: node.k8s.io/v1\nkind: Thing\n---\napiVersion: apiextensions.k8s.io/v1\n\
               kind: CustomResourceDefinition\nspec:\n  group: node.k8s.io\n  names: {kind: Thing, plural: things}\n  \
               scope: Namespaced\n  versions: [{name: v1, served: true, storage: true}]\n";
    assert_eq!(read_text(crd).lines, [""; 0]);
    let custom = read_text("apiVersion: example.com/v1\nkind: Anything\nx: 1\n");
    assert!(matches!(custom.objects.as_slice(), [Decoded::Custom(_)]));
    assert_eq!(custom.lines, [""; 0]);
}

#[test]
fn a_document_without_a_kind_is_refused() {
    let lines = read_text("metadata: {name: a}\n").lines;
    assert_eq!(
        lines,
        [
            "f:1:1 (document 1): apiVersion: Required value",
            "f:1:1 (document 1): kind: Required value"
        ]
    );
    assert_eq!(read_text("apiVersion: v1\nkind: 5\n").lines.len(), 1);
}

/// A manifest with what makes reading hard: anchors, merges, blocks, several documents, a list.
const HARD: &str = "apiVersion: v1\nkind: List\nitems:\n- &a\n  apiVersion: v1\n  kind: Pod\n  metadata: {name: p, \
                    labels: {a: 'b', \"c\": d}}\n  spec:\n    containers:\n    - name: \"c\\x41\"\n      args: [yes, |x|]\n\
                    - *a\n---\n{\"apiVersion\": \"v1\", \"kind\": \"Secret\", \"data\": {\"a\": \"aGk=\"}}\n---\n\
                    apiVersion: v1\nkind: ConfigMap\ndata:\n  text: |\n    {{ x }}\n    # no comment\n  <<: {b: c}\n";

proptest::proptest! {
    /// Whatever bytes come: no panic, and each finding is one line that begins with the file's name.
    #[test]
    fn no_bytes_are_too_strange(
        edits in proptest::collection::vec((0usize..600, proptest::prelude::any::<u8>(), 0u8..4), 0..12),
        stream_from_bytes in 0usize..400,
        noise in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..64),
    ) {
        let mut bytes = HARD.as_bytes().to_vec();
        for (at, byte, how) in edits {
            let at = at % bytes.len();
            let mark = b"{}[]:-\"'&*|>!%@`#,?\n \t~<"[usize::from(byte) % 24];
            match how {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, mark),
                2 => bytes[at] = mark,
                _ => { bytes.remove(at); }
            }
        }
        for bytes in [bytes, noise] {
            let limits = Limits { stream_from_bytes, ..Limits::default() };
            let mut decoder = Decoder::new(Strictness::Strict);
            let mut findings = Vec::new();
            let broken = documents::read("f", bytes.as_slice(), &limits, &mut |document| {
                decoder.decode(&document, &mut findings);
            });
            findings.extend(broken);
            findings.extend(decoder.finish());
            for line in findings.iter().map(ToString::to_string) {
                proptest::prop_assert!(line.starts_with('f') && !line.contains('\n'), "{}", line);
            }
        }
    }
}
