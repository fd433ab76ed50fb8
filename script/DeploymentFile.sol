// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Limits, Oracle, Registration} from "contracts/src/interfaces/LeaseTypes.sol";
import {VmSafe} from "forge-std/Vm.sol";
import {Chains} from "script/Chains.sol";

/// @title The file of a deployment
/// @notice Nodes and pages read its addresses. Its section `expected` is what the registry and the
/// access manager were asked to hold: the deployment and each executed call of the governor write
/// it, and the check compares the chain with it.
abstract contract DeploymentFile is Chains {
    string private constant ORACLE =
        "Oracle(uint32 id,address account,uint32 window,uint16 fee_bps,bool voids,address payee,uint32 algorithms,uint40 latest_end,uint16 min_bond_bps,bool listed)";
    string private constant TOKEN = "Token(address token,bool listed)";
    string private constant LIMITS = "Limits(uint32 oracle,address token,string exposure_cap,string least_payment)";

    /// @notice A registered oracle.
    struct ExpectedOracle {
        uint32 id;
        Oracle oracle;
    }

    /// @notice A token and whether new leases may use it.
    struct ExpectedToken {
        address token;
        bool listed;
    }

    /// @notice Limits of leases of one oracle in one token.
    struct ExpectedLimits {
        uint32 oracle;
        address token;
        Limits limits;
    }

    /// @dev Amounts as text: TOML's integers have 64 bits.
    struct LimitsText {
        uint32 oracle;
        address token;
        string exposureCap;
        string leastPayment;
    }

    /// @notice What the chain should hold.
    struct Expected {
        address governor;
        uint256 timelock;
        address guardian;
        address treasury;
        address wrappedNative;
        ExpectedOracle[] oracles;
        ExpectedToken[] tokens;
        ExpectedLimits[] limits;
    }

    function _file() internal view returns (string memory) {
        string memory name = _text("HASHLEASE_DEPLOYMENT_NAME");
        if (bytes(name).length == 0) name = vm.toString(block.chainid);
        return string.concat("script/deployments/", name, ".toml");
    }

    /// @dev Only a run that sends transactions may write.
    function _sends() internal view returns (bool) {
        return vm.isContext(VmSafe.ForgeContext.ScriptBroadcast) || vm.isContext(VmSafe.ForgeContext.ScriptResume);
    }

    // ---------------------------------------------------------------- reading

    function _readFile() internal view returns (string memory toml) {
        toml = vm.readFile(_file());
        uint256 chain = vm.parseTomlUint(toml, ".chain_id");
        require(
            chain == block.chainid,
            string.concat(_file(), " is of chain ", vm.toString(chain), ", not of chain ", vm.toString(block.chainid))
        );
    }

    function _readExpected(string memory toml) internal pure returns (Expected memory e) {
        e.governor = vm.parseTomlAddress(toml, ".expected.governor");
        e.timelock = vm.parseTomlUint(toml, ".expected.timelock");
        e.guardian = vm.parseTomlAddress(toml, ".expected.guardian");
        e.treasury = vm.parseTomlAddress(toml, ".expected.treasury");
        e.wrappedNative = vm.parseTomlAddress(toml, ".expected.wrapped_native");
        e.oracles = abi.decode(vm.parseTomlTypeArray(toml, ".expected.oracles", ORACLE), (ExpectedOracle[]));
        e.tokens = abi.decode(vm.parseTomlTypeArray(toml, ".expected.tokens", TOKEN), (ExpectedToken[]));
        LimitsText[] memory texts = abi.decode(vm.parseTomlTypeArray(toml, ".expected.limits", LIMITS), (LimitsText[]));
        e.limits = new ExpectedLimits[](texts.length);
        for (uint256 i; i < texts.length; ++i) {
            LimitsText memory t = texts[i];
            e.limits[i] = ExpectedLimits(t.oracle, t.token, Limits(_amount(t.exposureCap), _amount(t.leastPayment)));
        }
    }

    // ---------------------------------------------------------------- writing

    /// @dev Replaces the expectation in the file.
    function _writeExpected(Expected memory e) internal {
        vm.writeToml(_expectedJson(e), _file(), ".expected");
    }

    function _expectedJson(Expected memory e) internal returns (string memory) {
        string memory o = "expected";
        vm.serializeAddress(o, "governor", e.governor);
        vm.serializeUint(o, "timelock", e.timelock);
        vm.serializeAddress(o, "guardian", e.guardian);
        vm.serializeAddress(o, "treasury", e.treasury);
        vm.serializeAddress(o, "wrapped_native", e.wrappedNative);
        vm.serializeString(o, "oracles", _oraclesJson(e.oracles));
        vm.serializeString(o, "tokens", _tokensJson(e.tokens));
        return vm.serializeString(o, "limits", _limitsJson(e.limits));
    }

    /// @dev Field by field, which sorts them: `serializeJsonType` has them in any order.
    function _oraclesJson(ExpectedOracle[] memory oracles) private returns (string[] memory entries) {
        entries = new string[](oracles.length);
        for (uint256 i; i < entries.length; ++i) {
            Oracle memory oracle = oracles[i].oracle;
            string memory o = string.concat("oracle ", vm.toString(i));
            vm.serializeUint(o, "id", oracles[i].id);
            vm.serializeAddress(o, "account", oracle.account);
            vm.serializeUint(o, "window", oracle.window);
            vm.serializeUint(o, "fee_bps", oracle.feeBps);
            vm.serializeBool(o, "voids", oracle.voids);
            vm.serializeAddress(o, "payee", oracle.payee);
            vm.serializeUint(o, "algorithms", oracle.algorithms);
            vm.serializeUint(o, "latest_end", oracle.latestEnd);
            vm.serializeUint(o, "min_bond_bps", oracle.minBondBps);
            entries[i] = vm.serializeBool(o, "listed", oracle.listed);
        }
    }

    function _tokensJson(ExpectedToken[] memory tokens) private returns (string[] memory entries) {
        entries = new string[](tokens.length);
        for (uint256 i; i < entries.length; ++i) {
            string memory o = string.concat("token ", vm.toString(i));
            vm.serializeAddress(o, "token", tokens[i].token);
            entries[i] = vm.serializeBool(o, "listed", tokens[i].listed);
        }
    }

    function _limitsJson(ExpectedLimits[] memory limits) private returns (string[] memory entries) {
        entries = new string[](limits.length);
        for (uint256 i; i < entries.length; ++i) {
            string memory o = string.concat("limits ", vm.toString(i));
            vm.serializeUint(o, "oracle", limits[i].oracle);
            vm.serializeAddress(o, "token", limits[i].token);
            vm.serializeString(o, "exposure_cap", vm.toString(limits[i].limits.exposureCap));
            entries[i] = vm.serializeString(o, "least_payment", vm.toString(limits[i].limits.leastPayment));
        }
    }

    // ---------------------------------------------------------------- changing

    /// @dev An oracle as it is after its registration.
    function _listed(Registration memory r) internal pure returns (Oracle memory) {
        return Oracle({
            account: r.account,
            window: r.window,
            feeBps: r.feeBps,
            voids: r.voids,
            payee: r.payee,
            algorithms: r.algorithms,
            latestEnd: r.latestEnd,
            minBondBps: r.minBondBps,
            listed: true
        });
    }

    function _setOracle(Expected memory e, uint32 id, Oracle memory oracle) internal pure {
        for (uint256 i; i < e.oracles.length; ++i) {
            if (e.oracles[i].id != id) continue;
            e.oracles[i].oracle = oracle;
            return;
        }
        ExpectedOracle[] memory longer = new ExpectedOracle[](e.oracles.length + 1);
        for (uint256 i; i < e.oracles.length; ++i) {
            longer[i] = e.oracles[i];
        }
        longer[e.oracles.length] = ExpectedOracle(id, oracle);
        e.oracles = longer;
    }

    function _setToken(Expected memory e, address token, bool listed) internal pure {
        for (uint256 i; i < e.tokens.length; ++i) {
            if (e.tokens[i].token != token) continue;
            e.tokens[i].listed = listed;
            return;
        }
        ExpectedToken[] memory longer = new ExpectedToken[](e.tokens.length + 1);
        for (uint256 i; i < e.tokens.length; ++i) {
            longer[i] = e.tokens[i];
        }
        longer[e.tokens.length] = ExpectedToken(token, listed);
        e.tokens = longer;
    }

    function _setLimits(Expected memory e, uint32 oracle, address token, Limits memory limits) internal pure {
        for (uint256 i; i < e.limits.length; ++i) {
            if (e.limits[i].oracle != oracle || e.limits[i].token != token) continue;
            e.limits[i].limits = limits;
            return;
        }
        ExpectedLimits[] memory longer = new ExpectedLimits[](e.limits.length + 1);
        for (uint256 i; i < e.limits.length; ++i) {
            longer[i] = e.limits[i];
        }
        longer[e.limits.length] = ExpectedLimits(oracle, token, limits);
        e.limits = longer;
    }
}
