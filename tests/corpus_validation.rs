//! Real manifests, beside the checkout: each object is filled in and checked as API server 1.36
//! would, and what we refuse 1.36 refuses too, for the reason in the table below.
#![expect(clippy::disallowed_methods, reason = "the test reads the corpus itself")]

mod common {
    pub mod manifests;
}

use std::path::Path;

use common::manifests::files_below;
use wavetank::api::{
    decode::{Decoded, Decoder, Strictness},
    documents::{self, Limits},
    validation::object::prepare_create,
};

const FOLDERS: [&str; 5] = [
    "online-boutique",
    "sock-shop",
    "kubernetes-examples",
    "k8s-website-examples",
    "istio-samples",
];

/// Every refusal: the end of the file's path, and the line of the API server.
const REFUSED: &[(&str, &str)] = &[
    ("sysdig-cloud/sysdig-rc.yaml", "spec.selector: Required value"),
    ("aws_ebs/aws-ebs-web.yaml", "ports[0].protocol: Unsupported value: \"tcp\""),
    ("cinder/cinder-web.yaml", "ports[0].protocol: Unsupported value: \"tcp\""),
    ("pods/pod-with-numeric-toleration.yaml", "tolerations[0].operator: Unsupported value: \"Gt\""),
    ("seccomp/fields.yaml", "spec.ephemeralContainers: Forbidden: cannot be set on create"),
    ("failure-policy-ignore.yaml", "metadata.name: Required value"),
];

/// The number of built-in objects of a file, and the errors of those that decode.
fn check(path: &Path) -> (usize, Vec<String>) {
    let bytes = std::fs::read(path).unwrap_or_default();
    let mut decoder = Decoder::new(Strictness::Warn);
    let (mut objects, mut lines, mut findings) = (0, Vec::new(), Vec::new());
    // What cannot be read is the matter of the reader's own test.
    let _ = documents::read("file", bytes.as_slice(), &Limits::default(), &mut |document| {
        if let Some(Decoded::BuiltIn(kind, mut object)) = decoder.decode(&document, &mut findings) {
            objects += 1;
            let name = object.metadata().name.clone().unwrap_or_default();
            let errors = prepare_create(&mut object);
            lines.extend(errors.list().iter().map(|e| format!("{} {name}: {e}", kind.kind)));
        }
    });
    (objects, lines)
}

#[test]
#[expect(clippy::print_stdout, reason = "it says when it was skipped, and what was counted")]
fn what_is_refused_is_refused_by_the_api_server_too() {
    let corpus = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/corpus"));
    if !corpus.is_dir() {
        println!("skipped: no corpus beside the checkout");
        return;
    }
    let (mut objects, mut unexplained, mut explained) = (0, Vec::new(), vec![0; REFUSED.len()]);
    for folder in FOLDERS {
        let mut files = Vec::new();
        files_below(&corpus.join(folder), &mut files);
        assert!(!files.is_empty(), "{folder} is empty");
        for file in files {
            let (count, lines) = check(&file);
            objects += count;
            for line in lines {
                let known = REFUSED
                    .iter()
                    .position(|(end, text)| file.ends_with(end) && line.contains(text));
                match known {
                    Some(at) => explained[at] += 1,
                    None => unexplained.push(format!("{}: {line}", file.display())),
                }
            }
        }
    }
    println!("corpus: {objects} objects, {} refusals in the table", REFUSED.len());
    assert!(unexplained.is_empty(), "not in the table:\n{}", unexplained.join("\n"));
    for ((end, text), count) in REFUSED.iter().zip(explained) {
        assert!(count > 0, "{end} is not refused for {text:?} any more");
    }
}
