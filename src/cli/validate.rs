//! `wavetank validate`.

use std::path::Path;

use super::args::ValidateArgs;
use super::calibrate::profile_in;
use super::{Code, Failure};
use crate::api::documents::Limits;
use crate::calibration::cases::CASES;
use crate::scenario::profile::{EngineProfile, built_in};
use crate::scenario::{is_file, read_profile};

pub(super) fn validate(args: &ValidateArgs) -> Result<Code, Failure> {
    if !(args.factor.is_finite() && args.factor >= 1.0) {
        return Err(Failure::usage(format!("--factor {}: expected 1 or more", args.factor)));
    }
    let names: Vec<&str> = CASES.iter().map(|case| case.name).collect();
    if let Some(wrong) = args.only.iter().find(|name| !names.contains(&name.as_str())) {
        let known = names.join(", ");
        return Err(Failure::usage(format!("--only {wrong}: expected some of {known}")));
    }
    let profile = profile_of(&args.profile)?;
    go(args, &profile)
}

/// A built-in profile, or one in a file.
fn profile_of(name: &str) -> Result<EngineProfile, Failure> {
    if is_file(name) {
        return profile_in(Path::new(name));
    }
    let Some(text) = built_in::text(name) else {
        let known = built_in::names()[1..].join(", ");
        return Err(Failure::usage(format!(
            "--profile {name}: no built-in profile (there is {known}), nor a file that ends with .yaml, .yml or .json"
        )));
    };
    read_profile(name, text.as_bytes(), &Limits::default(), &mut |_| {})
        .map_err(|wrong| Failure::usage(wrong[0].to_string()))
}

#[cfg(not(feature = "linux-runtime"))]
fn go(_: &ValidateArgs, _: &EngineProfile) -> Result<Code, Failure> {
    Err(super::calibrate::without_feature())
}

#[cfg(feature = "linux-runtime")]
use with::go;

#[cfg(feature = "linux-runtime")]
mod with {
    use std::fs;
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use super::{Code, EngineProfile, Failure, ValidateArgs};
    use crate::calibration::cases::{CASES, Case};
    use crate::calibration::judged::{Row, Times, gather, judge, summary, table};
    use crate::calibration::real::{Halted, Idle, Place, program_bytes, run_case};
    use crate::calibration::sitting::{HELD_BACK, Sample, model, steps};
    use crate::calibration::watched::{Watched, modelled, parted};
    use crate::cli::calibrate::failed;
    use crate::cli::inputs::words;
    use crate::cli::progress::{self, Line};
    use crate::cli::{complain, say};
    use crate::node::container_engine::linux::{LinuxRuntime, MachineFacts};

    /// Runs of the model of each case: more of them cost next to nothing.
    const MODELLED: u64 = 12;
    /// Cycles of each worker of a sitting.
    const CYCLES: u32 = 6;
    /// Where the table goes.
    const TABLE: &str = "validation.txt";

    /// What was seen for real: each repeat of the cases, and the sittings with some in flight.
    struct Real {
        runs: Vec<Vec<Watched>>,
        sittings: Vec<Vec<Sample>>,
    }

    pub(super) fn go(args: &ValidateArgs, profile: &EngineProfile) -> Result<Code, Failure> {
        let interrupt = progress::interrupt();
        let line = Line::new(args.quiet);
        let cores = MachineFacts::read().cores.max(1);
        let before = Idle::watch();
        let runtime = LinuxRuntime::start(&super::super::real::settings(&args.real));
        let runtime = Arc::new(runtime.map_err(failed)?);
        let real = measure(args, &runtime, (profile, cores), &interrupt, &line);
        let ended = runtime.end();
        line.clear();
        let real = real.map_err(|halted| match halted {
            Halted::Interrupted => Failure::said(Code::Interrupted),
            Halted::Trouble(trouble) => failed(trouble),
        })?;
        ended.map_err(failed)?;
        let (rows, differences) = held(args, (profile, cores), &real)?;
        let mut text = String::new();
        for difference in &differences {
            text += &format!("DIFFERENT {difference}\n");
        }
        let runs = real.runs.len() * cases(args).len();
        let equal = runs - differences.len();
        text += &format!(
            "{equal} of {runs} runs: order of events, exit codes, reasons and counts as in the model\n\n"
        );
        text += &table(&rows, args.factor);
        let (median, good) = summary(&rows);
        let outside = rows.iter().filter(|row| !row.is_within(args.factor)).count();
        text += &format!(
            "\nmedian error {:.0} %; {good} of {} within 15 % or the spread of reality, {outside} outside {} times that\n",
            100.0 * median,
            rows.len(),
            args.factor
        );
        let percent = |thousandths: u32| f64::from(thousandths) / 10.0;
        let (now, then) = (percent(before.pressure), percent(Idle::watch().pressure));
        let told = percent(profile.measured.pressure.0);
        text += &format!(
            "something waited for a processor {now} % of the time before, {then} % after; {told} % when the profile was measured\n"
        );
        write(args, &text)?;
        if !args.quiet {
            say(text.trim_end());
            say(format_args!("\nwritten to {}", args.out.join(TABLE).display()));
        }
        Ok(if differences.is_empty() && outside == 0 { Code::Fine } else { Code::Failed })
    }

