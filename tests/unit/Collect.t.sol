// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Offer} from "contracts/src/interfaces/LeaseTypes.sol";
import {Rented} from "tests/support/Rented.sol";

contract CollectTest is Rented {
    function _collects(uint96 credited, uint256 amount, uint256 fee) private {
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Collected(id, credited, amount, fee);
        vm.prank(stranger);
        escrow.collect(id);
    }

    // ---------------------------------------------------------------- how much

    function test_ACollection_BooksWhatTheCreditReleased() public {
        _credit(id, 12, COMMITTED / 2, 0, false);
        _collects(COMMITTED / 2, 52_800_000, 533_333);
        _expectBooked(52_800_000, 533_333, 0);
        assertEq(_balance(stranger), 0);
        assertEq(escrow.lease(id).collectedWork, COMMITTED / 2);
        assertEq(escrow.lease(id).bond, BOND);
        assertEq(escrow.liabilities(address(token)), DEPOSIT + PAYMENT, "nothing left the escrow");
        assertEq(_exposure(committeeId), PAYMENT + BOND);
    }

    function test_ASecondCollection_BooksWhatIsNew() public {
        _credit(id, 1, PROMISE, 0, false);
        // a 24th is 4,444,444.4, its fee 44,444.4
        _collects(PROMISE, 4_400_000, 44_444);
        _credit(id, 2, 2 * PROMISE, 0, false);
        // two 24ths are 8,888,888.8, their fee 88,888.9
        _collects(2 * PROMISE, 4_400_000, 44_444);
        _credit(id, 5, 5 * PROMISE, 0, false);
        // five 24ths are 22,222,222.08, their fee 222,222.2
        _collects(5 * PROMISE, 13_200_000, 133_334);
        _expectBooked(22_000_000, 222_222, 0);
    }

    function test_ManySmallCollections_CostWhatOneCosts() public {
        uint256 snapshot = vm.snapshotState();
        for (uint256 i = 1; i <= 24; ++i) {
            _credit(id, i, COMMITTED * i / 24 - i, 0, false);
            escrow.collect(id);
        }
        _expectBooked(105_600_000 - 1, 1_066_666, 0);
        vm.revertToState(snapshot);
        _credit(id, 24, COMMITTED - 24, 0, false);
        escrow.collect(id);
        _expectBooked(105_600_000 - 1, 1_066_666, 0);
    }

    function test_WhenAllIsCredited_TheWholePaymentIsReleased() public {
        _credit(id, 24, COMMITTED, 0, false);
        _collects(COMMITTED, 105_600_000, 1_066_666);
        _expectBooked(105_600_000, 1_066_666, 0);
    }

    function test_WhenTooLittleWasDoneForABaseUnit_NothingIsBooked() public {
        // 8.64 × 10^18 / 106,666,666 is 81,000,000,506 and a bit
        _credit(id, 1, 81_000_000_506, 0, false);
        _collects(81_000_000_506, 0, 0);
        _credit(id, 1, 81_000_000_507, 0, false);
        _collects(81_000_000_507, 1, 0);
        _expectBooked(1, 0, 0);
    }

    function test_TheFee_IsThatOfThePinnedOracle() public {
        Offer memory o = _offer();
        o.oracle = majorityId;
        _begin(o);
        _credit(id, 24, COMMITTED, COMMITTED, true);
        _collects(COMMITTED, 103_466_667, 3_199_999);
        assertEq(_balance(majorityPayee), 3_199_999);
        _expectBooked(103_466_667, 0, 0);
    }

    function test_WhenTheOracleTakesNoFee_TheProviderGetsEverything() public {
        Offer memory o = _offer();
        o.oracle = _register(address(this), WINDOW, 0, testPayee);
        _setCap(o.oracle, address(token), type(uint128).max);
        _begin(o);
        _credit(id, 24, COMMITTED, COMMITTED, true);
        _collects(COMMITTED, PAYMENT, 0);
        assertEq(_balance(testPayee), 0);
    }

    // ---------------------------------------------------------------- collected work

    function test_ATransfer_DoesNotResetIt() public {
        _credit(id, 12, COMMITTED / 2, 0, false);
        escrow.collect(id);
        _transfer(stranger);
        assertEq(escrow.lease(id).collectedWork, COMMITTED / 2);
        vm.expectRevert(_error(ILeaseEscrow.NothingToCollect.selector, id));
        escrow.collect(id);
        assertEq(escrow.ownerOf(id), stranger);
        _expectBooked(52_800_000, 533_333, 0);
    }

    function test_UncollectedWork_IsBookedBySettling() public {
        _credit(id, 6, COMMITTED / 4, 0, false);
        escrow.collect(id);
        _credit(id, 24, COMMITTED / 2, 0, true);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Collected(id, COMMITTED / 2, 26_400_000, 266_667);
        escrow.settle(id);
        assertEq(escrow.lease(id).collectedWork, COMMITTED / 2);
    }

    // ---------------------------------------------------------------- after the end moved earlier

    function test_AfterACancellation_ItCollectsAsBefore() public {
        _credit(id, 2, 2 * PROMISE, 0, false);
        vm.warp(START + 5 * EPOCH);
        _cancel();
        (uint256 released, uint256 fee) = (8_888_888, 88_888);
        _collects(2 * PROMISE, released - fee, fee);
        _credit(id, 6, 6 * PROMISE, 0, true);
        // six 24ths are 26,666,666.5, their fee 266,666.6
        _collects(6 * PROMISE, 26_666_666 - released - (266_666 - fee), 266_666 - fee);
        assertEq(_balance(provider.addr) - idle, 26_400_000, "no cancel fee before the settlement");
    }

    function test_AfterATermination_ItCollectsAsBefore() public {
        vm.warp(START + 5 * EPOCH);
        _terminate();
        _credit(id, 6, 6 * PROMISE, 6 * PROMISE, true);
        _collects(6 * PROMISE, 26_400_000, 266_666);
        assertEq(escrow.lease(id).bond, BOND);
    }

    // ---------------------------------------------------------------- refused

    function test_WhenNothingIsNew_Reverts() public {
        bytes memory error = _error(ILeaseEscrow.NothingToCollect.selector, id);
        vm.expectRevert(error);
        escrow.collect(id);
        _credit(id, 1, 1e17, 0, false);
        escrow.collect(id);
        vm.expectRevert(error);
        escrow.collect(id);
        // due work alone releases nothing
        _credit(id, 2, 1e17, 2 * PROMISE, false);
        vm.expectRevert(error);
        escrow.collect(id);
    }

    function test_WhenTheLeaseIsSettled_Reverts() public {
        _credit(id, 24, COMMITTED / 2, 0, true);
        escrow.settle(id);
        _revertsAsSettled();
        escrow.collect(id);
    }

    function test_WhenTheLeaseIsUnknown_Reverts() public {
        vm.expectRevert(_error(ILeaseEscrow.UnknownLease.selector, 0));
        escrow.collect(0);
        vm.expectRevert(_error(ILeaseEscrow.UnknownLease.selector, 2));
        escrow.collect(2);
    }

    // ---------------------------------------------------------------- nobody can stop it

    function test_WhenEverythingIsDelisted_StillPays() public {
        _credit(id, 12, COMMITTED / 2, 0, false);
        registry.listOracle(committeeId, false);
        registry.listToken(address(token), false);
        _setCap(committeeId, address(token), 0);
        registry.pause();
        _collects(COMMITTED / 2, 52_800_000, 533_333);
        _expectBooked(52_800_000, 533_333, 0);
    }
}
