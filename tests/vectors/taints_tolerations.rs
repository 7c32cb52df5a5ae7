//! Taints and tolerations (`component-helpers/scheduling/corev1`, `api/core/v1/toleration.go`), and
//! how `kubectl taint` changes a node's (`pkg/util/taints`).

use serde_json::{Value, json};
use wavetank::api::node::Node;
use wavetank::api::pod::Pod;
use wavetank::api::rules::taint_edits::{TaintEdit, edited, set_twice};
use wavetank::api::rules::taints::{
    Comparison, Effect, Taint, Toleration, difference, first_untolerated,
};
use wavetank::api::rules::toleration_limits::{allows, is_superset, merged};
use wavetank::control_plane::scheduler::algorithm::plugins::taint_toleration::keeps_off;

use super::objects::{list, text};
use super::scheduling::{node, pod};
use super::table::{Outcome, run};

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
    // The data has lost the filters. Two cases tell in their words and values that theirs is not that
    // of scheduling: it is that of evictions.
    let evicts = title.contains("no taints apply to the filter")
        || tolerations.iter().any(|one| one.effect == Some(Effect::NoExecute));
    let untolerated = first_untolerated(&node.taints, tolerations, |effect| {
        if input.get("applyFilter").is_some() {
            true
        } else if evicts {
            effect == Effect::NoExecute
        } else {
            keeps_off(effect)
        }
    });
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

/// The toleration that a table names by what it tolerates: key, value, effect, seconds.
fn toleration(name: &str) -> Toleration {
    let mut one = Toleration {
        key: "".into(),
        comparison: Comparison::Exists,
        value: "".into(),
        effect: None,
        seconds: None,
    };
    for word in name.split('-') {
        match word {
            "all" => {}
            "nosched" => one.effect = Some(Effect::NoSchedule),
            "prefnosched" => one.effect = Some(Effect::PreferNoSchedule),
            "noexec" => one.effect = Some(Effect::NoExecute),
            seconds if seconds.parse::<i64>().is_ok() => one.seconds = seconds.parse().ok(),
            key if one.key.is_empty() => one.key = key.into(),
            value => {
                one.comparison = Comparison::Equal;
                one.value = value.into();
            }
        }
    }
    one
}

fn tolerations(names: &Value) -> Vec<Toleration> {
    list(names).iter().map(|name| toleration(text(name))).collect()
}

/// Which of all that the table knows the toleration covers, itself among them.
fn supersets(input: &Value, expected: &Value) -> Outcome {
    const ALL: [&str; 16] = [
        "all",
        "all-nosched",
        "all-noexec",
        "foo",
        "foo-bar",
        "foo-nosched",
        "foo-bar-nosched",
        "foo-baz-nosched",
        "faz-nosched",
        "faz-baz-nosched",
        "foo-prefnosched",
        "foo-noexec",
        "foo-bar-noexec",
        "foo-noexec-10",
        "foo-noexec-0",
        "foo-bar-noexec-10",
    ];
    let name = text(&input["toleration"]);
    // A name that the table itself does not know is an empty toleration there.
    let one = match ALL.contains(&name) {
        true => toleration(name),
        false => Toleration { comparison: Comparison::Equal, ..toleration("all") },
    };
    let theirs = list(&expected["ss"]);
    let theirs: Vec<&str> = ALL
        .into_iter()
        .filter(|other| *other == name || theirs.iter().any(|it| text(it) == *other))
        .collect();
    let ours: Vec<&str> =
        ALL.into_iter().filter(|other| is_superset(&one, &toleration(other))).collect();
    Outcome::same(ours, theirs)
}

#[test]
pub fn taints_tolerations() {
    let data = include_str!("../data/vectors/taints_tolerations.json");
    run("taints and tolerations", data, |function, title, input, expected| {
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
            "TestIsSuperset" => supersets(input, expected),
            "TestMergeTolerations" => {
                let ours = merged(&tolerations(&input["a"]), &tolerations(&input["b"]));
                Outcome::same(ours, tolerations(&expected["expected"]))
            }
            "TestVerifyAgainstWhitelist" => {
                let ours = allows(&tolerations(&input["whitelist"]), &tolerations(&input["input"]));
                Outcome::same(ours, expected["expected"] == true)
            }
            "TestTaintSetDiff" => {
                let (wanted, held) = (taints(&input["t1"]), taints(&input["t2"]));
                let (add, remove) = difference(&wanted, &held);
                let owned = |all: Vec<&Taint>| all.into_iter().cloned().collect::<Vec<_>>();
                let theirs = ["expectedTaintsToAdd", "expectedTaintsToRemove"];
                Outcome::same([owned(add), owned(remove)], theirs.map(|it| taints(&expected[it])))
            }
            _ => Outcome::Different("no answer to this function".to_owned()),
        })
    });
}
