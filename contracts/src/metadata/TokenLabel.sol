// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Fits} from "contracts/src/libraries/Fits.sol";
import {Harmless} from "contracts/src/metadata/Harmless.sol";
import {MetadataReaderLib} from "solady/utils/MetadataReaderLib.sol";

/// @title A token's symbol and decimals, made harmless
/// @notice Each query costs at most 100,000 gas and reads at most 64 bytes of the answer, whatever
/// the token does.
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

    /// @notice At most 12 characters; "token" if there are none.
    function symbol(address token) internal view returns (string memory text) {
        text = Harmless.text(MetadataReaderLib.readSymbol(token, MAX_READ, GAS), MAX_SHOWN);
        if (bytes(text).length == 0) text = "token";
    }
}
