//! Amounts that may be percentages.

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::Value;
use wavetank::api::int_or_percent::{Amount, Rounding, amount, parse, scaled};

use super::table::{Outcome, run};

fn int_or_string(value: &Value) -> IntOrString {
    serde_json::from_value(value.clone()).expect("amount")
}

#[test]
pub fn amounts_are_kubernetes_own() {
    let data = include_str!("../data/vectors/intstr.json");
    run("intstr", data, |function, _, input, expected| {
        Some(match function {
            "TestGetIntFromIntOrPercent" => {
                let rounding = if input["roundUp"] == true { Rounding::Up } else { Rounding::Down };
                let total = i32::try_from(input["total"].as_i64()?).ok()?;
                let ours = scaled(&int_or_string(&input["input"]), total, rounding);
                match expected["expectErr"].as_bool()? {
                    true => Outcome::same(ours.is_err(), true),
                    false => {
                        Outcome::same(ours.ok().map(i64::from), expected["expectVal"].as_i64())
                    }
                }
            }
            "TestGetIntFromIntOrString" => {
                let ours = amount(&int_or_string(&input["input"])).ok();
                let value = i32::try_from(expected["expectVal"].as_i64()?).ok()?;
                let theirs = match (&expected["expectErr"], &expected["expectPerc"]) {
                    (Value::Bool(true), _) => None,
                    (_, Value::Bool(true)) => Some(Amount::Percent(value)),
                    _ => Some(Amount::Count(value)),
                };
                Outcome::same(ours, theirs)
            }
            "TestParse" => {
                Outcome::same(parse(input["input"].as_str()?), int_or_string(&expected["output"]))
            }
            _ => return None,
        })
    });
}
