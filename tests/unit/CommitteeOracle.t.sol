// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {CommitteeOracle} from "contracts/src/CommitteeOracle.sol";
import {ICommitteeOracle, Statement} from "contracts/src/interfaces/ICommitteeOracle.sol";
import {ILeaseEscrow, Offer} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Fixture} from "tests/support/Fixture.sol";

contract CommitteeOracleTest is Fixture {
    uint256 private constant ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
    uint96 private constant WORK = 3e17;
    uint96 private constant DUE = 3.5e17;

    uint256 private id;
    /// @dev A lease of the 2-of-3 committee.
    uint256 private other;

    function setUp() public override {
        super.setUp();
        id = _rent();
        Offer memory o = _offer();
        o.oracle = majorityId;
        other = _rent(o, _request());
        vm.warp(START + EPOCH);
    }

    function _statement(uint256 lease) private pure returns (Statement memory) {
        return Statement({
            lease: lease, asOf: START + EPOCH, work: WORK, due: DUE, evidence: keccak256("evidence"), last: false
        });
    }

    function _refused(CommitteeOracle oracle, Statement[] memory s, bytes memory signatures, bytes memory error)
        private
    {
        vm.expectRevert(error);
        oracle.submit(s, signatures);
        assertEq(escrow.lease(id).credited, 0);
        assertEq(escrow.lease(other).credited, 0);
    }

    function _unknown(uint256 index, address signer) private pure returns (bytes memory) {
        return abi.encodeWithSelector(ICommitteeOracle.UnknownSigner.selector, index, signer);
    }

    // ---------------------------------------------------------------- submitting

    function test_ThreeOfThree_CreditALease() public {
        Statement[] memory s = _statements(_statement(id));
        bytes memory signatures = _signatures(committee, s, 0, 3);
        vm.expectEmit(address(committee));
        emit ICommitteeOracle.Stated(id, START + EPOCH, WORK, DUE, keccak256("evidence"), false);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Credited(id, WORK, DUE, START + EPOCH, false);
        vm.prank(stranger);
        committee.submit(s, signatures);
        assertEq(escrow.lease(id).credited, WORK);
        assertEq(escrow.lease(id).due, DUE);
    }

    function test_AnyTwoOfThree_CreditALease() public {
        Statement[] memory s = _statements(_statement(other));
        majority.submit(s, _signatures(majority, s, 0, 2));
        assertEq(escrow.lease(other).credited, WORK);
        s[0].work += 1;
        majority.submit(s, _signatures(majority, s, 1, 3));
        assertEq(escrow.lease(other).credited, WORK + 1);
        s[0].work += 1;
        majority.submit(s, bytes.concat(_signatures(majority, s, 0, 1), _signatures(majority, s, 2, 3)));
        assertEq(escrow.lease(other).credited, WORK + 2);
        s[0].work += 1;
        majority.submit(s, _signatures(majority, s, 0, 3));
        assertEq(escrow.lease(other).credited, WORK + 3);
    }

    function test_Last_ReachesTheEscrow() public {
        vm.warp(END);
        Statement[] memory s = _statements(_statement(id));
        (s[0].asOf, s[0].last) = (END, true);
        committee.submit(s, _signatures(committee, s, 0, 3));
        assertTrue(escrow.lease(id).last);
    }

    function test_AReplay_IsHarmless() public {
        Statement[] memory s = _statements(_statement(id));
        bytes memory signatures = _signatures(committee, s, 0, 3);
        committee.submit(s, signatures);
        bytes32 before = keccak256(abi.encode(escrow.lease(id)));
        committee.submit(s, signatures);
        assertEq(keccak256(abi.encode(escrow.lease(id))), before);
    }

    function test_ABadStatement_SpoilsNothing() public {
        Statement[] memory s = new Statement[](3);
        (s[0], s[1], s[2]) = (_statement(99), _statement(other), _statement(id));
        bytes memory signatures = _signatures(committee, s, 0, 3);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.CreditSkipped(99, ILeaseEscrow.UnknownLease.selector);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.CreditSkipped(other, ILeaseEscrow.NotLeaseOracle.selector);
        committee.submit(s, signatures);
        assertEq(escrow.lease(id).credited, WORK);
        assertEq(escrow.lease(other).credited, 0);
    }

    function test_WhenTheBatchIsTooLong_Reverts() public {
        Statement[] memory s = new Statement[](101);
        _refused(committee, s, _signatures(committee, s, 0, 3), _error(ILeaseEscrow.BatchTooLong.selector, 100, 101));
    }

    function test_WhenTheBatchIsEmpty_Reverts() public {
        Statement[] memory s = new Statement[](0);
        bytes memory error = abi.encodeWithSelector(ICommitteeOracle.EmptyBatch.selector);
        _refused(committee, s, _signatures(committee, s, 0, 3), error);
    }

    // ---------------------------------------------------------------- signatures

    function test_WhenSignaturesAreMissing_Reverts() public {
        Statement[] memory s = _statements(_statement(id));
        bytes4 selector = ICommitteeOracle.NotEnoughSignatures.selector;
        _refused(committee, s, _signatures(committee, s, 0, 2), _error(selector, 3, 2));
        _refused(committee, s, "", _error(selector, 3, 0));
        s = _statements(_statement(other));
        _refused(majority, s, _signatures(majority, s, 1, 2), _error(selector, 2, 1));
    }

    function test_WhenASignatureIsCutOrCompact_Reverts() public {
        Statement[] memory s = _statements(_statement(id));
        bytes4 selector = ICommitteeOracle.BadSignatureLength.selector;
        bytes memory all = _signatures(committee, s, 0, 3);
        _refused(committee, s, bytes.concat(all, hex"00"), _error(selector, 196));
        (bytes32 r, bytes32 vs) = vm.signCompact(members[2].key, committee.batchDigest(s));
        _refused(committee, s, bytes.concat(_signatures(committee, s, 0, 2), r, vs), _error(selector, 194));
    }

    function test_WhenAMemberSignsTwice_Reverts() public {
        Statement[] memory s = _statements(_statement(other));
        bytes memory one = _signatures(majority, s, 1, 2);
        bytes memory error = _error(ICommitteeOracle.SignersNotAscending.selector, 1);
        _refused(majority, s, bytes.concat(one, one), error);
        // the order is part of the rule, too
        _refused(majority, s, bytes.concat(one, _signatures(majority, s, 0, 1)), error);
    }

    function test_WhenAStrangerSigns_Reverts() public {
        Statement[] memory s = _statements(_statement(id));
        bytes memory two = _signatures(committee, s, 0, 2);
        bytes memory foreign = _signature(provider.key, committee.batchDigest(s));
        _refused(committee, s, bytes.concat(two, foreign), _unknown(2, provider.addr));
        _refused(committee, s, bytes.concat(two, new bytes(65)), _unknown(2, address(0)));
    }

    function test_WhenMoreThanEnoughSignAndOneIsBad_Reverts() public {
        Statement[] memory s = _statements(_statement(other));
        bytes memory all = bytes.concat(_signatures(majority, s, 0, 2), new bytes(65));
        _refused(majority, s, all, _unknown(2, address(0)));
    }

    function test_WhenSIsHigh_Reverts() public {
        Statement[] memory s = _statements(_statement(id));
        (uint8 v, bytes32 r, bytes32 low) = vm.sign(members[2].key, committee.batchDigest(s));
        bytes memory high = abi.encodePacked(r, ORDER - uint256(low), v == 27 ? uint8(28) : uint8(27));
        bytes memory two = _signatures(committee, s, 0, 2);
        _refused(committee, s, bytes.concat(two, high), _unknown(2, members[2].addr));
        // v as 0 or 1 is another encoding of the same signature
        bytes memory bare = abi.encodePacked(r, low, v - 27);
        _refused(committee, s, bytes.concat(two, bare), _unknown(2, address(0)));
    }

    function test_WhenTheStatementIsAltered_Reverts() public {
        Statement[] memory s = _statements(_statement(id));
        bytes memory signatures = _signatures(committee, s, 0, 3);
        for (uint256 i; i < 6; ++i) {
            Statement[] memory altered = _statements(_statement(id));
            if (i == 0) altered[0].lease = other;
            if (i == 1) altered[0].asOf += EPOCH;
            if (i == 2) altered[0].work += 1;
            if (i == 3) altered[0].due += 1;
            if (i == 4) altered[0].evidence = 0;
            if (i == 5) altered[0].last = true;
            vm.expectPartialRevert(ICommitteeOracle.UnknownSigner.selector);
            committee.submit(altered, signatures);
        }
    }

    function test_WhenSignedForAnotherCommittee_Reverts() public {
        Statement[] memory s = _statements(_statement(other));
        bytes memory signatures = _signatures(committee, s, 0, 3);
        vm.expectPartialRevert(ICommitteeOracle.UnknownSigner.selector);
        majority.submit(s, signatures);
    }

    // ---------------------------------------------------------------- keys

    function test_AnOwner_ReplacesItsKeyAndNobodyElses() public {
        vm.expectEmit(address(committee));
        emit ICommitteeOracle.KeyReplaced(2, memberOwners[2], provider.addr);
        vm.prank(memberOwners[2]);
        committee.replaceKey(provider.addr);
        (address owner, address key) = committee.member(2);
        assertEq(owner, memberOwners[2]);
        assertEq(key, provider.addr);
        (, key) = committee.member(1);
        assertEq(key, members[1].addr);

        Statement[] memory s = _statements(_statement(id));
        _refused(committee, s, _signatures(committee, s, 0, 3), _unknown(2, members[2].addr));
        bytes memory signature = _signature(provider.key, committee.batchDigest(s));
        committee.submit(s, bytes.concat(_signatures(committee, s, 0, 2), signature));
        assertEq(escrow.lease(id).credited, WORK);
    }

    function test_ARetiredMember_SignsNoMoreUntilItSetsAKey() public {
        vm.prank(memberOwners[0]);
        committee.replaceKey(address(0));
        Statement[] memory s = _statements(_statement(id));
        _refused(committee, s, _signatures(committee, s, 0, 3), _unknown(0, members[0].addr));
        // an unrecoverable signature is not the retired member's
        _refused(committee, s, bytes.concat(new bytes(65), _signatures(committee, s, 1, 3)), _unknown(0, address(0)));
        vm.prank(memberOwners[0]);
        committee.replaceKey(members[0].addr);
        committee.submit(s, _signatures(committee, s, 0, 3));
        assertEq(escrow.lease(id).credited, WORK);
    }

    function test_WhenTheKeyIsInUse_Reverts() public {
        for (uint256 i; i < 2; ++i) {
            vm.prank(memberOwners[0]);
            vm.expectRevert(_error(ICommitteeOracle.KeyInUse.selector, members[i].addr));
            committee.replaceKey(members[i].addr);
        }
    }

    function test_WhenTheCallerIsNoOwner_Reverts() public {
        address[2] memory callers = [stranger, members[0].addr];
        for (uint256 i; i < 2; ++i) {
            vm.prank(callers[i]);
            vm.expectRevert(_error(ICommitteeOracle.NotMember.selector, callers[i]));
            committee.replaceKey(stranger);
        }
    }

    function test_OwnerAndKey_AnnounceWhereTheMemberIs() public {
        address[2] memory callers = [memberOwners[1], members[1].addr];
        for (uint256 i; i < 2; ++i) {
            vm.expectEmit(address(committee));
            emit ICommitteeOracle.Announced(1, members[1].addr, "http://127.0.0.1:8646");
            vm.prank(callers[i]);
            committee.announce("http://127.0.0.1:8646");
        }
        vm.prank(stranger);
        vm.expectRevert(_error(ICommitteeOracle.NotMember.selector, stranger));
        committee.announce("http://127.0.0.1:8646");
    }

    // ---------------------------------------------------------------- founding

    function test_ACommittee_SaysWhoItIs() public view {
        assertEq(committee.escrow(), address(escrow));
        assertEq(committee.threshold(), 3);
        assertEq(majority.threshold(), 2);
        assertEq(committee.memberCount(), 3);
        (address owner, address key) = committee.member(3);
        assertEq(owner, address(0));
        assertEq(key, address(0));
    }

    function test_WhenItsMakeUpIsImpossible_ThereIsNoCommittee() public {
        _impossible(address(0), _some(3, 1), _some(3, 100), 2);
        _impossible(address(escrow), _some(3, 1), _some(2, 100), 2);
        _impossible(address(escrow), _some(3, 1), _some(3, 100), 0);
        _impossible(address(escrow), _some(3, 1), _some(3, 100), 4);
        _impossible(address(escrow), _some(33, 1), _some(33, 100), 4);
        _impossible(address(escrow), _some(0, 1), _some(0, 100), 0);
        _impossible(address(escrow), _some(3, 0), _some(3, 100), 2);
        _impossible(address(escrow), _some(3, 1), _some(3, 0), 2);
        address[] memory twice = _some(3, 1);
        twice[2] = twice[0];
        _impossible(address(escrow), twice, _some(3, 100), 2);
        vm.expectRevert(_error(ICommitteeOracle.KeyInUse.selector, twice[0]));
        new CommitteeOracle(address(escrow), _some(3, 100), twice, 2);
        assertEq(new CommitteeOracle(address(escrow), _some(32, 1), _some(32, 100), 32).memberCount(), 32);
    }

    function _impossible(address escrow_, address[] memory owners, address[] memory keys, uint256 threshold) private {
        vm.expectRevert(ICommitteeOracle.BadCommittee.selector);
        new CommitteeOracle(escrow_, owners, keys, threshold);
    }

    /// @dev Addresses from `first` on.
    function _some(uint160 count, uint160 first) private pure returns (address[] memory addresses) {
        addresses = new address[](count);
        for (uint160 i; i < count; ++i) {
            addresses[i] = address(first + i);
        }
    }
}
