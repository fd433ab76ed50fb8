//! States and blocks as bytes.

/// The digest of a state.
pub(crate) fn digest_of(state: &[u32; 8]) -> [u8; 32] {
    let mut digest = [0; 32];
    for (to, word) in digest.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *to = word.to_be_bytes();
    }
    digest
}

/// A block of two halves.
pub(crate) fn block_of(left: &[u8; 32], right: &[u8; 32]) -> [u8; 64] {
    let mut block = [0; 64];
    if let ([to_left, to_right], []) = block.as_chunks_mut::<32>() {
        *to_left = *left;
        *to_right = *right;
    }
    block
}
