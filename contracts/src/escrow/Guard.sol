// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @title One entry at a time into functions that move tokens
/// @notice In transient storage. Plain functions and not code in the modifier, which every function
/// with it would carry along.
abstract contract Guard {
    /// @dev Nothing else here is transient.
    uint256 private constant SLOT = 0;

    error Reentrancy();

    modifier nonReentrant() {
        _enter();
        _;
        _leave();
    }

    function _enter() private {
        bool isEntered;
        assembly ("memory-safe") {
            isEntered := tload(SLOT)
        }
        require(!isEntered, Reentrancy());
        assembly ("memory-safe") {
            tstore(SLOT, 1)
        }
    }

    function _leave() private {
        assembly ("memory-safe") {
            tstore(SLOT, 0)
        }
    }
}
