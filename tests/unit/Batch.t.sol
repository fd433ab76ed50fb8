// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {NastyToken} from "tests/support/NastyToken.sol";
import {Renting} from "tests/support/Renting.sol";

/// @notice Several calls in one.
contract BatchTest is Renting {
    function _batch(address caller, bytes[] memory calls, bool strict) private {
        vm.prank(caller);
        escrow.batch(calls, strict);
    }

    function _two(bytes memory a, bytes memory b) private pure returns (bytes[] memory calls) {
        calls = new bytes[](2);
        (calls[0], calls[1]) = (a, b);
    }

    function _three(bytes memory a, bytes memory b, bytes memory c) private pure returns (bytes[] memory calls) {
        calls = new bytes[](3);
        (calls[0], calls[1], calls[2]) = (a, b, c);
    }

    function _withdraw(uint128 amount) private view returns (bytes memory) {
        return abi.encodeCall(ILeaseEscrow.withdraw, (address(token), stranger, amount));
    }

    function _settle(uint256 id) private pure returns (bytes memory) {
        return abi.encodeCall(ILeaseEscrow.settle, (id));
    }

    function _collect(uint256 id) private pure returns (bytes memory) {
        return abi.encodeCall(ILeaseEscrow.collect, (id));
    }

    function _push(address token_, address account) private pure returns (bytes memory) {
        return abi.encodeCall(ILeaseEscrow.withdrawFor, (token_, account));
    }

    function _tooMuch() private pure returns (bytes memory) {
        return _error(ILeaseEscrow.InsufficientBalance.selector, DEPOSIT - 1, DEPOSIT);
    }

    // ---------------------------------------------------------------- strict

    function test_AStrictBatch_DoesAllOfItsCallsForTheCaller() public {
        _batch(provider.addr, _two(_withdraw(1), _withdraw(2)), true);
        assertEq(token.balanceOf(stranger), 3);
        assertEq(_balance(provider.addr), DEPOSIT - 3);
    }

    function test_WhenACallOfAStrictBatchFails_NoneIsDone() public {
        bytes[] memory calls = _three(_withdraw(1), _withdraw(DEPOSIT), _withdraw(1));
        vm.expectRevert(_tooMuch());
        _batch(provider.addr, calls, true);
        assertEq(token.balanceOf(stranger), 0);
        assertEq(_balance(provider.addr), DEPOSIT);
    }

    function test_AnEmptyBatch_DoesNothing() public {
        _batch(stranger, new bytes[](0), true);
        _batch(stranger, new bytes[](0), false);
    }

    function test_ABatch_ActsForItsCallerAndForNobodyElse() public {
        vm.expectRevert(_error(ILeaseEscrow.InsufficientBalance.selector, 0, 1));
        _batch(stranger, _two(_withdraw(1), _withdraw(1)), true);
        _rent();
        bytes[] memory calls = _two(abi.encodeCall(ILeaseEscrow.cancel, (1)), _withdraw(0));
        vm.expectRevert(abi.encodeWithSelector(ILeaseEscrow.NotLeaseOwner.selector, 1, stranger));
        _batch(stranger, calls, true);
    }

    // ---------------------------------------------------------------- lenient

    function test_WhenACallOfALenientBatchFails_TheOthersAreDone() public {
        bytes[] memory calls = _three(_withdraw(1), _withdraw(DEPOSIT), _withdraw(2));
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Withdrawn(provider.addr, address(token), stranger, 1);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.CallFailed(1, _tooMuch());
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Withdrawn(provider.addr, address(token), stranger, 2);
        _batch(provider.addr, calls, false);
        assertEq(token.balanceOf(stranger), 3);
        assertEq(_balance(provider.addr), DEPOSIT - 3);
    }

    function test_WhenAllCallsOfALenientBatchFail_AllAreReported() public {
        bytes memory reason = _error(ILeaseEscrow.UnknownLease.selector, 7);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.CallFailed(0, reason);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.CallFailed(1, reason);
        _batch(stranger, _two(_settle(7), _collect(7)), false);
    }

    function test_SettlingManyLeases_OneBadOneSpoilsNothing() public {
        for (uint256 i; i < 3; ++i) {
            _rent();
        }
        _credit(1, 24, COMMITTED, COMMITTED, true);
        _credit(3, 24, COMMITTED, COMMITTED, true);
        bytes memory reason = _error(ILeaseEscrow.NotSettleable.selector, 2, END + WINDOW);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.CallFailed(1, reason);
        _batch(stranger, _three(_settle(1), _settle(2), _settle(3)), false);
        assertTrue(escrow.lease(1).settled);
        assertFalse(escrow.lease(2).settled);
        assertTrue(escrow.lease(3).settled);
        // twice the payment less one percent, and the third bond is still locked
        assertEq(_balance(provider.addr), DEPOSIT + 2 * 105_600_000 - BOND);
        assertEq(_balance(payee), 2 * 1_066_666);
    }

    function test_CollectingFromManyLeases_OneBadOneSpoilsNothing() public {
        _rent();
        _rent();
        _rent();
        _credit(1, 1, 3.6e17, 3.6e17, false);
        _credit(3, 1, 3.6e17, 3.6e17, false);
        bytes memory reason = _error(ILeaseEscrow.NothingToCollect.selector, 2);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.CallFailed(1, reason);
        _batch(stranger, _three(_collect(1), _collect(2), _collect(3)), false);
        // a twenty-fourth of each payment, less one percent
        assertEq(_balance(payee), 2 * 44_444);
        assertEq(_balance(provider.addr), DEPOSIT - 3 * uint256(BOND) + 2 * 4_400_000);
    }

    // ---------------------------------------------------------------- a batch within a batch

    function test_AStrictBatchInALenientOne_IsDoneWholeOrNotAtAll() public {
        bytes memory inner = abi.encodeCall(ILeaseEscrow.batch, (_two(_withdraw(1), _withdraw(DEPOSIT)), true));
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.CallFailed(0, _tooMuch());
        _batch(provider.addr, _two(inner, _withdraw(5)), false);
        assertEq(token.balanceOf(stranger), 5);
    }

    function test_ALenientBatchInAStrictOne_DoesWhatItCan() public {
        bytes memory inner = abi.encodeCall(ILeaseEscrow.batch, (_two(_withdraw(1), _withdraw(DEPOSIT)), false));
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.CallFailed(1, _tooMuch());
        _batch(provider.addr, _two(inner, _withdraw(5)), true);
        assertEq(token.balanceOf(stranger), 6);
    }

    // ---------------------------------------------------------------- gas

    function _greedy(NastyToken.Habit habit) private returns (NastyToken greedy) {
        greedy = new NastyToken();
        registry.listToken(address(greedy), true);
        greedy.mint(stranger, 100);
        vm.startPrank(stranger);
        greedy.approve(address(escrow), 100);
        escrow.deposit(address(greedy), 100);
        vm.stopPrank();
        token.mint(stranger, 3);
        vm.startPrank(stranger);
        token.approve(address(escrow), 3);
        escrow.deposit(address(token), 3);
        vm.stopPrank();
        _letPush(stranger);
        _letPush(provider.addr);
        greedy.become(habit);
    }

    /// @dev With 1,300,000 gas, a call that took all of it would leave the others less than a
    /// withdrawal needs.
    function _spoilsNothing(NastyToken.Habit habit) private {
        address greedy = address(_greedy(habit));
        bytes[] memory calls =
            _three(_push(address(token), stranger), _push(greedy, stranger), _push(address(token), provider.addr));
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.CallFailed(1, abi.encodeWithSignature("TransferFailed()"));
        (bool done,) = address(escrow).call{gas: 1_300_000}(abi.encodeCall(ILeaseEscrow.batch, (calls, false)));
        assertTrue(done);
        assertEq(token.balanceOf(stranger), 3);
        assertEq(token.balanceOf(provider.addr), DEPOSIT);
        assertEq(escrow.balance(stranger, greedy), 100, "not lost either");
    }

    function test_ATokenThatBurnsAllGas_SpoilsNothingOfTheOthers() public {
        _spoilsNothing(NastyToken.Habit.BurnsGas);
    }

    function test_ATokenThatRevertsWithABomb_SpoilsNothingOfTheOthers() public {
        _spoilsNothing(NastyToken.Habit.RevertsWithABomb);
    }

    function test_ATokenThatRevertsWithoutAReason_SpoilsNothingOfTheOthers() public {
        _spoilsNothing(NastyToken.Habit.Reverts);
    }

    /// @dev Two calls need twice the smallest share.
    function test_WhenASharesGasIsTooLittle_TheWholeBatchReverts() public {
        bytes[] memory calls = _two(_withdraw(1), _withdraw(2));
        _runsOut(599_000, 0, calls);
        vm.prank(provider.addr);
        (bool done,) = address(escrow).call{gas: 620_000}(abi.encodeCall(ILeaseEscrow.batch, (calls, false)));
        assertTrue(done);
        assertEq(token.balanceOf(stranger), 3);
    }

    /// @dev With hardly more than the smallest share for each.
    function test_WhenAnEarlierCallBurnsItsShare_ALaterOneIsNotStarved() public {
        address greedy = address(_greedy(NastyToken.Habit.BurnsGas));
        bytes[] memory calls = _two(_push(greedy, stranger), _push(address(token), provider.addr));
        (bool done,) = address(escrow).call{gas: 610_000}(abi.encodeCall(ILeaseEscrow.batch, (calls, false)));
        assertTrue(done);
        assertEq(token.balanceOf(provider.addr), DEPOSIT);
        assertEq(escrow.balance(stranger, greedy), 100);
    }

    function _runsOut(uint256 gas_, uint256 index, bytes[] memory calls) private {
        vm.prank(provider.addr);
        (bool done, bytes memory reason) =
            address(escrow).call{gas: gas_}(abi.encodeCall(ILeaseEscrow.batch, (calls, false)));
        assertFalse(done);
        // the selector
        // forge-lint: disable-next-line(unsafe-typecast)
        assertEq(bytes4(reason), ILeaseEscrow.CallOutOfGas.selector);
        (uint256 at, uint256 share) = abi.decode(_arguments(reason), (uint256, uint256));
        assertEq(at, index);
        assertLt(share, 300_000);
        assertEq(_balance(provider.addr), DEPOSIT, "what was done before is undone");
    }

    function _arguments(bytes memory reason) private pure returns (bytes memory arguments) {
        arguments = new bytes(reason.length - 4);
        for (uint256 i; i < arguments.length; ++i) {
            arguments[i] = reason[4 + i];
        }
    }

    /// @dev A wallet searches for the least gas that does not revert: with that much everybody must
    /// be paid.
    function test_WhateverGasABatchHas_ItPaysOrReverts() public {
        bytes memory call = abi.encodeCall(ILeaseEscrow.batch, (_two(_withdraw(1), _withdraw(2)), false));
        uint256 snapshot = vm.snapshotState();
        for (uint256 gas_ = 30_000; gas_ < 700_000; gas_ += 5000) {
            vm.prank(provider.addr);
            (bool done,) = address(escrow).call{gas: gas_}(call);
            if (done) assertEq(token.balanceOf(stranger), 3, vm.toString(gas_));
            assertTrue(vm.revertToState(snapshot));
            snapshot = vm.snapshotState();
        }
    }

    function test_WhenACallFailsWithoutAReason_TheOthersAreDone() public {
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.CallFailed(0, "");
        _batch(provider.addr, _two(hex"12345678", _withdraw(1)), false);
        assertEq(token.balanceOf(stranger), 1);
    }

    // ---------------------------------------------------------------- value

    function test_ABatch_TakesNoNativeCurrency() public {
        vm.deal(provider.addr, 1);
        bytes memory call = abi.encodeCall(ILeaseEscrow.batch, (_two(_withdraw(1), _withdraw(1)), false));
        vm.prank(provider.addr);
        (bool done, bytes memory reason) = address(escrow).call{value: 1}(call);
        assertFalse(done);
        assertEq(reason, "");
        assertEq(provider.addr.balance, 1);
    }

    /// @dev An empty call would be native currency that nobody sent.
    function test_AnEmptyCall_IsRefused() public {
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.CallFailed(0, _error(ILeaseEscrow.NotWrappedNative.selector, provider.addr));
        _batch(provider.addr, _two("", _withdraw(1)), false);
        assertEq(token.balanceOf(stranger), 1);
    }
}
