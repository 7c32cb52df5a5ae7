//! Services, new and changed.

use k8s_openapi::api::core::v1::Service;
use wavetank::api::validation::gates::Gate;
use wavetank::api::validation::service;

use super::table::{Outcome, errors, errors_without, lines, object, run};

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
                match gate_off(title) {
                    Some(gate) => errors_without(gate, |errors| service::validate(&given, errors)),
                    None => errors(|errors| service::validate(&given, errors)),
                }
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

/// Cases that ask with a gate off that 1.36 does not let anybody switch off.
fn switched_gate(title: &str) -> Option<&'static str> {
    title
        .contains("without feature gate")
        .then_some("PreferSameTrafficDistribution off, which 1.36 does not allow")
}

/// The gate that a case asks with off.
fn gate_off(title: &str) -> Option<Gate> {
    match title {
        "invalid: service name begins with a digit feature gate disabled" => {
            Some(Gate::RelaxedServiceNameValidation)
        }
        _ if title.contains("legacy") && title.contains("with legacy") => {
            Some(Gate::StrictIPCIDRValidation)
        }
        _ => None,
    }
}
