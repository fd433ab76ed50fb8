// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

/// @title Keccak-512, which the EVM lacks
/// @notice Keccak-f[1600] step by step as FIPS 202 describes it, with the padding from before the
/// standard. For tests: it costs about a million gas.
library KeccakF {
    /// @dev Lane (x, y) is at index x + 5 * y.
    function permute(uint64[25] memory a) internal pure {
        uint8 register = 1;
        for (uint256 round; round < 24; ++round) {
            _theta(a);
            _rhoAndPi(a);
            _chi(a);
            // iota: the round constants are bits of a shift register
            for (uint64 j; j < 7; ++j) {
                if (register & 1 == 1) a[0] ^= uint64(1) << (uint64(2) ** j - 1);
                register = register & 0x80 == 0 ? register << 1 : register << 1 ^ 0x71;
            }
        }
    }

    function _theta(uint64[25] memory a) private pure {
        uint64[5] memory c;
        for (uint256 x; x < 5; ++x) {
            c[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
        }
        for (uint256 i; i < 25; ++i) {
            a[i] ^= c[(i + 4) % 5] ^ _rotated(c[(i + 1) % 5], 1);
        }
    }

    function _rhoAndPi(uint64[25] memory a) private pure {
        (uint256 x, uint256 y) = (1, 0);
        uint64 moved = a[1];
        for (uint256 t; t < 24; ++t) {
            (x, y) = (y, (2 * x + 3 * y) % 5);
            uint64 next = a[x + 5 * y];
            a[x + 5 * y] = _rotated(moved, uint64((t + 1) * (t + 2) / 2 % 64));
            moved = next;
        }
    }

    function _chi(uint64[25] memory a) private pure {
        for (uint256 y; y < 25; y += 5) {
            uint64[5] memory row = [a[y], a[y + 1], a[y + 2], a[y + 3], a[y + 4]];
            for (uint256 x; x < 5; ++x) {
                a[y + x] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5]);
            }
        }
    }

    function _rotated(uint64 lane, uint64 by) private pure returns (uint64) {
        return by == 0 ? lane : lane << by | lane >> (64 - by);
    }

    /// @notice Keccak-512 of a message that fits one block: at most 71 bytes.
    function keccak512(bytes memory message) internal pure returns (bytes memory) {
        return _sponge(message, 72, 64);
    }

    /// @notice Keccak-256 by the same steps, of at most 135 bytes, to compare with the EVM's own.
    function keccak256_(bytes memory message) internal pure returns (bytes memory) {
        return _sponge(message, 136, 32);
    }

    function _sponge(bytes memory message, uint256 rate, uint256 length) private pure returns (bytes memory digest) {
        require(message.length < rate, "one block");
        uint64[25] memory a;
        bytes memory padded = new bytes(rate);
        for (uint256 i; i < message.length; ++i) {
            padded[i] = message[i];
        }
        padded[message.length] = 0x01;
        padded[rate - 1] |= 0x80;
        for (uint64 i; i < rate; ++i) {
            a[i / 8] |= uint64(uint8(padded[i])) << (i % 8 * 8);
        }
        permute(a);
        digest = new bytes(length);
        for (uint256 i; i < length; ++i) {
            digest[i] = bytes1(uint8(a[i / 8] >> (i % 8 * 8)));
        }
    }
}
