// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IERC4906} from "contracts/src/interfaces/IERC4906.sol";
import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {ENDING_CANCELLED, ENDING_TERMINATED, Lease, Offer} from "contracts/src/interfaces/LeaseTypes.sol";
import {Vm} from "forge-std/Vm.sol";
import {Rented} from "tests/support/Rented.sol";

contract TerminateTest is Rented {
    /// @dev At `time`: the lease then runs `epochs` in all.
    function _terminates(uint256 time, uint40 epochs) private {
        uint40 end = START + epochs * EPOCH;
        Lease memory expected = escrow.lease(id);
        (expected.end, expected.ending) = (end, ENDING_TERMINATED);
        vm.warp(time);
        vm.expectEmit(address(escrow));
        emit IERC4906.MetadataUpdate(id);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Terminated(id, end);
        _terminate();
        assertEq(abi.encode(escrow.lease(id)), abi.encode(expected), "nothing but the end");
        _expectBooked(0, 0, 0);
        assertEq(_exposure(committeeId), PAYMENT + BOND);
    }

    /// @dev With the oracle's last word at the new end, on that many epochs' work and due work.
    function _settles(uint256 epochs, uint256 work, uint256 due, uint256 taken, uint256 fee) private {
        _credit(id, epochs, work, due, true);
        uint256 released = PAYMENT * uint256(escrow.lease(id).credited) / COMMITTED;
        uint256 refund = PAYMENT - released - fee;
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Settled(id, refund, taken, BOND - taken, fee);
        escrow.settle(id);
        _expectBooked(released - released / 100 + fee + BOND - taken, released / 100, refund + taken);
        assertEq(_exposure(committeeId), 0);
        _everybodyLeaves();
    }

    // ---------------------------------------------------------------- when

    function test_InTheFirstSecond_TheFirstEpochRuns() public {
        _terminates(START, 1);
    }

    function test_InTheMiddleOfAnEpoch_ItRunsToItsEnd() public {
        _terminates(START + 5 * EPOCH + 1799, 6);
    }

    function test_AtAnEpochsFirstSecond_ItRuns() public {
        _terminates(START + 6 * EPOCH, 7);
    }

    function test_InTheLastEpochButOne_TheLastIsCut() public {
        _terminates(END - EPOCH - 1, 23);
    }

    function test_InTheLastEpochAndAfterTheEnd_Reverts() public {
        uint40[3] memory times = [END - EPOCH, END, END + WINDOW + 1];
        for (uint256 i; i < 3; ++i) {
            vm.warp(times[i]);
            vm.expectRevert(_error(ILeaseEscrow.NothingToShorten.selector, id, END));
            _terminate();
        }
    }

    // ---------------------------------------------------------------- before the start

    function test_BeforeTheStart_TheHolderGetsHalfOfTheBond() public {
        vm.warp(START - 1);
        vm.recordLogs();
        _terminate();
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(logs.length, 4);
        assertEq(logs[0].topics[0], IERC4906.MetadataUpdate.selector);
        assertEq(logs[1].topics[0], ILeaseEscrow.Terminated.selector);
        assertEq(logs[1].data, abi.encode(START));
        assertEq(logs[2].topics[0], ILeaseEscrow.Settled.selector);
        // 21,333,333 / 2, rounded down
        assertEq(logs[2].data, abi.encode(PAYMENT, 10_666_666, 10_666_667, 0));
        assertEq(logs[3].topics[0], IERC4906.MetadataUpdate.selector);
        _expectBooked(10_666_667, 0, PAYMENT + 10_666_666);
        assertTrue(escrow.lease(id).settled);
        assertEq(escrow.lease(id).ending, ENDING_TERMINATED);
        assertEq(_exposure(committeeId), 0);
        _everybodyLeaves();
    }

    function test_BeforeTheStartWithoutABond_ThePaymentReturns() public {
        Offer memory o = _offer();
        (o.bondBps, o.cancelBps) = (0, 0);
        _begin(o);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Settled(id, PAYMENT, 0, 0, 0);
        _terminate();
        _expectBooked(0, 0, PAYMENT);
    }

    // ---------------------------------------------------------------- what it costs

    function test_WhenAllWasDueAndDelivered_ItCostsHalfOfWhatVanishingWouldCost() public {
        _terminates(START + 5 * EPOCH + 1, 6);
        // ⌊21,333,333 × (24 − 6 − 1.2) / 24 / 2⌋
        _settles(6, 6 * PROMISE, 6 * PROMISE, 7_466_666, 0);
    }

    function test_WhenHalfWasDue_ItCostsHalfAsMuchAndTheOtherHalfEarnsTheFee() public {
        _terminates(START + 5 * EPOCH + 1, 6);
        // two percent of three epochs' pay
        _settles(6, 3 * PROMISE, 3 * PROMISE, 3_733_333, 266_666);
    }

    function test_WhenNothingWasDue_ItIsFreeAndEarnsTheFee() public {
        _terminates(START + 5 * EPOCH + 1, 6);
        _settles(6, 0, 0, 0, 533_333);
    }

    function test_WhenNothingWasDueButWorkWasDone_ItIsPaidAndFree() public {
        _terminates(START + 5 * EPOCH + 1, 6);
        _settles(6, 6 * PROMISE, 0, 0, 0);
    }

    function test_InTheFirstEpoch_ItCostsTheMost() public {
        _terminates(START, 1);
        // ⌊21,333,333 × (24 − 1 − 1.2) / 24 / 2⌋
        _settles(1, PROMISE, PROMISE, 9_688_888, 0);
    }

    function test_InTheLastEpochButOne_ItIsWithinTheTolerance() public {
        _terminates(END - EPOCH - 1, 23);
        _settles(23, 23 * PROMISE, 23 * PROMISE, 0, 0);
    }

    function test_WhenTheLastEpochWasNotAskedFor_TheFinalDueCounts() public {
        _terminates(START + 5 * EPOCH + 1, 6);
        // reported for the fifth epoch's end: five of the six epochs that the lease ran, as if 20
        // of 24; ⌊21,333,333 × (20 − 5 − 1) / 24 / 2⌋
        _credit(id, 5, 5 * PROMISE, 5 * PROMISE, false);
        _settles(6, 0, 0, 6_222_222, 88_888);
    }

    function test_DueBeyondTheNewEnd_DoesNotCount() public {
        _terminates(START + 5 * EPOCH + 1, 6);
        _settles(6, 6 * PROMISE, COMMITTED, 7_466_666, 0);
    }

    function test_AShortfall_CostsTheMeanOfBothSlashes() public {
        _terminates(START + 5 * EPOCH + 1, 6);
        // ⌊21,333,333 × (3 − 0.3) / 24⌋ = 2,399,999 and ⌊21,333,333 × (21 − 1.2) / 24⌋ = 17,599,999
        _settles(6, 3 * PROMISE, 6 * PROMISE, 9_999_999, 0);
    }

    function test_WhenNothingWasDelivered_ItCostsStillLessThanVanishing() public {
        _terminates(START + 5 * EPOCH + 1, 6);
        // the mean of 5,066,666 and of the 20,266,666 that vanishing for the whole lease costs
        _settles(6, 0, 6 * PROMISE, 12_666_666, 0);
    }

    function test_Vanishing_CostsMore() public {
        _credit(id, 1, PROMISE, PROMISE, false);
        uint256 snapshot = vm.snapshotState();
        _credit(id, 24, PROMISE, 24 * uint256(PROMISE), true);
        escrow.settle(id);
        assertEq(_balance(provider.addr) - idle, 6_355_556, "silent");

        vm.revertToState(snapshot);
        _terminate();
        _credit(id, 2, PROMISE, 2 * uint256(PROMISE), true);
        escrow.settle(id);
        assertEq(_balance(provider.addr) - idle, 15_654_484, "terminated");
    }

    function test_TheCost_IsAtMostWhatIsLeftOfTheBond() public {
        _beginVoidable();
        vm.warp(START + 5 * EPOCH + 1);
        _terminate();
        for (uint32 i; i < 3; ++i) {
            testOracle.voidEpoch(id, i, challenger);
        }
        _credit(id, 6, 3 * PROMISE, 6 * PROMISE, true);
        // 9,999,999 would be due, 21,333,333 − 3 × 4,444,444 are left
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Settled(id, 93_333_333, 8_000_001, 0, 0);
        escrow.settle(id);
        assertEq(_balance(provider.addr) - idle, 13_333_333 - 266_666);
    }

    function test_WhenThereIsNoBond_ItIsFree() public {
        Offer memory o = _offer();
        (o.bondBps, o.cancelBps) = (0, 0);
        _begin(o);
        vm.warp(START + 5 * EPOCH + 1);
        _terminate();
        _credit(id, 6, 0, 6 * PROMISE, true);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Settled(id, PAYMENT, 0, 0, 0);
        escrow.settle(id);
        _expectBooked(0, 0, PAYMENT);
    }

    function test_WhenTheOracleStaysSilent_ItIsFree() public {
        _terminates(START + 5 * EPOCH + 1, 6);
        vm.warp(START + 6 * EPOCH + WINDOW);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Settled(id, PAYMENT, 0, BOND, 0);
        escrow.settle(id);
        _everybodyLeaves();
    }

    // ---------------------------------------------------------------- by whom, and once

    function test_ByAnyoneButTheProvider_Reverts() public {
        address[5] memory callers = [renter, stranger, address(committee), payee, address(this)];
        for (uint256 i; i < callers.length; ++i) {
            _revertsFor(ILeaseEscrow.NotLeaseProvider.selector, callers[i]);
            vm.prank(callers[i]);
            escrow.terminate(id);
        }
    }

    function test_ByAnotherProvider_Reverts() public {
        Account memory other = makeAccount("other provider");
        Offer memory o = _offer();
        (o.provider, o.bondBps, o.cancelBps) = (other.addr, 0, 0);
        bytes memory signature = _signature(other.key, lens.offerDigest(o));
        vm.prank(renter);
        uint256 theirs = escrow.rent(o, signature, new bytes32[](0), _request());
        _revertsFor(ILeaseEscrow.NotLeaseProvider.selector, other.addr);
        vm.prank(other.addr);
        escrow.terminate(id);
        vm.prank(other.addr);
        escrow.terminate(theirs);
        assertTrue(escrow.lease(theirs).settled);
        assertFalse(escrow.lease(id).settled);
    }

    function test_WhenTheProviderHoldsTheNft_ItIsStillItsTermination() public {
        _transfer(provider.addr);
        vm.warp(START);
        _terminate();
        assertEq(escrow.lease(id).ending, ENDING_TERMINATED);
    }

    function test_WhenCancelledOrTerminated_Reverts() public {
        vm.warp(START + 2 * EPOCH);
        uint256 snapshot = vm.snapshotState();
        for (uint256 i; i < 2; ++i) {
            if (i == 0) _cancel();
            else _terminate();
            vm.warp(START + 4 * EPOCH);
            vm.expectRevert(_error(ILeaseEscrow.AlreadyEnding.selector, id));
            _terminate();
            assertEq(escrow.lease(id).ending, i == 0 ? ENDING_CANCELLED : ENDING_TERMINATED);
            assertEq(escrow.lease(id).end, START + 3 * EPOCH);
            vm.revertToState(snapshot);
        }
    }

    function test_WhenTheLeaseIsSettled_Reverts() public {
        _credit(id, 20, COMMITTED, COMMITTED, false);
        escrow.settle(id);
        _revertsAsSettled();
        _terminate();
    }

    function test_WhenTheLeaseIsUnknown_Reverts() public {
        id = 2;
        _revertsFor(ILeaseEscrow.NotLeaseProvider.selector, provider.addr);
        _terminate();
        // the number zero belongs to nobody
        _revertsFor(ILeaseEscrow.NotLeaseProvider.selector, address(this));
        escrow.terminate(2);
    }

    // ---------------------------------------------------------------- nobody can stop it

    function test_WhenEverythingIsDelisted_ItEndsTheSame() public {
        registry.listOracle(committeeId, false);
        registry.listToken(address(token), false);
        _setCap(committeeId, address(token), 0);
        registry.pause();
        _terminates(START, 1);
    }
}
