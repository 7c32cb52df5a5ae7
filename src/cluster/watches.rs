//! Watches: which process follows which table, and when the next batch of changes reaches it.
//!
//! A watch is a cursor of the store. The delivery time of a change is its commit plus a lag keyed by
//! (watch, object, version), never before that of the change ahead of it, on the next frame. So one
//! wake-up brings all changes of a frame, and nothing is copied.
//!
//! ```text
//! idle --change committed--> waiting(due) --due--> delivered --more in the log--> waiting
//!   \------------------- the server or the link fails: cut --reconnect--> idle or waiting
//!                                                         \--410, it waits, lists----^
//! ```
//! A server that began to serve after the watch was cut knows nothing of what came before: its watch
//! cache goes back to its own first list (apiserver 1.36 `watch_cache.go`: "too old resource version").

use crate::luck::{Label, Luck};
use crate::messages::Profile;
use crate::net::Weather;
use crate::store::{CursorId, Store, TABLES, TableKind};
use crate::time::{SimDuration, SimTime};

use super::processes::ProcessId;

const LAG: Label = Label::new("watch-lag");
const RECONNECT: Label = Label::new("watch-reconnect");
/// After which a watch waits as if for the first time.
const BACKOFF_FORGOTTEN: SimDuration = SimDuration::from_secs(120);
/// The longest wait in halves of the first: 30 s of 0.8 s, and the doublings it takes to get there.
const BACKOFF_MOST_HALVES: u64 = 75;
const BACKOFF_DOUBLINGS: u32 = 6;

/// One watch.
#[derive(Clone, Debug)]
pub struct Watch {
    /// Who follows.
    pub process: ProcessId,
    /// What.
    pub table: TableKind,
    /// Up to where.
    pub cursor: CursorId,
    /// The API server it is connected to.
    pub server: u8,
    /// Its state.
    pub state: WatchState,
    key: u64,
    /// When its wake-up is queued for; earlier ones are stale.
    pub wake_at: SimTime,
    /// Changes come in order: nothing is delivered before this.
    floor: SimTime,
    /// Waits before it connected again, or tried to.
    reconnects: u64,
    backoff: Backoff,
    cut_at: SimTime,
    /// Whether it lists anew when it connects next.
    lists: bool,
    /// What becomes of changes on their way, from which entry of the log on, in order.
    weather: Vec<(u64, Weather)>,
    /// The entry of the log worked out last, and when it arrives if none ahead of it does later.
    known: Option<(u64, SimTime)>,
}

/// How often a watch has waited to connect again, and since when (client-go 1.36
/// `tools/cache/reflector.go`: it tries after a wait, the next twice as long, up to 30 s; all is
/// forgotten at a wait more than two minutes after it was forgotten last).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Backoff {
    waits: u32,
    since: Option<SimTime>,
}

impl Backoff {
    /// A wait begins that would be `first` if it were the first of all.
    fn wait(&mut self, now: SimTime, first: SimDuration) -> SimDuration {
        let idle = self.since.and_then(|since| now.checked_since(since));
        if idle.is_none_or(|idle| idle > BACKOFF_FORGOTTEN) {
            (self.waits, self.since) = (0, Some(now));
        }
        let halves = (2u64 << self.waits.min(BACKOFF_DOUBLINGS)).min(BACKOFF_MOST_HALVES);
        self.waits += 1;
        first * halves / 2
    }
}

/// Where a watch stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WatchState {
    /// It has seen everything.
    Idle,
    /// A wake-up is queued.
    Waiting,
    /// Its connection is gone; it tries again later.
    Cut,
    /// Its process is gone.
    Closed,
}

/// All watches of a run. Numbers are never reused, so that a wake-up finds its own watch or none.
#[derive(Clone, Debug)]
pub struct Watches {
    rows: Vec<Watch>,
    /// The numbers of those of each table.
    of: [Vec<u32>; TABLES.len()],
    profile: Profile,
    luck: Luck,
}

