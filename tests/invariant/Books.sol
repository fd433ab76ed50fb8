// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow, Lease, Offer} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {DemoToken} from "script/DemoToken.sol";
import {Fixture} from "tests/support/Fixture.sol";

/// @title Own books of every lease
/// @notice Two tokens, two committees, three providers, three owners, and what the invariants compare the escrow with,
/// taken from events alone.
abstract contract Books is Fixture {
    /// @dev Own books of a lease. `terms` is the hash of what may never change, `end` of all when it was settled.
    struct Book {
        bytes32 terms;
        bytes32 end;
        uint128 payment;
        uint128 bond;
        uint128 earned;
        uint128 fees;
        uint128 refund;
        uint128 slashed;
        uint128 bondBack;
        uint96 stated;
        uint96 statedDue;
    }

    /// @dev Figures of a lease before the latest action.
    struct Seen {
        uint96 credited;
        uint96 due;
        uint40 asOf;
        bool last;
        bool settled;
        uint96 collectedWork;
    }

    struct Purse {
        uint256 provider;
        uint256 payee;
        uint256 owner;
    }

    struct Action {
        address handler;
        bytes4 selector;
        string name;
        uint256 called;
        uint256 done;
        uint256 refused;
    }

    uint256 private constant PURSE = 1e24;

    DemoToken[2] public tokens;
    /// @notice Tokens that nobody asked for.
    uint256[2] public donated;
    Account[3] internal _providers;
    address[3] internal _owners;
    mapping(address provider => Offer) internal _latest;
    mapping(uint256 id => Book) internal _books;
    mapping(uint256 id => Seen) internal _seen;
    Action[] internal _actions;
    mapping(bytes4 selector => uint256) internal _indexOf;
    /// @notice What a stranger got done that is nobody's right.
    string[] public intrusions;
    /// @notice Where an action did something else than it says.
    string[] public surprises;

    constructor() {
        setUp();
        tokens = [token, new DemoToken()];
        _list(address(tokens[1]));
        for (uint256 i; i < 3; ++i) {
            _providers[i] = makeAccount(string.concat("provider ", vm.toString(i)));
            _owners[i] = makeAddr(string.concat("owner ", vm.toString(i)));
        }
        address[7] memory holders =
            [_providers[0].addr, _providers[1].addr, _providers[2].addr, _owners[0], _owners[1], _owners[2], stranger];
        for (uint256 t; t < 2; ++t) {
            for (uint256 i; i < holders.length; ++i) {
                tokens[t].mint(holders[i], PURSE);
                vm.prank(holders[i]);
                tokens[t].approve(address(escrow), type(uint256).max);
            }
        }
    }

    // ---------------------------------------------------------------- actions and their count

    function enroll(bytes4 selector, string calldata name) external {
        Action storage action = _actions.push();
        (action.handler, action.selector, action.name) = (msg.sender, selector, name);
        _indexOf[selector] = _actions.length;
    }

    function actions() external view returns (Action[] memory) {
        return _actions;
    }

    function begin(bytes4 selector) external {
        ++_actions[_indexOf[selector] - 1].called;
        for (uint256 id = escrow.leaseCount(); id > 0; --id) {
            if (_seen[id].settled) continue;
            Lease memory l = escrow.lease(id);
            _seen[id] = Seen(l.credited, l.due, l.asOf, l.last, l.settled, l.collectedWork);
        }
    }

    function done(bytes4 selector) external {
        ++_actions[_indexOf[selector] - 1].done;
    }

    // ---------------------------------------------------------------- looking

    function theEscrow() external view returns (ILeaseEscrow) {
        return escrow;
    }

    function book(uint256 id) external view returns (Book memory) {
        return _books[id];
    }

    function seen(uint256 id) external view returns (Seen memory) {
        return _seen[id];
    }

    function intrusionCount() external view returns (uint256) {
        return intrusions.length;
    }

    function surpriseCount() external view returns (uint256) {
        return surprises.length;
    }

    /// @dev Noted, not asserted: the invariant that it breaks is to fail, no other.
    function _expect(uint256 actual, uint256 expected, string memory what) internal {
        if (actual != expected) surprises.push(what);
    }

    /// @notice Everybody who may have a balance.
    function accounts() public view returns (address[] memory all) {
        all = new address[](10);
        for (uint256 i; i < 3; ++i) {
            (all[i], all[3 + i]) = (_providers[i].addr, _owners[i]);
        }
        (all[6], all[7], all[8], all[9]) = (payee, majorityPayee, stranger, provider.addr);
    }

    /// @notice A hash of what a lease may never change.
    function terms(Lease memory l) public pure returns (bytes32) {
        (l.credited, l.due, l.asOf, l.collectedWork, l.last, l.settled) = (0, 0, 0, 0, false, false);
        return keccak256(abi.encode(l));
    }

    function _draw(uint256 seed, string memory what) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed, what)));
    }

    function _committed(Lease memory l) internal pure returns (uint256) {
        return uint256(l.rate) * l.duration;
    }

    /// @dev The first lease from a random one on that `wanted` accepts, or zero.
    function _find(uint256 seed, function(Lease memory) view returns (bool) wanted) internal view returns (uint256) {
        uint256 count = escrow.leaseCount();
        for (uint256 i; i < count; ++i) {
            uint256 id = addmod(seed, i, count) + 1;
            if (wanted(escrow.lease(id))) return id;
        }
        return 0;
    }

    function _isOpen(Lease memory l) internal pure returns (bool) {
        return !l.settled;
    }

    function _isSettledOfCommittee(Lease memory l) internal view returns (bool) {
        return l.settled && l.oracle == committeeId;
    }

    function _isSettledOfMajority(Lease memory l) internal view returns (bool) {
        return l.settled && l.oracle == majorityId;
    }

    function _isRunning(Lease memory l) internal view returns (bool) {
        return !l.settled && block.timestamp >= l.start + l.epochLength;
    }

    function _isCreditable(Lease memory l) internal view returns (bool) {
        return _isRunning(l) && l.credited < _committed(l) / 4;
    }

    function _isUnsaid(Lease memory l) internal view returns (bool) {
        return !l.settled && !l.last && block.timestamp >= l.end;
    }

    function _isCollectable(Lease memory l) internal pure returns (bool) {
        return !l.settled && l.credited > l.collectedWork;
    }

    function _isSettleable(Lease memory l) internal view returns (bool) {
        return !l.settled
            && (l.credited == _committed(l)
                || (l.last && block.timestamp >= l.end)
                || block.timestamp >= l.end + escrow.oracle(l.oracle).window);
    }

    function _isOfCommittee(Lease memory l) internal view returns (bool) {
        return l.oracle == committeeId;
    }

    function _isOfMajority(Lease memory l) internal view returns (bool) {
        return l.oracle == majorityId;
    }

    function _purse(uint256 id, Lease memory l) internal view returns (Purse memory) {
        return Purse(
            escrow.balance(l.provider, l.token),
            escrow.balance(escrow.oracle(l.oracle).payee, l.token),
            escrow.balance(escrow.ownerOf(id), l.token)
        );
    }
}
