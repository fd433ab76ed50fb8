// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {ALGORITHM_ETCHASH, ALGORITHM_SHA256D, Limits, Registration} from "contracts/src/interfaces/LeaseTypes.sol";
import {Registry} from "contracts/src/registry/Registry.sol";
import {console2} from "forge-std/console2.sol";
import {DemoToken} from "script/DemoToken.sol";
import {Plan} from "script/Plan.sol";
import {SafeCastLib} from "solady/utils/SafeCastLib.sol";

/// @title Deploys everything, or whatever is missing
/// @notice Run it again after an interruption, for a new token in `script/chains`, or for a further
/// committee: it leaves existing contracts alone. Reads from the environment
/// `HASHLEASE_COMMITTEE_OWNERS`, `HASHLEASE_COMMITTEE_KEYS` (comma-separated addresses),
/// `HASHLEASE_COMMITTEE_THRESHOLD`, `HASHLEASE_ORACLE_WINDOW` (seconds, default 48 h),
/// `HASHLEASE_ORACLE_FEE_BPS` (default 100), `HASHLEASE_ORACLE_PAYEE`; on public chains also
/// `HASHLEASE_GOVERNOR` (gets the AccessManager with a timelock of two days), `HASHLEASE_GUARDIAN`
/// (may pause renting), `HASHLEASE_TREASURY`, which on a local chain default to the sender. Writes
/// `script/deployments/<chain id>.toml`, or `<HASHLEASE_DEPLOYMENT_NAME>.toml`.
contract Deploy is Plan {
    /// @notice Accounts that get rights.
    struct People {
        address governor;
        address guardian;
        address treasury;
        address payee;
    }

    function run() external {
        uint256 firstBlock = block.number;
        Parts memory p = _parts(msg.sender, _committee());
        ChainFacts memory facts = _chainFacts();
        People memory people = _people();
        vm.startBroadcast();
        Part[] memory list = _list(p);
        for (uint256 i; i < list.length; ++i) {
            _create(list[i]);
        }
        if (block.chainid == LOCAL) facts = _withDemoToken(facts);
        AccessManager manager = AccessManager(p.manager.at);
        (bool isAdmin,) = manager.hasRole(manager.ADMIN_ROLE(), msg.sender);
        if (isAdmin) {
            _configure(p, facts, people);
            _handOver(manager, p.registry.at, people);
        } else {
            console2.log("The governor has taken over: nothing was configured. The governor sets what is missing.");
        }
        vm.stopBroadcast();
        if (_oracleId(Registry(p.registry.at), p.oracle.at) == 0) {
            // nodes would read a file that names a committee which no lease can pin
            console2.log("The committee is not registered: nothing was written. The governor registers it first.");
            return;
        }
        _write(p, facts, firstBlock);
    }

    // ---------------------------------------------------------------- creating

    function _create(Part memory part) private {
        if (part.at.code.length != 0) {
            console2.log("exists ", part.name, part.at);
            return;
        }
        (bool done,) = CREATE2_FACTORY.call(bytes.concat(SALT, part.creationCode, part.arguments));
        require(done && part.at.code.length != 0, string.concat(part.name, " was not created"));
        console2.log("created", part.name, part.at);
    }

    /// @dev The token is worth nothing and refuses to exist on any other chain.
    function _withDemoToken(ChainFacts memory facts) private returns (ChainFacts memory) {
        bytes memory code = type(DemoToken).creationCode;
        address at = vm.computeCreate2Address(SALT, keccak256(code), CREATE2_FACTORY);
        _create(Part("DemoToken", code, "", at));
        facts.tokens = new TokenFact[](1);
        facts.tokens[0] = TokenFact("DEMO", at, type(uint128).max);
        return facts;
    }

    // ---------------------------------------------------------------- configuring

    function _people() private view returns (People memory people) {
        people.payee = vm.envAddress("HASHLEASE_ORACLE_PAYEE");
        if (block.chainid == LOCAL) {
            people.governor = vm.envOr("HASHLEASE_GOVERNOR", msg.sender);
            people.guardian = vm.envOr("HASHLEASE_GUARDIAN", msg.sender);
            people.treasury = vm.envOr("HASHLEASE_TREASURY", msg.sender);
        } else {
            people.governor = vm.envAddress("HASHLEASE_GOVERNOR");
            require(people.governor != msg.sender, "HASHLEASE_GOVERNOR is the deployer: there would be no timelock");
            people.guardian = vm.envAddress("HASHLEASE_GUARDIAN");
            people.treasury = vm.envAddress("HASHLEASE_TREASURY");
        }
    }

    function _configure(Parts memory p, ChainFacts memory facts, People memory people) private {
        Registry registry = Registry(p.registry.at);
        if (registry.treasury() != people.treasury) registry.setTreasury(people.treasury);
        if (facts.wrappedNative != address(0) && registry.wrappedNative() == address(0)) {
            _requireCode("wrapped_native", facts.wrappedNative);
            registry.setWrappedNative(facts.wrappedNative);
        }
        uint32 oracleId = _oracleId(registry, p.oracle.at);
        if (oracleId == 0) {
            oracleId = registry.registerOracle(_registration(p.oracle.at, people.payee));
        }
        for (uint256 i; i < facts.tokens.length; ++i) {
            TokenFact memory token = facts.tokens[i];
            _requireCode(token.symbol, token.at);
            if (!registry.isTokenListed(token.at)) registry.listToken(token.at, true);
            if (registry.limits(oracleId, token.at).exposureCap != token.cap) {
                registry.setLimits(oracleId, token.at, Limits(SafeCastLib.toUint128(token.cap), 0));
            }
        }
    }

    /// @dev A committee checks every algorithm there is, of leases with any bond and end.
    function _registration(address committee, address payee) private view returns (Registration memory r) {
        (r.account, r.payee) = (committee, payee);
        r.window = SafeCastLib.toUint32(vm.envOr("HASHLEASE_ORACLE_WINDOW", uint256(48 hours)));
        r.feeBps = SafeCastLib.toUint16(vm.envOr("HASHLEASE_ORACLE_FEE_BPS", uint256(100)));
        for (uint256 n = ALGORITHM_SHA256D; n <= ALGORITHM_ETCHASH; ++n) {
            r.algorithms |= SafeCastLib.toUint32(2 ** n);
        }
    }

    function _requireCode(string memory name, address at) private view {
        require(at.code.length != 0, string.concat(name, ": no contract at ", vm.toString(at)));
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

    function _oracleId(Registry registry, address account) private view returns (uint32) {
        for (uint32 id = registry.oracleCount(); id > 0; --id) {
            if (registry.oracle(id).account == account) return id;
        }
        return 0;
    }

    // ---------------------------------------------------------------- writing

    function _write(Parts memory p, ChainFacts memory facts, uint256 firstBlock) private {
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
        vm.serializeUint(o, "block", _firstBlock(firstBlock));
        vm.serializeAddress(o, "escrow", p.escrow.at);
        vm.serializeAddress(o, "registry", p.registry.at);
        vm.serializeAddress(o, "lens", p.lens.at);
        vm.serializeAddress(o, "directory", p.directory.at);
        vm.serializeAddress(o, "oracle", p.oracle.at);
        vm.serializeUint(o, "oracle_id", _oracleId(Registry(p.registry.at), p.oracle.at));
        if (facts.tokens.length != 0) vm.serializeAddress(o, "token", facts.tokens[0].at);
        vm.serializeAddress(o, "access_manager", p.manager.at);
        vm.serializeAddress(o, "deployer", msg.sender);
        vm.writeToml(vm.serializeString(o, "contracts", contracts), _file());
    }

    /// @dev A later run keeps the first block, because logs are read from there.
    function _firstBlock(uint256 now_) private view returns (uint256) {
        if (!vm.isFile(_file())) return now_;
        string memory toml = vm.readFile(_file());
        if (vm.parseTomlUint(toml, ".chain_id") != block.chainid || block.chainid == LOCAL) return now_;
        uint256 earlier = vm.parseTomlUint(toml, ".block");
        return earlier < now_ ? earlier : now_;
    }
}
