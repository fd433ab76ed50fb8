// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Lease, Statement} from "contracts/src/interfaces/LeaseTypes.sol";
import {CommitteeOracle} from "contracts/src/oracles/CommitteeOracle.sol";
import {SafeCastLib} from "solady/utils/SafeCastLib.sol";
import {Rents} from "tests/invariant/Rents.sol";

/// @title Oracles' statements
abstract contract Credits is Rents {
    struct Posted {
        uint32 oracle;
        Statement statement;
        bytes32 sibling;
    }

    /// @dev Statements under a posted root that are not credited yet.
    Posted[] private _posted;
    /// @dev The oracle whose lease is looked for.
    uint32 private _wanted;

    // ---------------------------------------------------------------- statements

    /// @dev Any figures at the end of a random epoch that is over; sometimes far more than can be
    /// true.
    function _say(uint256 seed, uint256 id) internal view returns (Statement memory s) {
        Lease memory l = escrow.lease(id);
        uint256 over = (block.timestamp < l.end ? block.timestamp : l.end) - l.start;
        uint256 epochs = _draw(seed, "epoch") % (over / l.epochLength) + 1;
        uint256 promised = uint256(l.rate) * epochs * l.epochLength;
        s.lease = id;
        s.asOf = SafeCastLib.toUint40(l.start + epochs * l.epochLength);
        s.work = uint96(_draw(seed, "work") % (promised * 3 / 2) + 1);
        s.due = uint96(_draw(seed, "due") % (promised * 3 / 2));
        if (_draw(seed, "lie") % 16 == 0) s.work = type(uint96).max;
        if (_draw(seed, "wrong") % 16 == 0) s.due = type(uint96).max;
        s.evidence = bytes32(seed);
        s.last = _draw(seed, "last") % 4 == 0;
    }

    function _note(Statement memory s) internal {
        Book storage b = _books[s.lease];
        if (s.work > b.stated) b.stated = s.work;
        if (s.due > b.statedDue) b.statedDue = s.due;
    }

    /// @dev Credits as the oracle `oracleId`, with as many signatures as it takes. Entries of other
    /// oracles' leases are skipped. Returns how many were.
    function _tell(uint32 oracleId, Statement[] memory s) internal returns (uint256) {
        _hear();
        if (oracleId == _oracleIds[2]) {
            // refused whole if none of the leases is its own
            try _rogue.credit(s) {}
            catch (bytes memory reason) {
                bytes memory error = abi.encodeWithSelector(ILeaseEscrow.NoLeaseOracle.selector, address(_rogue));
                _expect(uint256(keccak256(reason)), uint256(keccak256(error)), "a refused batch");
            }
        } else {
            CommitteeOracle oracle = _committeeOf(oracleId);
            bytes memory signatures = _signaturesOf(oracleId, oracle.batchDigest(s));
            vm.prank(stranger);
            oracle.submit(s, signatures);
        }
        return _hear().skipped;
    }

    function _committeeOf(uint32 oracleId) internal view returns (CommitteeOracle) {
        return oracleId == committeeId ? committee : majority;
    }

    function _signaturesOf(uint32 oracleId, bytes32 digest) private view returns (bytes memory all) {
        for (uint256 i = oracleId == committeeId ? 0 : 1; i < 3; ++i) {
            all = bytes.concat(all, _signature(members[i].key, digest));
        }
    }

    // ---------------------------------------------------------------- committees

    function _isRunningOfWanted(Lease memory l) private view returns (bool) {
        return l.oracle == _wanted && !l.settled && block.timestamp >= l.start + l.epochLength;
    }

    function _isOfOther(Lease memory l) private view returns (bool) {
        return l.oracle != _wanted;
    }

    /// @dev A lease of a committee with an epoch that is over.
    function _running(uint256 seed) internal returns (uint256 id) {
        id = _find(seed, _isRunning);
        while (id == 0) {
            id = rent(seed);
            Lease memory l = escrow.lease(id);
            if (_isRogues(l)) (id, seed) = (0, _draw(seed, "again"));
            else _timeIs(l.start + l.epochLength);
        }
        _wanted = escrow.lease(id).oracle;
    }

    function creditBatch(uint256 seed) external {
        uint256 first = _running(seed);
        Statement[] memory s = new Statement[](4);
        for (uint256 i; i < 4; ++i) {
            uint256 next = _draw(seed, vm.toString(i));
            s[i] = _say(next, i < 2 ? first : _find(next, _isRunningOfWanted));
            _note(s[i]);
        }
        _expect(_tell(_wanted, s), 0, "a good statement is never skipped");
    }

    function sayLast(uint256 seed) external {
        uint256 id = _find(seed, _isUnsaid);
        if (id == 0) id = _running(seed);
        Lease memory l = escrow.lease(id);
        _timeIs(l.end);
        Statement[] memory s = _statements(_say(seed, id));
        (s[0].asOf, s[0].last) = (l.end, true);
        _note(s[0]);
        _expect(_tell(l.oracle, s), 0, "a good statement is never skipped");
        _expect(escrow.lease(id).lastAt == 0 ? 0 : 1, 1, "last");
    }

    /// @notice A batch in which only the middle entry is good.
    function creditBadly(uint256 seed) external {
        uint256 id = _running(seed);
        Lease memory l = escrow.lease(id);
        uint256 foreign = _find(seed, _isOfOther);
        uint256 settled = _findSettled(seed, _wanted);
        Statement[] memory s = new Statement[](6);
        for (uint256 i; i < 6; ++i) {
            s[i] = _say(_draw(seed, vm.toString(i)), id);
        }
        s[0].lease = foreign == 0 ? escrow.leaseCount() + 1 : foreign;
        s[1].asOf = l.end + l.epochLength;
        s[2].asOf = l.start;
        _note(s[3]);
        s[4].asOf += 1;
        s[5].lease = settled;
        if (settled != 0) s[5].asOf = escrow.lease(settled).end;
        (s[5].work, s[5].due, s[5].last) = (type(uint96).max, type(uint96).max, true);
        _expect(_tell(l.oracle, s), 5, "bad statements are skipped");
    }

    /// @notice A root over two statements of one lease.
    function postRoot(uint256 seed) public {
        uint256 id = _running(seed);
        Statement memory a = _say(_draw(seed, "a"), id);
        Statement memory b = _say(_draw(seed, "b"), id);
        (bytes32 leafA, bytes32 leafB) = (_leaf(a), _leaf(b));
        bytes32 root = _pairOf(leafA, leafB);
        CommitteeOracle oracle = _committeeOf(_wanted);
        bytes memory signatures = _signaturesOf(_wanted, oracle.rootDigest(root));
        vm.prank(stranger);
        oracle.postRoot(root, signatures);
        _posted.push(Posted(_wanted, a, leafB));
        _posted.push(Posted(_wanted, b, leafA));
    }

    function _leaf(Statement memory s) private pure returns (bytes32) {
        bytes32 typehash =
            keccak256("Statement(uint256 lease,uint40 asOf,uint96 work,uint96 due,bytes32 evidence,bool last)");
        return keccak256(abi.encode(keccak256(abi.encode(typehash, s))));
    }

    /// @notice At any time: by then the lease may be settled or end earlier.
    function creditFromRoot(uint256 seed) external {
        if (_posted.length == 0) postRoot(seed);
        uint256 at = _draw(seed, "which") % _posted.length;
        Posted memory p = _posted[at];
        _posted[at] = _posted[_posted.length - 1];
        _posted.pop();
        Lease memory l = escrow.lease(p.statement.lease);
        bool isLate = l.settled || p.statement.asOf > l.end;
        if (!isLate) _note(p.statement);
        bytes32[] memory proof = new bytes32[](1);
        proof[0] = p.sibling;
        _hear();
        vm.prank(stranger);
        _committeeOf(p.oracle).submitFromRoot(p.statement, proof);
        _expect(_hear().skipped, isLate ? 1 : 0, "skipped only when it comes too late");
    }

    // ---------------------------------------------------------------- the rogue oracle

    /// @notice Anything about anybody's leases. Its own leases accept any figures.
    function creditRoguely(uint256 seed) external {
        uint256 count = escrow.leaseCount();
        if (count == 0) count = rent(seed);
        Statement[] memory s = new Statement[](5);
        for (uint256 i; i < 5; ++i) {
            uint256 draw = _draw(seed, vm.toString(i));
            s[i].lease = _draw(draw, "lease") % (count + 2);
            if (s[i].lease != 0 && s[i].lease <= count) {
                Lease memory l = escrow.lease(s[i].lease);
                s[i].asOf = l.start + uint40(_draw(draw, "epoch") % 16) * l.epochLength;
                if (_isRogues(l)) _books[s[i].lease].stated = _books[s[i].lease].statedDue = type(uint96).max;
            }
            s[i].work = draw % 3 == 0 ? type(uint96).max : uint96(10 ** (draw % 20));
            s[i].due = _draw(draw, "all due") % 2 == 0 ? type(uint96).max : uint96(10 ** (_draw(draw, "due") % 20));
            s[i].last = draw % 2 == 0;
        }
        _tell(_oracleIds[2], s);
    }

    function _isVoidable(Lease memory l) private view returns (bool) {
        return _isRogues(l) && !l.settled && l.end > l.start;
    }

    /// @notice Voids one epoch of its own lease, or all that remain, over or not.
    function voidRoguely(uint256 seed) external {
        uint256 id = _find(seed, _isVoidable);
        if (id == 0 || _firstValid(id) == _epochs(id)) id = rentOfRogue(seed);
        address[] memory all = accounts();
        address challenger = all[_draw(seed, "challenger") % all.length];
        uint32 epochs = _epochs(id);
        bool isGreedy = _draw(seed, "greedy") % 4 == 0;
        for (uint32 epoch = _firstValid(id); epoch < epochs; ++epoch) {
            if (lens.isVoid(id, epoch)) continue;
            _rogue.voidEpoch(id, epoch, challenger);
            _expect(lens.isVoid(id, epoch) ? 1 : 0, 1, "void");
            if (!isGreedy) return;
        }
    }

    function _epochs(uint256 id) private view returns (uint32) {
        Lease memory l = escrow.lease(id);
        return uint32(l.end - l.start) / l.epochLength;
    }

    /// @dev The first epoch that is not void, or the number of epochs.
    function _firstValid(uint256 id) private view returns (uint32 epoch) {
        uint32 epochs = _epochs(id);
        while (epoch < epochs && lens.isVoid(id, epoch)) {
            ++epoch;
        }
    }
}
