//! Every scenario of `scenarios/`: two runs are one and the same, and what it expects comes true.

#![expect(clippy::disallowed_methods, reason = "the tests read the scenarios")]

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use wavetank::cluster::World;
use wavetank::cluster::invariants::Invariants;
use wavetank::kernel::{
    self, Budgets, Engine, FactSink, Halt, InputLog, NoSink, Order, Run, Virtual, Watch,
};
use wavetank::messages::Fact;
use wavetank::runs::{Seeds, Test, Verdict, many};
use wavetank::scenario::{Loader, Overrides};
use wavetank::time::SimTime;

const SCENARIOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
/// Not run by themselves: measured by the benches, asked of `wavetank schedule`, or to be given beside
/// other manifests.
const ASIDE: [&str; 3] = ["bench", "schedule", "with"];
/// The release manifest of <https://github.com/GoogleCloudPlatform/microservices-demo>.
const BOUTIQUE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../shared/corpus/online-boutique/release/kubernetes-manifests.yaml"
);

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = folder.read_dir().expect("a folder of scenarios");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let below = |path: PathBuf| if path.is_dir() { files_below(&path) } else { vec![path] };
    paths.retain(|path| !ASIDE.iter().any(|name| path.ends_with(name)));
    paths.into_iter().flat_map(below).collect()
}

/// What the files say together, under the seed they state.
fn read(files: &[&Path]) -> Test {
    let mut loader = Loader::new(Overrides::default());
    for file in files {
        let text = std::fs::read(file).expect("a file of manifests");
        loader.read(&file.display().to_string(), &text[..], &mut |_| {});
    }
    let loaded = loader.finish();
    assert!(!loaded.has_errors(), "{:?}", loaded.findings);
    let seed = loaded.plan.seed;
    let plan = Arc::new(loaded.plan);
    Test { plan, expectations: loaded.expectations, seeds: Seeds(seed..=seed) }
}

/// Runs each twice, and demands that both runs are equal in all they tell.
fn twice(tests: &[Test]) -> Vec<Verdict> {
    let all = [tests, tests].concat();
    let verdicts = many(&all, 0, &AtomicBool::new(false), &|_| {}).expect("they run");
    let (first, second) = verdicts.split_at(tests.len());
    assert_eq!(first, second);
    first.concat()
}

#[test]
fn all_run_alike_twice_and_do_as_they_say() {
    let files = files_below(Path::new(SCENARIOS));
    let tests: Vec<Test> = files.iter().map(|file| read(&[file])).collect();
    let verdicts = twice(&tests);
    assert_eq!(verdicts.len(), files.len());
    for (file, verdict) in files.iter().zip(&verdicts) {
        assert!(verdict.has_passed, "{}: {verdict:#?}", file.display());
    }
    let mut digests: Vec<u64> = verdicts.iter().map(|verdict| verdict.digest).collect();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), files.len(), "no two scenarios are one and the same");
}

/// Looks at the world after each step.
#[derive(Default)]
struct Watching {
    invariants: Invariants,
    wrong: Option<String>,
    looks: u64,
}

impl FactSink<Fact> for Watching {
    fn record(&mut self, _at: SimTime, _number: u64, _cause: u64, _fact: &Fact) {}
}

impl Watch<World> for Watching {
    fn until(&self, world: &World) -> SimTime {
        world.ends_at()
    }

    fn after_step(&mut self, world: &World) -> ControlFlow<Halt> {
        self.looks += 1;
        match self.invariants.check(world) {
            Ok(()) => ControlFlow::Continue(()),
            Err(wrong) => {
                self.wrong = Some(format!("at {}: {wrong}", world.now()));
                ControlFlow::Break(Halt::Goal)
            }
        }
    }
}

/// No node holds more than it has, no pod is on two; of requests, what was sent was answered well,
/// failed or is under way, and the time they spent is the area below their number (Little's law).
#[test]
fn invariants_hold_after_each_step_of_every_scenario() {
    for file in files_below(Path::new(SCENARIOS)) {
        let test = read(&[&file]);
        let mut world = World::new(test.plan, Order::Fifo, &mut NoSink);
        let mut watching = Watching::default();
        let until = world.ends_at();
        let mut around = Run {
            budgets: Budgets::until(until),
            interrupt: &AtomicBool::new(false),
            observer: &mut watching,
            log: &mut InputLog::new(),
        };
        kernel::run(&mut world, &mut Virtual::new(), &mut around);
        assert_eq!(watching.wrong, None, "{}", file.display());
        assert!(watching.looks > 40, "{}: {} looks", file.display(), watching.looks);
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "it says that it was skipped")]
fn online_boutique_survives_a_node_if_it_is_given_time() {
    let manifest = Path::new(BOUTIQUE);
    if !manifest.is_file() {
        println!("skipped: no manifest of Online Boutique beside the checkout");
        return;
    }
    let scenarios: [(&str, &[&str]); 3] = [
        ("boutique", &[]),
        ("boutique-node-loss", &[]),
        ("boutique-no-time", &["shoppers-are-served"]),
    ];
    let read_beside =
        |name| read(&[manifest, &Path::new(SCENARIOS).join(format!("with/{name}.yaml"))]);
    let verdicts = twice(&scenarios.map(|(name, _)| read_beside(name)));
    for ((name, expected), verdict) in scenarios.iter().zip(&verdicts) {
        let failed = verdict.expectations.iter().filter(|row| !row.passed);
        let failed: Vec<&str> = failed.map(|row| row.name.as_str()).collect();
        assert_eq!(failed, *expected, "{name}: {verdict:#?}");
        assert_eq!(verdict.has_passed, failed.is_empty(), "{name}");
    }
}
