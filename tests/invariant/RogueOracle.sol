// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Statement} from "contracts/src/interfaces/LeaseTypes.sol";

/// @title A registered oracle that says whatever it is told
/// @notice A plain contract with an oracle's rights and none of a committee's checks.
contract RogueOracle {
    ILeaseEscrow private immutable ESCROW;

    constructor(ILeaseEscrow escrow) {
        ESCROW = escrow;
    }

    function credit(Statement[] calldata statements) external {
        ESCROW.credit(statements);
    }

    function voidEpoch(uint256 id, uint32 epoch, address challenger) external {
        ESCROW.voidEpoch(id, epoch, challenger);
    }
}
