// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IDirectory, Posting} from "contracts/src/interfaces/IDirectory.sol";
import {Offer} from "contracts/src/interfaces/LeaseTypes.sol";
import {Directory} from "contracts/src/registry/Directory.sol";
import {Vm} from "forge-std/Vm.sol";
import {Fixture} from "tests/support/Fixture.sol";

contract DirectoryTest is Fixture {
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

    // ---------------------------------------------------------------- gateways

    function test_AGateway_IsAnnouncedByItsJobSigner() public {
        vm.expectEmit(address(directory));
        emit IDirectory.GatewayAnnounced(jobSigner, "https://gateway.example:3334", keccak256("box key"));
        vm.prank(jobSigner);
        directory.announceGateway("https://gateway.example:3334", keccak256("box key"));
    }

    function test_AGateway_CanBeWithdrawn() public {
        vm.expectEmit(address(directory));
        emit IDirectory.GatewayWithdrawn(jobSigner);
        vm.prank(jobSigner);
        directory.withdrawGateway();
    }

    function test_WhenTheUrlIsEmptyOrTooLong_Reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IDirectory.UrlIsEmpty.selector));
        directory.announceGateway("", keccak256("box key"));
        vm.expectRevert(_error(IDirectory.UrlTooLong.selector, 256, 257));
        directory.announceGateway(string(new bytes(257)), keccak256("box key"));
        vm.expectEmit(address(directory));
        emit IDirectory.GatewayAnnounced(address(this), string(new bytes(256)), keccak256("box key"));
        directory.announceGateway(string(new bytes(256)), keccak256("box key"));
    }

    function test_WhenTheBoxKeyIsZero_Reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IDirectory.BoxKeyIsZero.selector));
        directory.announceGateway("https://gateway.example", 0);
    }
}
