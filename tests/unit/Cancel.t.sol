// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IERC4906} from "contracts/src/interfaces/IERC4906.sol";
import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {ENDING_CANCELLED, ENDING_TERMINATED, Lease, Offer, RentRequest} from "contracts/src/interfaces/LeaseTypes.sol";
import {Vm} from "forge-std/Vm.sol";
import {Rented} from "tests/support/Rented.sol";

/// @notice Who may cancel, when, and what returns at once. `CancelSettled.t.sol` tests the
/// settlement.
contract CancelTest is Rented {
    /// @dev At `time`, as the renter: the lease then runs `epochs` in all.
    function _cancels(uint256 time, uint40 epochs, uint128 returned) private {
        uint40 end = START + epochs * EPOCH;
        Lease memory expected = escrow.lease(id);
        (expected.end, expected.ending, expected.held) = (end, ENDING_CANCELLED, returned);
        vm.warp(time);
        vm.expectEmit(address(escrow));
        emit IERC4906.MetadataUpdate(id);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Cancelled(id, end, returned);
        _cancel();
        assertEq(abi.encode(escrow.lease(id)), abi.encode(expected), "nothing but the end and what is held");
        assertEq(_balance(provider.addr), idle, "the bond stays, the fee waits");
        assertEq(_balance(renter), 0, "the lease holds it until it is claimed");
        assertEq(escrow.liabilities(address(token)), DEPOSIT + PAYMENT);
        assertEq(_exposure(committeeId), PAYMENT + BOND);
    }

    function _nothingToShorten(uint256 time) private {
        vm.warp(time);
        vm.expectRevert(_error(ILeaseEscrow.NothingToShorten.selector, id, END));
        _cancel();
    }

    // ---------------------------------------------------------------- when

    function test_InTheFirstSecond_TheFirstEpochRuns() public {
        // 106,666,666 − ⌈106,666,666 × 1.25 / 24⌉ = 101,111,110; two percent of it are set aside
        _cancels(START, 1, 99_088_888);
    }

    function test_InTheMiddleOfAnEpoch_ItRunsToItsEnd() public {
        // 106,666,666 − ⌈106,666,666 × 7.5 / 24⌉ = 73,333,332
        _cancels(START + 5 * EPOCH + 1799, 6, 71_866_666);
    }

    function test_InTheLastSecondOfAnEpoch_ThatEpochIsTheLast() public {
        _cancels(START + 6 * EPOCH - 1, 6, 71_866_666);
    }

    function test_AtAnEpochsFirstSecond_ItRuns() public {
        // 106,666,666 − ⌈106,666,666 × 8.75 / 24⌉ = 67,777,777
        _cancels(START + 6 * EPOCH, 7, 66_422_222);
    }

    function test_JustBeforeFourFifths_LittleReturns() public {
        // 106,666,666 − ⌈106,666,666 × 23.75 / 24⌉ = 1,111,111
        _cancels(START + 19 * EPOCH - 1, 19, 1_088_889);
    }

    function test_OnceTheCapReachesAll_NothingReturnsAndNothingIsPaid() public {
        _cancels(START + 19 * EPOCH, 20, 0);
    }

    function test_InTheLastEpochButOne_OnlyTheEndMoves() public {
        _cancels(END - EPOCH - 1, 23, 0);
    }

    function test_InTheLastEpochAndAfterTheEnd_Reverts() public {
        _nothingToShorten(END - EPOCH);
        _nothingToShorten(END - 1);
        _nothingToShorten(END);
        _nothingToShorten(END + WINDOW + 1);
    }

    // ---------------------------------------------------------------- before the start

    function test_BeforeTheStart_AllButTheFeeUnwindsAtOnce() public {
        vm.warp(START - 1);
        vm.recordLogs();
        _cancel();
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(logs.length, 4);
        assertEq(logs[0].topics[0], IERC4906.MetadataUpdate.selector);
        assertEq(logs[1].topics[0], ILeaseEscrow.Cancelled.selector);
        assertEq(logs[2].topics[0], ILeaseEscrow.Settled.selector);
        // two percent of the payment for a day that was held ready
        assertEq(logs[1].data, abi.encode(START, 104_533_333));
        assertEq(logs[2].data, abi.encode(0, 0, BOND, 2_133_333));
        assertEq(logs[3].topics[0], IERC4906.MetadataUpdate.selector);

        _expectBooked(BOND + 2_133_333, 0, 104_533_333);
        Lease memory l = escrow.lease(id);
        assertEq(l.end, START);
        assertEq(l.ending, ENDING_CANCELLED);
        assertTrue(l.settled);
        assertEq(_exposure(committeeId), 0);
        _everybodyLeaves();
    }

    function test_InTheSecondOfRenting_TheFeeIsDueToo() public {
        _cancel();
        _expectBooked(BOND + 2_133_333, 0, 104_533_333);
        assertTrue(escrow.lease(id).settled);
    }

    /// @dev Where due work comes by agreement, the fee before the start is the same.
    function test_BeforeTheStartOfAVoidableLease_TheFeeIsTheSame() public {
        _beginVoidable();
        _cancel();
        _expectBooked(BOND + 2_133_333, 0, 104_533_333);
    }

    function test_ADaysOptionOnAnOffer_CostsTheFee() public {
        Offer memory o = _offer();
        o.salt = 99;
        RentRequest memory r = _request();
        r.hashRate = o.hashRate;
        r.start = uint40(NOW + o.notice + 24 hours);
        id = _rent(o, r);
        idle = _balance(provider.addr);
        vm.warp(r.start - 1);
        _cancel();
        // two percent of 1,066,666,658 to the provider, whose offer is used up and whose bond was
        // locked
        _expectBooked(213_333_331 + 21_333_333, 0, 1_045_333_325);
        assertEq(lens.filled(lens.offerHash(o)), o.hashRate, "the offer is used up");
    }

    // ---------------------------------------------------------------- the fee

    function test_WhenThereIsNoFee_AllOfItReturns() public {
        Offer memory o = _offer();
        o.cancelBps = 0;
        _begin(o);
        vm.warp(START + 5 * EPOCH);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Cancelled(id, START + 6 * EPOCH, 73_333_332);
        _cancel();
        assertEq(_held(), 73_333_332);
    }

    function test_WhenTheFeeIsAsHighAsTheBond_ThatMuchStaysAside() public {
        Offer memory o = _offer();
        o.cancelBps = 2000;
        _begin(o);
        vm.warp(START + 5 * EPOCH);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Cancelled(id, START + 6 * EPOCH, 58_666_666);
        _cancel();
        assertEq(_held(), 58_666_666);
    }

    // ---------------------------------------------------------------- by whom

    function test_ByAnApprovedAccount_TheLeaseHoldsTheMoney() public {
        vm.prank(renter);
        escrow.approve(stranger, id);
        vm.warp(START);
        vm.prank(stranger);
        escrow.cancel(id);
        assertEq(_held(), 99_088_888);
        assertEq(_balance(stranger), 0);
    }

    function test_ByAnOperator_TheLeaseHoldsTheMoney() public {
        vm.prank(renter);
        escrow.setApprovalForAll(stranger, true);
        vm.warp(START);
        vm.prank(stranger);
        escrow.cancel(id);
        assertEq(_held(), 99_088_888);
        assertEq(_balance(stranger), 0);
    }

    function test_AfterATransfer_TheNewOwnerCancelsAndTheOldOneDoesNot() public {
        _transfer(stranger);
        vm.warp(START);
        _revertsFor(ILeaseEscrow.NotLeaseOwner.selector, renter);
        _cancel();
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Cancelled(id, START + EPOCH, 99_088_888);
        vm.prank(stranger);
        escrow.cancel(id);
        assertEq(_held(), 99_088_888);
    }

    function test_ByAnyoneElse_Reverts() public {
        address user = makeAddr("user");
        vm.prank(renter);
        escrow.setUser(id, user, type(uint64).max);
        address[6] memory callers = [user, stranger, provider.addr, address(committee), payee, address(this)];
        for (uint256 i; i < callers.length; ++i) {
            _revertsFor(ILeaseEscrow.NotLeaseOwner.selector, callers[i]);
            vm.prank(callers[i]);
            escrow.cancel(id);
        }
    }

    // ---------------------------------------------------------------- once

    function test_WhenCancelledOrTerminated_Reverts() public {
        vm.warp(START + 2 * EPOCH);
        uint256 snapshot = vm.snapshotState();
        for (uint256 i; i < 2; ++i) {
            if (i == 0) _cancel();
            else _terminate();
            vm.expectRevert(_error(ILeaseEscrow.AlreadyEnding.selector, id));
            _cancel();
            vm.warp(END);
            vm.expectRevert(_error(ILeaseEscrow.AlreadyEnding.selector, id));
            _cancel();
            assertEq(escrow.lease(id).ending, i == 0 ? ENDING_CANCELLED : ENDING_TERMINATED);
            vm.revertToState(snapshot);
        }
    }

    function test_WhenTheLeaseIsSettled_Reverts() public {
        _credit(id, 20, COMMITTED, COMMITTED, false);
        escrow.settle(id);
        _revertsAsSettled();
        _cancel();
    }

    function test_WhenTheLeaseIsUnknown_Reverts() public {
        vm.expectRevert(abi.encodeWithSignature("TokenDoesNotExist()"));
        vm.prank(renter);
        escrow.cancel(2);
    }

    // ---------------------------------------------------------------- nobody can stop it

    function test_WhenEverythingIsDelisted_ItReturnsTheSame() public {
        registry.listOracle(committeeId, false);
        registry.listToken(address(token), false);
        _setCap(committeeId, address(token), 0);
        registry.pause();
        _cancels(START, 1, 99_088_888);
    }
}
