//! Runs a table and tells how many of its cases came out equal.

use std::collections::BTreeMap;

use serde_json::Value;
use wavetank::api::validation::field::{FieldError, Reason};

/// What came of one case.
pub enum Outcome {
    /// As the table says.
    Equal,
    /// Not as the table says, and how.
    Different(String),
    /// Not asked, and why.
    Excluded(&'static str),
}

/// Equal if `ours` is `theirs`.
pub fn same<T: PartialEq + std::fmt::Debug>(ours: T, theirs: T) -> Outcome {
    if ours == theirs {
        return Outcome::Equal;
    }
    Outcome::Different(format!("ours {ours:?}, theirs {theirs:?}"))
}

/// How a table came out.
pub struct Tally {
    /// Cases that came out equal.
    pub equal: usize,
    /// Cases that were not asked, by the reason.
    pub excluded: BTreeMap<&'static str, usize>,
}

impl Tally {
    /// How many cases were not asked for this reason.
    pub fn excluded_for(&self, why: &str) -> usize {
        self.excluded.get(why).copied().unwrap_or(0)
    }
}

/// Asks every case of a table; all that are not excluded must come out equal.
#[expect(clippy::print_stdout, reason = "the tally is read by people")]
pub fn run(title: &str, table: &str, ask: impl Fn(&str, &Value) -> Outcome) -> Tally {
    let table: Value = serde_json::from_str(table).expect("a table of cases");
    let cases = table["cases"].as_array().expect("cases");
    let (mut equal, mut excluded, mut different) = (0, BTreeMap::new(), Vec::new());
    for case in cases {
        let function = case["function"].as_str().unwrap_or("");
        match ask(function, case) {
            Outcome::Equal => equal += 1,
            Outcome::Excluded(why) => *excluded.entry(why).or_insert(0) += 1,
            Outcome::Different(how) => {
                different.push(format!("{function}/{}: {how}", case["name"]))
            }
        }
    }
    println!("{title}: {} cases, {equal} equal, excluded {excluded:?}", cases.len());
    assert!(different.is_empty(), "{title}: {} differ\n{}", different.len(), different.join("\n"));
    Tally { equal, excluded }
}

/// The type of an error as the tables name it.
pub fn kind(error: &FieldError) -> &'static str {
    match error.reason {
        Reason::Required => "FieldValueRequired",
        Reason::Invalid => "FieldValueInvalid",
        Reason::NotSupported => "FieldValueNotSupported",
        Reason::Duplicate => "FieldValueDuplicate",
        Reason::Forbidden => "FieldValueForbidden",
        Reason::TooLong => "FieldValueTooLong",
        Reason::TooMany => "FieldValueTooMany",
        Reason::NotFound => "FieldValueNotFound",
        Reason::TypeInvalid => "FieldValueTypeInvalid",
    }
}

/// Type and place of each expected error, sorted.
pub fn expected(list: &Value) -> Vec<(String, String)> {
    let text = |error: &Value, field: &str| error[field].as_str().unwrap_or("").to_owned();
    let list = list.as_array().map_or(&[][..], Vec::as_slice);
    let mut all: Vec<_> = list.iter().map(|e| (text(e, "type"), text(e, "field"))).collect();
    all.sort();
    all
}
