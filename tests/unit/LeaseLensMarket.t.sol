// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Holding, OfferQuery, OfferView, OracleView, TokenState} from "contracts/src/interfaces/ILeaseLens.sol";
import {IRegistry} from "contracts/src/interfaces/IRegistry.sol";
import {Limits, Offer, RentRequest} from "contracts/src/interfaces/LeaseTypes.sol";
import {Fixture} from "tests/support/Fixture.sol";
import {HostileToken} from "tests/support/HostileToken.sol";

/// @notice The lens's view of offers, accounts, oracles and tokens.
contract LeaseLensMarketTest is Fixture {
    function _query(Offer memory o) private view returns (OfferQuery memory) {
        return OfferQuery({offer: o, hashRate: RATE, start: START, duration: DURATION, jobSigner: jobSigner});
    }

    function _look(OfferQuery memory q) private view returns (OfferView memory) {
        OfferQuery[] memory queries = new OfferQuery[](1);
        queries[0] = q;
        return lens.offers(queries)[0];
    }

    function _look(Offer memory o) private view returns (OfferView memory) {
        return _look(_query(o));
    }

    /// @dev The lens's answer must match what the escrow does.
    function _expectRentable(OfferQuery memory q, bool rentable) private {
        assertEq(_look(q).rentable, rentable, "rentable");
        RentRequest memory r = _request();
        (r.hashRate, r.duration) = (q.hashRate, q.duration);
        r.start = uint40(block.timestamp) + 10 minutes;
        bytes memory signature = _sign(q.offer);
        uint256 snapshot = vm.snapshotState();
        vm.prank(renter);
        try escrow.rent(q.offer, signature, new bytes32[](0), r) {
            assertTrue(rentable, "was rented");
        } catch {
            assertFalse(rentable, "was not rented");
        }
        vm.revertToState(snapshot);
    }

    // ---------------------------------------------------------------- offers

    function test_AnOffer_ComesWithTheAmountsOfAFill() public {
        Offer memory o = _offer();
        OfferView memory v = _look(o);
        assertEq(v.hash, lens.offerHash(o));
        assertEq(v.filled, 0);
        assertEq(v.remaining, 10 * RATE);
        assertTrue(v.counterMatches);
        assertFalse(v.expired);
        assertFalse(v.cancelled);
        assertEq(v.deposited, DEPOSIT);
        assertEq(v.exposed, 0);
        assertTrue(v.admitted);
        assertEq(v.admission.payment, PAYMENT);
        assertEq(v.admission.bond, BOND);
        assertEq(v.admission.weightLog2, 48);
        assertEq(v.reason.length, 0);
        _expectRentable(_query(o), true);
    }

    function test_AFilledOffer_HasLessLeft() public {
        Offer memory o = _offer();
        RentRequest memory r = _request();
        r.hashRate = 9 * RATE;
        _rent(o, r);
        OfferView memory v = _look(o);
        assertEq(v.filled, 9 * RATE);
        assertEq(v.remaining, RATE);
        assertEq(v.deposited, DEPOSIT - 191_999_998, "a fifth of 959,999,992, rounded down");
        assertEq(v.exposed, 959_999_992 + 191_999_998);
        _expectRentable(_query(o), true);
        OfferQuery memory q = _query(o);
        q.hashRate = RATE + 1;
        _expectRentable(q, false);
    }

    function test_WhenTheFillIsBelowTheSmallest_ItIsNotRentable() public {
        OfferQuery memory q = _query(_offer());
        q.hashRate = RATE / 10;
        _expectRentable(q, true);
        q.hashRate -= 1;
        assertTrue(_look(q).admitted);
        _expectRentable(q, false);
    }

    function test_AnExpiredOffer_IsMarkedExpired() public {
        Offer memory o = _offer();
        vm.warp(o.expiry);
        assertFalse(_look(o).expired);
        _expectRentable(_query(o), true);
        vm.warp(o.expiry + 1);
        assertTrue(_look(o).expired);
        _expectRentable(_query(o), false);
    }

    function test_ACancelledOffer_HasNothingLeft() public {
        Offer memory o = _offer();
        vm.prank(provider.addr);
        escrow.cancelOffer(o);
        OfferView memory v = _look(o);
        assertTrue(v.cancelled);
        assertEq(v.filled, type(uint96).max);
        assertEq(v.remaining, 0);
        _expectRentable(_query(o), false);
    }

    function test_AfterABump_TheCounterDoesNotMatch() public {
        vm.prank(provider.addr);
        escrow.bumpCounter();
        Offer memory o = _offer();
        assertFalse(_look(o).counterMatches);
        _expectRentable(_query(o), false);
        o.counter = 1;
        assertTrue(_look(o).counterMatches);
        _expectRentable(_query(o), true);
    }

    function test_WhenTheDepositDoesNotCoverTheBond_ItIsNotRentable() public {
        vm.prank(provider.addr);
        escrow.withdraw(address(token), provider.addr, DEPOSIT - BOND);
        _expectRentable(_query(_offer()), true);
        vm.prank(provider.addr);
        escrow.withdraw(address(token), provider.addr, 1);
        assertEq(_look(_offer()).deposited, BOND - 1);
        _expectRentable(_query(_offer()), false);
    }

    function test_WhenTheExposureCapIsFull_ItIsNotRentable() public {
        _rent();
        _setCap(committeeId, address(token), 2 * (PAYMENT + BOND));
        assertEq(_look(_offer()).exposed, PAYMENT + BOND);
        _expectRentable(_query(_offer()), true);
        _setCap(committeeId, address(token), 2 * (PAYMENT + BOND) - 1);
        assertEq(_look(_offer()).admission.exposureCap, 2 * (PAYMENT + BOND) - 1);
        _expectRentable(_query(_offer()), false);
    }

    function test_WhenTheEscrowCanOweNoMore_ItIsNotRentable() public {
        Offer memory o = _offer();
        (o.bondBps, o.cancelBps) = (0, 0);
        uint256 room = type(uint128).max - escrow.liabilities(address(token));
        token.mint(address(this), room);
        token.approve(address(escrow), room);
        escrow.deposit(address(token), room - PAYMENT);
        _expectRentable(_query(o), true);
        escrow.deposit(address(token), 1);
        _expectRentable(_query(o), false);
    }

    function test_WhenTheRegistryRefuses_ItsReasonIsReturned() public {
        Offer memory o = _offer();
        o.algorithm = 9;
        _expectReason(_query(o), _error(IRegistry.AlgorithmNotServed.selector, committeeId, 9));
        OfferQuery memory q = _query(_offer());
        q.duration = 1 hours;
        _expectReason(q, _error(IRegistry.DurationOutOfBounds.selector, 2 hours, 7 days, 1 hours));
        q = _query(_offer());
        q.hashRate = 0;
        _expectReason(q, _error(IRegistry.LeaseTooSmall.selector, 0));
        registry.pause();
        _expectReason(_query(_offer()), _error(IRegistry.RentingPaused.selector, NOW + 3 days));
    }

    function _expectReason(OfferQuery memory q, bytes memory reason) private {
        OfferView memory v = _look(q);
        assertFalse(v.admitted);
        assertEq(v.reason, reason);
        assertEq(v.admission.payment, 0);
        _expectRentable(q, false);
    }

    function test_TheRootOfManyOffers_HasTheDigestThatRentingChecks() public {
        Offer memory o = _offer();
        bytes32 other = keccak256("another leaf");
        bytes32 leaf = keccak256(abi.encode(lens.offerHash(o)));
        bytes32 root = leaf < other ? keccak256(abi.encode(leaf, other)) : keccak256(abi.encode(other, leaf));
        bytes32[] memory proof = new bytes32[](1);
        proof[0] = other;
        bytes memory signature = _signature(provider.key, lens.offerRootDigest(root));
        vm.prank(renter);
        assertEq(escrow.rent(o, signature, proof, _request()), 1);
    }

    function test_ARefusedOffer_LeavesTheOthersAsTheyAre() public view {
        OfferQuery[] memory queries = new OfferQuery[](2);
        (queries[0], queries[1]) = (_query(_offer()), _query(_offer()));
        queries[0].duration = 1;
        OfferView[] memory v = lens.offers(queries);
        assertFalse(v[0].admitted);
        assertTrue(v[1].admitted);
        assertTrue(v[1].rentable);
    }

    // ---------------------------------------------------------------- accounts

    function test_AnAccount_HasItsFiguresInEveryToken() public {
        vm.prank(provider.addr);
        escrow.withdraw(address(token), stranger, 5);
        vm.startPrank(provider.addr);
        token.approve(address(escrow), 77);
        token.mint(provider.addr, 11);
        vm.stopPrank();
        address[] memory tokens = new address[](5);
        tokens[0] = address(new HostileToken(HostileToken.Manner.Reverts, "", 0));
        tokens[1] = address(new HostileToken(HostileToken.Manner.BurnsGas, "", 0));
        tokens[2] = address(0xdead);
        tokens[3] = address(new HostileToken(HostileToken.Manner.ReturnsHuge, "", 0));
        tokens[4] = address(token);
        Holding[] memory h = lens.balances{gas: 5_000_000}(provider.addr, tokens);
        for (uint256 i; i < 4; ++i) {
            assertEq(abi.encode(h[i]), abi.encode(Holding(tokens[i], 0, 0, 0, 0)));
        }
        assertEq(abi.encode(h[4]), abi.encode(Holding(address(token), DEPOSIT - 5, 5, 11, 77)));
    }

    // ---------------------------------------------------------------- registry

    function test_EveryOracle_IsListedWithItsTerms() public {
        registry.listOracle(majorityId, false);
        OracleView[] memory v = lens.oracles();
        assertEq(v.length, 2);
        for (uint32 id = 1; id <= 2; ++id) {
            assertEq(v[id - 1].id, id);
            assertEq(abi.encode(v[id - 1].oracle), abi.encode(registry.oracle(id)));
        }
        assertTrue(v[0].oracle.listed);
        assertFalse(v[1].oracle.listed);
    }

    function test_ATokensState_IsGivenForEachOracle() public {
        _rent();
        registry.setLimits(majorityId, address(token), Limits({exposureCap: 5, leastPayment: 4}));
        token.mint(address(escrow), 3);
        address[] memory tokens = new address[](2);
        tokens[0] = address(token);
        tokens[1] = address(new HostileToken(HostileToken.Manner.Answers, abi.encode("A\x01B"), 255));
        TokenState[] memory s = lens.tokenStates(tokens);
        assertEq(s[0].token, address(token));
        assertEq(s[0].symbol, "DEMO");
        assertEq(s[0].decimals, 6);
        assertTrue(s[0].listed);
        assertEq(s[0].liabilities, DEPOSIT + PAYMENT);
        assertEq(s[0].held, DEPOSIT + PAYMENT + 3);
        assertEq(s[0].caps.length, 2);
        assertEq(s[0].caps[0], type(uint128).max);
        assertEq(s[0].caps[1], 5);
        assertEq(s[0].leastPayments[0], 0);
        assertEq(s[0].leastPayments[1], 4);
        assertEq(s[0].exposures[0], PAYMENT + BOND);
        assertEq(s[0].exposures[1], 0);
        assertEq(s[1].symbol, "A?B");
        assertEq(s[1].decimals, 0);
        assertFalse(s[1].listed);
        assertEq(s[1].liabilities, 0);
    }
}
