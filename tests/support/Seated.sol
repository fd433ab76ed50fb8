// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ICommitteeOracle} from "contracts/src/interfaces/ICommitteeOracle.sol";
import {Offer, Statement} from "contracts/src/interfaces/LeaseTypes.sol";
import {CommitteeOracle} from "contracts/src/oracles/CommitteeOracle.sol";
import {Rented} from "tests/support/Rented.sol";

/// @title Fixture of the tests of committees
/// @notice The example lease is the 3-of-3 committee's, `other` the 2-of-3's; one epoch has passed.
abstract contract Seated is Rented {
    uint96 internal constant WORK = 3e17;
    uint96 internal constant DUE = 3.5e17;

    uint256 internal other;

    function setUp() public virtual override {
        super.setUp();
        Offer memory o = _offer();
        o.oracle = majorityId;
        other = _rent(o, _request());
        vm.warp(START + EPOCH);
    }

    function _statement(uint256 lease) internal pure returns (Statement memory) {
        return Statement({
            lease: lease, asOf: START + EPOCH, work: WORK, due: DUE, evidence: keccak256("evidence"), last: false
        });
    }

    /// @dev Signatures of members `from` up to, but not including, `to`.
    function _over(bytes32 digest, uint256 from, uint256 to) internal view returns (bytes memory all) {
        for (uint256 i = from; i < to; ++i) {
            all = bytes.concat(all, _signature(members[i].key, digest));
        }
    }

    function _nothingCame() internal view {
        assertEq(escrow.lease(id).asOf, 0);
        assertEq(escrow.lease(other).asOf, 0);
    }

    function _refused(CommitteeOracle oracle, Statement[] memory s, bytes memory signatures, bytes memory error)
        internal
    {
        vm.expectRevert(error);
        oracle.submit(s, signatures);
        _nothingCame();
    }

    function _unknown(uint256 index, address signer) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(ICommitteeOracle.UnknownSigner.selector, index, signer);
    }
}
