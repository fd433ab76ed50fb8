// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ENDING_CANCELLED, ENDING_TERMINATED} from "contracts/src/interfaces/LeaseTypes.sol";

/// @notice The times and terms of a lease that `credit` reads. From the lowest bit up: `rate` 96
/// bits, `start` 40, `end` 40, `epochLength` 24, `epochs` as rented 16, `oracle` 16, `weightLog2`
/// 8, `algorithm` 8, `ending` 7, `signerDictated` 1. Only `end` and `ending` ever change.
type Schedule is uint256;

/// @notice The oracle's figures of a lease so far. From the lowest bit up: `credited` 96 bits,
/// `due` 96, `time` 40, `last` 1, `settled` 1, 6 unused, `voided` 16. `time` is the end of the
/// newest epoch with figures and, once the oracle gave its last word, the time of that. A single
/// word, because a struct would be written in two steps.
type Progress is uint256;

/// @notice An account in one token: `balance` 128 bits, then `withdrawn` since the last
/// reconciliation, 128.
type Purse is uint256;

using ScheduleLib for Schedule global;
using ProgressLib for Progress global;
using PurseLib for Purse global;

/// @title Reading and writing `Schedule`
library ScheduleLib {
    uint256 private constant SIGNER_DICTATED = 1 << 255;
    uint256 private constant UNCHANGING = ~(uint256(type(uint40).max) << 136 | uint256(0x7f) << 248);

    /// @notice Each value must fit its bits.
    function pack(
        uint256 rate_,
        uint256 start_,
        uint256 end_,
        uint256 epochLength_,
        uint256 epochs_,
        uint256 oracle_,
        uint256 weightLog2_,
        uint256 algorithm_
    ) internal pure returns (Schedule) {
        uint256 times = start_ << 96 | end_ << 136 | epochLength_ << 176 | epochs_ << 200;
        return Schedule.wrap(rate_ | times | oracle_ << 216 | weightLog2_ << 232 | algorithm_ << 240);
    }

    /// @notice Hashes per second; zero means no lease.
    function rate(Schedule s) internal pure returns (uint256) {
        return uint96(Schedule.unwrap(s));
    }

    function start(Schedule s) internal pure returns (uint256) {
        return uint40(Schedule.unwrap(s) >> 96);
    }

    function end(Schedule s) internal pure returns (uint256) {
        return uint40(Schedule.unwrap(s) >> 136);
    }

    function epochLength(Schedule s) internal pure returns (uint256) {
        return uint24(Schedule.unwrap(s) >> 176);
    }

    function epochs(Schedule s) internal pure returns (uint256) {
        return uint16(Schedule.unwrap(s) >> 200);
    }

    function oracle(Schedule s) internal pure returns (uint32) {
        return uint16(Schedule.unwrap(s) >> 216);
    }

    function weightLog2(Schedule s) internal pure returns (uint8) {
        return uint8(Schedule.unwrap(s) >> 232);
    }

    function algorithm(Schedule s) internal pure returns (uint8) {
        return uint8(Schedule.unwrap(s) >> 240);
    }

    function ending(Schedule s) internal pure returns (uint8) {
        return uint8(Schedule.unwrap(s) >> 248) & 0x7f;
    }

    /// @notice Whether the offer, not the renter, chose the job signer.
    function isSignerDictated(Schedule s) internal pure returns (bool) {
        return Schedule.unwrap(s) & SIGNER_DICTATED != 0;
    }

    function isCancelled(Schedule s) internal pure returns (bool) {
        return s.ending() == ENDING_CANCELLED;
    }

    function isTerminated(Schedule s) internal pure returns (bool) {
        return s.ending() == ENDING_TERMINATED;
    }

    /// @notice Whether the lease ended before its start, and so never runs.
    function endsAtStart(Schedule s) internal pure returns (bool) {
        return s.start() == s.end();
    }

    /// @notice Seconds from the start to the end.
    function ran(Schedule s) internal pure returns (uint256) {
        unchecked {
            return s.end() - s.start();
        }
    }

    /// @notice Seconds rented, the product of 24 and 16 bits.
    function duration(Schedule s) internal pure returns (uint256) {
        unchecked {
            return s.epochLength() * s.epochs();
        }
    }

    /// @notice Expected hashes rented: at most 96 bits, checked when renting.
    function committed(Schedule s) internal pure returns (uint256) {
        unchecked {
            return s.rate() * s.duration();
        }
    }

    /// @notice The same lease, marked as one whose offer chose the job signer.
    function dictateSigner(Schedule s) internal pure returns (Schedule) {
        return Schedule.wrap(Schedule.unwrap(s) | SIGNER_DICTATED);
    }

    /// @notice The same lease with an earlier end, which must fit 40 bits.
    function shorten(Schedule s, uint256 end_, uint8 ending_) internal pure returns (Schedule) {
        return Schedule.wrap(Schedule.unwrap(s) & UNCHANGING | end_ << 136 | uint256(ending_) << 248);
    }
}

