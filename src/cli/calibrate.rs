//! `wavetank calibrate`.

use std::fs;
use std::path::Path;

use super::args::CalibrateArgs;
use super::inputs::{open_file, words};
use super::{Code, Failure, complain, say};
use crate::api::documents::Limits;
use crate::calibration::sitting::{Around, Sitting};
use crate::calibration::told;
use crate::scenario::profile::EngineProfile;
use crate::scenario::read_profile;

/// The profile in a folder of ours.
const PROFILE: &str = "profile.yaml";
/// The samples beside it.
pub(super) const SAMPLES: &str = "samples.csv";
/// The table that is printed as well.
const TABLE: &str = "table.txt";
/// The folder of the pictures.
const PLOTS: &str = "plots";

pub(super) fn calibrate(args: &CalibrateArgs) -> Result<Code, Failure> {
    check_place(&args.out)?;
    let name = match &args.name {
        Some(name) => name.clone(),
        None => {
            let last = args.out.file_name().map(|name| name.to_string_lossy().into_owned());
            last.unwrap_or_else(|| "measured".to_owned())
        }
    };
    let (sitting, around) = match &args.from {
        Some(folder) => again(folder, name)?,
        None => measure(args, name)?,
    };
    // In whole microseconds, as they are kept: so the same profile follows from them later.
    let sitting = Sitting::read(&sitting.csv()).unwrap_or(sitting);
    let Some(profile) = sitting.profile(around) else {
        return Err(Failure::usage("the samples are too few for a profile: phases are missing"));
    };
    let table = told::table(&profile, &sitting);
    write(&args.out, &profile, &sitting, &table)?;
    if !args.quiet {
        say(table.trim_end());
        let at = &profile.measured;
        if at.busy {
            let percent = |thousandths: u32| f64::from(thousandths) / 10.0;
            complain(format_args!(
                "warning: the machine was busy (something waited for a processor {} % of the time before and {} % after, others \
                 had {} % of it): the profile says so; measure again when it is quiet",
                percent(at.pressure.0),
                percent(at.pressure.1),
                percent(at.steal.1)
            ));
        }
        say(format_args!("\nwritten to {}", args.out.display()));
    }
    Ok(Code::Fine)
}

/// An earlier sitting.
fn again(folder: &Path, name: String) -> Result<(Sitting, Around), Failure> {
    let profile = profile_in(&folder.join(PROFILE))?;
    let samples = folder.join(SAMPLES);
    let shown = samples.display();
    #[expect(clippy::disallowed_methods, reason = "cli opens files")]
    let table = fs::read_to_string(&samples)
        .map_err(|error| Failure::usage(format!("{shown}: cannot be read: {}", words(&error))))?;
    let sitting = Sitting::read(&table)
        .map_err(|line| Failure::usage(format!("{shown}:{line}: no sample of a calibration")))?;
    let EngineProfile { measured: machine, pull, oom, quota, .. } = profile;
    Ok((sitting, Around { name, machine, pull_work: pull.work, oom, quota }))
}

/// The profile in a file.
pub(super) fn profile_in(path: &Path) -> Result<EngineProfile, Failure> {
    let shown = path.display().to_string();
    let file = open_file(path)
        .map_err(|error| Failure::usage(format!("{shown}: cannot be read: {}", words(&error))))?;
    read_profile(&shown, file, &Limits::default(), &mut |_| {}).map_err(|wrong| {
        super::print_findings(&wrong);
        Failure::said(Code::Input)
    })
}

#[cfg(not(feature = "linux-runtime"))]
fn measure(_: &CalibrateArgs, _: String) -> Result<(Sitting, Around), Failure> {
    Err(without_feature())
}

/// How to get what this program was built without.
#[cfg(not(feature = "linux-runtime"))]
pub(super) fn without_feature() -> Failure {
    let message = "this program was built without the real container engine: build it with \
                   `cargo build --release --features linux-runtime` (that needs protoc: apt-get install \
                   protobuf-compiler)";
    Failure::cannot_here(message)
}

