// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {LeaseEscrow} from "contracts/src/escrow/LeaseEscrow.sol";
import {LeaseLens} from "contracts/src/lens/LeaseLens.sol";
import {LeaseDescriptor} from "contracts/src/metadata/LeaseDescriptor.sol";
import {CommitteeOracle} from "contracts/src/oracles/CommitteeOracle.sol";
import {Directory} from "contracts/src/registry/Directory.sol";
import {Registry} from "contracts/src/registry/Registry.sol";
import {Settings} from "script/Settings.sol";

/// @title The parts of a deployment
/// @notice CREATE2 creates every contract with one salt, and no constructor takes a value specific
/// to one chain. So the same deployer and committee get the same addresses on every public chain.
/// What differs between chains (the wrapped native currency, tokens, caps) is set by calls and read
/// from `script/chains/<chain id>.toml`.
abstract contract Plan is Settings {
    bytes32 internal constant SALT = "Hashlease 1";

    /// @notice One contract of a deployment.
    struct Part {
        string name;
        bytes creationCode;
        bytes arguments;
        address at;
    }

    /// @notice The parts, in order of creation.
    struct Parts {
        Part manager;
        Part registry;
        Part descriptor;
        Part escrow;
        Part lens;
        Part directory;
        Part oracle;
    }

    // ---------------------------------------------------------------- parts

    /// @param url The page that the NFTs link to: the same on every chain, since addresses depend on it.
    function _parts(address deployer, Committee memory c, string memory url) internal view returns (Parts memory p) {
        p.manager = _part("AccessManager", type(AccessManager).creationCode, abi.encode(deployer));
        p.registry = _part("Registry", type(Registry).creationCode, abi.encode(p.manager.at, _bounds()));
        p.descriptor = _part("LeaseDescriptor", type(LeaseDescriptor).creationCode, abi.encode(url));
        p.escrow = _part("LeaseEscrow", type(LeaseEscrow).creationCode, abi.encode(p.registry.at, p.descriptor.at));
        p.lens = _part("LeaseLens", type(LeaseLens).creationCode, abi.encode(p.escrow.at));
        p.directory = _part("Directory", type(Directory).creationCode, "");
        p.oracle = _part(
            "CommitteeOracle",
            type(CommitteeOracle).creationCode,
            abi.encode(p.escrow.at, c.owners, c.keys, c.threshold)
        );
    }

    function _part(string memory name, bytes memory creationCode, bytes memory arguments)
        internal
        pure
        returns (Part memory)
    {
        bytes32 hash = keccak256(bytes.concat(creationCode, arguments));
        return Part(name, creationCode, arguments, vm.computeCreate2Address(SALT, hash, CREATE2_FACTORY));
    }

    function _list(Parts memory p) internal pure returns (Part[] memory list) {
        list = new Part[](7);
        (list[0], list[1], list[2], list[3]) = (p.manager, p.registry, p.descriptor, p.escrow);
        (list[4], list[5], list[6]) = (p.lens, p.directory, p.oracle);
    }
}
