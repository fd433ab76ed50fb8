// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {ILeaseLens} from "contracts/src/interfaces/ILeaseLens.sol";
import {Lease} from "contracts/src/interfaces/LeaseTypes.sol";
import {Test} from "forge-std/Test.sol";
import {Books} from "tests/invariant/Books.sol";
import {World} from "tests/invariant/World.sol";

/// @title Promises about money
/// @notice Each function is one promise, which holds after every action of anybody.
abstract contract MoneyPromises is Test {
    World internal world;
    ILeaseEscrow internal escrow;
    ILeaseLens internal lens;

    /// @notice Solvency: the escrow holds exactly what it owes plus donations. Its liabilities are
    /// what it owes (balances, what is left of payments and bonds of unsettled leases, and what
    /// leases hold for their holders) plus the withdrawals that are not reconciled yet.
    function promise_TheEscrowHoldsWhatItOwes(Books.Page[] memory pages) internal view {
        address[] memory accounts = world.accounts();
        for (uint256 t; t < world.tokenCount(); ++t) {
            address token = address(world.tokens(t));
            uint256 owed;
            uint256 gone;
            for (uint256 i; i < accounts.length; ++i) {
                owed += escrow.balance(accounts[i], token);
                gone += lens.unreconciled(accounts[i], token);
            }
            for (uint256 i; i < pages.length; ++i) {
                if (pages[i].lease.token == token) owed += _remaining(pages[i]);
            }
            owed += world.heldByOthers(token);
            assertEq(escrow.liabilities(token), owed + gone, "owes what it should");
            assertEq(world.tokens(t).balanceOf(address(escrow)), owed + world.donated(t), "holds what it owes");
        }
    }

    /// @dev What is left of payment and bond, and what is held.
    function _remaining(Books.Page memory p) private pure returns (uint256) {
        if (p.lease.settled) return p.book.held;
        return p.lease.payment - p.book.earned - p.book.fees - p.book.returned + p.lease.bond + p.book.held;
    }

    /// @notice Balances: every account may withdraw exactly what the events booked to it.
    function promise_EveryBalanceIsWhatTheEventsSay() internal view {
        address[] memory accounts = world.accounts();
        for (uint256 t; t < world.tokenCount(); ++t) {
            address token = address(world.tokens(t));
            for (uint256 i; i < accounts.length; ++i) {
                assertEq(escrow.balance(accounts[i], token), world.entitled(accounts[i], token), "balance");
            }
        }
    }

    /// @notice The holder's money: a lease holds exactly what its events say and nobody claimed.
    function promise_ALeaseHoldsWhatTheEventsSay(Books.Page[] memory pages) internal pure {
        for (uint256 i; i < pages.length; ++i) {
            assertEq(pages[i].lease.held, pages[i].book.held, "held");
        }
    }

    /// @notice Conservation: for every lease, payment = provider's + fees + returned early + refund
    /// + fee for capacity + remainder, and bond = returned + slashed + voided + remainder; a
    /// settled lease has no remainder.
    function promise_EveryBaseUnitOfALeaseIsAccountedFor(Books.Page[] memory pages) internal pure {
        for (uint256 i; i < pages.length; ++i) {
            Lease memory l = pages[i].lease;
            Books.Book memory b = pages[i].book;
            uint256 out = uint256(b.earned) + b.fees + b.returned;
            assertEq(uint256(l.bond) + b.voided, b.rented.bond, "what was voided is gone, and nothing else");
            if (l.settled) {
                assertEq(out + b.refund + b.capacityFee, l.payment, "payment is all distributed");
                assertEq(uint256(b.slashed) + b.bondBack, l.bond, "bond is all distributed");
            } else {
                assertLe(out, l.payment, "not more than the payment");
                assertEq(uint256(b.refund) + b.capacityFee + b.slashed + b.bondBack, 0, "nothing before the end");
            }
        }
    }

    /// @notice Exposure: an oracle's exposure in a token is the sum of payments and bonds of its
    /// unsettled leases, as locked when they were rented.
    function promise_ExposureIsWhatUnsettledLeasesHeldAtRenting(Books.Page[] memory pages) internal view {
        uint32[3] memory oracles = world.oracleIds();
        for (uint256 t; t < world.tokenCount(); ++t) {
            address token = address(world.tokens(t));
            for (uint256 o; o < oracles.length; ++o) {
                uint256 held;
                for (uint256 i; i < pages.length; ++i) {
                    Lease memory l = pages[i].book.rented;
                    if (pages[i].lease.settled || l.oracle != oracles[o] || l.token != token) continue;
                    held += uint256(l.payment) + l.bond;
                }
                assertEq(lens.exposure(oracles[o], token), held, "exposure");
            }
        }
    }

    /// @notice Offers: nobody rents more of an offer than its rate, and fills are counted.
    function promise_NoOfferIsFilledBeyondItsRate() internal view {
        Books.Fill[] memory fills = world.fills();
        for (uint256 i; i < fills.length; ++i) {
            assertLe(fills[i].rented, fills[i].offered, "more than offered");
            uint96 filled = lens.filled(fills[i].offerHash);
            assertEq(filled, fills[i].cancelled ? type(uint96).max : fills[i].rented, "filled");
        }
    }

    /// @notice Users: a user controls the destination until it expires or the lease is transferred,
    /// and never gets money.
    function promise_AUserNeverGetsMoneyAndNeverOutlivesATransfer() internal view {
        address[2] memory users = world.users();
        for (uint256 t; t < world.tokenCount(); ++t) {
            for (uint256 i; i < users.length; ++i) {
                assertEq(escrow.balance(users[i], address(world.tokens(t))), 0, "a user's balance");
                assertEq(world.tokens(t).balanceOf(users[i]), 0, "a user's tokens");
            }
        }
        for (uint256 id = escrow.leaseCount(); id > 0; --id) {
            (address account, uint64 expires) = world.user(id);
            bool isUser = account != address(0) && block.timestamp <= expires;
            assertEq(escrow.controllerOf(id), isUser ? account : world.holder(id), "controller");
        }
    }

    /// @notice Rights: nobody succeeds in an action without the right to it.
    function promise_NoStrangerGetsIn() internal view {
        if (world.intrusionCount() != 0) assertEq(world.intrusions(0), "nothing", "got done");
    }

    /// @notice Actions: every action does what its name says, amounts arrive where they should,
    /// good statements are never skipped and bad ones always are, and nothing that is closed blocks
    /// a credit or an exit.
    function promise_EveryActionDoesWhatItSays() internal view {
        if (world.surpriseCount() != 0) assertEq(world.surprises(0), "as it says");
    }
}
