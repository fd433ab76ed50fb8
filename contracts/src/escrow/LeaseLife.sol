// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Balances} from "contracts/src/escrow/Balances.sol";
import {LeaseToken} from "contracts/src/escrow/LeaseToken.sol";
import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {ENDING_CANCELLED, ENDING_TERMINATED, Statement} from "contracts/src/interfaces/LeaseTypes.sol";
import {Fits} from "contracts/src/libraries/Fits.sol";
import {LeaseMath} from "contracts/src/libraries/LeaseMath.sol";
import {Progress, ProgressLib, Schedule} from "contracts/src/libraries/Packed.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

/// @title From the first credit to the settlement
/// @notice Nothing here calls another contract. `credit` writes only the lease; `collect`,
/// `cancel`, `voidEpoch` and `settle` book balances.
abstract contract LeaseLife is Balances, LeaseToken {
    uint256 private constant MAX_BATCH = 100;

    // ---------------------------------------------------------------- credit

    /// @inheritdoc ILeaseEscrow
    function credit(Statement[] calldata statements) external {
        uint256 count = statements.length;
        require(count <= MAX_BATCH, BatchTooLong(MAX_BATCH, count));
        uint256 lowest = type(uint256).max;
        uint256 highest;
        // the caller's oracle, known once an entry matched it; most batches concern one oracle
        uint32 own;
        for (uint256 i; i < count; ++i) {
            Statement calldata statement = statements[i];
            uint256 id = statement.lease;
            Meter storage meter = _meters[id];
            Schedule schedule = meter.schedule;
            uint32 oracle = schedule.oracle();
            bytes4 refused;
            bool changed;
            if (schedule.rate() == 0) {
                refused = UnknownLease.selector;
            } else if (oracle != own && _oracles[oracle].account != msg.sender) {
                refused = NotLeaseOracle.selector;
            } else {
                own = oracle;
                (refused, changed) = _credit(id, meter, schedule, statement);
            }
            if (changed) {
                if (id < lowest) lowest = id;
                if (id > highest) highest = id;
            } else if (refused != 0) {
                emit CreditSkipped(id, refused);
            }
        }
        // one event for the range: one per lease would cost more than the figures themselves
        if (highest != 0) emit BatchMetadataUpdate(lowest, highest);
    }

    /// @dev Expects the lease's stored schedule and a caller that is its oracle.
    /// @return Zero, or the selector of the error that names why the entry was skipped.
    /// @return Whether the lease has new figures.
    function _credit(uint256 id, Meter storage meter, Schedule schedule, Statement calldata entry)
        private
        returns (bytes4, bool)
    {
        Progress progress = meter.progress;
        if (progress.isSettled()) return (AlreadySettled.selector, false);
        uint256 asOf = entry.asOf;
        if (asOf > block.timestamp) return (AsOfInFuture.selector, false);
        if (asOf > schedule.end()) return (AsOfAfterEnd.selector, false);
        if (!_isEpochEnd(schedule, asOf)) return (AsOfNotEpochEnd.selector, false);
        bool isLastWord = entry.last && asOf == schedule.end() && !progress.isLast();
        Progress next = _advanced(progress, schedule, entry, asOf, isLastWord || progress.isLast());
        if (Progress.unwrap(next) == Progress.unwrap(progress)) return (0, false);
        meter.progress = next;
        emit Credited(id, next.credited(), next.due(), next.asOf(), entry.evidence);
        if (isLastWord) emit LastWord(id);
        return (0, true);
    }

    /// @dev Expects the schedule of a lease, so that an epoch's length is not zero.
    function _isEpochEnd(Schedule schedule, uint256 time) private pure returns (bool) {
        unchecked {
            return time > schedule.start() && (time - schedule.start()) % schedule.epochLength() == 0;
        }
    }

    /// @dev Each figure becomes the larger of old and new. Expects `asOf` between start and end.
    /// All fit 96 bits: `rate × elapsed` is at most `committed`, and the type of an entry's figures
    /// is uint96.
    function _advanced(Progress progress, Schedule schedule, Statement calldata entry, uint256 asOf, bool last)
        private
        pure
        returns (Progress)
    {
        unchecked {
            uint256 elapsed = asOf - schedule.start();
            uint256 work = LeaseMath.creditCap(schedule.rate(), elapsed, schedule.committed());
            work = _atLeast(_atMost(entry.work, work), progress.credited());
            uint256 due = _atLeast(_atMost(entry.due, schedule.rate() * elapsed), progress.due());
            return ProgressLib.pack(work, due, _atLeast(asOf, progress.asOf()), last);
        }
    }

    /// @dev Plain branches are cheaper here than branchless ones.
    function _atMost(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }

    function _atLeast(uint256 a, uint256 b) private pure returns (uint256) {
        return a > b ? a : b;
    }

    /// @inheritdoc ILeaseEscrow
    function voidEpoch(uint256 id, uint32 epoch, address challenger) external {
        Schedule schedule = _openSchedule(id);
        require(_oracles[schedule.oracle()].account == msg.sender, NotLeaseOracle(id, msg.sender));
        require(challenger != address(0), ZeroAddress());
        uint256 epochs = schedule.ran() / schedule.epochLength();
        require(epoch < epochs, EpochOutOfBounds(epochs, epoch));
        require(!isVoid(id, epoch), EpochIsVoid(id, epoch));
        _void[id][epoch >> 8] |= 2 ** (epoch & 0xff);

        Funds memory funds = _funds[id];
        uint256 taken = FixedPointMathLib.min(funds.bond, funds.payment / schedule.epochs());
        // at most what is left of the bond
        _funds[id].bond = funds.bond - Fits.u128(taken);
        address token = _tokens[_particulars[id].token];
        uint256 toChallenger = taken / 4;
        _book(challenger, token, toChallenger);
        _book(ownerOf(id), token, taken - toChallenger);
        emit EpochVoided(id, epoch, challenger, taken - toChallenger, toChallenger);
        emit MetadataUpdate(id);
    }

    // ---------------------------------------------------------------- collect

    /// @inheritdoc ILeaseEscrow
    function collect(uint256 id) external {
        Schedule schedule = _openSchedule(id);
        uint96 credited = _meters[id].progress.credited();
        require(credited > _getExtraData(id), NothingToCollect(id));
        _collect(id, schedule, credited, _funds[id].payment, _particulars[id]);
    }

    /// @dev Books the money that the credit released since the last collection. Expects an open
    /// lease, its stored schedule, payment and particulars, and `credited` of at least what was
    /// collected. The fee is the difference of two roundings of everything released, so many small
    /// collections cost what one costs.
    function _collect(uint256 id, Schedule schedule, uint96 credited, uint256 payment, Particulars memory particulars)
        private
    {
        uint96 collected = _getExtraData(id);
        if (credited == collected) return;
        uint256 committed = schedule.committed();
        uint256 earlier = LeaseMath.released(payment, collected, committed);
        uint256 released = LeaseMath.released(payment, credited, committed);
        _setExtraData(id, credited);
        PinnedOracle storage pinned = _oracles[schedule.oracle()];
        uint256 feeBps = pinned.feeBps;
        uint256 fee = LeaseMath.portion(released, feeBps) - LeaseMath.portion(earlier, feeBps);
        uint256 amount = released - earlier - fee;
        address token = _tokens[particulars.token];
        _book(_providers[particulars.provider], token, amount);
        _book(pinned.payee, token, fee);
        emit Collected(id, credited, amount, fee);
    }

    // ---------------------------------------------------------------- the end

    /// @inheritdoc ILeaseEscrow
    function cancel(uint256 id) external {
        require(_isApprovedOrOwner(msg.sender, id), NotLeaseOwner(id, msg.sender));
        Schedule schedule = _shorten(id, ENDING_CANCELLED);
        Particulars memory particulars = _particulars[id];
        (uint256 returned, uint256 fee) = _returned(schedule, _funds[id].payment, particulars.cancelBps);
        address owner = ownerOf(id);
        _book(owner, _tokens[particulars.token], returned - fee);
        emit Cancelled(id, owner, schedule.end(), returned - fee, fee);
        if (schedule.endsAtStart()) _settle(id, schedule, _meters[id].progress);
    }

    /// @inheritdoc ILeaseEscrow
    function terminate(uint256 id) external {
        address provider = _providers[_particulars[id].provider];
        require(msg.sender == provider, NotLeaseProvider(id, msg.sender));
        Schedule schedule = _shorten(id, ENDING_TERMINATED);
        emit Terminated(id, schedule.end());
        if (schedule.endsAtStart()) _settle(id, schedule, _meters[id].progress);
    }

    /// @dev Moves the end to that of the running epoch, or to the start if the lease has not
    /// started. Reverts unless the lease is open, still ends as rented, and the new end is earlier.
    /// The caller checks who may do this, and settles a lease whose end is its start.
    function _shorten(uint256 id, uint8 ending) private returns (Schedule schedule) {
        schedule = _openSchedule(id);
        require(schedule.ending() == 0, AlreadyEnding(id));
        uint256 end = schedule.start();
        if (block.timestamp >= end) {
            end += ((block.timestamp - end) / schedule.epochLength() + 1) * schedule.epochLength();
        }
        require(end < schedule.end(), NothingToShorten(id, schedule.end()));
        schedule = schedule.shorten(end, ending);
        _meters[id].schedule = schedule;
        emit MetadataUpdate(id);
    }

    /// @dev The part of the payment that no credit can reach after a cancellation, and the cancel
    /// fee out of it. Expects a schedule that was shortened already.
    function _returned(Schedule schedule, uint256 payment, uint256 cancelBps)
        private
        pure
        returns (uint256 returned, uint256 fee)
    {
        returned = LeaseMath.returned(payment, schedule.rate(), schedule.ran(), schedule.committed());
        fee = LeaseMath.portion(returned, cancelBps);
    }

    /// @inheritdoc ILeaseEscrow
    function settle(uint256 id) external {
        Schedule schedule = _openSchedule(id);
        Progress progress = _meters[id].progress;
        uint256 settleAfter = schedule.end() + _oracles[schedule.oracle()].window;
        require(
            progress.credited() >= schedule.committed() || (progress.isLast() && block.timestamp >= schedule.end())
                || block.timestamp >= settleAfter,
            NotSettleable(id, settleAfter)
        );
        _settle(id, schedule, progress);
    }

    /// @dev Books everything that a lease still holds, and ends it. Expects an open lease that may
    /// be settled, with its stored schedule and progress.
    function _settle(uint256 id, Schedule schedule, Progress progress) private {
        _meters[id].progress = progress.settle();
        Funds memory funds = _funds[id];
        Particulars memory particulars = _particulars[id];
        address token = _tokens[particulars.token];
        uint256 locked = _bondAtRenting(funds, particulars);
        // renting added this much
        _pairs[schedule.oracle()][token].exposure -= Fits.u128(funds.payment + locked);
        _collect(id, schedule, progress.credited(), funds.payment, particulars);

        uint256 committed = schedule.committed();
        uint256 refund = funds.payment - LeaseMath.released(funds.payment, progress.credited(), committed);
        uint256 slashed = LeaseMath.slash(locked, progress.due(), progress.credited(), committed, schedule.weightLog2());
        uint256 fee;
        if (schedule.isCancelled()) {
            uint256 returned;
            (returned, fee) = _returned(schedule, funds.payment, particulars.cancelBps);
            uint256 early = returned - fee;
            fee = FixedPointMathLib.min(fee, funds.payment - refund);
            refund -= early + fee;
        } else if (schedule.isTerminated()) {
            uint256 ran = schedule.ran();
            uint256 cut = schedule.duration() - ran;
            slashed += LeaseMath.termination(locked, progress.due(), schedule.rate(), ran, cut);
        }
        slashed = FixedPointMathLib.min(slashed, funds.bond);
        address owner = ownerOf(id);
        _book(owner, token, refund + slashed);
        _book(_providers[particulars.provider], token, funds.bond - slashed + fee);
        emit Settled(id, owner, refund, slashed, funds.bond - slashed, fee);
        emit MetadataUpdate(id);
    }

    /// @dev Reverts unless the lease exists and is not settled.
    function _openSchedule(uint256 id) private view returns (Schedule schedule) {
        schedule = _scheduleOf(id);
        require(!_meters[id].progress.isSettled(), AlreadySettled(id));
    }
}
