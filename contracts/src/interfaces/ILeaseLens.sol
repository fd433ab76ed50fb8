// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Admission, Lease, Offer, Oracle} from "contracts/src/interfaces/LeaseTypes.sol";

/// @notice State of a lease by the clock. `Lease.ending` says how its end was moved.
enum Status {
    Unknown,
    Scheduled,
    Active,
    Ended,
    Settled
}

/// @notice How a lease's money is split, base units: as `settle` would with the figures that stand
/// now, or, once settled, as it did.
/// @param possible Whether `settle` works now.
/// @param from First second at which it works if nothing more is credited; zero once settled or if
/// all is credited.
/// @param amount Released money not collected yet, to the provider.
/// @param fee The oracle's fee on it, to the payee.
/// @param refund Of the payment, to the holder; includes what a cancellation returned at once.
/// @param slashed Of the bond, to the holder; void epochs are not in it.
/// @param bond The rest of the bond, to the provider.
/// @param capacityFee Of the payment, to the provider for capacity held ready and not used.
struct SettlementView {
    bool possible;
    uint256 from;
    uint256 amount;
    uint256 fee;
    uint256 refund;
    uint256 slashed;
    uint256 bond;
    uint256 capacityFee;
}

/// @notice Everything about one lease.
/// @param id Lease id.
/// @param exists Whether the lease exists; if not, all fields below are zero.
/// @param status By this block's time.
/// @param lease The escrow's own record.
/// @param owner Owner of the NFT, who can claim what the lease holds.
/// @param user The ERC-4907 user until it expires, else zero.
/// @param userExpires Last second of the user that was set last.
/// @param controller Account that may publish boxes.
/// @param committed Work as rented.
/// @param released Money that the credited work has released, fee included, collected or not.
/// @param collectable Amount that `collect` would book to the provider now.
/// @param collectableFee Amount that it would book to the oracle's payee.
/// @param settleAfter First second at which the lease can be settled whatever the oracle does.
/// @param settlement How payment and bond are split.
/// @param oracle The pinned oracle as `ILeaseEscrow.pinnedOracle` returns it.
struct LeaseView {
    uint256 id;
    bool exists;
    Status status;
    Lease lease;
    address owner;
    address user;
    uint64 userExpires;
    address controller;
    uint96 committed;
    uint256 released;
    uint256 collectable;
    uint256 collectableFee;
    uint256 settleAfter;
    SettlementView settlement;
    Oracle oracle;
}

/// @notice An account in one token, base units. A token that does not answer counts as zero.
/// @param escrowed Withdrawable from the escrow.
/// @param unreconciled Withdrawn, but still in `liabilities`.
/// @param wallet Balance of the account's own wallet.
/// @param allowance Amount that the escrow may pull from the wallet.
struct Holding {
    address token;
    uint256 escrowed;
    uint256 unreconciled;
    uint256 wallet;
    uint256 allowance;
}

/// @notice A fill to evaluate.
struct OfferQuery {
    Offer offer;
    uint96 hashRate;
    uint40 start;
    uint32 duration;
    address jobSigner;
}

/// @notice An offer as the escrow sees it, its signature, taker, job signer and notice unchecked.
/// @param hash EIP-712 struct hash.
/// @param filled Hashes per second already rented; all ones if cancelled.
/// @param remaining Hashes per second left; zero if cancelled.
/// @param counterMatches Whether the offer carries its provider's current counter.
/// @param expired Whether it can't be filled any more.
/// @param cancelled Whether the provider cancelled it.
/// @param deposited The provider's balance in the escrow, from which the bond is locked.
/// @param exposed Payments and bonds of unsettled leases of the oracle in the token.
/// @param admitted Whether the registry admits the fill.
/// @param admission Amounts of the fill; zero if it is not admitted.
/// @param reason The registry's error if it is not admitted.
/// @param rentable Whether `rent` would accept this fill, with a valid signature, from a taker with
/// the payment, if the start gives notice and the offer accepts the job signer.
struct OfferView {
    bytes32 hash;
    uint96 filled;
    uint96 remaining;
    bool counterMatches;
    bool expired;
    bool cancelled;
    uint256 deposited;
    uint256 exposed;
    bool admitted;
    Admission admission;
    bytes reason;
    bool rentable;
}

