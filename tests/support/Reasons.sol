// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {EthashJob, Job} from "contracts/src/verify/JobLib.sol";
import {JobRules, LeaseTerms} from "contracts/src/verify/JobRules.sol";
import {HeaderShare, ShareRules} from "contracts/src/verify/ShareRules.sol";

/// @title The rules' verdicts by the codes that nodes give
/// @notice Calls the rules from outside, so that their errors can be seen.
contract Reasons {
    mapping(bytes4 selector => string) private _codes;

    error NoRule(bytes reason);

    constructor() {
        _codes[JobRules.OtherLease.selector] = "other-lease";
        _codes[JobRules.JobWindow.selector] = "job-window";
        _codes[JobRules.JobOutsideLease.selector] = "job-outside-lease";
        _codes[JobRules.JobKind.selector] = "job-kind";
        _codes[JobRules.JobCoinbase.selector] = "job-coinbase";
        _codes[JobRules.JobTail.selector] = "job-tail";
        _codes[JobRules.JobBranch.selector] = "job-branch";
        _codes[JobRules.JobVersionMask.selector] = "job-version-mask";
        _codes[JobRules.JobNoncePrefix.selector] = "job-nonce-prefix";
        _codes[JobRules.JobBlock.selector] = "job-block";
        _codes[JobRules.JobOutsideEpoch.selector] = "job-outside-epoch";
        _codes[JobRules.JobUnsigned.selector] = "job-unsigned";
        _codes[JobRules.JobSignature.selector] = "job-signature";
        _codes[ShareRules.ExtranonceLength.selector] = "extranonce-length";
        _codes[ShareRules.VersionOutsideMask.selector] = "version-outside-mask";
        _codes[ShareRules.NtimeTooEarly.selector] = "ntime-too-early";
        _codes[ShareRules.NtimeTooLate.selector] = "ntime-too-late";
        _codes[ShareRules.OutsideEpoch.selector] = "outside-epoch";
        _codes[ShareRules.NonceOutsidePrefix.selector] = "nonce-outside-prefix";
        _codes[ShareRules.NonceOfOtherEpoch.selector] = "nonce-of-other-epoch";
        _codes[ShareRules.AboveTarget.selector] = "above-target";
    }

    function check(LeaseTerms calldata lease, Job calldata job, bytes calldata signature) external pure {
        JobRules.check(lease, job, signature);
    }

    function check(LeaseTerms calldata lease, EthashJob calldata job, bytes calldata signature) external pure {
        JobRules.check(lease, job, signature);
    }

    function check(LeaseTerms calldata lease, Job calldata job, HeaderShare calldata share)
        external
        pure
        returns (uint256)
    {
        return ShareRules.check(lease, job, share);
    }

    function check(LeaseTerms calldata lease, EthashJob calldata job, uint64 nonce) external pure returns (uint256) {
        return ShareRules.check(lease, job, nonce);
    }

    function checkWork(LeaseTerms calldata lease, uint256 hash) external pure {
        ShareRules.checkWork(lease, hash);
    }

    // ---------------------------------------------------------------- codes, "" for a good one

    function ofJob(LeaseTerms memory lease, Job memory job, bytes memory signature)
        external
        view
        returns (string memory)
    {
        try this.check(lease, job, signature) {
            return "";
        } catch (bytes memory reason) {
            return _code(reason);
        }
    }

    function ofJob(LeaseTerms memory lease, EthashJob memory job, bytes memory signature)
        external
        view
        returns (string memory)
    {
        try this.check(lease, job, signature) {
            return "";
        } catch (bytes memory reason) {
            return _code(reason);
        }
    }

    function ofShare(LeaseTerms memory lease, Job memory job, HeaderShare memory share)
        external
        view
        returns (string memory code, uint256 epoch)
    {
        try this.check(lease, job, share) returns (uint256 found) {
            epoch = found;
        } catch (bytes memory reason) {
            code = _code(reason);
        }
    }

    function ofShare(LeaseTerms memory lease, EthashJob memory job, uint64 nonce)
        external
        view
        returns (string memory code, uint256 epoch)
    {
        try this.check(lease, job, nonce) returns (uint256 found) {
            epoch = found;
        } catch (bytes memory reason) {
            code = _code(reason);
        }
    }

    function ofWork(LeaseTerms memory lease, uint256 hash) external view returns (string memory) {
        try this.checkWork(lease, hash) {
            return "";
        } catch (bytes memory reason) {
            return _code(reason);
        }
    }

    function _code(bytes memory reason) private view returns (string memory code) {
        // casting to 'bytes4' is safe because the length is checked next
        // forge-lint: disable-next-line(unsafe-typecast)
        code = _codes[bytes4(reason)];
        require(reason.length == 4 && bytes(code).length != 0, NoRule(reason));
    }
}
