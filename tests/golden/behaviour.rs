//! How the fake kubelet treats the pods of a template, as its `golden/*` annotations say, as rules of
//! a Scenario: each behaviour has a number, and pods that behave so a label with it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// The label that pods get.
const LABEL: &str = "golden/behaviour";
const PREFIX: &str = "golden/";

/// The annotations that say how pods behave.
pub type Said = BTreeMap<String, String>;

/// All behaviours of a scenario.
#[derive(Default)]
pub struct Behaviours {
    known: Vec<Said>,
}

/// The pod template within an object, whatever its kind; a bare pod is its own.
pub fn template(object: &mut Value) -> Option<&mut Value> {
    let path = match object["kind"].as_str().unwrap_or_default() {
        "Pod" => "",
        "CronJob" => "/spec/jobTemplate/spec/template",
        _ => "/spec/template",
    };
    object.pointer_mut(path).filter(|it| it.get("spec").is_some())
}

/// What a template's annotations say.
pub fn said(template: &Value) -> Said {
    let all = template["metadata"]["annotations"].as_object().into_iter().flatten();
    let ours = all.filter(|(key, _)| key.starts_with(PREFIX));
    let text = |it: &Value| it.as_str().map_or_else(|| it.to_string(), str::to_owned);
    ours.map(|(key, it)| (key[PREFIX.len()..].to_owned(), text(it))).collect()
}

/// The object at `key`, made if there is none.
fn within<'v>(value: &'v mut Value, key: &str) -> &'v mut Value {
    if !value[key].is_object() {
        value[key] = Value::Object(Map::new());
    }
    &mut value[key]
}

impl Behaviours {
    /// Gives a template the label of what is said of it.
    pub fn mark(&mut self, template: &mut Value, said: &Said) {
        let number = self.known.iter().position(|it| it == said).unwrap_or_else(|| {
            self.known.push(said.clone());
            self.known.len() - 1
        });
        within(within(template, "metadata"), "labels")[LABEL] = format!("b{number}").into();
    }

    /// `spec.apps`; `start` and `stop` are the fake kubelet's own delays, in seconds.
    pub fn apps(&self, start: f64, stop: f64) -> Value {
        let rules = self.known.iter().enumerate().map(|(number, said)| {
            let delay = |key: &str, default: f64| match said.get(key).map(String::as_str) {
                Some("never") => "never".to_owned(),
                Some(seconds) => format!("{seconds}s"),
                None => format!("{default}s"),
            };
            let mut rule = json!({
                "match": {"labels": {LABEL: format!("b{number}")}},
                "start": delay("start-after", start),
                "ready": delay("ready-after", 0.0),
                "stop": delay("stop-after", stop),
            });
            // Without one they run for ever, those of Jobs too.
            rule["run"] = json!({"for": "never"});
            if said.contains_key("run-for") {
                let codes = said.get("exit-by-index").map_or("", String::as_str);
                let pairs = codes.split(',').filter_map(|pair| pair.trim().split_once(':'));
                let number = |text: &str| text.trim().parse::<u8>().expect("an exit code");
                let codes: BTreeMap<&str, u8> =
                    pairs.map(|(at, code)| (at.trim(), number(code))).collect();
                rule["run"] = json!({
                    "for": delay("run-for", 0.0),
                    "exit": said.get("exit").map_or(0, |code| number(code)),
                    "exitByIndex": codes,
                });
            }
            rule
        });
        rules.collect()
    }
}
