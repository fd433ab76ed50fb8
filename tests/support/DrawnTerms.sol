// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Lease, Offer, RentRequest} from "contracts/src/interfaces/LeaseTypes.sol";
import {SafeCastLib} from "solady/utils/SafeCastLib.sol";
import {Rented} from "tests/support/Rented.sol";

/// @title Fixture of the fuzz tests of a lease's life
/// @notice A lease with any terms that renting allows, of the test oracle, which voids, or of one
/// that never does.
abstract contract DrawnTerms is Rented {
    struct Terms {
        bool voids;
        bool dictated;
        uint96 rate;
        uint128 price;
        uint16 bondBps;
        uint16 cancelBps;
        uint16 epochs;
    }

    uint32 private _plainOracleId;

    function setUp() public virtual override {
        super.setUp();
        _plainOracleId = _register(makeAddr("an oracle that never voids"), LONG_WINDOW, 200, testPayee);
        _setCap(_plainOracleId, address(token), type(uint128).max);
    }

    /// @dev Rents with the drawn terms, brought within bounds, and makes the lease the tests'
    /// lease.
    function _rentDrawn(Terms memory t, uint256 maxEpochs) internal returns (Lease memory l) {
        Offer memory o = _offer();
        RentRequest memory r = _request();
        t.epochs = SafeCastLib.toUint16(bound(t.epochs, 2, maxEpochs));
        r.duration = t.epochs * EPOCH;
        r.hashRate = SafeCastLib.toUint96(bound(t.rate, 1000, type(uint96).max / r.duration));
        (o.hashRate, o.minHashRate) = (r.hashRate, 1);
        // a payment of at most 2^120
        o.price =
            SafeCastLib.toUint128(bound(t.price, 0, (uint256(1) << 120) * 1e21 / (uint256(r.hashRate) * r.duration)));
        o.bondBps = SafeCastLib.toUint16(bound(t.bondBps, 0, 10_000));
        o.cancelBps = SafeCastLib.toUint16(bound(t.cancelBps, 0, o.bondBps));
        if (t.dictated) o.jobSigner = r.jobSigner;
        o.oracle = t.voids ? testOracleId : _plainOracleId;
        token.mint(renter, 1 << 121);
        token.mint(provider.addr, 1 << 121);
        vm.prank(provider.addr);
        escrow.deposit(address(token), 1 << 121);
        (uint256 deposited, uint256 purse) = (_balance(provider.addr), token.balanceOf(renter));
        id = _rent(o, r);
        idle = _balance(provider.addr);
        l = escrow.lease(id);
        assertEq(purse - token.balanceOf(renter), l.payment);
        assertEq(deposited - idle, l.bond);
    }
}
