//! Enrolls over the line, and goes on answering it. A product would go on to its own work.
#![no_std]
#![no_main]

use board_esp32c3::board;

// What ESP-IDF's boot loader looks for in the image.
esp_bootloader_esp_idf::esp_app_desc!();

#[esp_hal::main]
fn main() -> ! {
    let mut firmware = board::start();
    firmware.enroll();
    firmware.serve()
}
