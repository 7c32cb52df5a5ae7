//! What must hold of traffic at every instant.

use super::Traffic;
use super::requests::State;
use crate::time::SimTime;

impl Traffic {
    /// Conservation (sent = ended + in flight, and in flight = those under way) and Little's law (the area
    /// under the curve of requests in flight = the time they spent), each exactly, for each client; workers
    /// never work more than all the time.
    ///
    /// # Errors
    /// The first one that does not hold, in words.
    pub fn check(&self, now: SimTime) -> Result<(), String> {
        let mut flying = vec![0; self.clients.len()];
        for (_, request) in self.requests.iter() {
            if request.state != State::Abandoned {
                flying[request.client as usize] += 1;
            }
        }
        for (client, flying) in self.clients.iter().zip(flying) {
            let (name, balance) = (&client.name, client.tally.balance(now));
            let total = balance.total;
            if total.sent != total.finished() + balance.in_flight {
                return Err(format!(
                    "client {name}: {total:?} and {} in flight",
                    balance.in_flight
                ));
            }
            if balance.in_flight != flying {
                let counted = balance.in_flight;
                return Err(format!("client {name}: {counted} in flight, {flying} under way"));
            }
            if balance.area != balance.time {
                let (area, time) = (balance.area, balance.time);
                return Err(format!("client {name}: area {area} under requests that took {time}"));
            }
        }
        for server in self.servers.iter().flatten() {
            let workers = server.program.serving.workers as usize;
            if server.sharing.as_ref().is_some_and(|sharing| sharing.working() > workers) {
                return Err(format!("pod {}: more requests than workers", server.program.name.1));
            }
            let could = u128::from(now.as_nanos()) * u128::from(server.program.serving.workers);
            let worked = server.busy_nanos(now);
            if worked > could {
                let name = &server.program.name.1;
                return Err(format!("pod {name}: workers worked {worked} of {could} ns"));
            }
        }
        Ok(())
    }

    /// Nanoseconds the workers of all programs have worked up to `now`.
    pub fn busy_nanos(&self, now: SimTime) -> u128 {
        self.servers.iter().flatten().map(|server| server.busy_nanos(now)).sum()
    }
}
