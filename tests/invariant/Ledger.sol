// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IERC4907} from "contracts/src/interfaces/IERC4907.sol";
import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Lease} from "contracts/src/interfaces/LeaseTypes.sol";
import {Vm} from "forge-std/Vm.sol";
import {SafeCastLib} from "solady/utils/SafeCastLib.sol";
import {Books} from "tests/invariant/Books.sol";

/// @title Books of the escrow's events
/// @notice From events alone: the holder of each lease, what each account may withdraw, and where
/// each payment and bond went.
abstract contract Ledger is Books {
    using SafeCastLib for uint256;

    bytes32 private constant TRANSFER = keccak256("Transfer(address,address,uint256)");

    /// @dev Events since the last `_hear`.
    struct Heard {
        uint256 skipped;
        uint256 failed;
        uint256 boxes;
    }

    Heard private _heard;

    /// @dev Books the recorded events and returns those about other things.
    function _hear() internal returns (Heard memory heard) {
        _enter();
        heard = _heard;
        delete _heard;
    }

    function _enter() internal override {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i; i < logs.length; ++i) {
            if (logs[i].emitter == address(escrow)) _enterOne(logs[i], logs[i].topics[0]);
        }
    }

    function _enterOne(Vm.Log memory log, bytes32 what) private {
        if (what == ILeaseEscrow.Deposited.selector) {
            entitled[_account(log, 1)][_account(log, 2)] += abi.decode(log.data, (uint256));
        } else if (what == ILeaseEscrow.Withdrawn.selector) {
            entitled[_account(log, 1)][_account(log, 2)] -= abi.decode(log.data, (uint256));
        } else if (what == TRANSFER) {
            uint256 id = uint256(log.topics[3]);
            holder[id] = _account(log, 2);
            delete user[id];
        } else if (what == IERC4907.UpdateUser.selector) {
            user[uint256(log.topics[1])] = User(_account(log, 2), abi.decode(log.data, (uint64)));
        } else if (what == ILeaseEscrow.Boxes.selector) {
            ++_heard.boxes;
        } else if (what == ILeaseEscrow.CreditSkipped.selector) {
            ++_heard.skipped;
        } else if (what == ILeaseEscrow.CallFailed.selector) {
            ++_heard.failed;
        } else if (what == ILeaseEscrow.LastWord.selector) {
            ++_books[uint256(log.topics[1])].lastWords;
        } else {
            _enterMoney(log, what);
        }
    }

    function _enterMoney(Vm.Log memory log, bytes32 what) private {
        if (what == ILeaseEscrow.EpochVoided.selector) _enterVoid(log, uint256(log.topics[1]));
        else if (what == ILeaseEscrow.Collected.selector) _enterCollection(log, uint256(log.topics[1]));
        else if (what == ILeaseEscrow.Cancelled.selector) _enterCancellation(log, uint256(log.topics[1]));
        else if (what == ILeaseEscrow.Terminated.selector) _enterEnd(uint256(log.topics[1]));
        else if (what == ILeaseEscrow.Settled.selector) _enterSettlement(log, uint256(log.topics[1]));
        else if (what == ILeaseEscrow.Claimed.selector) _enterClaim(log, uint256(log.topics[1]));
    }

    function _enterVoid(Vm.Log memory log, uint256 id) private {
        (uint256 toHolder, uint256 toChallenger) = abi.decode(log.data, (uint256, uint256));
        Book storage b = _books[id];
        Lease memory l = b.rented;
        uint32 epoch = uint256(log.topics[2]).toUint32();
        _expect(_isVoided[id][epoch] ? 1 : 0, 0, "an epoch is voided once");
        _isVoided[id][epoch] = true;
        uint256 left = l.bond - b.voided;
        uint256 pay = uint256(l.payment) * l.epochLength / l.duration;
        _expect(toHolder + toChallenger, pay < left ? pay : left, "an epoch's pay, or what is left of the bond");
        _expect(toChallenger, (toHolder + toChallenger) / 4, "a quarter to the challenger");
        b.voided += (toHolder + toChallenger).toUint128();
        b.voidedToHolder += toHolder.toUint128();
        b.held += toHolder.toUint128();
        entitled[_account(log, 3)][l.token] += toChallenger;
    }

    function _enterCollection(Vm.Log memory log, uint256 id) private {
        (, uint256 amount, uint256 fee) = abi.decode(log.data, (uint96, uint256, uint256));
        Book storage b = _books[id];
        b.earned += amount.toUint128();
        b.fees += fee.toUint128();
        entitled[b.rented.provider][b.rented.token] += amount;
        entitled[registry.oracle(b.rented.oracle).payee][b.rented.token] += fee;
    }

    function _enterCancellation(Vm.Log memory log, uint256 id) private {
        (, uint256 returned) = abi.decode(log.data, (uint256, uint256));
        Book storage b = _books[id];
        b.returned = returned.toUint128();
        b.held += returned.toUint128();
        _enterEnd(id);
    }

    function _enterEnd(uint256 id) private {
        ++_books[id].endings;
        _books[id].endedAt = block.timestamp.toUint40();
    }

    function _enterSettlement(Vm.Log memory log, uint256 id) private {
        Book storage b = _books[id];
        _expect(b.settledAs == 0 ? 1 : 0, 1, "settled once");
        (b.refund, b.slashed, b.bondBack, b.capacityFee) = abi.decode(log.data, (uint128, uint128, uint128, uint128));
        b.held += b.refund + b.slashed;
        b.settledAs = _fingerprint(id);
        entitled[b.rented.provider][b.rented.token] += uint256(b.bondBack) + b.capacityFee;
    }

    /// @dev Everything of a lease but what it holds, which a claim empties.
    function _fingerprint(uint256 id) internal view override returns (bytes32) {
        Lease memory l = escrow.lease(id);
        l.held = 0;
        return keccak256(abi.encode(l));
    }

    function _enterClaim(Vm.Log memory log, uint256 id) private {
        Book storage b = _books[id];
        _expect(abi.decode(log.data, (uint256)), b.held, "a claim takes all that is held");
        b.held = 0;
    }

    function _account(Vm.Log memory log, uint256 topic) private pure returns (address) {
        return address(uint160(uint256(log.topics[topic])));
    }

    // ---------------------------------------------------------------- finding leases

    /// @dev The first lease from a random one on that `wanted` accepts, or zero. Skips leases that
    /// were settled before the action.
    function _find(uint256 seed, function(Lease memory) view returns (bool) wanted) internal view returns (uint256) {
        uint256 count = escrow.leaseCount();
        for (uint256 i; i < count; ++i) {
            uint256 id = addmod(seed, i, count) + 1;
            if (!_seen[id].settled && wanted(escrow.lease(id))) return id;
        }
        return 0;
    }

    /// @dev The first lease from a random one on that holds something, settled or not, or zero.
    function _findHolding(uint256 seed) internal view returns (uint256) {
        uint256 count = escrow.leaseCount();
        for (uint256 i; i < count; ++i) {
            uint256 id = addmod(seed, i, count) + 1;
            if (escrow.lease(id).held != 0) return id;
        }
        return 0;
    }

    /// @dev The first settled lease of the oracle from a random one on, or zero.
    function _findSettled(uint256 seed, uint32 oracle) internal view returns (uint256) {
        uint256 count = escrow.leaseCount();
        for (uint256 i; i < count; ++i) {
            uint256 id = addmod(seed, i, count) + 1;
            if (_books[id].settledAs != 0 && _books[id].rented.oracle == oracle) return id;
        }
        return 0;
    }

    function _isOpen(Lease memory l) internal pure returns (bool) {
        return !l.settled;
    }

    function _isRogues(Lease memory l) internal view returns (bool) {
        return l.oracle == _oracleIds[2];
    }

    function _isRunning(Lease memory l) internal view returns (bool) {
        return !l.settled && block.timestamp >= l.start + l.epochLength && !_isRogues(l);
    }

    function _isUnsaid(Lease memory l) internal view returns (bool) {
        return !l.settled && l.lastAt == 0 && block.timestamp >= l.end && !_isRogues(l);
    }

    function _isRenewable(Lease memory l) internal view returns (bool) {
        return !l.settled && l.end >= block.timestamp + 1 minutes;
    }

    function _isCollectable(Lease memory l) internal pure returns (bool) {
        return !l.settled && l.credited > l.collectedWork;
    }

    /// @dev Between two actions a block passes, so that a last word stands.
    function _isSettleable(Lease memory l) internal view returns (bool) {
        return !l.settled
            && ((l.credited == uint256(l.rate) * l.duration && !_isRogues(l))
                || l.lastAt != 0
                || block.timestamp >= l.end + registry.oracle(l.oracle).window);
    }

    function _isShortenable(Lease memory l) internal view returns (bool) {
        return !l.settled && l.ending == 0 && _earliestEnd(l) < l.end;
    }

    /// @dev The end of the running epoch; before the start, the start.
    function _earliestEnd(Lease memory l) internal view returns (uint256 end) {
        end = l.start;
        while (l.start <= block.timestamp && end <= block.timestamp && end < l.end) {
            end += l.epochLength;
        }
    }
}
