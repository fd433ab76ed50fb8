// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

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
        uint8 voids;
        bool collects;
    }

    /// @dev Everything that each side got.
    struct Takes {
        uint256 owner;
        uint256 provider;
        uint256 payee;
        uint256 challenger;
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
        for (uint32 i; i < c.voids % 4 && i <= over; ++i) {
            testOracle.voidEpoch(id, i, challenger);
        }
    }

    function _upTo(uint256 figure) private pure returns (uint256) {
        return figure < type(uint96).max ? figure : type(uint96).max;
    }

    function _ran(Course memory c) private pure returns (uint256) {
        return (c.at - START) / EPOCH + 1;
    }

    /// @dev The last event of each world; the oracle is silent from here on.
    function _settled(Lease memory l) private returns (Takes memory takes) {
        vm.warp(uint256(l.end) + LONG_WINDOW);
        escrow.settle(id);
        takes = Takes({
            owner: _balance(renter),
            provider: _balance(provider.addr) - idle,
            payee: _balance(testPayee),
            challenger: _balance(challenger)
        });
        assertEq(
            takes.owner + takes.provider + takes.payee + takes.challenger,
            l.payment + LeaseMath.portion(l.payment, l.bondBps),
            "every base unit is somebody's"
        );
    }

    // ---------------------------------------------------------------- cancel

    /// @notice If nothing more is asked for or delivered, cancelling brings the owner exactly the
    /// cancel fee less than waiting, at most what was released, and the provider exactly that much
    /// more. (If more is asked for and not delivered, waiting can only bring the owner more.) Work
    /// means what the oracle counts, which never exceeds the cap; if it did, a cancellation would
    /// cost the provider what a later statement could still credit.
    function testFuzz_Cancelling_BringsTheOwnerWhatWaitingBringsLessTheFee(Terms memory t, Course memory c) public {
        Lease memory l = _start(t, c);
        uint256 snapshot = vm.snapshotState();
        _cancel();
        _credit(id, _ran(c), c.work, c.due, false);
        Lease memory ended = escrow.lease(id);
        Takes memory cancelled = _settled(ended);
        vm.revertToState(snapshot);
        _credit(id, _ran(c), c.work, c.due, false);
        assertEq(escrow.lease(id).credited, ended.credited);
        Takes memory waited = _settled(l);

        uint256 committed = uint256(l.rate) * l.duration;
        uint256 reachable = uint256(l.rate) * (ended.end - l.start) * 5 / 4;
        if (reachable > committed) reachable = committed;
        uint256 stays = (l.payment * reachable + committed - 1) / committed;
        uint256 fee = (l.payment - stays) * l.cancelBps / 10_000;
        uint256 released = l.payment * uint256(ended.credited) / committed;
        if (fee > released) fee = released;
        assertEq(cancelled.owner + fee, waited.owner, "owner");
        assertEq(cancelled.provider, waited.provider + fee, "provider");
        assertEq(cancelled.payee, waited.payee, "payee");
        assertEq(cancelled.challenger, waited.challenger, "challenger");
    }

    /// @notice Money returned at once never has to be taken back: whatever is credited later, it
    /// and the fee stay covered.
    function testFuzz_WhatReturnsAtOnce_NeverHasToComeBack(Terms memory t, Course memory c) public {
        _start(t, c);
        uint256 before = _balance(renter);
        _cancel();
        uint256 returned = _balance(renter) - before;
        _credit(id, _ran(c), type(uint96).max, c.due, true);
        uint256 early = _balance(renter);
        Takes memory takes = _settled(escrow.lease(id));
        assertGe(takes.owner, early);
        assertLe(returned, escrow.lease(id).payment);
    }

    // ---------------------------------------------------------------- terminate

    /// @notice Terminating brings the provider exactly the termination's cost less than staying
    /// silent with the same credited and due work, as far as the bond reaches, and the owner that
    /// much more. It also brings no more, but for one base unit of rounding, than staying silent
    /// while as much work is asked for as before, up to the end as rented. (It can bring more than
    /// staying while more is asked for than before: a provider that got no jobs so far leaves
    /// free.)
    function testFuzz_Terminating_NeverBringsTheProviderMoreThanStayingSilent(Terms memory t, Course memory c) public {
        Lease memory l = _start(t, c);
        uint256 snapshot = vm.snapshotState();
        _terminate();
        _credit(id, _ran(c), c.work, c.due, false);
        Lease memory ended = escrow.lease(id);
        Takes memory left = _settled(ended);
        vm.revertToState(snapshot);

        snapshot = vm.snapshotState();
        _credit(id, _ran(c), c.work, c.due, false);
        Takes memory silent = _settled(l);
        (uint256 slash, uint256 cost) = _deductions(ended);
        uint256 taken = slash + cost > ended.bond ? ended.bond : slash + cost;
        if (slash > ended.bond) slash = ended.bond;
        assertEq(left.provider + (taken - slash), silent.provider, "provider");
        assertEq(left.owner, silent.owner + (taken - slash), "owner");
        assertEq(left.payee, silent.payee, "payee");
        vm.revertToState(snapshot);

        _credit(id, _ran(c), c.work, c.due, false);
        uint256 goesOn = uint256(ended.due) * l.duration / (ended.end - l.start);
        _credit(id, t.epochs, ended.credited, goesOn, false);
        assertEq(escrow.lease(id).due, goesOn);
        assertLe(left.provider, _settled(l).provider + 1, "while jobs go on");
    }

    /// @dev Of the bond as it was locked.
    function _deductions(Lease memory l) private pure returns (uint256 slash, uint256 cost) {
        uint256 bond = uint256(l.payment) * l.bondBps / 10_000;
        uint256 ran = l.end - l.start;
        uint256 committed = uint256(l.rate) * l.duration;
        slash = LeaseMath.slash(bond, l.due, l.credited, committed, l.weightLog2);
        cost = bond * (l.duration - ran) * l.due / (l.duration * (l.rate * ran));
    }

    // ---------------------------------------------------------------- before the start

    function testFuzz_BeforeTheStart_TheOwnerUnwindsAndTheProviderForfeits(
        Terms memory t,
        Course memory c,
        bool byProvider
    ) public {
        Lease memory l = _rentDrawn(t, 48);
        vm.warp(bound(c.at, NOW, START - 1));
        if (byProvider) _terminate();
        else _cancel();
        assertTrue(escrow.lease(id).settled);
        assertEq(_balance(renter), uint256(l.payment) + (byProvider ? l.bond : 0));
        assertEq(_balance(provider.addr) - idle, byProvider ? 0 : l.bond);
        assertEq(_balance(testPayee), 0);
        assertEq(_exposure(testOracleId), 0);
    }
}
