//! The states of eight messages side by side.

/// Number of messages that the kernels hash side by side.
pub(crate) const LANES: usize = 8;

/// Sponge states side by side, word by word: word 0 of all, then word 1 of all, …
pub(super) struct Lanes(pub(super) [[u64; LANES]; 25]);

impl Lanes {
    /// The states after absorbing messages of `WORDS` words, padded to a block of `rate` words.
    pub(super) fn absorb<const WORDS: usize>(messages: &[[u64; WORDS]; LANES], rate: usize) -> Self {
        let mut lanes = Self([[0; LANES]; 25]);
        for (word, row) in lanes.0.iter_mut().take(WORDS).enumerate() {
            *row = std::array::from_fn(|lane| messages[lane][word]);
        }
        lanes.0[WORDS] = [1; LANES];
        for word in &mut lanes.0[rate - 1] {
            *word ^= 1 << 63;
        }
        lanes
    }

    /// The first `WORDS` words of each state.
    pub(super) fn squeeze<const WORDS: usize>(&self) -> [[u64; WORDS]; LANES] {
        std::array::from_fn(|lane| std::array::from_fn(|word| self.0[word][lane]))
    }
}
