//! Who gets how much of a machine that is asked for more than it has: weighted fair shares, as the kernel's CFS
//! gives them.
//!
//! Nobody gets more than he asks for; what some leave goes to the others by their weights.

/// What somebody asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Claim {
    /// His weight; 0 counts as 1.
    pub weight: u64,
    /// How much he would take alone.
    pub wants: u64,
}

/// The weight of a container that asks for so many thousandths of a core: `cpu.shares` as kubelet 1.36 sets it
/// (`MilliCPUToShares`).
pub fn shares_of(milli: i64) -> u64 {
    const LEAST: u64 = 2;
    const MOST: u64 = 262_144;
    let milli = u64::try_from(milli).unwrap_or(0);
    (milli.saturating_mul(1024) / 1000).clamp(LEAST, MOST)
}

/// What each gets of `capacity`, rounded down: all he wants, or a part by his weight that is the same for all who
/// do not. A sort, whatever the number of claims.
pub fn divide(capacity: u64, claims: &[Claim]) -> Vec<u64> {
    let weight = |one: &Claim| u128::from(one.weight.max(1));
    let mut order: Vec<usize> = (0..claims.len()).collect();
    // Those who want the least for their weight are satisfied first.
    order.sort_by(|&a, &b| {
        let (a, b) = (&claims[a], &claims[b]);
        (u128::from(a.wants) * weight(b)).cmp(&(u128::from(b.wants) * weight(a)))
    });
    let mut got = vec![0; claims.len()];
    let mut left = capacity;
    let mut weights: u128 = claims.iter().map(weight).sum();
    for (nth, &at) in order.iter().enumerate() {
        let claim = &claims[at];
        let fair = u128::from(left) * weight(claim) / weights;
        if u128::from(claim.wants) > fair {
            // Nor are those who follow: they want more for their weight.
            for &at in &order[nth..] {
                got[at] = (u128::from(left) * weight(&claims[at]) / weights) as u64;
            }
            return got;
        }
        got[at] = claim.wants;
        left -= claim.wants;
        weights -= weight(claim);
    }
    got
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn claim(weight: u64, wants: u64) -> Claim {
        Claim { weight, wants }
    }

    #[test]
    fn what_some_leave_goes_to_the_others_by_weight() {
        let claims = [claim(2, 100), claim(1, 900), claim(2, 900)];
        assert_eq!(divide(1000, &claims), [100, 300, 600]);
        assert_eq!(divide(2000, &claims), [100, 900, 900]);
        assert_eq!(divide(0, &claims), [0, 0, 0]);
    }

    #[test]
    fn weights_are_cpu_shares() {
        assert_eq!([0, 1, 100, 1000, 1_000_000].map(shares_of), [2, 2, 102, 1024, 262_144]);
    }

    /// The plain way: whoever wants no more than his fair part of what is left has it, until all others want
    /// more; they share.
    fn plain(capacity: u64, claims: &[Claim]) -> Vec<u64> {
        let mut got = vec![None; claims.len()];
        loop {
            let open = || (0..claims.len()).filter(|&at| got[at].is_none());
            let left = capacity - got.iter().flatten().sum::<u64>();
            let weights: u64 = open().map(|at| claims[at].weight).sum();
            let modest = open().find(|&at| claims[at].wants * weights <= left * claims[at].weight);
            match modest {
                Some(at) => got[at] = Some(claims[at].wants),
                None => {
                    let rest = |(at, got): (usize, &Option<u64>)| {
                        got.unwrap_or_else(|| left * claims[at].weight / weights)
                    };
                    return got.iter().enumerate().map(rest).collect();
                }
            }
        }
    }

    proptest! {
        #[test]
        fn shares_are_those_of_the_plain_way(
            capacity in 0u64..400,
            claims in prop::collection::vec((1u64..9, 0u64..120), 1..8),
        ) {
            let claims: Vec<_> = claims.into_iter().map(|(weight, wants)| claim(weight, wants)).collect();
            let ours = divide(capacity, &claims);
            prop_assert_eq!(&ours, &plain(capacity, &claims));
            let wanted: u64 = claims.iter().map(|one| one.wants).sum();
            let (sum, whole) = (ours.iter().sum::<u64>(), capacity.min(wanted));
            prop_assert!(sum <= whole && whole - sum < claims.len() as u64, "rounding down leaves less than one each");
        }
    }
}
