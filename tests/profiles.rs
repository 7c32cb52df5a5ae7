//! Profiles of container engines as their users have them: named, in files, kept, wrong.

#![expect(clippy::disallowed_methods, reason = "the tests make files of their own")]

mod common {
    pub mod command;
}

use std::fs;
use std::path::Path;

use common::command::wavetank;
use serde_json::Value;
use tempfile::TempDir;

const PROFILE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/src/calibration/profiles/debian12-containerd/profile.yaml"
);

/// A scenario under a profile, and two pods.
fn scenario(profile: &str) -> String {
    format!(
        "apiVersion: wavetank.dev/v1alpha1\nkind: Scenario\nmetadata: {{name: measured}}\n\
         spec:\n  cluster:\n    profile: {profile}\n---\n\
         apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec:\n  replicas: 2\n  \
         selector: {{matchLabels: {{app: web}}}}\n  template:\n    metadata: {{labels: {{app: web}}}}\n    \
         spec: {{containers: [{{name: c, image: \"a:1\"}}]}}\n"
    )
}

fn folder(profile: &str) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    fs::create_dir(folder.path().join("below")).expect("a folder");
    fs::copy(PROFILE, folder.path().join("below/mine.yaml")).expect("the built-in one");
    fs::write(folder.path().join("in.yaml"), scenario(profile)).expect("a file");
    folder
}

fn digest(folder: &Path, args: &[&str]) -> String {
    let args = [args, &["--quiet", "-o", "json", "--until", "1m"]].concat();
    let said = wavetank(folder, &args);
    let summary: Value = serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("{}", said.err));
    summary["digest"].as_str().expect("a digest").to_owned()
}

#[test]
fn a_profile_is_named_or_a_file_and_is_not_the_default() {
    let named = folder("debian12-containerd");
    let in_a_file = folder("below/mine.yaml");
    let default = folder("default");
    let run = ["run", "in.yaml"];
    let first = digest(named.path(), &run);
    assert_eq!(first, digest(named.path(), &run), "the same plan, the same run");
    assert_eq!(first, digest(in_a_file.path(), &run));
    assert_ne!(first, digest(default.path(), &run));
    let flag = "spec.cluster.profile=below/mine.yaml";
    assert_eq!(first, digest(default.path(), &["run", "in.yaml", "--set", flag]));
}

#[test]
fn a_run_is_asked_again_with_the_profile_it_had() {
    for (profile, set) in [("below/mine.yaml", None), ("default", Some("below/mine.yaml"))] {
        let folder = folder(profile);
        let set = set.map(|file| format!("spec.cluster.profile={file}"));
        let mut args = vec!["run", "in.yaml", "--until", "1m"];
        args.extend(set.iter().flat_map(|set| ["--set", set]));
        let said = wavetank(folder.path(), &args);
        assert_eq!(said.code, 0, "{}", said.err);
        // The file may go: the run folder holds it.
        fs::remove_file(folder.path().join("below/mine.yaml")).expect("it is there");
        let said = wavetank(folder.path(), &["get", "reports/measured", "pods"]);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{profile}");
    }
}

/// Without a real engine, commands that need one say how to get it; what is wrong with their input comes first.
#[cfg(not(feature = "linux-runtime"))]
#[test]
fn measuring_needs_the_feature_and_says_so() {
    let folder = folder("default");
    let validate = ["validate", "--profile"];
    let cases = [
        (vec!["calibrate"], 5, "--features linux-runtime"),
        ([&validate[..], &["debian12-containerd"]].concat(), 5, "--features linux-runtime"),
        ([&validate[..], &["nothing"]].concat(), 2, "there is debian12-containerd"),
        ([&validate[..], &["in.yaml"]].concat(), 2, "no matches for kind \"Scenario\""),
        (vec!["calibrate", "--out", "below"], 2, "holds no calibration"),
    ];
    for (args, code, expected) in cases {
        let said = wavetank(folder.path(), &args);
        assert_eq!(said.code, code, "{args:?}: {}", said.err);
        assert!(said.err.contains(expected), "{args:?}: {}", said.err);
        assert!(!folder.path().join("reports").exists(), "{args:?}");
    }
}

/// A profile is made anew from its samples, without an engine.
#[test]
fn samples_give_the_profile_again_and_its_pictures() {
    let folder = folder("default");
    let place = Path::new(PROFILE).parent().expect("a folder").display().to_string();
    let args = ["calibrate", "--from", &place, "--name", "debian12-containerd", "--out", "again"];
    let said = wavetank(folder.path(), &args);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out.contains("startContainer"), "{}", said.out);
    let read = |path: &Path| fs::read_to_string(path).expect("it is written");
    let again = folder.path().join("again");
    assert_eq!(read(&again.join("profile.yaml")), read(Path::new(PROFILE)));
    assert!(read(&again.join("plots/startContainer.svg")).contains("1 in flight"));
    assert!(again.join("plots/pull.png").exists());
}

#[test]
fn a_wrong_profile_is_exit_2_with_its_place() {
    let text = fs::read_to_string(PROFILE).expect("the built-in one");
    let line = 1 + text.lines().position(|it| it.contains("runPodSandbox:")).expect("a line");
    let cases = [
        (text.replace("runPodSandbox:", "runPodSandbx:"), format!("below/mine.yaml:{line}:")),
        (text.replace("pull: {", "pull: {base: -1s, #"), "below/mine.yaml:".to_owned()),
        (
            text.replace("kind: Profile", "kind: Profil"),
            "no matches for kind \"Profil\"".to_owned(),
        ),
        (text.replace("v1alpha1", "v1"), "no matches for kind \"Profile\"".to_owned()),
        ("[".to_owned(), "not valid YAML".to_owned()),
    ];
    for (text, expected) in cases {
        let folder = folder("below/mine.yaml");
        fs::write(folder.path().join("below/mine.yaml"), text).expect("a file");
        let said = wavetank(folder.path(), &["run", "in.yaml"]);
        assert_eq!(said.code, 2, "{}", said.err);
        assert!(said.err.contains(&expected), "{expected}: {}", said.err);
        assert!(!folder.path().join("reports").exists());
    }
    for (name, expected) in [
        ("debian12-containrd", "did you mean \"debian12-containerd\"?"),
        ("nowhere.yaml", "in.yaml:6:5"),
    ] {
        let said = wavetank(folder(name).path(), &["check", "in.yaml"]);
        assert_eq!(said.code, 2, "{}", said.err);
        assert!(said.err.contains(expected), "{expected}: {}", said.err);
    }
}
