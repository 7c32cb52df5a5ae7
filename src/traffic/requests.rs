//! Requests under way: one row each, reused when nobody refers to it any more.
//!
//! ```text
//!          sent                     arrives                    done
//! (client) ----> Out --------------------------> Inside ----------------> Answered --> Over
//!                 | lost, or nobody listens         | the pod ends: reset    ^ |
//!                 v                                 +-----------------------/  | lost on the way
//!               Lost <---- given up at the deadline ---- Inside -> Abandoned <-/
//! ```
//! A client gives up a request that takes too long; the pod does its work all the same (Abandoned).
use std::net::Ipv4Addr;

use crate::time::SimTime;

/// What a client hears of a request in the end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Outcome {
    /// It was answered.
    Ok,
    /// Nobody listens there, or there is nowhere to go.
    Refused,
    /// The pod ended before it answered.
    Reset,
    /// No answer came in time.
    Timeout,
    /// The program answered with an error.
    Failed,
}

impl Outcome {
    /// How many there are.
    pub const COUNT: usize = 5;
}

/// How far a request is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// On its way to a pod.
    Out,
    /// In the pod: waiting or being worked on.
    Inside,
    /// In the pod; its client has given it up.
    Abandoned,
    /// On its way back with this outcome.
    Answered(Outcome),
    /// Nothing will come of it: its client will give it up.
    Lost,
    /// Its client knows.
    Over,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    /// When it was sent.
    pub sent: SimTime,
    /// When its client gives up.
    pub deadline: SimTime,
    /// The bits its work is drawn from.
    pub work: u64,
    /// Its client.
    pub client: u32,
    /// Where it goes; [`NOWHERE`] if it never gets to a pod.
    pub server: u32,
    /// The node it starts from, or comes in by.
    pub node: u32,
    /// The address of the pod it starts from, if it does.
    pub caller: Option<Ipv4Addr>,
    /// The connection it uses; [`NOWHERE`]: its own.
    pub connection: u32,
    /// How far it is.
    pub state: State,
    /// What its pod will answer.
    pub answer: Outcome,
    /// Entries of the lane that refer to it.
    pub entries: u8,
    /// Whether one of them is its deadline.
    pub gives_up: bool,
    /// Why it will fail, as far as that is known.
    pub reason: Reason,
    /// The fact upstream of that.
    pub cause: u64,
}

/// No pod, node or connection.
pub const NOWHERE: u32 = u32::MAX;

/// Why a request fails.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Reason {
    /// It does not fail, or just takes too long.
    TooSlow,
    /// The Service, or this port of it, is not there.
    NoService,
    /// The Service has no endpoints.
    NoEndpoints,
    /// The Service has endpoints, but none on the node that traffic of its policy may use.
    NoneHere,
    /// No node is there to come in by.
    NoEntry,
    /// The way to or from the pod is cut.
    Cut,
    /// The machine of the pod, or of the caller, is dead.
    DeadNode,
    /// The program does not listen (yet, or any more).
    NotListening,
    /// The program was told to stop and takes no new connections.
    Stopping,
    /// The program ended.
    Ended,
    /// Its queue of waiting connections is full.
    Backlog,
    /// The program answers with an error.
    Error,
    /// It takes too long on a node that is short of processor time.
    Crowded,
}

/// All requests under way.
#[derive(Clone, Debug, Default)]
pub struct Requests {
    rows: Vec<Request>,
    vacant: Vec<u32>,
}

impl Requests {
    /// Takes a request in.
    #[inline]
    pub fn insert(&mut self, request: Request) -> u32 {
        match self.vacant.pop() {
            Some(at) => {
                self.rows[at as usize] = request;
                at
            }
            None => {
                let at = u32::try_from(self.rows.len()).expect("fewer than 2^32 requests at once");
                self.rows.push(request);
                at
            }
        }
    }

    /// One of them.
    #[inline]
    pub fn row(&mut self, at: u32) -> &mut Request {
        &mut self.rows[at as usize]
    }

    /// Lets a row go once its client knows and no entry refers to it.
    #[inline]
    pub fn release(&mut self, at: u32) {
        let row = &self.rows[at as usize];
        let is_over = matches!(row.state, State::Over | State::Abandoned);
        if is_over && row.entries == 0 {
            self.rows[at as usize].state = State::Over;
            self.vacant.push(at);
        }
    }

    /// Those that are under way, with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Request)> {
        (0..).zip(&self.rows).filter(|(_, row)| row.state != State::Over)
    }
}
