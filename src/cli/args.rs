//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::Failure;
use crate::api::decode::Strictness;
use crate::api::documents::Limits;
use crate::api::quantity::Quantity;
use crate::kernel::Fidelity;
use crate::scenario::{Assignment, FeatureGates, Group, Overrides};
use crate::time::SimDuration;

/// A deterministic discrete-event simulator of Kubernetes: the whole cluster, on a virtual clock.
#[derive(Parser, Debug)]
#[command(name = "wavetank", version, max_term_width = 100)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// Run once: manifests in, a converged cluster (or the reason why not) out
    Run(RunArgs),
    /// Run under many seeds: does it do what is expected, every time? Each Scenario below a DIR is a test
    Test(TestArgs),
    /// Tell why things happened in a run: the causes behind a pod, a node, a client, a fact
    Explain(ExplainArgs),
    /// Show objects of a run at any instant, as `kubectl get` does
    Get(GetArgs),
    /// Place pods on nodes as kube-scheduler would, without a run: where each goes, and why
    Schedule(ScheduleArgs),
    /// Read and check the input, run nothing
    Check(CheckArgs),
    /// Measure the container engine of this machine, and write the profile that scenarios take as cluster.profile
    Calibrate(CalibrateArgs),
    /// Look whether this machine can run containers (`run --runtime linux`), and what it lacks
    Doctor(DoctorArgs),
    /// Run small scenarios for real and under a profile, and tell how far the model is off: exit 1 if too far
    Validate(ValidateArgs),
    /// Print the JSON Schema of a format
    Schema(SchemaArgs),
}

/// What is read.
#[derive(Args, Debug)]
pub(super) struct InputArgs {
    /// Kubernetes manifests and at most one Scenario: files, folders, or - for stdin
    #[arg(required = true, value_name = "FILE|DIR")]
    pub files: Vec<PathBuf>,
    /// Unknown fields of Kubernetes objects are errors
    #[arg(long)]
    pub strict: bool,
    /// Refuse inputs of more bytes than this, unpacked
    #[arg(long, value_name = "SIZE", default_value = "4Gi")]
    pub max_input: String,
    /// Set one value of the Scenario, as in spec.duration=10m
    #[arg(long, value_name = "PATH=VALUE")]
    pub set: Vec<String>,
    /// The cluster, in place of all nodes in the input: 5, or 5x4,16Gi for 4 CPU and 16Gi each
    #[arg(long, value_name = "NODES")]
    pub nodes: Option<String>,
    /// How the scheduler places pods: a KubeSchedulerConfiguration
    #[arg(long, value_name = "FILE")]
    pub scheduler_config: Option<PathBuf>,
    /// Feature gates, as in SchedulerPopFromBackoffQ=false
    #[arg(long, value_name = "GATE=BOOL,..")]
    pub feature_gates: Vec<String>,
    /// Say less
    #[arg(long, short)]
    pub quiet: bool,
    /// How results are printed
    #[arg(long, short, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    pub output: Format,
}

/// How results are printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Format {
    /// For people
    Text,
    /// For programs
    Json,
}

/// When a run ends, and how it is worked out.
#[derive(Args, Debug)]
pub(super) struct EndArgs {
    /// Run to this instant, as in 10m
    #[arg(long, value_name = "DURATION", conflicts_with = "settle")]
    pub until: Option<String>,
    /// End when the cluster has been as desired for so long [default: 60s]
    #[arg(long, value_name = "DURATION")]
    pub settle: Option<String>,
    /// Whether recurring duties are worked out (elided) or run one by one (explicit)
    #[arg(long, value_name = "FIDELITY")]
    pub fidelity: Option<FidelityArg>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum FidelityArg {
    /// Worked out: quiet time costs nothing
    Elided,
    /// Run one by one: slower, the same result
    Explicit,
}

#[derive(Args, Debug)]
pub(super) struct RunArgs {
    #[command(flatten)]
    pub input: InputArgs,
    #[command(flatten)]
    pub end: EndArgs,
    #[command(flatten)]
    pub real: RealArgs,
    /// What runs the containers
    #[arg(long, value_enum, default_value_t = RuntimeArg::Simulated, value_name = "RUNTIME")]
    pub runtime: RuntimeArg,
    /// With --runtime linux: images for containers, as OCI archives; other images stand for a program
    /// that does what `apps` say
    #[arg(long, value_name = "FILE")]
    pub image: Vec<PathBuf>,
    /// The seed
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Where the run is written [default: reports/NAME]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Stop after so many events; what was run is written
    #[arg(long, value_name = "N", default_value_t = u64::MAX, hide_default_value = true)]
    pub max_events: u64,
    /// Stop after so much wall-clock time, as in 10m
    #[arg(long, value_name = "DURATION")]
    pub max_wall: Option<String>,
    /// Stop when the program holds more memory than this, as in 4Gi
    #[arg(long, value_name = "SIZE")]
    pub max_memory: Option<String>,
}

/// What runs containers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum RuntimeArg {
    /// The model, in virtual time
    Simulated,
    /// A containerd on this machine, by the wall clock
    Linux,
}

