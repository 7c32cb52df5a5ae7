//! The cores of an API server, which its requests share: who comes while all are busy waits.
//!
//! A request keeps one core busy for as long as its work takes, first come first served; the core of
//! whoever is done first is next. Knows no request: instants and work alone.

use crate::time::{SimDuration, SimTime};

use super::clients::after;

/// Some cores, each busy up to an instant; none where nobody counts them.
#[derive(Clone, Debug)]
pub struct Cores(Vec<SimTime>);

impl Cores {
    /// So many idle ones; as many as it takes if not said.
    pub fn new(count: Option<u16>) -> Cores {
        Cores(vec![SimTime::ZERO; usize::from(count.unwrap_or_default())])
    }

    /// Takes the core that is free first for `work`; returns how long it is until then.
    pub fn take(&mut self, now: SimTime, work: SimDuration) -> SimDuration {
        let Some(free) = self.0.iter_mut().min() else { return SimDuration::ZERO };
        let begin = (*free).max(now);
        *free = after(begin, work);
        begin.saturating_since(now)
    }

    /// All work is dropped.
    pub fn let_go(&mut self) {
        self.0.fill(SimTime::ZERO);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_finds_all_cores_busy_waits_for_the_first() {
        let (millis, now) = (SimDuration::from_millis, SimTime::from_secs(1));
        let mut cores = Cores::new(Some(2));
        let waits: Vec<u64> = (0..5).map(|_| cores.take(now, millis(4)).as_millis()).collect();
        assert_eq!(waits, [0, 0, 4, 4, 8]);
        assert_eq!(cores.take(now + millis(9), millis(4)).as_millis(), 0);
        assert_eq!(cores.take(now + millis(9), millis(4)).as_millis(), 3);
        cores.let_go();
        assert_eq!(cores.take(now, millis(4)).as_millis(), 0);
        let mut uncounted = Cores::new(None);
        let waits: Vec<u64> = (0..3).map(|_| uncounted.take(now, millis(4)).as_millis()).collect();
        assert_eq!(waits, [0, 0, 0]);
    }
}
