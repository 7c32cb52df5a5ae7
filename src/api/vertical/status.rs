//! The status of a VerticalPodAutoscaler: what it recommends, and what is to be said of it
//! (vertical-pod-autoscaler pkg/recommender/model/vpa.go, pkg/apis/autoscaling.k8s.io/v1/types.go). Pure.

use serde_json::{Value, json};

use super::{Amounts, Recommended, Vertical, cpu_quantity, memory_quantity};
use crate::api::misc::Other;
use crate::api::name::Text;

/// A condition of its status. Others are in its format (`LowConfidence`, `FetchingHistory`), and nobody sets them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Condition {
    /// `ConfigUnsupported`: nobody knows whose pods it is for, and why.
    Unsupported(Text),
    /// `NoPodsMatched`.
    NoPods,
}

/// What conditions may say.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Said {
    /// Something is recommended.
    Provided,
    /// No pod is there for it.
    NoPods,
    /// Nobody knows whose pods it is for.
    Unsupported,
}

impl Said {
    /// The condition's type.
    pub fn name(self) -> &'static str {
        match self {
            Said::Provided => "RecommendationProvided",
            Said::NoPods => "NoPodsMatched",
            Said::Unsupported => "ConfigUnsupported",
        }
    }
}

/// Whether the status of one says so.
pub fn says(other: &Other, said: Said) -> bool {
    let Ok(whole) = serde_json::from_str::<Value>(&other.written) else { return false };
    let conditions = whole["status"]["conditions"].as_array();
    let is_it = |it: &Value| it["type"] == said.name() && it["status"] == "True";
    conditions.is_some_and(|all| all.iter().any(is_it))
}

impl Vertical {
    /// What its recommender says of one: the object with a new status; nothing where it has that already. `now` is
    /// the instant as the calendar writes it.
    pub fn written(
        other: &Other,
        recommended: &[Recommended],
        conditions: &[Condition],
        now: &str,
    ) -> Option<Text> {
        let mut whole: Value = serde_json::from_str(&other.written).ok()?;
        let held = whole.get("status").cloned().unwrap_or_default();
        let all: Vec<Value> = recommended.iter().map(of_container).collect();
        let recommendation = match &all[..] {
            [] => json!({}),
            all => json!({ "containerRecommendations": all }),
        };
        let status = json!({
            "conditions": self::conditions(recommended, conditions, &held["conditions"], now),
            "recommendation": recommendation,
        });
        if status == held {
            return None;
        }
        whole.as_object_mut()?.insert("status".to_owned(), status);
        Some(whole.to_string().into())
    }
}

/// Its conditions, by type; what was so before is so since then.
fn conditions(
    recommended: &[Recommended],
    conditions: &[Condition],
    before: &Value,
    now: &str,
) -> Vec<Value> {
    let has_no_pods = conditions.contains(&Condition::NoPods);
    let is_provided = !recommended.is_empty();
    // Where there are no pods, that is why nothing is recommended, too.
    let (reason, message) = match has_no_pods {
        true => ("NoPodsMatched", "No pods match this VPA object"),
        false => ("", ""),
    };
    let mut all = Vec::new();
    for condition in conditions {
        all.push(match condition {
            Condition::Unsupported(why) => (Said::Unsupported.name(), true, "", &**why),
            Condition::NoPods => (Said::NoPods.name(), true, reason, message),
        });
    }
    all.push(match is_provided {
        true => (Said::Provided.name(), true, "", ""),
        false => (Said::Provided.name(), false, reason, message),
    });
    all.sort_by_key(|it| it.0);
    let one = |(kind, is_true, reason, message): (&str, bool, &str, &str)| {
        let status = if is_true { "True" } else { "False" };
        let is_it = |it: &&Value| it["type"] == kind && it["status"] == status;
        let held = before.as_array().and_then(|all| all.iter().find(is_it));
        let since = held.and_then(|it| it["lastTransitionTime"].as_str()).unwrap_or(now);
        let mut said = json!({"type": kind, "status": status, "lastTransitionTime": since});
        for (field, text) in [("reason", reason), ("message", message)] {
            if !text.is_empty() {
                said[field] = json!(text);
            }
        }
        said
    };
    all.into_iter().map(one).collect()
}

fn of_container(it: &Recommended) -> Value {
    json!({
        "containerName": &*it.container,
        "lowerBound": shown(it.lower),
        "target": shown(it.target),
        "uncappedTarget": shown(it.uncapped),
        "upperBound": shown(it.upper),
    })
}

fn shown(amounts: Amounts) -> Value {
    let mut all = serde_json::Map::new();
    if let Some(cpu) = amounts.cpu {
        all.insert("cpu".to_owned(), cpu_quantity(cpu).written().0.into());
    }
    if let Some(memory) = amounts.memory {
        all.insert("memory".to_owned(), memory_quantity(memory).written().0.into());
    }
    Value::Object(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::vertical::tests::{target, vertical};

    fn status(text: &Text) -> Value {
        let whole: Value = serde_json::from_str(text).expect("it is JSON");
        whole["status"].clone()
    }

    #[test]
    fn conditions_say_why_nothing_is_recommended_and_since_when() {
        let held = vertical(json!({"targetRef": target()}), json!({}));
        let conditions = [Condition::NoPods, Condition::Unsupported("why".into())];
        let text = Vertical::written(&held, &[], &conditions, "then").expect("it is new");
        let no_pods = |kind: &str, status: &str| {
            json!({"type": kind, "status": status, "lastTransitionTime": "then",
                   "reason": "NoPodsMatched", "message": "No pods match this VPA object"})
        };
        let unsupported = json!({"type": "ConfigUnsupported", "status": "True",
            "lastTransitionTime": "then", "message": "why"});
        assert_eq!(
            status(&text),
            json!({"conditions": [unsupported, no_pods("NoPodsMatched", "True"),
                                  no_pods("RecommendationProvided", "False")],
                   "recommendation": {}})
        );
        let held = Other { written: text, ..held };
        assert_eq!(Vertical::written(&held, &[], &conditions, "now"), None);
        // What goes on being so is so since then.
        let text = Vertical::written(&held, &[], &[Condition::NoPods], "now").expect("it differs");
        assert_eq!(status(&text)["conditions"][0], no_pods("NoPodsMatched", "True"));
    }

    #[test]
    fn what_is_recommended_is_read_as_it_was_written() {
        let held = vertical(json!({"targetRef": target()}), json!({}));
        let amounts = |cpu, memory| Amounts { cpu: Some(cpu), memory };
        let one = Recommended {
            container: "web".into(),
            target: amounts(25, Some(262_144_000)),
            lower: amounts(12, None),
            upper: amounts(100_000_000_000_000, Some(1 << 30)),
            uncapped: amounts(1500, Some(1)),
        };
        let all = [one];
        let text = Vertical::written(&held, &all, &[], "now").expect("it is new");
        assert_eq!(
            status(&text)["recommendation"]["containerRecommendations"][0],
            json!({"containerName": "web", "lowerBound": {"cpu": "12m"},
                   "target": {"cpu": "25m", "memory": "262144k"},
                   "uncappedTarget": {"cpu": "1500m", "memory": "1"},
                   "upperBound": {"cpu": "100G", "memory": "1073741824"}})
        );
        let again = Vertical::of(&Other { written: text, ..held }).expect("it is right");
        assert_eq!(again.recommended, all);
    }
}
