// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Lease, Offer, RentRequest} from "contracts/src/interfaces/LeaseTypes.sol";
import {Schedule} from "contracts/src/libraries/Packed.sol";
import {ProofOracle} from "tests/support/ProofOracle.sol";
import {Rented} from "tests/support/Rented.sol";

/// @notice The whole life of a lease whose oracle needs no committee, on the calls and reads that
/// the escrow has for it. Six epochs of an hour, 213 shares of 2^43 hashes promised in each.
contract ProofLeaseTest is Rented {
    uint32 private constant PROOF_WINDOW = 192 hours;
    uint40 private constant PROOF_END = START + 6 * EPOCH;

    ProofOracle private proofs;

    function setUp() public override {
        super.setUp();
        proofs = new ProofOracle(escrow);
        Offer memory o = _offer();
        o.oracle = _registerVoiding(address(proofs), PROOF_WINDOW, 0, testPayee);
        _setCap(o.oracle, address(token), type(uint128).max);
        RentRequest memory r = _request();
        r.duration = 6 * EPOCH;
        id = _rent(o, r);
        idle = _balance(provider.addr);
    }

    function _commits(uint32 epoch, uint96 count) private {
        vm.warp(START + (epoch + 1) * EPOCH);
        vm.prank(provider.addr);
        proofs.commit(id, epoch, count);
    }

    /// @dev Of one epoch, in shares.
    function _promised() private view returns (uint96) {
        return uint96((uint256(RATE) * EPOCH) >> escrow.lease(id).weightLog2);
    }

    // ---------------------------------------------------------------- lives

    function test_ALifeWithoutAChallenge_IsPaidInFull() public {
        for (uint32 i; i < 6; ++i) {
            _commits(i, _promised() + 1);
        }
        vm.warp(PROOF_END + 48 hours);
        for (uint32 i; i < 6; ++i) {
            proofs.finalise(id);
        }
        assertGt(escrow.lease(id).lastAt, 0);
        vm.expectRevert(_error(ILeaseEscrow.NotSettleable.selector, id, PROOF_END + PROOF_WINDOW));
        escrow.settle(id);
        skip(1);
        escrow.settle(id);
        uint256 payment = escrow.lease(id).payment;
        assertEq(_balance(provider.addr) - idle, payment + payment / 5, "payment and bond");
        assertEq(_held(), 0);
    }

    function test_AFalseClaim_IsVoidedThoughAllIsCredited() public {
        // five epochs at 1.25 fill the lease of six
        for (uint32 i; i < 6; ++i) {
            _commits(i, _promised() * 5 / 4 + 1);
        }
        vm.warp(PROOF_END + 47 hours);
        vm.prank(challenger);
        proofs.challenge(id, 5);
        vm.warp(PROOF_END + 48 hours);
        for (uint32 i; i < 5; ++i) {
            proofs.finalise(id);
        }
        Lease memory l = escrow.lease(id);
        assertEq(l.credited, uint256(l.rate) * l.duration, "all is credited");
        vm.expectRevert(_error(ILeaseEscrow.NotSettleable.selector, id, PROOF_END + PROOF_WINDOW));
        vm.prank(provider.addr);
        escrow.settle(id);
        vm.warp(PROOF_END + 95 hours);
        proofs.voidClaim(id, 5);
        uint256 pay = l.payment / 6;
        assertEq(_balance(challenger), pay / 4);
        assertEq(_held(), pay - pay / 4);
        proofs.finalise(id);
        skip(1);
        escrow.settle(id);
        assertEq(_balance(provider.addr) - idle, l.payment + l.bond - pay);
    }

    function test_AnAnsweredChallenge_ChangesNothing() public {
        _commits(0, _promised());
        vm.prank(challenger);
        proofs.challenge(id, 0);
        vm.expectRevert(ProofOracle.NotJobSigner.selector);
        proofs.answer(id, 0, stranger);
        proofs.answer(id, 0, jobSigner);
        skip(48 hours);
        vm.expectRevert(ProofOracle.WrongState.selector);
        proofs.voidClaim(id, 0);
        proofs.finalise(id);
        assertEq(escrow.lease(id).credited, uint256(_promised()) << escrow.lease(id).weightLog2);
    }

    /// @dev The oracle learns at once that the escrow took nothing.
    function test_WhatTheEscrowDoesNotBook_IsNotFinalised() public {
        _commits(0, _promised());
        vm.warp(PROOF_END + PROOF_WINDOW);
        escrow.settle(id);
        vm.expectRevert(ProofOracle.NotBooked.selector);
        proofs.finalise(id);
        assertEq(proofs.decided(id), 0);
    }

    function test_ACancelledLife_EndsWithItsNewEnd() public {
        _commits(0, _promised());
        _cancel();
        uint256 early = _held();
        _commits(1, _promised());
        vm.warp(START + 3 * EPOCH);
        uint96 promised = _promised();
        vm.prank(provider.addr);
        vm.expectRevert(ProofOracle.WrongTime.selector);
        proofs.commit(id, 2, promised);
        skip(48 hours);
        proofs.finalise(id);
        proofs.finalise(id);
        assertGt(escrow.lease(id).lastAt, 0);
        skip(1);
        escrow.settle(id);
        Lease memory l = escrow.lease(id);
        // two percent of what was cut off, as far as the provider delivered until then
        uint256 cut = 4 * uint256(RATE) * EPOCH * l.credited / (2 * uint256(RATE) * EPOCH);
        uint256 fee = l.payment * cut * 200 / (uint256(RATE) * l.duration * 10_000);
        assertGt(early, 0);
        assertGt(fee, 0);
        assertEq(_held(), l.payment - l.payment * uint256(l.credited) / (uint256(RATE) * l.duration) - fee);
    }

    // ---------------------------------------------------------------- what it reads

    function test_TheQuickView_IsThatOfTheLease() public {
        (Schedule schedule, address seller, address signer) = escrow.quickView(id);
        Lease memory l = escrow.lease(id);
        assertEq(seller, l.provider);
        assertEq(signer, l.jobSigner);
        assertEq(schedule.rate(), l.rate);
        assertEq(schedule.start(), l.start);
        assertEq(schedule.end(), l.end);
        assertEq(schedule.epochLength(), l.epochLength);
        assertEq(schedule.duration(), l.duration);
        assertEq(schedule.oracle(), l.oracle);
        assertEq(schedule.algorithm(), l.algorithm);
        assertEq(schedule.weightLog2(), l.weightLog2);
        vm.expectRevert(_error(ILeaseEscrow.UnknownLease.selector, 99));
        escrow.quickView(99);
    }

    function test_StorageWords_AreReadAsTheyAre() public view {
        bytes32[] memory slots = new bytes32[](3);
        // number of leases and wrapped native currency
        (slots[0], slots[2]) = (bytes32(uint256(14)), bytes32(type(uint256).max));
        bytes32[] memory words = escrow.extsload(slots);
        assertEq(words.length, 3);
        assertEq(uint96(uint256(words[0])), escrow.leaseCount());
        assertEq(words[0], vm.load(address(escrow), slots[0]));
        assertEq(words[1], vm.load(address(escrow), slots[1]));
        assertEq(words[2], 0);
        assertEq(escrow.extsload(new bytes32[](0)).length, 0);
    }
}
