// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Test} from "forge-std/Test.sol";

/// @notice Made to fail: a run that reports success here can't be trusted anywhere.
contract CanaryTest is Test {
    function test_ThisFails() public pure {
        assertEq(uint256(1), 2, "the canary sings");
    }
}
