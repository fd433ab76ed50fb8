// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Statement} from "contracts/src/interfaces/LeaseTypes.sol";

/// @title An oracle for tests: no committee, no proofs
/// @notice Credits and voids whatever its founder wants.
contract TestOracle {
    ILeaseEscrow private immutable ESCROW;
    address private immutable FOUNDER;

    error NotFounder(address caller);

    modifier onlyFounder() {
        require(msg.sender == FOUNDER, NotFounder(msg.sender));
        _;
    }

    constructor(address escrow) {
        (ESCROW, FOUNDER) = (ILeaseEscrow(escrow), msg.sender);
    }

    function credit(Statement[] calldata statements) external onlyFounder {
        ESCROW.credit(statements);
    }

    function voidEpoch(uint256 lease, uint32 epoch, address challenger) external onlyFounder {
        ESCROW.voidEpoch(lease, epoch, challenger);
    }
}
