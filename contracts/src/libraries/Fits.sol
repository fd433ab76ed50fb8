// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @title Casts of values that are known to fit
/// @notice Unchecked: the caller states the bound. Use `SafeCastLib` for values without one.
library Fits {
    // forge-lint: disable-start(unsafe-typecast)
    function u8(uint256 value) internal pure returns (uint8) {
        return uint8(value);
    }

    function u32(uint256 value) internal pure returns (uint32) {
        return uint32(value);
    }

    function u40(uint256 value) internal pure returns (uint40) {
        return uint40(value);
    }

    function u64(uint256 value) internal pure returns (uint64) {
        return uint64(value);
    }

    function u96(uint256 value) internal pure returns (uint96) {
        return uint96(value);
    }

    function u128(uint256 value) internal pure returns (uint128) {
        return uint128(value);
    }

    function i256(uint256 value) internal pure returns (int256) {
        return int256(value);
    }
    // forge-lint: disable-end(unsafe-typecast)
}
