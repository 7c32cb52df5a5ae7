//! What one try of a probe counts as (kubelet 1.36 `pkg/kubelet/prober/prober.go`). Refuses to know how handlers ask.

/// What a probe's handler found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Found {
    /// All is well.
    Success,
    /// Well enough: a redirection to another host.
    Warning,
    /// It is not well.
    Failure,
    /// Nobody can tell.
    Unknown,
}

/// What counts of one try.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is good.
    Good,
    /// It is bad.
    Bad,
    /// It is bad because it could not even be tried, which is tried again at once.
    Error,
}

/// A probe whose handler is not there, or could not be run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotTried;

/// How often a probe that could not be tried is tried at once.
const TRIES: u32 = 3;

/// What counts of a try: without a probe all is well; `found` is what its handler found, or that there is no such
/// handler, or that it could not be run.
pub fn verdict(found: Option<Result<Found, NotTried>>) -> Verdict {
    match found {
        None | Some(Ok(Found::Success | Found::Warning)) => Verdict::Good,
        Some(Ok(Found::Failure | Found::Unknown)) => Verdict::Bad,
        Some(Err(NotTried)) => Verdict::Error,
    }
}

/// Whether a probe is good, tried again at once where it could not be tried.
pub fn is_good(mut ask: impl FnMut() -> Result<Found, NotTried>) -> bool {
    let verdicts = (0..TRIES).map(|_| verdict(Some(ask())));
    verdicts.into_iter().find(|it| *it != Verdict::Error) == Some(Verdict::Good)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_tried_is_tried_thrice_and_what_was_is_not() {
        let tries = |answers: &[Result<Found, NotTried>]| {
            let mut asked = 0;
            let good = is_good(|| {
                asked += 1;
                answers[asked - 1]
            });
            (good, asked)
        };
        assert_eq!(tries(&[Err(NotTried), Ok(Found::Warning)]), (true, 2));
        assert_eq!(tries(&[Ok(Found::Failure)]), (false, 1));
        assert_eq!(tries(&[Err(NotTried); 3]), (false, 3));
    }
}
