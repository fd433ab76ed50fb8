// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @title Metadata of a lease's NFT
interface ILeaseDescriptor {
    /// @notice ERC-721 metadata of a lease as a `data:` URI, picture included.
    /// @param escrow Escrow of the lease.
    function tokenURI(address escrow, uint256 lease) external view returns (string memory);
}
