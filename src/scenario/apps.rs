//! How programs behave, as a Scenario says it: every value judged.

use super::judge::Judge;
use super::usage;
use super::values::Span;
use super::{raw, traffic};
use crate::cluster::plan::AppRule;
use crate::luck::Ratio;
use crate::messages::app::{App, Crash, Delay, HookRun, Run, WarmUp};

/// Chances are kept in parts of this.
const PARTS: f64 = 1e9;
/// The most a program is slower at first, as a factor.
const SLOWER_MAX: f64 = 1000.0;
/// What a crash leaves if nothing else is said: killed by SIGSEGV.
const CRASHED: u8 = 139;

/// Judges one rule; what is wrong is told to `judge`.
pub(super) fn app_rule(written: raw::App, path: &str, judge: &mut Judge<'_, '_>) -> AppRule {
    let matches = written.matches.unwrap_or_default();
    let usage = written.usage.is_some().then(|| usage::usage(&format!("{path}.usage"), judge));
    AppRule {
        image: matches.image.map(Into::into),
        labels: matches
            .labels
            .unwrap_or_default()
            .into_iter()
            .map(|(key, value)| (key.into(), value.into()))
            .collect(),
        container: matches.container.map(Into::into),
        app: App {
            start: written.start.map(|delay| delay.0),
            ready: written.ready.map(|delay| delay.0),
            hang: written.hang.map(|delay| delay.0),
            stop: written.stop.map(|delay| delay.0),
            run: written.run.map(|run| app_run(run, &format!("{path}.run"), judge)),
            service: written
                .service
                .and_then(|it| traffic::serving(it, &format!("{path}.service"), judge)),
            usage: usage.flatten().map(Into::into),
            crash: written.crash.and_then(|it| crash(it, &format!("{path}.crash"), judge)),
            oom_exit: written.oom.unwrap_or_default().exit,
            warm_up: written.warm_up.and_then(|it| warm_up(&it, &format!("{path}.warmUp"), judge)),
            post_start: written.post_start.map(hook_run),
            pre_stop: written.pre_stop.map(hook_run),
        },
    }
}

fn app_run(written: raw::Run, path: &str, judge: &mut Judge<'_, '_>) -> Run {
    let mut exit_by_index = Vec::new();
    for (index, code) in written.exit_by_index.unwrap_or_default() {
        match index.parse() {
            Ok(index) => exit_by_index.push((index, code)),
            Err(_) => judge.error(
                &format!("{path}.exitByIndex.{index}"),
                format!("{index:?} is no completion index: expected a number from 0 on"),
            ),
        }
    }
    exit_by_index.sort_unstable();
    if written.lasts.is_none() {
        judge.missing(&format!("{path}.for"), "Required value: how long it runs, as in 10s");
    }
    Run {
        lasts: written.lasts.map_or(Delay::Never, |delay| delay.0),
        exit_code: written.exit.unwrap_or(0),
        exit_by_index,
    }
}

fn hook_run(written: raw::Hook) -> HookRun {
    HookRun { lasts: written.lasts.map(|delay| delay.0), exit_code: written.exit.unwrap_or(0) }
}

fn crash(written: raw::Crash, path: &str, judge: &mut Judge<'_, '_>) -> Option<Crash> {
    if written.after.is_none() && written.per_request.is_none() {
        let message =
            "Required value: when it crashes, as in 5m or {exponential: 5m}, or perRequest";
        judge.missing(path, message);
        return None;
    }
    if written.after.is_none() && written.probability.is_some() {
        let message = "Forbidden: is the chance of the crash `after` a time, which is not said";
        judge.error(&format!("{path}.probability"), message);
    }
    if written.exit == Some(0) {
        let message = "Invalid value: 0: a program that ends well does not crash: use `run`";
        judge.error(&format!("{path}.exit"), message);
    }
    let chance = chance(written.probability, 1.0, &format!("{path}.probability"), judge);
    let per_request = self::chance(written.per_request, 0.0, &format!("{path}.perRequest"), judge);
    Some(Crash {
        after: written.after.map_or(Delay::Never, |delay| delay.0),
        chance: chance?,
        per_request: per_request?,
        exit_code: written.exit.unwrap_or(CRASHED),
    })
}

fn warm_up(written: &raw::WarmUp, path: &str, judge: &mut Judge<'_, '_>) -> Option<WarmUp> {
    let Some(Span(lasts)) = written.lasts else {
        judge.missing(&format!("{path}.for"), "Required value: how long it is slower, as in 30s");
        return None;
    };
    let Some(slower) = written.slower else {
        let message = "Required value: how many times longer a request takes, as in 3";
        judge.missing(&format!("{path}.slower"), message);
        return None;
    };
    if !(1.0..=SLOWER_MAX).contains(&slower) {
        let message = format!("Invalid value: {slower}: must be between 1 and {SLOWER_MAX}");
        judge.error(&format!("{path}.slower"), message);
        return None;
    }
    Some(WarmUp { lasts, slower: libm::round(slower * 1000.0) as u32 })
}

fn chance(
    written: Option<f64>,
    default: f64,
    path: &str,
    judge: &mut Judge<'_, '_>,
) -> Option<Ratio> {
    let chance = written.unwrap_or(default);
    if !(0.0..=1.0).contains(&chance) {
        judge.error(path, format!("Invalid value: {chance}: must be between 0 and 1"));
        return None;
    }
    Ratio::new(libm::round(chance * PARTS) as u64, PARTS as u64)
}
