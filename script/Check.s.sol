// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {IAccessManager} from "@openzeppelin/contracts/access/manager/IAccessManager.sol";
import {LeaseEscrow} from "contracts/src/escrow/LeaseEscrow.sol";
import {Oracle} from "contracts/src/interfaces/LeaseTypes.sol";
import {LeaseLens} from "contracts/src/lens/LeaseLens.sol";
import {CommitteeOracle} from "contracts/src/oracles/CommitteeOracle.sol";
import {Registry} from "contracts/src/registry/Registry.sol";
import {Vm} from "forge-std/Vm.sol";
import {console2} from "forge-std/console2.sol";
import {Plan} from "script/Plan.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";
import {SafeCastLib} from "solady/utils/SafeCastLib.sol";

/// @title Checks a deployment against its file and against these sources
/// @notice Sends nothing. Reads `script/deployments/<chain id>.toml` (or
/// `<HASHLEASE_DEPLOYMENT_NAME>.toml`) and fails if anything on the chain differs from the sources,
/// the constructor arguments and `script/chains`, or if any account but `HASHLEASE_GOVERNOR` and
/// `HASHLEASE_GUARDIAN` has a right. On a local chain both default to the deployer.
contract Check is Plan {
    /// @dev Blocks per log query; endpoints cap it.
    uint256 private constant PIECE = 10_000;

    uint256 private _failures;
    string private _toml;
    address private _governor;
    address private _guardian;
    mapping(uint64 role => mapping(address holder => bool)) private _looked;

    function run() external {
        _toml = vm.readFile(_file());
        _expect(vm.parseTomlUint(_toml, ".chain_id") == block.chainid, "the file belongs to this chain");
        address deployer = vm.parseTomlAddress(_toml, ".deployer");
        bytes memory seats = vm.parseTomlBytes(_toml, ".contracts.CommitteeOracle.constructor_arguments");
        Committee memory c;
        (, c.owners, c.keys, c.threshold) = abi.decode(seats, (address, address[], address[], uint256));
        Parts memory p = _parts(deployer, c);
        Part[] memory list = _list(p);
        for (uint256 i; i < list.length; ++i) {
            _checkPart(list[i]);
        }
        _checkFile(p);
        _checkWiring(p, c);
        _checkRegistry(Registry(p.registry.at));
        _checkRights(AccessManager(p.manager.at), p.registry.at);
        _checkHolders(AccessManager(p.manager.at), deployer);
        require(_failures == 0, string.concat(vm.toString(_failures), " checks failed"));
        console2.log("all is as it should be");
    }

    function _expect(bool holds, string memory what) private {
        console2.log(holds ? "ok    " : "FAILED", what);
        if (!holds) ++_failures;
    }

    /// @dev CREATE2 ties an address to the code and the arguments that created it.
    function _checkPart(Part memory part) private {
        string memory at = string.concat(".contracts.", part.name);
        bytes32 hash = keccak256(bytes.concat(part.creationCode, part.arguments));
        bool isAsWritten = vm.parseTomlAddress(_toml, string.concat(at, ".address")) == part.at
            && vm.parseTomlBytes32(_toml, string.concat(at, ".initcode_hash")) == hash
            && keccak256(vm.parseTomlBytes(_toml, string.concat(at, ".constructor_arguments")))
                == keccak256(part.arguments);
        _expect(isAsWritten, string.concat(part.name, " matches these sources"));
        _expect(part.at.code.length != 0, string.concat(part.name, " exists"));
    }

    /// @dev The part of the file that nodes and pages read.
    function _checkFile(Parts memory p) private {
        _expectAddress(".access_manager", p.manager.at);
        _expectAddress(".registry", p.registry.at);
        _expectAddress(".escrow", p.escrow.at);
        _expectAddress(".lens", p.lens.at);
        _expectAddress(".directory", p.directory.at);
        _expectAddress(".oracle", p.oracle.at);
    }

    function _expectAddress(string memory key, address expected) private {
        _expect(vm.parseTomlAddress(_toml, key) == expected, string.concat("the file names the right ", key));
    }

    function _checkWiring(Parts memory p, Committee memory c) private {
        LeaseEscrow escrow = LeaseEscrow(payable(p.escrow.at));
        _expect(Registry(p.registry.at).authority() == p.manager.at, "the registry obeys the access manager");
        _expect(escrow.registry() == p.registry.at, "the escrow asks the registry");
        _expect(escrow.descriptor() == p.descriptor.at, "the escrow's metadata comes from the descriptor");
        _expect(LeaseLens(p.lens.at).escrow() == p.escrow.at, "the lens reads the escrow");
        CommitteeOracle oracle = CommitteeOracle(p.oracle.at);
        _expect(oracle.escrow() == p.escrow.at, "the committee credits in the escrow");
        _expect(oracle.threshold() == c.threshold && oracle.memberCount() == c.owners.length, "M and N are right");
        for (uint256 i; i < c.owners.length; ++i) {
            (address owner, address key) = oracle.member(i);
            _expect(owner == c.owners[i], string.concat("owner of seat ", vm.toString(i)));
            if (key != c.keys[i]) console2.log("note: the key of a seat was replaced by its owner", i, key);
        }
    }

    function _checkRegistry(Registry registry) private {
        _expect(keccak256(abi.encode(registry.bounds())) == keccak256(abi.encode(_bounds())), "bounds");
        ChainFacts memory facts = _chainFacts();
        if (facts.wrappedNative != address(0)) {
            _expect(registry.wrappedNative() == facts.wrappedNative, "wrapped native currency");
        }
        _expect(registry.treasury() != address(0), "a treasury is set");
        uint32 id = SafeCastLib.toUint32(vm.parseTomlUint(_toml, ".oracle_id"));
        Oracle memory oracle = registry.oracle(id);
        _expect(oracle.account == vm.parseTomlAddress(_toml, ".oracle") && oracle.listed, "the committee is listed");
        _expect(oracle.feeBps <= 300, "the fee is at most 3 %");
        for (uint256 i; i < facts.tokens.length; ++i) {
            TokenFact memory token = facts.tokens[i];
            _expect(registry.isTokenListed(token.at), string.concat(token.symbol, " is listed"));
            _expect(
                registry.limits(id, token.at).exposureCap == token.cap, string.concat(token.symbol, "'s exposure cap")
            );
        }
    }

    function _checkRights(AccessManager manager, address registry) private {
        uint64 admin = manager.ADMIN_ROLE();
        _expect(!manager.isTargetClosed(registry), "the registry is not closed");
        _expect(manager.getRoleAdmin(GUARDIAN) == admin, "the governor names guardians");
        _expect(manager.getRoleGuardian(admin) == admin, "nobody else can cancel the governor's decisions");
        _expect(manager.getTargetFunctionRole(registry, Registry.pause.selector) == GUARDIAN, "guardians may pause");
        bytes4[8] memory others = [
            Registry.registerOracle.selector,
            Registry.listOracle.selector,
            Registry.listToken.selector,
            Registry.setLimits.selector,
            Registry.unpause.selector,
            Registry.setWrappedNative.selector,
            Registry.setTreasury.selector,
            bytes4(keccak256("setAuthority(address)"))
        ];
        for (uint256 i; i < others.length; ++i) {
            _expect(manager.getTargetFunctionRole(registry, others[i]) == admin, "everything else is the governor's");
        }
    }

    /// @dev Roles can't be listed, so every account that was ever granted one is checked.
    function _checkHolders(AccessManager manager, address deployer) private {
        bool isLocal = block.chainid == LOCAL;
        _governor = isLocal ? vm.envOr("HASHLEASE_GOVERNOR", deployer) : vm.envAddress("HASHLEASE_GOVERNOR");
        _guardian = isLocal ? vm.envOr("HASHLEASE_GUARDIAN", deployer) : vm.envAddress("HASHLEASE_GUARDIAN");
        (bool isGovernor, uint32 delay) = manager.hasRole(manager.ADMIN_ROLE(), _governor);
        bool mayBeAtOnce = isLocal && _governor == deployer;
        _expect(isGovernor && (mayBeAtOnce || delay >= TIMELOCK), "the governor has the timelock");
        (bool isGuardian,) = manager.hasRole(GUARDIAN, _guardian);
        _expect(isGuardian, "the guardian has its role");
        for (uint256 from = vm.parseTomlUint(_toml, ".block"); from <= block.number; from += PIECE) {
            _checkGrants(manager, from, FixedPointMathLib.min(from + PIECE - 1, block.number));
        }
        // the constructor makes the deployer the first admin
        _expect(_looked[manager.ADMIN_ROLE()][deployer], "the rights are known from the beginning on");
    }

    function _checkGrants(AccessManager manager, uint256 from, uint256 to) private {
        bytes32[] memory topics = new bytes32[](1);
        topics[0] = IAccessManager.RoleGranted.selector;
        Vm.EthGetLogs[] memory logs = vm.eth_getLogs(from, to, address(manager), topics);
        for (uint256 i; i < logs.length; ++i) {
            uint64 role = SafeCastLib.toUint64(uint256(logs[i].topics[1]));
            _checkHolder(manager, role, address(uint160(uint256(logs[i].topics[2]))));
        }
    }

    function _checkHolder(AccessManager manager, uint64 role, address holder) private {
        if (_looked[role][holder]) return;
        _looked[role][holder] = true;
        // a grant that takes effect later counts too
        (uint48 since,,,) = manager.getAccess(role, holder);
        if (since == 0) return;
        bool may = (role == manager.ADMIN_ROLE() && holder == _governor) || (role == GUARDIAN && holder == _guardian);
        _expect(may, string.concat("may have role ", vm.toString(role), ": ", vm.toString(holder)));
    }
}
