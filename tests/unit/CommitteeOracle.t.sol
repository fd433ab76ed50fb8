// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ICommitteeOracle} from "contracts/src/interfaces/ICommitteeOracle.sol";
import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Offer, Statement} from "contracts/src/interfaces/LeaseTypes.sol";
import {Seated} from "tests/support/Seated.sol";

/// @notice Signed batches. `CommitteeMembers.t.sol` tests seats and keys, `CommitteeRoot.t.sol`
/// roots.
contract CommitteeOracleTest is Seated {
    uint256 private constant ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;

    // ---------------------------------------------------------------- submitting

    function test_ThreeOfThree_CreditALease() public {
        Statement[] memory s = _statements(_statement(id));
        bytes memory signatures = _signatures(committee, s, 0, 3);
        vm.expectEmit(address(escrow));
        emit ILeaseEscrow.Credited(id, WORK, DUE, START + EPOCH, keccak256("evidence"));
        vm.prank(stranger);
        committee.submit(s, signatures);
        _expectFigures(WORK, DUE, START + EPOCH, false);
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
        _expectFigures(WORK, DUE, END, true);
    }

    function test_AHundredStatements_ReachTheEscrowInOneCall() public {
        vm.warp(NOW);
        Offer memory o = _offer();
        (o.hashRate, o.salt) = (100 * RATE, 1);
        Statement[] memory s = new Statement[](100);
        for (uint96 i; i < 100; ++i) {
            s[i] = _statement(_rent(o, _request()));
            (s[i].work, s[i].due, s[i].evidence) = (WORK - i, DUE - i, keccak256(abi.encode(i)));
        }
        vm.warp(START + EPOCH);
        bytes memory signatures = _signatures(committee, s, 0, 3);
        for (uint256 i; i < 100; ++i) {
            vm.expectEmit(address(escrow));
            emit ILeaseEscrow.Credited(s[i].lease, s[i].work, s[i].due, s[i].asOf, s[i].evidence);
        }
        committee.submit(s, signatures);
    }

    function test_AReplay_IsHarmless() public {
        Statement[] memory s = _statements(_statement(id));
        bytes memory signatures = _signatures(committee, s, 0, 3);
        committee.submit(s, signatures);
        Statement[] memory later = _statements(_statement(id));
        later[0].work += 1;
        committee.submit(later, _signatures(committee, later, 0, 3));
        bytes32 before = _state();
        vm.recordLogs();
        committee.submit(s, signatures);
        assertEq(vm.getRecordedLogs().length, 0);
        assertEq(_state(), before);
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

    // ---------------------------------------------------------------- refused as a whole

    function test_WhenTheBatchIsTooLong_Reverts() public {
        Statement[] memory s = new Statement[](101);
        _refused(committee, s, _signatures(committee, s, 0, 3), _error(ILeaseEscrow.BatchTooLong.selector, 100, 101));
    }

    function test_WhenTheBatchIsEmpty_Reverts() public {
        Statement[] memory s = new Statement[](0);
        bytes memory error = abi.encodeWithSelector(ICommitteeOracle.EmptyBatch.selector);
        _refused(committee, s, _signatures(committee, s, 0, 3), error);
    }

    /// @dev Puts `value` in place of word `word` of the only statement.
    function _put(bytes memory data, uint256 head, uint256 word, uint256 value) private pure {
        // selector, offsets, count
        uint256 at = 4 + 0x20 * (head + 1 + word);
        assembly ("memory-safe") {
            mstore(add(add(data, 0x20), at), value)
        }
    }

    /// @dev Signed as it is, unused bits included.
    function _submitWith(uint256 word, uint256 value) private returns (bool done, bytes memory reason) {
        Statement[] memory s = _statements(_statement(id));
        bytes memory question = abi.encodeCall(committee.batchDigest, (s));
        _put(question, 1, word, value);
        (bool answered, bytes memory answer) = address(committee).staticcall(question);
        assertTrue(answered);
        bytes32 digest = abi.decode(answer, (bytes32));
        bytes memory data = abi.encodeCall(committee.submit, (s, _over(digest, 0, 3)));
        _put(data, 2, word, value);
        (done, reason) = address(committee).call(data);
    }

    function test_WhenUnusedBitsAreSet_Reverts() public {
        uint256[4] memory words = [uint256(1), 2, 3, 5];
        uint256[4] memory values = [(1 << 40) | uint256(START + EPOCH), (1 << 96) | WORK, (1 << 96) | DUE, 2];
        for (uint256 i; i < 4; ++i) {
            (bool done, bytes memory reason) = _submitWith(words[i], values[i]);
            assertFalse(done);
            assertEq(reason.length, 0, "the signatures were right");
            _nothingCame();
        }
        (bool clean,) = _submitWith(3, 5);
        assertTrue(clean);
        _expectFigures(WORK, 5, START + EPOCH, false);
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
        _refused(committee, s, hex"00", _error(selector, 1));
    }

    function test_WhenAMemberSignsTwice_Reverts() public {
        Statement[] memory s = _statements(_statement(other));
        bytes memory one = _signatures(majority, s, 1, 2);
        bytes memory error = _error(ICommitteeOracle.SignersNotAscending.selector, 1);
        _refused(majority, s, bytes.concat(one, one), error);
        // the order is part of the rule, too
        _refused(majority, s, bytes.concat(one, _signatures(majority, s, 0, 1)), error);
        // also beyond the threshold
        bytes memory all = bytes.concat(_signatures(majority, s, 0, 2), one);
        _refused(majority, s, all, _error(ICommitteeOracle.SignersNotAscending.selector, 2));
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
        _nothingCame();
    }

    function test_WhenTheBatchIsAnother_Reverts() public {
        Statement[] memory s = new Statement[](2);
        (s[0], s[1]) = (_statement(id), _statement(other));
        bytes memory signatures = _signatures(committee, s, 0, 3);
        // one of two, and the two in the other order
        vm.expectPartialRevert(ICommitteeOracle.UnknownSigner.selector);
        committee.submit(_statements(s[0]), signatures);
        (s[0], s[1]) = (s[1], s[0]);
        vm.expectPartialRevert(ICommitteeOracle.UnknownSigner.selector);
        committee.submit(s, signatures);
        _nothingCame();
    }

    function test_WhenSignedForAnotherCommittee_Reverts() public {
        Statement[] memory s = _statements(_statement(other));
        bytes memory signatures = _signatures(committee, s, 0, 3);
        vm.expectPartialRevert(ICommitteeOracle.UnknownSigner.selector);
        majority.submit(s, signatures);
        _nothingCame();
    }

    function test_WhenSignedForAnotherChain_Reverts() public {
        Statement[] memory s = _statements(_statement(id));
        bytes memory signatures = _signatures(committee, s, 0, 3);
        uint256 chain = block.chainid;
        vm.chainId(chain + 1);
        vm.expectPartialRevert(ICommitteeOracle.UnknownSigner.selector);
        committee.submit(s, signatures);
        vm.chainId(chain);
        committee.submit(s, signatures);
        assertEq(escrow.lease(id).credited, WORK);
    }

    // ---------------------------------------------------------------- digests

    function test_TheDigests_AreThoseOfEip712() public view {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Hashlease"),
                keccak256("1"),
                block.chainid,
                address(committee)
            )
        );
        string memory statement =
            "Statement(uint256 lease,uint40 asOf,uint96 work,uint96 due,bytes32 evidence,bool last)";
        bytes32 inner = keccak256(
            abi.encode(keccak256(bytes(statement)), id, START + EPOCH, WORK, DUE, keccak256("evidence"), false)
        );
        bytes32 batch = keccak256(
            abi.encode(
                keccak256(bytes(string.concat("Batch(Statement[] statements)", statement))),
                keccak256(abi.encodePacked(inner, inner))
            )
        );
        Statement[] memory s = new Statement[](2);
        (s[0], s[1]) = (_statement(id), _statement(id));
        assertEq(committee.batchDigest(s), keccak256(abi.encodePacked(hex"1901", domain, batch)));
        bytes32 root = keccak256(abi.encode(keccak256("Root(bytes32 root)"), bytes32(uint256(7))));
        assertEq(committee.rootDigest(bytes32(uint256(7))), keccak256(abi.encodePacked(hex"1901", domain, root)));
    }
}
