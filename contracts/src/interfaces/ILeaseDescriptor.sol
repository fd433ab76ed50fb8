// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @title Metadata of the leases' NFTs
interface ILeaseDescriptor {
    /// @notice ERC-721 metadata of a lease as a `data:` URI, picture included.
    /// @param escrow Escrow of the lease.
    function tokenURI(address escrow, uint256 lease) external view returns (string memory);
    /// @notice ERC-7572 metadata of all leases of an escrow as a `data:` URI.
    function contractURI(address escrow) external view returns (string memory);
    /// @notice The page that shows leases: `<chain id>/<escrow>/<lease>` is added for one of them,
    /// `<chain id>/<escrow>` for all. Empty if there is none.
    function externalUrl() external view returns (string memory);
}
