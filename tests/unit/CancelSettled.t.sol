// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Offer} from "contracts/src/interfaces/LeaseTypes.sol";
import {Rented} from "tests/support/Rented.sol";

/// @notice A lease that was cancelled in its sixth hour: 73,333,332 returned, less two percent of
/// it. Credit can still reach 33,333,334 of the rest, rounded up. The fee is two percent of what
/// was not asked for.
contract CancelSettledTest is Rented {
    uint256 private constant RETURNED = 71_866_666;
    uint40 private constant NEW_END = START + 6 * EPOCH;

    function _cancelInTheSixthHour() private {
        vm.warp(START + 5 * EPOCH + 1);
        _cancel();
        assertEq(_held(), RETURNED);
    }

    /// @dev With the oracle's last word at the new end.
    function _settles(uint256 work, uint256 due, uint256 refund, uint256 slashed, uint256 fee) private {
        _credit(id, 6, work, due, true);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Settled(id, refund, slashed, BOND - slashed, fee);
        escrow.settle(id);
        assertEq(_exposure(committeeId), 0);
    }

    // ---------------------------------------------------------------- the fee

    function test_WhenAllWasDelivered_TheFeeIsOnWhatWasCutOff() public {
        _cancelInTheSixthHour();
        // 18 of 24 epochs: two percent of 80,000,000
        _settles(6 * PROMISE, 6 * PROMISE, 6_533_335, 0, 1_599_999);
        // released 26,666,666, the oracle's percent of it 266,666
        _expectBooked(26_400_000 + 1_599_999 + BOND, 266_666, RETURNED + 6_533_335);
        _everybodyLeaves();
    }

    function test_WhenNothingWasAskedFor_TheFeeIsOnAllOfIt() public {
        _cancelInTheSixthHour();
        _settles(0, 0, PAYMENT - 2_133_333 - RETURNED, 0, 2_133_333);
        _expectBooked(BOND + 2_133_333, 0, PAYMENT - 2_133_333);
        _everybodyLeaves();
    }

    function test_WhenWorkWasDoneUnasked_ItCountsAsAskedFor() public {
        _cancelInTheSixthHour();
        // released 1,012,345
        _settles(8.2e16, 0, 31_674_569, 0, 2_113_086);
        _expectBooked(1_002_222 + 2_113_086 + BOND, 10_123, RETURNED + 31_674_569);
        _everybodyLeaves();
    }

    function test_WhenTheProviderWasShortBeyondTheTolerance_ItGetsNoFee() public {
        _cancelInTheSixthHour();
        // 21,333,333 × (3 − 0.3) / 24 of the bond
        _settles(3 * PROMISE, 6 * PROMISE, 21_466_667, 2_399_999, 0);
        _everybodyLeaves();
    }

    function test_WhenTheProviderWasShortByTheTolerance_ItGetsTheFee() public {
        _cancelInTheSixthHour();
        // a twentieth of what was due; one hash less is beyond it
        _settles(2.052e18, 2.16e18, 7_866_668, 0, 1_599_999);
    }

    function test_WhenItWasShortByAHashBeyond_ItGetsNone() public {
        _cancelInTheSixthHour();
        _settles(2.052e18 - 1, 2.16e18, 9_466_667, 0, 0);
    }

    function test_WithoutALastWord_ThereIsNoFee() public {
        _cancelInTheSixthHour();
        _credit(id, 6, 6 * PROMISE, 6 * PROMISE, false);
        vm.warp(NEW_END + WINDOW);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Settled(id, 8_133_334, 0, BOND, 0);
        escrow.settle(id);
        _everybodyLeaves();
    }

    function test_WhenTheCapIsReached_TheHolderGetsTheRounding() public {
        _cancelInTheSixthHour();
        _settles(type(uint96).max, 0, 1, 0, 1_466_666);
        assertEq(escrow.lease(id).credited, 2.7e18);
        _expectBooked(33_333_333 - 333_333 + 1_466_666 + BOND, 333_333, RETURNED + 1);
        _everybodyLeaves();
    }

    function test_WhenThereIsNoFee_TheProviderGetsWhatIsReleased() public {
        Offer memory o = _offer();
        o.cancelBps = 0;
        _begin(o);
        vm.warp(START + 5 * EPOCH + 1);
        _cancel();
        _settlesOther(6_666_668, 0);
        _expectBooked(26_400_000 + BOND, 266_666, 73_333_332 + 6_666_668);
    }

    function test_WhenTheFeeIsAsHighAsTheBond_ItIsPaidAsAgreed() public {
        Offer memory o = _offer();
        o.cancelBps = 2000;
        _begin(o);
        vm.warp(START + 5 * EPOCH + 1);
        _cancel();
        _settlesOther(5_333_335, 15_999_999);
        _expectBooked(26_400_000 + 15_999_999 + BOND, 266_666, 58_666_666 + 5_333_335);
    }

    function test_WhenTheFeeIsEverything_TheHolderGetsTheRounding() public {
        Offer memory o = _offer();
        (o.bondBps, o.cancelBps) = (10_000, 10_000);
        _begin(o);
        vm.warp(START + 5 * EPOCH + 1);
        _cancel();
        assertEq(_held(), 0, "all of it stays aside");
        _credit(id, 6, 6 * PROMISE, 6 * PROMISE, true);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Settled(id, 1, 0, PAYMENT, 79_999_999);
        escrow.settle(id);
        _expectBooked(26_400_000 + 79_999_999 + PAYMENT, 266_666, 1);
    }

    // -------------------------------------------------------- where work is due by agreement

    /// @dev Of an oracle that voids; nothing is due there.
    function _settlesVoidable(uint256 work, uint256 refund, uint256 fee) private {
        _beginVoidable();
        _cancelInTheSixthHour();
        _credit(id, 6, work, 0, true);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Settled(id, refund, 0, BOND, fee);
        escrow.settle(id);
    }

    function test_WhereWorkIsDueByAgreement_TheFeeIsOnWhatWasCutOff() public {
        _settlesVoidable(6 * PROMISE, 6_533_335, 1_599_999);
    }

    function test_WhereHalfWasDelivered_TheFeeIsHalf() public {
        _settlesVoidable(3 * PROMISE, 20_666_668, 799_999);
    }

    function test_WhereNothingWasDelivered_ThereIsNoFee() public {
        _settlesVoidable(0, PAYMENT - RETURNED, 0);
    }

    function test_WhereMoreWasDelivered_TheFeeIsOnWhatWasNotCredited() public {
        _settlesVoidable(type(uint96).max, 1, 1_466_666);
    }

    /// @dev Six epochs delivered in full, whatever the cancel fee is.
    function _settlesOther(uint256 refund, uint256 fee) private {
        _credit(id, 6, 6 * PROMISE, 6 * PROMISE, true);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Settled(id, refund, 0, BOND, fee);
        escrow.settle(id);
    }

    // ---------------------------------------------------------------- the work

    function test_EpochsWorkedBefore_CanStillBeCreditedAndCollected() public {
        _credit(id, 2, 2 * PROMISE, 2 * PROMISE, false);
        escrow.collect(id);
        _cancelInTheSixthHour();
        // reported after the cancellation: first the epochs before it, then the last
        _credit(id, 4, 4 * PROMISE, 4 * PROMISE, false);
        escrow.collect(id);
        assertEq(_balance(provider.addr) - idle, 17_600_000);
        _settles(6 * PROMISE, 6 * PROMISE, 6_533_335, 0, 1_599_999);
        _expectBooked(26_400_000 + 1_599_999 + BOND, 266_666, RETURNED + 6_533_335);
        _everybodyLeaves();
    }

    function test_WorkBeyondTheCap_IsLostToEveryLaterStatement() public {
        // nine epochs' work in the first five: the cap counts 6.25 of it, and 7.5 by the new end
        _credit(id, 5, 9 * PROMISE, 0, false);
        assertEq(escrow.lease(id).credited, 2.25e18);
        _cancelInTheSixthHour();
        _settles(9 * PROMISE, 0, 1, 0, 1_466_666);
        assertEq(escrow.lease(id).credited, 2.7e18);
    }

    function test_AShortfallByTheNewEnd_IsSlashed() public {
        _cancelInTheSixthHour();
        // 21,333,333 × (3 − 0.3) / 24; work asked for after the end does not count
        _settles(3 * PROMISE, COMMITTED, 21_466_667, 2_399_999, 0);
        assertEq(escrow.lease(id).due, 2.16e18);
        _expectBooked(13_200_000 + BOND - 2_399_999, 133_333, RETURNED + 21_466_667 + 2_399_999);
        _everybodyLeaves();
    }

    // ---------------------------------------------------------------- to whom

    function test_WhenTheNftIsSoldInBetween_WhatWasNotClaimedGoesWithIt() public {
        _cancelInTheSixthHour();
        _transfer(stranger);
        _settles(6 * PROMISE, 6 * PROMISE, 6_533_335, 0, 1_599_999);
        _revertsFor(ILeaseEscrow.NotLeaseOwner.selector, renter);
        vm.prank(renter);
        escrow.claim(_only(id), renter);
        vm.prank(stranger);
        escrow.claim(_only(id), stranger);
        assertEq(token.balanceOf(stranger), RETURNED + 6_533_335);
        _everybodyLeaves();
    }

    function test_WhenItIsSoldAfterAClaim_EachOwnerKeepsHerPart() public {
        _cancelInTheSixthHour();
        vm.prank(renter);
        escrow.claim(_only(id), payee);
        assertEq(token.balanceOf(payee), RETURNED);
        _transfer(stranger);
        _settles(6 * PROMISE, 6 * PROMISE, 6_533_335, 0, 1_599_999);
        assertEq(_held(), 6_533_335);
        _everybodyLeaves();
    }

    // ---------------------------------------------------------------- when

    function test_TheLastWord_SettlesFromTheNewEndOn() public {
        _cancelInTheSixthHour();
        bytes memory error = _error(ILeaseEscrow.NotSettleable.selector, id, NEW_END + WINDOW);
        vm.expectRevert(error);
        escrow.settle(id);
        _credit(id, 6, PROMISE, 0, false);
        vm.expectRevert(error);
        escrow.settle(id);
        _credit(id, 6, PROMISE, 0, true);
        escrow.settle(id);
        assertEq(block.timestamp, NEW_END + 1);
        assertTrue(escrow.lease(id).settled);
    }

    function test_TheWindow_CountsFromTheNewEnd() public {
        _cancelInTheSixthHour();
        vm.warp(NEW_END + WINDOW - 1);
        vm.expectRevert(_error(ILeaseEscrow.NotSettleable.selector, id, NEW_END + WINDOW));
        escrow.settle(id);
        vm.warp(NEW_END + WINDOW);
        escrow.settle(id);
        _expectBooked(BOND, 0, PAYMENT);
        _everybodyLeaves();
    }

    function test_WhenAllIsCreditedInSpiteOfIt_SettlesAtOnce() public {
        // in the twentieth hour the cap counts everything
        vm.warp(START + 20 * EPOCH - 1);
        _cancel();
        _credit(id, 20, COMMITTED, COMMITTED, false);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Settled(id, 0, 0, BOND, 0);
        escrow.settle(id);
        _expectBooked(105_600_000 + BOND, 1_066_666, 0);
        _everybodyLeaves();
    }
}
