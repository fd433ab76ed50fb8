// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Lease, Offer, Oracle, RentRequest, Statement} from "contracts/src/interfaces/LeaseTypes.sol";

/// @title The escrow of hash power leases
/// @notice Holds a renter's payment and a provider's bond per lease, releases the payment pro rata to the work that
/// the lease's oracle credits, and returns the rest without asking anyone. Each lease is an ERC-721 token; its owner
/// gets every refund. Nobody has a right over it but by the rules below: no owner, no governor, no upgrade.
interface ILeaseEscrow {
    // ---------------------------------------------------------------- events

    /// @notice Tokens came in for `account`'s balance.
    event Deposited(address indexed account, address indexed token, uint256 amount);
    /// @notice `amount` of `account`'s balance was paid out to `to`.
    event Withdrawn(address indexed account, address indexed token, address indexed to, uint256 amount);
    /// @notice Others may (or may no longer) push out the account's balance.
    event BalanceKept(address indexed account, bool kept);
    /// @notice Tokens that were owed to nobody went to the treasury.
    event SurplusRecovered(address indexed token, address indexed treasury, uint256 amount);
    /// @notice Withdrawals were taken off `liabilities`.
    event Reconciled(address indexed token, uint256 liabilities);

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
    /// @notice The provider's counter moved: every offer signed under an earlier one is void.
    event CounterBumped(address indexed provider, uint256 counter);
    /// @notice The provider took one offer back.
    event OfferCancelled(address indexed provider, bytes32 indexed offerHash);
    /// @notice An oracle's account, window, fee and payee were copied from the registry, for good.
    event OraclePinned(uint32 indexed oracle, address indexed account, uint32 window, uint16 feeBps, address payee);

    /// @notice The lease's cumulative figures after a credit, and the oracle's chain of evidence for them.
    event Credited(uint256 indexed lease, uint96 credited, uint96 due, uint40 asOf, bytes32 evidence);
    /// @notice The oracle said its last word on the lease.
    event LastWord(uint256 indexed lease);
    /// @notice An entry of `credit` was skipped; `reason` is the selector of the named error.
    event CreditSkipped(uint256 indexed lease, bytes4 reason);
    /// @notice The oracle found an epoch's claim void: out of the bond, so much was booked to the NFT's owner and to
    /// the challenger.
    event EpochVoided(
        uint256 indexed lease, uint32 indexed epoch, address indexed challenger, uint256 toOwner, uint256 toChallenger
    );
    /// @notice Released money was booked: `amount` to the provider, `fee` to the oracle's payee.
    event Collected(uint256 indexed lease, uint96 credited, uint256 amount, uint256 fee);
    /// @notice The renter's side brought the end closer. `returned` was booked to the NFT's owner; `fee` stays aside
    /// until the lease is settled.
    event Cancelled(uint256 indexed lease, address indexed owner, uint256 end, uint256 returned, uint256 fee);
    /// @notice The provider brought the end closer.
    event Terminated(uint256 indexed lease, uint256 end);
    /// @notice The lease is over. `refund` of the payment and `slashed` of the bond were booked to the NFT's owner,
    /// `bond` and the part `fee` of a cancel fee to the provider.
    event Settled(
        uint256 indexed lease, address indexed owner, uint256 refund, uint256 slashed, uint256 bond, uint256 fee
    );
    /// @notice A call of `batch` failed with `reason`; the others took effect.
    event CallFailed(uint256 indexed index, bytes reason);

    // ---------------------------------------------------------------- errors

    error ZeroAddress();
    error InvalidRecipient(address to);
    error BalanceIsKept(address account);
    error TokenNotListed(address token);
    error NativeNotTaken(address token);
    error InsufficientBalance(uint256 available, uint256 needed);
    error LiabilitiesOverflow(uint256 liabilities);
    error InexactTransfer(uint256 expected, uint256 actual);
    error NothingToRecover(address token);
    error NotWrappedNative(address sender);

