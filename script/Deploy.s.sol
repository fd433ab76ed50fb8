// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {Limits, Oracle, Registration} from "contracts/src/interfaces/LeaseTypes.sol";
import {Registry} from "contracts/src/registry/Registry.sol";
import {console2} from "forge-std/console2.sol";
import {DemoToken} from "script/DemoToken.sol";
import {DeploymentFile} from "script/DeploymentFile.sol";
import {Plan} from "script/Plan.sol";

/// @title Deploys everything, or whatever is missing
/// @notice Run it again after an interruption, for a new token in `script/chains`, or for a further
/// committee: it leaves existing contracts alone. `Settings` lists the variables that it reads.
/// The governor gets the AccessManager with a timelock of two days, and the guardian may pause
/// renting. A run that sends transactions writes the deployment's file.
contract Deploy is Plan, DeploymentFile {
    /// @notice All that was asked for.
    struct Asked {
        Registration oracle;
        People people;
        ChainFacts facts;
    }

    /// @notice What was there before this run.
    struct Found {
        uint256 height;
        bool hasManager;
        bool isHandedOver;
    }

    function run() external {
        Found memory found;
        found.height = _height();
        Parts memory p = _parts(msg.sender, _committee(), _externalUrl());
        found.hasManager = p.manager.at.code.length != 0;
        found.isHandedOver = found.hasManager && !_isAdmin(p.manager.at, msg.sender);
        Asked memory asked = _asked(p);
        _checkChain(asked.facts);
        _checkAccounts(p, asked);
        if (p.registry.at.code.length != 0) _checkRegistered(Registry(p.registry.at), asked);
        if (found.isHandedOver) _checkGovernor(p.manager.at, asked.people.governor);
        _tellProblems();
        _keepDeployed(p.escrow.at);

        vm.startBroadcast();
        _createAll(p, asked.facts);
        if (!found.isHandedOver) {
            _configure(Registry(p.registry.at), asked);
            _handOver(AccessManager(p.manager.at), p.registry.at, asked.people);
        }
        vm.stopBroadcast();
        if (found.isHandedOver) _leaveToGovernor(Registry(p.registry.at), asked);
        _record(p, asked, found);
    }

    // ---------------------------------------------------------------- checking

    function _asked(Parts memory p) private returns (Asked memory asked) {
        asked.oracle = _registration(false);
        asked.oracle.account = p.oracle.at;
        asked.people = _people(msg.sender);
        asked.facts = _chainFacts();
        _checkName();
    }

    function _checkChain(ChainFacts memory facts) private {
        bool isLocal = block.chainid == LOCAL;
        if (!isLocal && keccak256(bytes(_text("FOUNDRY_PROFILE"))) != keccak256("release")) {
            _wrong("FOUNDRY_PROFILE", "release", _text("FOUNDRY_PROFILE"));
        }
        if (_sends() && block.basefee != 0 && msg.sender.balance == 0) {
            _wrong(string.concat("deployer ", vm.toString(msg.sender)), "native currency for gas", "");
        }
        _checkCode("CREATE2 factory", CREATE2_FACTORY);
        if (facts.wrappedNative != address(0)) _checkCode("wrapped_native", facts.wrappedNative);
        for (uint256 i; i < facts.tokens.length; ++i) {
            TokenFact memory token = facts.tokens[i];
            if (isLocal && token.at == address(0)) token.at = _demoToken().at;
            else _checkCode(token.symbol, token.at);
        }
    }

    function _checkCode(string memory name, address at) private {
        if (at.code.length == 0) _wrong(name, string.concat("a contract at ", vm.toString(at)), "no code");
    }

    /// @dev No contract of a deployment can use what it would be given.
    function _checkAccounts(Parts memory p, Asked memory asked) private {
        Part[] memory list = _list(p);
        for (uint256 i; i < list.length; ++i) {
            _checkOutside("HASHLEASE_ORACLE_PAYEE", asked.oracle.payee, list[i]);
            _checkOutside("HASHLEASE_GOVERNOR", asked.people.governor, list[i]);
            _checkOutside("HASHLEASE_GUARDIAN", asked.people.guardian, list[i]);
            _checkOutside("HASHLEASE_TREASURY", asked.people.treasury, list[i]);
        }
    }

    function _checkOutside(string memory name, address account, Part memory part) private {
        if (account != part.at) return;
        _wrong(name, "an account outside of the deployment", string.concat(part.name, " ", vm.toString(account)));
    }

    /// @dev What can never be changed must be what was asked.
    function _checkRegistered(Registry registry, Asked memory asked) private {
        address native = registry.wrappedNative();
        if (native != address(0) && native != asked.facts.wrappedNative) {
            _wrong(
                "wrapped_native",
                string.concat(vm.toString(native), ", set for good"),
                vm.toString(asked.facts.wrappedNative)
            );
        }
        Registration memory r = asked.oracle;
        uint32 id = _oracleId(registry, r.account);
        if (id == 0) return;
        Oracle memory o = registry.oracle(id);
        _checkSame("HASHLEASE_ORACLE_WINDOW", vm.toString(o.window), vm.toString(r.window));
        _checkSame("HASHLEASE_ORACLE_FEE_BPS", vm.toString(o.feeBps), vm.toString(r.feeBps));
        _checkSame("HASHLEASE_ORACLE_PAYEE", vm.toString(o.payee), vm.toString(r.payee));
        _checkSame("HASHLEASE_ORACLE_ALGORITHMS", _names(o.algorithms), _names(r.algorithms));
        _checkSame("HASHLEASE_ORACLE_LATEST_END", vm.toString(o.latestEnd), vm.toString(r.latestEnd));
        _checkSame("HASHLEASE_ORACLE_MIN_BOND_BPS", vm.toString(o.minBondBps), vm.toString(r.minBondBps));
    }

    function _checkSame(string memory name, string memory registered, string memory asked) private {
        if (keccak256(bytes(registered)) == keccak256(bytes(asked))) return;
        _wrong(name, string.concat(registered, ", with which the committee is registered for good"), asked);
    }

    function _checkGovernor(address manager, address governor) private {
        if (_isAdmin(manager, governor)) return;
        _wrong(
            "HASHLEASE_GOVERNOR", "an administrator of the AccessManager, which was handed over", vm.toString(governor)
        );
    }

    /// @dev A file whose escrow exists is worth more than one whose escrow does not exist yet.
    function _keepDeployed(address escrow) private view {
        if (!vm.isFile(_file())) return;
        address earlier = vm.parseTomlAddress(_readFile(), ".escrow");
        require(
            earlier.code.length == 0 || escrow.code.length != 0,
            string.concat(
                _file(),
                " describes a deployment that exists, with escrow ",
                vm.toString(earlier),
                ": name this one with HASHLEASE_DEPLOYMENT_NAME"
            )
        );
    }

    function _isAdmin(address manager, address account) private view returns (bool isAdmin) {
        (isAdmin,) = AccessManager(manager).hasRole(AccessManager(manager).ADMIN_ROLE(), account);
    }

    // ---------------------------------------------------------------- creating

    function _createAll(Parts memory p, ChainFacts memory facts) private {
        Part[] memory list = _list(p);
        for (uint256 i; i < list.length; ++i) {
            _create(list[i]);
        }
        Part memory demo = _demoToken();
        for (uint256 i; i < facts.tokens.length; ++i) {
            if (facts.tokens[i].at == demo.at) _create(demo);
        }
    }

    function _create(Part memory part) private {
        if (part.at.code.length != 0) {
            console2.log("exists ", part.name, part.at);
            return;
        }
        (bool done,) = CREATE2_FACTORY.call(bytes.concat(SALT, part.creationCode, part.arguments));
        require(done && part.at.code.length != 0, string.concat(part.name, " was not created"));
        console2.log("created", part.name, part.at);
    }

    /// @dev The token is worth nothing and refuses to exist on any chain that isn't local.
    function _demoToken() private pure returns (Part memory) {
        return _part("DemoToken", type(DemoToken).creationCode, "");
    }

    // ---------------------------------------------------------------- configuring

    function _configure(Registry registry, Asked memory asked) private {
        if (registry.treasury() != asked.people.treasury) registry.setTreasury(asked.people.treasury);
        if (registry.wrappedNative() != asked.facts.wrappedNative) {
            registry.setWrappedNative(asked.facts.wrappedNative);
        }
        uint32 id = _oracleId(registry, asked.oracle.account);
        if (id == 0) id = registry.registerOracle(asked.oracle);
        TokenFact[] memory tokens = asked.facts.tokens;
        for (uint256 i; i < tokens.length; ++i) {
            if (!registry.isTokenListed(tokens[i].at)) registry.listToken(tokens[i].at, true);
            if (!_hasLimits(registry, id, tokens[i])) registry.setLimits(id, tokens[i].at, tokens[i].limits);
        }
    }

    function _hasLimits(Registry registry, uint32 oracle, TokenFact memory token) private view returns (bool) {
        Limits memory limits = registry.limits(oracle, token.at);
        return limits.exposureCap == token.limits.exposureCap && limits.leastPayment == token.limits.leastPayment;
    }

    /// @dev The guardian pauses at once; everything else takes the governor and two days of notice.
    function _handOver(AccessManager manager, address registry, People memory people) private {
        bytes4[] memory selectors = new bytes4[](1);
        selectors[0] = Registry.pause.selector;
        if (manager.getTargetFunctionRole(registry, selectors[0]) != GUARDIAN) {
            manager.setTargetFunctionRole(registry, selectors, GUARDIAN);
            manager.labelRole(GUARDIAN, "guardian");
        }
        (bool isGuardian,) = manager.hasRole(GUARDIAN, people.guardian);
        if (!isGuardian) manager.grantRole(GUARDIAN, people.guardian, 0);
        if (people.governor == msg.sender) return;
        manager.grantRole(manager.ADMIN_ROLE(), people.governor, TIMELOCK);
        manager.renounceRole(manager.ADMIN_ROLE(), msg.sender);
        console2.log("handed over to the governor", people.governor);
    }

    /// @dev Says what only the governor can still do, as calls of `Govern.s.sol`.
    function _leaveToGovernor(Registry registry, Asked memory asked) private view {
        console2.log("The governor has taken over, and does what is left to do with script/Govern.s.sol:");
        uint32 id = _oracleId(registry, asked.oracle.account);
        if (id == 0) console2.log("--sig 'registerOracle(address)'", asked.oracle.account);
        if (registry.treasury() != asked.people.treasury) {
            console2.log("--sig 'setTreasury(address)'", asked.people.treasury);
        }
        TokenFact[] memory tokens = asked.facts.tokens;
        for (uint256 i; i < tokens.length; ++i) {
            TokenFact memory token = tokens[i];
            if (!registry.isTokenListed(token.at)) console2.log("--sig 'listToken(address,bool)'", token.at, true);
            if (id == 0 || _hasLimits(registry, id, token)) continue;
            string memory amounts = string.concat(
                vm.toString(token.at),
                " ",
                vm.toString(token.limits.exposureCap),
                " ",
                vm.toString(token.limits.leastPayment)
            );
            console2.log("--sig 'setLimits(uint32,address,uint128,uint128)'", id, amounts);
        }
    }

    function _oracleId(Registry registry, address account) private view returns (uint32) {
        for (uint32 id = registry.oracleCount(); id > 0; --id) {
            if (registry.oracle(id).account == account) return id;
        }
        return 0;
    }

    // ---------------------------------------------------------------- writing

    function _record(Parts memory p, Asked memory asked, Found memory found) private {
        uint32 id = _oracleId(Registry(p.registry.at), p.oracle.at);
        if (id == 0) {
            // nodes would read a file that names a committee which no lease can pin
            console2.log("Nothing was written: the committee is not registered.");
            return;
        }
        if (!_sends()) {
            console2.log("Nothing was written: this run sends no transaction.");
            return;
        }
        Expected memory expected;
        if (!vm.isFile(_file())) {
            if (found.hasManager) console2.log("The file was lost: set its block to that of the first transaction.");
        } else {
            string memory toml = _readFile();
            if (vm.parseTomlAddress(toml, ".escrow") == p.escrow.at) {
                // from here on the governor's calls write the expectation
                if (found.isHandedOver) return;
                expected = _readExpected(toml);
                // logs are read from the first block on
                if (found.hasManager) found.height = vm.parseTomlUint(toml, ".block");
            }
        }
        _expect(expected, asked, id);
        _write(p, asked.facts, found.height, expected);
    }

    function _expect(Expected memory e, Asked memory asked, uint32 id) private view {
        (e.governor, e.guardian, e.treasury) = (asked.people.governor, asked.people.guardian, asked.people.treasury);
        e.timelock = e.governor == msg.sender ? 0 : TIMELOCK;
        e.wrappedNative = asked.facts.wrappedNative;
        _setOracle(e, id, _listed(asked.oracle));
        TokenFact[] memory tokens = asked.facts.tokens;
        for (uint256 i; i < tokens.length; ++i) {
            _setToken(e, tokens[i].at, true);
            _setLimits(e, id, tokens[i].at, tokens[i].limits);
        }
    }

    function _write(Parts memory p, ChainFacts memory facts, uint256 firstBlock, Expected memory expected) private {
        string memory contracts;
        Part[] memory list = _list(p);
        for (uint256 i; i < list.length; ++i) {
            Part memory part = list[i];
            vm.serializeAddress(part.name, "address", part.at);
            vm.serializeBytes(part.name, "constructor_arguments", part.arguments);
            bytes32 hash = keccak256(bytes.concat(part.creationCode, part.arguments));
            string memory entry = vm.serializeBytes32(part.name, "initcode_hash", hash);
            contracts = vm.serializeString("contracts", part.name, entry);
        }
        string memory o = "deployment";
        vm.serializeUint(o, "chain_id", block.chainid);
        vm.serializeUint(o, "block", firstBlock);
        vm.serializeAddress(o, "escrow", p.escrow.at);
        vm.serializeAddress(o, "registry", p.registry.at);
        vm.serializeAddress(o, "lens", p.lens.at);
        vm.serializeAddress(o, "directory", p.directory.at);
        vm.serializeAddress(o, "oracle", p.oracle.at);
        vm.serializeUint(o, "oracle_id", _oracleId(Registry(p.registry.at), p.oracle.at));
        if (facts.tokens.length != 0) vm.serializeAddress(o, "token", facts.tokens[0].at);
        vm.serializeAddress(o, "access_manager", p.manager.at);
        vm.serializeAddress(o, "deployer", msg.sender);
        vm.serializeString(o, "expected", _expectedJson(expected));
        vm.writeToml(vm.serializeString(o, "contracts", contracts), _file());
    }
}
