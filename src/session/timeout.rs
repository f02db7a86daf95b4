//! What a timeout given in JavaScript means.

/// The longest delay that `setTimeout` keeps; anything longer fires at once.
const MAX_DELAY: f64 = 2_147_483_647.0;

/// `[life 5]` The milliseconds `setTimeout` would wait: fractions are dropped, and what is below
/// 1, above 2³¹ − 1 or no number fires at once.
pub(crate) fn timeout_ms(delay: f64) -> u64 {
    if (1.0..=MAX_DELAY).contains(&delay) {
        // In range by the line above, so the cast only drops the fraction.
        delay as u64
    } else {
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_that_set_timeout_keeps_is_kept_without_its_fraction() {
        assert_eq!(timeout_ms(1.0), 1);
        assert_eq!(timeout_ms(3000.0), 3000);
        assert_eq!(timeout_ms(80.9), 80);
        assert_eq!(timeout_ms(2_147_483_647.0), 2_147_483_647);
    }

    #[test]
    fn a_delay_that_set_timeout_does_not_keep_fires_at_once() {
        let odd = [
            -1.0,
            0.0,
            0.5,
            2_147_483_647.5,
            2_147_483_648.0,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::NAN,
        ];
        for odd in odd {
            assert_eq!(timeout_ms(odd), 1, "{odd}");
        }
    }
}
