// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow, Lease, Offer, RentRequest} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Fixture} from "tests/support/Fixture.sol";

/// @notice One lease with any terms from renting to settling, with two statements and perhaps a collection between.
contract LifeFuzz is Fixture {
    struct Terms {
        uint96 rate;
        uint128 price;
        uint16 bondBps;
        uint16 epochs;
        uint96 work;
        uint96 due;
        uint96 laterWork;
        uint96 laterDue;
        bool collects;
        bool byMajority;
        bool last;
    }

    function testFuzz_EveryBaseUnit_IsSomebodys(Terms memory t) public {
        Offer memory o = _offer();
        RentRequest memory r = _request();
        t.epochs = uint16(bound(t.epochs, 2, 168));
        r.duration = t.epochs * EPOCH;
        r.hashRate = uint96(bound(t.rate, 1000, type(uint96).max / r.duration));
        (o.hashRate, o.minHashRate) = (r.hashRate, 1);
        // a payment of at most 2^120
        o.price = uint128(bound(t.price, 0, (uint256(1) << 120) * 1e21 / (uint256(r.hashRate) * r.duration)));
        o.bondBps = uint16(bound(t.bondBps, 0, 10_000));
        o.cancelBps = 0;
        o.oracle = t.byMajority ? majorityId : committeeId;
        token.mint(renter, 1 << 121);
        token.mint(provider.addr, 1 << 121);
        vm.prank(provider.addr);
        escrow.deposit(address(token), 1 << 121);
        uint256 deposited = _balance(provider.addr);
        uint256 purse = token.balanceOf(renter);

        uint256 id = _rent(o, r);
        Lease memory l = escrow.lease(id);
        assertEq(purse - token.balanceOf(renter), l.payment);
        assertEq(deposited - _balance(provider.addr), l.bond);

        t.laterWork = uint96(bound(t.laterWork, 0, uint256(l.rate) * l.duration));
        _credit(id, t.epochs / 2, t.work, t.due, false);
        if (t.collects && escrow.lease(id).credited != 0) escrow.collect(id);
        _credit(id, t.epochs, t.laterWork, t.laterDue, t.last);
        vm.warp(uint256(l.end) + (t.last ? 0 : WINDOW));
        escrow.settle(id);

        l = escrow.lease(id);
        address fees = t.byMajority ? majorityPayee : payee;
        uint256 committed = uint256(l.rate) * l.duration;
        uint256 released = uint256(l.payment) * l.credited / committed;
        uint256 fee = released * (t.byMajority ? 300 : 100) / 10_000;
        assertLe(l.credited, committed);
        assertLe(l.due, committed);
        assertEq(_balance(fees), fee, "fee");
        assertGe(_balance(renter), l.payment - released, "refund");
        uint256 slashed = _balance(renter) - (l.payment - released);
        assertLe(slashed, l.bond, "slash");
        if (l.credited >= l.due) assertEq(slashed, 0, "no shortfall");
        assertEq(_balance(provider.addr), deposited + released - fee - slashed, "provider");

        // and everybody gets it
        escrow.withdrawFor(address(token), renter);
        escrow.withdrawFor(address(token), provider.addr);
        escrow.withdrawFor(address(token), fees);
        assertEq(token.balanceOf(address(escrow)), 0);
        assertEq(escrow.liabilities(address(token)), 0);
    }

    function testFuzz_StatementsInAnyOrder_EndInTheSameFigures(uint96[4] memory work, uint96[4] memory due) public {
        uint256 id = _rent();
        vm.warp(END);
        uint256 snapshot = vm.snapshotState();
        for (uint256 i; i < 4; ++i) {
            _credit(id, 6 * (i + 1), work[i], due[i], i == 3);
        }
        bytes memory forth = abi.encode(escrow.lease(id));
        vm.revertToState(snapshot);
        for (uint256 i = 4; i > 0; --i) {
            _credit(id, 6 * i, work[i - 1], due[i - 1], i == 4);
        }
        assertEq(abi.encode(escrow.lease(id)), forth);
    }

    function testFuzz_ABatchOfAnything_NeverReverts(uint256 id, uint40 asOf, uint96 work, uint96 due, bool last)
        public
    {
        _rent();
        vm.warp(END);
        vm.startPrank(address(committee));
        escrow.credit(_single(_entry(id, asOf, work, due, last)));
        escrow.credit(_single(_entry(1, asOf, work, due, last)));
        Lease memory l = escrow.lease(1);
        assertLe(l.credited, uint256(RATE) * 5 * (l.asOf > START ? l.asOf - START : 0) / 4);
    }
}
