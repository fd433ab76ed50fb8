//! The block of the memory-hard part, a row of its table.

/// Rows of the table of one scrypt.
pub(super) const N: usize = 1024;

/// Bytes of a row of the table, for one scrypt.
pub(super) const ROW: usize = size_of::<Block>();

/// Half of a row.
pub(super) const HALF: usize = ROW / 2;

/// The block of the memory-hard part: 128 bytes as words, each half by its diagonals.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(super) struct Block(pub(super) [u32; 32]);

#[allow(clippy::indexing_slicing)] // `place` is below 32
impl Block {
    pub(super) const ZERO: Self = Self([0; 32]);

    pub(super) fn from_words(words: &[u32; 32]) -> Self {
        let mut block = Self::ZERO;
        for (at, word) in block.0.iter_mut().enumerate() {
            *word = words[place(at)];
        }
        block
    }

    pub(super) fn to_words(self) -> [u32; 32] {
        let mut words = [0; 32];
        for (at, word) in self.0.iter().enumerate() {
            words[place(at)] = *word;
        }
        words
    }
}

/// Index of the block's word at a place of the diagonal form.
#[allow(clippy::arithmetic_side_effects)] // places are below 32
pub(super) const fn place(at: usize) -> usize {
    let (half, row, word) = (at / 16, at / 4 % 4, at % 4);
    half * 16 + (row * 4 + word * 5) % 16
}
