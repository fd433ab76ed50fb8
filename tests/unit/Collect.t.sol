// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Fixture} from "tests/support/Fixture.sol";

contract CollectTest is Fixture {
    uint256 private id;

    function setUp() public override {
        super.setUp();
        id = _rent();
    }

    function _earned() private view returns (uint256) {
        return _balance(provider.addr) - (DEPOSIT - BOND);
    }

    function test_ACollection_BooksWhatTheCreditReleased() public {
        _credit(id, 12, COMMITTED / 2, 0, false);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Collected(id, COMMITTED / 2, 52_800_000, 533_333);
        vm.prank(stranger);
        escrow.collect(id);
        assertEq(_earned(), 52_800_000);
        assertEq(_balance(payee), 533_333);
        assertEq(_balance(stranger), 0);
        assertEq(escrow.lease(id).collectedWork, COMMITTED / 2);
        assertEq(escrow.liabilities(address(token)), DEPOSIT + PAYMENT, "nothing left the escrow");
    }

    function test_ManySmallCollections_CostWhatOneCosts() public {
        uint256 snapshot = vm.snapshotState();
        for (uint256 i = 1; i <= 24; ++i) {
            _credit(id, i, COMMITTED * i / 24 - i, 0, false);
            escrow.collect(id);
        }
        (uint256 earned, uint256 fee) = (_earned(), _balance(payee));
        vm.revertToState(snapshot);
        _credit(id, 24, COMMITTED - 24, 0, false);
        escrow.collect(id);
        assertEq(_earned(), earned);
        assertEq(_balance(payee), fee);
        assertEq(earned + fee, PAYMENT - 1, "rounded down");
    }

    function test_WhenAllIsCredited_TheWholePaymentIsReleased() public {
        _credit(id, 24, COMMITTED, 0, false);
        escrow.collect(id);
        assertEq(_earned(), PAYMENT - PAYMENT / 100);
        assertEq(_balance(payee), PAYMENT / 100);
    }

    function test_WhenNothingIsNew_Reverts() public {
        bytes memory error = _error(ILeaseEscrow.NothingToCollect.selector, id);
        vm.expectRevert(error);
        escrow.collect(id);
        _credit(id, 1, 1e17, 0, false);
        escrow.collect(id);
        vm.expectRevert(error);
        escrow.collect(id);
    }

    function test_WhenTheLeaseIsUnknown_Reverts() public {
        vm.expectRevert(_error(ILeaseEscrow.UnknownLease.selector, 0));
        escrow.collect(0);
    }

    function test_WhenEverythingIsDelisted_StillPays() public {
        _credit(id, 12, COMMITTED / 2, 0, false);
        escrow.listOracle(committeeId, false);
        escrow.listToken(address(token), false);
        escrow.setExposureCap(committeeId, address(token), 0);
        escrow.collect(id);
        assertEq(_earned(), 52_800_000);
    }
}
