// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow, Lease, Offer, RentRequest} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Fixture} from "tests/support/Fixture.sol";

/// @dev A wallet that signs by contract (ERC-1271): it accepts one signature of one digest.
contract Wallet {
    bytes32 private immutable ACCEPTED;

    constructor(bytes32 digest, bytes memory signature) {
        ACCEPTED = keccak256(bytes.concat(digest, signature));
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        return keccak256(bytes.concat(digest, signature)) == ACCEPTED ? this.isValidSignature.selector : bytes4(0);
    }
}

contract RentTest is Fixture {
    function _refused(Offer memory o, RentRequest memory r, bytes memory error) private {
        _refused(o, _sign(o), r, error);
    }

    function _refused(Offer memory o, bytes memory signature, RentRequest memory r, bytes memory error) private {
        uint256 before = token.balanceOf(renter);
        vm.prank(renter);
        vm.expectRevert(error);
        escrow.rent(o, signature, r);
        assertEq(escrow.leaseCount(), 0);
        assertEq(token.balanceOf(renter), before);
    }

    // ---------------------------------------------------------------- what a rent does

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
        assertEq(escrow.liabilities(address(token)), DEPOSIT + PAYMENT);
        assertEq(token.balanceOf(address(escrow)), DEPOSIT + PAYMENT);
        (uint256 used,) = escrow.exposure(committeeId, address(token));
        assertEq(used, PAYMENT + BOND);
        assertEq(escrow.ownerOf(id), stranger);
    }

    function test_ARent_TellsWhatHappened() public {
        Offer memory o = _offer();
        RentRequest memory r = _request();
        r.recipient = stranger;
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Rented(1, provider.addr, jobSigner, escrow.offerHash(o), renter, stranger, 0);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Boxes(1, r.nodeBox, r.gatewayBox);
        _rent(o, r);
    }

    function test_Fills_ConsumeTheOffer() public {
        Offer memory o = _offer();
        RentRequest memory r = _request();
        r.hashRate = 6 * RATE;
        _rent(o, r);
        assertEq(escrow.filled(escrow.offerHash(o)), 6 * RATE);
        bytes memory signature = _sign(o);
        vm.prank(renter);
        vm.expectRevert(_error(ILeaseEscrow.OfferExhausted.selector, 4 * RATE, 6 * RATE));
        escrow.rent(o, signature, r);
        r.hashRate = 4 * RATE;
        _rent(o, r);
        assertEq(escrow.filled(escrow.offerHash(o)), o.hashRate);
    }

    function test_WhenTheBondIsZero_NeedsNoDeposit() public {
        Offer memory o = _offer();
        (o.bondBps, o.cancelBps) = (0, 0);
        vm.prank(provider.addr);
        escrow.withdraw(address(token), provider.addr, DEPOSIT);
        assertEq(escrow.lease(_rent(o, _request())).bond, 0);
    }

    function test_WhenTheOfferNamesAJobSigner_TheRenterMayNameIt() public {
        Offer memory o = _offer();
        o.jobSigner = jobSigner;
        assertEq(escrow.lease(_rent(o, _request())).jobSigner, jobSigner);
    }

    function test_WhenAContractSigns_ItsWordCounts() public {
        Offer memory o = _offer();
        // the digest holds the wallet's address, and the wallet the digest
        address at = vm.computeCreateAddress(address(this), vm.getNonce(address(this)));
        o.provider = at;
        (o.bondBps, o.cancelBps) = (0, 0);
        assertEq(address(new Wallet(escrow.offerDigest(o), "yes")), at);
        _refused(o, "no", _request(), _error(ILeaseEscrow.InvalidSignature.selector, at));
        vm.prank(renter);
        assertEq(escrow.lease(escrow.rent(o, "yes", _request())).provider, at);
    }

    // ---------------------------------------------------------------- renewal

    function test_ARenewal_StartsWhereTheOldLeaseEndsWithoutNotice() public {
        uint256 old = _rent();
        vm.warp(END - 1);
        RentRequest memory r = _request();
        (r.start, r.continues) = (END, old);
        uint256 id = _rent(_offer(), r);
        assertEq(escrow.lease(id).start, END);
    }

    function test_WhenARenewalStartsElsewhere_Reverts() public {
        RentRequest memory r = _request();
        r.continues = _rent();
        r.start = END + 1;
        Offer memory o = _offer();
        bytes memory signature = _sign(o);
        vm.prank(renter);
        vm.expectRevert(_error(ILeaseEscrow.StartOutOfBounds.selector, END, END, END + 1));
        escrow.rent(o, signature, r);
    }

    function test_WhenARenewalComesTooLate_Reverts() public {
        RentRequest memory r = _request();
        (r.continues, r.start) = (_rent(), END);
        vm.warp(END + 1);
        Offer memory o = _offer();
        bytes memory signature = _sign(o);
        vm.prank(renter);
        vm.expectRevert(_error(ILeaseEscrow.StartOutOfBounds.selector, END + 1, END + 1 + o.notice + 24 hours, END));
        escrow.rent(o, signature, r);
    }

    function test_WhenARenewalIsOfAnotherProvider_Reverts() public {
        RentRequest memory r = _request();
        (r.continues, r.start) = (_rent(), END);
        Offer memory o = _offer();
        Account memory other = makeAccount("other provider");
        o.provider = other.addr;
        bytes memory signature = _signature(other.key, escrow.offerDigest(o));
        vm.prank(renter);
        vm.expectRevert(_error(ILeaseEscrow.NotARenewal.selector, 1));
        escrow.rent(o, signature, r);
    }

    function test_WhenARenewalIsOfNoLease_Reverts() public {
        RentRequest memory r = _request();
        r.continues = 7;
        _refused(_offer(), r, _error(ILeaseEscrow.UnknownLease.selector, 7));
    }

    // ---------------------------------------------------------------- the offer is refused

    function test_WhenTheOfferIsExpired_Reverts() public {
        Offer memory o = _offer();
        vm.warp(uint256(o.expiry) + 1);
        _refused(o, _request(), _error(ILeaseEscrow.OfferExpired.selector, o.expiry, o.expiry + 1));
    }

    function test_AtItsLastSecond_TheOfferStands() public {
        Offer memory o = _offer();
        o.expiry = NOW;
        _rent(o, _request());
    }

    function test_WhenTheCounterWasBumped_Reverts() public {
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.CounterBumped(provider.addr, 1);
        vm.prank(provider.addr);
        assertEq(escrow.bumpCounter(), 1);
        _refused(_offer(), _request(), _error(ILeaseEscrow.CounterMismatch.selector, 1, 0));
        Offer memory o = _offer();
        o.counter = 1;
        _rent(o, _request());
    }

    function test_WhenTheAlgorithmIsUnknown_Reverts() public {
        Offer memory o = _offer();
        o.algorithm = 0;
        _refused(o, _request(), _error(ILeaseEscrow.UnknownAlgorithm.selector, 0));
        o.algorithm = 5;
        _refused(o, _request(), _error(ILeaseEscrow.UnknownAlgorithm.selector, 5));
    }

    function test_WhenTheTokenIsDelisted_Reverts() public {
        escrow.listToken(address(token), false);
        _refused(_offer(), _request(), _error(ILeaseEscrow.TokenNotListed.selector, address(token)));
    }

    function test_WhenTheOracleIsDelistedOrUnknown_Reverts() public {
        escrow.listOracle(committeeId, false);
        _refused(_offer(), _request(), _error(ILeaseEscrow.OracleNotListed.selector, committeeId));
        Offer memory o = _offer();
        o.oracle = 9;
        _refused(o, _request(), _error(ILeaseEscrow.OracleNotListed.selector, 9));
    }

    function test_WhenTheEpochLengthIsOutOfBounds_Reverts() public {
        Offer memory o = _offer();
        o.epochLength = 59;
        _refused(o, _request(), _error(ILeaseEscrow.EpochLengthOutOfBounds.selector, 60, 24 hours, 59));
        o.epochLength = 24 hours + 1;
        _refused(o, _request(), _error(ILeaseEscrow.EpochLengthOutOfBounds.selector, 60, 24 hours, 24 hours + 1));
    }

    function test_WhenTheNoticeIsTooLong_Reverts() public {
        Offer memory o = _offer();
        o.notice = 2 hours + 1;
        _refused(o, _request(), _error(ILeaseEscrow.NoticeOutOfBounds.selector, 2 hours, 2 hours + 1));
    }

    function test_WhenTheBondExceedsThePayment_Reverts() public {
        Offer memory o = _offer();
        o.bondBps = 10_001;
        _refused(o, _request(), _error(ILeaseEscrow.BondBpsOutOfBounds.selector, 10_000, 10_001));
    }

    function test_WhenTheCancelFeeExceedsTheBond_Reverts() public {
        Offer memory o = _offer();
        o.cancelBps = 2001;
        _refused(o, _request(), _error(ILeaseEscrow.CancelBpsOutOfBounds.selector, 2000, 2001));
    }

    function test_WhenTheSignatureIsNotTheProviders_Reverts() public {
        Offer memory o = _offer();
        bytes memory error = _error(ILeaseEscrow.InvalidSignature.selector, provider.addr);
        _refused(o, _signature(members[0].key, escrow.offerDigest(o)), _request(), error);
        _refused(o, "", _request(), error);
        bytes memory signature = _sign(o);
        o.price -= 1;
        _refused(o, signature, _request(), error);
        o = _offer();
        o.provider = address(0);
        _refused(o, signature, _request(), _error(ILeaseEscrow.InvalidSignature.selector, address(0)));
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
        r.gatewayBox = new bytes(513);
        _refused(_offer(), r, _error(ILeaseEscrow.BoxTooLong.selector, 512, 513));
        (r.nodeBox, r.gatewayBox) = (new bytes(512), new bytes(512));
        _rent(_offer(), r);
    }

    function test_WhenTheJobSignerIsMissingOrNotTheOffers_Reverts() public {
        Offer memory o = _offer();
        RentRequest memory r = _request();
        r.jobSigner = address(0);
        bytes4 selector = ILeaseEscrow.JobSignerMismatch.selector;
        _refused(o, r, abi.encodeWithSelector(selector, address(0), address(0)));
        o.jobSigner = provider.addr;
        _refused(o, _request(), abi.encodeWithSelector(selector, provider.addr, jobSigner));
    }

    function test_WhenTheDurationIsOutOfBounds_Reverts() public {
        RentRequest memory r = _request();
        bytes4 selector = ILeaseEscrow.DurationOutOfBounds.selector;
        r.duration = 1 hours;
        _refused(_offer(), r, _error(selector, 2 hours, 7 days, 1 hours));
        r.duration = 8 days;
        _refused(_offer(), r, _error(selector, 2 hours, 7 days, 8 days));
        // the escrow's own bounds hold whatever the offer says
        Offer memory o = _offer();
        (o.minDuration, o.maxDuration) = (0, type(uint40).max);
        r.duration = 31 days;
        _refused(o, r, _error(selector, 1 hours, 30 days, 31 days));
        r.duration = 30 minutes;
        _refused(o, r, _error(selector, 1 hours, 30 days, 30 minutes));
    }

    function test_WhenTheDurationIsNotWholeEpochs_Reverts() public {
        RentRequest memory r = _request();
        r.duration = DURATION + 1;
        _refused(_offer(), r, _error(ILeaseEscrow.DurationNotWholeEpochs.selector, EPOCH, DURATION + 1));
    }

    function test_WhenThereAreTooManyEpochs_Reverts() public {
        Offer memory o = _offer();
        o.epochLength = 1 minutes;
        RentRequest memory r = _request();
        r.duration = 8193 minutes;
        _refused(o, r, _error(ILeaseEscrow.TooManyEpochs.selector, 8192, 8193));
        r.duration = 8192 minutes;
        _rent(o, r);
    }

    function test_WhenTheStartIsTooSoonOrTooFar_Reverts() public {
        RentRequest memory r = _request();
        bytes4 selector = ILeaseEscrow.StartOutOfBounds.selector;
        r.start = START - 1;
        _refused(_offer(), r, _error(selector, START, START + 24 hours, START - 1));
        r.start = START + 24 hours + 1;
        _refused(_offer(), r, _error(selector, START, START + 24 hours, START + 24 hours + 1));
        r.start = START + 24 hours;
        _rent(_offer(), r);
    }

    function test_WhenTheRateIsBelowTheSmallestFill_Reverts() public {
        RentRequest memory r = _request();
        r.hashRate = RATE / 10 - 1;
        bytes4 selector = ILeaseEscrow.HashRateBelowMinimum.selector;
        _refused(_offer(), r, _error(selector, RATE / 10, RATE / 10 - 1));
        Offer memory o = _offer();
        (o.minHashRate, r.hashRate) = (0, 0);
        _refused(o, r, _error(selector, 0, 0));
    }

    function test_WhenTheWorkExceedsItsType_Reverts() public {
        Offer memory o = _offer();
        RentRequest memory r = _request();
        (o.hashRate, r.hashRate) = (type(uint96).max, type(uint96).max);
        _refused(o, r, _error(ILeaseEscrow.WorkOverflow.selector, uint256(type(uint96).max) * DURATION));
        r.hashRate = type(uint96).max / DURATION;
        (o.bondBps, o.cancelBps, o.price) = (0, 0, 1);
        assertEq(escrow.lease(_rent(o, r)).payment, 79_228_163, "2^96 hashes at one unit");
    }

    function test_WhenTheLeaseIsTooSmallToMeasure_Reverts() public {
        Offer memory o = _offer();
        RentRequest memory r = _request();
        (o.minHashRate, o.epochLength, r.hashRate) = (1, 1 minutes, 16);
        // 16 hashes per second for a minute are 0.96 thousandths of an epoch
        _refused(o, r, _error(ILeaseEscrow.LeaseTooSmall.selector, 16 * uint256(DURATION)));
        r.hashRate = 17;
        assertEq(escrow.lease(_rent(o, r)).weightLog2, 0);
    }

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

    function test_WhenTheExposureCapIsFull_Reverts() public {
        escrow.setExposureCap(committeeId, address(token), PAYMENT + BOND - 1);
        bytes4 selector = ILeaseEscrow.ExposureCapExceeded.selector;
        _refused(_offer(), _request(), _error(selector, PAYMENT + BOND - 1, PAYMENT + BOND));
        escrow.setExposureCap(committeeId, address(token), PAYMENT + BOND);
        _rent();
    }

    function test_WhenTheCallerCannotPay_Reverts() public {
        Offer memory o = _offer();
        bytes memory signature = _sign(o);
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSignature("TransferFromFailed()"));
        escrow.rent(o, signature, _request());
        assertEq(escrow.filled(escrow.offerHash(o)), 0);
        assertEq(_balance(provider.addr), DEPOSIT);
    }
}
