// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @title Is it UTF-8?
library Utf8 {
    error NotUtf8(uint256 at);

    /// @notice Reverts with the position of the first byte that is not (RFC 3629: nothing overlong,
    /// no surrogates, at most U+10FFFF).
    function check(string memory text) internal pure {
        bytes memory s = bytes(text);
        for (uint256 i; i < s.length;) {
            uint256 first = uint8(s[i]);
            if (first < 0x80) {
                ++i;
                continue;
            }
            require(first >= 0xc2 && first <= 0xf4, NotUtf8(i));
            uint256 length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
            require(i + length <= s.length, NotUtf8(i));
            uint256 point = first & (length == 2 ? 0x1f : length == 3 ? 0x0f : 0x07);
            for (uint256 j = 1; j < length; ++j) {
                uint256 next = uint8(s[i + j]);
                require(next >> 6 == 2, NotUtf8(i));
                point = point << 6 | next & 0x3f;
            }
            require(point >= (length == 4 ? 0x10000 : length == 3 ? 0x800 : 0x80) && point <= 0x10ffff, NotUtf8(i));
            require(point < 0xd800 || point > 0xdfff, NotUtf8(i));
            i += length;
        }
    }
}
