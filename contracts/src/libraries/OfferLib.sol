// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Offer} from "contracts/src/interfaces/LeaseTypes.sol";
import {MerkleLib} from "contracts/src/libraries/MerkleLib.sol";

/// @title EIP-712 struct hashes of offers
library OfferLib {
    bytes32 internal constant TYPEHASH = keccak256(
        "Offer(address provider,uint8 algorithm,address token,uint128 price,uint96 hashRate,uint96 minHashRate,"
        "uint32 epochLength,uint40 minDuration,uint40 maxDuration,uint32 notice,uint40 latestEnd,uint16 bondBps,"
        "uint16 cancelBps,uint32 oracle,address jobSigner,address taker,bytes32 boxKey,uint40 expiry,"
        "uint256 counter,uint256 salt)"
    );
    bytes32 internal constant ROOT_TYPEHASH = keccak256("OfferRoot(bytes32 root)");

    /// @notice Struct hash of an offer. All fields are static, so their ABI encoding is what
    /// EIP-712 hashes.
    function hash(Offer calldata offer) internal pure returns (bytes32) {
        return keccak256(abi.encode(TYPEHASH, offer));
    }

    /// @notice Hash of `OfferRoot(root)`.
    function hashRoot(bytes32 root) internal pure returns (bytes32) {
        return keccak256(abi.encode(ROOT_TYPEHASH, root));
    }

    /// @notice Hash of the `OfferRoot` that `proof` leads to. A leaf is an offer hash, hashed once
    /// more, so that no inner node can pass for one. Pairs are sorted, because the position of an
    /// offer does not matter.
    function hashRoot(bytes32 offerHash, bytes32[] calldata proof) internal pure returns (bytes32) {
        return hashRoot(MerkleLib.root(keccak256(abi.encode(offerHash)), proof));
    }
}
