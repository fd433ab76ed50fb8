// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

/// @title The arithmetic of a lease
/// @notice Pure functions; money in base units, work in expected hashes. `crates/escrow-model/src`
/// has the same arithmetic in Rust.
library LeaseMath {
    /// @dev Number of hashes that a price is for.
    uint256 internal constant PRICE_UNIT = 1e21;
    uint256 internal constant BPS = 10_000;

    /// @notice `ceil(price × work / 10^21)`. Fits 256 bits: 128 + 96.
    function payment(uint128 price, uint256 work) internal pure returns (uint256) {
        return FixedPointMathLib.divUp(uint256(price) * work, PRICE_UNIT);
    }

    /// @notice `floor(amount × bps / 10,000)`.
    function portion(uint256 amount, uint256 bps) internal pure returns (uint256) {
        return amount * bps / BPS;
    }

    /// @notice Exponent of the settlement weight: `floor(log2(min(rate × epoch / 1,000, rate ×
    /// duration / 20,000)))`.
    /// @return log2 The exponent.
    /// @return smallest The value under the logarithm; if it is below 1, the lease is too small.
    function weightLog2(uint256 rate, uint256 epochLength, uint256 duration)
        internal
        pure
        returns (uint256 log2, uint256 smallest)
    {
        smallest = FixedPointMathLib.min(rate * epochLength / 1000, rate * duration / 20_000);
        log2 = smallest == 0 ? 0 : FixedPointMathLib.log2(smallest);
    }

    /// @notice Money released by `credited` work. Fits 256 bits: 128 + 96.
    function released(uint256 amount, uint256 credited, uint256 committed) internal pure returns (uint256) {
        return amount * FixedPointMathLib.min(credited, committed) / committed;
    }

    /// @notice The most that may be credited where `promised` work was promised so far, of at most
    /// 136 bits: a quarter more, and at most what was promised for the whole lease.
    function creditCap(uint256 promised, uint256 committed) internal pure returns (uint256) {
        unchecked {
            uint256 cap = promised * 5 / 4;
            return cap < committed ? cap : committed;
        }
    }

    /// @notice The part of the payment that no credit can reach once only `promised` work is
    /// promised in all: the payment less the share, rounded up, of the most that may be credited.
    function returned(uint256 amount, uint256 promised, uint256 committed) internal pure returns (uint256) {
        return amount - FixedPointMathLib.divUp(amount * creditCap(promised, committed), committed);
    }

    /// @notice Work that may be missing without a slash: `max(due / 20, floor(3.1 × √(weight ×
    /// due)))`.
    function tolerance(uint256 due, uint256 log2) internal pure returns (uint256) {
        // 3.1² = 9.61; 96 + 96 + 10 bits
        uint256 root = FixedPointMathLib.sqrt(961 * (due << log2) / 100);
        return FixedPointMathLib.max(due / 20, root);
    }

    /// @notice Due work that is missing beyond the tolerance; `max(due − credited, 0)` is short.
    function missing(uint256 due, uint256 credited, uint256 log2) internal pure returns (uint256) {
        uint256 short = FixedPointMathLib.zeroFloorSub(due, credited);
        return FixedPointMathLib.zeroFloorSub(short, tolerance(due, log2));
    }

    /// @notice The part of the bond that missing work costs: `floor(bond × missing / committed)`,
    /// at most the bond. Silence never slashes: an oracle that reports nothing leaves `due` at
    /// zero, and only reported due work can be short.
    function slash(uint256 bond, uint256 due, uint256 credited, uint256 committed, uint256 log2)
        internal
        pure
        returns (uint256)
    {
        return FixedPointMathLib.min(bond, bond * missing(due, credited, log2) / committed);
    }
}
