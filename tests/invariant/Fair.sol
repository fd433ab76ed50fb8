// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ENDING_CANCELLED, ENDING_TERMINATED, Lease} from "contracts/src/interfaces/LeaseTypes.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

/// @title Fair amounts
/// @notice The amounts of a lease, written a second time from the design and not from the
/// contracts. Voided money is left out of the sides' shares, because it is the same however the
/// lease ends.
library Fair {
    /// @param provider Work, bond and cancel fee.
    /// @param payee The oracle's fee.
    /// @param owner The returned payment and the slash.
    struct Outcome {
        uint256 provider;
        uint256 payee;
        uint256 owner;
        uint256 slashed;
        uint256 cancelFee;
    }

    function committed(Lease memory l) internal pure returns (uint256) {
        return uint256(l.rate) * l.duration;
    }

    /// @notice The most that can be credited if the lease runs to its end: a quarter more than
    /// promised, at most everything.
    function reachable(Lease memory l) internal pure returns (uint256) {
        return FixedPointMathLib.min(committed(l), FixedPointMathLib.mulDiv(l.rate, uint256(l.end - l.start) * 5, 4));
    }

    /// @notice Rounded down: the provider gets no fraction that it did not earn.
    function released(Lease memory l) internal pure returns (uint256) {
        return FixedPointMathLib.mulDiv(l.payment, l.credited, committed(l));
    }

    /// @notice The amount that a cancellation returns, fee included. Rounded down, so that
    /// everything that can be credited stays.
    function unreachable(Lease memory l) internal pure returns (uint256) {
        return l.payment - FixedPointMathLib.mulDivUp(l.payment, reachable(l), committed(l));
    }

    /// @notice The cancel fee that is set aside.
    function setAside(Lease memory l) internal pure returns (uint256) {
        return FixedPointMathLib.mulDiv(unreachable(l), l.cancelBps, 10_000);
    }

    /// @notice The part of a bond that pays for due work missing beyond the tolerance.
    function shortfall(Lease memory l, uint256 bond) internal pure returns (uint256) {
        uint256 chance = FixedPointMathLib.sqrt(961 * (uint256(l.due) << l.weightLog2) / 100);
        uint256 least = uint256(l.credited) + FixedPointMathLib.max(l.due / 20, chance);
        return least >= l.due ? 0 : FixedPointMathLib.mulDiv(bond, l.due - least, committed(l));
    }

    /// @notice The cost of cancelling the rest of the time, as far as work was asked for.
    function termination(Lease memory l, uint256 bond) internal pure returns (uint256) {
        uint256 ran = l.end - l.start;
        if (ran == 0) return bond;
        return FixedPointMathLib.fullMulDiv(bond * (l.duration - ran), l.due, uint256(l.duration) * l.rate * ran);
    }

    /// @notice Each side's total in the end.
    /// @param l The settled lease; `l.bond` is what the voided epochs left of the bond.
    /// @param bond The bond as it was locked.
    function outcome(Lease memory l, uint256 bond, uint256 feeBps) internal pure returns (Outcome memory o) {
        uint256 paid = released(l);
        o.payee = paid * feeBps / 10_000;
        o.slashed = shortfall(l, bond);
        if (l.ending == ENDING_TERMINATED) o.slashed += termination(l, bond);
        if (l.ending == ENDING_CANCELLED) o.cancelFee = FixedPointMathLib.min(setAside(l), paid);
        o.slashed = FixedPointMathLib.min(o.slashed, l.bond);
        o.provider = paid - o.payee + o.cancelFee + l.bond - o.slashed;
        o.owner = l.payment - paid - o.cancelFee + o.slashed;
    }

    /// @notice Each side's total with the same credited and due work, had nobody ended the lease
    /// early.
    function outcomeOfWaiting(Lease memory l, uint256 bond, uint256 feeBps) internal pure returns (Outcome memory) {
        uint8 ending = l.ending;
        l.ending = 0;
        Outcome memory o = outcome(l, bond, feeBps);
        l.ending = ending;
        return o;
    }
}
