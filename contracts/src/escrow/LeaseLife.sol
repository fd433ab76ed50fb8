// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Claims} from "contracts/src/escrow/Claims.sol";
import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {ENDING_CANCELLED, ENDING_TERMINATED, Statement} from "contracts/src/interfaces/LeaseTypes.sol";
import {Fits} from "contracts/src/libraries/Fits.sol";
import {LeaseMath} from "contracts/src/libraries/LeaseMath.sol";
import {Progress, Schedule} from "contracts/src/libraries/Packed.sol";
import {Settlement, Split, Stakes} from "contracts/src/libraries/Settlement.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

/// @title From the first credit to the settlement
/// @notice Nothing here calls another contract. `credit` writes only the lease; `collect` and
/// `settle` book the provider's and the payee's balances; what is the holder's stays in the lease.
abstract contract LeaseLife is Claims {
    uint256 private constant MAX_BATCH = 100;
    /// @dev Bytes of a statement.
    uint256 private constant ENTRY = 0xc0;
    /// @dev Outcomes of an entry beside the selectors of errors.
    bytes4 private constant BOOKED = 0x00000000;
    bytes4 private constant NOTHING_NEW = 0x00000001;
    /// @dev No oracle's id.
    uint256 private constant UNKNOWN = type(uint256).max;

    // ---------------------------------------------------------------- credit

    /// @inheritdoc ILeaseEscrow
    function credit(Statement[] calldata statements) external returns (uint256 changed, uint256 skipped) {
        require(statements.length <= MAX_BATCH, BatchTooLong(MAX_BATCH, statements.length));
        uint256 lowest = type(uint256).max;
        uint256 highest;
        // the caller's oracle, known once an entry matched it; most batches concern one oracle
        uint256 own = UNKNOWN;
        unchecked {
            for (uint256 i; i < statements.length; ++i) {
                Statement calldata entry = _entry(statements, i);
                bytes4 outcome;
                (own, outcome) = _creditOne(entry, own);
                uint256 id = entry.lease;
                if (outcome == BOOKED) {
                    changed |= 2 ** i;
                    if (id < lowest) lowest = id;
                    if (id > highest) highest = id;
                } else if (outcome != NOTHING_NEW) {
                    skipped |= 2 ** i;
                    emit CreditSkipped(id, outcome);
                }
            }
        }
        // nobody but the oracles of leases leaves a trace
        require(own != UNKNOWN, NoLeaseOracle(msg.sender));
        // one event for the range: one per lease would cost more than the figures themselves
        if (highest != 0) emit BatchMetadataUpdate(lowest, highest);
    }

    /// @dev Without the bounds check of an index: the caller counts.
    function _entry(Statement[] calldata statements, uint256 i) private pure returns (Statement calldata entry) {
        assembly ("memory-safe") {
            entry := add(statements.offset, mul(i, ENTRY))
        }
    }

    /// @param own The oracle that the caller is known to be, or `UNKNOWN`.
    /// @return The same, known better if this entry's lease is the caller's.
    /// @return `BOOKED`, `NOTHING_NEW`, or the selector of the error that names why it was skipped.
    function _creditOne(Statement calldata entry, uint256 own) private returns (uint256, bytes4) {
        Meter storage meter = _meters[entry.lease];
        Schedule schedule = meter.schedule;
        uint32 oracle = schedule.oracle();
        if (oracle != own) {
            if (oracle == 0) return (own, UnknownLease.selector);
            if (_oracles[oracle].account != msg.sender) return (own, NotLeaseOracle.selector);
            own = oracle;
        }
        return (own, _advance(meter, schedule, entry));
    }

    /// @dev Expects the lease's stored schedule and a caller that is its oracle. Each figure
    /// becomes the larger of old and new. All fit 96 bits: an entry's figures are of that type, and
    /// `rate × elapsed` is at most `committed`.
    function _advance(Meter storage meter, Schedule schedule, Statement calldata entry) private returns (bytes4) {
        Progress progress = meter.progress;
        (uint256 asOf, uint256 work, uint256 due, bool last) = _figures(entry);
        if (!_isTimely(schedule, progress, asOf)) return _untimely(schedule, progress, asOf);
        unchecked {
            uint256 promised = schedule.rate() * (asOf - schedule.start());
            if (due > promised) due = promised;
            uint256 cap = LeaseMath.creditCap(promised, schedule.committed());
            if (work > cap) work = cap;
        }
        if (work < progress.credited()) work = progress.credited();
        if (due < progress.due()) due = progress.due();
        last = last && asOf == schedule.end() && !progress.isLast();
        if (asOf < progress.time()) asOf = progress.time();
        Progress next = progress.advance(work, due, asOf);
        if (last) next = next.sayLast(block.timestamp);
        // slither-disable-next-line incorrect-equality
        if (Progress.unwrap(next) == Progress.unwrap(progress)) return NOTHING_NEW;
        meter.progress = next;
        // once the last word was said, the time is that of the word
        _report(entry, work, due, FixedPointMathLib.min(asOf, schedule.end()));
        if (last) emit LastWord(entry.lease);
        return BOOKED;
    }

    /// @dev Whether an open lease can have figures as of this time: all conditions at once.
    function _isTimely(Schedule schedule, Progress progress, uint256 asOf) private view returns (bool timely) {
        (uint256 start, uint256 end, uint256 epochLength) = (schedule.start(), schedule.end(), schedule.epochLength());
        bool settled = progress.isSettled();
        assembly ("memory-safe") {
            let outside := or(or(gt(asOf, timestamp()), gt(asOf, end)), iszero(gt(asOf, start)))
            timely := iszero(or(or(settled, outside), mod(sub(asOf, start), epochLength)))
        }
    }

    /// @dev The first condition of `_isTimely` that does not hold.
    function _untimely(Schedule schedule, Progress progress, uint256 asOf) private view returns (bytes4) {
        if (progress.isSettled()) return AlreadySettled.selector;
        if (asOf > block.timestamp) return AsOfInFuture.selector;
        return asOf > schedule.end() ? AsOfAfterEnd.selector : AsOfNotEpochEnd.selector;
    }

    /// @dev One check of all unused bits instead of one for each figure.
    function _figures(Statement calldata entry)
        private
        pure
        returns (uint256 asOf, uint256 work, uint256 due, bool last)
    {
        assembly ("memory-safe") {
            asOf := calldataload(add(entry, 0x20))
            work := calldataload(add(entry, 0x40))
            due := calldataload(add(entry, 0x60))
            last := calldataload(add(entry, 0xa0))
            if or(or(shr(40, asOf), shr(96, or(work, due))), shr(1, last)) { revert(0, 0) }
        }
    }

    /// @dev `Credited`, written as it is encoded.
    function _report(Statement calldata entry, uint256 work, uint256 due, uint256 asOf) private {
        bytes32 topic = Credited.selector;
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore(data, work)
            mstore(add(data, 0x20), due)
            mstore(add(data, 0x40), asOf)
            // evidence
            calldatacopy(add(data, 0x60), add(entry, 0x80), 0x20)
            log2(data, 0x80, topic, calldataload(entry))
        }
    }

    /// @inheritdoc ILeaseEscrow
    function voidEpoch(uint256 id, uint32 epoch, address challenger) external {
        Schedule schedule = _openSchedule(id);
        PinnedOracle storage pinned = _oracles[schedule.oracle()];
        require(pinned.account == msg.sender, NotLeaseOracle(id, msg.sender));
        require(pinned.voids, OracleNeverVoids(schedule.oracle()));
        require(challenger != address(0), ZeroAddress());
        uint256 epochs = schedule.ran() / schedule.epochLength();
        require(epoch < epochs, EpochOutOfBounds(epochs, epoch));
        uint256 bit = 2 ** (epoch & 0xff);
        uint256 void = _void[id][epoch >> 8];
        require(void & bit == 0, EpochIsVoid(id, epoch));
        _void[id][epoch >> 8] = void | bit;

        uint256 taken = _takeEpochPay(id, schedule);
        uint256 toChallenger = taken / 4;
        _hold(id, _funds[id], taken - toChallenger);
        _book(challenger, _tokens[_particulars[id].token], toChallenger);
        emit EpochVoided(id, epoch, challenger, taken - toChallenger, toChallenger);
        emit MetadataUpdate(id);
    }

    /// @dev Counts one more void epoch, and returns what it costs of the bond.
    function _takeEpochPay(uint256 id, Schedule schedule) private returns (uint256) {
        Progress progress = _meters[id].progress;
        _meters[id].progress = progress.addVoid();
        Stakes memory stakes = _stakes(schedule, _funds[id], _particulars[id]);
        uint256 left = Settlement.bondLeft(schedule, progress, stakes);
        return FixedPointMathLib.min(left, Settlement.epochPay(schedule, stakes.payment));
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
    /// collected.
    function _collect(uint256 id, Schedule schedule, uint96 credited, uint256 payment, Particulars memory particulars)
        private
    {
        uint96 collected = _getExtraData(id);
        if (credited == collected) return;
        _setExtraData(id, credited);
        PinnedOracle storage pinned = _oracles[schedule.oracle()];
        (uint256 amount, uint256 fee) = Settlement.collection(schedule, payment, credited, collected, pinned.feeBps);
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
        Funds memory funds = _funds[id];
        uint256 returned = Settlement.early(schedule, _stakes(schedule, funds, _particulars[id]));
        _hold(id, funds, returned);
        emit Cancelled(id, schedule.end(), returned);
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

    /// @inheritdoc ILeaseEscrow
    function settle(uint256 id) external {
        Schedule schedule = _openSchedule(id);
        Progress progress = _meters[id].progress;
        PinnedOracle storage pinned = _oracles[schedule.oracle()];
        uint256 settleAfter = schedule.end() + pinned.window;
        require(
            block.timestamp >= settleAfter || _isFinal(progress)
                || (progress.credited() >= schedule.committed() && !pinned.voids),
            NotSettleable(id, settleAfter)
        );
        _settle(id, schedule, progress);
    }

    /// @dev The last word is of the lease's end. It has to stand for a block, so that a higher
    /// statement beside it is not lost.
    function _isFinal(Progress progress) private view returns (bool) {
        return progress.isLast() && block.timestamp > progress.time();
    }

    /// @dev Books everything that a lease still holds, and ends it. Expects an open lease that may
    /// be settled, with its stored schedule and progress.
    function _settle(uint256 id, Schedule schedule, Progress progress) private {
        _meters[id].progress = progress.settle();
        Funds memory funds = _funds[id];
        Particulars memory particulars = _particulars[id];
        Stakes memory stakes = _stakes(schedule, funds, particulars);
        address token = _tokens[particulars.token];
        // renting added this much
        _pairs[schedule.oracle()][token].exposure -= Fits.u128(stakes.payment + Settlement.locked(stakes));
        _collect(id, schedule, progress.credited(), stakes.payment, particulars);
        Split memory split = Settlement.split(schedule, progress, stakes);
        // a cancellation moved its part already
        uint256 refund = split.refund - Settlement.early(schedule, stakes);
        _hold(id, funds, refund + split.slashed);
        _book(_providers[particulars.provider], token, split.bond + split.fee);
        emit Settled(id, refund, split.slashed, split.bond, split.fee);
        emit MetadataUpdate(id);
    }

    /// @dev Reverts unless the lease exists and is not settled.
    function _openSchedule(uint256 id) private view returns (Schedule schedule) {
        schedule = _scheduleOf(id);
        require(!_meters[id].progress.isSettled(), AlreadySettled(id));
    }
}
