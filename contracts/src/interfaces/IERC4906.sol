// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @title ERC-4906: metadata updates
interface IERC4906 {
    /// @notice The metadata of a token changed.
    event MetadataUpdate(uint256 _tokenId);
    /// @notice The metadata of tokens in this range, both ends included, may have changed.
    event BatchMetadataUpdate(uint256 _fromTokenId, uint256 _toTokenId);
}
