// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Offer, Statement} from "contracts/src/interfaces/LeaseTypes.sol";
import {Vm} from "forge-std/Vm.sol";
import {Rented} from "tests/support/Rented.sol";

/// @notice Entries of `credit` that do not count.
contract CreditSkippedTest is Rented {
    /// @dev Expects the one event and an unchanged lease.
    function _skipped(Statement memory entry, bytes4 reason) private {
        bytes32 before = _state();
        vm.recordLogs();
        vm.prank(address(committee));
        (uint256 changed, uint256 skipped) = escrow.credit(_statements(entry));
        assertEq(changed, 0);
        assertEq(skipped, 1);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(logs.length, 1);
        _isSkip(logs[0], entry.lease, reason);
        assertEq(_state(), before, "nothing changes");
    }

    function _isSkip(Vm.Log memory log, uint256 lease, bytes4 reason) private pure {
        assertEq(log.topics[0], ILeaseEscrow.CreditSkipped.selector);
        assertEq(log.topics[1], bytes32(lease));
        assertEq(log.data, abi.encode(reason));
    }

    // ---------------------------------------------------------------- the lease

    function test_WhenTheLeaseIsUnknown_TheEntryIsSkipped() public {
        vm.warp(END);
        uint256[3] memory unknown = [uint256(2), 0, type(uint256).max];
        for (uint256 i; i < 3; ++i) {
            Statement[] memory entries = new Statement[](2);
            (entries[0], entries[1]) = (_entry(unknown[i], END, 1, 1, true), _entry(id, END, i + 1, 1, false));
            vm.recordLogs();
            vm.prank(address(committee));
            (uint256 changed, uint256 skipped) = escrow.credit(entries);
            assertEq(changed, 2);
            assertEq(skipped, 1);
            _isSkip(vm.getRecordedLogs()[0], unknown[i], ILeaseEscrow.UnknownLease.selector);
        }
    }

    function test_WhenTheLeaseIsSettled_TheEntryIsSkippedWhateverItSays() public {
        _credit(id, 24, 0, 0, true);
        escrow.settle(id);
        bytes4 reason = ILeaseEscrow.AlreadySettled.selector;
        _skipped(_entry(id, END, COMMITTED, 0, true), reason);
        _skipped(_entry(id, END, 0, 0, false), reason);
        _skipped(_entry(id, END + 1, 0, 0, false), reason);
    }

    // ---------------------------------------------------------------- the caller

    /// @dev Else anybody could have the escrow report whatever lease was skipped.
    function test_WhenTheCallerIsTheOracleOfNone_Reverts() public {
        vm.warp(END);
        Statement[] memory entries = new Statement[](2);
        (entries[0], entries[1]) = (_entry(id, END, COMMITTED, 0, true), _entry(99, END, COMMITTED, 0, true));
        address[6] memory callers =
            [address(majority), address(testOracle), stranger, provider.addr, renter, address(this)];
        for (uint256 i; i < callers.length; ++i) {
            vm.expectRevert(_error(ILeaseEscrow.NoLeaseOracle.selector, callers[i]));
            vm.prank(callers[i]);
            escrow.credit(entries);
        }
        vm.expectRevert(_error(ILeaseEscrow.NoLeaseOracle.selector, address(committee)));
        vm.prank(address(committee));
        escrow.credit(new Statement[](0));
        _expectFigures(0, 0, 0, false);
    }

    function test_AnotherOraclesLease_IsSkippedAfterAndBeforeOnesOwn() public {
        Offer memory o = _offer();
        o.oracle = majorityId;
        uint256 foreign = _rent(o, _request());
        uint256 second = _rent();
        vm.warp(START + EPOCH);
        Statement[] memory entries = new Statement[](4);
        entries[0] = _entry(foreign, START + EPOCH, PROMISE, PROMISE, false);
        entries[1] = _entry(id, START + EPOCH, PROMISE, PROMISE, false);
        entries[2] = _entry(foreign, START + EPOCH, PROMISE, PROMISE, false);
        entries[3] = _entry(second, START + EPOCH, PROMISE, PROMISE, false);
        vm.recordLogs();
        vm.prank(address(committee));
        escrow.credit(entries);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(logs.length, 5);
        _isSkip(logs[0], foreign, ILeaseEscrow.NotLeaseOracle.selector);
        _isSkip(logs[2], foreign, ILeaseEscrow.NotLeaseOracle.selector);
        assertEq(escrow.lease(foreign).asOf, 0);
        assertEq(escrow.lease(id).credited, PROMISE);
        assertEq(escrow.lease(second).credited, PROMISE);
    }

    function test_AnOracleThatCreditedItsOwnLease_SpeaksForNoOtherOracle() public {
        Offer memory o = _offer();
        o.oracle = majorityId;
        uint256 foreign = _rent(o, _request());
        vm.warp(START + EPOCH);
        Statement[] memory entries = new Statement[](3);
        entries[0] = _entry(foreign, START + EPOCH, PROMISE, PROMISE, false);
        entries[1] = _entry(id, START + EPOCH, PROMISE, PROMISE, false);
        entries[2] = _entry(foreign, START + EPOCH, PROMISE, PROMISE, false);
        vm.recordLogs();
        vm.prank(address(majority));
        escrow.credit(entries);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(logs.length, 3);
        _isSkip(logs[1], id, ILeaseEscrow.NotLeaseOracle.selector);
        assertEq(escrow.lease(foreign).credited, PROMISE);
        _expectFigures(0, 0, 0, false);
    }

    // ---------------------------------------------------------------- asOf

    function test_WhenAsOfIsInTheFuture_TheEntryIsSkipped() public {
        vm.warp(START + EPOCH - 1);
        bytes4 reason = ILeaseEscrow.AsOfInFuture.selector;
        _skipped(_entry(id, START + EPOCH, PROMISE, PROMISE, false), reason);
        _skipped(_entry(id, END + EPOCH, PROMISE, PROMISE, false), reason);
        _skipped(_entry(id, type(uint40).max, PROMISE, PROMISE, false), reason);
        vm.warp(START + EPOCH);
        _send(_entry(id, START + EPOCH, PROMISE, PROMISE, false));
        _expectFigures(PROMISE, PROMISE, START + EPOCH, false);
    }

    function test_WhenAsOfIsAfterTheEnd_TheEntryIsSkipped() public {
        vm.warp(END + EPOCH);
        bytes4 reason = ILeaseEscrow.AsOfAfterEnd.selector;
        _skipped(_entry(id, END + EPOCH, PROMISE, PROMISE, true), reason);
        _skipped(_entry(id, END + 1, PROMISE, PROMISE, true), reason);
    }

    function test_WhenAsOfIsNoEpochsEnd_TheEntryIsSkipped() public {
        vm.warp(END);
        bytes4 reason = ILeaseEscrow.AsOfNotEpochEnd.selector;
        _skipped(_entry(id, START + EPOCH + 1, PROMISE, PROMISE, false), reason);
        _skipped(_entry(id, START + EPOCH - 1, PROMISE, PROMISE, false), reason);
        _skipped(_entry(id, END - 1, PROMISE, PROMISE, true), reason);
        _skipped(_entry(id, START, PROMISE, PROMISE, false), reason);
        _skipped(_entry(id, START - EPOCH, PROMISE, PROMISE, false), reason);
        _skipped(_entry(id, 0, PROMISE, PROMISE, false), reason);
    }

    function test_AfterACancellation_EpochsOfTheOldEndAreSkipped() public {
        vm.warp(START + 5 * EPOCH);
        _cancel();
        vm.warp(END);
        _skipped(_entry(id, START + 7 * EPOCH, PROMISE, PROMISE, false), ILeaseEscrow.AsOfAfterEnd.selector);
        _skipped(_entry(id, END, COMMITTED, COMMITTED, true), ILeaseEscrow.AsOfAfterEnd.selector);
        _send(_entry(id, START + 6 * EPOCH, PROMISE, PROMISE, false));
        _expectFigures(PROMISE, PROMISE, START + 6 * EPOCH, false);
    }

    function test_AfterATermination_EpochsOfTheOldEndAreSkipped() public {
        vm.warp(START + 5 * EPOCH);
        _terminate();
        vm.warp(END);
        _skipped(_entry(id, START + 7 * EPOCH, PROMISE, PROMISE, false), ILeaseEscrow.AsOfAfterEnd.selector);
        _send(_entry(id, START + 6 * EPOCH, PROMISE, PROMISE, false));
        _expectFigures(PROMISE, PROMISE, START + 6 * EPOCH, false);
    }

    // ---------------------------------------------------------------- in a batch

    function test_ABadEntry_SpoilsNothing() public {
        uint256 second = _rent();
        uint256 settled = _rent();
        vm.prank(renter);
        escrow.cancel(settled);
        vm.warp(START + EPOCH);
        Statement[] memory entries = new Statement[](6);
        entries[0] = _entry(99, START + EPOCH, 1, 1, false);
        entries[1] = _entry(id, START + EPOCH, PROMISE, PROMISE, false);
        entries[2] = _entry(id, START + 2 * EPOCH, 2 * PROMISE, 2 * PROMISE, false);
        entries[3] = _entry(settled, START + EPOCH, 1, 1, false);
        entries[4] = _entry(second, START + 1, 1, 1, false);
        entries[5] = _entry(second, START + EPOCH, PROMISE / 3, 0, false);
        vm.recordLogs();
        vm.prank(address(committee));
        (uint256 changed, uint256 skipped) = escrow.credit(entries);
        // entries 1 and 5 were booked
        assertEq(changed, 34);
        assertEq(skipped, 29);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(logs.length, 7);
        _isSkip(logs[0], 99, ILeaseEscrow.UnknownLease.selector);
        assertEq(logs[1].topics[0], ILeaseEscrow.Credited.selector);
        _isSkip(logs[2], id, ILeaseEscrow.AsOfInFuture.selector);
        _isSkip(logs[3], settled, ILeaseEscrow.AlreadySettled.selector);
        _isSkip(logs[4], second, ILeaseEscrow.AsOfNotEpochEnd.selector);
        assertEq(logs[5].topics[0], ILeaseEscrow.Credited.selector);
        assertEq(logs[6].data, abi.encode(id, second));
        _expectFigures(PROMISE, PROMISE, START + EPOCH, false);
        assertEq(escrow.lease(second).credited, PROMISE / 3);
    }

    function test_NinetyNineBadEntries_EmitAsManyEventsAndNothingElse() public {
        vm.warp(START + EPOCH);
        Statement[] memory entries = new Statement[](100);
        // says nothing new
        entries[99] = _entry(id, START + EPOCH, 0, 0, false);
        _send(entries[99]);
        vm.recordLogs();
        vm.prank(address(committee));
        (uint256 changed, uint256 skipped) = escrow.credit(entries);
        assertEq(changed, 0);
        assertEq(skipped, 2 ** 99 - 1);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(logs.length, 99);
        _isSkip(logs[98], 0, ILeaseEscrow.UnknownLease.selector);
    }

    // ---------------------------------------------------------------- dirty calldata

    /// @dev Puts `value` in place of word `word` of the only entry.
    function _put(uint256 word, uint256 value) private returns (bool done, bytes memory reason) {
        bytes memory data =
            abi.encodeCall(escrow.credit, (_statements(_entry(id, START + EPOCH, PROMISE, PROMISE, false))));
        // selector, offset, count
        uint256 at = 4 + 0x40 + 0x20 * word;
        assembly ("memory-safe") {
            mstore(add(add(data, 0x20), at), value)
        }
        vm.prank(address(committee));
        (done, reason) = address(escrow).call(data);
    }

    function _dirty(uint256 word, uint256 value) private {
        (bool done, bytes memory reason) = _put(word, value);
        assertFalse(done, "taken");
        assertEq(reason.length, 0);
        _expectFigures(0, 0, 0, false);
    }

    function test_WhenUnusedBitsAreSet_Reverts() public {
        vm.warp(START + EPOCH);
        _dirty(1, (1 << 40) | (START + EPOCH));
        _dirty(2, (1 << 96) | PROMISE);
        _dirty(2, type(uint256).max);
        _dirty(3, (1 << 96) | PROMISE);
        _dirty(5, 2);
        // the test wrote the words that are read
        (bool done,) = _put(3, 5);
        assertTrue(done);
        _expectFigures(PROMISE, 5, START + EPOCH, false);
    }
}
