// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ENDING_AS_RENTED, ENDING_CANCELLED, Lease, Offer, RentRequest} from "contracts/src/interfaces/LeaseTypes.sol";
import {SafeCastLib} from "solady/utils/SafeCastLib.sol";
import {Rented} from "tests/support/Rented.sol";

/// @notice One lease with any terms from renting to settling: two statements, perhaps a collection,
/// a voided epoch or a new owner in between, and an early end by either side at any moment, or
/// none.
contract LifeFuzz is Rented {
    struct Terms {
        uint96 rate;
        uint128 price;
        uint16 bondBps;
        uint16 cancelBps;
        uint16 epochs;
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

    function _take(Terms memory t) private returns (Lease memory) {
        Offer memory o = _offer();
        RentRequest memory r = _request();
        t.epochs = SafeCastLib.toUint16(bound(t.epochs, 2, 168));
        r.duration = t.epochs * EPOCH;
        r.hashRate = SafeCastLib.toUint96(bound(t.rate, 1000, type(uint96).max / r.duration));
        (o.hashRate, o.minHashRate) = (r.hashRate, 1);
        // a payment of at most 2^120
        o.price =
            SafeCastLib.toUint128(bound(t.price, 0, (uint256(1) << 120) * 1e21 / (uint256(r.hashRate) * r.duration)));
        o.bondBps = SafeCastLib.toUint16(bound(t.bondBps, 0, 10_000));
        o.cancelBps = SafeCastLib.toUint16(bound(t.cancelBps, 0, o.bondBps));
        o.oracle = testOracleId;
        token.mint(renter, 1 << 121);
        token.mint(provider.addr, 1 << 121);
        vm.prank(provider.addr);
        escrow.deposit(address(token), 1 << 121);
        (uint256 deposited, uint256 purse) = (_balance(provider.addr), token.balanceOf(renter));
        id = _rent(o, r);
        idle = _balance(provider.addr);
        Lease memory l = escrow.lease(id);
        assertEq(purse - token.balanceOf(renter), l.payment);
        assertEq(deposited - idle, l.bond);
        return l;
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

    function testFuzz_EveryBaseUnit_IsSomebodys(Terms memory t) public {
        Lease memory l = _take(t);
        uint256 committed = uint256(l.rate) * l.duration;
        (t.work, t.due) = (_within(t.work, committed), _within(t.due, committed));
        (t.laterWork, t.laterDue) = (_within(t.laterWork, committed), _within(t.laterDue, committed));
        t.ending = SafeCastLib.toUint8(bound(t.ending, 0, 2));
        t.at = SafeCastLib.toUint40(bound(t.at, NOW, l.end - EPOCH - 1));
        if (t.at >= START + EPOCH) _speak((t.at - START) / EPOCH, t.work, t.due, false);
        vm.warp(t.at);
        if (t.collects && escrow.lease(id).credited != 0) escrow.collect(id);
        if (t.at >= START && t.voided < t.epochs) testOracle.voidEpoch(id, 0, challenger);
        if (t.ending == ENDING_CANCELLED) _cancel();
        else if (t.ending != ENDING_AS_RENTED) _terminate();
        if (t.sells) _transfer(stranger);
        _speak(t.epochs, t.laterWork, t.laterDue, t.last);
        l = escrow.lease(id);
        if (!l.settled) {
            vm.warp(uint256(l.end) + (l.last ? 0 : LONG_WINDOW));
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
        uint256 returned = _balance(renter) + _balance(stranger);
        uint256 bond = uint256(l.payment) * l.bondBps / 10_000;
        assertEq(earned + returned + _balance(testPayee) + _balance(challenger), l.payment + bond, "adds up");
        // the worst for each: the whole bond, and a cancel fee as high as the released money
        assertGe(earned + _balance(testPayee), released);
        assertLe(earned + _balance(testPayee), 2 * released + bond);
        if (l.ending != ENDING_CANCELLED) {
            assertGe(returned, l.payment - released);
            assertLe(earned + _balance(testPayee), released + bond);
        }
        assertEq(_exposure(testOracleId), 0);

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
        escrow.credit(_statements(_entry(lease, asOf, work, due, last)));
        escrow.credit(_statements(_entry(1, asOf, work, due, last)));
        Lease memory l = escrow.lease(1);
        assertLe(l.credited, uint256(RATE) * 5 * (l.asOf > START ? l.asOf - START : 0) / 4);
        assertLe(l.due, uint256(RATE) * (l.asOf > START ? l.asOf - START : 0));
        if (l.last) assertEq(l.asOf, END);
    }

    /// @notice After the oracle's last word the outcome depends on neither the settler nor the
    /// time.
    function testFuzz_TheMomentOfSettling_ChangesNothing(uint96 work, uint96 due, uint40 later) public {
        _credit(id, 24, work, due, true);
        uint256 snapshot = vm.snapshotState();
        escrow.settle(id);
        (uint256 earned, uint256 returned) = (_balance(provider.addr), _balance(renter));
        vm.revertToState(snapshot);
        vm.warp(bound(later, END, type(uint40).max));
        vm.prank(stranger);
        escrow.settle(id);
        assertEq(_balance(provider.addr), earned);
        assertEq(_balance(renter), returned);
    }
}