impl Watches {
    /// No watches yet.
    pub fn new(profile: Profile, luck: Luck) -> Watches {
        Watches { rows: Vec::new(), of: TABLES.map(|_| Vec::new()), profile, luck }
    }

    /// Opens a watch that has seen everything there is now.
    pub fn open(
        &mut self,
        store: &mut Store,
        process: ProcessId,
        table: TableKind,
        server: (u8, Weather),
    ) -> CursorId {
        let (server, weather) = server;
        let cursor = store.open(table);
        let key = (process.key() << 8) | table as u64;
        self.of[table as usize].push(self.rows.len() as u32);
        self.rows.push(Watch {
            process,
            table,
            cursor,
            server,
            state: WatchState::Idle,
            key,
            wake_at: SimTime::ZERO,
            floor: SimTime::ZERO,
            reconnects: 0,
            backoff: Backoff::default(),
            cut_at: SimTime::ZERO,
            lists: false,
            weather: vec![(0, weather)],
            known: None,
        });
        cursor
    }

    /// Closes all watches of a process.
    pub fn close(&mut self, store: &mut Store, process: ProcessId) {
        for watch in &mut self.rows {
            if watch.process == process && watch.state != WatchState::Closed {
                watch.state = WatchState::Closed;
                store.close(watch.table, watch.cursor);
            }
        }
    }

    /// The watch number `at`.
    pub fn get(&self, at: u32) -> &Watch {
        &self.rows[at as usize]
    }

