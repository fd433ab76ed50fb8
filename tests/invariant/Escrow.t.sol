// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow, Lease} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Test} from "forge-std/Test.sol";
import {console2} from "forge-std/console2.sol";
import {DemoToken} from "script/DemoToken.sol";
import {
    CommitteeHandler,
    GovernorHandler,
    ProviderHandler,
    RenterHandler,
    StrangerHandler,
    TimeHandler
} from "tests/invariant/Handlers.sol";
import {World} from "tests/invariant/World.sol";

/// @title What always holds, whoever does what in whichever order
/// @notice After every run each action must have succeeded and everybody must get out; `forge test` prints calls and
/// reverts of each action, with `-vv` also this suite's own table.
contract EscrowInvariants is Test {
    World private world;
    ILeaseEscrow private escrow;

    function setUp() public {
        world = new World();
        escrow = world.theEscrow();
        new ProviderHandler(world);
        new RenterHandler(world);
        new CommitteeHandler(world);
        new StrangerHandler(world);
        new TimeHandler(world);
        new GovernorHandler(world);
        World.Action[] memory actions = world.actions();
        for (uint256 i; i < actions.length; ++i) {
            bytes4[] memory selectors = new bytes4[](1);
            selectors[0] = actions[i].selector;
            targetContract(actions[i].handler);
            targetSelector(FuzzSelector(actions[i].handler, selectors));
        }
    }

    // ---------------------------------------------------------------- the promises

    /// @notice Solvency: the escrow holds at least what it owes, and it owes exactly the balances, plus what is left
    /// of the payments and bonds of leases that are not settled.
    function invariant_TheEscrowHoldsWhatItOwes() public view {
        address[] memory accounts = world.accounts();
        uint256 count = escrow.leaseCount();
        for (uint256 t; t < 2; ++t) {
            DemoToken token = world.tokens(t);
            uint256 owed;
            for (uint256 i; i < accounts.length; ++i) {
                owed += escrow.balance(accounts[i], address(token));
            }
            for (uint256 id = 1; id <= count; ++id) {
                Lease memory l = escrow.lease(id);
                if (l.settled || l.token != address(token)) continue;
                World.Book memory b = world.book(id);
                owed += l.payment - b.earned - b.fees + l.bond;
            }
            assertEq(escrow.liabilities(address(token)), owed, "owes what it should");
            assertGe(token.balanceOf(address(escrow)), owed, "holds what it owes");
        }
    }

    /// @notice Conservation: of every lease, payment = provider's + fees + refund + what remains, and bond =
    /// returned + slashed + what remains. Nothing remains of a settled lease.
    function invariant_EveryBaseUnitOfALeaseIsAccountedFor() public view {
        uint256 count = escrow.leaseCount();
        for (uint256 id = 1; id <= count; ++id) {
            Lease memory l = escrow.lease(id);
            World.Book memory b = world.book(id);
            assertEq(l.payment, b.payment, "payment");
            assertEq(l.bond, b.bond, "bond");
            if (l.settled) {
                assertEq(uint256(b.earned) + b.fees + b.refund, b.payment, "payment is all distributed");
                assertEq(uint256(b.slashed) + b.bondBack, b.bond, "bond is all distributed");
            } else {
                assertEq(uint256(b.refund) + b.slashed + b.bondBack, 0, "no refund before the end");
            }
        }
    }

    /// @notice Entitlement: no more is released than the payment's share of the credited work, no more is credited
    /// than the oracle stated, the promise and a quarter by then, and what is committed; the fee is its percentage.
    function invariant_NothingIsReleasedBeyondCreditedWork() public view {
        uint256 count = escrow.leaseCount();
        for (uint256 id = 1; id <= count; ++id) {
            Lease memory l = escrow.lease(id);
            World.Book memory b = world.book(id);
            uint256 committed = uint256(l.rate) * l.duration;
            uint256 elapsed = l.asOf == 0 ? 0 : l.asOf - l.start;
            uint256 released = uint256(b.earned) + b.fees;
            assertLe(l.credited, b.stated, "as stated");
            assertLe(l.due, b.statedDue, "due as stated");
            assertLe(l.credited, committed, "as committed");
            assertLe(uint256(l.credited) * 4, l.rate * elapsed * 5, "a quarter more than promised");
            assertLe(l.due, l.rate * elapsed, "due as promised");
            assertEq(released, uint256(l.payment) * l.collectedWork / committed, "pro rata to the work");
            assertLe(l.collectedWork, l.credited, "collected as credited");
            assertEq(b.fees, released * escrow.oracle(l.oracle).feeBps / 10_000, "fee");
            if (l.settled) assertEq(l.collectedWork, l.credited, "all that was credited is paid");
        }
    }

    /// @notice No shortfall, no slash: a bond pays only for work that was due and is missing beyond the tolerance.
    function invariant_OnlyAShortfallBeyondTheToleranceIsSlashed() public view {
        uint256 count = escrow.leaseCount();
        for (uint256 id = 1; id <= count; ++id) {
            World.Book memory b = world.book(id);
            if (b.slashed == 0) continue;
            Lease memory l = escrow.lease(id);
            uint256 short = uint256(l.due) - l.credited;
            assertGt(short, l.due / 20, "a twentieth");
            assertGt(short * short * 100, 961 * (uint256(l.due) << l.weightLog2), "3.1 deviations");
            assertLe(uint256(b.slashed) * l.rate * l.duration, uint256(b.bond) * (short - l.due / 20), "pro rata");
        }
    }

    /// @notice Monotone: credited and due work, `asOf` and `last`, what is collected and settled never go back.
    function invariant_CreditNeverGoesBack() public view {
        uint256 count = escrow.leaseCount();
        for (uint256 id = 1; id <= count; ++id) {
            Lease memory l = escrow.lease(id);
            World.Seen memory s = world.seen(id);
            assertGe(l.credited, s.credited, "credited");
            assertGe(l.due, s.due, "due");
            assertGe(l.asOf, s.asOf, "asOf");
            assertGe(l.collectedWork, s.collectedWork, "collected");
            assertTrue(l.last || !s.last, "last");
            assertTrue(l.settled || !s.settled, "settled");
            assertTrue(!l.last || l.asOf == l.end, "last only at the end");
            assertLe(l.asOf, l.end, "asOf after the end");
            assertLe(l.asOf, block.timestamp, "asOf in the future");
        }
    }

    /// @notice Finality: nothing about a settled lease ever changes.
    function invariant_ASettledLeaseNeverChanges() public view {
        uint256 count = escrow.leaseCount();
        for (uint256 id = 1; id <= count; ++id) {
            Lease memory l = escrow.lease(id);
            bytes32 end = world.book(id).end;
            assertEq(l.settled, end != 0, "settled only by settling");
            if (l.settled) assertEq(keccak256(abi.encode(l)), end);
        }
    }

    /// @notice Terms: nothing of a lease changes but what its oracle credits and what is paid for it.
    function invariant_TheTermsOfALeaseNeverChange() public view {
        uint256 count = escrow.leaseCount();
        for (uint256 id = 1; id <= count; ++id) {
            assertEq(world.terms(escrow.lease(id)), world.book(id).terms);
        }
    }

    /// @notice Exposure: an oracle's exposure is the payments and bonds of its unsettled leases.
    function invariant_ExposureIsWhatUnsettledLeasesHold() public view {
        uint256 count = escrow.leaseCount();
        for (uint256 t; t < 2; ++t) {
            for (uint32 oracle = 1; oracle <= 2; ++oracle) {
                uint256 held;
                for (uint256 id = 1; id <= count; ++id) {
                    Lease memory l = escrow.lease(id);
                    if (l.settled || l.oracle != oracle || l.token != address(world.tokens(t))) continue;
                    held += uint256(l.payment) + l.bond;
                }
                (uint256 used,) = escrow.exposure(oracle, address(world.tokens(t)));
                assertEq(used, held);
            }
        }
    }

    /// @notice Nobody gets done what is not his.
    function invariant_NoStrangerGetsIn() public view {
        if (world.intrusionCount() != 0) assertEq(world.intrusions(0), "nothing", "got done");
    }

    /// @notice Every action does what it says: amounts arrive where they should and nowhere else, good statements are
    /// never skipped and bad ones always are.
    function invariant_EveryActionDoesWhatItSays() public view {
        if (world.surpriseCount() != 0) assertEq(world.surprises(0), "as it says");
    }

    // ---------------------------------------------------------------- after each run

    function afterInvariant() public {
        World.Action[] memory actions = world.actions();
        console2.log("calls, done, refused as it should be");
        for (uint256 i; i < actions.length; ++i) {
            World.Action memory a = actions[i];
            console2.log(a.name, a.called, a.done, a.refused);
            // an action that chance left out is called now, so that each must have succeeded in every run
            if (a.called != 0) continue;
            (bool isDone,) = a.handler.call(abi.encodeWithSelector(a.selector, i));
            assertTrue(isDone, string.concat("refused: ", a.name));
        }
        actions = world.actions();
        for (uint256 i; i < actions.length; ++i) {
            assertGt(actions[i].done, 0, string.concat("never succeeds: ", actions[i].name));
        }
        _everybodyGetsOut();
    }

    /// @dev Liveness: after the deadlines no oracle and no governor is in anybody's way, and nothing stays behind
    /// but what was donated.
    function _everybodyGetsOut() private {
        world.windUp();
        invariant_EveryBaseUnitOfALeaseIsAccountedFor();
        invariant_ExposureIsWhatUnsettledLeasesHold();
        for (uint256 t; t < 2; ++t) {
            DemoToken token = world.tokens(t);
            assertEq(escrow.liabilities(address(token)), 0, "everybody got out");
            assertEq(token.balanceOf(address(escrow)), world.donated(t), "nothing stayed behind");
        }
    }
}
