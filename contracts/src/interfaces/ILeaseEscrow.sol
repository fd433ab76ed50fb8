// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

// Proof-of-work families, as an offer and a lease name them. Zero is no algorithm.
// The values are part of the signed offer: never renumber.
uint8 constant ALGORITHM_SHA256D = 1;
uint8 constant ALGORITHM_SCRYPT = 2;
uint8 constant ALGORITHM_ETHASH = 3;
uint8 constant ALGORITHM_ETCHASH = 4;

/// @notice A provider's signed offer (EIP-712, domain of the escrow). Fills consume `hashRate`.
/// @param provider Who sells, signs, and whose deposited balance the bond is locked from.
/// @param algorithm One of the `ALGORITHM_*` values.
/// @param token ERC-20 of payment and bond.
/// @param price Base units of `token` per 10^21 hashes.
/// @param hashRate Hashes per second on sale over all fills of this offer.
/// @param minHashRate Smallest fill, hashes per second.
/// @param epochLength Seconds of an epoch.
/// @param minDuration Shortest lease, seconds.
/// @param maxDuration Longest lease, seconds.
/// @param notice Seconds between renting and the earliest start.
/// @param bondBps Bond in basis points of the payment.
/// @param cancelBps Cancel fee in basis points of what a cancellation returns; at most `bondBps`.
/// @param oracle Registered oracle that credits the lease.
/// @param jobSigner The only job signer accepted; zero leaves the choice to the renter.
/// @param nodeKey X25519 public key of the provider's node, to which the node's box is sealed.
/// @param expiry Last second at which the offer can be filled.
/// @param counter Must equal the provider's counter: one bump cancels every offer below it.
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
    uint16 bondBps;
    uint16 cancelBps;
    uint32 oracle;
    address jobSigner;
    bytes32 nodeKey;
    uint40 expiry;
    uint256 counter;
    uint256 salt;
}

/// @notice What a renter chooses when filling an offer.
/// @param recipient Owner of the lease NFT; the payment is always the caller's.
/// @param hashRate Hashes per second to rent, exact.
/// @param start First second of the lease.
/// @param duration Seconds, a whole number of epochs.
/// @param maxPayment The most the caller agrees to pay, base units.
/// @param jobSigner Address of the key that signs this lease's jobs.
/// @param continues Lease that this one renews, zero if none.
/// @param nodeBox Sealed to the node: where the gateway is, and the access token. At most 512 bytes.
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

/// @notice Everything the escrow knows of a lease.
/// @dev `committed = rate × duration`; `bond` is what is left of it.
struct Lease {
    address provider;
    address token;
    address jobSigner;
    uint32 oracle;
    uint8 algorithm;
    uint8 weightLog2;
    uint96 rate;
    uint40 start;
    uint40 end;
    uint32 duration;
    uint32 epochLength;
    uint16 cancelBps;
    uint16 bondBps;
    uint128 payment;
    uint128 bond;
    uint96 credited;
    uint96 due;
    uint40 asOf;
    uint96 collectedWork;
    bool last;
    bool settled;
}

/// @notice One entry of `credit`, all figures cumulative since the lease's start.
/// @param lease Lease id.
/// @param asOf End of the epoch up to which the figures count.
/// @param work Verified work, expected hashes.
/// @param due Work that was asked for, expected hashes.
/// @param last No later statement will follow. Only takes effect when `asOf` is the lease's end.
struct Credit {
    uint256 lease;
    uint40 asOf;
    uint96 work;
    uint96 due;
    bool last;
}

/// @notice A registered oracle. Everything but `listed` is fixed at registration.
/// @param account The contract that may call `credit`.
/// @param window Seconds after a lease's end during which it may still be credited.
/// @param feeBps Fee in basis points of released money.
/// @param payee Who gets the fee.
/// @param listed Whether new leases may pin it.
struct Oracle {
    address account;
    uint32 window;
    uint16 feeBps;
    address payee;
    bool listed;
}

/// @notice Bounds of what can be rented and registered, seconds; constants of a deployment.
struct Bounds {
    uint32 minDuration;
    uint32 maxDuration;
    uint32 minEpoch;
    uint32 maxEpoch;
    uint32 maxNotice;
    uint32 minWindow;
    uint32 maxWindow;
}

