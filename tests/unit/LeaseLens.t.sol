// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {LeaseView, SettlementView, Status} from "contracts/src/interfaces/ILeaseLens.sol";
import {Offer, RentRequest} from "contracts/src/interfaces/LeaseTypes.sol";
import {Fixture} from "tests/support/Fixture.sol";
import {TestOracle} from "tests/support/TestOracle.sol";

/// @notice The lens's view of leases. Every prediction is compared with what the escrow then books.
contract LeaseLensTest is Fixture {
    TestOracle private voiding;
    uint32 private voidingId;
    address private testPayee = makeAddr("test payee");
    /// @dev What the latest cancellation returned at once.
    uint256 private returned;

    function setUp() public override {
        super.setUp();
        voiding = new TestOracle(address(escrow));
        voidingId = _registerVoiding(address(voiding), WINDOW, 100, testPayee);
        _setCap(voidingId, address(token), type(uint128).max);
    }

    function _look(uint256 id) private view returns (LeaseView memory) {
        return lens.leasesFrom(id, 1)[0];
    }

    function _cancel(uint256 id) private {
        uint256 held = escrow.lease(id).held;
        vm.prank(renter);
        escrow.cancel(id);
        returned = escrow.lease(id).held - held;
    }

    function _terminate(uint256 id) private {
        vm.prank(provider.addr);
        escrow.terminate(id);
    }

    /// @dev Settles, and checks that everybody gets the predicted amounts.
    function _settleAsForetold(uint256 id) private {
        SettlementView memory s = _look(id).settlement;
        assertTrue(s.possible, "possible");
        uint256 paid = _balance(provider.addr);
        uint256 fees = _balance(payee) + _balance(testPayee);
        uint256 held = escrow.lease(id).held;
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Settled(id, s.refund - returned, s.slashed, s.bond, s.capacityFee);
        escrow.settle(id);
        assertEq(escrow.lease(id).held, held - returned + s.refund + s.slashed, "held");
        assertEq(_balance(provider.addr) - paid, s.amount + s.bond + s.capacityFee, "provider");
        assertEq(_balance(payee) + _balance(testPayee) - fees, s.fee, "payee");
        _expectSameAfterwards(id, s);
    }

    /// @dev The split stays to be seen; what was still to be done is done.
    function _expectSameAfterwards(uint256 id, SettlementView memory before) private view {
        LeaseView memory v = _look(id);
        assertTrue(v.status == Status.Settled);
        (before.possible, before.from, before.amount, before.fee) = (false, 0, 0, 0);
        assertEq(abi.encode(v.settlement), abi.encode(before));
        assertEq(v.collectable + v.collectableFee, 0);
    }

    function _expectSettlement(uint256 id, uint256 refund, uint256 slashed, uint256 bond, uint256 capacityFee)
        private
        view
    {
        SettlementView memory s = _look(id).settlement;
        assertEq(s.refund, refund, "refund");
        assertEq(s.slashed, slashed, "slashed");
        assertEq(s.bond, bond, "bond");
        assertEq(s.capacityFee, capacityFee, "fee for capacity");
    }

    function _expectWhen(uint256 id, bool possible, uint256 from) private view {
        SettlementView memory s = _look(id).settlement;
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

    function test_AfterTheLastWord_TheNextBlockIsEnough() public {
        uint256 id = _rent();
        vm.warp(END + 5);
        vm.prank(address(committee));
        escrow.credit(_statements(_entry(id, END, COMMITTED / 2, COMMITTED, true)));
        _expectWhen(id, false, END + 6);
        skip(1);
        _expectWhen(id, true, END + 6);
        _settleAsForetold(id);
    }

    function test_AfterALateLastWord_TheWindowIsEnough() public {
        uint256 id = _rent();
        vm.warp(END + WINDOW + 5);
        vm.prank(address(committee));
        escrow.credit(_statements(_entry(id, END, COMMITTED / 2, COMMITTED, true)));
        _expectWhen(id, true, END + WINDOW);
        _settleAsForetold(id);
    }

    function test_WhenAllIsCreditedByAnOracleThatVoids_TheLastWordIsAwaited() public {
        Offer memory o = _offer();
        o.oracle = voidingId;
        uint256 id = _rent(o, _request());
        _credit(id, 20, COMMITTED, 0, false);
        _expectWhen(id, false, END + WINDOW);
        _credit(id, 24, COMMITTED, 0, true);
        _expectWhen(id, true, END + 1);
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
        // reach, two percent of it is not returned yet, and 26,666,666 is released
        assertEq(escrow.lease(id).held, 66_422_222);
        _expectWhen(id, false, START + 7 hours + WINDOW);
        _expectSettlement(id, 106_666_666 - 26_666_666, 0, BOND, 0);
        _credit(id, 7, COMMITTED / 4, COMMITTED / 4, true);
        // with the last word, two percent of the 18 epochs that were not asked for
        _expectSettlement(id, 106_666_666 - 26_666_666 - 1_600_000 + 1, 0, BOND, 1_599_999);
        _settleAsForetold(id);
    }

    function test_WhenTerminated_TheBondsShareIsPredicted() public {
        uint256 id = _rent();
        _credit(id, 11, COMMITTED / 24 * 11, COMMITTED / 24 * 11, false);
        _terminate(id);
        _credit(id, 12, COMMITTED / 2, COMMITTED / 2, true);
        // half of what twelve more epochs would cost beyond the tolerance: 21,333,333 × 0.45 / 2
        _expectSettlement(id, 53_333_333, 4_799_999, 16_533_334, 0);
        _expectWhen(id, true, START + 12 hours + 1);
        _settleAsForetold(id);
    }

    function test_WhenUnwoundBeforeItsStart_ItIsSettled() public {
        uint256 id = _rent();
        _cancel(id);
        _expectSettlement(id, 104_533_333, 0, BOND, 2_133_333);
        _expectWhen(id, false, 0);
        id = _rent();
        _terminate(id);
        _expectSettlement(id, PAYMENT, 10_666_666, 10_666_667, 0);
        _expectWhen(id, false, 0);
        assertEq(_look(id).lease.ending, 2);
    }

    function test_WhenAnEpochWasVoid_TheBondIsWhatIsLeft() public {
        Offer memory o = _offer();
        o.oracle = voidingId;
        uint256 id = _rent(o, _request());
        voiding.voidEpoch(id, 3, stranger);
        // 21,333,333 less a 24th of 106,666,666
        _expectSettlement(id, PAYMENT, 0, 16_888_889, 0);
        vm.warp(END + WINDOW);
        _settleAsForetold(id);
        assertEq(escrow.lease(id).bond, 16_888_889, "as the epochs left it");
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
        if (f.voids % 2 == 1) o.oracle = voidingId;
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
        for (uint32 i; f.voids % 2 == 1 && i < f.voids / 2 % 4; ++i) {
            voiding.voidEpoch(id, i, stranger);
        }
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
