//! `wavetank doctor`.

use super::args::DoctorArgs;
use super::{Code, Failure};

/// Without the feature there is nothing to look at.
#[cfg(not(feature = "linux-runtime"))]
pub(super) fn doctor(_: &DoctorArgs) -> Result<Code, Failure> {
    Err(super::calibrate::without_feature())
}

#[cfg(feature = "linux-runtime")]
pub(super) fn doctor(args: &DoctorArgs) -> Result<Code, Failure> {
    use crate::node::container_engine::linux::{Check, Found, preflight};

    use super::args::Format;
    use super::say;

    let checks = preflight(&super::real::settings(&args.real));
    let words = |found: &Found| match found {
        Found::Fine(what) => ("fine", what.clone(), None),
        Found::Weak { what, fix } => ("weak", what.clone(), Some(fix.clone())),
        Found::Missing { what, fix } => ("missing", what.clone(), Some(fix.clone())),
    };
    match args.output {
        Format::Json => {
            let row = |check: &Check| {
                let (state, what, fix) = words(&check.found);
                serde_json::json!({"name": check.name, "state": state, "what": what, "fix": fix})
            };
            let rows: Vec<_> = checks.iter().map(row).collect();
            say(format_args!("{:#}", serde_json::json!({"checks": rows})));
        }
        Format::Text => {
            for check in &checks {
                let (state, what, fix) = words(&check.found);
                let fix = fix.map(|fix| format!("; {fix}")).unwrap_or_default();
                say(format_args!("{:<13} {state:<8} {what}{fix}", check.name));
            }
        }
    }
    let lacks = checks.iter().any(|check| matches!(check.found, Found::Missing { .. }));
    Ok(if lacks { Code::CannotHere } else { Code::Fine })
}
