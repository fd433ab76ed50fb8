//! Short texts, the only fields of a record that [`hashlease_share::wire`] lacks.

use hashlease_share::wire::{Fields, WireError};

/// Reads text that follows its length (u8).
pub(crate) fn text(fields: &mut Fields<'_>, field: &'static str) -> Result<String, WireError> {
    let bytes = fields.short(field)?;
    String::from_utf8(bytes.to_vec()).map_err(|_| fields.error(field, "UTF-8", "other bytes"))
}

/// The longest prefix of a text that fits in 255 bytes.
pub(crate) fn fitting(text: &str) -> &str {
    let mut end = text.len().min(usize::from(u8::MAX));
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    // never the fallback: `end` is a character boundary within the text
    text.get(..end).unwrap_or_default()
}

/// Appends text, cut to 255 bytes, after its length (u8).
pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    let text = fitting(text);
    // never the fallback: `fitting` leaves at most 255 bytes
    out.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    out.extend(text.as_bytes());
}
