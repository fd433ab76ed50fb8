// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Rented} from "tests/support/Rented.sol";

/// @notice Every way to the settlement, none of which leads back.
contract SettledTest is Rented {
    function setUp() public override {
        super.setUp();
        // a single lease, with the oracle that has both rights
        vm.prank(renter);
        escrow.cancel(id);
        vm.prank(renter);
        escrow.claim(_only(id), renter);
        _beginVoidable();
    }

    function _books() private view returns (bytes32) {
        return keccak256(
            abi.encode(
                _balance(provider.addr),
                _held(),
                _balance(testPayee),
                _balance(challenger),
                escrow.liabilities(address(token)),
                _exposure(testOracleId)
            )
        );
    }

    /// @dev Settles, checks each account's total, then tries everything else.
    function _over(uint256 provider_, uint256 fee, uint256 holder) private {
        escrow.settle(id);
        assertEq(_balance(provider.addr) - idle, provider_, "provider");
        assertEq(_balance(testPayee), fee, "fee");
        assertEq(_held(), holder, "holder");
        assertEq(provider_ + fee + holder, PAYMENT + BOND, "every base unit is somebody's");
        assertEq(_exposure(testOracleId), 0);
        _isOver();
    }

    function _isOver() private {
        (bytes32 state, bytes32 books) = (_state(), _books());
        _refusesEverything();
        vm.warp(END + 365 days);
        _refusesEverything();
        assertEq(_state(), state, "the lease stays as it is");
        assertEq(_books(), books, "no money moves");
    }

    function _refusesEverything() private {
        _revertsAsSettled();
        escrow.settle(id);
        _revertsAsSettled();
        escrow.collect(id);
        _revertsAsSettled();
        _cancel();
        _revertsAsSettled();
        _terminate();
        _revertsAsSettled();
        testOracle.voidEpoch(id, 0, challenger);
        _revertsAsSettled();
        vm.prank(renter);
        escrow.setBoxes(id, "", "");
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.CreditSkipped(id, ILeaseEscrow.AlreadySettled.selector);
        testOracle.credit(_statements(_entry(id, START + EPOCH, COMMITTED, COMMITTED, true)));
    }

    // ---------------------------------------------------------------- as rented

    function test_AsRented_WhenAllIsCreditedAndTheLastWordIsSaid() public {
        _credit(id, 24, COMMITTED, COMMITTED, true);
        // two percent of the payment
        _over(104_533_333 + BOND, 2_133_333, 0);
    }

    /// @dev An epoch may still be under challenge.
    function test_AsRented_WhenAllIsCreditedAndTheOracleCanVoid_TheLastWordIsAwaited() public {
        _credit(id, 20, COMMITTED, 0, false);
        vm.expectRevert(_error(ILeaseEscrow.NotSettleable.selector, id, END + LONG_WINDOW));
        vm.prank(provider.addr);
        escrow.settle(id);
        testOracle.voidEpoch(id, 20, challenger);
        assertEq(_balance(challenger), 1_111_111);
        assertEq(_held(), 3_333_333);
        _credit(id, 24, COMMITTED, 0, true);
        escrow.settle(id);
        assertEq(_balance(provider.addr) - idle, 104_533_333 + BOND - 4_444_444);
    }

    function test_AsRented_AfterTheLastWord() public {
        _credit(id, 24, COMMITTED / 2, COMMITTED, true);
        _over(53_333_333 - 1_066_666 + 11_733_334, 1_066_666, 53_333_333 + 9_599_999);
    }

    function test_AsRented_AfterTheWindow() public {
        _credit(id, 12, COMMITTED / 2, COMMITTED / 2, false);
        vm.warp(END + LONG_WINDOW);
        _over(53_333_333 - 1_066_666 + BOND, 1_066_666, 53_333_333);
    }

    // ---------------------------------------------------------------- cancelled

    function test_Cancelled_BeforeTheStart() public {
        _cancel();
        assertEq(_held(), PAYMENT - 2_133_333);
        assertEq(_balance(provider.addr), idle + BOND + 2_133_333);
        _isOver();
    }

    function test_Cancelled_WhenAllIsCredited() public {
        vm.warp(START + 19 * EPOCH);
        _cancel();
        _credit(id, 20, COMMITTED, COMMITTED, true);
        _over(104_533_333 + BOND, 2_133_333, 0);
    }

    function test_Cancelled_AfterTheLastWord() public {
        vm.warp(START + 5 * EPOCH);
        _cancel();
        _credit(id, 6, 3 * PROMISE, 6 * PROMISE, true);
        _over(13_333_333 - 266_666 + BOND - 2_399_999, 266_666, 71_866_666 + 21_466_667 + 2_399_999);
    }

    function test_Cancelled_AfterTheWindow() public {
        vm.warp(START + 5 * EPOCH);
        _cancel();
        vm.warp(START + 6 * EPOCH + LONG_WINDOW);
        _over(BOND, 0, PAYMENT);
    }

    // ---------------------------------------------------------------- terminated

    function test_Terminated_BeforeTheStart() public {
        _terminate();
        assertEq(_held(), PAYMENT + 10_666_666);
        assertEq(_balance(provider.addr), idle + 10_666_667);
        _isOver();
    }

    function test_Terminated_WhenAllIsCredited() public {
        vm.warp(START + 19 * EPOCH);
        _terminate();
        _credit(id, 20, COMMITTED, COMMITTED, true);
        // nothing is missing, so nothing would be
        _over(104_533_333 + BOND, 2_133_333, 0);
    }

    function test_Terminated_AfterTheLastWord() public {
        vm.warp(START + 5 * EPOCH);
        _terminate();
        _credit(id, 6, 3 * PROMISE, 6 * PROMISE, true);
        _over(13_333_333 - 266_666 + BOND - 9_999_999, 266_666, 93_333_333 + 9_999_999);
    }

    function test_Terminated_AfterTheWindow() public {
        vm.warp(START + 5 * EPOCH);
        _terminate();
        vm.warp(START + 6 * EPOCH + LONG_WINDOW - 1);
        vm.expectRevert(_error(ILeaseEscrow.NotSettleable.selector, id, START + 6 * EPOCH + LONG_WINDOW));
        escrow.settle(id);
        vm.warp(START + 6 * EPOCH + LONG_WINDOW);
        _over(BOND, 0, PAYMENT);
    }

    // ---------------------------------------------------------------- the rest

    function test_TheNft_Stays() public {
        _credit(id, 24, COMMITTED, COMMITTED, true);
        escrow.settle(id);
        vm.startPrank(renter);
        escrow.setUser(id, stranger, type(uint64).max);
        assertEq(escrow.controllerOf(id), stranger);
        escrow.transferFrom(renter, stranger, id);
        vm.stopPrank();
        assertEq(escrow.ownerOf(id), stranger);
        assertEq(escrow.lease(id).collectedWork, COMMITTED);
        vm.expectRevert(_error(ILeaseEscrow.AlreadySettled.selector, id));
        vm.prank(stranger);
        escrow.setBoxes(id, "", "");
    }

    function test_WhenTheLeaseIsUnknown_Reverts() public {
        vm.expectRevert(_error(ILeaseEscrow.UnknownLease.selector, 9));
        escrow.settle(9);
        vm.expectRevert(_error(ILeaseEscrow.UnknownLease.selector, 0));
        escrow.settle(0);
    }
}
