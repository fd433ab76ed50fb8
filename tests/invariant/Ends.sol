// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Lease, Statement} from "contracts/src/interfaces/LeaseTypes.sol";
import {ERC20} from "solady/tokens/ERC20.sol";
import {Credits} from "tests/invariant/Credits.sol";

/// @title Collecting, ending early and settling
abstract contract Ends is Credits {
    // ---------------------------------------------------------------- collect

    function collect(uint256 seed) external {
        _collectOne(_toCollect(seed));
    }

    function _toCollect(uint256 seed) internal returns (uint256 id) {
        id = _find(seed, _isCollectable);
        if (id != 0) return id;
        id = rent(seed);
        Lease memory l = escrow.lease(id);
        _timeIs(l.start + l.epochLength);
        Statement memory s = _say(seed, id);
        _note(s);
        _tell(l.oracle, _statements(s));
    }

    function _collectOne(uint256 id) internal {
        vm.prank(stranger);
        escrow.collect(id);
        Lease memory l = escrow.lease(id);
        _expect(l.collectedWork, l.credited, "all is collected");
    }

    // ---------------------------------------------------------------- cancel and terminate

    /// @dev At any moment, mostly while the lease runs.
    function _toShorten(uint256 seed) internal returns (uint256 id) {
        id = _any(seed, _isShortenable);
        Lease memory l = escrow.lease(id);
        if (_draw(seed, "runs") % 4 == 0) return id;
        _timeIs(l.start + _draw(seed, "moment") % (l.duration - l.epochLength));
    }

    function cancel(uint256 seed) external {
        _cancelOne(seed, _toShorten(seed));
    }

    function _cancelOne(uint256 seed, uint256 id) internal {
        uint256 end = _earliestEnd(escrow.lease(id));
        address owner = holder[id];
        vm.prank(owner);
        if (_draw(seed, "by") % 2 == 0) {
            escrow.approve(_clerk, id);
            vm.prank(_clerk);
        }
        escrow.cancel(id);
        _checkEnd(id, end, 1);
    }

    function terminate(uint256 seed) external {
        _terminateOne(_toShorten(seed));
    }

    function _terminateOne(uint256 id) internal {
        Lease memory l = escrow.lease(id);
        uint256 end = _earliestEnd(l);
        vm.prank(l.provider);
        escrow.terminate(id);
        _checkEnd(id, end, 2);
    }

    function _checkEnd(uint256 id, uint256 end, uint256 ending) private {
        Lease memory l = escrow.lease(id);
        _expect(l.end, end, "ends with the running epoch");
        _expect(l.ending, ending, "how it ends");
        _expect(l.settled ? 1 : 0, l.end == l.start ? 1 : 0, "settled at once before the start");
    }

    // ---------------------------------------------------------------- claim

    function claim(uint256 seed) external {
        uint256 id = _findHolding(seed);
        if (id == 0) {
            id = _toShorten(seed);
            _cancelOne(seed, id);
            // booked at the time at which it happened
            _enter();
            // little may return; after the window everything does
            Lease memory l = escrow.lease(id);
            _timeIs(l.end + registry.oracle(l.oracle).window);
            if (!l.settled) _settleOne(id);
            if (escrow.lease(id).held == 0) return;
        }
        address by = holder[id];
        if (_draw(seed, "by") % 2 == 0) {
            vm.prank(by);
            escrow.approve(_clerk, id);
            by = _clerk;
        }
        _claimAs(by, id);
    }

    function _claimAs(address by, uint256 id) internal {
        Lease memory l = escrow.lease(id);
        address to = _newPurse();
        vm.prank(by);
        if (l.token == address(_wrapped) && id % 2 == 0) {
            escrow.claimNative(_only(id), to);
            _expect(to.balance, l.held, "claimed unwrapped");
        } else {
            escrow.claim(_only(id), to);
            _expect(ERC20(l.token).balanceOf(to), l.held, "claimed");
        }
        _expect(escrow.lease(id).held, 0, "nothing is held any more");
    }

    /// @dev To the owner, whoever calls.
    function _pushOne(uint256 id) internal {
        Lease memory l = escrow.lease(id);
        uint256 before = ERC20(l.token).balanceOf(holder[id]);
        vm.prank(stranger);
        escrow.claimFor(_only(id));
        _expect(ERC20(l.token).balanceOf(holder[id]), before + l.held, "pushed to the owner");
    }

    // ---------------------------------------------------------------- settle

    function settle(uint256 seed) external {
        _settleOne(_toSettle(seed));
    }

    function _toSettle(uint256 seed) internal returns (uint256 id) {
        id = _find(seed, _isSettleable);
        if (id != 0) return id;
        id = _any(seed, _isOpen);
        Lease memory l = escrow.lease(id);
        _timeIs(l.end + registry.oracle(l.oracle).window);
    }

    function _settleOne(uint256 id) internal {
        vm.prank(stranger);
        escrow.settle(id);
        _expect(escrow.lease(id).settled ? 1 : 0, 1, "settled");
    }

    /// @notice Good and bad calls in one batch: the good ones take effect.
    function settleMany(uint256 seed) external {
        uint256 over = _toSettle(seed);
        uint256 due = _toCollect(seed);
        bytes[] memory calls = new bytes[](5);
        calls[0] = abi.encodeCall(escrow.settle, (over));
        calls[1] = abi.encodeCall(escrow.settle, (over));
        calls[2] = abi.encodeCall(escrow.collect, (escrow.leaseCount() + 1));
        calls[3] = abi.encodeCall(escrow.collect, (due));
        calls[4] = abi.encodeCall(escrow.collect, (due));
        _hear();
        vm.prank(stranger);
        escrow.batch(calls, false);
        _expect(_hear().failed, over == due ? 4 : 3, "what is bad in a batch fails");
        _expect(escrow.lease(over).settled ? 1 : 0, 1, "settled in a batch");
        Lease memory l = escrow.lease(due);
        _expect(l.collectedWork, l.credited, "collected in a batch");
    }
}
