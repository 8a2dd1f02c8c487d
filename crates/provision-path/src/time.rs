//! Times in certificates.

use provision_csr::der::Element;

use crate::UnixSeconds;

const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`, the only forms certificates have (RFC 5280 section
/// 4.1.2.5). Two-digit years from 50 on are in the last century.
pub(crate) fn parse(element: Element<'_>) -> Option<UnixSeconds> {
    let (year, rest) = match element.tag {
        UTC_TIME => {
            let (year, rest) = two_digits(element.contents)?;
            (
                if year < 50 { 2000_u32.checked_add(year)? } else { 1900_u32.checked_add(year)? },
                rest,
            )
        }
        GENERALIZED_TIME => {
            let (century, rest) = two_digits(element.contents)?;
            let (year, rest) = two_digits(rest)?;
            (century.checked_mul(100)?.checked_add(year)?, rest)
        }
        _ => return None,
    };
    let (month, rest) = two_digits(rest)?;
    let (day, rest) = two_digits(rest)?;
    let (hour, rest) = two_digits(rest)?;
    let (minute, rest) = two_digits(rest)?;
    let (second, rest) = two_digits(rest)?;
    let in_range = year >= 1970
        && (1..=12).contains(&month)
        && (1..=days_of(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60;
    if !in_range || rest != b"Z" {
        return None;
    }
    let days = (1..month)
        .map(|month| days_of(year, month))
        .sum::<u32>()
        .checked_add(days_before(year))?
        .checked_sub(days_before(1970))?
        .checked_add(day.checked_sub(1)?)?;
    let seconds =
        hour.checked_mul(3_600)?.checked_add(minute.checked_mul(60)?)?.checked_add(second)?;
    Some(UnixSeconds(u64::from(days).checked_mul(86_400)?.checked_add(u64::from(seconds))?))
}

#[inline(never)]
fn two_digits(text: &[u8]) -> Option<(u32, &[u8])> {
    let ([tens, ones], rest) = text.split_first_chunk()?;
    let digit = |c: &u8| c.is_ascii_digit().then(|| u32::from(c.wrapping_sub(b'0')));
    Some((digit(tens)?.checked_mul(10)?.checked_add(digit(ones)?)?, rest))
}

/// Days of all years before this one, in the calendar of today.
fn days_before(year: u32) -> u32 {
    let years = year.saturating_sub(1);
    let leap_days = (years / 4).saturating_sub(years / 100).saturating_add(years / 400);
    years.saturating_mul(365).saturating_add(leap_days)
}

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
