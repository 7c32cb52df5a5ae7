//! wavetank: a deterministic discrete-event simulator of Kubernetes.
//!
//! A wave tank is the basin where a scale model of a ship meets waves that can be repeated exactly.
//! This is that basin for Kubernetes: the whole cluster in memory, on a virtual clock, under
//! failures and load that can be repeated bit for bit.
//!
//! # The picture
//!
//! ```text
//!  files -> scenario -> Plan -> cluster::World -> facts -> record -> report, cli
//!                                   |
//!      kernel (time, order)   store (etcd's data)   net (who reaches whom)
//!                                   |
//!   control_plane: API server, scheduler, controllers      node: kubelet, engine, kube-proxy
//! ```
//! A component takes an event and a read-only View of the past, and returns effects: requests to
//! the API server, calls to an engine, timers, facts. The World carries them out. So stale reads,
//! conflicts, watch lag, throttling and lost leases happen by themselves.
//!
//! # Invariants
//!
//! * A run is a pure function of (plan, seed, recorded external input). It is one thread; many runs
//!   go side by side in [`runs`].
//! * Only [`kernel`] moves time. Events are ordered by (time, order of scheduling).
//! * A component cannot fail, print, sleep, or see another component. Components never import each
//!   other; only [`cluster`] names them all.
//! * Components read their own View and write by request. Every message crosses [`net`].
//! * etcd is the only stateful part of the control plane: anything else may be killed at any
//!   instant and desired state is still reached.
//! * Nothing that decides a run depends on hash order, the wall clock, threads, the environment,
//!   the locale, or a platform's floating point.
//! * Every fact carries the number of the fact it follows from.
//! * Quiet time costs nothing: what recurs is arithmetic ([`kernel::recurring`]), and an occurrence
//!   becomes an event only when it can change something.
//! * The digest, folded over every fact, is a run's identity: equal over repeats, builds, jobs and
//!   recording levels.
//! * Luck belongs to things: every draw is keyed by what it is for ([`luck`]), so adding a thing
//!   shifts nobody else's luck.
//! * A [`cluster::World`] is `Clone + Send`; a clone goes on exactly as the original would.
//! * Only [`cli`] opens files and prints. Only [`api`] and [`scenario`] know YAML.
//!
//! # The rooms
//!
//! Imports run down this list only: a later room may use an earlier one. `tests/tidy.rs` holds the
//! table.
//!
//! | room | what it owns |
//! | --- | --- |
//! | [`base`] | typed ids, arenas and columns cheap to clone, one stable hash |
//! | [`time`], [`luck`] | virtual time; keyed draws and streams |
//! | [`kernel`] | event queue, clock, run loop, drivers, recurring occurrences, digest |
//! | [`api`] | Kubernetes objects: read, given defaults, checked, held compactly |
//! | [`store`] | objects at revisions, cursors, Views |
//! | [`messages`] | requests, facts, engine calls, effects |
//! | [`net`], [`compute`] | links and addresses; machines as shared processors |
//! | [`control_plane`] | API server, scheduler, controllers |
//! | [`node`] | kubelet, container engine, kube-proxy |
//! | [`traffic`] | clients that call Services, in a lane of their own |
//! | [`faults`] | what can be broken, and what that means for links and things |
//! | [`cluster`] | the World and the Plan it is built from |
//! | [`record`] | what a run leaves behind |
//! | [`expect`] | conditions over the World and its metrics, and when each must hold |
//! | [`scenario`] | documents to Plan and expectations |
//! | [`runs`] | one run and many |
//! | [`report`] | the story, pictures, a page, and why things happened |
//! | [`calibration`] | from measurements of a real engine to a profile, and how far off it is |
//! | [`cli`] | the command line |
pub mod api;
pub mod base;
pub mod calibration;
pub mod cli;
pub mod cluster;
pub mod compute;
pub mod control_plane;
pub mod expect;
pub mod faults;
pub mod kernel;
pub mod luck;
pub mod messages;
pub mod net;
pub mod node;
pub mod record;
pub mod report;
pub mod runs;
pub mod scenario;
pub mod store;
pub mod time;
pub mod traffic;
