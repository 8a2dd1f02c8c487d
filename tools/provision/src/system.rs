//! Random numbers and the time, from the system.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::fault::Fault;

/// 2025-01-01: this tool is younger.
const YOUNGEST_S: u64 = 1_735_689_600;

pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], Fault> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// Seconds since 1970-01-01 UTC.
pub(crate) fn now_s() -> Result<u64, Fault> {
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    if now_s < YOUNGEST_S { Err(Fault::Clock { now_s }) } else { Ok(now_s) }
}
