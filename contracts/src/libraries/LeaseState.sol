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

    /// @notice How payment and bond are split by the figures that stand now or, once settled, were.
    /// The escrow's own formula, fed by the record instead of by the words of its storage: what the
    /// void epochs left of the bond is in the record, not their number.
    /// @param voids Whether the lease's oracle can void epochs.
    function split(Lease memory lease, bool voids) internal pure returns (Split memory s) {
        Progress progress = Progress.wrap(0).advance(lease.credited, lease.due, lease.asOf);
        if (lease.lastAt != 0) progress = progress.sayLast(lease.lastAt);
        s = Settlement.split(
            _schedule(lease),
            progress,
            Stakes(lease.payment, lease.bondBps, lease.cancelBps, voids, lease.jobSigner == lease.provider)
        );
        s.slashed = FixedPointMathLib.min(s.slashed, lease.bond);
        s.bond = lease.bond - s.slashed;
    }

    /// @notice Released money that is not collected yet, to the provider, and the oracle's fee on
    /// it.
    function collection(Lease memory lease, uint256 feeBps) internal pure returns (uint256 amount, uint256 fee) {
        return Settlement.collection(_schedule(lease), lease.payment, lease.credited, lease.collectedWork, feeBps);
    }

    function _schedule(Lease memory lease) private pure returns (Schedule schedule) {
        schedule = ScheduleLib.pack(
                lease.rate,
                lease.start,
                uint256(lease.start) + lease.duration,
                lease.epochLength,
                lease.duration / lease.epochLength,
                lease.oracle,
                lease.weightLog2,
                lease.algorithm
            ).shorten(lease.end, lease.ending);
        if (lease.signerDictated) schedule = schedule.dictateSigner();
    }
}
