// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {LeaseMath} from "contracts/src/libraries/LeaseMath.sol";
import {Progress, Schedule} from "contracts/src/libraries/Packed.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

/// @notice The money's part of a lease's terms, which schedule and progress lack.
/// @param payment Base units.
/// @param bondBps Bond in basis points of the payment.
/// @param cancelBps Fee for capacity held ready, basis points.
/// @param voids Whether the lease's oracle can void epochs.
/// @param selfAttributed Whether the provider's own key signs the jobs.
struct Stakes {
    uint256 payment;
    uint256 bondBps;
    uint256 cancelBps;
    bool voids;
    bool selfAttributed;
}

/// @notice Where payment and bond go. With the released money `refund + fee` is the payment, and
/// `slashed + bond` is what voided epochs left of the bond.
/// @param refund Of the payment, to the holder; includes what a cancellation returned at once.
/// @param fee Of the payment, to the provider for capacity that was held ready and not used.
/// @param slashed Of the bond, to the holder.
/// @param bond The rest of the bond, to the provider.
struct Split {
    uint256 refund;
    uint256 fee;
    uint256 slashed;
    uint256 bond;
}

/// @title How a lease's money is split
/// @notice The only place with these formulas: the escrow books by it, the lens predicts by it.
/// `crates/escrow-model` has the same arithmetic in Rust.
library Settlement {
    // ---------------------------------------------------------------- released

    /// @notice Money that credited work released beyond `collected`: `amount` to the provider and
    /// `fee` to the oracle's payee. The fee is the difference of two roundings of everything
    /// released, so many small collections cost what one costs.
    function collection(Schedule schedule, uint256 payment, uint256 credited, uint256 collected, uint256 feeBps)
        internal
        pure
        returns (uint256 amount, uint256 fee)
    {
        uint256 committed = schedule.committed();
        uint256 earlier = LeaseMath.released(payment, collected, committed);
        uint256 released = LeaseMath.released(payment, credited, committed);
        fee = LeaseMath.portion(released, feeBps) - LeaseMath.portion(earlier, feeBps);
        amount = released - earlier - fee;
    }

    // ---------------------------------------------------------------- the bond

    /// @notice The bond that renting locked.
    function locked(Stakes memory stakes) internal pure returns (uint256) {
        return LeaseMath.portion(stakes.payment, stakes.bondBps);
    }

    /// @notice Cost of one void epoch while the bond lasts: an epoch's pay.
    function epochPay(Schedule schedule, uint256 payment) internal pure returns (uint256) {
        return payment / schedule.epochs();
    }

    /// @notice The rest of the bond after the void epochs.
    function bondLeft(Schedule schedule, Progress progress, Stakes memory stakes) internal pure returns (uint256) {
        return FixedPointMathLib.zeroFloorSub(locked(stakes), progress.voided() * epochPay(schedule, stakes.payment));
    }

    /// @dev Silence never slashes: without due work nothing is short, neither so far nor by the due
    /// work that a termination foresees. Only a provider that terminates before the start pays
    /// without due work.
    function _slashed(Schedule schedule, Progress progress, Stakes memory stakes) private pure returns (uint256) {
        uint256 bond = locked(stakes);
        if (!schedule.isTerminated()) return _slash(schedule, progress, bond, progress.due());
        if (schedule.endsAtStart()) return bond / 2;
        // had the rest been asked for like what went before
        uint256 foreseen = uint256(progress.due()) * schedule.duration() / schedule.ran();
        uint256 soFar = _slash(schedule, progress, bond, progress.due());
        return (soFar + _slash(schedule, progress, bond, foreseen)) / 2;
    }

    function _slash(Schedule schedule, Progress progress, uint256 bond, uint256 due) private pure returns (uint256) {
        return LeaseMath.slash(bond, due, progress.credited(), schedule.committed(), schedule.weightLog2());
    }

    // ---------------------------------------------------------------- the payment

    /// @notice Money that a cancellation returns at once: the part of the payment that no credit
    /// can reach any more, less its part of the fee. Zero for a lease that is not cancelled.
    function early(Schedule schedule, Stakes memory stakes) internal pure returns (uint256) {
        if (!schedule.isCancelled()) return 0;
        uint256 returned = LeaseMath.returned(stakes.payment, schedule.rate() * schedule.ran(), schedule.committed());
        return returned - LeaseMath.portion(returned, stakes.cancelBps);
    }

    /// @dev Capacity held ready has a price, however the renter does not use it. A provider that
    /// was short beyond the tolerance gets none of it. Before the oracle's last word there is no
    /// fee either, unless the lease never started.
    function _fee(Schedule schedule, Progress progress, Stakes memory stakes) private pure returns (uint256) {
        if (!progress.isLast() && !schedule.endsAtStart()) return 0;
        if (LeaseMath.missing(progress.due(), progress.credited(), schedule.weightLog2()) != 0) return 0;
        bool saysNothing = stakes.voids || stakes.selfAttributed || schedule.isSignerDictated();
        uint256 unasked = saysNothing ? _cutOff(schedule, progress) : _unasked(schedule, progress);
        return stakes.payment * unasked * stakes.cancelBps / (schedule.committed() * LeaseMath.BPS);
    }

    /// @dev Work that the provider was ready for and that was not asked for: up to the end as
    /// rented, or up to the new end if the provider chose that.
    function _unasked(Schedule schedule, Progress progress) private pure returns (uint256) {
        uint256 ready = schedule.isTerminated() ? schedule.rate() * schedule.ran() : schedule.committed();
        return FixedPointMathLib.zeroFloorSub(ready, FixedPointMathLib.max(progress.due(), progress.credited()));
    }

    /// @dev Where work is due by agreement only, or where the provider chose the key that asks for
    /// it, missing due work says nothing about the renter. Only a part that a cancellation cut off
    /// counts there, as far as the provider delivered until then. Before the start that is all.
    function _cutOff(Schedule schedule, Progress progress) private pure returns (uint256) {
        if (!schedule.isCancelled()) return 0;
        uint256 committed = schedule.committed();
        uint256 promised = schedule.rate() * schedule.ran();
        if (promised == 0) return committed;
        uint256 credited = progress.credited();
        uint256 cut = FixedPointMathLib.min(committed - promised, committed - credited);
        return credited < promised ? cut * credited / promised : cut;
    }

    // ---------------------------------------------------------------- all of it

    /// @notice The split of a lease by the figures that stand now.
    function split(Schedule schedule, Progress progress, Stakes memory stakes) internal pure returns (Split memory s) {
        uint256 left = bondLeft(schedule, progress, stakes);
        s.slashed = FixedPointMathLib.min(_slashed(schedule, progress, stakes), left);
        s.bond = left - s.slashed;
        s.fee = _fee(schedule, progress, stakes);
        s.refund =
            stakes.payment - LeaseMath.released(stakes.payment, progress.credited(), schedule.committed()) - s.fee;
    }
}
