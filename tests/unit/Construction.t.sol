// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {LeaseEscrow} from "contracts/src/LeaseEscrow.sol";
import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Fixture} from "tests/support/Fixture.sol";

/// @notice What an escrow is made with stays for good, so nothing of it may be missing.
contract ConstructionTest is Fixture {
    function test_WithoutRegistryOrDescriptor_Reverts() public {
        address descriptor = escrow.descriptor();
        vm.expectRevert(ILeaseEscrow.ZeroAddress.selector);
        new LeaseEscrow(address(0), descriptor);
        vm.expectRevert(ILeaseEscrow.ZeroAddress.selector);
        new LeaseEscrow(address(registry), address(0));
    }
}
