// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IRegistry} from "contracts/src/interfaces/IRegistry.sol";
import {Admission, Bounds, Limits, Offer, Oracle, Registration} from "contracts/src/interfaces/LeaseTypes.sol";
import {Fits} from "contracts/src/libraries/Fits.sol";
import {LeaseMath} from "contracts/src/libraries/LeaseMath.sol";
import {MetadataReaderLib} from "solady/utils/MetadataReaderLib.sol";

interface IHasRegistry {
    function registry() external view returns (address);
}

/// @title What new leases may use
/// @notice The escrow asks it at renting, for the treasury, and once for the wrapped native
/// currency. Of a registered oracle only `listed` ever changes.
contract Registry is IRegistry, AccessManaged {
    uint16 private constant MAX_FEE_BPS = 300;
    uint16 private constant MAX_BPS = 10_000;
    uint256 private constant MAX_EPOCHS = 8192;
    uint40 private constant PAUSE = 3 days;
    /// @dev More than an escrow needs to name its registry.
    uint256 private constant ANSWER_GAS = 100_000;

    uint32 private immutable MIN_DURATION;
    uint32 private immutable MAX_DURATION;
    uint32 private immutable MIN_EPOCH;
    uint32 private immutable MAX_EPOCH;
    uint32 private immutable MIN_EPOCHS;
    uint32 private immutable MIN_NOTICE;
    uint32 private immutable MAX_NOTICE;
    uint32 private immutable MIN_WINDOW;
    uint32 private immutable MIN_VOIDING_WINDOW;
    uint32 private immutable MAX_WINDOW;

    /// @inheritdoc IRegistry
    uint32 public oracleCount;
    /// @inheritdoc IRegistry
    uint40 public pausedUntil;
    /// @inheritdoc IRegistry
    address public wrappedNative;
    /// @inheritdoc IRegistry
    address public treasury;
    /// @inheritdoc IRegistry
    mapping(address token => bool) public isTokenListed;
    mapping(uint32 oracle => mapping(address token => Limits)) private _limits;
    mapping(uint32 id => Oracle) private _oracles;
    mapping(address account => uint32) private _oracleOf;

    /// @param authority The governor's OpenZeppelin AccessManager.
    /// @param b Bounds of what can be rented and registered; they never change.
    constructor(address authority, Bounds memory b) AccessManaged(authority) {
        require(authority != address(0), ZeroAddress());
        // the escrow stores an epoch's length in 24 bits and an end in 40
        require(
            b.minEpoch != 0 && b.minEpoch <= b.maxEpoch && b.maxEpoch <= type(uint24).max && b.minDuration >= b.minEpoch
                && b.minDuration <= b.maxDuration && b.minEpochs != 0 && b.minEpochs <= MAX_EPOCHS
                && b.minNotice <= b.maxNotice && b.minWindow <= b.minVoidingWindow && b.minVoidingWindow <= b.maxWindow,
            BadBounds()
        );
        MIN_DURATION = b.minDuration;
        MAX_DURATION = b.maxDuration;
        MIN_EPOCH = b.minEpoch;
        MAX_EPOCH = b.maxEpoch;
        MIN_EPOCHS = b.minEpochs;
        MIN_NOTICE = b.minNotice;
        MAX_NOTICE = b.maxNotice;
        MIN_WINDOW = b.minWindow;
        MIN_VOIDING_WINDOW = b.minVoidingWindow;
        MAX_WINDOW = b.maxWindow;
    }

    // ---------------------------------------------------------------- governor

    /// @inheritdoc IRegistry
    function registerOracle(Registration calldata r) external restricted returns (uint32 id) {
        require(r.account != address(0) && r.payee != address(0), ZeroAddress());
        require(_oracleOf[r.account] == 0, AlreadyRegistered(r.account));
        uint32 shortest = r.voids ? MIN_VOIDING_WINDOW : MIN_WINDOW;
        require(r.window >= shortest && r.window <= MAX_WINDOW, WindowOutOfBounds(shortest, MAX_WINDOW, r.window));
        require(r.feeBps <= MAX_FEE_BPS, FeeOutOfBounds(MAX_FEE_BPS, r.feeBps));
        require(r.algorithms != 0, NoAlgorithms());
        require(r.algorithms & 1 == 0, AlgorithmZero());
        require(r.minBondBps <= MAX_BPS, BondBpsOutOfBounds(MAX_BPS, r.minBondBps));
        require(!_isEscrow(r.payee), PayeeIsEscrow());
        // a lease stores 16 bits of the id
        require(oracleCount < type(uint16).max, TooManyOracles());
        id = ++oracleCount;
        _oracleOf[r.account] = id;
        _oracles[id] = Oracle({
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
        emit OracleRegistered(id, r.account, r);
        emit OracleListed(id, true);
    }

    /// @dev Whether the account is an escrow of this registry. An account may answer anything: a
    /// wallet takes every call and says nothing.
    function _isEscrow(address account) private view returns (bool) {
        bytes memory question = abi.encodeCall(IHasRegistry.registry, ());
        return MetadataReaderLib.readUint(account, question, ANSWER_GAS) == uint160(address(this));
    }

    /// @inheritdoc IRegistry
    function listOracle(uint32 id, bool listed) external restricted {
        require(_oracles[id].account != address(0), OracleNotListed(id));
        _oracles[id].listed = listed;
        emit OracleListed(id, listed);
    }

    /// @inheritdoc IRegistry
    function listToken(address token, bool listed) external restricted {
        require(token != address(0), ZeroAddress());
        isTokenListed[token] = listed;
        emit TokenListed(token, listed);
    }

    /// @inheritdoc IRegistry
    function setLimits(uint32 oracleId, address token, Limits calldata limits_) external restricted {
        require(_oracles[oracleId].account != address(0), OracleNotListed(oracleId));
        _limits[oracleId][token] = limits_;
        emit LimitsSet(oracleId, token, limits_.exposureCap, limits_.leastPayment);
    }

    /// @inheritdoc IRegistry
    function pause() external restricted {
        _pauseUntil(uint40(block.timestamp) + PAUSE);
    }

    /// @inheritdoc IRegistry
    function unpause() external restricted {
        _pauseUntil(uint40(block.timestamp));
    }

    function _pauseUntil(uint40 until) private {
        pausedUntil = until;
        emit Paused(until);
    }

    /// @inheritdoc IRegistry
    function setWrappedNative(address token) external restricted {
        require(token != address(0), ZeroAddress());
        require(wrappedNative == address(0), WrappedNativeIsSet(wrappedNative));
        wrappedNative = token;
        emit WrappedNativeSet(token);
    }

    /// @inheritdoc IRegistry
    function setTreasury(address treasury_) external restricted {
        require(treasury_ != address(0), ZeroAddress());
        treasury = treasury_;
        emit TreasurySet(treasury_);
    }

    // ---------------------------------------------------------------- admission

    /// @inheritdoc IRegistry
    /// @dev No rule needs the job signer yet; a later registry may, and the escrow can't change.
    function admit(Offer calldata offer, uint96 hashRate, uint40 start, uint32 duration, address)
        external
        view
        returns (Admission memory admitted)
    {
        require(block.timestamp >= pausedUntil, RentingPaused(pausedUntil));
        _checkOffer(offer);
        _checkDuration(offer, duration);
        _checkOracle(offer, uint256(start) + duration);
        uint256 committed = uint256(hashRate) * duration;
        require(committed <= type(uint96).max, WorkOverflow(committed));
        (uint256 log2, uint256 smallest) = LeaseMath.weightLog2(hashRate, offer.epochLength, duration);
        require(smallest != 0, LeaseTooSmall(committed));
        uint256 payment = LeaseMath.payment(offer.price, committed);
        require(payment <= type(uint128).max, PaymentOverflow(payment));
        Limits memory limit = _limits[offer.oracle][offer.token];
        require(payment >= limit.leastPayment, PaymentBelowLeast(limit.leastPayment, payment));
        // payment checked above; bond ≤ payment; log2 of a uint96 fits uint8
        admitted.payment = Fits.u128(payment);
        admitted.bond = Fits.u128(LeaseMath.portion(payment, offer.bondBps));
        admitted.weightLog2 = Fits.u8(log2);
        admitted.exposureCap = limit.exposureCap;
    }

    function _checkOffer(Offer calldata offer) private view {
        require(isTokenListed[offer.token], TokenNotListed(offer.token));
        require(
            offer.epochLength >= MIN_EPOCH && offer.epochLength <= MAX_EPOCH,
            EpochLengthOutOfBounds(MIN_EPOCH, MAX_EPOCH, offer.epochLength)
        );
        require(
            offer.notice >= MIN_NOTICE && offer.notice <= MAX_NOTICE,
            NoticeOutOfBounds(MIN_NOTICE, MAX_NOTICE, offer.notice)
        );
        require(offer.bondBps <= MAX_BPS, BondBpsOutOfBounds(MAX_BPS, offer.bondBps));
        require(offer.cancelBps <= offer.bondBps, CancelBpsOutOfBounds(offer.bondBps, offer.cancelBps));
    }

    /// @dev The limits of what the oracle can serve lie in the slot of `listed`.
    function _checkOracle(Offer calldata offer, uint256 end) private view {
        Oracle storage o = _oracles[offer.oracle];
        (bool listed, uint256 algorithms, uint256 latest, uint16 least) =
            (o.listed, o.algorithms, o.latestEnd, o.minBondBps);
        require(listed, OracleNotListed(offer.oracle));
        // numbers from 32 on have no bit
        require(
            offer.algorithm < 32 && algorithms >> offer.algorithm & 1 == 1,
            AlgorithmNotServed(offer.oracle, offer.algorithm)
        );
        require(latest == 0 || end <= latest, EndAfterOraclesLatest(latest, end));
        require(offer.latestEnd == 0 || end <= offer.latestEnd, EndAfterOffersLatest(offer.latestEnd, end));
        require(offer.bondBps >= least, BondBelowOraclesLeast(least, offer.bondBps));
    }

    function _checkDuration(Offer calldata offer, uint32 duration) private view {
        uint256 shortest = offer.minDuration > MIN_DURATION ? offer.minDuration : MIN_DURATION;
        uint256 longest = offer.maxDuration < MAX_DURATION ? offer.maxDuration : MAX_DURATION;
        require(duration >= shortest && duration <= longest, DurationOutOfBounds(shortest, longest, duration));
        require(duration % offer.epochLength == 0, DurationNotWholeEpochs(offer.epochLength, duration));
        uint256 epochs = duration / offer.epochLength;
        require(epochs >= MIN_EPOCHS, TooFewEpochs(MIN_EPOCHS, epochs));
        require(epochs <= MAX_EPOCHS, TooManyEpochs(MAX_EPOCHS, epochs));
    }

    // ---------------------------------------------------------------- views

    /// @inheritdoc IRegistry
    function oracle(uint32 id) external view returns (Oracle memory) {
        return _oracles[id];
    }

    /// @inheritdoc IRegistry
    function limits(uint32 oracleId, address token) external view returns (Limits memory) {
        return _limits[oracleId][token];
    }

    /// @inheritdoc IRegistry
    function bounds() external view returns (Bounds memory) {
        return Bounds({
            minDuration: MIN_DURATION,
            maxDuration: MAX_DURATION,
            minEpoch: MIN_EPOCH,
            maxEpoch: MAX_EPOCH,
            minEpochs: MIN_EPOCHS,
            minNotice: MIN_NOTICE,
            maxNotice: MAX_NOTICE,
            minWindow: MIN_WINDOW,
            minVoidingWindow: MIN_VOIDING_WINDOW,
            maxWindow: MAX_WINDOW
        });
    }
}
