// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Harmless} from "contracts/src/metadata/Harmless.sol";
import {Human} from "contracts/src/metadata/Human.sol";
import {Test} from "forge-std/Test.sol";
import {Utf8} from "tests/support/Utf8.sol";
import {Xml} from "tests/support/Xml.sol";

/// @notice Figures and labels as people read them, and the checks that other tests read them with.
contract FiguresTest is Test {
    // ---------------------------------------------------------------- figures

    function _si(uint256 value) private pure returns (string memory) {
        (string memory number, string memory prefix) = Human.si(value);
        return string.concat(number, prefix);
    }

    function test_APrefix_LeavesAWholePartAndTwoDecimals() public pure {
        uint256[9] memory values = [uint256(0), 1, 999, 1000, 1009, 1010, 999_999, 1e6, type(uint96).max];
        string[9] memory texts = ["0", "1", "999", "1k", "1k", "1.01k", "999.99k", "1M", "79.22R"];
        for (uint256 i; i < 9; ++i) {
            assertEq(_si(values[i]), texts[i]);
        }
        bytes memory prefixes = "kMGTPEZYRQ";
        for (uint256 i; i < 10; ++i) {
            assertEq(_si(12_345 * 1000 ** i), string.concat("12.34", string(bytes.concat(prefixes[i]))));
        }
        assertEq(_si(1e33), "1000Q", "there is none beyond");
    }

    function test_Decimals_AreInFullWithoutTrailingZeros() public pure {
        assertEq(Human.decimal(0, 0), "0");
        assertEq(Human.decimal(0, 18), "0");
        assertEq(Human.decimal(10, 1), "1");
        assertEq(Human.decimal(1050, 2), "10.5");
        assertEq(Human.decimal(1, 36), "0.000000000000000000000000000000000001");
        assertEq(Human.decimal(type(uint128).max, 0), "340282366920938463463374607431768211455");
        assertEq(Human.decimal(type(uint128).max, 36), "340.282366920938463463374607431768211455");
        assertEq(Human.hundredths(1230), "12.3");
    }

    function test_TwoDecimals_AreAlwaysTwo() public pure {
        assertEq(Human.fixed2(0), "0.00");
        assertEq(Human.fixed2(9), "0.09");
        assertEq(Human.fixed2(10), "0.10");
        assertEq(Human.fixed2(1230), "12.30");
        assertEq(Human.fixed2(10_000), "100.00");
    }

    function test_AShortFigure_LeavesOutDecimalsThenDigits() public pure {
        assertEq(Human.short(0, 6), "0");
        assertEq(Human.short(123_456_789_012, 6), "123456.789012");
        assertEq(Human.short(0.123456789123456789e18, 18), "0.12345678912");
        assertEq(Human.short(12_345_678_901_999, 3), "12345678901.9");
        assertEq(Human.short(123_456_789_012_999, 3), "123456789012");
        assertEq(Human.short(1_234_567_890_123_999, 3), "1234567890123");
        assertEq(Human.short(12_399_999_999_999_999, 3), "1.23e13");
        assertEq(Human.short(type(uint128).max, 0), "3.4e38");
        assertEq(Human.short(1e20, 0), "1e20");
    }

    function testFuzz_AShortFigure_HasThirteenCharactersAtMost(uint128 value, uint256 places) public pure {
        string memory text = Human.short(value, places % 37);
        assertTrue(bytes(text).length != 0 && bytes(text).length <= 13, text);
    }

    function test_ADuration_HasItsTwoLargestUnits() public pure {
        uint256[10] memory values = [
            uint256(0),
            59,
            60,
            61,
            1 hours - 1,
            1 hours + 59,
            1 days - 1,
            1 days,
            30 days + 1 hours,
            1 days + 59 minutes
        ];
        string[10] memory texts =
            ["0 s", "59 s", "1 min", "1 min 1 s", "59 min 59 s", "1 h", "23 h 59 min", "1 d", "30 d 1 h", "1 d"];
        for (uint256 i; i < 10; ++i) {
            assertEq(Human.duration(values[i]), texts[i]);
        }
    }

    function test_AnUnknownAlgorithm_IsCalledUnknown() public pure {
        assertEq(Human.algorithm(0), "unknown");
        assertEq(Human.algorithm(5), "unknown");
    }

    // ---------------------------------------------------------------- labels

    function test_ALabel_HasTwelveHarmlessCharactersAtMost() public pure {
        assertEq(Harmless.text("", 12), "");
        assertEq(Harmless.text(" ~", 12), " ~");
        assertEq(Harmless.text("123456789012", 12), "123456789012");
        assertEq(Harmless.text("1234567890123", 12), unicode"123456789012…");
        assertEq(
            Harmless.text(unicode"₮₮₮₮₮₮₮₮₮₮₮₮", 12),
            unicode"₮₮₮₮₮₮₮₮₮₮₮₮"
        );
    }

    function test_EachHarmfulByte_IsAQuestionMark() public pure {
        // C1 control, soft hyphen, combining, another sign of three bytes, of four, lone
        // continuations, bytes never in UTF-8, currency signs with a wrong end
        bytes[9] memory raw = [
            bytes(hex"c280"),
            hex"c2ad",
            hex"cc80",
            hex"e284aa",
            hex"f09f9880",
            hex"8080",
            hex"fffe",
            hex"e28241",
            hex"e282c0"
        ];
        string[9] memory shown = ["??", "??", "??", "???", "????", "??", "??", "??A", "???"];
        for (uint256 i; i < 9; ++i) {
            assertEq(Harmless.text(string(raw[i]), 12), shown[i]);
        }
    }

    /// @dev Mostly bytes that lead or continue a character.
    function testFuzz_ALabel_IsUtf8(bytes32 seed, uint256 length) public pure {
        bytes6 parts = 0xc2c3cee282ad;
        bytes memory raw = new bytes(length % 33);
        for (uint256 i; i < raw.length; ++i) {
            raw[i] = uint8(seed[i]) % 4 == 0 ? seed[i] : parts[uint8(seed[i]) % 6];
        }
        Utf8.check(Harmless.text(string(raw), 12));
    }

    // ---------------------------------------------------------------- the tests' own checks

    function xml(string memory text) external pure returns (bytes32) {
        return Xml.check(text);
    }

    function utf8(bytes memory text) external pure {
        Utf8.check(string(text));
    }

    function test_BadXml_IsSeen() public {
        bytes32 shape = this.xml('<a b="c"><d/>e &amp; f</a>');
        assertEq(this.xml('<a b=""><d/></a>'), shape);
        assertNotEq(this.xml('<a c=""><d/></a>'), shape);
        assertNotEq(this.xml('<a b=""><d></d></a>'), shape);
        string[12] memory texts = [
            "",
            "a",
            "<a>",
            "<a></b>",
            "<a/><b/>",
            "<a b=c/>",
            '<a b="" b=""/>',
            '<a b="<"/>',
            "<a>&</a>",
            "<a>&nbsp;</a>",
            "<a>\x01</a>",
            "<a><b></a></b>"
        ];
        for (uint256 i; i < texts.length; ++i) {
            vm.expectPartialRevert(Xml.NotXml.selector);
            this.xml(texts[i]);
        }
    }

    function test_BadUtf8_IsSeen() public {
        this.utf8(bytes(unicode"aé€😀"));
        bytes[9] memory texts = [
            bytes(hex"80"),
            hex"c0af",
            hex"c3",
            hex"c328",
            hex"e08080",
            hex"eda080",
            hex"f08080af",
            hex"f4908080",
            hex"ff"
        ];
        for (uint256 i; i < texts.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(Utf8.NotUtf8.selector, 0));
            this.utf8(texts[i]);
        }
    }
}
