// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {LeaseEscrow} from "contracts/src/escrow/LeaseEscrow.sol";
import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Fixture} from "tests/support/Fixture.sol";

/// @notice The parts of an escrow never change, so none may be missing.
contract ConstructionTest is Fixture {
    function test_WithoutRegistryOrDescriptor_Reverts() public {
        address descriptor = escrow.descriptor();
        vm.expectRevert(ILeaseEscrow.ZeroAddress.selector);
        new LeaseEscrow(address(0), descriptor);
        vm.expectRevert(ILeaseEscrow.ZeroAddress.selector);
        new LeaseEscrow(address(registry), address(0));
    }
}
