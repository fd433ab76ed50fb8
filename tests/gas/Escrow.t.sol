// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {LeaseEscrow} from "contracts/src/escrow/LeaseEscrow.sol";
import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Offer, RentRequest, Statement} from "contracts/src/interfaces/LeaseTypes.sol";
import {StatementLib} from "contracts/src/libraries/StatementLib.sol";
import {WETH} from "solady/tokens/WETH.sol";
import {SafeCastLib} from "solady/utils/SafeCastLib.sol";
import {Fixture} from "tests/support/Fixture.sol";

/// @title Reads a lease as an oracle's contract would
contract ConditionsReader {
    LeaseEscrow private immutable ESCROW;
    uint256 public spent;

    constructor(LeaseEscrow escrow) {
        ESCROW = escrow;
    }

    function read(uint256 id) external {
        address escrow = address(ESCROW);
        bytes32 question = bytes32(ILeaseEscrow.quickView.selector);
        uint256 weightLog2;
        uint256 used;
        assembly ("memory-safe") {
            let start := gas()
            let words := mload(0x40)
            mstore(words, question)
            mstore(add(words, 0x04), id)
            let done := staticcall(gas(), escrow, words, 0x24, words, 0x60)
            used := sub(start, gas())
            // provider and signer are not zero
            if iszero(mul(done, mul(mload(add(words, 0x20)), mload(add(words, 0x40))))) { revert(0, 0) }
            weightLog2 := and(shr(232, mload(words)), 0xff)
        }
        require(weightLog2 == 48);
        spent = used;
    }
}

