//! The table of the same subject; see the file under `tests/data/vectors`.

use wavetank::api::validation::names;

use super::suite::{Outcome, run, same};

#[test]
pub fn names() {
    run("names", include_str!("../data/vectors/names_validation.json"), |function, case| {
        let value = &case["input"]["value"];
        let text = value.as_str().unwrap_or("");
        let complaints = match function {
            "TestIsDNS1123Label" => names::is_dns1123_label(text),
            "TestIsDNS1123Subdomain" => names::is_dns1123_subdomain(text),
            "TestIsDNS1035Label" => names::is_dns1035_label(text),
            "TestIsValidPortNum" => names::is_valid_port_num(value.as_i64().unwrap_or(0)),
            "TestIsValidPortName" => names::is_valid_port_name(text),
            "TestIsQualifiedName" => names::is_qualified_name(text),
            "TestIsValidLabelValue" => names::is_valid_label_value(text),
            "TestIsValidPercent" => names::is_valid_percent(text),
            "TestIsConfigMapKey" => names::is_config_map_key(text),
            other => return Outcome::Different(format!("unknown function {other}")),
        };
        same(complaints.is_empty(), case["expected"]["valid"] == true)
    });
}
