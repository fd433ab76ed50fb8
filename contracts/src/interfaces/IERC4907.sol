// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @title ERC-4907: a user beside the owner
interface IERC4907 {
    /// @notice The user of a token changed; zero is none.
    event UpdateUser(uint256 indexed tokenId, address indexed user, uint64 expires);

    /// @notice Names a user up to and including `expires`. For the owner and approved accounts.
    function setUser(uint256 tokenId, address user, uint64 expires) external;
    /// @notice The user while not expired, else zero.
    function userOf(uint256 tokenId) external view returns (address);
    /// @notice Last second of the user that was named last.
    function userExpires(uint256 tokenId) external view returns (uint256);
}
