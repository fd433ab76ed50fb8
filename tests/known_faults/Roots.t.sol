// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ICommitteeOracle} from "contracts/src/interfaces/ICommitteeOracle.sol";
import {Statement} from "contracts/src/interfaces/LeaseTypes.sol";
import {StatementLib} from "contracts/src/libraries/StatementLib.sol";
import {Rented} from "tests/support/Rented.sol";

/// @notice Known faults of statements that are submitted from a signed root.
contract RootFaultsTest is Rented {
    /// @notice Today: a root that is posted one second before the `asOf` of a statement in it,
    /// which happens where block times lag, never credits that statement: posting it again later,
    /// with the same valid signatures, silently keeps the first time.
    /// @dev Right: posting a root again takes the later time.
    function test_KnownFault_ARootPostedEarly_IsSpoiltForGood() public {
        Statement memory s = _entry(id, START + EPOCH, PROMISE, PROMISE, false);
        bytes32 root = keccak256(abi.encode(keccak256(abi.encode(StatementLib.STATEMENT_TYPEHASH, s))));
        bytes32 digest = committee.rootDigest(root);
        bytes memory signatures;
        for (uint256 i; i < 3; ++i) {
            signatures = bytes.concat(signatures, _signature(members[i].key, digest));
        }
        vm.warp(START + EPOCH - 1);
        vm.prank(stranger);
        committee.postRoot(root, signatures);
        vm.warp(START + EPOCH + 10);
        committee.postRoot(root, signatures);
        assertEq(committee.postedAt(root), START + EPOCH - 1);
        vm.expectRevert(_error(ICommitteeOracle.StatementAfterRoot.selector, START + EPOCH, START + EPOCH - 1));
        committee.submitFromRoot(s, new bytes32[](0));
    }
}
