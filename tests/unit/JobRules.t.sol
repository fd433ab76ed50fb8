// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {
    ALGORITHM_ETCHASH,
    ALGORITHM_ETHASH,
    ALGORITHM_SCRYPT,
    ALGORITHM_SHA256D
} from "contracts/src/interfaces/LeaseTypes.sol";
import {EthashJob, Job, JobLib} from "contracts/src/verify/JobLib.sol";
import {LeaseTerms} from "contracts/src/verify/JobRules.sol";
import {HeaderShare} from "contracts/src/verify/ShareRules.sol";
import {Test} from "forge-std/Test.sol";
import {Reasons} from "tests/support/Reasons.sol";

/// @notice What `tests/vectors/shares.json` can't hold; its limits are tried by
/// `tests/differential/Shares.t.sol`.
contract JobRulesTest is Test {
    uint40 private constant START = 1_760_000_000;
    bytes32 private constant DOMAIN = keccak256("domain");

    Reasons private reasons;
    Account private signer;

    function setUp() public {
        reasons = new Reasons();
        signer = makeAccount("job signer");
    }

    // ---------------------------------------------------------------- making

    function _lease(uint8 algorithm) private view returns (LeaseTerms memory) {
        return LeaseTerms({
            id: 7,
            domain: DOMAIN,
            jobSigner: signer.addr,
            algorithm: algorithm,
            weightLog2: 20,
            start: START,
            duration: 6 hours,
            end: START + 6 hours,
            epochLength: 1 hours
        });
    }

    function _job() private pure returns (Job memory j) {
        (j.lease, j.notBefore, j.notAfter) = (7, START + 2 hours, START + 2 hours + 90);
        (j.tailLength, j.coinbasePrefix, j.coinbaseSuffix) = (8, new bytes(100), new bytes(90));
    }

    function _ethashJob() private pure returns (EthashJob memory j) {
        (j.lease, j.notBefore, j.notAfter) = (7, START + 2 hours, START + 2 hours + 30);
        j.noncePrefix = hex"ab";
    }

    function _sign(bytes32 structHash) private view returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(signer.key, keccak256(abi.encodePacked(hex"1901", DOMAIN, structHash)));
        return abi.encodePacked(r, s, v);
    }

    function _expect(LeaseTerms memory lease, Job memory job, string memory code) private view {
        assertEq(reasons.ofJob(lease, job, _sign(JobLib.hash(job))), code);
    }

    function _expect(LeaseTerms memory lease, EthashJob memory job, string memory code) private view {
        assertEq(reasons.ofJob(lease, job, _sign(JobLib.hash(job))), code);
    }

    // ---------------------------------------------------------------- kinds

    function test_AHeaderJob_IsForSha256dAndScrypt() public view {
        _expect(_lease(ALGORITHM_SHA256D), _job(), "");
        _expect(_lease(ALGORITHM_SCRYPT), _job(), "");
        _expect(_lease(ALGORITHM_ETHASH), _job(), "job-kind");
        _expect(_lease(ALGORITHM_ETCHASH), _job(), "job-kind");
        _expect(_lease(0), _job(), "job-kind");
        _expect(_lease(5), _job(), "job-kind");
    }

    function test_AnEthashJob_IsForEthashAndEtchash() public view {
        _expect(_lease(ALGORITHM_ETHASH), _ethashJob(), "");
        _expect(_lease(ALGORITHM_ETCHASH), _ethashJob(), "");
        _expect(_lease(ALGORITHM_SHA256D), _ethashJob(), "job-kind");
        _expect(_lease(ALGORITHM_SCRYPT), _ethashJob(), "job-kind");
        _expect(_lease(0), _ethashJob(), "job-kind");
        _expect(_lease(5), _ethashJob(), "job-kind");
    }

    // ---------------------------------------------------------------- the signature

    function test_TheSignature_IsOf65Bytes() public view {
        LeaseTerms memory lease = _lease(ALGORITHM_SHA256D);
        bytes memory signature = _sign(JobLib.hash(_job()));
        assertEq(reasons.ofJob(lease, _job(), signature), "");
        assertEq(reasons.ofJob(lease, _job(), bytes.concat(signature, hex"00")), "job-signature");
        assertEq(reasons.ofJob(lease, _job(), ""), "job-signature");
        assertEq(reasons.ofJob(lease, _job(), new bytes(64)), "job-signature");
        assertEq(reasons.ofJob(lease, _job(), new bytes(65)), "job-unsigned");
    }

    /// @dev `ecrecover` answers zero to nonsense.
    function test_TheSignature_OfNobodyIsNoSignature() public view {
        LeaseTerms memory lease = _lease(ALGORITHM_SHA256D);
        lease.jobSigner = address(0);
        bytes memory signature = _sign(JobLib.hash(_job()));
        signature[64] = 0x01;
        assertEq(reasons.ofJob(lease, _job(), signature), "job-signature");
    }

    // ---------------------------------------------------------------- the end

    function test_AShortenedEnd_MakesNoJobBad() public view {
        LeaseTerms memory lease = _lease(ALGORITHM_SHA256D);
        lease.end = START + 1 hours;
        _expect(lease, _job(), "");
        lease = _lease(ALGORITHM_ETHASH);
        lease.end = START + 1 hours;
        _expect(lease, _ethashJob(), "");
    }

    function test_AShortenedEnd_CutsItsShares() public view {
        LeaseTerms memory lease = _lease(ALGORITHM_SHA256D);
        // casting to 'uint32' is safe because the start is a constant before 2106
        // forge-lint: disable-next-line(unsafe-typecast)
        uint32 ntime = uint32(START) + 2 hours;
        HeaderShare memory share = HeaderShare({tail: new bytes(8), ntime: ntime, nonce: 1, version: 0});
        uint64 nonce = 0xab02 << 48;
        (string memory code, uint256 epoch) = reasons.ofShare(lease, _job(), share);
        assertEq(code, "");
        assertEq(epoch, 2);
        (code, epoch) = reasons.ofShare(lease, _ethashJob(), nonce);
        assertEq(code, "");
        assertEq(epoch, 2);
        lease.end = START + 2 hours;
        (code,) = reasons.ofShare(lease, _job(), share);
        assertEq(code, "outside-epoch");
        (code,) = reasons.ofShare(lease, _ethashJob(), nonce);
        assertEq(code, "outside-epoch");
    }
}
