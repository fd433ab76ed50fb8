// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IRegistry} from "contracts/src/interfaces/IRegistry.sol";
import {RentRequest} from "contracts/src/interfaces/LeaseTypes.sol";
import {Renting} from "tests/support/Renting.sol";

/// @notice A pause, and everything else that the governor can close: new leases stop, open leases
/// go on.
contract PauseTest is Renting {
    function _now() private view returns (RentRequest memory r) {
        r = _request();
        r.start = uint40(vm.getBlockTimestamp()) + 10 minutes;
    }

    function _paused(uint256 until) private pure returns (bytes memory) {
        return _error(IRegistry.RentingPaused.selector, until);
    }

    function test_APause_RunsOutByItselfAfterThreeDays() public {
        vm.expectEmit(address(registry));
        emit IRegistry.Paused(NOW + 3 days);
        registry.pause();
        assertEq(registry.pausedUntil(), NOW + 3 days);
        _refused(_offer(), _now(), _paused(NOW + 3 days));
        vm.warp(NOW + 3 days - 1);
        _refused(_offer(), _now(), _paused(NOW + 3 days));
        vm.expectRevert(_paused(NOW + 3 days));
        registry.admit(_offer(), RATE, START, DURATION, jobSigner);
        vm.warp(NOW + 3 days);
        _rent(_offer(), _now());
    }

    function test_Unpausing_EndsItAtOnce() public {
        registry.pause();
        vm.warp(NOW + 1 hours);
        vm.expectEmit(address(registry));
        emit IRegistry.Paused(NOW + 1 hours);
        registry.unpause();
        assertEq(registry.pausedUntil(), NOW + 1 hours);
        _rent(_offer(), _now());
    }

    function test_AnotherPause_CountsFromItsOwnStart() public {
        registry.pause();
        vm.warp(NOW + 2 days);
        registry.pause();
        assertEq(registry.pausedUntil(), NOW + 5 days);
        vm.warp(NOW + 3 days);
        _refused(_offer(), _now(), _paused(NOW + 5 days));
    }

    function test_WhenRentingIsPaused_DepositsStillComeIn() public {
        registry.pause();
        vm.prank(renter);
        escrow.deposit(address(token), 5);
        assertEq(_balance(renter), 5);
    }

    /// @dev Paused, delisted and with caps at zero from the moment the leases are open.
    function test_WhenEverythingIsClosed_OpenLeasesRunToTheirEnd() public {
        _rent();
        _rent();
        _rent();
        _close();

        vm.warp(START + 30 minutes);
        vm.prank(renter);
        escrow.setBoxes(1, "new", "boxes");
        vm.prank(renter);
        escrow.transferFrom(renter, stranger, 1);
        _credit(1, 1, 3.6e17, 3.6e17, false);
        registry.pause();
        escrow.collect(1);
        // a twenty-fourth of the payment, less one percent
        assertEq(_balance(payee), 44_444);
        assertEq(_balance(provider.addr), DEPOSIT - 3 * uint256(BOND) + 4_400_000);

        vm.prank(renter);
        escrow.cancel(2);
        vm.prank(provider.addr);
        escrow.terminate(3);
        // a little is missing, for its holder
        _credit(1, 24, COMMITTED - 1e17, COMMITTED, true);
        registry.pause();
        escrow.settle(1);
        vm.warp(END + WINDOW);
        registry.pause();
        escrow.settle(2);
        escrow.settle(3);
        assertEq(lens.exposure(committeeId, address(token)), 0);
        _everybodyGetsOut();
    }

    function _close() private {
        registry.pause();
        registry.listToken(address(token), false);
        registry.listOracle(committeeId, false);
        _setCap(committeeId, address(token), 0);
    }

    function _everybodyGetsOut() private {
        vm.prank(stranger);
        escrow.claim(_only(1), stranger);
        uint256[] memory ids = new uint256[](2);
        (ids[0], ids[1]) = (2, 3);
        vm.prank(renter);
        escrow.claim(ids, renter);
        vm.prank(provider.addr);
        escrow.withdrawFor(address(token), provider.addr);
        escrow.withdrawFor(address(token), payee);
        assertEq(token.balanceOf(address(escrow)), 0);
        address[] memory all = new address[](2);
        (all[0], all[1]) = (provider.addr, payee);
        escrow.reconcile(address(token), all);
        assertEq(escrow.liabilities(address(token)), 0);
    }
}
