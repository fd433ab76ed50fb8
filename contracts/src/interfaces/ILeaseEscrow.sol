// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Lease, Offer, Oracle, RentRequest, Statement} from "contracts/src/interfaces/LeaseTypes.sol";
import {Schedule} from "contracts/src/libraries/Packed.sol";

/// @title The escrow of hash power leases
/// @notice Holds a renter's payment and a provider's bond per lease, releases the payment pro rata
/// to the work that the lease's oracle credits, and returns the rest without asking anyone. Each
/// lease is an ERC-721 token, whose owner of the moment claims every refund. Only the rules below
/// change a lease: no owner, no governor, no upgrade.
interface ILeaseEscrow {
    // ---------------------------------------------------------------- events

    /// @notice Tokens arrived for `account`'s balance.
    event Deposited(address indexed account, address indexed token, uint256 amount);
    /// @notice `amount` of `account`'s balance was paid out to `to`.
    event Withdrawn(address indexed account, address indexed token, address indexed to, uint256 amount);
    /// @notice Others may (or may no longer) push the account's balance out.
    event BalanceKept(address indexed account, bool kept);
    /// @notice Tokens that nobody is owed went to the treasury.
    event SurplusRecovered(address indexed token, address indexed treasury, uint256 amount);
    /// @notice Withdrawals were subtracted from `liabilities`.
    event Reconciled(address indexed token, uint256 liabilities);

    /// @notice A lease was rented. `lease(id)` returns its terms, of which only the end ever
    /// changes.
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
    /// @notice The provider's counter moved; every offer signed under an earlier one is void.
    event CounterBumped(address indexed provider, uint256 counter);
    /// @notice The provider cancelled one offer.
    event OfferCancelled(address indexed provider, bytes32 indexed offerHash);
    /// @notice The escrow copied an oracle's registration from the registry, for good.
    event OraclePinned(
        uint32 indexed oracle, address indexed account, uint32 window, bool voids, uint16 feeBps, address payee
    );

    /// @notice The lease's cumulative figures after a credit, and the oracle's evidence chain for
    /// them.
    event Credited(uint256 indexed lease, uint96 credited, uint96 due, uint40 asOf, bytes32 evidence);
    /// @notice The oracle gave its last word on the lease.
    event LastWord(uint256 indexed lease);
    /// @notice An entry of `credit` was skipped; `reason` is the selector of the named error.
    event CreditSkipped(uint256 indexed lease, bytes4 reason);
    /// @notice The oracle voided an epoch. Of the bond, the lease holds `toHolder` more for its
    /// holder, and `toChallenger` was booked to the challenger.
    event EpochVoided(
        uint256 indexed lease, uint32 indexed epoch, address indexed challenger, uint256 toHolder, uint256 toChallenger
    );
    /// @notice Released money was booked: `amount` to the provider, `fee` to the oracle's payee.
    event Collected(uint256 indexed lease, uint96 credited, uint256 amount, uint256 fee);
    /// @notice The owner's side moved the end closer. The lease holds `returned` more of the
    /// payment for its holder.
    event Cancelled(uint256 indexed lease, uint256 end, uint256 returned);
    /// @notice The provider moved the end to an earlier time.
    event Terminated(uint256 indexed lease, uint256 end);
    /// @notice The lease is over. It holds `refund` more of the payment and `slashed` of the bond
    /// for its holder; the provider got `bond` and `fee`, the latter for capacity that was held
    /// ready and not used.
    event Settled(uint256 indexed lease, uint256 refund, uint256 slashed, uint256 bond, uint256 fee);
    /// @notice All that the lease held for its holder was paid out to `to`.
    event Claimed(uint256 indexed lease, address indexed to, uint256 amount);
    /// @notice A call of `batch` failed with `reason`; the others took effect.
    event CallFailed(uint256 indexed index, bytes reason);

    // ---------------------------------------------------------------- errors

    error ZeroAddress();
    error InvalidRecipient(address to);
    error BalanceIsKept(address account);
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
    error TakerMismatch(address expected, address actual);
    error StartOutOfBounds(uint256 earliest, uint256 latest, uint40 actual);
    error NotARenewal(uint256 lease);
    error PaymentAboveMaximum(uint256 maximum, uint256 actual);
    error ExposureCapExceeded(uint256 cap, uint256 exposure);