/// @title The escrow of hash power leases
/// @notice Holds a renter's payment and a provider's bond per lease, releases the payment pro rata to the work that
/// the lease's oracle credits, and returns the rest without asking anyone. Each lease is an ERC-721 token; its owner
/// gets every refund.
interface ILeaseEscrow {
    // ---------------------------------------------------------------- events

    /// @notice Tokens came in for `account`'s balance.
    event Deposited(address indexed account, address indexed token, uint256 amount);
    /// @notice `amount` of `account`'s balance was paid out to `to`.
    event Withdrawn(address indexed account, address indexed token, address indexed to, uint256 amount);
    /// @notice A lease was rented. Its parameters are read with `lease(id)`; none but the end ever changes.
    event Rented(
        uint256 indexed lease,
        address indexed provider,
        address indexed jobSigner,
        bytes32 offerHash,
        address payer,
        address recipient,
        uint256 continues
    );
    /// @notice The two sealed boxes of a lease. A later event replaces an earlier one.
    event Boxes(uint256 indexed lease, bytes nodeBox, bytes gatewayBox);
    /// @notice The lease's cumulative figures after a credit.
    event Credited(uint256 indexed lease, uint96 credited, uint96 due, uint40 asOf, bool last);
    /// @notice An entry of `credit` was skipped; `reason` is the selector of the named error.
    event CreditSkipped(uint256 indexed lease, bytes4 reason);
    /// @notice Released money was booked: `amount` to the provider, `fee` to the oracle's payee.
    event Collected(uint256 indexed lease, uint96 credited, uint256 amount, uint256 fee);
    /// @notice The lease is over. `refund` (without `slashed`) and `slashed` were booked to the NFT's owner, `bond`
    /// to the provider.
    event Settled(uint256 indexed lease, address indexed owner, uint256 refund, uint256 slashed, uint256 bond);
    /// @notice The provider's counter moved: every offer signed under an earlier one is void.
    event CounterBumped(address indexed provider, uint256 counter);
    /// @notice An oracle was registered.
    event OracleRegistered(uint32 indexed id, address indexed account, uint32 window, uint16 feeBps, address payee);
    /// @notice New leases may (or may no longer) pin the oracle.
    event OracleListed(uint32 indexed id, bool listed);
    /// @notice New leases may (or may no longer) use the token.
    event TokenListed(uint32 indexed id, address indexed token, bool listed);
    /// @notice Cap on payments and bonds of unsettled leases of one oracle in one token.
    event ExposureCapSet(uint32 indexed oracle, address indexed token, uint256 cap);

    // ---------------------------------------------------------------- errors

    error BadBounds();
    error InvalidSignature(address provider);
    error OfferExpired(uint40 expiry, uint256 now_);
    error CounterMismatch(uint256 expected, uint256 actual);
    error UnknownAlgorithm(uint8 algorithm);
    error TokenNotListed(address token);
    error OracleNotListed(uint32 oracle);
    error HashRateBelowMinimum(uint96 minimum, uint96 actual);
    error OfferExhausted(uint96 remaining, uint96 asked);
    error EpochLengthOutOfBounds(uint32 minimum, uint32 maximum, uint32 actual);
    error DurationOutOfBounds(uint256 minimum, uint256 maximum, uint32 actual);
    error DurationNotWholeEpochs(uint32 epochLength, uint32 duration);
    error TooManyEpochs(uint256 maximum, uint256 actual);
    error NoticeOutOfBounds(uint32 maximum, uint32 actual);
    error StartOutOfBounds(uint256 earliest, uint256 latest, uint40 actual);
    error BondBpsOutOfBounds(uint16 maximum, uint16 actual);
    error CancelBpsOutOfBounds(uint16 maximum, uint16 actual);
    error JobSignerMismatch(address expected, address actual);
    error BoxTooLong(uint256 maximum, uint256 actual);
    error RecipientIsZero();
    error LeaseTooSmall(uint256 work);
    error WorkOverflow(uint256 work);
    error PaymentAboveMaximum(uint256 maximum, uint256 actual);
    error InsufficientBalance(uint256 available, uint256 needed);
    error ExposureCapExceeded(uint256 cap, uint256 exposure);
    error InexactTransfer(uint256 expected, uint256 actual);
    error UnknownLease(uint256 lease);
    error NotLeaseOracle(uint256 lease, address caller);
    error AlreadySettled(uint256 lease);
    error AsOfNotEpochEnd(uint40 asOf);
    error AsOfInFuture(uint40 asOf);
    error AsOfAfterEnd(uint40 asOf);
    error BatchTooLong(uint256 maximum, uint256 actual);
    error NothingToCollect(uint256 lease);
    error NotSettleable(uint256 lease, uint256 settleAfter);
    error AlreadyRegistered(address account);
    error WindowOutOfBounds(uint32 minimum, uint32 maximum, uint32 actual);
    error FeeOutOfBounds(uint16 maximum, uint16 actual);
    error ZeroAddress();
    error NotARenewal(uint256 lease);

