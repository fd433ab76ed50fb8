// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {LeaseView, Settlement, Status} from "contracts/src/interfaces/ILeaseLens.sol";
import {Offer, RentRequest} from "contracts/src/interfaces/LeaseTypes.sol";
import {Fixture} from "tests/support/Fixture.sol";

/// @notice The lens's view of leases. Every prediction is compared with what the escrow then books.
contract LeaseLensTest is Fixture {
    function _look(uint256 id) private view returns (LeaseView memory) {
        return lens.leasesFrom(id, 1)[0];
    }

    function _cancel(uint256 id) private {
        vm.prank(renter);
        escrow.cancel(id);
    }

    function _terminate(uint256 id) private {
        vm.prank(provider.addr);
        escrow.terminate(id);
    }

    /// @dev Settles, and checks that everybody gets the predicted amounts.
    function _settleAsForetold(uint256 id) private {
        LeaseView memory v = _look(id);
        Settlement memory s = v.settlement;
        assertTrue(s.possible, "possible");
        uint256 paid = _balance(provider.addr);
        uint256 back = _held();
        uint256 fees = _balance(payee);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Settled(id, s.refund, s.slashed, s.bond, s.cancelFee);
        escrow.settle(id);
        assertEq(_balance(provider.addr) - paid, s.amount + s.bond + s.cancelFee, "provider");
        assertEq(_held() - back, s.refund + s.slashed, "owner");
        assertEq(_balance(payee) - fees, s.fee, "payee");
        _expectNothingMore(id);
    }

    function _expectNothingMore(uint256 id) private view {
        LeaseView memory v = _look(id);
        Settlement memory none;
        assertTrue(v.status == Status.Settled);
        assertEq(abi.encode(v.settlement), abi.encode(none));
        assertEq(v.collectable + v.collectableFee, 0);
    }

    function _expectSettlement(uint256 id, uint256 refund, uint256 slashed, uint256 bond, uint256 cancelFee)
        private
        view
    {
        Settlement memory s = _look(id).settlement;
        assertEq(s.refund, refund, "refund");
        assertEq(s.slashed, slashed, "slashed");
        assertEq(s.bond, bond, "bond");
        assertEq(s.cancelFee, cancelFee, "cancel fee");
    }

    function _expectWhen(uint256 id, bool possible, uint256 from) private view {
        Settlement memory s = _look(id).settlement;
        assertEq(s.possible, possible, "possible");
        assertEq(s.from, from, "from");
    }

    // ---------------------------------------------------------------- ids

    function test_AnUnknownId_SpoilsNothing() public {
        uint256[] memory ids = new uint256[](4);
        (ids[0], ids[1], ids[2], ids[3]) = (9, _rent(), 0, type(uint256).max);
        LeaseView[] memory v = lens.leases(ids);
        assertEq(v.length, 4);
        for (uint256 i; i < 4; ++i) {
            assertEq(v[i].id, ids[i]);
            assertEq(v[i].exists, i == 1);
            assertTrue(v[i].status == (i == 1 ? Status.Scheduled : Status.Unknown));
        }
        LeaseView memory nothing;
        nothing.id = 9;
        assertEq(abi.encode(v[0]), abi.encode(nothing));
    }

    function test_ARange_EndsWhereTheIdsDo() public {
        for (uint256 i; i < 3; ++i) {
            _rent();
        }
        _expectRange(0, 10, 1, 3);
        _expectRange(1, 2, 1, 2);
        _expectRange(2, 10, 2, 2);
        _expectRange(3, type(uint256).max, 3, 1);
        _expectRange(4, 1, 0, 0);
        _expectRange(type(uint256).max, type(uint256).max, 0, 0);
    }

    function _expectRange(uint256 first, uint256 count, uint256 from, uint256 length) private view {
        LeaseView[] memory v = lens.leasesFrom(first, count);
        assertEq(v.length, length);
        for (uint256 i; i < length; ++i) {
            assertEq(v[i].id, from + i);
            assertTrue(v[i].exists);
        }
    }

    // ---------------------------------------------------------------- facts

    function test_ALease_ComesWithEverythingThatBelongsToIt() public {
        uint256 id = _rent();
        LeaseView memory v = _look(id);
        assertEq(abi.encode(v.lease), abi.encode(escrow.lease(id)));
        assertEq(v.owner, renter);
        assertEq(v.user, address(0));
        assertEq(v.userExpires, 0);
        assertEq(v.controller, renter);
        assertEq(v.committed, COMMITTED);
        assertEq(v.released, 0);
        assertEq(v.settleAfter, END + WINDOW);
        assertEq(v.oracle.account, address(committee));
        assertEq(v.oracle.payee, payee);
        assertEq(v.oracle.feeBps, 100);
        assertEq(v.oracle.window, WINDOW);
    }

    function test_TheUser_ControlsUntilItExpires() public {
        uint256 id = _rent();
        vm.prank(renter);
        escrow.setUser(id, stranger, NOW + 5);
        LeaseView memory v = _look(id);
        assertEq(v.user, stranger);
        assertEq(v.controller, stranger);
        assertEq(v.userExpires, NOW + 5);
        vm.warp(NOW + 6);
        v = _look(id);
        assertEq(v.user, address(0));
        assertEq(v.controller, renter);
        assertEq(v.userExpires, NOW + 5);
    }

    function test_TheStatus_FollowsTheClockAndTheSettlement() public {
        uint256 id = _rent();
        vm.warp(START - 1);
        assertTrue(_look(id).status == Status.Scheduled);
        vm.warp(START);
        assertTrue(_look(id).status == Status.Active);
        vm.warp(END - 1);
        assertTrue(_look(id).status == Status.Active);
        vm.warp(END);
        assertTrue(_look(id).status == Status.Ended);
        vm.warp(END + WINDOW);
        escrow.settle(id);
        assertTrue(_look(id).status == Status.Settled);
    }

    // ---------------------------------------------------------------- collect

    function test_TheCollectableAmount_IsWhatCollectBooks() public {
        uint256 id = _rent();
        _credit(id, 12, COMMITTED / 4, COMMITTED / 2, false);
        LeaseView memory v = _look(id);
        // a quarter of 106,666,666, and a hundredth of that
        assertEq(v.released, 26_666_666);
        assertEq(v.collectable, 26_666_666 - 266_666);
        assertEq(v.collectableFee, 266_666);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Collected(id, COMMITTED / 4, 26_400_000, 266_666);
        escrow.collect(id);
        v = _look(id);
        assertEq(v.released, 26_666_666);
        assertEq(v.collectable + v.collectableFee, 0);
        _credit(id, 24, COMMITTED / 2, COMMITTED / 2, false);
        v = _look(id);
        assertEq(v.collectable, 26_666_667 - 266_667);
        assertEq(v.collectableFee, 266_667);
    }

    // ---------------------------------------------------------------- settle: when

    function test_WhileNobodySpeaks_TheWindowHasToPass() public {
        uint256 id = _rent();
        vm.warp(END + WINDOW - 1);
        _expectWhen(id, false, END + WINDOW);
        vm.expectRevert(_error(ILeaseEscrow.NotSettleable.selector, id, END + WINDOW));
        escrow.settle(id);
        vm.warp(END + WINDOW);
        _expectWhen(id, true, END + WINDOW);
        _settleAsForetold(id);
    }

    function test_AfterTheLastWord_TheEndIsEnough() public {
        uint256 id = _rent();
        _credit(id, 24, COMMITTED / 2, COMMITTED, true);
        _expectWhen(id, true, END);
        _settleAsForetold(id);
    }

    function test_WhenAllIsCredited_ItCanBeSettledAtOnce() public {
        uint256 id = _rent();
        _credit(id, 20, COMMITTED, 0, false);
        _expectWhen(id, true, 0);
        _settleAsForetold(id);
    }

    // ---------------------------------------------------------------- settle: how much

    function test_WhenHalfIsMissing_TheSlashIsPredicted() public {
        uint256 id = _rent();
        _credit(id, 24, COMMITTED / 2, COMMITTED, true);
        _expectSettlement(id, 53_333_333, 9_599_999, 11_733_334, 0);
        _settleAsForetold(id);
    }

    function test_WhenCancelled_ReturnedMoneyIsNotPredictedAgain() public {
        uint256 id = _rent();
        _credit(id, 6, COMMITTED / 4, COMMITTED / 4, false);
        _cancel(id);
        // seven epochs may still earn 0.364583… of the payment: 38,888,889, so 67,777,777 is out of
        // reach, 1,355,555 of it set aside, and 26,666,666 is released
        assertEq(_held(), 66_422_222);
        _expectWhen(id, false, START + 7 hours + WINDOW);
        _expectSettlement(id, 106_666_666 - 26_666_666 - 66_422_222 - 1_355_555, 0, BOND, 1_355_555);
        vm.warp(START + 7 hours + WINDOW);
        _settleAsForetold(id);
    }

    function test_WhenCancelledAndLittleCame_TheFeeIsWhatWasReleased() public {
        uint256 id = _rent();
        vm.warp(START);
        _cancel(id);
        _credit(id, 1, 1e15, 1e15, false);
        vm.warp(START + 1 hours + WINDOW);
        // 106,666,666 × 10^15 / 8.64 × 10^18
        assertEq(_look(id).settlement.cancelFee, 12_345);
        _settleAsForetold(id);
    }

    function test_WhenTerminated_TheBondsShareIsPredicted() public {
        uint256 id = _rent();
        _credit(id, 11, COMMITTED / 24 * 11, COMMITTED / 24 * 11, false);
        _terminate(id);
        _credit(id, 12, COMMITTED / 2, COMMITTED / 2, true);
        // half of the time was cut, and work was asked for throughout
        _expectSettlement(id, 53_333_333, 10_666_666, 10_666_667, 0);
        _expectWhen(id, true, START + 12 hours);
        _settleAsForetold(id);
    }

    function test_WhenUnwoundBeforeItsStart_ItIsSettled() public {
        uint256 id = _rent();
        _cancel(id);
        _expectNothingMore(id);
        id = _rent();
        _terminate(id);
        _expectNothingMore(id);
        assertEq(_look(id).lease.ending, 2);
    }

    function test_WhenAnEpochWasVoid_TheBondIsWhatIsLeft() public {
        uint256 id = _rent();
        vm.prank(address(committee));
        escrow.voidEpoch(id, 3, stranger);
        // 21,333,333 less a 24th of 106,666,666
        _expectSettlement(id, PAYMENT, 0, 16_888_889, 0);
        vm.warp(END + WINDOW);
        _settleAsForetold(id);
    }

    // ---------------------------------------------------------------- any life

    struct Life {
        uint128 price;
        uint16 bondBps;
        uint16 cancelBps;
        uint8 ending;
        uint32 endsAfter;
        uint96 work;
        uint96 due;
        uint96 laterWork;
        uint96 laterDue;
        uint8 voids;
        bool collects;
        bool last;
    }

    function testFuzz_InAnyLife_SettlingBooksWhatWasPredicted(Life memory f) public {
        Offer memory o = _offer();
        RentRequest memory r = _request();
        o.price = uint128(bound(f.price, 0, 1e22));
        o.bondBps = uint16(bound(f.bondBps, 0, 10_000));
        o.cancelBps = uint16(bound(f.cancelBps, 0, o.bondBps));
        token.mint(renter, 1e22);
        token.mint(provider.addr, 1e22);
        vm.prank(provider.addr);
        escrow.deposit(address(token), 1e22);
        uint256 id = _rent(o, r);
        _credit(id, 3, f.work % COMMITTED, f.due % COMMITTED, false);
        _collectAsForetold(id, f.collects);
        vm.warp(START + bound(f.endsAfter, 3 hours, 23 hours - 1));
        if (f.ending % 3 == 1) _cancel(id);
        if (f.ending % 3 == 2) _terminate(id);
        vm.startPrank(address(committee));
        for (uint32 i; i < f.voids % 4; ++i) {
            escrow.voidEpoch(id, i, stranger);
        }
        vm.stopPrank();
        uint256 end = escrow.lease(id).end;
        _credit(id, (end - START) / EPOCH, f.laterWork % COMMITTED, f.laterDue % COMMITTED, f.last);
        _collectAsForetold(id, !f.collects);
        uint256 from = _look(id).settlement.from;
        if (!f.last) {
            vm.warp(from - 1);
            assertFalse(_look(id).settlement.possible);
            vm.expectRevert(_error(ILeaseEscrow.NotSettleable.selector, id, from));
            escrow.settle(id);
            vm.warp(from);
        }
        _settleAsForetold(id);
    }

    function _collectAsForetold(uint256 id, bool collects) private {
        LeaseView memory v = _look(id);
        if (!collects || v.lease.credited == v.lease.collectedWork) return;
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Collected(id, v.lease.credited, v.collectable, v.collectableFee);
        escrow.collect(id);
    }
}
