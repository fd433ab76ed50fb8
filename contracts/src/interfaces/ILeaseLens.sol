// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Admission, Lease, Offer, Oracle} from "contracts/src/interfaces/LeaseTypes.sol";

/// @notice Where a lease stands by the clock. How its end came is in `Lease.ending`.
enum Status {
    Unknown,
    Scheduled,
    Active,
    Ended,
    Settled
}

/// @notice What `settle` books, base units, given what is credited by now. All zero once settled.
/// @param possible Whether `settle` works now.
/// @param from First second at which it works if nothing more is credited; zero once settled.
/// @param amount Released money that was not collected yet, to the provider.
/// @param fee The oracle's fee on it, to the payee.
/// @param refund Of the payment, to the NFT's owner.
/// @param slashed Of the bond, to the NFT's owner.
/// @param bond The rest of the bond, to the provider.
/// @param cancelFee Part of a cancel fee that goes to the provider.
struct Settlement {
    bool possible;
    uint256 from;
    uint256 amount;
    uint256 fee;
    uint256 refund;
    uint256 slashed;
    uint256 bond;
    uint256 cancelFee;
}

/// @notice Everything about one lease.
/// @param id Lease id.
/// @param exists Whether there is such a lease; if not, all that follows is zero.
/// @param status By this block's time.
/// @param lease The escrow's own record.
/// @param owner Of the NFT: gets every refund.
/// @param user The unexpired ERC-4907 user, else zero.
/// @param userExpires Last second of the user that was named last.
/// @param controller Who may publish boxes.
/// @param committed Work as rented.
/// @param released Money that the credited work released so far, fee included, collected or not.
/// @param collectable What `collect` books to the provider now.
/// @param collectableFee What it books to the oracle's payee.
/// @param settleAfter From this second on the lease can be settled whatever the oracle does.
/// @param settlement What settling comes to.
/// @param oracle The pinned oracle; `listed` tells nothing here.
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
    Settlement settlement;
    Oracle oracle;
}

/// @notice An account in one token, base units. What a token does not answer is zero.
/// @param escrowed Withdrawable from the escrow.
/// @param unreconciled Withdrawn, and still in `liabilities`.
/// @param wallet The account's own.
/// @param allowance What the escrow may pull of it.
struct Holding {
    address token;
    uint256 escrowed;
    uint256 unreconciled;
    uint256 wallet;
    uint256 allowance;
}

/// @notice A fill to look at.
struct OfferQuery {
    Offer offer;
    uint96 hashRate;
    uint32 duration;
}

/// @notice An offer as the escrow sees it. Neither the signature nor a start was looked at.
/// @param hash EIP-712 struct hash.
/// @param filled Hashes per second already rented; all ones when cancelled.
/// @param remaining Hashes per second left; zero when cancelled.
/// @param counterMatches Whether the offer carries its provider's counter.
/// @param expired Whether it can't be filled any more.
/// @param cancelled Whether the provider took it back.
/// @param deposited The provider's balance in the escrow, out of which the bond comes.
/// @param exposed Payments and bonds of unsettled leases of the oracle in the token.
/// @param admitted Whether the registry admits the fill.
/// @param admission What the fill comes to; zero when it is not admitted.
/// @param reason The registry's error when it is not.
/// @param rentable Whether `rent` would take this fill, given a valid signature, a valid start, and a caller with the
/// payment.
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
/// @param symbol Made safe to show: at most 12 characters, no control characters. It still may need escaping.
/// @param decimals Zero when the token does not tell, or more than 36.
/// @param listed Whether new leases may use it.
/// @param liabilities At least what the escrow owes.
/// @param held What the escrow holds.
/// @param caps By oracle, from oracle 1 on: most that its unsettled leases may hold.
/// @param exposures By oracle, from oracle 1 on: what they do hold.
struct TokenState {
    address token;
    string symbol;
    uint8 decimals;
    bool listed;
    uint256 liabilities;
    uint256 held;
    uint128[] caps;
    uint256[] exposures;
}

/// @title Reads for pages and nodes
/// @notice Everything about many leases, offers or tokens in one call. No state, no rights.
interface ILeaseLens {
    /// @notice The escrow that is read.
    function escrow() external view returns (address);
    /// @notice EIP-712 struct hash of an offer, by which fills are counted.
    function offerHash(Offer calldata offer) external pure returns (bytes32);
    /// @notice The digest of an offer that its provider signs.
    function offerDigest(Offer calldata offer) external view returns (bytes32);
    /// @notice The digest of `OfferRoot(bytes32 root)`, by which many offers are signed at once.
    function offerRootDigest(bytes32 root) external view returns (bytes32);

    /// @notice The leases of these ids, in this order. Unknown ones are told by `exists`.
    function leases(uint256[] calldata ids) external view returns (LeaseView[] memory);
    /// @notice At most `count` leases from `first` on, fewer where the ids run out.
    function leasesFrom(uint256 first, uint256 count) external view returns (LeaseView[] memory);
    /// @notice An account in several tokens.
    function balances(address account, address[] calldata tokens) external view returns (Holding[] memory);
    /// @notice Offers, and what a fill of each would come to.
    function offers(OfferQuery[] calldata queries) external view returns (OfferView[] memory);
    /// @notice Every oracle ever registered.
    function oracles() external view returns (OracleView[] memory);
    /// @notice Tokens with every oracle's cap and exposure.
    function tokenStates(address[] calldata tokens) external view returns (TokenState[] memory);
}
