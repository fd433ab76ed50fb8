// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Credit, ILeaseEscrow, Lease} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Vm} from "forge-std/Vm.sol";
import {Fixture} from "tests/support/Fixture.sol";

contract CreditTest is Fixture {
    /// @dev What one epoch promises: 100 TH/s for an hour.
    uint96 private constant PROMISE = 3.6e17;

    uint256 private id;

    function setUp() public override {
        super.setUp();
        id = _rent();
    }

    function _expect(uint256 credited, uint256 due, uint256 asOf, bool last) private view {
        Lease memory l = escrow.lease(id);
        assertEq(l.credited, credited, "credited");
        assertEq(l.due, due, "due");
        assertEq(l.asOf, asOf, "asOf");
        assertEq(l.last, last, "last");
    }

    /// @dev As the committee.
    function _send(Credit memory entry) private {
        vm.prank(address(committee));
        escrow.credit(_single(entry));
    }

    function _skipped(Credit memory entry, bytes4 reason) private {
        bytes32 before = keccak256(abi.encode(escrow.lease(id)));
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.CreditSkipped(entry.lease, reason);
        _send(entry);
        assertEq(keccak256(abi.encode(escrow.lease(id))), before, "nothing changes");
    }

    function _events() private returns (uint256) {
        return vm.getRecordedLogs().length;
    }

    // ---------------------------------------------------------------- what counts

    function test_ACredit_WritesTheFiguresAndSaysSo() public {
        vm.warp(START + EPOCH);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Credited(id, PROMISE / 2, PROMISE, START + EPOCH, false);
        _send(_entry(id, START + EPOCH, PROMISE / 2, PROMISE, false));
        _expect(PROMISE / 2, PROMISE, START + EPOCH, false);
    }

    function test_ACredit_MovesNoMoney() public {
        _credit(id, 1, PROMISE, PROMISE, false);
        assertEq(_balance(provider.addr), DEPOSIT - BOND);
        assertEq(_balance(payee), 0);
    }

    function test_Work_CountsUpToAQuarterMoreThanPromised() public {
        _credit(id, 2, 3 * PROMISE, 0, false);
        _expect(PROMISE * 5 / 2, 0, START + 2 * EPOCH, false);
    }

    function test_WhatTheCapCuts_ALaterStatementBrings() public {
        _credit(id, 2, 3 * PROMISE, 0, false);
        _credit(id, 3, 3 * PROMISE, 0, false);
        _expect(3 * PROMISE, 0, START + 3 * EPOCH, false);
    }

    function test_Work_NeverExceedsWhatIsCommitted() public {
        _credit(id, 24, uint256(COMMITTED) + 1, 0, false);
        _expect(COMMITTED, 0, END, false);
        _credit(id, 24, type(uint96).max, 0, false);
        _expect(COMMITTED, 0, END, false);
    }

    function test_AtFourFifthsOfTheLease_AllMayBeCredited() public {
        _credit(id, 20, type(uint96).max, 0, false);
        _expect(COMMITTED, 0, START + 20 * EPOCH, false);
    }

    function test_Due_CountsUpToWhatWasPromised() public {
        _credit(id, 2, 0, type(uint96).max, false);
        _expect(0, 2 * PROMISE, START + 2 * EPOCH, false);
        _credit(id, 24, 0, type(uint96).max, false);
        _expect(0, COMMITTED, END, false);
    }

    // ---------------------------------------------------------------- maxima

    function test_EachFigure_TakesItsOwnMaximum() public {
        _credit(id, 3, 2 * PROMISE, PROMISE, false);
        _credit(id, 2, PROMISE, 2 * PROMISE, false);
        _expect(2 * PROMISE, 2 * PROMISE, START + 3 * EPOCH, false);
        _credit(id, 4, 0, 0, false);
        _expect(2 * PROMISE, 2 * PROMISE, START + 4 * EPOCH, false);
    }

    function test_AReplay_IsHarmlessAndSilent() public {
        _credit(id, 3, PROMISE, PROMISE, false);
        vm.recordLogs();
        _credit(id, 3, PROMISE, PROMISE, false);
        _credit(id, 1, PROMISE, PROMISE, false);
        assertEq(_events(), 0);
        _expect(PROMISE, PROMISE, START + 3 * EPOCH, false);
    }

    // ---------------------------------------------------------------- last

    function test_Last_CountsAtTheEnd() public {
        _credit(id, 24, PROMISE, PROMISE, true);
        _expect(PROMISE, PROMISE, END, true);
    }

    function test_Last_BeforeTheEndIsOnlyAStatement() public {
        _credit(id, 23, PROMISE, PROMISE, true);
        _expect(PROMISE, PROMISE, START + 23 * EPOCH, false);
        // an earlier statement said later is no last either
        _credit(id, 24, PROMISE, PROMISE, false);
        _credit(id, 23, PROMISE, PROMISE, true);
        _expect(PROMISE, PROMISE, END, false);
    }

    function test_Last_StaysAndMoreMayStillCome() public {
        _credit(id, 24, PROMISE, PROMISE, true);
        _credit(id, 24, 2 * PROMISE, PROMISE, false);
        _expect(2 * PROMISE, PROMISE, END, true);
    }

    // ---------------------------------------------------------------- skipped entries

    function test_WhenTheLeaseIsUnknown_TheEntryIsSkipped() public {
        vm.warp(END);
        _skipped(_entry(2, END, 1, 1, true), ILeaseEscrow.UnknownLease.selector);
        _skipped(_entry(0, END, 1, 1, true), ILeaseEscrow.UnknownLease.selector);
    }

    function test_WhenAnotherOracleSpeaks_TheEntryIsSkipped() public {
        vm.warp(END);
        Credit[] memory entries = _single(_entry(id, END, COMMITTED, 0, true));
        address[3] memory callers = [address(majority), stranger, address(this)];
        for (uint256 i; i < callers.length; ++i) {
            vm.expectEmit(address(escrow));
            emit ILeaseEscrow.CreditSkipped(id, ILeaseEscrow.NotLeaseOracle.selector);
            vm.prank(callers[i]);
            escrow.credit(entries);
        }
        _expect(0, 0, 0, false);
    }

    function test_WhenTheLeaseIsSettled_TheEntryIsSkipped() public {
        _credit(id, 24, 0, 0, true);
        escrow.settle(id);
        _skipped(_entry(id, END, COMMITTED, 0, true), ILeaseEscrow.AlreadySettled.selector);
    }

    function test_WhenAsOfIsInTheFuture_TheEntryIsSkipped() public {
        vm.warp(START + EPOCH - 1);
        _skipped(_entry(id, START + EPOCH, PROMISE, PROMISE, false), ILeaseEscrow.AsOfInFuture.selector);
    }

    function test_WhenAsOfIsAfterTheEnd_TheEntryIsSkipped() public {
        vm.warp(END + EPOCH);
        _skipped(_entry(id, END + EPOCH, PROMISE, PROMISE, true), ILeaseEscrow.AsOfAfterEnd.selector);
    }

    function test_WhenAsOfIsNoEpochsEnd_TheEntryIsSkipped() public {
        vm.warp(END);
        bytes4 reason = ILeaseEscrow.AsOfNotEpochEnd.selector;
        _skipped(_entry(id, START + EPOCH + 1, PROMISE, PROMISE, false), reason);
        _skipped(_entry(id, START, PROMISE, PROMISE, false), reason);
        _skipped(_entry(id, START - EPOCH, PROMISE, PROMISE, false), reason);
        _skipped(_entry(id, 0, PROMISE, PROMISE, false), reason);
    }

    function test_ABadEntry_SpoilsNothing() public {
        uint256 second = _rent();
        vm.warp(START + EPOCH);
        Credit[] memory entries = new Credit[](4);
        entries[0] = _entry(99, START + EPOCH, 1, 1, false);
        entries[1] = _entry(id, START + EPOCH, PROMISE, PROMISE, false);
        entries[2] = _entry(id, START + 2 * EPOCH, 2 * PROMISE, 2 * PROMISE, false);
        entries[3] = _entry(second, START + EPOCH, PROMISE / 3, 0, false);
        vm.recordLogs();
        vm.prank(address(committee));
        escrow.credit(entries);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(logs.length, 4);
        assertEq(logs[0].topics[0], ILeaseEscrow.CreditSkipped.selector);
        assertEq(logs[1].topics[0], ILeaseEscrow.Credited.selector);
        assertEq(logs[2].topics[0], ILeaseEscrow.CreditSkipped.selector);
        assertEq(logs[3].topics[0], ILeaseEscrow.Credited.selector);
        _expect(PROMISE, PROMISE, START + EPOCH, false);
        assertEq(escrow.lease(second).credited, PROMISE / 3);
    }

    function test_ALeaseTwiceInABatch_TakesTheMaximum() public {
        vm.warp(START + 2 * EPOCH);
        Credit[] memory entries = new Credit[](2);
        entries[0] = _entry(id, START + 2 * EPOCH, PROMISE, 0, false);
        entries[1] = _entry(id, START + EPOCH, PROMISE / 2, PROMISE, false);
        vm.prank(address(committee));
        escrow.credit(entries);
        _expect(PROMISE, PROMISE, START + 2 * EPOCH, false);
    }

    function test_WhenTheBatchIsTooLong_Reverts() public {
        vm.expectRevert(_error(ILeaseEscrow.BatchTooLong.selector, 100, 101));
        escrow.credit(new Credit[](101));
        escrow.credit(new Credit[](100));
        escrow.credit(new Credit[](0));
    }

    // ---------------------------------------------------------------- nobody can stop it

    function test_WhenEverythingIsDelisted_CreditStillCounts() public {
        escrow.listOracle(committeeId, false);
        escrow.listToken(address(token), false);
        escrow.setExposureCap(committeeId, address(token), 0);
        _credit(id, 1, PROMISE, PROMISE, false);
        _expect(PROMISE, PROMISE, START + EPOCH, false);
    }
}
