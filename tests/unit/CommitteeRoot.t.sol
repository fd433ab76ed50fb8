// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ICommitteeOracle} from "contracts/src/interfaces/ICommitteeOracle.sol";
import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Offer, Statement} from "contracts/src/interfaces/LeaseTypes.sol";
import {CommitteeOracle} from "contracts/src/oracles/CommitteeOracle.sol";
import {Seated} from "tests/support/Seated.sol";

contract CommitteeRootTest is Seated {
    bytes32 private constant STATEMENT =
        keccak256("Statement(uint256 lease,uint40 asOf,uint96 work,uint96 due,bytes32 evidence,bool last)");

    // ---------------------------------------------------------------- the tree

    function _leaf(Statement memory s) private pure returns (bytes32) {
        return keccak256(abi.encode(keccak256(abi.encode(STATEMENT, s))));
    }

    function _leaves(Statement[] memory s) private pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](s.length);
        for (uint256 i; i < s.length; ++i) {
            leaves[i] = _leaf(s[i]);
        }
    }

    function _pair(bytes32 a, bytes32 b) private pure returns (bytes32) {
        return a < b ? keccak256(bytes.concat(a, b)) : keccak256(bytes.concat(b, a));
    }

    /// @dev Root over all nodes and the proof of the one at `index`; a node without a sibling moves
    /// up unchanged.
    function _tree(bytes32[] memory nodes, uint256 index) private pure returns (bytes32 root, bytes32[] memory proof) {
        proof = new bytes32[](0);
        while (nodes.length > 1) {
            bytes32[] memory above = new bytes32[]((nodes.length + 1) / 2);
            for (uint256 i; i < above.length; ++i) {
                above[i] = 2 * i + 1 < nodes.length ? _pair(nodes[2 * i], nodes[2 * i + 1]) : nodes[2 * i];
            }
            if (index ^ 1 < nodes.length) proof = _append(proof, nodes[index ^ 1]);
            (nodes, index) = (above, index / 2);
        }
        root = nodes[0];
    }

    function _append(bytes32[] memory proof, bytes32 node) private pure returns (bytes32[] memory longer) {
        longer = new bytes32[](proof.length + 1);
        for (uint256 i; i < proof.length; ++i) {
            longer[i] = proof[i];
        }
        longer[proof.length] = node;
    }

    function _post(CommitteeOracle oracle, bytes32 root) private {
        oracle.postRoot(root, _over(oracle.rootDigest(root), 0, 3));
    }

    function _postRefused(bytes32 root, bytes memory signatures, bytes memory error) private {
        vm.expectRevert(error);
        committee.postRoot(root, signatures);
        assertEq(committee.postedAt(root), 0);
    }

    /// @dev A tree over that many leases of the committee, the example lease among them.
    function _grove(uint256 count) private returns (Statement[] memory s) {
        vm.warp(NOW);
        Offer memory o = _offer();
        (o.hashRate, o.salt) = (1000 * RATE, 1);
        s = new Statement[](count);
        s[0] = _statement(id);
        for (uint96 i = 1; i < count; ++i) {
            s[i] = _statement(_rent(o, _request()));
            s[i].work = WORK - i;
        }
        vm.warp(START + EPOCH);
    }

    function _unposted(Statement memory s, bytes32[] memory proof, bytes32 leadsTo) private {
        vm.expectRevert(abi.encodeWithSelector(ICommitteeOracle.UnknownRoot.selector, leadsTo));
        committee.submitFromRoot(s, proof);
    }

    // ---------------------------------------------------------------- posting

    function test_ARoot_IsStoredAndReported() public {
        bytes32 root = keccak256("root");
        bytes memory signatures = _over(committee.rootDigest(root), 0, 3);
        assertEq(committee.postedAt(root), 0);
        vm.expectEmit(address(committee));
        emit ICommitteeOracle.RootPosted(root);
        vm.prank(stranger);
        committee.postRoot(root, signatures);
        assertEq(committee.postedAt(root), block.timestamp);
        assertEq(majority.postedAt(root), 0);
    }

    function test_TwoOfThree_PostARoot() public {
        bytes32 root = keccak256("root");
        majority.postRoot(root, _over(majority.rootDigest(root), 1, 3));
        assertGt(majority.postedAt(root), 0);
    }

    function test_WhenSignaturesAreRefused_Reverts() public {
        bytes32 root = keccak256("root");
        bytes32 digest = committee.rootDigest(root);
        bytes memory two = _over(digest, 0, 2);
        _postRefused(root, two, _error(ICommitteeOracle.NotEnoughSignatures.selector, 3, 2));
        _postRefused(root, "", _error(ICommitteeOracle.NotEnoughSignatures.selector, 3, 0));
        bytes memory cut = bytes.concat(two, hex"00");
        _postRefused(root, cut, _error(ICommitteeOracle.BadSignatureLength.selector, 131));
        bytes memory twice = bytes.concat(two, _over(digest, 1, 2));
        _postRefused(root, twice, _error(ICommitteeOracle.SignersNotAscending.selector, 2));
        bytes memory foreign = bytes.concat(two, _signature(provider.key, digest));
        _postRefused(root, foreign, _unknown(2, provider.addr));
        _postRefused(root, bytes.concat(two, new bytes(65)), _unknown(2, address(0)));
    }

    function test_WhenAnotherRootWasSigned_Reverts() public {
        bytes memory signatures = _over(committee.rootDigest(keccak256("root")), 0, 3);
        vm.expectPartialRevert(ICommitteeOracle.UnknownSigner.selector);
        committee.postRoot(keccak256("another root"), signatures);
    }

    function test_WhenSignedForAnotherCommittee_Reverts() public {
        bytes32 root = keccak256("root");
        bytes memory signatures = _over(majority.rootDigest(root), 0, 3);
        vm.expectPartialRevert(ICommitteeOracle.UnknownSigner.selector);
        committee.postRoot(root, signatures);
    }

    function test_ARetiredKey_PostsNoRoot() public {
        vm.prank(memberOwners[2]);
        committee.replaceKey(address(0));
        bytes32 root = keccak256("root");
        _postRefused(root, _over(committee.rootDigest(root), 0, 3), _unknown(2, members[2].addr));
    }

    // ---------------------------------------------------------------- crediting

    function test_ALease_IsCreditedOutOfTheTree() public {
        Statement[] memory s = _grove(5);
        bytes32[] memory leaves = _leaves(s);
        (bytes32 root,) = _tree(leaves, 0);
        _post(committee, root);
        // in any order, each on its own; the last has a shorter path
        uint256[5] memory order = [uint256(4), 0, 2, 1, 3];
        for (uint256 i; i < 5; ++i) {
            uint256 at = order[i];
            (, bytes32[] memory proof) = _tree(leaves, at);
            assertEq(proof.length, at == 4 ? 1 : 3);
            vm.expectEmit(address(escrow));
            emit ILeaseEscrow.Credited(s[at].lease, s[at].work, DUE, START + EPOCH, keccak256("evidence"));
            vm.prank(stranger);
            committee.submitFromRoot(s[at], proof);
            assertEq(escrow.lease(s[at].lease).credited, WORK - at);
        }
    }

    function test_ATreeOfAnySize_CreditsItsLeases() public {
        Statement[] memory s = _grove(130);
        bytes32[] memory leaves = _leaves(s);
        (bytes32 root,) = _tree(leaves, 0);
        _post(committee, root);
        for (uint256 i; i < 130; i += 43) {
            (, bytes32[] memory proof) = _tree(leaves, i);
            committee.submitFromRoot(s[i], proof);
            assertEq(escrow.lease(s[i].lease).credited, WORK - i);
        }
        assertEq(escrow.lease(s[1].lease).credited, 0, "nobody asked for it");
    }

    function test_ATreeOfOneLeaf_NeedsNoProof() public {
        Statement memory s = _statement(id);
        _post(committee, _leaf(s));
        committee.submitFromRoot(s, new bytes32[](0));
        _expectFigures(WORK, DUE, START + EPOCH, false);
    }

    function test_AReplay_IsHarmless() public {
        Statement memory s = _statement(id);
        _post(committee, _leaf(s));
        committee.submitFromRoot(s, new bytes32[](0));
        s.work += 1;
        _post(committee, _leaf(s));
        committee.submitFromRoot(s, new bytes32[](0));
        bytes32 before = _state();
        s.work -= 1;
        vm.recordLogs();
        committee.submitFromRoot(s, new bytes32[](0));
        assertEq(vm.getRecordedLogs().length, 0);
        assertEq(_state(), before);
    }

    function test_ABadStatement_IsSkipped() public {
        Statement memory s = _statement(other);
        _post(committee, _leaf(s));
        vm.expectRevert(abi.encodeWithSelector(ILeaseEscrow.NoLeaseOracle.selector, address(committee)));
        committee.submitFromRoot(s, new bytes32[](0));
        s = _statement(id);
        s.asOf += EPOCH;
        vm.warp(s.asOf);
        _post(committee, _leaf(s));
        _cancelAtOnce();
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.CreditSkipped(id, ILeaseEscrow.AsOfAfterEnd.selector);
        committee.submitFromRoot(s, new bytes32[](0));
        _nothingCame();
    }

    /// @dev In the first epoch, so that it is the last.
    function _cancelAtOnce() private {
        uint256 now_ = block.timestamp;
        vm.warp(START);
        _cancel();
        vm.warp(now_);
    }

    function test_TheLastWord_ReachesTheEscrow() public {
        vm.warp(END);
        Statement memory s = _statement(id);
        (s.asOf, s.last) = (END, true);
        _post(committee, _leaf(s));
        committee.submitFromRoot(s, new bytes32[](0));
        _expectFigures(WORK, DUE, END, true);
    }

    // ---------------------------------------------------------------- refused

    function test_WhenTheRootWasNotPosted_Reverts() public {
        Statement memory s = _statement(id);
        _unposted(s, new bytes32[](0), _leaf(s));
        // another committee's root does not count for this one
        _post(majority, _leaf(s));
        _unposted(s, new bytes32[](0), _leaf(s));
        _nothingCame();
    }

    function test_WhenTheProofLeadsElsewhere_Reverts() public {
        Statement[] memory s = _grove(4);
        bytes32[] memory leaves = _leaves(s);
        (bytes32 root, bytes32[] memory proof) = _tree(leaves, 0);
        _post(committee, root);
        bytes32 right = _pair(leaves[2], leaves[3]);
        // the sibling's proof
        (, bytes32[] memory siblings) = _tree(leaves, 1);
        _unposted(s[0], siblings, _pair(_pair(leaves[0], leaves[0]), right));
        // the other way round
        (proof[0], proof[1]) = (proof[1], proof[0]);
        _unposted(s[0], proof, _pair(_pair(leaves[0], right), leaves[1]));
        // cut, and one step too many
        bytes32[] memory cut = new bytes32[](1);
        cut[0] = leaves[1];
        _unposted(s[0], cut, _pair(leaves[0], leaves[1]));
        (proof[0], proof[1]) = (proof[1], proof[0]);
        _unposted(s[0], _append(proof, root), _pair(root, root));
        assertEq(escrow.lease(id).asOf, 0);
    }

    function test_WhenTheStatementIsAltered_Reverts() public {
        _post(committee, _leaf(_statement(id)));
        for (uint256 i; i < 6; ++i) {
            Statement memory altered = _statement(id);
            if (i == 0) altered.lease = other;
            if (i == 1) altered.asOf += EPOCH;
            if (i == 2) altered.work += 1;
            if (i == 3) altered.due += 1;
            if (i == 4) altered.evidence = 0;
            if (i == 5) altered.last = true;
            _unposted(altered, new bytes32[](0), _leaf(altered));
        }
        _nothingCame();
    }

    function test_AStatementHashedOnceIs_NoLeaf() public {
        Statement memory s = _statement(id);
        _post(committee, keccak256(abi.encode(STATEMENT, s)));
        _unposted(s, new bytes32[](0), _leaf(s));
    }

    function test_AnInnerNode_IsNobodysStatement() public {
        Statement[] memory s = _grove(4);
        bytes32[] memory leaves = _leaves(s);
        (bytes32 root,) = _tree(leaves, 0);
        _post(committee, root);
        // the 64 bytes under an inner node in place of a statement's hash: hashed once more they
        // are something else
        bytes32[] memory proof = new bytes32[](1);
        proof[0] = _pair(leaves[2], leaves[3]);
        bytes32 inner = _pair(leaves[0], leaves[1]);
        assertEq(_pair(inner, proof[0]), root);
        Statement memory forged = _statement(id);
        forged.evidence = inner;
        _unposted(forged, proof, _pair(_leaf(forged), proof[0]));
        assertEq(committee.postedAt(_pair(keccak256(abi.encode(inner)), proof[0])), 0);
    }

    function test_WhenUnusedBitsAreSet_Reverts() public {
        Statement memory s = _statement(id);
        // the hash of the bytes that are really sent, so that only its unused bits are wrong
        bytes32 dirty = keccak256(
            abi.encode(
                STATEMENT, s.lease, (1 << 40) | uint256(s.asOf), uint256(s.work), uint256(s.due), s.evidence, false
            )
        );
        _post(committee, keccak256(abi.encode(dirty)));
        bytes memory data = abi.encodeCall(committee.submitFromRoot, (s, new bytes32[](0)));
        uint256 asOf = (1 << 40) | uint256(s.asOf);
        assembly ("memory-safe") {
            mstore(add(data, 0x44), asOf)
        }
        (bool done, bytes memory reason) = address(committee).call(data);
        assertFalse(done);
        assertEq(reason.length, 0);
        _nothingCame();
    }

    // ---------------------------------------------------------------- batch and root

    function test_ABatchsSignatures_DoNotSignARoot() public {
        Statement[] memory s = _statements(_statement(id));
        bytes memory signatures = _signatures(committee, s, 0, 3);
        bytes32 hash = keccak256(abi.encode(STATEMENT, s[0]));
        bytes32[4] memory roots = [hash, keccak256(abi.encode(hash)), keccak256(bytes.concat(hash)), bytes32(0)];
        for (uint256 i; i < 4; ++i) {
            vm.expectPartialRevert(ICommitteeOracle.UnknownSigner.selector);
            committee.postRoot(roots[i], signatures);
        }
    }

    function test_ARootsSignatures_DoNotSignABatch() public {
        Statement[] memory s = _statements(_statement(id));
        bytes32 hash = keccak256(abi.encode(STATEMENT, s[0]));
        bytes32[3] memory roots = [hash, keccak256(abi.encode(hash)), keccak256(bytes.concat(hash))];
        for (uint256 i; i < 3; ++i) {
            bytes memory signatures = _over(committee.rootDigest(roots[i]), 0, 3);
            committee.postRoot(roots[i], signatures);
            vm.expectPartialRevert(ICommitteeOracle.UnknownSigner.selector);
            committee.submit(s, signatures);
        }
        _nothingCame();
    }

    /// @dev Otherwise a past holder of the keys could sign about leases and epochs to come, and
    /// replacing the keys would not help.
    function test_ARoot_SaysNothingOfTimesAfterItsPosting() public {
        Statement memory s = _entry(id, START + 2 * EPOCH, 5e17, 6e17, false);
        vm.warp(START + 2 * EPOCH - 1);
        bytes32 root = _leaf(s);
        _post(committee, root);
        uint256 posted = block.timestamp;
        vm.warp(START + 2 * EPOCH);
        vm.expectRevert(_error(ICommitteeOracle.StatementAfterRoot.selector, START + 2 * EPOCH, posted));
        committee.submitFromRoot(s, new bytes32[](0));
        s.asOf = START + EPOCH;
        root = _leaf(s);
        _post(committee, root);
        committee.submitFromRoot(s, new bytes32[](0));
        // the cap by then: 1.25 of 3.6e17
        assertEq(escrow.lease(id).credited, 4.5e17);
    }

    /// @dev Where block times lag, a root may be posted a second before what it speaks of.
    function test_ARootPostedEarly_IsRenewedByPostingItAgain() public {
        Statement memory s = _entry(id, START + 2 * EPOCH, 5e17, 6e17, false);
        bytes32 root = _leaf(s);
        vm.warp(START + 2 * EPOCH - 1);
        _post(committee, root);
        vm.warp(START + 2 * EPOCH + 10);
        vm.expectEmit(address(committee));
        emit ICommitteeOracle.RootPosted(root);
        _post(committee, root);
        assertEq(committee.postedAt(root), START + 2 * EPOCH + 10);
        committee.submitFromRoot(s, new bytes32[](0));
        assertEq(escrow.lease(id).credited, 5e17);
    }

    /// @dev A key that was replaced says nothing of later times, also by posting again.
    function test_ARootOfReplacedKeys_IsNotRenewed() public {
        bytes32 root = keccak256("root");
        bytes memory signatures = _over(committee.rootDigest(root), 0, 3);
        committee.postRoot(root, signatures);
        vm.prank(memberOwners[1]);
        committee.replaceKey(makeAddr("another key"));
        skip(1);
        vm.expectRevert(abi.encodeWithSelector(ICommitteeOracle.UnknownSigner.selector, 1, members[1].addr));
        committee.postRoot(root, signatures);
        assertEq(committee.postedAt(root), block.timestamp - 1);
    }
}
