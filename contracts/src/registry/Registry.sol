// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {IRegistry} from "contracts/src/interfaces/IRegistry.sol";
import {Admission, Bounds, Offer, Oracle} from "contracts/src/interfaces/LeaseTypes.sol";
import {Fits} from "contracts/src/libraries/Fits.sol";
import {LeaseMath} from "contracts/src/libraries/LeaseMath.sol";

/// @title What new leases may use
/// @notice The escrow asks it at renting and depositing, for the treasury, and once for the wrapped
/// native currency. Of a registered oracle only `listed` ever changes.
contract Registry is IRegistry, AccessManaged {
    uint16 private constant MAX_FEE_BPS = 300;
    uint16 private constant MAX_BPS = 10_000;
    uint256 private constant MAX_EPOCHS = 8192;
    uint40 private constant PAUSE = 3 days;

    uint32 private immutable MIN_DURATION;
    uint32 private immutable MAX_DURATION;
    uint32 private immutable MIN_EPOCH;
    uint32 private immutable MAX_EPOCH;
    uint32 private immutable MAX_NOTICE;
    uint32 private immutable MIN_WINDOW;
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
    /// @inheritdoc IRegistry
    mapping(uint32 oracle => mapping(address token => uint128)) public exposureCap;
    mapping(uint32 id => Oracle) private _oracles;
    mapping(address account => uint32) private _oracleOf;

    /// @param authority The governor's OpenZeppelin AccessManager.
    /// @param b Bounds of what can be rented and registered; they never change.
    constructor(address authority, Bounds memory b) AccessManaged(authority) {
        require(authority != address(0), ZeroAddress());
        // the escrow stores an epoch's length in 24 bits and an end in 40
        require(
            b.minEpoch != 0 && b.minEpoch <= b.maxEpoch && b.maxEpoch <= type(uint24).max && b.minDuration >= b.minEpoch
                && b.minDuration <= b.maxDuration && b.minWindow <= b.maxWindow,
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

    // ---------------------------------------------------------------- governor

    /// @inheritdoc IRegistry
    function registerOracle(address account, uint32 window, uint16 feeBps, address payee)
        external
        restricted
        returns (uint32 id)
    {
        require(account != address(0) && payee != address(0), ZeroAddress());
        require(_oracleOf[account] == 0, AlreadyRegistered(account));
        require(window >= MIN_WINDOW && window <= MAX_WINDOW, WindowOutOfBounds(MIN_WINDOW, MAX_WINDOW, window));
        require(feeBps <= MAX_FEE_BPS, FeeOutOfBounds(MAX_FEE_BPS, feeBps));
        // a lease stores 16 bits of the id
        require(oracleCount < type(uint16).max, TooManyOracles());
        id = ++oracleCount;
        _oracleOf[account] = id;
        _oracles[id] = Oracle({account: account, window: window, feeBps: feeBps, payee: payee, listed: true});
        emit OracleRegistered(id, account, window, feeBps, payee);
        emit OracleListed(id, true);
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
    function setExposureCap(uint32 oracleId, address token, uint128 cap) external restricted {
        require(_oracles[oracleId].account != address(0), OracleNotListed(oracleId));
        exposureCap[oracleId][token] = cap;
        emit ExposureCapSet(oracleId, token, cap);
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
    function admit(Offer calldata offer, uint96 hashRate, uint32 duration)
        external
        view
        returns (Admission memory admitted)
    {
        require(block.timestamp >= pausedUntil, RentingPaused(pausedUntil));
        _checkOffer(offer);
        _checkDuration(offer, duration);
        uint256 committed = uint256(hashRate) * duration;
        require(committed <= type(uint96).max, WorkOverflow(committed));
        (uint256 log2, uint256 smallest) = LeaseMath.weightLog2(hashRate, offer.epochLength, duration);
        require(smallest != 0, LeaseTooSmall(committed));
        uint256 payment = LeaseMath.payment(offer.price, committed);
        require(payment <= type(uint128).max, PaymentOverflow(payment));
        // payment checked above; bond ≤ payment; log2 of a uint96 fits uint8
        admitted.payment = Fits.u128(payment);
        admitted.bond = Fits.u128(LeaseMath.portion(payment, offer.bondBps));
        admitted.weightLog2 = Fits.u8(log2);
        admitted.exposureCap = exposureCap[offer.oracle][offer.token];
    }

    function _checkOffer(Offer calldata offer) private view {
        require(offer.algorithm != 0 && offer.algorithm <= 4, UnknownAlgorithm(offer.algorithm));
        require(isTokenListed[offer.token], TokenNotListed(offer.token));
        require(_oracles[offer.oracle].listed, OracleNotListed(offer.oracle));
        require(
            offer.epochLength >= MIN_EPOCH && offer.epochLength <= MAX_EPOCH,
            EpochLengthOutOfBounds(MIN_EPOCH, MAX_EPOCH, offer.epochLength)
        );
        require(offer.notice <= MAX_NOTICE, NoticeOutOfBounds(MAX_NOTICE, offer.notice));
        require(offer.bondBps <= MAX_BPS, BondBpsOutOfBounds(MAX_BPS, offer.bondBps));
        require(offer.cancelBps <= offer.bondBps, CancelBpsOutOfBounds(offer.bondBps, offer.cancelBps));
    }

    function _checkDuration(Offer calldata offer, uint32 duration) private view {
        uint256 shortest = offer.minDuration > MIN_DURATION ? offer.minDuration : MIN_DURATION;
        uint256 longest = offer.maxDuration < MAX_DURATION ? offer.maxDuration : MAX_DURATION;
        require(duration >= shortest && duration <= longest, DurationOutOfBounds(shortest, longest, duration));
        require(duration % offer.epochLength == 0, DurationNotWholeEpochs(offer.epochLength, duration));
        uint256 epochs = duration / offer.epochLength;
        require(epochs <= MAX_EPOCHS, TooManyEpochs(MAX_EPOCHS, epochs));
    }

    // ---------------------------------------------------------------- views

    /// @inheritdoc IRegistry
    function oracle(uint32 id) external view returns (Oracle memory) {
        return _oracles[id];
    }

    /// @inheritdoc IRegistry
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
