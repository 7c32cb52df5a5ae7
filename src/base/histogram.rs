//! Buckets of a log-linear histogram over nanoseconds, at most 1 % wide.
//!
//! Owns the numbering of buckets; refuses to keep counts: who counts keeps a column of them.
//!
//! ```text
//! below 256        a bucket a nanosecond
//! 2^k .. 2^(k+1)   128 buckets of equal width, for each k from 8 on: each less than 0.8 % of what it holds
//! ```

/// Bits of a bucket's place within its octave.
const PLACE_BITS: u32 = 7;
const PLACES: u64 = 1 << PLACE_BITS;
/// Buckets in all: no number of one is as great.
pub const BUCKETS: usize = ((u64::BITS - PLACE_BITS) as usize + 1) << PLACE_BITS;

/// The bucket that holds `nanos`.
#[inline]
pub const fn bucket_of(nanos: u64) -> u16 {
    // `| PLACES` puts all below 256 into the first two octaves, whose buckets are one wide.
    let shift = (u64::BITS - 1 - PLACE_BITS) - (nanos | PLACES).leading_zeros();
    (((shift as u64) << PLACE_BITS) + (nanos >> shift)) as u16
}

/// The greatest number of nanoseconds that bucket `bucket` holds.
pub const fn upper_nanos(bucket: u16) -> u64 {
    if bucket as usize + 1 >= BUCKETS {
        return u64::MAX;
    }
    lower_nanos(bucket + 1) - 1
}

/// The least number of nanoseconds that bucket `bucket` holds.
pub const fn lower_nanos(bucket: u16) -> u64 {
    let bucket = bucket as u64;
    if bucket < 2 * PLACES {
        return bucket;
    }
    let shift = (bucket >> PLACE_BITS) - 1;
    (PLACES + bucket % PLACES) << shift
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn buckets_follow_each_other_without_gap() {
        assert_eq!(
            (bucket_of(0), bucket_of(255), bucket_of(256), bucket_of(257)),
            (0, 255, 256, 256)
        );
        assert_eq!(usize::from(bucket_of(u64::MAX)), BUCKETS - 1);
        for bucket in 0..BUCKETS as u16 {
            assert_eq!(
                (bucket_of(lower_nanos(bucket)), bucket_of(upper_nanos(bucket))),
                (bucket, bucket)
            );
        }
    }

    proptest! {
        #[test]
        fn a_bucket_holds_its_own_and_is_at_most_a_hundredth_wide(bits: u64, shift in 0u32..64) {
            let nanos = bits >> shift;
            let bucket = bucket_of(nanos);
            let (low, high) = (lower_nanos(bucket), upper_nanos(bucket));
            prop_assert!(low <= nanos && nanos <= high);
            prop_assert!(u128::from(high - low) * 100 <= u128::from(low));
        }
    }
}
