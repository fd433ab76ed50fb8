// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ENDING_CANCELLED, ENDING_TERMINATED, Lease} from "contracts/src/interfaces/LeaseTypes.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

/// @title Fair amounts
/// @notice The amounts of a lease, written a second time from the design and not from the
/// contracts. Voided money is left out of the sides' shares, because it is the same however the
/// lease ends.
library Fair {
    /// @param provider Work, bond and fee for capacity.
    /// @param payee The oracle's fee.
    /// @param holder The payment that was neither released nor the fee, and the slash.
    struct Outcome {
        uint256 provider;
        uint256 payee;
        uint256 holder;
        uint256 slashed;
        uint256 capacityFee;
    }

    function committed(Lease memory l) internal pure returns (uint256) {
        return uint256(l.rate) * l.duration;
    }

    /// @notice Work of the seconds from the start to the end.
    function promised(Lease memory l) internal pure returns (uint256) {
        return uint256(l.rate) * (l.end - l.start);
    }

    /// @notice The most that can be credited if the lease runs to its end: a quarter more than
    /// promised, at most everything.
    function reachable(Lease memory l) internal pure returns (uint256) {
        return FixedPointMathLib.min(committed(l), promised(l) + promised(l) / 4);
    }

    /// @notice Rounded down: the provider gets no fraction that it did not earn.
    function released(Lease memory l) internal pure returns (uint256) {
        return FixedPointMathLib.mulDiv(l.payment, l.credited, committed(l));
    }

    /// @notice The amount that a cancellation returns. What can still be credited stays, and so
    /// does the fee's percentage of the rest.
    function early(Lease memory l) internal pure returns (uint256) {
        uint256 unreachable = l.payment - FixedPointMathLib.mulDivUp(l.payment, reachable(l), committed(l));
        return unreachable - FixedPointMathLib.mulDiv(unreachable, l.cancelBps, 10_000);
    }

    /// @notice Due work that is missing beyond the tolerance.
    function missing(Lease memory l, uint256 due) internal pure returns (uint256) {
        uint256 chance = FixedPointMathLib.sqrt(961 * (due << l.weightLog2) / 100);
        uint256 least = uint256(l.credited) + FixedPointMathLib.max(due / 20, chance);
        return least >= due ? 0 : due - least;
    }

    /// @notice The part of a bond that pays for due work missing beyond the tolerance.
    function shortfall(Lease memory l, uint256 bond, uint256 due) internal pure returns (uint256) {
        return FixedPointMathLib.mulDiv(bond, missing(l, due), committed(l));
    }

    /// @notice The part of a bond that the provider loses.
    function deduction(Lease memory l, uint256 bond) internal pure returns (uint256) {
        if (l.ending != ENDING_TERMINATED) return shortfall(l, bond, l.due);
        if (l.end == l.start) return bond / 2;
        uint256 asBefore = uint256(l.due) * l.duration / (l.end - l.start);
        return (shortfall(l, bond, l.due) + shortfall(l, bond, asBefore)) / 2;
    }

    /// @notice Capacity that was held ready and not used. Where due work comes by agreement only, or
    /// is asked for by the provider's choice, what a cancellation cut off, as far as the provider
    /// delivered until then.
    function unused(Lease memory l, bool voids) internal pure returns (uint256) {
        if (!voids && !l.signerDictated && l.jobSigner != l.provider) {
            uint256 ready = l.ending == ENDING_TERMINATED ? promised(l) : committed(l);
            return FixedPointMathLib.zeroFloorSub(ready, FixedPointMathLib.max(l.due, l.credited));
        }
        if (l.ending != ENDING_CANCELLED) return 0;
        if (l.end == l.start) return committed(l);
        uint256 cut = uint256(l.rate) * (l.duration - (l.end - l.start));
        cut = FixedPointMathLib.min(cut, committed(l) - l.credited);
        return FixedPointMathLib.min(cut, FixedPointMathLib.mulDiv(cut, l.credited, promised(l)));
    }

    /// @notice Not for a provider that was short beyond the tolerance; only once the oracle gave
    /// its last word, or before the start.
    function capacityFee(Lease memory l, bool voids) internal pure returns (uint256) {
        bool isKnown = l.lastAt != 0 || l.end == l.start;
        if (!isKnown || missing(l, l.due) != 0) return 0;
        return FixedPointMathLib.fullMulDiv(uint256(l.payment) * l.cancelBps, unused(l, voids), committed(l) * 10_000);
    }

    /// @notice Each side's total in the end.
    /// @param l The settled lease; `l.bond` is what the voided epochs left of the bond.
    /// @param bond The bond as it was locked.
    function outcome(Lease memory l, uint256 bond, uint256 feeBps, bool voids)
        internal
        pure
        returns (Outcome memory o)
    {
        uint256 paid = released(l);
        o.payee = paid * feeBps / 10_000;
        o.slashed = FixedPointMathLib.min(deduction(l, bond), l.bond);
        o.capacityFee = capacityFee(l, voids);
        o.provider = paid - o.payee + o.capacityFee + l.bond - o.slashed;
        o.holder = l.payment - paid - o.capacityFee + o.slashed;
    }
}
