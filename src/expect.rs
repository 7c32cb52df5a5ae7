//! What a run is expected to do: conditions over the cluster and its requests, and when each must hold.
//!
//! Owns the vocabulary of conditions, their reading (syntax, types, dependencies, all found before a
//! run), the windows in which they count, and the [`Judge`] that watches a run. Refuses to know files
//! and where a condition was written: problems are told as columns of its text.
//!
//! # Conditions
//! A condition is a CEL expression that is true or false. It may use CEL's operators, literals, lists,
//! `size`, `in`, `all`, `exists`, `exists_one`, `map`, `filter`, conversions, text functions, and these
//! words. Objects are named `'namespace/name'`, or `'name'` in namespace `default`; names, selectors
//! and spans are written out (no computed ones), so that what a condition depends on is known.
//!
//! | word | fields |
//! | --- | --- |
//! | `deployment('shop/web')` | `desired` `replicas` `updated` `ready` `available` `unavailable` `terminating` (numbers), `paused` `converged` (yes or no) |
//! | `replicaset('shop/web-5d4f')`, `replicationcontroller('shop/old')` | `desired` `replicas` `ready` `available` `terminating`, `converged` |
//! | `service('shop/web')` | `endpoints`: ready ones; `requests()` `errors()` and, in a span, `requests('1m')` `errors('1m')`; `rate('10s')`: sent a second; `success_ratio('1m')`: 0 to 1 of those finished; `mean_ms('5m')` `p50_ms('5m')` `p95_ms('5m')` `p99_ms('5m')`: of good answers. Without a span: since the start. |
//! | `node('a')` | `ready` `schedulable` (not cordoned), `zone`, `taints` (a list of `'key=value:Effect'`, `'key:Effect'`), `pods`: those not at their end; `cpu_requested` `cpu_allocatable` in cores, `memory_requested` `memory_allocatable` in bytes |
//! | `pods('app=web')`, `pods('shop', 'app=web')` | of all namespaces or one, by label selector: `count` `pending` `running` `succeeded` `failed` (by phase) `ready` `unschedulable` `terminating` `restarts` (all together) `max_restarts` (of one pod), `nodes` `zones`: on how many different ones |
//! | `pod('shop/job')` | `phase` `node` `zone` (texts), `ready` `terminating` (yes or no), `restarts` |
//! | `cluster` | `pods` `pending` `running` `ready` `succeeded` `failed` `unschedulable` `terminating` `restarts` (of all pods), `nodes` `nodes_ready`, `converged` |
//!
//! All objects also have `exists`, which is always known. Spans are whole seconds. What is not there
//! has no value: a field of an object that does not exist, a ratio of no requests, the rate of a span
//! that is not over. Then the condition *cannot be evaluated now*: it is neither true nor false, unless
//! the rest settles it (`false && ..`, `true || ..`).
//!
//! # Expectations
//! An expectation has a name and exactly one of
//! - `always`: true at every instant of its window at which it can be evaluated;
//! - `never`: false at every such instant;
//! - `eventually`: true at some instant of the window;
//! - `atEnd`: true when the run ends.
//!
//! The window begins with the run, or where `of` names a step or fault of the timeline, when that
//! begins. `after` moves the window's begin, `within` sets its end, both counted from there:
//! `{of: kill-a, after: 1m, within: 6m}` is the five minutes from a minute after `kill-a` began. Without
//! `within` it ends with the run. `for` is how long what is expected must hold: `eventually` on end,
//! inside the window; `atEnd` up to the end; `always` and `never` from the window's begin (so it is
//! their window's length, and excludes `within`).
//!
//! A state that lasts for no time at all does not count: conditions are looked at when all that
//! happens at an instant has happened. Any longer one counts, were it a nanosecond. An expectation that
//! was never evaluated fails.
//!
//! ```text
//!  waiting --window begins--> watching --false (always), true (never)------> failed
//!     |                          |     --true, for so long (eventually)----> passed
//!     |                          |     --window or run ends: evaluated? ---> passed, or failed
//!     `--run ends: never evaluated--> failed                                 (eventually: failed)
//! ```

mod board;
mod compile;
mod course;
mod judge;
mod lower;
mod readings;
mod standard;
mod subjects;
mod tally;
mod vocabulary;

pub use compile::{Builder, Mention, Problem};
pub use course::Mode;
pub use judge::Judge;
pub use readings::{Expectation, Expectations, Place};
pub use subjects::requirements;
pub use vocabulary::{Noun, Subject};

#[cfg(test)]
mod tests;
