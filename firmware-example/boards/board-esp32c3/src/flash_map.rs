//! Where the vault is in the flash. The program's place is given by `partitions.csv`, and build.rs refuses to build
//! when the two do not agree; at start the table that is in the flash is looked at as well, see [`crate::board`].

use core::ops::Range;

/// Bytes that are erased together.
pub const SECTOR_LEN: u32 = 4096;

/// The vault's partition, by name.
pub const VAULT_NAME: &str = "vault";

/// The vault: two slots of one sector each, in bytes from the beginning of the flash.
pub const VAULT: Range<u32> = 0x9000..0x9000 + 2 * SECTOR_LEN;
