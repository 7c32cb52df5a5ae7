//! Which families of addresses a Service gets (`initIPFamilyFields` of
//! `pkg/registry/core/service/storage/alloc.go`, 1.36).
//!
//! Refuses to know addresses themselves.

use super::services::refused;
use crate::api::ip_family::{Families, FamilyPolicy, IpFamily};
use crate::api::service::{Exposure, Service};
use crate::api::status::Status;

/// What is wrong with a Service's families: the field, what stands there, and the words.
type Wrong = (String, String, String);

/// The families and the policy of `service`, which was `held` before, in a cluster of these families.
///
/// # Errors
/// What it asks for contradicts itself, or is not to be had here.
pub(super) fn settled(
    service: &Service,
    held: Option<&Service>,
    cluster: Families,
) -> Result<(Families, Option<FamilyPolicy>), Status> {
    let spec = &service.spec;
    if spec.exposure == Exposure::ExternalName {
        return Ok((Families::Unsaid, None));
    }
    let is_free = spec.exposure == Exposure::Headless && spec.selector.is_none();
    let policy = spec.wanted_policy.or(held.and_then(|held| held.policy));
    let policy = policy.unwrap_or(match is_free {
        true => FamilyPolicy::RequireDualStack,
        false => FamilyPolicy::SingleStack,
    });
    let mut wrong = Vec::new();
    let said = asked_for(service, held, policy, &mut wrong);
    let families = inferred(said, service, cluster, &mut wrong);
    give_up(service, wrong)?;
    let wants_two = policy != FamilyPolicy::SingleStack;
    if is_free {
        let first = if families.is_unsaid() { Families::one(cluster.primary()) } else { families };
        // Nobody gives it endpoints but its user, who knows what there is.
        let both = first.and(first.primary().other());
        return Ok((if wants_two { both } else { first }, Some(policy)));
    }
    let mut wrong = Vec::new();
    if policy == FamilyPolicy::RequireDualStack && !cluster.is_dual() {
        let words = "this cluster is not configured for dual-stack services";
        wrong.push(of_policy(policy, words));
    }
    for (at, family) in families.list().iter().enumerate() {
        if !cluster.has(*family) {
            let value = format!("{:?}", family.name());
            let words = "not configured on this cluster".to_owned();
            wrong.push((format!("spec.ipFamilies[{at}]"), value, words));
        }
    }
    give_up(service, wrong)?;
    let first = if families.is_unsaid() { Families::one(cluster.primary()) } else { families };
    let more = if wants_two { cluster } else { Families::Unsaid };
    Ok((more.list().iter().fold(first, |all, one| all.and(*one)), Some(policy)))
}

/// The families said now or before.
fn asked_for(
    service: &Service,
    held: Option<&Service>,
    policy: FamilyPolicy,
    wrong: &mut Vec<Wrong>,
) -> Families {
    let spec = &service.spec;
    let before = held.map_or(Families::Unsaid, |held| held.families);
    let mut families = match spec.wanted_families {
        Families::Unsaid => before,
        said => said,
    };
    if policy == FamilyPolicy::SingleStack {
        if families == before && families.is_dual() {
            families = Families::one(families.primary());
        }
        let must = "must be 'RequireDualStack' or 'PreferDualStack' when multiple";
        if spec.wanted_of.is_dual() && held.is_none() {
            wrong.push(of_policy(policy, &format!("{must} cluster IPs are specified")));
        }
        if families.is_dual() {
            wrong.push(of_policy(policy, &format!("{must} IP families are specified")));
        }
    } else if before.is_dual() && !families.is_dual() {
        let words = "must be 'SingleStack' to release the secondary IP family";
        wrong.push(of_policy(policy, words));
    }
    families
}

