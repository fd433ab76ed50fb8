// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Statement} from "contracts/src/interfaces/ICommitteeOracle.sol";
import {Offer, RentRequest} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {SafeCastLib} from "solady/utils/SafeCastLib.sol";
import {Fixture} from "tests/support/Fixture.sol";

/// @title Gas of whole transactions, 21,000 and calldata included
/// @notice Steady state: offers are partly filled, accounts hold tokens and leases already, no balance is zero before
/// or after. `cargo xtask gas` writes `snapshots/`; `cargo xtask check` compares.
/// forge-config: default.isolate = true
contract EscrowGas is Fixture {
    uint96 private constant PROMISE = 3.6e17;
    uint256 private constant BATCH = 64;

    function setUp() public override {
        super.setUp();
        // an earlier lease that earned everybody something
        uint256 id = _rent();
        _credit(id, 24, COMMITTED / 2, COMMITTED, true);
        escrow.settle(id);
        vm.warp(NOW);
        token.mint(payee, 1);
    }

    /// @dev As random as a sealed box is, so that calldata costs what it will.
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
        escrow.rent(o, signature, r);
        vm.snapshotGasLastCall("Escrow", "rent, 200 bytes of boxes, offer partly filled");
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

    function test_Deposit() public {
        vm.prank(renter);
        escrow.deposit(address(token), 5);
        vm.snapshotGasLastCall("Escrow", "deposit");
    }

    function test_Withdraw() public {
        token.mint(provider.addr, 1);
        vm.prank(provider.addr);
        escrow.withdraw(address(token), provider.addr, 5);
        vm.snapshotGasLastCall("Escrow", "withdraw");
    }
}
