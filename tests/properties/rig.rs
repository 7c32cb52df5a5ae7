//! Plans from small texts, and runs that remember what happened.

use std::fmt::Write;
use std::sync::Arc;

use proptest::prelude::ProptestConfig;
use proptest::test_runner::RngSeed;
use wavetank::cluster::World;
use wavetank::cluster::plan::Plan;
use wavetank::kernel::{Engine, FactSink, Order};
use wavetank::messages::{Fact, Verb};
use wavetank::scenario::{Loader, Overrides};
use wavetank::time::{SimDuration, SimTime};

/// A shop: `web` with a Service and readiness probes, `store` without; `more` are documents behind
/// it, `spec` lines of the Scenario (two spaces in).
pub fn shop(web: u32, store: u32, spec: &str, more: &str) -> Plan {
    load(&format!(
        "apiVersion: wavetank.dev/v1alpha1\nkind: Scenario\nmetadata: {{name: shop}}\nspec:\n{spec}\n\
         ---\n{}---\n{}---\n{more}",
        deployment("web", web, "readinessProbe: {httpGet: {port: 80}, periodSeconds: 2}"),
        "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {selector: {app: web}, ports: [{port: 80}]}\n\
         ---\n".to_owned() + &deployment("store", store, ""),
    ))
}

/// A Deployment of pods that ask for 100m and 128Mi.
pub fn deployment(name: &str, replicas: u32, probe: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  replicas: {replicas}\n  \
         selector: {{matchLabels: {{app: {name}}}}}\n  template:\n    metadata: {{labels: {{app: {name}}}}}\n    \
         spec:\n      containers:\n      - name: c\n        image: registry.example/{name}:1\n        \
         resources: {{requests: {{cpu: 100m, memory: 128Mi}}}}\n        {probe}\n"
    )
}

/// A StatefulSet of three and a DaemonSet.
pub fn sets() -> String {
    let of = |kind: &str, name: &str, more: &str| {
        deployment(name, 3, "")
            .replace("kind: Deployment", &format!("kind: {kind}"))
            .replace("  replicas: 3\n", more)
    };
    let stateful = of("StatefulSet", "db", "  replicas: 3\n  serviceName: web\n");
    stateful + "---\n" + &of("DaemonSet", "agent", "")
}

/// A Job of five indexes, and a CronJob that starts each minute; what runs of them ends after 10 s.
pub fn batch() -> String {
    let pod = "template:\n        metadata: {labels: {app: batch}}\n        spec:\n          \
               restartPolicy: Never\n          containers: [{name: c, image: batch}]\n";
    format!(
        "{}---\napiVersion: batch/v1\nkind: CronJob\nmetadata: {{name: tick}}\nspec:\n  \
         schedule: '* * * * *'\n  jobTemplate:\n    spec:\n      ttlSecondsAfterFinished: 45\n      {pod}",
        job(5, 2)
    )
}

/// An Indexed Job.
pub fn job(completions: u32, parallelism: u32) -> String {
    format!(
        "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: sum}}\nspec:\n  completions: {completions}\n  \
         parallelism: {parallelism}\n  completionMode: Indexed\n  template:\n    metadata: {{labels: \
         {{app: sum}}}}\n    spec:\n      restartPolicy: Never\n      containers: [{{name: c, image: sum}}]\n"
    )
}

/// So many cases of a property, the same each time; `PROPTEST_CASES` and `PROPTEST_RNG_SEED` ask for
/// others.
pub fn cases(number: u32) -> ProptestConfig {
    let mut config = ProptestConfig { failure_persistence: None, ..Default::default() };
    if config.cases == 256 {
        config.cases = number;
    }
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(1);
    }
    config
}

/// The plan a text says.
pub fn load(text: &str) -> Plan {
    let mut loader = Loader::new(Overrides::default());
    loader.read("in.yaml", text.as_bytes(), &mut |_| {});
    let loaded = loader.finish();
    let errors: Vec<String> = loaded.findings.iter().map(ToString::to_string).collect();
    assert!(!loaded.has_errors(), "{errors:?}\n{text}");
    loaded.plan
}

/// All facts of a run, and the number of each one's cause.
#[derive(Default)]
pub struct Facts(pub Vec<(SimTime, Fact)>, pub Vec<u64>);

impl FactSink<Fact> for Facts {
    fn record(&mut self, at: SimTime, _number: u64, cause: u64, fact: &Fact) {
        self.0.push((at, fact.clone()));
        self.1.push(cause);
    }
}

impl Facts {
    /// When facts of this kind happened, each with its object's name and its node.
    pub fn of(&self, verb: Verb) -> Vec<(SimTime, String, String)> {
        let all = self.0.iter().filter(|(_, fact)| fact.verb == verb);
        all.map(|(at, fact)| {
            let node = fact.node.as_ref().map_or_else(String::new, ToString::to_string);
            (*at, fact.object.name.to_string(), node)
        })
        .collect()
    }

    /// A fact as a line.
    pub fn line(&self, at: usize) -> String {
        let Some((time, fact)) = self.0.get(at) else { return "(no fact)".to_owned() };
        let node = fact.node.as_ref().map_or_else(String::new, |node| format!(" on {node}"));
        let (from, message) = (fact.component.name(), fact.message.as_deref().unwrap_or(""));
        let cause = self.1[at];
        format!(
            "{time} {}<-{cause} {from} {} {}{node} {:?} {message}",
            at + 1,
            fact.verb,
            fact.object,
            fact.values
        )
    }

    /// The last facts before `at`, and `at` itself.
    pub fn around(&self, at: usize) -> String {
        (at.saturating_sub(8)..(at + 3).min(self.0.len())).fold(String::new(), |mut text, at| {
            let _ = writeln!(text, "  {}", self.line(at));
            text
        })
    }

    /// Where two runs part, if they do: in a fact or in what it came of.
    pub fn first_difference(&self, other: &Facts) -> Option<usize> {
        let mine = self.0.iter().zip(&self.1);
        let same =
            mine.zip(other.0.iter().zip(&other.1)).take_while(|(one, two)| one == two).count();
        (same < self.0.len().max(other.0.len())).then_some(same)
    }
}

/// Takes the next step, unless the run is over.
pub fn step(world: &mut World, sink: &mut dyn FactSink<Fact>) -> bool {
    let ends = world.ends_at();
    let goes_on = world.next_at().is_some_and(|next| next <= ends);
    if goes_on {
        world.step(ends, sink, &mut Vec::new());
    }
    goes_on
}

/// A run of `plan` to its end.
pub fn run(plan: &Plan, order: Order) -> (World, Facts) {
    let mut facts = Facts::default();
    let mut world = World::new(Arc::new(plan.clone()), order, &mut facts);
    while step(&mut world, &mut facts) {}
    (world, facts)
}

/// So many milliseconds after the start.
pub fn millis(millis: u64) -> SimTime {
    SimTime::ZERO + SimDuration::from_millis(millis)
}

/// Asserts that two runs left equal facts.
pub fn assert_equal(one: &(World, Facts), two: &(World, Facts), what: &str) {
    if let Some(at) = one.1.first_difference(&two.1) {
        panic!("{what}: facts part at {at}:\n{}and\n{}", one.1.around(at), two.1.around(at));
    }
    assert_eq!(one.0.digest(), two.0.digest(), "{what}: digests");
    assert_eq!(one.0.converged_since(), two.0.converged_since(), "{what}: convergence");
}
