// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {
    ALGORITHM_ETCHASH,
    ALGORITHM_ETHASH,
    ALGORITHM_SCRYPT,
    ALGORITHM_SHA256D,
    Lease
} from "contracts/src/interfaces/LeaseTypes.sol";
import {LibString} from "solady/utils/LibString.sol";

/// @title Figures as people read them
/// @notice All figures are rounded down, so nothing looks like more than it is.
library Human {
    function algorithm(uint8 value) internal pure returns (string memory) {
        if (value == ALGORITHM_SHA256D) return "SHA-256d";
        if (value == ALGORITHM_SCRYPT) return "scrypt";
        if (value == ALGORITHM_ETHASH) return "Ethash";
        if (value == ALGORITHM_ETCHASH) return "Etchash";
        return "unknown";
    }

    /// @notice Who chose the job signer, whom the renter trusts for what the figures mean.
    function signer(Lease memory lease) internal pure returns (string memory) {
        if (lease.jobSigner == lease.provider) return "self-attributed";
        return lease.signerDictated ? "chosen by the provider" : "chosen by the renter";
    }

    /// @notice `hundredths(1230)` is "12.3".
    function hundredths(uint256 value) internal pure returns (string memory) {
        return decimal(value, 2);
    }

    /// @notice Always two decimals: `fixed2(1230)` is "12.30".
    function fixed2(uint256 value) internal pure returns (string memory) {
        return
            string.concat(
                LibString.toString(value / 100), value % 100 < 10 ? ".0" : ".", LibString.toString(value % 100)
            );
    }

    /// @notice `value` with the largest SI prefix that leaves a whole part, and at most two
    /// decimals.
    function si(uint256 value) internal pure returns (string memory number, string memory prefix) {
        uint256 unit = 1;
        uint256 i;
        for (; i < 10 && value / unit >= 1000; ++i) {
            unit *= 1000;
        }
        return (hundredths(value * 100 / unit), i == 0 ? "" : LibString.slice("kMGTPEZYRQ", i - 1, i));
    }

    /// @notice `value / 10^places` in full, without trailing zeros. At most 36 places.
    function decimal(uint256 value, uint256 places) internal pure returns (string memory) {
        uint256 one = 10 ** places;
        string memory whole = LibString.toString(value / one);
        uint256 rest = value % one;
        if (rest == 0) return whole;
        while (rest % 10 == 0) {
            (rest, one) = (rest / 10, one / 10);
        }
        return string.concat(whole, ".", LibString.slice(LibString.toString(one + rest), 1));
    }

    /// @notice `decimal` in at most 13 characters: drops decimals first, then uses an exponent.
    function short(uint256 value, uint256 places) internal pure returns (string memory text) {
        text = decimal(value, places);
        if (bytes(text).length <= 13) return text;
        uint256 whole = value / 10 ** places;
        uint256 digits = bytes(LibString.toString(whole)).length;
        if (digits <= 13) return digits > 11 ? LibString.toString(whole) : LibString.slice(text, 0, 13);
        return string.concat(hundredths(whole / 10 ** (digits - 3)), "e", LibString.toString(digits - 1));
    }

    /// @notice A time span in its two largest units.
    function duration(uint256 s) internal pure returns (string memory) {
        if (s >= 1 days) return _pair(s / 1 days, " d", s % 1 days / 1 hours, " h");
        if (s >= 1 hours) return _pair(s / 1 hours, " h", s % 1 hours / 1 minutes, " min");
        if (s >= 1 minutes) return _pair(s / 1 minutes, " min", s % 1 minutes, " s");
        return string.concat(LibString.toString(s), " s");
    }

    function _pair(uint256 a, string memory unit, uint256 b, string memory smaller)
        private
        pure
        returns (string memory text)
    {
        text = string.concat(LibString.toString(a), unit);
        if (b != 0) text = string.concat(text, " ", LibString.toString(b), smaller);
    }
}
