// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @title The tree behind a bulk signature, independent of the contracts
/// @notice Pairs are sorted; a node without a neighbour moves up unchanged.
library OfferTree {
    function leaf(bytes32 offerHash) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(offerHash));
    }

    function root(bytes32[] memory leaves) internal pure returns (bytes32) {
        while (leaves.length > 1) leaves = _up(leaves);
        return leaves[0];
    }

    function proof(bytes32[] memory leaves, uint256 index) internal pure returns (bytes32[] memory way) {
        while (leaves.length > 1) {
            uint256 neighbour = index ^ 1;
            if (neighbour < leaves.length) way = _append(way, leaves[neighbour]);
            (leaves, index) = (_up(leaves), index / 2);
        }
    }

    function _up(bytes32[] memory below) private pure returns (bytes32[] memory above) {
        above = new bytes32[]((below.length + 1) / 2);
        for (uint256 i; i < above.length; ++i) {
            bytes32 left = below[2 * i];
            bool alone = 2 * i + 1 == below.length;
            above[i] = alone ? left : _pair(left, below[2 * i + 1]);
        }
    }

    function _pair(bytes32 a, bytes32 b) private pure returns (bytes32) {
        return a < b ? keccak256(abi.encodePacked(a, b)) : keccak256(abi.encodePacked(b, a));
    }

    function _append(bytes32[] memory list, bytes32 item) private pure returns (bytes32[] memory longer) {
        longer = new bytes32[](list.length + 1);
        for (uint256 i; i < list.length; ++i) {
            longer[i] = list[i];
        }
        longer[list.length] = item;
    }
}
