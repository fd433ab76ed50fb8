// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Admission, Bounds, Offer, Oracle} from "contracts/src/interfaces/LeaseTypes.sol";

/// @title What new leases may use
/// @notice The governor's whole power: lists and caps that only renting and depositing read, and a pause of renting. The escrow
/// copies what an open lease needs, so nothing here reaches one.
interface IRegistry {
    /// @notice An oracle was registered.
    event OracleRegistered(uint32 indexed id, address indexed account, uint32 window, uint16 feeBps, address payee);
    /// @notice New leases may (or may no longer) pin the oracle.
    event OracleListed(uint32 indexed id, bool listed);
    /// @notice New leases may (or may no longer) use the token.
    event TokenListed(address indexed token, bool listed);
    /// @notice Cap on payments and bonds of unsettled leases of one oracle in one token.
    event ExposureCapSet(uint32 indexed oracle, address indexed token, uint256 cap);
    /// @notice No new leases until then.
    event Paused(uint40 until);
    /// @notice The wrapped native currency, set once.
    event WrappedNativeSet(address indexed token);
    /// @notice Where tokens go that the escrow holds and owes nobody.
    event TreasurySet(address indexed treasury);

    error BadBounds();
    error ZeroAddress();
    error AlreadyRegistered(address account);
    error TooManyOracles();
    error WindowOutOfBounds(uint32 minimum, uint32 maximum, uint32 actual);
    error FeeOutOfBounds(uint16 maximum, uint16 actual);
    error WrappedNativeIsSet(address token);
    error RentingPaused(uint40 until);
    error UnknownAlgorithm(uint8 algorithm);
    error TokenNotListed(address token);
    error OracleNotListed(uint32 oracle);
    error EpochLengthOutOfBounds(uint32 minimum, uint32 maximum, uint32 actual);
    error DurationOutOfBounds(uint256 minimum, uint256 maximum, uint32 actual);
    error DurationNotWholeEpochs(uint32 epochLength, uint32 duration);
    error TooManyEpochs(uint256 maximum, uint256 actual);
    error NoticeOutOfBounds(uint32 maximum, uint32 actual);
    error BondBpsOutOfBounds(uint16 maximum, uint16 actual);
    error CancelBpsOutOfBounds(uint16 maximum, uint16 actual);
    error LeaseTooSmall(uint256 work);
    error WorkOverflow(uint256 work);
    error PaymentOverflow(uint256 payment);

    // ---------------------------------------------------------------- the governor's, new leases only

    /// @notice Registers an oracle for good, listed.
    function registerOracle(address account, uint32 window, uint16 feeBps, address payee) external returns (uint32 id);
    /// @notice Lets new leases pin the oracle, or stops them.
    function listOracle(uint32 id, bool listed) external;
    /// @notice Lets new leases use the token, or stops them.
    function listToken(address token, bool listed) external;
    /// @notice Bounds what leases of this oracle may hold in this token. Full: no new leases, exits untouched.
    function setExposureCap(uint32 oracle, address token, uint128 cap) external;
    /// @notice Stops renting for three days at most; each pause runs out by itself.
    function pause() external;
    /// @notice Ends a pause early.
    function unpause() external;
    /// @notice Names the wrapped native currency of this chain, once and for all.
    function setWrappedNative(address token) external;
    /// @notice Names who gets tokens that the escrow owes nobody.
    function setTreasury(address treasury) external;

    // ---------------------------------------------------------------- views

    /// @notice Checks whether this fill of an offer may become a lease, and what it comes to. Reverts with the reason.
    /// Signature, counter, expiry, notice and what is left of the offer are the escrow's to check.
    function admit(Offer calldata offer, uint96 hashRate, uint32 duration) external view returns (Admission memory);
    /// @notice A registered oracle; all zero when there is none.
    function oracle(uint32 id) external view returns (Oracle memory);
    /// @notice Ids of oracles run from 1 to this.
    function oracleCount() external view returns (uint32);
    /// @notice Whether new leases may use the token.
    function isTokenListed(address token) external view returns (bool);
    /// @notice Most that unsettled leases of the oracle may hold in the token, base units.
    function exposureCap(uint32 oracle, address token) external view returns (uint128);
    /// @notice First second at which renting is possible again; in the past when it is.
    function pausedUntil() external view returns (uint40);
    /// @notice The wrapped native currency; zero until it is named.
    function wrappedNative() external view returns (address);
    /// @notice Who gets surplus tokens; zero until named.
    function treasury() external view returns (address);
    /// @notice The bounds of this deployment.
    function bounds() external view returns (Bounds memory);
}
