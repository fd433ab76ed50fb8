// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Offer} from "contracts/src/interfaces/ILeaseEscrow.sol";

/// @title EIP-712 struct hash of an offer
library OfferLib {
    bytes32 internal constant TYPEHASH = keccak256(
        "Offer(address provider,uint8 algorithm,address token,uint128 price,uint96 hashRate,uint96 minHashRate,"
        "uint32 epochLength,uint40 minDuration,uint40 maxDuration,uint32 notice,uint16 bondBps,uint16 cancelBps,"
        "uint32 oracle,address jobSigner,bytes32 nodeKey,uint40 expiry,uint256 counter,uint256 salt)"
    );

    /// @notice All fields are static, so their ABI encoding is what EIP-712 hashes.
    function hash(Offer calldata offer) internal pure returns (bytes32) {
        return keccak256(abi.encode(TYPEHASH, offer));
    }
}
