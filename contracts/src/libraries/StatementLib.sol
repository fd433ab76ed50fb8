// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Statement} from "contracts/src/interfaces/ICommitteeOracle.sol";

/// @title EIP-712 struct hash of a batch of statements
library StatementLib {
    bytes32 internal constant STATEMENT_TYPEHASH =
        keccak256("Statement(uint256 lease,uint40 asOf,uint96 work,uint96 due,bytes32 evidence,bool last)");
    bytes32 internal constant BATCH_TYPEHASH = keccak256(
        "Batch(Statement[] statements)"
        "Statement(uint256 lease,uint40 asOf,uint96 work,uint96 due,bytes32 evidence,bool last)"
    );

    /// @notice Hash of one statement.
    function hash(Statement calldata statement) internal pure returns (bytes32) {
        return keccak256(abi.encode(STATEMENT_TYPEHASH, statement));
    }

    /// @notice Hash of `Batch(statements)`.
    function hashBatch(Statement[] calldata statements) internal pure returns (bytes32) {
        bytes32[] memory hashes = new bytes32[](statements.length);
        for (uint256 i; i < statements.length; ++i) {
            hashes[i] = hash(statements[i]);
        }
        return keccak256(abi.encode(BATCH_TYPEHASH, keccak256(abi.encodePacked(hashes))));
    }
}
