//! What failed, as GitHub Actions shows it beside the lines of a change.

use super::super::complain;
use super::Case;
use crate::runs::Verdict;

/// One line for each expectation that failed, whatever the seeds.
pub(super) fn print(outcome: &[(&Case, &[Verdict])]) {
    for (case, verdicts) in outcome {
        for line in lines(case, verdicts) {
            complain(line);
        }
    }
}

fn lines(case: &Case, verdicts: &[Verdict]) -> Vec<String> {
    let mut lines = Vec::new();
    let expectations = case.loaded.expectations.list();
    for (at, expectation) in expectations.iter().enumerate() {
        let failed = |it: &&Verdict| it.expectations.get(at).is_some_and(|row| !row.passed);
        let mut failed = verdicts.iter().filter(failed);
        let Some(first) = failed.next() else { continue };
        let more = failed.count();
        let place = &expectation.place;
        let more = if more > 0 { format!(" (and {more} more seeds)") } else { String::new() };
        let detail = &first.expectations[at].detail;
        lines.push(error(
            &place.file,
            place.line,
            &expectation.name,
            &format!("seed {}: {detail}{more}", first.seed),
        ));
    }
    let is_unsaid = |it: &&Verdict| !it.has_passed && it.expectations.iter().all(|row| row.passed);
    if let Some(first) = verdicts.iter().find(is_unsaid) {
        let why = match first.missed.first() {
            Some((step, why)) => format!("seed {}: step {step:?} did nothing: {why}", first.seed),
            None => format!("seed {}: did not converge in {} s", first.seed, first.ended_at),
        };
        lines.push(error(&case.name(), 1, &case.loaded.plan.name, &why));
    }
    lines
}

/// A workflow command; what would end a part is escaped as the runner expects it.
fn error(file: &str, line: u32, title: &str, message: &str) -> String {
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    let line = if line > 0 { format!(",line={line}") } else { String::new() };
    format!("::error file={}{line},title={}::{}", property(file), property(title), data(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_part_is_escaped() {
        assert_eq!(
            error("a,b.yaml", 7, "up: web", "100 %\nof it: gone"),
            "::error file=a%2Cb.yaml,line=7,title=up%3A web::100 %25%0Aof it: gone"
        );
        assert_eq!(error("a.yaml", 0, "t", "m"), "::error file=a.yaml,title=t::m");
    }
}
