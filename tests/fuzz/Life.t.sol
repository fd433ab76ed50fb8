// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ENDING_AS_RENTED, ENDING_CANCELLED, Lease, Statement} from "contracts/src/interfaces/LeaseTypes.sol";
import {SafeCastLib} from "solady/utils/SafeCastLib.sol";
import {DrawnTerms} from "tests/support/DrawnTerms.sol";

/// @notice One lease with any terms from renting to settling: two statements, perhaps a collection,
/// a voided epoch or a new owner in between, and an early end by either side at any moment, or
/// none.
contract LifeFuzz is DrawnTerms {
    struct Course {
        uint96 work;
        uint96 due;
        uint96 laterWork;
        uint96 laterDue;
        /// When and how the end is moved.
        uint40 at;
        uint8 ending;
        uint32 voided;
        bool collects;
        bool sells;
        bool last;
    }

    function _within(uint96 figure, uint256 most) private pure returns (uint96) {
        return SafeCastLib.toUint96(bound(figure, 0, most));
    }

    /// @dev Accepts whatever end the lease has by now.
    function _speak(uint256 epochs, uint96 work, uint96 due, bool last) private {
        Lease memory l = escrow.lease(id);
        uint256 ran = (l.end - l.start) / l.epochLength;
        if (!l.settled && ran != 0) _credit(id, epochs < ran ? epochs : ran, work, due, last);
    }

    function testFuzz_EveryBaseUnit_IsSomebodys(Terms memory t, Course memory c) public {
        Lease memory l = _rentDrawn(t, 168);
        uint256 committed = uint256(l.rate) * l.duration;
        (c.work, c.due) = (_within(c.work, committed), _within(c.due, committed));
        (c.laterWork, c.laterDue) = (_within(c.laterWork, committed), _within(c.laterDue, committed));
        c.ending = SafeCastLib.toUint8(bound(c.ending, 0, 2));
        c.at = SafeCastLib.toUint40(bound(c.at, NOW, l.end - EPOCH - 1));
        if (c.at >= START + EPOCH) _speak((c.at - START) / EPOCH, c.work, c.due, false);
        vm.warp(c.at);
        if (c.collects && escrow.lease(id).credited != 0) escrow.collect(id);
        if (t.voids && c.at >= START && c.voided < t.epochs) testOracle.voidEpoch(id, 0, challenger);
        if (c.ending == ENDING_CANCELLED) _cancel();
        else if (c.ending != ENDING_AS_RENTED) _terminate();
        if (c.sells) _transfer(stranger);
        _speak(t.epochs, c.laterWork, c.laterDue, c.last);
        l = escrow.lease(id);
        if (!l.settled) {
            // the helper lets a second pass after a last word
            if (l.lastAt == 0) vm.warp(uint256(l.end) + LONG_WINDOW);
            escrow.settle(id);
        }
        _addsUp(escrow.lease(id));
    }

    function _addsUp(Lease memory l) private {
        uint256 committed = uint256(l.rate) * l.duration;
        uint256 released = uint256(l.payment) * l.credited / committed;
        assertLe(l.credited, committed);
        assertLe(uint256(l.credited) * 4, uint256(l.rate) * (l.end - l.start) * 5, "no more than a quarter more");
        assertLe(l.due, uint256(l.rate) * (l.end - l.start));
        assertEq(l.collectedWork, l.credited);
        assertEq(_balance(testPayee), released * 200 / 10_000, "the fee is on released money only");

        uint256 earned = _balance(provider.addr) - idle;
        uint256 returned = _held();
        uint256 bond = uint256(l.payment) * l.bondBps / 10_000;
        assertEq(earned + returned + _balance(testPayee) + _balance(challenger), l.payment + bond, "adds up");
        // the worst for each: the whole bond, and the fee on all that was not released
        uint256 most = (l.payment - released) * l.cancelBps / 10_000;
        assertGe(earned + _balance(testPayee), released);
        assertLe(earned + _balance(testPayee), released + most + bond);
        assertGe(returned, l.payment - released - most);
        assertEq(_exposure(l.oracle), 0);

        // everybody withdraws; only the fixture's other lease stays
        vm.warp(uint256(END) + 365 days);
        escrow.settle(1);
        _everybodyLeaves();
    }

    function testFuzz_StatementsInAnyOrder_EndInTheSameFigures(uint96[4] memory work, uint96[4] memory due) public {
        vm.warp(END);
        uint256 snapshot = vm.snapshotState();
        for (uint256 i; i < 4; ++i) {
            _credit(id, 6 * (i + 1), work[i], due[i], i == 3);
        }
        bytes32 forth = _state();
        vm.revertToState(snapshot);
        for (uint256 i = 4; i > 0; --i) {
            _credit(id, 6 * i, work[i - 1], due[i - 1], i == 4);
        }
        assertEq(_state(), forth);
    }

    function testFuzz_ABatchOfAnything_NeverReverts(uint256 lease, uint40 asOf, uint96 work, uint96 due, bool last)
        public
    {
        vm.warp(END);
        vm.startPrank(address(committee));
        Statement[] memory s = new Statement[](2);
        s[0] = _entry(lease, asOf, work, due, last);
        s[1] = _entry(1, asOf, work, due, last);
        escrow.credit(s);
        Lease memory l = escrow.lease(1);
        assertLe(l.credited, uint256(RATE) * 5 * (l.asOf > START ? l.asOf - START : 0) / 4);
        assertLe(l.due, uint256(RATE) * (l.asOf > START ? l.asOf - START : 0));
        if (l.lastAt != 0) assertEq(l.asOf, END);
    }

    /// @notice After the oracle's last word the outcome depends on neither the settler nor the
    /// time.
    function testFuzz_TheMomentOfSettling_ChangesNothing(uint96 work, uint96 due, uint40 later) public {
        _credit(id, 24, work, due, true);
        uint256 snapshot = vm.snapshotState();
        escrow.settle(id);
        (uint256 earned, uint256 returned) = (_balance(provider.addr), _held());
        vm.revertToState(snapshot);
        vm.warp(bound(later, END + 1, type(uint40).max));
        vm.prank(stranger);
        escrow.settle(id);
        assertEq(_balance(provider.addr), earned);
        assertEq(_held(), returned);
    }
}
