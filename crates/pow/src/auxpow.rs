//! Merged mining: a block of one chain whose proof of work is the header of a block of another, its parent.
//!
//! The block's hash is a leaf of a small Merkle tree whose root stands in the parent's coinbase. So the work that the
//! block shows is the parent's and no other, however many blocks of however many chains it is shown for: whoever counts
//! work counts the parent's header, which [`AuxPow::verify`] returns, and counts it once.
//!
//! The rules are those that Namecoin wrote down ("Merged mining specification", en.bitcoin.it) and that Dogecoin Core checks
//! on its main chain: `CAuxPow::check` and what calls it. Where the two part, Dogecoin Core is followed.

use crate::{merkle_parent, sha256d};
use alloy_primitives::B256;
use thiserror::Error;

/// What stands before the root of the chains' tree in a coinbase.
const MAGIC: [u8; 4] = [0xfa, 0xbe, b'm', b'm'];

/// Where the root has to begin at the latest in a coinbase that lacks [`MAGIC`].
const LATEST_BARE_ROOT: usize = 20;

/// What nodes read of anything that is counted at most (`MAX_SIZE` of Bitcoin's serialization).
const MOST_COUNTED: u64 = 0x0200_0000;

/// Levels of the chains' tree at most.
const MOST_LEVELS: usize = 30;

/// Bit of a header's version that says that its proof is elsewhere.
const VERSION_AUXPOW: u32 = 1 << 8;

/// Why bytes are no [`AuxPow`], or why one proves nothing for a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AuxPowError {
    /// The bytes end inside a field.
    #[error("the bytes end inside a field")]
    Truncated,
    /// A count is written in more bytes than it needs.
    #[error("a count is written in more bytes than it needs")]
    LongCount,
    /// A count is above what nodes read.
    #[error("a count of {0} is more than nodes read")]
    HugeCount(u64),
    /// The parent's first transaction has no input, or comes with its witness.
    #[error("the parent's coinbase has no input or comes with its witness")]
    NoInput,
    /// The parent's first transaction is followed by something.
    #[error("something follows the parent's coinbase")]
    AfterCoinbase,
    /// The block does not say that it is merged-mined.
    #[error("the block does not say that it is merged-mined")]
    NotMergedMined,
    /// The block is of another chain.
    #[error("the block says that it is of chain {0}")]
    OtherChain(u16),
    /// The transaction is not the parent's first.
    #[error("the transaction is number {0} of the parent and not its first")]
    NotFirst(u32),
    /// The parent is of the block's own chain.
    #[error("the parent is of the block's own chain")]
    ParentOfSameChain,
    /// The tree of chains is too deep.
    #[error("the tree of chains has {0} levels")]
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
    /// There is no merged-mining header, and the root comes too late to do without.
    #[error("there is no merged-mining header and the root begins only at byte {0}")]
    RootTooLate(usize),
    /// Size and nonce of the tree of chains are not behind the root.
    #[error("no size and nonce behind the root")]
    NoSizeAndNonce,
    /// The tree of chains has another size than the branch says.
    #[error("the tree of chains has size {0} and not that of the branch")]
    WrongSize(u32),
    /// The block is not where its chain belongs in the tree of chains.
    #[error("the block is at {got} of the tree of chains and its chain belongs at {expected}")]
    WrongPlace {
        /// Where the branch puts it.
        got: u32,
        /// Where the chain belongs.
        expected: u32,
    },
}

/// The proof that comes with a merged-mined block, as parsed or put together.
///
/// It says nothing until [`AuxPow::verify`] has looked at it, and then not that there was any work: see there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuxPow<'a> {
    /// First transaction of the parent, without its witness.
    pub coinbase: &'a [u8],
    /// From the coinbase to the parent's Merkle root, from the leaf up, in the byte order of the hash function.
    pub coinbase_branch: &'a [[u8; 32]],
    /// Place of the coinbase among the parent's transactions.
    pub coinbase_index: u32,
    /// From the block's hash to the root in the coinbase, likewise.
    pub chain_branch: &'a [[u8; 32]],
    /// Place of the block in the tree of chains.
    pub chain_index: u32,
    /// Header of the parent.
    pub parent: &'a [u8; 80],
}

