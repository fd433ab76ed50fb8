// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Statement} from "contracts/src/interfaces/LeaseTypes.sol";

/// @title EIP-712 struct hashes of statements, batches and roots
library StatementLib {
    bytes32 internal constant STATEMENT_TYPEHASH =
        keccak256("Statement(uint256 lease,uint40 asOf,uint96 work,uint96 due,bytes32 evidence,bool last)");
    bytes32 internal constant BATCH_TYPEHASH = keccak256(
        "Batch(Statement[] statements)"
        "Statement(uint256 lease,uint40 asOf,uint96 work,uint96 due,bytes32 evidence,bool last)"
    );

    bytes32 internal constant ROOT_TYPEHASH = keccak256("Root(bytes32 root)");

    /// @notice Hash of `Root(root)`. Its leaves are statement hashes, hashed once more.
    function hashRoot(bytes32 root) internal pure returns (bytes32) {
        return keccak256(abi.encode(ROOT_TYPEHASH, root));
    }

    /// @notice Hash of one statement. All fields are static, so their ABI encoding is what EIP-712
    /// hashes; the escrow refuses a statement with unused bits set.
    function hash(Statement calldata statement) internal pure returns (bytes32 result) {
        bytes32 typehash = STATEMENT_TYPEHASH;
        assembly ("memory-safe") {
            let encoded := mload(0x40)
            mstore(encoded, typehash)
            calldatacopy(add(encoded, 0x20), statement, 0xc0)
            result := keccak256(encoded, 0xe0)
        }
    }

    /// @notice Hash of `Batch(statements)`.
    function hashBatch(Statement[] calldata statements) internal pure returns (bytes32) {
        uint256 count = statements.length;
        bytes32[] memory hashes = new bytes32[](count);
        for (uint256 i; i < count; ++i) {
            hashes[i] = hash(statements[i]);
        }
        bytes32 content;
        assembly ("memory-safe") {
            content := keccak256(add(hashes, 0x20), mul(count, 0x20))
        }
        return keccak256(abi.encode(BATCH_TYPEHASH, content));
    }
}
