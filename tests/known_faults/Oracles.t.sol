// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {ALGORITHM_ETHASH, Offer, RentRequest} from "contracts/src/interfaces/LeaseTypes.sol";
import {Rented} from "tests/support/Rented.sol";

/// @notice Known faults between the escrow and its oracles, most of which a proof oracle will meet
/// first.
contract OracleFaultsTest is Rented {
    /// @notice Today: a lease of any algorithm and any end, without a bond and with a job signer
    /// that nobody has the key of, pins a listed oracle, which is not asked. A provider may then be
    /// unable to prove its work.
    /// @dev Right: registration fixes an oracle's algorithms, latest end and least bond, and
    /// `admit` enforces them.
    function test_KnownFault_AnOracle_IsNotAskedWhichLeasesPinIt() public {
        Offer memory o = _offer();
        (o.oracle, o.algorithm) = (testOracleId, ALGORITHM_ETHASH);
        (o.bondBps, o.cancelBps) = (0, 0);
        RentRequest memory r = _request();
        r.start = uint40(NOW + 10 minutes + 24 hours);
        r.duration = 7 days;
        r.jobSigner = address(0xdead);
        vm.expectCall(address(testOracle), "", 0);
        uint256 pinning = _rent(o, r);
        assertEq(escrow.lease(pinning).oracle, testOracleId);
        assertEq(escrow.lease(pinning).end, NOW + 10 minutes + 24 hours + 7 days);
    }

    /// @notice Today: twenty epochs at 1.25 of the promise fill a lease of 24, the provider
    /// settles, and a false claim for the 21st that is still under challenge can no longer be
    /// voided: challenger and owner lose the slash.
    /// @dev Right: full credit settles a lease early only once its oracle has no open claim for it.
    function test_KnownFault_SettlingEarly_ShutsOutAVoid() public {
        _beginVoidable();
        vm.warp(START + 21 * EPOCH);
        testOracle.credit(_statements(_entry(id, START + 20 * EPOCH, COMMITTED, 0, false)));
        vm.prank(provider.addr);
        escrow.settle(id);
        _revertsAsSettled();
        testOracle.voidEpoch(id, 20, challenger);
        assertEq(_balance(challenger), 0);
        assertEq(_balance(renter), 0);
    }

    /// @notice Today: a contract that needs a lease's terms has to read the whole lease, for more
    /// than 20,000 gas.
    /// @dev Right: the words that an oracle needs can be read by themselves, for about 9,000.
    function test_KnownFault_ReadingALeaseOnChain_IsDear() public {
        vm.cool(address(escrow));
        uint256 before = gasleft();
        escrow.lease(id);
        uint256 spent = before - gasleft();
        assertGt(spent, 20_000);
    }

    /// @notice Today: the registry accepts the escrow itself as an oracle's payee. The oracle's
    /// fees are booked to the escrow and can never be withdrawn.
    /// @dev Right: registration refuses the escrow as payee.
    function test_KnownFault_FeesOfAnOracleWhosePayeeIsTheEscrow_AreStuck() public {
        uint32 oracle = _register(makeAddr("oracle"), WINDOW, 300, address(escrow));
        _setCap(oracle, address(token), type(uint128).max);
        Offer memory o = _offer();
        o.oracle = oracle;
        _begin(o);
        _credit(id, 24, COMMITTED, COMMITTED, true);
        escrow.settle(id);
        // 3 % of the payment
        assertEq(_balance(address(escrow)), 3_199_999);
        vm.expectRevert(_error(ILeaseEscrow.InvalidRecipient.selector, address(escrow)));
        escrow.withdrawFor(address(token), address(escrow));
    }

    /// @notice Today: any caller makes the escrow report `CreditSkipped` for any lease, a hundred
    /// at a time.
    /// @dev Right: a caller that is no lease's oracle leaves no trace.
    function test_KnownFault_Anyone_MakesTheEscrowReportASkippedCredit() public {
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.CreditSkipped(id, ILeaseEscrow.NotLeaseOracle.selector);
        vm.prank(stranger);
        escrow.credit(_statements(_entry(id, START + EPOCH, 1, 1, true)));
        _expectFigures(0, 0, 0, false);
    }
}
