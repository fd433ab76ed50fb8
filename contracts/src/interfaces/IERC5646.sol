// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @title ERC-5646: a fingerprint of a token's state
interface IERC5646 {
    /// @notice Changes whenever anything of the token changes but its owner and approvals.
    function getStateFingerprint(uint256 tokenId) external view returns (bytes32);
}
