// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IDirectory, Posting} from "contracts/src/interfaces/IDirectory.sol";
import {Offer} from "contracts/src/interfaces/LeaseTypes.sol";
import {Directory} from "contracts/src/registry/Directory.sol";
import {Vm} from "forge-std/Vm.sol";
import {LibString} from "solady/utils/LibString.sol";
import {Fixture} from "tests/support/Fixture.sol";

contract DirectoryTest is Fixture {
    string private constant LINK = "stratum+ssl://gateway.example:3334";
    string private constant API = "https://gateway.example/api";
    bytes32 private constant BOX_KEY = keccak256("box key");

    Directory private directory;

    function setUp() public override {
        super.setUp();
        directory = new Directory();
    }

    function _proof(uint256 length) private pure returns (bytes32[] memory proof) {
        proof = new bytes32[](length);
        for (uint256 i; i < length; ++i) {
            proof[i] = keccak256(abi.encode(i));
        }
    }

    function _expectPosted(Offer memory o, bytes memory signature, bytes32[] memory proof) private {
        vm.expectEmit(address(directory));
        emit IDirectory.OfferPosted(o.provider, o.algorithm, lens.offerHash(o), o, signature, proof);
    }

    // ---------------------------------------------------------------- offers

    function test_AnOffer_IsLoggedWithAllThatRentingNeeds() public {
        Offer memory o = _offer();
        bytes memory signature = _sign(o);
        _expectPosted(o, signature, _proof(2));
        vm.prank(provider.addr);
        directory.postOffer(o, signature, _proof(2));
    }

    function test_ALoggedOffer_CanBeRented() public {
        Offer memory o = _offer();
        vm.recordLogs();
        directory.postOffer(o, _sign(o), new bytes32[](0));
        Vm.Log memory log = vm.getRecordedLogs()[0];
        bytes memory signature;
        bytes32[] memory proof;
        (o, signature, proof) = abi.decode(log.data, (Offer, bytes, bytes32[]));
        assertEq(log.topics.length, 4);
        assertEq(log.topics[1], bytes32(uint256(uint160(provider.addr))));
        assertEq(log.topics[2], bytes32(uint256(1)));
        assertEq(log.topics[3], lens.offerHash(_offer()));
        vm.prank(renter);
        assertEq(escrow.rent(o, signature, proof, _request()), 1);
    }

    function test_AnybodyMayPost_WhateverIsSigned() public {
        Offer memory o = _offer();
        _expectPosted(o, "no signature at all", new bytes32[](0));
        vm.prank(stranger);
        directory.postOffer(o, "no signature at all", new bytes32[](0));
    }

    function test_SeveralOffers_AreLoggedInTheirOrder() public {
        Posting[] memory postings = new Posting[](2);
        postings[0] = Posting({offer: _offer(), signature: "first", proof: _proof(1)});
        postings[1] = Posting({offer: _offer(), signature: "second", proof: _proof(3)});
        postings[1].offer.algorithm = 2;
        for (uint256 i; i < 2; ++i) {
            _expectPosted(postings[i].offer, postings[i].signature, postings[i].proof);
        }
        directory.postOffers(postings);
    }

    function test_WhenASignatureIsTooLong_Reverts() public {
        Offer memory o = _offer();
        bytes memory error = _error(IDirectory.SignatureTooLong.selector, 1024, 1025);
        vm.expectRevert(error);
        directory.postOffer(o, new bytes(1025), _proof(0));
        _expectPosted(o, new bytes(1024), _proof(0));
        directory.postOffer(o, new bytes(1024), _proof(0));
    }

    function test_WhenAProofIsTooLong_Reverts() public {
        Offer memory o = _offer();
        vm.expectRevert(_error(IDirectory.ProofTooLong.selector, 24, 25));
        directory.postOffer(o, "", _proof(25));
        _expectPosted(o, "", _proof(24));
        directory.postOffer(o, "", _proof(24));
    }

    function test_WhenOneOfSeveralIsTooLong_NoneIsPosted() public {
        Posting[] memory postings = new Posting[](2);
        postings[0] = Posting({offer: _offer(), signature: "fine", proof: _proof(0)});
        postings[1] = Posting({offer: _offer(), signature: new bytes(1025), proof: _proof(0)});
        vm.expectRevert(_error(IDirectory.SignatureTooLong.selector, 1024, 1025));
        directory.postOffers(postings);
    }

    // ---------------------------------------------------------------- gateways and providers

    /// @dev A URL of `length` bytes.
    function _url(string memory scheme, uint256 length) private pure returns (string memory) {
        return string.concat(scheme, LibString.repeat("a", length - bytes(scheme).length));
    }

    function _expectGateway(string memory link, string memory api) private {
        vm.expectEmit(address(directory));
        emit IDirectory.GatewayAnnounced(jobSigner, link, api, BOX_KEY);
        vm.prank(jobSigner);
        directory.announceGateway(link, api, BOX_KEY);
    }

    function _expectProvider(string memory api) private {
        vm.expectEmit(address(directory));
        emit IDirectory.ProviderAnnounced(provider.addr, api);
        vm.prank(provider.addr);
        directory.announceProvider(api);
    }

    function _expectNoLink(string memory link) private {
        vm.expectRevert(abi.encodeWithSelector(IDirectory.NotALink.selector, link));
        directory.announceGateway(link, API, BOX_KEY);
    }

    function _expectNoApi(string memory api) private {
        bytes memory error = abi.encodeWithSelector(IDirectory.NotAnApi.selector, api);
        vm.expectRevert(error);
        directory.announceGateway(LINK, api, BOX_KEY);
        vm.expectRevert(error);
        directory.announceProvider(api);
    }

    function test_AGateway_IsAnnouncedByItsJobSigner() public {
        _expectGateway(LINK, API);
    }

    function test_AGateway_CanBeWithdrawn() public {
        vm.expectEmit(address(directory));
        emit IDirectory.GatewayWithdrawn(jobSigner);
        vm.prank(jobSigner);
        directory.withdrawGateway();
    }

    function test_AProvider_AnnouncesItsApi() public {
        _expectProvider(API);
    }

    function test_AProvider_CanBeWithdrawn() public {
        vm.expectEmit(address(directory));
        emit IDirectory.ProviderWithdrawn(provider.addr);
        vm.prank(provider.addr);
        directory.withdrawProvider();
    }

    function test_ReadersFindAnAccount_ByItsTopic() public {
        vm.recordLogs();
        vm.startPrank(stranger);
        directory.announceGateway(LINK, API, BOX_KEY);
        directory.withdrawGateway();
        directory.announceProvider(API);
        directory.withdrawProvider();
        directory.announceNodeKey(jobSigner);
        directory.withdrawNodeKey();
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(logs.length, 6);
        for (uint256 i; i < 6; ++i) {
            assertEq(logs[i].topics[1], bytes32(uint256(uint160(stranger))));
        }
    }

    // ---------------------------------------------------------------- URLs

    function test_ALink_IsOfStratum() public {
        _expectGateway("stratum+tcp://gateway.example:3334", API);
        _expectGateway("stratum+ssl://gateway.example:3334", API);
        string[7] memory others = [
            "",
            "stratum+tcp://",
            "stratum+ssl://",
            "gateway.example:3334",
            "https://gateway.example",
            "stratum://gateway.example:3334",
            " stratum+tcp://gateway.example:3334"
        ];
        for (uint256 i; i < others.length; ++i) {
            _expectNoLink(others[i]);
        }
    }

    function test_AnApi_IsOfHttps() public {
        vm.chainId(1);
        _expectProvider("https://a");
        string[6] memory others =
            ["", "https://", "HTTPS://gateway.example", "gateway.example", "http://a", "javascript:alert(1)//"];
        for (uint256 i; i < others.length; ++i) {
            _expectNoApi(others[i]);
        }
    }

    function test_OnALocalChain_AnApiMayBeOfHttp() public {
        vm.chainId(31_337);
        _expectProvider("http://127.0.0.1:8645");
        _expectGateway(LINK, "http://127.0.0.1:8645");
        _expectGateway(LINK, "https://gateway.example");
        _expectNoApi("http://");
        _expectNoApi("ftp://127.0.0.1");
    }

    function test_WhenAUrlIsTooLong_Reverts() public {
        bytes memory error = _error(IDirectory.UrlTooLong.selector, 256, 257);
        vm.expectRevert(error);
        directory.announceGateway(_url("stratum+tcp://", 257), API, BOX_KEY);
        vm.expectRevert(error);
        directory.announceGateway(LINK, _url("https://", 257), BOX_KEY);
        vm.expectRevert(error);
        directory.announceProvider(_url("https://", 257));
        _expectGateway(_url("stratum+tcp://", 256), _url("https://", 256));
        _expectProvider(_url("https://", 256));
    }

    function test_WhenTheBoxKeyIsZero_Reverts() public {
        vm.expectRevert(IDirectory.BoxKeyIsZero.selector);
        directory.announceGateway(LINK, API, 0);
    }

    // ---------------------------------------------------------------- node keys

    function _expectNodeKey(uint40 time, address nodeKey) private view {
        assertEq(directory.nodeKeyAt(provider.addr, time), nodeKey, vm.toString(time));
    }

    function test_ANodeKey_HoldsFromItsSecondOn() public {
        address first = makeAddr("first node");
        address second = makeAddr("second node");
        _expectNodeKey(NOW, address(0));
        vm.startPrank(provider.addr);
        vm.expectEmit(address(directory));
        emit IDirectory.NodeKeyAnnounced(provider.addr, first);
        directory.announceNodeKey(first);
        vm.warp(NOW + 100);
        vm.expectEmit(address(directory));
        emit IDirectory.NodeKeyAnnounced(provider.addr, second);
        directory.announceNodeKey(second);
        _expectNodeKey(NOW - 1, address(0));
        _expectNodeKey(NOW, first);
        _expectNodeKey(NOW + 99, first);
        _expectNodeKey(NOW + 100, second);
        _expectNodeKey(type(uint40).max, second);
    }

    function test_ANodeKey_CanBeWithdrawn() public {
        address nodeKey = makeAddr("node");
        vm.startPrank(provider.addr);
        directory.announceNodeKey(nodeKey);
        vm.warp(NOW + 100);
        vm.expectEmit(address(directory));
        emit IDirectory.NodeKeyWithdrawn(provider.addr);
        directory.withdrawNodeKey();
        _expectNodeKey(NOW + 99, nodeKey);
        _expectNodeKey(NOW + 100, address(0));
        vm.warp(NOW + 200);
        directory.announceNodeKey(nodeKey);
        _expectNodeKey(NOW + 199, address(0));
        _expectNodeKey(NOW + 200, nodeKey);
    }

    function test_WithinASecond_TheLastNodeKeyCounts() public {
        vm.startPrank(provider.addr);
        directory.announceNodeKey(makeAddr("first node"));
        directory.announceNodeKey(makeAddr("second node"));
        _expectNodeKey(NOW, makeAddr("second node"));
        directory.withdrawNodeKey();
        _expectNodeKey(NOW, address(0));
    }

    function test_ANodeKey_IsItsProvidersAlone() public {
        vm.prank(stranger);
        directory.announceNodeKey(makeAddr("node"));
        _expectNodeKey(NOW, address(0));
        assertEq(directory.nodeKeyAt(stranger, NOW), makeAddr("node"));
    }

    function test_WhenTheNodeKeyIsZero_Reverts() public {
        vm.expectRevert(IDirectory.NodeKeyIsZero.selector);
        directory.announceNodeKey(address(0));
    }
}
