//! A run folder run again, to see what it did not write down.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use clap::Parser;
use serde_json::Value;

use super::Failure;
use super::args::{Cli, Command, RunArgs};
use super::inputs::{self, KeepNothing};
use crate::cluster::plan::Plan;

/// The plan that the run in this folder had, read from the inputs that it kept. Whether this version
/// goes the same way with it is for the caller to see.
///
/// # Errors
/// In words, where nothing says what its plan was.
pub(super) fn plan(run: &Path) -> Result<Arc<Plan>, String> {
    let said = read(run)?;
    let list = |key: &str| -> Vec<String> {
        let items = said[key].as_array().into_iter().flatten();
        items.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let Ok(Cli { command: Command::Run(mut args) }) = Cli::try_parse_from(list("command")) else {
        return Err("run.json names no command that this version knows".to_owned());
    };
    let kept = list("inputs");
    let first = kept.iter().filter(|name| !name.starts_with("applied/"));
    args.input.files = first.map(|name| run.join("inputs").join(name)).collect();
    if args.input.scheduler_config.is_some() {
        args.input.scheduler_config = args.input.files.pop();
    }
    let said_seed = said["seed"].as_u64();
    let mut plan =
        loaded(&RunArgs { seed: said_seed.or(args.seed), ..args }).map_err(|failure| {
            failure.message.unwrap_or_else(|| "its inputs are not as they were".to_owned())
        })?;
    if let Some(name) = said["scenario"].as_str() {
        plan.name = name.into();
    }
    Ok(Arc::new(plan))
}

fn loaded(args: &RunArgs) -> Result<Plan, Failure> {
    let overrides = args.end.over(args.input.overrides()?, args.seed)?;
    let loaded = inputs::load(args.input.sources(), overrides, &mut KeepNothing)?;
    if let Some(error) = loaded.findings.iter().find(|it| it.is_error()) {
        return Err(Failure::usage(error.to_string()));
    }
    Ok(loaded.plan)
}

#[expect(clippy::disallowed_methods, reason = "cli reads the run folder")]
fn read(run: &Path) -> Result<Value, String> {
    let text = fs::read_to_string(run.join("run.json"))
        .map_err(|error| format!("run.json cannot be read: {}", inputs::words(&error)))?;
    serde_json::from_str(&text).map_err(|error| format!("run.json is no JSON: {error}"))
}
