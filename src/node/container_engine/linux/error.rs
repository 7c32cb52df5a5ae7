//! What can go wrong, in words a person can act on.

use crate::time::SimDuration;

/// Why the runtime could not do what it was asked.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Trouble {
    /// This machine cannot, as it is: nothing was started. The text names the fix.
    #[error("{0}")]
    CannotHere(String),
    /// What the user gave is wrong.
    #[error("{0}")]
    Input(String),
    /// The machine failed while it worked.
    #[error("{0}")]
    Machine(String),
    /// The runtime refused a call.
    #[error(transparent)]
    Cri(#[from] CriError),
}

impl Trouble {
    /// A failure of the machine: what was being done, and what the system says.
    pub fn machine(what: &str, why: impl std::fmt::Display) -> Trouble {
        Trouble::Machine(format!("{what}: {why}"))
    }
}

/// What kind of failure a CRI runtime reports: gRPC's codes as runtimes use them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CriKind {
    /// An image, container or sandbox is not there.
    NotFound,
    /// The name is taken (containerd: `name ".." is reserved for ".."`).
    AlreadyExists,
    /// A time limit: of an exec, or of the call itself.
    DeadlineExceeded,
    /// The runtime does not know the call: an old API version.
    Unimplemented,
    /// Nobody answers: no daemon, or it ended in the middle.
    Unavailable,
    /// There is no room left on the disk.
    NoSpace,
    /// Anything else.
    Unknown,
}

/// A call that failed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{call}: {message}{}", self.hint())]
pub struct CriError {
    /// CRI's name of the call.
    pub call: &'static str,
    /// What kind of failure.
    pub kind: CriKind,
    /// The runtime's own words.
    pub message: String,
    /// How long it took to fail.
    pub took: SimDuration,
}

impl CriError {
    /// What a user can do about it, where that is known.
    fn hint(&self) -> &'static str {
        let is_about = |text: &str| self.message.contains(text);
        match self.kind {
            CriKind::Unavailable => " (containerd ended, or nothing listens on this socket)",
            CriKind::Unimplemented => {
                " (the runtime does not speak CRI v1: containerd 1.6 or newer does)"
            }
            CriKind::NoSpace => " (free disk space, or name another --work folder)",
            _ if is_about("can't get final child's PID from pipe") => {
                " (without CAP_SYS_RESOURCE containerd needs restrict_oom_score_adj = true)"
            }
            _ if is_about("unable to set memory limit") => {
                " (a memory limit below what runc itself takes, about 8Mi)"
            }
            _ => "",
        }
    }
}
