//! Containers for real, by the command line. Where there is no root or no containerd each test says that it was
//! skipped, and why.
#![cfg(feature = "linux-runtime")]
#![expect(clippy::disallowed_methods, reason = "the tests make files, and look at other processes")]

mod common {
    pub mod containers;
}

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};

use common::containers::can;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use wavetank::node::container_engine::linux::{Settings, leftovers, sweep};

/// A folder with a manifest, a work folder and where the run goes.
struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new(manifest: &str) -> Bench {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("app.yaml"), manifest).unwrap();
        Bench { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn settings(&self) -> Settings {
        Settings { work: self.path("work"), ..Settings::default() }
    }

    fn command(&self, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wavetank"));
        command.arg("run").arg(self.path("app.yaml"));
        command.args(["--runtime", "linux", "--quiet", "-o", "json"]);
        command.arg("--out").arg(self.path("run")).arg("--work").arg(self.path("work")).args(more);
        command
    }

    fn run(&self, more: &[&str]) -> Output {
        self.command(more).output().unwrap()
    }

    /// What of the runs that worked in this folder is on the machine.
    fn left(&self) -> Vec<String> {
        let here = self.folder.path().display().to_string();
        leftovers(&self.settings()).into_iter().filter(|one| one.contains(&here)).collect()
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path("run").join(name)).unwrap()
    }
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn summary(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", told(output)))
}

const WEB: &str = r#"
apiVersion: wavetank.dev/v1alpha1
kind: Scenario
metadata: {name: real}
spec:
  seed: 7
  cluster:
    nodes: [{name: n, count: 1, capacity: {cpu: "4", memory: 8Gi, pods: 20}}]
  apps:
  - match: {image: "web:*"}
    ready: 500ms
  - match: {image: "crash:*"}
    run: {for: 1s, exit: 3}
  expect:
  - {name: up, eventually: "deployment('default/web').available == 2", within: 60s}
  - {name: crashes, eventually: "pod('default/crash').restarts >= 1", within: 60s}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: web:1
        ports: [{containerPort: 8080}]
        readinessProbe: {httpGet: {path: /, port: 8080}, periodSeconds: 1}
        livenessProbe: {exec: {command: [cat, /ok]}, periodSeconds: 2}
---
apiVersion: v1
kind: Pod
metadata: {name: crash}
spec:
  containers: [{name: c, image: "crash:1"}]
"#;

