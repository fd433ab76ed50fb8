// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {ALGORITHM_SHA256D, Lease, Oracle} from "contracts/src/interfaces/LeaseTypes.sol";
import {LeaseDescriptor} from "contracts/src/metadata/LeaseDescriptor.sol";
import {Test} from "forge-std/Test.sol";
import {Base64} from "solady/utils/Base64.sol";
import {LibString} from "solady/utils/LibString.sol";
import {HostileToken} from "tests/support/HostileToken.sol";
import {Utf8} from "tests/support/Utf8.sol";
import {Xml} from "tests/support/Xml.sol";

/// @title Fixture of the picture tests
/// @notice An escrow with any lease that a test wants: 100 TH/s of SHA-256d for 24 h, unless the
/// test changes it.
abstract contract Described is Test {
    uint40 internal constant START = 1_760_000_000;
    uint40 internal constant END = START + 24 hours;
    uint96 internal constant COMMITTED = 8.64e18;
    address internal constant ESCROW = address(0xE5C);

    LeaseDescriptor internal descriptor;
    address internal usdc;

    function setUp() public virtual {
        descriptor = new LeaseDescriptor("https://leases.example/");
        Oracle memory oracle;
        vm.mockCall(ESCROW, abi.encodeCall(ILeaseEscrow.pinnedOracle, (3)), abi.encode(oracle));
        usdc = _token("USDC");
        vm.warp(START + 12 hours);
    }

    function _token(bytes memory symbol) internal returns (address) {
        return address(new HostileToken(HostileToken.Manner.Answers, abi.encode(symbol), 6));
    }

    function _lease() internal view returns (Lease memory l) {
        (l.provider, l.jobSigner, l.token) = (address(0xBEEF), address(0xCAFE), usdc);
        (l.oracle, l.algorithm, l.rate) = (3, ALGORITHM_SHA256D, 1e14);
        (l.start, l.end, l.duration, l.epochLength) = (START, END, 24 hours, 1 hours);
        (l.payment, l.bond, l.bondBps, l.cancelBps) = (106_666_666, 21_333_333, 2000, 200);
    }

    /// @dev Credited by the oracle's report at half time.
    function _credited(uint96 work) internal view returns (Lease memory l) {
        l = _lease();
        (l.credited, l.due, l.asOf) = (work, work, START + 12 hours);
    }

    // ---------------------------------------------------------------- looking

    function _svg(uint256 id, Lease memory l) internal returns (string memory svg) {
        vm.mockCall(ESCROW, abi.encodeCall(ILeaseEscrow.lease, (id)), abi.encode(l));
        string memory json = _decoded(descriptor.tokenURI(ESCROW, id), "data:application/json;base64,");
        Utf8.check(json);
        svg = _decoded(vm.parseJsonString(json, "$.image"), "data:image/svg+xml;base64,");
        _shape(svg);
    }

    function _svg(Lease memory l) internal returns (string memory) {
        return _svg(7, l);
    }

    function _shape(string memory svg) internal pure returns (bytes32) {
        Utf8.check(svg);
        return Xml.check(svg);
    }

    function _expectShown(string memory svg, string memory text) internal pure {
        assertTrue(LibString.contains(svg, string.concat(">", text, "<")), string.concat(text, " is not shown"));
    }

    function _expectDrawn(string memory svg, string memory part) internal pure {
        assertTrue(LibString.contains(svg, part), string.concat(part, " is not drawn"));
    }

    function _count(string memory text, string memory part) internal pure returns (uint256) {
        return LibString.indicesOf(text, part).length;
    }

    function _decoded(string memory uri, string memory prefix) private pure returns (string memory) {
        assertTrue(LibString.startsWith(uri, prefix), "another kind of URI");
        return string(Base64.decode(LibString.slice(uri, bytes(prefix).length)));
    }
}