/// @title Reading and writing `Progress`
library ProgressLib {
    uint256 private constant TIME = uint256(type(uint40).max) << 192;
    uint256 private constant LAST = 1 << 232;
    uint256 private constant SETTLED = 1 << 233;
    uint256 private constant ONE_VOID = 1 << 240;
    uint256 private constant FLAGS = ~uint256(0) << 232;

    /// @notice New figures beside the flags of before. Each value must fit its bits.
    function advance(Progress p, uint256 credited_, uint256 due_, uint256 time_) internal pure returns (Progress) {
        return Progress.wrap(Progress.unwrap(p) & FLAGS | credited_ | due_ << 96 | time_ << 192);
    }

    /// @notice The oracle's last word, given at `time_`, which must fit 40 bits.
    function sayLast(Progress p, uint256 time_) internal pure returns (Progress) {
        return Progress.wrap(Progress.unwrap(p) & ~TIME | time_ << 192 | LAST);
    }

    function credited(Progress p) internal pure returns (uint96) {
        return uint96(Progress.unwrap(p));
    }

    function due(Progress p) internal pure returns (uint96) {
        return uint96(Progress.unwrap(p) >> 96);
    }

    /// @notice End of the newest epoch with figures; after the last word, the time of that word.
    function time(Progress p) internal pure returns (uint40) {
        return uint40(Progress.unwrap(p) >> 192);
    }

    function isLast(Progress p) internal pure returns (bool) {
        return Progress.unwrap(p) & LAST != 0;
    }

    function isSettled(Progress p) internal pure returns (bool) {
        return Progress.unwrap(p) & SETTLED != 0;
    }

    /// @notice Number of void epochs: at most 8,192, the most that a lease has.
    function voided(Progress p) internal pure returns (uint256) {
        return Progress.unwrap(p) >> 240;
    }

    function settle(Progress p) internal pure returns (Progress) {
        return Progress.wrap(Progress.unwrap(p) | SETTLED);
    }

    function addVoid(Progress p) internal pure returns (Progress) {
        return Progress.wrap(Progress.unwrap(p) + ONE_VOID);
    }
}

/// @title Reading and writing `Purse`
library PurseLib {
    function balance(Purse p) internal pure returns (uint256) {
        return uint128(Purse.unwrap(p));
    }

    function withdrawn(Purse p) internal pure returns (uint256) {
        return Purse.unwrap(p) >> 128;
    }

    /// @notice The sum must fit 128 bits.
    function book(Purse p, uint256 amount) internal pure returns (Purse) {
        return Purse.wrap(Purse.unwrap(p) + amount);
    }

    /// @notice `amount` must be at most the balance.
    function debit(Purse p, uint256 amount) internal pure returns (Purse) {
        return Purse.wrap(Purse.unwrap(p) - amount);
    }

    /// @notice `amount` must be at most the balance, and the sum of all withdrawals fit 128 bits.
    function withdraw(Purse p, uint256 amount) internal pure returns (Purse) {
        unchecked {
            return Purse.wrap(Purse.unwrap(p) - amount + (amount << 128));
        }
    }

    function reconcile(Purse p) internal pure returns (Purse) {
        return Purse.wrap(uint128(Purse.unwrap(p)));
    }
}
