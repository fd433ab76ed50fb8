// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Lease, Offer, Oracle, RentRequest} from "contracts/src/interfaces/LeaseTypes.sol";
import {LeaseState} from "contracts/src/libraries/LeaseState.sol";
import {Split} from "contracts/src/libraries/Settlement.sol";
import {Human} from "contracts/src/metadata/Human.sol";
import {LeaseDescriptor} from "contracts/src/metadata/LeaseDescriptor.sol";
import {Base64} from "solady/utils/Base64.sol";
import {LibString} from "solady/utils/LibString.sol";
import {Fixture} from "tests/support/Fixture.sol";
import {HostileToken} from "tests/support/HostileToken.sol";
import {Xml} from "tests/support/Xml.sol";

/// @notice Metadata and picture of leases in every state. Each reading checks that the JSON parses
/// and that the picture is well-formed.
contract LeaseDescriptorTest is Fixture {
    LeaseDescriptor private descriptor;
    string private json;
    string private svg;

    function setUp() public override {
        super.setUp();
        descriptor = LeaseDescriptor(escrow.descriptor());
    }

    function _read(string memory uri) private {
        json = string(_decoded(uri, "data:application/json;base64,"));
        svg = string(_decoded(vm.parseJsonString(json, ".image"), "data:image/svg+xml;base64,"));
        Xml.check(svg);
        assertLt(bytes(svg).length, 16_000);
        // nothing is loaded from elsewhere; a symbol may look like an address, but its quotes are
        // escaped
        assertEq(LibString.indicesOf(svg, '="http').length, 1, "only the namespace");
        assertEq(
            LibString.indicesOf(svg, 'href="').length, LibString.indicesOf(svg, 'href="#').length, "references inside"
        );
        assertFalse(LibString.contains(svg, 'src="'));
        assertFalse(LibString.contains(svg, "<script"));
    }

    function _decoded(string memory uri, string memory head) private pure returns (bytes memory) {
        assertTrue(LibString.startsWith(uri, head), head);
        return Base64.decode(LibString.slice(uri, bytes(head).length));
    }

    function _read(uint256 id) private {
        _read(escrow.tokenURI(id));
    }

    /// @dev A lease that the escrow never made.
    function _readMade(Lease memory l) private {
        vm.mockCall(address(escrow), abi.encodeCall(ILeaseEscrow.lease, (7)), abi.encode(l));
        _read(descriptor.tokenURI(address(escrow), 7));
    }

    function _made() private returns (Lease memory) {
        return escrow.lease(_rent());
    }

    function _path(string memory trait, string memory key) private pure returns (string memory) {
        return string.concat(".attributes[?(@.trait_type=='", trait, "')].", key);
    }

    function _expect(string memory trait, string memory value) private view {
        assertEq(vm.parseJsonString(json, _path(trait, "value")), value, trait);
    }

    function _expectNumber(string memory kind, string memory trait, uint256 value) private view {
        assertEq(vm.parseJsonString(json, _path(trait, "display_type")), kind, trait);
        assertEq(vm.parseJsonUint(json, _path(trait, "value")), value, trait);
    }

    function _expectShown(string memory text) private view {
        assertTrue(LibString.contains(svg, string.concat(">", text, "<")), text);
    }

    function _expectDrawn(string memory fragment, bool drawn) private view {
        assertEq(LibString.contains(svg, fragment), drawn, fragment);
    }

    // ---------------------------------------------------------------- attributes

    function test_ALease_IsDescribedByItsAttributes() public {
        uint256 id = _rent();
        _read(id);
        assertEq(vm.parseJsonString(json, ".name"), "Hashlease #1");
        assertEq(
            vm.parseJsonString(json, ".description"),
            "A lease of 100 TH/s of SHA-256d hash power for 1 d, paid out of escrow only for work that was proven to be "
            "done. Its owner gets back what was not delivered, and she or the user she names says where the work goes."
        );
        _expect("Algorithm", "SHA-256d");
        _expect("Hash rate", "100 TH/s");
        _expect("Status", "Scheduled");
        _expect("Committed work", "8.64 EH");
        _expect("Credited work", "0 H");
        _expect("Payment", "106.666666 DEMO");
        _expect("Settled", "no");
        _expect("Provider", vm.toString(provider.addr));
        _expect("Job signer", vm.toString(jobSigner));
        _expect("Signer", "chosen by the renter");
        _expectNumber("date", "Start", START);
        _expectNumber("date", "End", END);
        _expect("Epoch", "1 h");
        _expect("Bond", "20 %");
        _expect("Oracle", vm.toString(address(committee)));
        _expect("Oracle name", "Committee, 3 of 3");
        assertEq(vm.parseJsonUint(json, _path("Delivered %", "max_value")), 100);
        assertTrue(vm.keyExistsJson(json, ".attributes[16]"));
        assertFalse(vm.keyExistsJson(json, ".attributes[17]"));
    }

    function test_DeliveredWork_IsRoundedDown() public {
        uint256 id = _rent();
        // 33.33 % would be 2.879712 × 10^18
        _credit(id, 12, 2.88e18 - 1, COMMITTED / 2, false);
        _read(id);
        assertTrue(LibString.contains(json, '"Delivered %","value":33.33,"max_value":100}'));
        _expect("Credited work", "2.87 EH");
        _expectShown("33.33 %");
        _expectShown("16.66 % behind");
    }

    function test_WhoChoseTheSigner_IsSaid() public {
        _read(_rent());
        _expect("Signer", "chosen by the renter");
        _expectDrawn("chosen by", false);
        Offer memory o = _offer();
        o.jobSigner = jobSigner;
        _read(_rent(o, _request()));
        _expect("Signer", "chosen by the provider");
        _expectDrawn('>signer chosen<tspan x="940" dy="27">by the provider</tspan><', true);
    }

    function test_WhenTheProviderSignsItsJobs_TheMetadataSaysSo() public {
        RentRequest memory r = _request();
        r.jobSigner = provider.addr;
        _read(_rent(_offer(), r));
        _expect("Signer", "self-attributed");
        _expectShown("self-attributed");
        Offer memory o = _offer();
        o.jobSigner = provider.addr;
        _read(_rent(o, r));
        _expect("Signer", "self-attributed");
    }

    function _readWithOracle(bytes memory name) private {
        address account = makeAddr("named oracle");
        vm.mockCall(account, abi.encodeWithSignature("name()"), name);
        Oracle memory oracle;
        oracle.account = account;
        vm.mockCall(address(escrow), abi.encodeCall(ILeaseEscrow.pinnedOracle, (committeeId)), abi.encode(oracle));
        _readMade(_made());
        _expect("Oracle", vm.toString(account));
    }

    function test_AnOracleWithAName_IsNamed() public {
        _readWithOracle(abi.encode("Committee, 2 of 3"));
        _expect("Oracle name", "Committee, 2 of 3");
        _readWithOracle(abi.encode(LibString.repeat("x", 50)));
        _expect("Oracle name", string.concat(LibString.repeat("x", 40), unicode"…"));
        _readWithOracle(abi.encode('"},{"trait_type":"Provider"'));
        _expect("Oracle name", '"},{"trait_type":"Provider"');
    }

    function test_AnOracleWithoutAName_IsItsAddress() public {
        _readWithOracle("");
        assertFalse(LibString.contains(json, "Oracle name"));
        _readWithOracle(abi.encode(""));
        assertFalse(LibString.contains(json, "Oracle name"));
    }

    function test_EachAlgorithm_HasItsName() public {
        string[5] memory names = ["unknown", "SHA-256d", "scrypt", "Ethash", "Etchash"];
        Lease memory l = _made();
        for (uint8 i; i < 5; ++i) {
            l.algorithm = i;
            _readMade(l);
            _expect("Algorithm", names[i]);
            _expectShown(names[i]);
        }
    }

    function test_AnUnknownLease_HasNone() public {
        vm.expectRevert(_error(ILeaseEscrow.UnknownLease.selector, 2));
        escrow.tokenURI(2);
    }

    // ---------------------------------------------------------------- collection and links

    function _contractUri(LeaseDescriptor from) private view returns (string memory) {
        return string(_decoded(from.contractURI(address(escrow)), "data:application/json;base64,"));
    }

    function test_TheCollection_IsDescribed() public {
        json = _contractUri(descriptor);
        assertEq(vm.parseJsonString(json, ".name"), escrow.name());
        assertEq(vm.parseJsonString(json, ".symbol"), escrow.symbol());
        assertGt(bytes(vm.parseJsonString(json, ".description")).length, 100);
        svg = string(_decoded(vm.parseJsonString(json, ".image"), "data:image/svg+xml;base64,"));
        Xml.check(svg);
        assertEq(LibString.indicesOf(svg, '="http').length, 1, "only the namespace");
    }

    function test_TheLinks_NameChainEscrowAndLease() public {
        vm.chainId(8453);
        string memory page = string.concat(EXTERNAL_URL, "8453/", vm.toString(address(escrow)));
        assertEq(vm.parseJsonString(_contractUri(descriptor), ".external_link"), page);
        _readMade(_made());
        assertEq(vm.parseJsonString(json, ".external_url"), string.concat(page, "/7"));
        assertEq(descriptor.externalUrl(), EXTERNAL_URL);
    }

    function test_AnyPage_KeepsTheMetadataValid() public {
        LeaseDescriptor odd = new LeaseDescriptor('https://"\\\n.example/');
        string memory link = vm.parseJsonString(_contractUri(odd), ".external_link");
        assertTrue(LibString.startsWith(link, 'https://"\\\n.example/31337/'));
    }

    function test_WithoutAPage_ThereIsNoLink() public {
        LeaseDescriptor bare = new LeaseDescriptor("");
        assertFalse(LibString.contains(_contractUri(bare), "external"));
        uint256 id = _rent();
        _read(bare.tokenURI(address(escrow), id));
        assertFalse(LibString.contains(json, "external"));
    }

    // ---------------------------------------------------------------- status

    function test_BeforeItsStart_ALeaseIsScheduled() public {
        _read(_rent());
        _expect("Status", "Scheduled");
        _expectShown("Scheduled");
        _expectShown("STARTS IN");
        _expectShown("10 min");
        _expectShown("for 1 d");
        _expectShown("0.00 %");
        _expectShown("of 8.64 EH");
        _expectDrawn('stroke="url(#g)"><path', false);
    }

    function test_WhileItRuns_ALeaseIsActive() public {
        uint256 id = _rent();
        _credit(id, 11, COMMITTED / 2, COMMITTED / 2, false);
        vm.warp(START + 11 hours + 40 minutes);
        _read(id);
        _expect("Status", "Active");
        _expectShown("TIME LEFT");
        _expectShown("12 h 20 min");
        _expectShown("of 1 d");
        _expectShown("50.00 %");
        _expectShown("4.16 % ahead");
        // half of the thick ring, the thin ring as far as the time, and the mark at eleven hours
        _expectDrawn('stroke-dasharray="1000.00 2009"', true);
        _expectDrawn('stroke-dasharray="1045.13 2159"', true);
        _expectDrawn('stroke-dashoffset="1085.34"', true);
        _expectDrawn('stroke="url(#g)"><path', true);
    }

    function test_WhenDeliveredAsPromised_ThePaceIsShown() public {
        uint256 id = _rent();
        _credit(id, 6, COMMITTED / 4, COMMITTED / 4, false);
        _read(id);
        _expectShown("on pace");
    }

    function test_AfterItsEnd_ALeaseIsEnded() public {
        uint256 id = _rent();
        _credit(id, 24, COMMITTED / 2, COMMITTED, false);
        _read(id);
        _expect("Status", "Ended");
        _expect("Settled", "no");
        _expectShown("ENDED");
        // 1,760,087,000
        _expectShown("2025-10-10");
        _expectShown("09:03 UTC");
        _expectShown("50.00 % behind");
    }

    function test_WhenSettled_ALeaseSaysSo() public {
        uint256 id = _rent();
        _credit(id, 20, COMMITTED, COMMITTED, false);
        escrow.settle(id);
        vm.warp(END);
        _read(id);
        _expect("Status", "Settled");
        _expect("Settled", "yes");
        _expectShown("100.00 %");
        _expectShown("of 8.64 EH");
        _expectDrawn('stroke-dasharray="2000.00 2009"', true);
    }

    function test_WhenCancelled_ALeaseSaysSoFromThenOn() public {
        uint256 id = _rent();
        vm.warp(START + 11 hours + 30 minutes);
        vm.prank(renter);
        escrow.cancel(id);
        _read(id);
        _expect("Status", "Cancelled");
        _expect("Settled", "no");
        _expectNumber("date", "End", START + 12 hours);
        _expectShown("30 min");
        _expectShown("ends early, of 1 d");
        // the thin ring is half full
        _expectDrawn('stroke-dasharray="1075.00 2159"', true);
        vm.warp(START + 12 hours + WINDOW);
        escrow.settle(id);
        _read(id);
        _expect("Status", "Cancelled");
        _expect("Settled", "yes");
    }

    function test_WhenTerminatedBeforeItsStart_ALeaseSaysSo() public {
        uint256 id = _rent();
        vm.prank(provider.addr);
        escrow.terminate(id);
        _read(id);
        _expect("Status", "Terminated");
        _expect("Settled", "yes");
        _expectShown("Terminated");
        _expectShown("ENDED");
    }

    // ---------------------------------------------------------------- the holder's money

    function _expectNoTrait(string memory trait) private view {
        assertFalse(LibString.contains(json, string.concat('"', trait, '"')), trait);
    }

    function _claim(uint256 id) private {
        uint256[] memory ids = new uint256[](1);
        ids[0] = id;
        vm.prank(renter);
        escrow.claim(ids, renter);
    }

    function test_BeforeTheEnd_NothingIsForeseen() public {
        uint256 id = _rent();
        _credit(id, 12, COMMITTED / 4, COMMITTED / 2, false);
        _read(id);
        _expectNoTrait("Refund");
        _expectNoTrait("Refund if settled now");
        _expectNoTrait("To be claimed");
        _expectShown("PAYMENT");
    }

    /// @dev Half is missing, a twentieth of the due work is tolerated: 45 % of the bond.
    function test_FromTheEndOn_TheHoldersPartIsForeseen() public {
        uint256 id = _rent();
        _credit(id, 24, COMMITTED / 2, COMMITTED, false);
        _read(id);
        _expect("Refund if settled now", "53.333333 DEMO");
        _expect("Slash if settled now", "9.599999 DEMO");
        _expectNoTrait("Refund");
        _expectNoTrait("To be claimed");
    }

    function test_OnceSettled_TheHoldersPartIsToldUntilItIsClaimed() public {
        uint256 id = _rent();
        _credit(id, 24, COMMITTED / 2, COMMITTED, true);
        vm.warp(END + 1);
        escrow.settle(id);
        assertEq(escrow.lease(id).held, 53_333_333 + 9_599_999);
        _read(id);
        _expect("Refund", "53.333333 DEMO");
        _expect("Slash", "9.599999 DEMO");
        _expect("To be claimed", "62.933332 DEMO");
        _expectShown("TO CLAIM");
        _expectShown("62.933332");
        _expectShown(unicode"DEMO · paid 106.666666");
        _claim(id);
        _read(id);
        _expect("Refund", "53.333333 DEMO");
        _expect("Slash", "9.599999 DEMO");
        _expect("To be claimed", "0 DEMO");
        _expectShown("TO CLAIM");
    }

    function test_WhatACancellationReturns_IsToBeClaimedAtOnce() public {
        uint256 id = _rent();
        vm.warp(START + 30 minutes);
        vm.prank(renter);
        escrow.cancel(id);
        _read(id);
        _expectNoTrait("Refund if settled now");
        string memory held = Human.decimal(escrow.lease(id).held, 6);
        assertGt(escrow.lease(id).held, PAYMENT * 9 / 10);
        _expect("To be claimed", string.concat(held, " DEMO"));
        _expectShown("TO CLAIM");
        _expectShown(held);
    }

    /// @dev Of each end, what is foreseen is what settling gives.
    /// forge-config: default.fuzz.runs = 64
    function testFuzz_WhatIsForeseen_IsWhatSettlingGives(uint256 work, uint256 due, uint8 ending, bool last) public {
        uint256 id = _rent();
        uint256 epochs = 24;
        if (ending % 3 != 0) {
            vm.warp(START + 11 hours + 30 minutes);
            vm.prank(ending % 3 == 1 ? renter : provider.addr);
            ending % 3 == 1 ? escrow.cancel(id) : escrow.terminate(id);
            epochs = 12;
        }
        due = bound(due, 0, epochs * RATE * EPOCH);
        work = bound(work, 0, epochs * RATE * EPOCH * 5 / 4);
        _credit(id, epochs, work, due, last);
        vm.warp(START + epochs * EPOCH + 1 + (last ? 0 : WINDOW));
        Lease memory l = escrow.lease(id);
        Split memory foreseen = LeaseState.split(l, false);
        escrow.settle(id);
        l = escrow.lease(id);
        assertEq(l.held, foreseen.refund + foreseen.slashed);
        assertEq(abi.encode(LeaseState.split(l, false)), abi.encode(foreseen), "and stays so");
    }

    // ---------------------------------------------------------------- extremes

    function test_EnormousFigures_StayShort() public {
        Lease memory l = _made();
        (l.rate, l.duration, l.epochLength) = (type(uint96).max / 8192 minutes, 8192 minutes, 1 minutes);
        (l.end, l.payment) = (l.start + l.duration, type(uint128).max);
        l.credited = uint96(uint256(l.rate) * l.duration);
        _readMade(l);
        _expect("Hash rate", "161.19 ZH/s");
        _expect("Committed work", "79.22 RH");
        _expect("Payment", "340282366920938463463374607431768.211455 DEMO");
        _expectShown("3.4e32");
        _expectShown("161.19");
        _expectShown("ZH/s");
        _expectShown("100.00 %");
    }

    function test_TinyFigures_StayReadable() public {
        Offer memory o = _offer();
        RentRequest memory r = _request();
        (o.minHashRate, o.price, r.hashRate) = (1, 1, 17);
        _read(_rent(o, r));
        _expect("Hash rate", "17 H/s");
        _expect("Committed work", "1.46 MH");
        _expect("Payment", "0.000001 DEMO");
        _expectShown("0.000001");
    }

    function test_AnEnormousId_IsCut() public {
        vm.mockCall(address(escrow), abi.encodeCall(ILeaseEscrow.lease, (type(uint256).max)), abi.encode(_made()));
        _read(descriptor.tokenURI(address(escrow), type(uint256).max));
        _expectDrawn(unicode">#11579…39935<", true);
    }

    /// forge-config: default.fuzz.runs = 96
    function testFuzz_WhateverTheLease_TheMetadataIsValid(Lease memory l, uint40 now_) public {
        // as renting guarantees
        l.epochLength = uint32(bound(l.epochLength, 1, type(uint24).max));
        l.duration =
            uint32(bound(l.duration / l.epochLength, 1, 8192) % (type(uint32).max / l.epochLength)) * l.epochLength;
        if (l.duration == 0) l.duration = l.epochLength;
        l.rate = uint96(bound(l.rate, 1, type(uint96).max / l.duration));
        l.start = uint40(bound(l.start, 1, type(uint40).max - l.duration));
        l.end = l.start + uint40(bound(l.end, 0, l.duration));
        l.credited = uint96(bound(l.credited, 0, uint256(l.rate) * l.duration));
        l.asOf = uint40(bound(l.asOf, 0, l.end));
        (l.bondBps, l.cancelBps) = (l.bondBps % 10_001, l.cancelBps % 10_001);
        (l.weightLog2, l.ending, l.oracle) = (l.weightLog2 % 96, l.ending % 3, l.oracle % 65_536);
        vm.warp(now_);
        _readMade(l);
    }

    // ---------------------------------------------------------------- hostile tokens

    function _readWith(HostileToken.Manner manner, bytes memory symbol, uint256 decimals) private {
        Lease memory l = escrow.lease(1);
        l.token = address(new HostileToken(manner, symbol, decimals));
        _readMade(l);
    }

    function _expectSymbol(bytes memory answer, string memory symbol) private {
        _readWith(HostileToken.Manner.Answers, answer, 6);
        _expect("Payment", string.concat("106.666666 ", symbol));
        string memory escaped = LibString.escapeHTML(symbol);
        if (bytes(symbol).length <= 7) escaped = string.concat(escaped, unicode" · bond 20 %");
        _expectShown(escaped);
    }

    function test_ATokenThatDoesNotAnswer_IsCalledToken() public {
        _rent();
        _readWith(HostileToken.Manner.Reverts, "", 0);
        _expect("Payment", "106666666 token");
        _readWith(HostileToken.Manner.BurnsGas, "", 0);
        _expect("Payment", "106666666 token");
        _readWith(HostileToken.Manner.ReturnsHuge, "", 0);
        _expect("Payment", "106666666 token");
        Lease memory l = escrow.lease(1);
        l.token = stranger;
        _readMade(l);
        _expect("Payment", "106666666 token");
        _expectShown(unicode"token · bond 20 %");
    }

    function test_ATokenThatBurnsGas_LeavesTheRest() public {
        _rent();
        Lease memory l = escrow.lease(1);
        l.token = address(new HostileToken(HostileToken.Manner.BurnsGas, "", 0));
        vm.mockCall(address(escrow), abi.encodeCall(ILeaseEscrow.lease, (7)), abi.encode(l));
        descriptor.tokenURI{gas: 8_000_000}(address(escrow), 7);
    }

    function test_ASymbolOfAnyForm_IsMadeHarmless() public {
        _rent();
        _expectSymbol(abi.encode("USDC"), "USDC");
        _expectSymbol(abi.encodePacked("MKR", new bytes(29)), "MKR");
        _expectSymbol(abi.encode(""), "token");
        _expectSymbol(abi.encode('"><a b=\'&"'), '"><a b=\'&"');
        _expectSymbol(abi.encode('\\",{}'), '\\",{}');
        _expectSymbol(abi.encode("a\x00\x1b\n\x7f"), "a????");
        _expectSymbol(abi.encode("exactly 12 c"), "exactly 12 c");
        _expectSymbol(abi.encode("more than 12 c"), unicode"more than 12…");
        _expectSymbol(abi.encode(new string(20_000)), unicode"????????????…");
        // an offset beyond the answer, and a length beyond it: read as bytes32
        _expectSymbol(abi.encode(type(uint256).max, 4), unicode"????????????…");
        _expectSymbol(abi.encode(0x20, type(uint256).max), "token");
    }

    function test_ASymbolBeyondAscii_KeepsWhatIsHarmless() public {
        _rent();
        _expectSymbol(abi.encode(unicode"USD₮0"), unicode"USD₮0");
        _expectSymbol(abi.encode(unicode"£Ö Ξµ"), unicode"£Ö Ξµ");
        _expectSymbol(abi.encode(unicode"€₿"), unicode"€₿");
        // no-break space, soft hyphen, a lone lead byte, a lead byte without the right follower
        _expectSymbol(abi.encode(hex"c2a0"), "??");
        _expectSymbol(abi.encode(hex"c2ad"), "??");
        _expectSymbol(abi.encode(hex"41c3"), "A?");
        _expectSymbol(abi.encode(hex"c341"), "?A");
        _expectSymbol(abi.encode(hex"c3c3"), "??");
        // right-to-left override, another block, a currency sign cut off and one with a wrong end
        _expectSymbol(abi.encode(hex"e280ae"), "???");
        _expectSymbol(abi.encode(hex"e382ae"), "???");
        _expectSymbol(abi.encode(hex"e282"), "??");
        _expectSymbol(abi.encode(hex"e28241"), "??A");
        _expectSymbol(abi.encode(hex"e282c0"), "???");
    }

    function test_ImpossibleDecimals_CountAsNone() public {
        _rent();
        bytes memory symbol = abi.encode("X");
        _readWith(HostileToken.Manner.Answers, symbol, 36);
        _expect("Payment", "0.000000000000000000000000000106666666 X");
        _expectShown("0.00000000000");
        _readWith(HostileToken.Manner.Answers, symbol, 37);
        _expect("Payment", "106666666 X");
        _readWith(HostileToken.Manner.Answers, symbol, type(uint256).max);
        _expect("Payment", "106666666 X");
        _readWith(HostileToken.Manner.Answers, symbol, 0);
        _expect("Payment", "106666666 X");
    }

    /// forge-config: default.fuzz.runs = 96
    function testFuzz_WhateverTheSymbol_TheMetadataIsValid(bytes memory answer, uint256 decimals, bool asString)
        public
    {
        _rent();
        _readWith(HostileToken.Manner.Answers, asString ? abi.encode(answer) : answer, decimals);
        string memory payment = vm.parseJsonString(json, _path("Payment", "value"));
        assertLt(bytes(payment).length, 100);
    }
}
