//! Whether quotas let an object in (`k8s.io/apiserver/pkg/admission/plugin/resourcequota`, 1.36).

use std::collections::BTreeSet;

use super::amounts::{above, increase, masked, negative, shown, without_zeros};
use super::{Evaluator, Item, is_in_all};
use crate::api::quantity::Quantity;
use crate::api::resource_quota::{ResourceQuota, ScopeRule};
use crate::api::rules::resources::{Amounts, add};

/// What may only be used where some quota covers it (`limitedResources` of the admission plugin's
/// configuration; there is none by default).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Limited {
    /// The resource of the objects, `pods`.
    pub resource: String,
    /// What the names of limited amounts contain.
    pub contains: Vec<String>,
    /// Which objects are limited.
    pub scopes: Vec<ScopeRule>,
}

/// Charges `item` to the quotas of its namespace; `before` is what it was, if it only changes. Returns
/// what each quota says is used then, where that changed.
///
/// # Errors
/// In the admission plugin's words.
pub fn charge(
    quotas: &[&ResourceQuota],
    item: &Item<'_>,
    before: Option<&Item<'_>>,
    limited: &[Limited],
) -> Result<Vec<Option<Amounts>>, String> {
    let evaluator = item.evaluator();
    let mut covered = BTreeSet::new();
    let mut met: Vec<&ScopeRule> = Vec::new();
    let mut pertinent = Vec::new();
    for (at, quota) in quotas.iter().enumerate() {
        met.extend(quota.scopes.iter().filter(|rule| item.is_in(rule)));
        let Some(hard) = &quota.status.hard else { continue };
        let tracked = || hard.keys().map(String::as_str).filter(|name| evaluator.tracks(name));
        if tracked().next().is_none() || !is_in_all(item, &quota.scopes) {
            continue;
        }
        let name = &quota.meta.name;
        if let Some(lack) = item.lacks(tracked()) {
            return Err(format!("failed quota: {name}: {lack}"));
        }
        let used = quota.status.used.as_deref();
        if tracked().any(|name| used.is_none_or(|used| !used.contains_key(name))) {
            let tracked: Vec<&str> = tracked().collect();
            let resources = tracked.join(",");
            return Err(format!("status unknown for quota: {name}, resources: {resources}"));
        }
        covered.extend(tracked());
        pertinent.push(at);
    }
    let usage = item.usage();
    let below = negative(&usage);
    if !below.is_empty() {
        return Err(format!("quota usage is negative for resource(s): {}", below.join(",")));
    }
    check_covered(item, &usage, limited, &covered, &met)?;
    let more = match before {
        Some(before) => increase(&usage, &before.usage()),
        None => usage,
    };
    let more = without_zeros(&more);
    let mut after = vec![None; quotas.len()];
    if more.is_empty() {
        return Ok(after);
    }
    for at in pertinent {
        after[at] = used_after(quotas[at], &more)?;
    }
    Ok(after)
}

/// What of a quota is used when so much more is; `None` where it bounds nothing of that.
fn used_after(quota: &ResourceQuota, more: &Amounts) -> Result<Option<Amounts>, String> {
    let (Some(hard), Some(used)) = (&quota.status.hard, &quota.status.used) else {
        return Ok(None);
    };
    let asked = masked(more, |name| hard.contains_key(name));
    let mut after = Amounts::clone(used);
    add(&mut after, &asked);
    let touched = masked(&after, |name| asked.contains_key(name));
    let over = above(&touched, hard);
    if !over.is_empty() {
        let of = |amounts: &Amounts| shown(&masked(amounts, |name| over.contains(&name)));
        return Err(format!(
            "exceeded quota: {}, requested: {}, used: {}, limited: {}",
            quota.meta.name,
            of(&asked),
            of(used),
            of(hard)
        ));
    }
    Ok((!asked.is_empty()).then_some(after))
}

/// Whether some quota covers all that may not be used without.
fn check_covered(
    item: &Item<'_>,
    usage: &Amounts,
    limited: &[Limited],
    covered: &BTreeSet<&str>,
    met: &[&ScopeRule],
) -> Result<(), String> {
    let evaluator = item.evaluator();
    let limited = || limited.iter().filter(|it| Evaluator::of(&it.resource) == evaluator);
    let is_limited = |name: &str| {
        limited().any(|it| it.contains.iter().any(|part| name.contains(part.as_str())))
    };
    let used = usage.iter().filter(|(_, amount)| **amount > Quantity::ZERO);
    let lacking: Vec<&str> = used
        .map(|(name, _)| name.as_str())
        .filter(|name| is_limited(name) && !covered.contains(name))
        .collect();
    if !lacking.is_empty() {
        return Err(format!("insufficient quota to consume: {}", lacking.join(",")));
    }
    let scopes = limited().flat_map(|it| &it.scopes).filter(|rule| item.is_in(rule));
    let lacking: Vec<String> = scopes
        .filter(|rule| met.iter().all(|met| met.scope != rule.scope))
        .map(|rule| {
            format!(
                "{{{} {} [{}]}}",
                rule.scope.name(),
                rule.operator.name(),
                rule.values.join(" ")
            )
        })
        .collect();
    if lacking.is_empty() {
        return Ok(());
    }
    Err(format!("insufficient quota to match these scopes: [{}]", lacking.join(" ")))
}
