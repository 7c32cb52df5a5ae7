//! How many nodes one estimate may add: the smallest of several thresholds
//! (cluster-autoscaler 1.36 estimator/threshold_based_limiter.go and its thresholds).
//!
//! A threshold is a number of nodes: 0 sets no limit, a negative one allows none.

/// No node may be added.
pub const NONE: i64 = -1;

/// The smaller of two thresholds, where 0 is no limit (`getMinLimit`).
pub fn smaller(base: i64, target: i64) -> i64 {
    if base < 0 || target < 0 {
        return NONE;
    }
    match (base, target) {
        (0, other) | (other, 0) => other,
        (base, target) => base.min(target),
    }
}

/// What is left below the most nodes a cluster may have (`--max-nodes-total`; 0: no limit).
pub fn of_cluster(most: i64, now: i64) -> i64 {
    match most {
        0 => 0,
        most if most < 0 || most <= now => NONE,
        most => most - now,
    }
}

/// The size of a group, and the most it may have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Room {
    /// The most nodes.
    pub most: i64,
    /// Its target size.
    pub now: i64,
}

/// What is left in a group and those like it together; a group that has too many counts for
/// nothing.
pub fn of_similar_groups(groups: impl IntoIterator<Item = Room>) -> i64 {
    let left: i64 = groups.into_iter().map(|group| (group.most - group.now).max(0)).sum();
    if left == 0 { NONE } else { left }
}

/// Counts the nodes one estimate adds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limiter {
    most: i64,
    added: i64,
}

impl Limiter {
    /// A limiter of all these thresholds.
    pub fn new(thresholds: impl IntoIterator<Item = i64>) -> Limiter {
        Limiter { most: thresholds.into_iter().fold(0, smaller), added: 0 }
    }

    /// Asks to add one node more (`PermissionToAddNode`).
    pub fn permit(&mut self) -> Permit {
        if self.most < 0 || (self.most > 0 && self.added >= self.most) {
            return Permit::Refused;
        }
        self.added += 1;
        Permit::Granted
    }
}

/// Whether a node may be added.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Permit {
    /// It may, and counts from now on.
    Granted,
    /// The limit is reached.
    Refused,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limiter_counts_up_to_the_smallest_threshold() {
        let mut limiter = Limiter::new([0, 3, 2]);
        let answers = [limiter.permit(), limiter.permit(), limiter.permit()];
        assert_eq!(answers, [Permit::Granted, Permit::Granted, Permit::Refused]);
        assert_eq!(Limiter::new([NONE, 5]).permit(), Permit::Refused);
        assert_eq!(Limiter::new([0]).permit(), Permit::Granted);
    }
}
