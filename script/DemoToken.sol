// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ERC20} from "solady/tokens/ERC20.sol";

/// @title Demo token: worth nothing, anyone can mint it
/// @notice For local chains only; it can't be deployed anywhere else.
contract DemoToken is ERC20 {
    error LocalChainsOnly(uint256 chainId);

    constructor() {
        require(block.chainid == 31_337, LocalChainsOnly(block.chainid));
    }

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function name() public pure override returns (string memory) {
        return "Hashlease demo dollar";
    }

    function symbol() public pure override returns (string memory) {
        return "DEMO";
    }

    function decimals() public pure override returns (uint8) {
        return 6;
    }
}
