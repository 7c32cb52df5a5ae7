//! What holds for every plan: runs of random small plans, looked at from outside.

mod properties {
    pub mod clones;
    pub mod elections;
    pub mod fidelity;
    pub mod luck;
    pub mod queues;
    pub mod restarts;
    pub mod rig;
    pub mod traffic;
}
