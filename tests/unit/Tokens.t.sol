// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow, Offer} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Fixture} from "tests/support/Fixture.sol";
import {NastyToken} from "tests/support/NastyToken.sol";

/// @notice What the escrow does when a listed token is not what it should be.
contract TokensTest is Fixture {
    NastyToken private nasty;
    Offer private offer;
    bytes private signature;

    function setUp() public override {
        super.setUp();
        nasty = new NastyToken();
        _list(address(nasty));
        nasty.mint(renter, DEPOSIT);
        nasty.mint(provider.addr, DEPOSIT);
        vm.prank(provider.addr);
        escrow.deposit(address(nasty), DEPOSIT);
        Offer memory o = _offer();
        o.token = address(nasty);
        signature = _sign(o);
        offer = o;
    }

    function _rentNasty() private returns (uint256) {
        vm.prank(renter);
        return escrow.rent(offer, signature, _request());
    }

    function _unchanged() private view {
        assertEq(escrow.liabilities(address(nasty)), DEPOSIT);
        assertEq(nasty.balanceOf(address(escrow)), DEPOSIT);
        assertEq(escrow.leaseCount(), 0);
    }

    // ---------------------------------------------------------------- takes a fee

    function test_WhenTheTokenTakesAFee_NothingComesIn() public {
        nasty.become(NastyToken.Habit.TakesFee);
        vm.prank(renter);
        vm.expectRevert(_error(ILeaseEscrow.InexactTransfer.selector, 100, 99));
        escrow.deposit(address(nasty), 100);
        vm.expectRevert(_error(ILeaseEscrow.InexactTransfer.selector, PAYMENT, PAYMENT - 1));
        _rentNasty();
        _unchanged();
    }

    function test_WhenTheTokenStartsToTakeAFee_WithdrawalsStillPay() public {
        nasty.become(NastyToken.Habit.TakesFee);
        vm.prank(provider.addr);
        escrow.withdraw(address(nasty), provider.addr, DEPOSIT);
        assertEq(nasty.balanceOf(provider.addr), DEPOSIT - 1);
        assertEq(escrow.liabilities(address(nasty)), 0);
    }

    // ---------------------------------------------------------------- returns nothing, returns false

    function test_WhenTheTokenReturnsNothing_EverythingWorks() public {
        nasty.become(NastyToken.Habit.ReturnsNothing);
        uint256 id = _rentNasty();
        _credit(id, 24, COMMITTED, COMMITTED, true);
        escrow.settle(id);
        escrow.withdrawFor(address(nasty), provider.addr);
        escrow.withdrawFor(address(nasty), payee);
        assertEq(nasty.balanceOf(provider.addr), DEPOSIT + PAYMENT - PAYMENT / 100);
        assertEq(nasty.balanceOf(payee), PAYMENT / 100);
        assertEq(nasty.balanceOf(address(escrow)), 0);
    }

    function test_WhenTheTokenReturnsFalse_Reverts() public {
        nasty.become(NastyToken.Habit.ReturnsFalse);
        bytes memory failed = abi.encodeWithSignature("TransferFromFailed()");
        vm.prank(renter);
        vm.expectRevert(failed);
        escrow.deposit(address(nasty), 100);
        vm.expectRevert(failed);
        _rentNasty();
        vm.prank(provider.addr);
        vm.expectRevert(abi.encodeWithSignature("TransferFailed()"));
        escrow.withdraw(address(nasty), provider.addr, 1);
        _unchanged();
    }

    // ---------------------------------------------------------------- calls back

    /// @dev Everything that moves tokens, called from within everything that moves tokens.
    function test_WhenTheTokenCallsBack_NothingThatMovesTokensIsEntered() public {
        bytes[4] memory calls = [
            abi.encodeCall(ILeaseEscrow.deposit, (address(nasty), 1)),
            abi.encodeCall(ILeaseEscrow.withdraw, (address(nasty), address(nasty), 0)),
            abi.encodeCall(ILeaseEscrow.withdrawFor, (address(nasty), provider.addr)),
            abi.encodeCall(ILeaseEscrow.rent, (offer, signature, _request()))
        ];
        for (uint256 i; i < calls.length; ++i) {
            nasty.callBack(address(escrow), calls[i]);
            vm.prank(renter);
            escrow.deposit(address(nasty), 10);
            _turnedAway();
            vm.prank(renter);
            escrow.withdraw(address(nasty), renter, 5);
            _turnedAway();
            escrow.withdrawFor(address(nasty), renter);
            _turnedAway();
        }
        _unchanged();
        _rentNasty();
        _turnedAway();
        assertEq(escrow.leaseCount(), 1);
        assertEq(escrow.liabilities(address(nasty)), DEPOSIT + PAYMENT);
        assertEq(nasty.balanceOf(address(escrow)), DEPOSIT + PAYMENT);
    }

    function _turnedAway() private view {
        assertFalse(nasty.accepted());
        assertEq(nasty.answer(), abi.encodeWithSignature("Reentrancy()"));
    }

    /// @dev Settling moves no tokens, so it may be entered; the sums hold all the same.
    function test_WhenTheTokenSettlesInTheMiddle_EverythingAddsUp() public {
        uint256 id = _rentNasty();
        _credit(id, 24, COMMITTED / 2, COMMITTED, true);
        nasty.callBack(address(escrow), abi.encodeCall(ILeaseEscrow.settle, (id)));
        escrow.withdrawFor(address(nasty), provider.addr);
        assertTrue(nasty.accepted());
        assertEq(nasty.balanceOf(provider.addr), DEPOSIT - BOND);
        assertEq(escrow.liabilities(address(nasty)), PAYMENT + BOND);
        assertEq(nasty.balanceOf(address(escrow)), PAYMENT + BOND);
        assertEq(escrow.balance(provider.addr, address(nasty)), 52_800_000 + 11_733_334);
        assertEq(escrow.balance(renter, address(nasty)), 53_333_333 + 9_599_999);
        assertEq(escrow.balance(payee, address(nasty)), 533_333);
    }
}
