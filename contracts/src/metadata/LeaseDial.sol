// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Status} from "contracts/src/interfaces/ILeaseLens.sol";
import {Lease} from "contracts/src/interfaces/LeaseTypes.sol";
import {LeaseState} from "contracts/src/libraries/LeaseState.sol";
import {Facts} from "contracts/src/metadata/Facts.sol";
import {Human} from "contracts/src/metadata/Human.sol";
import {ShareField} from "contracts/src/metadata/ShareField.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";
import {LibString} from "solady/utils/LibString.sol";

/// @title The dial in a lease's picture
/// @notice The field of dots and the thick ring fill with the delivered work, the thin ring with
/// the time. A mark shows what was promised by the oracle's last report; dull dots before the mark
/// mean that delivery is behind.
library LeaseDial {
    using LibString for uint256;

    /// @dev Circumferences, so that a dash's length is a share of the ring.
    uint256 private constant WORK_RING = 2000;
    uint256 private constant TIME_RING = 2150;
    uint256 private constant TICK_RING = 2240;
    uint256 private constant MAX_TICKS = 96;

    function field(Facts memory f, uint256 seed) internal pure returns (string memory) {
        Lease memory l = f.lease;
        // work after the last report may still be credited
        uint256 told = l.settled ? l.end - l.start : l.asOf > l.start ? l.asOf - l.start : 0;
        uint256 gone = (told << 64) / l.duration;
        uint256 lit = (uint256(l.credited) << 64) / f.committed;
        string[9] memory data = ShareField.paths(ShareField.Look(seed, lit, gone));
        string memory on = string.concat(_dots(data[0], "50"), _dots(data[1], "84"), _dots(data[2], "126"));
        string memory missed = string.concat(_dots(data[3], "30"), _dots(data[4], "48"), _dots(data[5], "70"));
        string memory ahead = string.concat(_dots(data[6], "26"), _dots(data[7], "44"), _dots(data[8], "66"));
        return string.concat(
            '<g transform="translate(500 425)scale(.1)" fill="none" stroke-linecap="round"><g stroke="url(#g)" stroke-opacity=".42">',
            ahead,
            '</g><g stroke="#ff9d8f" stroke-opacity=".62">',
            missed,
            '</g><g id="l" stroke="url(#g)">',
            on,
            '</g><use href="#l" filter="url(#f)" opacity=".9"/></g>'
        );
    }

    function _dots(string memory data, string memory width) private pure returns (string memory) {
        if (bytes(data).length == 0) return "";
        return string.concat('<path stroke-width="', width, '" d="', data, '"/>');
    }

    function rings(Facts memory f) internal view returns (string memory) {
        Lease memory l = f.lease;
        uint256 ran = (l.end - l.start);
        uint256 elapsed = LeaseState.elapsed(l);
        string memory work = string.concat(
            _ring("318.31", "#fff", ".09", "16", ""),
            _ring("152", "#fff", ".1", "2", ""),
            l.credited == 0 ? "" : _arc("318.31", "url(#r)", "16", WORK_RING, l.credited, f.committed),
            _promised(f)
        );
        string memory time = string.concat(
            ran == 0 ? "" : _arc("342.18", "#fff;stroke-opacity:.16", "3", TIME_RING, ran, l.duration),
            elapsed == 0 ? "" : _arc("342.18", "#fff", "3", TIME_RING, elapsed, l.duration),
            f.status == Status.Active ? _mark("342.18", "13", TIME_RING, elapsed, l.duration) : ""
        );
        return string.concat('<g transform="rotate(-90 500 425)" fill="none">', _ticks(l), work, time, "</g>");
    }

    /// @dev One tick at the start of each epoch, or of every n-th epoch if they don't all fit.
    function _ticks(Lease memory l) private pure returns (string memory) {
        uint256 epochs = l.duration / l.epochLength;
        uint256 each = FixedPointMathLib.divUp(epochs, MAX_TICKS);
        uint256 gap = TICK_RING * 100 * each / epochs;
        return _ring(
            "356.51",
            "#fff",
            ".45",
            "7",
            string.concat(' stroke-dasharray="2 ', Human.fixed2(gap - 200), '" stroke-dashoffset="1"')
        );
    }

    /// @dev A mark at what was promised by the oracle's last report.
    function _promised(Facts memory f) private pure returns (string memory) {
        Lease memory l = f.lease;
        if (l.asOf <= l.start || l.settled) return "";
        return _mark("318.31", "30", WORK_RING, l.asOf - l.start, l.duration);
    }

    function _ring(
        string memory r,
        string memory colour,
        string memory opacity,
        string memory width,
        string memory more
    ) private pure returns (string memory) {
        return string.concat(
            '<circle cx="500" cy="425" r="',
            r,
            '" stroke="',
            colour,
            '" stroke-opacity="',
            opacity,
            '" stroke-width="',
            width,
            '"',
            more,
            "/>"
        );
    }

    function _arc(
        string memory r,
        string memory colour,
        string memory width,
        uint256 round,
        uint256 part,
        uint256 whole
    ) private pure returns (string memory) {
        return string.concat(
            '<circle cx="500" cy="425" r="',
            r,
            '" style="stroke:',
            colour,
            '" stroke-width="',
            width,
            '" stroke-dasharray="',
            Human.fixed2(round * 100 * part / whole),
            " ",
            (round + 9).toString(),
            '"/>'
        );
    }

    /// @dev A short dash across a ring.
    function _mark(string memory r, string memory width, uint256 round, uint256 part, uint256 whole)
        private
        pure
        returns (string memory)
    {
        return string.concat(
            '<circle cx="500" cy="425" r="',
            r,
            '" stroke="#fff" stroke-width="',
            width,
            '" stroke-dasharray="4 ',
            (round - 4).toString(),
            '" stroke-dashoffset="',
            Human.fixed2(round * 100 - round * 100 * part / whole + 200),
            '"/>'
        );
    }
}
