// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {EthashJob, Job} from "contracts/src/verify/JobLib.sol";
import {LeaseTerms} from "contracts/src/verify/JobRules.sol";
import {HeaderShare, ShareRules} from "contracts/src/verify/ShareRules.sol";
import {Test} from "forge-std/Test.sol";
import {LibBit} from "solady/utils/LibBit.sol";
import {KeccakF} from "tests/support/KeccakF.sol";
import {Reasons} from "tests/support/Reasons.sol";

/// @notice Nodes judge jobs and shares by the rules as written in Solidity:
/// `tests/vectors/shares.json`, written by `crates/share/tests/vectors.rs`.
contract SharesDifferential is Test {
    string private json;
    Reasons private reasons;

    function setUp() public {
        reasons = new Reasons();
        json = vm.readFile("tests/vectors/shares.json");
    }

    // ---------------------------------------------------------------- reading

    function _numbers(string memory set, string memory column) private view returns (uint256[] memory) {
        return vm.parseJsonUintArray(json, string.concat(".", set, column));
    }

    function _words(string memory set, string memory column) private view returns (bytes32[] memory) {
        return vm.parseJsonBytes32Array(json, string.concat(".", set, column));
    }

    function _bytes(string memory set, string memory column) private view returns (bytes[] memory) {
        return vm.parseJsonBytesArray(json, string.concat(".", set, column));
    }

    function _texts(string memory set, string memory column) private view returns (string[] memory) {
        return vm.parseJsonStringArray(json, string.concat(".", set, column));
    }

    function _lease(string memory set) private view returns (LeaseTerms memory l) {
        string memory at = string.concat(".", set, ".lease.");
        l.id = vm.parseJsonUint(json, string.concat(at, "id"));
        l.algorithm = uint8(vm.parseJsonUint(json, string.concat(at, "algorithm")));
        l.start = vm.parseJsonUint(json, string.concat(at, "start"));
        l.end = vm.parseJsonUint(json, string.concat(at, "end"));
        l.duration = vm.parseJsonUint(json, string.concat(at, "duration"));
        l.epochLength = vm.parseJsonUint(json, string.concat(at, "epochLength"));
        l.weightLog2 = uint8(vm.parseJsonUint(json, string.concat(at, "weightLog2")));
        l.jobSigner = vm.parseJsonAddress(json, string.concat(at, "jobSigner"));
        l.domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Hashlease"),
                keccak256("1"),
                vm.parseJsonUint(json, string.concat(at, "chainId")),
                vm.parseJsonAddress(json, string.concat(at, "escrow"))
            )
        );
    }

    function _headerJobs(string memory set) private view returns (Job[] memory jobs) {
        uint256[][9] memory n = [
            _numbers(set, ".jobs.lease"),
            _numbers(set, ".jobs.sequence"),
            _numbers(set, ".jobs.nBits"),
            _numbers(set, ".jobs.version"),
            _numbers(set, ".jobs.versionMask"),
            _numbers(set, ".jobs.notBefore"),
            _numbers(set, ".jobs.notAfter"),
            _numbers(set, ".jobs.tailLength"),
            _numbers(set, ".jobs.branchLength")
        ];
        bytes32[] memory prevHash = _words(set, ".jobs.prevHash");
        bytes32[] memory branch = _words(set, ".jobs.branch");
        bytes[] memory prefix = _bytes(set, ".jobs.coinbasePrefix");
        bytes[] memory suffix = _bytes(set, ".jobs.coinbaseSuffix");
        jobs = new Job[](prevHash.length);
        uint256 from;
        for (uint256 i; i < jobs.length; ++i) {
            bytes32[] memory own = new bytes32[](n[8][i]);
            for (uint256 b; b < own.length; ++b) {
                own[b] = branch[from++];
            }
            jobs[i] = Job({
                lease: n[0][i],
                sequence: uint64(n[1][i]),
                prevHash: prevHash[i],
                nBits: uint32(n[2][i]),
                version: uint32(n[3][i]),
                versionMask: uint32(n[4][i]),
                notBefore: uint40(n[5][i]),
                notAfter: uint40(n[6][i]),
                coinbasePrefix: prefix[i],
                tailLength: uint8(n[7][i]),
                coinbaseSuffix: suffix[i],
                branch: own
            });
        }
        assertEq(from, branch.length, "all branches are read");
    }

    function _ethashJobs(string memory set) private view returns (EthashJob[] memory jobs) {
        uint256[][5] memory n = [
            _numbers(set, ".jobs.lease"),
            _numbers(set, ".jobs.sequence"),
            _numbers(set, ".jobs.blockNumber"),
            _numbers(set, ".jobs.notBefore"),
            _numbers(set, ".jobs.notAfter")
        ];
        bytes32[] memory sealHash = _words(set, ".jobs.sealHash");
        bytes[] memory prefix = _bytes(set, ".jobs.noncePrefix");
        jobs = new EthashJob[](sealHash.length);
        for (uint256 i; i < jobs.length; ++i) {
            jobs[i] = EthashJob({
                lease: n[0][i],
                sequence: uint64(n[1][i]),
                sealHash: sealHash[i],
                blockNumber: uint64(n[2][i]),
                noncePrefix: prefix[i],
                notBefore: uint40(n[3][i]),
                notAfter: uint40(n[4][i])
            });
        }
    }

    function _headerShares(string memory set) private view returns (HeaderShare[] memory shares) {
        bytes[] memory tail = _bytes(set, ".shares.tail");
        uint256[] memory ntime = _numbers(set, ".shares.ntime");
        uint256[] memory nonce = _numbers(set, ".shares.nonce");
        uint256[] memory version = _numbers(set, ".shares.version");
        shares = new HeaderShare[](tail.length);
        for (uint256 i; i < shares.length; ++i) {
            shares[i] = HeaderShare(tail[i], uint32(ntime[i]), uint32(nonce[i]), uint32(version[i]));
        }
    }

    /// @dev The nodes' verdict on each share: its job, the rule it breaks, and the hashed bytes.
    struct Verdicts {
        uint256[] job;
        string[] refused;
        bytes32[] key;
        uint256[] hash;
        uint256[] epoch;
    }

    function _verdicts(string memory set) private view returns (Verdicts memory v) {
        v.job = _numbers(set, ".shares.job");
        v.refused = _texts(set, ".shares.refused");
        v.key = _words(set, ".shares.key");
        v.hash = _numbers(set, ".shares.hash");
        v.epoch = _numbers(set, ".shares.epoch");
        string[] memory refused = _texts(set, ".jobs.refused");
        for (uint256 i; i < v.job.length; ++i) {
            assertEq(refused[v.job[i]], "", "only a good job has shares");
        }
    }

    // ---------------------------------------------------------------- verdicts

    function test_TheVerdictsOnJobs_AreThoseOfTheRules() public view {
        string[2] memory sets = ["sha256d", "scrypt"];
        for (uint256 s; s < 2; ++s) {
            LeaseTerms memory l = _lease(sets[s]);
            Job[] memory jobs = _headerJobs(sets[s]);
            bytes[] memory signature = _bytes(sets[s], ".jobs.signature");
            string[] memory refused = _texts(sets[s], ".jobs.refused");
            string[] memory name = _texts(sets[s], ".jobs.name");
            assertGt(jobs.length, 50);
            for (uint256 i; i < jobs.length; ++i) {
                assertEq(reasons.ofJob(l, jobs[i], signature[i]), refused[i], name[i]);
            }
        }
    }

    function test_TheVerdictsOnEthashJobs_AreThoseOfTheRules() public view {
        string[2] memory sets = ["ethash", "etchash"];
        for (uint256 s; s < 2; ++s) {
            LeaseTerms memory l = _lease(sets[s]);
            EthashJob[] memory jobs = _ethashJobs(sets[s]);
            bytes[] memory signature = _bytes(sets[s], ".jobs.signature");
            string[] memory refused = _texts(sets[s], ".jobs.refused");
            string[] memory name = _texts(sets[s], ".jobs.name");
            assertGt(jobs.length, 35);
            for (uint256 i; i < jobs.length; ++i) {
                assertEq(reasons.ofJob(l, jobs[i], signature[i]), refused[i], name[i]);
            }
        }
    }

    function test_TheVerdictsOfSha256d_AreThoseOfTheRules() public view {
        _headers("sha256d", false);
    }

    /// @dev The EVM has no scrypt, so the hash itself comes from the file.
    function test_TheVerdictsOfScrypt_AreThoseOfTheRules() public view {
        _headers("scrypt", true);
    }

    function _headers(string memory set, bool scrypt) private view {
        LeaseTerms memory l = _lease(set);
        Job[] memory jobs = _headerJobs(set);
        HeaderShare[] memory shares = _headerShares(set);
        Verdicts memory v = _verdicts(set);
        assertGt(shares.length, 500);
        for (uint256 i; i < shares.length; ++i) {
            string memory at = string.concat(set, " share ", vm.toString(i));
            Job memory job = jobs[v.job[i]];
            (string memory rule, uint256 epoch) = reasons.ofShare(l, job, shares[i]);
            if (bytes(rule).length == 0) {
                bytes32 digest = ShareRules.sha256d(ShareRules.header(job, shares[i]));
                assertEq(v.key[i], digest, at);
                if (!scrypt) assertEq(v.hash[i], ShareRules.toNumber(digest), at);
                assertEq(v.epoch[i], epoch, at);
                rule = reasons.ofWork(l, v.hash[i]);
            }
            assertEq(v.refused[i], rule, at);
        }
    }

    function test_TheVerdictsOfEthash_AreThoseOfTheRules() public view {
        _seals("ethash");
    }

    function test_TheVerdictsOfEtchash_AreThoseOfTheRules() public view {
        _seals("etchash");
    }

    /// @dev The EVM has no dataset, so the mix comes from the file.
    function _seals(string memory set) private view {
        LeaseTerms memory l = _lease(set);
        EthashJob[] memory jobs = _ethashJobs(set);
        uint256[] memory nonces = _numbers(set, ".shares.nonce");
        bytes32[] memory mix = _words(set, ".shares.mix");
        Verdicts memory v = _verdicts(set);
        assertGt(nonces.length, 100);
        for (uint256 i; i < nonces.length; ++i) {
            string memory at = string.concat(set, " share ", vm.toString(i));
            EthashJob memory job = jobs[v.job[i]];
            uint64 nonce = uint64(nonces[i]);
            (string memory rule, uint256 epoch) = reasons.ofShare(l, job, nonce);
            if (bytes(rule).length == 0) {
                assertEq(v.key[i], ShareRules.ethashKey(job.sealHash, nonce), at);
                assertEq(v.hash[i], _ethashResult(job.sealHash, nonce, mix[i]), at);
                assertEq(v.epoch[i], epoch, at);
                rule = reasons.ofWork(l, v.hash[i]);
            }
            assertEq(v.refused[i], rule, at);
        }
    }

    /// @dev The number of a mix that the target is compared with.
    function _ethashResult(bytes32 sealHash, uint64 nonce, bytes32 mix) private pure returns (uint256) {
        bytes8 reversed = bytes8(bytes32(LibBit.reverseBytes(nonce)));
        return uint256(keccak256(bytes.concat(KeccakF.keccak512(bytes.concat(sealHash, reversed)), mix)));
    }

    /// @dev The same steps that compute Keccak-512 give the EVM's own Keccak-256.
    function testFuzz_TheSteps_AreThoseOfTheEvm(bytes calldata message) public pure {
        bytes memory cut = message[:message.length < 135 ? message.length : 135];
        assertEq(bytes32(KeccakF.keccak256_(cut)), keccak256(cut));
    }
}
