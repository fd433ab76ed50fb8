// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Fixture} from "tests/support/Fixture.sol";

contract BalancesTest is Fixture {
    function test_ADeposit_IsTheDepositorsBalance() public {
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Deposited(renter, address(token), 5);
        vm.prank(renter);
        escrow.deposit(address(token), 5);
        assertEq(_balance(renter), 5);
        assertEq(_balance(provider.addr), DEPOSIT);
        assertEq(escrow.liabilities(address(token)), DEPOSIT + 5);
        assertEq(token.balanceOf(address(escrow)), DEPOSIT + 5);
    }

    function test_WhenTheTokenIsNotListed_ADepositReverts() public {
        vm.expectRevert(_error(ILeaseEscrow.TokenNotListed.selector, stranger));
        escrow.deposit(stranger, 5);
        escrow.listToken(address(token), false);
        vm.prank(renter);
        vm.expectRevert(_error(ILeaseEscrow.TokenNotListed.selector, address(token)));
        escrow.deposit(address(token), 5);
    }

    function test_WhenNothingIsAllowed_ADepositReverts() public {
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSignature("TransferFromFailed()"));
        escrow.deposit(address(token), 5);
        assertEq(_balance(stranger), 0);
    }

    function test_AWithdrawal_GoesToAnyAddress() public {
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Withdrawn(provider.addr, address(token), stranger, 7);
        vm.prank(provider.addr);
        escrow.withdraw(address(token), stranger, 7);
        assertEq(token.balanceOf(stranger), 7);
        assertEq(_balance(provider.addr), DEPOSIT - 7);
        assertEq(_balance(stranger), 0);
        assertEq(escrow.liabilities(address(token)), DEPOSIT - 7);
    }

    function test_WhenTheBalanceIsTooSmall_AWithdrawalReverts() public {
        vm.prank(provider.addr);
        vm.expectRevert(_error(ILeaseEscrow.InsufficientBalance.selector, DEPOSIT, DEPOSIT + 1));
        escrow.withdraw(address(token), provider.addr, DEPOSIT + 1);
        vm.prank(stranger);
        vm.expectRevert(_error(ILeaseEscrow.InsufficientBalance.selector, 0, 1));
        escrow.withdraw(address(token), stranger, 1);
    }

    function test_WhenItGoesToNobody_AWithdrawalReverts() public {
        vm.prank(provider.addr);
        vm.expectRevert(ILeaseEscrow.ZeroAddress.selector);
        escrow.withdraw(address(token), address(0), 1);
    }

    function test_WhenTheTokenIsDelisted_AWithdrawalStillPays() public {
        escrow.listToken(address(token), false);
        vm.prank(provider.addr);
        escrow.withdraw(address(token), provider.addr, DEPOSIT);
        assertEq(token.balanceOf(provider.addr), DEPOSIT);
    }

    function test_APush_PaysTheWholeBalanceToItsOwnerOnly() public {
        vm.prank(stranger);
        escrow.withdrawFor(address(token), provider.addr);
        assertEq(token.balanceOf(provider.addr), DEPOSIT);
        assertEq(token.balanceOf(stranger), 0);
        assertEq(_balance(provider.addr), 0);
        assertEq(escrow.liabilities(address(token)), 0);
    }
}
