// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {ILeaseLens} from "contracts/src/interfaces/ILeaseLens.sol";
import {IRegistry} from "contracts/src/interfaces/IRegistry.sol";
import {Lease, Offer, Oracle} from "contracts/src/interfaces/LeaseTypes.sol";
import {DemoToken} from "script/DemoToken.sol";
import {ERC20} from "solady/tokens/ERC20.sol";
import {WETH} from "solady/tokens/WETH.sol";
import {RogueOracle} from "tests/invariant/RogueOracle.sol";
import {Fixture} from "tests/support/Fixture.sol";

/// @title Actors and own books
/// @notice Three tokens (the last is the wrapped native currency), two committees and a rogue
/// oracle, three providers, three owners, two users, and the books that the invariants compare the
/// escrow with.
abstract contract Books is Fixture {
    /// @dev Own books of a lease: its terms as rented, the events since, and the largest statements
    /// of its oracle.
    struct Book {
        Lease rented;
        uint128 earned;
        uint128 fees;
        uint128 returned;
        uint128 refund;
        uint128 slashed;
        uint128 bondBack;
        uint128 capacityFee;
        uint128 voided;
        /// Of the voided money, the holder's part.
        uint128 voidedToHolder;
        /// Not claimed yet.
        uint128 held;
        uint96 stated;
        uint96 statedDue;
        uint40 endedAt;
        uint8 endings;
        uint8 lastWords;
        bytes32 settledAs;
    }

    /// @dev Figures of a lease before the latest action.
    struct Seen {
        uint96 credited;
        uint96 due;
        uint96 collectedWork;
        uint40 asOf;
        uint40 end;
        uint128 bond;
        uint8 ending;
        bool last;
        bool settled;
    }

    /// @notice Everything about a lease.
    struct Page {
        uint256 id;
        Lease lease;
        Book book;
        Seen seen;
    }

    struct User {
        address account;
        uint64 expires;
    }

    /// @dev Own count of an offer's fills.
    struct Fill {
        bytes32 offerHash;
        uint96 offered;
        uint96 rented;
        bool cancelled;
    }

    struct Action {
        address handler;
        bytes4 selector;
        string name;
        uint256 called;
        uint256 done;
        uint256 refused;
    }

    uint256 internal constant TOKENS = 3;
    uint256 internal constant ORACLES = 3;
    uint32 internal constant ROGUE_WINDOW = 2 hours;
    uint16 internal constant ROGUE_FEE = 299;
    uint256 private constant PURSE = 1e24;

    ERC20[TOKENS] public tokens;
    /// @notice Tokens that were donated and not recovered.
    uint256[TOKENS] public donated;
    WETH internal _wrapped;
    RogueOracle internal _rogue;
    uint32[ORACLES] internal _oracleIds;
    Account[3] internal _providers;
    Account[3] internal _owners;
    address[2] internal _users;
    address internal _roguePayee = makeAddr("rogue payee");
    /// @dev Approved now and then.
    address internal _clerk = makeAddr("clerk");
    address internal _challenger = makeAddr("challenger");
    address[2] internal _treasuries = [makeAddr("treasury"), makeAddr("another treasury")];

    /// @notice Hash of an oracle's registration.
    mapping(uint32 oracle => bytes32) public registeredAs;
    mapping(address provider => Offer) internal _latest;
    mapping(uint256 id => Book) internal _books;
    mapping(uint256 id => Seen) internal _seen;
    /// @notice Owner of the lease, by the transfers.
    mapping(uint256 id => address) public holder;
    /// @notice The user that was set last, as long as the lease is not transferred.
    mapping(uint256 id => User) public user;
    /// @notice Amount that an account may withdraw, by the events.
    mapping(address account => mapping(address token => uint256)) public entitled;
    mapping(uint256 id => mapping(uint32 epoch => bool)) internal _isVoided;
    Fill[] internal _fills;
    mapping(bytes32 offerHash => uint256) internal _fillAt;
    Action[] internal _actions;
    mapping(bytes4 selector => uint256) internal _indexOf;
    /// @notice An action that succeeded without the right to it.
    string[] public intrusions;
    /// @notice An action that did something else than it should.
    string[] public surprises;

    constructor() {
        setUp();
        _wrapped = new WETH();
        _rogue = new RogueOracle(escrow);
        tokens = [ERC20(address(token)), new DemoToken(), ERC20(address(_wrapped))];
        _oracleIds = [committeeId, majorityId, _registerVoiding(address(_rogue), ROGUE_WINDOW, ROGUE_FEE, _roguePayee)];
        for (uint256 i; i < ORACLES; ++i) {
            Oracle memory o = registry.oracle(_oracleIds[i]);
            // what admission alone needs is not copied
            (o.listed, o.algorithms) = (false, 0);
            registeredAs[_oracleIds[i]] = keccak256(abi.encode(o));
        }
        registry.setWrappedNative(address(_wrapped));
        registry.setTreasury(_treasuries[0]);
        entitled[provider.addr][address(token)] = DEPOSIT;
        for (uint256 i; i < 3; ++i) {
            _providers[i] = makeAccount(string.concat("provider ", vm.toString(i)));
            _owners[i] = makeAccount(string.concat("owner ", vm.toString(i)));
            _endow(_providers[i].addr);
            _endow(_owners[i].addr);
        }
        _users = [makeAddr("user 0"), makeAddr("user 1")];
        _endow(stranger);
        _openOrClose(true);
    }

    function _endow(address who) private {
        vm.deal(who, 2 * PURSE);
        vm.startPrank(who);
        _wrapped.deposit{value: PURSE}();
        for (uint256 t; t < TOKENS; ++t) {
            if (t != 2) DemoToken(address(tokens[t])).mint(who, PURSE);
            tokens[t].approve(address(escrow), type(uint256).max);
        }
        vm.stopPrank();
    }

    /// @dev Sets lists and caps of everything, as the governor.
    function _openOrClose(bool open) internal {
        for (uint256 i; i < ORACLES; ++i) {
            for (uint256 t; t < TOKENS; ++t) {
                registry.listToken(address(tokens[t]), open);
                _setCap(_oracleIds[i], address(tokens[t]), open ? type(uint128).max : 0);
            }
            registry.listOracle(_oracleIds[i], open);
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

    /// @dev Looks at every lease and records the escrow's events from now on, in a new block.
    function begin(bytes4 selector) external {
        skip(1);
        ++_actions[_indexOf[selector] - 1].called;
        for (uint256 id = escrow.leaseCount(); id > 0; --id) {
            if (_seen[id].settled) continue;
            Lease memory l = escrow.lease(id);
            _seen[id] =
                Seen(l.credited, l.due, l.collectedWork, l.asOf, l.end, l.bond, l.ending, l.lastAt != 0, l.settled);
        }
        vm.recordLogs();
    }

    function done(bytes4 selector) external {
        _enter();
        ++_actions[_indexOf[selector] - 1].done;
    }

    /// @dev Books the escrow's events since the last time.
    function _enter() internal virtual;

    /// @dev Everything of a lease that stays as it is once it is settled.
    function _fingerprint(uint256 id) internal view virtual returns (bytes32);

    // ---------------------------------------------------------------- looking

    function theEscrow() external view returns (ILeaseEscrow) {
        return escrow;
    }

    function theLens() external view returns (ILeaseLens) {
        return lens;
    }

    function theRegistry() external view returns (IRegistry) {
        return registry;
    }

    function tokenCount() external pure returns (uint256) {
        return TOKENS;
    }

    function oracleIds() external view returns (uint32[ORACLES] memory) {
        return _oracleIds;
    }

    function users() external view returns (address[2] memory) {
        return _users;
    }

    function fills() external view returns (Fill[] memory) {
        return _fills;
    }

    /// @notice Of every lease.
    function pages() external view returns (Page[] memory all) {
        all = new Page[](escrow.leaseCount());
        for (uint256 i; i < all.length; ++i) {
            all[i] = _page(i + 1);
        }
    }

    /// @notice The leases that are open, or were until the latest action.
    function openPages() external view returns (Page[] memory open) {
        uint256 count;
        uint256 all = escrow.leaseCount();
        for (uint256 id = 1; id <= all; ++id) {
            if (!_seen[id].settled) ++count;
        }
        open = new Page[](count);
        for (uint256 id = all; id > 0; --id) {
            if (!_seen[id].settled) open[--count] = _page(id);
        }
    }

    /// @notice What leases hold that were settled before the latest action.
    function heldByOthers(address token) external view returns (uint256 held) {
        for (uint256 id = escrow.leaseCount(); id > 0; --id) {
            if (_seen[id].settled && _books[id].rented.token == token) held += _books[id].held;
        }
    }

    function _page(uint256 id) private view returns (Page memory) {
        return Page(id, escrow.lease(id), _books[id], _seen[id]);
    }

    /// @notice A settled lease that has changed since its settlement, or zero.
    function changedAfterwards() external view returns (uint256 id) {
        for (id = escrow.leaseCount(); id > 0; --id) {
            bytes32 settledAs = _books[id].settledAs;
            if (settledAs != 0 && _fingerprint(id) != settledAs) return id;
        }
    }

    function intrusionCount() external view returns (uint256) {
        return intrusions.length;
    }

    function surpriseCount() external view returns (uint256) {
        return surprises.length;
    }

    /// @dev Notes the fault and asserts nothing, so that only the invariant it breaks fails.
    function _expect(uint256 actual, uint256 expected, string memory what) internal {
        if (actual != expected) surprises.push(what);
    }

    /// @notice Every account that may have a balance.
    function accounts() public view returns (address[] memory all) {
        all = new address[](14);
        for (uint256 i; i < 3; ++i) {
            (all[i], all[3 + i]) = (_providers[i].addr, _owners[i].addr);
        }
        (all[6], all[7], all[8], all[9]) = (payee, majorityPayee, _roguePayee, stranger);
        (all[10], all[11], all[12], all[13]) = (_challenger, provider.addr, _treasuries[0], _treasuries[1]);
    }

    function _draw(uint256 seed, string memory what) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed, what)));
    }

    function _timeIs(uint256 time) internal {
        if (block.timestamp < time) vm.warp(time);
    }
}
