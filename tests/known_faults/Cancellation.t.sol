// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Offer, RentRequest} from "contracts/src/interfaces/LeaseTypes.sol";
import {Rented} from "tests/support/Rented.sol";

/// @notice Known faults of the ways out of a lease: who pays when one side leaves early.
contract CancellationFaultsTest is Rented {
    /// @dev Twelve of 24 epochs are delivered, then the provider falls silent while jobs keep
    /// coming.
    function _deliverHalf() private {
        _credit(id, 12, 12 * uint256(PROMISE), 12 * uint256(PROMISE), false);
    }

    /// @notice Today: the renter of a silent provider loses 9,977,776 by cancelling at once,
    /// against waiting to the end, and the provider in default gains it: the cancel fee, and half a
    /// day less of slash.
    /// @dev Right: a lease that is slashed pays no cancel fee, so cancelling a defaulting provider
    /// never costs more than waiting.
    function test_KnownFault_CancellingADefaultingProvider_PaysTheProvider() public {
        _deliverHalf();
        uint256 snapshot = vm.snapshotState();

        _credit(id, 24, 12 * uint256(PROMISE), 24 * uint256(PROMISE), true);
        escrow.settle(id);
        assertEq(_balance(renter), 62_933_332, "the renter waits");
        assertEq(_balance(provider.addr) - idle, 64_533_334, "the renter waits");

        vm.revertToState(snapshot);
        vm.warp(START + 12 * EPOCH + 1);
        _cancel();
        _credit(id, 13, 12 * uint256(PROMISE), 13 * uint256(PROMISE), true);
        escrow.settle(id);
        assertEq(_balance(renter), 52_955_556, "the renter cancels");
        assertEq(_balance(provider.addr) - idle, 74_511_110, "the renter cancels");
    }

    /// @notice Today: a provider that must stop after one of 24 epochs gets 6,355,556 by falling
    /// silent and 5,397,856 by terminating, because the tolerance of 5 % applies to silence only.
    /// @dev Right: terminating pays at least what falling silent pays.
    function test_KnownFault_FallingSilent_PaysMoreThanTerminating() public {
        _credit(id, 1, PROMISE, PROMISE, false);
        uint256 snapshot = vm.snapshotState();

        _credit(id, 24, PROMISE, 24 * uint256(PROMISE), true);
        escrow.settle(id);
        assertEq(_balance(provider.addr) - idle, 6_355_556, "silent");

        vm.revertToState(snapshot);
        _terminate();
        _credit(id, 2, PROMISE, 2 * uint256(PROMISE), true);
        escrow.settle(id);
        assertEq(_balance(provider.addr) - idle, 5_397_856, "terminated");
    }

    /// @notice Today: the cancel fee is at most what the lease released. A renter who cancels in
    /// the second epoch, when a hundredth of one epoch is delivered, pays 44,444 instead of the
    /// 1,911,111 that `Cancelled` sets aside.
    /// @dev Right: the renter of a provider that is not in default pays the whole fee that was set
    /// aside.
    function test_KnownFault_AnEarlyCancellation_IsNearlyFree() public {
        _credit(id, 1, PROMISE / 100, PROMISE, false);
        vm.warp(START + EPOCH + 1);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Cancelled(id, START + 2 * EPOCH, 93_644_443);
        _cancel();
        _credit(id, 2, PROMISE / 100, 2 * uint256(PROMISE), true);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Settled(id, 12_933_335, 1_659_922, 19_673_411, 44_444);
        escrow.settle(id);
    }

    /// @notice Today: a renter takes a whole offer for a day and cancels one second before the
    /// start for nothing: the offer is used up and the bond was locked. The provider's own way out
    /// of the same lease costs its whole bond.
    /// @dev Right: the offer's cancel fee is due before the start, too.
    function test_KnownFault_ADaysOptionOnAnOffer_IsFree() public {
        Offer memory o = _offer();
        o.salt = 99;
        RentRequest memory r = _request();
        r.hashRate = o.hashRate;
        r.start = uint40(NOW + o.notice + 24 hours);
        uint256 wealth = _balance(renter) + token.balanceOf(renter);
        uint256 deposit = _balance(provider.addr);
        uint256 option = _rent(o, r);
        assertEq(deposit - _balance(provider.addr), 213_333_331, "the bond is locked");
        vm.warp(r.start - 1);
        vm.prank(renter);
        escrow.cancel(option);
        assertEq(_balance(renter) + token.balanceOf(renter), wealth, "the renter pays nothing");
        assertEq(_balance(provider.addr), deposit, "the provider gets nothing");
        assertEq(lens.filled(lens.offerHash(o)), o.hashRate, "the offer is used up");

        o.salt = 100;
        r.start = uint40(block.timestamp + o.notice + 1);
        id = _rent(o, r);
        _terminate();
        assertEq(deposit - _balance(provider.addr), 213_333_331, "the provider pays its whole bond");
    }
}
