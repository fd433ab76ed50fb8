// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Rented} from "tests/support/Rented.sol";

contract BoxesTest is Rented {
    address private user = makeAddr("user");

    function _publishes(address caller, bytes memory nodeBox, bytes memory gatewayBox) private {
        bytes32 before = _state();
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Boxes(id, nodeBox, gatewayBox);
        vm.prank(caller);
        escrow.setBoxes(id, nodeBox, gatewayBox);
        assertEq(_state(), before, "nothing but the event");
    }

    function _refused(address caller) private {
        _revertsFor(ILeaseEscrow.NotController.selector, caller);
        vm.prank(caller);
        escrow.setBoxes(id, "node", "gateway");
    }

    function _setUser(uint64 expires) private {
        vm.prank(renter);
        escrow.setUser(id, user, expires);
    }

    // ---------------------------------------------------------------- by whom

    function test_TheOwner_PublishesAsOftenAsSheLikes() public {
        _publishes(renter, "node", "gateway");
        _publishes(renter, "another node", "another gateway");
        _publishes(renter, "", "");
    }

    function test_TheUser_PublishesInTheOwnersPlace() public {
        _setUser(END);
        _publishes(user, "node", "gateway");
        _refused(renter);
    }

    function test_AnExpiredUser_MayNotPublishAndTheOwnerMayAgain() public {
        _setUser(START);
        vm.warp(START);
        _publishes(user, "node", "gateway");
        vm.warp(START + 1);
        _refused(user);
        _publishes(renter, "node", "gateway");
    }

    function test_AfterATransfer_OnlyTheNewOwnerMayPublish() public {
        _setUser(END);
        _transfer(stranger);
        _refused(user);
        _refused(renter);
        _publishes(stranger, "node", "gateway");
    }

    function test_AnyoneElse_MayNotPublish() public {
        vm.startPrank(renter);
        escrow.approve(stranger, id);
        escrow.setApprovalForAll(payee, true);
        vm.stopPrank();
        _refused(stranger);
        _refused(payee);
        _refused(provider.addr);
        _refused(jobSigner);
        _refused(address(committee));
        _refused(address(this));
    }

    // ---------------------------------------------------------------- when

    function test_ACancelledOrTerminatedLease_AcceptsBoxesUntilItsEnd() public {
        vm.warp(START);
        uint256 snapshot = vm.snapshotState();
        _cancel();
        _publishes(renter, "node", "gateway");
        vm.revertToState(snapshot);
        _terminate();
        _publishes(renter, "node", "gateway");
    }

    function test_WhenTheLeaseIsSettled_Reverts() public {
        _cancel();
        _revertsAsSettled();
        vm.prank(renter);
        escrow.setBoxes(id, "node", "gateway");
    }

    function test_WhenTheLeaseIsUnknown_Reverts() public {
        vm.expectRevert(abi.encodeWithSignature("TokenDoesNotExist()"));
        escrow.setBoxes(2, "node", "gateway");
    }

    // ---------------------------------------------------------------- length

    function test_ABox_HasAtMost512Bytes() public {
        _publishes(renter, new bytes(512), new bytes(512));
        vm.startPrank(renter);
        vm.expectRevert(_error(ILeaseEscrow.BoxTooLong.selector, 512, 513));
        escrow.setBoxes(id, new bytes(513), "");
        vm.expectRevert(_error(ILeaseEscrow.BoxTooLong.selector, 512, 600));
        escrow.setBoxes(id, "", new bytes(600));
        vm.stopPrank();
    }

    function test_WhenEverythingIsStopped_BoxesAreStillPublished() public {
        registry.listOracle(committeeId, false);
        registry.listToken(address(token), false);
        registry.pause();
        _publishes(renter, "node", "gateway");
    }
}