/// @notice A registered oracle.
struct OracleView {
    uint32 id;
    Oracle oracle;
}

/// @notice A token in the registry and in the escrow.
/// @param symbol Safe to show: at most 12 characters, no control characters. It may still need
/// escaping.
/// @param decimals Zero if the token does not report them, or more than 36.
/// @param listed Whether new leases may use it.
/// @param liabilities Upper bound of what the escrow owes.
/// @param held Amount that the escrow holds.
/// @param caps By oracle, from oracle 1 on: the most that its unsettled leases may hold.
/// @param leastPayments By oracle, from oracle 1 on: the least payment of a new lease.
/// @param exposures By oracle, from oracle 1 on: the amount that they hold.
struct TokenState {
    address token;
    string symbol;
    uint8 decimals;
    bool listed;
    uint256 liabilities;
    uint256 held;
    uint128[] caps;
    uint128[] leastPayments;
    uint256[] exposures;
}

/// @title Reads for pages and nodes
/// @notice Everything about many leases, offers or tokens in one call. No state, no rights.
interface ILeaseLens {
    /// @notice Escrow that this lens reads.
    function escrow() external view returns (address);
    /// @notice EIP-712 struct hash of an offer, the key under which fills are counted.
    function offerHash(Offer calldata offer) external pure returns (bytes32);
    /// @notice Digest that a provider signs for an offer.
    function offerDigest(Offer calldata offer) external view returns (bytes32);
    /// @notice Digest of `OfferRoot(bytes32 root)`, which signs many offers at once.
    function offerRootDigest(bytes32 root) external view returns (bytes32);

    // -------------------------------------------------------- what the escrow has no getter for

    /// @notice Whether the oracle voided an epoch.
    function isVoid(uint256 lease, uint32 epoch) external view returns (bool);
    /// @notice Whether only the account itself can withdraw its balances.
    function keepsBalance(address account) external view returns (bool);
    /// @notice Base units that the account withdrew and `liabilities` still contains.
    function unreconciled(address account, address token) external view returns (uint256);
    /// @notice Hashes per second of an offer already rented; all ones once the offer is cancelled.
    function filled(bytes32 offerHash) external view returns (uint96);
    /// @notice Counter that a provider's offers must carry.
    function counter(address provider) external view returns (uint256);
    /// @notice Payments and bonds of unsettled leases of the oracle in the token, as they were at
    /// renting.
    function exposure(uint32 oracle, address token) external view returns (uint256);
    /// @notice Wrapped native currency; zero until the first payment or withdrawal in native
    /// currency.
    function wrappedNative() external view returns (address);

    // ---------------------------------------------------------------- many at once

    /// @notice The leases of these ids, in this order. `exists` is false for an unknown id.
    function leases(uint256[] calldata ids) external view returns (LeaseView[] memory);
    /// @notice At most `count` leases from `first` on; fewer where the ids run out.
    function leasesFrom(uint256 first, uint256 count) external view returns (LeaseView[] memory);
    /// @notice An account in several tokens.
    function balances(address account, address[] calldata tokens) external view returns (Holding[] memory);
    /// @notice Offers, and the amounts of a fill of each.
    function offers(OfferQuery[] calldata queries) external view returns (OfferView[] memory);
    /// @notice Every oracle ever registered.
    function oracles() external view returns (OracleView[] memory);
    /// @notice Tokens with every oracle's cap and exposure.
    function tokenStates(address[] calldata tokens) external view returns (TokenState[] memory);
}
