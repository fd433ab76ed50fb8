// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Lease, Limits, Offer, Registration, RentRequest, Statement} from "contracts/src/interfaces/LeaseTypes.sol";
import {CommitteeOracle} from "contracts/src/oracles/CommitteeOracle.sol";
import {SafeCastLib} from "solady/utils/SafeCastLib.sol";
import {Ends} from "tests/invariant/Ends.sol";

/// @title The world that the handlers act in
/// @notice An action first brings about what it needs, so no call of a handler is wasted. It notes
/// what it sees and asserts nothing; the invariants do that. Here: time, the governor, intruders,
/// and the end.
contract World is Ends {
    uint256 private _oracleCount;

    function passTime(uint256 seed) external {
        vm.warp(block.timestamp + _draw(seed, "seconds") % 3 hours + 1);
    }

    // ---------------------------------------------------------------- governor

    function pause() external {
        registry.pause();
    }

    /// @notice Delists everything and sets every cap to zero, until somebody has to rent.
    function close() public {
        _openOrClose(false);
        _isClosed = true;
    }

    function setTreasury(uint256 seed) external {
        registry.setTreasury(_treasuries[seed % 2]);
    }

    function registerOracle() external {
        address account = makeAddr(string.concat("oracle ", vm.toString(++_oracleCount)));
        uint32 id = _register(account, WINDOW, 300, account);
        _expect(id, registry.oracleCount(), "a new oracle");
    }

    /// @notice Everything is closed, and open leases go on all the same.
    function freeze(uint256 seed) external {
        uint256 due = _toCollect(seed);
        uint256 over = _toSettle(seed);
        uint256 short = _toShorten(seed);
        uint256 running = _running(seed);
        close();
        registry.pause();
        Offer memory o = _newOffer(seed, _providers[0].addr);
        _forbidden(
            "admission",
            stranger,
            address(registry),
            abi.encodeCall(registry.admit, (o, o.minHashRate, uint40(block.timestamp), 2 * o.epochLength, jobSigner))
        );
        Statement memory s = _say(seed, running);
        _note(s);
        _expect(_tell(escrow.lease(running).oracle, _statements(s)), 0, "a credit while everything is closed");
        if (_isCollectable(escrow.lease(due))) _collectOne(due);
        if (_isShortenable(escrow.lease(short))) {
            if (seed % 2 == 0) _cancelOne(seed, short);
            else _terminateOne(short);
        }
        _settleOne(over);
        if (seed % 4 == 0) pushAll();
    }

    // ---------------------------------------------------------------- intruders

    /// @notice Every action that a stranger, or anybody at the wrong time, must not succeed in.
    function intrude(uint256 seed) external {
        // a lease that can still be ended, or any
        uint256 id = _any(seed, _isShortenable);
        if (_draw(seed, "any") % 2 == 0) id = seed % escrow.leaseCount() + 1;
        bytes32 before = keccak256(abi.encode(escrow.lease(id)));
        address owner = holder[id];
        if (_draw(seed, "lent") % 2 == 0) {
            vm.prank(owner);
            escrow.setUser(id, _users[0], type(uint64).max);
        }
        _intrudeOnLease(id, escrow.lease(id), owner);
        _intrudeOnClaims(id, escrow.lease(id), owner);
        _intrudeOnToken(id, owner);
        _intrudeOnMoney(seed, id, escrow.lease(id));
        _intrudeAsProvider(seed);
        _intrudeAsCommittee(seed, id);
        _intrudeAsGovernor();
        if (keccak256(abi.encode(escrow.lease(id))) != before) intrusions.push("lease");
        if (escrow.ownerOf(id) != owner) intrusions.push("owner");
    }

    function _forbidden(string memory what, address who, address target, bytes memory data) private {
        _enter();
        vm.prank(who);
        (bool isAccepted,) = target.call(data);
        if (isAccepted) {
            intrusions.push(what);
            return;
        }
        ++_actions[_indexOf[msg.sig] - 1].refused;
        // the recorder also has the events that were undone
        vm.getRecordedLogs();
    }

    function _refused(string memory what, address who, bytes memory data) private {
        _forbidden(what, who, address(escrow), data);
    }

    function _intrudeOnLease(uint256 id, Lease memory l, address owner) private {
        bytes memory cancelling = abi.encodeCall(escrow.cancel, (id));
        bytes memory terminating = abi.encodeCall(escrow.terminate, (id));
        bytes memory voiding = abi.encodeCall(escrow.voidEpoch, (id, 0, stranger));
        _refused("stranger cancels", stranger, cancelling);
        _refused("user cancels", _users[0], cancelling);
        _refused("provider cancels", l.provider, cancelling);
        _refused("stranger terminates", stranger, terminating);
        _refused("owner terminates", owner, terminating);
        if (!_isShortenable(l)) {
            _refused("cancels twice or too late", owner, cancelling);
            _refused("terminates twice or too late", l.provider, terminating);
        }
        if (!_isSettleable(l)) _refused("settles early", owner, abi.encodeCall(escrow.settle, (id)));
        if (!_isCollectable(l)) _refused("collects nothing", l.provider, abi.encodeCall(escrow.collect, (id)));
        _refused("owner voids", owner, voiding);
        _refused("provider voids", l.provider, voiding);
        if (!_isRogues(l)) _refused("another's oracle voids", address(_rogue), voiding);
        if (!_isRogues(l) || l.settled || lens.isVoid(id, 0)) {
            _refused("a committee voids, or twice", registry.oracle(l.oracle).account, voiding);
        }
        Statement[] memory s = _statements(_entry(id, l.end, type(uint96).max, type(uint96).max, true));
        _refused("stranger credits", stranger, abi.encodeCall(escrow.credit, (s)));
    }

    function _intrudeOnClaims(uint256 id, Lease memory l, address owner) private {
        _refused("stranger claims", stranger, abi.encodeCall(escrow.claim, (_only(id), stranger)));
        _refused("user claims", _users[0], abi.encodeCall(escrow.claim, (_only(id), _users[0])));
        _refused("provider claims", l.provider, abi.encodeCall(escrow.claim, (_only(id), l.provider)));
        if (l.held == 0) _refused("claims nothing", owner, abi.encodeCall(escrow.claim, (_only(id), owner)));
        if (block.timestamp < l.end + registry.oracle(l.oracle).window + 180 days) {
            _refused("pushed early", stranger, abi.encodeCall(escrow.claimFor, (_only(id))));
        }
    }

    function _intrudeOnToken(uint256 id, address owner) private {
        address controller = _controller(id);
        bytes memory boxes = abi.encodeCall(escrow.setBoxes, (id, "", ""));
        _refused("stranger takes", stranger, abi.encodeCall(escrow.transferFrom, (owner, stranger, id)));
        _refused("user takes", _users[0], abi.encodeCall(escrow.transferFrom, (owner, _users[0], id)));
        _refused("user names a user", _users[1], abi.encodeCall(escrow.setUser, (id, _users[1], type(uint64).max)));
        _refused("stranger redirects", stranger, boxes);
        if (controller != owner) _refused("owner redirects", owner, boxes);
        for (uint256 i; i < 2; ++i) {
            if (controller != _users[i]) _refused("former user redirects", _users[i], boxes);
        }
    }

    function _intrudeOnMoney(uint256 seed, uint256 id, Lease memory l) private {
        uint128 own = SafeCastLib.toUint128(escrow.balance(stranger, l.token));
        _refused("stranger withdraws", stranger, abi.encodeCall(escrow.withdraw, (l.token, stranger, own + 1)));
        own = SafeCastLib.toUint128(escrow.balance(l.provider, l.token));
        _refused("bond withdrawn", l.provider, abi.encodeCall(escrow.withdraw, (l.token, l.provider, own + 1)));
        own = SafeCastLib.toUint128(escrow.balance(stranger, address(_wrapped)));
        _refused("unwrapped", stranger, abi.encodeCall(escrow.withdrawNative, (stranger, own + 1)));
        if (tokens[seed % TOKENS].balanceOf(address(escrow)) <= escrow.liabilities(address(tokens[seed % TOKENS]))) {
            _refused(
                "recovers debts", stranger, abi.encodeCall(escrow.recoverSurplus, (address(tokens[seed % TOKENS])))
            );
        }
        // all or nothing
        bytes[] memory calls = new bytes[](2);
        calls[0] = abi.encodeCall(escrow.withdrawFor, (l.token, l.provider));
        calls[1] = abi.encodeCall(escrow.cancel, (id));
        _refused("half a batch", stranger, abi.encodeCall(escrow.batch, (calls, true)));
        vm.prank(stranger);
        (bool isTaken,) = address(escrow).call{value: 1}("");
        if (isTaken) intrusions.push("native currency that nobody asked for");
    }

    function _intrudeAsProvider(uint256 seed) private {
        _reopen();
        Offer memory o = _newOffer(seed, _providers[0].addr);
        RentRequest memory r = _request();
        (r.hashRate, r.start, r.duration) = (o.minHashRate, uint40(block.timestamp + o.notice), 2 * o.epochLength);
        o.bondBps = o.cancelBps = 0;
        bytes memory signature = _signature(_providers[1].key, lens.offerDigest(o));
        _refused("forged", stranger, abi.encodeCall(escrow.rent, (o, signature, new bytes32[](0), r)));
        signature = _signature(_providers[0].key, lens.offerDigest(o));
        _refused("not in the tree", stranger, abi.encodeCall(escrow.rent, (o, signature, new bytes32[](1), r)));
        _refused("another's offer", stranger, abi.encodeCall(escrow.cancelOffer, (o)));
        r.hashRate = o.hashRate + 1;
        _refused("more than offered", stranger, abi.encodeCall(escrow.rent, (o, signature, new bytes32[](0), r)));
        r.hashRate = o.hashRate;
        ++o.counter;
        signature = _signature(_providers[0].key, lens.offerDigest(o));
        _refused("another counter", stranger, abi.encodeCall(escrow.rent, (o, signature, new bytes32[](0), r)));
    }

    function _intrudeAsCommittee(uint256 seed, uint256 id) private {
        Statement[] memory s = _statements(_entry(id, block.timestamp, type(uint96).max, type(uint96).max, true));
        s[0].evidence = bytes32(seed);
        bytes memory two = _signatures(committee, s, 0, 2);
        bytes memory one = _signatures(majority, s, 2, 3);
        _forbidden("two of three", stranger, address(committee), abi.encodeCall(committee.submit, (s, two)));
        _forbidden("one of two", stranger, address(majority), abi.encodeCall(majority.submit, (s, one)));
        bytes memory twice = bytes.concat(one, one);
        _forbidden("one twice", stranger, address(majority), abi.encodeCall(majority.submit, (s, twice)));
        bytes memory unknown = abi.encodeCall(CommitteeOracle.submitFromRoot, (s[0], new bytes32[](0)));
        _forbidden("unknown root", stranger, address(majority), unknown);
        _forbidden("key", stranger, address(majority), abi.encodeCall(CommitteeOracle.replaceKey, (stranger)));
    }

    function _intrudeAsGovernor() private {
        address target = address(registry);
        _forbidden("list", stranger, target, abi.encodeCall(registry.listToken, (stranger, true)));
        _forbidden("delist", stranger, target, abi.encodeCall(registry.listOracle, (committeeId, false)));
        _forbidden("cap", stranger, target, abi.encodeCall(registry.setLimits, (1, address(token), Limits(0, 0))));
        Registration memory registration = _registration(stranger, WINDOW, 0, payee);
        _forbidden("register", stranger, target, abi.encodeCall(registry.registerOracle, (registration)));
        _forbidden("pause", stranger, target, abi.encodeCall(registry.pause, ()));
        _forbidden("unpause", stranger, target, abi.encodeCall(registry.unpause, ()));
        _forbidden("treasury", stranger, target, abi.encodeCall(registry.setTreasury, (stranger)));
        bytes memory wrap = abi.encodeCall(registry.setWrappedNative, (address(token)));
        _forbidden("wrapped", stranger, target, wrap);
        _forbidden("wrapped twice", address(this), target, wrap);
    }

    // ---------------------------------------------------------------- the end

    /// @notice After every deadline, with everything closed and paused, every committee gone and
    /// the rogue oracle silent, everybody gets out.
    function windUp() external {
        vm.recordLogs();
        close();
        for (uint256 i; i < 3; ++i) {
            vm.startPrank(memberOwners[i]);
            committee.replaceKey(address(0));
            majority.replaceKey(address(0));
            vm.stopPrank();
        }
        uint256 count = escrow.leaseCount();
        for (uint256 id = 1; id <= count; ++id) {
            Lease memory l = escrow.lease(id);
            if (l.settled) continue;
            _timeIs(l.end + registry.oracle(l.oracle).window);
            registry.pause();
            _settleOne(id);
        }
        for (uint256 id = 1; id <= count; ++id) {
            Lease memory l = escrow.lease(id);
            if (l.held == 0) continue;
            if (id % 4 == 0) {
                _timeIs(l.end + registry.oracle(l.oracle).window + 180 days);
                _pushOne(id);
            } else {
                _claimAs(holder[id], id);
            }
        }
        pushAll();
        for (uint256 t; t < TOKENS; ++t) {
            _reconcile(t, accounts());
        }
        _enter();
    }
}
