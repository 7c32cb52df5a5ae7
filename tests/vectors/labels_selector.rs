//! The table of the same subject; see the file under `tests/data/vectors`.

use std::collections::BTreeMap;

use serde_json::Value;
use wavetank::api::selector_text::{
    FieldQuery, LabelQuery, Operator, Requirement, Token, split_term, split_terms, tokens,
};

use super::suite::{Outcome, run, same};

fn texts(value: &Value) -> Vec<String> {
    let list = value.as_array().map_or(&[][..], Vec::as_slice);
    list.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect()
}

fn labels(value: &Value) -> BTreeMap<String, String> {
    let map = value.as_object().into_iter().flatten();
    map.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

fn requirement(value: &Value) -> Option<Requirement> {
    let operator = Operator::named(value["operator"].as_str()?)?;
    Requirement::new(value["key"].as_str()?, operator, texts(&value["values"])).ok()
}

/// The number of a token in Go's table.
fn number(token: &Token) -> i64 {
    match token {
        Token::Error(_) => 0,
        Token::End => 1,
        Token::Close => 2,
        Token::Comma => 3,
        Token::Not => 4,
        Token::DoubleEquals => 5,
        Token::Equals => 6,
        Token::Greater => 7,
        Token::Word(_) => 8,
        Token::In => 9,
        Token::Less => 10,
        Token::NotEquals => 11,
        Token::NotIn => 12,
        Token::Open => 13,
    }
}

fn parsed(input: &Value, expected: &Value) -> Outcome {
    let query = LabelQuery::parse(input["in"].as_str().unwrap_or(""));
    if expected["valid"] == false {
        return same(query.is_err(), true);
    }
    let wanted = expected["out"].as_array().map_or(&[][..], Vec::as_slice);
    let mut wanted: Option<Vec<Requirement>> = wanted.iter().map(requirement).collect();
    wanted.iter_mut().for_each(|all| all.sort_by(|a, b| a.key().cmp(b.key())));
    let found = query.map(|query| query.requirements().to_vec());
    same(found.ok(), wanted)
}

fn matched(input: &Value, expected: &Value) -> Outcome {
    let all = input["sel"].as_array().map_or(&[][..], Vec::as_slice);
    // An empty requirement is of no operator, and matches nothing.
    let sound: Option<Vec<Requirement>> = all.iter().map(requirement).collect();
    let matches = sound.is_some_and(|all| LabelQuery::of(all).matches(&labels(&input["set"])));
    same(matches, expected["match"] == true)
}

fn queried(input: &Value, expected: &Value) -> Outcome {
    let selector = &input["selector"];
    let known = labels(&input["labels"]);
    let Some(text) = selector.as_str() else {
        let all = labels(selector).iter().all(|(key, value)| known.get(key) == Some(value));
        return same(all, expected["match"] == true);
    };
    // Some of these are selectors of fields, with escapes that labels do not know.
    let ours = match (LabelQuery::parse(text), FieldQuery::parse(text)) {
        (Ok(query), _) => query.matches(&known),
        (Err(_), Ok(query)) => query.matches(|field| known.get(field).map(String::as_str)),
        (Err(error), Err(_)) => return Outcome::Different(error.to_string()),
    };
    same(ours, expected["match"] == true)
}

fn exact(input: &Value, expected: &Value) -> Outcome {
    let text = input["selector"].as_str().unwrap_or("");
    let query = LabelQuery::parse(text).ok();
    let pairs = query.and_then(|query| {
        let all = query.requirements().iter();
        let pair = |r: &Requirement| {
            // A plain set of labels knows the single equals sign only.
            let equal = r.operator() == Operator::Equals;
            Some((r.key().to_owned(), r.values().first().filter(|_| equal)?.clone()))
        };
        all.map(pair).collect::<Option<BTreeMap<_, _>>>()
    });
    let theirs = (expected["valid"] == true).then(|| labels(&expected["labels"]));
    same(pairs, theirs)
}

#[test]
pub fn labels_selector() {
    run("selectors", include_str!("../data/vectors/labels_selector.json"), |function, case| {
        let (input, expected) = (&case["input"], &case["expected"]);
        let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
        match function {
            "TestSelectorParse" => {
                // Two tests of one name, of labels and of fields; the table does not tell which.
                let value = text(&input["value"]);
                let both = [LabelQuery::parse(&value).is_ok(), FieldQuery::parse(&value).is_ok()];
                same(both.contains(&(expected["valid"] == true)), true)
            }
            "TestRequirementConstructor" => {
                let operator = Operator::named(&text(&input["op"]));
                let made = operator.and_then(|operator| {
                    Requirement::new(&text(&input["key"]), operator, texts(&input["vals"])).ok()
                });
                same(made.is_some(), expected["wantErr"].is_null())
            }
            "TestSetSelectorParser" => parsed(input, expected),
            "TestRequirementSelectorMatching" => matched(input, expected),
            "TestToString" => {
                let all = input["in"].as_array().map_or(&[][..], Vec::as_slice);
                let all: Option<Vec<Requirement>> = all.iter().map(requirement).collect();
                let shown = all.map(|all| LabelQuery::of(all).to_string());
                same(shown, (expected["valid"] == true).then(|| text(&expected["out"])))
            }
            "TestLexer" => {
                let first = tokens(&text(&input["s"])).first().map(number);
                same(first, expected["t"].as_i64())
            }
            "TestLexerSequence" => {
                let mut found: Vec<i64> = tokens(&text(&input["s"])).iter().map(number).collect();
                found.pop();
                let all = expected["t"].as_array().map_or(&[][..], Vec::as_slice);
                same(found, all.iter().filter_map(Value::as_i64).collect())
            }
            "TestLabelSelectorParse" => exact(input, expected),
            "TestSplitTerms" => {
                let value = text(&input["value"]);
                same(
                    split_terms(&value).iter().map(ToString::to_string).collect(),
                    texts(&expected["value"]),
                )
            }
            "TestSplitTerm" => {
                let value = text(&input["value"]);
                let found = split_term(&value);
                let parts = ["lhs", "op", "rhs"].map(|field| text(&expected[field]));
                let theirs = (expected["ok"] == true).then_some(parts);
                same(found.map(|(a, b, c)| [a, b, c].map(str::to_owned)), theirs)
            }
            "TestSelectorMatches/TestSetMatches" => queried(input, expected),
            other => Outcome::Different(format!("unknown function {other}")),
        }
    });
}
