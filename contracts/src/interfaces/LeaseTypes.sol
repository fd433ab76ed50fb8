// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

// Proof-of-work families in offers and leases; zero is none. The values are part of the signed
// offer: never renumber.
uint8 constant ALGORITHM_SHA256D = 1;
uint8 constant ALGORITHM_SCRYPT = 2;
uint8 constant ALGORITHM_ETHASH = 3;
uint8 constant ALGORITHM_ETCHASH = 4;

// How the end of a lease was moved.
uint8 constant ENDING_AS_RENTED = 0;
uint8 constant ENDING_CANCELLED = 1;
uint8 constant ENDING_TERMINATED = 2;

/// @notice A provider's signed offer (EIP-712, the escrow's domain). Fills consume `hashRate`.
/// @param provider Account that sells and signs; the bond is locked from its balance.
/// @param algorithm One of the `ALGORITHM_*` values.
/// @param token ERC-20 token of payment and bond.
/// @param price Base units of `token` per 10^21 hashes.
/// @param hashRate Hashes per second on sale over all fills of this offer.
/// @param minHashRate Smallest fill, hashes per second.
/// @param epochLength Seconds of an epoch.
/// @param minDuration Shortest lease, seconds.
/// @param maxDuration Longest lease, seconds.
/// @param notice Seconds between renting and the earliest start.
/// @param latestEnd Latest end of a lease, Unix seconds; zero for none.
/// @param bondBps Bond in basis points of the payment.
/// @param cancelBps Fee for capacity that was held ready and not used, in basis points of what it
/// would have earned; at most `bondBps`. If the offer chose the job signer, or it is the
/// provider, only a cancellation costs it.
/// @param oracle Registered oracle that credits the lease.
/// @param jobSigner The only job signer accepted; zero leaves the choice to the renter.
/// @param taker The only caller of `rent` accepted, whoever gets the NFT; zero for anyone.
/// @param boxKey X25519 public key of the provider's node, to which the node's box is sealed.
/// @param expiry Last second at which the offer can be filled.
/// @param counter Must equal the provider's counter; raising the counter voids every offer below
/// it.
/// @param salt Makes otherwise equal offers distinct.
struct Offer {
    address provider;
    uint8 algorithm;
    address token;
    uint128 price;
    uint96 hashRate;
    uint96 minHashRate;
    uint32 epochLength;
    uint40 minDuration;
    uint40 maxDuration;
    uint32 notice;
    uint40 latestEnd;
    uint16 bondBps;
    uint16 cancelBps;
    uint32 oracle;
    address jobSigner;
    address taker;
    bytes32 boxKey;
    uint40 expiry;
    uint256 counter;
    uint256 salt;
}

/// @notice A renter's choices in filling an offer.
/// @param recipient Owner of the lease NFT; the caller always pays.
/// @param hashRate Hashes per second to rent, exact.
/// @param start First second of the lease.
/// @param duration Seconds, a whole number of epochs.
/// @param maxPayment Largest payment that the caller agrees to, base units.
/// @param jobSigner Address of the key that signs this lease's jobs.
/// @param continues Lease that this one renews; zero if none. It must be of the same provider, the
/// recipient must own it and the caller may act for its owner. The new lease starts where it ends,
/// and needs the offer's notice like any other.
/// @param nodeBox Sealed to the node: the gateway's address and the access token. At most 512
/// bytes.
/// @param gatewayBox Sealed to the gateway: the pool's URL, worker and password. At most 512 bytes.
struct RentRequest {
    address recipient;
    uint96 hashRate;
    uint40 start;
    uint32 duration;
    uint128 maxPayment;
    address jobSigner;
    uint256 continues;
    bytes nodeBox;
    bytes gatewayBox;
}

