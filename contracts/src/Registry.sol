// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {LeaseStorage} from "contracts/src/LeaseStorage.sol";
import {Bounds, ILeaseEscrow, Oracle} from "contracts/src/interfaces/ILeaseEscrow.sol";

/// @title What new leases may use
/// @notice The governor's whole power: lists and caps that only `rent` reads. A registered oracle never changes.
abstract contract Registry is LeaseStorage, AccessManaged {
    uint16 internal constant MAX_FEE_BPS = 300;

    uint32 internal immutable MIN_DURATION;
    uint32 internal immutable MAX_DURATION;
    uint32 internal immutable MIN_EPOCH;
    uint32 internal immutable MAX_EPOCH;
    uint32 internal immutable MAX_NOTICE;
    uint32 internal immutable MIN_WINDOW;
    uint32 internal immutable MAX_WINDOW;

    struct TokenEntry {
        uint32 id;
        bool listed;
    }

    uint32 private _oracleCount;
    uint32 private _tokenCount;
    mapping(uint32 id => Oracle) internal _oracles;
    mapping(address account => uint32) private _oracleOf;
    mapping(address token => TokenEntry) internal _tokenEntries;

    constructor(address authority, Bounds memory b) AccessManaged(authority) {
        require(authority != address(0), ZeroAddress());
        require(
            b.minEpoch != 0 && b.minEpoch <= b.maxEpoch && b.minDuration >= b.minEpoch && b.minDuration <= b.maxDuration
                && b.minWindow <= b.maxWindow,
            BadBounds()
        );
        MIN_DURATION = b.minDuration;
        MAX_DURATION = b.maxDuration;
        MIN_EPOCH = b.minEpoch;
        MAX_EPOCH = b.maxEpoch;
        MAX_NOTICE = b.maxNotice;
        MIN_WINDOW = b.minWindow;
        MAX_WINDOW = b.maxWindow;
    }

    /// @inheritdoc ILeaseEscrow
    function registerOracle(address account, uint32 window, uint16 feeBps, address payee)
        external
        restricted
        returns (uint32 id)
    {
        require(account != address(0) && payee != address(0), ZeroAddress());
        require(_oracleOf[account] == 0, AlreadyRegistered(account));
        require(window >= MIN_WINDOW && window <= MAX_WINDOW, WindowOutOfBounds(MIN_WINDOW, MAX_WINDOW, window));
        require(feeBps <= MAX_FEE_BPS, FeeOutOfBounds(MAX_FEE_BPS, feeBps));
        id = ++_oracleCount;
        _oracleOf[account] = id;
        _oracles[id] = Oracle({account: account, window: window, feeBps: feeBps, payee: payee, listed: true});
        emit OracleRegistered(id, account, window, feeBps, payee);
        emit OracleListed(id, true);
    }

    /// @inheritdoc ILeaseEscrow
    function listOracle(uint32 id, bool listed) external restricted {
        require(_oracles[id].account != address(0), OracleNotListed(id));
        _oracles[id].listed = listed;
        emit OracleListed(id, listed);
    }

    /// @inheritdoc ILeaseEscrow
    function listToken(address token, bool listed) external restricted returns (uint32 id) {
        require(token != address(0), ZeroAddress());
        TokenEntry storage entry = _tokenEntries[token];
        id = entry.id;
        if (id == 0) {
            id = ++_tokenCount;
            entry.id = id;
            _tokens[id] = token;
        }
        entry.listed = listed;
        emit TokenListed(id, token, listed);
    }

    /// @inheritdoc ILeaseEscrow
    function setExposureCap(uint32 oracleId, address token, uint256 cap) external restricted {
        require(_oracles[oracleId].account != address(0), OracleNotListed(oracleId));
        // more than 128 bits can't be held anyway
        if (cap > type(uint128).max) cap = type(uint128).max;
        // forge-lint: disable-next-line(unsafe-typecast)
        _exposure[oracleId][token].cap = uint128(cap);
        emit ExposureCapSet(oracleId, token, cap);
    }

    /// @inheritdoc ILeaseEscrow
    function oracle(uint32 id) external view returns (Oracle memory) {
        return _oracles[id];
    }

    /// @inheritdoc ILeaseEscrow
    function bounds() external view returns (Bounds memory) {
        return Bounds({
            minDuration: MIN_DURATION,
            maxDuration: MAX_DURATION,
            minEpoch: MIN_EPOCH,
            maxEpoch: MAX_EPOCH,
            maxNotice: MAX_NOTICE,
            minWindow: MIN_WINDOW,
            maxWindow: MAX_WINDOW
        });
    }
}
