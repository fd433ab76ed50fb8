// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Status} from "contracts/src/interfaces/ILeaseLens.sol";
import {
    ALGORITHM_ETCHASH,
    ALGORITHM_ETHASH,
    ALGORITHM_SCRYPT,
    ALGORITHM_SHA256D,
    ENDING_AS_RENTED,
    ENDING_CANCELLED,
    ENDING_TERMINATED,
    Lease
} from "contracts/src/interfaces/LeaseTypes.sol";
import {Facts} from "contracts/src/metadata/Facts.sol";
import {Human} from "contracts/src/metadata/Human.sol";
import {LeaseDial} from "contracts/src/metadata/LeaseDial.sol";
import {DateTimeLib} from "solady/utils/DateTimeLib.sol";
import {DynamicBufferLib} from "solady/utils/DynamicBufferLib.sol";
import {LibString} from "solady/utils/LibString.sol";

/// @title The picture of a lease
/// @notice Figures and words of this contract only, except for the token's symbol, which is
/// escaped. A contract of its own, because words and picture together exceed the limit of one.
contract LeasePicture {
    using DynamicBufferLib for DynamicBufferLib.DynamicBuffer;
    using LibString for uint256;

    string private constant SANS = "ui-sans-serif,system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";

    struct Colours {
        uint256 first;
        uint256 second;
    }

    /// @notice The picture as SVG.
    function svg(Facts memory f) external view returns (string memory) {
        uint256 seed = uint256(keccak256(abi.encode(f.escrow, f.id, f.lease.provider, f.lease.rate, f.lease.start)));
        Colours memory c = _colours(f.lease.algorithm, seed >> 64);
        DynamicBufferLib.DynamicBuffer memory out;
        out = out.p(bytes(_head(c)));
        out = out.p(bytes(LeaseDial.field(f, seed)));
        out = out.p(bytes(LeaseDial.rings(f)));
        out = out.p(bytes(_corners(f)));
        out = out.p(bytes(_centre(f, c)));
        out = out.p(bytes(_foot(f, c)));
        return out.p("</svg>").s();
    }

    // ---------------------------------------------------------------- ground

    /// @dev Each algorithm has its own range of the colour wheel.
    function _colours(uint8 algorithm, uint256 seed) private pure returns (Colours memory c) {
        (c.first, c.second) = (0, 40);
        if (algorithm == ALGORITHM_SHA256D) (c.first, c.second) = (20, 318);
        if (algorithm == ALGORITHM_SCRYPT) (c.first, c.second) = (186, 222);
        if (algorithm == ALGORITHM_ETHASH) (c.first, c.second) = (248, 296);
        if (algorithm == ALGORITHM_ETCHASH) (c.first, c.second) = (134, 176);
        c.first += seed % 22;
        c.second += (seed >> 8) % 36;
    }

    function _hsl(uint256 hue, string memory rest) private pure returns (string memory) {
        return string.concat("hsl(", (hue % 360).toString(), ",", rest, ")");
    }

    function _head(Colours memory c) private pure returns (string memory) {
        return string.concat(
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1000 1000" font-family="',
            SANS,
            '"><defs><radialGradient id="b" cx=".5" cy=".42" r=".75"><stop stop-color="',
            _hsl(c.first, "55%,17%"),
            '"/><stop offset=".55" stop-color="',
            _hsl(c.second, "45%,7%"),
            '"/><stop offset="1" stop-color="#06070b"/></radialGradient>',
            '<linearGradient id="g" gradientUnits="userSpaceOnUse" x1="-2400" y1="-2400" x2="2400" y2="2400"><stop stop-color="',
            _hsl(c.first, "96%,64%"),
            '"/><stop offset="1" stop-color="',
            _hsl(c.second, "92%,62%"),
            '"/></linearGradient><linearGradient id="r" x1="1" y1="0" x2="0" y2="1"><stop stop-color="',
            _hsl(c.first, "96%,64%"),
            '"/><stop offset="1" stop-color="',
            _hsl(c.second, "92%,62%"),
            '"/></linearGradient><filter id="f" x="-.2" y="-.2" width="1.4" height="1.4"><feGaussianBlur stdDeviation="90"/></filter></defs>',
            '<rect width="1000" height="1000" rx="44" fill="url(#b)"/>',
            '<rect x="18" y="18" width="964" height="964" rx="30" fill="none" stroke="#fff" stroke-opacity=".09" stroke-width="2"/>'
        );
    }

    // ---------------------------------------------------------------- words

    function _corners(Facts memory f) private pure returns (string memory) {
        string memory id = f.id.toString();
        if (bytes(id).length > 12) {
            id = string.concat(LibString.slice(id, 0, 5), unicode"…", LibString.slice(id, bytes(id).length - 5));
        }
        return string.concat(
            '<text x="60" y="88" font-size="25" font-weight="600" letter-spacing="7" fill="#fff">HASHLEASE</text>',
            '<circle cx="68" cy="119" r="7" fill="',
            _statusColour(f),
            '"/><text x="86" y="127" font-size="23" letter-spacing="1" fill="#fff" fill-opacity=".85">',
            f.label,
            "</text>",
            '<text x="940" y="94" text-anchor="end" font-weight="600" fill="#fff" font-size="',
            bytes(id).length > 6 ? "30" : "42",
            '">#',
            id,
            "</text>",
            _signer(f.lease)
        );
    }

    /// @dev Shown if the provider decides what the figures mean. The ring leaves room for short
    /// lines only.
    function _signer(Lease memory l) private pure returns (string memory) {
        bool isProvider = l.jobSigner == l.provider;
        if (!isProvider && !l.signerDictated) return "";
        return string.concat(
            '<text x="940" y="127" text-anchor="end" font-size="21" fill="#ffc46b">',
            isProvider ? "self-attributed" : 'signer chosen<tspan x="940" dy="27">by the provider</tspan>',
            "</text>"
        );
    }

    function _statusColour(Facts memory f) private pure returns (string memory) {
        if (f.lease.ending == ENDING_CANCELLED) return "#ffb454";
        if (f.lease.ending == ENDING_TERMINATED) return "#ff6b6b";
        if (f.status == Status.Active) return "#4ade80";
        return f.status == Status.Scheduled ? "#60a5fa" : "#a3a9b5";
    }

    function _centre(Facts memory f, Colours memory c) private pure returns (string memory) {
        uint256 length = bytes(f.rate).length;
        return string.concat(
            '<g text-anchor="middle" fill="#fff"><text x="500" y="360" font-size="27" letter-spacing="2" fill-opacity=".7">',
            Human.algorithm(f.lease.algorithm),
            '</text><text x="500" y="456" font-weight="700" font-size="',
            length > 5 ? "66" : length > 3 ? "84" : "108",
            '">',
            f.rate,
            '</text><text x="500" y="512" font-size="40" font-weight="500" fill="',
            _hsl(c.first, "92%,72%"),
            '">',
            f.unit,
            "</text></g>"
        );
    }

    function _foot(Facts memory f, Colours memory c) private view returns (string memory) {
        (string memory label, string memory value, string memory note) = _time(f);
        return string.concat(
            '<path d="M60 812H940M350 838v92M650 838v92" stroke="#fff" stroke-opacity=".12" stroke-width="2"/>',
            _figure(
                "60", _hsl(c.first, "92%,72%"), "DELIVERED", string.concat(Human.fixed2(f.delivered), " %"), _pace(f)
            ),
            _figure("380", "#fff", label, value, note),
            f.status == Status.Settled || f.lease.held != 0
                ? _figure("680", "#fff", "TO CLAIM", Human.short(f.lease.held, f.decimals), _paid(f))
                : _figure("680", "#fff", "PAYMENT", Human.short(f.lease.payment, f.decimals), _money(f))
        );
    }

    function _figure(
        string memory x,
        string memory colour,
        string memory label,
        string memory value,
        string memory note
    ) private pure returns (string memory) {
        string memory at = string.concat('<text x="', x, '" y="');
        string memory size = bytes(value).length > 11 ? "27" : "36";
        return string.concat(
            string.concat(at, '855" font-size="20" letter-spacing="3" fill="', colour, '">', label, "</text>"),
            string.concat(at, '900" font-size="', size, '" font-weight="600" fill="#fff">', value, "</text>"),
            string.concat(at, '934" font-size="21" fill="#fff" fill-opacity=".62">', note, "</text>")
        );
    }

    function _money(Facts memory f) private pure returns (string memory) {
        string memory symbol = LibString.escapeHTML(f.symbol);
        // a long symbol fills the line
        if (bytes(f.symbol).length > 7) return symbol;
        return string.concat(symbol, unicode" · bond ", Human.hundredths(f.lease.bondBps), " %");
    }

    /// @dev The picture shows the claimable money beside the payment.
    function _paid(Facts memory f) private pure returns (string memory) {
        string memory symbol = LibString.escapeHTML(f.symbol);
        string memory payment = Human.short(f.lease.payment, f.decimals);
        // a line has room for 22 characters
        if (bytes(f.symbol).length + bytes(payment).length > 14) return symbol;
        return string.concat(symbol, unicode" · paid ", payment);
    }

    /// @dev Compares with what was promised by the oracle's last report; without one, or once
    /// settled, shows the committed work.
    function _pace(Facts memory f) private pure returns (string memory) {
        Lease memory l = f.lease;
        if (l.settled || l.asOf <= l.start) {
            (string memory number, string memory prefix) = Human.si(f.committed);
            return string.concat("of ", number, " ", prefix, "H");
        }
        uint256 promised = uint256(l.rate) * (l.asOf - l.start);
        bool behind = l.credited < promised;
        uint256 gap = (behind ? promised - l.credited : l.credited - promised) * 10_000 / f.committed;
        if (gap == 0) return "on pace";
        return string.concat(Human.fixed2(gap), behind ? " % behind" : " % ahead");
    }

    function _time(Facts memory f) private view returns (string memory label, string memory value, string memory note) {
        Lease memory l = f.lease;
        if (f.status == Status.Scheduled) {
            return
                (
                    "STARTS IN",
                    Human.duration(l.start - block.timestamp),
                    string.concat("for ", Human.duration(l.duration))
                );
        }
        if (f.status == Status.Active) {
            string memory whole = Human.duration(l.duration);
            return (
                "TIME LEFT",
                Human.duration(l.end - block.timestamp),
                string.concat(l.ending == ENDING_AS_RENTED ? "of " : "ends early, of ", whole)
            );
        }
        // the picture shows no seconds
        // slither-disable-next-line unused-return
        (uint256 year, uint256 month, uint256 day, uint256 hour, uint256 minute,) =
            DateTimeLib.timestampToDateTime(l.end);
        return (
            "ENDED",
            string.concat(year.toString(), "-", _two(month), "-", _two(day)),
            string.concat(_two(hour), ":", _two(minute), " UTC")
        );
    }

    function _two(uint256 value) private pure returns (string memory) {
        return string.concat(value < 10 ? "0" : "", value.toString());
    }
}
