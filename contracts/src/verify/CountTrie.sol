// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @title Openings of the Merkle-count trie
/// @notice Positional, unlike a commutative Merkle proof: a point falls on exactly one leaf.
/// `crates/trie` builds and specifies the tries.
library CountTrie {
    uint256 internal constant MAX_DEPTH = 64;

    /// @notice Sibling on the path from the root down to a leaf.
    struct Step {
        bytes32 hash;
        uint64 count;
    }

    error TooDeep(uint256 depth);
    error PointOutside(uint256 point, uint256 count);
    error CountsDiffer();
    error NotOnLeaf(uint256 left);
    error RootDiffers(bytes32 expected, bytes32 actual);

    /// @notice Checks that `point` in `[0, count)` falls on the leaf of `key`, whose siblings from
    /// the root down are `steps`. Otherwise reverts with the reason.
    function verify(bytes32 root, uint64 count, uint64 point, bytes32 key, Step[] memory steps) internal pure {
        uint256 depth = steps.length;
        require(depth <= MAX_DEPTH, TooDeep(depth));
        require(point < count, PointOutside(point, count));
        // downwards: subtract the leaves to the left of the path
        uint256 total = count;
        uint256 left = point;
        uint256[] memory counts = new uint256[](depth);
        for (uint256 i; i < depth; ++i) {
            uint256 sibling = steps[i].count;
            require(sibling < total, CountsDiffer());
            uint256 own = total - sibling;
            if (_bit(key, i)) {
                require(left >= sibling, NotOnLeaf(left));
                left -= sibling;
            } else {
                require(left < own, NotOnLeaf(left));
            }
            counts[i] = own;
            total = own;
        }
        require(total == 1 && left == 0, NotOnLeaf(left));
        // upwards: hash
        bytes32 hash = keccak256(abi.encode(key));
        for (uint256 i = depth; i > 0; --i) {
            Step memory step = steps[i - 1];
            hash = _bit(key, i - 1)
                ? keccak256(abi.encode(step.hash, uint256(step.count), hash, counts[i - 1]))
                : keccak256(abi.encode(hash, counts[i - 1], step.hash, uint256(step.count)));
        }
        require(hash == root, RootDiffers(root, hash));
    }

    function _bit(bytes32 key, uint256 i) private pure returns (bool) {
        return uint256(key) >> (255 - i) & 1 == 1;
    }
}