    error InvalidSignature(address provider);
    error OfferExpired(uint40 expiry, uint256 now_);
    error CounterMismatch(uint256 expected, uint256 actual);
    error OfferExhausted(uint96 remaining, uint96 asked);
    error OfferIsCancelled(bytes32 offerHash);
    error HashRateBelowMinimum(uint96 minimum, uint96 actual);
    error NotOfferProvider(address provider, address caller);
    error RecipientIsZero();
    error BoxTooLong(uint256 maximum, uint256 actual);
    error JobSignerMismatch(address expected, address actual);
    error StartOutOfBounds(uint256 earliest, uint256 latest, uint40 actual);
    error NotARenewal(uint256 lease);
    error AlreadyRenewed(uint256 lease, uint256 by);
    error PaymentAboveMaximum(uint256 maximum, uint256 actual);
    error ExposureCapExceeded(uint256 cap, uint256 exposure);

    error UnknownLease(uint256 lease);
    error AlreadySettled(uint256 lease);
    error NotLeaseOracle(uint256 lease, address caller);
    error AsOfNotEpochEnd(uint40 asOf);
    error AsOfInFuture(uint40 asOf);
    error AsOfAfterEnd(uint40 asOf);
    error BatchTooLong(uint256 maximum, uint256 actual);
    error EpochOutOfBounds(uint256 epochs, uint32 epoch);
    error EpochIsVoid(uint256 lease, uint32 epoch);
    error NothingToCollect(uint256 lease);
    error NotSettleable(uint256 lease, uint256 settleAfter);
    error NotLeaseOwner(uint256 lease, address caller);
    error NotLeaseProvider(uint256 lease, address caller);
    error NotController(uint256 lease, address caller);
    error AlreadyEnding(uint256 lease);
    error NothingToShorten(uint256 lease, uint256 end);
    error CallOutOfGas(uint256 index, uint256 share);

    // ---------------------------------------------------------------- money in and out

