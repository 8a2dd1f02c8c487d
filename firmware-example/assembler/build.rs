//! Asks for the linker script; the board's build script puts the others where the linker looks.

fn main() {
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
}
