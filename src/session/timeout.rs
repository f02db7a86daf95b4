//! What a timeout given in JavaScript means.

/// The longest delay that `setTimeout` keeps; anything longer fires at once.
const LONGEST: f64 = 2_147_483_647.0;

/// `[life 5]` The milliseconds `setTimeout` would wait: fractions are dropped, and what is below
/// 1, above 2³¹ − 1 or no number fires at once.
pub(crate) fn timeout_ms(delay: f64) -> u64 {
    if (1.0..=LONGEST).contains(&delay) {
        // In range by the line above, so the cast only drops the fraction.
        delay as u64
    } else {
        1
    }
}
