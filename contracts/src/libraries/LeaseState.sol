// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Status} from "contracts/src/interfaces/ILeaseLens.sol";
import {Lease} from "contracts/src/interfaces/LeaseTypes.sol";

/// @notice Facts about a lease, gathered once.
/// @param label Status in one word.
/// @param delivered Credited work in hundredths of a percent of the committed work.
/// @param symbol The token's symbol, harmless but not escaped.
struct Facts {
    address escrow;
    uint256 id;
    Lease lease;
    Status status;
    string label;
    uint256 committed;
    uint256 delivered;
    string rate;
    string unit;
    string symbol;
    uint8 decimals;
}

/// @title State derived from a lease's record and the clock
library LeaseState {
    function status(Lease memory lease) internal view returns (Status) {
        if (lease.settled) return Status.Settled;
        if (block.timestamp < lease.start) return Status.Scheduled;
        return block.timestamp < lease.end ? Status.Active : Status.Ended;
    }

    /// @notice Work as rented; at most 96 bits, checked at renting.
    function committed(Lease memory lease) internal pure returns (uint256) {
        return uint256(lease.rate) * lease.duration;
    }

    /// @notice Seconds that the lease has run, at most up to its end.
    function elapsed(Lease memory lease) internal view returns (uint256) {
        if (block.timestamp <= lease.start) return 0;
        return (block.timestamp < lease.end ? block.timestamp : lease.end) - lease.start;
    }
}
