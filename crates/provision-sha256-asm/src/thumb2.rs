//! The function itself, for Armv7-M and Armv8-M Mainline.

use core::arch::naked_asm;

/// One instruction: its name, and its operands.
macro_rules! line {
    ($name:literal $first:tt $($operand:tt)*) => {
        concat!($name, " ", $first, $(", ", $operand,)* "\n")
    };
}

/// Two rounds. The eight words of the state stay where they are and change their names: what was `a` is `b` in the
/// second round.
///
/// `r2` holds `b ^ c` at the start and at the end, which makes `maj` one instruction shorter.
macro_rules! two_rounds {
    ($a:literal $b:literal $c:literal $d:literal $e:literal $f:literal $g:literal $h:literal) => {
        concat!(
            // The next two words of K, and of the block; what was read of the block is under the stack pointer.
            "ldrd r11, r12, [lr], #8\n",
            "pop {{r0, r1}}\n",
            round!($a $b $c $d $e $f $g $h "r11" "r0" "r2" "r0"),
            round!($h $a $b $c $d $e $f $g "r12" "r1" "r0" "r2"),
        )
    };
}

/// One round: `k` and `w` are its words of K and of the block, and `w` is free when they are added. `before` holds
/// `b ^ c` and `next` will hold `a ^ b`, which is `b ^ c` in the round after.
macro_rules! round {
    (
        $a:literal $b:literal $c:literal $d:literal $e:literal $f:literal $g:literal $h:literal
        $k:literal $w:literal $before:literal $next:literal
    ) => {
        concat!(
            line!("add" $h $h $k),
            line!("add" $h $h $w),
            // Sigma 1: rotations by 6, 11 and 25.
            line!("eor" $w $e $e "ror #5"),
            line!("eor" $w $w $e "ror #19"),
            line!("add" $h $h $w "ror #6"),
            // Ch
            line!("eor" $w $f $g),
            line!("ands" $w $w $e),
            line!("eors" $w $w $g),
            line!("add" $h $h $w),
            line!("add" $d $d $h),
            // Sigma 0: rotations by 2, 13 and 22.
            line!("eor" $w $a $a "ror #11"),
            line!("eor" $w $w $a "ror #20"),
            line!("add" $h $h $w "ror #2"),
            // Maj = ((a ^ b) & (b ^ c)) ^ b
            line!("eor" $next $a $b),
            line!("ands" $before $before $next),
            line!("eors" $before $before $b),
            line!("add" $h $h $before),
        )
    };
}

/// A word of the schedule: `to = before_16 + sigma 0 (before_15) + before_7 + sigma 1 (to)`, where `to` holds the word
/// before the one before. `r1` and `r12` are free.
macro_rules! word {
    ($before_16:literal $before_15:literal $before_7:literal $to:literal) => {
        concat!(
            line!("add" $before_16 $before_16 $before_7),
            // Rotations by 7 and 18, and a shift by 3.
            line!("eor" "r12" $before_15 $before_15 "ror #11"),
            line!("lsrs" "r1" $before_15 "#3"),
            "eor r1, r1, r12, ror #7\n",
            line!("add" $before_16 $before_16 "r1"),
            // Rotations by 17 and 19, and a shift by 10.
            line!("eor" "r12" $to $to "ror #2"),
            line!("lsrs" "r1" $to "#10"),
            "eor r1, r1, r12, ror #17\n",
            line!("adds" $to $before_16 "r1"),
        )
    };
}

/// Four words of the block, from these places on, to where `r2` points, which goes on.
macro_rules! four_words {
    ($first:literal $second:literal $third:literal $fourth:literal) => {
        concat!(
            "ldr r4, [r1, #",
            $first,
            "]\n",
            "ldr r5, [r1, #",
            $second,
            "]\n",
            "ldr r6, [r1, #",
            $third,
            "]\n",
            "ldr r7, [r1, #",
            $fourth,
            "]\n",
            "rev r4, r4\n",
            "rev r5, r5\n",
            "rev r6, r6\n",
            "rev r7, r7\n",
            "stmia r2!, {{r4-r7}}\n",
        )
    };
}

/// Takes a block, at any address, into the state.
///
/// # Safety
///
/// Both are valid for what their types say, and there are 300 bytes of stack.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn compress(state: *mut [u32; 8], block: *const [u8; 64]) {
    naked_asm!(
        "push {{r0, r4-r11, lr}}",
        "sub sp, #256",
        // The block's sixteen words, from big-endian bytes.
        "mov r2, sp",
        four_words!("0" "4" "8" "12"),
        four_words!("16" "20" "24" "28"),
        four_words!("32" "36" "40" "44"),
        four_words!("48" "52" "56" "60"),
        // The other 48, two at a time; the last two stay in r6 and r7.
        "mov r2, sp",
        "add r3, sp, #192",
        "2:",
        "ldr r0, [r2], #8",
        "ldrd r4, r5, [r2, #-4]",
        "ldrd r8, r9, [r2, #28]",
        word!("r0" "r4" "r8" "r6"),
        word!("r4" "r5" "r9" "r7"),
        "strd r6, r7, [r2, #56]",
        "cmp r2, r3",
        "bne 2b",
        // The rounds.
        "ldr r0, [sp, #256]",
        "ldm r0, {{r3-r10}}",
        "eor r2, r4, r5",
        "movw lr, #:lower16:{k}",
        "movt lr, #:upper16:{k}",
        "3:",
        two_rounds!("r3" "r4" "r5" "r6" "r7" "r8" "r9" "r10"),
        two_rounds!("r9" "r10" "r3" "r4" "r5" "r6" "r7" "r8"),
        two_rounds!("r7" "r8" "r9" "r10" "r3" "r4" "r5" "r6"),
        two_rounds!("r5" "r6" "r7" "r8" "r9" "r10" "r3" "r4"),
        // Of every eighth word of K the last alone has none of these bits.
        "tst r12, #0x8700",
        "bne 3b",
        // Added to the state.
        "ldr r0, [sp]",
        "ldm r0, {{r1, r2, r11, r12}}",
        "add r3, r3, r1",
        "add r4, r4, r2",
        "add r5, r5, r11",
        "add r6, r6, r12",
        "stmia r0!, {{r3-r6}}",
        "ldm r0, {{r1, r2, r11, r12}}",
        "add r7, r7, r1",
        "add r8, r8, r2",
        "add r9, r9, r11",
        "add r10, r10, r12",
        "stm r0, {{r7-r10}}",
        // Nothing is left of the block and of the state before.
        "movs r0, #0",
        "movs r1, #0",
        "movs r2, #0",
        "movs r3, #0",
        "movs r4, #0",
        "movs r5, #0",
        "movs r6, #0",
        "movs r7, #0",
        "mov r12, r0",
        "push {{r0-r7}}",
        "push {{r0-r7}}",
        "push {{r0-r7}}",
        "push {{r0-r7}}",
        "push {{r0-r7}}",
        "push {{r0-r7}}",
        "push {{r0-r7}}",
        "push {{r0-r7}}",
        "add sp, #260",
        "pop {{r4-r11, pc}}",
        k = sym K,
    )
}

/// Section 4.2.2.
#[rustfmt::skip]
static K: [u32; 64] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
];
