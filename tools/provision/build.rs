//! Notes when the program is built: a clock that shows less is wrong.

use std::env;
use std::time::{SystemTime, UNIX_EPOCH};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    let now_s = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    // So that builds can be repeated: <https://reproducible-builds.org/specs/source-date-epoch/>.
    let given = env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.parse().ok());
    let built_s: u64 = given.unwrap_or_else(now_s);
    println!("cargo::rustc-env=PROVISION_BUILT_S={built_s}");
}
