// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow, RentRequest} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Fixture} from "tests/support/Fixture.sol";

contract LeaseNftTest is Fixture {
    function test_ALease_IsATokenOfItsRecipient() public {
        uint256 id = _rent();
        assertEq(escrow.ownerOf(id), renter);
        assertEq(escrow.balanceOf(renter), 1);
        assertEq(escrow.name(), "Hashlease");
        assertEq(escrow.symbol(), "LEASE");
        assertTrue(escrow.supportsInterface(0x80ac58cd), "ERC-721");
        vm.expectRevert(abi.encodeWithSignature("TokenDoesNotExist()"));
        escrow.ownerOf(id + 1);
    }

    function test_ARecipientWithCode_IsNotCalled() public {
        RentRequest memory r = _request();
        // a contract without a receiver hook
        r.recipient = address(token);
        assertEq(escrow.ownerOf(_rent(_offer(), r)), address(token));
    }

    function test_WhenTransferred_TheNewOwnerHoldsIt() public {
        uint256 id = _rent();
        vm.prank(renter);
        escrow.transferFrom(renter, stranger, id);
        assertEq(escrow.ownerOf(id), stranger);
        assertEq(escrow.balanceOf(renter), 0);
    }

    function test_WhenTheCallerHasNoApproval_Reverts() public {
        uint256 id = _rent();
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSignature("NotOwnerNorApproved()"));
        escrow.transferFrom(renter, stranger, id);
    }

    function test_WhenApproved_OneTransferIsAllowed() public {
        uint256 id = _rent();
        vm.prank(renter);
        escrow.approve(stranger, id);
        vm.prank(stranger);
        escrow.transferFrom(renter, payee, id);
        assertEq(escrow.ownerOf(id), payee);
    }

    function test_TheUri_TellsWhatIsCredited() public {
        uint256 id = _rent();
        _credit(id, 1, 3.6e17, 0, false);
        assertEq(
            escrow.tokenURI(id),
            'data:application/json;utf8,{"name":"Hashlease #1","attributes":[{"trait_type":"hashes per second","value":'
            '"100000000000000"},{"trait_type":"credited hashes","value":"360000000000000000"}]}'
        );
        vm.expectRevert(_error(ILeaseEscrow.UnknownLease.selector, 2));
        escrow.tokenURI(2);
        vm.expectRevert(_error(ILeaseEscrow.UnknownLease.selector, 2));
        escrow.lease(2);
    }
}
