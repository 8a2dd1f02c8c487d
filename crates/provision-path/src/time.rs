//! Times in certificates.

use provision_csr::der::Element;

use crate::UnixSeconds;

const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`, the only forms certificates have (RFC 5280 section
/// 4.1.2.5). Two-digit years from 50 on are in the last century.
// Not inlined: it is called twice for each certificate.
#[inline(never)]
pub(crate) fn parse(element: Element<'_>) -> Option<UnixSeconds> {
    let (b'Z', digits) = element.contents.split_last()? else { return None };
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    let mut numbers = [0_u32; 7];
    let without_century = match element.tag {
        UTC_TIME => 1,
        GENERALIZED_TIME => 0,
        _ => return None,
    };
    let places = numbers.get_mut(without_century..)?;
    if pairs.len() != places.len() {
        return None;
    }
    for (place, pair) in places.iter_mut().zip(pairs) {
        *place = two_digits(*pair)?;
    }

    let [mut century, year, month, day, hour, minute, second] = numbers;
    if without_century == 1 {
        century = if year < 50 { 20 } else { 19 };
    }
    let year = century.checked_mul(100)?.checked_add(year)?;
    let in_range = year >= 1970
        && (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !in_range {
        return None;
    }
    let days = days_before(year, month).checked_add(day)?.checked_sub(DAYS_BEFORE_1970)?;
    let minutes = hour.checked_mul(60)?.checked_add(minute)?;
    let seconds = minutes.checked_mul(60)?.checked_add(second)?;
    u64::from(days).checked_mul(86_400)?.checked_add(u64::from(seconds)).map(UnixSeconds)
}

fn two_digits([tens, ones]: [u8; 2]) -> Option<u32> {
    let digit = |c: u8| char::from(c).to_digit(10);
    digit(tens)?.checked_mul(10)?.checked_add(digit(ones)?)
}

/// Days before the first of this month, in the calendar of today, from a day long ago. Years are
/// counted from March: so the leap day is the last one, and months have 30.6 days with the fraction
/// dropped.
const fn days_before(year: u32, month: u32) -> u32 {
    let (year, month) = if month < 3 {
        (year.saturating_sub(1), month.saturating_add(9))
    } else {
        (year, month.saturating_sub(3))
    };
    let leap_days = (year / 4).saturating_sub(year / 100).saturating_add(year / 400);
    let of_months = month.saturating_mul(153).saturating_add(2) / 5;
    year.saturating_mul(365).saturating_add(leap_days).saturating_add(of_months)
}

/// And up to the first day itself.
const DAYS_BEFORE_1970: u32 = days_before(1970, 1).saturating_add(1);

fn days_of(year: u32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::format;

    use super::*;

    fn read(tag: u8, text: &str) -> Option<u64> {
        let contents = text.as_bytes();
        parse(Element { tag, contents, encoded: contents }).map(|time| time.0)
    }

    #[test]
    fn times() {
        assert_eq!(read(UTC_TIME, "700101000000Z"), Some(0));
        assert_eq!(read(UTC_TIME, "261122002739Z"), Some(1_795_307_259));
        assert_eq!(read(UTC_TIME, "491231235959Z"), Some(2_524_607_999));
        assert_eq!(read(GENERALIZED_TIME, "20500101000000Z"), Some(2_524_608_000));
        assert_eq!(read(GENERALIZED_TIME, "20000229000000Z"), Some(951_782_400));
        assert_eq!(read(GENERALIZED_TIME, "99991231235959Z"), Some(253_402_300_799));
    }

    /// Each first of a month follows the one before by the days of that.
    #[test]
    fn months_follow_each_other() {
        let mut days = 0;
        for year in 1970..10_000 {
            for month in 1..=12 {
                let time = read(GENERALIZED_TIME, &format!("{year:04}{month:02}01000000Z"));
                assert_eq!(time, Some(days * 86_400), "{year}-{month}");
                days += u64::from(days_of(year, month));
            }
        }
    }

    #[test]
    fn what_is_no_time() {
        for bad in [
            "",
            "261122002739",
            "26112200273Z",
            "2611220027 9Z",
            "261322002739Z",
            "260229000000Z",
            "260100000000Z",
            "260101240000Z",
            "260101006000Z",
            "260101000060Z",
            "261122002739+",
            "261122002739ZZ",
            "500101000000Z",
        ] {
            assert_eq!(read(UTC_TIME, bad), None, "{bad}");
        }
        assert_eq!(read(0x04, "261122002739Z"), None);
    }
}