/// Seconds of a fact's time, by verb and object.
fn facts(bench: &Bench) -> Vec<Value> {
    let text = bench.text("timeline.jsonl");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_manifest_runs_for_real_and_again_from_its_log() {
    if !can() {
        return;
    }
    let bench = Bench::new(WEB);
    let output = bench.run(&["--until", "20s"]);
    let summary = summary(&output);
    assert_eq!(output.status.code(), Some(0), "{}\n{summary:#}", told(&output));
    assert_eq!(bench.left(), Vec::<String>::new());
    assert!(!bench.path("work").exists(), "the work folder is gone");

    let facts = facts(&bench);
    let exits = facts.iter().filter(|fact| fact["verb"] == "exited");
    assert!(exits.clone().count() >= 1);
    for exit in exits {
        assert_eq!(exit["values"]["exit_code"], 3, "{exit}");
    }
    let ready = facts.iter().filter(|fact| fact["verb"] == "ready").count();
    assert!(ready >= 2, "{ready} pods got ready");

    // What came in from the engine makes the run again: `get` says so, or warns.
    let mut again = Command::new(env!("CARGO_BIN_EXE_wavetank"));
    let output = again.arg("get").arg(bench.path("run")).arg("pods").output().unwrap();
    assert_eq!(told(&output), "", "it goes the same way");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(shown.lines().filter(|line| line.starts_with("web-")).count(), 2, "{shown}");
}

/// Waits until a container of the runtime that works in this folder has its root mounted.
fn await_mount(part: &Path) {
    let part = part.display().to_string();
    for _ in 0..600 {
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        if mounts.lines().any(|line| line.contains(&part) && line.contains("/rootfs ")) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("no container comes up");
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

#[test]
fn what_a_killed_run_leaves_is_swept_and_an_interrupted_one_leaves_nothing() {
    if !can() {
        return;
    }
    let bench = Bench::new(WEB);
    let mut child = bench.command(&["--until", "10m"]).spawn().unwrap();
    await_mount(&bench.path("work"));
    signal(&child, Signal::KILL);
    child.wait().unwrap();
    let left = bench.left();
    assert!(left.iter().any(|one| one.starts_with("process")), "{left:?}");
    sweep(&bench.settings()).unwrap();
    assert_eq!(bench.left(), Vec::<String>::new());

    let child = bench.command(&["--until", "10m"]).stderr(std::process::Stdio::piped()).spawn();
    let child = child.unwrap();
    await_mount(&bench.path("work"));
    signal(&child, Signal::INT);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", told(&output));
    assert_eq!(bench.left(), Vec::<String>::new());
    assert!(!bench.text("engine.jsonl").is_empty(), "what was run is written");
}

/// The containerd that works in this folder.
fn daemon_of(bench: &Bench) -> Option<i32> {
    let config = format!("{}/", bench.path("work").display());
    std::fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let id = entry.file_name().to_str()?.parse().ok()?;
        let words = std::fs::read_to_string(entry.path().join("cmdline")).ok()?;
        (words.starts_with("containerd\0-c\0") && words.contains(&config)).then_some(id)
    })
}

#[test]
fn a_daemon_killed_in_the_middle_ends_the_run_and_leaves_nothing() {
    if !can() {
        return;
    }
    let bench = Bench::new(WEB);
    let mut command = bench.command(&["--until", "10m"]);
    let child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    await_mount(&bench.path("work"));
    let daemon = daemon_of(&bench).expect("it runs");
    kill_process(Pid::from_raw(daemon).unwrap(), Signal::KILL).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", told(&output));
    assert!(told(&output).contains("containerd ended in the middle"), "{}", told(&output));
    assert_eq!(bench.left(), Vec::<String>::new());
}

#[test]
fn without_permission_nothing_is_started_and_doctor_says_what_is_missing() {
    if !can() {
        return;
    }
    let mut doctor = Command::new(env!("CARGO_BIN_EXE_wavetank"));
    let output = doctor.arg("doctor").output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(shown.contains("containerd") && !shown.contains("missing"), "{shown}");

    // As nobody, where nobody may run it.
    let folder = TempDir::new().unwrap();
    let program = folder.path().join("wavetank");
    std::fs::copy(env!("CARGO_BIN_EXE_wavetank"), &program).unwrap();
    let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.path(), everybody).unwrap();
    let output = Command::new(&program).arg("doctor").uid(65534).gid(65534).output().unwrap();
    assert_eq!(output.status.code(), Some(5), "{}", told(&output));
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(shown.contains("not root; run it with sudo"), "{shown}");
}

#[test]
fn what_only_the_model_can_do_is_refused_before_anything_starts() {
    let fault = "  timeline:\n  - {at: 2s, fault: node-crash, target: node/n-0}\n  expect:";
    let bench = Bench::new(&WEB.replace("  expect:", fault));
    let output = bench.run(&[]);
    assert_eq!(output.status.code(), Some(2), "{}", told(&output));
    assert!(told(&output).contains("leave it to the model"), "{}", told(&output));
}

#[test]
fn a_runtime_that_is_not_there_cannot_be_used() {
    if !can() {
        return;
    }
    let bench = Bench::new(WEB);
    let output = bench.run(&["--socket", "/nowhere/runtime.sock"]);
    assert_eq!(output.status.code(), Some(5), "{}", told(&output));
    assert!(told(&output).contains("nothing at /nowhere/runtime.sock"), "{}", told(&output));
    assert!(!bench.path("run").exists() && !bench.path("work").exists());
}