/// Where containers run for real.
#[derive(Args, Debug)]
pub(super) struct RealArgs {
    /// With --runtime linux: the folder for images and snapshots, on a disk
    #[arg(long, value_name = "DIR", default_value = "/var/lib/wavetank")]
    pub work: PathBuf,
    /// With --runtime linux: the socket of a CRI v1 runtime, in place of a containerd of our own
    #[arg(long, value_name = "SOCKET")]
    pub socket: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(super) struct DoctorArgs {
    #[command(flatten)]
    pub real: RealArgs,
    /// How results are printed
    #[arg(long, short, value_enum, default_value_t = Format::Text, value_name = "FORMAT")]
    pub output: Format,
}

#[derive(Args, Debug)]
pub(super) struct TestArgs {
    #[command(flatten)]
    pub input: InputArgs,
    #[command(flatten)]
    pub end: EndArgs,
    /// One seed [default: the Scenario's]
    #[arg(long, value_name = "N", conflicts_with = "seeds")]
    pub seed: Option<u64>,
    /// Seeds from A to B, both included
    #[arg(long, value_name = "A..B")]
    pub seeds: Option<String>,
    /// Runs side by side [default: one a processor]
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Write the results as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(super) struct ExplainArgs {
    /// A folder that a run was written to, as reports/first-light
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// pod/NAMESPACE/NAME, deployment/.., node/NAME, client/NAME, or #123 for a fact; without it the
    /// main events
    #[arg(value_name = "OBJECT")]
    pub object: Option<String>,
}

#[derive(Args, Debug)]
pub(super) struct GetArgs {
    /// A folder that a run was written to, as reports/first-light
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Kinds and names as kubectl takes them: pods, deploy,svc, all, pod web-0, node/n-0; or with the
    /// namespace: pod/shop/web-0. `iptables NODE` shows the rules that the kube-proxy of a node writes
    #[arg(required = true, value_name = "KIND [NAME]")]
    pub objects: Vec<String>,
    /// The instant, as in 3m or 1m30s [default: the end of the run]
    #[arg(long, value_name = "DURATION")]
    pub at: Option<String>,
    /// The namespace
    #[arg(long, short, value_name = "NAMESPACE", default_value = "default")]
    pub namespace: String,
    /// All namespaces
    #[arg(long, short = 'A', conflicts_with = "namespace")]
    pub all_namespaces: bool,
    /// What labels must be, as in app=web,tier!=db
    #[arg(long, short = 'l', value_name = "SELECTOR")]
    pub selector: Option<String>,
    /// How they are shown
    #[arg(long, short, value_enum, default_value_t = GetFormat::Text, value_name = "FORMAT")]
    pub output: GetFormat,
}

/// How objects are shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum GetFormat {
    /// In columns
    Text,
    /// In more columns
    Wide,
    /// As the API server gives them, in JSON
    Json,
    /// The same in YAML
    Yaml,
    /// By kind and name
    Name,
}

#[derive(Args, Debug)]
pub(super) struct ScheduleArgs {
    #[command(flatten)]
    pub input: InputArgs,
    /// Show every node's scores or why it was rejected, for all pods or for one, as in
    /// --explain=shop/web-0
    #[arg(long, value_name = "POD", num_args = 0..=1, require_equals = true, default_missing_value = "")]
    pub explain: Option<String>,
    /// Which of several best nodes is taken
    #[arg(long, value_enum, default_value_t = TieBreak::Real, value_name = "RULE")]
    pub tie_break: TieBreak,
    /// When pods arrive
    #[arg(long, value_enum, default_value_t = ArrivalArg::Sequential, value_name = "HOW")]
    pub arrival: ArrivalArg,
    /// How decisions are worked out; the decisions are the same
    #[arg(long, value_enum, default_value_t = WayArg::Fast, value_name = "WAY")]
    pub scheduler: WayArg,
    /// Count how many more copies of this pod fit when all others are placed, and what runs out
    #[arg(long, value_name = "FILE")]
    pub capacity: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum TieBreak {
    /// The one kube-scheduler takes: the top of its heap
    Real,
    /// The one with the smallest name
    SmallestName,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum ArrivalArg {
    /// Each in the order of the input, when all before it are scheduled
    Sequential,
    /// All at first; then the queue is worked off
    Batch,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum WayArg {
    /// With what is remembered of decisions before
    Fast,
    /// Step by step
    Plain,
}

#[derive(Args, Debug)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    pub input: InputArgs,
}

#[derive(Args, Debug)]
pub(super) struct CalibrateArgs {
    /// Where the profile, all samples and the pictures go
    #[arg(long, value_name = "DIR", default_value = "reports/calibration")]
    pub out: PathBuf,
    /// What the profile is called [default: the folder's name]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// So many times as much of everything; 1 takes some five minutes
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub repeats: u32,
    /// As little as makes a profile, in a minute or two: to try it out
    #[arg(long, conflicts_with = "repeats")]
    pub quick: bool,
    /// Measure nothing: make the profile and the pictures anew from the samples that an earlier calibration kept
    #[arg(long, value_name = "DIR")]
    pub from: Option<PathBuf>,
    #[command(flatten)]
    pub real: RealArgs,
    /// Say less
    #[arg(long, short)]
    pub quiet: bool,
}

#[derive(Args, Debug)]
pub(super) struct ValidateArgs {
    /// The profile: a built-in one or a file that `calibrate` wrote
    #[arg(long, value_name = "NAME|FILE")]
    pub profile: String,
    #[command(flatten)]
    pub real: RealArgs,
    /// How often all of it is run for real; each takes two minutes and a half. The spread of reality needs two
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=12))]
    pub repeats: u32,
    /// Only these scenarios, as in start-four,slow-stop
    #[arg(long, value_name = "NAME,..", value_delimiter = ',')]
    pub only: Vec<String>,
    /// A model's median may be off by so many times the larger of 15 % and the spread of reality
    #[arg(long, value_name = "FACTOR", default_value_t = 2.0)]
    pub factor: f64,
    /// Where the table goes
    #[arg(long, value_name = "DIR", default_value = "reports/validation")]
    pub out: PathBuf,
    /// Say less
    #[arg(long, short)]
    pub quiet: bool,
}

