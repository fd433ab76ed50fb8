// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Rented} from "tests/support/Rented.sol";

/// @notice Known faults of a lease's metadata.
contract MetadataFaultsTest is Rented {
    /// @notice Today: a token URI costs more than three million gas, too much for a reader on
    /// chain.
    /// @dev Right: less than a million, or a smaller URI for readers on chain.
    function test_KnownFault_ATokenUri_IsTooDearForReadersOnChain() public view {
        uint256 before = gasleft();
        escrow.tokenURI(id);
        uint256 spent = before - gasleft();
        assertGt(spent, 3_000_000);
    }
}
