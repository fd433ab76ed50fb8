// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Status} from "contracts/src/interfaces/ILeaseLens.sol";
import {Lease} from "contracts/src/interfaces/LeaseTypes.sol";
import {Progress, Schedule, ScheduleLib} from "contracts/src/libraries/Packed.sol";
import {Settlement, Split, Stakes} from "contracts/src/libraries/Settlement.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

/// @title State derived from a lease's record and the clock
library LeaseState {
    function status(Lease memory lease) internal view returns (Status) {
        if (lease.settled) return Status.Settled;
        if (block.timestamp < lease.start) return Status.Scheduled;
        return block.timestamp < lease.end ? Status.Active : Status.Ended;
    }

    /// @notice Work as rented; at most 96 bits, checked when renting.
    function committed(Lease memory lease) internal pure returns (uint256) {
        return uint256(lease.rate) * lease.duration;
    }

    /// @notice Seconds that the lease has run, at most up to its end.
    function elapsed(Lease memory lease) internal view returns (uint256) {
        if (block.timestamp <= lease.start) return 0;
        return (block.timestamp < lease.end ? block.timestamp : lease.end) - lease.start;
    }

    /// @notice What the holder gets of payment and bond by the figures that stand now, or, once
    /// settled, got. Void epochs are not in it.
    /// @param voids Whether the lease's oracle can void epochs.
    function holdersPart(Lease memory lease, bool voids) internal pure returns (uint256 refund, uint256 slashed) {
        Schedule schedule = ScheduleLib.pack(
                lease.rate,
                lease.start,
                uint256(lease.start) + lease.duration,
                lease.epochLength,
                lease.duration / lease.epochLength,
                lease.oracle,
                lease.weightLog2,
                lease.algorithm
            ).shorten(lease.end, lease.ending);
        Progress progress = Progress.wrap(0).advance(lease.credited, lease.due, lease.asOf, lease.lastAt != 0);
        Split memory s =
            Settlement.split(schedule, progress, Stakes(lease.payment, lease.bondBps, lease.cancelBps, voids));
        return (s.refund, FixedPointMathLib.min(s.slashed, lease.bond));
    }
}
