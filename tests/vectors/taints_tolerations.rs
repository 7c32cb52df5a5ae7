//! Taints and tolerations (`component-helpers/scheduling/corev1`, `api/core/v1/toleration.go`), and
//! how `kubectl taint` changes a node's (`pkg/util/taints`).

use serde_json::{Value, json};
use wavetank::api::node::Node;
use wavetank::api::pod::Pod;
use wavetank::api::rules::taint_edits::{TaintEdit, edited, set_twice};
use wavetank::api::rules::taints::{Effect, Taint, first_untolerated};
use wavetank::control_plane::scheduler::algorithm::plugins::taint_toleration::keeps_off;

use super::objects::{list, text};
use super::scheduling::{node, pod};
use super::table::{Outcome, run};

const COMPARES: &str = "comparing tolerations, a feature that is off by default";
const FILTER: &str = "a filter that the data cannot hold";
const WHITELIST: &str = "the admission plugin PodTolerationRestriction, which is off by default";
const DIFF: &str =
    "the node controller says which taints it wants gone: two lists are not compared";

fn read(taints: &Value, tolerations: &Value) -> (Node, Pod) {
    let node = node(&json!({"metadata": {"name": "n"}, "spec": {"taints": taints}}));
    (node, pod(&json!({"spec": {"containers": [], "tolerations": tolerations}})))
}

fn taints(value: &Value) -> Vec<Taint> {
    read(value, &json!([])).0.taints.to_vec()
}

fn untolerated(title: &str, input: &Value, expected: &Value) -> Outcome {
    let (node, pod) = read(&input["taints"], &input["tolerations"]);
    let tolerations = &pod.spec.tolerations;
    let untolerated = if input.get("applyFilter").is_some() {
        first_untolerated(&node.taints, tolerations, |_| true)
    } else if node.taints.iter().all(|taint| keeps_off(taint.effect))
        && pod.spec.tolerations.iter().all(|one| one.effect == Some(Effect::NoSchedule))
        && !title.contains("no taints apply to the filter")
    {
        first_untolerated(&node.taints, tolerations, keeps_off)
    } else {
        return Outcome::Excluded(FILTER);
    };
    Outcome::same(untolerated.is_none(), expected["expectTolerated"] == true)
}

/// What `kubectl taint` makes of its arguments.
fn parsed(input: &Value, expected: &Value) -> Outcome {
    let edits: Result<Vec<TaintEdit>, _> =
        list(&input["spec"]).iter().map(|word| TaintEdit::parse(text(word))).collect();
    let Some(edits) = edits.ok().filter(|edits| set_twice(edits).is_none()) else {
        return Outcome::same(true, expected["expectedErr"] == true);
    };
    let (mut set, mut removed) = (Vec::new(), Vec::new());
    for edit in edits {
        match edit {
            TaintEdit::Set(taint) => set.push(taint),
            TaintEdit::Remove { key, effect } => removed.push((key.to_string(), effect)),
        }
    }
    let gone = |one: &Value| (text(&one["key"]).to_owned(), Effect::named(text(&one["effect"])));
    let theirs: Vec<_> = list(&expected["expectedTaintsToRemove"]).iter().map(gone).collect();
    let theirs = (false, taints(&expected["expectedTaints"]), theirs);
    Outcome::same((expected["expectedErr"] == true, set, removed), theirs)
}

fn changed(before: &Value, edit: TaintEdit, expected: &Value, told: &Value) -> Outcome {
    let before = taints(before);
    // What is not there cannot be removed: kubectl says so and leaves the rest.
    let after = edited(&before, &[edit]).unwrap_or_else(|_| before.clone());
    let ours = (after != before, after);
    Outcome::same(ours, (*told == true, taints(expected)))
}

#[test]
pub fn taints_tolerations() {
    let data = include_str!("../data/vectors/taints_tolerations.json");
    run("taints and tolerations", data, |function, title, input, expected| {
        let compares = input["enableComparisonOperatorsFG"] == true
            || input["enableTaintTolerationComparisonOperatorsFG"] == true;
        if compares {
            return Some(Outcome::Excluded(COMPARES));
        }
        Some(match function {
            "TestFindMatchingUntoleratedTaint" => untolerated(title, input, expected),
            "TestTolerationToleratesTaint" => {
                let (node, pod) = read(&json!([input["taint"]]), &json!([input["toleration"]]));
                let ours = pod.spec.tolerations[0].covers(&node.taints[0]);
                Outcome::same(ours, expected["expectTolerated"] == true)
            }
            "TestParseTaints" => parsed(input, expected),
            "TestAddOrUpdateTaint" => {
                let taint = taints(&json!([input["taint"]])).remove(0);
                let before = &input["node"]["spec"]["taints"];
                let after = &expected["expectedTaints"];
                changed(before, TaintEdit::Set(taint), after, &expected["expectedUpdate"])
            }
            "TestDeleteTaint" => {
                let gone = &input["taintToDelete"];
                let effect = Effect::named(text(&gone["effect"]));
                let edit = TaintEdit::Remove { key: text(&gone["key"]).into(), effect };
                let after = &expected["expectedTaints"];
                changed(&input["taints"], edit, after, &expected["expectedResult"])
            }
            "TestIsSuperset" | "TestMergeTolerations" | "TestVerifyAgainstWhitelist" => {
                Outcome::Excluded(WHITELIST)
            }
            "TestTaintSetDiff" => Outcome::Excluded(DIFF),
            _ => Outcome::Different("no answer to this function".to_owned()),
        })
    });
}
