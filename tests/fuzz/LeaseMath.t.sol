// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {LeaseMath} from "contracts/src/libraries/LeaseMath.sol";
import {Test} from "forge-std/Test.sol";

/// @notice Work is what fits 96 bits, money what fits 128, as in the escrow.
contract LeaseMathFuzz is Test {
    uint256 private constant UNIT = 1e21;

    function testFuzz_ThePayment_RoundsUpAndByLessThanAUnit(uint128 price, uint96 work) public pure {
        uint256 payment = LeaseMath.payment(price, work);
        uint256 exact = uint256(price) * work;
        assertGe(payment * UNIT, exact);
        assertLt(payment * UNIT, exact + UNIT);
    }

    function testFuzz_WhatIsReleased_GrowsWithTheWorkUpToThePayment(
        uint128 payment,
        uint96 committed,
        uint96 less,
        uint96 more
    ) public pure {
        vm.assume(committed != 0);
        if (less > more) (less, more) = (more, less);
        uint256 early = LeaseMath.released(payment, less, committed);
        uint256 late = LeaseMath.released(payment, more, committed);
        assertLe(early, late);
        assertLe(late, payment);
        assertEq(LeaseMath.released(payment, committed, committed), payment, "all of it for all of the work");
        assertEq(LeaseMath.released(payment, 0, committed), 0);
        // never more than the share that was done
        if (less <= committed) assertLe(early * committed, uint256(payment) * less);
    }

    function testFuzz_TheWeight_IsTheLargestPowerOfTwoWithinBothBounds(uint96 rate, uint32 epoch, uint32 epochs)
        public
        pure
    {
        epoch = uint32(bound(epoch, 10, 1 days));
        epochs = uint32(bound(epochs, 1, 8192));
        uint256 duration = uint256(epoch) * epochs;
        rate = uint96(bound(rate, 1, type(uint96).max / duration));
        (uint256 log2, uint256 smallest) = LeaseMath.weightLog2(rate, epoch, duration);
        if (smallest == 0) {
            assertTrue(uint256(rate) * epoch < 1000 || uint256(rate) * duration < 20_000);
            return;
        }
        uint256 weight = 2 ** log2;
        assertLe(weight * 1000, uint256(rate) * epoch, "at least 1,000 shares in an epoch");
        assertLe(weight * 20_000, uint256(rate) * duration, "at least 20,000 shares in a lease");
        assertTrue(
            2 * weight * 1000 > uint256(rate) * epoch || 2 * weight * 20_000 > uint256(rate) * duration,
            "twice the weight is too much"
        );
        assertLt(log2, 96);
    }

    function testFuzz_TheCreditCap_IsAQuarterMoreThanPromisedAndNeverMoreThanCommitted(
        uint96 rate,
        uint32 elapsed,
        uint32 duration
    ) public pure {
        uint256 committed = uint256(rate) * duration;
        uint256 cap = LeaseMath.creditCap(rate, elapsed, committed);
        assertLe(cap, committed);
        assertLe(cap * 4, uint256(rate) * elapsed * 5);
        assertGe(cap, rate * uint256(elapsed < duration ? elapsed : duration), "on time is never capped");
    }

    function testFuzz_TheTolerance_IsATwentiethOrThreeDeviations(uint96 due, uint8 log2) public pure {
        log2 = uint8(bound(log2, 0, 95));
        uint256 tolerance = LeaseMath.tolerance(due, log2);
        uint256 square = 961 * (uint256(due) << log2);
        assertGe(tolerance, due / 20);
        assertGe((tolerance + 1) ** 2 * 100, square, "no less than the root");
        if (tolerance > due / 20) assertLe(tolerance ** 2 * 100, square, "no more than the root");
    }

    function testFuzz_TheSlash_IsAtMostTheBondAndGrowsWithTheShortfall(
        uint128 bond,
        uint96 committed,
        uint96 due,
        uint96 credited,
        uint8 log2
    ) public pure {
        vm.assume(committed != 0);
        due = uint96(bound(due, 0, committed));
        log2 = uint8(bound(log2, 0, 80));
        uint256 slash = LeaseMath.slash(bond, due, credited, committed, log2);
        assertLe(slash, bond);
        uint256 short = due > credited ? due - credited : 0;
        uint256 tolerance = LeaseMath.tolerance(due, log2);
        if (short <= tolerance) assertEq(slash, 0);
        else assertEq(slash, uint256(bond) * (short - tolerance) / committed);
        assertEq(LeaseMath.slash(bond, 0, credited, committed, log2), 0, "silence never slashes");
        if (credited != 0) assertLe(slash, LeaseMath.slash(bond, due, credited - 1, committed, log2));
    }

    function testFuzz_TheFee_IsTheSameInOnePieceAndInTwo(uint128 payment, uint128 first, uint16 bps) public pure {
        bps = uint16(bound(bps, 0, 300));
        first = uint128(bound(first, 0, payment));
        uint256 fee = LeaseMath.portion(payment, bps);
        uint256 early = LeaseMath.portion(first, bps);
        assertLe(early, fee);
        assertLe(fee - early, payment - first, "a collection pays its own fee");
        assertLe(fee * 100, uint256(payment) * 3, "never more than three percent");
        if (bps > 0 && payment >= 10_000) assertGt(fee, 0);
    }
}