#[derive(Args, Debug)]
pub(super) struct SchemaArgs {
    /// Which one; all of them, if none
    pub name: Option<SchemaName>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum SchemaName {
    /// What surrounds the manifests of a run
    Scenario,
    /// summary.json
    Summary,
    /// A line of timeline.jsonl
    Timeline,
    /// What `schedule -o json` prints
    Schedule,
    /// What a container engine costs: `cluster.profile`
    Profile,
}

fn duration(flag: &str, text: Option<&String>) -> Result<Option<SimDuration>, Failure> {
    text.map(|text| SimDuration::parse(text))
        .transpose()
        .map_err(|error| Failure::usage(format!("{flag}: {error}")))
}

impl InputArgs {
    /// What is read: the inputs, and the configuration of the scheduler.
    pub(super) fn sources(&self) -> (&[PathBuf], Option<&PathBuf>) {
        (&self.files, self.scheduler_config.as_ref())
    }

    /// What the flags say of a plan.
    pub(super) fn overrides(&self) -> Result<Overrides, Failure> {
        let bytes = match Quantity::parse(&self.max_input) {
            Ok(quantity) if quantity.signum() > 0 => quantity.value() as u64,
            _ => {
                let text = &self.max_input;
                return Err(Failure::usage(format!(
                    "--max-input {text}: expected a size, as in 4Gi or 500M"
                )));
            }
        };
        let assignments = self.set.iter().map(|text| Assignment::parse(text));
        let gates = FeatureGates::parse(&self.feature_gates.join(","));
        let nodes = self.nodes.as_deref().map(Group::parse).transpose();
        Ok(Overrides {
            nodes: nodes.map_err(Failure::usage)?,
            feature_gates: gates
                .map_err(|why| Failure::usage(format!("--feature-gates: {why}")))?,
            assignments: assignments.collect::<Result<_, _>>().map_err(Failure::usage)?,
            strictness: if self.strict { Strictness::Strict } else { Strictness::Warn },
            limits: Limits { input_bytes_max: bytes, ..Limits::default() },
            ..Overrides::default()
        })
    }
}

impl EndArgs {
    /// The same with these.
    pub(super) fn over(
        &self,
        overrides: Overrides,
        seed: Option<u64>,
    ) -> Result<Overrides, Failure> {
        Ok(Overrides {
            seed,
            until: duration("--until", self.until.as_ref())?,
            settle: duration("--settle", self.settle.as_ref())?,
            fidelity: self.fidelity.map(|it| match it {
                FidelityArg::Elided => Fidelity::Elided,
                FidelityArg::Explicit => Fidelity::Explicit,
            }),
            ..overrides
        })
    }
}
