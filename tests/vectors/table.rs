//! Running a table of cases, and turning internal API objects into v1 ones.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use wavetank::api::validation::field::{Errors, FieldError};
use wavetank::api::validation::gates::{Gate, Gates, State};

pub use super::suite::Outcome;
use super::suite::run_some;

/// Asks `check` of each case of `data` whose function it is for (`None` for others).
pub fn run(name: &str, data: &str, check: impl Fn(&str, &str, &Value, &Value) -> Option<Outcome>) {
    run_some(name, data, |function, case| {
        let title = case["name"].as_str().expect("name");
        check(function, title, &case["input"], &case["expected"])
    });
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

/// The errors that `check` finds where one feature gate is off.
pub fn errors_without(gate: Gate, check: impl FnOnce(&mut Errors)) -> Vec<FieldError> {
    let mut errors = Errors::under(Gates::default().with(gate, State::Off));
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