    error UnknownLease(uint256 lease);
    error AlreadySettled(uint256 lease);
    error NotLeaseOracle(uint256 lease, address caller);
    /// @notice The caller is the oracle of none of the leases that it speaks of.
    error NoLeaseOracle(address caller);
    error OracleNeverVoids(uint32 oracle);
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
    error NothingToClaim(uint256 lease);
    /// @notice Until `from` only the holder takes what the lease holds.
    error NotPushable(uint256 lease, uint256 from);
    error CallOutOfGas(uint256 index, uint256 share);

    // ---------------------------------------------------------------- money in and out

    /// @notice Adds `amount` of a token to the caller's balance, from which bonds are locked, and
    /// has the caller keep its balance. If native currency is sent along, exactly `amount` of it is
    /// wrapped instead of pulling tokens.
    function deposit(address token, uint256 amount) external payable;
    /// @notice Pays `amount` of the caller's balance to `to`.
    function withdraw(address token, address to, uint128 amount) external;
    /// @notice Pays `amount` of the caller's balance in wrapped native currency to `to`, unwrapped.
    function withdrawNative(address to, uint256 amount) external;
    /// @notice Pays the whole balance of `account` to `account`. Anyone may call, unless the
    /// account keeps its balance.
    function withdrawFor(address token, address account) external;
    /// @notice Sets whether only the caller can withdraw its balances. Depositing sets it, because
    /// bonds are locked out of the balance: anybody could stop a provider's offers from being
    /// rented by pushing it out.
    function keepBalance(bool kept) external;
    /// @notice Uses the caller's ERC-2612 permit for this contract. A failing permit (used already,
    /// or unknown to the token) is ignored: the calls that follow in the same `batch` need the
    /// allowance, not the permit.
    function permit(address token, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external;
    /// @notice Subtracts the accounts' withdrawals since the last reconciliation from
    /// `liabilities`. Anyone may call.
    function reconcile(address token, address[] calldata accounts) external;
    /// @notice Sends the surplus above `liabilities` to the registry's treasury. The zero address
    /// stands for native currency, of which the escrow owes nothing. Anyone may call.
    function recoverSurplus(address token) external;
    /// @notice Makes several calls as the caller. If `strict`, all or none take effect. Otherwise a
    /// failed call is reported with `CallFailed` and the others take effect. Each call then gets an
    /// equal share of the remaining gas, and the batch reverts if a share is below 300,000, so no
    /// settlement, collection or withdrawal fails for lack of gas alone. Calls that need more
    /// (renting with a contract's signature, long lists) belong in a strict batch.
    function batch(bytes[] calldata calls, bool strict) external;

    // ---------------------------------------------------------------- offers

    /// @notice Fills an offer: pulls the payment from the caller, locks the bond, mints the lease.
    /// @param signature The provider's: of an ECDSA key, or of a contract (ERC-1271).
    /// @param proof Empty if the offer itself was signed; otherwise the path from its hash, hashed
    /// once more, to the root of a signed `OfferRoot` (sorted pairs).
    /// @return lease The lease's id, which is its token id.
    function rent(
        Offer calldata offer,
        bytes calldata signature,
        bytes32[] calldata proof,
        RentRequest calldata request
    ) external payable returns (uint256 lease);
    /// @notice Voids every offer that the caller has signed so far.
    function bumpCounter() external returns (uint256 counter);
    /// @notice Cancels one offer of the caller.
    function cancelOffer(Offer calldata offer) external;

    // ---------------------------------------------------------------- a lease's life

    /// @notice Publishes new boxes. For the controller: the user until it expires, else the NFT's
    /// owner.
    function setBoxes(uint256 lease, bytes calldata nodeBox, bytes calldata gatewayBox) external;
    /// @notice Takes cumulative figures from the leases' oracle. Each stored figure becomes the
    /// maximum of old and new; `work` counts up to `min(committed, 1.25 × rate × (asOf − start))`,
    /// `due` up to `rate × (asOf − start)`. An entry with bad values is skipped with an event and
    /// the others count; an entry with bad encoding reverts the whole call, and so does a caller
    /// that is the oracle of none of the leases.
    /// @return changed Bit `n` is set if entry `n` gave its lease new figures.
    /// @return skipped Bit `n` is set if entry `n` was skipped. An entry with neither bit said
    /// nothing new.
    function credit(Statement[] calldata statements) external returns (uint256 changed, uint256 skipped);
    /// @notice Voids the claim of an epoch; for the lease's oracle if it is one that can, once per
    /// epoch. One epoch's pay, at most what is left of the bond, goes to the holder (three
    /// quarters) and to the challenger (one quarter).
    function voidEpoch(uint256 lease, uint32 epoch, address challenger) external;
    /// @notice Books the money that was released since the last collection to the provider, less
    /// the fee. Anyone may call.
    function collect(uint256 lease) external;
    /// @notice Ends the lease with the running epoch, or at once if it has not started; for the
    /// NFT's owner and approved accounts. The part of the payment that no credit can reach any more
    /// can be claimed at once, less its part of the fee for capacity held ready.
    function cancel(uint256 lease) external;
    /// @notice Ends the lease with the running epoch, or at once if it has not started; for the
    /// provider. It costs the mean of what missing work costs of the bond so far, and of what it
    /// would cost at the end as rented, if the rest were asked for like what went before and
    /// nothing more were delivered. Before the start it costs half of the bond.
    function terminate(uint256 lease) external;
    /// @notice Settles a lease once its oracle gave its last word in an earlier block, everything
    /// is credited (by an oracle that never voids), or the credit window has passed. Anyone may
    /// call; no other contract is asked.
    function settle(uint256 lease) external;
    /// @notice Pays all that the leases hold for their holder (refunds, slashes, parts of void
    /// epochs, what a cancellation returned at once) to `to`. For the owner of each NFT and
    /// approved accounts.
    function claim(uint256[] calldata leases, address to) external;
    /// @notice The same of leases in wrapped native currency, unwrapped.
    function claimNative(uint256[] calldata leases, address to) external;
    /// @notice Pays all that each of the leases holds to the owner of its NFT. Anyone may call,
    /// from 180 days after the end of the lease's credit window on.
    function claimFor(uint256[] calldata leases) external;

    // ---------------------------------------------------------------- views

    /// @notice The state of a lease. Reverts with `UnknownLease`.
    function lease(uint256 id) external view returns (Lease memory);
    /// @notice The facts of a lease that an oracle's contract needs, for less than half the gas of
    /// `lease`: the packed schedule, which includes rate, times, algorithm and weight; the
    /// provider; the job signer. Reverts with `UnknownLease`. Its name gives it the first selector,
    /// and selectors are tried one by one.
    function quickView(uint256 lease) external view returns (Schedule schedule, address provider, address jobSigner);
    /// @notice Words of this contract's storage; `EscrowSlots` says where they lie. `LeaseLens`
    /// reads by it what has no getter here.
    function extsload(bytes32[] calldata slots) external view returns (bytes32[] memory words);
    /// @notice Number of leases; ids run from 1.
    function leaseCount() external view returns (uint256);
    /// @notice Account that may publish boxes: the user until it expires, else the NFT's owner.
    function controllerOf(uint256 lease) external view returns (address);
    /// @notice Base units that the account can withdraw.
    function balance(address account, address token) external view returns (uint256);
    /// @notice Upper bound of what the escrow owes in this token: balances, payments and bonds of
    /// unsettled leases, what leases hold for their holders, and withdrawals that are not
    /// reconciled yet.
    function liabilities(address token) external view returns (uint256);
    /// @notice An oracle as the escrow copied it at its first lease: account, window, whether it
    /// voids, payee and fee. All zero before; the other fields are always zero.
    function pinnedOracle(uint32 id) external view returns (Oracle memory);
    /// @notice Registry that admits new leases.
    function registry() external view returns (address);
    /// @notice Contract that draws the NFT's metadata.
    function descriptor() external view returns (address);
}
