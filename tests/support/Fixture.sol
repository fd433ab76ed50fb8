// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {LeaseEscrow} from "contracts/src/escrow/LeaseEscrow.sol";
import {
    ALGORITHM_SHA256D,
    Bounds,
    Lease,
    Limits,
    Offer,
    Registration,
    RentRequest,
    Statement
} from "contracts/src/interfaces/LeaseTypes.sol";
import {LeaseLens} from "contracts/src/lens/LeaseLens.sol";
import {LeaseDescriptor} from "contracts/src/metadata/LeaseDescriptor.sol";
import {CommitteeOracle} from "contracts/src/oracles/CommitteeOracle.sol";
import {Registry} from "contracts/src/registry/Registry.sol";
import {Test} from "forge-std/Test.sol";
import {DemoToken} from "script/DemoToken.sol";
import {SafeCastLib} from "solady/utils/SafeCastLib.sol";

/// @title Fixture of most tests
/// @notice An escrow, two committees, one token, and actors with keys. `_rent()` makes the example
/// lease whose amounts the tests spell out: 100 TH/s for 24 h at a price that leaves a remainder.
abstract contract Fixture is Test {
    uint40 internal constant NOW = 1_760_000_000;
    string internal constant EXTERNAL_URL = "https://leases.example/";

    uint96 internal constant RATE = 1e14;
    uint32 internal constant EPOCH = 1 hours;
    uint32 internal constant DURATION = 24 hours;
    uint96 internal constant COMMITTED = 8.64e18;
    /// @dev ceil(12,345,678,901 × 8.64 × 10^18 / 10^21)
    uint128 internal constant PAYMENT = 106_666_666;
    /// @dev A fifth of the payment, rounded down.
    uint128 internal constant BOND = 21_333_333;
    uint128 internal constant DEPOSIT = 1e12;
    uint40 internal constant START = NOW + 10 minutes;
    uint40 internal constant END = START + DURATION;
    uint32 internal constant WINDOW = 48 hours;

    AccessManager internal manager;
    Registry internal registry;
    LeaseEscrow internal escrow;
    LeaseLens internal lens;
    DemoToken internal token;
    /// @dev 3 of 3, fee 1 %.
    CommitteeOracle internal committee;
    uint32 internal committeeId;
    /// @dev 2 of 3, fee 3 %, the same members under other keys.
    CommitteeOracle internal majority;
    uint32 internal majorityId;

    Account internal provider;
    Account[3] internal members;
    address[3] internal memberOwners;
    address internal renter = makeAddr("renter");
    address internal payee = makeAddr("payee");
    address internal majorityPayee = makeAddr("majority payee");
    address internal stranger = makeAddr("stranger");
    address internal jobSigner = makeAddr("job signer");

    function setUp() public virtual {
        vm.warp(NOW);
        provider = makeAccount("provider");
        manager = new AccessManager(address(this));
        registry = new Registry(address(manager), _bounds());
        escrow = new LeaseEscrow(address(registry), address(new LeaseDescriptor(EXTERNAL_URL)));
        lens = new LeaseLens(address(escrow));
        token = new DemoToken();
        for (uint256 i; i < 3; ++i) {
            members[i] = makeAccount(string.concat("member ", vm.toString(i)));
            memberOwners[i] = makeAddr(string.concat("member owner ", vm.toString(i)));
        }
        committee = _committee(3);
        majority = _committee(2);
        committeeId = _register(address(committee), WINDOW, 100, payee);
        majorityId = _register(address(majority), WINDOW, 300, majorityPayee);
        _list(address(token));
        token.mint(provider.addr, DEPOSIT);
        token.mint(renter, DEPOSIT);
        vm.prank(renter);
        token.approve(address(escrow), type(uint256).max);
        vm.startPrank(provider.addr);
        token.approve(address(escrow), type(uint256).max);
        escrow.deposit(address(token), DEPOSIT);
        vm.stopPrank();
    }

    // ---------------------------------------------------------------- deployment

    function _bounds() internal pure returns (Bounds memory) {
        return Bounds({
            minDuration: 1 hours,
            maxDuration: 30 days,
            minEpoch: 1 minutes,
            maxEpoch: 24 hours,
            minEpochs: 2,
            minNotice: 1 minutes,
            maxNotice: 2 hours,
            minWindow: 1 hours,
            minVoidingWindow: 2 hours,
            maxWindow: 30 days
        });
    }

    function _committee(uint256 threshold) internal returns (CommitteeOracle) {
        address[] memory owners = new address[](3);
        address[] memory keys = new address[](3);
        for (uint256 i; i < 3; ++i) {
            (owners[i], keys[i]) = (memberOwners[i], members[i].addr);
        }
        return new CommitteeOracle(address(escrow), owners, keys, threshold);
    }

    function _list(address listed) internal {
        registry.listToken(listed, true);
        _setCap(committeeId, listed, type(uint128).max);
        _setCap(majorityId, listed, type(uint128).max);
    }

    function _setCap(uint32 oracle, address capped, uint128 cap) internal {
        registry.setLimits(oracle, capped, Limits({exposureCap: cap, leastPayment: 0}));
    }

    /// @dev An oracle that never voids, for all four algorithms and leases with any end and bond.
    function _registration(address account, uint32 window, uint16 feeBps, address payee_)
        internal
        pure
        returns (Registration memory r)
    {
        (r.account, r.window, r.feeBps, r.payee) = (account, window, feeBps, payee_);
        r.algorithms = 30;
    }

    function _register(address account, uint32 window, uint16 feeBps, address payee_) internal returns (uint32) {
        return registry.registerOracle(_registration(account, window, feeBps, payee_));
    }

    /// @dev One that can void epochs.
    function _registerVoiding(address account, uint32 window, uint16 feeBps, address payee_) internal returns (uint32) {
        Registration memory r = _registration(account, window, feeBps, payee_);
        r.voids = true;
        return registry.registerOracle(r);
    }

    /// @dev Lets anybody push out the balance of an account that deposited.
    function _letPush(address account) internal {
        vm.prank(account);
        escrow.keepBalance(false);
    }

    // ---------------------------------------------------------------- offers and leases

    function _offer() internal view returns (Offer memory o) {
        o.provider = provider.addr;
        o.algorithm = ALGORITHM_SHA256D;
        o.token = address(token);
        o.price = 12_345_678_901;
        o.hashRate = 10 * RATE;
        o.minHashRate = RATE / 10;
        o.epochLength = EPOCH;
        o.minDuration = 2 hours;
        o.maxDuration = 7 days;
        o.notice = 10 minutes;
        o.bondBps = 2000;
        o.cancelBps = 200;
        o.oracle = committeeId;
        o.boxKey = keccak256("box key");
        o.expiry = NOW + 30 days;
    }

    /// @dev The same offer without a bond, so without a deposit, in another token.
    function _bondless(address payment) internal view returns (Offer memory o) {
        o = _offer();
        o.token = payment;
        (o.bondBps, o.cancelBps) = (0, 0);
    }

    function _request() internal view returns (RentRequest memory r) {
        r.recipient = renter;
        r.hashRate = RATE;
        r.start = START;
        r.duration = DURATION;
        r.maxPayment = type(uint128).max;
        r.jobSigner = jobSigner;
        r.nodeBox = "sealed to the node";
        r.gatewayBox = "sealed to the gateway";
    }

    function _sign(Offer memory o) internal view returns (bytes memory) {
        return _signature(provider.key, lens.offerDigest(o));
    }

    function _signature(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function _rent(Offer memory o, RentRequest memory r) internal returns (uint256) {
        bytes memory signature = _sign(o);
        vm.prank(renter);
        return escrow.rent(o, signature, new bytes32[](0), r);
    }

    function _rent() internal returns (uint256) {
        return _rent(_offer(), _request());
    }

    // ---------------------------------------------------------------- credit

    /// @dev Credits as the lease's oracle at the end of epoch `epochs`, and moves the clock there
    /// if need be; after a last word by another second, since it must stand for a block.
    function _credit(uint256 id, uint256 epochs, uint256 work, uint256 due, bool last) internal {
        Lease memory l = escrow.lease(id);
        uint256 asOf = l.start + epochs * l.epochLength;
        if (block.timestamp < asOf) vm.warp(asOf);
        vm.prank(registry.oracle(l.oracle).account);
        escrow.credit(_statements(_entry(id, asOf, work, due, last)));
        if (last) skip(1);
    }

    function _entry(uint256 id, uint256 asOf, uint256 work, uint256 due, bool last)
        internal
        pure
        returns (Statement memory)
    {
        return Statement({
            lease: id,
            asOf: SafeCastLib.toUint40(asOf),
            work: SafeCastLib.toUint96(work),
            due: SafeCastLib.toUint96(due),
            evidence: keccak256(abi.encode(id, asOf)),
            last: last
        });
    }

    function _statements(Statement memory s) internal pure returns (Statement[] memory statements) {
        statements = new Statement[](1);
        statements[0] = s;
    }

    /// @dev Signatures of members `from` up to, but not including, `to`.
    function _signatures(CommitteeOracle oracle, Statement[] memory statements, uint256 from, uint256 to)
        internal
        view
        returns (bytes memory all)
    {
        bytes32 digest = oracle.batchDigest(statements);
        for (uint256 i = from; i < to; ++i) {
            all = bytes.concat(all, _signature(members[i].key, digest));
        }
    }

    // ---------------------------------------------------------------- looking

    function _balance(address account) internal view returns (uint256) {
        return escrow.balance(account, address(token));
    }

    /// @dev The leases as a list.
    function _only(uint256 id) internal pure returns (uint256[] memory ids) {
        ids = new uint256[](1);
        ids[0] = id;
    }

    function _error(bytes4 selector, uint256 a, uint256 b, uint256 c) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(selector, a, b, c);
    }

    function _error(bytes4 selector, uint256 a, uint256 b) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(selector, a, b);
    }

    function _error(bytes4 selector, uint256 a) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(selector, a);
    }

    function _error(bytes4 selector, address a) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(selector, a);
    }
}
