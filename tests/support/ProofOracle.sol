// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Statement} from "contracts/src/interfaces/LeaseTypes.sol";
import {Schedule} from "contracts/src/libraries/Packed.sol";
import {SafeCastLib} from "solady/utils/SafeCastLib.sol";

/// @title A proof oracle without proofs
/// @notice Walks the whole life of a proof lease on the escrow's own calls: commit, challenge,
/// answer or void, finalise, last. An answer is right if its caller says so.
contract ProofOracle {
    uint256 internal constant STEP = 48 hours;

    enum State {
        None,
        Committed,
        Final,
        Void
    }

    struct Claim {
        uint96 count;
        uint40 committed;
        uint40 answerUntil;
        address challenger;
        State state;
    }

    ILeaseEscrow private immutable ESCROW;
    mapping(uint256 lease => mapping(uint32 epoch => Claim)) public claims;
    /// @notice Work of final epochs, and their number from the first one on that are decided.
    mapping(uint256 lease => uint96) public work;
    mapping(uint256 lease => uint32) public decided;

    error NotProvider();
    error NotJobSigner();
    error WrongTime();
    error WrongState();
    error NotBooked();

    constructor(ILeaseEscrow escrow) {
        ESCROW = escrow;
    }

    /// @notice By the provider, within two days of the epoch's end. A claim is of whole shares.
    function commit(uint256 lease, uint32 epoch, uint96 count) external {
        (Schedule schedule, address provider,) = ESCROW.quickView(lease);
        require(msg.sender == provider, NotProvider());
        uint256 end = _end(schedule, epoch);
        require(end <= schedule.end() && block.timestamp >= end && block.timestamp < end + STEP, WrongTime());
        Claim storage claim = claims[lease][epoch];
        require(claim.state == State.None, WrongState());
        (claim.count, claim.state) = (count, State.Committed);
        claim.committed = SafeCastLib.toUint40(block.timestamp);
    }

    /// @notice By anyone, within two days of the commit.
    function challenge(uint256 lease, uint32 epoch) external {
        Claim storage claim = claims[lease][epoch];
        require(claim.state == State.Committed && claim.challenger == address(0), WrongState());
        require(block.timestamp < claim.committed + STEP, WrongTime());
        claim.challenger = msg.sender;
        claim.answerUntil = SafeCastLib.toUint40(block.timestamp + STEP);
    }

    /// @notice The opening that a job signer signed for.
    function answer(uint256 lease, uint32 epoch, address signer) external {
        (,, address jobSigner) = ESCROW.quickView(lease);
        require(signer == jobSigner, NotJobSigner());
        Claim storage claim = claims[lease][epoch];
        require(claim.challenger != address(0) && block.timestamp < claim.answerUntil, WrongTime());
        claim.challenger = address(0);
    }

    /// @notice Of a claim whose challenge was not answered in time.
    function voidClaim(uint256 lease, uint32 epoch) external {
        Claim storage claim = claims[lease][epoch];
        require(claim.state == State.Committed && claim.challenger != address(0), WrongState());
        require(block.timestamp >= claim.answerUntil, WrongTime());
        claim.state = State.Void;
        ESCROW.voidEpoch(lease, epoch, claim.challenger);
    }

    /// @notice Books the next epoch that is decided: committed and unchallenged, void, or never
    /// committed. With the lease's last epoch comes the last word.
    function finalise(uint256 lease) external {
        uint32 epoch = decided[lease]++;
        (Schedule schedule,,) = ESCROW.quickView(lease);
        Claim storage claim = claims[lease][epoch];
        if (claim.state == State.Committed) {
            require(claim.challenger == address(0) && block.timestamp >= claim.committed + STEP, WrongTime());
            claim.state = State.Final;
            work[lease] += SafeCastLib.toUint96(uint256(claim.count) << schedule.weightLog2());
        } else if (claim.state == State.None) {
            require(block.timestamp >= _end(schedule, epoch) + STEP, WrongTime());
        }
        Statement[] memory statements = new Statement[](1);
        uint256 asOf = _end(schedule, epoch);
        statements[0] = Statement({
            lease: lease,
            asOf: SafeCastLib.toUint40(asOf),
            work: work[lease],
            due: 0,
            evidence: bytes32(0),
            last: asOf == schedule.end()
        });
        (uint256 changed,) = ESCROW.credit(statements);
        require(changed == 1, NotBooked());
    }

    function _end(Schedule schedule, uint32 epoch) private pure returns (uint256) {
        return schedule.start() + (uint256(epoch) + 1) * schedule.epochLength();
    }
}
