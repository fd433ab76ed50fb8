// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IAccessManaged} from "@openzeppelin/contracts/access/manager/IAccessManaged.sol";
import {LeaseEscrow} from "contracts/src/escrow/LeaseEscrow.sol";
import {IRegistry} from "contracts/src/interfaces/IRegistry.sol";
import {Bounds, Limits, Oracle, Registration} from "contracts/src/interfaces/LeaseTypes.sol";
import {Registry} from "contracts/src/registry/Registry.sol";
import {StdStorage, stdStorage} from "forge-std/Test.sol";
import {Fixture} from "tests/support/Fixture.sol";

contract RegistryTest is Fixture {
    using stdStorage for StdStorage;

    // ---------------------------------------------------------------- oracles

    function test_ARegisteredOracle_IsListedAndKeepsItsTerms() public {
        Registration memory r = Registration({
            account: stranger,
            window: 7 days,
            feeBps: 300,
            voids: true,
            payee: payee,
            algorithms: 0x8000_0002,
            latestEnd: type(uint40).max,
            minBondBps: 10_000
        });
        vm.expectEmit(address(registry));
        emit IRegistry.OracleRegistered(3, stranger, r);
        vm.expectEmit(address(registry));
        emit IRegistry.OracleListed(3, true);
        assertEq(registry.registerOracle(r), 3);
        assertEq(registry.oracleCount(), 3);
        Oracle memory o = Oracle({
            account: stranger,
            window: 7 days,
            feeBps: 300,
            voids: true,
            payee: payee,
            algorithms: 0x8000_0002,
            latestEnd: type(uint40).max,
            minBondBps: 10_000,
            listed: true
        });
        _terms(3, o);
    }

    function _terms(uint32 id, Oracle memory expected) private view {
        assertEq(abi.encode(registry.oracle(id)), abi.encode(expected));
    }

    function test_Delisting_ChangesNothingElse() public {
        vm.expectEmit(address(registry));
        emit IRegistry.OracleListed(committeeId, false);
        registry.listOracle(committeeId, false);
        Oracle memory o;
        (o.account, o.window, o.feeBps, o.payee, o.algorithms) = (address(committee), WINDOW, 100, payee, 30);
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
        _register(address(0), 1 days, 0, payee);
        vm.expectRevert(IRegistry.ZeroAddress.selector);
        _register(stranger, 1 days, 0, address(0));
        assertEq(registry.oracleCount(), 2);
    }

    function test_WhenTheAccountIsKnown_NoOracleIsRegistered() public {
        registry.listOracle(committeeId, false);
        vm.expectRevert(_error(IRegistry.AlreadyRegistered.selector, address(committee)));
        _register(address(committee), 1 days, 0, payee);
    }

    function test_WhenTheWindowIsOutOfBounds_NoOracleIsRegistered() public {
        bytes4 selector = IRegistry.WindowOutOfBounds.selector;
        vm.expectRevert(_error(selector, 1 hours, 30 days, 1 hours - 1));
        _register(stranger, 1 hours - 1, 0, payee);
        vm.expectRevert(_error(selector, 1 hours, 30 days, 30 days + 1));
        _register(stranger, 30 days + 1, 0, payee);
        assertEq(registry.oracle(_register(stranger, 1 hours, 0, payee)).window, 1 hours);
        assertEq(registry.oracle(_register(renter, 30 days, 0, payee)).window, 30 days);
    }

    function test_WhenTheWindowIsTooShortForAnOracleThatVoids_ItIsNotRegistered() public {
        vm.expectRevert(_error(IRegistry.WindowOutOfBounds.selector, 2 hours, 30 days, 2 hours - 1));
        _registerVoiding(stranger, 2 hours - 1, 0, payee);
        assertEq(registry.oracle(_registerVoiding(stranger, 2 hours, 0, payee)).window, 2 hours);
    }

    function test_WhenItServesNoAlgorithm_NoOracleIsRegistered() public {
        Registration memory r = _registration(stranger, 1 days, 0, payee);
        r.algorithms = 0;
        vm.expectRevert(IRegistry.NoAlgorithms.selector);
        registry.registerOracle(r);
        // zero stands for none
        r.algorithms = 31;
        vm.expectRevert(IRegistry.AlgorithmZero.selector);
        registry.registerOracle(r);
        r.algorithms = type(uint32).max - 1;
        registry.registerOracle(r);
    }

    function test_WhenTheLeastBondExceedsThePayment_NoOracleIsRegistered() public {
        Registration memory r = _registration(stranger, 1 days, 0, payee);
        r.minBondBps = 10_001;
        vm.expectRevert(_error(IRegistry.BondBpsOutOfBounds.selector, 10_000, 10_001));
        registry.registerOracle(r);
    }

    /// @dev Its fees could never be withdrawn.
    function test_WhenThePayeeIsTheEscrow_NoOracleIsRegistered() public {
        vm.expectRevert(IRegistry.PayeeIsEscrow.selector);
        _register(stranger, 1 days, 0, address(escrow));
        // a contract that is none, and an escrow of another registry
        _register(stranger, 1 days, 0, address(token));
        Registry other = new Registry(address(manager), _bounds());
        _register(renter, 1 days, 0, address(new LeaseEscrow(address(other), stranger)));
    }

    /// @dev A wallet may take any call and say nothing, or anything.
    function test_AnyOtherPayee_IsTaken_WhateverItAnswers() public {
        bytes[4] memory codes = [
            // a key that delegated to code which says nothing (EIP-7702), a wallet that reverts, one
            // that burns its gas, and one that answers with the largest word
            bytes(hex"00"), hex"5f5ffd", hex"fe", hex"5f195f5260205ff3"
        ];
        for (uint160 i; i < codes.length; ++i) {
            address wallet = address(0x1000 + i);
            vm.etch(wallet, codes[i]);
            uint32 id = _register(address(0x2000 + i), 1 days, 0, wallet);
            assertEq(registry.oracle(id).payee, wallet);
        }
    }

    /// @dev A lease stores 16 bits of an oracle's id.
    function test_WhenEveryIdIsUsed_NoOracleIsRegistered() public {
        stdstore.enable_packed_slots().target(address(registry)).sig("oracleCount()").checked_write(uint256(65_534));
        assertEq(_register(stranger, 1 days, 0, payee), 65_535);
        vm.expectRevert(IRegistry.TooManyOracles.selector);
        _register(renter, 1 days, 0, payee);
    }

    function test_WhenTheFeeExceedsThreePercent_NoOracleIsRegistered() public {
        vm.expectRevert(_error(IRegistry.FeeOutOfBounds.selector, 300, 301));
        _register(stranger, 1 days, 301, payee);
        vm.expectRevert(_error(IRegistry.FeeOutOfBounds.selector, 300, type(uint16).max));
        _register(stranger, 1 days, type(uint16).max, payee);
        assertEq(registry.oracle(_register(stranger, 1 days, 0, payee)).feeBps, 0);
    }

    function test_WhenTheOracleIsUnknown_ItCannotBeListedOrCapped() public {
        bytes memory error = _error(IRegistry.OracleNotListed.selector, 9);
        vm.expectRevert(error);
        registry.listOracle(9, true);
        vm.expectRevert(error);
        _setCap(9, address(token), 1);
        vm.expectRevert(_error(IRegistry.OracleNotListed.selector, 0));
        _setCap(0, address(token), 1);
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

    function test_Limits_ApplyToOneOracleAndOneToken() public {
        vm.expectEmit(address(registry));
        emit IRegistry.LimitsSet(committeeId, stranger, 5, 3);
        registry.setLimits(committeeId, stranger, Limits({exposureCap: 5, leastPayment: 3}));
        assertEq(abi.encode(registry.limits(committeeId, stranger)), abi.encode(Limits(5, 3)));
        assertEq(abi.encode(registry.limits(majorityId, stranger)), abi.encode(Limits(0, 0)));
        assertEq(registry.limits(committeeId, address(token)).exposureCap, type(uint128).max);
        // a delisted oracle's too, so that they can be lowered before the oracle returns
        registry.listOracle(committeeId, false);
        registry.setLimits(committeeId, stranger, Limits(4, 0));
        assertEq(abi.encode(registry.limits(committeeId, stranger)), abi.encode(Limits(4, 0)));
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
            abi.encodeCall(IRegistry.registerOracle, (_registration(stranger, 1 days, 0, stranger))),
            abi.encodeCall(IRegistry.listOracle, (committeeId, false)),
            abi.encodeCall(IRegistry.listToken, (stranger, true)),
            abi.encodeCall(IRegistry.setLimits, (committeeId, address(token), Limits(0, 0))),
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
        b.minVoidingWindow = b.minWindow - 1;
        _impossible(b);
        b = _bounds();
        b.maxWindow = b.minVoidingWindow - 1;
        _impossible(b);
        b = _bounds();
        b.minEpochs = 0;
        _impossible(b);
        b.minEpochs = 8193;
        _impossible(b);
        b = _bounds();
        b.maxNotice = b.minNotice - 1;
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
            minEpochs: 1,
            minNotice: 0,
            maxNotice: type(uint32).max,
            minWindow: 0,
            minVoidingWindow: 0,
            maxWindow: type(uint32).max
        });
        assertEq(abi.encode(new Registry(address(manager), widest).bounds()), abi.encode(widest));
        Bounds memory narrowest = Bounds(60, 60, 60, 60, 8192, 5, 5, 10, 10, 10);
        assertEq(abi.encode(new Registry(address(manager), narrowest).bounds()), abi.encode(narrowest));
    }

    function test_WithoutAnAuthority_ThereIsNoRegistry() public {
        vm.expectRevert(IRegistry.ZeroAddress.selector);
        new Registry(address(0), _bounds());
    }
}
