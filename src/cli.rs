//! The command line: the only place that opens files and prints.
//!
//! Owns the commands, the exit codes, the run folder, what goes to stdout (results) and what to
//! stderr (the rest). Refuses to decide anything about a run.
//!
//! Exit codes: 0 fine; 1 an expectation failed (with none stated: the cluster did not converge), or a pod stays pending; 2 the input or the usage is wrong; 3 a bug of
//! ours; 4 the machine failed us; 5 this machine cannot do what was asked, and nothing was started; 130
//! interrupted.

mod args;
mod budget;
mod calibrate;
mod check;
mod doctor;
mod explain;
mod folder;
mod get;
mod inputs;
mod progress;
mod real;
mod replay;
mod run;
mod schedule;
mod schema;
mod test;
mod validate;

use std::fmt::Display;
use std::io::{Write, stderr, stdout};
use std::process::ExitCode;

use clap::Parser;

use crate::api::diagnostic::Diagnostic;
use args::{Cli, Command};

/// Warnings shown one by one; more are counted.
const WARNINGS_MAX: usize = 50;

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Code {
    Fine = 0,
    Failed = 1,
    Input = 2,
    Bug = 3,
    Machine = 4,
    /// This machine cannot do what was asked; nothing was started.
    CannotHere = 5,
    Interrupted = 130,
}

/// Why a command could not do its work.
#[derive(Debug)]
struct Failure {
    code: Code,
    /// What to say; nothing if it has been said.
    message: Option<String>,
}

impl Failure {
    /// The command line is wrong.
    fn usage(message: impl Into<String>) -> Failure {
        Failure { code: Code::Input, message: Some(message.into()) }
    }

    /// The machine does not do what is asked of it.
    fn machine(message: impl Into<String>) -> Failure {
        Failure { code: Code::Machine, message: Some(message.into()) }
    }

    /// This machine, or this build, cannot do what is asked, as it is.
    fn cannot_here(message: impl Into<String>) -> Failure {
        Failure { code: Code::CannotHere, message: Some(message.into()) }
    }

    /// What is wrong has been said.
    fn said(code: Code) -> Failure {
        Failure { code, message: None }
    }
}

/// Runs the command that the process was called with.
pub fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Run(args) => run::run(&args),
        Command::Test(args) => test::test(&args),
        Command::Explain(args) => explain::explain(&args),
        Command::Get(args) => get::get(&args),
        Command::Schedule(args) => schedule::schedule(&args),
        Command::Check(args) => check::check(&args),
        Command::Calibrate(args) => calibrate::calibrate(&args),
        Command::Doctor(args) => doctor::doctor(&args),
        Command::Validate(args) => validate::validate(&args),
        Command::Schema(args) => schema::schema(&args),
    };
    let code = result.unwrap_or_else(|failure| {
        if let Some(message) = &failure.message {
            complain(format_args!("error: {message}"));
        }
        failure.code
    });
    ExitCode::from(code as u8)
}

/// Prints what was found: every error, and the first warnings.
fn print_findings(findings: &[Diagnostic]) {
    let (errors, warnings): (Vec<_>, Vec<_>) = findings.iter().partition(|it| it.is_error());
    for finding in &errors {
        complain(format_args!("error: {finding}"));
    }
    for finding in warnings.iter().take(WARNINGS_MAX) {
        complain(format_args!("{finding}"));
    }
    if warnings.len() > WARNINGS_MAX {
        complain(format_args!("and {} more warnings", warnings.len() - WARNINGS_MAX));
    }
    if errors.len() > 1 {
        complain(format_args!("{} errors", errors.len()));
    }
}

/// `1 warning`, `2 warnings`.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// A result, to stdout. Whoever reads it may have gone; that is no failure of the run.
fn say(text: impl Display) {
    let _ = writeln!(stdout(), "{text}");
}

/// Anything else, to stderr, under the same rule.
fn complain(text: impl Display) {
    let _ = writeln!(stderr(), "{text}");
}
