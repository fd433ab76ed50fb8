// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {CommitteeOracle} from "contracts/src/CommitteeOracle.sol";
import {LeaseEscrow} from "contracts/src/LeaseEscrow.sol";
import {LeaseLens} from "contracts/src/LeaseLens.sol";
import {Registry} from "contracts/src/Registry.sol";
import {Oracle} from "contracts/src/interfaces/LeaseTypes.sol";
import {console2} from "forge-std/console2.sol";
import {Plan} from "script/Plan.sol";

/// @title Checks a deployment against its file and against these sources
/// @notice Sends nothing. Reads `script/deployments/<chain id>.toml` (or `<HASHLEASE_DEPLOYMENT_NAME>.toml`) and fails
/// when anything on the chain is not what the sources, the constructor arguments and `script/chains` say. With
/// `HASHLEASE_GOVERNOR` and `HASHLEASE_GUARDIAN` it checks who has which right, too.
contract Check is Plan {
    uint256 private _failures;
    string private _toml;

    function run() external {
        _toml = vm.readFile(_file());
        _expect(vm.parseTomlUint(_toml, ".chain_id") == block.chainid, "the file is of this chain");
        address deployer = vm.parseTomlAddress(_toml, ".deployer");
        bytes memory seats = vm.parseTomlBytes(_toml, ".contracts.CommitteeOracle.constructor_arguments");
        Committee memory c;
        (, c.owners, c.keys, c.threshold) = abi.decode(seats, (address, address[], address[], uint256));
        Parts memory p = _parts(deployer, c);
        Part[] memory list = _list(p);
        for (uint256 i; i < list.length; ++i) {
            _checkPart(list[i]);
        }
        _checkWiring(p, c);
        _checkRegistry(Registry(p.registry.at));
        _checkRights(AccessManager(p.manager.at), p.registry.at, deployer);
        require(_failures == 0, string.concat(vm.toString(_failures), " checks failed"));
        console2.log("all is as it should be");
    }

    function _expect(bool holds, string memory what) private {
        console2.log(holds ? "ok    " : "FAILED", what);
        if (!holds) ++_failures;
    }

    /// @dev CREATE2 binds an address to the code and the arguments that made it.
    function _checkPart(Part memory part) private {
        string memory at = string.concat(".contracts.", part.name);
        bytes32 hash = keccak256(bytes.concat(part.creationCode, part.arguments));
        bool isAsWritten = vm.parseTomlAddress(_toml, string.concat(at, ".address")) == part.at
            && vm.parseTomlBytes32(_toml, string.concat(at, ".initcode_hash")) == hash
            && keccak256(vm.parseTomlBytes(_toml, string.concat(at, ".constructor_arguments")))
                == keccak256(part.arguments);
        _expect(isAsWritten, string.concat(part.name, " is what these sources make"));
        _expect(part.at.code.length != 0, string.concat(part.name, " exists"));
    }

    function _checkWiring(Parts memory p, Committee memory c) private {
        LeaseEscrow escrow = LeaseEscrow(payable(p.escrow.at));
        _expect(escrow.registry() == p.registry.at, "the escrow asks the registry");
        _expect(escrow.descriptor() == p.descriptor.at, "the escrow's metadata come from the descriptor");
        _expect(LeaseLens(p.lens.at).escrow() == p.escrow.at, "the lens reads the escrow");
        CommitteeOracle oracle = CommitteeOracle(p.oracle.at);
        _expect(oracle.escrow() == p.escrow.at, "the committee credits in the escrow");
        _expect(oracle.threshold() == c.threshold && oracle.memberCount() == c.owners.length, "M and N are as given");
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
        _expect(registry.treasury() != address(0), "a treasury is named");
        uint32 id = uint32(vm.parseTomlUint(_toml, ".oracle_id"));
        Oracle memory oracle = registry.oracle(id);
        _expect(oracle.account == vm.parseTomlAddress(_toml, ".oracle") && oracle.listed, "the committee is listed");
        _expect(oracle.feeBps <= 300, "the fee is at most 3 %");
        for (uint256 i; i < facts.tokens.length; ++i) {
            TokenFact memory token = facts.tokens[i];
            _expect(registry.isTokenListed(token.at), string.concat(token.symbol, " is listed"));
            _expect(registry.exposureCap(id, token.at) == token.cap, string.concat(token.symbol, "'s exposure cap"));
        }
    }

    function _checkRights(AccessManager manager, address registry, address deployer) private {
        uint64 admin = manager.ADMIN_ROLE();
        _expect(manager.getTargetFunctionRole(registry, Registry.pause.selector) == GUARDIAN, "guardians may pause");
        bytes4[8] memory others = [
            Registry.registerOracle.selector,
            Registry.listOracle.selector,
            Registry.listToken.selector,
            Registry.setExposureCap.selector,
            Registry.unpause.selector,
            Registry.setWrappedNative.selector,
            Registry.setTreasury.selector,
            bytes4(keccak256("setAuthority(address)"))
        ];
        for (uint256 i; i < others.length; ++i) {
            _expect(manager.getTargetFunctionRole(registry, others[i]) == admin, "all else is the governor's");
        }
        address governor = vm.envOr("HASHLEASE_GOVERNOR", address(0));
        if (governor == address(0)) return;
        (bool isGovernor, uint32 delay) = manager.hasRole(admin, governor);
        _expect(isGovernor && (governor == deployer || delay >= TIMELOCK), "the governor has the timelock");
        (bool isDeployer,) = manager.hasRole(admin, deployer);
        _expect(governor == deployer || !isDeployer, "the deployer has no right left");
        (bool isGuardian,) = manager.hasRole(GUARDIAN, vm.envAddress("HASHLEASE_GUARDIAN"));
        _expect(isGuardian, "the guardian is one");
    }
}
