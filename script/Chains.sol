// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Bounds, Limits} from "contracts/src/interfaces/LeaseTypes.sol";
import {Script} from "forge-std/Script.sol";
import {SafeCastLib} from "solady/utils/SafeCastLib.sol";

/// @title What is known about the chain that a script runs on
abstract contract Chains is Script {
    uint256 internal constant LOCAL = 31_337;
    /// @dev Delay between a decision of the governor and its effect.
    uint32 internal constant TIMELOCK = 2 days;
    /// @dev Role that may pause renting.
    uint64 internal constant GUARDIAN = 1;

    /// @notice A token in `script/chains`. The address is zero where the deployment brings it.
    struct TokenFact {
        string symbol;
        address at;
        Limits limits;
    }

    /// @notice Facts about a chain.
    struct ChainFacts {
        string name;
        address wrappedNative;
        TokenFact[] tokens;
    }

    /// @dev A variable of the environment; empty if there is none.
    function _text(string memory name) internal view returns (string memory) {
        return vm.trim(vm.envOr(name, string("")));
    }

    /// @dev The number of the newest block, as the endpoint numbers them. `block.number` is the
    /// number of the chain below on Arbitrum, and forge imitates that.
    function _height() internal returns (uint256 height) {
        bytes memory quantity = vm.rpc("eth_blockNumber", "[]");
        for (uint256 i; i < quantity.length; ++i) {
            height = height << 8 | uint8(quantity[i]);
        }
    }

    /// @dev The same on every public chain; seconds on a local one, so that nobody needs to move
    /// its clock.
    function _bounds() internal view returns (Bounds memory) {
        bool isLocal = block.chainid == LOCAL;
        return Bounds({
            minDuration: isLocal ? 30 : 1 hours,
            maxDuration: 30 days,
            minEpoch: isLocal ? 10 : 10 minutes,
            maxEpoch: 24 hours,
            minEpochs: isLocal ? 2 : 6,
            minNotice: isLocal ? 0 : 10 minutes,
            maxNotice: 2 hours,
            minWindow: isLocal ? 10 : 24 hours,
            minVoidingWindow: isLocal ? 10 : 192 hours,
            maxWindow: 30 days
        });
    }

    function _chainFacts() internal view returns (ChainFacts memory facts) {
        string memory path = string.concat("script/chains/", vm.toString(block.chainid), ".toml");
        require(vm.isFile(path), string.concat(path, " is missing: it has the facts about this chain"));
        string memory toml = vm.readFile(path);
        facts.name = vm.parseTomlString(toml, ".name");
        facts.wrappedNative = _addressOrZero(toml, ".wrapped_native");
        uint256 count;
        while (vm.keyExistsToml(toml, _token(count, ""))) ++count;
        facts.tokens = new TokenFact[](count);
        for (uint256 i; i < count; ++i) {
            facts.tokens[i] = TokenFact(
                vm.parseTomlString(toml, _token(i, ".symbol")),
                _addressOrZero(toml, _token(i, ".address")),
                Limits(
                    _amount(vm.parseTomlString(toml, _token(i, ".exposure_cap"))),
                    _amount(vm.parseTomlString(toml, _token(i, ".least_payment")))
                )
            );
        }
    }

    function _addressOrZero(string memory toml, string memory key) private view returns (address) {
        return vm.keyExistsToml(toml, key) ? vm.parseTomlAddress(toml, key) : address(0);
    }

    /// @dev Base units.
    function _amount(string memory text) internal pure returns (uint128) {
        return SafeCastLib.toUint128(vm.parseUint(text));
    }

    function _token(uint256 index, string memory field) private pure returns (string memory) {
        return string.concat(".tokens[", vm.toString(index), "]", field);
    }
}
