// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {ILeaseEscrow} from "contracts/src/interfaces/ILeaseEscrow.sol";
import {Oracle} from "contracts/src/interfaces/LeaseTypes.sol";
import {LeaseMath} from "contracts/src/libraries/LeaseMath.sol";
import {Progress, Purse, Schedule} from "contracts/src/libraries/Packed.sol";

/// @title Storage of leases and balances
/// @notice Renting fills four fresh slots: `Schedule`, `Funds`, `Particulars`, and the NFT's owner
/// with the collected work in its upper 96 bits. `Progress` stays zero until the first credit.
/// `credit` touches only `Schedule` and `Progress`.
abstract contract LeaseStorage is ILeaseEscrow {
    /// @dev The two words that `credit` reads and writes.
    struct Meter {
        Schedule schedule;
        Progress progress;
    }

    /// @dev 256 bits. `bond` is what voided epochs left of it.
    struct Funds {
        uint128 payment;
        uint128 bond;
    }

    /// @dev 256 bits. `provider` and `token` are numbers assigned at first use, which saves a slot
    /// for each.
    struct Particulars {
        address jobSigner;
        uint40 provider;
        uint24 token;
        uint16 cancelBps;
        uint16 bondBps;
    }

    /// @dev `number` is zero until the account rents out its first lease.
    struct Seller {
        uint40 number;
        uint208 counter;
        bool keepsBalance;
    }

    /// @dev Copied from the registry at the first lease. `credit` reads the first slot, `collect`
    /// the second.
    struct PinnedOracle {
        address account;
        uint32 window;
        address payee;
        uint16 feeBps;
    }

    /// @dev For one oracle and one token. `token` is the token's number, zero until the pair's
    /// first lease.
    struct Pair {
        uint128 exposure;
        uint24 token;
    }

    mapping(uint256 id => Meter) internal _meters;
    mapping(uint256 id => Funds) internal _funds;
    mapping(uint256 id => Particulars) internal _particulars;
    /// @dev One bit per epoch.
    mapping(uint256 id => mapping(uint256 word => uint256)) internal _void;

    mapping(address account => mapping(address token => Purse)) internal _purses;
    mapping(address account => Seller) internal _sellers;
    mapping(uint40 number => address) internal _providers;
    mapping(uint32 oracle => mapping(address token => Pair)) internal _pairs;
    mapping(uint32 id => PinnedOracle) internal _oracles;
    mapping(address token => uint24) internal _tokenNumbers;
    mapping(uint24 number => address) internal _tokens;
    uint40 internal _providerCount;
    uint24 internal _tokenCount;

    /// @inheritdoc ILeaseEscrow
    mapping(uint256 id => uint256) public renewedBy;
    /// @inheritdoc ILeaseEscrow
    mapping(address token => uint256) public liabilities;
    /// @inheritdoc ILeaseEscrow
    mapping(bytes32 offerHash => uint96) public filled;
    /// @dev Shares a slot with `wrappedNative`.
    uint96 internal _leaseCount;
    /// @inheritdoc ILeaseEscrow
    address public wrappedNative;

    // ---------------------------------------------------------------- views

    /// @inheritdoc ILeaseEscrow
    function leaseCount() external view returns (uint256) {
        return _leaseCount;
    }

    /// @inheritdoc ILeaseEscrow
    function balance(address account, address token) external view returns (uint256) {
        return _purses[account][token].balance();
    }

    /// @inheritdoc ILeaseEscrow
    function unreconciled(address account, address token) external view returns (uint256) {
        return _purses[account][token].withdrawn();
    }

    /// @inheritdoc ILeaseEscrow
    function counter(address provider) external view returns (uint256) {
        return _sellers[provider].counter;
    }

    /// @inheritdoc ILeaseEscrow
    function keepsBalance(address account) external view returns (bool) {
        return _sellers[account].keepsBalance;
    }

    /// @inheritdoc ILeaseEscrow
    function exposure(uint32 oracleId, address token) external view returns (uint256) {
        return _pairs[oracleId][token].exposure;
    }

    /// @inheritdoc ILeaseEscrow
    function pinnedOracle(uint32 id) external view returns (Oracle memory) {
        PinnedOracle memory o = _oracles[id];
        return Oracle({account: o.account, window: o.window, feeBps: o.feeBps, payee: o.payee, listed: false});
    }

    /// @inheritdoc ILeaseEscrow
    function isVoid(uint256 id, uint32 epoch) public view returns (bool) {
        return _void[id][epoch >> 8] >> (epoch & 0xff) & 1 == 1;
    }

    // ---------------------------------------------------------------- shared lookups

    /// @dev A lease exists if its rate is not zero.
    function _scheduleOf(uint256 id) internal view returns (Schedule schedule) {
        schedule = _meters[id].schedule;
        require(schedule.rate() != 0, UnknownLease(id));
    }

    /// @dev The bond that renting locked, before any epoch was voided.
    function _bondAtRenting(Funds memory funds, Particulars memory particulars) internal pure returns (uint256) {
        return LeaseMath.portion(funds.payment, particulars.bondBps);
    }
}