/// Families that follow from addresses asked for.
fn inferred(
    said: Families,
    service: &Service,
    cluster: Families,
    wrong: &mut Vec<Wrong>,
) -> Families {
    let spec = &service.spec;
    let mut families = said;
    for (at, family) in spec.wanted_of.list().iter().enumerate().skip(said.list().len()) {
        if cluster.has(*family) {
            families = families.and(*family);
        } else {
            let addresses = wanted(service).join(",");
            let words = format!("{} is not configured on this cluster", family.name());
            wrong.push((format!("spec.clusterIPs[{at}]"), format!("[{addresses}]"), words));
        }
    }
    families
}

/// The addresses asked for, as they are written.
pub(super) fn wanted(service: &Service) -> Vec<String> {
    let spec = &service.spec;
    let of = |family: &IpFamily| match family {
        IpFamily::V4 => spec.wanted_ip.map(|ip| format!("\"{ip}\"")),
        IpFamily::V6 => spec.wanted_ip6.map(|ip| format!("\"{ip}\"")),
    };
    spec.wanted_of.list().iter().filter_map(of).collect()
}

fn of_policy(policy: FamilyPolicy, words: &str) -> Wrong {
    ("spec.ipFamilyPolicy".to_owned(), format!("{:?}", policy.name()), words.to_owned())
}

fn give_up(service: &Service, wrong: Vec<Wrong>) -> Result<(), Status> {
    let lines: Vec<String> = wrong
        .into_iter()
        .map(|(field, value, words)| format!("{field}: Invalid value: {value}: {words}"))
        .collect();
    match &lines[..] {
        [] => Ok(()),
        [line] => Err(refused(service, line)),
        lines => Err(refused(service, &format!("[{}]", lines.join(", ")))),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::control_plane::controllers::testing;

    fn service(families: Families, policy: Option<FamilyPolicy>) -> Service {
        let mut service = testing::service("web");
        let spec = Arc::make_mut(&mut service.spec);
        (spec.wanted_families, spec.wanted_policy) = (families, policy);
        service
    }

    fn of(families: Families, policy: Option<FamilyPolicy>, cluster: Families) -> String {
        match settled(&service(families, policy), None, cluster) {
            Ok((families, policy)) => format!("{families:?} {policy:?}"),
            Err(why) => why.to_string(),
        }
    }

    #[test]
    fn a_service_gets_what_its_policy_asks_for_and_the_cluster_has() {
        use FamilyPolicy::{PreferDualStack, RequireDualStack, SingleStack};
        let both = Families::V4V6;
        let single = format!("V4 {:?}", Some(SingleStack));
        assert_eq!(of(Families::Unsaid, None, both), single);
        assert_eq!(of(Families::Unsaid, None, Families::V4), single);
        let prefer = format!("V4 {:?}", Some(PreferDualStack));
        assert_eq!(of(Families::Unsaid, Some(PreferDualStack), Families::V4), prefer);
        let second = format!("V6V4 {:?}", Some(PreferDualStack));
        assert_eq!(of(Families::V6, Some(PreferDualStack), both), second);
        let refused = of(Families::V6, None, Families::V4);
        assert!(
            refused.ends_with(
                "spec.ipFamilies[0]: Invalid value: \"IPv6\": not configured on this cluster"
            ),
            "{refused}"
        );
        let refused = of(Families::Unsaid, Some(RequireDualStack), Families::V4);
        assert!(refused.contains("not configured for dual-stack services"), "{refused}");
        let refused = of(both, None, both);
        assert!(refused.contains("when multiple IP families are specified"), "{refused}");
    }

    #[test]
    fn a_service_goes_back_to_one_family_only_where_it_says_so() {
        let mut held = service(Families::Unsaid, Some(FamilyPolicy::RequireDualStack));
        (held.families, held.policy) = (Families::V4V6, Some(FamilyPolicy::RequireDualStack));
        let single = service(Families::Unsaid, Some(FamilyPolicy::SingleStack));
        let back = settled(&single, Some(&held), Families::V4V6).map(|(families, _)| families);
        assert_eq!(back, Ok(Families::V4));
        let fewer = service(Families::V4, None);
        let refused = settled(&fewer, Some(&held), Families::V4V6).expect_err("a refusal");
        assert!(refused.to_string().contains("to release the secondary IP family"), "{refused}");
    }
}
