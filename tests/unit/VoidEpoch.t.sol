// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IERC4906} from "contracts/src/interfaces/IERC4906.sol";
import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Lease, Offer, RentRequest} from "contracts/src/interfaces/LeaseTypes.sol";
import {Rented} from "tests/support/Rented.sol";
import {TestOracle} from "tests/support/TestOracle.sol";

contract VoidEpochTest is Rented {
    function setUp() public override {
        super.setUp();
        _beginVoidable();
        vm.warp(START + 3 * EPOCH);
    }

    function _void(uint32 epoch) private {
        testOracle.voidEpoch(id, epoch, challenger);
    }

    function _voids(uint32 epoch, uint256 toHolder, uint256 toChallenger) private {
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.EpochVoided(id, epoch, challenger, toHolder, toChallenger);
        vm.expectEmit(address(escrow));
        emit IERC4906.MetadataUpdate(id);
        _void(epoch);
        assertTrue(lens.isVoid(id, epoch));
    }

    // ---------------------------------------------------------------- effects

    function test_AVoidEpoch_CostsTheBondItsPay() public {
        uint256 owed = escrow.liabilities(address(token));
        uint256 exposed = _exposure(testOracleId);
        _voids(1, 3_333_333, 1_111_111);
        assertEq(_held(), 3_333_333);
        assertEq(_balance(challenger), 1_111_111);
        assertEq(_balance(provider.addr), idle);
        Lease memory l = escrow.lease(id);
        assertEq(l.bond, BOND - 4_444_444);
        assertEq(l.payment, PAYMENT, "the payment stays for refund");
        assertEq(l.credited, 0);
        assertEq(l.asOf, 0);
        assertEq(escrow.liabilities(address(token)), owed);
        assertEq(_exposure(testOracleId), exposed);
    }

    function test_TheIndivisibleRest_GoesToTheHolder() public {
        Offer memory o = _offer();
        // 24 × 1,003 and a bit: 1,003 = 250 + 753
        (o.oracle, o.price) = (testOracleId, 2_786_112);
        RentRequest memory r = _request();
        r.start = START + 1 days;
        id = _rent(o, r);
        assertEq(escrow.lease(id).payment, 24_073);
        _voids(0, 753, 250);
        assertEq(escrow.lease(id).bond, 4814 - 1003);
    }

    function test_EveryEpoch_IsVoidByItself() public {
        _void(1);
        assertFalse(lens.isVoid(id, 0));
        assertTrue(lens.isVoid(id, 1));
        assertFalse(lens.isVoid(id, 2));
        assertFalse(lens.isVoid(id - 1, 1));
        _void(0);
        _void(23);
        assertTrue(lens.isVoid(id, 0));
        assertTrue(lens.isVoid(id, 23));
        assertFalse(lens.isVoid(id, 22));
    }

    function test_EpochsBeyondTheFirstWord_AreVoidByThemselvesToo() public {
        Offer memory o = _offer();
        (o.oracle, o.epochLength) = (testOracleId, 10 minutes);
        RentRequest memory r = _request();
        (r.start, r.duration) = (START + 1 days, 7 days);
        id = _rent(o, r);
        uint32[5] memory epochs = [uint32(0), 255, 256, 511, 1007];
        for (uint256 i; i < 5; ++i) {
            _void(epochs[i]);
        }
        uint256 count;
        for (uint32 i; i < 1024; ++i) {
            if (lens.isVoid(id, i)) ++count;
        }
        assertEq(count, 5);
        assertTrue(lens.isVoid(id, 256));
        vm.expectRevert(_error(ILeaseEscrow.EpochOutOfBounds.selector, 1008, 1008));
        _void(1008);
    }

    function test_TheHoldersShare_StaysInTheLease() public {
        _void(0);
        _transfer(stranger);
        assertEq(_held(), 3_333_333);
        vm.prank(stranger);
        escrow.claim(_only(id), stranger);
        assertEq(token.balanceOf(stranger), 3_333_333);
        _void(1);
        assertEq(_held(), 3_333_333, "of the next epoch");
    }

    function test_AnOwnerWhoChallengesHerself_GetsBoth() public {
        testOracle.voidEpoch(id, 0, renter);
        assertEq(_held(), 3_333_333);
        assertEq(_balance(renter), 1_111_111);
    }

    function test_TheBond_PaysUntilItIsEmpty() public {
        for (uint32 i; i < 4; ++i) {
            _voids(i, 3_333_333, 1_111_111);
        }
        // 21,333,333 − 4 × 4,444,444
        assertEq(escrow.lease(id).bond, 3_555_557);
        _voids(4, 2_666_668, 888_889);
        assertEq(escrow.lease(id).bond, 0);
        _voids(5, 0, 0);
        assertEq(_held(), 16_000_000);
        assertEq(_balance(challenger), 5_333_333);
        vm.warp(END + LONG_WINDOW);
        escrow.settle(id);
        assertEq(_held(), 16_000_000 + PAYMENT);
        assertEq(_balance(provider.addr), idle);
    }

    function test_WhenThereIsNoBond_ItIsVoidAllTheSame() public {
        Offer memory o = _offer();
        (o.oracle, o.bondBps, o.cancelBps) = (testOracleId, 0, 0);
        RentRequest memory r = _request();
        r.start = START + 1 days;
        id = _rent(o, r);
        _voids(0, 0, 0);
        vm.expectRevert(_error(ILeaseEscrow.EpochIsVoid.selector, id, 0));
        _void(0);
    }

    function test_ADelistedOracle_VoidsAllTheSame() public {
        registry.listOracle(testOracleId, false);
        registry.listToken(address(token), false);
        _setCap(testOracleId, address(token), 0);
        registry.pause();
        _voids(1, 3_333_333, 1_111_111);
    }

    // ---------------------------------------------------------------- settling what is left

    function _settles(uint256 slashed, uint256 bond) private {
        vm.warp(END + LONG_WINDOW);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Settled(id, PAYMENT, slashed, bond, 0);
        escrow.settle(id);
        assertEq(_exposure(testOracleId), 0, "exposure falls by what renting added");
    }

    function test_TheRestOfTheBond_GoesBackToTheProvider() public {
        _void(0);
        _void(1);
        _settles(0, 12_444_445);
        assertEq(_balance(provider.addr) - idle, 12_444_445);
    }

    function test_TheSlash_IsReckonedOnTheWholeBond() public {
        _void(0);
        // half of the lease due, nothing done: 21,333,333 × (0.5 − 0.025), less than what is left
        _credit(id, 12, 0, COMMITTED / 2, false);
        _settles(10_133_333, 6_755_556);
    }

    function test_TheSlash_TakesAtMostWhatIsLeft() public {
        for (uint32 i; i < 3; ++i) {
            _void(i);
        }
        _credit(id, 12, 0, COMMITTED / 2, false);
        _settles(8_000_001, 0);
        assertEq(_held(), 3 * 3_333_333 + 8_000_001 + PAYMENT);
        assertEq(_balance(challenger), 3_333_333);
    }

    function test_ATermination_CostsAtMostWhatIsLeft() public {
        _void(0);
        vm.warp(START + 5 * EPOCH + 1);
        _terminate();
        _void(1);
        _void(2);
        // the mean of 5,066,666 and 20,266,666 is more
        _credit(id, 6, 0, 6 * PROMISE, false);
        _settles(8_000_001, 0);
        assertEq(_balance(provider.addr), idle);
    }

    function test_WithAllVoidedAndAllSlashed_EveryBaseUnitIsSomebodys() public {
        // settle the fixture's first lease first
        vm.warp(END + WINDOW);
        escrow.settle(1);
        _void(7);
        _credit(id, 24, COMMITTED / 3, COMMITTED, true);
        escrow.settle(id);
        _everybodyLeaves();
    }

    // ---------------------------------------------------------------- the end

    function test_AfterACancellation_TheNewEndBoundsTheEpochs() public {
        vm.warp(START + 5 * EPOCH + 1);
        _cancel();
        vm.expectRevert(_error(ILeaseEscrow.EpochOutOfBounds.selector, 6, 6));
        _void(6);
        // a 24th of the payment as before, though only six epochs ran
        _voids(5, 3_333_333, 1_111_111);
    }

    function test_AfterATermination_TheNewEndBoundsTheEpochs() public {
        vm.warp(START + 5 * EPOCH + 1);
        _terminate();
        vm.expectRevert(_error(ILeaseEscrow.EpochOutOfBounds.selector, 6, 23));
        _void(23);
        _voids(5, 3_333_333, 1_111_111);
    }

    function test_WhenTheEpochIsOutOfBounds_Reverts() public {
        vm.expectRevert(_error(ILeaseEscrow.EpochOutOfBounds.selector, 24, 24));
        _void(24);
        vm.expectRevert(_error(ILeaseEscrow.EpochOutOfBounds.selector, 24, type(uint32).max));
        _void(type(uint32).max);
        // 256 epochs further is another word's bit
        _void(0);
        vm.expectRevert(_error(ILeaseEscrow.EpochOutOfBounds.selector, 24, 256));
        _void(256);
    }

    // ---------------------------------------------------------------- refused

    function test_WhenTheEpochIsVoid_Reverts() public {
        _void(3);
        vm.expectRevert(_error(ILeaseEscrow.EpochIsVoid.selector, id, 3));
        _void(3);
        assertEq(_balance(challenger), 1_111_111);
    }

    function test_WhenTheCallerIsNotTheLeasesOracle_Reverts() public {
        address[5] memory callers = [address(committee), stranger, renter, provider.addr, address(this)];
        for (uint256 i; i < callers.length; ++i) {
            _revertsFor(ILeaseEscrow.NotLeaseOracle.selector, callers[i]);
            vm.prank(callers[i]);
            escrow.voidEpoch(id, 0, challenger);
        }
        // this oracle may not touch a committee's lease either
        id = 1;
        _revertsFor(ILeaseEscrow.NotLeaseOracle.selector, address(testOracle));
        _void(0);
    }

    function test_WhenTheOracleNeverVoids_Reverts() public {
        vm.expectRevert(_error(ILeaseEscrow.OracleNeverVoids.selector, committeeId));
        vm.prank(address(committee));
        escrow.voidEpoch(1, 0, challenger);
    }

    function test_WhenTheChallengerIsZero_Reverts() public {
        vm.expectRevert(ILeaseEscrow.ZeroAddress.selector);
        testOracle.voidEpoch(id, 0, address(0));
        assertFalse(lens.isVoid(id, 0));
    }

    function test_WhenTheLeaseIsSettled_Reverts() public {
        vm.warp(END + LONG_WINDOW);
        escrow.settle(id);
        _revertsAsSettled();
        _void(0);
    }

    function test_WhenTheLeaseIsUnknown_Reverts() public {
        id = 99;
        vm.expectRevert(_error(ILeaseEscrow.UnknownLease.selector, 99));
        _void(0);
    }

    function test_TheTestOracle_SpeaksForItsFounderOnly() public {
        vm.startPrank(stranger);
        vm.expectRevert(_error(TestOracle.NotFounder.selector, stranger));
        testOracle.voidEpoch(id, 0, stranger);
        vm.expectRevert(_error(TestOracle.NotFounder.selector, stranger));
        testOracle.credit(_statements(_entry(id, START + EPOCH, 1, 1, false)));
        vm.stopPrank();
        testOracle.credit(_statements(_entry(id, START + EPOCH, 1, 1, false)));
        _expectFigures(1, 1, START + EPOCH, false);
    }
}
