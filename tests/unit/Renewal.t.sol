// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {ALGORITHM_SCRYPT, Lease, Offer, RentRequest} from "contracts/src/interfaces/LeaseTypes.sol";
import {Renting} from "tests/support/Renting.sol";

/// @notice A lease that continues another: a new lease from a fresh offer, with the offer's notice.
contract RenewalTest is Renting {
    function _renewal() private returns (RentRequest memory r) {
        r = _request();
        (r.continues, r.start) = (_rent(), END);
        vm.warp(START);
    }

    /// @dev The last second that gives notice.
    uint40 private constant LATEST = END - 10 minutes;

    // ---------------------------------------------------------------- accepted

    function test_ARenewal_StartsWhereTheOldLeaseEnds() public {
        RentRequest memory r = _renewal();
        vm.warp(LATEST);
        Offer memory o = _offer();
        bytes memory signature = _sign(o);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Rented(2, provider.addr, jobSigner, lens.offerHash(o), renter, renter, 1);
        uint256 id = _rentAs(renter, o, signature, r);
        Lease memory l = escrow.lease(id);
        assertEq(l.start, END);
        assertEq(l.end, END + DURATION);
        assertEq(escrow.lease(1).end, END, "the old one is as it was");
    }

    /// @dev The offer may be for machines at another site.
    function test_ARenewal_GivesTheOffersNotice() public {
        RentRequest memory r = _renewal();
        vm.warp(LATEST + 1);
        bytes4 selector = ILeaseEscrow.StartOutOfBounds.selector;
        _refused(_offer(), r, _error(selector, END + 1, END + 1 + 24 hours, END));
        Offer memory o = _offer();
        (o.notice, o.boxKey, o.salt) = (2 hours, keccak256("another site's box key"), 7);
        _refused(o, r, _error(selector, LATEST + 1 + 2 hours, LATEST + 1 + 26 hours, END));
        o.notice = 1 minutes;
        assertEq(escrow.lease(_rent(o, r)).start, END);
    }

    function test_ARenewal_MayHaveOtherTerms() public {
        RentRequest memory r = _renewal();
        vm.warp(LATEST);
        Offer memory o = _offer();
        (o.price, o.epochLength, o.oracle) = (2 * o.price, 2 hours, majorityId);
        o.algorithm = ALGORITHM_SCRYPT;
        (r.hashRate, r.jobSigner) = (2 * RATE, stranger);
        Lease memory l = escrow.lease(_rent(o, r));
        assertEq(l.rate, 2 * RATE);
        assertEq(l.algorithm, ALGORITHM_SCRYPT);
        assertEq(l.epochLength, 2 hours);
        assertEq(l.oracle, majorityId);
        assertEq(l.jobSigner, stranger);
    }

    function test_AnAccountThatMayActForTheOwner_MayRenewAndPay() public {
        RentRequest memory r = _renewal();
        address payer = _payer("payer");
        vm.prank(renter);
        escrow.setApprovalForAll(payer, true);
        uint256 id = _rentAs(payer, _offer(), _sign(_offer()), r);
        assertEq(escrow.ownerOf(id), renter);
        assertEq(token.balanceOf(payer), DEPOSIT - PAYMENT);
    }

    /// @dev Otherwise a stranger could use up the one renewal with the smallest fill.
    function test_WhenTheCallerMayNotActForTheOwner_Reverts() public {
        RentRequest memory r = _renewal();
        address payer = _payer("payer");
        Offer memory o = _offer();
        bytes memory signature = _sign(o);
        vm.prank(payer);
        vm.expectRevert(_error(ILeaseEscrow.NotARenewal.selector, 1));
        escrow.rent(o, signature, none, r);
    }

    function test_WhenTheOldLeaseWasSold_ItsNewOwnerRenews() public {
        RentRequest memory r = _renewal();
        vm.prank(renter);
        escrow.transferFrom(renter, stranger, 1);
        vm.warp(LATEST);
        _refused(_offer(), r, _error(ILeaseEscrow.NotARenewal.selector, 1));
        r.recipient = stranger;
        _refused(_offer(), r, _error(ILeaseEscrow.NotARenewal.selector, 1));
        vm.prank(stranger);
        escrow.approve(renter, 1);
        assertEq(escrow.ownerOf(_rent(_offer(), r)), stranger);
    }

    function test_WhenTheOldLeaseWasShortened_ARenewalStartsAtTheNewEnd() public {
        RentRequest memory r = _renewal();
        vm.warp(START + 30 minutes);
        vm.prank(renter);
        escrow.cancel(1);
        bytes4 selector = ILeaseEscrow.StartOutOfBounds.selector;
        _refused(_offer(), r, _error(selector, START + 1 hours, START + 1 hours, END));
        r.start = START + 1 hours;
        assertEq(escrow.lease(_rent(_offer(), r)).start, START + 1 hours);
    }

    function test_WhenTheOldLeaseIsSettled_ARenewalStillStartsAtItsEnd() public {
        RentRequest memory r = _renewal();
        _credit(1, 20, COMMITTED, COMMITTED, false);
        escrow.settle(1);
        assertEq(escrow.lease(_rent(_offer(), r)).start, END);
    }

    // ---------------------------------------------------------------- refused

    function test_WhenARenewalStartsElsewhere_Reverts() public {
        RentRequest memory r = _renewal();
        bytes4 selector = ILeaseEscrow.StartOutOfBounds.selector;
        r.start = END + 1;
        _refused(_offer(), r, _error(selector, END, END, END + 1));
        r.start = END - 1;
        _refused(_offer(), r, _error(selector, END, END, END - 1));
    }

    function test_WhenARenewalComesTooLate_Reverts() public {
        RentRequest memory r = _renewal();
        vm.warp(END + 1);
        bytes4 selector = ILeaseEscrow.StartOutOfBounds.selector;
        uint256 earliest = END + 1 + 10 minutes;
        _refused(_offer(), r, _error(selector, earliest, earliest + 24 hours, END));
    }

    function test_WhenARenewalComesTooSoon_Reverts() public {
        Offer memory o = _offer();
        RentRequest memory r = _request();
        (r.duration, r.start) = (25 hours, START + 24 hours);
        uint256 id = _rent(o, r);
        (r.continues, r.start) = (id, START + 49 hours);
        vm.warp(START + 24 hours);
        bytes4 selector = ILeaseEscrow.StartOutOfBounds.selector;
        uint256 earliest = START + 24 hours + 10 minutes;
        _refused(o, r, _error(selector, earliest, earliest + 24 hours, START + 49 hours));
        vm.warp(START + 25 hours);
        _rent(o, r);
    }

    function test_WhenARenewalIsOfAnotherProvider_Reverts() public {
        RentRequest memory r = _renewal();
        Offer memory o = _offer();
        Account memory other = makeAccount("other provider");
        o.provider = other.addr;
        (o.bondBps, o.cancelBps) = (0, 0);
        bytes memory signature = _signature(other.key, lens.offerDigest(o));
        _refused(o, signature, r, _error(ILeaseEscrow.NotARenewal.selector, 1));
        r.continues = 0;
        _rentAs(renter, o, signature, r);
    }

    function test_WhenARenewalIsNotTheRecipientsLease_Reverts() public {
        RentRequest memory r = _renewal();
        r.recipient = stranger;
        _refused(_offer(), r, _error(ILeaseEscrow.NotARenewal.selector, 1));
    }

    function test_WhenARenewalIsOfNoLease_Reverts() public {
        RentRequest memory r = _renewal();
        r.continues = 2;
        _refused(_offer(), r, _error(ILeaseEscrow.UnknownLease.selector, 2));
        r.continues = type(uint256).max;
        _refused(_offer(), r, _error(ILeaseEscrow.UnknownLease.selector, type(uint256).max));
    }

    function test_ARenewal_NeedsAllThatALeaseNeeds() public {
        RentRequest memory r = _renewal();
        Offer memory o = _offer();
        vm.prank(provider.addr);
        escrow.withdraw(address(token), provider.addr, DEPOSIT - BOND);
        _refused(o, r, _error(ILeaseEscrow.InsufficientBalance.selector, 0, BOND));
        vm.prank(provider.addr);
        escrow.bumpCounter();
        _refused(o, r, _error(ILeaseEscrow.CounterMismatch.selector, 1, 0));
    }
}
