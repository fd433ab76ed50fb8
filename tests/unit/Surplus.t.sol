// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {RentRequest} from "contracts/src/interfaces/LeaseTypes.sol";
import {NastyToken} from "tests/support/NastyToken.sol";
import {Renting} from "tests/support/Renting.sol";

/// @notice Money that nobody is owed, and how it is found.
contract SurplusTest is Renting {
    address private treasury = makeAddr("treasury");

    function setUp() public override {
        super.setUp();
        registry.setTreasury(treasury);
    }

    function _accounts(address a, address b) private pure returns (address[] memory list) {
        list = new address[](2);
        (list[0], list[1]) = (a, b);
    }

    function _withdraw(address account, uint128 amount) private {
        vm.prank(account);
        escrow.withdraw(address(token), account, amount);
    }

    function _nothingToRecover() private {
        vm.expectRevert(_error(ILeaseEscrow.NothingToRecover.selector, address(token)));
        escrow.recoverSurplus(address(token));
        assertEq(token.balanceOf(treasury), 0);
    }

    // ---------------------------------------------------------------- reconcile

    function test_Reconciling_TakesWithdrawalsOffWhatIsOwed() public {
        vm.prank(renter);
        escrow.deposit(address(token), 100);
        _withdraw(renter, 30);
        _withdraw(provider.addr, 9);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Reconciled(address(token), DEPOSIT + 61);
        vm.prank(stranger);
        escrow.reconcile(address(token), _accounts(renter, provider.addr));
        assertEq(escrow.liabilities(address(token)), DEPOSIT + 61);
        assertEq(lens.unreconciled(renter, address(token)), 0);
        assertEq(lens.unreconciled(provider.addr, address(token)), 0);
        assertEq(_balance(renter), 70, "balances are as they were");
        assertEq(_balance(provider.addr), DEPOSIT - 9);
    }

    function test_ReconcilingTwice_TakesOffOnce() public {
        _withdraw(provider.addr, 9);
        escrow.reconcile(address(token), _accounts(provider.addr, provider.addr));
        assertEq(escrow.liabilities(address(token)), DEPOSIT - 9);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Reconciled(address(token), DEPOSIT - 9);
        escrow.reconcile(address(token), _accounts(provider.addr, stranger));
        assertEq(escrow.liabilities(address(token)), DEPOSIT - 9);
        _withdraw(provider.addr, 1);
        escrow.reconcile(address(token), _accounts(stranger, provider.addr));
        assertEq(escrow.liabilities(address(token)), DEPOSIT - 10, "what came since counts");
    }

    function test_ReconcilingNobody_ChangesNothing() public {
        _withdraw(provider.addr, 9);
        escrow.reconcile(address(token), new address[](0));
        assertEq(escrow.liabilities(address(token)), DEPOSIT);
    }

    function test_WithdrawalsInAnotherToken_DoNotCount() public {
        NastyToken other = new NastyToken();
        _withdraw(provider.addr, 9);
        escrow.reconcile(address(other), _accounts(provider.addr, stranger));
        assertEq(lens.unreconciled(provider.addr, address(token)), 9);
        assertEq(escrow.liabilities(address(other)), 0);
    }

    // ---------------------------------------------------------------- recoverSurplus

    function test_ADonation_GoesToTheTreasury() public {
        token.mint(address(escrow), 17);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.SurplusRecovered(address(token), treasury, 17);
        vm.prank(stranger);
        escrow.recoverSurplus(address(token));
        assertEq(token.balanceOf(treasury), 17);
        assertEq(token.balanceOf(address(escrow)), DEPOSIT);
        assertEq(escrow.liabilities(address(token)), DEPOSIT);
        vm.expectRevert(_error(ILeaseEscrow.NothingToRecover.selector, address(token)));
        escrow.recoverSurplus(address(token));
    }

    function test_ATokenThatNobodyDeposits_GoesToTheTreasuryWhole() public {
        NastyToken other = new NastyToken();
        other.mint(address(escrow), 17);
        escrow.recoverSurplus(address(other));
        assertEq(other.balanceOf(treasury), 17);
    }

    function test_OwedMoney_IsNoSurplus() public {
        _nothingToRecover();
        uint256 id = _rent();
        _nothingToRecover();
        _credit(id, 24, COMMITTED / 2, COMMITTED, true);
        escrow.collect(id);
        _nothingToRecover();
        escrow.settle(id);
        _nothingToRecover();
    }

    function test_UnreconciledWithdrawals_HideASurplusAndNeverMakeOne() public {
        _withdraw(provider.addr, 30);
        token.mint(address(escrow), 30);
        _nothingToRecover();
        token.mint(address(escrow), 1);
        escrow.recoverSurplus(address(token));
        assertEq(token.balanceOf(treasury), 1);
        escrow.reconcile(address(token), _accounts(provider.addr, provider.addr));
        escrow.recoverSurplus(address(token));
        assertEq(token.balanceOf(treasury), 31);
        assertEq(token.balanceOf(address(escrow)), DEPOSIT - 30);
        assertEq(_balance(provider.addr), DEPOSIT - 30);
    }

    function test_WithoutATreasury_NothingIsRecovered() public {
        super.setUp();
        token.mint(address(escrow), 17);
        vm.expectRevert(ILeaseEscrow.ZeroAddress.selector);
        escrow.recoverSurplus(address(token));
    }

    function test_WhenTheTransferFails_NothingIsRecovered() public {
        NastyToken nasty = new NastyToken();
        nasty.mint(address(escrow), 17);
        nasty.become(NastyToken.Habit.ReturnsFalse);
        vm.expectRevert(abi.encodeWithSignature("TransferFailed()"));
        escrow.recoverSurplus(address(nasty));
    }

    /// @dev A lease NFT in the escrow itself could not be recovered as a token could.
    /// @dev Nobody could withdraw the lease's refunds.
    function test_ALease_IsNeverTheEscrowsOwn() public {
        uint256 id = _rent();
        vm.prank(renter);
        vm.expectRevert(_error(ILeaseEscrow.InvalidRecipient.selector, address(escrow)));
        escrow.transferFrom(renter, address(escrow), id);
        RentRequest memory r = _request();
        r.recipient = address(escrow);
        _refused(_offer(), r, _error(ILeaseEscrow.InvalidRecipient.selector, address(escrow)));
        vm.expectRevert(_error(ILeaseEscrow.NothingToRecover.selector, address(escrow)));
        escrow.recoverSurplus(address(escrow));
    }

    /// @dev ERC-721's functions accept native currency; the escrow owes none.
    function test_StrayNativeCurrency_IsSurplus() public {
        uint256 id = _rent();
        vm.deal(renter, 5);
        vm.prank(renter);
        escrow.approve{value: 5}(stranger, id);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.SurplusRecovered(address(0), treasury, 5);
        escrow.recoverSurplus(address(0));
        assertEq(treasury.balance, 5);
        vm.expectRevert(_error(ILeaseEscrow.NothingToRecover.selector, address(0)));
        escrow.recoverSurplus(address(0));
    }
}
