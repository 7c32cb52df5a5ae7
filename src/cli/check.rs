//! `wavetank check`.

use super::args::{CheckArgs, Format};
use super::inputs::{self, KeepNothing};
use super::{Code, Failure, counted, print_findings, say};
use crate::record::Json;

pub(super) fn check(args: &CheckArgs) -> Result<Code, Failure> {
    let overrides = args.input.overrides()?;
    let loaded = inputs::load(args.input.sources(), overrides, &mut KeepNothing)?;
    let (errors, warnings): (Vec<_>, Vec<_>) = loaded.findings.iter().partition(|it| it.is_error());
    match args.input.output {
        Format::Json => {
            let lines = |list: &[&crate::api::diagnostic::Diagnostic]| {
                Json::List(list.iter().map(|it| Json::text(it.to_string())).collect())
            };
            let result = Json::map([
                ("documents", Json::count(loaded.documents as u64)),
                ("errors", lines(&errors)),
                ("warnings", lines(&warnings)),
            ]);
            say(result.pretty().trim_end());
        }
        Format::Text => {
            print_findings(&loaded.findings);
            if errors.is_empty() && !args.input.quiet {
                let notes: Vec<String> =
                    loaded.notes.iter().map(|(note, _)| note.to_string()).collect();
                let documents = counted(loaded.documents, "document");
                say(format_args!("{documents}, {}: fine", counted(warnings.len(), "warning")));
                if !notes.is_empty() {
                    say(format_args!("accepted, not modelled: {}", notes.join(", ")));
                }
            }
        }
    }
    Ok(if errors.is_empty() { Code::Fine } else { Code::Input })
}
