// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @title Membership in a Merkle tree of sorted pairs
/// @notice Proves that a leaf is in a tree, not where: fit for lists that are signed as a whole.
/// `CountTrie` proves positions.
library MerkleLib {
    /// @notice The root that `proof` leads to from `leaf`.
    function root(bytes32 leaf, bytes32[] calldata proof) internal pure returns (bytes32 node) {
        node = leaf;
        for (uint256 i; i < proof.length; ++i) {
            bytes32 sibling = proof[i];
            node = node < sibling ? _hash(node, sibling) : _hash(sibling, node);
        }
    }

    function _hash(bytes32 left, bytes32 right) private pure returns (bytes32 node) {
        assembly ("memory-safe") {
            mstore(0x00, left)
            mstore(0x20, right)
            node := keccak256(0x00, 0x40)
        }
    }
}
