// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {LeaseMath} from "contracts/src/libraries/LeaseMath.sol";
import {Test} from "forge-std/Test.sol";

/// @dev Calls the library externally: inlined into the tests it is more than via-IR can take.
contract Arithmetic {
    function payment(uint128 price, uint256 work) external pure returns (uint256) {
        return LeaseMath.payment(price, work);
    }

    function portion(uint256 amount, uint256 bps) external pure returns (uint256) {
        return LeaseMath.portion(amount, bps);
    }

    function weightLog2(uint256 rate, uint256 epochLength, uint256 duration) external pure returns (uint256, uint256) {
        return LeaseMath.weightLog2(rate, epochLength, duration);
    }

    function released(uint256 amount, uint256 credited, uint256 committed) external pure returns (uint256) {
        return LeaseMath.released(amount, credited, committed);
    }

    function creditCap(uint256 rate, uint256 elapsed, uint256 committed) external pure returns (uint256) {
        return LeaseMath.creditCap(rate * elapsed, committed);
    }

    function returned(uint256 amount, uint256 rate, uint256 ran, uint256 committed) external pure returns (uint256) {
        return LeaseMath.returned(amount, rate * ran, committed);
    }

    function tolerance(uint256 due, uint256 log2) external pure returns (uint256) {
        return LeaseMath.tolerance(due, log2);
    }

    function slash(uint256 bond, uint256 due, uint256 credited, uint256 committed, uint256 log2)
        external
        pure
        returns (uint256)
    {
        return LeaseMath.slash(bond, due, credited, committed, log2);
    }
}

