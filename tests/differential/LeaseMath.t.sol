// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {LeaseMath} from "contracts/src/libraries/LeaseMath.sol";
import {Test} from "forge-std/Test.sol";

/// @notice The contracts' arithmetic equals that of the plain Rust escrow:
/// `tests/vectors/lease_math.json`, written by the escrow model's vector test. The file names its
/// columns.
contract LeaseMathDifferential is Test {
    uint256 private constant COLUMNS = 22;
    uint256 private constant ROWS = 400;

    function _row(string memory json, uint256 index) private pure returns (uint256[] memory row) {
        row = vm.parseJsonUintArray(json, string.concat(".rows[", vm.toString(index), "]"));
        assertEq(row.length, COLUMNS);
    }

    function test_EveryAmountOfTheFile_IsWhatTheContractsSay() public view {
        string memory json = vm.readFile("tests/vectors/lease_math.json");
        for (uint256 i; i < ROWS; ++i) {
            uint256[] memory r = _row(json, i);
            _checkTerms(r);
            _checkMoney(r);
            _checkEnding(r);
        }
        assertFalse(vm.keyExistsJson(json, string.concat(".rows[", vm.toString(ROWS), "]")), "no row is left out");
    }

    function _checkTerms(uint256[] memory r) private pure {
        uint256 payment = LeaseMath.payment(uint128(r[0]), r[3] * r[5]);
        assertEq(payment <= type(uint128).max, r[10] == 1, "payment fits");
        if (r[10] == 1) assertEq(payment, r[9], "payment");
        (uint256 log2, uint256 smallest) = LeaseMath.weightLog2(r[3], r[4], r[5]);
        assertEq(smallest != 0, r[11] == 1, "weight exists");
        assertEq(log2, r[12], "weight");
    }

    function _checkMoney(uint256[] memory r) private pure {
        uint256 committed = r[3] * r[5];
        assertEq(LeaseMath.portion(r[1], r[2]), r[13], "bond");
        assertEq(LeaseMath.portion(r[1], r[2]), r[14], "fee");
        assertEq(LeaseMath.creditCap(r[3] * r[6], committed), r[15], "credit cap");
        assertEq(LeaseMath.released(r[1], r[8], committed), r[16], "released");
        assertEq(LeaseMath.tolerance(r[7], r[12]), r[17], "tolerance");
        assertEq(LeaseMath.slash(r[1], r[7], r[8], committed, r[12]), r[18], "slash");
    }

    function _checkEnding(uint256[] memory r) private pure {
        assertEq(LeaseMath.returned(r[1], r[3] * r[6], r[3] * r[5]), r[19], "returned");
        assertEq(LeaseMath.missing(r[7], r[8], r[12]), r[20], "missing");
    }
}
