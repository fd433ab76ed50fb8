// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {LeaseEscrow} from "contracts/src/LeaseEscrow.sol";
import {Bounds, ILeaseEscrow, Oracle} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Fixture} from "tests/support/Fixture.sol";

contract RegistryTest is Fixture {
    // ---------------------------------------------------------------- oracles

    function test_ARegisteredOracle_IsListedAndKeepsItsTerms() public {
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.OracleRegistered(3, stranger, 7 days, 300, payee);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.OracleListed(3, true);
        assertEq(escrow.registerOracle(stranger, 7 days, 300, payee), 3);
        Oracle memory o = escrow.oracle(3);
        assertEq(o.account, stranger);
        assertEq(o.window, 7 days);
        assertEq(o.feeBps, 300);
        assertEq(o.payee, payee);
        assertTrue(o.listed);
        escrow.listOracle(3, false);
        assertFalse(escrow.oracle(3).listed);
        assertEq(escrow.oracle(3).account, stranger, "delisting changes nothing else");
    }

    function test_WhenAnAddressIsMissing_NoOracleIsRegistered() public {
        vm.expectRevert(ILeaseEscrow.ZeroAddress.selector);
        escrow.registerOracle(address(0), 1 days, 0, payee);
        vm.expectRevert(ILeaseEscrow.ZeroAddress.selector);
        escrow.registerOracle(stranger, 1 days, 0, address(0));
    }

    function test_WhenTheAccountIsKnown_NoOracleIsRegistered() public {
        escrow.listOracle(committeeId, false);
        vm.expectRevert(_error(ILeaseEscrow.AlreadyRegistered.selector, address(committee)));
        escrow.registerOracle(address(committee), 1 days, 0, payee);
    }

    function test_WhenTheWindowIsOutOfBounds_NoOracleIsRegistered() public {
        bytes4 selector = ILeaseEscrow.WindowOutOfBounds.selector;
        vm.expectRevert(_error(selector, 1 hours, 30 days, 1 hours - 1));
        escrow.registerOracle(stranger, 1 hours - 1, 0, payee);
        vm.expectRevert(_error(selector, 1 hours, 30 days, 30 days + 1));
        escrow.registerOracle(stranger, 30 days + 1, 0, payee);
    }

    function test_WhenTheFeeExceedsThreePercent_NoOracleIsRegistered() public {
        vm.expectRevert(_error(ILeaseEscrow.FeeOutOfBounds.selector, 300, 301));
        escrow.registerOracle(stranger, 1 days, 301, payee);
    }

    function test_WhenTheOracleIsUnknown_ItCannotBeListedOrCapped() public {
        bytes memory error = _error(ILeaseEscrow.OracleNotListed.selector, 9);
        vm.expectRevert(error);
        escrow.listOracle(9, true);
        vm.expectRevert(error);
        escrow.setExposureCap(9, address(token), 1);
    }

    // ---------------------------------------------------------------- tokens

    function test_AToken_KeepsItsIdWhenListedAnew() public {
        assertEq(escrow.listToken(stranger, true), 2);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.TokenListed(2, stranger, false);
        assertEq(escrow.listToken(stranger, false), 2);
        assertEq(escrow.listToken(stranger, true), 2);
        assertEq(escrow.listToken(payee, true), 3);
        vm.expectRevert(ILeaseEscrow.ZeroAddress.selector);
        escrow.listToken(address(0), true);
    }

    function test_ACap_IsAtMostWhatItsTypeHolds() public {
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.ExposureCapSet(committeeId, address(token), type(uint128).max);
        escrow.setExposureCap(committeeId, address(token), type(uint256).max);
        (, uint256 cap) = escrow.exposure(committeeId, address(token));
        assertEq(cap, type(uint128).max);
    }

    // ---------------------------------------------------------------- who

    function test_WhenTheCallerIsNotTheGovernor_Reverts() public {
        bytes memory error = _error(IAccessManaged.AccessManagedUnauthorized.selector, stranger);
        vm.startPrank(stranger);
        vm.expectRevert(error);
        escrow.registerOracle(stranger, 1 days, 0, stranger);
        vm.expectRevert(error);
        escrow.listOracle(committeeId, false);
        vm.expectRevert(error);
        escrow.listToken(stranger, true);
        vm.expectRevert(error);
        escrow.setExposureCap(committeeId, address(token), 0);
    }

    // ---------------------------------------------------------------- bounds

    function test_Bounds_AreThoseOfTheDeployment() public view {
        assertEq(abi.encode(escrow.bounds()), abi.encode(_bounds()));
    }

    function test_WhenTheBoundsContradictThemselves_ThereIsNoEscrow() public {
        Bounds memory b = _bounds();
        b.minEpoch = 0;
        _impossible(b);
        b = _bounds();
        b.maxEpoch = b.minEpoch - 1;
        _impossible(b);
        b = _bounds();
        b.minDuration = b.minEpoch - 1;
        _impossible(b);
        b = _bounds();
        b.maxDuration = b.minDuration - 1;
        _impossible(b);
        b = _bounds();
        b.maxWindow = b.minWindow - 1;
        _impossible(b);
    }

    function _impossible(Bounds memory b) private {
        vm.expectRevert(ILeaseEscrow.BadBounds.selector);
        new LeaseEscrow(address(manager), b);
    }

    function test_WithoutAnAuthority_ThereIsNoEscrow() public {
        vm.expectRevert(ILeaseEscrow.ZeroAddress.selector);
        new LeaseEscrow(address(0), _bounds());
    }
}
