//! Running a table of cases, and turning internal API objects into v1 ones.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use wavetank::api::validation::field::{Errors, FieldError};

/// What came of a case.
pub enum Outcome {
    /// Our answer is Kubernetes' own.
    Equal,
    /// It is not: what we said.
    Different(String),
    /// The case cannot be asked of us, and why.
    Excluded(&'static str),
}

impl Outcome {
    /// Equal if the two are.
    pub fn same<T: PartialEq + std::fmt::Debug>(ours: T, theirs: T) -> Outcome {
        if ours == theirs {
            Outcome::Equal
        } else {
            Outcome::Different(format!("ours {ours:?}, theirs {theirs:?}"))
        }
    }
}

/// Asks `check` of each case of `data` whose function it is for (`None` for others), prints the
/// count and fails if any answer differs.
#[expect(clippy::print_stdout, reason = "a table says what it left out")]
pub fn run(name: &str, data: &str, check: impl Fn(&str, &str, &Value, &Value) -> Option<Outcome>) {
    let table: Value = serde_json::from_str(data).expect("table");
    let (mut cases, mut equal) = (0, 0);
    let mut excluded: BTreeMap<&str, usize> = BTreeMap::new();
    let mut different = Vec::new();
    for case in table["cases"].as_array().expect("cases") {
        let function = case["function"].as_str().expect("function");
        let title = case["name"].as_str().expect("name");
        let Some(outcome) = check(function, title, &case["input"], &case["expected"]) else {
            continue;
        };
        cases += 1;
        match outcome {
            Outcome::Equal => equal += 1,
            Outcome::Excluded(why) => *excluded.entry(why).or_default() += 1,
            Outcome::Different(what) => different.push(format!("{function} / {title}: {what}")),
        }
    }
    println!("{name}: {cases} cases, {equal} equal, excluded {excluded:?}");
    assert!(cases > 0, "{name}: no case was asked");
    assert!(different.is_empty(), "{name}: {} differ:\n{}", different.len(), different.join("\n"));
}

/// A v1 object from an internal one.
pub fn object<T: DeserializeOwned>(internal: &Value) -> T {
    let mut value = internal.clone();
    externalize(&mut value);
    serde_json::from_value(value).unwrap_or_else(|error| panic!("{error}: {internal}"))
}

/// Internal types keep some fields of a pod elsewhere than v1 does, and no type has `null` lists.
fn externalize(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, field| !field.is_null());
            if map.contains_key("containers") {
                host_fields(map);
            }
            map.values_mut().for_each(externalize);
        }
        Value::Array(list) => list.iter_mut().for_each(externalize),
        _ => {}
    }
}

fn host_fields(pod: &mut Map<String, Value>) {
    let Some(Value::Object(mut context)) = pod.remove("securityContext") else { return };
    for field in ["hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostUsers"] {
        if let Some(value) = context.remove(field) {
            pod.insert(field.to_owned(), value);
        }
    }
    pod.insert("securityContext".to_owned(), Value::Object(context));
}

/// The errors that `check` finds.
pub fn errors(check: impl FnOnce(&mut Errors)) -> Vec<FieldError> {
    let mut errors = Errors::new();
    check(&mut errors);
    errors.into_list()
}

/// The lines of errors, as the API server prints them.
pub fn lines(errors: &[FieldError]) -> Vec<String> {
    errors.iter().map(ToString::to_string).collect()
}

/// Whether an object was to be refused, and a text that must stand in one of the lines.
pub fn verdict(valid: bool, text: &str, found: &[FieldError]) -> Outcome {
    let lines = lines(found);
    if valid != lines.is_empty() {
        return Outcome::Different(format!("valid {valid}, ours {lines:?}"));
    }
    if !valid && !text.is_empty() && !lines.iter().any(|line| line.contains(text)) {
        return Outcome::Different(format!("no line has {text:?}: {lines:?}"));
    }
    Outcome::Equal
}
