// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @title ERC-4907: a user beside the owner
interface IERC4907 {
    /// @notice The user of a token changed; zero means none.
    event UpdateUser(uint256 indexed tokenId, address indexed user, uint64 expires);

    /// @notice Sets a user up to and including `expires`. For the owner and approved accounts.
    function setUser(uint256 tokenId, address user, uint64 expires) external;
    /// @notice The user until it expires, then zero.
    function userOf(uint256 tokenId) external view returns (address);
    /// @notice Last second of the user that was set last.
    function userExpires(uint256 tokenId) external view returns (uint256);
}
