//! The hash that names a Deployment's sets: FNV-1a over the template's hash and the collision
//! count, written in letters that spell no words (apimachinery 1.36 `rand.SafeEncodeString`).

use crate::api::pod::PodTemplate;

const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// The hash of `template`; each collision counted gives another.
pub fn template_hash(template: &PodTemplate, collisions: u32) -> String {
    let mut sum: u32 = 0x811c_9dc5;
    let mut fold = |bytes: [u8; 8]| {
        for byte in bytes {
            sum = (sum ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        }
    };
    fold(template.hash.to_le_bytes());
    if collisions > 0 {
        fold(u64::from(collisions).to_le_bytes());
    }
    let digits = sum.to_string();
    digits.bytes().map(|digit| char::from(LETTERS[usize::from(digit) % LETTERS.len()])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control_plane::controllers::testing;

    #[test]
    fn digits_become_safe_letters_and_collisions_change_them() {
        // apimachinery's own: each byte of the decimal text picks a letter by its value modulo 27.
        assert_eq!(LETTERS[usize::from(b'0') % 27], b'4', "0x30 % 27 = 21");
        let template = testing::template("web", 7);
        let first = template_hash(&template, 0);
        assert_ne!(first, template_hash(&template, 1));
        assert_ne!(first, template_hash(&testing::template("web", 8), 0));
        assert!(first.bytes().all(|letter| LETTERS.contains(&letter)) && first.len() <= 10);
    }
}
