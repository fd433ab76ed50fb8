// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Lease, Offer, RentRequest} from "contracts/src/interfaces/LeaseTypes.sol";
import {Vm} from "forge-std/Vm.sol";
import {Renting} from "tests/support/Renting.sol";

/// @dev Not a proper ERC-721 receiver: it has no hook.
contract Hookless {}

contract RentTest is Renting {
    // ---------------------------------------------------------------- effects

    function test_ALease_HoldsTheTermsOfTheOffer() public {
        uint256 id = _rent();
        Lease memory l = escrow.lease(id);
        Lease memory expected;
        expected.provider = provider.addr;
        expected.token = address(token);
        expected.jobSigner = jobSigner;
        expected.oracle = committeeId;
        expected.algorithm = 1;
        expected.weightLog2 = 48; // 2^48 <= 3.6e14 < 2^49
        expected.rate = RATE;
        expected.start = START;
        expected.end = END;
        expected.duration = DURATION;
        expected.epochLength = EPOCH;
        expected.cancelBps = 200;
        expected.bondBps = 2000;
        expected.payment = PAYMENT;
        expected.bond = BOND;
        assertEq(abi.encode(l), abi.encode(expected));
        assertEq(id, 1);
        assertEq(escrow.leaseCount(), 1);
    }

    function test_ThePayment_ComesFromTheCallerAndTheBondFromTheDeposit() public {
        RentRequest memory r = _request();
        r.recipient = stranger;
        uint256 id = _rent(_offer(), r);
        assertEq(token.balanceOf(renter), DEPOSIT - PAYMENT);
        assertEq(_balance(provider.addr), DEPOSIT - BOND);
        assertEq(_balance(renter), 0);
        assertEq(_balance(stranger), 0);
        assertEq(escrow.liabilities(address(token)), DEPOSIT + PAYMENT);
        assertEq(token.balanceOf(address(escrow)), DEPOSIT + PAYMENT);
        assertEq(lens.exposure(committeeId, address(token)), PAYMENT + BOND);
        assertEq(escrow.ownerOf(id), stranger);
        assertEq(escrow.controllerOf(id), stranger);
    }

    function test_ADepositOfTheRenters_IsNotTouched() public {
        vm.prank(renter);
        escrow.deposit(address(token), 5 * uint256(PAYMENT));
        _rent();
        assertEq(_balance(renter), 5 * uint256(PAYMENT));
        assertEq(token.balanceOf(renter), DEPOSIT - 6 * uint256(PAYMENT));
    }

    function test_ARent_EmitsTheLeasesEvents() public {
        Offer memory o = _offer();
        RentRequest memory r = _request();
        r.recipient = stranger;
        bytes memory signature = _sign(o);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.OraclePinned(committeeId, address(committee), WINDOW, false, 100, payee);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Rented(1, provider.addr, jobSigner, lens.offerHash(o), renter, stranger, 0);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Boxes(1, r.nodeBox, r.gatewayBox);
        assertEq(_rentAs(renter, o, signature, r), 1);
    }

    function test_ARent_EmitsNoOtherEvent() public {
        _rent();
        vm.recordLogs();
        _rent();
        Vm.Log[] memory logs = vm.getRecordedLogs();
        assertEq(logs.length, 4, "mint, Rented, Boxes and the token's transfer");
        assertEq(logs[1].topics[0], ILeaseEscrow.Rented.selector);
        assertEq(logs[2].topics[0], ILeaseEscrow.Boxes.selector);
    }

    function test_WhenTheRecipientIsAContractWithoutAHook_ItGetsTheLease() public {
        RentRequest memory r = _request();
        r.recipient = address(new Hookless());
        assertEq(escrow.ownerOf(_rent(_offer(), r)), r.recipient);
    }

    function test_WhenTheBondIsZero_NeedsNoDeposit() public {
        Offer memory o = _offer();
        (o.bondBps, o.cancelBps) = (0, 0);
        vm.prank(provider.addr);
        escrow.withdraw(address(token), provider.addr, DEPOSIT);
        assertEq(escrow.lease(_rent(o, _request())).bond, 0);
        assertEq(_balance(provider.addr), 0);
    }

    function test_WhenThePriceIsZero_NothingIsPaid() public {
        Offer memory o = _offer();
        o.price = 0;
        RentRequest memory r = _request();
        r.maxPayment = 0;
        Lease memory l = escrow.lease(_rent(o, r));
        assertEq(l.payment, 0);
        assertEq(l.bond, 0);
        assertEq(token.balanceOf(renter), DEPOSIT);
        assertEq(_balance(provider.addr), DEPOSIT);
    }

    function test_WhenTheOfferNamesAJobSigner_TheLeaseKeepsThat() public {
        assertFalse(escrow.lease(_rent()).signerDictated, "the renter's choice");
        Offer memory o = _offer();
        o.jobSigner = jobSigner;
        Lease memory l = escrow.lease(_rent(o, _request()));
        assertTrue(l.signerDictated);
        assertEq(l.jobSigner, jobSigner);
        assertEq(l.ending, 0, "the bit beside is another's");
        vm.prank(renter);
        escrow.cancel(2);
        l = escrow.lease(2);
        assertTrue(l.signerDictated, "for good");
        assertEq(l.ending, 1);
    }

    function test_WhenTheOfferNamesAJobSigner_TheRenterMayNameIt() public {
        Offer memory o = _offer();
        o.jobSigner = jobSigner;
        assertEq(escrow.lease(_rent(o, _request())).jobSigner, jobSigner);
    }

    function test_WhenTheDepositIsJustTheBond_ItIsAllLocked() public {
        vm.prank(provider.addr);
        escrow.withdraw(address(token), provider.addr, DEPOSIT - BOND);
        _rent();
        assertEq(_balance(provider.addr), 0);
    }

    function test_AtTheEarliestAndTheLatestStart_TheLeaseIsAccepted() public {
        RentRequest memory r = _request();
        r.start = NOW + 10 minutes;
        Lease memory l = escrow.lease(_rent(_offer(), r));
        assertEq(l.start, NOW + 10 minutes);
        assertEq(l.end, NOW + 10 minutes + 24 hours);
        r.start = NOW + 10 minutes + 24 hours;
        l = escrow.lease(_rent(_offer(), r));
        assertEq(l.start, NOW + 10 minutes + 24 hours);
        assertEq(l.end, NOW + 10 minutes + 48 hours);
    }

    function test_BoxesOfFiveHundredAndTwelveBytes_Fit() public {
        RentRequest memory r = _request();
        (r.nodeBox, r.gatewayBox) = (new bytes(512), new bytes(512));
        Offer memory o = _offer();
        bytes memory signature = _sign(o);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Boxes(1, new bytes(512), new bytes(512));
        _rentAs(renter, o, signature, r);
    }

    // ---------------------------------------------------------------- the request is refused

    function test_WhenNobodyIsToReceiveTheLease_Reverts() public {
        RentRequest memory r = _request();
        r.recipient = address(0);
        _refused(_offer(), r, abi.encodeWithSelector(ILeaseEscrow.RecipientIsZero.selector));
    }

    function test_WhenABoxIsTooLong_Reverts() public {
        RentRequest memory r = _request();
        r.nodeBox = new bytes(513);
        _refused(_offer(), r, _error(ILeaseEscrow.BoxTooLong.selector, 512, 513));
        r = _request();
        r.gatewayBox = new bytes(514);
        _refused(_offer(), r, _error(ILeaseEscrow.BoxTooLong.selector, 512, 514));
    }

    function test_WhenTheJobSignerIsMissingOrNotTheOffers_Reverts() public {
        Offer memory o = _offer();
        RentRequest memory r = _request();
        r.jobSigner = address(0);
        bytes4 selector = ILeaseEscrow.JobSignerMismatch.selector;
        _refused(o, r, abi.encodeWithSelector(selector, address(0), address(0)));
        o.jobSigner = provider.addr;
        _refused(o, r, abi.encodeWithSelector(selector, provider.addr, address(0)));
        _refused(o, _request(), abi.encodeWithSelector(selector, provider.addr, jobSigner));
    }

    function test_WhenTheOfferNamesATaker_OnlyThatCallerRents() public {
        Offer memory o = _offer();
        o.taker = _payer("taker");
        _refused(o, _request(), abi.encodeWithSelector(ILeaseEscrow.TakerMismatch.selector, o.taker, renter));
        // whoever gets the lease
        uint256 id = _rentAs(o.taker, o, _sign(o), _request());
        assertEq(escrow.ownerOf(id), renter);
        assertEq(token.balanceOf(o.taker), DEPOSIT - PAYMENT);
    }

    function test_WhenTheStartIsTooSoonOrTooFar_Reverts() public {
        RentRequest memory r = _request();
        bytes4 selector = ILeaseEscrow.StartOutOfBounds.selector;
        r.start = START - 1;
        _refused(_offer(), r, _error(selector, START, START + 24 hours, START - 1));
        r.start = START + 24 hours + 1;
        _refused(_offer(), r, _error(selector, START, START + 24 hours, START + 24 hours + 1));
        // a longer notice moves both bounds
        Offer memory o = _offer();
        o.notice = 2 hours;
        r.start = NOW + 2 hours - 1;
        _refused(o, r, _error(selector, NOW + 2 hours, NOW + 26 hours, NOW + 2 hours - 1));
        r.start = NOW + 26 hours + 1;
        _refused(o, r, _error(selector, NOW + 2 hours, NOW + 26 hours, NOW + 26 hours + 1));
    }

    // ---------------------------------------------------------------- the amounts are refused

    function test_WhenThePaymentExceedsWhatTheCallerAgreedTo_Reverts() public {
        RentRequest memory r = _request();
        r.maxPayment = PAYMENT - 1;
        _refused(_offer(), r, _error(ILeaseEscrow.PaymentAboveMaximum.selector, PAYMENT - 1, PAYMENT));
        r.maxPayment = PAYMENT;
        _rent(_offer(), r);
    }

    function test_WhenTheDepositDoesNotCoverTheBond_Reverts() public {
        vm.prank(provider.addr);
        escrow.withdraw(address(token), provider.addr, DEPOSIT - BOND + 1);
        _refused(_offer(), _request(), _error(ILeaseEscrow.InsufficientBalance.selector, BOND - 1, BOND));
    }

    function test_ABondLockedInOneLease_DoesNotServeAnother() public {
        vm.prank(provider.addr);
        escrow.withdraw(address(token), provider.addr, DEPOSIT - 2 * BOND + 1);
        _rent();
        _refused(_offer(), _request(), _error(ILeaseEscrow.InsufficientBalance.selector, BOND - 1, BOND));
    }

    function test_WhenTheCallerCannotPay_Reverts() public {
        Offer memory o = _offer();
        bytes memory signature = _sign(o);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSignature("TransferFromFailed()"));
        escrow.rent(o, signature, none, _request());
        assertEq(lens.filled(lens.offerHash(o)), 0);
        assertEq(escrow.leaseCount(), 0);
        assertEq(_balance(provider.addr), DEPOSIT);
    }

    function test_WhenTheAllowanceIsOneShort_Reverts() public {
        vm.prank(renter);
        token.approve(address(escrow), PAYMENT - 1);
        _refused(_offer(), _request(), abi.encodeWithSignature("TransferFromFailed()"));
        vm.prank(renter);
        token.approve(address(escrow), PAYMENT);
        _rent();
        assertEq(token.allowance(renter, address(escrow)), 0);
    }
}
