//! Tells the crate whether the target has the instruction set of the assembler: Thumb-2, of Armv7-M and
//! Armv8-M Mainline.

use std::env;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(has_thumb2)");
    let target = env::var("TARGET").unwrap_or_default();
    if ["thumbv7m", "thumbv7em", "thumbv8m.main"].iter().any(|family| target.starts_with(family)) {
        println!("cargo::rustc-cfg=has_thumb2");
    }
}
