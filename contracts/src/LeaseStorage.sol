// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow, Lease} from "contracts/src/interfaces/ILeaseEscrow.sol";

/// @title Where leases and balances are kept
/// @notice The slots of a lease are grouped by who reads them: what `credit` touches fits two.
abstract contract LeaseStorage is ILeaseEscrow {
    /// @dev Written by `credit`, `settle`. Zero at renting, so renting does not pay for it.
    struct Progress {
        uint96 credited;
        uint96 due;
        uint40 asOf;
        bool last;
        bool settled;
    }

    /// @dev Read by `credit`.
    struct Schedule {
        uint96 rate;
        uint40 start;
        uint40 end;
        uint32 duration;
        uint32 oracle;
        uint8 weightLog2;
        uint8 algorithm;
    }

    /// @dev `bond` is what is left of it.
    struct Funds {
        uint128 payment;
        uint128 bond;
    }

    struct Seller {
        address provider;
        uint96 collectedWork;
    }

    struct Particulars {
        address jobSigner;
        uint32 tokenId;
        uint32 epochLength;
        uint16 cancelBps;
        uint16 bondBps;
    }

    struct Exposure {
        uint128 used;
        uint128 cap;
    }

    mapping(uint256 id => Progress) internal _progress;
    mapping(uint256 id => Schedule) internal _schedules;
    mapping(uint256 id => Funds) internal _funds;
    mapping(uint256 id => Seller) internal _sellers;
    mapping(uint256 id => Particulars) internal _particulars;

    mapping(address account => mapping(address token => uint256)) internal _balances;
    mapping(uint32 oracle => mapping(address token => Exposure)) internal _exposure;
    mapping(uint32 id => address) internal _tokens;

    /// @inheritdoc ILeaseEscrow
    mapping(address token => uint256) public liabilities;
    /// @inheritdoc ILeaseEscrow
    mapping(bytes32 offerHash => uint96) public filled;
    /// @inheritdoc ILeaseEscrow
    mapping(address provider => uint256) public counter;
    /// @inheritdoc ILeaseEscrow
    uint256 public leaseCount;

    /// @inheritdoc ILeaseEscrow
    function lease(uint256 id) external view returns (Lease memory) {
        Schedule memory schedule = _scheduleOf(id);
        Progress memory progress = _progress[id];
        Particulars memory particulars = _particulars[id];
        Funds memory funds = _funds[id];
        Seller memory seller = _sellers[id];
        return Lease({
            provider: seller.provider,
            token: _tokens[particulars.tokenId],
            jobSigner: particulars.jobSigner,
            oracle: schedule.oracle,
            algorithm: schedule.algorithm,
            weightLog2: schedule.weightLog2,
            rate: schedule.rate,
            start: schedule.start,
            end: schedule.end,
            duration: schedule.duration,
            epochLength: particulars.epochLength,
            cancelBps: particulars.cancelBps,
            bondBps: particulars.bondBps,
            payment: funds.payment,
            bond: funds.bond,
            credited: progress.credited,
            due: progress.due,
            asOf: progress.asOf,
            collectedWork: seller.collectedWork,
            last: progress.last,
            settled: progress.settled
        });
    }

    /// @inheritdoc ILeaseEscrow
    function balance(address account, address token) external view returns (uint256) {
        return _balances[account][token];
    }

    /// @inheritdoc ILeaseEscrow
    function exposure(uint32 oracleId, address token) external view returns (uint256 used, uint256 cap) {
        Exposure memory found = _exposure[oracleId][token];
        return (found.used, found.cap);
    }

    /// @dev A lease exists when it has a rate.
    function _scheduleOf(uint256 id) internal view returns (Schedule memory schedule) {
        schedule = _schedules[id];
        require(schedule.rate != 0, UnknownLease(id));
    }
}
