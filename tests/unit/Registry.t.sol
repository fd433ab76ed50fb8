// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {IRegistry} from "contracts/src/interfaces/IRegistry.sol";
import {Bounds, Oracle} from "contracts/src/interfaces/LeaseTypes.sol";
import {Registry} from "contracts/src/registry/Registry.sol";
import {StdStorage, stdStorage} from "forge-std/Test.sol";
import {Fixture} from "tests/support/Fixture.sol";

contract RegistryTest is Fixture {
    using stdStorage for StdStorage;

    // ---------------------------------------------------------------- oracles

    function test_ARegisteredOracle_IsListedAndKeepsItsTerms() public {
        vm.expectEmit(address(registry));
        emit IRegistry.OracleRegistered(3, stranger, 7 days, 300, payee);
        vm.expectEmit(address(registry));
        emit IRegistry.OracleListed(3, true);
        assertEq(registry.registerOracle(stranger, 7 days, 300, payee), 3);
        assertEq(registry.oracleCount(), 3);
        _terms(3, Oracle({account: stranger, window: 7 days, feeBps: 300, payee: payee, listed: true}));
    }

    function _terms(uint32 id, Oracle memory expected) private view {
        assertEq(abi.encode(registry.oracle(id)), abi.encode(expected));
    }

    function test_Delisting_ChangesNothingElse() public {
        vm.expectEmit(address(registry));
        emit IRegistry.OracleListed(committeeId, false);
        registry.listOracle(committeeId, false);
        Oracle memory o =
            Oracle({account: address(committee), window: WINDOW, feeBps: 100, payee: payee, listed: false});
        _terms(committeeId, o);
        vm.expectEmit(address(registry));
        emit IRegistry.OracleListed(committeeId, true);
        registry.listOracle(committeeId, true);
        o.listed = true;
        _terms(committeeId, o);
    }

    function test_WhenTheOracleIsUnknown_ItIsAllZero() public view {
        Oracle memory nothing;
        _terms(0, nothing);
        _terms(3, nothing);
    }

    function test_WhenAnAddressIsMissing_NoOracleIsRegistered() public {
        vm.expectRevert(IRegistry.ZeroAddress.selector);
        registry.registerOracle(address(0), 1 days, 0, payee);
        vm.expectRevert(IRegistry.ZeroAddress.selector);
        registry.registerOracle(stranger, 1 days, 0, address(0));
        assertEq(registry.oracleCount(), 2);
    }

    function test_WhenTheAccountIsKnown_NoOracleIsRegistered() public {
        registry.listOracle(committeeId, false);
        vm.expectRevert(_error(IRegistry.AlreadyRegistered.selector, address(committee)));
        registry.registerOracle(address(committee), 1 days, 0, payee);
    }

    function test_WhenTheWindowIsOutOfBounds_NoOracleIsRegistered() public {
        bytes4 selector = IRegistry.WindowOutOfBounds.selector;
        vm.expectRevert(_error(selector, 1 hours, 30 days, 1 hours - 1));
        registry.registerOracle(stranger, 1 hours - 1, 0, payee);
        vm.expectRevert(_error(selector, 1 hours, 30 days, 30 days + 1));
        registry.registerOracle(stranger, 30 days + 1, 0, payee);
        assertEq(registry.oracle(registry.registerOracle(stranger, 1 hours, 0, payee)).window, 1 hours);
        assertEq(registry.oracle(registry.registerOracle(renter, 30 days, 0, payee)).window, 30 days);
    }

    /// @dev A lease stores 16 bits of an oracle's id.
    function test_WhenEveryIdIsUsed_NoOracleIsRegistered() public {
        stdstore.enable_packed_slots().target(address(registry)).sig("oracleCount()").checked_write(uint256(65_534));
        assertEq(registry.registerOracle(stranger, 1 days, 0, payee), 65_535);
        vm.expectRevert(IRegistry.TooManyOracles.selector);
        registry.registerOracle(renter, 1 days, 0, payee);
    }

    function test_WhenTheFeeExceedsThreePercent_NoOracleIsRegistered() public {
        vm.expectRevert(_error(IRegistry.FeeOutOfBounds.selector, 300, 301));
        registry.registerOracle(stranger, 1 days, 301, payee);
        vm.expectRevert(_error(IRegistry.FeeOutOfBounds.selector, 300, type(uint16).max));
        registry.registerOracle(stranger, 1 days, type(uint16).max, payee);
        assertEq(registry.oracle(registry.registerOracle(stranger, 1 days, 0, payee)).feeBps, 0);
    }

    function test_WhenTheOracleIsUnknown_ItCannotBeListedOrCapped() public {
        bytes memory error = _error(IRegistry.OracleNotListed.selector, 9);
        vm.expectRevert(error);
        registry.listOracle(9, true);
        vm.expectRevert(error);
        registry.setExposureCap(9, address(token), 1);
        vm.expectRevert(_error(IRegistry.OracleNotListed.selector, 0));
        registry.setExposureCap(0, address(token), 1);
    }

    // ---------------------------------------------------------------- tokens and caps

    function test_AToken_IsListedAndDelisted() public {
        vm.expectEmit(address(registry));
        emit IRegistry.TokenListed(stranger, true);
        registry.listToken(stranger, true);
        assertTrue(registry.isTokenListed(stranger));
        vm.expectEmit(address(registry));
        emit IRegistry.TokenListed(stranger, false);
        registry.listToken(stranger, false);
        assertFalse(registry.isTokenListed(stranger));
        vm.expectRevert(IRegistry.ZeroAddress.selector);
        registry.listToken(address(0), true);
    }

    function test_ACap_AppliesToOneOracleAndOneToken() public {
        vm.expectEmit(address(registry));
        emit IRegistry.ExposureCapSet(committeeId, stranger, 5);
        registry.setExposureCap(committeeId, stranger, 5);
        assertEq(registry.exposureCap(committeeId, stranger), 5);
        assertEq(registry.exposureCap(majorityId, stranger), 0);
        assertEq(registry.exposureCap(committeeId, address(token)), type(uint128).max);
        // a delisted oracle's cap too, so that it can be lowered before the oracle returns
        registry.listOracle(committeeId, false);
        registry.setExposureCap(committeeId, stranger, 4);
        assertEq(registry.exposureCap(committeeId, stranger), 4);
    }

    // ---------------------------------------------------------------- native currency, treasury

    function test_TheWrappedNativeCurrency_IsNamedOnce() public {
        assertEq(registry.wrappedNative(), address(0));
        vm.expectRevert(IRegistry.ZeroAddress.selector);
        registry.setWrappedNative(address(0));
        vm.expectEmit(address(registry));
        emit IRegistry.WrappedNativeSet(stranger);
        registry.setWrappedNative(stranger);
        bytes memory error = _error(IRegistry.WrappedNativeIsSet.selector, stranger);
        vm.expectRevert(error);
        registry.setWrappedNative(renter);
        vm.expectRevert(error);
        registry.setWrappedNative(stranger);
        assertEq(registry.wrappedNative(), stranger);
        assertFalse(registry.isTokenListed(stranger), "listing is another matter");
    }

    function test_TheTreasury_CanMove() public {
        assertEq(registry.treasury(), address(0));
        vm.expectEmit(address(registry));
        emit IRegistry.TreasurySet(stranger);
        registry.setTreasury(stranger);
        assertEq(registry.treasury(), stranger);
        registry.setTreasury(payee);
        assertEq(registry.treasury(), payee);
        vm.expectRevert(IRegistry.ZeroAddress.selector);
        registry.setTreasury(address(0));
    }

    // ---------------------------------------------------------------- callers

    function test_WhenTheCallerIsNotTheGovernor_Reverts() public {
        bytes[8] memory calls = [
            abi.encodeCall(IRegistry.registerOracle, (stranger, 1 days, 0, stranger)),
            abi.encodeCall(IRegistry.listOracle, (committeeId, false)),
            abi.encodeCall(IRegistry.listToken, (stranger, true)),
            abi.encodeCall(IRegistry.setExposureCap, (committeeId, address(token), 0)),
            abi.encodeCall(IRegistry.pause, ()),
            abi.encodeCall(IRegistry.unpause, ()),
            abi.encodeCall(IRegistry.setWrappedNative, (stranger)),
            abi.encodeCall(IRegistry.setTreasury, (stranger))
        ];
        for (uint256 i; i < calls.length; ++i) {
            vm.prank(stranger);
            (bool done, bytes memory reason) = address(registry).call(calls[i]);
            assertFalse(done);
            assertEq(reason, _error(IAccessManaged.AccessManagedUnauthorized.selector, stranger));
            (done,) = address(registry).call(calls[i]);
            assertTrue(done, "the governor may");
        }
    }

    function test_AGuardian_MayPauseAndNothingMore() public {
        bytes4[] memory selectors = new bytes4[](1);
        selectors[0] = IRegistry.pause.selector;
        manager.setTargetFunctionRole(address(registry), selectors, 7);
        manager.grantRole(7, stranger, 0);
        vm.startPrank(stranger);
        registry.pause();
        vm.expectRevert(_error(IAccessManaged.AccessManagedUnauthorized.selector, stranger));
        registry.unpause();
        vm.stopPrank();
        assertEq(registry.pausedUntil(), NOW + 3 days);
    }

    // ---------------------------------------------------------------- bounds

    function test_Bounds_AreThoseOfTheDeployment() public view {
        assertEq(abi.encode(registry.bounds()), abi.encode(_bounds()));
    }

    function test_WhenTheBoundsContradictThemselves_ThereIsNoRegistry() public {
        Bounds memory b = _bounds();
        b.minEpoch = 0;
        _impossible(b);
        b = _bounds();
        b.maxEpoch = b.minEpoch - 1;
        _impossible(b);
        // a lease stores 24 bits
        b.maxEpoch = 16_777_216;
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
        vm.expectRevert(IRegistry.BadBounds.selector);
        new Registry(address(manager), b);
    }

    function test_TheWidestAndTheNarrowestBounds_AreAccepted() public {
        Bounds memory widest = Bounds({
            minDuration: 1,
            maxDuration: type(uint32).max,
            minEpoch: 1,
            maxEpoch: 16_777_215,
            maxNotice: type(uint32).max,
            minWindow: 0,
            maxWindow: type(uint32).max
        });
        assertEq(abi.encode(new Registry(address(manager), widest).bounds()), abi.encode(widest));
        Bounds memory narrowest = Bounds(60, 60, 60, 60, 0, 10, 10);
        assertEq(abi.encode(new Registry(address(manager), narrowest).bounds()), abi.encode(narrowest));
    }

    function test_WithoutAnAuthority_ThereIsNoRegistry() public {
        vm.expectRevert(IRegistry.ZeroAddress.selector);
        new Registry(address(0), _bounds());
    }
}
