// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Fits} from "contracts/src/libraries/Fits.sol";
import {DynamicBufferLib} from "solady/utils/DynamicBufferLib.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";
import {LibString} from "solady/utils/LibString.sol";

/// @title The share field of a lease's picture
/// @notice Dots are placed like the seeds of a sunflower. Each stands for an equal part of the work
/// and they light up by angle from twelve o'clock on, so the lit part sweeps round with the
/// delivered work. The lease's seed chooses one of four spirals, its rotation, the number of dots
/// and the swirl of their sizes.
library ShareField {
    using DynamicBufferLib for DynamicBufferLib.DynamicBuffer;

    uint256 private constant SIZES = 3;
    int256 private constant ONE = 1e18;
    /// @dev Tenths of the picture's unit, about the field's centre.
    uint256 private constant INNER = 1740;
    uint256 private constant OUTER = 2960;

    /// @dev A point of the unit circle: its angle in turns of 2^64, and its coordinates.
    struct Direction {
        uint64 angle;
        int256 x;
        int256 y;
    }

    /// @param seed Makes each lease's field its own.
    /// @param lit Angle up to which dots are lit, in turns of 2^64.
    /// @param gone Angle up to which unlit dots are overdue.
    struct Look {
        uint256 seed;
        uint256 lit;
        uint256 gone;
    }

    /// @notice Path data: three sizes of lit dots, three of overdue dots, three of dots to come.
    function paths(Look memory look) internal pure returns (string[9] memory data) {
        DynamicBufferLib.DynamicBuffer[9] memory buffers;
        uint256 count = 420 + look.seed % 120;
        uint256 petals = 3 + (look.seed >> 16) % 7;
        uint256 swirl = (look.seed >> 24) % 5;
        Direction memory step = _spiral(look.seed >> 40);
        Direction memory at = Direction(0, ONE, 0);
        for (uint256 i = (look.seed >> 48) % 64; i > 0; --i) {
            _turn(at, step);
        }
        for (uint256 i; i < count; ++i) {
            _turn(at, step);
            uint256 radius = FixedPointMathLib.sqrt(INNER ** 2 + (OUTER ** 2 - INNER ** 2) * i / count);
            // a wave round the circle, twisted from the inside to the outside; the mask wraps the
            // angle at a full turn
            uint256 wave = (at.angle * petals + ((i * swirl) << 64) / count) & type(uint64).max;
            uint256 size = (wave > 1 << 63 ? type(uint64).max - wave : wave) * SIZES >> 63;
            uint256 class = at.angle < look.lit ? 0 : at.angle < look.gone ? SIZES : 2 * SIZES;
            // a buffer returns itself for chaining
            // slither-disable-next-line unused-return
            DynamicBufferLib.p(buffers[class + FixedPointMathLib.min(size, SIZES - 1)], _dot(at, radius));
        }
        for (uint256 i; i < 9; ++i) {
            data[i] = buffers[i].s();
        }
    }

    /// @dev The golden angle and three other noble angles: each fills the circle evenly, with its
    /// own arms.
    function _spiral(uint256 choice) private pure returns (Direction memory) {
        choice %= 4;
        if (choice == 0) return Direction(0x9e3779b97f4a7c15, -737_368_878_078_319_901, -675_490_294_261_523_642);
        if (choice == 1) return Direction(0x46c1b47480244d95, -165_074_335_764_560_799, 986_281_128_113_018_820);
        if (choice == 2) return Direction(0x376f520668caaee6, 208_675_572_878_619_287, 977_984_920_785_479_212);
        return Direction(0x6b79682822d839d3, -875_765_126_420_254_368, 482_737_447_631_852_860);
    }

    function _turn(Direction memory at, Direction memory by) private pure {
        unchecked {
            at.angle += by.angle;
            (at.x, at.y) = ((at.x * by.x - at.y * by.y) / ONE, (at.x * by.y + at.y * by.x) / ONE);
        }
    }

    /// @dev A line without length, which round caps turn into a dot. Twelve o'clock is angle zero;
    /// the y axis points down.
    function _dot(Direction memory at, uint256 radius) private pure returns (bytes memory) {
        // the radius lies within the picture
        int256 r = Fits.i256(radius);
        return abi.encodePacked("M", LibString.toString(at.y * r / ONE), " ", LibString.toString(-at.x * r / ONE), "h0");
    }
}
