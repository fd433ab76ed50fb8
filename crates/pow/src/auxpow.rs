//! Merged mining: the proof of work of one chain's block is the header of another chain's block,
//! its parent.
//!
//! The block's hash is a leaf of a small Merkle tree whose root is in the parent's coinbase. So the
//! block's only work is that of the parent, no matter for how many blocks of how many chains it is
//! shown: work is counted by the parent's header, which [`AuxPow::verify`] returns, and counted
//! once.
//!
//! The rules are those of Namecoin's "Merged mining specification" (en.bitcoin.it) and of Dogecoin
//! Core on its main chain, `CAuxPow::check` and its callers. Where the two differ, Dogecoin Core is
//! followed.

use crate::{merkle_parent, sha256d};
use alloy_primitives::B256;
use thiserror::Error;

/// Marker before the root of the chains' tree in a coinbase.
const MAGIC: [u8; 4] = [0xfa, 0xbe, b'm', b'm'];

/// Largest offset of the root in a coinbase without [`MAGIC`].
const LATEST_BARE_ROOT: usize = 20;

/// Largest count that nodes read (`MAX_SIZE` of Bitcoin's serialization).
const MAX_COUNT: u64 = 0x0200_0000;

/// Largest number of levels of the chains' tree.
const MAX_LEVELS: usize = 30;

/// Bit of a header's version that marks a merged-mined block.
const VERSION_AUXPOW: u32 = 1 << 8;

/// Why bytes are not an [`AuxPow`], or why one proves nothing for a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AuxPowError {
    /// The bytes end inside a field.
    #[error("the bytes end inside a field")]
    Truncated,
    /// A count is not encoded in the fewest bytes.
    #[error("a count is encoded in more bytes than it needs")]
    LongCount,
    /// A count exceeds the limit of nodes.
    #[error("count: expected at most {MAX_COUNT}, got {0}")]
    HugeCount(u64),
    /// The parent's first transaction has no input, or includes its witness.
    #[error("the parent's coinbase has no input or includes its witness")]
    NoInput,
    /// Bytes follow the parent's first transaction.
    #[error("bytes follow the parent's coinbase")]
    AfterCoinbase,
    /// The block's version doesn't mark it as merged-mined.
    #[error("the block's version doesn't mark it as merged-mined")]
    NotMergedMined,
    /// The block's version names another chain.
    #[error("the block's version names another chain: {0}")]
    OtherChain(u16),
    /// The transaction is not the parent's first.
    #[error("transaction of the parent: expected index 0, got {0}")]
    NotFirst(u32),
    /// The parent's version names the block's own chain.
    #[error("the parent's version names the block's own chain")]
    ParentOfSameChain,
    /// The tree of chains is too deep.
    #[error("tree of chains: expected at most {MAX_LEVELS} levels, got {0}")]
    TooDeep(usize),
    /// The coinbase is not in the parent.
    #[error("the coinbase is not in the parent")]
    NotInParent,
    /// The coinbase does not commit to the block.
    #[error("the parent's coinbase does not commit to the block")]
    NotCommitted,
    /// The coinbase may commit to several trees.
    #[error("the parent's coinbase has several merged-mining headers")]
    SeveralHeaders,
    /// The merged-mining header is not just before the root.
    #[error("the merged-mining header is not just before the root")]
    HeaderElsewhere,
    /// There is no merged-mining header, and the root's offset is too large to do without one.
    #[error("no merged-mining header: expected the root at byte {LATEST_BARE_ROOT} at the latest, got {0}")]
    RootTooLate(usize),
    /// Size and nonce of the tree of chains don't follow the root.
    #[error("no size and nonce after the root")]
    NoSizeAndNonce,
    /// The size of the tree of chains is not that of the branch.
    #[error("the tree of chains has size {0}, which is not that of the branch")]
    WrongSize(u32),
    /// The block is not at its chain's place in the tree of chains.
    #[error("place in the tree of chains: expected {expected}, got {got}")]
    WrongPlace {
        /// The block's place by the branch.
        got: u32,
        /// The chain's place.
        expected: u32,
    },
}

/// The proof of a merged-mined block, parsed or assembled.
///
/// It proves nothing before [`AuxPow::verify`], which in turn doesn't check any work: see there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuxPow<'a> {
    /// First transaction of the parent, without its witness.
    pub coinbase: &'a [u8],
    /// Branch from the coinbase to the parent's Merkle root, from the leaf upwards, in the byte
    /// order of the hash function.
    pub coinbase_branch: &'a [[u8; 32]],
    /// Index of the coinbase among the parent's transactions.
    pub coinbase_index: u32,
    /// Branch from the block's hash to the root in the coinbase, in the same order.
    pub chain_branch: &'a [[u8; 32]],
    /// Place of the block in the tree of chains.
    pub chain_index: u32,
    /// Header of the parent.
    pub parent: &'a [u8; 80],
}

