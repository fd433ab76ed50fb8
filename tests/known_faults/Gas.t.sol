// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Test} from "forge-std/Test.sol";

/// @notice Known misses of the gas goals in `docs/benchmarks.md`, by the snapshot that `cargo xtask
/// check` compares.
contract GasFaultsTest is Test {
    function _gas(string memory what) private view returns (uint256) {
        return vm.parseJsonUint(vm.readFile("snapshots/Escrow.json"), string.concat("$['", what, "']"));
    }

    /// @notice Today: a lease in a batch of 64 costs 13,164 gas.
    /// @dev Right: 13,000 at most.
    function test_KnownFault_ALeaseInABatch_CostsMoreThanItsGoal() public view {
        assertGt(_gas("credit, 64 leases, 3 signatures, per lease"), 13_000);
    }

    /// @notice Today: what an oracle's contract needs to know of a lease costs 9,781 gas, cold.
    /// @dev Right: 9,500 at most. 8,900 of it are the cold call and three cold slots.
    function test_KnownFault_ReadingALeasesConditions_CostsMoreThanItsGoal() public view {
        assertGt(_gas("read provider, schedule, weight and signer, cold"), 9500);
    }
}
