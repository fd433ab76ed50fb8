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
        bytes32 typehash = STATEMENT_TYPEHASH;
        bytes32 content;
        assembly ("memory-safe") {
            // type hash and fields of one statement, over and over; then the list of their hashes
            let encoded := mload(0x40)
            mstore(encoded, typehash)
            let fields := add(encoded, 0x20)
            let hashes := add(encoded, 0xe0)
            let next := hashes
            let from := statements.offset
            for { let end := add(from, mul(statements.length, 0xc0)) } lt(from, end) { from := add(from, 0xc0) } {
                calldatacopy(fields, from, 0xc0)
                mstore(next, keccak256(encoded, 0xe0))
                next := add(next, 0x20)
            }
            content := keccak256(hashes, sub(next, hashes))
        }
        return keccak256(abi.encode(BATCH_TYPEHASH, content));
    }
}
