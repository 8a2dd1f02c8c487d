//! Text in names and attributes.

use der::asn1::Any;
use der::{Tag, Tagged};

/// The text of a DirectoryString (RFC 5280 section 4.1.2.4), of the two forms that are written
/// today: UTF8String and PrintableString.
pub(super) fn directory_string(value: &Any) -> Option<&str> {
    matches!(value.tag(), Tag::Utf8String | Tag::PrintableString)
        .then(|| core::str::from_utf8(value.value()).ok())
        .flatten()
}
