//! Arithmetic over amounts by resource name, as quotas do it (`k8s.io/apiserver/pkg/quota/v1`, 1.36).

use crate::api::quantity::Quantity;
use crate::api::rules::resources::Amounts;

/// The amounts of these names.
pub fn masked(amounts: &Amounts, is_wanted: impl Fn(&str) -> bool) -> Amounts {
    let wanted = amounts.iter().filter(|(name, _)| is_wanted(name));
    wanted.map(|(name, amount)| (name.clone(), *amount)).collect()
}

/// What is in `a` or `b`, that of `b` taken away.
pub fn difference(a: &Amounts, b: &Amounts) -> Amounts {
    let mut left = a.clone();
    for (name, amount) in b {
        let held = left.entry(name.clone()).or_insert(Quantity::ZERO);
        *held = held.minus(*amount);
    }
    left
}

/// The same, where nothing falls below zero.
pub fn increase(a: &Amounts, b: &Amounts) -> Amounts {
    let mut left = difference(a, b);
    left.values_mut().filter(|amount| amount.signum() < 0).for_each(|it| *it = Quantity::ZERO);
    left
}

/// The names of which `a` has more than `b` says; what `b` does not name has no bound.
pub fn above<'a>(a: &'a Amounts, b: &Amounts) -> Vec<&'a str> {
    let over =
        a.iter().filter(|(name, amount)| b.get(*name).is_some_and(|bound| **amount > *bound));
    over.map(|(name, _)| name.as_str()).collect()
}

/// The names whose amounts are below zero.
pub fn negative(amounts: &Amounts) -> Vec<&str> {
    let below = amounts.iter().filter(|(_, amount)| amount.signum() < 0);
    below.map(|(name, _)| name.as_str()).collect()
}

/// Whether nothing is used.
pub fn is_zero(amounts: &Amounts) -> bool {
    amounts.values().all(|amount| amount.is_zero())
}

/// The amounts that are not zero.
pub fn without_zeros(amounts: &Amounts) -> Amounts {
    let kept = amounts.iter().filter(|(_, amount)| !amount.is_zero());
    kept.map(|(name, amount)| (name.clone(), *amount)).collect()
}

/// `cpu=1,pods=2`.
pub fn shown(amounts: &Amounts) -> String {
    let all: Vec<String> = amounts.iter().map(|(name, it)| format!("{name}={it}")).collect();
    all.join(",")
}
