// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IERC4907} from "contracts/src/interfaces/IERC4907.sol";
import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Vm} from "forge-std/Vm.sol";
import {Rented} from "tests/support/Rented.sol";

contract UserTest is Rented {
    address private user = makeAddr("user");

    function _setUser(address user_, uint64 expires) private {
        vm.prank(renter);
        escrow.setUser(id, user_, expires);
    }

    // ---------------------------------------------------------------- setting

    function test_TheOwner_NamesAUser() public {
        assertEq(escrow.userOf(id), address(0));
        assertEq(escrow.userExpires(id), 0);
        assertEq(escrow.controllerOf(id), renter);
        vm.expectEmit(address(escrow));
        emit IERC4907.UpdateUser(id, user, END);
        _setUser(user, END);
        assertEq(escrow.userOf(id), user);
        assertEq(escrow.userExpires(id), END);
        assertEq(escrow.controllerOf(id), user);
        assertEq(escrow.ownerOf(id), renter);
    }

    function test_ALaterUser_ReplacesTheEarlierOne() public {
        _setUser(user, END);
        _setUser(stranger, END - 1);
        assertEq(escrow.userOf(id), stranger);
        assertEq(escrow.userExpires(id), END - 1);
    }

    function test_NoUser_CanBeSetToo() public {
        _setUser(user, END);
        vm.expectEmit(address(escrow));
        emit IERC4907.UpdateUser(id, address(0), 0);
        _setUser(address(0), 0);
        assertEq(escrow.userOf(id), address(0));
        assertEq(escrow.controllerOf(id), renter);
        // an expiry without an account means no user
        _setUser(address(0), END);
        assertEq(escrow.controllerOf(id), renter);
    }

    function test_ApprovedAccountAndOperator_NameAUserToo() public {
        vm.prank(renter);
        escrow.approve(stranger, id);
        vm.prank(stranger);
        escrow.setUser(id, user, END);
        assertEq(escrow.userOf(id), user);
        vm.prank(renter);
        escrow.setApprovalForAll(payee, true);
        vm.prank(payee);
        escrow.setUser(id, stranger, END);
        assertEq(escrow.userOf(id), stranger);
    }

    function test_AnyoneElse_MayNotNameAUser() public {
        _setUser(user, END);
        address[4] memory callers = [user, stranger, provider.addr, address(committee)];
        for (uint256 i; i < callers.length; ++i) {
            _revertsFor(ILeaseEscrow.NotLeaseOwner.selector, callers[i]);
            vm.prank(callers[i]);
            escrow.setUser(id, callers[i], type(uint64).max);
        }
        assertEq(escrow.userOf(id), user);
    }

    function test_WhenTheLeaseIsUnknown_Reverts() public {
        vm.expectRevert(abi.encodeWithSignature("TokenDoesNotExist()"));
        escrow.setUser(2, user, END);
        vm.expectRevert(abi.encodeWithSignature("TokenDoesNotExist()"));
        escrow.controllerOf(2);
        assertEq(escrow.userOf(2), address(0));
    }

    // ---------------------------------------------------------------- expiry

    function test_TheUser_IsInPlaceUpToItsLastSecond() public {
        _setUser(user, START + 100);
        vm.warp(START + 100);
        assertEq(escrow.userOf(id), user);
        assertEq(escrow.controllerOf(id), user);
        vm.warp(START + 101);
        assertEq(escrow.userOf(id), address(0));
        assertEq(escrow.controllerOf(id), renter);
        assertEq(escrow.userExpires(id), START + 100);
    }

    function test_AUserOfThePast_CountsAsNone() public {
        _setUser(user, uint64(block.timestamp - 1));
        assertEq(escrow.userOf(id), address(0));
        _setUser(user, uint64(block.timestamp));
        assertEq(escrow.userOf(id), user);
    }

    // ---------------------------------------------------------------- transfer

    function _isCleared(address owner) private view {
        assertEq(escrow.userOf(id), address(0));
        assertEq(escrow.userExpires(id), 0);
        assertEq(escrow.controllerOf(id), owner);
    }

    function test_ATransfer_EndsTheUse() public {
        _setUser(user, END);
        vm.expectEmit(address(escrow));
        emit IERC4907.UpdateUser(id, address(0), 0);
        _transfer(stranger);
        _isCleared(stranger);
    }

    function test_ATransferToOneself_EndsItToo() public {
        _setUser(user, END);
        vm.expectEmit(address(escrow));
        emit IERC4907.UpdateUser(id, address(0), 0);
        _transfer(renter);
        _isCleared(renter);
        assertEq(escrow.balanceOf(renter), 1);
    }

    function test_ASafeTransfer_EndsItToo() public {
        _setUser(user, END);
        vm.prank(renter);
        escrow.safeTransferFrom(renter, stranger, id);
        _isCleared(stranger);
        vm.prank(stranger);
        escrow.setUser(id, user, END);
        vm.prank(stranger);
        escrow.safeTransferFrom(stranger, renter, id, "with data");
        _isCleared(renter);
    }

    function test_TheExpiryOfNoUser_EndsToo() public {
        _setUser(address(0), type(uint64).max);
        vm.expectEmit(address(escrow));
        emit IERC4907.UpdateUser(id, address(0), 0);
        _transfer(stranger);
        _isCleared(stranger);
    }

    function test_WithoutAUser_ATransferEmitsNoUserEvent() public {
        vm.recordLogs();
        _transfer(stranger);
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(logs.length, 1);
        assertEq(logs[0].topics[0], keccak256("Transfer(address,address,uint256)"));
    }

    function test_OneLeasesTransfer_LeavesAnothersUser() public {
        uint256 first = id;
        _setUser(user, END);
        _begin(_offer());
        _transfer(stranger);
        assertEq(escrow.userOf(first), user);
    }

    function test_AForbiddenTransfer_ClearsNothing() public {
        _setUser(user, END);
        vm.prank(user);
        vm.expectRevert(abi.encodeWithSignature("NotOwnerNorApproved()"));
        escrow.transferFrom(renter, user, id);
        assertEq(escrow.userOf(id), user);
    }

    // ---------------------------------------------------------------- rights

    function test_TheUser_ControlsTheBoxesAndNothingElse() public {
        _setUser(user, END);
        vm.startPrank(user);
        escrow.setBoxes(id, "node", "gateway");
        _revertsFor(ILeaseEscrow.NotLeaseOwner.selector, user);
        escrow.cancel(id);
        _revertsFor(ILeaseEscrow.NotLeaseProvider.selector, user);
        escrow.terminate(id);
        _revertsFor(ILeaseEscrow.NotLeaseOwner.selector, user);
        escrow.claim(_only(id), user);
        vm.expectRevert(abi.encodeWithSignature("NotOwnerNorApproved()"));
        escrow.approve(user, id);
        vm.stopPrank();
        vm.warp(END + WINDOW);
        escrow.settle(id);
        assertEq(_balance(user), 0);
        assertEq(_held(), PAYMENT);
    }
}
