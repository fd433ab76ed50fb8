// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IRegistry} from "contracts/src/interfaces/IRegistry.sol";
import {Offer, RentRequest} from "contracts/src/interfaces/LeaseTypes.sol";
import {Base64} from "solady/utils/Base64.sol";
import {LibString} from "solady/utils/LibString.sol";
import {Rented} from "tests/support/Rented.sol";

/// @notice Faults that public audits found in comparable systems, tried on this one.
contract FaultClassesTest is Rented {
    function _content(string memory uri) private pure returns (string memory) {
        return string(Base64.decode(LibString.slice(uri, LibString.indexOf(uri, ",") + 1)));
    }

    /// @dev Payment streams as NFTs: a script stored in the symbol of the token that is streamed.
    function test_ASymbolWithMarkup_ReachesNeitherJsonNorPicture() public {
        string[4] memory symbols = ["<script>a()", '"}],"a":"', "'/><image/", "]]>&#60;svg/o"];
        for (uint256 i; i < symbols.length; ++i) {
            vm.mockCall(address(token), abi.encodeWithSignature("symbol()"), abi.encode(symbols[i]));
            string memory json = _content(escrow.tokenURI(id));
            assertEq(vm.parseJsonString(json, ".name"), "Hashlease #1");
            assertFalse(vm.keyExistsJson(json, ".a"));
            string memory svg = _content(vm.parseJsonString(json, ".image"));
            assertFalse(LibString.contains(svg, "<script"));
            assertFalse(LibString.contains(svg, "<image"));
            assertFalse(LibString.contains(svg, "]]>"));
        }
    }

    /// @dev Payroll streams: one withdrawal for somebody else, repeated.
    function test_PushingABalanceTwice_PaysItOnce() public {
        _letPush(provider.addr);
        vm.startPrank(stranger);
        escrow.withdrawFor(address(token), provider.addr);
        assertEq(token.balanceOf(address(escrow)), PAYMENT + BOND);
        escrow.withdrawFor(address(token), provider.addr);
        assertEq(token.balanceOf(address(escrow)), PAYMENT + BOND);
        address[] memory twice = new address[](2);
        twice[0] = twice[1] = provider.addr;
        escrow.reconcile(address(token), twice);
        assertEq(escrow.liabilities(address(token)), PAYMENT + BOND);
        vm.stopPrank();
    }

    /// @dev NFT markets: partial fills whose sum overflows, so that an order fills again.
    function test_FillsOfTheLargestOffer_DoNotOverflow() public {
        Offer memory o = _offer();
        (o.hashRate, o.minHashRate, o.price) = (type(uint96).max, 0, 1);
        (o.bondBps, o.cancelBps) = (0, 0);
        RentRequest memory r = _request();
        r.duration = 2 hours;
        r.hashRate = type(uint96).max / 2 hours;
        _rent(o, r);
        assertEq(lens.filled(lens.offerHash(o)), r.hashRate);
        uint96 most = r.hashRate;
        r.hashRate = type(uint96).max;
        bytes memory signature = _sign(o);
        vm.prank(renter);
        vm.expectRevert(_error(IRegistry.WorkOverflow.selector, uint256(type(uint96).max) * 2 hours));
        escrow.rent(o, signature, new bytes32[](0), r);
        assertEq(lens.filled(lens.offerHash(o)), most);
    }

    /// @dev Payment rails: usage that stays booked when a terminated agreement changes.
    function test_TheExposureOfAVoidedAndTerminatedLease_IsGivenBackWhole() public {
        _beginVoidable();
        assertEq(_exposure(testOracleId), PAYMENT + BOND);
        vm.warp(START + 2 * EPOCH);
        testOracle.credit(_statements(_entry(id, START + EPOCH, PROMISE, PROMISE, false)));
        testOracle.voidEpoch(id, 1, challenger);
        _terminate();
        testOracle.voidEpoch(id, 2, challenger);
        vm.warp(START + 3 * EPOCH + LONG_WINDOW);
        vm.prank(stranger);
        escrow.settle(id);
        assertEq(_exposure(testOracleId), 0);
        uint256 booked = _balance(provider.addr) - idle + _held() + _balance(testPayee) + _balance(challenger);
        assertEq(booked, PAYMENT + BOND, "every base unit is somebody's");
    }
}
