// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ICommitteeOracle} from "contracts/src/interfaces/ICommitteeOracle.sol";
import {Statement} from "contracts/src/interfaces/LeaseTypes.sol";
import {CommitteeOracle} from "contracts/src/oracles/CommitteeOracle.sol";
import {Seated} from "tests/support/Seated.sol";

contract CommitteeMembersTest is Seated {
    string private constant URL = "http://127.0.0.1:8646";

    function _replace(uint256 seat, address key) private {
        vm.prank(memberOwners[seat]);
        committee.replaceKey(key);
    }

    function _isMember(uint256 seat, address owner, address key) private view {
        (address owner_, address key_) = committee.member(seat);
        assertEq(owner_, owner);
        assertEq(key_, key);
    }

    // ---------------------------------------------------------------- keys

    function test_AnOwner_ReplacesItsOwnKeyAndNoOther() public {
        vm.expectEmit(address(committee));
        emit ICommitteeOracle.KeyReplaced(2, memberOwners[2], provider.addr);
        _replace(2, provider.addr);
        _isMember(0, memberOwners[0], members[0].addr);
        _isMember(1, memberOwners[1], members[1].addr);
        _isMember(2, memberOwners[2], provider.addr);

        Statement[] memory s = _statements(_statement(id));
        _refused(committee, s, _signatures(committee, s, 0, 3), _unknown(2, members[2].addr));
        bytes memory signature = _signature(provider.key, committee.batchDigest(s));
        committee.submit(s, bytes.concat(_signatures(committee, s, 0, 2), signature));
        assertEq(escrow.lease(id).credited, WORK);
    }

    function test_AReplacedKey_SignsInItsOwnersSeat() public {
        _replace(0, provider.addr);
        Statement[] memory s = _statements(_statement(id));
        bytes memory signature = _signature(provider.key, committee.batchDigest(s));
        bytes memory error = _error(ICommitteeOracle.SignersNotAscending.selector, 2);
        _refused(committee, s, bytes.concat(_signatures(committee, s, 1, 3), signature), error);
        committee.submit(s, bytes.concat(signature, _signatures(committee, s, 1, 3)));
        assertEq(escrow.lease(id).credited, WORK);
    }

    function test_AKeyOfOneCommittee_RemainsAKeyOfTheOther() public {
        _replace(0, provider.addr);
        (, address key) = majority.member(0);
        assertEq(key, members[0].addr);
        Statement[] memory s = _statements(_statement(other));
        majority.submit(s, _signatures(majority, s, 0, 2));
        assertEq(escrow.lease(other).credited, WORK);
    }

    function test_ARetiredMember_SignsNoMoreUntilItSetsAKey() public {
        vm.expectEmit(address(committee));
        emit ICommitteeOracle.KeyReplaced(0, memberOwners[0], address(0));
        _replace(0, address(0));
        _isMember(0, memberOwners[0], address(0));
        Statement[] memory s = _statements(_statement(id));
        _refused(committee, s, _signatures(committee, s, 0, 3), _unknown(0, members[0].addr));
        // an unrecoverable signature is not the retired member's
        _refused(committee, s, bytes.concat(new bytes(65), _signatures(committee, s, 1, 3)), _unknown(0, address(0)));
        // retiring twice is harmless, and two retired members are no conflict
        _replace(0, address(0));
        _replace(1, address(0));
        _replace(1, members[1].addr);
        _replace(0, members[0].addr);
        committee.submit(s, _signatures(committee, s, 0, 3));
        assertEq(escrow.lease(id).credited, WORK);
    }

    function test_AKeyThatWasGivenUp_IsFreeForAnother() public {
        _replace(0, provider.addr);
        _replace(1, members[0].addr);
        _isMember(1, memberOwners[1], members[0].addr);
        // it signs in its new seat only
        Statement[] memory s = _statements(_statement(id));
        bytes32 digest = committee.batchDigest(s);
        bytes memory first = _signature(provider.key, digest);
        committee.submit(s, bytes.concat(first, _over(digest, 0, 1), _over(digest, 2, 3)));
        assertEq(escrow.lease(id).credited, WORK);
    }

    function test_WhenTheKeyIsInUse_Reverts() public {
        for (uint256 i; i < 3; ++i) {
            vm.expectRevert(_error(ICommitteeOracle.KeyInUse.selector, members[i].addr));
            _replace(0, members[i].addr);
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

    // ---------------------------------------------------------------- announcing

    function test_OwnerAndKey_AnnounceWhereTheMemberIs() public {
        address[2] memory callers = [memberOwners[1], members[1].addr];
        for (uint256 i; i < 2; ++i) {
            vm.expectEmit(address(committee));
            emit ICommitteeOracle.Announced(1, members[1].addr, URL);
            vm.prank(callers[i]);
            committee.announce(URL);
        }
    }

    function test_AKeyThatWasGivenUp_AnnouncesNothing() public {
        _replace(1, provider.addr);
        vm.prank(members[1].addr);
        vm.expectRevert(_error(ICommitteeOracle.NotMember.selector, members[1].addr));
        committee.announce(URL);
        vm.expectEmit(address(committee));
        emit ICommitteeOracle.Announced(1, provider.addr, URL);
        vm.prank(provider.addr);
        committee.announce(URL);
    }

    function test_ARetiredMembersOwner_StillAnnounces() public {
        _replace(1, address(0));
        vm.expectEmit(address(committee));
        emit ICommitteeOracle.Announced(1, address(0), URL);
        vm.prank(memberOwners[1]);
        committee.announce(URL);
    }

    function test_AStranger_AnnouncesNothing() public {
        vm.prank(stranger);
        vm.expectRevert(_error(ICommitteeOracle.NotMember.selector, stranger));
        committee.announce(URL);
    }

    // ---------------------------------------------------------------- construction

    function test_ACommittee_ReturnsItsMembersAndThreshold() public view {
        assertEq(committee.escrow(), address(escrow));
        assertEq(committee.threshold(), 3);
        assertEq(majority.threshold(), 2);
        assertEq(committee.memberCount(), 3);
        for (uint256 i; i < 3; ++i) {
            _isMember(i, memberOwners[i], members[i].addr);
        }
        _isMember(3, address(0), address(0));
    }

    function test_ItsName_IsItsThreshold() public view {
        assertEq(committee.name(), "Committee, 3 of 3");
        assertEq(majority.name(), "Committee, 2 of 3");
    }

    function test_TheFirstKeys_AreInEventsToo() public {
        for (uint256 i; i < 3; ++i) {
            vm.expectEmit();
            emit ICommitteeOracle.KeyReplaced(i, memberOwners[i], members[i].addr);
        }
        _committee(1);
    }

    function test_OneMember_IsACommittee() public {
        CommitteeOracle alone = new CommitteeOracle(address(escrow), _some(1, 1), _some(1, 100), 1);
        assertEq(alone.memberCount(), 1);
        assertEq(alone.threshold(), 1);
    }

    function test_AnOwner_MayBeItsOwnKey() public {
        CommitteeOracle oracle = new CommitteeOracle(address(escrow), _some(3, 1), _some(3, 1), 2);
        (address owner, address key) = oracle.member(2);
        assertEq(owner, key);
    }

    function test_WhenItsMakeUpIsImpossible_ThereIsNoCommittee() public {
        _impossible(address(0), _some(3, 1), _some(3, 100), 2);
        _impossible(address(escrow), _some(3, 1), _some(2, 100), 2);
        _impossible(address(escrow), _some(2, 1), _some(3, 100), 2);
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

    function test_AnOwner_SpeaksForItsOwnSeat_WhoeverNamedItAsAKey() public {
        vm.prank(memberOwners[0]);
        committee.replaceKey(memberOwners[1]);
        vm.expectEmit(address(committee));
        emit ICommitteeOracle.Announced(1, members[1].addr, URL);
        vm.prank(memberOwners[1]);
        committee.announce(URL);
    }
}
