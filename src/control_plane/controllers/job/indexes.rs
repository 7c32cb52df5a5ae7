//! Sets of completion indexes as a Job's status writes them: `0,2-4,7`
//! (kube-controller-manager 1.36 pkg/controller/job/indexed_job_utils.go).

use std::fmt::{self, Write};

/// Indexes from `first` to `last`, both included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interval {
    /// The lowest.
    pub first: i32,
    /// The highest.
    pub last: i32,
}

/// A set of indexes: intervals, ascending, that neither meet nor overlap.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Indexes(Vec<Interval>);

impl Indexes {
    /// The set of these intervals, ascending.
    pub fn of(intervals: Vec<Interval>) -> Indexes {
        Indexes(intervals)
    }

    /// Reads `text`, leaving out what is not below `completions` and everything from the first part
    /// on that is no interval (`parseIndexesFromString`).
    pub fn parse(text: &str, completions: i32) -> Indexes {
        let mut all: Vec<Interval> = Vec::new();
        if text.is_empty() {
            return Indexes(all);
        }
        for part in text.split(',') {
            let mut ends = part.split('-').map(str::parse::<i32>);
            let read = match (ends.next(), ends.next(), ends.next()) {
                (Some(Ok(only)), None, _) => Some((only, only)),
                (Some(Ok(first)), Some(Ok(last)), None) => Some((first, last)),
                _ => None,
            };
            let Some((first, last)) = read else { break };
            if first >= completions {
                break;
            }
            let last = last.min(completions - 1);
            match all.last_mut() {
                Some(before) if before.last == first - 1 => before.last = last,
                _ => all.push(Interval { first, last }),
            }
        }
        Indexes(all)
    }

    /// The intervals.
    pub fn intervals(&self) -> &[Interval] {
        &self.0
    }

    /// How many indexes there are.
    pub fn total(&self) -> i32 {
        self.0.iter().map(|it| it.last - it.first + 1).sum()
    }

    /// Whether `index` is among them.
    pub fn has(&self, index: i32) -> bool {
        let at = self.0.partition_point(|it| it.last < index);
        self.0.get(at).is_some_and(|it| it.first <= index)
    }

    /// With `more`, in any order (`withOrderedIndexes`).
    pub fn with(&self, more: impl IntoIterator<Item = i32>) -> Indexes {
        let more = more.into_iter().map(|index| Interval { first: index, last: index });
        Indexes::union(self.0.iter().copied().chain(more).collect())
    }

    /// Both together.
    pub fn merge(&self, other: &Indexes) -> Indexes {
        Indexes::union(self.0.iter().chain(&other.0).copied().collect())
    }

    fn union(mut all: Vec<Interval>) -> Indexes {
        all.sort_by_key(|it| it.first);
        let mut joined: Vec<Interval> = Vec::with_capacity(all.len());
        for it in all {
            match joined.last_mut() {
                Some(before) if it.first <= before.last.saturating_add(1) => {
                    before.last = before.last.max(it.last);
                }
                _ => joined.push(it),
            }
        }
        Indexes(joined)
    }

    /// How many are in both.
    pub fn common(&self, other: &Indexes) -> i32 {
        let (mut a, mut b, mut found) = (0, 0, 0);
        while let (Some(x), Some(y)) = (self.0.get(a), other.0.get(b)) {
            let (first, last) = (x.first.max(y.first), x.last.min(y.last));
            found += (last - first + 1).max(0);
            if x.last < y.last {
                a += 1;
            } else {
                b += 1;
            }
        }
        found
    }

    /// The `count` lowest indexes below `completions` that are not in the set
    /// (`firstPendingIndexes`).
    pub fn first_missing(&self, count: usize, completions: i32) -> Vec<i32> {
        let (mut found, mut candidate) = (Vec::new(), 0);
        for it in &self.0 {
            while candidate < completions && found.len() < count && candidate < it.first {
                found.push(candidate);
                candidate += 1;
            }
            candidate = candidate.max(it.last.saturating_add(1));
        }
        while candidate < completions && found.len() < count {
            found.push(candidate);
            candidate += 1;
        }
        found
    }
}

impl fmt::Display for Indexes {
    /// Two indexes in a row are written one by one, more as a range.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, it) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_char(',')?;
            }
            write!(f, "{}", it.first)?;
            if it.last > it.first {
                f.write_char(if it.last - it.first > 1 { '-' } else { ',' })?;
                write!(f, "{}", it.last)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn two_in_a_row_are_written_one_by_one() {
        let all = Indexes::default().with([4, 0, 1, 6, 7, 8]);
        assert_eq!(all.to_string(), "0,1,4,6-8");
        assert_eq!(Indexes::parse("0,1,4,6-8", 10), all);
    }

    proptest! {
        #[test]
        fn a_set_is_what_a_plain_set_is(
            a in prop::collection::btree_set(0..40i32, 0..20),
            b in prop::collection::btree_set(0..40i32, 0..20),
            count in 0..10usize,
        ) {
            let (x, y) = (Indexes::default().with(a.clone()), Indexes::default().with(b.clone()));
            prop_assert_eq!(Indexes::parse(&x.to_string(), 40), x.clone());
            prop_assert_eq!(x.total() as usize, a.len());
            prop_assert_eq!(x.common(&y) as usize, a.intersection(&b).count());
            let both = x.merge(&y);
            for index in 0..40 {
                prop_assert_eq!(both.has(index), a.contains(&index) || b.contains(&index));
            }
            let missing: Vec<i32> = (0..30).filter(|it| !a.contains(it)).take(count).collect();
            prop_assert_eq!(x.first_missing(count, 30), missing);
        }
    }
}
