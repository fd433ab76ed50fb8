// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {CommitteeOracle} from "contracts/src/CommitteeOracle.sol";
import {LeaseEscrow} from "contracts/src/LeaseEscrow.sol";
import {Bounds} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Script} from "forge-std/Script.sol";
import {DemoToken} from "script/DemoToken.sol";

/// @title Deploys an escrow with one committee and one token
/// @notice Who sends becomes admin of the AccessManager. Everything is taken from the environment:
/// `HASHLEASE_COMMITTEE_OWNERS`, `HASHLEASE_COMMITTEE_KEYS` (comma-separated addresses),
/// `HASHLEASE_COMMITTEE_THRESHOLD`, `HASHLEASE_ORACLE_WINDOW` (seconds), `HASHLEASE_ORACLE_FEE_BPS`,
/// `HASHLEASE_ORACLE_PAYEE`, `HASHLEASE_TOKEN` (a demo token on a local chain when missing),
/// `HASHLEASE_DEPLOYMENT_NAME` (the chain id when missing). Writes `script/deployments/<name>.toml`.
contract Deploy is Script {
    uint256 private constant LOCAL = 31_337;

    struct Deployment {
        uint256 firstBlock;
        address manager;
        address escrow;
        address oracle;
        uint32 oracleId;
        address token;
    }

    function run() external {
        Deployment memory d;
        d.firstBlock = block.number;
        d.token = vm.envOr("HASHLEASE_TOKEN", address(0));
        require(d.token != address(0) || block.chainid == LOCAL, "HASHLEASE_TOKEN is missing: which token pays?");
        vm.startBroadcast();
        d.manager = address(new AccessManager(msg.sender));
        LeaseEscrow escrow = new LeaseEscrow(d.manager, _bounds());
        d.escrow = address(escrow);
        d.oracle = _committee(d.escrow);
        if (d.token == address(0)) d.token = address(new DemoToken());
        d.oracleId = escrow.registerOracle(
            d.oracle,
            uint32(vm.envOr("HASHLEASE_ORACLE_WINDOW", uint256(48 hours))),
            uint16(vm.envOr("HASHLEASE_ORACLE_FEE_BPS", uint256(100))),
            vm.envAddress("HASHLEASE_ORACLE_PAYEE")
        );
        escrow.listToken(d.token, true);
        escrow.setExposureCap(d.oracleId, d.token, type(uint128).max);
        vm.stopBroadcast();
        _write(d);
    }

    function _committee(address escrow) private returns (address) {
        address[] memory owners = vm.envAddress("HASHLEASE_COMMITTEE_OWNERS", ",");
        address[] memory keys = vm.envAddress("HASHLEASE_COMMITTEE_KEYS", ",");
        uint256 threshold = vm.envUint("HASHLEASE_COMMITTEE_THRESHOLD");
        return address(new CommitteeOracle(escrow, owners, keys, threshold));
    }

    function _write(Deployment memory d) private {
        string memory name = vm.envOr("HASHLEASE_DEPLOYMENT_NAME", vm.toString(block.chainid));
        string memory o = "deployment";
        vm.serializeUint(o, "chain_id", block.chainid);
        vm.serializeUint(o, "block", d.firstBlock);
        vm.serializeAddress(o, "escrow", d.escrow);
        vm.serializeAddress(o, "oracle", d.oracle);
        vm.serializeUint(o, "oracle_id", d.oracleId);
        vm.serializeAddress(o, "token", d.token);
        string memory json = vm.serializeAddress(o, "access_manager", d.manager);
        vm.writeToml(json, string.concat("script/deployments/", name, ".toml"));
    }

    /// @dev The same on every public chain; seconds on a local one, so that nobody needs to warp a clock.
    function _bounds() private view returns (Bounds memory) {
        if (block.chainid == LOCAL) {
            return Bounds({
                minDuration: 30,
                maxDuration: 30 days,
                minEpoch: 10,
                maxEpoch: 24 hours,
                maxNotice: 2 hours,
                minWindow: 10,
                maxWindow: 30 days
            });
        }
        return Bounds({
            minDuration: 1 hours,
            maxDuration: 30 days,
            minEpoch: 10 minutes,
            maxEpoch: 24 hours,
            maxNotice: 2 hours,
            minWindow: 1 hours,
            maxWindow: 30 days
        });
    }
}