/// @title Gas of whole transactions, 21,000 and calldata included
/// @notice Steady state: offers are partly filled, accounts hold tokens and leases already, and no
/// balance is zero before or after. `cargo xtask gas` writes `snapshots/`; `cargo xtask check`
/// compares.
/// forge-config: default.isolate = true
contract EscrowGas is Fixture {
    uint96 private constant PROMISE = 3.6e17;
    uint256 private constant BATCH = 64;

    WETH private wrapped;

    function setUp() public override {
        super.setUp();
        // an earlier lease that paid everybody something
        uint256 id = _rent();
        _credit(id, 24, COMMITTED / 2, COMMITTED, true);
        escrow.settle(id);
        vm.warp(NOW);
        token.mint(payee, 1);
        // and one in native currency
        wrapped = new WETH();
        registry.setWrappedNative(address(wrapped));
        _list(address(wrapped));
        vm.deal(provider.addr, 1 ether);
        vm.deal(renter, 1 ether);
        vm.prank(provider.addr);
        escrow.deposit{value: 1e12}(address(wrapped), 1e12);
        _rentNative();
    }

    function _rentNative() private {
        Offer memory o = _offer();
        o.token = address(wrapped);
        bytes memory signature = _sign(o);
        RentRequest memory r = _boxed();
        vm.prank(renter);
        escrow.rent{value: PAYMENT}(o, signature, new bytes32[](0), r);
    }

    /// @dev Random like a sealed box, so that calldata costs the same.
    function _box(uint256 length) private pure returns (bytes memory box) {
        while (box.length < length) {
            box = bytes.concat(box, keccak256(box));
        }
        assembly ("memory-safe") {
            mstore(box, length)
        }
    }

    function _boxed() private view returns (RentRequest memory r) {
        r = _request();
        (r.nodeBox, r.gatewayBox) = (_box(100), _box(100));
    }

    function _statement(uint256 id, uint256 epoch) private pure returns (Statement memory s) {
        s.lease = id;
        s.asOf = SafeCastLib.toUint40(START + epoch * EPOCH);
        s.work = SafeCastLib.toUint96(PROMISE * epoch - PROMISE / 50);
        s.due = SafeCastLib.toUint96(PROMISE * epoch);
        s.evidence = keccak256(abi.encode(id, epoch));
    }

    /// @dev All leases in one batch, signed by three members.
    function _submit(uint256[] memory ids, uint256 epoch) private {
        vm.warp(START + epoch * EPOCH);
        Statement[] memory s = new Statement[](ids.length);
        for (uint256 i; i < ids.length; ++i) {
            s[i] = _statement(ids[i], epoch);
        }
        bytes memory signatures = _signatures(committee, s, 0, 3);
        committee.submit(s, signatures);
    }

    function _ids(uint256 id) private pure returns (uint256[] memory ids) {
        ids = new uint256[](1);
        ids[0] = id;
    }

    function _leases(uint256 count) private returns (uint256[] memory ids) {
        ids = new uint256[](count);
        Offer memory o = _offer();
        o.hashRate = SafeCastLib.toUint96((count + 1) * RATE);
        for (uint256 i; i < count; ++i) {
            ids[i] = _rent(o, _request());
        }
    }

    function test_Rent() public {
        Offer memory o = _offer();
        bytes memory signature = _sign(o);
        RentRequest memory r = _boxed();
        vm.prank(renter);
        escrow.rent(o, signature, new bytes32[](0), r);
        vm.snapshotGasLastCall("Escrow", "rent, 200 bytes of boxes, offer partly filled");
    }

    function test_RentNative() public {
        _rentNative();
        vm.snapshotGasLastCall("Escrow", "rent, native currency");
    }

    /// @dev One of 64 offers that were signed together.
    function test_RentBulk() public {
        Offer memory o = _offer();
        bytes32[] memory proof = new bytes32[](6);
        bytes32 node = keccak256(abi.encode(lens.offerHash(o)));
        for (uint256 i; i < 6; ++i) {
            proof[i] = keccak256(abi.encode(i));
            node = node < proof[i] ? keccak256(abi.encode(node, proof[i])) : keccak256(abi.encode(proof[i], node));
        }
        bytes memory signature = _signature(provider.key, lens.offerRootDigest(node));
        vm.prank(renter);
        escrow.rent(o, signature, proof, _boxed());
        vm.snapshotGasLastCall("Escrow", "rent, one of 64 offers signed at once");
    }

    function test_CreditOne() public {
        uint256[] memory ids = _leases(1);
        _submit(ids, 1);
        vm.snapshotGasLastCall("Escrow", "credit, 1 lease, 3 signatures, first time");
        _submit(ids, 2);
        vm.snapshotGasLastCall("Escrow", "credit, 1 lease, 3 signatures");
    }

    function test_CreditMany() public {
        uint256[] memory ids = _leases(BATCH);
        _submit(ids, 1);
        _submit(ids, 2);
        uint256 gas = vm.snapshotGasLastCall("Escrow", "credit, 64 leases, 3 signatures");
        vm.snapshotValue("Escrow", "credit, 64 leases, 3 signatures, per lease", gas / BATCH);
    }

    function test_CreditFromRoot() public {
        uint256 id = _leases(1)[0];
        _submit(_ids(id), 1);
        vm.warp(START + 2 * EPOCH);
        Statement memory statement = _statement(id, 2);
        bytes32 node = keccak256(abi.encode(keccak256(abi.encode(StatementLib.STATEMENT_TYPEHASH, statement))));
        // a tree of 1,024 statements
        bytes32[] memory proof = new bytes32[](10);
        for (uint256 i; i < 10; ++i) {
            proof[i] = keccak256(abi.encode(i));
            node = node < proof[i] ? keccak256(abi.encode(node, proof[i])) : keccak256(abi.encode(proof[i], node));
        }
        bytes memory signatures;
        bytes32 digest = committee.rootDigest(node);
        for (uint256 i; i < 3; ++i) {
            signatures = bytes.concat(signatures, _signature(members[i].key, digest));
        }
        committee.postRoot(node, signatures);
        vm.snapshotGasLastCall("Escrow", "post a root, 3 signatures");
        committee.submitFromRoot(statement, proof);
        vm.snapshotGasLastCall("Escrow", "credit from a signed root of 1,024 leases");
        assertEq(escrow.lease(id).asOf, START + 2 * EPOCH);
    }

    function test_Collect() public {
        uint256[] memory ids = _leases(1);
        _submit(ids, 1);
        escrow.collect(ids[0]);
        _submit(ids, 2);
        escrow.collect(ids[0]);
        vm.snapshotGasLastCall("Escrow", "collect");
    }

    function test_Settle() public {
        uint256 id = _leases(1)[0];
        _leases(1);
        _credit(id, 24, COMMITTED / 2, COMMITTED, true);
        vm.prank(stranger);
        escrow.settle(id);
        vm.snapshotGasLastCall("Escrow", "settle, with a refund and a slash");
    }

    /// @dev What an oracle's contract needs to know of a lease, cold and with the call.
    function test_QuickView() public {
        uint256 id = _leases(1)[0];
        ConditionsReader reader = new ConditionsReader(escrow);
        reader.read(id);
        vm.snapshotValue("Escrow", "read provider, schedule, weight and signer, cold", reader.spent());
    }

    function test_Claim() public {
        uint256[] memory ids = _leases(2);
        for (uint256 i; i < 2; ++i) {
            _credit(ids[i], 24, COMMITTED / 2, COMMITTED, true);
            escrow.settle(ids[i]);
        }
        vm.prank(renter);
        escrow.claim(_ids(ids[0]), renter);
        vm.snapshotGasLastCall("Escrow", "claim a refund and a slash");
    }

    function test_SettleFirstTime() public {
        RentRequest memory r = _request();
        r.recipient = makeAddr("a first-time renter");
        uint256 id = _rent(_offer(), r);
        _credit(id, 24, COMMITTED / 2, COMMITTED, true);
        escrow.collect(id);
        vm.prank(stranger);
        escrow.settle(id);
        vm.snapshotGasLastCall("Escrow", "settle, with a refund and a slash to a first-time renter, all collected");
        r.recipient = makeAddr("another first-time renter");
        r.start = SafeCastLib.toUint40(block.timestamp + 10 minutes);
        id = _rent(_offer(), r);
        _credit(id, 24, COMMITTED / 2, COMMITTED, true);
        vm.prank(stranger);
        escrow.settle(id);
        vm.snapshotGasLastCall("Escrow", "settle, with a refund and a slash to a first-time renter, and collect");
    }

    function test_Cancel() public {
        uint256 id = _leases(1)[0];
        vm.warp(START + 1);
        vm.prank(renter);
        escrow.cancel(id);
        vm.snapshotGasLastCall("Escrow", "cancel");
    }

    function test_Terminate() public {
        uint256 id = _leases(1)[0];
        vm.warp(START + 1);
        vm.prank(provider.addr);
        escrow.terminate(id);
        vm.snapshotGasLastCall("Escrow", "terminate");
    }

    /// @dev Of a lease with everything to tell: cancelled, credited in part, with money to claim.
    function test_TokenUri() public {
        uint256 id = _leases(1)[0];
        _credit(id, 11, COMMITTED / 3, COMMITTED / 3, false);
        vm.prank(renter);
        escrow.cancel(id);
        escrow.tokenURI(id);
        vm.snapshotGasLastCall("Escrow", "token URI");
    }

    function test_CodeSize() public {
        vm.snapshotValue("Escrow", "LeaseEscrow, bytes of code", address(escrow).code.length);
        vm.snapshotValue("Escrow", "Registry, bytes of code", address(registry).code.length);
        vm.snapshotValue("Escrow", "CommitteeOracle, bytes of code", address(committee).code.length);
        vm.snapshotValue("Escrow", "LeaseLens, bytes of code", address(lens).code.length);
        vm.snapshotValue("Escrow", "LeaseDescriptor, bytes of code", escrow.descriptor().code.length);
    }

    function test_Deposit() public {
        token.mint(provider.addr, 10);
        vm.prank(provider.addr);
        escrow.deposit(address(token), 5);
        vm.snapshotGasLastCall("Escrow", "deposit");
    }

    /// @dev Which also has the account keep its balance.
    function test_DepositFirstTime() public {
        vm.prank(renter);
        escrow.deposit(address(token), 5);
        vm.snapshotGasLastCall("Escrow", "deposit, an account's first");
    }

    function test_Withdraw() public {
        token.mint(provider.addr, 1);
        vm.prank(provider.addr);
        escrow.withdraw(address(token), provider.addr, 5);
        vm.snapshotGasLastCall("Escrow", "withdraw");
    }

    function test_WithdrawNative() public {
        vm.prank(provider.addr);
        escrow.withdrawNative(provider.addr, 5);
        vm.snapshotGasLastCall("Escrow", "withdraw, unwrapped");
    }
}
