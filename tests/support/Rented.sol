// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Lease, Offer, Statement} from "contracts/src/interfaces/LeaseTypes.sol";
import {Fixture} from "tests/support/Fixture.sol";
import {TestOracle} from "tests/support/TestOracle.sol";

/// @title Fixture of the tests of a lease's life
/// @notice The example lease is rented; nothing else has happened yet.
abstract contract Rented is Fixture {
    /// @dev The promise of one epoch: 100 TH/s for an hour.
    uint96 internal constant PROMISE = 3.6e17;
    /// @dev Credit window of the test oracle, as long as a proof oracle's.
    uint32 internal constant LONG_WINDOW = 168 hours;
    /// @dev A 24th of the payment, rounded down.
    uint128 internal constant EPOCHS_PAY = 4_444_444;

    TestOracle internal testOracle;
    uint32 internal testOracleId;
    address internal testPayee = makeAddr("test payee");
    address internal challenger = makeAddr("challenger");

    uint256 internal id;
    /// @dev The provider's balance once the bond was locked.
    uint256 internal idle;

    function setUp() public virtual override {
        super.setUp();
        testOracle = new TestOracle(address(escrow));
        testOracleId = _registerVoiding(address(testOracle), LONG_WINDOW, 200, testPayee);
        _setCap(testOracleId, address(token), type(uint128).max);
        _begin(_offer());
    }

    /// @dev Rents a new lease and makes it the tests' lease.
    function _begin(Offer memory o) internal {
        id = _rent(o, _request());
        idle = _balance(provider.addr);
    }

    /// @dev A lease of the test oracle, which may void its epochs.
    function _beginVoidable() internal {
        Offer memory o = _offer();
        o.oracle = testOracleId;
        _begin(o);
    }

    // ---------------------------------------------------------------- doing

    function _send(Statement memory entry) internal {
        vm.prank(address(committee));
        escrow.credit(_statements(entry));
    }

    function _cancel() internal {
        vm.prank(renter);
        escrow.cancel(id);
    }

    function _terminate() internal {
        vm.prank(provider.addr);
        escrow.terminate(id);
    }

    function _transfer(address to) internal {
        vm.prank(renter);
        escrow.transferFrom(renter, to, id);
    }

    // ---------------------------------------------------------------- looking

    /// @dev Amounts booked since the lease was rented, and what the lease holds for its holder.
    function _expectBooked(uint256 provider_, uint256 fee, uint256 holder) internal view {
        assertEq(_balance(provider.addr) - idle, provider_, "provider");
        assertEq(_balance(payee), fee, "fee");
        assertEq(_held(), holder, "holder");
    }

    /// @dev What the lease holds for its holder.
    function _held() internal view returns (uint256) {
        return escrow.lease(id).held;
    }

    function _expectFigures(uint256 credited, uint256 due, uint256 asOf, bool last) internal view {
        Lease memory l = escrow.lease(id);
        assertEq(l.credited, credited, "credited");
        assertEq(l.due, due, "due");
        assertEq(l.asOf, asOf, "asOf");
        assertEq(l.lastAt != 0, last, "last");
    }

    function _state() internal view returns (bytes32) {
        return keccak256(abi.encode(escrow.lease(id)));
    }

    function _exposure(uint32 oracle) internal view returns (uint256) {
        return lens.exposure(oracle, address(token));
    }

    /// @dev Every base unit leaves, and the books show it once they are reconciled. For tests with
    /// one lease.
    function _everybodyLeaves() internal {
        for (uint256 i = escrow.leaseCount(); i > 0; --i) {
            if (escrow.lease(i).held == 0) continue;
            vm.prank(escrow.ownerOf(i));
            escrow.claim(_only(i), makeAddr("the holder's purse"));
        }
        address[] memory all = new address[](6);
        (all[0], all[1], all[2]) = (provider.addr, payee, renter);
        (all[3], all[4], all[5]) = (stranger, challenger, testPayee);
        for (uint256 i; i < all.length; ++i) {
            vm.prank(all[i]);
            escrow.withdrawFor(address(token), all[i]);
        }
        assertEq(token.balanceOf(address(escrow)), 0, "nothing stays");
        escrow.reconcile(address(token), all);
        assertEq(escrow.liabilities(address(token)), 0, "nothing is owed");
    }

    // ---------------------------------------------------------------- errors

    function _revertsFor(bytes4 selector, address caller) internal {
        vm.expectRevert(abi.encodeWithSelector(selector, id, caller));
    }

    function _revertsAsSettled() internal {
        vm.expectRevert(_error(ILeaseEscrow.AlreadySettled.selector, id));
    }
}
