//! Who gets how much of a machine that is asked for more than it has: weighted fair shares, as the kernel's CFS
//! gives them.
//!
//! Nobody gets more than he asks for; what some leave goes to the others by their weights. The containers of a
//! node sit in a tree of cgroups, and what one leaves goes first to those who sit next to it:
//!
//! ```text
//! kubepods --+-- a pod of class Guaranteed --+-- container
//!            |      (weight: its request)    `-- container
//!            +-- burstable ---- pod ---- container
//!            |      (weight: what all its pods request)
//!            `-- besteffort --- pod ---- container
//!                   (weight: 2, the least there is)
//! ```

use crate::api::pod::{Pod, Qos};
use crate::base::Id;

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

/// What each gets of `capacity`: all he wants, or a part by his weight that is the same for all who do not, to the
/// next unit. Nothing is left while somebody wants more. A sort, whatever the number of claims.
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
            // Nor are those who follow: they want more for their weight. Each goes up to the unit that his
            // weight and those before him come to, so that the units add up to all there is.
            let (mut upto, mut given) = (0, 0);
            for &at in &order[nth..] {
                upto += weight(&claims[at]);
                let end = (u128::from(left) * upto / weights) as u64;
                (got[at], given) = (end - given, end);
            }
            return got;
        }
        got[at] = claim.wants;
        left -= claim.wants;
        weights -= weight(claim);
    }
    got
}

/// A container in the tree of cgroups that kubelet 1.36 makes (`pkg/kubelet/cm`), and what it asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seat {
    /// Its pod; containers of one pod stand one after the other.
    pub pod: Id<Pod>,
    /// Which container of its pod, init containers counted first.
    pub container: u16,
    /// The class of its pod.
    pub qos: Qos,
    /// Thousandths of a core that the pod requests.
    pub pod_milli: i64,
    /// Thousandths of a core that the container requests.
    pub milli: i64,
    /// How much it would take alone.
    pub wants: u64,
    /// What its quota lets it take at most.
    pub limit: u64,
}

impl Seat {
    /// How much it would take alone, its quota kept.
    pub fn asks(&self) -> u64 {
        self.wants.min(self.limit)
    }
}

/// What all ask for together.
pub fn asked(seats: &[Seat]) -> u64 {
    seats.iter().map(Seat::asks).fold(0, u64::saturating_add)
}

