// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseDescriptor} from "contracts/src/interfaces/ILeaseDescriptor.sol";
import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Status} from "contracts/src/interfaces/ILeaseLens.sol";
import {ENDING_CANCELLED, ENDING_TERMINATED, Lease} from "contracts/src/interfaces/LeaseTypes.sol";
import {Facts, LeaseState} from "contracts/src/libraries/LeaseState.sol";
import {Human} from "contracts/src/metadata/Human.sol";
import {LeasePicture} from "contracts/src/metadata/LeasePicture.sol";
import {TokenLabel} from "contracts/src/metadata/TokenLabel.sol";
import {Base64} from "solady/utils/Base64.sol";
import {LibString} from "solady/utils/LibString.sol";

/// @title Metadata of a lease's NFT
/// @notice Built from the lease's record alone. The payment token supplies symbol and decimals, and
/// is trusted for nothing.
contract LeaseDescriptor is ILeaseDescriptor {
    using LibString for uint256;

    /// @inheritdoc ILeaseDescriptor
    function tokenURI(address escrow, uint256 id) external view returns (string memory) {
        Facts memory f = _facts(escrow, id);
        // shown, never hashed
        // slither-disable-next-line encode-packed-collision
        bytes memory json = abi.encodePacked(
            '{"name":"Hashlease #',
            id.toString(),
            '","description":"',
            _description(f),
            '","image":"data:image/svg+xml;base64,',
            Base64.encode(bytes(LeasePicture.svg(f))),
            '","attributes":[',
            _work(f),
            _life(f),
            _parties(f),
            "]}"
        );
        return string.concat("data:application/json;base64,", Base64.encode(json));
    }

    // ---------------------------------------------------------------- facts

    function _facts(address escrow, uint256 id) private view returns (Facts memory f) {
        Lease memory lease = ILeaseEscrow(escrow).lease(id);
        (f.escrow, f.id, f.lease) = (escrow, id, lease);
        f.status = LeaseState.status(lease);
        f.label = _label(f.status, lease.ending);
        f.committed = LeaseState.committed(lease);
        f.delivered = uint256(lease.credited) * 10_000 / f.committed;
        (string memory number, string memory prefix) = Human.si(lease.rate);
        (f.rate, f.unit) = (number, string.concat(prefix, "H/s"));
        (f.symbol, f.decimals) = (TokenLabel.symbol(lease.token), TokenLabel.decimals(lease.token));
    }

    /// @dev A shortened lease is labelled by its ending, because its owner at that time was already
    /// paid what it returned.
    function _label(Status status, uint8 ending) private pure returns (string memory) {
        if (ending == ENDING_CANCELLED) return "Cancelled";
        if (ending == ENDING_TERMINATED) return "Terminated";
        if (status == Status.Scheduled) return "Scheduled";
        if (status == Status.Active) return "Active";
        return status == Status.Ended ? "Ended" : "Settled";
    }

    function _description(Facts memory f) private pure returns (string memory) {
        return string.concat(
            "A lease of ",
            _rate(f),
            " of ",
            Human.algorithm(f.lease.algorithm),
            " hash power for ",
            Human.duration(f.lease.duration),
            ", paid out of escrow only for work that was proven to be done. ",
            "Its owner gets back what was not delivered, and she or the user she names says where the work goes."
        );
    }

    // ---------------------------------------------------------------- attributes

    function _work(Facts memory f) private pure returns (string memory) {
        string memory delivered = Human.fixed2(f.delivered);
        return string.concat(
            _first("Algorithm", Human.algorithm(f.lease.algorithm)),
            _text("Hash rate", _rate(f)),
            _text("Status", f.label),
            ',{"display_type":"number","trait_type":"Delivered %","value":',
            delivered,
            ',"max_value":100}',
            _text("Committed work", _hashes(f.committed)),
            _text("Credited work", _hashes(f.lease.credited)),
            _text("Payment", _payment(f))
        );
    }

    function _life(Facts memory f) private pure returns (string memory) {
        Lease memory l = f.lease;
        return string.concat(
            _number("date", "Start", l.start),
            _number("date", "End", l.end),
            _number("number", "Epoch seconds", l.epochLength),
            _number("number", "Bond basis points", l.bondBps),
            _number("number", "Oracle", l.oracle),
            _text("Settled", l.settled ? "yes" : "no")
        );
    }

    function _parties(Facts memory f) private pure returns (string memory) {
        Lease memory l = f.lease;
        return string.concat(
            _text("Provider", LibString.toHexStringChecksummed(l.provider)),
            _text("Job signer", LibString.toHexStringChecksummed(l.jobSigner)),
            _text("Self-attributed", l.jobSigner == l.provider ? "yes" : "no")
        );
    }

    function _rate(Facts memory f) private pure returns (string memory) {
        return string.concat(f.rate, " ", f.unit);
    }

    function _hashes(uint256 work) private pure returns (string memory) {
        (string memory number, string memory prefix) = Human.si(work);
        return string.concat(number, " ", prefix, "H");
    }

    function _payment(Facts memory f) private pure returns (string memory) {
        return string.concat(Human.decimal(f.lease.payment, f.decimals), " ", LibString.escapeJSON(f.symbol));
    }

    function _first(string memory trait, string memory value) private pure returns (string memory) {
        return string.concat('{"trait_type":"', trait, '","value":"', value, '"}');
    }

    function _text(string memory trait, string memory value) private pure returns (string memory) {
        return string.concat(",", _first(trait, value));
    }

    function _number(string memory kind, string memory trait, uint256 value) private pure returns (string memory) {
        return string.concat(',{"display_type":"', kind, '","trait_type":"', trait, '","value":', value.toString(), "}");
    }
}