    /// @notice Adds `amount` of a listed token to the caller's balance; bonds are locked out of it. With native
    /// currency sent along, exactly `amount` of it is wrapped instead of pulling tokens.
    function deposit(address token, uint256 amount) external payable;
    /// @notice Pays `amount` of the caller's balance out to `to`.
    function withdraw(address token, address to, uint256 amount) external;
    /// @notice Pays `amount` of the caller's balance in wrapped native currency out to `to`, unwrapped.
    function withdrawNative(address to, uint256 amount) external;
    /// @notice Pushes the whole balance of `account` to `account`. Anyone may call, unless the account keeps it.
    function withdrawFor(address token, address account) external;
    /// @notice Whether the caller keeps its balances, so that nobody else can push them out: bonds are locked out of a
    /// provider's balance, and without it nobody could rent.
    function keepBalance(bool kept) external;
    /// @notice Uses an ERC-2612 permit of the caller's for this contract. A permit that fails, because somebody used it
    /// before or the token knows none, is ignored: what follows in the same `batch` needs the allowance, not the permit.
    function permit(address token, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external;
    /// @notice Takes the accounts' withdrawals since the last time off `liabilities`. Anyone may call.
    function reconcile(address token, address[] calldata accounts) external;
    /// @notice Sends what the escrow holds above `liabilities` to the registry's treasury; for the zero address, native
    /// currency, of which it owes nothing. Anyone may call.
    function recoverSurplus(address token) external;
    /// @notice Makes several calls of the caller's own. `strict`: all of them or none. Otherwise a failed one is told
    /// with `CallFailed` and spoils nothing. Each gets an equal share of what gas is left; with a share below 300,000 all
    /// reverts, so that no settlement, collection or withdrawal fails for want of gas alone. What takes more (renting with
    /// a contract's signature, long lists) belongs in a strict batch.
    function batch(bytes[] calldata calls, bool strict) external;

    // ---------------------------------------------------------------- offers

    /// @notice Fills an offer: pulls the payment from the caller, locks the bond, mints the lease.
    /// @param signature The provider's: an ECDSA key's, or a contract's (ERC-1271).
    /// @param proof Empty when the offer itself was signed; otherwise the way from its hash, hashed again, to the root
    /// of a signed `OfferRoot` (sorted pairs).
    /// @return lease The lease's id, which is its token id.
    function rent(
        Offer calldata offer,
        bytes calldata signature,
        bytes32[] calldata proof,
        RentRequest calldata request
    ) external payable returns (uint256 lease);
    /// @notice Voids every offer the caller signed so far.
    function bumpCounter() external returns (uint256 counter);
    /// @notice Takes back one offer of the caller's.
    function cancelOffer(Offer calldata offer) external;

    // ---------------------------------------------------------------- a lease's life

    /// @notice Publishes new boxes. For the controller: the unexpired user, else the NFT's owner.
    function setBoxes(uint256 lease, bytes calldata nodeBox, bytes calldata gatewayBox) external;
    /// @notice Takes cumulative figures from the leases' oracle. Each state variable takes the maximum of old and new;
    /// `work` counts up to `min(work, committed, 1.25 × rate × (asOf − start))`, `due` up to `rate × (asOf − start)`.
    /// An entry with bad values is skipped with an event and spoils nothing; one with bad encoding reverts all.
    function credit(Statement[] calldata statements) external;
    /// @notice For the lease's oracle, once per epoch: the claim of this epoch is void. One epoch's pay, at most what is
    /// left of the bond, goes to the NFT's owner (three quarters) and to the challenger (a quarter).
    function voidEpoch(uint256 lease, uint32 epoch, address challenger) external;
    /// @notice Books what was credited since the last time: to the provider, less the fee. Anyone may call.
    function collect(uint256 lease) external;
    /// @notice For the NFT's owner and approved accounts: ends the lease with the running epoch, at once before its start.
    /// What no credit can reach any more is returned to the owner, less the cancel fee.
    function cancel(uint256 lease) external;
    /// @notice For the provider: ends the lease with the running epoch, at once before its start. Costs the bond's share
    /// of the cancelled time, as far as work was asked for; before the start the whole bond.
    function terminate(uint256 lease) external;
    /// @notice Ends a lease when all is credited, or its oracle said `last`, or the credit window has passed. Anyone
    /// may call; nobody is asked.
    function settle(uint256 lease) external;

    // ---------------------------------------------------------------- views

    /// @notice The state of a lease. Reverts with `UnknownLease`.
    function lease(uint256 id) external view returns (Lease memory);
    /// @notice Ids run from 1 to this.
    function leaseCount() external view returns (uint256);
    /// @notice Who may publish boxes: the unexpired user, else the NFT's owner.
    function controllerOf(uint256 lease) external view returns (address);
    /// @notice Whether an epoch's claim was found void.
    function isVoid(uint256 lease, uint32 epoch) external view returns (bool);
    /// @notice The lease that renews this one, zero if none.
    function renewedBy(uint256 lease) external view returns (uint256);
    /// @notice Whether only the account itself can withdraw its balances.
    function keepsBalance(address account) external view returns (bool);
    /// @notice Withdrawable base units.
    function balance(address account, address token) external view returns (uint256);
    /// @notice Base units withdrawn by the account that `liabilities` still contains.
    function unreconciled(address account, address token) external view returns (uint256);
    /// @notice At least what the escrow owes in this token: balances, payments and bonds of unsettled leases, and
    /// withdrawals that nobody reconciled yet.
    function liabilities(address token) external view returns (uint256);
    /// @notice Hashes per second of an offer already rented; all ones when it was cancelled.
    function filled(bytes32 offerHash) external view returns (uint96);
    /// @notice The counter that a provider's offers must carry.
    function counter(address provider) external view returns (uint256);
    /// @notice Payments and bonds of unsettled leases of the oracle in the token, as they were at renting.
    function exposure(uint32 oracle, address token) external view returns (uint256);
    /// @notice What the escrow keeps of an oracle from its first lease on; zero before. `listed` tells nothing here.
    function pinnedOracle(uint32 id) external view returns (Oracle memory);
    /// @notice What new leases may use.
    function registry() external view returns (address);
    /// @notice Draws the NFT's metadata.
    function descriptor() external view returns (address);
    /// @notice The wrapped native currency, zero until the first payment or withdrawal in native currency.
    function wrappedNative() external view returns (address);
}