/// What each container gets of `capacity`. They get it all if they ask for so much, and none gets more than it asks
/// for.
pub fn seat(capacity: u64, seats: &[Seat]) -> Vec<u64> {
    let pods: Vec<&[Seat]> = seats.chunk_by(|a, b| a.pod == b.pod).collect();
    let milli = |pod: &[Seat]| pod.first().map_or(0, |one| one.pod_milli);
    let claim = |pod: &[Seat]| Claim { weight: shares_of(milli(pod)), wants: asked(pod) };
    let of_class = |class| {
        let is_it = move |pod: &&[Seat]| pod.first().is_some_and(|one| one.qos == class);
        pods.iter().copied().filter(is_it)
    };
    let group = |class| Claim {
        weight: shares_of(of_class(class).map(milli).fold(0, i64::saturating_add)),
        wants: of_class(class).map(asked).fold(0, u64::saturating_add),
    };
    let mut root: Vec<Claim> = of_class(Qos::Guaranteed).map(claim).collect();
    root.extend([group(Qos::Burstable), group(Qos::BestEffort)]);
    let mut guaranteed = divide(capacity, &root);
    let in_group = |class, share: Option<u64>| {
        let claims: Vec<Claim> = of_class(class).map(claim).collect();
        divide(share.unwrap_or(0), &claims).into_iter()
    };
    let mut best_effort = in_group(Qos::BestEffort, guaranteed.pop());
    let mut burstable = in_group(Qos::Burstable, guaranteed.pop());
    let mut guaranteed = guaranteed.into_iter();
    let of_pod = |pod: &&[Seat]| {
        let share = match pod[0].qos {
            Qos::Guaranteed => guaranteed.next(),
            Qos::Burstable => burstable.next(),
            Qos::BestEffort => best_effort.next(),
        };
        let inside = |one: &Seat| Claim { weight: shares_of(one.milli), wants: one.asks() };
        let claims: Vec<Claim> = pod.iter().map(inside).collect();
        divide(share.unwrap_or(0), &claims)
    };
    pods.iter().flat_map(of_pod).collect()
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

    fn sitting(qos: Qos, pod: usize, milli: i64, wants: u64) -> Seat {
        let pod = Id::from_parts(pod as u32, 0);
        Seat { pod, container: 0, qos, pod_milli: milli, milli, wants, limit: u64::MAX }
    }

    #[test]
    fn who_asks_for_nothing_gets_what_is_left() {
        let seats = [
            sitting(Qos::Guaranteed, 0, 1000, 700),
            sitting(Qos::Burstable, 1, 500, 4000),
            sitting(Qos::BestEffort, 2, 0, 4000),
            sitting(Qos::BestEffort, 3, 0, 4000),
        ];
        // 2 and 2 of 4 + 512 + .. for those without a request: as good as nothing while others want it.
        let got = seat(4000, &seats);
        assert_eq!((got[0], got[1] + got[2] + got[3]), (700, 3300));
        assert!(got[2] + got[3] < 15 && got[2].abs_diff(got[3]) <= 1, "{got:?}");
        assert_eq!(seat(9000, &seats)[1..], [4000, 2150, 2150]);
    }

    #[test]
    fn what_a_burstable_pod_leaves_goes_to_burstable_pods_first() {
        // The group has 2/3 of the node by its pods' requests, and the second of them may take it all.
        let seats = [
            sitting(Qos::Guaranteed, 0, 1000, 9000),
            sitting(Qos::Burstable, 1, 1000, 0),
            sitting(Qos::Burstable, 2, 1000, 9000),
        ];
        assert_eq!(seat(3000, &seats), [1000, 0, 2000]);
    }

    #[test]
    fn a_quota_holds_whatever_the_shares_say() {
        let mut seats =
            [sitting(Qos::Burstable, 0, 3000, 4000), sitting(Qos::Burstable, 1, 1000, 4000)];
        seats[0].limit = 500;
        assert_eq!(seat(4000, &seats), [500, 3500]);
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
            let same = ours.iter().zip(plain(capacity, &claims)).all(|(ours, plain)| ours - plain <= 1);
            prop_assert!(same, "{:?}", ours);
            prop_assert!(ours.iter().zip(&claims).all(|(got, claim)| *got <= claim.wants));
            let wanted: u64 = claims.iter().map(|one| one.wants).sum();
            prop_assert_eq!(ours.iter().sum::<u64>(), capacity.min(wanted));
        }

        /// All there is is given out, to nobody more than he asks for or may have; and whoever does not get what
        /// he asks for gets no less for asking for more.
        #[test]
        fn a_tree_of_cgroups_conserves_work(
            capacity in 0u64..4000,
            pods in prop::collection::vec((0..3u8, 1i64..4000, prop::collection::vec((0u64..3000, 0u64..3000), 1..4)), 1..8),
            asker in 0..24usize,
        ) {
            let mut seats = Vec::new();
            for (number, (class, milli, containers)) in (0..).zip(&pods) {
                for (container, &(wants, limit)) in (0..).zip(containers) {
                    let of_class = [Qos::Guaranteed, Qos::Burstable, Qos::BestEffort][usize::from(*class)];
                    let milli = if of_class == Qos::BestEffort { 0 } else { *milli };
                    let one = Seat { container, milli, limit, ..sitting(of_class, number, milli, wants) };
                    seats.push(Seat { pod_milli: milli * containers.len() as i64, ..one });
                }
            }
            let got = seat(capacity, &seats);
            prop_assert_eq!(got.len(), seats.len());
            prop_assert_eq!(got.iter().sum::<u64>(), capacity.min(asked(&seats)));
            prop_assert!(got.iter().zip(&seats).all(|(got, one)| *got <= one.wants && *got <= one.limit));
            let asker = asker % seats.len();
            let before = got[asker];
            seats[asker].wants += 1000;
            prop_assert!(seat(capacity, &seats)[asker] + 3 >= before, "a unit a level is rounding");
        }
    }
}
