// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow, Lease, Offer} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Fixture} from "tests/support/Fixture.sol";

contract SettleTest is Fixture {
    uint256 private id;

    function setUp() public override {
        super.setUp();
        id = _rent();
    }

    /// @dev Balances over what was there before anything was credited.
    function _expect(uint256 provider_, uint256 fee, uint256 owner) private view {
        assertEq(_balance(provider.addr) - (DEPOSIT - BOND), provider_, "provider");
        assertEq(_balance(payee), fee, "fee");
        assertEq(_balance(renter), owner, "owner");
    }

    function _settled(uint256 refund, uint256 slashed, uint256 bond) private {
        assertEq(refund + _released() + slashed + bond, PAYMENT + BOND, "the example adds up");
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Settled(id, renter, refund, slashed, bond);
        escrow.settle(id);
        _expect(_released() - _released() / 100 + bond, _released() / 100, refund + slashed);
        assertTrue(escrow.lease(id).settled);
        (uint256 used,) = escrow.exposure(committeeId, address(token));
        assertEq(used, 0);
        assertEq(escrow.liabilities(address(token)), DEPOSIT + PAYMENT);
        // every base unit can leave
        escrow.withdrawFor(address(token), renter);
        escrow.withdrawFor(address(token), payee);
        escrow.withdrawFor(address(token), provider.addr);
        assertEq(token.balanceOf(address(escrow)), 0);
        assertEq(escrow.liabilities(address(token)), 0);
    }

    function _released() private view returns (uint256) {
        return uint256(PAYMENT) * escrow.lease(id).credited / COMMITTED;
    }

    function _notYet() private {
        vm.expectRevert(_error(ILeaseEscrow.NotSettleable.selector, id, END + WINDOW));
        escrow.settle(id);
    }

    // ---------------------------------------------------------------- when

    function test_WhenAllIsCredited_SettlesBeforeTheEnd() public {
        _credit(id, 19, COMMITTED, 0, false);
        _notYet();
        _credit(id, 20, COMMITTED, 0, false);
        assertLt(block.timestamp, END);
        _settled(0, 0, BOND);
    }

    function test_WhenTheOracleSaidLast_SettlesAfterTheEnd() public {
        _credit(id, 24, 0, 0, false);
        _notYet();
        _credit(id, 24, 0, 0, true);
        _settled(PAYMENT, 0, BOND);
    }

    function test_WhenNobodySpeaks_SettlesAfterTheWindowAndSilenceNeverSlashes() public {
        vm.warp(END + WINDOW - 1);
        _notYet();
        vm.warp(END + WINDOW);
        _settled(PAYMENT, 0, BOND);
    }

    function test_WhenTheOracleWentSilent_WhatItCreditedStays() public {
        // half an hour of work, and nothing was due for the rest
        _credit(id, 1, 1.8e17, 1.8e17, false);
        vm.warp(END + WINDOW);
        _settled(PAYMENT - 2_222_222, 0, BOND);
        _expectProvider(2_222_222 - 22_222 + BOND);
    }

    function _expectProvider(uint256 amount) private view {
        assertEq(token.balanceOf(provider.addr), DEPOSIT - BOND + amount);
    }

    function test_AfterTheWindow_ACreditStillCountsUntilSomebodySettles() public {
        vm.warp(END + WINDOW + 1);
        _credit(id, 24, COMMITTED, COMMITTED, true);
        _settled(0, 0, BOND);
    }

    // ---------------------------------------------------------------- how much

    function test_WhenHalfIsMissing_TheBondPaysForWhatIsBeyondTheTolerance() public {
        _credit(id, 24, COMMITTED / 2, COMMITTED, true);
        // short 0.5, tolerance 0.05 of what was committed; 0.45 × 21,333,333, rounded down
        _settled(53_333_333, 9_599_999, 11_733_334);
    }

    function test_WhenNothingIsDelivered_TheToleranceIsStillKept() public {
        _credit(id, 24, 0, COMMITTED, true);
        _settled(PAYMENT, 20_266_666, 1_066_667);
    }

    function test_WhenTheShortfallIsWithinTheTolerance_NothingIsSlashed() public {
        _credit(id, 24, COMMITTED / 20 * 19, COMMITTED, true);
        // 0.05 of the payment, and the unit that rounding left
        _settled(5_333_334, 0, BOND);
    }

    function test_WhenLittleWasDue_TheToleranceIsThatOfChance() public {
        // 3.1 × √(2^48 × 3.6 × 10^17), more than a twentieth of 3.6 × 10^17
        _credit(id, 24, 3.6e17 - 31_205_621_760_000_000, 3.6e17, true);
        uint256 released = _released();
        _settled(PAYMENT - released, 0, BOND);
    }

    function test_OneUnitOfTheBondBeyondTheTolerance_IsSlashed() public {
        // 8.64 × 10^18 / 21,333,333, rounded up
        _credit(id, 24, 3.6e17 - 31_205_621_760_000_000 - 405_000_006_329, 3.6e17, true);
        uint256 released = _released();
        _settled(PAYMENT - released, 1, BOND - 1);
    }

    function test_WhenLittleWasDueAndNothingCame_TheRestIsSlashed() public {
        // 21,333,333 × (3.6 × 10^17 − 31,205,621,760,000,000) / 8.64 × 10^18
        _credit(id, 24, 0, 3.6e17, true);
        _settled(PAYMENT, 811_837, 20_521_496);
    }

    function test_WorkBeyondWhatWasDue_IsPaidAndNeverAgainstTheProvider() public {
        _credit(id, 24, COMMITTED / 2, COMMITTED / 4, true);
        _settled(53_333_333, 0, BOND);
    }

    function test_WhenTheBondIsZero_NothingIsSlashed() public {
        Offer memory o = _offer();
        (o.bondBps, o.cancelBps) = (0, 0);
        uint256 bare = _rent(o, _request());
        _credit(bare, 24, 0, COMMITTED, true);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Settled(bare, renter, PAYMENT, 0, 0);
        escrow.settle(bare);
    }

    function test_WhatWasCollectedBefore_IsNotPaidTwice() public {
        _credit(id, 12, COMMITTED / 4, COMMITTED / 2, false);
        escrow.collect(id);
        _credit(id, 24, COMMITTED / 2, COMMITTED, true);
        _settled(53_333_333, 9_599_999, 11_733_334);
    }

    // ---------------------------------------------------------------- to whom

    function test_TheRefund_GoesToTheNftsOwnerOfThatMoment() public {
        _credit(id, 24, COMMITTED / 2, COMMITTED, true);
        vm.prank(renter);
        escrow.transferFrom(renter, stranger, id);
        escrow.settle(id);
        assertEq(_balance(stranger), 53_333_333 + 9_599_999);
        assertEq(_balance(renter), 0);
    }

    function test_TheFee_GoesToThePinnedOraclesPayee() public {
        Offer memory o = _offer();
        o.oracle = majorityId;
        uint256 other = _rent(o, _request());
        _credit(other, 24, COMMITTED, COMMITTED, true);
        escrow.settle(other);
        assertEq(_balance(majorityPayee), 3_199_999);
        assertEq(_balance(payee), 0);
    }

    // ---------------------------------------------------------------- once

    function test_WhenSettled_NothingMovesAnyMore() public {
        _credit(id, 24, COMMITTED / 2, COMMITTED, true);
        escrow.settle(id);
        Lease memory before = escrow.lease(id);
        vm.expectRevert(_error(ILeaseEscrow.AlreadySettled.selector, id));
        escrow.settle(id);
        vm.expectRevert(_error(ILeaseEscrow.AlreadySettled.selector, id));
        escrow.collect(id);
        _credit(id, 24, COMMITTED, COMMITTED, true);
        assertEq(abi.encode(escrow.lease(id)), abi.encode(before));
    }

    function test_WhenTheLeaseIsUnknown_Reverts() public {
        vm.expectRevert(_error(ILeaseEscrow.UnknownLease.selector, 9));
        escrow.settle(9);
    }

    function test_WhenEverythingIsDelisted_SettlesAndPays() public {
        escrow.listOracle(committeeId, false);
        escrow.listToken(address(token), false);
        escrow.setExposureCap(committeeId, address(token), 0);
        _credit(id, 24, COMMITTED, COMMITTED, true);
        _settled(0, 0, BOND);
    }
}
