// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {SettlementView} from "contracts/src/interfaces/ILeaseLens.sol";
import {Lease} from "contracts/src/interfaces/LeaseTypes.sol";
import {LeaseMath} from "contracts/src/libraries/LeaseMath.sol";
import {SafeCastLib} from "solady/utils/SafeCastLib.sol";
import {DrawnTerms} from "tests/support/DrawnTerms.sol";

/// @notice Outcome of a lease that ended early, compared with the same lease left to run.
/// @dev Two worlds that fork at one moment. In both the oracle says the same at the end of the
/// running epoch; in one the lease ended there, in the other it runs on as the property says.
contract EndingFuzz is DrawnTerms {
    struct Course {
        uint40 at;
        uint96 work;
        uint96 due;
        uint96 later;
        uint8 voids;
        bool collects;
    }

    /// @dev Everything that each side got.
    struct Takes {
        uint256 holder;
        uint256 provider;
        uint256 payee;
        uint256 challenger;
        /// Of what the provider got: for capacity held ready.
        uint256 fee;
        /// Of what the holder got: out of the bond.
        uint256 slashed;
    }

    /// @dev Runs until some second before the last epoch.
    function _start(Terms memory t, Course memory c) private returns (Lease memory l) {
        l = _rentDrawn(t, 48);
        c.at = SafeCastLib.toUint40(bound(c.at, START, l.end - EPOCH - 1));
        // may exceed what the cap lets count and what can be asked for
        c.work = SafeCastLib.toUint96(bound(c.work, 0, _upTo(_ran(c) * l.rate * EPOCH * 3 / 2)));
        c.due = SafeCastLib.toUint96(bound(c.due, 0, _upTo(_ran(c) * l.rate * EPOCH * 5 / 4)));
        // half of the work by the last epoch's end, so that a collection finds something
        uint256 over = (c.at - START) / EPOCH;
        if (over != 0) _credit(id, over, c.work / 2, c.due / 2, false);
        vm.warp(c.at);
        if (c.collects && escrow.lease(id).credited != 0) escrow.collect(id);
        for (uint32 i; t.voids && i < c.voids % 4 && i <= over; ++i) {
            testOracle.voidEpoch(id, i, challenger);
        }
    }

    function _upTo(uint256 figure) private pure returns (uint256) {
        return figure < type(uint96).max ? figure : type(uint96).max;
    }

    function _ran(Course memory c) private pure returns (uint256) {
        return (c.at - START) / EPOCH + 1;
    }

    /// @dev The oracle's last word says nothing new; then everything is settled.
    function _settled(Lease memory l) private returns (Takes memory takes) {
        uint256 epochs = (l.end - l.start) / l.epochLength;
        _credit(id, epochs, l.credited, l.due, true);
        assertEq(escrow.lease(id).credited, l.credited);
        assertEq(escrow.lease(id).due, l.due);
        SettlementView memory expected = lens.leases(_only(id))[0].settlement;
        escrow.settle(id);
        takes = Takes({
            holder: _held(),
            provider: _balance(provider.addr) - idle,
            payee: _balance(testPayee),
            challenger: _balance(challenger),
            fee: expected.capacityFee,
            slashed: expected.slashed
        });
        assertEq(
            takes.holder + takes.provider + takes.payee + takes.challenger,
            l.payment + LeaseMath.portion(l.payment, l.bondBps),
            "every base unit is somebody's"
        );
    }

    // ---------------------------------------------------------------- cancel

    /// @notice If nothing more is asked for or delivered, cancelling and waiting bring each side
    /// the same, the fee apart. With an oracle that states what is due even the fee is the same:
    /// starving the provider is not cheaper than cancelling. With one that voids, and where the
    /// provider chose the job signer, only who cancels pays it.
    function testFuzz_Cancelling_BringsTheHolderWhatWaitingBringsTheFeeApart(Terms memory t, Course memory c) public {
        Lease memory l = _start(t, c);
        uint256 snapshot = vm.snapshotState();
        _cancel();
        _credit(id, _ran(c), c.work, c.due, false);
        Lease memory ended = escrow.lease(id);
        Takes memory cancelled = _settled(ended);
        vm.revertToState(snapshot);
        _credit(id, _ran(c), c.work, c.due, false);
        (l.credited, l.due) = (ended.credited, ended.due);
        Takes memory waited = _settled(l);

        assertEq(cancelled.holder + cancelled.fee, waited.holder + waited.fee, "holder");
        assertEq(cancelled.provider - cancelled.fee, waited.provider - waited.fee, "provider");
        assertEq(cancelled.payee, waited.payee, "payee");
        assertEq(cancelled.challenger, waited.challenger, "challenger");
        if (t.voids || t.dictated) assertEq(waited.fee, 0, "only who cancels pays");
        else assertEq(cancelled.fee, waited.fee, "starving is not cheaper");
    }

    /// @notice Money returned at once never has to be taken back: whatever is credited later, it
    /// and the fee stay covered.
    function testFuzz_WhatReturnsAtOnce_NeverHasToComeBack(Terms memory t, Course memory c) public {
        _start(t, c);
        uint256 before = _held();
        _cancel();
        uint256 early = _held();
        _credit(id, _ran(c), type(uint96).max, c.due, false);
        Lease memory l = escrow.lease(id);
        Takes memory takes = _settled(l);
        assertGe(takes.holder, early);
        uint256 committed = uint256(l.rate) * l.duration;
        uint256 unreleased = l.payment - l.payment * uint256(l.credited) / committed;
        assertLe(early - before + takes.fee, unreleased, "out of what was not released");
    }

    // ---------------------------------------------------------------- terminate

    /// @notice Terminating never brings the provider more than waiting with nothing more asked for
    /// or delivered, and what it brings less is the holder's. And it never costs more of the bond
    /// than falling silent while the rest is asked for at least as before.
    function testFuzz_Terminating_CostsNoMoreThanVanishing(Terms memory t, Course memory c) public {
        Lease memory l = _start(t, c);
        uint256 snapshot = vm.snapshotState();
        _terminate();
        _credit(id, _ran(c), c.work, c.due, false);
        Lease memory ended = escrow.lease(id);
        Takes memory left = _settled(ended);
        vm.revertToState(snapshot);

        snapshot = vm.snapshotState();
        _credit(id, _ran(c), c.work, c.due, false);
        (l.credited, l.due) = (ended.credited, ended.due);
        Takes memory waited = _settled(l);
        assertLe(left.fee, waited.fee, "who ends it is ready for less");
        assertLe(left.provider, waited.provider, "ending early gains nothing");
        assertGe(left.slashed, waited.slashed);
        assertEq(left.provider + left.slashed - left.fee, waited.provider + waited.slashed - waited.fee, "provider");
        assertEq(left.holder + left.fee - left.slashed, waited.holder + waited.fee - waited.slashed, "holder");
        assertEq(left.payee, waited.payee, "payee");
        vm.revertToState(snapshot);

        _credit(id, _ran(c), c.work, c.due, false);
        // as before or more, up to all that can be asked for
        uint256 least = (uint256(ended.due) * l.duration + _ran(c) * EPOCH - 1) / (_ran(c) * EPOCH);
        uint256 goesOn = bound(c.later, least, uint256(l.rate) * l.duration);
        (l.credited, l.due) = (ended.credited, SafeCastLib.toUint96(goesOn));
        _credit(id, t.epochs, l.credited, l.due, false);
        assertLe(left.slashed, _settled(l).slashed, "telling is never dearer than vanishing");
    }

    // ---------------------------------------------------------------- before the start

    function testFuzz_BeforeTheStart_TheRenterPaysTheFeeAndTheProviderHalfOfTheBond(
        Terms memory t,
        Course memory c,
        bool byProvider
    ) public {
        Lease memory l = _rentDrawn(t, 48);
        vm.warp(bound(c.at, NOW, START - 1));
        if (byProvider) _terminate();
        else _cancel();
        assertTrue(escrow.lease(id).settled);
        uint256 fee = byProvider ? 0 : uint256(l.payment) * l.cancelBps / 10_000;
        uint256 slashed = byProvider ? l.bond / 2 : 0;
        assertEq(_held(), l.payment - fee + slashed);
        assertEq(_balance(provider.addr) - idle, fee + l.bond - slashed);
        assertEq(_balance(testPayee), 0);
        assertEq(_exposure(l.oracle), 0);
    }
}