impl<'a> AuxPow<'a> {
    /// Reads the proof between the header and the transactions of a merged-mined block, and returns
    /// the remaining bytes.
    ///
    /// The parent's hash, which old software added, is skipped as in every node: it is that of
    /// [`AuxPow::parent`] or wrong.
    ///
    /// A coinbase with its witness is refused, though nodes may read one: the parent commits to the
    /// transaction without the witness, so the caller has to remove it first.
    ///
    /// # Errors
    /// [`Truncated`](AuxPowError::Truncated), [`LongCount`](AuxPowError::LongCount) or
    /// [`HugeCount`](AuxPowError::HugeCount) for bytes that no node would read, and
    /// [`NoInput`](AuxPowError::NoInput) for a coinbase without inputs, which is also how one with
    /// a witness looks.
    pub fn parse(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), AuxPowError> {
        let mut rest = Reader(bytes);
        let (coinbase, _) = rest.transaction()?;
        rest.array::<32>()?;
        let coinbase_branch = rest.branch()?;
        let coinbase_index = rest.u32()?;
        let chain_branch = rest.branch()?;
        let chain_index = rest.u32()?;
        let parent = rest.array()?;
        Ok((Self { coinbase, coinbase_branch, coinbase_index, chain_branch, chain_index, parent }, rest.0))
    }

    /// Checks that the parent commits to the block with this header, on the chain with this number,
    /// `0x62` for Dogecoin. Returns the parent's header, the 80 bytes that are hashed.
    ///
    /// **It doesn't check the work.** Anybody can assemble a parent that commits to a block. The
    /// caller has to compare the *parent's* proof of work, [`scrypt`](crate::scrypt::scrypt) of the
    /// header returned, with the target of the *block's* `nBits` (bytes 72 to 76 of `header`), and
    /// to check that those `nBits` are the ones that the chain requires. The block's own scrypt
    /// means nothing.
    ///
    /// ```
    /// # use hashlease_pow::{AuxPow, AuxPowError, hash_as_integer, scrypt::{Scratch, scrypt}};
    /// # use alloy_primitives::U256;
    /// /// `target` is that of the header's `nBits`.
    /// fn has_work(
    ///     proof: &AuxPow<'_>,
    ///     header: &[u8; 80],
    ///     target: U256,
    /// ) -> Result<bool, AuxPowError> {
    ///     let parent = proof.verify(header, 0x62)?;
    ///     Ok(hash_as_integer(&scrypt(parent, &mut Scratch::new())) <= target)
    /// }
    /// ```
    ///
    /// **The unit of work is the parent's header.** A share of a merged-mining lease is a parent's
    /// header, no matter for which blocks it was shown: a block of a child chain is no second unit
    /// of work, and two children of one parent are one unit. Evidence therefore holds parents'
    /// headers only. This function leads from a child chain's block, as in a pool's list of found
    /// blocks, to the header that evidence has to hold.
    ///
    /// **A coinbase is any transaction that Dogecoin Core accepts as one**: the transaction at
    /// index 0 of the parent, of which only the script of the first input is read. Whether its
    /// input spends nothing, whether it is the only one, and all other rules of the parent's own
    /// chain are not checked. So a parent need not be a block of any chain.
    ///
    /// Block and parent have to name different chains, as with Dogecoin Core's `fStrictChainId`,
    /// which is set on its main chain.
    ///
    /// # Errors
    /// One of [`AuxPowError`] for the first rule broken: the header's version, then the coinbase's
    /// place, whether its bytes are exactly a transaction, and the commitment in its script. Nodes
    /// agree on which proofs they refuse, but not on the order of the rules.
    pub fn verify(&self, header: &[u8; 80], chain: u16) -> Result<&'a [u8; 80], AuxPowError> {
        let version = version(header);
        if version & VERSION_AUXPOW == 0 {
            return Err(AuxPowError::NotMergedMined);
        }
        if chain_of(version) != chain {
            return Err(AuxPowError::OtherChain(chain_of(version)));
        }
        if self.coinbase_index != 0 {
            return Err(AuxPowError::NotFirst(self.coinbase_index));
        }
        if chain_of(self::version(self.parent)) == chain {
            return Err(AuxPowError::ParentOfSameChain);
        }
        let levels = self.chain_branch.len();
        if levels > MAX_LEVELS {
            return Err(AuxPowError::TooDeep(levels));
        }
        let coinbase_root = root(sha256d(self.coinbase), self.coinbase_branch, self.coinbase_index);
        if self.parent.get(36..68) != Some(coinbase_root.as_slice()) {
            return Err(AuxPowError::NotInParent);
        }
        let mut after = Reader(self.coinbase);
        let (_, script) = after.transaction()?;
        if !after.0.is_empty() {
            return Err(AuxPowError::AfterCoinbase);
        }
        // the coinbase holds the root in the byte order of explorers
        let mut chain_root = root(sha256d(header), self.chain_branch, self.chain_index);
        chain_root.0.reverse();
        let (size, nonce) = committed(script, &chain_root)?;
        // at most 30 levels
        if Some(size) != u32::try_from(levels).ok().and_then(|levels| 1_u32.checked_shl(levels)) {
            return Err(AuxPowError::WrongSize(size));
        }
        let expected = place_of(nonce, chain, size);
        if self.chain_index != expected {
            return Err(AuxPowError::WrongPlace { got: self.chain_index, expected });
        }
        Ok(self.parent)
    }
}

