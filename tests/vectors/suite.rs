//! Runs a table and tells how many of its cases came out equal.

use std::cell::RefCell;
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

impl Outcome {
    /// Equal if `ours` is `theirs`.
    pub fn same<T: PartialEq + std::fmt::Debug>(ours: T, theirs: T) -> Outcome {
        same(ours, theirs)
    }
}

/// Equal if `ours` is `theirs`.
pub fn same<T: PartialEq + std::fmt::Debug>(ours: T, theirs: T) -> Outcome {
    if ours == theirs {
        return Outcome::Equal;
    }
    Outcome::Different(format!("ours {ours:?}, theirs {theirs:?}"))
}

/// How a table came out.
#[derive(Clone)]
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

/// How a table came out, as the one table of all files has it.
pub struct Row {
    /// Cases asked or left out.
    pub cases: usize,
    /// How many were equal, and why which were left out.
    pub tally: Tally,
}

thread_local! {
    /// The tables asked on this thread since the last look.
    static ROWS: RefCell<Vec<Row>> = const { RefCell::new(Vec::new()) };
}

/// The rows of the tables that `ask` asks.
pub fn rows(ask: impl FnOnce()) -> Vec<Row> {
    ROWS.take();
    ask();
    ROWS.take()
}

/// Asks every case of a table; all that are not excluded must come out equal.
pub fn run(title: &str, table: &str, ask: impl Fn(&str, &Value) -> Outcome) -> Tally {
    run_some(title, table, |function, case| Some(ask(function, case)))
}

/// Asks the cases of a table that `ask` does not pass over, which must be some; all that are not
/// excluded must come out equal.
#[expect(clippy::print_stdout, reason = "the tally is read by people")]
pub fn run_some(title: &str, table: &str, ask: impl Fn(&str, &Value) -> Option<Outcome>) -> Tally {
    let table: Value = serde_json::from_str(table).expect("a table of cases");
    let all = table["cases"].as_array().expect("cases");
    let (mut cases, mut equal, mut different) = (0, 0, Vec::new());
    let mut excluded: BTreeMap<&'static str, usize> = BTreeMap::new();
    for case in all {
        let function = case["function"].as_str().unwrap_or("");
        let Some(outcome) = ask(function, case) else { continue };
        cases += 1;
        match outcome {
            Outcome::Equal => equal += 1,
            Outcome::Excluded(why) => *excluded.entry(why).or_default() += 1,
            Outcome::Different(how) => {
                different.push(format!("{function}/{}: {how}", case["name"]));
            }
        }
    }
    println!("{title}: {cases} cases, {equal} equal, excluded {excluded:?}");
    assert!(cases > 0, "{title}: no case was asked");
    assert!(different.is_empty(), "{title}: {} differ\n{}", different.len(), different.join("\n"));
    let tally = Tally { equal, excluded };
    ROWS.with_borrow_mut(|rows| rows.push(Row { cases, tally: tally.clone() }));
    tally
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
