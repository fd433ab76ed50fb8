// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseDescriptor} from "contracts/src/interfaces/ILeaseDescriptor.sol";
import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Status} from "contracts/src/interfaces/ILeaseLens.sol";
import {ENDING_CANCELLED, ENDING_TERMINATED, Lease, Oracle} from "contracts/src/interfaces/LeaseTypes.sol";
import {LeaseState} from "contracts/src/libraries/LeaseState.sol";
import {Split} from "contracts/src/libraries/Settlement.sol";
import {Facts} from "contracts/src/metadata/Facts.sol";
import {Harmless} from "contracts/src/metadata/Harmless.sol";
import {Human} from "contracts/src/metadata/Human.sol";
import {LeasePicture} from "contracts/src/metadata/LeasePicture.sol";
import {TokenLabel} from "contracts/src/metadata/TokenLabel.sol";
import {Base64} from "solady/utils/Base64.sol";
import {LibString} from "solady/utils/LibString.sol";
import {MetadataReaderLib} from "solady/utils/MetadataReaderLib.sol";

/// @title Metadata of the leases' NFTs
/// @notice Built from the escrow's record. The payment token supplies symbol and decimals, the
/// oracle its name; neither is trusted for anything.
contract LeaseDescriptor is ILeaseDescriptor {
    using LibString for uint256;

    uint256 private constant NAME_GAS = 100_000;
    uint256 private constant MAX_NAME_READ = 128;
    uint256 private constant MAX_NAME = 40;
    string private constant COLLECTION_PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1000 1000"><rect width="1000" height="1000" fill="#0b0c12"/>'
        '<g fill="none" stroke-width="44" transform="rotate(-90 500 440)"><circle cx="500" cy="440" r="250" stroke="#fff"'
        ' stroke-opacity=".12"/><circle cx="500" cy="440" r="250" stroke="#f7a13c" stroke-dasharray="1100 1600"/></g>'
        '<text x="507" y="850" text-anchor="middle" font-family="ui-sans-serif,system-ui,sans-serif" font-size="84"'
        ' font-weight="600" letter-spacing="14" fill="#fff">HASHLEASE</text></svg>';

    LeasePicture private immutable PICTURE;
    /// @inheritdoc ILeaseDescriptor
    string public externalUrl;

    constructor(string memory externalUrl_) {
        PICTURE = new LeasePicture();
        externalUrl = externalUrl_;
    }

    /// @inheritdoc ILeaseDescriptor
    function tokenURI(address escrow, uint256 id) external view returns (string memory) {
        Lease memory lease = ILeaseEscrow(escrow).lease(id);
        Oracle memory oracle = ILeaseEscrow(escrow).pinnedOracle(lease.oracle);
        Facts memory f = _facts(escrow, id, lease, oracle);
        string memory image = Base64.encode(bytes(PICTURE.svg(f)));
        return _json(
            string.concat(
                '{"name":"Hashlease #',
                id.toString(),
                '","description":"',
                _description(f),
                '"',
                _link("external_url", string.concat(_page(escrow), "/", id.toString())),
                ',"image":"data:image/svg+xml;base64,',
                image,
                '","attributes":[',
                string.concat(_work(f), _life(f), _split(f), _claimable(f), _parties(lease), _oracle(oracle.account)),
                "]}"
            )
        );
    }

    /// @inheritdoc ILeaseDescriptor
    function contractURI(address escrow) external view returns (string memory) {
        return _json(
            string.concat(
                '{"name":"Hashlease","symbol":"LEASE","description":"Leases of hash power, paid out of escrow only for ',
                "work that was proven to be done. The owner of a lease gets back what was not delivered.",
                '","image":"data:image/svg+xml;base64,',
                Base64.encode(bytes(COLLECTION_PICTURE)),
                '"',
                _link("external_link", _page(escrow)),
                "}"
            )
        );
    }

    function _json(string memory json) private pure returns (string memory) {
        return string.concat("data:application/json;base64,", Base64.encode(bytes(json)));
    }

    /// @dev Empty if no page was named at deployment.
    function _link(string memory key, string memory url) private view returns (string memory) {
        return bytes(externalUrl).length == 0 ? "" : string.concat(',"', key, '":"', url, '"');
    }

    /// @dev Where the escrow's leases are shown.
    function _page(address escrow) private view returns (string memory) {
        return string.concat(
            LibString.escapeJSON(externalUrl), block.chainid.toString(), "/", LibString.toHexStringChecksummed(escrow)
        );
    }

    // ---------------------------------------------------------------- facts

    function _facts(address escrow, uint256 id, Lease memory lease, Oracle memory oracle)
        private
        view
        returns (Facts memory f)
    {
        (f.escrow, f.id, f.lease) = (escrow, id, lease);
        f.status = LeaseState.status(lease);
        f.label = _label(f.status, lease.ending);
        f.committed = LeaseState.committed(lease);
        f.delivered = uint256(lease.credited) * 10_000 / f.committed;
        (string memory number, string memory prefix) = Human.si(lease.rate);
        (f.rate, f.unit) = (number, string.concat(prefix, "H/s"));
        (f.symbol, f.decimals) = (TokenLabel.symbol(lease.token), TokenLabel.decimals(lease.token));
        if (f.status == Status.Ended || f.status == Status.Settled) {
            Split memory split = LeaseState.split(lease, oracle.voids);
            (f.refund, f.slashed) = (split.refund, split.slashed);
        }
    }

    /// @dev A shortened lease is labelled by its ending, whatever came after.
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
            _text("Payment", _amount(f, f.lease.payment))
        );
    }

    function _life(Facts memory f) private pure returns (string memory) {
        Lease memory l = f.lease;
        return string.concat(
            _date("Start", l.start),
            _date("End", l.end),
            _text("Epoch", Human.duration(l.epochLength)),
            _text("Bond", string.concat(Human.hundredths(l.bondBps), " %")),
            _text("Settled", l.settled ? "yes" : "no")
        );
    }

    /// @dev The holder's part is foreseen from the end on; the settlement makes it final.
    function _split(Facts memory f) private pure returns (string memory) {
        if (f.status != Status.Ended && f.status != Status.Settled) return "";
        bool settled = f.status == Status.Settled;
        return string.concat(
            _text(settled ? "Refund" : "Refund if settled now", _amount(f, f.refund)),
            _text(settled ? "Slash" : "Slash if settled now", _amount(f, f.slashed))
        );
    }

    /// @dev A cancellation or a void epoch leaves something to claim before the settlement.
    function _claimable(Facts memory f) private pure returns (string memory) {
        if (f.status != Status.Settled && f.lease.held == 0) return "";
        return _text("To be claimed", _amount(f, f.lease.held));
    }

    function _parties(Lease memory l) private pure returns (string memory) {
        return string.concat(
            _text("Provider", LibString.toHexStringChecksummed(l.provider)),
            _text("Job signer", LibString.toHexStringChecksummed(l.jobSigner)),
            _text("Signer", Human.signer(l))
        );
    }

    /// @dev An oracle need not have a name.
    function _oracle(address account) private view returns (string memory) {
        string memory name = Harmless.text(MetadataReaderLib.readName(account, MAX_NAME_READ, NAME_GAS), MAX_NAME);
        string memory text = _text("Oracle", LibString.toHexStringChecksummed(account));
        if (bytes(name).length == 0) return text;
        return string.concat(text, _text("Oracle name", LibString.escapeJSON(name)));
    }

    function _rate(Facts memory f) private pure returns (string memory) {
        return string.concat(f.rate, " ", f.unit);
    }

    function _hashes(uint256 work) private pure returns (string memory) {
        (string memory number, string memory prefix) = Human.si(work);
        return string.concat(number, " ", prefix, "H");
    }

    function _amount(Facts memory f, uint256 amount) private pure returns (string memory) {
        return string.concat(Human.decimal(amount, f.decimals), " ", LibString.escapeJSON(f.symbol));
    }

    function _first(string memory trait, string memory value) private pure returns (string memory) {
        return string.concat('{"trait_type":"', trait, '","value":"', value, '"}');
    }

    function _text(string memory trait, string memory value) private pure returns (string memory) {
        return string.concat(",", _first(trait, value));
    }

    function _date(string memory trait, uint256 time) private pure returns (string memory) {
        return string.concat(',{"display_type":"date","trait_type":"', trait, '","value":', time.toString(), "}");
    }
}
