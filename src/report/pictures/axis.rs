//! Ticks of an axis and their labels.

use crate::time::SimTime;

/// A tick: where it stands, and what is written there.
pub type Tick = (f64, String);

/// Steps of a time axis, in milliseconds.
const STEPS_MS: [u64; 22] = [
    10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000,
    300_000, 600_000, 900_000, 1_800_000, 3_600_000, 7_200_000, 21_600_000, 86_400_000,
];

/// The axis of virtual time up to `end`: its title and at most `ticks_max` ticks, in seconds.
pub fn time(end: SimTime, ticks_max: u64) -> (&'static str, Vec<Tick>) {
    let millis = (end.as_nanos() / 1_000_000).max(1);
    let mut step =
        STEPS_MS.into_iter().find(|step| millis / step < ticks_max).unwrap_or(86_400_000);
    while millis / step >= ticks_max {
        step *= 2;
    }
    let (title, write): (_, fn(u64) -> String) = match millis {
        0..=120_000 if step < 1_000 => {
            ("virtual time (s)", |ms| format!("{}.{:02}", ms / 1000, ms % 1000 / 10))
        }
        0..=120_000 => ("virtual time (s)", |ms| (ms / 1000).to_string()),
        120_001..=7_200_000 => {
            ("virtual time (min:s)", |ms| format!("{}:{:02}", ms / 60_000, ms / 1000 % 60))
        }
        _ => ("virtual time (h:min)", |ms| format!("{}:{:02}", ms / 3_600_000, ms / 60_000 % 60)),
    };
    let ticks = (0..=millis / step).map(|at| (at as f64 * step as f64 / 1000.0, write(at * step)));
    (title, ticks.collect())
}

/// Round values from 0 to at least `most`: some five ticks. `least` is the smallest step there is (1
/// for what is counted).
pub fn linear(most: f64, least: f64) -> Vec<Tick> {
    let mut unit = 1e-6;
    let step = loop {
        let found = [1.0, 2.0, 5.0]
            .into_iter()
            .map(|it| it * unit)
            .find(|step| *step >= least && most / step <= 5.0);
        if let Some(step) = found {
            break step;
        }
        if unit > 1e15 {
            break most.max(1.0);
        }
        unit *= 10.0;
    };
    let count = (most / step - 1e-9).ceil().max(1.0) as u64;
    (0..=count).map(|at| (at as f64 * step, value(at as f64 * step))).collect()
}

/// Powers of ten from at most `least` to at least `most`, both above zero.
pub fn logarithmic(least: f64, most: f64) -> Vec<Tick> {
    let from = libm::log10(least).floor() as i32;
    let to = (libm::log10(most).ceil() as i32).max(from + 1);
    (from..=to)
        .map(|power| (libm::exp10(f64::from(power)), value(libm::exp10(f64::from(power)))))
        .collect()
}

/// A number with as many digits as it needs: `0.05`, `250`, `12,000`, `3M`.
fn value(number: f64) -> String {
    if number >= 1e6 {
        return format!("{}M", trimmed(number / 1e6));
    }
    if number >= 10_000.0 {
        return format!("{}k", trimmed(number / 1e3));
    }
    trimmed(number)
}

fn trimmed(number: f64) -> String {
    let text = format!("{number:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text.is_empty() { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(ticks: &[Tick]) -> Vec<&str> {
        ticks.iter().map(|(_, label)| label.as_str()).collect()
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(labels(&linear(8.0, 1.0)), ["0", "2", "4", "6", "8"]);
        assert_eq!(labels(&linear(1.0, 1.0)), ["0", "1"]);
        assert_eq!(labels(&linear(0.23, 0.0)), ["0", "0.05", "0.1", "0.15", "0.2", "0.25"]);
        assert_eq!(labels(&linear(0.0, 1.0)), ["0", "1"]);
        assert_eq!(labels(&linear(48_000.0, 1.0)), ["0", "10k", "20k", "30k", "40k", "50k"]);
        assert_eq!(labels(&logarithmic(3.0, 900.0)), ["1", "10", "100", "1000"]);
    }

    #[test]
    fn time_is_written_in_the_unit_that_fits() {
        let (title, ticks) = time(SimTime::from_secs(76), 10);
        assert_eq!((title, labels(&ticks)[1]), ("virtual time (s)", "10"));
        let (title, ticks) = time(SimTime::from_secs(600), 10);
        assert_eq!((title, labels(&ticks)[1]), ("virtual time (min:s)", "2:00"));
        let (title, ticks) = time(SimTime::from_secs(86_400), 10);
        assert_eq!((title, labels(&ticks)[1]), ("virtual time (h:min)", "6:00"));
        assert!(time(SimTime::from_secs(100_000_000), 10).1.len() <= 11);
        assert!(!time(SimTime::ZERO, 10).1.is_empty());
    }
}
