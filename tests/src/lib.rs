//! The tests that need more than one crate; they are in `end_to_end/`.