    fn measure(
        args: &ValidateArgs,
        runtime: &Arc<LinuxRuntime>,
        (profile, cores): (&EngineProfile, u32),
        interrupt: &AtomicBool,
        line: &Line,
    ) -> Result<Real, Halted> {
        let place = Place::new(runtime, interrupt)?;
        let (mut runs, mut sittings) = (Vec::new(), Vec::new());
        place.cycles(1, 1)?;
        for repeat in 1..=u64::from(args.repeats) {
            line.say(&format!("repeat {repeat} of {}: {HELD_BACK} in flight", args.repeats));
            sittings.push(place.cycles(HELD_BACK, CYCLES)?);
            let mut seen = Vec::new();
            for case in cases(args) {
                line.say(&format!("repeat {repeat} of {}: {}", args.repeats, case.name));
                if !args.quiet {
                    complain(format_args!("{} (repeat {repeat}, {} s)", case.name, case.seconds));
                }
                let plan = case.plan(&profile.settings(), (cores, program_bytes()), repeat);
                let plan = plan.map_err(|wrong| {
                    Halted::Trouble(crate::node::container_engine::linux::Trouble::Input(wrong))
                })?;
                seen.push(run_case(runtime, case, plan, interrupt)?);
            }
            runs.push(seen);
        }
        Ok(Real { runs, sittings })
    }

    /// The cases that are meant.
    fn cases(args: &ValidateArgs) -> Vec<&'static Case> {
        let is_meant =
            |case: &&Case| args.only.is_empty() || args.only.iter().any(|name| name == case.name);
        CASES.iter().filter(is_meant).collect()
    }

    /// What is off, and by how much.
    fn held(
        args: &ValidateArgs,
        (profile, cores): (&EngineProfile, u32),
        real: &Real,
    ) -> Result<(Vec<Row>, Vec<String>), Failure> {
        let (mut rows, mut differences) = (Vec::new(), Vec::new());
        let phases = model(profile, cores).samples(&steps(), HELD_BACK);
        let named = |phase: &str| format!("{HELD_BACK} in flight: {phase}");
        let ours: Times =
            phases.into_iter().map(|(phase, times)| (named(phase.name()), times)).collect();
        let sitting = |samples: &Vec<Sample>| {
            gather(samples.iter().map(|it| (named(it.phase.name()), it.took)))
        };
        let sittings: Vec<Times> = real.sittings.iter().map(sitting).collect();
        rows.extend(judge(&sittings, &ours));
        for (at, case) in cases(args).into_iter().enumerate() {
            let model = models(profile, cores, case)?;
            for (repeat, runs) in (1..).zip(&real.runs) {
                if let Some(difference) = parted(&runs[at], &model[repeat - 1]) {
                    differences.push(format!("{} (repeat {repeat}): {difference}", case.name));
                }
            }
            let spans = |run: &Watched| {
                let spans = run.spans().into_iter();
                spans
                    .map(|(name, span)| (format!("{}: {name}", case.name), span))
                    .collect::<Vec<_>>()
            };
            let ours = gather(model.iter().flat_map(spans));
            let sittings: Vec<Times> =
                real.runs.iter().map(|runs| gather(spans(&runs[at]))).collect();
            rows.extend(judge(&sittings, &ours));
        }
        Ok((rows, differences))
    }

    /// Runs of a case in virtual time, by seed from 1 on.
    fn models(profile: &EngineProfile, cores: u32, case: &Case) -> Result<Vec<Watched>, Failure> {
        let plan = |seed| case.plan(&profile.settings(), (cores, program_bytes()), seed);
        let run = |seed| plan(seed).map(modelled).map_err(Failure::usage);
        (1..=MODELLED).map(run).collect()
    }

    #[expect(clippy::disallowed_methods, reason = "cli writes what came of it")]
    fn write(args: &ValidateArgs, text: &str) -> Result<(), Failure> {
        let path = args.out.join(TABLE);
        let written = fs::create_dir_all(&args.out).and_then(|()| fs::write(&path, text));
        written.map_err(|error| {
            Failure::machine(format!("{}: cannot be written: {}", path.display(), words(&error)))
        })
    }
}
