// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IERC4906} from "contracts/src/interfaces/IERC4906.sol";
import {IERC5646} from "contracts/src/interfaces/IERC5646.sol";
import {ILeaseDescriptor} from "contracts/src/interfaces/ILeaseDescriptor.sol";
import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {RentRequest} from "contracts/src/interfaces/LeaseTypes.sol";
import {Vm} from "forge-std/Vm.sol";
import {Rented} from "tests/support/Rented.sol";

contract TakesNfts {
    function onERC721Received(address, address, uint256, bytes calldata) external pure returns (bytes4) {
        return 0x150b7a02;
    }
}

contract LeaseNftTest is Rented {
    event Transfer(address indexed from, address indexed to, uint256 indexed id);

    // ---------------------------------------------------------------- identity

    function test_ALease_IsATokenOfItsRecipient() public {
        assertEq(id, 1);
        assertEq(escrow.ownerOf(id), renter);
        assertEq(escrow.balanceOf(renter), 1);
        assertEq(escrow.name(), "Hashlease");
        assertEq(escrow.symbol(), "LEASE");
        vm.expectRevert(abi.encodeWithSignature("TokenDoesNotExist()"));
        escrow.ownerOf(id + 1);
    }

    function test_Minting_IsATransferFromNobody() public {
        RentRequest memory r = _request();
        r.recipient = stranger;
        bytes memory signature = _sign(_offer());
        vm.expectEmit(address(escrow));
        emit Transfer(address(0), stranger, 2);
        vm.prank(renter);
        escrow.rent(_offer(), signature, new bytes32[](0), r);
    }

    function test_ARecipientWithCode_IsNotCalled() public {
        RentRequest memory r = _request();
        // a contract without a receiver hook
        r.recipient = address(token);
        assertEq(escrow.ownerOf(_rent(_offer(), r)), address(token));
    }

    function test_Erc165_NamesItsInterfaces() public view {
        assertTrue(escrow.supportsInterface(0x01ffc9a7), "ERC-165");
        assertTrue(escrow.supportsInterface(0x80ac58cd), "ERC-721");
        assertTrue(escrow.supportsInterface(0x5b5e139f), "its metadata");
        assertTrue(escrow.supportsInterface(0x49064906), "ERC-4906");
        assertTrue(escrow.supportsInterface(0xad092b5c), "ERC-4907");
        assertTrue(escrow.supportsInterface(0xf5112315), "ERC-5646");
        assertEq(type(IERC5646).interfaceId, bytes4(0xf5112315));
        assertFalse(escrow.supportsInterface(0xffffffff), "never");
        assertFalse(escrow.supportsInterface(0x780e9d63), "enumerable");
        assertFalse(escrow.supportsInterface(0x2a55205a), "royalties");
    }

    function test_TheDescriptor_DrawsIt() public {
        address descriptor = escrow.descriptor();
        bytes memory question = abi.encodeCall(ILeaseDescriptor.tokenURI, (address(escrow), id));
        vm.mockCall(descriptor, question, abi.encode("data:drawn"));
        vm.expectCall(descriptor, question);
        assertEq(escrow.tokenURI(id), "data:drawn");
    }

    function test_TheDescriptor_DescribesTheCollection() public {
        address descriptor = escrow.descriptor();
        bytes memory question = abi.encodeCall(ILeaseDescriptor.contractURI, (address(escrow)));
        vm.mockCall(descriptor, question, abi.encode("data:all of them"));
        vm.expectCall(descriptor, question);
        assertEq(escrow.contractURI(), "data:all of them");
    }

    function test_WhenTheLeaseIsUnknown_Reverts() public {
        vm.expectRevert(_error(ILeaseEscrow.UnknownLease.selector, 2));
        escrow.tokenURI(2);
        vm.expectRevert(_error(ILeaseEscrow.UnknownLease.selector, 2));
        escrow.lease(2);
        vm.expectRevert(_error(ILeaseEscrow.UnknownLease.selector, 0));
        escrow.lease(0);
    }

    // ---------------------------------------------------------------- transfer

    function test_WhenTransferred_TheNewOwnerHoldsIt() public {
        bytes32 before = _state();
        vm.expectEmit(address(escrow));
        emit Transfer(renter, stranger, id);
        _transfer(stranger);
        assertEq(escrow.ownerOf(id), stranger);
        assertEq(escrow.balanceOf(renter), 0);
        assertEq(escrow.balanceOf(stranger), 1);
        assertEq(_state(), before);
    }

    function test_WhenTheCallerHasNoApproval_Reverts() public {
        address[3] memory callers = [stranger, provider.addr, address(committee)];
        for (uint256 i; i < 3; ++i) {
            vm.prank(callers[i]);
            vm.expectRevert(abi.encodeWithSignature("NotOwnerNorApproved()"));
            escrow.transferFrom(renter, callers[i], id);
            vm.prank(callers[i]);
            vm.expectRevert(abi.encodeWithSignature("NotOwnerNorApproved()"));
            escrow.approve(callers[i], id);
        }
    }

    function test_WhenApproved_OneTransferIsAllowed() public {
        vm.prank(renter);
        escrow.approve(stranger, id);
        assertEq(escrow.getApproved(id), stranger);
        vm.prank(stranger);
        escrow.transferFrom(renter, payee, id);
        assertEq(escrow.ownerOf(id), payee);
        assertEq(escrow.getApproved(id), address(0));
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSignature("NotOwnerNorApproved()"));
        escrow.transferFrom(payee, stranger, id);
    }

    function test_AnOperator_TransfersEveryTokenOfTheOwnerUntilStopped() public {
        uint256 second = _rent();
        vm.prank(renter);
        escrow.setApprovalForAll(stranger, true);
        vm.prank(stranger);
        escrow.transferFrom(renter, stranger, id);
        vm.prank(renter);
        escrow.setApprovalForAll(stranger, false);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSignature("NotOwnerNorApproved()"));
        escrow.transferFrom(renter, stranger, second);
    }

    function test_ASafeTransfer_NeedsAReceiverThatAcceptsIt() public {
        TakesNfts takes = new TakesNfts();
        vm.startPrank(renter);
        vm.expectRevert(abi.encodeWithSignature("TransferToNonERC721ReceiverImplementer()"));
        escrow.safeTransferFrom(renter, address(token), id);
        escrow.safeTransferFrom(renter, address(takes), id);
        vm.stopPrank();
        assertEq(escrow.ownerOf(id), address(takes));
    }

    function test_ToNobody_Reverts() public {
        vm.prank(renter);
        vm.expectRevert(abi.encodeWithSignature("TransferToZeroAddress()"));
        escrow.transferFrom(renter, address(0), id);
    }

    // ---------------------------------------------------------------- rights that move with it

    function test_TheRightToRefunds_GoesWithIt() public {
        _beginVoidable();
        vm.warp(START + EPOCH);
        testOracle.voidEpoch(id, 0, challenger);
        vm.prank(renter);
        escrow.claim(_only(id), payee);
        assertEq(token.balanceOf(payee), 3_333_333, "what she claimed before is hers");
        _transfer(stranger);
        testOracle.voidEpoch(id, 1, challenger);
        _credit(id, 24, COMMITTED / 2, COMMITTED / 2, true);
        escrow.settle(id);
        vm.prank(stranger);
        escrow.claim(_only(id), stranger);
        assertEq(token.balanceOf(stranger), 3_333_333 + 53_333_333);
    }

    function test_TheRightToCancel_GoesWithIt() public {
        _transfer(stranger);
        vm.prank(stranger);
        escrow.cancel(id);
        assertEq(_held(), PAYMENT - 2_133_333);
    }

    function test_TheProvidersRights_DoNot() public {
        _transfer(provider.addr);
        _credit(id, 24, COMMITTED, COMMITTED, true);
        _transferBack();
        escrow.settle(id);
        _expectBooked(105_600_000 + BOND, 1_066_666, 0);
    }

    function _transferBack() private {
        vm.prank(provider.addr);
        escrow.transferFrom(provider.addr, renter, id);
    }

    // ---------------------------------------------------------------- fingerprint

    /// @dev Hash of the token's state, expected to be another than before.
    function _changed(bytes32 before, string memory what) private view returns (bytes32 now_) {
        now_ = escrow.getStateFingerprint(id);
        assertTrue(now_ != before, what);
    }

    function test_TheFingerprint_ChangesWithAllThatABuyerPaysFor() public {
        _beginVoidable();
        bytes32 print = escrow.getStateFingerprint(id);
        assertTrue(print != escrow.getStateFingerprint(1), "of one token");
        vm.prank(renter);
        escrow.setUser(id, stranger, END);
        print = _changed(print, "user");
        _credit(id, 1, PROMISE, PROMISE, false);
        print = _changed(print, "credit");
        testOracle.voidEpoch(id, 0, challenger);
        print = _changed(print, "void");
        uint256 snapshot = vm.snapshotState();
        _terminate();
        _changed(print, "terminate");
        vm.revertToState(snapshot);
        _cancel();
        print = _changed(print, "cancel");
        _credit(id, 2, PROMISE, PROMISE, true);
        print = _changed(print, "last word");
        escrow.settle(id);
        print = _changed(print, "settle");
        vm.prank(renter);
        escrow.claim(_only(id), renter);
        _changed(print, "claim");
        vm.expectRevert(_error(ILeaseEscrow.UnknownLease.selector, 99));
        escrow.getStateFingerprint(99);
    }

    function test_TheFingerprint_StaysWhenOnlyTheOwnerOrTheProvidersMoneyMoves() public {
        _credit(id, 1, PROMISE, PROMISE, false);
        bytes32 print = escrow.getStateFingerprint(id);
        escrow.collect(id);
        vm.prank(renter);
        escrow.approve(stranger, id);
        _transfer(payee);
        assertEq(escrow.getStateFingerprint(id), print);
    }

    // ---------------------------------------------------------------- metadata updates

    function _updates() private returns (uint256 count) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].topics[0] == IERC4906.MetadataUpdate.selector) {
                assertEq(logs[i].data, abi.encode(id));
                ++count;
            } else if (logs[i].topics[0] == IERC4906.BatchMetadataUpdate.selector) {
                assertEq(logs[i].data, abi.encode(id, id));
                ++count;
            }
        }
    }

    function test_EveryChangeOfTheLease_IsAMetadataUpdate() public {
        _beginVoidable();
        vm.warp(START + 2 * EPOCH);
        vm.recordLogs();
        _credit(id, 1, PROMISE, PROMISE, false);
        assertEq(_updates(), 1, "credit");
        testOracle.voidEpoch(id, 1, challenger);
        assertEq(_updates(), 1, "voidEpoch");
        uint256 snapshot = vm.snapshotState();
        _terminate();
        assertEq(_updates(), 1, "terminate");
        vm.revertToState(snapshot);
        _cancel();
        assertEq(_updates(), 1, "cancel");
        vm.warp(START + 3 * EPOCH + LONG_WINDOW);
        escrow.settle(id);
        assertEq(_updates(), 1, "settle");
        vm.prank(renter);
        escrow.claim(_only(id), renter);
        assertEq(_updates(), 1, "claim");
    }

    function test_AnInvisibleChange_IsNoMetadataUpdate() public {
        _credit(id, 1, PROMISE, PROMISE, false);
        vm.recordLogs();
        escrow.collect(id);
        vm.startPrank(renter);
        escrow.setUser(id, stranger, type(uint64).max);
        escrow.transferFrom(renter, payee, id);
        vm.stopPrank();
        vm.prank(payee);
        escrow.setBoxes(id, "", "");
        assertEq(_updates(), 0);
    }
}
