// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {IRegistry} from "contracts/src/interfaces/IRegistry.sol";
import {Admission, Limits, Offer, Registration, RentRequest} from "contracts/src/interfaces/LeaseTypes.sol";
import {Renting} from "tests/support/Renting.sol";

/// @notice Every refusal is seen at the registry and, with the same reason, at the escrow that asks
/// it.
contract AdmitTest is Renting {
    function _admit(Offer memory o, uint96 hashRate, uint32 duration) private view returns (Admission memory) {
        return registry.admit(o, hashRate, NOW + o.notice, duration, jobSigner);
    }

    function _refuses(Offer memory o, uint96 hashRate, uint32 duration, bytes memory error) private {
        vm.expectRevert(error);
        registry.admit(o, hashRate, NOW + o.notice, duration, jobSigner);
        RentRequest memory r = _request();
        (r.start, r.hashRate, r.duration) = (NOW + o.notice, hashRate, duration);
        _refused(o, r, error);
    }

    function _refuses(Offer memory o, bytes memory error) private {
        _refuses(o, RATE, DURATION, error);
    }

    // ---------------------------------------------------------------- amounts

    function test_AFill_ComesToPaymentBondWeightAndCap() public {
        _setCap(committeeId, address(token), 1e9);
        Admission memory a = _admit(_offer(), RATE, DURATION);
        assertEq(a.payment, 106_666_666, "106,666,665.7 rounded up");
        assertEq(a.bond, 21_333_333, "a fifth, 21,333,333.2 rounded down");
        assertEq(a.exposureCap, 1e9);
        assertEq(a.weightLog2, 48);
    }

    function test_ThePayment_RoundsUpAndTheBondDown() public view {
        Offer memory o = _offer();
        o.price = 1;
        Admission memory a = _admit(o, RATE, DURATION);
        assertEq(a.payment, 1, "0.00864 of a unit");
        assertEq(a.bond, 0);
        o.price = 0;
        assertEq(_admit(o, RATE, DURATION).payment, 0);
    }

    function test_TheWeight_IsTheSmallerOfAThousandthOfAnEpochAndATwentyThousandthOfTheLease() public view {
        // 24 epochs: 3.6e14 < 4.32e14
        assertEq(_admit(_offer(), RATE, DURATION).weightLog2, 48);
        // 2 epochs: 3.6e14 > 3.6e13, and 2^45 <= 3.6e13 < 2^46
        assertEq(_admit(_offer(), RATE, 2 hours).weightLog2, 45);
    }

    function test_ABondOfTheWholePayment_IsAdmitted() public view {
        Offer memory o = _offer();
        (o.bondBps, o.cancelBps) = (10_000, 10_000);
        assertEq(_admit(o, RATE, DURATION).bond, PAYMENT);
    }

    // ---------------------------------------------------------------- the offer

    function test_WhenTheOracleDoesNotServeTheAlgorithm_Reverts() public {
        Offer memory o = _offer();
        bytes4 selector = IRegistry.AlgorithmNotServed.selector;
        uint8[4] memory unserved = [0, 5, 32, 255];
        for (uint256 i; i < 4; ++i) {
            o.algorithm = unserved[i];
            _refuses(o, _error(selector, committeeId, unserved[i]));
        }
        for (uint8 known = 1; known < 5; ++known) {
            o.algorithm = known;
            assertEq(escrow.lease(_rent(o, _request())).algorithm, known);
        }
        // one more than today, by an oracle that serves nothing else
        Registration memory r = _registration(stranger, WINDOW, 0, payee);
        r.algorithms = uint32(1) << 31;
        o.oracle = _pin(r);
        _refuses(o, _error(selector, o.oracle, 4));
        o.algorithm = 31;
        assertEq(escrow.lease(_rent(o, _request())).algorithm, 31);
    }

    function _pin(Registration memory r) private returns (uint32 id) {
        id = registry.registerOracle(r);
        _setCap(id, address(token), type(uint128).max);
    }

    function test_WhenTheLeaseEndsAfterTheOraclesLatest_Reverts() public {
        Registration memory registration = _registration(stranger, WINDOW, 0, payee);
        registration.latestEnd = END;
        Offer memory o = _offer();
        o.oracle = _pin(registration);
        RentRequest memory r = _request();
        r.start += 1;
        _refused(o, r, _error(IRegistry.EndAfterOraclesLatest.selector, END, END + 1));
        r.start -= 1;
        _rent(o, r);
    }

    function test_WhenTheLeaseEndsAfterTheOffersLatest_Reverts() public {
        Offer memory o = _offer();
        o.latestEnd = END;
        RentRequest memory r = _request();
        r.start += 1;
        _refused(o, r, _error(IRegistry.EndAfterOffersLatest.selector, END, END + 1));
        r.start -= 1;
        _rent(o, r);
    }

    function test_WhenTheBondIsBelowTheOraclesLeast_Reverts() public {
        Registration memory registration = _registration(stranger, WINDOW, 0, payee);
        registration.minBondBps = 2001;
        Offer memory o = _offer();
        o.oracle = _pin(registration);
        _refuses(o, _error(IRegistry.BondBelowOraclesLeast.selector, 2001, 2000));
        o.bondBps = 2001;
        _rent(o, _request());
    }

    function test_WhenThePaymentIsBelowTheLeast_Reverts() public {
        registry.setLimits(committeeId, address(token), Limits(type(uint128).max, PAYMENT + 1));
        _refuses(_offer(), _error(IRegistry.PaymentBelowLeast.selector, PAYMENT + 1, PAYMENT));
        Offer memory free = _offer();
        free.price = 0;
        _refuses(free, _error(IRegistry.PaymentBelowLeast.selector, PAYMENT + 1, 0));
        registry.setLimits(committeeId, address(token), Limits(type(uint128).max, PAYMENT));
        _rent();
    }

    /// @dev Everything that the lease pins reaches the registry.
    function test_TheRegistry_SeesStartAndJobSigner() public {
        Offer memory o = _offer();
        bytes memory signature = _sign(o);
        bytes memory question = abi.encodeCall(registry.admit, (o, RATE, START, DURATION, jobSigner));
        vm.expectCall(address(registry), question);
        _rentAs(renter, o, signature, _request());
    }

    function test_WhenTheTokenIsNotListed_Reverts() public {
        registry.listToken(address(token), false);
        _refuses(_offer(), _error(IRegistry.TokenNotListed.selector, address(token)));
        Offer memory o = _offer();
        o.token = stranger;
        _refuses(o, _error(IRegistry.TokenNotListed.selector, stranger));
        registry.listToken(address(token), true);
        _rent();
    }

    function test_WhenTheOracleIsDelistedOrUnknown_Reverts() public {
        registry.listOracle(committeeId, false);
        _refuses(_offer(), _error(IRegistry.OracleNotListed.selector, committeeId));
        Offer memory o = _offer();
        o.oracle = 9;
        _refuses(o, _error(IRegistry.OracleNotListed.selector, 9));
        o.oracle = 0;
        _refuses(o, _error(IRegistry.OracleNotListed.selector, 0));
        registry.listOracle(committeeId, true);
        _rent();
    }

    function test_WhenTheEpochLengthIsOutOfBounds_Reverts() public {
        Offer memory o = _offer();
        bytes4 selector = IRegistry.EpochLengthOutOfBounds.selector;
        o.epochLength = 59;
        _refuses(o, _error(selector, 60, 86_400, 59));
        o.epochLength = 86_401;
        _refuses(o, _error(selector, 60, 86_400, 86_401));
        o.epochLength = 60;
        _rent(o, _request());
        o.epochLength = 86_400;
        RentRequest memory r = _request();
        r.duration = 2 days;
        _rent(o, r);
    }

    function test_WhenTheNoticeIsOutOfBounds_Reverts() public {
        Offer memory o = _offer();
        o.notice = 7201;
        _refuses(o, _error(IRegistry.NoticeOutOfBounds.selector, 60, 7200, 7201));
        o.notice = 59;
        _refuses(o, _error(IRegistry.NoticeOutOfBounds.selector, 60, 7200, 59));
        o.notice = 7200;
        RentRequest memory r = _request();
        r.start = NOW + 7200;
        _rent(o, r);
        (o.notice, r.start) = (60, NOW + 60);
        assertEq(escrow.lease(_rent(o, r)).start, NOW + 60);
    }

    function test_WhenTheBondExceedsThePayment_Reverts() public {
        Offer memory o = _offer();
        o.bondBps = 10_001;
        _refuses(o, _error(IRegistry.BondBpsOutOfBounds.selector, 10_000, 10_001));
    }

    function test_WhenTheCancelFeeExceedsTheBond_Reverts() public {
        Offer memory o = _offer();
        o.cancelBps = 2001;
        _refuses(o, _error(IRegistry.CancelBpsOutOfBounds.selector, 2000, 2001));
        o.cancelBps = 2000;
        _rent(o, _request());
        (o.bondBps, o.cancelBps) = (0, 1);
        _refuses(o, _error(IRegistry.CancelBpsOutOfBounds.selector, 0, 1));
    }

    // ---------------------------------------------------------------- the duration

    function test_WhenTheDurationIsOutOfTheOffersBounds_Reverts() public {
        bytes4 selector = IRegistry.DurationOutOfBounds.selector;
        _refuses(_offer(), RATE, 1 hours, _error(selector, 2 hours, 7 days, 1 hours));
        _refuses(_offer(), RATE, 7 days + 1 hours, _error(selector, 2 hours, 7 days, 7 days + 1 hours));
        _refuses(_offer(), RATE, 0, _error(selector, 2 hours, 7 days, 0));
        _admit(_offer(), RATE, 2 hours);
        _admit(_offer(), RATE, 7 days);
    }

    function test_WhenTheDurationIsOutOfTheDeploymentsBounds_Reverts() public {
        Offer memory o = _offer();
        (o.minDuration, o.maxDuration) = (0, type(uint40).max);
        bytes4 selector = IRegistry.DurationOutOfBounds.selector;
        _refuses(o, RATE, 30 days + 1 hours, _error(selector, 1 hours, 30 days, 30 days + 1 hours));
        _refuses(o, RATE, 30 minutes, _error(selector, 1 hours, 30 days, 30 minutes));
        o.epochLength = 30 minutes;
        _admit(o, RATE, 1 hours);
        _admit(o, RATE, 30 days);
    }

    function test_WhenTheOfferContradictsItself_NoDurationIsAdmitted() public {
        Offer memory o = _offer();
        (o.minDuration, o.maxDuration) = (25 hours, 24 hours);
        bytes4 selector = IRegistry.DurationOutOfBounds.selector;
        _refuses(o, RATE, 24 hours, _error(selector, 25 hours, 24 hours, 24 hours));
        _refuses(o, RATE, 25 hours, _error(selector, 25 hours, 24 hours, 25 hours));
    }

    function test_WhenTheDurationIsNotWholeEpochs_Reverts() public {
        bytes4 selector = IRegistry.DurationNotWholeEpochs.selector;
        _refuses(_offer(), RATE, 86_401, _error(selector, 3600, 86_401));
        _refuses(_offer(), RATE, 86_399, _error(selector, 3600, 86_399));
    }

    /// @dev A lease of one epoch has no exits.
    function test_WhenThereAreTooFewEpochs_Reverts() public {
        Offer memory o = _offer();
        o.epochLength = 2 hours;
        _refuses(o, RATE, 2 hours, _error(IRegistry.TooFewEpochs.selector, 2, 1));
        RentRequest memory r = _request();
        r.duration = 4 hours;
        _rent(o, r);
    }

    function test_WhenThereAreTooManyEpochs_Reverts() public {
        Offer memory o = _offer();
        o.epochLength = 1 minutes;
        _refuses(o, RATE, 8193 minutes, _error(IRegistry.TooManyEpochs.selector, 8192, 8193));
        RentRequest memory r = _request();
        r.duration = 8192 minutes;
        assertEq(escrow.lease(_rent(o, r)).duration, 8192 minutes);
    }

    // ---------------------------------------------------------------- the amounts

    function test_WhenTheWorkExceedsItsType_Reverts() public {
        Offer memory o = _offer();
        uint96 most = type(uint96).max;
        o.hashRate = most;
        (o.bondBps, o.cancelBps, o.price) = (0, 0, 1);
        uint256 work = 6_845_313_241_232_438_768_082_197_308_944_000;
        assertEq(work, uint256(most) * 86_400);
        _refuses(o, most, DURATION, _error(IRegistry.WorkOverflow.selector, work));
        uint96 rate = most / 86_400;
        RentRequest memory r = _request();
        r.hashRate = rate;
        assertEq(escrow.lease(_rent(o, r)).payment, 79_228_163, "2^96 hashes at one unit per 10^21");
        _refuses(o, rate + 1, DURATION, _error(IRegistry.WorkOverflow.selector, (uint256(rate) + 1) * 86_400));
    }

    function test_WhenTheLeaseIsTooSmallToMeasure_Reverts() public {
        Offer memory o = _offer();
        (o.minHashRate, o.epochLength) = (1, 1 minutes);
        // 16 hashes per second for a minute are 0.96 thousandths of an epoch
        _refuses(o, 16, DURATION, _error(IRegistry.LeaseTooSmall.selector, 1_382_400));
        _refuses(o, 0, DURATION, _error(IRegistry.LeaseTooSmall.selector, 0));
        RentRequest memory r = _request();
        r.hashRate = 17;
        assertEq(escrow.lease(_rent(o, r)).weightLog2, 0);
        // and 2 for two hours are 0.72 twenty-thousandths of the lease
        o.epochLength = 1 hours;
        _refuses(o, 2, 2 hours, _error(IRegistry.LeaseTooSmall.selector, 14_400));
        assertEq(_admit(o, 3, 2 hours).weightLog2, 0);
    }

    function test_WhenThePaymentExceedsItsType_Reverts() public {
        Offer memory o = _offer();
        (o.bondBps, o.cancelBps, o.price) = (0, 0, type(uint128).max);
        // just under 10^21 hashes cost just under 2^128
        o.minHashRate = 1;
        uint96 rate = 11_574_074_074_074_074;
        assertEq(_admit(o, rate, DURATION).payment, 340_282_366_920_938_461_285_567_459_137_762_045_290);
        o.hashRate = rate + 1;
        // ceil((2^128 − 1) × 1.000000000000000080 …)
        uint256 payment = 340_282_366_920_938_490_685_963_961_106_845_288_525;
        _refuses(o, rate + 1, DURATION, _error(IRegistry.PaymentOverflow.selector, payment));
    }
}
