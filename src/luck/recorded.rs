//! For tests: which luck is asked for. A draw is a pure function of its key, so two runs share the luck of a thing
//! exactly where they ask for it by the same keys.

use std::cell::RefCell;

use super::Label;

/// The key of one draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What it was for.
    pub label: &'static str,
    /// Whose it was.
    pub id: u64,
    /// Which one of these.
    pub counter: u64,
}

thread_local! {
    static ASKED: RefCell<Option<Vec<Asked>>> = const { RefCell::new(None) };
}

/// Does `work` and tells all luck this thread asked for meanwhile, in order.
pub fn during<T>(work: impl FnOnce() -> T) -> (T, Vec<Asked>) {
    ASKED.set(Some(Vec::new()));
    let done = work();
    (done, ASKED.take().unwrap_or_default())
}

pub(super) fn note(label: Label, id: u64, counter: u64) {
    ASKED.with_borrow_mut(|asked| {
        if let Some(asked) = asked {
            asked.push(Asked { label: label.name(), id, counter });
        }
    });
}
