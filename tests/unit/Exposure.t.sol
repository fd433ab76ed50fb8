// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Lease, Offer, Oracle, RentRequest} from "contracts/src/interfaces/LeaseTypes.sol";
import {Vm} from "forge-std/Vm.sol";
import {DemoToken} from "script/DemoToken.sol";
import {Renting} from "tests/support/Renting.sol";

/// @notice What the first lease of a provider, token or oracle stores, and how much of an oracle's
/// leases may be open at once.
contract ExposureTest is Renting {
    function _exposure() private view returns (uint256) {
        return lens.exposure(committeeId, address(token));
    }

    // ---------------------------------------------------------------- first and later leases

    function test_AtItsFirstLease_AnOracleIsPinnedForGood() public {
        Oracle memory pinned;
        assertEq(abi.encode(escrow.pinnedOracle(committeeId)), abi.encode(pinned));
        _rent();
        (pinned.account, pinned.window, pinned.feeBps, pinned.payee) = (address(committee), WINDOW, 100, payee);
        assertEq(abi.encode(escrow.pinnedOracle(committeeId)), abi.encode(pinned));
        assertEq(escrow.pinnedOracle(majorityId).account, address(0));
        registry.listOracle(committeeId, false);
        assertEq(abi.encode(escrow.pinnedOracle(committeeId)), abi.encode(pinned));
    }

    /// @dev At its first lease in another token, just as at its second in this one.
    function test_AnOracle_IsPinnedOnce() public {
        vm.recordLogs();
        _rent();
        _rent();
        _rent(_inAnotherToken(), _request());
        assertEq(_pins(), 1);
        vm.recordLogs();
        Offer memory o = _offer();
        o.oracle = majorityId;
        bytes memory signature = _sign(o);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.OraclePinned(majorityId, address(majority), WINDOW, false, 300, majorityPayee);
        _rentAs(renter, o, signature, _request());
        assertEq(_pins(), 1);
    }

    function _pins() private returns (uint256 count) {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i; i < logs.length; ++i) {
            bool pinned = logs[i].topics[0] == ILeaseEscrow.OraclePinned.selector;
            if (pinned && logs[i].emitter == address(escrow)) ++count;
        }
    }

    function _inAnotherToken() private returns (Offer memory o) {
        DemoToken other = new DemoToken();
        _list(address(other));
        other.mint(renter, DEPOSIT);
        vm.prank(renter);
        other.approve(address(escrow), DEPOSIT);
        o = _offer();
        o.token = address(other);
        (o.bondBps, o.cancelBps) = (0, 0);
    }

    function test_EveryLease_KeepsItsOwnProviderTokenAndOracle() public {
        Offer memory inOther = _inAnotherToken();
        Account memory other = makeAccount("other provider");
        Offer memory ofOther = _offer();
        ofOther.provider = other.addr;
        (ofOther.bondBps, ofOther.cancelBps, ofOther.oracle) = (0, 0, majorityId);
        _rent();
        _rent(inOther, _request());
        _rentAs(renter, ofOther, _signature(other.key, lens.offerDigest(ofOther)), _request());
        _rent();
        _is(1, provider.addr, address(token), committeeId);
        _is(2, provider.addr, inOther.token, committeeId);
        _is(3, other.addr, address(token), majorityId);
        _is(4, provider.addr, address(token), committeeId);
    }

    function _is(uint256 id, address seller, address inToken, uint32 oracle) private view {
        Lease memory l = escrow.lease(id);
        assertEq(l.provider, seller);
        assertEq(l.token, inToken);
        assertEq(l.oracle, oracle);
    }

    function test_ABumpBeforeTheFirstLease_IsKept() public {
        vm.prank(provider.addr);
        escrow.bumpCounter();
        Offer memory o = _offer();
        o.counter = 1;
        assertEq(escrow.lease(_rent(o, _request())).provider, provider.addr);
        assertEq(lens.counter(provider.addr), 1);
        vm.prank(provider.addr);
        assertEq(escrow.bumpCounter(), 2);
        o.counter = 2;
        assertEq(escrow.lease(_rent(o, _request())).provider, provider.addr);
    }

    // ---------------------------------------------------------------- the cap

    function test_WhenTheCapIsOneShort_Reverts() public {
        _setCap(committeeId, address(token), 127_999_998);
        bytes4 selector = ILeaseEscrow.ExposureCapExceeded.selector;
        _refused(_offer(), _request(), _error(selector, 127_999_998, 127_999_999));
        _setCap(committeeId, address(token), 127_999_999);
        _rent();
        assertEq(_exposure(), 127_999_999);
        _refused(_offer(), _request(), _error(selector, 127_999_999, 255_999_998));
    }

    function test_WhenNoCapWasSet_NothingCanBeRented() public {
        _setCap(committeeId, address(token), 0);
        bytes4 selector = ILeaseEscrow.ExposureCapExceeded.selector;
        _refused(_offer(), _request(), _error(selector, 0, PAYMENT + BOND));
    }

    function test_AnotherOracleOrToken_HasItsOwnCap() public {
        _setCap(committeeId, address(token), PAYMENT + BOND);
        _rent();
        Offer memory o = _offer();
        o.oracle = majorityId;
        _rent(o, _request());
        _rent(_inAnotherToken(), _request());
        assertEq(_exposure(), PAYMENT + BOND);
        assertEq(lens.exposure(majorityId, address(token)), PAYMENT + BOND);
    }

    function test_ASettlement_MakesRoom() public {
        _setCap(committeeId, address(token), PAYMENT + BOND);
        _rent();
        _credit(1, 24, COMMITTED / 2, COMMITTED, true);
        escrow.collect(1);
        assertEq(_exposure(), PAYMENT + BOND, "a lease counts in full until it is settled");
        escrow.settle(1);
        assertEq(_exposure(), 0);
        RentRequest memory r = _request();
        r.start = uint40(block.timestamp) + 10 minutes;
        _rent(_offer(), r);
    }

    function test_AVoidEpoch_LeavesTheExposureWhole() public {
        address oracle = makeAddr("an oracle that voids");
        Offer memory o = _offer();
        o.oracle = _registerVoiding(oracle, WINDOW, 100, payee);
        _setCap(o.oracle, address(token), type(uint128).max);
        _rent(o, _request());
        vm.warp(START + 1 hours);
        vm.prank(oracle);
        escrow.voidEpoch(1, 0, stranger);
        assertEq(lens.exposure(o.oracle, address(token)), PAYMENT + BOND);
        vm.warp(END + WINDOW);
        escrow.settle(1);
        assertEq(lens.exposure(o.oracle, address(token)), 0, "what the bond lost was counted too");
    }

    function test_ACancellationBeforeTheStart_MakesRoom() public {
        _rent();
        _rent();
        vm.prank(renter);
        escrow.cancel(1);
        assertEq(_exposure(), PAYMENT + BOND);
        vm.prank(provider.addr);
        escrow.terminate(2);
        assertEq(_exposure(), 0);
    }

    function test_ACapBelowTheExposure_StopsNewLeasesOnly() public {
        _rent();
        _setCap(committeeId, address(token), 1);
        _refused(_offer(), _request(), _error(ILeaseEscrow.ExposureCapExceeded.selector, 1, 255_999_998));
        _credit(1, 24, COMMITTED, COMMITTED, true);
        escrow.settle(1);
        assertEq(_exposure(), 0);
        assertEq(_balance(provider.addr), DEPOSIT + 105_600_000);
        assertEq(_balance(payee), 1_066_666);
    }
}