    /// All watches with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Watch)> {
        (0u32..).zip(&self.rows)
    }

    /// When the change that is log entry `entry` reaches watch `at`.
    fn due(&mut self, store: &Store, at: u32, entry: u64) -> Option<SimTime> {
        let watch = &self.rows[at as usize];
        let arrival = match watch.known {
            Some((known, arrival)) if known == entry => {
                debug_assert_eq!(Some(arrival), self.arrival(watch, store, entry), "{entry}");
                arrival
            }
            _ => self.arrival(watch, store, entry)?,
        };
        let watch = &mut self.rows[at as usize];
        watch.known = Some((entry, arrival));
        Some(arrival.max(watch.floor))
    }

    /// When a change gets to a watch that nothing is ahead of.
    fn arrival(&self, watch: &Watch, store: &Store, entry: u64) -> Option<SimTime> {
        let change = store.change_key(watch.table, entry)?;
        let draw = self.luck.draw(LAG, watch.key ^ change.uid.0, u64::from(change.nth));
        let earlier = watch.weather.iter().rev();
        let late = earlier.into_iter().find(|(from, _)| *from <= entry);
        let late = late.map_or(SimDuration::ZERO, |(_, weather)| weather.stream(&draw));
        let lag = self.profile.watch_lag.sample(draw) + self.profile.link_floor() + late;
        let frame = self.profile.watch_frame.as_nanos().max(1);
        let at = change.at.as_nanos().saturating_add(lag.as_nanos());
        Some(SimTime::from_nanos(at.div_ceil(frame).saturating_mul(frame)))
    }

    /// Tells all idle watches of `table` of a new change: `wake(when, watch)` for each that must
    /// be woken.
    pub fn committed(
        &mut self,
        store: &Store,
        table: TableKind,
        now: SimTime,
        wake: &mut dyn FnMut(SimTime, u32),
    ) {
        for nth in 0..self.of[table as usize].len() {
            let at = self.of[table as usize][nth];
            if self.rows[at as usize].state == WatchState::Idle {
                self.await_next(store, at, now, wake);
            }
        }
    }

    /// Queues the next wake-up of watch `at` if anything is undelivered.
    pub fn await_next(
        &mut self,
        store: &Store,
        at: u32,
        now: SimTime,
        wake: &mut dyn FnMut(SimTime, u32),
    ) {
        let watch = &self.rows[at as usize];
        let entry = store.next(watch.table, watch.cursor);
        let due = self.due(store, at, entry).map(|due| due.max(now));
        let watch = &mut self.rows[at as usize];
        watch.state = match due {
            Some(due) => {
                watch.wake_at = due;
                wake(due, at);
                WatchState::Waiting
            }
            None => WatchState::Idle,
        };
    }

    /// The end of the batch that has reached watch `at` by `now`.
    pub fn batch_end(&mut self, store: &Store, at: u32, now: SimTime) -> u64 {
        let watch = &self.rows[at as usize];
        let mut end = store.next(watch.table, watch.cursor);
        while let Some(due) = self.due(store, at, end)
            && due <= now
        {
            self.rows[at as usize].floor = due;
            end += 1;
        }
        end
    }

    /// Changes of watch `at` that are committed from now on travel in this weather.
    pub fn travel(&mut self, store: &Store, at: u32, weather: Weather) {
        let watch = &mut self.rows[at as usize];
        if watch.weather.last().is_some_and(|(_, last)| *last == weather) {
            return;
        }
        let undelivered = store.next(watch.table, watch.cursor);
        let is_over = |at: usize| watch.weather.get(at + 1).is_some_and(|it| it.0 <= undelivered);
        let over = (0..watch.weather.len()).take_while(|&at| is_over(at)).count();
        watch.weather.drain(..over);
        watch.weather.push((store.log_end(watch.table), weather));
    }

    /// Cuts watch `at`; returns when it will try to connect again.
    pub fn cut(&mut self, at: u32, now: SimTime) -> SimTime {
        let watch = &mut self.rows[at as usize];
        if watch.state != WatchState::Cut {
            watch.cut_at = now;
        }
        watch.state = WatchState::Cut;
        watch.reconnects += 1;
        let draw = self.luck.draw(RECONNECT, watch.key, watch.reconnects);
        now + watch.backoff.wait(now, self.profile.watch_reconnect.sample(draw))
    }

    /// Whether a server that serves since `since` refuses watch `at`, whose past it does not know (410):
    /// it is to wait once more, and lists anew then.
    pub fn is_expired(&mut self, at: u32, since: SimTime) -> bool {
        let watch = &mut self.rows[at as usize];
        let is_expired = since > watch.cut_at && !watch.lists;
        watch.lists |= is_expired;
        is_expired
    }

    /// Connects watch `at` to `server`; from now on nothing reaches it before `now`.
    pub fn connect(&mut self, at: u32, (server, weather): (u8, Weather), now: SimTime) {
        let watch = &mut self.rows[at as usize];
        (watch.weather, watch.known) = (vec![(0, weather)], None);
        (watch.server, watch.lists) = (server, false);
        watch.state = WatchState::Idle;
        watch.floor = watch.floor.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_thirty_seconds_and_are_forgotten_after_two_minutes() {
        let (mut backoff, mut now) = (Backoff::default(), SimTime::from_secs(1));
        let first = SimDuration::from_millis(800);
        let mut millis = Vec::new();
        for _ in 0..9 {
            let wait = backoff.wait(now, first);
            millis.push(wait.as_millis());
            now += wait;
        }
        assert_eq!(millis, [800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000, 30_000]);
        // Since the first: 140.4 s.
        assert_eq!(backoff.wait(now, first), first);
        now += SimDuration::from_secs(120);
        assert_eq!(backoff.wait(now, first), first * 2);
        now += SimDuration::from_nanos(1);
        assert_eq!(backoff.wait(now, first), first);
    }

    #[test]
    fn a_server_knows_nothing_from_before_its_start() {
        let mut store = Store::default();
        let mut watches = Watches::new(Profile::default(), Luck::new(1));
        let id = ProcessId::Scheduler(0);
        watches.open(&mut store, id, TableKind::Pod, (0, Weather::default()));
        let at = SimTime::from_secs;
        watches.cut(0, at(10));
        watches.cut(0, at(11));
        assert!(!watches.is_expired(0, at(10)), "one that served all along goes on");
        assert!(watches.is_expired(0, at(12)));
        assert!(!watches.is_expired(0, at(12)), "it lists the next time");
        watches.connect(0, (0, Weather::default()), at(13));
        watches.cut(0, at(20));
        assert!(!watches.is_expired(0, at(12)) && watches.is_expired(0, at(21)));
    }
}
