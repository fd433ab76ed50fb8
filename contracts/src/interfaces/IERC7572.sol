// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @title ERC-7572: metadata of a contract
interface IERC7572 {
    /// @notice Metadata of all tokens together as a `data:` URI. It never changes.
    function contractURI() external view returns (string memory);
}
