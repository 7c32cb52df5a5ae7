//! Exponential variates by table: a multiplication and a comparison in 99 of 100 cases.
//!
//! Owns a ziggurat of 256 layers (Marsaglia and Tsang, "The Ziggurat Method for Generating Random
//! Variables", 2000). Its tables are worked out by `libm`, so they are the same everywhere; refuses to
//! take more than one draw a variate: what a rejection needs follows from the same bits.
//!
//! ```text
//! f(x) = exp(-x)   cut into 255 layers of equal area and a base with the tail:
//!
//!  |#          pick a layer by 8 bits and a place in it by 53;
//!  |##         left of the next layer's edge: taken at once,
//!  |#####      else by the curve itself
//!  |##########....  tail beyond RIGHT: memoryless, so RIGHT plus another variate
//! ```
use std::sync::Arc;

use super::Draw;

const LAYERS: usize = 256;
/// Where the tail begins, and the area of a layer.
const RIGHT: f64 = 7.697_117_470_131_05;
const AREA: f64 = 0.003_949_659_822_581_557;

/// The law with mean one. A clone shares the tables.
#[derive(Clone, Debug)]
pub struct Exponential {
    /// Right edges of the layers, from the base up, and the curve there.
    edges: Arc<[(f64, f64); LAYERS + 1]>,
}

impl Exponential {
    /// The tables.
    pub fn new() -> Exponential {
        let mut edges = [(0.0, 1.0); LAYERS + 1];
        // The base holds the tail too: it is taken to be as much wider.
        edges[0] = (AREA / libm::exp(-RIGHT), 0.0);
        edges[1] = (RIGHT, libm::exp(-RIGHT));
        for layer in 2..LAYERS {
            let (x, height) = edges[layer - 1];
            let height = height + AREA / x;
            edges[layer] = (-libm::log(height), height);
        }
        Exponential { edges: Arc::new(edges) }
    }

    /// A variate of mean one.
    #[inline]
    pub fn sample(&self, draw: Draw) -> f64 {
        const STEP: f64 = 1.0 / (1u64 << 53) as f64;
        let bits = draw.clone().u64();
        let layer = bits as usize % LAYERS;
        let x = (bits >> 11) as f64 * STEP * self.edges[layer].0;
        if x < self.edges[layer + 1].0 { x } else { self.by_the_curve(layer, x, draw) }
    }

    #[cold]
    fn by_the_curve(&self, layer: usize, x: f64, draw: Draw) -> f64 {
        let other = draw.again();
        if layer == 0 {
            return RIGHT - libm::log(other.fraction());
        }
        let (low, high) = (self.edges[layer].1, self.edges[layer + 1].1);
        let height = low + (high - low) * other.clone().fraction();
        if height < libm::exp(-x) { x } else { self.sample(other.again()) }
    }
}

impl Default for Exponential {
    fn default() -> Exponential {
        Exponential::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::luck::{Label, Luck};

    /// The share of variates beyond each whole number up to 9, and their mean.
    fn shares(of: impl Fn(f64) -> f64, count: u32) -> (Vec<f64>, f64) {
        let (law, mut stream) = (Exponential::new(), Luck::new(5).stream(Label::new("law"), 1));
        let (mut beyond, mut sum) = (vec![0.0; 10], 0.0);
        for _ in 0..count {
            let x = of(law.sample(stream.draw()));
            sum += x;
            beyond.iter_mut().enumerate().for_each(|(n, share)| *share += f64::from(x > n as f64));
        }
        let count = f64::from(count);
        (beyond.into_iter().map(|n| n / count).collect(), sum / count)
    }

    /// Whether all shares lie within four standard errors of the law's.
    fn is_right(shares: &[f64], count: u32) -> bool {
        shares.iter().enumerate().skip(1).all(|(n, share)| {
            let p = libm::exp(-(n as f64));
            (share - p).abs() < 4.0 * libm::sqrt(p * (1.0 - p) / f64::from(count))
        })
    }

    #[test]
    fn the_tail_and_the_mean_are_those_of_the_law() {
        const COUNT: u32 = 400_000;
        let (beyond, mean) = shares(|x| x, COUNT);
        // Standard error of the mean: 1 / sqrt(400,000) = 0.0016; four of them.
        assert!((mean - 1.0).abs() < 0.0064, "{mean}");
        assert!(is_right(&beyond, COUNT), "{beyond:?}");
        let (spoiled, _) = shares(|x| x * 1.03, COUNT);
        assert!(!is_right(&spoiled, COUNT), "the check must see three in a hundred");
    }

    #[test]
    fn layers_end_at_the_top_of_the_curve() {
        let law = Exponential::new();
        let (x, height) = law.edges[LAYERS - 1];
        assert!((height + AREA / x - 1.0).abs() < 1e-9, "{x} {height}");
        let widths_fall = law.edges.windows(2).all(|pair| pair[0].0 > pair[1].0);
        assert!(widths_fall);
    }
}
