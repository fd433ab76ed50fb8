// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Fits} from "contracts/src/libraries/Fits.sol";
import {MetadataReaderLib} from "solady/utils/MetadataReaderLib.sol";

/// @title A token's symbol and decimals, made harmless
/// @notice Each query costs at most 100,000 gas and reads at most 64 bytes of the answer, whatever
/// the token does. The result is valid UTF-8 without control, combining or direction characters;
/// quotes and angle brackets remain, for the caller to escape.
library TokenLabel {
    uint256 private constant GAS = 100_000;
    uint256 private constant MAX_READ = 64;
    uint256 private constant MAX_SHOWN = 12;
    uint256 private constant MAX_DECIMALS = 36;

    /// @notice Zero if the token does not answer, or answers an impossible number.
    function decimals(address token) internal view returns (uint8) {
        uint256 answer = MetadataReaderLib.readUint(token, abi.encodeWithSignature("decimals()"), GAS);
        return answer > MAX_DECIMALS ? 0 : Fits.u8(answer);
    }

    /// @notice At most 12 characters, with "?" for each byte that is not harmless; "token" if there
    /// is none.
    function symbol(address token) internal view returns (string memory) {
        return clean(MetadataReaderLib.readSymbol(token, MAX_READ, GAS));
    }

    function clean(string memory text) internal pure returns (string memory) {
        bytes memory raw = bytes(text);
        if (raw.length == 0) return "token";
        bytes memory shown;
        uint256 count;
        for (uint256 i; i < raw.length; ++count) {
            if (count == MAX_SHOWN) return string(bytes.concat(shown, unicode"…"));
            uint256 length = _harmless(raw, i);
            if (length == 0) shown = bytes.concat(shown, "?");
            for (uint256 j; j < length; ++j) {
                shown = bytes.concat(shown, raw[i + j]);
            }
            i += length == 0 ? 1 : length;
        }
        return string(shown);
    }

    /// @dev Length of the character at `i` if it is printable ASCII, a Latin-1 letter or sign,
    /// Greek, or a currency sign; else zero.
    function _harmless(bytes memory raw, uint256 i) private pure returns (uint256) {
        uint256 a = uint8(raw[i]);
        if (a < 0x80) return a >= 0x20 && a != 0x7f ? 1 : 0;
        uint256 b = i + 1 < raw.length ? uint8(raw[i + 1]) : 0;
        if (b < 0x80 || b > 0xbf) return 0;
        // no soft hyphen
        if (a == 0xc2) return b > 0xa0 && b != 0xad ? 2 : 0;
        if (a == 0xc3 || a == 0xce || a == 0xcf) return 2;
        if (a != 0xe2 || b != 0x82 || i + 2 >= raw.length) return 0;
        uint256 c = uint8(raw[i + 2]);
        return c >= 0x80 && c <= 0xbf ? 3 : 0;
    }
}
