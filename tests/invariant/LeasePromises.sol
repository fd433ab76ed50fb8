// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ENDING_CANCELLED, ENDING_TERMINATED, Lease, Oracle} from "contracts/src/interfaces/LeaseTypes.sol";
import {ERC721} from "solady/tokens/ERC721.sol";
import {Books} from "tests/invariant/Books.sol";
import {Fair} from "tests/invariant/Fair.sol";
import {MoneyPromises} from "tests/invariant/MoneyPromises.sol";

/// @title Promises about a lease
/// @notice Each function is one promise, which holds after every action of anybody.
abstract contract LeasePromises is MoneyPromises {
    /// @notice Entitlement: released money is at most the payment's share of the credited work;
    /// credited work is at most what the oracle stated, a quarter more than was promised by then,
    /// and what is committed; the fee is its percentage.
    function promise_NothingIsReleasedBeyondCreditedWork(Books.Page[] memory pages) internal view {
        for (uint256 i; i < pages.length; ++i) {
            Lease memory l = pages[i].lease;
            Books.Book memory b = pages[i].book;
            uint256 elapsed = l.asOf == 0 ? 0 : l.asOf - l.start;
            uint256 released = uint256(b.earned) + b.fees;
            assertLe(l.credited, b.stated, "as stated");
            assertLe(l.due, b.statedDue, "due as stated");
            assertLe(l.credited, Fair.committed(l), "as committed");
            assertLe(uint256(l.credited) * 4, l.rate * elapsed * 5, "a quarter more than promised");
            assertLe(l.due, l.rate * elapsed, "due as promised");
            assertEq(released, uint256(l.payment) * l.collectedWork / Fair.committed(l), "pro rata to the work");
            assertLe(l.collectedWork, l.credited, "collected as credited");
            assertEq(b.fees, released * world.theRegistry().oracle(l.oracle).feeBps / 10_000, "fee");
            if (l.settled) assertEq(l.collectedWork, l.credited, "all that was credited is paid");
        }
    }

    /// @notice Monotone: credited and due work, `asOf`, `last`, collected work and settlement never
    /// go back, and the last word comes once, at the end.
    function promise_CreditNeverGoesBack(Books.Page[] memory pages) internal view {
        for (uint256 i; i < pages.length; ++i) {
            Lease memory l = pages[i].lease;
            Books.Seen memory s = pages[i].seen;
            assertGe(l.credited, s.credited, "credited");
            assertGe(l.due, s.due, "due");
            assertGe(l.asOf, s.asOf, "asOf");
            assertGe(l.collectedWork, s.collectedWork, "collected");
            assertTrue(l.last || !s.last, "last");
            assertTrue(l.settled || !s.settled, "settled");
            assertTrue(!l.last || l.asOf == l.end, "last only at the end");
            assertEq(pages[i].book.lastWords, l.last ? 1 : 0, "last is said once");
            assertLe(l.asOf, l.end, "asOf after the end");
            assertLe(l.asOf, block.timestamp, "asOf in the future");
        }
    }

    /// @notice Terms: nothing of a lease changes but its end, which moves closer at most once, to
    /// the end of the running epoch (before the start, to the start).
    function promise_OnlyTheEndOfALeaseChanges(Books.Page[] memory pages) internal pure {
        for (uint256 i; i < pages.length; ++i) {
            Lease memory l = pages[i].lease;
            Books.Book memory b = pages[i].book;
            Books.Seen memory s = pages[i].seen;
            assertEq(_terms(l), _terms(b.rented), "terms");
            assertEq(l.ending == 0 ? 0 : 1, b.endings, "ends early once");
            if (s.ending != 0) assertEq(abi.encode(l.ending, l.end), abi.encode(s.ending, s.end), "ends early once");
            if (l.ending == 0) {
                assertEq(l.end, b.rented.end, "end as rented");
                continue;
            }
            assertLt(l.end, b.rented.end, "closer");
            assertEq((l.end - l.start) % l.epochLength, 0, "whole epochs");
            if (b.endedAt < l.start) assertEq(l.end, l.start, "nothing ran");
            else assertGt(l.end, b.endedAt, "the running epoch runs to its end");
            assertLe(l.end, b.endedAt < l.start ? l.start : b.endedAt + l.epochLength, "and no other does");
        }
    }

    /// @dev Hash of the terms that never change.
    function _terms(Lease memory l) private pure returns (bytes32) {
        return keccak256(
            abi.encode(
                abi.encode(l.provider, l.token, l.jobSigner, l.oracle, l.algorithm, l.weightLog2, l.rate),
                abi.encode(l.start, l.duration, l.epochLength, l.cancelBps, l.bondBps, l.payment)
            )
        );
    }

    /// @notice Oracles: a lease ends with the account, window, fee and payee that it was rented
    /// with, whatever the governor does.
    function promise_APinnedOracleNeverChanges() internal view {
        uint32[3] memory ids = world.oracleIds();
        for (uint256 i; i < ids.length; ++i) {
            Oracle memory pinned = escrow.pinnedOracle(ids[i]);
            if (pinned.account != address(0)) {
                assertEq(keccak256(abi.encode(pinned)), world.registeredAs(ids[i]), "pinned");
            }
        }
    }

    /// @notice Finality: a settled lease never changes, and only settling settles a lease.
    function promise_ASettledLeaseNeverChanges(Books.Page[] memory pages) internal view {
        for (uint256 i; i < pages.length; ++i) {
            assertEq(pages[i].lease.settled, pages[i].book.settledAs != 0, "settled only by settling");
        }
        assertEq(world.changedAfterwards(), 0, "final");
    }

    /// @notice Ownership: the holder of the NFT at that moment gets refunds and slashes, and only a
    /// transfer changes the holder. (The handlers note at each settlement, cancellation and void
    /// whether the holder is paid.)
    function promise_TheHolderIsWhoTheTransfersSay() internal view {
        for (uint256 id = escrow.leaseCount(); id > 0; --id) {
            assertEq(ERC721(address(escrow)).ownerOf(id), world.holder(id), "holder");
        }
    }

    /// @notice Silence never slashes: unless the oracle reported due work, settling takes nothing
    /// of a bond but for a termination before the start; and no deduction exceeds what is left of
    /// the bond.
    function promise_SilenceNeverSlashes(Books.Page[] memory pages) internal pure {
        for (uint256 i; i < pages.length; ++i) {
            Lease memory l = pages[i].lease;
            Books.Book memory b = pages[i].book;
            assertLe(uint256(b.voided) + b.slashed, b.rented.bond, "more than the bond");
            bool isTakenBack = l.ending == ENDING_TERMINATED && l.end == l.start;
            if (b.statedDue == 0 && !isTakenBack) assertEq(b.slashed, 0, "silence");
        }
    }

    /// @notice Cancelling returns at once exactly what no credit can reach any more, with the
    /// cancel fee set aside.
    function promise_ACancellationReturnsWhatNoCreditCanReach(Books.Page[] memory pages) internal pure {
        for (uint256 i; i < pages.length; ++i) {
            Lease memory l = pages[i].lease;
            Books.Book memory b = pages[i].book;
            bool isCancelled = l.ending == ENDING_CANCELLED;
            assertEq(b.setAside, isCancelled ? Fair.setAside(l) : 0, "set aside");
            assertEq(uint256(b.returned) + b.setAside, isCancelled ? Fair.unreachable(l) : 0, "returned");
        }
    }

    /// @notice Fairness: each side of a settled lease got its amount by the design, to the base
    /// unit.
    function promise_EachSideGetsWhatIsFair(Books.Page[] memory pages) internal view {
        for (uint256 i; i < pages.length; ++i) {
            if (!_isJustSettled(pages[i])) continue;
            Books.Book memory b = pages[i].book;
            Fair.Outcome memory fair = Fair.outcome(pages[i].lease, b.rented.bond, _feeBps(pages[i].lease));
            assertEq(uint256(b.earned) + b.cancelFee + b.bondBack, fair.provider, "provider");
            assertEq(b.fees, fair.payee, "payee");
            assertEq(uint256(b.returned) + b.refund + b.slashed, fair.owner, "owner");
            assertEq(b.slashed, fair.slashed, "slashed");
            assertEq(b.cancelFee, fair.cancelFee, "cancel fee");
        }
    }

    /// @notice Ending early gains nothing. For a settled lease that ended early, each side's total
    /// (earned, returned early, refund, slash, bond and cancel fee; without voided money) is
    /// compared with what the same credited and due work would have brought, had the lease run as
    /// rented. The side that cancelled has the cancel fee less, which is at most its percentage of
    /// the returned amount and at most the released money, and is exactly the provider's gain. The
    /// side that terminated has less by what the owner gained, which is at most the bond.
    function promise_EndingEarlyGainsNothing(Books.Page[] memory pages) internal view {
        for (uint256 i; i < pages.length; ++i) {
            Lease memory l = pages[i].lease;
            if (!_isJustSettled(pages[i]) || l.ending == 0) continue;
            Books.Book memory b = pages[i].book;
            Fair.Outcome memory waiting = Fair.outcomeOfWaiting(l, b.rented.bond, _feeBps(l));
            uint256 provider = uint256(b.earned) + b.bondBack + b.cancelFee;
            uint256 owner = uint256(b.returned) + b.refund + b.slashed;
            assertEq(b.fees, waiting.payee, "the oracle's fee is the same");
            if (l.ending == ENDING_CANCELLED) {
                assertLe(owner, waiting.owner, "who cancels gains nothing");
                assertEq(waiting.owner - owner, b.cancelFee, "and loses the fee");
                assertEq(provider - waiting.provider, b.cancelFee, "which is the provider's");
                assertLe(b.cancelFee, b.setAside, "at most what was set aside");
                assertLe(b.cancelFee, uint256(b.earned) + b.fees, "at most what was released");
            } else {
                assertLe(provider, waiting.provider, "who terminates gains nothing");
                assertEq(owner - waiting.owner, waiting.provider - provider, "what he loses is the owner's");
                assertLe(owner - waiting.owner, b.rented.bond, "at most the bond");
            }
        }
    }

    /// @dev A settlement never changes, so each is checked once.
    function _isJustSettled(Books.Page memory p) private pure returns (bool) {
        return p.lease.settled && !p.seen.settled;
    }

    function _feeBps(Lease memory l) private view returns (uint256) {
        return world.theRegistry().oracle(l.oracle).feeBps;
    }
}
