// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {IAccessManager} from "@openzeppelin/contracts/access/manager/IAccessManager.sol";
import {LeaseEscrow} from "contracts/src/escrow/LeaseEscrow.sol";
import {IRegistry} from "contracts/src/interfaces/IRegistry.sol";
import {Bounds, Limits, Oracle} from "contracts/src/interfaces/LeaseTypes.sol";
import {LeaseLens} from "contracts/src/lens/LeaseLens.sol";
import {CommitteeOracle} from "contracts/src/oracles/CommitteeOracle.sol";
import {Registry} from "contracts/src/registry/Registry.sol";
import {Vm} from "forge-std/Vm.sol";
import {console2} from "forge-std/console2.sol";
import {DeploymentFile} from "script/DeploymentFile.sol";
import {Plan} from "script/Plan.sol";
import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";
import {SafeCastLib} from "solady/utils/SafeCastLib.sol";

/// @title Checks a deployment against its file and against these sources
/// @notice Sends nothing, and needs nothing but the file: `script/deployments/<chain id>.toml`, or
/// `<HASHLEASE_DEPLOYMENT_NAME>.toml`. Fails if a contract differs from these sources, if the
/// registry or the access manager holds anything but what the file expects, or if any account but
/// its governor and its guardian has a right. Events tell which oracles, tokens, limits and rights
/// there ever were; each of them is printed.
contract Check is Plan, DeploymentFile {
    /// @dev Blocks per log query; endpoints cap it.
    uint256 private constant PIECE = 10_000;
    string private constant BOUNDS =
        "minDuration,maxDuration,minEpoch,maxEpoch,minEpochs,minNotice,maxNotice,minWindow,minVoidingWindow,maxWindow";

    uint256 private _failures;
    string private _toml;
    Registry private _registry;
    AccessManager private _manager;
    address private _deployer;
    address private _governor;
    address private _guardian;
    /// @dev What events named and was checked.
    mapping(bytes32 what => bool) private _looked;

    function run() external {
        uint256 height = _height();
        _toml = _readFile();
        _deployer = vm.parseTomlAddress(_toml, ".deployer");
        bytes memory seats = vm.parseTomlBytes(_toml, ".contracts.CommitteeOracle.constructor_arguments");
        Committee memory c;
        (, c.owners, c.keys, c.threshold) = abi.decode(seats, (address, address[], address[], uint256));
        bytes memory page = vm.parseTomlBytes(_toml, ".contracts.LeaseDescriptor.constructor_arguments");
        Parts memory p = _parts(_deployer, c, abi.decode(page, (string)));
        (_registry, _manager) = (Registry(p.registry.at), AccessManager(p.manager.at));
        Part[] memory list = _list(p);
        for (uint256 i; i < list.length; ++i) {
            _checkPart(list[i]);
        }
        // what isn't there can't be asked
        if (_failures != 0) _end();
        _checkFile(p);
        _checkWiring(p, c);
        Expected memory expected = _readExpected(_toml);
        _checkRegistry(expected);
        _checkRights(expected);
        _checkEvents(expected, height);
        _end();
    }

    function _end() private view {
        require(_failures == 0, string.concat(vm.toString(_failures), " checks failed"));
        console2.log("all is as it should be");
    }

    // ---------------------------------------------------------------- verdicts

    function _expect(bool holds, string memory what) private {
        console2.log(holds ? "ok    " : "FAILED", what);
        if (!holds) ++_failures;
    }

    function _expectText(string memory what, string memory expected, string memory actual) private {
        bool holds = keccak256(bytes(expected)) == keccak256(bytes(actual));
        string memory differing = string.concat(": expected ", expected, ", got ", actual);
        _expect(holds, string.concat(what, holds ? string.concat(": ", actual) : differing));
    }

    function _expectNumber(string memory what, uint256 expected, uint256 actual) private {
        _expectText(what, vm.toString(expected), vm.toString(actual));
    }

    function _expectAddress(string memory what, address expected, address actual) private {
        _expectText(what, vm.toString(expected), vm.toString(actual));
    }

    /// @dev Whether it is looked at for the first time.
    function _isNew(bytes memory what) private returns (bool) {
        bytes32 id = keccak256(what);
        if (_looked[id]) return false;
        return _looked[id] = true;
    }

    // ---------------------------------------------------------------- contracts

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
        _expectNamed(".access_manager", p.manager.at);
        _expectNamed(".registry", p.registry.at);
        _expectNamed(".escrow", p.escrow.at);
        _expectNamed(".lens", p.lens.at);
        _expectNamed(".directory", p.directory.at);
        _expectNamed(".oracle", p.oracle.at);
    }

    function _expectNamed(string memory key, address expected) private {
        _expect(vm.parseTomlAddress(_toml, key) == expected, string.concat("the file names the right ", key));
    }

    function _checkWiring(Parts memory p, Committee memory c) private {
        LeaseEscrow escrow = LeaseEscrow(payable(p.escrow.at));
        _expect(_registry.authority() == p.manager.at, "the registry obeys the access manager");
        _expect(escrow.registry() == p.registry.at, "the escrow asks the registry");
        _expect(escrow.descriptor() == p.descriptor.at, "the escrow's metadata comes from the descriptor");
        _expect(LeaseLens(p.lens.at).escrow() == p.escrow.at, "the lens reads the escrow");
        CommitteeOracle oracle = CommitteeOracle(p.oracle.at);
        _expect(oracle.escrow() == p.escrow.at, "the committee credits in the escrow");
        _expectNumber("signatures that a statement needs", c.threshold, oracle.threshold());
        _expectNumber("seats of the committee", c.owners.length, oracle.memberCount());
        for (uint256 i; i < c.owners.length; ++i) {
            (address owner, address key) = oracle.member(i);
            _expectAddress(string.concat("owner of seat ", vm.toString(i)), c.owners[i], owner);
            if (key != c.keys[i]) console2.log("note   the key of a seat was replaced by its owner:", i, key);
        }
    }

    // ---------------------------------------------------------------- registry

    function _checkRegistry(Expected memory e) private {
        _checkBounds();
        _expectAddress("wrapped native currency", e.wrappedNative, _registry.wrappedNative());
        _expectAddress("treasury", e.treasury, _registry.treasury());
        for (uint256 i; i < e.oracles.length; ++i) {
            _checkOracle(e.oracles[i]);
        }
        _expectNumber("registered oracles", e.oracles.length, _registry.oracleCount());
        for (uint256 i; i < e.tokens.length; ++i) {
            _checkToken(e, e.tokens[i].token);
        }
        for (uint256 i; i < e.limits.length; ++i) {
            _checkLimits(e, e.limits[i].oracle, e.limits[i].token);
        }
        uint256 id = vm.parseTomlUint(_toml, ".oracle_id");
        Oracle memory committee = _registry.oracle(SafeCastLib.toUint32(id));
        _expectAddress(
            "the committee is the oracle of that id", vm.parseTomlAddress(_toml, ".oracle"), committee.account
        );
        if (_registry.pausedUntil() > block.timestamp) {
            console2.log("note   renting is paused until", _registry.pausedUntil());
        }
    }

    /// @dev The file has them as the registry's arguments.
    function _checkBounds() private {
        bytes memory arguments = vm.parseTomlBytes(_toml, ".contracts.Registry.constructor_arguments");
        (, Bounds memory expected) = abi.decode(arguments, (address, Bounds));
        string[] memory names = vm.split(BOUNDS, ",");
        uint256[10] memory wanted = abi.decode(abi.encode(expected), (uint256[10]));
        uint256[10] memory found = abi.decode(abi.encode(_registry.bounds()), (uint256[10]));
        for (uint256 i; i < names.length; ++i) {
            _expectNumber(names[i], wanted[i], found[i]);
        }
    }

    function _checkOracle(ExpectedOracle memory expected) private {
        Oracle memory e = expected.oracle;
        Oracle memory o = _registry.oracle(expected.id);
        string memory of_ = string.concat("oracle ", vm.toString(expected.id), "'s ");
        _expectAddress(string.concat(of_, "account"), e.account, o.account);
        _expectNumber(string.concat(of_, "window"), e.window, o.window);
        _expectNumber(string.concat(of_, "fee in basis points"), e.feeBps, o.feeBps);
        _expectText(string.concat(of_, "power to void epochs"), vm.toString(e.voids), vm.toString(o.voids));
        _expectAddress(string.concat(of_, "payee"), e.payee, o.payee);
        _expectNumber(string.concat(of_, "algorithms (", _names(o.algorithms), ")"), e.algorithms, o.algorithms);
        _expectNumber(string.concat(of_, "latest end"), e.latestEnd, o.latestEnd);
        _expectNumber(string.concat(of_, "least bond in basis points"), e.minBondBps, o.minBondBps);
        _expectText(string.concat(of_, "listing"), vm.toString(e.listed), vm.toString(o.listed));
    }

    /// @dev A token that the file does not name may not be listed.
    function _checkToken(Expected memory e, address token) private {
        if (!_isNew(abi.encode("token", token))) return;
        bool expected;
        for (uint256 i; i < e.tokens.length; ++i) {
            if (e.tokens[i].token == token) expected = e.tokens[i].listed;
        }
        string memory what = string.concat("listing of token ", vm.toString(token));
        _expectText(what, vm.toString(expected), vm.toString(_registry.isTokenListed(token)));
    }

    /// @dev Limits that the file does not name must be zero.
    function _checkLimits(Expected memory e, uint32 oracle, address token) private {
        if (!_isNew(abi.encode("limits", oracle, token))) return;
        Limits memory expected;
        for (uint256 i; i < e.limits.length; ++i) {
            if (e.limits[i].oracle == oracle && e.limits[i].token == token) expected = e.limits[i].limits;
        }
        Limits memory found = _registry.limits(oracle, token);
        string memory of_ = string.concat(" of oracle ", vm.toString(oracle), " in token ", vm.toString(token));
        _expectNumber(string.concat("exposure cap", of_), expected.exposureCap, found.exposureCap);
        _expectNumber(string.concat("least payment", of_), expected.leastPayment, found.leastPayment);
    }

    // ---------------------------------------------------------------- rights

    function _checkRights(Expected memory e) private {
        (_governor, _guardian) = (e.governor, e.guardian);
        uint64 admin = _manager.ADMIN_ROLE();
        (bool isGovernor, uint32 delay) = _manager.hasRole(admin, e.governor);
        _expect(isGovernor, string.concat("governor: ", vm.toString(e.governor)));
        _expectNumber("the governor's timelock in seconds", e.timelock, delay);
        if (block.chainid != LOCAL) _expect(e.timelock >= TIMELOCK, "the timelock is at least two days");
        (bool isGuardian, uint32 guardianDelay) = _manager.hasRole(GUARDIAN, e.guardian);
        _expect(
            isGuardian && guardianDelay == 0, string.concat("guardian, who pauses at once: ", vm.toString(e.guardian))
        );
        _checkRole(admin);
        _checkRole(GUARDIAN);
        _checkTarget(address(_registry));
        _checkTarget(address(_manager));
        _checkFunction(Registry.pause.selector);
        _checkFunction(Registry.registerOracle.selector);
        _checkFunction(Registry.listOracle.selector);
        _checkFunction(Registry.listToken.selector);
        _checkFunction(Registry.setLimits.selector);
        _checkFunction(Registry.unpause.selector);
        _checkFunction(Registry.setWrappedNative.selector);
        _checkFunction(Registry.setTreasury.selector);
        _checkFunction(bytes4(keccak256("setAuthority(address)")));
    }

    /// @dev Nobody but the governor may grant the role or cancel what its holders decided.
    function _checkRole(uint64 role) private {
        if (!_isNew(abi.encode("role", role))) return;
        uint64 admin = _manager.ADMIN_ROLE();
        string memory name = vm.toString(role);
        _expect(_manager.getRoleAdmin(role) == admin, string.concat("the governor grants role ", name));
        _expect(_manager.getRoleGuardian(role) == admin, string.concat("the governor cancels for role ", name));
    }

    function _checkTarget(address target) private {
        if (!_isNew(abi.encode("target", target))) return;
        string memory name = target == address(_registry) ? "the registry" : vm.toString(target);
        _expect(!_manager.isTargetClosed(target), string.concat(name, " is not closed"));
    }

    function _checkFunction(bytes4 selector) private {
        if (!_isNew(abi.encode("function", selector))) return;
        uint64 expected = selector == Registry.pause.selector ? GUARDIAN : _manager.ADMIN_ROLE();
        string memory what = string.concat("role that may call ", _function(selector));
        _expectNumber(what, expected, _manager.getTargetFunctionRole(address(_registry), selector));
    }

    function _function(bytes4 selector) private pure returns (string memory) {
        if (selector == Registry.pause.selector) return "pause";
        if (selector == Registry.registerOracle.selector) return "registerOracle";
        if (selector == Registry.listOracle.selector) return "listOracle";
        if (selector == Registry.listToken.selector) return "listToken";
        if (selector == Registry.setLimits.selector) return "setLimits";
        if (selector == Registry.unpause.selector) return "unpause";
        if (selector == Registry.setWrappedNative.selector) return "setWrappedNative";
        if (selector == Registry.setTreasury.selector) return "setTreasury";
        if (selector == bytes4(keccak256("setAuthority(address)"))) return "setAuthority";
        return vm.toString(abi.encodePacked(selector));
    }

    // ---------------------------------------------------------------- events

    /// @dev Neither contract can list what it holds, so everything that was ever set is looked at.
    function _checkEvents(Expected memory e, uint256 height) private {
        bytes32[] memory all;
        for (uint256 from = vm.parseTomlUint(_toml, ".block"); from <= height; from += PIECE) {
            uint256 to = FixedPointMathLib.min(from + PIECE - 1, height);
            Vm.EthGetLogs[] memory logs = vm.eth_getLogs(from, to, address(_registry), all);
            for (uint256 i; i < logs.length; ++i) {
                _checkRegistryEvent(e, logs[i]);
            }
            logs = vm.eth_getLogs(from, to, address(_manager), all);
            for (uint256 i; i < logs.length; ++i) {
                _checkManagerEvent(logs[i]);
            }
        }
        // the constructor makes the deployer the first admin
        bytes memory first = abi.encode("holder", _manager.ADMIN_ROLE(), _deployer);
        _expect(_looked[keccak256(first)], "the rights are known from the beginning");
    }

    function _checkRegistryEvent(Expected memory e, Vm.EthGetLogs memory log) private {
        if (log.topics[0] == IRegistry.TokenListed.selector) {
            _checkToken(e, _toAddress(log.topics[1]));
        } else if (log.topics[0] == IRegistry.LimitsSet.selector) {
            _checkLimits(e, SafeCastLib.toUint32(uint256(log.topics[1])), _toAddress(log.topics[2]));
        } else if (log.topics[0] == IRegistry.OracleRegistered.selector) {
            _checkRegistered(e, SafeCastLib.toUint32(uint256(log.topics[1])), _toAddress(log.topics[2]));
        }
    }

    function _checkRegistered(Expected memory e, uint32 id, address account) private {
        bool isExpected;
        for (uint256 i; i < e.oracles.length; ++i) {
            isExpected = isExpected || (e.oracles[i].id == id && e.oracles[i].oracle.account == account);
        }
        _expect(isExpected, string.concat("oracle ", vm.toString(id), " is expected: ", vm.toString(account)));
    }

    function _checkManagerEvent(Vm.EthGetLogs memory log) private {
        bytes32 kind = log.topics[0];
        if (kind == IAccessManager.RoleGranted.selector) {
            _checkHolder(_toRole(log.topics[1]), _toAddress(log.topics[2]));
        } else if (
            kind == IAccessManager.RoleAdminChanged.selector || kind == IAccessManager.RoleGuardianChanged.selector
        ) {
            _checkRole(_toRole(log.topics[1]));
        } else if (kind == IAccessManager.TargetClosed.selector) {
            _checkTarget(_toAddress(log.topics[1]));
        } else if (kind == IAccessManager.TargetFunctionRoleUpdated.selector) {
            if (_toAddress(log.topics[1]) == address(_registry)) _checkFunction(abi.decode(log.data, (bytes4)));
        } else if (kind == IAccessManager.OperationScheduled.selector) {
            _noteScheduled(log);
        }
    }

    function _checkHolder(uint64 role, address holder) private {
        if (!_isNew(abi.encode("holder", role, holder))) return;
        // a grant that takes effect later counts too
        (uint48 since,,,) = _manager.getAccess(role, holder);
        if (since == 0) return;
        bool may = (role == _manager.ADMIN_ROLE() && holder == _governor) || (role == GUARDIAN && holder == _guardian);
        _expect(may, string.concat("may have role ", vm.toString(role), ": ", vm.toString(holder)));
    }

    function _noteScheduled(Vm.EthGetLogs memory log) private {
        uint48 ready = _manager.getSchedule(log.topics[1]);
        if (ready == 0 || !_isNew(abi.encode("scheduled", log.topics[1]))) return;
        (,, address target, bytes memory data) = abi.decode(log.data, (uint48, address, address, bytes));
        console2.log("note   the governor has scheduled, from this time on:", ready);
        console2.log("      ", target == address(_registry) ? _function(_selector(data)) : vm.toString(target));
        console2.log("      ", vm.toString(data));
    }

    function _selector(bytes memory data) private pure returns (bytes4) {
        // the arguments follow it
        // forge-lint: disable-next-line(unsafe-typecast)
        return bytes4(data);
    }

    function _toRole(bytes32 topic) private pure returns (uint64) {
        return SafeCastLib.toUint64(uint256(topic));
    }

    function _toAddress(bytes32 topic) private pure returns (address) {
        return address(uint160(uint256(topic)));
    }
}
