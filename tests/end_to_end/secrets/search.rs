//! Looks for many needles at once.

use core::fmt;
use std::collections::HashMap;

use super::needles::Needle;

/// What was found, where.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Find {
    /// Of the needle.
    pub(crate) name: String,
    /// Which of its bytes.
    pub(crate) from: usize,
    /// How many of them.
    pub(crate) len: usize,
    /// Where in the haystack.
    pub(crate) at: usize,
}

impl fmt::Debug for Find {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, from, len, at } = self;
        write!(f, "{len} bytes at {at:#x}: {name}, from byte {from}")
    }
}

/// Finds each part of each needle.
pub(crate) struct Search {
    needles: Vec<Needle>,
    /// By its first bytes: which needle a part is of, and where it begins in it.
    parts: HashMap<[u8; KEY], Vec<(usize, usize)>>,
    /// One bit for each first two bytes of a part: most of a haystack goes no further.
    likely: Vec<bool>,
}

impl Search {
    pub(crate) fn new(needles: Vec<Needle>) -> Self {
        let mut parts = HashMap::<_, Vec<_>>::new();
        let mut likely = vec![false; 1 << 16];
        for (number, needle) in needles.iter().enumerate() {
            assert!(needle.part >= KEY, "{needle:?}");
            for (from, part) in needle.bytes.windows(needle.part).enumerate() {
                let key = *part.first_chunk().unwrap();
                parts.entry(key).or_default().push((number, from));
                likely[prefix(part)] = true;
            }
        }
        Self { needles, parts, likely }
    }

    /// All finds; what follows from a longer one is not told.
    pub(crate) fn in_bytes(&self, haystack: &[u8]) -> Vec<Find> {
        let mut finds: Vec<Find> = Vec::new();
        for (at, window) in haystack.windows(KEY).enumerate() {
            if !self.likely[prefix(window)] {
                continue;
            }
            let Some(starts) = self.parts.get(window) else { continue };
            for &(number, from) in starts {
                let needle = &self.needles[number];
                let same = needle.bytes[from..].iter().zip(&haystack[at..]);
                let len = same.take_while(|(a, b)| a == b).count();
                let told = finds.iter().rev().any(|find| {
                    let ahead = at.saturating_sub(find.at);
                    find.name == needle.name && from == find.from + ahead && ahead < find.len
                });
                if len >= needle.part && !told {
                    finds.push(Find { name: needle.name.clone(), from, len, at });
                }
            }
        }
        finds
    }

    /// Fails with everything that was found.
    #[track_caller]
    pub(crate) fn assert_absent(&self, place: &str, haystack: &[u8]) {
        let finds = self.in_bytes(haystack);
        assert!(finds.is_empty(), "found in {place}: {finds:#?}");
    }
}

fn prefix(bytes: &[u8]) -> usize {
    usize::from(u16::from_le_bytes([bytes[0], bytes[1]]))
}

/// Bytes by which parts are looked up.
const KEY: usize = 8;
