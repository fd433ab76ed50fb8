// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ENDING_CANCELLED, ENDING_TERMINATED, Lease, Oracle} from "contracts/src/interfaces/LeaseTypes.sol";
import {ERC721} from "solady/tokens/ERC721.sol";
import {SafeCastLib} from "solady/utils/SafeCastLib.sol";
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
            assertTrue(l.lastAt != 0 || !s.last, "last");
            assertTrue(l.settled || !s.settled, "settled");
            assertTrue(l.lastAt == 0 || l.asOf == l.end, "last only at the end");
            assertEq(pages[i].book.lastWords, l.lastAt != 0 ? 1 : 0, "last is said once");
            assertLe(l.asOf, l.end, "asOf after the end");
            assertLe(l.asOf, block.timestamp, "asOf in the future");
        }
    }

    /// @notice Terms: nothing of a lease changes but its end, which moves earlier at most once, to
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

    /// @notice Ownership: only a transfer changes the holder. (The handlers note that nobody but
    /// the holder and whom she approved claims what a lease holds.)
    function promise_TheHolderIsWhoTheTransfersSay() internal view {
        for (uint256 id = escrow.leaseCount(); id > 0; --id) {
            assertEq(ERC721(address(escrow)).ownerOf(id), world.holder(id), "holder");
        }
    }

    /// @notice Silence never slashes: unless the oracle reported due work, settling takes nothing
    /// of a bond but half of it for a termination before the start; and no deduction exceeds what
    /// is left of the bond.
    function promise_SilenceNeverSlashes(Books.Page[] memory pages) internal pure {
        for (uint256 i; i < pages.length; ++i) {
            Lease memory l = pages[i].lease;
            Books.Book memory b = pages[i].book;
            assertLe(uint256(b.voided) + b.slashed, b.rented.bond, "more than the bond");
            bool isTakenBack = l.ending == ENDING_TERMINATED && l.end == l.start;
            if (b.statedDue == 0 && !isTakenBack) assertEq(b.slashed, 0, "silence");
        }
    }

    /// @notice Cancelling returns at once exactly what no credit can reach any more, less the fee's
    /// percentage of it.
    function promise_ACancellationReturnsWhatNoCreditCanReach(Books.Page[] memory pages) internal pure {
        for (uint256 i; i < pages.length; ++i) {
            Lease memory l = pages[i].lease;
            bool isCancelled = l.ending == ENDING_CANCELLED;
            assertEq(pages[i].book.returned, isCancelled ? Fair.early(l) : 0, "returned");
        }
    }

    /// @notice What a cancellation returned and the fee for capacity are always covered by money
    /// that was not released, whatever is credited or voided later.
    function promise_WhatReturnsEarlyAndTheFeeAreCovered(Books.Page[] memory pages) internal view {
        for (uint256 i; i < pages.length; ++i) {
            Lease memory l = pages[i].lease;
            uint256 fee = Fair.capacityFee(l, _voids(l));
            assertLe(pages[i].book.returned + fee, l.payment - Fair.released(l), "covered");
        }
    }

    /// @notice Fairness: each side of a settled lease got its amount by the design, to the base
    /// unit.
    function promise_EachSideGetsWhatIsFair(Books.Page[] memory pages) internal view {
        for (uint256 i; i < pages.length; ++i) {
            if (!_isJustSettled(pages[i])) continue;
            Books.Book memory b = pages[i].book;
            Fair.Outcome memory fair = _outcome(pages[i], pages[i].lease.ending, pages[i].lease.due);
            assertEq(uint256(b.earned) + b.capacityFee + b.bondBack, fair.provider, "provider");
            assertEq(b.fees, fair.payee, "payee");
            assertEq(uint256(b.returned) + b.refund + b.slashed, fair.holder, "holder");
            assertEq(b.slashed, fair.slashed, "slashed");
            assertEq(b.capacityFee, fair.capacityFee, "fee for capacity");
        }
    }

    /// @notice Ending early gains nothing: who ends a lease never ends with more than waiting, with
    /// nothing more delivered and nothing more due, would give. All figures without voided money,
    /// which is the same however the lease ends.
    function promise_EndingEarlyGainsNothing(Books.Page[] memory pages) internal view {
        for (uint256 i; i < pages.length; ++i) {
            Lease memory l = pages[i].lease;
            if (!_isJustSettled(pages[i]) || l.ending == 0) continue;
            Books.Book memory b = pages[i].book;
            Fair.Outcome memory waiting = _outcome(pages[i], 0, l.due);
            uint256 provider = uint256(b.earned) + b.bondBack + b.capacityFee;
            uint256 owner = uint256(b.returned) + b.refund + b.slashed;
            assertEq(b.fees, waiting.payee, "the oracle's fee is the same");
            assertEq(owner + provider, waiting.holder + waiting.provider, "and so is the sum of both sides");
            if (l.ending == ENDING_CANCELLED) assertLe(owner, waiting.holder, "the canceller gains nothing");
            else assertLe(provider, waiting.provider, "the terminating provider gains nothing");
        }
    }

    /// @notice Capacity held ready has a price, however it was not used: with an oracle that states
    /// what was due, who cancelled paid no more than waiting without asking for anything costs.
    function promise_StarvingIsNotCheaperThanCancelling(Books.Page[] memory pages) internal view {
        for (uint256 i; i < pages.length; ++i) {
            Lease memory l = pages[i].lease;
            if (!_isJustSettled(pages[i]) || l.ending != ENDING_CANCELLED) continue;
            if (_voids(l) || l.signerDictated) continue;
            // before the start there is no last word, and the oracle would give one at the end
            if (l.end == l.start) l.lastAt = 1;
            l.end = l.start + l.duration;
            l.ending = 0;
            Fair.Outcome memory starving = Fair.outcome(l, pages[i].book.rented.bond, _feeBps(l), false);
            assertGe(starving.capacityFee, pages[i].book.capacityFee, "starving is not cheaper");
        }
    }

    /// @notice Terminating never costs more of the bond than falling silent while the rest is asked
    /// for like what went before.
    function promise_TellingIsNotDearerThanVanishing(Books.Page[] memory pages) internal view {
        for (uint256 i; i < pages.length; ++i) {
            Lease memory l = pages[i].lease;
            if (!_isJustSettled(pages[i]) || l.ending != ENDING_TERMINATED || l.end == l.start) continue;
            uint256 due = (uint256(l.due) * l.duration + (l.end - l.start) - 1) / (l.end - l.start);
            Fair.Outcome memory vanished = _outcome(pages[i], 0, SafeCastLib.toUint96(due));
            assertLe(pages[i].book.slashed, vanished.slashed, "telling is not dearer");
        }
    }

    /// @dev Had the lease ended like this, with so much due.
    function _outcome(Books.Page memory p, uint8 ending, uint96 due) private view returns (Fair.Outcome memory o) {
        Lease memory l = p.lease;
        (uint8 itsEnding, uint96 itsDue) = (l.ending, l.due);
        (l.ending, l.due) = (ending, due);
        o = Fair.outcome(l, p.book.rented.bond, _feeBps(l), _voids(l));
        (l.ending, l.due) = (itsEnding, itsDue);
    }

    function _voids(Lease memory l) private view returns (bool) {
        return world.theRegistry().oracle(l.oracle).voids;
    }

    /// @dev A settlement never changes, so each is checked once.
    function _isJustSettled(Books.Page memory p) private pure returns (bool) {
        return p.lease.settled && !p.seen.settled;
    }

    function _feeBps(Lease memory l) private view returns (uint256) {
        return world.theRegistry().oracle(l.oracle).feeBps;
    }
}
