//! Services, new and changed.

use k8s_openapi::api::core::v1::Service;
use wavetank::api::validation::service;

use super::table::{Outcome, errors, lines, object, run};

#[test]
pub fn services_are_checked_as_by_the_api_server() {
    let data = include_str!("../data/vectors/validation_service.json");
    run("validation_service", data, |function, title, input, expected| {
        if let Some(why) = switched_gate(title) {
            return Some(Outcome::Excluded(why));
        }
        let found = match function {
            "TestValidateServiceCreate" => {
                let given: Service = object(&input["service"]);
                errors(|errors| service::validate(&given, errors))
            }
            "TestValidateServiceUpdate" => {
                let (new, old): (Service, Service) = (object(&input["new"]), object(&input["old"]));
                errors(|errors| service::validate_update(&new, &old, errors))
            }
            _ => return None,
        };
        let wanted = usize::try_from(expected["numErrs"].as_u64()?).ok()?;
        Some(if found.len() == wanted {
            Outcome::Equal
        } else {
            Outcome::Different(format!("theirs {wanted} errors, ours {:?}", lines(&found)))
        })
    });
}

/// Cases that ask with a feature gate in another position than 1.36 has it.
fn switched_gate(title: &str) -> Option<&'static str> {
    const LEGACY: &str = "StrictIPCIDRValidation off";
    match title {
        _ if title.contains("without feature gate") => Some("PreferSameTrafficDistribution off"),
        "invalid: service name begins with a digit feature gate disabled" => {
            Some("RelaxedServiceNameValidation off")
        }
        _ if title.contains("legacy") && title.contains("with legacy") => Some(LEGACY),
        _ => None,
    }
}