/// @notice Work fits 96 bits and money 128, as in the escrow.
contract LeaseMathFuzz is Test {
    Arithmetic private immutable math = new Arithmetic();

    uint256 private constant UNIT = 1e21;

    function testFuzz_ThePayment_RoundsUpAndByLessThanAUnit(uint128 price, uint96 work) public view {
        uint256 payment = math.payment(price, work);
        uint256 exact = uint256(price) * work;
        assertGe(payment * UNIT, exact);
        assertLt(payment * UNIT, exact + UNIT);
    }

    function testFuzz_WhatIsReleased_GrowsWithTheWorkUpToThePayment(
        uint128 payment,
        uint96 committed,
        uint96 less,
        uint96 more
    ) public view {
        vm.assume(committed != 0);
        if (less > more) (less, more) = (more, less);
        uint256 early = math.released(payment, less, committed);
        uint256 late = math.released(payment, more, committed);
        assertLe(early, late);
        assertLe(late, payment);
        assertEq(math.released(payment, committed, committed), payment, "all of it for all of the work");
        assertEq(math.released(payment, 0, committed), 0);
        // never more than the share of the work
        if (less <= committed) assertLe(early * committed, uint256(payment) * less);
    }

    function testFuzz_TheWeight_IsTheLargestPowerOfTwoWithinBothBounds(uint96 rate, uint32 epoch, uint32 epochs)
        public
        view
    {
        epoch = uint32(bound(epoch, 10, 1 days));
        epochs = uint32(bound(epochs, 1, 8192));
        uint256 duration = uint256(epoch) * epochs;
        rate = uint96(bound(rate, 1, type(uint96).max / duration));
        (uint256 log2, uint256 smallest) = math.weightLog2(rate, epoch, duration);
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
    ) public view {
        uint256 committed = uint256(rate) * duration;
        uint256 cap = math.creditCap(rate, elapsed, committed);
        uint256 exact = uint256(rate) * elapsed + uint256(rate) * elapsed / 4;
        assertEq(cap, exact < committed ? exact : committed);
        assertGe(cap, rate * uint256(elapsed < duration ? elapsed : duration), "on time is never capped");
    }

    function testFuzz_TheTolerance_IsATwentiethOrThreeDeviations(uint96 due, uint8 log2) public view {
        log2 = uint8(bound(log2, 0, 95));
        uint256 tolerance = math.tolerance(due, log2);
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
    ) public view {
        vm.assume(committed != 0);
        due = uint96(bound(due, 0, committed));
        log2 = uint8(bound(log2, 0, 80));
        uint256 slash = math.slash(bond, due, credited, committed, log2);
        assertLe(slash, bond);
        uint256 short = due > credited ? due - credited : 0;
        uint256 tolerance = math.tolerance(due, log2);
        if (short <= tolerance) assertEq(slash, 0);
        else assertEq(slash, uint256(bond) * (short - tolerance) / committed);
        assertEq(math.slash(bond, 0, credited, committed, log2), 0, "silence never slashes");
    }

    function testFuzz_TheSlash_NeverFallsWithWhatIsMissing(
        uint128 bond,
        uint96 committed,
        uint96 due,
        uint96 credited,
        uint8 log2
    ) public view {
        vm.assume(committed != 0 && credited != 0);
        due = uint96(bound(due, 0, committed));
        log2 = uint8(bound(log2, 0, 80));
        uint256 slash = math.slash(bond, due, credited, committed, log2);
        uint256 asked = math.slash(bond, uint256(due) + 1, credited, committed, log2);
        if (due < committed) assertLe(slash, asked, "what is asked for in vain never helps the provider");
        assertLe(slash, math.slash(bond, due, credited - 1, committed, log2));
    }

    function testFuzz_TheFee_IsTheSameInOnePieceAndInTwo(uint128 payment, uint128 first, uint16 bps) public view {
        bps = uint16(bound(bps, 0, 300));
        first = uint128(bound(first, 0, payment));
        uint256 fee = math.portion(payment, bps);
        uint256 early = math.portion(first, bps);
        assertLe(early, fee);
        assertLe(fee - early, payment - first, "a collection pays its own fee");
        assertLe(fee * 100, uint256(payment) * 3, "never more than three percent");
        if (bps > 0 && payment >= 10_000) assertGt(fee, 0);
    }

    // ---------------------------------------------------------------- when the end moved earlier

    /// @dev A schedule that renting allows: the work of all seconds fits 96 bits.
    function _schedule(uint96 rate, uint32 ran, uint32 cut) private pure returns (uint96, uint32, uint32) {
        ran = uint32(bound(ran, 1, type(uint32).max - 1));
        cut = uint32(bound(cut, 1, type(uint32).max - ran));
        return (uint96(bound(rate, 1, type(uint96).max / (uint256(ran) + cut))), ran, cut);
    }

    function testFuzz_WhatReturns_IsWhatNoCreditCanReach(uint128 amount, uint96 rate, uint32 ran, uint32 cut)
        public
        view
    {
        (rate, ran, cut) = _schedule(rate, ran, cut);
        uint256 committed = uint256(rate) * (uint256(ran) + cut);
        uint256 reachable = uint256(rate) * ran + uint256(rate) * ran / 4;
        if (reachable > committed) reachable = committed;
        uint256 returned = math.returned(amount, rate, ran, committed);
        // ⌈amount × reachable / committed⌉ stays
        uint256 stays = amount - returned;
        assertGe(stays * committed, uint256(amount) * reachable);
        if (stays > 0) assertLt((stays - 1) * committed, uint256(amount) * reachable);
        assertLe(math.released(amount, reachable, committed), stays, "every later credit is covered");
        assertLe(stays - math.released(amount, reachable, committed), 1, "and no more than a unit stays idle");
        if (uint256(ran) * 5 >= (uint256(ran) + cut) * 4) assertEq(returned, 0, "four fifths ran");
        assertLe(math.returned(amount, rate, uint256(ran) + 1, committed), returned, "less the longer it runs");
    }

    function testFuzz_BeforeTheStart_AllReturns(uint128 amount, uint96 rate, uint32 duration) public view {
        uint256 committed = bound(rate, 1, type(uint96).max) * bound(duration, 1, type(uint32).max);
        assertEq(math.returned(amount, rate, 0, committed), amount);
    }

    // ---------------------------------------------------------------- widths

    /// @notice The largest value of each argument's width, alone and all at once: nothing
    /// overflows.
    function testFuzz_TheWidestValues_Fit(uint256 which) public view {
        uint128 money = which & 1 == 0 ? type(uint128).max : 1;
        uint96 work = which & 2 == 0 ? type(uint96).max : 1;
        uint96 due = which & 4 == 0 ? type(uint96).max : 1;
        uint32 time = which & 8 == 0 ? type(uint32).max : 1;
        uint32 cut = which & 16 == 0 ? type(uint32).max : 1;
        uint40 elapsed = which & 32 == 0 ? type(uint40).max : 1;
        uint8 log2 = which & 64 == 0 ? 95 : 0;
        math.payment(money, work);
        math.portion(money, 10_000);
        math.weightLog2(work, time, cut);
        assertEq(math.released(money, due, work), due >= work ? money : uint256(money) * due / work);
        // at most 1.25 × 2^136: unchecked, and still exact
        uint256 cap = uint256(work) * elapsed + uint256(work) * elapsed / 4;
        assertEq(math.creditCap(work, elapsed, type(uint256).max), cap);
        assertLe(math.returned(money, work, elapsed, due), money);
        math.tolerance(due, log2);
        assertLe(math.slash(money, due, 0, work, log2), money);
    }
}
