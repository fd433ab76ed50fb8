// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Status} from "contracts/src/interfaces/ILeaseLens.sol";
import {Lease} from "contracts/src/interfaces/LeaseTypes.sol";

/// @notice Facts about a lease, gathered once for words and picture.
/// @param label Status in one word.
/// @param committed Work as rented.
/// @param delivered Credited work in hundredths of a percent of the committed work.
/// @param rate Hash rate, in `unit`.
/// @param symbol The token's symbol, harmless but not escaped.
/// @param refund The holder's part of the payment: what `settle` would give by the figures that
/// stand now or, once settled, gave. Zero before the end.
/// @param slashed The holder's part of the bond, likewise.
struct Facts {
    address escrow;
    uint256 id;
    Lease lease;
    Status status;
    string label;
    uint256 committed;
    uint256 delivered;
    string rate;
    string unit;
    string symbol;
    uint8 decimals;
    uint256 refund;
    uint256 slashed;
}
