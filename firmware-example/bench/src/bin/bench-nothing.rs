//! Measures nothing: what all benchmark images have in common.
#![no_std]
#![no_main]

#[cortex_m_rt::entry]
fn main() -> ! {
    firmware_bench::measure(|| true)
}
