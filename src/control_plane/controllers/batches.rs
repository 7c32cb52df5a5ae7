//! Creations in batches that double while all goes well: one bad template costs one request, not hundreds
//! (`slowStartBatch`, kube-controller-manager 1.36 pkg/controller/replicaset, pkg/controller/job,
//! pkg/controller/daemon).
//!
//! Owns how many are sent at a time and when it is over; refuses to know what is created.

use std::ops::Range;

/// Creations under way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Batches {
    wanted: usize,
    sent: usize,
    batch: usize,
    answered: usize,
    failed: usize,
}

/// What comes after an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// Others of the batch are to be answered.
    Wait,
    /// The next batch.
    Send,
    /// Nothing: all are there, or one of the last batch failed.
    Over,
}

impl Batches {
    /// So many are to be created, at least one.
    pub fn of(wanted: usize) -> Batches {
        Batches { wanted, sent: 0, batch: 1.min(wanted), answered: 0, failed: 0 }
    }

    /// Those of the batch that is to be sent, by number.
    pub fn batch(&self) -> Range<usize> {
        self.sent..self.sent + self.batch
    }

    /// One of the batch failed.
    pub fn fail(&mut self) {
        self.failed += 1;
    }

    /// One of the batch was answered, however.
    pub fn answer(&mut self) -> Next {
        self.answered += 1;
        if self.answered < self.batch {
            return Next::Wait;
        }
        self.sent += self.batch;
        let unsent = self.unsent();
        if self.failed > 0 || unsent == 0 {
            return Next::Over;
        }
        (self.batch, self.answered) = ((2 * self.batch).min(unsent), 0);
        Next::Send
    }

    /// How many were sent and did not fail.
    pub fn done(&self) -> usize {
        self.sent - self.failed
    }

    /// How many are not there in the end: failed, or never sent.
    pub fn left(&self) -> usize {
        self.wanted - self.done()
    }

    /// How many were never sent.
    pub fn unsent(&self) -> usize {
        self.wanted - self.sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `TestSlowStartBatch` (kube-controller-manager 1.36 pkg/controller/replicaset/replica_set_test.go): how many
    /// of ten are asked for, and how many succeed, where all fail from a certain one on.
    #[test]
    fn batches_double_until_one_fails() {
        for (limit, sent, done) in [(0, 1, 0), (5, 7, 5), (9, 10, 9), (10, 10, 10)] {
            let mut batches = Batches::of(10);
            let mut sizes = Vec::new();
            loop {
                let batch = batches.batch();
                sizes.push(batch.len());
                let answer = |number| {
                    if number >= limit {
                        batches.fail();
                    }
                    batches.answer()
                };
                let nexts: Vec<Next> = batch.map(answer).collect();
                let (last, others) = nexts.split_last().expect("no batch is empty");
                assert!(others.iter().all(|next| *next == Next::Wait));
                if *last == Next::Over {
                    break;
                }
            }
            assert_eq!(sizes.iter().sum::<usize>(), sent, "{limit}: {sizes:?}");
            assert_eq!((batches.done(), batches.left()), (done, 10 - done), "{limit}");
            assert_eq!(batches.unsent(), 10 - sent, "{limit}");
        }
    }
}
