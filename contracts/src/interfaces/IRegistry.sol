// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity ^0.8.30;

import {Admission, Bounds, Limits, Offer, Oracle, Registration} from "contracts/src/interfaces/LeaseTypes.sol";

/// @title What new leases may use
/// @notice All the power of the governor: lists and limits that only renting reads, and a pause of
/// renting. The escrow copies what an open lease needs, so nothing here affects one.
interface IRegistry {
    /// @notice An oracle was registered.
    event OracleRegistered(uint32 indexed id, address indexed account, Registration registration);
    /// @notice New leases may (or may no longer) pin the oracle.
    event OracleListed(uint32 indexed id, bool listed);
    /// @notice New leases may (or may no longer) use the token.
    event TokenListed(address indexed token, bool listed);
    /// @notice Cap on payments and bonds of unsettled leases of one oracle in one token, and the
    /// least payment of a new one.
    event LimitsSet(uint32 indexed oracle, address indexed token, uint256 exposureCap, uint256 leastPayment);
    /// @notice No new leases before this time.
    event Paused(uint40 until);
    /// @notice The wrapped native currency was set, once.
    event WrappedNativeSet(address indexed token);
    /// @notice Recipient of tokens that the escrow holds and owes nobody.
    event TreasurySet(address indexed treasury);

    error BadBounds();
    error ZeroAddress();
    error AlreadyRegistered(address account);
    /// @notice Fees that the escrow earns could never be withdrawn.
    error PayeeIsEscrow();
    error NoAlgorithms();
    /// @notice Bit 0 of a registration's algorithms is set, which stands for no algorithm.
    error AlgorithmZero();
    error AlgorithmNotServed(uint32 oracle, uint8 algorithm);
    error EndAfterOraclesLatest(uint256 latest, uint256 end);
    error EndAfterOffersLatest(uint256 latest, uint256 end);
    error BondBelowOraclesLeast(uint16 minimum, uint16 actual);
    error TooFewEpochs(uint256 minimum, uint256 actual);
    error PaymentBelowLeast(uint256 minimum, uint256 actual);
    error TooManyOracles();
    error WindowOutOfBounds(uint32 minimum, uint32 maximum, uint32 actual);
    error FeeOutOfBounds(uint16 maximum, uint16 actual);
    error WrappedNativeIsSet(address token);
    error RentingPaused(uint40 until);
    error TokenNotListed(address token);
    error OracleNotListed(uint32 oracle);
    error EpochLengthOutOfBounds(uint32 minimum, uint32 maximum, uint32 actual);
    error DurationOutOfBounds(uint256 minimum, uint256 maximum, uint32 actual);
    error DurationNotWholeEpochs(uint32 epochLength, uint32 duration);
    error TooManyEpochs(uint256 maximum, uint256 actual);
    error NoticeOutOfBounds(uint32 minimum, uint32 maximum, uint32 actual);
    error BondBpsOutOfBounds(uint16 maximum, uint16 actual);
    error CancelBpsOutOfBounds(uint16 maximum, uint16 actual);
    error LeaseTooSmall(uint256 work);
    error WorkOverflow(uint256 work);
    error PaymentOverflow(uint256 payment);

    // ---------------------------------------------------------------- governor, new leases only

    /// @notice Registers an oracle and lists it. A registration can't be changed or removed.
    function registerOracle(Registration calldata registration) external returns (uint32 id);
    /// @notice Allows or stops new leases that pin the oracle.
    function listOracle(uint32 id, bool listed) external;
    /// @notice Allows or stops new leases in the token.
    function listToken(address token, bool listed) external;
    /// @notice Caps what unsettled leases of this oracle may hold in this token, and sets the least
    /// payment of a new one. A full cap stops new leases and no exit.
    function setLimits(uint32 oracle, address token, Limits calldata limits) external;
    /// @notice Stops renting for three days; each pause ends by itself.
    function pause() external;
    /// @notice Ends a pause early.
    function unpause() external;
    /// @notice Sets the wrapped native currency of this chain, once.
    function setWrappedNative(address token) external;
    /// @notice Sets the recipient of tokens that the escrow owes nobody.
    function setTreasury(address treasury) external;

    // ---------------------------------------------------------------- views

    /// @notice Checks whether this fill of an offer may become a lease, and computes its amounts.
    /// Reverts with the reason if not. The escrow itself checks signature, counter, expiry, notice
    /// and the remaining rate of the offer.
    function admit(Offer calldata offer, uint96 hashRate, uint40 start, uint32 duration, address jobSigner)
        external
        view
        returns (Admission memory);
    /// @notice A registered oracle; all zero if there is none.
    function oracle(uint32 id) external view returns (Oracle memory);
    /// @notice Number of oracles; ids run from 1.
    function oracleCount() external view returns (uint32);
    /// @notice Whether new leases may use the token.
    function isTokenListed(address token) external view returns (bool);
    /// @notice Limits of leases of the oracle in the token.
    function limits(uint32 oracle, address token) external view returns (Limits memory);
    /// @notice First second at which renting is possible again; a past second if renting is not
    /// paused.
    function pausedUntil() external view returns (uint40);
    /// @notice The wrapped native currency; zero until it is set.
    function wrappedNative() external view returns (address);
    /// @notice Recipient of surplus tokens; zero until it is set.
    function treasury() external view returns (address);
    /// @notice The bounds of this deployment.
    function bounds() external view returns (Bounds memory);
}