impl<'a> AuxPow<'a> {
    /// Reads what stands between the header and the transactions of a merged-mined block, and returns the rest.
    ///
    /// The parent's hash, which old software put there too, is skipped as in every node: it is that of
    /// [`AuxPow::parent`] or wrong.
    ///
    /// A coinbase that comes with its witness is refused, though nodes may read one: the parent commits to its
    /// transaction without the witness, so whoever has such bytes leaves that out first.
    ///
    /// # Errors
    /// [`Truncated`](AuxPowError::Truncated), [`LongCount`](AuxPowError::LongCount) or
    /// [`HugeCount`](AuxPowError::HugeCount) where the bytes are none that a node would read, and
    /// [`NoInput`](AuxPowError::NoInput) for a coinbase without inputs, which is also what one with a witness looks like.
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

    /// Whether this ties the parent to the block with this header, on the chain with this number: `0x62` for Dogecoin.
    /// Returns the parent's header, in 80 bytes as they are hashed.
    ///
    /// **The work is yet to be checked.** Anybody can put together a parent that commits to a block. The caller owes the
    /// comparison of the *parent's* proof of work, [`scrypt`](crate::scrypt::scrypt) of the header returned, with the
    /// target that the *block's* `nBits` stand for (bytes 72 to 76 of `header`), and to see that those `nBits` are what
    /// the chain asks for. The block's own scrypt means nothing.
    ///
    /// ```
    /// # use hashlease_pow::{AuxPow, AuxPowError, hash_as_integer, scrypt::{Scratch, scrypt}};
    /// # use alloy_primitives::U256;
    /// /// `target` is what the `nBits` of `header` stand for.
    /// fn work_shown(proof: &AuxPow<'_>, header: &[u8; 80], target: U256) -> Result<bool, AuxPowError> {
    ///     let parent = proof.verify(header, 0x62)?;
    ///     Ok(hash_as_integer(&scrypt(parent, &mut Scratch::new())) <= target)
    /// }
    /// ```
    ///
    /// **The unit of work is the parent's header.** A share of a merged-mining lease is a parent's header and is
    /// counted as such, whatever blocks it was shown for: a block of a child chain is no second unit of work, and two
    /// children of one parent are one. Evidence therefore holds parents' headers only. This is for whoever starts from a
    /// child chain's block, as a pool's list of found blocks has it, and looks for the header that evidence has to hold.
    ///
    /// **A coinbase is what Dogecoin Core takes for one**: the transaction at place 0 of the parent, of which only the
    /// script of the first input is looked at. That its input spends nothing, or that there is but one, isn't asked; nor
    /// is anything else that the parent's own chain would ask of its block. So a parent need not be a block of any chain.
    ///
    /// Block and parent have to name different chains, as wherever Dogecoin Core's `fStrictChainId` is set: on its main
    /// chain.
    ///
    /// # Errors
    /// One of [`AuxPowError`] for each rule: what the header says of itself, then where the coinbase stands, whether its
    /// bytes are a transaction and nothing else, and what its script commits to. It is the first of the rules broken, in
    /// an order of its own: nodes agree in what they refuse and not in what they call it.
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
        if levels > MOST_LEVELS {
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
        // The root stands in the coinbase as explorers would show it.
        let mut chain_root = root(sha256d(header), self.chain_branch, self.chain_index);
        chain_root.0.reverse();
        let (size, nonce) = committed(script, &chain_root)?;
        // At most 30 levels.
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

/// Size and nonce of the one tree of chains that a coinbase's script commits to, if its root is this.
fn committed(script: &[u8], root: &B256) -> Result<(u32, u32), AuxPowError> {
    let at = find(script, root.as_slice()).ok_or(AuxPowError::NotCommitted)?;
    let (before, from) = script.split_at_checked(at).ok_or(AuxPowError::NotCommitted)?;
    match find(script, &MAGIC) {
        Some(magic) => {
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

/// Where a chain belongs in a tree of this size: fixed by the nonce, so that a chain cannot be there twice.
///
/// Nodes shift the number out of a signed version, so one from `0x8000` on is negative to them.
fn place_of(nonce: u32, chain: u16, size: u32) -> u32 {
    let step = |state: u32| state.wrapping_mul(1_103_515_245).wrapping_add(12_345);
    let chain = i32::from(chain.cast_signed()).cast_unsigned();
    step(step(nonce).wrapping_add(chain)).checked_rem(size).unwrap_or(0)
}

fn version(header: &[u8; 80]) -> u32 {
    header.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// Number of the chain that a version names.
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

/// Bytes that are yet to be read.
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
        if count > MOST_COUNTED {
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

    /// A transaction without witness, and the script of its first input.
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
