//! What holds for every plan: runs of random small plans, looked at from outside.

mod properties {
    pub mod elections;
    pub mod fidelity;
    pub mod rig;
}
