use super::*;
use crate::time::SimDuration;

struct Said(u64);

impl Fact for Said {
    fn fold(&self, hasher: &mut StableHasher) {
        *hasher = hasher.word(self.0);
    }
}

struct Rows(Vec<(SimTime, u64, u64, u64)>);

impl FactSink<Said> for Rows {
    fn record(&mut self, at: SimTime, number: u64, cause: u64, fact: &Said) {
        self.0.push((at, number, cause, fact.0));
    }
}

fn kernel() -> Kernel<u32, (u8, u32)> {
    Kernel::new(Order::Fifo, Fidelity::Elided)
}

fn at(nanos: u64) -> SimTime {
    SimTime::from_nanos(nanos)
}

const _: fn() = || {
    fn clones_and_travels<T: Clone + Send + 'static>() {}
    clones_and_travels::<Kernel<[u64; 2], (u8, u32)>>();
};

#[test]
fn occurrences_of_an_instant_follow_its_events_even_those_pushed_late() {
    let mut kernel = kernel();
    let cadence = Cadence::new(at(10), SimDuration::from_nanos(10)).expect("a period");
    for key in [(1, 0), (0, 1)] {
        kernel.recurring.declare(SimTime::ZERO, key, cadence);
        kernel.recurring.wake_at(SimTime::ZERO, key, 0);
    }
    kernel.schedule(at(10), NO_CAUSE, 1);
    kernel.schedule(at(11), NO_CAUSE, 3);
    assert_eq!(kernel.next(), Some(Due::Event { cause: 0, event: 1 }));
    kernel.schedule(at(10), NO_CAUSE, 2);
    assert_eq!(kernel.next(), Some(Due::Event { cause: 0, event: 2 }));
    assert_eq!(kernel.next(), Some(Due::Occurrence { key: (0, 1), k: 0 }));
    kernel.schedule(at(10), NO_CAUSE, 4);
    assert_eq!(kernel.next(), Some(Due::Event { cause: 0, event: 4 }));
    assert_eq!(kernel.next(), Some(Due::Occurrence { key: (1, 0), k: 0 }));
    assert_eq!((kernel.now(), kernel.next_at()), (at(10), Some(at(11))));
    assert_eq!(kernel.next(), Some(Due::Event { cause: 0, event: 3 }));
    assert_eq!((kernel.next(), kernel.events()), (None, 6));
}

#[test]
fn facts_are_numbered_and_caused_and_fold_with_their_time() {
    let mut rows = Rows(Vec::new());
    let mut kernel = kernel();
    let first = kernel.record(NO_CAUSE, &Said(7), &mut rows);
    kernel.schedule(at(5), first, 0);
    let Some(Due::Event { cause, .. }) = kernel.next() else { panic!("one is due") };
    kernel.record(cause, &Said(8), &mut rows);
    assert_eq!(rows.0, [(at(0), 1, 0, 7), (at(5), 2, 1, 8)]);

    let told = |say: &[(u64, u64)]| {
        let mut kernel = self::kernel();
        for &(nanos, what) in say {
            kernel.advance_to(at(nanos));
            kernel.record(NO_CAUSE, &Said(what), &mut NoSink);
        }
        kernel.digest()
    };
    assert_eq!(told(&[(0, 7), (5, 8)]), kernel.digest());
    for other in [&[(0, 7), (6, 8)][..], &[(0, 8), (5, 7)], &[(0, 7)], &[(0, 7), (5, 8), (5, 8)]] {
        assert_ne!(told(other), kernel.digest());
    }
    // Golden: this number is every run's identity; changing it is a line in the changelog.
    assert_eq!(format!("{:016x}", kernel.digest()), "c0065ab60de57d91");
}

#[test]
fn never_is_not_queued() {
    let mut kernel = kernel();
    kernel.schedule(SimTime::MAX, NO_CAUSE, 1);
    assert_eq!((kernel.pending(), kernel.next_at()), (0, None));
}

#[test]
fn time_does_not_jump_over_what_is_due() {
    let mut kernel = kernel();
    kernel.schedule(at(5), NO_CAUSE, 1);
    let refused =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| kernel.advance_to(at(6))));
    assert!(refused.is_err());
}

#[test]
fn nothing_is_scheduled_into_the_past() {
    let mut kernel = kernel();
    kernel.advance_to(at(6));
    let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        kernel.schedule(at(5), NO_CAUSE, 1)
    }));
    assert!(refused.is_err());
}
