// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {IRegistry} from "contracts/src/interfaces/IRegistry.sol";
import {Offer, RentRequest} from "contracts/src/interfaces/LeaseTypes.sol";
import {Echo, Refuser} from "tests/support/Receivers.sol";
import {Renting} from "tests/support/Renting.sol";
import {WrappedNative} from "tests/support/WrappedNative.sol";

/// @notice Native currency, wrapped on the way in and unwrapped on the way out.
contract NativeTest is Renting {
    uint256 private constant PURSE = 10 ether;
    WrappedNative private wrapped;

    function setUp() public override {
        super.setUp();
        wrapped = new WrappedNative();
        registry.setWrappedNative(address(wrapped));
        _list(address(wrapped));
        vm.deal(renter, PURSE);
        vm.deal(provider.addr, PURSE);
    }

    function _offerInNative() private view returns (Offer memory o) {
        o = _offer();
        o.token = address(wrapped);
    }

    function _depositBond() private {
        vm.prank(provider.addr);
        escrow.deposit{value: 1 ether}(address(wrapped), 1 ether);
    }

    function _rentWith(uint256 value, Offer memory o) private returns (uint256) {
        bytes memory signature = _sign(o);
        vm.prank(renter);
        return escrow.rent{value: value}(o, signature, none, _request());
    }

    function _refusedWith(uint256 value, Offer memory o, bytes memory error) private {
        bytes memory signature = _sign(o);
        RentRequest memory r = _request();
        vm.prank(renter);
        vm.expectRevert(error);
        escrow.rent{value: value}(o, signature, none, r);
        assertEq(renter.balance, PURSE);
        assertEq(escrow.leaseCount(), 0);
    }

    function _nativeBalance(address account) private view returns (uint256) {
        return escrow.balance(account, address(wrapped));
    }

    // ---------------------------------------------------------------- in

    function test_ANativeDeposit_IsWrapped() public {
        assertEq(lens.wrappedNative(), address(0));
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Deposited(provider.addr, address(wrapped), 1 ether);
        _depositBond();
        assertEq(lens.wrappedNative(), address(wrapped));
        assertEq(_nativeBalance(provider.addr), 1 ether);
        assertEq(escrow.liabilities(address(wrapped)), 1 ether);
        assertEq(wrapped.balanceOf(address(escrow)), 1 ether);
        assertEq(address(escrow).balance, 0);
        assertEq(provider.addr.balance, 9 ether);
    }

    function test_ANativePayment_IsWrappedAndTheBondComesFromTheDeposit() public {
        _depositBond();
        uint256 id = _rentWith(PAYMENT, _offerInNative());
        assertEq(escrow.lease(id).token, address(wrapped));
        assertEq(escrow.lease(id).payment, PAYMENT);
        assertEq(renter.balance, PURSE - PAYMENT);
        assertEq(wrapped.balanceOf(address(escrow)), 1 ether + PAYMENT);
        assertEq(_nativeBalance(provider.addr), 1 ether - BOND);
        assertEq(escrow.liabilities(address(wrapped)), 1 ether + PAYMENT);
    }

    function test_TheWrappedToken_CanBePaidAsATokenToo() public {
        _depositBond();
        vm.startPrank(renter);
        wrapped.deposit{value: PAYMENT}();
        wrapped.approve(address(escrow), PAYMENT);
        vm.stopPrank();
        _rentWith(0, _offerInNative());
        assertEq(wrapped.balanceOf(renter), 0);
        assertEq(renter.balance, PURSE - PAYMENT);
    }

    function test_WhenTheValueIsNotThePayment_Reverts() public {
        _depositBond();
        bytes4 selector = ILeaseEscrow.InexactTransfer.selector;
        _refusedWith(PAYMENT + 1, _offerInNative(), _error(selector, PAYMENT, PAYMENT + 1));
        _refusedWith(PAYMENT - 1, _offerInNative(), _error(selector, PAYMENT, PAYMENT - 1));
        vm.startPrank(renter);
        vm.expectRevert(_error(selector, 5, 6));
        escrow.deposit{value: 6}(address(wrapped), 5);
        vm.expectRevert(_error(selector, 5, 4));
        escrow.deposit{value: 4}(address(wrapped), 5);
        vm.expectRevert(_error(selector, 0, 4));
        escrow.deposit{value: 4}(address(wrapped), 0);
        vm.stopPrank();
    }

    function test_WhenTheTokenIsAnother_NoNativeIsTaken() public {
        _refusedWith(PAYMENT, _offer(), _error(ILeaseEscrow.NativeNotTaken.selector, address(token)));
        vm.prank(renter);
        vm.expectRevert(_error(ILeaseEscrow.NativeNotTaken.selector, address(token)));
        escrow.deposit{value: 5}(address(token), 5);
        assertEq(lens.wrappedNative(), address(0));
    }

    function test_WhenTheRegistryNamesNone_NoNativeIsTaken() public {
        super.setUp();
        wrapped = new WrappedNative();
        _list(address(wrapped));
        vm.deal(renter, PURSE);
        Offer memory o = _offerInNative();
        (o.bondBps, o.cancelBps) = (0, 0);
        _refusedWith(PAYMENT, o, _error(ILeaseEscrow.NativeNotTaken.selector, address(wrapped)));
        vm.prank(renter);
        vm.expectRevert(_error(ILeaseEscrow.NativeNotTaken.selector, address(wrapped)));
        escrow.deposit{value: 5}(address(wrapped), 5);
        vm.prank(renter);
        vm.expectRevert(_error(ILeaseEscrow.NativeNotTaken.selector, address(0)));
        escrow.withdrawNative(renter, 0);
        // a token like any other
        vm.startPrank(renter);
        wrapped.deposit{value: 5}();
        wrapped.approve(address(escrow), 5);
        escrow.deposit(address(wrapped), 5);
        vm.stopPrank();
        assertEq(_nativeBalance(renter), 5);
        assertEq(lens.wrappedNative(), address(0));
    }

    function test_WhenTheWrappedTokenIsDelisted_ADepositStaysOpen() public {
        registry.listToken(address(wrapped), false);
        vm.prank(renter);
        escrow.deposit{value: 5}(address(wrapped), 5);
        assertEq(_nativeBalance(renter), 5);
    }

    function test_OnceNamed_TheWrappedTokenStays() public {
        _depositBond();
        vm.expectRevert(_error(IRegistry.WrappedNativeIsSet.selector, address(wrapped)));
        registry.setWrappedNative(stranger);
        assertEq(lens.wrappedNative(), registry.wrappedNative());
    }

    function test_NativeCurrencyFromAnybodyElse_IsRefused() public {
        _depositBond();
        vm.deal(stranger, 2);
        vm.prank(stranger);
        (bool done, bytes memory reason) = address(escrow).call{value: 1}("");
        assertFalse(done);
        assertEq(reason, _error(ILeaseEscrow.NotWrappedNative.selector, stranger));
        assertEq(address(escrow).balance, 0);
    }

    /// @dev Functions that accept none.
    function test_NativeCurrencyWithAnyOtherCall_IsRefused() public {
        _depositBond();
        bytes[4] memory calls = [
            abi.encodeCall(ILeaseEscrow.withdraw, (address(wrapped), provider.addr, 1)),
            abi.encodeCall(ILeaseEscrow.withdrawNative, (provider.addr, 1)),
            abi.encodeCall(ILeaseEscrow.batch, (new bytes[](0), true)),
            abi.encodeCall(ILeaseEscrow.bumpCounter, ())
        ];
        for (uint256 i; i < calls.length; ++i) {
            vm.prank(provider.addr);
            (bool done,) = address(escrow).call{value: 1}(calls[i]);
            assertFalse(done);
        }
        assertEq(provider.addr.balance, 9 ether);
    }

    // ---------------------------------------------------------------- out

    function test_ANativeWithdrawal_IsUnwrapped() public {
        _depositBond();
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Withdrawn(provider.addr, address(wrapped), stranger, 0.4 ether);
        vm.prank(provider.addr);
        escrow.withdrawNative(stranger, 0.4 ether);
        assertEq(stranger.balance, 0.4 ether);
        assertEq(_nativeBalance(provider.addr), 0.6 ether);
        assertEq(wrapped.balanceOf(address(escrow)), 0.6 ether);
        assertEq(address(escrow).balance, 0);
        assertEq(lens.unreconciled(provider.addr, address(wrapped)), 0.4 ether);
        assertEq(escrow.liabilities(address(wrapped)), 1 ether);
    }

    function test_WrappedCurrency_CanBeWithdrawnAsAToken() public {
        _depositBond();
        vm.prank(provider.addr);
        escrow.withdrawFor(address(wrapped), provider.addr);
        assertEq(wrapped.balanceOf(provider.addr), 1 ether);
    }

    function test_WhenTheReceiverRefuses_NothingIsLost() public {
        _depositBond();
        address refuser = address(new Refuser());
        vm.prank(provider.addr);
        vm.expectRevert(abi.encodeWithSignature("ETHTransferFailed()"));
        escrow.withdrawNative(refuser, 1 ether);
        assertEq(_nativeBalance(provider.addr), 1 ether);
        assertEq(wrapped.balanceOf(address(escrow)), 1 ether);
        assertEq(address(escrow).balance, 0);
        assertEq(lens.unreconciled(provider.addr, address(wrapped)), 0);
        vm.prank(provider.addr);
        escrow.withdraw(address(wrapped), refuser, 1 ether);
        assertEq(wrapped.balanceOf(refuser), 1 ether);
    }

    function test_WrappedNativeThatCameInAsAToken_LeavesUnwrapped() public {
        vm.deal(stranger, 5);
        vm.startPrank(stranger);
        wrapped.deposit{value: 5}();
        wrapped.approve(address(escrow), 5);
        escrow.deposit(address(wrapped), 5);
        assertEq(lens.wrappedNative(), address(0), "nobody needed it so far");
        escrow.withdrawNative(stranger, 5);
        vm.stopPrank();
        assertEq(stranger.balance, 5);
        assertEq(lens.wrappedNative(), address(wrapped));
    }

    function test_WhenTheReceiverIsNobodyOrTheAmountTooLarge_Reverts() public {
        _depositBond();
        vm.startPrank(provider.addr);
        vm.expectRevert(_error(ILeaseEscrow.InvalidRecipient.selector, address(0)));
        escrow.withdrawNative(address(0), 1);
        vm.expectRevert(_error(ILeaseEscrow.InsufficientBalance.selector, 1 ether, 1 ether + 1));
        escrow.withdrawNative(provider.addr, 1 ether + 1);
        vm.stopPrank();
        vm.prank(stranger);
        vm.expectRevert(_error(ILeaseEscrow.InsufficientBalance.selector, 0, 1));
        escrow.withdrawNative(stranger, 1);
    }

    function test_WhenTheReceiverCallsBack_NoFunctionThatMovesMoneyCanBeEntered() public {
        _depositBond();
        Echo echo = new Echo();
        vm.prank(provider.addr);
        escrow.withdraw(address(wrapped), address(echo), 0);
        bytes[5] memory calls = [
            abi.encodeCall(ILeaseEscrow.claimNative, (new uint256[](0), address(echo))),
            abi.encodeCall(ILeaseEscrow.withdrawNative, (address(echo), 0)),
            abi.encodeCall(ILeaseEscrow.withdrawFor, (address(wrapped), provider.addr)),
            abi.encodeCall(ILeaseEscrow.recoverSurplus, (address(wrapped))),
            abi.encodeCall(ILeaseEscrow.reconcile, (address(wrapped), new address[](0)))
        ];
        for (uint256 i; i < calls.length; ++i) {
            echo.callBack(address(escrow), calls[i]);
            vm.prank(provider.addr);
            escrow.withdrawNative(address(echo), 1);
            assertFalse(echo.accepted());
            assertEq(echo.answer(), abi.encodeWithSignature("Reentrancy()"));
        }
        assertEq(address(echo).balance, 5);
        assertEq(_nativeBalance(provider.addr), 1 ether - 5);
        // native currency that is sent back in the middle belongs to nobody
        echo.callBack(address(escrow), "");
        vm.prank(provider.addr);
        escrow.withdrawNative(address(echo), 1);
        assertEq(echo.answer(), _error(ILeaseEscrow.NotWrappedNative.selector, address(echo)));
    }

    function test_ALeaseInNative_EndsInNative() public {
        _depositBond();
        uint256 id = _rentWith(PAYMENT, _offerInNative());
        _credit(id, 24, COMMITTED / 2, COMMITTED / 2, true);
        escrow.settle(id);
        // half was asked for and delivered; two percent of the other half
        assertEq(escrow.lease(id).held, 52_266_667);
        vm.prank(renter);
        escrow.claimNative(_only(id), renter);
        assertEq(renter.balance, PURSE - PAYMENT + 52_266_667);
        assertEq(_nativeBalance(payee), 533_333);
        assertEq(_nativeBalance(provider.addr), 1 ether + 52_800_000 + 1_066_666);
    }
}
