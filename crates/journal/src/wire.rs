//! What the journal's records have beside [`hashlease_share::wire`]: short texts.

use hashlease_share::wire::{Fields, WireError};

/// Text behind its length (u8).
pub(crate) fn text(fields: &mut Fields<'_>, field: &'static str) -> Result<String, WireError> {
    let bytes = fields.short(field)?;
    String::from_utf8(bytes.to_vec()).map_err(|_| fields.error(field, "UTF-8", "other bytes"))
}

/// As much of a text as fits 255 bytes.
pub(crate) fn fitting(text: &str) -> &str {
    let mut end = text.len().min(usize::from(u8::MAX));
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.get(..end).unwrap_or_default()
}

/// Appends text behind its length (u8), cut to 255 bytes.
pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    let text = fitting(text);
    out.push(u8::try_from(text.len()).unwrap_or_default());
    out.extend(text.as_bytes());
}
