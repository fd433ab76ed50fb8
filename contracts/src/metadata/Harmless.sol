// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @title A stranger's words, made harmless
/// @notice The result is valid UTF-8 without control, combining or direction characters; quotes and
/// angle brackets remain, for the caller to escape.
library Harmless {
    /// @notice At most `most` characters of `raw`, with "?" for each byte that is not harmless.
    function text(string memory raw, uint256 most) internal pure returns (string memory) {
        bytes memory given = bytes(raw);
        bytes memory shown;
        uint256 count;
        for (uint256 i; i < given.length; ++count) {
            if (count == most) return string(bytes.concat(shown, unicode"…"));
            uint256 length = _harmless(given, i);
            if (length == 0) shown = bytes.concat(shown, "?");
            for (uint256 j; j < length; ++j) {
                shown = bytes.concat(shown, given[i + j]);
            }
            i += length == 0 ? 1 : length;
        }
        return string(shown);
    }

    /// @dev Length of the character at `i` if it is printable ASCII, a Latin-1 letter or sign,
    /// Greek, or a currency sign; else zero.
    function _harmless(bytes memory given, uint256 i) private pure returns (uint256) {
        uint256 a = uint8(given[i]);
        if (a < 0x80) return a >= 0x20 && a != 0x7f ? 1 : 0;
        uint256 b = i + 1 < given.length ? uint8(given[i + 1]) : 0;
        if (b < 0x80 || b > 0xbf) return 0;
        // no soft hyphen
        if (a == 0xc2) return b > 0xa0 && b != 0xad ? 2 : 0;
        if (a == 0xc3 || a == 0xce || a == 0xcf) return 2;
        if (a != 0xe2 || b != 0x82 || i + 2 >= given.length) return 0;
        uint256 c = uint8(given[i + 2]);
        return c >= 0x80 && c <= 0xbf ? 3 : 0;
    }
}
