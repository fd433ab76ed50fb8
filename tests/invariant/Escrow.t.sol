// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {console2} from "forge-std/console2.sol";
import {Books} from "tests/invariant/Books.sol";
import {
    CommitteeHandler,
    GovernorHandler,
    ProviderHandler,
    RenterHandler,
    RogueHandler,
    StrangerHandler,
    TimeHandler
} from "tests/invariant/Handlers.sol";
import {LeasePromises} from "tests/invariant/LeasePromises.sol";
import {World} from "tests/invariant/World.sol";

/// @title What always holds, whatever anyone does in any order
/// @notice Four campaigns by subject over the promises of `MoneyPromises` and `LeasePromises`. Each
/// action is followed by a check of the leases that are open, or were until then. After every run
/// each action must have succeeded, everybody must get out, and all promises are checked of all
/// leases. `forge test` prints calls and reverts of each action, with `-vv` also this suite's own
/// table.
contract EscrowInvariants is LeasePromises {
    function setUp() public {
        world = new World();
        (escrow, lens) = (world.theEscrow(), world.theLens());
        new ProviderHandler(world);
        new RenterHandler(world);
        new CommitteeHandler(world);
        new RogueHandler(world);
        new StrangerHandler(world);
        new TimeHandler(world);
        new GovernorHandler(world);
        Books.Action[] memory actions = world.actions();
        for (uint256 i; i < actions.length; ++i) {
            bytes4[] memory selectors = new bytes4[](1);
            selectors[0] = actions[i].selector;
            targetContract(actions[i].handler);
            targetSelector(FuzzSelector(actions[i].handler, selectors));
        }
    }

    // ---------------------------------------------------------------- campaigns

    /// @notice No money is lost, created or booked to the wrong account.
    function invariant_TheMoneyIsAllThere() public view {
        _checkMoney(world.openPages());
    }

    /// @notice Work is paid as it was credited, and a lease only moves forward.
    function invariant_ALeaseOnlyGoesForward() public view {
        _checkCourse(world.openPages());
    }

    /// @notice However a lease ends, each side gets its due.
    function invariant_EveryEndIsFair() public view {
        _checkEnds(world.openPages());
    }

    /// @notice Every actor has the rights of its role and no others.
    function invariant_EverybodyKeepsToHisRights() public view {
        promise_TheHolderIsWhoTheTransfersSay();
        promise_AUserNeverGetsMoneyAndNeverOutlivesATransfer();
        promise_NoOfferIsFilledBeyondItsRate();
        promise_NoStrangerGetsIn();
        promise_EveryActionDoesWhatItSays();
    }

    function _checkMoney(Books.Page[] memory pages) private view {
        promise_TheEscrowHoldsWhatItOwes(pages);
        promise_EveryBalanceIsWhatTheEventsSay();
        promise_ALeaseHoldsWhatTheEventsSay(pages);
        promise_EveryBaseUnitOfALeaseIsAccountedFor(pages);
        promise_ExposureIsWhatUnsettledLeasesHeldAtRenting(pages);
    }

    function _checkCourse(Books.Page[] memory pages) private view {
        promise_NothingIsReleasedBeyondCreditedWork(pages);
        promise_CreditNeverGoesBack(pages);
        promise_OnlyTheEndOfALeaseChanges(pages);
        promise_APinnedOracleNeverChanges();
        promise_ASettledLeaseNeverChanges(pages);
    }

    function _checkEnds(Books.Page[] memory pages) private view {
        promise_SilenceNeverSlashes(pages);
        promise_ACancellationReturnsWhatNoCreditCanReach(pages);
        promise_WhatReturnsEarlyAndTheFeeAreCovered(pages);
        promise_EachSideGetsWhatIsFair(pages);
        promise_EndingEarlyGainsNothing(pages);
        promise_StarvingIsNotCheaperThanCancelling(pages);
        promise_TellingIsNotDearerThanVanishing(pages);
    }

    // ---------------------------------------------------------------- after each run

    function afterInvariant() public {
        Books.Action[] memory actions = world.actions();
        console2.log("calls, done, refused as it should be");
        for (uint256 i; i < actions.length; ++i) {
            Books.Action memory a = actions[i];
            console2.log(a.name, a.called, a.done, a.refused);
            // calls every action that chance left out, so that each succeeds in every run
            if (a.called != 0) continue;
            (bool isDone,) = a.handler.call(abi.encodeWithSelector(a.selector, i));
            assertTrue(isDone, string.concat("refused: ", a.name));
            _checkAll(world.openPages());
        }
        actions = world.actions();
        for (uint256 i; i < actions.length; ++i) {
            assertGt(actions[i].done, 0, string.concat("never succeeds: ", actions[i].name));
        }
        _everybodyGetsOut();
    }

    function _checkAll(Books.Page[] memory pages) private view {
        _checkMoney(pages);
        _checkCourse(pages);
        _checkEnds(pages);
        invariant_EverybodyKeepsToHisRights();
    }

    /// @dev Exit: after the deadlines no oracle, committee, governor or pause stands in anybody's
    /// way. Everything is settled and withdrawn; once reconciled, nothing is owed, and only
    /// donations that were not recovered remain.
    function _everybodyGetsOut() private {
        world.windUp();
        Books.Page[] memory pages = world.pages();
        _checkAll(pages);
        for (uint256 i; i < pages.length; ++i) {
            assertTrue(pages[i].lease.settled, "everything is settled");
            assertEq(pages[i].lease.held, 0, "everything is claimed");
        }
        for (uint256 t; t < world.tokenCount(); ++t) {
            address token = address(world.tokens(t));
            assertEq(escrow.liabilities(token), 0, "everybody got out");
            assertEq(world.tokens(t).balanceOf(address(escrow)), world.donated(t), "nothing stayed behind");
        }
    }
}
