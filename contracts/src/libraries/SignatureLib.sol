// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ECDSA} from "solady/utils/ECDSA.sol";
import {LibCall} from "solady/utils/LibCall.sol";

/// @title Signatures of keys and of contracts
library SignatureLib {
    /// @dev ERC-1271.
    bytes4 private constant MAGIC = 0x1626ba7e;
    /// @dev Enough for a passkey's curve in plain code; the caller pays for it.
    uint256 internal constant CONTRACT_GAS = 500_000;

    /// @notice Whether `signature` over `digest` is `signer`'s. Tries it as a key's first, because
    /// an account with a key may have code too (EIP-7702).
    function isValid(address signer, bytes32 digest, bytes calldata signature) internal view returns (bool) {
        if (signer == address(0)) return false;
        if (ECDSA.tryRecoverCalldata(digest, signature) == signer) return true;
        if (signer.code.length == 0) return false;
        bytes memory question = abi.encodeWithSelector(MAGIC, digest, signature);
        // a longer answer is cut: like other callers of ERC-1271, read its first word
        // slither-disable-next-line unused-return
        (bool answered,, bytes memory answer) = LibCall.tryStaticCall(signer, CONTRACT_GAS, 32, question);
        return answered && answer.length == 32 && abi.decode(answer, (bytes32)) == bytes32(MAGIC);
    }
}
