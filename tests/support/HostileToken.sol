// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @title A token that answers whatever it was told to, or worse
contract HostileToken {
    enum Manner {
        Answers,
        Reverts,
        BurnsGas,
        ReturnsHuge
    }

    Manner private immutable MANNER;
    bytes private _symbol;
    uint256 private immutable DECIMALS;

    /// @param symbol Raw return data of `symbol()`.
    constructor(Manner manner, bytes memory symbol, uint256 decimals) {
        (MANNER, _symbol, DECIMALS) = (manner, symbol, decimals);
    }

    fallback(bytes calldata question) external returns (bytes memory) {
        if (MANNER == Manner.Reverts) revert("no");
        if (MANNER == Manner.BurnsGas) {
            while (true) {}
        }
        if (MANNER == Manner.ReturnsHuge) {
            assembly ("memory-safe") {
                return(0, 20000)
            }
        }
        return keccak256(question) == keccak256(abi.encodeWithSignature("symbol()")) ? _symbol : abi.encode(DECIMALS);
    }
}
