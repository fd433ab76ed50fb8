// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ENDING_CANCELLED, ENDING_TERMINATED, Lease} from "contracts/src/interfaces/LeaseTypes.sol";
import {ShareField} from "contracts/src/metadata/ShareField.sol";
import {LibString} from "solady/utils/LibString.sol";
import {Described} from "tests/support/Described.sol";
import {HostileToken} from "tests/support/HostileToken.sol";

contract LeasePictureTest is Described {
    // ---------------------------------------------------------------- words

    function _expectStatus(Lease memory l, string memory status, string memory colour) private {
        string memory svg = _svg(l);
        _expectShown(svg, status);
        _expectDrawn(svg, string.concat('r="7" fill="', colour, '"/>'));
        _expectSelfContained(svg);
    }

    function test_EachStatus_IsShownInItsColour() public {
        Lease memory l = _lease();
        vm.warp(START - 1);
        _expectStatus(l, "Scheduled", "#60a5fa");
        vm.warp(START);
        _expectStatus(l, "Active", "#4ade80");
        vm.warp(END - 1);
        _expectStatus(l, "Active", "#4ade80");
        vm.warp(END);
        _expectStatus(l, "Ended", "#a3a9b5");
        l.settled = true;
        _expectStatus(l, "Settled", "#a3a9b5");
        l.ending = ENDING_CANCELLED;
        _expectStatus(l, "Cancelled", "#ffb454");
        l.ending = ENDING_TERMINATED;
        _expectStatus(l, "Terminated", "#ff6b6b");
    }

    function test_ALongId_IsCut() public {
        _expectDrawn(_svg(999_999, _lease()), 'font-size="42">#999999<');
        _expectDrawn(_svg(1_000_000, _lease()), 'font-size="30">#1000000<');
        _expectShown(_svg(999_999_999_999, _lease()), "#999999999999");
        _expectShown(_svg(1_000_000_000_000, _lease()), unicode"#10000…00000");
    }

    function test_ALongRate_IsSmaller() public {
        uint96[4] memory rates = [uint96(999), 9990, 99_900, 123_456];
        string[4] memory shown = ['"108">999<', '"84">9.99<', '"84">99.9<', '"66">123.45<'];
        for (uint256 i; i < 4; ++i) {
            Lease memory l = _lease();
            l.rate = rates[i];
            _expectDrawn(_svg(l), string.concat("font-size=", shown[i]));
        }
    }

    function test_ALongSymbol_FillsTheLine() public {
        Lease memory l = _lease();
        l.token = _token("SEVENTY");
        _expectShown(_svg(l), unicode"SEVENTY · bond 20 %");
        l.token = _token("EIGHTEEN");
        _expectShown(_svg(l), "EIGHTEEN");
    }

    // ---------------------------------------------------------------- times

    function test_BeforeTheStart_TheTimeUntilItIsShown() public {
        uint40[4] memory ahead = [uint40(2 days + 3 hours), 90 minutes, 90, 1];
        string[4] memory shown = ["2 d 3 h", "1 h 30 min", "1 min 30 s", "1 s"];
        for (uint256 i; i < 4; ++i) {
            vm.warp(START - ahead[i]);
            string memory svg = _svg(_lease());
            _expectShown(svg, "STARTS IN");
            _expectShown(svg, shown[i]);
        }
    }

    function test_WhileItRuns_TheTimeLeftIsShown() public {
        uint40[5] memory left = [uint40(24 hours), 24 hours - 1, 1 hours, 1 hours - 1, 1];
        string[5] memory shown = ["1 d", "23 h 59 min", "1 h", "59 min 59 s", "1 s"];
        for (uint256 i; i < 5; ++i) {
            vm.warp(END - left[i]);
            string memory svg = _svg(_lease());
            _expectShown(svg, "TIME LEFT");
            _expectShown(svg, shown[i]);
        }
    }

    function test_AfterTheEnd_ItsDateIsShown() public {
        Lease memory l = _lease();
        // a leap day, and figures of one digit
        (l.start, l.end) = (1_709_168_709, 1_709_168_709 + 2 hours);
        vm.warp(END);
        string memory svg = _svg(l);
        _expectShown(svg, "ENDED");
        _expectShown(svg, "2024-02-29");
        _expectShown(svg, "03:05 UTC");
    }

    // ---------------------------------------------------------------- pace

    function test_ThePace_ComparesWithThePromiseByTheLastReport() public {
        // about half of the committed work, and a ten thousandth of that
        uint96[6] memory work = [
            uint96(4.176576e18 - 1),
            4.32e18 - 8.64e14,
            4.32e18 - 8.64e14 + 1,
            4.32e18 + 8.64e14 - 1,
            4.32e18 + 8.64e14,
            4.752e18
        ];
        string[6] memory shown =
            ["1.66 % behind", "0.01 % behind", "on pace", "on pace", "0.01 % ahead", "5.00 % ahead"];
        vm.warp(START + 20 hours);
        for (uint256 i; i < 6; ++i) {
            _expectShown(_svg(_credited(work[i])), shown[i]);
        }
    }

    function test_WithoutAReportOrOnceSettled_ThereIsNoPace() public {
        Lease memory l = _lease();
        l.asOf = START;
        _expectShown(_svg(l), "of 8.64 EH");
        l = _credited(4e18);
        l.settled = true;
        _expectShown(_svg(l), "of 8.64 EH");
    }

    // ---------------------------------------------------------------- dial

    function test_TheRings_AreAsLongAsTheirShares() public {
        vm.warp(START + 18 hours);
        string memory svg = _svg(_credited(4.752e18));
        // of 2000, 55 %; of 2150, three quarters; the marks at a half and at three quarters
        _expectDrawn(svg, '"16" stroke-dasharray="1100.00 2009"/>');
        _expectDrawn(svg, 'style="stroke:#fff" stroke-width="3" stroke-dasharray="1612.50 2159"/>');
        _expectDrawn(svg, 'stroke-width="30" stroke-dasharray="4 1996" stroke-dashoffset="1002.00"/>');
        _expectDrawn(svg, 'stroke-width="13" stroke-dasharray="4 2146" stroke-dashoffset="539.50"/>');
    }

    function test_AShortenedLease_HasAShorterTimeRing() public {
        Lease memory l = _lease();
        (l.ending, l.end) = (ENDING_CANCELLED, START + 18 hours);
        string memory svg = _svg(l);
        _expectDrawn(svg, 'stroke:#fff;stroke-opacity:.16" stroke-width="3" stroke-dasharray="1612.50 2159"/>');
        _expectDrawn(svg, 'style="stroke:#fff" stroke-width="3" stroke-dasharray="1075.00 2159"/>');
        vm.warp(END);
        _expectDrawn(_svg(l), 'style="stroke:#fff" stroke-width="3" stroke-dasharray="1612.50 2159"/>');
    }

    function test_AnEmptyShare_IsNotDrawn() public {
        vm.warp(START - 1);
        Lease memory l = _lease();
        string memory svg = _svg(l);
        assertEq(_count(svg, "stroke:url(#r)"), 0, "work");
        assertEq(_count(svg, 'stroke:#fff"'), 0, "time gone");
        assertEq(_count(svg, 'stroke-width="13"') + _count(svg, 'stroke-width="30"'), 0, "marks");
        assertEq(_count(svg, "stroke:#fff;"), 1, "time to come");
        (l.ending, l.end, l.settled) = (ENDING_CANCELLED, START, true);
        assertEq(_count(_svg(l), "stroke:#fff;"), 0, "time that never comes");
        l = _credited(4e18);
        l.settled = true;
        assertEq(_count(_svg(l), 'stroke-width="30" stroke-dasharray'), 0, "a promise that is over");
    }

    function test_EachEpoch_HasATickWhileTheyFit() public {
        uint32[5] memory epochs = [uint32(1), 24, 96, 97, 8192];
        // of 2240: all of it, a 24th, a 96th; then 2 of 97, and 86 of 8192; less the tick
        string[5] memory gaps = ["2238.00", "91.33", "21.33", "44.18", "21.51"];
        for (uint256 i; i < 5; ++i) {
            Lease memory l = _lease();
            (l.epochLength, l.duration, l.end) = (60, 60 * epochs[i], START + 60 * epochs[i]);
            _expectDrawn(_svg(l), string.concat('stroke-dasharray="2 ', gaps[i], '" stroke-dashoffset="1"'));
        }
    }

    // ---------------------------------------------------------------- dots

    /// @return lit Dots of the last group, after the overdue dots and those to come.
    function _dots(Lease memory l) private returns (uint256 lit, uint256 overdue, uint256 ahead) {
        string[] memory parts = LibString.split(_svg(l), 'stroke-opacity=".42">');
        parts = LibString.split(parts[1], '<g stroke="#ff9d8f"');
        ahead = _count(parts[0], "h0");
        parts = LibString.split(parts[1], '<g id="l"');
        overdue = _count(parts[0], "h0");
        lit = _count(LibString.split(parts[1], "<use")[0], "h0");
    }

    function test_TheDots_AreLitWithTheWorkAndOverdueWithTheReports() public {
        (uint256 lit, uint256 overdue, uint256 all) = _dots(_lease());
        assertTrue(all >= 420 && all < 540, "how many");
        assertEq(lit + overdue, 0, "without a report");
        uint256 ahead;
        (lit, overdue, ahead) = _dots(_credited(2.16e18));
        assertApproxEqAbs(lit, all / 4, 4);
        assertApproxEqAbs(overdue, all / 4, 4);
        assertEq(lit + overdue + ahead, all);
        (lit, overdue,) = _dots(_credited(6.48e18));
        assertApproxEqAbs(lit, all * 3 / 4, 4);
        assertEq(overdue, 0, "more than promised");
        (lit,,) = _dots(_credited(COMMITTED));
        assertEq(lit, all);
        Lease memory l = _credited(0);
        (l.settled, l.end) = (true, START + 18 hours);
        (, overdue,) = _dots(l);
        assertApproxEqAbs(overdue, all * 3 / 4, 4, "once settled, all that ran");
    }

    function _field(uint256 seed, uint256 lit, uint256 gone) private pure returns (uint256[9] memory counts) {
        string[9] memory data = ShareField.paths(ShareField.Look(seed, lit, gone));
        for (uint256 i; i < 9; ++i) {
            counts[i] = _count(data[i], "h0");
        }
    }

    function test_EachSpiral_FillsEveryEighthAlike() public pure {
        for (uint256 spiral; spiral < 4; ++spiral) {
            // 500 dots
            uint256 seed = 13 << 48 | spiral << 40 | 80;
            seed += (500 - 420 + 120 - seed % 120) % 120;
            for (uint256 eighths; eighths <= 8; ++eighths) {
                uint256[9] memory c = _field(seed, eighths << 61, 1 << 64);
                assertApproxEqAbs(c[0] + c[1] + c[2], 500 * eighths / 8, 5);
                assertEq(c[6] + c[7] + c[8], 0, "nothing to come");
                assertEq(c[0] + c[1] + c[2] + c[3] + c[4] + c[5], 500);
            }
        }
    }

    /// forge-config: default.fuzz.runs = 16
    function testFuzz_EveryDot_IsInTheFieldAndLitFromTwelveOClockOn(uint256 seed) public pure {
        string[9] memory data = ShareField.paths(ShareField.Look(seed, 1 << 63, 0));
        for (uint256 class; class < 9; ++class) {
            if (bytes(data[class]).length == 0) continue;
            string[] memory dots = LibString.split(data[class], "h0");
            for (uint256 i; i + 1 < dots.length; ++i) {
                string[] memory at = LibString.split(LibString.slice(dots[i], 1), " ");
                (int256 x, int256 y) = (vm.parseInt(at[0]), vm.parseInt(at[1]));
                int256 square = x * x + y * y;
                assertTrue(square > 1737 ** 2 && square <= 2960 ** 2, "out of the field");
                // the first half of a turn is on the right
                assertTrue(class < 3 ? x >= 0 : x <= 0, "out of its class");
            }
        }
    }

    // ---------------------------------------------------------------- hostile symbols

    function _expectSelfContained(string memory svg) private pure {
        assertEq(_count(svg, "http"), _count(svg, 'xmlns="http://www.w3.org/2000/svg"'), "an address");
        assertEq(_count(svg, "url("), _count(svg, "url(#"), "a reference");
        assertEq(_count(svg, "href="), _count(svg, 'href="#l"'), "a link");
        string[8] memory banned = ["<script", "<image", "<foreignObject", "<style", "<a ", "<animate", "<set", "data:"];
        for (uint256 i; i < banned.length; ++i) {
            assertFalse(LibString.contains(svg, banned[i]), banned[i]);
        }
    }

    function test_ASymbolOfMarkup_IsText() public {
        Lease memory l = _lease();
        bytes32 shape = _shape(_svg(l));
        l.token = _token("<a>&\"'");
        string memory svg = _svg(l);
        _expectShown(svg, unicode"&lt;a&gt;&amp;&quot;&#39; · bond 20 %");
        assertEq(_shape(svg), shape);
        l.token = _token("</text><script>alert(1)</script>");
        svg = _svg(l);
        _expectShown(svg, unicode"&lt;/text&gt;&lt;scri…");
        assertEq(_shape(svg), shape);
        _expectSelfContained(svg);
    }

    /// forge-config: default.fuzz.runs = 32
    function testFuzz_WhateverATokenAnswers_ThePictureKeepsItsShape(
        bytes memory answer,
        uint256 decimals,
        bool asString
    ) public {
        Lease memory l = _lease();
        bytes32 shape = _shape(_svg(l));
        if (asString) answer = abi.encode(answer);
        l.token = address(new HostileToken(HostileToken.Manner.Answers, answer, decimals));
        assertEq(_shape(_svg(l)), shape);
    }
}
