// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Offer} from "contracts/src/interfaces/LeaseTypes.sol";
import {Fixture} from "tests/support/Fixture.sol";
import {NastyToken} from "tests/support/NastyToken.sol";

/// @notice Deposits and withdrawals in tokens.
contract BalancesTest is Fixture {
    function _liabilities() private view returns (uint256) {
        return escrow.liabilities(address(token));
    }

    function _unreconciled(address account) private view returns (uint256) {
        return lens.unreconciled(account, address(token));
    }

    // ---------------------------------------------------------------- deposit

    function test_ADeposit_IsTheDepositorsBalance() public {
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Deposited(renter, address(token), 5);
        vm.prank(renter);
        escrow.deposit(address(token), 5);
        assertEq(_balance(renter), 5);
        assertEq(_balance(provider.addr), DEPOSIT);
        assertEq(_liabilities(), DEPOSIT + 5);
        assertEq(token.balanceOf(address(escrow)), DEPOSIT + 5);
        assertEq(token.balanceOf(renter), DEPOSIT - 5);
    }

    function test_ADepositOfNothing_ChangesNothing() public {
        vm.prank(stranger);
        escrow.deposit(address(token), 0);
        assertEq(_balance(stranger), 0);
        assertEq(_liabilities(), DEPOSIT);
    }

    function test_WhenTheTokenIsNotListedAnyMore_ADepositStaysOpen() public {
        registry.listToken(address(token), false);
        vm.prank(renter);
        escrow.deposit(address(token), 5);
        assertEq(_balance(renter), 5);
    }

    function test_WhenNothingIsAllowed_ADepositReverts() public {
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSignature("TransferFromFailed()"));
        escrow.deposit(address(token), 5);
        assertEq(_balance(stranger), 0);
        assertEq(_liabilities(), DEPOSIT);
    }

    function test_WhenTheTokenHasNoCode_ADepositReverts() public {
        vm.expectRevert(abi.encodeWithSignature("TransferFromFailed()"));
        escrow.deposit(stranger, 5);
    }

    // ---------------------------------------------------------------- withdraw

    function test_AWithdrawal_GoesToAnyAddress() public {
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Withdrawn(provider.addr, address(token), stranger, 7);
        vm.prank(provider.addr);
        escrow.withdraw(address(token), stranger, 7);
        assertEq(token.balanceOf(stranger), 7);
        assertEq(token.balanceOf(address(escrow)), DEPOSIT - 7);
        assertEq(_balance(provider.addr), DEPOSIT - 7);
        assertEq(_balance(stranger), 0);
    }

    function test_AWithdrawal_CountsAsOwedUntilItIsReconciled() public {
        vm.startPrank(provider.addr);
        escrow.withdraw(address(token), stranger, 7);
        escrow.withdraw(address(token), stranger, 4);
        vm.stopPrank();
        assertEq(_liabilities(), DEPOSIT);
        assertEq(_unreconciled(provider.addr), 11);
        assertEq(_unreconciled(stranger), 0, "the account's, not the receiver's");
        assertEq(_balance(provider.addr), DEPOSIT - 11);
    }

    function test_WhenTheBalanceIsTooSmall_AWithdrawalReverts() public {
        vm.prank(provider.addr);
        vm.expectRevert(_error(ILeaseEscrow.InsufficientBalance.selector, DEPOSIT, DEPOSIT + 1));
        escrow.withdraw(address(token), provider.addr, DEPOSIT + 1);
        vm.prank(stranger);
        vm.expectRevert(_error(ILeaseEscrow.InsufficientBalance.selector, 0, 1));
        escrow.withdraw(address(token), stranger, 1);
        vm.prank(provider.addr);
        vm.expectRevert(_error(ILeaseEscrow.InsufficientBalance.selector, DEPOSIT, type(uint128).max));
        escrow.withdraw(address(token), provider.addr, type(uint128).max);
    }

    function test_AWithdrawnAmount_CannotBeWithdrawnAgain() public {
        vm.startPrank(provider.addr);
        escrow.withdraw(address(token), provider.addr, DEPOSIT - 2);
        vm.expectRevert(_error(ILeaseEscrow.InsufficientBalance.selector, 2, 3));
        escrow.withdraw(address(token), provider.addr, 3);
        escrow.withdraw(address(token), provider.addr, 2);
        vm.expectRevert(_error(ILeaseEscrow.InsufficientBalance.selector, 0, 1));
        escrow.withdraw(address(token), provider.addr, 1);
        vm.stopPrank();
        assertEq(token.balanceOf(provider.addr), DEPOSIT);
    }

    function test_ABalanceInOneToken_IsNoneInAnother() public {
        NastyToken other = new NastyToken();
        other.mint(address(escrow), DEPOSIT);
        vm.prank(provider.addr);
        vm.expectRevert(_error(ILeaseEscrow.InsufficientBalance.selector, 0, 1));
        escrow.withdraw(address(other), provider.addr, 1);
    }

    function test_WhenTheReceiverIsNobodyOrTheEscrow_AWithdrawalReverts() public {
        vm.prank(provider.addr);
        vm.expectRevert(_error(ILeaseEscrow.InvalidRecipient.selector, address(0)));
        escrow.withdraw(address(token), address(0), 1);
        vm.expectRevert(_error(ILeaseEscrow.InvalidRecipient.selector, address(0)));
        escrow.withdrawFor(address(token), address(0));
        // the escrow would owe it to nobody
        vm.prank(provider.addr);
        vm.expectRevert(_error(ILeaseEscrow.InvalidRecipient.selector, address(escrow)));
        escrow.withdraw(address(token), address(escrow), 1);
    }

    function test_ALockedBond_IsNoBalance() public {
        _rent();
        vm.prank(provider.addr);
        vm.expectRevert(_error(ILeaseEscrow.InsufficientBalance.selector, DEPOSIT - BOND, DEPOSIT));
        escrow.withdraw(address(token), provider.addr, DEPOSIT);
    }

    // ---------------------------------------------------------------- withdrawFor

    /// @dev Otherwise anybody could push a provider's deposit out before each rent.
    function test_WhoDeposits_KeepsTheBalance() public {
        assertFalse(lens.keepsBalance(renter));
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.BalanceKept(renter, true);
        vm.startPrank(renter);
        escrow.deposit(address(token), 5);
        vm.recordLogs();
        escrow.deposit(address(token), 5);
        assertEq(vm.getRecordedLogs().length, 2, "said once");
        vm.stopPrank();
        assertTrue(lens.keepsBalance(renter));
        assertTrue(lens.keepsBalance(provider.addr));
        vm.prank(stranger);
        vm.expectRevert(_error(ILeaseEscrow.BalanceIsKept.selector, provider.addr));
        escrow.withdrawFor(address(token), provider.addr);
        _rent();
        assertEq(lens.counter(provider.addr), 0);
        vm.prank(provider.addr);
        escrow.withdrawFor(address(token), provider.addr);
        assertEq(token.balanceOf(provider.addr), DEPOSIT - BOND);
    }

    function test_ADepositor_MayAskForItToBePushed() public {
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.BalanceKept(provider.addr, false);
        vm.prank(provider.addr);
        escrow.keepBalance(false);
        assertFalse(lens.keepsBalance(provider.addr));
        vm.prank(stranger);
        escrow.withdrawFor(address(token), provider.addr);
        // until the next deposit
        vm.startPrank(provider.addr);
        escrow.deposit(address(token), 5);
        vm.stopPrank();
        assertTrue(lens.keepsBalance(provider.addr));
    }

    /// @dev An account that never deposited: the payee.
    function _earn() private returns (uint256 earned) {
        uint256 id = _rent();
        _credit(id, 24, COMMITTED, COMMITTED, true);
        escrow.settle(id);
        earned = _balance(payee);
        assertGt(earned, 0);
    }

    function test_APush_PaysTheWholeBalanceToItsOwnerOnly() public {
        uint256 earned = _earn();
        uint256 owed = _liabilities();
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Withdrawn(payee, address(token), payee, earned);
        vm.prank(stranger);
        escrow.withdrawFor(address(token), payee);
        assertEq(token.balanceOf(payee), earned);
        assertEq(token.balanceOf(stranger), 0);
        assertEq(_balance(payee), 0);
        assertEq(_liabilities(), owed);
        assertEq(_unreconciled(payee), earned);
    }

    function test_APushOfNothing_ChangesNothing() public {
        uint256 earned = _earn();
        escrow.withdrawFor(address(token), payee);
        escrow.withdrawFor(address(token), payee);
        escrow.withdrawFor(address(token), stranger);
        assertEq(token.balanceOf(payee), earned);
        assertEq(_unreconciled(payee), earned);
    }

    // ---------------------------------------------------------------- how much there can be

    function test_WhenMoreThan128BitsWouldBeOwed_NothingComesIn() public {
        NastyToken huge = _huge();
        uint128 most = type(uint128).max;
        vm.startPrank(stranger);
        escrow.deposit(address(huge), most);
        bytes memory error = _error(ILeaseEscrow.LiabilitiesOverflow.selector, uint256(most) + 1);
        vm.expectRevert(error);
        escrow.deposit(address(huge), 1);
        // withdrawals that still count as owed take room
        escrow.withdraw(address(huge), stranger, most);
        vm.expectRevert(error);
        escrow.deposit(address(huge), 1);
        assertEq(lens.unreconciled(stranger, address(huge)), most);
        assertEq(escrow.balance(stranger, address(huge)), 0, "a withdrawal of all bits leaves the balance clean");
        address[] memory accounts = new address[](1);
        accounts[0] = stranger;
        escrow.reconcile(address(huge), accounts);
        escrow.deposit(address(huge), most);
        vm.stopPrank();
        assertEq(escrow.balance(stranger, address(huge)), most);
        assertEq(lens.unreconciled(stranger, address(huge)), 0);
    }

    function test_WhenAPaymentWouldNotFit_NothingIsRented() public {
        NastyToken huge = _huge();
        _list(address(huge));
        vm.prank(stranger);
        escrow.deposit(address(huge), type(uint128).max - uint256(PAYMENT) + 1);
        Offer memory o = _bondless(address(huge));
        bytes memory signature = _sign(o);
        vm.startPrank(renter);
        huge.approve(address(escrow), PAYMENT);
        vm.expectRevert(_error(ILeaseEscrow.LiabilitiesOverflow.selector, uint256(type(uint128).max) + 1));
        escrow.rent(o, signature, new bytes32[](0), _request());
        vm.stopPrank();
        vm.prank(stranger);
        escrow.withdraw(address(huge), stranger, 1);
        address[] memory accounts = new address[](1);
        accounts[0] = stranger;
        escrow.reconcile(address(huge), accounts);
        assertEq(_rent(o, _request()), 1);
        assertEq(escrow.liabilities(address(huge)), type(uint128).max);
    }

    function _huge() private returns (NastyToken huge) {
        huge = new NastyToken();
        registry.listToken(address(huge), true);
        huge.mint(stranger, type(uint128).max);
        huge.mint(renter, type(uint128).max);
        vm.prank(stranger);
        huge.approve(address(escrow), type(uint256).max);
    }
}
