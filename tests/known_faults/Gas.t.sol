// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Test} from "forge-std/Test.sol";

/// @notice Known misses of the gas goals in `docs/benchmarks.md`, by the snapshot that `cargo xtask
/// check` compares.
contract GasFaultsTest is Test {
    function _gas(string memory what) private view returns (uint256) {
        return vm.parseJsonUint(vm.readFile("snapshots/Escrow.json"), string.concat("$['", what, "']"));
    }

    /// @notice Today: a lease in a batch of 64 costs 13,385 gas.
    /// @dev Right: 13,000 at most.
    function test_KnownFault_ALeaseInABatch_CostsMoreThanItsGoal() public view {
        assertGt(_gas("credit, 64 leases, 3 signatures, per lease"), 13_000);
    }

    /// @notice Today: a withdrawal costs 46,583 gas.
    /// @dev Right: 45,000 at most.
    function test_KnownFault_AWithdrawal_CostsMoreThanItsGoal() public view {
        assertGt(_gas("withdraw"), 45_000);
    }
}