#[cfg(feature = "linux-runtime")]
fn measure(args: &CalibrateArgs, name: String) -> Result<(Sitting, Around), Failure> {
    use crate::calibration::real::{self, Amount, Idle};
    use crate::node::container_engine::linux::LinuxRuntime;
    use crate::time::SimDuration;

    let interrupt = super::progress::interrupt();
    let line = super::progress::Line::new(args.quiet);
    let amount = if args.quick { Amount::quick() } else { Amount::full(args.repeats) };
    let before = Idle::watch();
    #[expect(
        clippy::disallowed_types,
        clippy::disallowed_methods,
        reason = "cli says how long it took"
    )]
    let begun = std::time::Instant::now();
    line.say("starting containerd");
    let settings = super::real::settings(&args.real);
    let runtime = LinuxRuntime::start(&settings).map_err(failed)?;
    let version = runtime.client().version().map_err(|error| failed(error.into()))?.value;
    let done = real::sit(&runtime, amount, &interrupt, &mut |what| line.say(what));
    let stolen = before.stolen_since();
    let ended = runtime.end();
    line.clear();
    let (sitting, around) = done.map_err(|halted| match halted {
        real::Halted::Interrupted => Failure::said(Code::Interrupted),
        real::Halted::Trouble(trouble) => failed(trouble),
    })?;
    ended.map_err(failed)?;
    let after = Idle::watch();
    let mut machine = real::measurement(before, after, stolen);
    machine.at = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    machine.runtime = format!("{} {}", version.0, version.1);
    machine.oci = real::oci();
    machine.took = SimDuration::from_secs(begun.elapsed().as_secs());
    machine.samples = SAMPLES.to_owned();
    Ok((sitting, Around { name, machine, ..around }))
}

/// What an engine's failure means for the command.
#[cfg(feature = "linux-runtime")]
pub(super) fn failed(trouble: crate::node::container_engine::linux::Trouble) -> Failure {
    use crate::node::container_engine::linux::Trouble;
    let code = match trouble {
        Trouble::CannotHere(_) => Code::CannotHere,
        Trouble::Input(_) => Code::Input,
        Trouble::Machine(_) | Trouble::Cri(_) => Code::Machine,
    };
    Failure { code, message: Some(trouble.to_string()) }
}

/// A calibration may take the place of nothing, or of a calibration.
fn check_place(place: &Path) -> Result<(), Failure> {
    let is_empty = |place: &Path| fs::read_dir(place).is_ok_and(|mut all| all.next().is_none());
    if !place.exists() || is_empty(place) || place.join(SAMPLES).exists() {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "--out {}: exists and holds no calibration; it is left alone: name another folder",
        place.display()
    )))
}

#[expect(clippy::disallowed_methods, reason = "cli writes what was measured")]
fn write(
    out: &Path,
    profile: &EngineProfile,
    sitting: &Sitting,
    table: &str,
) -> Result<(), Failure> {
    let put = |name: &str, bytes: &[u8]| {
        let path = out.join(name);
        let folder = path.parent().unwrap_or(out);
        let written = fs::create_dir_all(folder).and_then(|()| fs::write(&path, bytes));
        written.map_err(|error| {
            Failure::machine(format!("{}: cannot be written: {}", path.display(), words(&error)))
        })
    };
    put(SAMPLES, sitting.csv().as_bytes())?;
    put(PROFILE, profile.yaml().as_bytes())?;
    put(TABLE, table.as_bytes())?;
    for (name, plot) in told::plots(profile, sitting) {
        let failed = |error| Failure::machine(format!("{name} cannot be drawn: {error}"));
        put(&format!("{PLOTS}/{name}.svg"), plot.svg().map_err(failed)?.as_bytes())?;
        put(&format!("{PLOTS}/{name}.png"), &plot.png().map_err(failed)?)?;
    }
    Ok(())
}
