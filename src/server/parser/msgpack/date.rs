//! A moment as JSON has it: what `Date.prototype.toJSON` gives.

/// The furthest a JavaScript `Date` reaches from 1970, in milliseconds.
const FURTHEST: i64 = 8_640_000_000_000_000;
const DAY: i64 = 86_400_000;

/// The ISO 8601 text of a moment in milliseconds since 1970; `None` for one that no `Date` can have,
/// which JSON writes as `null`.
pub(super) fn iso(time: i64) -> Option<String> {
    if !(-FURTHEST..=FURTHEST).contains(&time) {
        return None;
    }
    let (year, month, day) = civil(time.div_euclid(DAY));
    let of_day = time.rem_euclid(DAY);
    let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
    let (second, milli) = (of_day / 1000 % 60, of_day % 1000);
    let year = match year {
        0..=9999 => format!("{year:04}"),
        _ => format!("{year:+07}"),
    };
    Some(format!(
        "{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z"
    ))
}

/// Year, month and day of a day since 1970 in the Gregorian calendar, extended both ways.
///
/// Years are counted from March, so that the leap day is the last of its year, and in eras of 400,
/// after which the calendar repeats.
fn civil(day: i64) -> (i64, i64, i64) {
    const ERA: i64 = 146_097;
    const MARCH_0_TO_1970: i64 = 719_468;
    let shifted = day + MARCH_0_TO_1970;
    let (era, of_era) = (shifted.div_euclid(ERA), shifted.rem_euclid(ERA));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / (ERA - 1)) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::iso;

    #[test]
    fn a_moment_reads_as_javascript_writes_it() {
        for (time, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (1_709_251_200_000, "2024-03-01T00:00:00.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (253_402_300_800_000, "+010000-01-01T00:00:00.000Z"),
            (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"),
            (-62_167_219_200_001, "-000001-12-31T23:59:59.999Z"),
            (8_640_000_000_000_000, "+275760-09-13T00:00:00.000Z"),
            (-8_640_000_000_000_000, "-271821-04-20T00:00:00.000Z"),
        ] {
            assert_eq!(iso(time).as_deref(), Some(text), "{time}");
        }
    }

    #[test]
    fn what_no_date_can_have_has_no_text() {
        for time in [8_640_000_000_000_001, i64::MAX, i64::MIN] {
            assert_eq!(iso(time), None);
        }
    }
}
