// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Offer, RentRequest} from "contracts/src/interfaces/LeaseTypes.sol";
import {Rented} from "tests/support/Rented.sol";

/// @notice Known faults of what may be rented, and of who can keep others from renting.
contract RentingFaultsTest is Rented {
    /// @notice Today: a lease at price 0 is admitted. Its oracle has to check every share of it for
    /// nothing, and its renter needs no token at all.
    /// @dev Right: a least payment for each oracle and token, beside the exposure cap.
    function test_KnownFault_AFreeLease_MakesItsOracleWorkForNothing() public {
        Offer memory o = _offer();
        (o.price, o.bondBps, o.cancelBps) = (0, 0, 0);
        RentRequest memory r = _request();
        r.recipient = makeAddr("renter without money");
        bytes memory signature = _sign(o);
        vm.prank(r.recipient);
        uint256 free = escrow.rent(o, signature, new bytes32[](0), r);
        assertEq(escrow.lease(free).payment, 0);
        assertEq(token.balanceOf(r.recipient), 0);
        assertEq(_exposure(committeeId), PAYMENT + BOND, "only the other lease counts");
    }

    /// @notice Today: a renewal from an offer for another node, with two hours of notice, starts
    /// one second ahead.
    /// @dev Right: only a renewal on the same node needs no notice.
    function test_KnownFault_ARenewalOnAnotherNode_NeedsNoNotice() public {
        vm.warp(END - 1);
        Offer memory o = _offer();
        (o.nodeKey, o.notice, o.salt) = (keccak256("another site's node key"), 2 hours, 7);
        RentRequest memory r = _request();
        (r.continues, r.start) = (id, END);
        assertEq(escrow.lease(_rent(o, r)).start, block.timestamp + 1);
    }

    /// @notice Today: until a provider asks to keep its balance, anyone pushes its deposit out to
    /// its wallet, and every rent of its offers reverts.
    /// @dev Right: a deposit stays in until its depositor asks for it to be pushed.
    function test_KnownFault_AStranger_PushesADepositOutBeforeARent() public {
        Offer memory o = _offer();
        bytes memory signature = _sign(o);
        vm.prank(stranger);
        escrow.withdrawFor(address(token), provider.addr);
        vm.expectRevert(_error(ILeaseEscrow.InsufficientBalance.selector, 0, BOND));
        vm.prank(renter);
        escrow.rent(o, signature, new bytes32[](0), _request());
    }

    /// @notice Today: two rents fill an exposure cap in front of a victim's, and two cancellations
    /// before the start free it again behind it. The sandwich costs gas only.
    /// @dev Right: the cancel fee is due before the start, too, so that filling a cap has a price.
    function test_KnownFault_AnExposureCap_IsFilledInFrontOfARentForNothing() public {
        _setCap(committeeId, address(token), 3 * (PAYMENT + BOND));
        uint256 wealth = _balance(renter) + token.balanceOf(renter);
        uint256 first = _rent();
        uint256 second = _rent();

        address victim = makeAddr("victim");
        token.mint(victim, PAYMENT);
        bytes memory signature = _sign(_offer());
        vm.startPrank(victim);
        token.approve(address(escrow), PAYMENT);
        vm.expectRevert(_error(ILeaseEscrow.ExposureCapExceeded.selector, 3 * (PAYMENT + BOND), 4 * (PAYMENT + BOND)));
        escrow.rent(_offer(), signature, new bytes32[](0), _request());
        vm.stopPrank();

        vm.startPrank(renter);
        escrow.cancel(first);
        escrow.cancel(second);
        vm.stopPrank();
        assertEq(_balance(renter) + token.balanceOf(renter), wealth);
        assertEq(_exposure(committeeId), PAYMENT + BOND);
    }
}
