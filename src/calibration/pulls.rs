//! What a pull costs: a time for each pull, each byte and each file.
//!
//! Least squares over the relative error, for what disturbs a pull lengthens a long one by more; no term is
//! below zero.

use super::samples::Samples;
use crate::time::SimDuration;

/// One pull of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PullSample {
    /// Bytes of its layers, unpacked.
    pub bytes: u64,
    /// Files in them.
    pub files: u64,
    /// How long it took.
    pub took: SimDuration,
}

/// The terms, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// For each pull.
    pub base: f64,
    /// For each byte.
    pub byte: f64,
    /// For each file.
    pub file: f64,
    /// How much longer than expected one in a hundred takes, as a factor.
    pub spread: f64,
}

impl Terms {
    /// How long a pull is expected to take, in nanoseconds.
    pub fn expected(&self, bytes: u64, files: u64) -> f64 {
        self.base + self.byte * bytes as f64 + self.file * files as f64
    }

    /// Bytes a second; as many as can be told, where bytes cost nothing.
    pub fn bytes_a_second(&self) -> u64 {
        libm::round((1e9 / self.byte).min(1e15)) as u64
    }
}

/// The terms that fit these pulls best; `None` if there are fewer than three.
pub fn fit(pulls: &[PullSample]) -> Option<Terms> {
    if pulls.len() < 3 {
        return None;
    }
    // Which terms are left in: the best of all choices that leave none below zero.
    let choices = (1..8_u32).filter_map(|kept| solve(pulls, kept));
    let of = |[base, byte, file]: [f64; 3]| Terms { base, byte, file, spread: 1.0 };
    let best = choices.map(of).min_by(|a, b| loss(pulls, a).total_cmp(&loss(pulls, b)))?;
    let factor = |pull: &PullSample| {
        let factor = pull.took.as_nanos() as f64 / best.expected(pull.bytes, pull.files).max(1.0);
        SimDuration::from_nanos(libm::round(factor * 1e9) as u64)
    };
    let factors: Samples = pulls.iter().map(factor).collect();
    let high = factors.quantile(990).as_nanos() as f64 / factors.median().as_nanos() as f64;
    Some(Terms { spread: high.max(1.0), ..best })
}

fn row(pull: &PullSample) -> [f64; 3] {
    let took = pull.took.as_nanos().max(1) as f64;
    [1.0 / took, pull.bytes as f64 / took, pull.files as f64 / took]
}

fn loss(pulls: &[PullSample], terms: &Terms) -> f64 {
    let error = |pull: &PullSample| {
        terms.expected(pull.bytes, pull.files) / pull.took.as_nanos().max(1) as f64 - 1.0
    };
    pulls.iter().map(|pull| error(pull) * error(pull)).sum()
}

/// The least squares of the terms that are kept (a bit each), if none of them is below zero.
fn solve(pulls: &[PullSample], kept: u32) -> Option<[f64; 3]> {
    let terms: Vec<usize> = (0..3).filter(|term| kept & (1 << term) != 0).collect();
    // Columns are brought to one size, so that no pivot is small for its unit.
    let rows: Vec<[f64; 3]> = pulls.iter().map(row).collect();
    let size = |term: usize| libm::sqrt(rows.iter().map(|row| row[term] * row[term]).sum::<f64>());
    let scale: Vec<f64> = terms.iter().map(|term| size(*term)).collect();
    if scale.contains(&0.0) {
        return None;
    }
    let count = terms.len();
    let mut matrix = vec![vec![0.0; count + 1]; count];
    for row in &rows {
        for (i, a) in terms.iter().enumerate() {
            for (j, b) in terms.iter().enumerate() {
                matrix[i][j] += row[*a] / scale[i] * row[*b] / scale[j];
            }
            matrix[i][count] += row[*a] / scale[i];
        }
    }
    let solved = eliminate(matrix)?;
    let mut found = [0.0; 3];
    for (at, term) in terms.iter().enumerate() {
        found[*term] = solved[at] / scale[at];
    }
    found.iter().all(|it| *it >= 0.0).then_some(found)
}

/// Gauss and Jordan, the greatest pivot first.
fn eliminate(mut matrix: Vec<Vec<f64>>) -> Option<Vec<f64>> {
    let count = matrix.len();
    for at in 0..count {
        let pivot = (at..count)
            .max_by(|a, b| matrix[*a][at].abs().total_cmp(&matrix[*b][at].abs()))
            .filter(|row| matrix[*row][at].abs() > 1e-12)?;
        matrix.swap(at, pivot);
        let top = matrix[at].clone();
        for (number, row) in matrix.iter_mut().enumerate() {
            if number != at {
                let factor = row[at] / top[at];
                row.iter_mut().zip(&top).for_each(|(value, above)| *value -= factor * above);
            }
        }
    }
    Some((0..count).map(|at| matrix[at][count] / matrix[at][at]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEBIBYTE: u64 = 1 << 20;

    fn pulls(of: impl Fn(u64, u64) -> f64) -> Vec<PullSample> {
        let images = [(2, 1), (16, 4), (64, 16), (256, 64), (16, 4000), (64, 16_000)];
        let pull = |(mebibytes, files): (u64, u64)| {
            let bytes = mebibytes * MEBIBYTE;
            PullSample { bytes, files, took: SimDuration::from_nanos(of(bytes, files) as u64) }
        };
        images.into_iter().cycle().take(24).map(pull).collect()
    }

    #[test]
    fn three_terms_are_found_again() {
        let model = |bytes: u64, files: u64| 80e6 + bytes as f64 * 7.5 + files as f64 * 4e5;
        let terms = fit(&pulls(model)).expect("pulls");
        assert!((terms.base / 80e6 - 1.0).abs() < 1e-6, "{terms:?}");
        assert!((terms.byte / 7.5 - 1.0).abs() < 1e-6, "{terms:?}");
        assert!((terms.file / 4e5 - 1.0).abs() < 1e-6, "{terms:?}");
        assert!((terms.spread - 1.0).abs() < 1e-6, "{terms:?}");
        assert_eq!(terms.bytes_a_second(), 133_333_333);
        let wrong = fit(&pulls(|bytes, files| model(bytes, files) + bytes as f64)).expect("pulls");
        assert!((wrong.byte / 7.5 - 1.0).abs() > 0.1, "the check must see another rate");
    }

    #[test]
    fn no_term_is_below_zero() {
        // Larger images that take less time: bytes cost nothing.
        let terms = fit(&pulls(|bytes, files| 1e9 - bytes as f64 * 1.0 + files as f64 * 1e5))
            .expect("pulls");
        assert!(terms.base > 0.0 && terms.byte == 0.0 && terms.file > 0.0, "{terms:?}");
        assert_eq!(fit(&pulls(|_, _| 1e8)[..2]), None);
    }
}
