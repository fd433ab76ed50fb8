// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {LeaseEscrow} from "contracts/src/escrow/LeaseEscrow.sol";
import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Offer, RentRequest} from "contracts/src/interfaces/LeaseTypes.sol";
import {LeaseLens} from "contracts/src/lens/LeaseLens.sol";
import {Renting} from "tests/support/Renting.sol";

/// @notice What binds a provider to an offer, how an offer is filled, and how it is cancelled.
contract OffersTest is Renting {
    // ---------------------------------------------------------------- time and counter

    function test_WhenTheOfferIsExpired_Reverts() public {
        Offer memory o = _offer();
        vm.warp(uint256(o.expiry) + 1);
        _refused(o, _request(), _error(ILeaseEscrow.OfferExpired.selector, o.expiry, o.expiry + 1));
    }

    function test_AtItsLastSecond_TheOfferIsValid() public {
        Offer memory o = _offer();
        o.expiry = NOW;
        _rent(o, _request());
    }

    function test_WhenTheCounterWasBumped_EveryEarlierOfferIsVoid() public {
        Offer memory other = _offer();
        other.salt = 1;
        _rent(other, _request());
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.CounterBumped(provider.addr, 1);
        vm.prank(provider.addr);
        assertEq(escrow.bumpCounter(), 1);
        assertEq(lens.counter(provider.addr), 1);
        bytes memory error = _error(ILeaseEscrow.CounterMismatch.selector, 1, 0);
        _refused(_offer(), _request(), error);
        _refused(other, _request(), error);
        Offer memory o = _offer();
        o.counter = 1;
        assertEq(escrow.lease(_rent(o, _request())).provider, provider.addr);
    }

    function test_WhenTheCounterIsNotReachedYet_Reverts() public {
        Offer memory o = _offer();
        o.counter = 1;
        _refused(o, _request(), _error(ILeaseEscrow.CounterMismatch.selector, 0, 1));
        o.counter = uint256(1) << 216;
        _refused(o, _request(), _error(ILeaseEscrow.CounterMismatch.selector, 0, o.counter));
    }

    function test_ABump_LeavesOtherProvidersOffersAlone() public {
        vm.prank(stranger);
        assertEq(escrow.bumpCounter(), 1);
        vm.prank(stranger);
        assertEq(escrow.bumpCounter(), 2);
        assertEq(lens.counter(provider.addr), 0);
        _rent();
    }

    // ---------------------------------------------------------------- fills

    function test_SeveralRenters_FillOneOfferToTheLastHash() public {
        Offer memory o = _offer();
        bytes memory signature = _sign(o);
        RentRequest memory r = _request();
        uint96[4] memory rates = [6 * RATE, 3 * RATE, RATE / 10, RATE - RATE / 10];
        // 640, 320, 10.67 and 96 million, each rounded up on its own
        uint128[4] memory payments = [uint128(639_999_995), 319_999_998, 10_666_667, 96_000_000];
        uint96 sum;
        for (uint256 i; i < 4; ++i) {
            address payer = _payer(string.concat("payer ", vm.toString(i)));
            (r.hashRate, r.recipient) = (rates[i], payer);
            uint256 id = _rentAs(payer, o, signature, r);
            sum += rates[i];
            assertEq(escrow.ownerOf(id), payer);
            assertEq(escrow.lease(id).rate, rates[i]);
            assertEq(token.balanceOf(payer), DEPOSIT - payments[i]);
            assertEq(lens.filled(lens.offerHash(o)), sum);
        }
        assertEq(sum, o.hashRate);
        r.hashRate = RATE / 10;
        _refused(o, r, _error(ILeaseEscrow.OfferExhausted.selector, 0, RATE / 10));
    }

    function test_WhenMoreIsAskedThanIsLeft_Reverts() public {
        Offer memory o = _offer();
        RentRequest memory r = _request();
        r.hashRate = 6 * RATE;
        _rent(o, r);
        r.hashRate = 4 * RATE + 1;
        _refused(o, r, _error(ILeaseEscrow.OfferExhausted.selector, 4 * RATE, 4 * RATE + 1));
        r.hashRate = 4 * RATE;
        _rent(o, r);
    }

    function test_WhenTheRateIsBelowTheSmallestFill_Reverts() public {
        RentRequest memory r = _request();
        r.hashRate = RATE / 10 - 1;
        _refused(_offer(), r, _error(ILeaseEscrow.HashRateBelowMinimum.selector, RATE / 10, RATE / 10 - 1));
        r.hashRate = RATE / 10;
        _rent(_offer(), r);
    }

    function test_ARestBelowTheSmallestFill_StaysUnsold() public {
        Offer memory o = _offer();
        (o.hashRate, o.minHashRate) = (3 * RATE, 2 * RATE);
        RentRequest memory r = _request();
        r.hashRate = 2 * RATE;
        _rent(o, r);
        _refused(o, r, _error(ILeaseEscrow.OfferExhausted.selector, RATE, 2 * RATE));
        r.hashRate = RATE;
        _refused(o, r, _error(ILeaseEscrow.HashRateBelowMinimum.selector, 2 * RATE, RATE));
    }

    function test_AFill_IsNeverGivenBack() public {
        uint256 id = _rent();
        vm.prank(renter);
        escrow.cancel(id);
        assertTrue(escrow.lease(id).settled);
        assertEq(lens.filled(lens.offerHash(_offer())), RATE);
    }

    function test_OffersThatDifferInTheSaltOnly_AreFilledApart() public {
        Offer memory o = _offer();
        RentRequest memory r = _request();
        r.hashRate = o.hashRate;
        _rent(o, r);
        o.salt = 1;
        _rent(o, r);
        assertEq(lens.filled(lens.offerHash(o)), o.hashRate);
    }

    // ---------------------------------------------------------------- cancelOffer

    function test_ACancelledOffer_CantBeFilledAnyMore() public {
        Offer memory o = _offer();
        _rent(o, _request());
        bytes32 hash = lens.offerHash(o);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.OfferCancelled(provider.addr, hash);
        vm.prank(provider.addr);
        escrow.cancelOffer(o);
        assertEq(lens.filled(hash), type(uint96).max);
        _refused(o, _request(), abi.encodeWithSelector(ILeaseEscrow.OfferIsCancelled.selector, hash));
        assertFalse(escrow.lease(1).settled, "leases out of it go on");
    }

    function test_OtherOffers_AreNotTouchedByACancellation() public {
        Offer memory o = _offer();
        vm.prank(provider.addr);
        escrow.cancelOffer(o);
        o.salt = 1;
        _rent(o, _request());
        assertEq(lens.counter(provider.addr), 0);
    }

    function test_WhenAnotherCancelsAnOffer_Reverts() public {
        Offer memory o = _offer();
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(ILeaseEscrow.NotOfferProvider.selector, provider.addr, stranger));
        escrow.cancelOffer(o);
        // in her own name it is another offer
        o.provider = stranger;
        vm.prank(stranger);
        escrow.cancelOffer(o);
        _rent();
    }

    function test_AnUnsignedOffer_CanBeCancelledInAdvance() public {
        Offer memory o = _offer();
        o.token = stranger;
        vm.startPrank(provider.addr);
        escrow.cancelOffer(o);
        escrow.cancelOffer(o);
        vm.stopPrank();
        assertEq(lens.filled(lens.offerHash(o)), type(uint96).max);
    }

    // ---------------------------------------------------------------- the signed fields

    /// @dev An offer's encoding has one word per field.
    function test_WhenAnyFieldOfASignedOfferIsChanged_Reverts() public {
        bytes memory encoded = abi.encode(_offer());
        bytes memory signature = _sign(_offer());
        assertEq(encoded.length, 20 * 32);
        for (uint256 i; i < 20; ++i) {
            Offer memory o = _increment(encoded, i);
            // so that the changed counter is the current one
            uint256 snapshot = vm.snapshotState();
            if (o.counter == 1) {
                vm.prank(provider.addr);
                escrow.bumpCounter();
            }
            _refused(o, signature, _request(), _invalid(o.provider));
            assertTrue(vm.revertToState(snapshot));
        }
        _rentAs(renter, _offer(), signature, _request());
    }

    function _increment(bytes memory encoded, uint256 word) private pure returns (Offer memory) {
        bytes memory changed = bytes.concat(encoded);
        assembly ("memory-safe") {
            let at := add(changed, mul(add(word, 1), 32))
            mstore(at, add(mload(at), 1))
        }
        return abi.decode(changed, (Offer));
    }

    function test_AnOfferOfAnotherChain_IsRefused() public {
        bytes memory signature = _sign(_offer());
        vm.chainId(2);
        _refused(_offer(), signature, _request(), _invalid(provider.addr));
        _rent();
        vm.chainId(31_337);
        _rentAs(renter, _offer(), signature, _request());
    }

    function test_AnOfferOfAnotherEscrow_IsRefused() public {
        LeaseEscrow other = new LeaseEscrow(address(registry), escrow.descriptor());
        bytes32 digest = new LeaseLens(address(other)).offerDigest(_offer());
        assertTrue(digest != lens.offerDigest(_offer()));
        _refused(_offer(), _signature(provider.key, digest), _request(), _invalid(provider.addr));
    }

    function test_ABareStructHash_IsNoDigest() public {
        bytes memory signature = _signature(provider.key, lens.offerHash(_offer()));
        _refused(_offer(), signature, _request(), _invalid(provider.addr));
    }

    function test_AnOfferOfNobody_IsRefused() public {
        Offer memory o = _offer();
        o.provider = address(0);
        (o.bondBps, o.cancelBps) = (0, 0);
        _refused(o, new bytes(65), _request(), _invalid(address(0)));
        _refused(o, "", _request(), _invalid(address(0)));
    }
}
