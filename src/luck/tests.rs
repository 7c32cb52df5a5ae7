//! Golden values. They were computed by a second implementation, written from the module docs in another
//! language; changing one changes every run and is a line in the changelog.
use super::*;
use crate::time::SimDuration;

const GOLDEN: Label = Label::new("golden");

fn draws<T>(of: impl Fn(Draw) -> T) -> [T; 4] {
    std::array::from_fn(|counter| of(Luck::new(42).draw(GOLDEN, 7, counter as u64)))
}

#[test]
fn draws_are_what_they_were() {
    assert_eq!(
        draws(Draw::u64),
        [
            0x52ca_adfa_3826_3d94,
            0xb50d_73bd_770d_f824,
            0x0a80_294a_8500_548b,
            0xa80b_7b87_9d01_0c5a
        ]
    );
    assert_eq!(draws(|draw| draw.below(10)), [3, 7, 0, 6]);
    // The first two of these are rejected once and drawn again.
    assert_eq!(
        draws(|draw| draw.below(3 << 62)),
        [1966530890284075231, 7453916475262752785, 567487603075465064, 9081680884125452611]
    );
    assert_eq!(draws(|draw| draw.suffix().to_string()), ["2t2zl", "qstdz", "xm7dc", "kpszw"]);
}

#[test]
fn sampled_times_are_what_they_were() {
    let sampled = |law: Distribution| draws(|draw| law.sample(draw).as_nanos());
    let millis = SimDuration::from_millis;
    assert_eq!(
        sampled(Distribution::Uniform { min: millis(10), max: millis(20) }),
        [13_234_051, 17_072_365, 10_410_180, 16_564_252]
    );
    assert_eq!(
        sampled(Distribution::Exponential { mean: millis(10) }),
        [11_288_494, 3_463_901, 31_937_422, 4_209_465]
    );
    assert_eq!(
        sampled(Distribution::LogNormal { p50: millis(100), p99: millis(800) }),
        [232_127_911, 48_576_569, 421_638_667, 99_299_806]
    );
}

#[test]
fn a_stream_is_chacha8_under_the_key_of_its_owner() {
    let mut stream = Luck::new(42).stream(GOLDEN, 7);
    let words: Vec<u64> = (0..33).map(|_| stream.draw().u64()).collect();
    assert_eq!(words[..3], [0x7db9_7642_fff7_8b16, 0xe47a_1640_2d30_f9cc, 0x5051_f2ae_f6a4_94ca]);
    assert_eq!(words[32], 0xbbec_5cea_ef64_6f38);
    let mut copy = stream.clone();
    assert_eq!(copy.draw(), stream.draw());
    assert_ne!(Luck::new(42).stream(GOLDEN, 8).draw().u64(), words[0]);
}

#[test]
fn identities_are_what_they_were() {
    let identity = |parts, ordinal| Luck::new(42).identity(GOLDEN, parts, ordinal);
    assert_eq!(identity(&["Pod", "default", "web"], 0), 0x6d65_e5f7_7415_baf4);
    assert_eq!(identity(&["Pod", "default", "web"], 1), 0x0a8e_c8b1_97ec_ac7e);
    assert_ne!(identity(&["Pod", "default", "web"], 0), identity(&["Pod", "defaultweb"], 0));
}

#[test]
fn every_part_of_the_key_counts() {
    let all = [
        Luck::new(42).draw(GOLDEN, 7, 0),
        Luck::new(43).draw(GOLDEN, 7, 0),
        Luck::new(42).draw(Label::new("other"), 7, 0),
        Luck::new(42).draw(GOLDEN, 0, 7),
        Luck::new(42).draw(GOLDEN, 7, 1),
    ];
    for (i, one) in all.iter().enumerate() {
        assert!(all[..i].iter().all(|other| other != one), "draw {i} repeats another");
    }
}