/// Size and nonce of the only tree of chains to which a coinbase's script commits, if this is its
/// root.
fn committed(script: &[u8], root: &B256) -> Result<(u32, u32), AuxPowError> {
    let at = find(script, root.as_slice()).ok_or(AuxPowError::NotCommitted)?;
    let (before, from) = script.split_at_checked(at).ok_or(AuxPowError::NotCommitted)?;
    match find(script, &MAGIC) {
        Some(magic) => {
            // never the fallback: the marker was found at `magic`
            let behind = script.get(magic.saturating_add(1)..).unwrap_or_default();
            if find(behind, &MAGIC).is_some() {
                return Err(AuxPowError::SeveralHeaders);
            }
            if !before.ends_with(&MAGIC) {
                return Err(AuxPowError::HeaderElsewhere);
            }
        }
        None if at > LATEST_BARE_ROOT => return Err(AuxPowError::RootTooLate(at)),
        None => {}
    }
    let mut rest = Reader(from);
    rest.array::<32>()?;
    match (rest.u32(), rest.u32()) {
        (Ok(size), Ok(nonce)) => Ok((size, nonce)),
        _ => Err(AuxPowError::NoSizeAndNonce),
    }
}

/// A chain's place in a tree of this size. The nonce determines it, so that a chain can't occur
/// twice.
///
/// Nodes shift the number out of a signed version, so that `0x8000` and above are negative for
/// them.
fn place_of(nonce: u32, chain: u16, size: u32) -> u32 {
    let step = |state: u32| state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
    let chain = i32::from(chain.cast_signed()).cast_unsigned();
    // a size is a power of two, never zero
    step(step(nonce).wrapping_add(chain)).checked_rem(size).unwrap_or(0)
}

fn version(header: &[u8; 80]) -> u32 {
    // 80 bytes have a first four
    header.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// Number of the chain in a version.
const fn chain_of(version: u32) -> u16 {
    let [_, _, low, high] = version.to_le_bytes();
    u16::from_le_bytes([low, high])
}

fn root(leaf: B256, branch: &[[u8; 32]], mut index: u32) -> B256 {
    let mut node = leaf;
    for sibling in branch {
        let sibling = B256::new(*sibling);
        node = if index & 1 == 0 { merkle_parent(&node, &sibling) } else { merkle_parent(&sibling, &node) };
        index >>= 1;
    }
    node
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// The bytes not read yet.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], AuxPowError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(AuxPowError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const LENGTH: usize>(&mut self) -> Result<&'a [u8; LENGTH], AuxPowError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(AuxPowError::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    fn u32(&mut self) -> Result<u32, AuxPowError> {
        self.array().map(|bytes| u32::from_le_bytes(*bytes))
    }

    /// A count of Bitcoin's variable length.
    fn count(&mut self) -> Result<usize, AuxPowError> {
        let [first] = *self.array()?;
        let (count, least) = match first {
            0xfd => (u16::from_le_bytes(*self.array()?).into(), 0xfd),
            0xfe => (u32::from_le_bytes(*self.array()?).into(), 0x1_0000),
            0xff => (u64::from_le_bytes(*self.array()?), 0x1_0000_0000),
            small => (u64::from(small), 0),
        };
        if count < least {
            return Err(AuxPowError::LongCount);
        }
        if count > MAX_COUNT {
            return Err(AuxPowError::HugeCount(count));
        }
        usize::try_from(count).map_err(|_| AuxPowError::Truncated)
    }

    fn counted(&mut self) -> Result<&'a [u8], AuxPowError> {
        let count = self.count()?;
        self.take(count)
    }

    fn branch(&mut self) -> Result<&'a [[u8; 32]], AuxPowError> {
        let bytes = self.count()?.checked_mul(32).ok_or(AuxPowError::Truncated)?;
        Ok(self.take(bytes)?.as_chunks().0)
    }

    /// Reads a transaction without witness; returns its bytes and the script of its first input.
    fn transaction(&mut self) -> Result<(&'a [u8], &'a [u8]), AuxPowError> {
        let all = self.0;
        self.u32()?;
        let mut first = None;
        for _ in 0..self.count()? {
            self.array::<36>()?;
            let script = self.counted()?;
            first.get_or_insert(script);
            self.u32()?;
        }
        let script = first.ok_or(AuxPowError::NoInput)?;
        for _ in 0..self.count()? {
            self.array::<8>()?;
            self.counted()?;
        }
        self.u32()?;
        let length = all.len().saturating_sub(self.0.len());
        let transaction = all.get(..length).ok_or(AuxPowError::Truncated)?;
        Ok((transaction, script))
    }
}