    // ---------------------------------------------------------------- money in and out

    /// @notice Adds `amount` of a listed token to the caller's balance; bonds are locked out of it.
    function deposit(address token, uint256 amount) external;
    /// @notice Pays `amount` of the caller's balance out to `to`.
    function withdraw(address token, address to, uint256 amount) external;
    /// @notice Pushes the whole balance of `account` to `account`. Anyone may call.
    function withdrawFor(address token, address account) external;

    // ---------------------------------------------------------------- a lease's life

    /// @notice Fills an offer: pulls the payment from the caller, locks the bond, mints the lease.
    /// @return lease The lease's id, which is its token id.
    function rent(Offer calldata offer, bytes calldata signature, RentRequest calldata request)
        external
        returns (uint256 lease);
    /// @notice Takes cumulative figures from the leases' oracle. Each state variable takes the maximum of old and new;
    /// `work` counts up to `min(work, committed, 1.25 × rate × (asOf − start))`, `due` up to `rate × (asOf − start)`.
    /// A bad entry is skipped with an event and spoils nothing.
    function credit(Credit[] calldata credits) external;
    /// @notice Books what was credited since the last time: to the provider, less the fee. Anyone may call.
    function collect(uint256 lease) external;
    /// @notice Ends a lease when all is credited, or its oracle said `last`, or the credit window has passed. Anyone
    /// may call; nobody is asked.
    function settle(uint256 lease) external;
    /// @notice Voids every offer the caller signed so far.
    function bumpCounter() external returns (uint256 counter);

    // ---------------------------------------------------------------- governance, new leases only

    /// @notice Registers an oracle for good, listed.
    function registerOracle(address account, uint32 window, uint16 feeBps, address payee) external returns (uint32 id);
    /// @notice Lets new leases pin the oracle, or stops them.
    function listOracle(uint32 id, bool listed) external;
    /// @notice Lets new leases use the token, or stops them.
    function listToken(address token, bool listed) external returns (uint32 id);
    /// @notice Bounds what leases of this oracle may hold in this token. Full: no new leases, exits untouched.
    function setExposureCap(uint32 oracle, address token, uint256 cap) external;

    // ---------------------------------------------------------------- views

    /// @notice The state of a lease. Reverts with `UnknownLease`.
    function lease(uint256 id) external view returns (Lease memory);
    /// @notice Ids run from 1 to this.
    function leaseCount() external view returns (uint256);
    /// @notice Withdrawable base units.
    function balance(address account, address token) external view returns (uint256);
    /// @notice Base units the escrow owes in this token: balances, and payments and bonds of unsettled leases.
    function liabilities(address token) external view returns (uint256);
    /// @notice Hashes per second of an offer already rented.
    function filled(bytes32 offerHash) external view returns (uint96);
    /// @notice The counter that a provider's offers must carry.
    function counter(address provider) external view returns (uint256);
    /// @notice A registered oracle.
    function oracle(uint32 id) external view returns (Oracle memory);
    /// @notice Payments and bonds of unsettled leases, and their cap.
    function exposure(uint32 oracle, address token) external view returns (uint256 used, uint256 cap);
    /// @notice The EIP-712 digest that the provider signs.
    function offerDigest(Offer calldata offer) external view returns (bytes32);
    /// @notice EIP-712 struct hash, by which fills are counted.
    function offerHash(Offer calldata offer) external pure returns (bytes32);
    /// @notice The bounds of this deployment.
    function bounds() external view returns (Bounds memory);
}
