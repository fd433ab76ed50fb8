// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IERC4906} from "contracts/src/interfaces/IERC4906.sol";
import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Lease, Offer, RentRequest} from "contracts/src/interfaces/LeaseTypes.sol";
import {Vm} from "forge-std/Vm.sol";
import {Rented} from "tests/support/Rented.sol";

/// @notice Leases that run as rented. `CancelSettled.t.sol` and `Terminate.t.sol` test early ends,
/// `Settled.t.sol` what a settled lease still allows.
contract SettleTest is Rented {
    /// @dev Settles as a stranger. All amounts are spelled out: they add up to payment and bond,
    /// and all of it leaves.
    function _settles(uint256 released, uint256 fee, uint256 refund, uint256 slashed, uint256 bond) private {
        _settles(released, fee, refund, slashed, bond, 0);
    }

    /// @dev With a fee for capacity that was not used.
    function _settles(uint256 released, uint256 fee, uint256 refund, uint256 slashed, uint256 bond, uint256 capacity)
        private
    {
        assertEq(released + refund + capacity + slashed + bond, PAYMENT + BOND, "the example adds up");
        vm.recordLogs();
        vm.prank(stranger);
        escrow.settle(id);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        uint256 at = logs.length - 2;
        assertLe(at, 1, "Collected comes first, if at all");
        assertEq(logs[at].topics[0], ILeaseEscrow.Settled.selector);
        assertEq(logs[at].topics[1], bytes32(id));
        assertEq(logs[at].data, abi.encode(refund, slashed, bond, capacity));
        assertEq(logs[at + 1].topics[0], IERC4906.MetadataUpdate.selector);
        assertEq(logs[at + 1].data, abi.encode(id));
        _expectBooked(released - fee + bond + capacity, fee, refund + slashed);
        assertTrue(escrow.lease(id).settled);
        assertEq(_exposure(committeeId), 0);
        assertEq(escrow.liabilities(address(token)), DEPOSIT + PAYMENT, "nothing left the escrow");
        _everybodyLeaves();
    }

    function _notYet() private {
        vm.expectRevert(_error(ILeaseEscrow.NotSettleable.selector, id, END + WINDOW));
        escrow.settle(id);
    }

    // ---------------------------------------------------------------- when

    function test_RightAfterRenting_Reverts() public {
        _notYet();
    }

    function test_WhenAllIsCredited_SettlesBeforeTheEnd() public {
        _credit(id, 19, COMMITTED, 0, false);
        _notYet();
        _credit(id, 20, COMMITTED - 1, 0, false);
        _notYet();
        _credit(id, 20, COMMITTED, 0, false);
        assertEq(block.timestamp, START + 20 * EPOCH);
        _settles(PAYMENT, 1_066_666, 0, 0, BOND);
    }

    function test_WhenTheOracleSaidLast_SettlesAfterTheEnd() public {
        _credit(id, 24, 0, 0, false);
        _notYet();
        _credit(id, 24, 0, 0, true);
        assertEq(block.timestamp, END + 1);
        // nothing was asked for: two percent of the payment
        _settles(0, 0, 104_533_333, 0, BOND, 2_133_333);
    }

    function test_InTheBlockOfTheLastWord_Reverts() public {
        vm.warp(END + 5);
        _send(_entry(id, END, COMMITTED / 2, COMMITTED, true));
        _notYet();
        // so a higher statement beside it counts
        _send(_entry(id, END, COMMITTED * 3 / 4, COMMITTED, false));
        skip(1);
        _settles(79_999_999, 799_999, 26_666_667, 4_266_666, 17_066_667);
    }

    function test_ALastWordInTheWindowsLastSecond_HoldsNobodyUp() public {
        vm.warp(END + WINDOW);
        _send(_entry(id, END, COMMITTED / 2, COMMITTED, true));
        _settles(53_333_333, 533_333, 53_333_333, 9_599_999, 11_733_334);
    }

    function test_WhenNobodySpeaks_SettlesAfterTheWindowAndSilenceNeverSlashes() public {
        vm.warp(END + WINDOW - 1);
        _notYet();
        vm.warp(END + WINDOW);
        _settles(0, 0, PAYMENT, 0, BOND);
    }

    function test_TheWindow_IsThatOfThePinnedOracle() public {
        _beginVoidable();
        vm.warp(END + LONG_WINDOW - 1);
        vm.expectRevert(_error(ILeaseEscrow.NotSettleable.selector, id, END + LONG_WINDOW));
        escrow.settle(id);
        vm.warp(END + LONG_WINDOW);
        escrow.settle(id);
        assertEq(_held(), PAYMENT);
    }

    function test_WhenTheOracleWentSilent_WhatItCreditedStays() public {
        // half an hour of work, and nothing due for the rest
        _credit(id, 1, 1.8e17, 1.8e17, false);
        vm.warp(END + WINDOW);
        _settles(2_222_222, 22_222, PAYMENT - 2_222_222, 0, BOND);
    }

    function test_WhenTheOracleWentSilent_WhatItFoundMissingIsSlashed() public {
        // six epochs due, nothing delivered, then silence: 21,333,333 × (6 − 0.3) / 24
        _credit(id, 6, 0, 6 * PROMISE, false);
        vm.warp(END + WINDOW);
        _settles(0, 0, PAYMENT, 5_066_666, BOND - 5_066_666);
    }

    function test_AfterTheWindow_ACreditStillCountsUntilSomebodySettles() public {
        vm.warp(END + WINDOW + 1);
        _credit(id, 24, COMMITTED, COMMITTED, true);
        _settles(PAYMENT, 1_066_666, 0, 0, BOND);
    }

    // ---------------------------------------------------------------- how much

    function test_WhenHalfIsMissing_TheBondPaysForWhatIsBeyondTheTolerance() public {
        _credit(id, 24, COMMITTED / 2, COMMITTED, true);
        // short 0.5, tolerance 0.05 of the committed work; 0.45 × 21,333,333, rounded down
        _settles(53_333_333, 533_333, 53_333_333, 9_599_999, 11_733_334);
    }

    function test_WhenNothingIsDelivered_TheToleranceIsStillKept() public {
        _credit(id, 24, 0, COMMITTED, true);
        _settles(0, 0, PAYMENT, 20_266_666, 1_066_667);
    }

    function test_Rounding_GoesToTheOwner() public {
        // a third is 35,555,555.3, two thirds 71,111,110.6
        _credit(id, 24, COMMITTED / 3, 0, true);
        _settles(35_555_555, 355_555, 69_688_889, 0, BOND, 1_422_222);
    }

    function test_WhenTheShortfallIsTheTolerance_NothingIsSlashed() public {
        // a twentieth of the due work, 4.32 × 10^17
        _credit(id, 24, 8.208e18, COMMITTED, true);
        _settles(101_333_332, 1_013_333, 5_333_334, 0, BOND);
    }

    function test_WhenTheShortfallIsLessThanABaseUnitBeyond_NothingIsSlashed() public {
        // 8.64 × 10^18 / 21,333,333 is 405,000,006,328 and a bit
        _credit(id, 24, 8.208e18 - 405_000_006_328, COMMITTED, true);
        _settles(101_333_327, 1_013_333, 5_333_339, 0, BOND);
    }

    function test_WhenTheShortfallIsABaseUnitBeyond_ItIsSlashed() public {
        _credit(id, 24, 8.208e18 - 405_000_006_329, COMMITTED, true);
        _settles(101_333_327, 1_013_333, 5_333_339, 1, BOND - 1);
    }

    function test_WhenLittleWasDue_TheToleranceIsThatOfChance() public {
        // 3.1 × √(2^48 × 3.6 × 10^17), more than a twentieth of 3.6 × 10^17
        _credit(id, 24, 3.6e17 - 31_205_621_760_000_000 - 405_000_006_328, 3.6e17, true);
        _settles(4_059_184, 40_591, 102_607_482, 0, BOND);
    }

    function test_WhenLittleWasDue_ABaseUnitBeyondIsSlashed() public {
        _credit(id, 24, 3.6e17 - 31_205_621_760_000_000 - 405_000_006_329, 3.6e17, true);
        _settles(4_059_184, 40_591, 102_607_482, 1, BOND - 1);
    }

    function test_WhenLittleWasDueAndNothingCame_TheRestIsSlashed() public {
        // 21,333,333 × (3.6 × 10^17 − 31,205,621,760,000,000) / 8.64 × 10^18
        _credit(id, 24, 0, 3.6e17, true);
        _settles(0, 0, PAYMENT, 811_837, 20_521_496);
    }

    function test_WorkBeyondWhatWasDue_IsPaidAndNeverHeldAgainstTheProvider() public {
        _credit(id, 24, COMMITTED / 2, COMMITTED / 4, true);
        _settles(53_333_333, 533_333, 52_266_667, 0, BOND, 1_066_666);
    }

    function test_WhenTheBondIsZero_NothingIsSlashed() public {
        Offer memory o = _offer();
        (o.bondBps, o.cancelBps) = (0, 0);
        _begin(o);
        _credit(id, 24, 0, COMMITTED, true);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Settled(id, PAYMENT, 0, 0, 0);
        escrow.settle(id);
        _expectBooked(0, 0, PAYMENT);
        assertEq(_exposure(committeeId), PAYMENT + BOND, "the other lease's");
    }

    function test_CollectedMoney_IsNotPaidTwice() public {
        _credit(id, 12, COMMITTED / 4, COMMITTED / 2, false);
        escrow.collect(id);
        _credit(id, 24, COMMITTED / 2, COMMITTED, true);
        _settles(53_333_333, 533_333, 53_333_333, 9_599_999, 11_733_334);
    }

    // ---------------------------------------------------------------- capacity held ready

    function test_WhenOnlyHalfWasAskedFor_TheOtherHalfHasItsPrice() public {
        _credit(id, 24, COMMITTED / 2, COMMITTED / 2, true);
        // two percent of 53,333,333
        _settles(53_333_333, 533_333, 52_266_667, 0, BOND, 1_066_666);
    }

    function test_WhenAllWasAskedFor_ThereIsNoFee() public {
        _credit(id, 24, 8.64e18 - 1e17, COMMITTED, true);
        _settles(105_432_098, 1_054_320, 1_234_568, 0, BOND);
    }

    function test_WhenThereWasNoLastWord_ThereIsNoFee() public {
        _credit(id, 24, COMMITTED / 2, COMMITTED / 2, false);
        vm.warp(END + WINDOW);
        _settles(53_333_333, 533_333, 53_333_333, 0, BOND);
    }

    function test_WhereWorkIsDueByAgreement_OnlyACancellationHasAPrice() public {
        _beginVoidable();
        _credit(id, 24, COMMITTED / 2, 0, true);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Settled(id, 53_333_333, 0, BOND, 0);
        escrow.settle(id);
    }

    /// @dev Else a provider whose own key signs the jobs would sign none, deliver nothing and keep
    /// the fee, which may be the whole payment: an honest oracle has nothing to report.
    function test_WhereTheProviderChoseWhoAsks_ItsSilenceEarnsNothing() public {
        uint256 snapshot = vm.snapshotState();
        for (uint256 i; i < 3; ++i) {
            Offer memory o = _offer();
            (o.bondBps, o.cancelBps) = (10_000, 10_000);
            RentRequest memory r = _request();
            if (i != 2) r.jobSigner = provider.addr;
            if (i != 1) o.jobSigner = r.jobSigner;
            vm.warp(NOW);
            id = _rent(o, r);
            assertEq(escrow.lease(id).signerDictated, i != 1);
            _credit(id, 24, 0, 0, true);
            vm.warp(END + 1);
            vm.expectEmit(address(escrow));
            emit ILeaseEscrow.Settled(id, PAYMENT, 0, PAYMENT, 0);
            escrow.settle(id);
            vm.revertToState(snapshot);
        }
    }

    /// @dev As far as the provider delivered: here half of what it had promised until then.
    function test_WhereTheProviderChoseWhoAsks_ACancellationHasAPrice() public {
        vm.warp(NOW);
        Offer memory o = _offer();
        o.jobSigner = jobSigner;
        id = _rent(o, _request());
        vm.warp(START + 11 hours);
        vm.prank(renter);
        escrow.cancel(id);
        _credit(id, 12, COMMITTED / 4, COMMITTED / 4, true);
        Lease memory l = escrow.lease(id);
        vm.warp(l.end + 1);
        escrow.settle(id);
        // two percent of half of the half that was cut off
        assertEq(_held(), PAYMENT - 26_666_666 - 533_333);
    }

    // ---------------------------------------------------------------- to whom

    function test_TheRefund_StaysInTheLease() public {
        _credit(id, 24, COMMITTED / 2, COMMITTED, true);
        escrow.settle(id);
        assertEq(_held(), 53_333_333 + 9_599_999);
        assertEq(_balance(renter), 0);
        assertEq(token.balanceOf(renter), DEPOSIT - PAYMENT);
    }

    function test_TheFee_GoesToThePinnedOraclesPayee() public {
        Offer memory o = _offer();
        o.oracle = majorityId;
        _begin(o);
        _credit(id, 24, COMMITTED, COMMITTED, true);
        escrow.settle(id);
        assertEq(_balance(majorityPayee), 3_199_999);
        _expectBooked(103_466_667 + BOND, 0, 0);
        assertEq(_exposure(majorityId), 0);
        assertEq(_exposure(committeeId), PAYMENT + BOND);
    }

    function test_TwoLeases_AreSettledIndependently() public {
        uint256 first = id;
        _begin(_offer());
        assertEq(_exposure(committeeId), 2 * uint256(PAYMENT + BOND));
        _credit(id, 24, COMMITTED, COMMITTED, true);
        escrow.settle(id);
        assertEq(_exposure(committeeId), PAYMENT + BOND);
        assertFalse(escrow.lease(first).settled);
        _credit(first, 24, 0, 0, true);
        escrow.settle(first);
        assertEq(_exposure(committeeId), 0);
        _everybodyLeaves();
    }

    // ---------------------------------------------------------------- nobody can stop it

    function test_WhenEverythingIsDelisted_SettlesAndPays() public {
        registry.listOracle(committeeId, false);
        registry.listToken(address(token), false);
        _setCap(committeeId, address(token), 0);
        registry.pause();
        _credit(id, 24, COMMITTED, COMMITTED, true);
        _settles(PAYMENT, 1_066_666, 0, 0, BOND);
    }
}
