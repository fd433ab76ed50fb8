// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {LeaseEscrow} from "contracts/src/escrow/LeaseEscrow.sol";
import {Offer, Statement} from "contracts/src/interfaces/LeaseTypes.sol";
import {LeaseLens} from "contracts/src/lens/LeaseLens.sol";
import {OfferLib} from "contracts/src/libraries/OfferLib.sol";
import {StatementLib} from "contracts/src/libraries/StatementLib.sol";
import {CommitteeOracle} from "contracts/src/oracles/CommitteeOracle.sol";
import {Job, JobLib} from "contracts/src/verify/JobLib.sol";
import {Test} from "forge-std/Test.sol";

/// @notice Contracts and nodes compute the same EIP-712 digests: `tests/vectors/eip712.json`,
/// written by `crates/primitives/tests/vectors.rs`.
contract Eip712Test is Test {
    string private json;
    LeaseEscrow private escrow;
    LeaseLens private lens;
    CommitteeOracle private oracle;

    function setUp() public {
        json = vm.readFile("tests/vectors/eip712.json");
        // deployed at the file's addresses, because a domain contains its contract
        address at = vm.parseJsonAddress(json, ".domains.escrow.verifyingContract");
        deployCodeTo("LeaseEscrow.sol:LeaseEscrow", abi.encode(address(this), address(this)), at);
        escrow = LeaseEscrow(payable(at));
        lens = new LeaseLens(at);
        address[] memory seats = new address[](1);
        seats[0] = vm.parseJsonAddress(json, ".key.address");
        at = vm.parseJsonAddress(json, ".domains.oracle.verifyingContract");
        deployCodeTo("CommitteeOracle.sol:CommitteeOracle", abi.encode(address(escrow), seats, seats, 1), at);
        oracle = CommitteeOracle(at);
    }

    // ---------------------------------------------------------------- reading

    function _path(string memory name, string memory key) private pure returns (string memory) {
        return string.concat(".structs.", name, ".", key);
    }

    function _field(string memory name, string memory key) private pure returns (string memory) {
        return _path(name, string.concat("fields.", key));
    }

    function _uint(string memory name, string memory key) private view returns (uint256) {
        return vm.parseJsonUint(json, _field(name, key));
    }

    function _word(string memory name, string memory key) private view returns (bytes32) {
        return vm.parseJsonBytes32(json, _path(name, key));
    }

    /// @dev The signer of the file's signature, over the digest that the contract computed.
    function _isSigned(string memory name, bytes32 digest) private view {
        assertEq(digest, _word(name, "digest"), name);
        bytes memory signature = vm.parseJsonBytes(json, _path(name, "signature"));
        (bytes32 r, bytes32 s) = abi.decode(signature, (bytes32, bytes32));
        assertEq(ecrecover(digest, uint8(signature[64]), r, s), vm.parseJsonAddress(json, ".key.address"), name);
    }

    // ---------------------------------------------------------------- domains

    function test_TheDomains_AreThoseOfTheNodes() public view {
        (, string memory name, string memory version, uint256 chainId, address at,,) = escrow.eip712Domain();
        assertEq(name, vm.parseJsonString(json, ".domains.escrow.name"));
        assertEq(version, vm.parseJsonString(json, ".domains.escrow.version"));
        assertEq(chainId, vm.parseJsonUint(json, ".domains.escrow.chainId"));
        assertEq(at, address(escrow));
        (, name, version, chainId, at,,) = oracle.eip712Domain();
        assertEq(name, vm.parseJsonString(json, ".domains.oracle.name"));
        assertEq(version, vm.parseJsonString(json, ".domains.oracle.version"));
        assertEq(chainId, vm.parseJsonUint(json, ".domains.oracle.chainId"));
        assertEq(at, address(oracle));
    }

    function test_TheTypes_AreThoseOfTheNodes() public view {
        assertEq(OfferLib.TYPEHASH, _word("Offer", "typeHash"));
        assertEq(JobLib.TYPEHASH, _word("Job", "typeHash"));
        assertEq(StatementLib.STATEMENT_TYPEHASH, _word("Statement", "typeHash"));
        assertEq(StatementLib.BATCH_TYPEHASH, _word("Batch", "typeHash"));
        assertEq(StatementLib.ROOT_TYPEHASH, _word("Root", "typeHash"));
        assertEq(OfferLib.ROOT_TYPEHASH, _word("OfferRoot", "typeHash"));
    }

    // ---------------------------------------------------------------- offer

    function test_AnOffer_HashesAsTheNodeSigned() public view {
        string memory n = "Offer";
        Offer memory o;
        o.provider = vm.parseJsonAddress(json, _field(n, "provider"));
        o.algorithm = uint8(_uint(n, "algorithm"));
        o.token = vm.parseJsonAddress(json, _field(n, "token"));
        o.price = uint128(_uint(n, "price"));
        o.hashRate = uint96(_uint(n, "hashRate"));
        o.minHashRate = uint96(_uint(n, "minHashRate"));
        o.epochLength = uint32(_uint(n, "epochLength"));
        o.minDuration = uint40(_uint(n, "minDuration"));
        o.maxDuration = uint40(_uint(n, "maxDuration"));
        o.notice = uint32(_uint(n, "notice"));
        o.latestEnd = uint40(_uint(n, "latestEnd"));
        o.bondBps = uint16(_uint(n, "bondBps"));
        o.cancelBps = uint16(_uint(n, "cancelBps"));
        o.oracle = uint32(_uint(n, "oracle"));
        o.jobSigner = vm.parseJsonAddress(json, _field(n, "jobSigner"));
        o.taker = vm.parseJsonAddress(json, _field(n, "taker"));
        o.boxKey = vm.parseJsonBytes32(json, _field(n, "boxKey"));
        o.expiry = uint40(_uint(n, "expiry"));
        o.counter = _uint(n, "counter");
        o.salt = _uint(n, "salt");
        assertEq(lens.offerHash(o), _word(n, "structHash"));
        _isSigned(n, lens.offerDigest(o));
    }

    // ---------------------------------------------------------------- roots

    function test_ARootOfOffers_HashesAsTheNodeSigned() public view {
        bytes32 root = vm.parseJsonBytes32(json, _field("OfferRoot", "root"));
        assertEq(OfferLib.hashRoot(root), _word("OfferRoot", "structHash"));
        _isSigned("OfferRoot", lens.offerRootDigest(root));
    }

    function test_ARootOfStatements_HashesAsTheMemberSigned() public {
        bytes32 root = vm.parseJsonBytes32(json, _field("Root", "root"));
        assertEq(StatementLib.hashRoot(root), _word("Root", "structHash"));
        _isSigned("Root", oracle.rootDigest(root));
        oracle.postRoot(root, vm.parseJsonBytes(json, _path("Root", "signature")));
        assertGt(oracle.postedAt(root), 0);
    }

    // ---------------------------------------------------------------- job

    function test_AJob_HashesAsTheGatewaySigned() public view {
        _job("Job", 12);
        _job("JobWithoutBranch", 0);
    }

    function _job(string memory n, uint256 branches) private view {
        Job memory j;
        j.lease = _uint(n, "lease");
        j.sequence = uint64(_uint(n, "sequence"));
        j.prevHash = vm.parseJsonBytes32(json, _field(n, "prevHash"));
        j.nBits = uint32(_uint(n, "nBits"));
        j.version = uint32(_uint(n, "version"));
        j.versionMask = uint32(_uint(n, "versionMask"));
        j.notBefore = uint40(_uint(n, "notBefore"));
        j.notAfter = uint40(_uint(n, "notAfter"));
        j.coinbasePrefix = vm.parseJsonBytes(json, _field(n, "coinbasePrefix"));
        j.tailLength = uint8(_uint(n, "tailLength"));
        j.coinbaseSuffix = vm.parseJsonBytes(json, _field(n, "coinbaseSuffix"));
        j.branch = vm.parseJsonBytes32Array(json, _field(n, "branch"));
        assertEq(j.branch.length, branches);
        bytes32 structHash = JobLib.hash(j);
        assertEq(structHash, _word(n, "structHash"), n);
        bytes32 separator = vm.parseJsonBytes32(json, ".domains.escrow.separator");
        _isSigned(n, keccak256(abi.encodePacked(hex"1901", separator, structHash)));
    }

    // ---------------------------------------------------------------- statements

    function hashStatement(Statement calldata s) external pure returns (bytes32) {
        return StatementLib.hash(s);
    }

    function hashBatch(Statement[] calldata s) external pure returns (bytes32) {
        return StatementLib.hashBatch(s);
    }

    function test_AStatement_HashesAsTheMemberSigned() public view {
        string[2] memory names = ["Statement", "StatementLast"];
        for (uint256 i; i < 2; ++i) {
            string memory n = names[i];
            Statement memory s = Statement({
                lease: _uint(n, "lease"),
                asOf: uint40(_uint(n, "asOf")),
                work: uint96(_uint(n, "work")),
                due: uint96(_uint(n, "due")),
                evidence: vm.parseJsonBytes32(json, _field(n, "evidence")),
                last: vm.parseJsonBool(json, _field(n, "last"))
            });
            assertEq(this.hashStatement(s), _word(n, "structHash"), n);
        }
    }

    function test_ABatch_HashesAsTheMemberSigned() public view {
        string memory n = "Batch";
        uint256[] memory leases = vm.parseJsonUintArray(json, _field(n, "lease"));
        uint256[] memory asOf = vm.parseJsonUintArray(json, _field(n, "asOf"));
        uint256[] memory work = vm.parseJsonUintArray(json, _field(n, "work"));
        uint256[] memory due = vm.parseJsonUintArray(json, _field(n, "due"));
        bytes32[] memory evidence = vm.parseJsonBytes32Array(json, _field(n, "evidence"));
        bool[] memory last = vm.parseJsonBoolArray(json, _field(n, "last"));
        assertEq(leases.length, 2);
        Statement[] memory s = new Statement[](leases.length);
        for (uint256 i; i < s.length; ++i) {
            s[i] = Statement({
                lease: leases[i],
                asOf: uint40(asOf[i]),
                work: uint96(work[i]),
                due: uint96(due[i]),
                evidence: evidence[i],
                last: last[i]
            });
        }
        assertEq(this.hashBatch(s), _word(n, "structHash"));
        _isSigned(n, oracle.batchDigest(s));
    }
}
