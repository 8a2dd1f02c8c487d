//! Tells the crate whether the target has the instructions that the assembler needs: UMAAL, of the
//! DSP extension that Cortex-M4 and M7 have, and Cortex-M33 as nearly all makers order it.

use std::env;

fn main() {
    println!("cargo::rustc-check-cfg=cfg(has_umaal)");
    let target = env::var("TARGET").unwrap_or_default();
    // The same that p256-cortex-m4-sys builds for.
    if target.starts_with("thumbv7em") || target.starts_with("thumbv8m.main") {
        println!("cargo::rustc-cfg=has_umaal");
    }
}
