// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IERC4906} from "contracts/src/interfaces/IERC4906.sol";
import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Lease, Offer, RentRequest} from "contracts/src/interfaces/LeaseTypes.sol";
import {DemoToken} from "script/DemoToken.sol";
import {WETH} from "solady/tokens/WETH.sol";
import {Market, Vault} from "tests/support/Custodians.sol";
import {Rented} from "tests/support/Rented.sol";

/// @notice What a lease holds for its holder, and who takes it.
contract ClaimsTest is Rented {
    address private purse = makeAddr("purse");

    /// @dev Half was delivered of all that was asked for: a refund and a slash.
    function _settleHalf() private returns (uint256 held) {
        _credit(id, 24, COMMITTED / 2, COMMITTED, true);
        vm.prank(stranger);
        escrow.settle(id);
        held = 53_333_333 + 9_599_999;
        assertEq(_held(), held);
    }

    function _claimAs(address by) private {
        vm.prank(by);
        escrow.claim(_only(id), purse);
    }

    // ---------------------------------------------------------------- claiming

    function test_AClaim_PaysAllThatIsHeldToAnyAddress() public {
        uint256 held = _settleHalf();
        uint256 owed = escrow.liabilities(address(token));
        Lease memory expected = escrow.lease(id);
        expected.held = 0;
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Claimed(id, purse, held);
        vm.expectEmit(address(escrow));
        emit IERC4906.MetadataUpdate(id);
        _claimAs(renter);
        assertEq(token.balanceOf(purse), held);
        assertEq(escrow.liabilities(address(token)), owed - held);
        assertEq(abi.encode(escrow.lease(id)), abi.encode(expected), "nothing else of the lease changes");
        assertEq(_balance(renter), 0);
        _everybodyLeaves();
    }

    function test_WhenNothingIsHeld_Reverts() public {
        bytes memory error = _error(ILeaseEscrow.NothingToClaim.selector, id);
        vm.expectRevert(error);
        _claimAs(renter);
        _settleHalf();
        _claimAs(renter);
        vm.expectRevert(error);
        _claimAs(renter);
    }

    function test_WhenALeaseIsNamedTwice_Reverts() public {
        _settleHalf();
        uint256[] memory twice = new uint256[](2);
        (twice[0], twice[1]) = (id, id);
        vm.expectRevert(_error(ILeaseEscrow.NothingToClaim.selector, id));
        vm.prank(renter);
        escrow.claim(twice, purse);
    }

    function test_SeveralLeases_AreClaimedAtOnceInTheirOwnTokens() public {
        DemoToken other = new DemoToken();
        _list(address(other));
        other.mint(renter, PAYMENT);
        vm.prank(renter);
        other.approve(address(escrow), PAYMENT);
        uint256[] memory ids = new uint256[](3);
        (ids[0], ids[1], ids[2]) = (id, _rent(_bondless(address(other)), _request()), _rent());
        vm.warp(END + WINDOW);
        for (uint256 i; i < 3; ++i) {
            escrow.settle(ids[i]);
        }
        vm.prank(renter);
        escrow.claim(ids, purse);
        assertEq(token.balanceOf(purse), 2 * PAYMENT);
        assertEq(other.balanceOf(purse), PAYMENT);
        assertEq(escrow.liabilities(address(other)), 0);
    }

    function test_WhenOneOfThemIsAnothers_NothingIsClaimed() public {
        uint256[] memory ids = new uint256[](2);
        (ids[0], ids[1]) = (id, _rent());
        vm.prank(renter);
        escrow.transferFrom(renter, stranger, ids[1]);
        vm.warp(END + WINDOW);
        escrow.settle(ids[0]);
        escrow.settle(ids[1]);
        id = ids[1];
        _revertsFor(ILeaseEscrow.NotLeaseOwner.selector, renter);
        vm.prank(renter);
        escrow.claim(ids, purse);
        assertEq(token.balanceOf(purse), 0);
    }

    function test_WhenTheReceiverIsNobodyOrTheEscrow_Reverts() public {
        _settleHalf();
        vm.startPrank(renter);
        vm.expectRevert(_error(ILeaseEscrow.InvalidRecipient.selector, address(0)));
        escrow.claim(_only(id), address(0));
        vm.expectRevert(_error(ILeaseEscrow.InvalidRecipient.selector, address(escrow)));
        escrow.claim(_only(id), address(escrow));
        vm.stopPrank();
    }

    function test_BeforeTheSettlement_WhatReturnedEarlyCanBeClaimed() public {
        _beginVoidable();
        vm.warp(START + 2 * EPOCH);
        testOracle.voidEpoch(id, 0, challenger);
        _claimAs(renter);
        assertEq(token.balanceOf(purse), 3_333_333);
        _cancel();
        // three epochs run: 106,666,666 − ⌈106,666,666 × 3.75 / 24⌉, less two percent
        uint256 early = 88_200_000;
        assertEq(_held(), early);
        _claimAs(renter);
        assertEq(token.balanceOf(purse), 3_333_333 + early);
        vm.warp(START + 3 * EPOCH + LONG_WINDOW);
        escrow.settle(id);
        assertEq(_held(), PAYMENT - early);
        _claimAs(renter);
        assertEq(token.balanceOf(purse), 3_333_333 + PAYMENT);
    }

    // ---------------------------------------------------------------- by whom

    function test_AnApprovedAccountAndAnOperator_ClaimToAnyAddress() public {
        uint256 first = id;
        _begin(_offer());
        vm.warp(END + WINDOW);
        escrow.settle(first);
        escrow.settle(id);
        vm.startPrank(renter);
        escrow.approve(stranger, first);
        escrow.setApprovalForAll(payee, true);
        vm.stopPrank();
        vm.prank(stranger);
        escrow.claim(_only(first), purse);
        _claimAs(payee);
        assertEq(token.balanceOf(purse), 2 * PAYMENT);
    }

    function test_ByAnyoneElse_Reverts() public {
        _settleHalf();
        address user = makeAddr("user");
        vm.prank(renter);
        escrow.setUser(id, user, type(uint64).max);
        address[5] memory callers = [user, stranger, provider.addr, address(committee), payee];
        for (uint256 i; i < callers.length; ++i) {
            _revertsFor(ILeaseEscrow.NotLeaseOwner.selector, callers[i]);
            _claimAs(callers[i]);
        }
    }

    function test_WhenTheLeaseIsUnknown_Reverts() public {
        vm.expectRevert(abi.encodeWithSignature("TokenDoesNotExist()"));
        escrow.claim(_only(9), purse);
        vm.expectRevert(_error(ILeaseEscrow.UnknownLease.selector, 9));
        escrow.claimFor(_only(9));
    }

    // ---------------------------------------------------------------- in custody

    function _putIntoVault() private returns (Vault vault) {
        vault = new Vault(escrow);
        vm.startPrank(renter);
        escrow.approve(address(vault), id);
        vault.put(id);
        vm.stopPrank();
    }

    function test_WhenAStrangerSettlesWhileAVaultHasIt_TheDepositorClaims() public {
        Vault vault = _putIntoVault();
        uint256 held = _settleHalf();
        assertEq(_balance(address(vault)), 0);
        vm.expectRevert(_error(ILeaseEscrow.NotPushable.selector, id, END + WINDOW + 180 days));
        escrow.claimFor(_only(id));
        vm.prank(renter);
        vault.take(id);
        _claimAs(renter);
        assertEq(token.balanceOf(purse), held);
        _everybodyLeaves();
    }

    function test_WhenAnEpochIsVoidedWhileAVaultHasIt_TheDepositorClaims() public {
        _beginVoidable();
        Vault vault = _putIntoVault();
        testOracle.voidEpoch(id, 0, challenger);
        vm.prank(renter);
        vault.take(id);
        _claimAs(renter);
        assertEq(token.balanceOf(purse), 3_333_333);
    }

    function test_WhenAnApprovedAccountCancels_TheOwnerClaims() public {
        vm.prank(renter);
        escrow.approve(stranger, id);
        vm.warp(START - 1);
        vm.prank(stranger);
        escrow.cancel(id);
        assertEq(_held(), PAYMENT - 2_133_333);
        _claimAs(renter);
        assertEq(token.balanceOf(purse), PAYMENT - 2_133_333);
    }

    function test_WhenItIsSold_WhatIsHeldGoesWithIt() public {
        vm.warp(START - 1);
        _cancel();
        _transfer(stranger);
        _revertsFor(ILeaseEscrow.NotLeaseOwner.selector, renter);
        _claimAs(renter);
        _claimAs(stranger);
        assertEq(token.balanceOf(purse), PAYMENT - 2_133_333);
    }

    // ---------------------------------------------------------------- on a market

    function _listed() private returns (Market market, address buyer) {
        market = new Market(escrow, token);
        buyer = makeAddr("buyer");
        token.mint(buyer, 1e9);
        vm.prank(buyer);
        token.approve(address(market), 1e9);
        vm.startPrank(renter);
        escrow.approve(address(market), id);
        market.list(id, 1e8);
        vm.stopPrank();
    }

    function test_WhatSettlesInAMarketsEscrow_IsTheSellersAgain() public {
        (Market market, address buyer) = _listed();
        uint256 held = _settleHalf();
        vm.expectRevert(Market.TokenHasChanged.selector);
        vm.prank(buyer);
        market.buy(id);
        vm.prank(renter);
        market.takeBack(id);
        _claimAs(renter);
        assertEq(token.balanceOf(purse), held);
    }

    function test_WhatABuyerSees_IsWhatSheGets() public {
        uint256 held = _settleHalf();
        (Market market, address buyer) = _listed();
        vm.prank(buyer);
        market.buy(id);
        _claimAs(buyer);
        assertEq(token.balanceOf(purse), held);
    }

    /// @dev Emptied in front of the sale, by an operator of the market's token.
    function test_ALeaseEmptiedInFrontOfASale_IsNotSold() public {
        uint256 held = _settleHalf();
        (Market market, address buyer) = _listed();
        vm.prank(address(market));
        escrow.approve(renter, id);
        _claimAs(renter);
        assertEq(token.balanceOf(purse), held);
        vm.expectRevert(Market.TokenHasChanged.selector);
        vm.prank(buyer);
        market.buy(id);
    }

    // ---------------------------------------------------------------- pushing

    function test_HalfAYearAfterTheWindow_AnybodyPushesItToTheOwner() public {
        uint256 held = _settleHalf();
        uint256 before = token.balanceOf(renter);
        vm.warp(END + WINDOW + 180 days - 1);
        vm.expectRevert(_error(ILeaseEscrow.NotPushable.selector, id, END + WINDOW + 180 days));
        vm.prank(stranger);
        escrow.claimFor(_only(id));
        vm.warp(END + WINDOW + 180 days);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Claimed(id, renter, held);
        vm.prank(stranger);
        escrow.claimFor(_only(id));
        assertEq(token.balanceOf(renter), before + held);
        vm.expectRevert(_error(ILeaseEscrow.NothingToClaim.selector, id));
        escrow.claimFor(_only(id));
        _everybodyLeaves();
    }

    function test_TheWaitForAPush_CountsFromTheNewEnd() public {
        vm.warp(START - 1);
        _cancel();
        vm.warp(START + WINDOW + 180 days - 1);
        vm.expectRevert(_error(ILeaseEscrow.NotPushable.selector, id, START + WINDOW + 180 days));
        escrow.claimFor(_only(id));
        skip(1);
        escrow.claimFor(_only(id));
        assertEq(_held(), 0);
    }

    // ---------------------------------------------------------------- native currency

    function test_InWrappedNativeCurrency_ItIsClaimedUnwrapped() public {
        WETH wrapped = new WETH();
        registry.setWrappedNative(address(wrapped));
        _list(address(wrapped));
        Offer memory o = _bondless(address(wrapped));
        RentRequest memory r = _request();
        bytes memory signature = _sign(o);
        vm.deal(renter, PAYMENT);
        vm.prank(renter);
        uint256 native = escrow.rent{value: PAYMENT}(o, signature, new bytes32[](0), r);
        vm.warp(END + WINDOW);
        escrow.settle(native);
        escrow.settle(id);
        vm.prank(renter);
        vm.expectRevert(_error(ILeaseEscrow.NativeNotTaken.selector, address(token)));
        escrow.claimNative(_only(id), purse);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(ILeaseEscrow.NotLeaseOwner.selector, native, stranger));
        escrow.claimNative(_only(native), purse);
        vm.prank(renter);
        escrow.claimNative(_only(native), purse);
        assertEq(purse.balance, PAYMENT);
        assertEq(escrow.liabilities(address(wrapped)), 0);
        assertEq(wrapped.balanceOf(address(escrow)), 0);
    }

    // ---------------------------------------------------------------- nobody can stop it

    function test_WhenEverythingIsDelisted_ItIsClaimedAllTheSame() public {
        uint256 held = _settleHalf();
        registry.listOracle(committeeId, false);
        registry.listToken(address(token), false);
        _setCap(committeeId, address(token), 0);
        registry.pause();
        _claimAs(renter);
        assertEq(token.balanceOf(purse), held);
    }
}