/// @notice The escrow's whole record of a lease.
/// @dev `committed = rate × duration`; `bond` is what voided epochs left of it, settled or not;
/// `held` is what the holder can claim now; `ending` is one of the `ENDING_*` values;
/// `signerDictated` says that the offer, not the renter, chose the job signer; `lastAt` is when the
/// oracle gave its last word, zero before.
struct Lease {
    address provider;
    address token;
    address jobSigner;
    uint32 oracle;
    uint8 algorithm;
    uint8 weightLog2;
    uint8 ending;
    bool signerDictated;
    uint96 rate;
    uint40 start;
    uint40 end;
    uint32 duration;
    uint32 epochLength;
    uint16 cancelBps;
    uint16 bondBps;
    uint128 payment;
    uint128 bond;
    uint128 held;
    uint96 credited;
    uint96 due;
    uint40 asOf;
    uint40 lastAt;
    uint96 collectedWork;
    bool settled;
}

/// @notice An oracle's statement about one lease; all figures are cumulative since the lease's
/// start.
/// @param lease Lease id.
/// @param asOf End of the epoch up to which the figures count.
/// @param work Verified work, expected hashes.
/// @param due Work that was asked for, expected hashes.
/// @param evidence Chain over the epochs' commitments: `e_i = keccak256(e_{i−1} ‖ root_i ‖
/// count_i)`, `e_{−1} = 0`.
/// @param last No later statement will follow. Has an effect only if `asOf` is the lease's end.
struct Statement {
    uint256 lease;
    uint40 asOf;
    uint96 work;
    uint96 due;
    bytes32 evidence;
    bool last;
}

/// @notice Terms of an oracle. They never change.
/// @param account The contract that may call `credit` and, if `voids`, `voidEpoch`.
/// @param window Seconds after a lease's end after which it can be settled without the oracle's
/// last word.
/// @param feeBps Fee in basis points of released money.
/// @param voids Whether it can void epochs.
/// @param payee Account that gets the fee.
/// @param algorithms Algorithms that it can check: bit `n` stands for the algorithm numbered `n`.
/// Bit 0 stands for none and is never set.
/// @param latestEnd Latest end of a lease that it can check, Unix seconds; zero for none.
/// @param minBondBps Least bond of a lease, basis points of the payment.
struct Registration {
    address account;
    uint32 window;
    uint16 feeBps;
    bool voids;
    address payee;
    uint32 algorithms;
    uint40 latestEnd;
    uint16 minBondBps;
}

/// @notice A registered oracle in two words.
/// @dev The fields are those of `Registration`.
/// @param listed Whether new leases may pin it; the only field that ever changes.
struct Oracle {
    address account;
    uint32 window;
    uint16 feeBps;
    bool voids;
    address payee;
    uint32 algorithms;
    uint40 latestEnd;
    uint16 minBondBps;
    bool listed;
}

/// @notice Limits of leases of one oracle in one token, base units; the governor sets them.
/// @param exposureCap The most that unsettled leases may hold.
/// @param leastPayment The least payment of a lease, so that its fee pays for its checking.
struct Limits {
    uint128 exposureCap;
    uint128 leastPayment;
}

/// @notice Bounds of what can be rented and registered, seconds; constants of a deployment.
/// @param minEpochs Least number of epochs of a lease.
/// @param minVoidingWindow Least window of an oracle that can void epochs.
struct Bounds {
    uint32 minDuration;
    uint32 maxDuration;
    uint32 minEpoch;
    uint32 maxEpoch;
    uint32 minEpochs;
    uint32 minNotice;
    uint32 maxNotice;
    uint32 minWindow;
    uint32 minVoidingWindow;
    uint32 maxWindow;
}

/// @notice Amounts of a fill.
/// @param payment Base units.
/// @param bond Base units.
/// @param exposureCap The most that unsettled leases of the offer's oracle may hold in its token,
/// base units.
/// @param weightLog2 Exponent of the settlement weight.
struct Admission {
    uint128 payment;
    uint128 bond;
    uint128 exposureCap;
    uint8 weightLog2;
}
