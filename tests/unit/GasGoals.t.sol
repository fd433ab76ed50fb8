// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Test} from "forge-std/Test.sol";

/// @notice The goals in `docs/benchmarks.md`, of the figures in the snapshot. `cargo xtask check`
/// compares the snapshot with the code.
contract GasGoalsTest is Test {
    string private _figures;

    function setUp() public {
        _figures = vm.readFile("snapshots/Escrow.json");
    }

    function _meets(string memory what, uint256 most) private view {
        assertLe(vm.parseJsonUint(_figures, string.concat("$['", what, "']")), most, what);
    }

    function test_Renting_MeetsItsGoals() public view {
        _meets("rent, 200 bytes of boxes, offer partly filled", 220_000);
        _meets("rent, native currency", 220_000);
    }

    function test_Credits_MeetTheirGoals() public view {
        _meets("credit, 1 lease, 3 signatures", 64_000);
        _meets("credit, 64 leases, 3 signatures, per lease", 13_000);
        _meets("credit from a signed root of 1,024 leases", 60_000);
    }

    function test_Money_MeetsItsGoals() public view {
        _meets("collect", 60_000);
        _meets("withdraw", 45_700);
        _meets("settle, with a refund and a slash to a first-time renter, and collect", 80_000);
        _meets("claim a refund and a slash", 60_000);
    }

    /// @dev 8,900 of it are the cold call and three cold slots.
    function test_WhatAnOracleHasToKnow_MeetsItsGoal() public view {
        _meets("read provider, schedule, weight and signer, cold", 9500);
    }

    function test_TheEscrowsCode_MeetsItsGoal() public view {
        _meets("LeaseEscrow, bytes of code", 23_500);
    }

    /// @dev It is read by `eth_call`, whose usual limit is 50 million. Contracts read the figures.
    function test_ATokenUri_StaysFarBelowTheLimitsOfEndpoints() public view {
        _meets("token URI", 10_000_000);
    }
}
