//! Little-endian fields out of and into bytes.

use crate::RecordError;

/// Takes fields off the front.
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn bytes(&mut self, length: usize) -> Result<&'a [u8], RecordError> {
        let (taken, rest) = self
            .0
            .split_at_checked(length)
            .ok_or(RecordError::TooShort { expected: length, actual: self.0.len() })?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(N)?);
        Ok(array)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, RecordError> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    pub(crate) fn u16(&mut self) -> Result<u16, RecordError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, RecordError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, RecordError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(crate) fn u128(&mut self) -> Result<u128, RecordError> {
        Ok(u128::from_le_bytes(self.array()?))
    }

    /// Bytes behind their length (u16).
    pub(crate) fn long(&mut self) -> Result<&'a [u8], RecordError> {
        let length = self.u16()?;
        self.bytes(usize::from(length))
    }

    /// Text behind its length (u8).
    pub(crate) fn text(&mut self) -> Result<String, RecordError> {
        let length = self.u8()?;
        let bytes = self.bytes(usize::from(length))?;
        String::from_utf8(bytes.to_vec()).map_err(|_| RecordError::Field("text", "not UTF-8".into()))
    }

    pub(crate) fn end(&self) -> Result<(), RecordError> {
        if self.0.is_empty() { Ok(()) } else { Err(RecordError::Trailing(self.0.len())) }
    }
}

/// Appends bytes behind their length (u16).
pub(crate) fn put_long(out: &mut Vec<u8>, field: &'static str, bytes: &[u8]) -> Result<(), RecordError> {
    let length = u16::try_from(bytes.len()).map_err(|_| {
        RecordError::Field(field, format!("expected at most 65535 bytes, got {}", bytes.len()))
    })?;
    out.extend(length.to_le_bytes());
    out.extend(bytes);
    Ok(())
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
