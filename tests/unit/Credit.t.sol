// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IERC4906} from "contracts/src/interfaces/IERC4906.sol";
import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Offer, Statement} from "contracts/src/interfaces/LeaseTypes.sol";
import {Vm} from "forge-std/Vm.sol";
import {Rented} from "tests/support/Rented.sol";

/// @notice Good entries; `CreditSkipped.t.sol` tests the bad ones.
contract CreditTest is Rented {
    // ---------------------------------------------------------------- events

    function test_ACredit_WritesTheFiguresAndReportsThem() public {
        vm.warp(START + EPOCH);
        vm.recordLogs();
        _send(_entry(id, START + EPOCH, PROMISE / 2, PROMISE, false));
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(logs.length, 2);
        assertEq(logs[0].emitter, address(escrow));
        assertEq(logs[0].topics.length, 2);
        assertEq(logs[0].topics[0], ILeaseEscrow.Credited.selector);
        assertEq(logs[0].topics[1], bytes32(id));
        bytes32 evidence = keccak256(abi.encode(id, START + EPOCH));
        assertEq(logs[0].data, abi.encode(PROMISE / 2, PROMISE, START + EPOCH, evidence));
        assertEq(logs[1].topics[0], IERC4906.BatchMetadataUpdate.selector);
        assertEq(logs[1].data, abi.encode(id, id));
        _expectFigures(PROMISE / 2, PROMISE, START + EPOCH, false);
    }

    function test_TheEvent_ReportsTheLeasesFiguresRatherThanTheEntrys() public {
        _credit(id, 2, PROMISE, PROMISE, false);
        vm.warp(START + 3 * EPOCH);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Credited(
            id, PROMISE, 3 * PROMISE, START + 3 * EPOCH, keccak256(abi.encode(id, START + 3 * EPOCH))
        );
        _send(_entry(id, START + 3 * EPOCH, 1, type(uint96).max, false));
    }

    function test_ACredit_MovesNoMoney() public {
        _credit(id, 1, PROMISE, PROMISE, false);
        _expectBooked(0, 0, 0);
        assertEq(escrow.liabilities(address(token)), DEPOSIT + PAYMENT);
        assertEq(escrow.lease(id).collectedWork, 0);
    }

    function test_TheMetadataUpdate_SpansWhatChangedAndNothingElse() public {
        // the lowest and the highest lease of the batch are not credited
        for (uint256 i; i < 4; ++i) {
            _rent();
        }
        vm.warp(START + EPOCH);
        Statement[] memory entries = new Statement[](5);
        entries[0] = _entry(4, START + EPOCH, PROMISE, 0, false);
        entries[1] = _entry(2, START + EPOCH, PROMISE, 0, false);
        entries[2] = _entry(3, START + EPOCH, PROMISE, 0, false);
        entries[3] = _entry(1, START + EPOCH + 1, PROMISE, 0, false);
        entries[4] = _entry(6, START + EPOCH, PROMISE, 0, false);
        vm.recordLogs();
        vm.prank(address(committee));
        escrow.credit(entries);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(logs.length, 6);
        assertEq(logs[5].topics[0], IERC4906.BatchMetadataUpdate.selector);
        assertEq(logs[5].data, abi.encode(2, 4));
    }

    /// @dev A lease whose offer dictated the signer, too: the bit beside the ending is another's.
    function test_TheAnswer_SaysWhatEachEntryDid() public {
        Offer memory o = _offer();
        o.jobSigner = jobSigner;
        uint256 second = _rent(o, _request());
        vm.warp(START + EPOCH);
        Statement[] memory entries = new Statement[](4);
        entries[0] = _entry(id, START + EPOCH, PROMISE, 0, false);
        entries[1] = _entry(id, START + EPOCH, PROMISE, 0, false);
        entries[2] = _entry(second, START + 2 * EPOCH, PROMISE, 0, false);
        entries[3] = _entry(second, START + EPOCH, PROMISE, 0, false);
        vm.prank(address(committee));
        (uint256 changed, uint256 skipped) = escrow.credit(entries);
        // booked, nothing new, in the future, booked
        assertEq(changed, 9);
        assertEq(skipped, 4);
    }

    // ---------------------------------------------------------------- caps

    function test_Work_CountsUpToAQuarterMoreThanPromised() public {
        _credit(id, 2, 2.5 * 3.6e17 - 1, 0, false);
        _expectFigures(899_999_999_999_999_999, 0, START + 2 * EPOCH, false);
        _credit(id, 2, 2.5 * 3.6e17 + 1, 0, false);
        _expectFigures(0.9e18, 0, START + 2 * EPOCH, false);
    }

    function test_WorkCutByTheCap_CountsInALaterStatement() public {
        _credit(id, 2, 3 * PROMISE, 0, false);
        _expectFigures(0.9e18, 0, START + 2 * EPOCH, false);
        _credit(id, 3, 3 * PROMISE, 0, false);
        _expectFigures(1.08e18, 0, START + 3 * EPOCH, false);
    }

    function test_TheCap_FollowsTheEntrysAsOfAndNotTheClock() public {
        vm.warp(END);
        _send(_entry(id, START + EPOCH, COMMITTED, COMMITTED, false));
        _expectFigures(0.45e18, 0.36e18, START + EPOCH, false);
    }

    function test_Work_NeverExceedsWhatIsCommitted() public {
        _credit(id, 24, uint256(COMMITTED) - 1, 0, false);
        _expectFigures(COMMITTED - 1, 0, END, false);
        _credit(id, 24, uint256(COMMITTED) + 1, 0, false);
        _expectFigures(COMMITTED, 0, END, false);
        _credit(id, 24, type(uint96).max, 0, true);
        _expectFigures(COMMITTED, 0, END, true);
    }

    function test_AtFourFifthsOfTheLease_AllMayBeCredited() public {
        _credit(id, 19, type(uint96).max, 0, false);
        _expectFigures(8.55e18, 0, START + 19 * EPOCH, false);
        _credit(id, 20, type(uint96).max, 0, false);
        _expectFigures(COMMITTED, 0, START + 20 * EPOCH, false);
    }

    function test_Due_CountsUpToWhatWasPromised() public {
        _credit(id, 2, 0, type(uint96).max, false);
        _expectFigures(0, 0.72e18, START + 2 * EPOCH, false);
        _credit(id, 24, 0, type(uint96).max, false);
        _expectFigures(0, COMMITTED, END, false);
    }

    // ---------------------------------------------------------------- maxima

    function test_EachFigure_TakesItsOwnMaximum() public {
        _credit(id, 3, 2 * PROMISE, PROMISE, false);
        _credit(id, 2, PROMISE, 2 * PROMISE, false);
        _expectFigures(2 * PROMISE, 2 * PROMISE, START + 3 * EPOCH, false);
        _credit(id, 4, 0, 0, false);
        _expectFigures(2 * PROMISE, 2 * PROMISE, START + 4 * EPOCH, false);
    }

    function test_WhenNothingChanges_NoEventIsEmitted() public {
        _credit(id, 3, PROMISE, PROMISE, false);
        bytes32 before = _state();
        vm.recordLogs();
        _credit(id, 3, PROMISE, PROMISE, false);
        _credit(id, 3, PROMISE - 1, PROMISE - 1, false);
        _credit(id, 1, PROMISE, PROMISE, true);
        assertEq(vm.getRecordedLogs().length, 0);
        assertEq(_state(), before);
    }

    function test_ALeaseTwiceInABatch_TakesTheMaximum() public {
        vm.warp(START + 2 * EPOCH);
        Statement[] memory entries = new Statement[](2);
        entries[0] = _entry(id, START + 2 * EPOCH, PROMISE, 0, false);
        entries[1] = _entry(id, START + EPOCH, PROMISE / 2, PROMISE, false);
        vm.prank(address(committee));
        escrow.credit(entries);
        _expectFigures(PROMISE, PROMISE, START + 2 * EPOCH, false);
    }

    // ---------------------------------------------------------------- last

    function test_Last_CountsAtTheEndAndIsReportedOnce() public {
        vm.warp(END);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Credited(id, PROMISE, PROMISE, END, keccak256(abi.encode(id, END)));
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.LastWord(id);
        _send(_entry(id, END, PROMISE, PROMISE, true));
        _expectFigures(PROMISE, PROMISE, END, true);
        assertEq(escrow.lease(id).lastAt, END);
        skip(7);
        vm.recordLogs();
        _send(_entry(id, END, PROMISE, PROMISE, true));
        assertEq(vm.getRecordedLogs().length, 0);
        assertEq(escrow.lease(id).lastAt, END, "the first time counts");
    }

    function test_TheLastWord_MayBeAllThatIsNew() public {
        _credit(id, 24, PROMISE, PROMISE, false);
        vm.recordLogs();
        _credit(id, 24, PROMISE, PROMISE, true);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(logs.length, 3);
        assertEq(logs[0].topics[0], ILeaseEscrow.Credited.selector);
        assertEq(logs[1].topics[0], ILeaseEscrow.LastWord.selector);
        assertEq(logs[2].topics[0], IERC4906.BatchMetadataUpdate.selector);
    }

    function test_Last_BeforeTheEndIsOnlyAStatement() public {
        _credit(id, 23, PROMISE, PROMISE, true);
        _expectFigures(PROMISE, PROMISE, START + 23 * EPOCH, false);
        // an earlier statement that arrives later does not set `last` either
        _credit(id, 24, PROMISE, PROMISE, false);
        _credit(id, 23, PROMISE, PROMISE, true);
        _expectFigures(PROMISE, PROMISE, END, false);
    }

    function test_Last_StaysAndMoreMayStillCome() public {
        _credit(id, 24, PROMISE, PROMISE, true);
        vm.recordLogs();
        _credit(id, 24, 2 * PROMISE, PROMISE, true);
        assertEq(vm.getRecordedLogs().length, 2, "no second last word");
        _credit(id, 24, 2 * PROMISE, 2 * PROMISE, false);
        _expectFigures(2 * PROMISE, 2 * PROMISE, END, true);
    }

    // ---------------------------------------------------------------- after the end moved earlier

    function test_AfterACancellation_LastCountsAtTheNewEnd() public {
        vm.warp(START + 5 * EPOCH + 1);
        _cancel();
        vm.warp(START + 6 * EPOCH);
        _send(_entry(id, START + 5 * EPOCH, PROMISE, PROMISE, true));
        _expectFigures(PROMISE, PROMISE, START + 5 * EPOCH, false);
        _send(_entry(id, START + 6 * EPOCH, type(uint96).max, type(uint96).max, true));
        _expectFigures(2.7e18, 2.16e18, START + 6 * EPOCH, true);
    }

    function test_AfterATermination_LastCountsAtTheNewEnd() public {
        vm.warp(START + 5 * EPOCH + 1);
        _terminate();
        _credit(id, 6, PROMISE, PROMISE, true);
        _expectFigures(PROMISE, PROMISE, START + 6 * EPOCH, true);
    }

    function test_AfterTheWindow_CreditCountsUntilSomebodySettles() public {
        vm.warp(END + WINDOW + 365 days);
        _send(_entry(id, END, COMMITTED, COMMITTED, false));
        _expectFigures(COMMITTED, COMMITTED, END, false);
        escrow.settle(id);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.CreditSkipped(id, ILeaseEscrow.AlreadySettled.selector);
        _send(_entry(id, END, COMMITTED, COMMITTED, true));
        _expectFigures(COMMITTED, COMMITTED, END, false);
    }

    // ---------------------------------------------------------------- batches

    function test_AHundredLeases_AreCreditedAtOnce() public {
        Offer memory o = _offer();
        (o.hashRate, o.salt) = (100 * RATE, 1);
        Statement[] memory entries = new Statement[](100);
        for (uint256 i; i < 100; ++i) {
            entries[i] = _entry(_rent(o, _request()), START + EPOCH, PROMISE - i, PROMISE, false);
        }
        vm.warp(START + EPOCH);
        vm.prank(address(committee));
        escrow.credit(entries);
        for (uint256 i; i < 100; ++i) {
            assertEq(escrow.lease(entries[i].lease).credited, PROMISE - i);
        }
    }

    function test_WhenTheBatchIsTooLong_Reverts() public {
        vm.expectRevert(_error(ILeaseEscrow.BatchTooLong.selector, 100, 101));
        escrow.credit(new Statement[](101));
    }

    // ---------------------------------------------------------------- nobody can stop it

    function test_WhenEverythingIsDelisted_CreditStillCounts() public {
        registry.listOracle(committeeId, false);
        registry.listToken(address(token), false);
        _setCap(committeeId, address(token), 0);
        registry.pause();
        _credit(id, 1, PROMISE, PROMISE, false);
        _expectFigures(PROMISE, PROMISE, START + EPOCH, false);
    }
}
